"""A second matching engine, slow and obvious, that shares no code with the first: what both do must be the same.

It is written from the rules, with plain lists, and recomputes everything each time it is asked. A level's queue is
read as chunks `[outside, order, outside, order, ...]` and worked off from the front. Of hbkit it uses only the
value types and the instrument's arithmetic, which has tests of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from hbkit.clock import SECOND
from hbkit.model import (
    Instrument,
    OrderRequest,
    OrderStatus,
    OrderType,
    PositionMode,
    PositionSide,
    Side,
    TimeInForce,
    TriggerBy,
    TriggerKind,
)

ENDLESS = 1 << 60
"""The word of both engines' inputs for a size that was not recorded."""
OUTSIDE = "outside"


def up(amount: Fraction) -> int:
    """Rounded up to a whole minor unit."""
    return -(-amount.numerator // amount.denominator)


def nearest(amount: Fraction) -> int:
    """Rounded to the nearest whole minor unit, halves away from zero."""
    return int(abs(amount) + Fraction(1, 2)) * (1 if amount >= 0 else -1)


@dataclass(eq=False)
class RefOrder:
    """An order. `ahead` is None where nobody knows; `place` is None until it stands in a queue."""

    owner: RefAccount
    request: OrderRequest
    arrived: int
    ticks: int | None
    units: int
    filled: int = 0
    status: OrderStatus = OrderStatus.PENDING
    ahead: int | None = None
    place: int | None = None
    number: int = 0
    trigger: int | None = None
    trail: int | None = None
    trailed_from: float | None = None
    waits: bool = False
    reached: bool = False
    fired: bool = False
    at_price: int | None = None
    """Where a candle lets it trade."""
    slice: int = 0
    """What is left of the part of an iceberg that stands in the queue."""

    @property
    def sign(self) -> int:
        return 1 if self.request.side is Side.BUY else -1

    @property
    def open(self) -> bool:
        done = (OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.REJECTED, OrderStatus.EXPIRED)
        return self.status not in done

    @property
    def left(self) -> int:
        return self.units - self.filled if self.open and not self.waits else 0

    @property
    def hidden(self) -> bool:
        return self.request.display_units == 0

    @property
    def in_queue(self) -> int:
        """What of it stands in the queue at its place."""
        return min(self.slice, self.left) if self.request.display_units else self.left

    @property
    def fires_up(self) -> bool:
        """A stop buys when the price rose and sells when it fell, a take profit the other way round."""
        return (self.sign > 0) is (self.request.trigger_kind is TriggerKind.STOP)

    @property
    def is_market(self) -> bool:
        return self.request.type is OrderType.MARKET

    @property
    def never_rests(self) -> bool:
        return self.is_market or self.request.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)

    @property
    def closes_only(self) -> bool:
        """Reduce-only by its own word, or because it stands on the closing side of a hedge leg."""
        leg, side = self.request.position_side, self.request.side
        return self.request.reduce_only or (leg, side) in (
            (PositionSide.LONG, Side.SELL),
            (PositionSide.SHORT, Side.BUY),
        )

    def accepts(self, ticks: int) -> bool:
        if self.ticks is None:
            return True
        return ticks <= self.ticks if self.sign > 0 else ticks >= self.ticks

    def eagerness(self) -> tuple[float, bool, float]:
        """Sorts the most aggressive first: market orders, then by price, what is shown before what is hidden, then by
        place, those without one last."""
        price = float("-inf") if self.ticks is None else -self.ticks * self.sign
        return price, self.hidden, float("inf") if self.place is None else self.place


@dataclass(eq=False)
class RefAccount:
    """Money and holdings; a leg is a list [units, cost]."""

    name: str
    cash: dict[str, int]
    mode: PositionMode = PositionMode.ONE_WAY
    leverage: Decimal | None = None
    orders: list[RefOrder] = field(default_factory=list)
    legs: dict[tuple[str, PositionSide], list[int]] = field(default_factory=dict)

    def leg(self, symbol: str, side: PositionSide) -> list[int]:
        return self.legs.setdefault((symbol, side), [0, 0])


class RefMarket:
    """What was recorded of one instrument."""

    def __init__(self, instrument: Instrument, model: str, has_book: bool) -> None:
        self.instrument = instrument
        self.model = model
        self.has_book = has_book
        self.sizes: dict[int, dict[int, int]] = {1: {}, -1: {}}
        self.taken: dict[tuple[int, int], int] = {}
        self.last: int | None = None
        self.mark: float | None = None
        self.index: float | None = None
        self.counts_own_trades = False
        self.waiting: list[RefOrder] = []

    def best_recorded(self, sign: int) -> int | None:
        prices = self.sizes[sign]
        return None if not prices else max(prices) if sign > 0 else min(prices)

    def outside(self, sign: int, ticks: int) -> int:
        size = self.sizes[sign].get(ticks, 0)
        taken = self.taken.get((sign, ticks))
        if taken is None or size >= ENDLESS:
            return size
        left = size - taken
        # What was left over and is less than a lot can be taken by nobody: it is no level any more.
        return left if left >= self.instrument.lot_units else 0

    def price(self) -> float | None:
        if self.mark is not None:
            return self.mark
        if self.last is not None:
            return self.instrument.price(self.last)
        bid, ask = self.best_recorded(1), self.best_recorded(-1)
        if bid is None or ask is None:
            return None
        return (self.instrument.price(bid) + self.instrument.price(ask)) / 2


