"""One instrument in the engine: outside liquidity as a size per level, account orders in the queue between.

The market is exogenous: what was recorded happens, whatever the accounts do. Account orders meet it and each other by
price, then by place in the queue. What they take from a recorded level is a dent that lasts until that level's next
recorded change. Two sorts of feed are told apart, because nothing may be invented:

* with a book (levels or quotes): an order that takes liquidity walks the recorded sizes at once;
* prints only (trades or candles): it waits for the next print and trades there; a print's size counts in the queue
  model. Account orders do not meet each other on such a feed.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator

from hbkit.matching.fills import FillModel
from hbkit.matching.order import UNKNOWN_SIZE, EngineOrder
from hbkit.model import Instrument, Liquidity, OrderBook, Side, TimeInForce

OnFill = Callable[[EngineOrder, int, int, Liquidity], None]
"""Called for each fill with order, units, ticks, liquidity; may cancel or cut other orders before it returns."""
OnMissed = Callable[[EngineOrder], None]
"""Called with an order that waited for a print and was not reached by it; it waits no longer."""
OnMet = Callable[[EngineOrder, int], bool]
"""Called with an order that waited and the ticks of the print that reaches it; False if the order ended instead."""

_LOWEST = -UNKNOWN_SIZE
_HIGHEST = UNKNOWN_SIZE


class Market:
    """The state and the matching of one instrument. Events come in, fills go out through `on_fill`."""

    def __init__(
        self,
        instrument: Instrument,
        model: FillModel,
        on_fill: OnFill,
        on_missed: OnMissed,
        on_met: OnMet,
        *,
        has_book: bool,
    ) -> None:
        self.instrument = instrument
        self.model = model
        self.has_book = has_book
        self.book = OrderBook(instrument)
        self.last: int | None = None
        self.mark: float | None = None
        self.buys: list[EngineOrder] = []
        self.sells: list[EngineOrder] = []
        self.waiting: list[EngineOrder] = []
        self.top_buy = _LOWEST
        """Highest resting buy: a print above it and below `top_sell` can change nothing."""
        self.top_sell = _HIGHEST
        self.dents: dict[tuple[Side, int], int] = {}
        """What accounts took of a level since its last recorded change."""
        self._on_fill = on_fill
        self._on_missed = on_missed
        self._on_met = on_met
        self._sequence = 0

    # -- what is known

    @property
    def reference(self) -> float | None:
        """The price positions are valued at: the mark, else the last trade, else the middle of the book."""
        if self.mark is not None:
            return self.mark
        if self.last is not None:
            return self.instrument.price(self.last)
        return self.book.mid

    @property
    def touches(self) -> tuple[int, int]:
        """A print strictly between the two changes nothing; while an order waits for one, every print matters."""
        return (_HIGHEST, _LOWEST) if self.waiting else (self.top_buy, self.top_sell)

    def available(self, side: Side, ticks: int) -> int:
        """Outside units at a level, less what accounts took since its last recorded change.

        Less than a lot that was left over is nothing: nobody can take it, and it must not stand at a crossed price.
        """
        size = self.book.size(side, ticks)
        dent = self.dents.get((side, ticks)) if self.dents else None
        if dent is None or size >= UNKNOWN_SIZE:
            return size
        left = size - dent
        return left if left >= self.instrument.lot_units else 0

    def best(self, side: Side) -> int | None:
        """Best outside price of a side that has something left, or best account order there if that is better."""
        if self.dents:
            prices = self.book.prices(side)
            ordered = reversed(prices) if side is Side.BUY else iter(prices)
            outside = next((ticks for ticks in ordered if self.available(side, ticks) > 0), None)
        else:
            outside = self.book.best_bid_ticks if side is Side.BUY else self.book.best_ask_ticks
        orders = self.buys if side is Side.BUY else self.sells
        inside = orders[0].ticks if orders else None
        if outside is None or inside is None:
            return inside if outside is None else outside
        return max(outside, inside) if side is Side.BUY else min(outside, inside)

    def inside(self) -> dict[tuple[Side, int], int]:
        """What account orders show, per level."""
        sizes: dict[tuple[Side, int], int] = {}
        for orders in (self.buys, self.sells):
            for order in orders:
                if order.ticks is not None:
                    level = order.request.side, order.ticks
                    sizes[level] = sizes.get(level, 0) + order.leaves
        return sizes

    def inside_at(self, side: Side, ticks: int) -> int:
        """What account orders show at one level."""
        return sum(order.leaves for order in (self.buys if side is Side.BUY else self.sells) if order.ticks == ticks)

    def orders(self) -> Iterator[EngineOrder]:
        """Every open order."""
        yield from self.buys
        yield from self.sells
        yield from self.waiting

    # -- market events

    def level(self, side: Side, ticks: int, units: int) -> None:
        """A level's size was recorded; 0 takes it away. The size it had already is no change: a dent stays."""
        if units != self.book.size(side, ticks):
            self._record(side, ticks, units)
        if not units:
            return
        self._clear_ahead(side)
        if ticks <= self.top_buy if side is Side.SELL else ticks >= self.top_sell:
            self._crossed(side, ticks)

    def quote(self, bid: int | None, bid_units: int, ask: int | None, ask_units: int) -> None:
        """The top of the book was recorded, nothing is known of what lies behind it."""
        self._top(Side.BUY, bid, bid_units)
        self._top(Side.SELL, ask, ask_units)
        if ask is not None and ask <= self.top_buy:
            self._crossed(Side.SELL, ask)
        if bid is not None and bid >= self.top_sell:
            self._crossed(Side.BUY, bid)

    def print(self, ticks: int, units: int, taker: int) -> None:
        """A trade was recorded: `taker` is +1 for a buy, -1 for a sell, 0 where that is not known.

        Its size is there once: first for orders that waited for it, then for resting buys, then for resting sells.
        """
        self.last = ticks
        if self.waiting:
            units = self._serve_waiting(ticks, units)
        if ticks <= self.top_buy:
            units = self._hit(self.buys, ticks, units, at_price=taker <= 0)
        if ticks >= self.top_sell:
            self._hit(self.sells, ticks, units, at_price=taker >= 0)

    def candle(self, open_ts: int, low: int, high: int, close: int) -> None:
        """A candle closed. Its range counts only for orders that stood when it opened, its close for the others.

        Which of high and low came first is not recorded: buys are served first, each at its own price.
        """
        self.last = close
        if self.waiting:
            self._serve_waiting(close, UNKNOWN_SIZE)
        for orders, extreme in ((self.buys, low), (self.sells, high)):
            for order in [order for order in orders if order.arrived <= open_ts]:
                self._meet(order, extreme)
            for order in [order for order in orders if order.arrived > open_ts]:
                self._meet(order, close)

    # -- account orders

    def would_take(self, order: EngineOrder) -> bool:
        """True when the order would trade on arrival instead of resting."""
        if self.has_book:
            best = self.best(order.request.side.opposite)
            return best is not None and order.reaches(best)
        if self.last is None or order.ticks is None:
            return False
        return (order.ticks - self.last) * order.side > 0

    def fillable_now(self, order: EngineOrder) -> int:
        """Units the order could take at once, for fill-or-kill."""
        return sum(units for _, units in self.walk(order))

    def walk(self, order: EngineOrder) -> Iterator[tuple[int, int]]:
        """The (ticks, units) an order would take from the other side, best first, up to its price and quantity.

        Nothing without a book: there it takes the next print, and account orders do not meet each other.
        """
        left = order.leaves
        for ticks in self._opposite_prices(order) if self.has_book else ():
            if left <= 0 or not order.reaches(ticks):
                return
            units = self._whole(min(left, self._offered(order.request.side.opposite, ticks)), left)
            left -= units
            if units:
                yield ticks, units

    def take(self, order: EngineOrder) -> None:
        """Let an arriving order trade against the other side as far as its price and the sizes reach."""
        side = order.request.side.opposite
        for ticks in self._opposite_prices(order):
            if not order.leaves or not order.reaches(ticks):
                return
            self._take_level(order, side, ticks)

    def wait(self, order: EngineOrder) -> None:
        """Keep an order for the next print (feeds without a book)."""
        self.waiting.append(order)

    def rest(self, order: EngineOrder) -> None:
        """Put an order at the end of its level's queue."""
        assert order.ticks is not None
        self._sequence += 1
        order.sequence = self._sequence
        order.ahead = self._ahead(order.request.side, order.ticks)
        insort(self.buys if order.side > 0 else self.sells, order, key=lambda order: order.eagerness)
        self._refresh_tops()

    def remove(self, order: EngineOrder) -> None:
        """Take an order out, wherever it stands."""
        for orders in (self.buys, self.sells, self.waiting):
            if order in orders:
                orders.remove(order)
        self._refresh_tops()

    # -- recorded sizes

    def _record(self, side: Side, ticks: int, units: int) -> None:
        self.book.set(side, ticks, units)
        if self.dents:
            self.dents.pop((side, ticks), None)
        if ticks <= self.top_buy if side is Side.BUY else ticks >= self.top_sell:
            for order in self.buys if side is Side.BUY else self.sells:
                if order.ticks == ticks:
                    # Cancellations are taken to happen behind us: never better than what was recorded.
                    order.ahead = min(order.ahead, units)

    def _top(self, side: Side, ticks: int | None, units: int) -> None:
        old = self.book.best_bid_ticks if side is Side.BUY else self.book.best_ask_ticks
        if ticks == old and (ticks is None or self.book.size(side, ticks) == units):
            return
        if ticks != old:
            self.book.clear(side)
            self.dents = {key: dent for key, dent in self.dents.items() if key[0] is not side}
        if ticks is None:
            return
        self._record(side, ticks, units)
        self._clear_ahead(side)

    def _clear_ahead(self, side: Side) -> None:
        """Where the market's best lies behind an order, nobody outside stands at its price any more.

        Asked when a size was recorded, not when a level went: until the next size is known nothing is.
        """
        best = self.book.best_bid_ticks if side is Side.BUY else self.book.best_ask_ticks
        for order in self.buys if side is Side.BUY else self.sells:
            if best is None or order.ticks is None or (order.ticks - best) * order.side <= 0:
                return
            order.ahead = 0

    def _ahead(self, side: Side, ticks: int) -> int:
        """Outside units that stand before an order that arrives now."""
        prices = self.book.prices(side)
        if not self.has_book or not prices:
            return UNKNOWN_SIZE
        best, deepest = (prices[-1], prices[0]) if side is Side.BUY else (prices[0], prices[-1])
        sign = side.sign
        if (ticks - best) * sign > 0:
            return 0
        if (ticks - deepest) * sign < 0:
            return UNKNOWN_SIZE  # deeper than anything recorded
        return self.available(side, ticks)

    # -- the market meets resting orders

    def _hit(self, orders: list[EngineOrder], ticks: int, units: int, *, at_price: bool) -> int:
        """A print at `ticks` meets the resting orders of one side, best price first, then by place.

        Returns what is left of it.
        """
        queue = self.model.uses_queue
        passed = 0
        for order in list(orders):
            assert order.ticks is not None
            if not order.leaves:
                continue  # it gave way to an earlier fill of this print
            distance = (order.ticks - ticks) * order.side
            if distance < 0 or (queue and units <= 0):
                break
            if distance == 0 and queue and not at_price:
                break
            offered = units
            if queue and distance == 0:
                outside = min(max(0, order.ahead - passed), units)
                passed += outside
                units -= outside
                offered = units if order.ahead <= passed < UNKNOWN_SIZE else 0
            filled = self._fill_resting(order, distance > 0, offered if queue else UNKNOWN_SIZE)
            units -= filled if queue else 0
        self._work_off(orders, ticks, passed)
        return units

    @staticmethod
    def _work_off(orders: list[EngineOrder], ticks: int, units: int) -> None:
        """Outside units at `ticks` went: everyone who stands there moves up, those the event did not reach as well."""
        for order in orders:
            if order.ticks == ticks:
                order.work_off(units)

    def _meet(self, order: EngineOrder, extreme: int) -> None:
        assert order.ticks is not None
        distance = (order.ticks - extreme) * order.side
        if distance >= 0:
            offered = UNKNOWN_SIZE if distance > 0 or not self.model.uses_queue else 0
            self._fill_resting(order, distance > 0, offered)

    def _crossed(self, side: Side, ticks: int) -> None:
        """A recorded level of `side` lies at or beyond resting orders of the other: it trades with them."""
        orders = self.sells if side is Side.BUY else self.buys
        for order in list(orders):
            assert order.ticks is not None
            distance = (order.ticks - ticks) * order.side
            if distance < 0:
                break
            order.ahead = 0
            offered = self.available(side, ticks) if self.model.uses_queue else UNKNOWN_SIZE
            filled = self._fill_resting(order, distance > 0, offered)
            if filled and self.model.uses_queue:
                self._dent(side, ticks, filled)

    def _fill_resting(self, order: EngineOrder, beyond: bool, offered: int) -> int:
        leaves = order.leaves
        if not leaves:
            return 0
        units = self._whole(self.model.fillable(beyond, leaves, offered), leaves)
        if units > 0:
            assert order.ticks is not None
            self._fill(order, units, order.ticks, Liquidity.MAKER)
        return units

    def _serve_waiting(self, ticks: int, units: int) -> int:
        """The print that waiting orders waited for: those that reach it trade there, the others rest or end.

        What a print is too small for goes on waiting, immediate orders too, since one sweep prints many times; a
        fill-or-kill ends. Returns what is left of the print.
        """
        queue = self.model.uses_queue
        for order in list(self.waiting):
            if not order.leaves:
                continue
            if not order.reaches(ticks):
                self.waiting.remove(order)
                self._on_missed(order)
                continue
            if not self._on_met(order, ticks):
                continue
            take = self._whole(min(order.leaves, units), order.leaves) if queue else order.leaves
            if order.request.time_in_force is TimeInForce.FOK and take < order.leaves:
                self.waiting.remove(order)
                self._on_missed(order)
            elif take > 0:
                units -= take if queue else 0
                self._fill(order, take, ticks, Liquidity.TAKER)
        return units

    # -- account orders take

    def _opposite_prices(self, order: EngineOrder) -> list[int]:
        side = order.request.side.opposite
        orders = self.buys if side is Side.BUY else self.sells
        prices = {*self.book.prices(side), *(other.ticks for other in orders if other.ticks is not None)}
        return sorted(prices, reverse=side is Side.BUY)

    def _offered(self, side: Side, ticks: int) -> int:
        orders = self.buys if side is Side.BUY else self.sells
        return self.available(side, ticks) + sum(other.leaves for other in orders if other.ticks == ticks)

    def _take_level(self, taker: EngineOrder, side: Side, ticks: int) -> None:
        """One level: outside size and account orders in the order of the queue."""
        outside = self.available(side, ticks)
        taken = 0
        orders = [order for order in (self.buys if side is Side.BUY else self.sells) if order.ticks == ticks]
        for maker in orders:
            ahead = min(max(0, maker.ahead - taken), outside - taken)
            taken += self._take_outside(taker, ticks, ahead)
            units = self._whole(min(taker.leaves, maker.leaves), min(taker.leaves, maker.leaves))
            if units > 0:
                self._fill(taker, units, ticks, Liquidity.TAKER)
                self._fill(maker, units, ticks, Liquidity.MAKER)
        taken += self._take_outside(taker, ticks, outside - taken)
        if taken:
            self._dent(side, ticks, taken)
            self._work_off(orders, ticks, taken)

    def _take_outside(self, taker: EngineOrder, ticks: int, offered: int) -> int:
        units = self._whole(min(taker.leaves, offered), taker.leaves)
        if units > 0:
            self._fill(taker, units, ticks, Liquidity.TAKER)
            return units
        return 0

    def _fill(self, order: EngineOrder, units: int, ticks: int, liquidity: Liquidity) -> None:
        self._on_fill(order, units, ticks, liquidity)
        if not order.leaves:
            self.remove(order)

    def _dent(self, side: Side, ticks: int, units: int) -> None:
        self.dents[side, ticks] = self.dents.get((side, ticks), 0) + units

    def _whole(self, units: int, leaves: int) -> int:
        """Whole lots only, unless it is all that the order still wants."""
        return units if units >= leaves else units - units % self.instrument.lot_units

    def _refresh_tops(self) -> None:
        self.top_buy = self.buys[0].ticks if self.buys and self.buys[0].ticks is not None else _LOWEST
        self.top_sell = self.sells[0].ticks if self.sells and self.sells[0].ticks is not None else _HIGHEST
