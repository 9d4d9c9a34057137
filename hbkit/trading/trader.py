"""From what a strategy wants to requests on the wire: ids, rounding, caps, journal first, then the exchange.

Every call returns at once. A refusal that is decided here (rounding to nothing, a risk cap, a veto) is an order with
status `rejected` and a reason, told through `on_order` like the exchange's own; a call that can mean nothing (a
quantity of 0, a price that is no number) raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from hbkit.clock import Clock
from hbkit.data.journal import Journal
from hbkit.errors import StateError, StrategyError
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
from hbkit.trading.limits import limit_refusal
from hbkit.trading.pace import Pace
from hbkit.trading.risk import RiskGate
from hbkit.trading.sharing import Sharing
from hbkit.trading.tracker import NOTHING, Level, Ticket, Tracker
from hbkit.trading.triggers import Trigger, display_units, trigger_ticks
from hbkit.trading.words import choice

Veto = Callable[[OrderRequest, str], str | None]
QuoteLevel = tuple[Number, Number]
_AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})


@dataclass(frozen=True)
class Wish:
    """The options of an order, as a strategy names them."""

    post_only: bool = False
    reduce_only: bool = False
    time_in_force: TimeInForce | str | None = None
    position_side: PositionSide | str | None = None
    tag: str = ""
    group: str = ""
    trigger: Trigger | None = None
    display_qty: Number | None = None


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
        blind: AbstractSet[str] = frozenset(),
        last_number: int = 0,
        shared: Mapping[Instrument, Sharing] | None = None,
        pace: Pace | None = None,
    ) -> None:
        """
        :param blind: names of the exchanges that cannot be seen now, kept by the owner: nothing opens there.
        :param prefix: begins every order id; a number follows.
        :param last_number: the highest number that an earlier run used.
        :param shared: the instruments that other strategies of this run trade too.
        :param pace: how many orders are too many.
        """
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
        self._blind = blind
        self._counter = last_number
        self._shared = dict(shared or {})
        self._pace = pace or Pace()
        for sharing in self._shared.values():
            sharing.join(self)
        self._targets: dict[tuple[Instrument, PositionSide], tuple[int, Number | None]] = {}
        """Targets (units, price) that wait until the orders of an earlier one are gone."""
        self._unquotable: set[tuple[Instrument, PositionSide, Side]] = set()
        """Where a quote was refused as too large or too small; that is told once, not at every quote."""

    # -- acting

    def place(self, instrument: Instrument, side: Side, qty: Number, price: Number | None, wish: Wish) -> Order:
        """A new order, rounded to the grid. Raises StrategyError for a call that can mean nothing."""
        leg = self.leg_of(instrument, wish.position_side)
        self._pace.check(self._clock.now())
        units, ticks = self._rounded(f"{side}", instrument, side, qty, price)
        if wish.trigger is not None:
            wish.trigger.check(f"{side}", instrument)
        return self._place(instrument, side, leg, units, ticks, wish, asked=(qty, price))

    def amend(
        self,
        order_id: str,
        *,
        price: Number | None = None,
        qty: Number | None = None,
        trigger_price: Number | None = None,
    ) -> None:
        """Change price, total quantity or trigger of an open order; nothing happens to one that has ended."""
        ticket = self.tracker.open.get(order_id)
        if ticket is None or ticket.pending == "cancel":
            return
        request = ticket.request
        instrument, (ticks, units) = request.instrument, ticket.wanted
        given = instrument.qty(units) if qty is None else qty
        new_units, new_ticks = self._rounded("amend", instrument, request.side, given, price)
        if price is not None and ticks is None:
            raise StrategyError(f"amend({order_id}): a market order has no price to change", code="HB411")
        if qty is not None:
            units = new_units
        if price is not None:
            ticks = new_ticks
        trigger = None
        if trigger_price is not None:
            if not request.waits or request.trail_ticks is not None:
                what = "trails the market; cancel and place anew" if request.waits else "has no trigger"
                raise StrategyError(f"amend({order_id}): trigger_price is given but the order {what}", code="HB414")
            trigger = trigger_ticks(f"amend({order_id})", instrument, trigger_price, above=request.fires_above)
        reason = self._amend_refusal(ticket, units, ticks) or ("" if ticks is None or ticks > 0 else _no_price(price))
        if trigger is not None and not reason:
            reason = "the order is triggered already" if ticket.triggered else ""
        if reason:
            self._refuse_amend(ticket, reason)
        else:
            self._amend(ticket, ticks, units, trigger)

    def cancel(self, order_id: str) -> None:
        """Take an order away; harmless when it has ended or a cancel is on its way."""
        ticket = self.tracker.open.get(order_id)
        if ticket is None or ticket.pending == "cancel":
            return
        if self._shared and self._withdrawn(ticket):
            return
        with suppress(StateError):  # told by the journal; what takes exposure away goes out all the same
            self._intent(ticket, "cancel", ticket.ticks, ticket.units)
        ticket.asked("cancel", ticket.ticks, ticket.units)
        ticket.goal = None
        self._exchange(ticket.request.instrument).cancel(order_id)

    def cancel_all(self, instrument: Instrument | None = None, side: Side | str | None = None) -> None:
        """Cancel every open order, of one instrument or side if given; no target waits any longer."""
        which = None if side is None else choice(Side, side, Side.BUY, "side")
        for key in [key for key in self._targets if instrument in (None, key[0])]:
            del self._targets[key]
        for ticket in list(self.tracker.open.values()):
            request = ticket.request
            if instrument in (None, request.instrument) and which in (None, request.side):
                self.cancel(request.id)

    def close_position(self, instrument: Instrument, position_side: PositionSide | str | None) -> Order | None:
        """A market order that takes the position away and never crosses zero; None when there is none."""
        orders = self.target_position(instrument, 0, None, position_side)
        return orders[0] if orders else None

    def target_position(
        self, instrument: Instrument, qty: Number, price: Number | None, position_side: PositionSide | str | None
    ) -> list[Order]:
        """Bring the position to `qty` (signed), counting what is in flight and what is UNKNOWN.

        Without a price by a market order, with one by a resting order; a target that lies beyond zero is reached by a
        closing order and an opening one, so that neither crosses zero. Resting orders of an earlier target are
        cancelled first; what opens waits until they are gone, because they may still fill.
        """
        leg = self.leg_of(instrument, position_side)
        self._pace.check(self._clock.now())
        target = self._signed_units(instrument, qty, leg)
        if price is not None:
            self._ticks("target_position", instrument, Side.BUY, price)
        self._drop_old_targets(instrument, leg, target, price)
        return self._approach(instrument, leg, target, price)

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

        Orders in flight are left alone: they hold their place among the wanted ones until they are answered, and go to
        it then. A level that fills is not placed anew until it is wanted again.
        """
        if instrument.exchange in self._blind:
            return  # what rests there is left alone; the next event after the gap quotes anew
        leg = self.leg_of(instrument, position_side)
        self._pace.check(self._clock.now())
        sides = [(side, self._levels(instrument, side, given)) for side, given in ((Side.BUY, bids), (Side.SELL, asks))]
        for side, wanted in sides:
            self._quote_side(instrument, side, leg, wanted, post_only)

    # -- what comes back

    def on_report(self, report: OrderReport) -> Order | None:
        """Apply an exchange's report; returns the order if that is news to the strategy."""
        ticket = self.tracker.report(report)
        order = None
        if ticket is not None:
            if report.refused in ("submit", "amend"):  # a cancel that came too late is no fault of an order
                self.refused += 1
            self._write_order(ticket, report.refused)
            order = ticket.value()
        self._go_on(report.id)
        self._let_others_go_on(report.instrument)
        return order

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
        if execution.instrument in self._shared:
            self._trim(execution.instrument, execution.position_side)
        if ticket is None:
            return None, realized
        order = None
        if ticket.status is not old:
            self._write_order(ticket, "")
            order = ticket.value()
        self._go_on(execution.order_id)
        self._let_others_go_on(execution.instrument)
        return order, realized

    # -- from an earlier run

    def restore(self, execution: Execution) -> None:
        """Book an execution of an earlier run."""
        if self.tracker.execution(execution)[1]:
            self.ledger.apply(execution)

    def adopt(self, request: OrderRequest, tag: str, group: str, report: OrderReport) -> None:
        """Track an order of an earlier run that still stands."""
        self.tracker.add(Ticket(request, tag, group))
        self.on_report(report)

    # -- reading

    def leg_of(self, instrument: Instrument, side: PositionSide | str | None) -> PositionSide:
        """The leg a call speaks of. Raises StrategyError when the position mode needs another answer."""
        leg = choice(PositionSide, side, PositionSide.NET, "position_side")
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

    # -- where other strategies trade the same instrument

    def shares(self, instrument: Instrument) -> bool:
        """Whether other strategies of the run may hold a part of the account's position."""
        return instrument in self._shared

    def own_exposure(self, instrument: Instrument, leg: PositionSide, side: Side) -> int:
        """Position plus everything open or in flight on `side`, as if it had filled; this strategy's own."""
        resting = sum(ticket.leaves for ticket in self.tracker.of(instrument, leg) if ticket.request.side is side)
        return self._held(instrument, leg) + resting * side.sign

    def leave(self, ticket: Ticket) -> None:
        """Send an order that was held."""
        ticket.reason = ""
        try:
            if ticket.request.instrument.exchange in self._blind and not ticket.reduces:
                raise StateError(f"{ticket.request.instrument.exchange} is out of reach; nothing was sent")
            self._submit(ticket)
        except StateError as error:
            self.tracker.withdraw(ticket, error.message)
            self._tell_refusal(ticket.value())

    def change(self, ticket: Ticket, ticks: int | None, units: int) -> None:
        """Send a change that was held."""
        self._amend(ticket, ticks, units)

    def _let_others_go_on(self, instrument: Instrument) -> None:
        if self._shared and instrument in self._shared:
            self._shared[instrument].go_on()

    def _withdrawn(self, ticket: Ticket) -> bool:
        """End an order that is held; False for one that has left."""
        sharing = self._shared.get(ticket.request.instrument)
        if sharing is None or not sharing.forget(ticket.request.id):
            return False
        self.tracker.withdraw(ticket, "cancelled before it left")
        self._write_order(ticket, "")
        self._tell_refusal(ticket.value())
        self._go_on(ticket.request.id)
        return True

    def _reducible(self, instrument: Instrument, leg: PositionSide, side: Side) -> int:
        """Units that a reduce-only order on `side` may have: the position less what is on its way to close it."""
        held = self._held(instrument, leg)
        if held * side.sign >= 0:
            return 0
        resting = [ticket for ticket in self.tracker.of(instrument, leg) if ticket.request.side is side]
        return max(0, abs(held) - sum(ticket.leaves for ticket in resting if ticket.reduces))

    def _trim(self, instrument: Instrument, leg: PositionSide) -> None:
        """The position moved: take from reduce-only orders, the newest first, what would now cross zero."""
        held = self._held(instrument, leg)
        for side in Side:
            room = abs(held) if held * side.sign < 0 else 0
            for ticket in list(self.tracker.of(instrument, leg)):
                if not ticket.reduces or ticket.request.side is not side or ticket.pending == "cancel":
                    continue
                left = min(ticket.leaves, room)
                room -= left
                if left == 0 and ticket.leaves:
                    self.cancel(ticket.request.id)
                elif left < ticket.leaves:
                    self._lead(ticket, (ticket.wanted[0] or 0, left), ticket.request.post_only)

    # -- inside

    def _exchange(self, instrument: Instrument) -> Exchange:
        return self._exchanges[instrument.exchange]

    def _next_id(self) -> str:
        self._counter += 1
        return f"{self._prefix}{self._counter}"

    def _rounded(
        self, call: str, instrument: Instrument, side: Side, qty: Number, price: Number | None
    ) -> tuple[int, int | None]:
        """Units and ticks on the grid. Raises StrategyError for what can mean nothing, naming the call."""
        ticks = None if price is None else self._ticks(call, instrument, side, price)
        try:
            units, above = instrument.units(qty), float(qty) > 0
        except (ValueError, ArithmeticError, TypeError) as error:
            raise StrategyError(
                f"{call}({qty!r}) of {instrument}: {error}; the quantity must be a finite number", code="HB411"
            ) from None
        if not above:
            raise StrategyError(
                f"{call}({qty!r}) of {instrument}: the quantity must be above 0; one lot is {instrument.lot_size}",
                code="HB411",
            )
        return units, ticks

    @staticmethod
    def _ticks(call: str, instrument: Instrument, side: Side, price: Number) -> int:
        """A price on the grid; 0 for one that is below a tick."""
        try:
            ticks, above = instrument.ticks(price, side), float(price) > 0
        except (ValueError, ArithmeticError, TypeError) as error:
            raise StrategyError(
                f"{call} of {instrument} at {price!r}: {error}; the price must be a finite number", code="HB410"
            ) from None
        if not above:
            raise StrategyError(
                f"{call} of {instrument} at {price!r}: the price must be above 0; one tick is {instrument.tick_size}",
                code="HB410",
            )
        return ticks

    def _signed_units(self, instrument: Instrument, qty: Number, leg: PositionSide) -> int:
        try:
            value = float(qty)
            units = instrument.units(Decimal(str(qty)).copy_abs())
        except (ValueError, ArithmeticError, TypeError) as error:
            raise StrategyError(
                f"target_position({qty!r}) of {instrument}: {error}; the quantity must be a finite number", code="HB411"
            ) from None
        if (leg is PositionSide.LONG and value < 0) or (leg is PositionSide.SHORT and value > 0):
            raise StrategyError(f"target_position({qty!r}): the {leg} leg of {instrument} cannot have that sign")
        return units if value >= 0 else -units

    def _place(
        self,
        instrument: Instrument,
        side: Side,
        leg: PositionSide,
        units: int,
        ticks: int | None,
        wish: Wish,
        *,
        asked: tuple[Number, Number | None] | None = None,
    ) -> Order:
        """A new order that is on the grid; `asked` are the quantity and the price as they were given."""
        market = ticks is None
        shared = instrument in self._shared
        if shared and wish.reduce_only:
            units = min(units, self._reducible(instrument, leg, side))
        default = TimeInForce.IOC if market and wish.trigger is None else TimeInForce.GTC
        tif = choice(TimeInForce, wish.time_in_force, default, "time_in_force")
        resolved, reason = None, ""
        if wish.trigger is not None:
            resolved, reason = wish.trigger.resolve(instrument, side, self._exchange(instrument))
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
            reduce_only=wish.reduce_only and not shared,
            display_units=None if wish.display_qty is None else display_units(instrument, wish.display_qty),
        )
        if resolved is not None:
            request = msgspec.structs.replace(request, **resolved._asdict())
        ticket = Ticket(request, wish.tag, wish.group)
        ticket.reduces = wish.reduce_only
        asked = asked or (instrument.qty(units), None)
        reason = reason or self._refusal(request, *asked, reduces=wish.reduce_only)
        if reason or (reason := self._send(ticket)):
            self.tracker.refuse(ticket, reason)
            self.refused += 1
            self._pace.refused(self._clock.now())
            order = ticket.value()
            self._write_order(ticket, "submit")
            self._tell_refusal(order)
            return order
        return ticket.value()

    def _refusal(self, request: OrderRequest, qty: Number, price: Number | None, *, reduces: bool) -> str:
        """Why an order is not sent at all, the empty text if it is."""
        instrument = request.instrument
        if request.units == 0 and reduces and instrument in self._shared:
            return f"reduce_only: strategy {self.strategy} holds nothing of {instrument} that it would close"
        if request.units == 0:
            return f"quantity {qty} is below one lot of {instrument.lot_size}"
        if request.ticks is not None and request.ticks <= 0:
            return _no_price(price)
        capabilities = self._capable(instrument)
        if request.waits and not capabilities.triggers:
            return f"{instrument.exchange} has no trigger orders"
        if refusal := self._display_refusal(request, capabilities):
            return refusal
        if request.post_only and (not capabilities.post_only or request.type is OrderType.MARKET):
            return "post_only does not go with a market order" if capabilities.post_only else "no post-only orders here"
        if request.post_only and request.time_in_force in _AT_ONCE:
            return f"post_only does not go with time_in_force {request.time_in_force}"
        if request.reduce_only and not capabilities.reduce_only:
            return f"{instrument.exchange} has no reduce-only orders"
        rests = request.type is OrderType.LIMIT or request.waits
        if rests and request.time_in_force not in capabilities.time_in_force:
            known = ", ".join(sorted(capabilities.time_in_force))
            return f"{instrument.exchange} does not know time_in_force {request.time_in_force}; it knows {known}"
        if reduces:
            return self._vetoed(request)
        if refusal := self._limit_refusal(instrument, request.units, request.ticks, request.trigger_ticks):
            return refusal
        if instrument.exchange in self._blind:
            return f"{instrument.exchange} is out of reach; nothing was sent"
        exposure = self._exposure(instrument, request.position_side, request.side)
        held = self._risk.refusal(instrument, request.side, request.units, exposure, self._clock.now())
        return held or self._vetoed(request)

    def _limit_refusal(self, instrument: Instrument, units: int, *ticks: int | None) -> str:
        """What the exchange's least and largest orders say; `ticks` are the prices that an order may name."""
        if instrument.min_qty is None and instrument.min_cost is None and instrument.max_cost is None:
            return ""
        named = next((one for one in ticks if one is not None), None)
        if named is not None:
            return limit_refusal(instrument, units, instrument.price(named))
        return limit_refusal(instrument, units, self._exchange(instrument).reference_price(instrument))

    @staticmethod
    def _display_refusal(request: OrderRequest, capabilities: Capabilities) -> str:
        display = request.display_units
        if display is None:
            return ""
        if not capabilities.display_qty:
            return f"{request.instrument.exchange} has no display quantity"
        if request.type is OrderType.MARKET:
            return "display_qty needs a price: a market order does not rest"
        if display > request.units:
            return f"display_qty {request.instrument.qty_text(display)} is more than the quantity"
        return ""

    def _vetoed(self, request: OrderRequest) -> str:
        return (self._veto(request, self.strategy) or "") if self._veto is not None else ""

    def _capable(self, instrument: Instrument) -> Capabilities:
        name = instrument.exchange
        if name not in self._capabilities:
            self._capabilities[name] = self._exchanges[name].capabilities
        return self._capabilities[name]

    def _exposure(self, instrument: Instrument, leg: PositionSide, side: Side) -> int:
        """Position plus everything open or in flight on `side`, as if it had filled; of all who share the account."""
        if instrument in self._shared:
            return self._shared[instrument].exposure(leg, side)
        return self.own_exposure(instrument, leg, side)

    def _held(self, instrument: Instrument, leg: PositionSide) -> int:
        """The position, also where an order's report is faster than its executions."""
        return self.ledger.legs.get(instrument, leg).units + self.tracker.unbooked(instrument, leg)

    def _expected(self, instrument: Instrument, leg: PositionSide) -> int:
        """The position once every order that is meant to fill at once, or whose fate is unknown, has filled."""
        total = self._held(instrument, leg)
        for ticket in self.tracker.of(instrument, leg):
            counts = not ticket.is_idle and (
                ticket.group == "target"
                or ticket.request.type is OrderType.MARKET
                or ticket.request.time_in_force in _AT_ONCE
                or ticket.status is OrderStatus.UNKNOWN
            )
            if counts:
                total += ticket.leaves * ticket.request.side.sign
        return total

    def _drop_old_targets(self, instrument: Instrument, leg: PositionSide, target: int, price: Number | None) -> None:
        """Cancel resting orders of an earlier target that do not lead to this one."""
        expected = self._expected(instrument, leg)
        for ticket in list(self.tracker.of(instrument, leg)):
            if ticket.ticks is None or ticket.group not in ("target", "dropped"):
                continue
            same_price = price is not None and instrument.ticks(price, ticket.request.side) == ticket.ticks
            if ticket.group == "dropped" or expected != target or not same_price:
                ticket.group = "dropped"
                self._lead(ticket, NOTHING, post_only=False)

    def _approach(self, instrument: Instrument, leg: PositionSide, target: int, price: Number | None) -> list[Order]:
        """Send what leads to the target: what closes at once, what opens when no dropped order can fill any more."""
        waits = any(ticket.group == "dropped" for ticket in self.tracker.of(instrument, leg))
        self._targets.pop((instrument, leg), None)
        if waits:
            self._targets[instrument, leg] = target, price
        reduces = self._capable(instrument).reduce_only
        orders = []
        for delta, closing in self._steps(instrument, leg, target):
            if closing or not waits:
                side = Side.BUY if delta > 0 else Side.SELL
                ticks = None if price is None else instrument.ticks(price, side)
                wish = Wish(reduce_only=closing and reduces, group="target")
                orders.append(self._place(instrument, side, leg, abs(delta), ticks, wish, asked=(abs(delta), price)))
        return orders

    def _steps(self, instrument: Instrument, leg: PositionSide, target: int) -> list[tuple[int, bool]]:
        """Signed units to order and whether they close: up to two, neither of which crosses zero."""
        present = self._expected(instrument, leg)
        steps = []
        if present and (target == 0 or (target > 0) != (present > 0)):
            steps.append((-present, True))
            present = 0
        delta = target - present
        lots = abs(delta) - abs(delta) % instrument.lot_units
        if lots:
            steps.append((lots if delta > 0 else -lots, abs(target) < abs(present)))
        return steps

    def _levels(self, instrument: Instrument, side: Side, given: Sequence[QuoteLevel]) -> list[Level]:
        levels = []
        for price, qty in given:
            units, ticks = self._rounded("quote", instrument, side, qty, price)
            if ticks is None:
                raise StrategyError(f"quote of {instrument}: a level is (price, qty), got ({price}, {qty!r})")
            levels.append((ticks, units))
        return levels

    def _quote_side(
        self, instrument: Instrument, side: Side, leg: PositionSide, wanted: list[Level], post_only: bool
    ) -> None:
        """Give each quote that lives its level: the one it has or is on its way to, else the next that is free."""
        live = [
            ticket
            for ticket in self.tracker.of(instrument, leg)
            if ticket.group == "quote" and ticket.request.side is side and ticket.pending != "cancel"
        ]
        left = [level for level in wanted if self._is_quotable(instrument, side, leg, level)]
        astray: list[Ticket] = []
        for ticket in live:
            ticket.goal = None
            if _level(ticket) in left:
                left.remove(_level(ticket))
            else:
                astray.append(ticket)
        for ticket in sorted(astray, key=lambda ticket: not any(level[0] == _level(ticket)[0] for level in left)):
            goal = NOTHING
            if left:
                goal = next((level for level in left if level[0] == _level(ticket)[0]), left[0])
                left.remove(goal)
            self._lead(ticket, goal, post_only)
        for level in left:
            self._place_quote(instrument, side, leg, level, post_only)

    def _is_quotable(self, instrument: Instrument, side: Side, leg: PositionSide, level: Level) -> bool:
        """False for what no quote can be, whatever the position; the first time that is told as a rejected order."""
        (ticks, units), place = level, (instrument, leg, side)
        held = self._risk.size_refusal(instrument, units) or (units and self._limit_refusal(instrument, units, ticks))
        if units and ticks > 0 and not held:
            self._unquotable.discard(place)
            return True
        if place not in self._unquotable:
            self._unquotable.add(place)
            self._place(instrument, side, leg, units, ticks, Wish())
        return False

    def _lead(self, ticket: Ticket, goal: Level, post_only: bool) -> None:
        """Bring an order to its level, or away; one in flight once it is answered."""
        instrument = ticket.request.instrument
        if ticket.pending == "cancel":
            return
        if instrument in self._shared and self._shared[instrument].is_held(ticket.request.id):
            if goal == NOTHING:
                self.cancel(ticket.request.id)
            else:
                self._amend(ticket, goal[0], goal[1])
            return
        if ticket.pending or ticket.status is OrderStatus.UNKNOWN:
            ticket.goal = goal
            return
        ticket.goal = None
        if goal == NOTHING:
            self.cancel(ticket.request.id)
        elif self._capable(instrument).amend and not self._amend_refusal(ticket, ticket.done + goal[1], goal[0]):
            self._amend(ticket, goal[0], ticket.done + goal[1])
        else:
            self.cancel(ticket.request.id)
            self._place_quote(instrument, ticket.request.side, ticket.request.position_side, goal, post_only)

    def _go_on(self, order_id: str) -> None:
        """An order heard from: do what waited for its answer."""
        ticket = self.tracker.find(order_id)
        if ticket is None or ticket.pending or ticket.status is OrderStatus.UNKNOWN:
            return
        request = ticket.request
        goal, ticket.goal = ticket.goal, None
        if goal is not None and not ticket.status.is_final:
            self._lead(ticket, goal, request.post_only)
        elif goal is not None and goal != NOTHING and not ticket.done:
            # It ended without having traded: its level is still wanted.
            self._place_quote(request.instrument, request.side, request.position_side, goal, request.post_only)
        waiting = self._targets.get((request.instrument, request.position_side))
        if waiting is not None and ticket.status.is_final and ticket.group == "dropped":
            self._approach(request.instrument, request.position_side, *waiting)

    def _place_quote(
        self, instrument: Instrument, side: Side, leg: PositionSide, level: Level, post_only: bool
    ) -> None:
        """Place one wanted level; one that there is no room for is left out in silence, it is asked for again soon."""
        ticks, units = level
        exposure = self._exposure(instrument, leg, side)
        if not self._risk.room_refusal(instrument, side, units, exposure, self._clock.now()):
            self._place(instrument, side, leg, units, ticks, Wish(post_only=post_only, group="quote"))

    def _send(self, ticket: Ticket) -> str:
        """Write the intent down, then send; why not, when it cannot be written."""
        request = ticket.request
        sharing = self._shared.get(request.instrument)
        if sharing is not None and not request.waits and (other := sharing.met(self, request.side, ticket.ticks)):
            ticket.reason = f"held back: it would meet {other}"
            self.tracker.add(ticket)
            sharing.hold(self, ticket)
            self._write_order(ticket, "")
            self._tell_refusal(ticket.value())
            return ""
        try:
            self._submit(ticket)
        except StateError as error:
            return error.message
        return ""

    def _submit(self, ticket: Ticket) -> None:
        self._intent(ticket, "submit", ticket.ticks, ticket.units)
        self.tracker.add(ticket)
        self._pace.sent(self._clock.now())
        self._risk.sent(self._clock.now())
        self.sent += 1
        self._exchange(ticket.request.instrument).submit(ticket.request)

    def _amend_refusal(self, ticket: Ticket, units: int, ticks: int | None) -> str:
        """Why an order may not have `units` in all; a price may change, and a quantity shrink, within the limits."""
        request = ticket.request
        instrument = request.instrument
        growth = units - ticket.leaves - ticket.done
        if units == 0:
            return f"the quantity is below one lot of {instrument.lot_size}"
        closes = request.reduce_only or ticket.reduces
        if not closes and (refusal := self._limit_refusal(instrument, units, ticks, ticket.ticks)):
            return refusal
        if growth <= 0:
            return ""
        if instrument.exchange in self._blind and not ticket.reduces:
            return f"{instrument.exchange} is out of reach; nothing was sent"
        held = self._risk.size_refusal(instrument, units)
        if held or request.reduce_only:
            return held
        if ticket.reduces:
            room = self._reducible(instrument, request.position_side, request.side)
            return "" if growth <= room else "reduce_only: it would close more than the strategy holds"
        exposure = self._exposure(instrument, request.position_side, request.side)
        return self._risk.growth_refusal(instrument, request.side, growth, exposure)

    def _refuse_amend(self, ticket: Ticket, reason: str) -> None:
        self.refused += 1
        ticket.reason = reason
        self._write_order(ticket, "amend")
        self._tell_refusal(ticket.value())

    def _amend(self, ticket: Ticket, ticks: int | None, units: int, trigger: int | None = None) -> None:
        instrument = ticket.request.instrument
        if self._shared and not ticket.is_idle and self._changed_or_held(ticket, ticks, units):
            return
        if trigger is None:
            trigger = ticket.wanted_trigger  # it is on its way: what is asked for last holds all that is wanted
        if (ticks, units) == ticket.wanted and trigger in (None, ticket.wanted_trigger or ticket.trigger):
            return
        if not self._capable(instrument).amend:
            raise StrategyError(f"{instrument.exchange} cannot amend orders; cancel and place anew", code="HB414")
        try:
            self._intent(ticket, "amend", ticks, units, trigger)
        except StateError as error:
            self._refuse_amend(ticket, error.message)
            return
        ticket.asked("amend", ticks, units, trigger)
        if trigger is None:
            self._exchange(instrument).amend(ticket.request.id, ticks=ticks, units=units)
        else:
            self._exchange(instrument).amend(ticket.request.id, ticks=ticks, units=units, trigger_ticks=trigger)

    def _changed_or_held(self, ticket: Ticket, ticks: int | None, units: int) -> bool:
        """Where an account is shared: change an order that has not left at once, and hold a change that would meet."""
        request = ticket.request
        sharing = self._shared.get(request.instrument)
        if sharing is None:
            return False
        if sharing.is_held(request.id):
            ticket.ticks, ticket.units = ticket.wanted = ticks, units
            self._write_order(ticket, "")
            sharing.go_on()
            return True
        sharing.forget(request.id)
        if (ticks, units) == ticket.wanted or not sharing.met(self, request.side, ticks):
            return False
        sharing.hold_change(self, ticket, ticks, units)
        return True

    def _intent(self, ticket: Ticket, kind: str, ticks: int | None, units: int, trigger: int | None = None) -> None:
        request = ticket.request
        instrument = request.instrument
        given = {"post_only": request.post_only, "reduce_only": ticket.reduces}
        flags = ",".join(name for name, is_given in given.items() if is_given)
        if ticket.group:
            # An order that outlives the run is led on by the call that it belongs to.
            flags = f"{flags},{ticket.group}".lstrip(",")
        trigger = ticket.trigger if trigger is None else trigger
        price, trigger_price, trail = (
            "" if one is None else instrument.price_text(one) for one in (ticks, trigger, request.trail_ticks)
        )
        by, word = (request.trigger_by or "", request.trigger_kind) if request.waits else ("", "")
        display = "" if request.display_units is None else instrument.qty_text(request.display_units)
        self._journal.intent(
            self._clock.now(), self.strategy, kind, request.id, instrument.exchange, instrument.symbol,
            request.side.value, request.position_side.value, request.type.value, request.time_in_force.value,
            instrument.qty_text(units), price, flags, ticket.tag, trigger_price, str(by), str(word), trail, display,
        )  # fmt: skip

    def _write_order(self, ticket: Ticket, refused: str) -> None:
        request = ticket.request
        instrument = request.instrument
        price = "" if ticket.ticks is None else instrument.price_text(ticket.ticks)
        filled = instrument.qty_text(ticket.done)
        self._journal.order(
            self._clock.now(), request.id, ticket.exchange_id, ticket.status.value,
            instrument.qty_text(ticket.units), filled, price, ticket.reason, refused,
            "" if ticket.trigger is None else instrument.price_text(ticket.trigger),
        )  # fmt: skip


def _level(ticket: Ticket) -> Level:
    """Ticks and units that will rest once what is in flight is done."""
    ticks, units = ticket.wanted
    return ticks or 0, units - ticket.done


def _no_price(price: Number | None) -> str:
    return f"price {price} is below one tick"