class Reference:
    """Same events in as the engine; `fills` and `refused` say what came out."""

    def __init__(self) -> None:
        self.markets: dict[str, RefMarket] = {}
        self.accounts: dict[str, RefAccount] = {}
        self.fills: list[tuple[object, ...]] = []
        self.refused: list[tuple[str, str, str]] = []
        self.all_orders: list[RefOrder] = []
        self.outside_units: dict[str, int] = {}
        self.outside_cost: dict[str, int] = {}
        self._places = 0
        self._numbers = 0
        self._now = 0

    # -- time, and triggers

    def at(self, ts: int) -> None:
        """A second that begins sets trailing triggers by the prices as they are."""
        if ts // SECOND > self._now // SECOND:
            for order in self._untriggered():
                if order.trail is not None and not order.reached:
                    self._follow(order)
        self._now = ts

    def release(self) -> None:
        """The moment is over: what was reached is let in, one by one, the oldest first."""
        while True:
            reached = [order for order in self._untriggered() if order.reached]
            if not reached:
                return
            self._let_in(min(reached, key=lambda order: order.number))

    def _untriggered(self, market: RefMarket | None = None) -> list[RefOrder]:
        found = [order for account in self.accounts.values() for order in account.orders if order.waits]
        return [one for one in found if market is None or one.request.instrument is market.instrument]

    def _price(self, order: RefOrder) -> float | None:
        """The price that a trigger looks at; a mark that nobody knows is the last price."""
        market, by = self.markets[order.request.instrument.symbol], order.request.trigger_by or TriggerBy.MARK
        last = None if market.last is None else market.instrument.price(market.last)
        if by is TriggerBy.LAST:
            return last
        if by is TriggerBy.INDEX:
            return market.index
        return last if market.mark is None else market.mark

    def _looks_at_last(self, order: RefOrder) -> bool:
        market, by = self.markets[order.request.instrument.symbol], order.request.trigger_by or TriggerBy.MARK
        return by is TriggerBy.LAST or (by is TriggerBy.MARK and market.mark is None)

    def _look(self, market: RefMarket) -> None:
        """Which triggers are reached by the prices as they are."""
        for order in self._untriggered(market):
            price = self._price(order)
            if price is not None and order.trigger is not None:
                trigger = market.instrument.price(order.trigger)
                if price >= trigger if order.fires_up else price <= trigger:
                    order.reached = True

    def _follow(self, order: RefOrder) -> None:
        price, before = self._price(order), order.trailed_from
        if price is None or order.trail is None:
            return
        if before is not None:
            moved = (Decimal(repr(before)) - Decimal(repr(price))) * (1 if order.trail > 0 else -1)
            if moved <= Decimal(repr(before)) / 1000:
                return
        steps = Fraction(repr(price)) / Fraction(order.request.instrument.tick_size) + order.trail
        away = steps.__ceil__() if order.trail > 0 else steps.__floor__()
        order.trigger, order.trailed_from = max(1, away), price

    def _let_in(self, order: RefOrder) -> None:
        account, instrument = order.owner, order.request.instrument
        order.waits, order.fired, order.arrived, order.status = False, True, self._now, OrderStatus.OPEN
        position = account.leg(instrument.symbol, order.request.position_side)[0]
        if order.closes_only:
            if position * order.sign >= 0:
                self._cancel(order)
                return
            self._cut(order)
        account.orders.remove(order)
        if self._too_dear(order, None):
            order.status = OrderStatus.REJECTED
        elif order.at_price is None:
            self._enter(order)
        else:
            account.orders.append(order)
            self._trade_in_candle(order, order.at_price)

    def _trade_in_candle(self, order: RefOrder, ticks: int) -> None:
        market = self.markets[order.request.instrument.symbol]
        if not order.accepts(ticks):
            if order.never_rests:
                self._cancel(order)
            else:
                self._rest(market, order)
                self._shown(order)
                self._hold(order.owner, order.request.instrument, order.request.position_side)
        elif order.request.post_only or not self._can_pay(order, ticks):
            self._cancel(order)
        else:
            self._fill(order, order.left, ticks, "taker", OUTSIDE)

    def _candle_reaches(self, market: RefMarket, low: int, high: int, open_ts: int | None, close: int) -> None:
        """What a range of prices triggers, among the orders that stood when it began; where they may trade then."""
        for order in self._untriggered(market):
            if not self._looks_at_last(order) or order.trigger is None or order.reached:
                continue
            if open_ts is not None and order.arrived > open_ts:
                continue
            if not (low <= order.trigger <= high or (high > order.trigger if order.fires_up else low < order.trigger)):
                continue
            order.reached = True
            stop = order.request.trigger_kind is TriggerKind.STOP
            worst = high if order.sign > 0 else low
            first = min(max(order.trigger, low), high)
            worse = max(first, close) if order.sign > 0 else min(first, close)
            order.at_price = first if market.model == "touch" else worst if stop else worse
        self.release()

    # -- market events

    def mark(self, symbol: str, price: float, index: float | None) -> None:
        market = self.markets[symbol]
        market.mark = price
        market.index = market.index if index is None else index
        self._look(market)

    def open(self, symbol: str, ticks: int) -> None:
        market = self.markets[symbol]
        market.last = ticks
        self._candle_reaches(market, ticks, ticks, None, ticks)
        for order in self._untriggered(market):
            assert not order.reached
        self.print(symbol, ticks, ENDLESS, 0)
        self.release()

    def level(self, symbol: str, sign: int, ticks: int, units: int) -> None:
        market = self.markets[symbol]
        if market.sizes[sign].get(ticks, 0) != units:
            self._recorded(market, sign, ticks, units)
        if units:
            self._nobody_ahead_of_the_best(market, sign)
            self._meets_resting(market, sign, ticks)

    def quote(self, symbol: str, bid: int | None, bid_units: int, ask: int | None, ask_units: int) -> None:
        market = self.markets[symbol]
        for sign, ticks, units in ((1, bid, bid_units), (-1, ask, ask_units)):
            known = market.sizes[sign]
            if known == ({} if ticks is None else {ticks: units}):
                continue
            if ticks not in known:
                known.clear()
                market.taken = {key: taken for key, taken in market.taken.items() if key[0] != sign}
            if ticks is not None:
                self._recorded(market, sign, ticks, units)
                self._nobody_ahead_of_the_best(market, sign)
        if ask is not None:
            self._meets_resting(market, -1, ask)
        if bid is not None:
            self._meets_resting(market, 1, bid)

    def print(self, symbol: str, ticks: int, units: int, taker: int) -> None:
        market = self.markets[symbol]
        market.last = ticks
        units = self._serve_waiting(market, ticks, units)
        for sign in (1, -1):
            units = self._print_meets(market, sign, ticks, units, at_price=taker != sign)
        self._look(market)

    def candle(self, symbol: str, open_ts: int, low: int, high: int, close: int) -> None:
        market = self.markets[symbol]
        market.last = close
        self._candle_reaches(market, low, high, open_ts, close)
        self._serve_waiting(market, close, ENDLESS)
        for sign, extreme in ((1, low), (-1, high)):
            old = [order for order in self._resting(market, sign) if order.arrived <= open_ts]
            new = [order for order in self._resting(market, sign) if order.arrived > open_ts]
            for order, reached in [(order, extreme) for order in old] + [(order, close) for order in new]:
                assert order.ticks is not None
                beyond = (order.ticks - reached) * sign
                if not order.left:
                    continue  # it gave way to an earlier fill of this candle
                if beyond > 0 or (beyond == 0 and market.model == "touch"):
                    self._fill(order, order.left, order.ticks, "maker", OUTSIDE)
        self._look(market)
        self.release()

    def fund(self, symbol: str, rate: float) -> None:
        market = self.markets[symbol]
        price = market.price()
        if price is None:
            return
        for account in self.accounts.values():
            for (name, _), (units, _cost) in account.legs.items():
                if name == symbol and units:
                    value = market.instrument.value(abs(units), price)
                    exact = Fraction(Decimal(repr(rate))) * value * (1 if units > 0 else -1)
                    account.cash[market.instrument.settle.code] -= int(exact)

    # -- requests

    def submit(self, account: RefAccount, request: OrderRequest, ts: int) -> None:
        self.at(ts)
        order = RefOrder(account, request, ts, request.ticks, request.units)
        if self._may_not_enter(order):
            order.status = OrderStatus.REJECTED
            self.refused.append(("submit", account.name, request.id))
            return
        self.all_orders.append(order)
        self._numbers += 1
        order.number, order.trigger, order.trail = self._numbers, request.trigger_ticks, request.trail_ticks
        if order.trigger is not None or order.trail is not None:
            order.waits, order.status = True, OrderStatus.UNTRIGGERED
            account.orders.append(order)
            self._wait(order)
        else:
            self._cut(order)
            self._enter(order)
        self.release()

    def _wait(self, order: RefOrder) -> None:
        if order.trail is not None:
            order.trailed_from = None
            order.trigger = None
            self._follow(order)
        self._look(self.markets[order.request.instrument.symbol])

    def amend(
        self, account: RefAccount, order_id: str, ts: int, ticks: int | None, units: int | None, trigger: int | None
    ) -> None:
        self.at(ts)
        self._amend(account, order_id, ts, ticks, units, trigger)
        self.release()

    def _amend(
        self, account: RefAccount, order_id: str, ts: int, ticks: int | None, units: int | None, trigger: int | None
    ) -> None:
        order = self._find(account, order_id)
        if order is None:
            self._too_late(account, order_id, "amend")
            return
        new_ticks = order.ticks if ticks is None else ticks
        new_units = order.units if units is None else units
        new_trigger = trigger is not None and trigger != order.trigger
        if trigger is not None and (not order.waits or order.trail is not None or trigger <= 0):
            self.refused.append(("amend", account.name, order_id))
            return
        if self._may_not_change(order, new_ticks, new_units, new_trigger):
            self.refused.append(("amend", account.name, order_id))
            return
        if order.waits:
            order.ticks, order.units = new_ticks, new_units
            order.trigger = order.trigger if trigger is None else trigger
            self._look(self.markets[order.request.instrument.symbol])
            return
        if new_ticks == order.ticks and new_units < order.units:
            order.units = new_units
            return
        account.orders.remove(order)
        self._leave(order)
        order.ticks, order.units, order.arrived, order.place, order.ahead = new_ticks, new_units, ts, None, None
        self._cut(order)
        self._enter(order)

    def cancel(self, account: RefAccount, order_id: str) -> None:
        order = self._find(account, order_id)
        if order is None:
            self._too_late(account, order_id, "cancel")
        else:
            self._cancel(order)

    def switch_mode(self, account: RefAccount, mode: PositionMode) -> bool:
        if mode is account.mode:
            return True
        if account.orders:
            return False
        account.mode = mode
        for symbol, market in self.markets.items():
            if market.instrument.is_spot or not market.instrument.hedge:
                continue
            if mode is PositionMode.HEDGE:
                units, cost = account.legs.pop((symbol, PositionSide.NET), [0, 0])
                if units:
                    account.legs[symbol, PositionSide.LONG if units > 0 else PositionSide.SHORT] = [units, cost]
            else:
                long = account.legs.pop((symbol, PositionSide.LONG), [0, 0])
                short = account.legs.pop((symbol, PositionSide.SHORT), [0, 0])
                account.legs[symbol, PositionSide.NET] = long
                self._add_to_leg(account, market.instrument, PositionSide.NET, short[0], short[1])
        return True

    # -- may it?

    def _may_not_enter(self, order: RefOrder) -> bool:
        request, account = order.request, order.owner
        instrument = request.instrument
        if any(other.request.id == request.id for other in account.orders):
            return True
        needs_leg = account.mode is PositionMode.HEDGE and instrument.hedge and not instrument.is_spot
        if needs_leg != (request.position_side is not PositionSide.NET):
            return True
        position = account.leg(instrument.symbol, request.position_side)[0]
        closes_whole = request.reduce_only and request.units == abs(position)
        waits = request.trigger_ticks is not None or request.trail_ticks is not None
        takes_all = request.reduce_only and waits and request.units == 0
        if request.units <= 0 and not takes_all:
            return True
        if request.units % instrument.lot_units != 0 and not closes_whole:
            return True
        if instrument.max_qty is not None and request.units * instrument.unit_size > instrument.max_qty:
            return True
        display = request.display_units
        if display is not None and not (0 <= display <= request.units and display % instrument.lot_units == 0):
            return True
        if waits:
            trail = request.trail_ticks
            bad = trail * (1 if order.fires_up else -1) <= 0 if trail is not None else (request.trigger_ticks or 0) <= 0
            return bad or self._bad_price(order, order.ticks)
        if order.closes_only and position * order.sign >= 0:
            return True
        return self._bad_price(order, order.ticks) or self._too_dear(order, None)

    def _bad_price(self, order: RefOrder, ticks: int | None) -> bool:
        if order.is_market:
            return False
        instrument = order.request.instrument
        if ticks is None or ticks <= 0:
            return True
        return instrument.max_price is not None and ticks * instrument.tick_size > instrument.max_price

    def _may_not_change(self, order: RefOrder, ticks: int | None, units: int, new_trigger: bool) -> bool:
        if (units <= order.filled and (units, order.units) != (0, 0)) or units % order.request.instrument.lot_units:
            return True
        if (ticks, units) == (order.ticks, order.units) and not new_trigger:
            return True
        if units < (order.request.display_units or 0):
            return True
        if order.is_market and ticks is not None:
            return True
        if self._bad_price(order, ticks):
            return True
        if order.waits:
            return False
        changed = RefOrder(order.owner, order.request, order.arrived, ticks, units, order.filled, order.status)
        changed.place = order.place
        return self._too_dear(changed, order)

    def _too_dear(self, order: RefOrder, instead_of: RefOrder | None) -> bool:
        """Whether the growth of what the open orders need is more than what is free before."""
        account, instrument = order.owner, order.request.instrument
        others = [other for other in account.orders if other is not instead_of]
        if instrument.is_spot:
            code = self._spot_currency(order)
            growth = self._spot_need(order, arriving=True)
            if instead_of is not None:
                growth -= self._spot_need(instead_of, arriving=False)
        else:
            if order.closes_only:
                return False
            code = instrument.settle.code
            side = order.request.position_side
            growth = self._margin(account, instrument, side, [*others, order], arriving=order)
            growth -= self._margin(account, instrument, side, account.orders, arriving=None)
        return growth > self.free(account, code)

    def _can_pay(self, order: RefOrder, ticks: int) -> bool:
        """Whether an order that waited can be filled whole at a print, counting it there and nowhere else."""
        account, instrument = order.owner, order.request.instrument
        if order.closes_only and not instrument.is_spot:
            return True
        there = RefOrder(account, order.request, order.arrived, ticks, order.units, order.filled, order.status)
        orders = [other for other in account.orders if other is not order]
        if instrument.is_spot:
            needed, code = self._spot_need(there, arriving=False), self._spot_currency(order)
        else:
            needed, code, side = 0, instrument.settle.code, order.request.position_side
            there.ticks = order.ticks  # it stands among the others where its own price puts it
            needed += self._margin(account, instrument, side, [*orders, there], there, at=ticks)
            needed -= self._margin(account, instrument, side, orders, arriving=None)
        everything, account.orders = account.orders, orders
        left = self._left(account, code)
        account.orders = everything
        return left >= needed

    # -- money

    def free(self, account: RefAccount, code: str) -> int:
        """What new orders may use."""
        return max(0, self._left(account, code))

    def _left(self, account: RefAccount, code: str) -> int:
        total = Fraction(account.cash.get(code, 0))
        for (symbol, _), (units, cost) in account.legs.items():
            market = self.markets[symbol]
            if units and market.instrument.settle.code == code and not market.instrument.is_spot:
                price = market.price()
                if price is not None:
                    total += self._signed_cost(market.instrument, units, market.instrument.value(abs(units), price))
                    total -= cost
                total -= up(abs(cost) * Fraction(market.instrument.maint_margin))
        rows = {(order.request.instrument.symbol, order.request.position_side) for order in account.orders}
        for symbol, side in rows:
            instrument = self.markets[symbol].instrument
            if not instrument.is_spot and instrument.settle.code == code:
                total -= self._margin(account, instrument, side, account.orders, arriving=None)
        for order in account.orders:
            if order.request.instrument.is_spot and self._spot_currency(order) == code:
                total -= self._spot_need(order, arriving=False)
        return int(total)

    def _margin(
        self,
        account: RefAccount,
        instrument: Instrument,
        side: PositionSide,
        orders: list[RefOrder],
        arriving: RefOrder | None,
        at: int | None = None,
    ) -> int:
        rate = Fraction(instrument.init_margin)
        if account.leverage:
            rate = max(rate, 1 / Fraction(account.leverage))
        position = account.leg(instrument.symbol, side)[0]
        needs = []
        for sign in (1, -1):
            closing = (side is PositionSide.LONG and sign < 0) or (side is PositionSide.SHORT and sign > 0)
            row = [
                order
                for order in orders
                if order.request.instrument is instrument
                and order.request.position_side is side
                and order.sign == sign
                and not closing
            ]
            covered = abs(position) if position * sign < 0 else 0
            value = 0
            for order in sorted(row, key=RefOrder.eagerness):
                counted = at is not None and order is arriving
                for ticks, units in [(at, order.left)] if counted else self._pieces(order, order is arriving):
                    bare = max(0, units - covered)
                    covered -= units - bare
                    value += instrument.value_at(bare, ticks)
            needs.append(up(value * (rate + Fraction(instrument.taker_fee))))
        return max(needs)

    def _pieces(self, order: RefOrder, arriving: bool) -> list[tuple[int, int]]:
        """The prices at which an order counts: of an arriving one what it would get at once, the rest at its own."""
        market = self.markets[order.request.instrument.symbol]
        pieces = self._would_get(market, order) if arriving else []
        rest = order.left - sum(units for _, units in pieces)
        if rest > 0 and order.ticks is not None:
            return [*pieces, (order.ticks, rest)]
        if rest > 0 and not pieces and market.price() is not None:
            return [(market.instrument.ticks(market.price()), rest)]
        return pieces

    def _spot_currency(self, order: RefOrder) -> str:
        instrument = order.request.instrument
        return instrument.base if order.sign < 0 else instrument.settle.code

    def _spot_need(self, order: RefOrder, arriving: bool) -> int:
        instrument = order.request.instrument
        if order.sign < 0:
            return self._base(instrument, order.left)
        value = sum(instrument.value_at(units, ticks) for ticks, units in self._pieces(order, arriving))
        return up(value * (1 + Fraction(instrument.taker_fee)))

    @staticmethod
    def _base(instrument: Instrument, units: int) -> int:
        return int(units * Fraction(instrument.unit_size) * 10**instrument.base_scale)

    @staticmethod
    def _signed_cost(instrument: Instrument, units: int, value: int) -> int:
        return value * (1 if units > 0 else -1) * (-1 if instrument.is_inverse else 1)

    def _add_to_leg(
        self, account: RefAccount, instrument: Instrument, side: PositionSide, units: int, cost: int
    ) -> None:
        """Move a leg by a signed fill: first close, booking the profit, then open with what is left."""
        leg = account.leg(instrument.symbol, side)
        if leg[0] * units < 0:
            closed = min(abs(units), abs(leg[0]))
            cost_in = nearest(Fraction(cost) * closed / abs(units))
            cost_out = nearest(Fraction(leg[1]) * closed / abs(leg[0]))
            sign = 1 if units > 0 else -1
            leg[0] += closed * sign
            leg[1] -= cost_out
            units -= closed * sign
            cost -= cost_in
            code = instrument.settle.code
            if not instrument.is_spot:
                account.cash[code] = account.cash.get(code, 0) - cost_out - cost_in
        leg[0] += units
        leg[1] += cost

    # -- arrival

    def _cut(self, order: RefOrder) -> None:
        if order.closes_only:
            position = abs(order.owner.leg(order.request.instrument.symbol, order.request.position_side)[0])
            order.units = min(order.units if order.units else position, order.filled + position)

    def _enter(self, order: RefOrder) -> None:
        market = self.markets[order.request.instrument.symbol]
        order.owner.orders.append(order)
        takes = order.is_market or self._takes(market, order)
        if takes and order.request.post_only:
            self._cancel(order)
        elif not market.has_book and (takes or order.never_rests):
            market.waiting.append(order)
            self._shown(order)
        elif order.request.time_in_force is TimeInForce.FOK and (
            sum(units for _, units in self._would_get(market, order)) < order.left
        ):
            self._cancel(order)
        else:
            if takes:
                self._take(market, order)
            if order.left and order.never_rests:
                self._cancel(order)
            elif order.left:
                self._rest(market, order)
                self._shown(order)
                self._hold(order.owner, order.request.instrument, order.request.position_side)

    def _takes(self, market: RefMarket, order: RefOrder) -> bool:
        assert order.ticks is not None
        if not market.has_book:
            return market.last is not None and (order.ticks - market.last) * order.sign > 0
        offers = [ticks for ticks in market.sizes[-order.sign] if market.outside(-order.sign, ticks) > 0]
        offers += [other.ticks for other in self._resting(market, -order.sign) if other.ticks is not None]
        return any(order.accepts(ticks) for ticks in offers)

    def _rest(self, market: RefMarket, order: RefOrder) -> None:
        assert order.ticks is not None
        self._to_the_end(market, order)
        order.slice = min(order.request.display_units or 0, order.left)

    def _to_the_end(self, market: RefMarket, order: RefOrder) -> None:
        assert order.ticks is not None
        order.place = self._places
        self._places += 1
        order.ahead = self._outside_ahead(market, order.sign, order.ticks)

    @staticmethod
    def _outside_ahead(market: RefMarket, sign: int, ticks: int) -> int | None:
        known = market.sizes[sign]
        if not market.has_book or not known:
            return None
        if all((ticks - other) * sign > 0 for other in known):
            return 0
        if all((ticks - other) * sign < 0 for other in known):
            return None
        size = market.outside(sign, ticks)
        return None if size >= ENDLESS else size

    @staticmethod
    def _shown(order: RefOrder) -> None:
        order.status = OrderStatus.PARTIALLY_FILLED if order.filled else OrderStatus.OPEN

    # -- account orders take

    def _levels(self, market: RefMarket, order: RefOrder) -> list[int]:
        """The prices an order may trade at on the other side, best first."""
        prices = set(market.sizes[-order.sign])
        prices |= {other.ticks for other in self._resting(market, -order.sign) if other.ticks is not None}
        return [ticks for ticks in sorted(prices, key=lambda ticks: ticks * order.sign) if order.accepts(ticks)]

    def _would_get(self, market: RefMarket, order: RefOrder) -> list[tuple[int, int]]:
        left, got = order.left, []
        for ticks in self._levels(market, order) if market.has_book else []:
            makers = sum(other.left for other in self._resting(market, -order.sign) if other.ticks == ticks)
            units = min(left, self._lots(market, market.outside(-order.sign, ticks)) + makers)
            left -= units
            if units:
                got.append((ticks, units))
        return got

    def _take(self, market: RefMarket, order: RefOrder) -> None:
        for ticks in self._levels(market, order):
            if order.left:
                self._take_level(market, order, ticks)
        self._look(market)

    def _take_level(self, market: RefMarket, order: RefOrder, ticks: int) -> None:
        """Work the queue of one price off from its front. Of outside size only whole lots can be had."""
        sign = -order.sign
        outside, taken, wanted = market.outside(sign, ticks), 0, order.left
        queue = [other for other in self._resting(market, sign) if other.ticks == ticks]
        line: list[RefOrder | None] = [*queue, None]
        while line:
            maker = line.pop(0)
            before = outside if maker is None or maker.ahead is None else min(maker.ahead, outside)
            units = min(self._lots(market, max(0, before - taken)), order.left)
            if units:
                taken += units
                self._fill(order, units, ticks, "taker", OUTSIDE)
            if maker is not None and order.left and maker.left:
                both, place = min(order.left, maker.in_queue), maker.place
                self._fill(order, both, ticks, "taker", maker.request.id)
                self._fill(maker, both, ticks, "maker", order.request.id)
                if maker.left and maker.place != place:
                    line.insert(next(at for at, one in enumerate(line) if one is None or one.hidden), maker)
        if order.left != wanted:
            self._own_trade(market, ticks)
        if taken:
            market.taken[sign, ticks] = market.taken.get((sign, ticks), 0) + taken
            self._work_off(queue, taken)

    @staticmethod
    def _own_trade(market: RefMarket, ticks: int) -> None:
        if market.counts_own_trades and market.last is not None:
            market.last = ticks

    @staticmethod
    def _lots(market: RefMarket, units: int) -> int:
        return units - units % market.instrument.lot_units

    @staticmethod
    def _work_off(queue: list[RefOrder], units: int) -> None:
        for order in queue:
            if order.ahead is not None:
                order.ahead = max(0, order.ahead - units)

    # -- the market comes to resting orders

    def _resting(self, market: RefMarket, sign: int) -> list[RefOrder]:
        """Orders that stand in the queue of one side, best price first, then by place."""
        found = [
            order
            for account in self.accounts.values()
            for order in account.orders
            if order.request.instrument is market.instrument and order.sign == sign and order.place is not None
        ]
        return sorted(found, key=RefOrder.eagerness)

    def _recorded(self, market: RefMarket, sign: int, ticks: int, units: int) -> None:
        market.sizes[sign].pop(ticks, None)
        market.taken.pop((sign, ticks), None)
        if units:
            market.sizes[sign][ticks] = units
        for order in self._resting(market, sign):
            if order.ticks == ticks and (units < ENDLESS or order.hidden):
                known = order.ahead is not None and not order.hidden
                order.ahead = min(order.ahead or 0, units) if known else units
                order.ahead = None if units >= ENDLESS else order.ahead

    def _nobody_ahead_of_the_best(self, market: RefMarket, sign: int) -> None:
        best = market.best_recorded(sign)
        for order in self._resting(market, sign):
            assert order.ticks is not None
            if best is not None and (order.ticks - best) * sign > 0:
                order.ahead = 0

    def _meets_resting(self, market: RefMarket, sign: int, ticks: int) -> None:
        """A recorded level of side `sign` trades with the resting orders of the other side that reach it."""
        for order in self._resting(market, -sign):
            if not order.accepts(ticks) or not order.left:
                continue
            order.ahead = 0
            assert order.ticks is not None
            if market.model == "queue":
                offered = market.outside(sign, ticks)
                units = order.left if offered >= order.left else self._lots(market, offered)
                market.taken[sign, ticks] = market.taken.get((sign, ticks), 0) + units
            else:
                units = order.left if market.model == "touch" or order.ticks != ticks else 0
            if units:
                self._fill(order, units, order.ticks, "maker", OUTSIDE)
                order.ahead = 0
                self._own_trade(market, order.ticks)
        self._look(market)

    def _print_meets(self, market: RefMarket, sign: int, ticks: int, units: int, at_price: bool) -> int:
        """A print meets one side's queue, chunk by chunk; returns what is left of it."""
        resting = [order for order in self._resting(market, sign) if order.accepts(ticks)]
        if market.model != "queue":
            for order in resting:
                if order.left and (order.ticks != ticks or market.model == "touch"):
                    assert order.ticks is not None
                    self._fill(order, order.left, order.ticks, "maker", OUTSIDE)
            return units
        for order in resting:
            if order.ticks != ticks:
                units -= self._fill_part(market, order, units)
        if not at_price:
            return units
        queue = [order for order in resting if order.ticks == ticks]
        worked_off = 0
        line = list(queue)
        while line:
            order = line.pop(0)
            if not order.left:
                continue  # it gave way to an earlier fill of this print
            # The chunk of outside size between the order before and this one; nobody knows its end where ahead is None.
            chunk = units if order.ahead is None else min(units, max(0, order.ahead - worked_off))
            worked_off += chunk
            units -= chunk
            if order.ahead is None:
                break
            place = order.place
            units -= self._fill_part(market, order, min(units, order.in_queue))
            if order.left and order.place != place:
                line.insert(next((at for at, one in enumerate(line) if one.hidden), len(line)), order)
        self._work_off(queue, worked_off)
        return units

    def _fill_part(self, market: RefMarket, order: RefOrder, offered: int) -> int:
        units = order.left if offered >= order.left else self._lots(market, offered)
        if units:
            assert order.ticks is not None
            self._fill(order, units, order.ticks, "maker", OUTSIDE)
        return units

    def _serve_waiting(self, market: RefMarket, ticks: int, units: int) -> int:
        """The print that orders waited for; in the queue model it is shared out, and what is left of it told."""
        for order in list(market.waiting):
            if not order.left:
                continue
            if not order.accepts(ticks):
                market.waiting.remove(order)
                if order.never_rests:
                    self._cancel(order)
                else:
                    self._rest(market, order)
                    self._hold(order.owner, order.request.instrument, order.request.position_side)
                continue
            if not self._can_pay(order, ticks):
                self._cancel(order)
                continue
            part = order.left
            if market.model == "queue" and units < part:
                part = self._lots(market, units)
            if order.request.time_in_force is TimeInForce.FOK and part < order.left:
                self._cancel(order)
            elif part:
                units -= part if market.model == "queue" else 0
                self._fill(order, part, ticks, "taker", OUTSIDE)
        return units

    # -- what happens to an order

    def _fill(self, order: RefOrder, units: int, ticks: int, liquidity: str, against: str) -> None:
        assert 0 < units <= order.left, "the reference itself overfills"
        instrument, account = order.request.instrument, order.owner
        value = instrument.value_at(units, ticks)
        rate = instrument.maker_fee if liquidity == "maker" else instrument.taker_fee
        fee = int(Fraction(rate) * value)  # int() truncates toward zero
        signed = units * order.sign
        cost = self._signed_cost(instrument, signed, value)
        order.filled += units
        order.status = OrderStatus.FILLED if order.filled == order.units else OrderStatus.PARTIALLY_FILLED
        if order.status is OrderStatus.FILLED:
            account.orders.remove(order)
            self._leave(order)
        self._add_to_leg(account, instrument, order.request.position_side, signed, cost)
        code = instrument.settle.code
        account.cash[code] = account.cash.get(code, 0) - fee - (cost if instrument.is_spot else 0)
        if instrument.is_spot:
            account.cash[instrument.base] = account.cash.get(instrument.base, 0) + self._base(instrument, signed)
        self.fills.append((account.name, order.request.id, ticks, units, liquidity, fee, cost))
        if against == OUTSIDE:
            self.outside_units[instrument.symbol] = self.outside_units.get(instrument.symbol, 0) - signed
            self.outside_cost[instrument.symbol] = self.outside_cost.get(instrument.symbol, 0) - cost
        self._hold(account, instrument, order.request.position_side)
        display = order.request.display_units
        if order.open and display and liquidity == "maker":
            order.slice -= units
            if order.slice <= 0:
                order.slice += -(-(1 - order.slice) // display) * display
                self._to_the_end(self.markets[instrument.symbol], order)

    def _hold(self, account: RefAccount, instrument: Instrument, side: PositionSide) -> None:
        """Orders that only close may not be more than there is to close: the least eager give way."""
        position = account.leg(instrument.symbol, side)[0]
        left = abs(position)
        closing = [
            order
            for order in account.orders
            if order.request.instrument is instrument
            and order.request.position_side is side
            and order.closes_only
            and not order.waits
        ]
        for order in sorted(closing, key=RefOrder.eagerness):
            keep = min(order.left, left) if order.sign * position < 0 else 0
            left -= keep
            if not keep:
                self._cancel(order)
            else:
                order.units = order.filled + keep

    def _cancel(self, order: RefOrder) -> None:
        order.status, order.waits = OrderStatus.CANCELED, False
        order.owner.orders.remove(order)
        self._leave(order)

    def _leave(self, order: RefOrder) -> None:
        market = self.markets[order.request.instrument.symbol]
        if order in market.waiting:
            market.waiting.remove(order)

    def _find(self, account: RefAccount, order_id: str) -> RefOrder | None:
        return next((order for order in account.orders if order.request.id == order_id), None)

    def _too_late(self, account: RefAccount, order_id: str, what: str) -> None:
        if any(order.owner is account and order.request.id == order_id for order in self.all_orders):
            self.refused.append((what, account.name, order_id))
