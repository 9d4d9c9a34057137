"""One instrument in the engine: outside liquidity as a size per level, account orders in the queue between.

The market is exogenous: what was recorded happens, whatever the accounts do. Account orders meet it and each other by
price, then by place in the queue. What they take from a recorded level is a dent that lasts until that level's next
recorded change. Two sorts of feed are told apart, because nothing may be invented:

* with a book (levels or quotes): an order that takes liquidity walks the recorded sizes at once;
* prints only (trades or candles): it waits for the next print and trades there; a print's size counts in the queue
  model. Account orders do not meet each other on such a feed.

An order with a trigger stands beside the queue until its price was seen. It is let in when the moment is over, after
everything that was recorded for it. A candle does not tell when in its interval a trigger was reached: a stop then
trades at the candle's extreme, which certainly came later or just then, a take profit at the worse of its trigger and
the close; where the fill model fills at a touch, both trade at the trigger itself.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Callable, Iterator

from hbkit.matching.fills import FillModel
from hbkit.matching.order import UNKNOWN_SIZE, EngineOrder
from hbkit.model import Instrument, Liquidity, OrderBook, Side, TimeInForce, TriggerBy

OnFill = Callable[[EngineOrder, int, int, Liquidity], None]
"""Called for each fill with order, units, ticks, liquidity; may cancel or cut other orders before it returns."""
OnMissed = Callable[[EngineOrder], None]
"""Called with an order that waited for a print and was not reached by it; it waits no longer."""
OnMet = Callable[[EngineOrder, int], bool]
"""Called with an order that waited and the ticks of the print that reaches it; False if the order ended instead."""
OnReached = Callable[[EngineOrder], None]
"""Called once with an order whose trigger was reached; it is let in later."""

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
        on_reached: OnReached,
        release: Callable[[], None],
        *,
        has_book: bool,
    ) -> None:
        """
        :param release: lets in what was reached; candles ask for it at once, other events leave it to the moment's end.
        """
        self.instrument = instrument
        self.model = model
        self.has_book = has_book
        self.book = OrderBook(instrument)
        self.last: int | None = None
        self.mark: float | None = None
        self.index: float | None = None
        self.last_is_mark = True
        """Whether the last price stands in for a mark that was never told, for triggers as for values."""
        self.counts_own_trades = False
        """Whether what accounts take is a public trade, and its price the last one."""
        self.buys: list[EngineOrder] = []
        self.sells: list[EngineOrder] = []
        self.waiting: list[EngineOrder] = []
        self.triggers: list[EngineOrder] = []
        """Orders that wait for their trigger, in order of entry."""
        self.wakes_at_or_below = _LOWEST
        self.wakes_at_or_above = _HIGHEST
        """A print strictly between the two changes nothing but the last price: no resting order, no trigger."""
        self.top_buy = _LOWEST
        """Highest resting buy: a print above it and below `top_sell` can change nothing."""
        self.top_sell = _HIGHEST
        self.dents: dict[tuple[Side, int], int] = {}
        """What accounts took of a level since its last recorded change."""
        self._on_fill = on_fill
        self._on_missed = on_missed
        self._on_met = on_met
        self._on_reached = on_reached
        self._release = release
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
        return _better(side, outside, orders[0].ticks if orders else None)

    def best_shown(self, side: Side) -> int | None:
        """The same without orders of which nothing is shown."""
        orders = self.buys if side is Side.BUY else self.sells
        if not orders or orders[0].shown:
            return self.best(side)
        prices = self.book.prices(side)
        ordered = reversed(prices) if side is Side.BUY else iter(prices)
        outside = next((ticks for ticks in ordered if self.available(side, ticks) > 0), None)
        return _better(side, outside, next((order.ticks for order in orders if order.shown), None))

    def price_of(self, by: TriggerBy) -> float | None:
        """The price that triggers by `by` look at; None while it is not known."""
        if by is TriggerBy.INDEX:
            return self.index
        if by is TriggerBy.MARK and (self.mark is not None or not self.last_is_mark):
            return self.mark
        return self.instrument.price(self.last) if self.last is not None else None

    def inside(self) -> dict[tuple[Side, int], int]:
        """What account orders show, per level."""
        sizes: dict[tuple[Side, int], int] = {}
        for orders in (self.buys, self.sells):
            for order in orders:
                if order.ticks is not None and order.shown:
                    level = order.request.side, order.ticks
                    sizes[level] = sizes.get(level, 0) + order.shown
        return sizes

    def inside_at(self, side: Side, ticks: int) -> int:
        """What account orders show at one level."""
        return sum(order.shown for order in (self.buys if side is Side.BUY else self.sells) if order.ticks == ticks)

    def orders(self) -> Iterator[EngineOrder]:
        """Every open order."""
        yield from self.buys
        yield from self.sells
        yield from self.waiting
        yield from self.triggers

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
        if self.triggers:
            self.look()

    def open(self, ticks: int) -> None:
        """A candle opened at `ticks`: a print of unknown size. What it triggers trades there, before what rests."""
        self.last = ticks
        for order in self._at_triggers(ticks, ticks):
            order.released_at = ticks
            self._reach(order)
        self._release()
        self.print(ticks, UNKNOWN_SIZE, 0)
        self._release()

    def candle(self, open_ts: int, low: int, high: int, close: int) -> None:
        """A candle closed. Its range counts only for orders that stood when it opened, its close for the others.

        Which of high and low came first is not recorded: stops come first, then buys, each at its own price.
        """
        self.last = close
        for order in self._at_triggers(low, high):
            if order.arrived <= open_ts:
                order.released_at = self._price_after(order, low, high, close)
                self._reach(order)
        self._release()
        if self.waiting:
            self._serve_waiting(close, UNKNOWN_SIZE)
        for orders, extreme in ((self.buys, low), (self.sells, high)):
            for order in [order for order in orders if order.arrived <= open_ts]:
                self._meet(order, extreme)
            for order in [order for order in orders if order.arrived > open_ts]:
                self._meet(order, close)
        if self.triggers:
            self.look()
            self._release()

    def marked(self, price: float, index: float | None = None) -> None:
        """The mark was recorded, and the index with it if that is known."""
        first = self.mark is None
        self.mark = price
        if index is not None and not math.isnan(index):
            self.index = index
        if self.triggers:
            if first:
                self._refresh_tops()  # the last price no longer stands in for it
            self.look()

    def traded(self, ticks: int) -> None:
        """A trade between accounts, or of one with the book: the last price is its own."""
        self.last = ticks
        if self.triggers:
            self.look()

    # -- triggers

    def hold(self, order: EngineOrder) -> None:
        """Keep an order until its trigger is reached, which it may be already."""
        if order not in self.triggers:
            self.triggers.append(order)
        self._refresh_tops()
        self.look()

    def look(self) -> None:
        """See which triggers are reached by the prices as they stand."""
        for order in list(self.triggers):
            if not order.is_reached and self._is_reached(order):
                self._reach(order)

    def _reach(self, order: EngineOrder) -> None:
        order.is_reached = True
        self._on_reached(order)

    def _watches_last(self, order: EngineOrder) -> bool:
        by = order.request.trigger_by or TriggerBy.MARK
        return by is TriggerBy.LAST or (by is TriggerBy.MARK and self.mark is None and self.last_is_mark)

    def _is_reached(self, order: EngineOrder) -> bool:
        price = self.price_of(order.request.trigger_by or TriggerBy.MARK)
        if price is None or order.trigger is None:
            return False
        trigger = self.instrument.price(order.trigger)
        if not (price >= trigger if order.request.fires_above else price <= trigger):
            return False
        if order.request.within_mark and self.mark is not None:
            return price < 1.05 * self.mark if order.side > 0 else price >= 0.95 * self.mark
        return True

    def _at_triggers(self, low: int, high: int) -> list[EngineOrder]:
        """Orders that wait for the last price and whose trigger lies where it was between `low` and `high`."""
        return [
            order
            for order in self.triggers
            if not order.is_reached
            and self._watches_last(order)
            and order.trigger is not None
            and (order.trigger <= high if order.request.fires_above else order.trigger >= low)
        ]

    def _price_after(self, order: EngineOrder, low: int, high: int, close: int) -> int:
        """A price at which an order may trade that a candle triggered: one that came after, or the worse of two."""
        assert order.trigger is not None
        trigger = min(max(order.trigger, low), high)  # of a gap over it nothing traded there
        if not self.model.uses_queue and self.model.fillable(False, 1, UNKNOWN_SIZE) > 0:
            return trigger
        if order.request.fires_above == (order.side > 0):  # a stop
            return high if order.side > 0 else low
        return max(trigger, close) if order.side > 0 else min(trigger, close)

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
                break
            self._take_level(order, side, ticks)
        if self.triggers:
            self.look()

    def take_at(self, order: EngineOrder, ticks: int) -> None:
        """Let an order trade whole at a price that a candle allows it."""
        self._on_fill(order, order.leaves, ticks, Liquidity.TAKER)

    def wait(self, order: EngineOrder) -> None:
        """Keep an order for the next print (feeds without a book)."""
        self.waiting.append(order)

    def rest(self, order: EngineOrder) -> None:
        """Put an order at the end of its level's queue."""
        assert order.ticks is not None
        order.slice = min(order.display or 0, order.leaves)
        self._to_the_back(order)
        self._refresh_tops()

    def _to_the_back(self, order: EngineOrder) -> None:
        assert order.ticks is not None
        self._sequence += 1
        order.sequence = self._sequence
        order.ahead = self._ahead(order.request.side, order.ticks)
        insort(self.buys if order.side > 0 else self.sells, order, key=lambda order: order.eagerness)

    def remove(self, order: EngineOrder) -> None:
        """Take an order out, wherever it stands."""
        for orders in (self.buys, self.sells, self.waiting, self.triggers):
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
                    # Cancellations are taken to happen behind us: never better than what was recorded. What is not
                    # shown stands behind everything that is, whenever that came.
                    order.ahead = units if order.display == 0 else min(order.ahead, units)

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
        for order in list(orders):
            assert order.ticks is not None
            beyond = (order.ticks - ticks) * order.side
            if beyond < 0 or (queue and (units <= 0 or beyond == 0)):
                break
            if order.leaves:  # else it gave way to an earlier fill of this print
                filled = self._fill_resting(order, beyond > 0, units if queue else UNKNOWN_SIZE)
                units -= filled if queue else 0
        if queue and at_price:
            units = self._serve_level(orders, ticks, units)
        return units

    def _serve_level(self, orders: list[EngineOrder], ticks: int, units: int) -> int:
        """A print at the price of a level works its queue off from the front; returns what is left of it."""
        line = [order for order in orders if order.ticks == ticks]
        passed = 0
        while line and units > 0:
            order = line.pop(0)
            if not order.leaves:
                continue  # it gave way to an earlier fill of this print
            outside = min(max(0, order.ahead - passed), units)
            passed += outside
            units -= outside
            offered = min(units, order.offer) if order.ahead <= passed < UNKNOWN_SIZE else 0
            place = order.sequence
            units -= self._fill_resting(order, False, offered)
            if order.leaves and order.sequence != place:
                _queue_up(line, order)
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
            order.ahead = 0
            if filled:
                self._traded_by_account(order.ticks)
            if filled and self.model.uses_queue:
                self._dent(side, ticks, filled)
        if self.triggers:
            self.look()

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
        outside, wanted = self.available(side, ticks), taker.leaves
        taken = 0
        orders = [order for order in (self.buys if side is Side.BUY else self.sells) if order.ticks == ticks]
        line = list(orders)
        while line and taker.leaves:
            maker = line.pop(0)
            ahead = min(max(0, maker.ahead - taken), outside - taken)
            taken += self._take_outside(taker, ticks, ahead)
            units = min(taker.leaves, maker.offer)
            if units > 0:
                place = maker.sequence
                self._fill(taker, units, ticks, Liquidity.TAKER)
                self._fill(maker, units, ticks, Liquidity.MAKER)
                if maker.leaves and maker.sequence != place:
                    _queue_up(line, maker)
        taken += self._take_outside(taker, ticks, outside - taken)
        if taken:
            self._dent(side, ticks, taken)
            self._work_off(orders, ticks, taken)
        if taker.leaves != wanted:
            self._traded_by_account(ticks)

    def _traded_by_account(self, ticks: int) -> None:
        """Without a record of trades one of an account's would be the last for ever."""
        if self.counts_own_trades and self.last is not None:
            self.last = ticks

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
        elif order.display and liquidity is Liquidity.MAKER:
            order.slice -= units
            if order.slice <= 0:
                self._show_more(order)

    def _show_more(self, order: EngineOrder) -> None:
        """The shown part is gone: the next one is shown, and stands at the end of the queue."""
        assert order.display is not None
        while order.slice <= 0:
            order.slice += order.display
        orders = self.buys if order.side > 0 else self.sells
        orders.remove(order)
        self._to_the_back(order)

    def _dent(self, side: Side, ticks: int, units: int) -> None:
        self.dents[side, ticks] = self.dents.get((side, ticks), 0) + units

    def _whole(self, units: int, leaves: int) -> int:
        """Whole lots only, unless it is all that the order still wants."""
        return units if units >= leaves else units - units % self.instrument.lot_units

    def _refresh_tops(self) -> None:
        self.top_buy = self.buys[0].ticks if self.buys and self.buys[0].ticks is not None else _LOWEST
        self.top_sell = self.sells[0].ticks if self.sells and self.sells[0].ticks is not None else _HIGHEST
        below, above = self.trigger_touches if self.triggers else (_LOWEST, _HIGHEST)
        self.wakes_at_or_below = max(self.top_buy, below)
        self.wakes_at_or_above = min(self.top_sell, above)

    @property
    def mark_touches(self) -> tuple[int | None, int | None]:
        """The nearest triggers in ticks, below and above, that look at the mark or the index."""
        orders = [order for order in self.triggers if order.trigger is not None and not self._watches_last(order)]
        below = [order.trigger for order in orders if order.trigger is not None and not order.request.fires_above]
        above = [order.trigger for order in orders if order.trigger is not None and order.request.fires_above]
        return max(below, default=None), min(above, default=None)

    @property
    def trigger_touches(self) -> tuple[int, int]:
        """A print strictly between the two reaches no trigger; every print matters to one that follows the price."""
        below, above = _LOWEST, _HIGHEST
        for order in self.triggers:
            if not self._watches_last(order):
                continue
            if order.trail is not None or order.trigger is None:
                return _HIGHEST, _LOWEST
            if order.request.fires_above:
                above = min(above, order.trigger)
            else:
                below = max(below, order.trigger)
        return below, above


def _better(side: Side, one: int | None, other: int | None) -> int | None:
    """The better of two prices of a side."""
    if one is None or other is None:
        return one if other is None else other
    return max(one, other) if side is Side.BUY else min(one, other)


def _queue_up(line: list[EngineOrder], order: EngineOrder) -> None:
    """Back to the end of the queue, but before what is not shown."""
    at = next((place for place, other in enumerate(line) if other.display == 0), len(line))
    line.insert(at, order)
