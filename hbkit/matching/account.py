"""An account's money in the engine: wallets, positions, fees, funding and order margin, all in minor units.

The arithmetic follows BitMEX as far as its documents and captured rows show it, because that is the strictest known
here; another venue's instruments bring their own rates and rounding. Margin shown is cross margin: a position locks
its maintenance margin, resting orders lock what they would need if they filled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from fractions import Fraction

from hbkit.matching.order import EngineOrder
from hbkit.model import Currency, Instrument, Leg, Legs, PositionMode, PositionSide, Side, Wallet

Reference = Callable[[Instrument], float | None]
Walk = Callable[[EngineOrder], Iterable[tuple[int, int]]]


class Account:
    """Owner of orders and positions. The engine tells it of fills; it answers what an order would cost."""

    def __init__(
        self,
        name: str,
        balances: Mapping[Currency, int],
        reference: Reference,
        *,
        mode: PositionMode = PositionMode.ONE_WAY,
        leverage: Decimal | None = None,
    ) -> None:
        self.name = name
        self.mode = mode
        self._leverage = Fraction(leverage) if leverage else None
        self._leverages: dict[Instrument, Fraction] = {}
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

    def hedged(self, instrument: Instrument) -> bool:
        """True where orders must name a leg."""
        return self.mode is PositionMode.HEDGE and instrument.hedge and not instrument.is_spot

    def set_leverage(self, instrument: Instrument, leverage: float) -> None:
        """The leverage that order margin is reckoned with; 0 for the instrument's own rate."""
        if leverage > 0:
            self._leverages[instrument] = Fraction(Decimal(repr(leverage)))
        else:
            self._leverages.pop(instrument, None)

    def switch_mode(self, mode: PositionMode) -> str:
        """Go to another position mode; returns the reason when it is refused, else the empty text."""
        if mode is self.mode:
            return ""
        if self.orders:
            return f"{len(self.orders)} open orders"
        self.mode = mode
        for instrument, realized in self._legs.rekey(mode).items():
            self.realized[instrument.settle.code] += realized
            self._move(instrument.settle, realized)
        return ""

    # -- money moves

    def fill(self, instrument: Instrument, side: PositionSide, units: int, cost: int, fee: int) -> int:
        """Book a fill of signed `units` at signed `cost`; returns the realized profit, gross of the fee."""
        realized = self.leg(instrument, side).apply(units, cost)
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

    # -- margin

    def locked(self, code: str) -> int:
        """Maintenance margin of positions plus what resting orders need, in one currency."""
        total = sum(self.maintenance(leg) for _, leg in self._legs if leg.instrument.settle.code == code)
        rows = dict.fromkeys((order.request.instrument, order.request.position_side) for order in self.orders.values())
        for instrument, side in rows:
            if instrument.is_spot:
                total += self._spot_reserve(instrument, code)
            elif instrument.settle.code == code:
                total += self.order_margin(instrument, side)
        return total

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
        rate = self.initial_rate(instrument) + Fraction(instrument.taker_fee)
        needed = self.order_value(instrument, side, extra, walk, replaced) * rate
        return -(-needed.numerator // needed.denominator)

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

    def initial_rate(self, instrument: Instrument) -> Fraction:
        """The part of a value that has to be there before a position of it may be opened."""
        rate = Fraction(instrument.init_margin)
        leverage = self._leverages.get(instrument, self._leverage)
        return max(rate, 1 / leverage) if leverage else rate

    def maintenance(self, leg: Leg) -> int:
        """What a position locks of its settlement currency; a venue with rules of its own overrides it."""
        if not leg.units or leg.instrument.is_spot:
            return 0
        needed = abs(leg.cost) * Fraction(leg.instrument.maint_margin)
        return -(-needed.numerator // needed.denominator)

    def _uncovered_value(
        self,
        instrument: Instrument,
        side: PositionSide,
        sign: int,
        orders: list[EngineOrder],
        extra: EngineOrder | None,
        walk: Walk | None,
    ) -> int:
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
        needed = value * (1 + Fraction(instrument.taker_fee))
        return -(-needed.numerator // needed.denominator)

    def _spot_reserve(self, instrument: Instrument, code: str) -> int:
        return sum(
            self._spot_need(order, None)
            for order in self.orders.values()
            if order.request.instrument is instrument and self._spot_currency(order).code == code
        )

    def _spot_currency(self, order: EngineOrder) -> Currency:
        instrument = order.request.instrument
        return instrument.base_currency if order.request.side is Side.SELL else instrument.settle
