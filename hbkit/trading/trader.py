"""From what a strategy wants to requests on the wire: ids, rounding, caps, journal first, then the exchange.

Every call returns at once. A refusal that is decided here (rounding to nothing, a risk cap, a veto) is an order with
status `rejected` and a reason, told through `on_order` like the exchange's own; a call that can mean nothing (a
quantity of 0, a price that is no number) raises.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from hbkit.clock import Clock
from hbkit.data.journal import Journal
from hbkit.errors import StrategyError
from hbkit.exchange import Capabilities, Exchange
from hbkit.model import (
    Execution,
    Instrument,
    Order,
    OrderReport,
    OrderRequest,
    OrderStatus,
    OrderType,
    PositionMode,
    PositionSide,
    Side,
    TimeInForce,
)
from hbkit.model.instrument import Number
from hbkit.trading.ledger import Ledger
from hbkit.trading.risk import RiskGate
from hbkit.trading.tracker import Ticket, Tracker

Veto = Callable[[OrderRequest, str], str | None]
QuoteLevel = tuple[Number, Number]
_Word = TypeVar("_Word", TimeInForce, PositionSide)


@dataclass(frozen=True)
class Wish:
    """The options of an order, as a strategy names them."""

    post_only: bool = False
    reduce_only: bool = False
    time_in_force: TimeInForce | str | None = None
    position_side: PositionSide | str | None = None
    tag: str = ""
    group: str = ""


class Trader:
    """The order desk of one strategy."""

    def __init__(
        self,
        strategy: str,
        exchanges: Mapping[str, Exchange],
        *,
        journal: Journal,
        clock: Clock,
        risk: RiskGate,
        prefix: str,
        veto: Veto | None,
        tell_refusal: Callable[[Order], None],
    ) -> None:
        self.strategy = strategy
        self.tracker = Tracker()
        self.ledger = Ledger()
        self.sent = 0
        self.refused = 0
        self.fills = 0
        self._exchanges = dict(exchanges)
        self._capabilities: dict[str, Capabilities] = {}
        self._journal = journal
        self._clock = clock
        self._risk = risk
        self._prefix = prefix
        self._veto = veto
        self._tell_refusal = tell_refusal
        self._counter = 0

    # -- acting

    def place(self, instrument: Instrument, side: Side, qty: Number, price: Number | None, wish: Wish) -> Order:
        """A new order, rounded to the grid. Raises StrategyError for a call that can mean nothing."""
        leg = self.leg_of(instrument, wish.position_side)
        units, ticks = self._rounded(instrument, side, qty, price)
        market = ticks is None
        default = TimeInForce.IOC if market else TimeInForce.GTC
        tif = _choice(TimeInForce, wish.time_in_force, default, "time_in_force")
        request = OrderRequest(
            id=self._next_id(),
            instrument=instrument,
            side=side,
            position_side=leg,
            type=OrderType.MARKET if market else OrderType.LIMIT,
            units=units,
            ticks=ticks,
            time_in_force=tif,
            post_only=wish.post_only,
            reduce_only=wish.reduce_only,
        )
        ticket = Ticket(request, wish.tag, wish.group)
        reason = self._refusal(request, qty)
        if reason:
            self.tracker.refuse(ticket, reason)
            self.refused += 1
            order = ticket.value()
            self._write_order(ticket, "submit")
            self._tell_refusal(order)
            return order
        self._send(ticket)
        return ticket.value()

    def amend(self, order_id: str, *, price: Number | None = None, qty: Number | None = None) -> None:
        """Change price or total quantity of an open order; nothing happens to one that has ended."""
        ticket = self.tracker.open.get(order_id)
        if ticket is None:
            return
        request = ticket.request
        units, ticks = self._rounded(
            request.instrument,
            request.side,
            request.instrument.qty(ticket.units) if qty is None else qty,
            price,
        )
        self._amend(ticket, ticket.ticks if ticks is None else ticks, units)

    def cancel(self, order_id: str) -> None:
        """Take an order away; harmless when it has ended or a cancel is on its way."""
        ticket = self.tracker.open.get(order_id)
        if ticket is None or ticket.pending == "cancel":
            return
        self._intent(ticket, "cancel", ticket.ticks, ticket.units)
        ticket.pending = "cancel"
        self._exchange(ticket.request.instrument).cancel(order_id)

    def cancel_all(self, instrument: Instrument | None = None, side: Side | None = None) -> None:
        """Cancel every open order, of one instrument or side if given."""
        for ticket in list(self.tracker.open.values()):
            request = ticket.request
            if instrument in (None, request.instrument) and side in (None, request.side):
                self.cancel(request.id)

    def close_position(self, instrument: Instrument, position_side: PositionSide | str | None) -> Order | None:
        """A market order that takes the position away and never crosses zero; None when there is none."""
        leg = self.leg_of(instrument, position_side)
        units = self._expected(instrument, leg)
        if units == 0:
            return None
        side = Side.SELL if units > 0 else Side.BUY
        wish = Wish(reduce_only=True, position_side=leg, group="target")
        return self.place(instrument, side, instrument.qty(abs(units)), None, wish)

    def target_position(
        self, instrument: Instrument, qty: Number, price: Number | None, position_side: PositionSide | str | None
    ) -> list[Order]:
        """Bring the position to `qty` (signed), counting what is in flight and what is UNKNOWN.

        Without a price by a market order, with one by a resting order; a target that lies beyond zero is reached by a
        closing order and an opening one, so that neither crosses zero.
        """
        leg = self.leg_of(instrument, position_side)
        target = self._signed_units(instrument, qty, leg)
        self._drop_old_targets(instrument, leg, target, price)
        present = self._expected(instrument, leg)
        steps: list[tuple[int, bool]] = []
        if present and (target == 0 or (target > 0) != (present > 0)):
            steps.append((-present, True))
            present = 0
        if target != present:
            steps.append((target - present, abs(target) < abs(present)))
        orders = []
        for delta, closing in steps:
            whole = abs(delta) if closing and target == 0 else abs(delta) - abs(delta) % instrument.lot_units
            if whole:
                side = Side.BUY if delta > 0 else Side.SELL
                wish = Wish(reduce_only=closing, position_side=leg, group="target")
                orders.append(self.place(instrument, side, instrument.qty(whole), price, wish))
        return orders

    def quote(
        self,
        instrument: Instrument,
        bids: Sequence[QuoteLevel],
        asks: Sequence[QuoteLevel],
        *,
        post_only: bool,
        position_side: PositionSide | str | None,
    ) -> None:
        """State the wanted resting orders; sends the fewest amends, placements and cancels that lead there.

        Orders in flight are left alone: they hold their place among the wanted ones until they are answered.
        """
        leg = self.leg_of(instrument, position_side)
        for side, levels in ((Side.BUY, bids), (Side.SELL, asks)):
            wanted = []
            for price, qty in levels:
                units, ticks = self._rounded(instrument, side, qty, price)
                if units and ticks is not None:
                    wanted.append((ticks, units))
            self._quote_side(instrument, side, leg, wanted, post_only)

    # -- what comes back

    def on_report(self, report: OrderReport) -> Order | None:
        """Apply an exchange's report; returns the order if that is news to the strategy."""
        ticket = self.tracker.report(report)
        if ticket is None:
            return None
        if report.refused:
            self.refused += 1
        self._write_order(ticket, report.refused)
        return ticket.value()

    def on_execution(self, execution: Execution) -> tuple[Order | None, int] | None:
        """Apply a fill; returns the order (if its status changed) and the realized profit, None for a repeated one."""
        before = self.tracker.find(execution.order_id)
        old = before.status if before is not None else None
        ticket, is_new = self.tracker.execution(execution)
        if not is_new:
            return None
        realized = self.ledger.apply(execution)
        if execution.order_id:
            self.fills += 1
        if ticket is None or ticket.status is old:
            return None, realized
        self._write_order(ticket, "")
        return ticket.value(), realized

    # -- reading

    def leg_of(self, instrument: Instrument, side: PositionSide | str | None) -> PositionSide:
        """The leg a call speaks of. Raises StrategyError when the position mode needs another answer."""
        leg = _choice(PositionSide, side, PositionSide.NET, "position_side")
        hedge = self._exchange(instrument).position_mode is PositionMode.HEDGE
        hedged = hedge and instrument.hedge and not instrument.is_spot
        if hedged and leg is PositionSide.NET:
            raise StrategyError(f'{instrument} is in hedge mode: say position_side="long" or position_side="short"')
        if not hedged and leg is not PositionSide.NET:
            raise StrategyError(f"{instrument} is in one-way mode: leave position_side out, got {leg}")
        return leg

    def orders(self, instrument: Instrument) -> list[Order]:
        """Open orders of an instrument, oldest first."""
        return [ticket.value() for ticket in self.tracker.of(instrument)]

    # -- inside

    def _exchange(self, instrument: Instrument) -> Exchange:
        return self._exchanges[instrument.exchange]

    def _next_id(self) -> str:
        self._counter += 1
        return f"{self._prefix}{self._counter}"

    def _rounded(self, instrument: Instrument, side: Side, qty: Number, price: Number | None) -> tuple[int, int | None]:
        try:
            ticks = None if price is None else instrument.ticks(price, side)
            units = instrument.units(qty)
        except (ValueError, ArithmeticError, TypeError) as error:
            call = f"{side}({qty!r}{'' if price is None else f', {price!r}'}) of {instrument}"
            raise StrategyError(f"{call}: {error}; quantity and price must be finite numbers", code="HB411") from None
        if float(qty) <= 0:
            raise StrategyError(
                f"{side}({qty!r}) of {instrument}: the quantity must be above 0; one lot is {instrument.lot_size}",
                code="HB411",
            )
        if ticks is not None and ticks <= 0 and (instrument.min_price is None or instrument.min_price >= 0):
            raise StrategyError(
                f"{side}({qty!r}, {price!r}) of {instrument}: the price must be above 0; one tick is "
                f"{instrument.tick_size}",
                code="HB410",
            )
        return units, ticks

    def _signed_units(self, instrument: Instrument, qty: Number, leg: PositionSide) -> int:
        value = float(qty)
        if not math.isfinite(value):
            raise StrategyError(f"target_position({qty!r}) of {instrument}: the quantity must be a finite number")
        if (leg is PositionSide.LONG and value < 0) or (leg is PositionSide.SHORT and value > 0):
            raise StrategyError(f"target_position({qty!r}): the {leg} leg of {instrument} cannot have that sign")
        units = instrument.units(Decimal(str(qty)).copy_abs())
        return units if value >= 0 else -units

    def _refusal(self, request: OrderRequest, qty: Number) -> str:
        """Why an order is not sent at all, the empty text if it is."""
        instrument = request.instrument
        if request.units == 0:
            return f"quantity {qty} is below one lot of {instrument.lot_size}"
        capabilities = self._capable(instrument)
        if request.post_only and (not capabilities.post_only or request.type is OrderType.MARKET):
            return "post_only does not go with a market order" if capabilities.post_only else "no post-only orders here"
        if request.reduce_only and not capabilities.reduce_only:
            return f"{instrument.exchange} has no reduce-only orders"
        if request.type is OrderType.LIMIT and request.time_in_force not in capabilities.time_in_force:
            known = ", ".join(sorted(capabilities.time_in_force))
            return f"{instrument.exchange} does not know time_in_force {request.time_in_force}; it knows {known}"
        if request.reduce_only:
            return self._vetoed(request)
        exposure = self._exposure(instrument, request.position_side, request.side)
        held = self._risk.refusal(instrument, request.side, request.units, exposure, self._clock.now())
        return held or self._vetoed(request)

    def _vetoed(self, request: OrderRequest) -> str:
        return (self._veto(request, self.strategy) or "") if self._veto is not None else ""

    def _capable(self, instrument: Instrument) -> Capabilities:
        name = instrument.exchange
        if name not in self._capabilities:
            self._capabilities[name] = self._exchanges[name].capabilities
        return self._capabilities[name]

    def _exposure(self, instrument: Instrument, leg: PositionSide, side: Side) -> int:
        """Position plus everything open or in flight on `side`, as if it had filled."""
        resting = sum(ticket.leaves for ticket in self.tracker.of(instrument, leg) if ticket.request.side is side)
        return self.ledger.legs.get(instrument, leg).units + resting * side.sign

    def _expected(self, instrument: Instrument, leg: PositionSide) -> int:
        """The position once every order that is meant to fill at once, or whose fate is unknown, has filled."""
        total = self.ledger.legs.get(instrument, leg).units
        for ticket in self.tracker.of(instrument, leg):
            counts = (
                ticket.group == "target"
                or ticket.request.type is OrderType.MARKET
                or ticket.status is OrderStatus.UNKNOWN
            )
            if counts:
                total += ticket.leaves * ticket.request.side.sign
        return total

    def _drop_old_targets(self, instrument: Instrument, leg: PositionSide, target: int, price: Number | None) -> None:
        """Cancel resting orders of an earlier target that do not lead to this one."""
        expected = self._expected(instrument, leg)
        for ticket in list(self.tracker.of(instrument, leg)):
            if ticket.group != "target" or ticket.ticks is None or ticket.pending:
                continue
            same_price = price is not None and instrument.ticks(price, ticket.request.side) == ticket.ticks
            if expected != target or not same_price:
                self.cancel(ticket.request.id)
                ticket.group = ""

    def _quote_side(
        self, instrument: Instrument, side: Side, leg: PositionSide, wanted: list[tuple[int, int]], post_only: bool
    ) -> None:
        live = [
            ticket
            for ticket in self.tracker.of(instrument, leg)
            if ticket.group == "quote" and ticket.request.side is side and ticket.pending != "cancel"
        ]
        left = list(wanted)
        free: list[Ticket] = []
        for ticket in live:
            match = next((level for level in left if level[0] == ticket.ticks), None)
            if ticket.pending or ticket.status is OrderStatus.UNKNOWN:
                if left:
                    left.remove(match or left[0])
            elif match is not None and match[1] == ticket.leaves:
                left.remove(match)
            else:
                free.append(ticket)
        for ticket in free:
            if left and self._capable(instrument).amend:
                level = next((level for level in left if level[0] == ticket.ticks), left[0])
                left.remove(level)
                self._amend(ticket, level[0], ticket.filled + level[1])
            else:
                self.cancel(ticket.request.id)
        for ticks, units in left:
            self._place_quote(instrument, side, leg, ticks, units, post_only)

    def _place_quote(
        self, instrument: Instrument, side: Side, leg: PositionSide, ticks: int, units: int, post_only: bool
    ) -> None:
        """Place one wanted level; one that a risk cap holds back is left out in silence, it is asked for again soon."""
        exposure = self._exposure(instrument, leg, side)
        if self._risk.refusal(instrument, side, units, exposure, self._clock.now()):
            return
        wish = Wish(post_only=post_only, position_side=leg, group="quote")
        self.place(instrument, side, instrument.qty(units), instrument.price(ticks), wish)

    def _send(self, ticket: Ticket) -> None:
        self.tracker.add(ticket)
        self._risk.sent(self._clock.now())
        self.sent += 1
        self._intent(ticket, "submit", ticket.ticks, ticket.units)
        self._exchange(ticket.request.instrument).submit(ticket.request)

    def _amend(self, ticket: Ticket, ticks: int | None, units: int) -> None:
        if units == 0 or (ticks, units) == (ticket.ticks, ticket.units):
            return
        instrument = ticket.request.instrument
        if not self._capable(instrument).amend:
            raise StrategyError(f"{instrument.exchange} cannot amend orders; cancel and place anew", code="HB414")
        self._intent(ticket, "amend", ticks, units)
        ticket.pending = "amend"
        self._exchange(instrument).amend(ticket.request.id, ticks=ticks, units=units)

    def _intent(self, ticket: Ticket, kind: str, ticks: int | None, units: int) -> None:
        request = ticket.request
        instrument = request.instrument
        flags = ",".join(name for name in ("post_only", "reduce_only") if getattr(request, name))
        price = "" if ticks is None else instrument.price_text(ticks)
        self._journal.intent(
            self._clock.now(), self.strategy, kind, request.id, instrument.exchange, instrument.symbol,
            request.side.value, request.position_side.value, request.type.value, request.time_in_force.value,
            instrument.qty_text(units), price, flags, ticket.tag,
        )  # fmt: skip

    def _write_order(self, ticket: Ticket, refused: str) -> None:
        request = ticket.request
        instrument = request.instrument
        price = "" if ticket.ticks is None else instrument.price_text(ticket.ticks)
        filled = instrument.qty_text(max(ticket.filled, ticket.reported_filled))
        self._journal.order(
            self._clock.now(), request.id, ticket.exchange_id, ticket.status.value,
            instrument.qty_text(ticket.units), filled, price, ticket.reason, refused,
        )  # fmt: skip


def _choice(enum: type[_Word], value: _Word | str | None, default: _Word, what: str) -> _Word:
    if value is None:
        return default
    try:
        return enum(str(value).lower())
    except ValueError:
        known = ", ".join(str(word) for word in enum)
        raise StrategyError(f'{what} is "{value}"; it is one of {known}') from None
