"""An account's money in the engine: wallets, positions, fees, funding and order margin, all in minor units.

The arithmetic follows BitMEX as far as its documents and captured rows show it, because that is the strictest known
here; another venue's instruments bring their own rates and rounding. A cross position locks its maintenance margin, an
isolated one its own margin with its open profit (`margin`), resting orders what they would need if they filled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from decimal import Decimal
from fractions import Fraction

from hbkit.matching import margin
from hbkit.matching.margin import Isolated, LegKey, Refused, Terms, ceil_of, exact
from hbkit.matching.order import EngineOrder
from hbkit.model import (
    Currency,
    Instrument,
    Leg,
    Legs,
    MarginMode,
    PositionMode,
    PositionSide,
    Side,
    Wallet,
)
from hbkit.model.instrument import round_half_away

FundingRate = Callable[[Instrument], Fraction]
Reference = Callable[[Instrument], float | None]
Walk = Callable[[EngineOrder], Iterable[tuple[int, int]]]
_NOTHING = Fraction(0)


class Account:
    """Owner of orders and positions. The engine tells it of fills; it answers what an order would cost."""

    def __init__(
        self,
        name: str,
        balances: Mapping[Currency, int],
        reference: Reference,
        *,
        mode: PositionMode = PositionMode.ONE_WAY,
        margin_mode: MarginMode | None = None,
        leverage: Decimal | None = None,
        funding_rate: FundingRate | None = None,
    ) -> None:
        """
        :param margin_mode: of every leg that is not told otherwise; None for cross.
        :param leverage: in that mode; None for the highest.
        :param funding_rate: what the next funding will cost; None where nobody knows it.
        """
        self.name = name
        self.mode = mode
        self._first_terms = Terms(isolated=margin_mode is MarginMode.ISOLATED)
        _set_leverage(self._first_terms, Fraction(leverage) if leverage else None)
        self._terms: dict[LegKey, Terms] = {}
        self._funding_rate = funding_rate or _no_funding
        self.movements = 0
        """Counts whatever may bring a liquidation nearer: fills, payments, orders' money, terms."""
        self.cash: dict[str, int] = {currency.code: amount for currency, amount in balances.items()}
        self.currencies: dict[str, Currency] = {currency.code: currency for currency in balances}
        self.fees: dict[str, int] = defaultdict(int)
        self.funding: dict[str, int] = defaultdict(int)
        self.realized: dict[str, int] = defaultdict(int)
        self.orders: dict[str, EngineOrder] = {}
        self._legs = Legs()
        self._reference = reference

    # -- positions

    def leg(self, instrument: Instrument, side: PositionSide) -> Leg:
        """The position of one leg, made when first asked for."""
        self.currencies.setdefault(instrument.settle.code, instrument.settle)
        return self._legs.get(instrument, side)

    def legs(self) -> Iterable[tuple[PositionSide, Leg]]:
        """Every leg that was ever touched, in the order of first touch."""
        return self._legs

    def is_exposed(self, code: str) -> bool:
        """Whether a contract that settles in a currency is held."""
        return any(
            leg.units and leg.instrument.settle.code == code and not leg.instrument.is_spot for _, leg in self._legs
        )

    def backed_by(self, traded: Instrument) -> list[Instrument]:
        """Contracts held whose currency a fill of `traded` moves, spot's two currencies included."""
        codes = {traded.settle.code, traded.base if traded.is_spot else ""}
        legs = (leg for _, leg in self._legs if leg.units and not leg.instrument.is_spot)
        return list(dict.fromkeys(leg.instrument for leg in legs if leg.instrument.settle.code in codes))

    def hedged(self, instrument: Instrument) -> bool:
        """True where orders must name a leg."""
        return self.mode is PositionMode.HEDGE and instrument.hedge and not instrument.is_spot

    def sides(self, instrument: Instrument) -> tuple[PositionSide, ...]:
        """The legs that there can be of an instrument in the mode in force."""
        return (PositionSide.LONG, PositionSide.SHORT) if self.hedged(instrument) else (PositionSide.NET,)

    def switch_mode(self, mode: PositionMode) -> str:
        """Go to another position mode; returns the reason when it is refused, else the empty text."""
        if mode is self.mode:
            return ""
        if self.orders:
            count = len(self.orders)
            return f"{count} open order{'s' if count > 1 else ''}"
        if isolated := [leg.instrument.symbol for side, leg in self._legs if self.isolated_margin(leg, side)]:
            return f"an isolated position in {', '.join(dict.fromkeys(isolated))}"
        self.mode = mode
        self.movements += 1
        self._terms = _rekeyed(self._terms, mode)
        for instrument, realized in self._legs.rekey(mode).items():
            self.realized[instrument.settle.code] += realized
            self._move(instrument.settle, realized)
        return ""

    # -- money moves

    def fill(self, instrument: Instrument, side: PositionSide, units: int, cost: int, fee: int) -> int:
        """Book a fill of signed `units` at signed `cost`; returns the realized profit, gross of the fee."""
        leg = self.leg(instrument, side)
        held = leg.units
        realized = leg.apply(units, cost)
        self._keep_transferred(leg, side, held)
        self.movements += 1
        code = instrument.settle.code
        self.fees[code] += fee
        self.realized[code] += realized
        if instrument.is_spot:
            self._move(instrument.settle, -cost - fee)
            self._move(instrument.base_currency, instrument.base_minor(units))
        else:
            self._move(instrument.settle, realized - fee)
        return realized

    def pay_funding(self, instrument: Instrument, payment: int) -> None:
        """Book a funding payment, positive when paid."""
        self.funding[instrument.settle.code] -= payment
        self._move(instrument.settle, -payment)
        self.movements += 1

    def insure(self, currency: Currency, amount: int) -> None:
        """Book what an insurance fund pays, as a fee that comes back."""
        self.fees[currency.code] -= amount
        self._move(currency, amount)
        self.movements += 1

    def _keep_transferred(self, leg: Leg, side: PositionSide, held: int) -> None:
        """Margin that was added by hand goes back in proportion as the position is closed."""
        terms = self._terms.get((leg.instrument, side))
        if terms is None or not terms.transferred:
            return
        left = abs(leg.units) if leg.units * held > 0 else 0
        if left < abs(held):
            terms.transferred = round_half_away(terms.transferred * left, abs(held))

    def _move(self, currency: Currency, amount: int) -> None:
        self.currencies.setdefault(currency.code, currency)
        self.cash[currency.code] = self.cash.get(currency.code, 0) + amount

    # -- what there is

    def unrealized(self, code: str) -> int:
        """Open profit of the derivatives that settle in `code`."""
        total = 0
        for _, leg in self._legs:
            if leg.units and leg.instrument.settle.code == code and not leg.instrument.is_spot:
                price = self._reference(leg.instrument)
                total += leg.unrealized(price) if price is not None else 0
        return total

    def wallet(self, code: str) -> Wallet:
        """One currency: settled money, with open profit, and what is free for new orders."""
        balance = self.cash.get(code, 0)
        equity = balance + self.unrealized(code)
        return Wallet(self.currencies[code], balance, equity, max(0, equity - self.locked(code)))

    def wallets(self) -> list[Wallet]:
        """Every currency, in order of its code."""
        return [self.wallet(code) for code in sorted(self.currencies)]

    # -- terms

    def terms(self, instrument: Instrument, side: PositionSide) -> Terms:
        """How the margin of a leg is reckoned; change it by `change_terms`."""
        found = self._terms.get((instrument, side))
        if found is None:
            found = self._terms[instrument, side] = copy(self._first_terms)
        return found

    def change_terms(
        self, instrument: Instrument, sides: Iterable[PositionSide], change: Callable[[Terms], None]
    ) -> Refused | None:
        """Change the terms of some legs of an instrument; nothing changes where the new margin cannot be paid for.

        A change that would put a liquidation price at or past the mark is refused as well (protocol 18.5).
        """
        code, keys = instrument.settle.code, [(instrument, side) for side in sides]
        before = {key: copy(self.terms(*key)) for key in keys}
        locked = self.locked(code)
        for key in keys:
            change(self.terms(*key))
        more = self.locked(code) - locked
        refused: Refused | None = None
        if more > 0 and self.locked(code) > self.cash.get(code, 0) + self.unrealized(code):
            refused = Refused(more)
        elif any(self.is_past_liquidation(*key) for key in keys):
            refused = Refused()
        if refused is not None:
            self._terms.update(before)
        self.movements += 1
        return refused

    def set_leverage(self, instrument: Instrument, leverage: float, side: PositionSide | None = None) -> Refused | None:
        """The leverage in the margin mode in force, of one leg or of all; 0 for cross margin and the highest."""
        wanted = Fraction(Decimal(repr(float(leverage)))) if leverage > 0 else None

        def change(terms: Terms) -> None:
            if wanted is None:
                terms.isolated, terms.transferred = False, 0
            _set_leverage(terms, wanted)

        return self.change_terms(instrument, self._named(instrument, side), change)

    def set_margin_mode(
        self, instrument: Instrument, mode: MarginMode, side: PositionSide | None = None
    ) -> Refused | None:
        """Cross or isolated margin, of one leg or of all; the leverage stays the one last used in that mode."""

        def change(terms: Terms) -> None:
            terms.isolated = mode is MarginMode.ISOLATED
            if not terms.isolated:
                terms.transferred = 0

        return self.change_terms(instrument, self._named(instrument, side), change)

    def transfer_margin(self, instrument: Instrument, side: PositionSide, amount: int) -> Refused | None:
        """Add margin to an isolated position, or take what was added away; raises ValueError where there is none."""
        leg, terms = self.leg(instrument, side), self.terms(instrument, side)
        if self.isolated_margin(leg, side) is None or terms.transferred + amount < 0:
            raise ValueError("only an isolated position has margin of its own, and it keeps what it began with")

        def change(terms: Terms) -> None:
            terms.transferred += amount

        return self.change_terms(instrument, (side,), change)

    def _named(self, instrument: Instrument, side: PositionSide | None) -> tuple[PositionSide, ...]:
        sides = self.sides(instrument)
        return (side,) if side in sides and side is not None else sides

    # -- margin

    def locked(self, code: str) -> int:
        """What positions and resting orders take from the free money of one currency."""
        return self.position_margins(code) + self.order_margins(code)

    def position_margins(self, code: str) -> int:
        """What positions take: maintenance margin in cross mode, else the margin of their own with its profit."""
        return sum(
            self.maintenance(leg, side) for side, leg in self._legs if leg.units and leg.instrument.settle.code == code
        )

    def order_margins(self, code: str) -> int:
        """What resting orders need."""
        total = 0
        rows = dict.fromkeys((order.request.instrument, order.request.position_side) for order in self.orders.values())
        for instrument, side in rows:
            if instrument.is_spot:
                total += self._spot_reserve(instrument, code)
            elif instrument.settle.code == code:
                total += self.order_margin(instrument, side)
        return total

    def order_cost(self, code: str) -> int:
        """What resting orders of contracts would add to positions, in one currency."""
        rows = dict.fromkeys((order.request.instrument, order.request.position_side) for order in self.orders.values())
        return sum(
            self.order_value(instrument, side)
            for instrument, side in rows
            if not instrument.is_spot and instrument.settle.code == code
        )

    def order_margin(
        self,
        instrument: Instrument,
        side: PositionSide,
        extra: EngineOrder | None = None,
        walk: Walk | None = None,
        replaced: EngineOrder | None = None,
    ) -> int:
        """Initial margin that the open orders of a leg need, with `extra` as if it were accepted, for `replaced`.

        The larger of the two sides; what only closes the position needs none. A marketable order counts at the prices
        it would get (`walk`).
        """
        value = self.order_value(instrument, side, extra, walk, replaced)
        if not value:
            return 0
        return ceil_of(value, self.initial_rate(instrument, side) + exact(instrument.taker_fee))

    def order_value(
        self,
        instrument: Instrument,
        side: PositionSide,
        extra: EngineOrder | None = None,
        walk: Walk | None = None,
        replaced: EngineOrder | None = None,
    ) -> int:
        """What the open orders of a leg would add to its position: the larger side, less what only closes it."""
        # The order that is tested may be the one it replaces, at another price: only the standing one is left out.
        standing = [order for order in self.orders.values() if order is not replaced]
        orders = [
            order
            for order in (*standing, *((extra,) if extra is not None else ()))
            if order.request.instrument is instrument and order.request.position_side is side
        ]
        if not orders:
            return 0
        values = []
        for sign in (1, -1):
            row = [order for order in orders if order.side == sign]
            values.append(self._uncovered_value(instrument, side, sign, row, extra, walk))
        return max(values)

    def shortage(
        self, order: EngineOrder, walk: Walk, replaced: EngineOrder | None = None
    ) -> tuple[int, Currency] | None:
        """What `order` needs, and in which currency, if that is more than is free; None when it can be accepted.

        Only growth counts: an amend (`replaced` is the order as it was) that needs no more than before always passes.
        """
        instrument, side = order.request.instrument, order.request.position_side
        currency = self._spot_currency(order) if instrument.is_spot else instrument.settle
        if instrument.is_spot:
            growth = self._spot_need(order, walk) - (self._spot_need(replaced, None) if replaced is not None else 0)
        else:
            growth = self.order_margin(instrument, side, order, walk, replaced) - self.order_margin(instrument, side)
        return (growth, currency) if growth > self.wallet(self._touch(currency)).available else None

    def can_pay(self, order: EngineOrder, ticks: int) -> bool:
        """True when an open order could fill whole at `ticks`: prices may have moved since it was accepted."""
        instrument, side = order.request.instrument, order.request.position_side

        def walk(_: EngineOrder) -> list[tuple[int, int]]:
            return [(ticks, order.leaves)]

        if instrument.is_spot:
            code = self._spot_currency(order).code
            growth = self._spot_need(order, walk) - self._spot_need(order, None)
        else:
            code = instrument.settle.code
            growth = self.order_margin(instrument, side, order, walk, order) - self.order_margin(instrument, side)
        return self.cash.get(code, 0) + self.unrealized(code) - self.locked(code) >= growth

    def _touch(self, currency: Currency) -> str:
        self.currencies.setdefault(currency.code, currency)
        return currency.code

    def initial_rate(self, instrument: Instrument, side: PositionSide = PositionSide.NET) -> Fraction:
        """The part of a value that has to be there before a position of it may be opened."""
        return margin.initial_rate(instrument, self.terms(instrument, side))

    def isolated_margin(self, leg: Leg, side: PositionSide) -> Isolated | None:
        """The parts of an isolated position's margin; None in cross mode, and where there is no position."""
        return margin.isolated_margin(leg, self.terms(leg.instrument, side))

    def maintenance(self, leg: Leg, side: PositionSide) -> int:
        """What a position takes from the free money of its settlement currency."""
        if not leg.units or leg.instrument.is_spot:
            return 0
        isolated = self.isolated_margin(leg, side)
        if isolated is None:
            return self.maintenance_needed(leg, side)
        price = self._reference(leg.instrument)
        return isolated.margin + (leg.unrealized(price) if price is not None else 0)

    def maintenance_needed(self, leg: Leg, side: PositionSide) -> int:
        """What a position must have behind it not to be taken away."""
        return margin.maintenance_margin(leg, self.terms(leg.instrument, side), self._funding_rate(leg.instrument))

    def liquidation_ticks(self, leg: Leg, side: PositionSide) -> int | None:
        """The liquidation price of an isolated position."""
        return margin.liquidation_ticks(leg, self.terms(leg.instrument, side), self._funding_rate(leg.instrument))

    def bankruptcy_ticks(self, leg: Leg, side: PositionSide) -> int | None:
        """The bankruptcy price of an isolated position."""
        return margin.bankruptcy_ticks(leg, self.terms(leg.instrument, side))

    def is_past_liquidation(self, instrument: Instrument, side: PositionSide) -> bool:
        """Whether the mark is where an isolated position is taken away."""
        leg, mark = self.leg(instrument, side), self._reference(instrument)
        return mark is not None and bool(leg.units) and margin.is_past(leg, mark, self.liquidation_ticks(leg, side))

    def risk_limit(self, instrument: Instrument, side: PositionSide) -> int | None:
        """Up to which value position and orders of a leg may go; None for no limit."""
        return margin.risk_limit(instrument, self.terms(instrument, side))

    def risk_value(
        self,
        instrument: Instrument,
        side: PositionSide,
        extra: EngineOrder | None = None,
        walk: Walk | None = None,
        replaced: EngineOrder | None = None,
    ) -> int:
        """Value at the mark and what open orders would add: what the risk limit bounds (18.6)."""
        leg, mark = self.leg(instrument, side), self._reference(instrument)
        held = abs(leg.cost)
        if leg.units and mark is not None:
            held = instrument.value(abs(leg.units), mark)
        return held + self.order_value(instrument, side, extra, walk, replaced)

    def exceeds_risk_limit(self, order: EngineOrder, walk: Walk | None, replaced: EngineOrder | None = None) -> bool:
        """Whether an order raises the value of position and orders, and above the limit."""
        instrument, side = order.request.instrument, order.request.position_side
        limit = None if instrument.is_spot else self.risk_limit(instrument, side)
        if not limit:
            return False
        value = self.risk_value(instrument, side, order, walk, replaced)
        return value > limit and value > self.risk_value(instrument, side)

    def _uncovered_value(
        self,
        instrument: Instrument,
        side: PositionSide,
        sign: int,
        orders: list[EngineOrder],
        extra: EngineOrder | None,
        walk: Walk | None,
    ) -> int:
        if not orders:
            return 0
        position = self.leg(instrument, side).units
        hedged = side is not PositionSide.NET
        opening = 1 if side is PositionSide.LONG else -1
        if hedged and sign != opening:
            return 0
        covered = abs(position) if position * sign < 0 and not hedged else 0
        total = 0
        for order in sorted(orders, key=lambda order: order.eagerness):
            for ticks, units in self._pieces(order, walk if order is extra else None):
                free = min(covered, units)
                covered -= free
                total += instrument.value_at(units - free, ticks)
        return total

    def _pieces(self, order: EngineOrder, walk: Walk | None) -> list[tuple[int, int]]:
        """The (ticks, units) at which an order counts."""
        pieces = list(walk(order)) if walk is not None else []
        rest = order.leaves - sum(units for _, units in pieces)
        if rest > 0 and order.ticks is not None:
            pieces.append((order.ticks, rest))
        elif rest > 0 and not pieces:
            price = self._reference(order.request.instrument)
            if price is not None:
                pieces.append((order.request.instrument.ticks(price), rest))
        return pieces

    # -- spot

    def _spot_need(self, order: EngineOrder, walk: Walk | None) -> int:
        """Minor units an order reserves: base for a sell, quote with the taker fee for a buy."""
        instrument = order.request.instrument
        if order.request.side is Side.SELL:
            return instrument.base_minor(order.leaves)
        value = sum(instrument.value_at(units, ticks) for ticks, units in self._pieces(order, walk))
        return ceil_of(value, 1 + exact(instrument.taker_fee))

    def _spot_reserve(self, instrument: Instrument, code: str) -> int:
        return sum(
            self._spot_need(order, None)
            for order in self.orders.values()
            if order.request.instrument is instrument and self._spot_currency(order).code == code
        )

    def _spot_currency(self, order: EngineOrder) -> Currency:
        instrument = order.request.instrument
        return instrument.base_currency if order.request.side is Side.SELL else instrument.settle


def _set_leverage(terms: Terms, leverage: Fraction | None) -> None:
    if terms.isolated:
        terms.leverage = leverage
    else:
        terms.cross_leverage = leverage


def _rekeyed(terms: Mapping[LegKey, Terms], mode: PositionMode) -> dict[LegKey, Terms]:
    """The terms follow a switch of the position mode: to both legs, and back from the long one."""
    found = dict(terms)
    for (instrument, side), one in terms.items():
        if not instrument.hedge or instrument.is_spot:
            continue
        if mode is PositionMode.HEDGE and side is PositionSide.NET:
            found |= {(instrument, PositionSide.LONG): copy(one), (instrument, PositionSide.SHORT): copy(one)}
        elif mode is PositionMode.ONE_WAY and side is PositionSide.LONG:
            found[instrument, PositionSide.NET] = copy(one)
    return found


def _no_funding(instrument: Instrument) -> Fraction:
    del instrument
    return _NOTHING
