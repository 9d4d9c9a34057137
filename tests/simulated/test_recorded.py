"""The simulated exchange: what it does with each kind of row, when requests arrive, and whom it tells in what order."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any

import numpy as np
import pytest

from hbkit.agenda import Agenda, Turn
from hbkit.clock import HOUR, MINUTE, SECOND, ManualClock
from hbkit.data.source import COLUMNS, INTEGER_COLUMNS, Batch, Rows, SourceInfo
from hbkit.data.timeline import Timeline
from hbkit.exchange import Channel
from hbkit.matching import Account, Engine
from hbkit.matching.fills import Queue, Through
from hbkit.model import (
    Currency,
    Instrument,
    InstrumentKind,
    OrderRequest,
    OrderStatus,
    OrderType,
    PositionMode,
    PositionSide,
    Side,
    TimeInForce,
)
from hbkit.simulated import SimulatedExchange

USD = Currency("USD", 2)
T0 = 1_000 * HOUR


def perpetual(symbol: str = "ABC", **changes: Any) -> Instrument:
    """A contract on 1 ABC, tick 0.5, lot 1, without fees: a price of 100 is 10,000 cents."""
    fields: dict[str, Any] = {
        "exchange": "venue", "symbol": symbol, "unified": f"{symbol}/USD:USD", "kind": InstrumentKind.LINEAR,
        "base": symbol, "quote": "USD", "settle": USD, "tick_size": Decimal("0.5"), "lot_size": Decimal(1),
        "unit_size": Decimal(1), "multiplier": Decimal(100), "maker_fee": Decimal(0), "taker_fee": Decimal(0),
    }  # fmt: skip
    return Instrument(**{**fields, **changes})


ABC = perpetual()
SPOT = perpetual("COIN", unified="COIN/USD", kind=InstrumentKind.SPOT, base_scale=0)


def rows(kind: Rows, *lines: tuple[float, ...], symbol: str = "ABC", interval: str = "") -> Batch:
    """A batch of (seconds after T0, column, ...)."""
    ts = np.array([T0 + round(line[0] * SECOND) for line in lines], np.int64)
    columns = tuple(
        np.array([line[1 + at] for line in lines], np.int64 if name in INTEGER_COLUMNS else np.float64)
        for at, name in enumerate(COLUMNS[kind])
    )
    return Batch(symbol, kind, ts, columns, interval)


def candle(minute: int, low: float, high: float, close: float, trades: int, *, length: int = 1) -> tuple[float, ...]:
    """A row that closes `minute` minutes after T0 and opens at its close."""
    opened = T0 + (minute - length) * MINUTE
    return (minute * 60, opened, close, high, low, close, 10.0, trades)


@dataclass
class Given:
    """Batches as a source."""

    batches: Sequence[Batch]
    changes: dict[str, Any] = field(default_factory=dict)

    def info(self) -> SourceInfo:
        kinds: dict[str, set[Rows]] = {}
        intervals: dict[str, tuple[str, ...]] = {}
        for batch in self.batches:
            kinds.setdefault(batch.symbol, set()).add(batch.kind)
            if batch.interval:
                intervals[batch.symbol] = (*intervals.get(batch.symbol, ()), batch.interval)
        frozen = {symbol: frozenset(found) for symbol, found in kinds.items()}
        return SourceInfo("given", frozen, T0, T0 + HOUR, intervals, **self.changes)

    def windows(self, start: int, end: int) -> Iterator[Sequence[Batch]]:
        yield [batch.between(start, end) for batch in self.batches]


class Venue:
    """One exchange, what it told, and the batches it plays."""

    def __init__(
        self,
        *batches: Batch,
        instruments: Sequence[Instrument] = (ABC,),
        model: Any = None,
        latency: int = 0,
        book_depth: int = 0,
        mode: PositionMode = PositionMode.ONE_WAY,
        money: int = 100_000_00,
        **info: Any,
    ) -> None:
        self.source = Given(batches, info)
        self.clock = ManualClock(T0)
        self.agenda = Agenda(self.clock)
        ids = count(1)
        engine = Engine(lambda: f"x{next(ids)}")
        self.account = Account("venue", {USD: money}, engine.reference_price, mode=mode)
        self.told: list[tuple[str, Any]] = []
        self.react: dict[str, Callable[[Any], object]] = {}
        self.exchange = SimulatedExchange(
            "venue", {one.symbol: one for one in instruments}, self.source.info(), model or Queue(), self.account,
            engine, clock=self.clock, scheduler=self.agenda, latency=latency, book_depth=book_depth,
        )  # fmt: skip
        self.exchange.connect(self)  # type: ignore[arg-type]
        self._orders = 0

    def __getattr__(self, name: str) -> Callable[[Any], None]:
        if not name.startswith("on_"):
            raise AttributeError(name)

        def hear(event: Any) -> None:
            self.told.append((name, event))
            if name in self.react:
                self.react[name](event)

        return hear

    def submit(self, side: Side, units: int, price: float | None = None, market: Instrument = ABC, **more: Any) -> str:
        self._orders += 1
        order_id = f"o{self._orders}"
        ticks = None if price is None else market.ticks(price)
        kind = OrderType.MARKET if price is None else OrderType.LIMIT
        leg = more.pop("position_side", PositionSide.NET)
        self.exchange.submit(OrderRequest(order_id, market, side, leg, kind, units, ticks, **more))
        return order_id

    def play(self, start: int = T0) -> None:
        """Every row, as a replay does it: moment by moment, and opens after everything else."""
        moment = -1
        for window in Timeline([self.source], start, T0 + HOUR).windows():
            handlers = [self.exchange.handler(batch) for batch in window.batches]
            for ts, batch, row in zip(window.ts, window.batch, window.row, strict=True):
                if ts != moment:
                    self.settle()
                    self.agenda.run_until(ts, Turn.CANDLE)
                    self.clock.set(ts)
                    moment = ts
                if window.batches[batch].kind is Rows.OPEN:
                    self.settle()
                    self.agenda.run_until(ts)
                handler = handlers[batch]
                if handler is not None:
                    handler(row)
            self.settle()
        self.agenda.run_until(self.clock.ts)

    def settle(self) -> None:
        """The moment is over."""
        calls = self.exchange.due[:]
        self.exchange.due.clear()
        for call in calls:
            call()

    def at(self, seconds: float, call: Callable[[], object]) -> None:
        self.agenda.at(T0 + round(seconds * SECOND), lambda: call() and None)

    def names(self) -> list[str]:
        return [name for name, _ in self.told if name != "on_connected"]

    def events(self, name: str) -> list[Any]:
        return [event for one, event in self.told if one == name]


# -- rows meet resting orders first

FILLED = ["on_fill", "on_order", "on_balance"]
MEETS = {
    "trade": (Channel.TRADE, [rows(Rows.TRADE, (1, -1, 99.0, 5.0))], ["on_order", *FILLED, "on_trade"]),
    # A venue with a book tells the trades of a moment first, then what they did to us.
    "trade and book": (
        Channel.TRADE,
        [rows(Rows.TRADE, (1, -1, 99.0, 5.0)), rows(Rows.LEVEL, (0, 1, 98, 9))],
        ["on_order", "on_trade", *FILLED],
    ),
    "quote": (
        Channel.QUOTE,
        [rows(Rows.QUOTE, (0, 99.0, 100.5, 9, 9), (1, 98.0, 99.0, 9, 9))],
        ["on_quote", "on_order", *FILLED, "on_quote"],
    ),
    "level": (
        Channel.BOOK,
        [rows(Rows.LEVEL, (0, -1, 100.5, 9), (1, -1, 99.0, 9))],
        ["on_book", "on_order", "on_book", *FILLED, "on_book"],
    ),
}


@pytest.mark.parametrize(("channel", "batches", "told"), MEETS.values(), ids=MEETS.keys())
def test_a_row_meets_resting_orders_and_then_the_market_is_told(
    channel: Channel, batches: list[Batch], told: list[str]
) -> None:
    venue = Venue(*batches)
    venue.exchange.subscribe(ABC, channel)
    venue.at(0.5, lambda: venue.submit(Side.BUY, 2, 99.5))
    venue.play()
    assert venue.names() == told
    (fill,) = venue.events("on_fill")
    assert (fill.ts, fill.price, fill.units) == (T0 + SECOND, 99.5, 2)


def test_all_rows_of_a_moment_meet_resting_orders_before_anybody_can_act_on_one() -> None:
    # Two prints of one taker order; whoever sells after the first finds the second past.
    venue = Venue(rows(Rows.TRADE, (1, -1, 99.5, 1), (1, -1, 99, 5), (2, -1, 99, 5)), model=Through())
    venue.exchange.subscribe(ABC, Channel.TRADE)
    venue.react["on_trade"] = lambda trade: trade.price == 99.5 and venue.submit(Side.BUY, 1, 99.5)
    venue.play()
    assert venue.names() == ["on_trade", "on_trade", "on_order", *FILLED, "on_trade"]
    (fill,) = venue.events("on_fill")
    assert fill.ts == T0 + 2 * SECOND


def test_a_trade_comes_before_the_book_it_leaves_behind() -> None:
    # 9 stand before us at 99; a sell of 6 leaves 3 of them. The 6 are gone once, not twice.
    venue = Venue(
        rows(Rows.LEVEL, (0, 1, 99, 9), (0, -1, 100, 9), (1, 1, 99, 3)),
        rows(Rows.TRADE, (1, -1, 99, 6), (2, -1, 99, 3), (3, -1, 99, 1)),
    )
    venue.at(0.5, lambda: venue.submit(Side.BUY, 1, 99))
    venue.play()
    assert [fill.ts for fill in venue.events("on_fill")] == [T0 + 3 * SECOND]


# -- what everybody sees has our orders in it


def test_our_orders_stand_in_the_book_and_at_the_touch() -> None:
    venue = Venue(rows(Rows.LEVEL, (0, 1, 99, 5), (0, -1, 101, 5), (9, -1, 101, 6)))
    for channel in (Channel.BOOK, Channel.QUOTE):
        venue.exchange.subscribe(ABC, channel)
    books: list[Any] = []
    venue.react["on_book"] = lambda book: books.append((book.bids(), book.asks()))
    venue.at(1, lambda: venue.submit(Side.BUY, 2, 99))
    venue.at(2, lambda: venue.submit(Side.SELL, 3, 100))
    venue.at(3, lambda: venue.exchange.cancel("o1"))
    venue.play()
    assert books == [
        ([(99, 5)], [(101, 5)]),
        ([(99, 7)], [(101, 5)]),
        ([(99, 7)], [(100, 3), (101, 5)]),
        ([(99, 5)], [(100, 3), (101, 5)]),
        ([(99, 5)], [(100, 3), (101, 6)]),
    ]
    # The last change lies behind our offer: the touch stays.
    touches = [(quote.bid, quote.bid_qty, quote.ask, quote.ask_qty) for quote in venue.events("on_quote")]
    assert touches == [(99, 5, 101, 5), (99, 7, 101, 5), (99, 7, 100, 3), (99, 5, 100, 3)]


def test_what_we_took_is_gone_from_the_book_until_the_level_is_recorded_anew() -> None:
    venue = Venue(rows(Rows.LEVEL, (0, 1, 99, 5), (0, -1, 100, 5), (0, -1, 101, 5), (9, -1, 100, 4)))
    venue.exchange.subscribe(ABC, Channel.QUOTE)
    venue.at(1, lambda: venue.submit(Side.BUY, 2))
    venue.at(2, lambda: venue.submit(Side.BUY, 3))
    venue.play()
    offers = [(quote.ask, quote.ask_qty) for quote in venue.events("on_quote")]
    assert offers == [(100, 5), (100, 3), (101, 5), (100, 4)]


@pytest.mark.parametrize("latency", [0, SECOND // 20])
def test_who_answers_each_quote_with_a_quote_does_not_call_himself_for_ever(latency: int) -> None:
    # Ten minutes in which nothing but our own order moves the touch: 120 answers at once, then two a second.
    venue = Venue(rows(Rows.LEVEL, (0, 1, 99, 9), (0, -1, 101, 9), (600, -1, 101, 8)), latency=latency)
    venue.exchange.subscribe(ABC, Channel.QUOTE)

    def on_quote(quote: Any) -> None:
        if venue.account.orders:
            venue.exchange.cancel(next(iter(venue.account.orders)))
        else:
            venue.submit(Side.BUY, 1, 99.5)

    venue.react["on_quote"] = on_quote
    venue.play()
    told = [quote.ts for quote in venue.events("on_quote")]
    assert len([ts for ts in told if ts <= T0 + 7 * SECOND]) > 120
    assert len(told) <= 1 + 120 + 2 * 600 + 1
    assert told[-1] == T0 + 600 * SECOND


def test_only_as_many_levels_are_told_as_the_venue_tells() -> None:
    levels = rows(Rows.LEVEL, (0, 1, 99, 5), (0, 1, 98, 5), (0, -1, 101, 5), (5, 1, 98, 6))
    venue = Venue(levels, book_depth=2)
    venue.exchange.subscribe(ABC, Channel.BOOK)
    books: list[Any] = []
    venue.react["on_book"] = lambda book: books.append(book.bids())
    venue.at(1, lambda: venue.submit(Side.BUY, 2, 99.5))
    venue.play()
    # Our bid pushes 98 out: that it changes later is told to nobody.
    assert books == [[(99, 5), (98, 5)], [(99.5, 2), (99, 5)]]


def test_what_we_take_is_a_trade_for_everybody_and_counts_in_the_candle() -> None:
    venue = Venue(
        rows(Rows.LEVEL, (0, 1, 99, 9), (0, -1, 100, 9)),
        rows(Rows.TRADE, (1, -1, 99, 4), (100, 1, 100, 1), (121, 1, 100, 1)),
        rows(Rows.CANDLE, candle(1, 99, 99, 99, 1), candle(2, 100, 100, 100, 1), interval="1m"),
    )
    for channel in (Channel.TRADE, Channel.QUOTE):
        venue.exchange.subscribe(ABC, channel)
    venue.exchange.subscribe(ABC, Channel.CANDLE, "1m")
    venue.at(30, lambda: venue.submit(Side.BUY, 2))
    venue.play()
    ours = venue.events("on_trade")[1]
    assert (ours.ts, ours.side, ours.price, ours.qty) == (T0 + 30 * SECOND, Side.BUY, 100, 2)
    assert venue.names()[:3] == ["on_quote", "on_trade", "on_trade"]
    first, second = venue.events("on_candle")
    # Recorded: flat at 99. Ours is its high, its last trade, and where the next one opens.
    assert (first.high, first.low, first.close, first.volume, first.trades) == (100, 99, 100, 12, 2)
    assert (second.open, second.close, second.trades) == (100, 100, 1)


def test_a_minute_without_a_recorded_trade_shows_our_close_before_it() -> None:
    venue = Venue(
        rows(Rows.LEVEL, (0, 1, 99, 9), (0, -1, 100, 9)),
        rows(Rows.TRADE, (1, -1, 99, 4)),
        rows(Rows.CANDLE, candle(1, 99, 99, 99, 1), candle(2, 99, 99, 99, 0), candle(3, 99, 99, 99, 0), interval="1m"),
    )
    venue.exchange.subscribe(ABC, Channel.CANDLE, "1m")
    venue.at(30, lambda: venue.submit(Side.BUY, 2))
    venue.play()
    told = [(one.open, one.high, one.low, one.close, one.trades) for one in venue.events("on_candle")]
    assert told == [(99, 100, 99, 100, 2), (100, 100, 100, 100, 0), (100, 100, 100, 100, 0)]


def test_candles_that_are_built_hold_what_we_take() -> None:
    book = rows(Rows.LEVEL, (0, 1, 99, 9), (0, -1, 100, 9))
    venue = Venue(book, rows(Rows.TRADE, (1, -1, 99, 4), (61, -1, 99, 1)))
    venue.exchange.subscribe(ABC, Channel.CANDLE, "1m")
    venue.at(30, lambda: venue.submit(Side.BUY, 2))
    venue.play()
    (told,) = venue.events("on_candle")
    assert (told.open, told.high, told.close, told.volume, told.trades) == (99, 100, 100, 6, 2)


def test_a_candle_meets_resting_orders_before_anybody_hears_of_it() -> None:
    # Placed at 30 s, in the midst of the first candle: the second is the first whose low counts.
    first, second = candle(1, 98, 101, 100, 4), candle(2, 98, 101, 100, 4)
    venue = Venue(rows(Rows.CANDLE, first, second, interval="1m"), model=Through())
    venue.exchange.subscribe(ABC, Channel.CANDLE, "1m")
    venue.at(30, lambda: venue.submit(Side.BUY, 2, 99.5))
    venue.play()
    assert venue.names() == ["on_order", "on_candle", "on_fill", "on_order", "on_balance", "on_candle"]


def test_a_candle_without_trades_fills_nothing() -> None:
    # An outage at 98: flat candles below the order, 0 trades.
    candles = [candle(1, 100, 101, 100, 4), candle(2, 98, 98, 98, 0), candle(3, 98, 98, 98, 0)]
    venue = Venue(rows(Rows.CANDLE, *candles, interval="1m"), model=Through())
    venue.at(70, lambda: venue.submit(Side.BUY, 2, 99.5))
    venue.at(70, lambda: venue.submit(Side.BUY, 2))
    venue.play()
    assert venue.events("on_fill") == []


def test_a_market_order_on_candles_waits_for_the_next_price_that_was_recorded() -> None:
    one, two = candle(1, 100, 101, 100, 4), candle(2, 101, 103, 102, 4)
    venue = Venue(rows(Rows.CANDLE, one, two, interval="1m"), model=Through())
    venue.exchange.subscribe(ABC, Channel.CANDLE, "1m")
    venue.at(30, lambda: venue.submit(Side.BUY, 2))
    venue.react["on_candle"] = lambda one: one.ts == T0 + MINUTE and venue.submit(Side.BUY, 3)
    venue.play()
    # Sent at 30 s: the close of that candle. Sent at the close: the open of the next (`candle` opens at its close).
    fills = [(fill.ts, fill.units, fill.price) for fill in venue.events("on_fill")]
    assert fills == [(T0 + MINUTE, 2, 100), (T0 + MINUTE, 3, 102)]


# -- where a run begins


def test_the_book_and_the_candles_that_are_open_at_the_beginning_are_known() -> None:
    # The book is told anew at T0; the run begins at 90 s, in the midst of the 2m candle.
    levels = rows(Rows.LEVEL, (0, 1, 99, 5), (0, -1, 101, 5), (60, 1, 98, 7), (95, -1, 101, 4))
    candles = [candle(minute, 90 + minute, 110 + minute, 100, minute) for minute in (1, 2)]
    trades = rows(Rows.TRADE, (70, 1, 100, 3), (100, 1, 101, 1))
    recorded, built = [("1m", 112, 2), ("2m", 112, 3)], [("1m", 101, 2), ("2m", 101, 2)]
    for batch, told in ((rows(Rows.CANDLE, *candles, interval="1m"), recorded), (trades, built)):
        venue = Venue(levels, batch, whole_book_every=HOUR)
        venue.clock.set(T0 + 90 * SECOND)
        for interval in ("1m", "2m"):
            venue.exchange.subscribe(ABC, Channel.CANDLE, interval)
        venue.exchange.subscribe(ABC, Channel.BOOK)
        books: list[Any] = []
        venue.react["on_book"] = lambda book, books=books: books.append((book.bids(), book.asks()))
        venue.exchange.prime(venue.source, T0 + 90 * SECOND)
        assert venue.names() == []
        venue.play(T0 + 90 * SECOND)
        venue.agenda.run_until(T0 + 120 * SECOND)
        assert books[0] == ([(99, 5), (98, 7)], [(101, 4)])
        # Of the 1m candle that is built, the part before the beginning is known as well.
        assert [(one.interval, one.high, one.trades) for one in venue.events("on_candle")] == told


# -- time


@pytest.mark.parametrize(("latency", "fills"), [(0, 1), (400_000_000, 1), (500_000_000, 0), (600_000_000, 0)])
def test_a_request_reaches_the_engine_after_the_latency(latency: int, fills: int) -> None:
    # Asked for at 0.5 s; the print that fills it comes at 1 s, and before a request that arrives just then.
    venue = Venue(rows(Rows.TRADE, (0, -1, 101, 1), (1, -1, 99, 5)), latency=latency)
    venue.at(0.5, lambda: venue.submit(Side.BUY, 2, 99.5))
    venue.play()
    assert len(venue.events("on_fill")) == fills
    venue.agenda.run_until(T0 + HOUR)
    assert venue.events("on_order")[0].ts == T0 + SECOND // 2 + latency


def test_a_cancel_that_is_still_on_its_way_does_not_save_the_order() -> None:
    venue = Venue(rows(Rows.TRADE, (0, -1, 101, 1), (1, -1, 99, 5)), latency=100_000_000)
    venue.at(0.5, lambda: venue.submit(Side.BUY, 2, 99.5))
    venue.at(0.95, lambda: venue.exchange.cancel("o1"))
    venue.play()
    venue.agenda.run_until(T0 + HOUR)
    assert [one.status for one in venue.events("on_order")][-2:] == [OrderStatus.FILLED, OrderStatus.FILLED]
    assert venue.events("on_order")[-1].refused == "cancel"


def test_at_one_instant_timers_then_candles_then_the_market_then_requests() -> None:
    # All at 60 s: a timer, the close of the candle built from trades, an order sent a minute before, and a trade.
    venue = Venue(rows(Rows.TRADE, (0, -1, 101, 1), (60, -1, 99, 5), (61, -1, 99, 5)), latency=MINUTE)
    venue.exchange.subscribe(ABC, Channel.CANDLE, "1m")
    venue.exchange.subscribe(ABC, Channel.TRADE)
    venue.submit(Side.BUY, 2, 99.5)
    venue.agenda.at(T0 + MINUTE, lambda: venue.told.append(("timer", None)))
    venue.play()
    names = venue.names()
    assert names == ["on_trade", "timer", "on_candle", "on_trade", "on_order", *FILLED, "on_trade"]


def test_what_a_listener_asks_for_in_a_callback_is_done_after_it() -> None:
    venue = Venue(rows(Rows.QUOTE, (0, 99.5, 100.5, 9, 9), (1, 99.5, 100.5, 9, 8)))
    venue.exchange.subscribe(ABC, Channel.QUOTE)

    def on_quote(quote: Any) -> None:
        if quote.ts == T0:
            venue.submit(Side.BUY, 1)
            assert venue.events("on_order") == []

    venue.react["on_quote"] = on_quote
    venue.play()
    assert venue.names() == ["on_quote", *FILLED, "on_quote"]


def test_cancels_of_one_moment_go_in_one_request() -> None:
    venue = Venue(rows(Rows.LEVEL, (0, 1, 99, 9), (0, -1, 101, 9), (9, -1, 101, 8)))
    venue.exchange.subscribe(ABC, Channel.QUOTE)
    venue.at(1, lambda: [venue.submit(Side.BUY, 1, 99.5), venue.submit(Side.SELL, 1, 100.5)])
    venue.at(2, lambda: [venue.exchange.cancel("o1"), venue.exchange.cancel("o2")])
    venue.play()
    # Two orders are two requests, each seen at the touch; both cancels are one.
    touches = [(quote.bid, quote.ask) for quote in venue.events("on_quote")]
    assert touches == [(99, 101), (99.5, 101), (99.5, 100.5), (99, 101), (99, 101)]


def test_a_cancel_after_the_cancels_of_a_moment_have_arrived_is_not_lost() -> None:
    venue = Venue(rows(Rows.QUOTE, (0, 99, 101, 9, 9), (9, 99, 101, 9, 8)))
    venue.at(1, lambda: [venue.submit(Side.BUY, 1, 98), venue.submit(Side.BUY, 1, 97)])
    venue.at(2, lambda: venue.exchange.cancel("o1"))
    venue.react["on_order"] = lambda order: (
        order.id == "o1" and order.status is OrderStatus.CANCELED and venue.exchange.cancel("o2")
    )
    venue.play()
    assert [one.id for one in venue.events("on_order") if one.status is OrderStatus.CANCELED] == ["o1", "o2"]


# -- candles


TRADES = rows(Rows.TRADE, (1, 1, 100, 2), (50, -1, 99, 1), (61, 1, 101, 1), (200, 1, 103, 4), (241, 1, 104, 1))


def test_candles_are_built_from_trades_and_minutes_without_one_are_flagged() -> None:
    venue = Venue(TRADES)
    venue.exchange.subscribe(ABC, Channel.CANDLE, "1m")
    venue.play()
    found = [
        ((one.ts - T0) // MINUTE, one.open, one.high, one.low, one.close, one.volume, one.trades)
        for one in venue.events("on_candle")
    ]
    assert found == [
        (1, 100, 100, 99, 99, 3, 2),
        (2, 101, 101, 101, 101, 1, 1),
        (3, 101, 101, 101, 101, 0, 0),  # nothing traded: flat, and it says so
        (4, 103, 103, 103, 103, 4, 1),
    ]
    assert venue.events("on_candle")[2].is_empty


def test_a_candle_is_told_at_its_close_not_with_the_next_trade() -> None:
    venue = Venue(TRADES)
    venue.exchange.subscribe(ABC, Channel.CANDLE, "1m")
    told: list[int] = []
    venue.react["on_candle"] = lambda one: told.append(venue.clock.ts - one.close_time)
    venue.play()
    assert told == [0, 0, 0, 0]


def test_candles_of_the_data_are_told_as_they_are_and_larger_ones_put_together() -> None:
    candles = [candle(minute, 90 + minute, 110 + minute, 100, minute) for minute in (1, 2, 3, 4)]
    venue = Venue(rows(Rows.CANDLE, *candles, interval="1m"), model=Through())
    venue.exchange.subscribe(ABC, Channel.CANDLE, "1m")
    venue.exchange.subscribe(ABC, Channel.CANDLE, "2m")
    venue.play()
    told = [((one.ts - T0) // MINUTE, one.interval, one.low, one.high, one.trades) for one in venue.events("on_candle")]
    assert told == [
        (1, "1m", 91, 111, 1), (2, "1m", 92, 112, 2), (2, "2m", 91, 112, 3),
        (3, "1m", 93, 113, 3), (4, "1m", 94, 114, 4), (4, "2m", 93, 114, 7),
    ]  # fmt: skip


@pytest.mark.parametrize("interval", ["1m", "2m"])
def test_a_candle_that_two_ask_for_is_told_once(interval: str) -> None:
    candles = [candle(minute, 99, 101, 100, 1) for minute in (1, 2)]
    for batch in (rows(Rows.CANDLE, *candles, interval="1m"), TRADES):
        venue = Venue(batch, model=Through())
        venue.exchange.subscribe(ABC, Channel.CANDLE, interval)
        venue.exchange.subscribe(ABC, Channel.CANDLE, interval)
        venue.play()
        stamps = [one.ts for one in venue.events("on_candle")]
        assert stamps
        assert len(stamps) == len(set(stamps))


# -- the rest of the data


def test_prices_off_the_tick_are_moved_and_counted() -> None:
    venue = Venue(rows(Rows.TRADE, (0, 1, 100.2, 1), (1, 1, 100.0001, 1), (2, 1, 100.7, 1)))
    venue.play()
    assert venue.exchange.off_grid == {"ABC": 2}  # 100.0001 is a fifth of a thousandth of a tick away
    assert venue.exchange.reference_price(ABC) == 100.5  # 100.7 lies nearer to it than to 101


def test_a_crossed_book_is_withheld_until_it_is_sound() -> None:
    levels = rows(Rows.LEVEL, (0, 1, 99, 5), (0, -1, 100, 5), (1, 1, 100.5, 5), (2, -1, 100, 0), (2, -1, 101, 5))
    venue = Venue(levels)
    venue.exchange.subscribe(ABC, Channel.BOOK)
    seen: list[tuple[float, float]] = []
    venue.react["on_book"] = lambda book: seen.append((book.best_bid, book.best_ask))
    venue.play()
    # At 1 s the bid of 100.5 stands above the offer of 100.
    assert seen == [(99, 100), (100.5, 101)]


def test_a_side_that_is_empty_is_no_price() -> None:
    nan = float("nan")
    venue = Venue(rows(Rows.QUOTE, (0, 99.5, 100.5, 9, 9), (1, 99.5, nan, 9, nan), (2, 99.5, 100.5, nan, nan)))
    venue.exchange.subscribe(ABC, Channel.QUOTE)
    venue.at(1.5, lambda: venue.submit(Side.BUY, 5))
    venue.at(2.5, lambda: venue.submit(Side.BUY, 5))
    venue.play()
    venue.agenda.run_until(T0 + HOUR)
    statuses = {one.id: one.status for one in venue.events("on_order")}
    # Nothing to buy at 1.5 s; at 2.5 s an offer of unknown size takes it all.
    assert statuses == {"o1": OrderStatus.CANCELED, "o2": OrderStatus.FILLED}


@pytest.mark.parametrize(("side", "paid"), [(Side.BUY, 10_00), (Side.SELL, -10_00)])
def test_funding_is_paid_on_the_value_at_the_mark(side: Side, paid: int) -> None:
    # 10 contracts at a mark of 100 are worth 1,000.00; one percent of it is 10.00, from longs to shorts.
    venue = Venue(
        rows(Rows.TRADE, (0, 1, 101, 100), (2, 1, 101, 100)),
        rows(Rows.MARK, (3, 100, 100)),
        rows(Rows.FUNDING, (4, 0.01, T0 + 8 * HOUR)),
    )
    venue.exchange.subscribe(ABC, Channel.FUNDING)
    venue.at(1, lambda: venue.submit(side, 10))
    venue.play()
    execution = venue.events("on_fill")[-1]
    (funding,) = venue.events("on_funding")
    assert (execution.fee, execution.units, execution.order_id) == (paid, 10, "")
    assert (funding.amount, funding.currency, funding.rate) == (-paid / 100, "USD", 0.01)
    assert venue.names()[-3:] == ["on_fill", "on_balance", "on_funding"]
    assert venue.account.cash["USD"] == 100_000_00 - paid


def test_a_funding_without_a_position_moves_nothing() -> None:
    venue = Venue(rows(Rows.MARK, (0, 100, 100)), rows(Rows.FUNDING, (4, 0.01, 0)))
    venue.exchange.subscribe(ABC, Channel.FUNDING)
    venue.play()
    assert venue.names() == ["on_funding"]
    assert venue.events("on_funding")[0].amount == 0


def test_balances_are_told_after_money_moved_of_both_currencies_on_spot() -> None:
    venue = Venue(rows(Rows.QUOTE, (0, 99.5, 100.5, 9, 9), (2, 99.5, 100.5, 9, 9), symbol="COIN"), instruments=[SPOT])
    venue.at(1, lambda: venue.submit(Side.BUY, 2, market=SPOT))
    venue.play()
    wallets = {wallet.currency.code: wallet.balance for wallet in venue.events("on_balance")}
    assert wallets == {"USD": 100_000_00 - 201_00, "COIN": 2}
    assert venue.names() == ["on_fill", "on_order", "on_balance", "on_balance"]


# -- position modes


def test_a_mode_switch_is_told_and_refused_while_orders_are_open() -> None:
    venue = Venue(rows(Rows.QUOTE, (0, 99.5, 100.5, 9, 9), (9, 99.5, 100.5, 9, 9)))
    venue.at(1, lambda: venue.submit(Side.BUY, 1, 90))
    venue.at(2, lambda: venue.exchange.set_position_mode(PositionMode.HEDGE))
    venue.at(3, lambda: venue.exchange.cancel("o1"))
    venue.at(4, lambda: venue.exchange.set_position_mode(PositionMode.HEDGE))
    venue.play()
    first, second = venue.events("on_position_mode")
    assert (first.mode, first.requested, first.reason, first.refused) == ("one_way", "hedge", "1 open order", True)
    assert (second.mode, second.previous, second.refused) == ("hedge", "one_way", False)
    assert venue.exchange.position_mode is PositionMode.HEDGE


def test_legs_that_net_in_a_switch_move_money_and_that_is_told() -> None:
    quotes = rows(Rows.QUOTE, (0, 99.5, 100.5, 9, 9), (9, 99.5, 100.5, 9, 9))
    venue = Venue(quotes, mode=PositionMode.HEDGE)
    venue.at(1, lambda: venue.submit(Side.BUY, 3, position_side=PositionSide.LONG))
    venue.at(2, lambda: venue.submit(Side.SELL, 3, position_side=PositionSide.SHORT))
    venue.at(3, lambda: venue.exchange.set_position_mode(PositionMode.ONE_WAY))
    venue.play()
    # Bought at 100.5, sold at 99.5: three contracts lose 3.00 when they net.
    assert venue.names()[-2:] == ["on_position_mode", "on_balance"]
    assert venue.events("on_balance")[-1].balance == 100_000_00 - 3_00


@pytest.mark.parametrize(
    ("mode", "leg", "reason"),
    [
        (PositionMode.HEDGE, PositionSide.NET, "position side net does not fit the position mode hedge"),
        (PositionMode.ONE_WAY, PositionSide.LONG, "position side long does not fit the position mode one_way"),
    ],
)
def test_an_order_on_a_leg_that_is_not_there_is_rejected(mode: PositionMode, leg: PositionSide, reason: str) -> None:
    venue = Venue(rows(Rows.QUOTE, (0, 99.5, 100.5, 9, 9), (9, 99.5, 100.5, 9, 9)), mode=mode)
    venue.at(1, lambda: venue.submit(Side.BUY, 1, 90, position_side=leg))
    venue.play()
    (report,) = venue.events("on_order")
    assert (report.status, report.reason, report.refused) == (OrderStatus.REJECTED, reason, "submit")


# -- several instruments, and what is not there


def test_two_instruments_of_one_exchange_share_the_money_and_nothing_else() -> None:
    other = perpetual("XYZ")
    venue = Venue(
        rows(Rows.QUOTE, (0, 99.5, 100.5, 9, 9), (9, 99.5, 100.5, 9, 9)),
        rows(Rows.QUOTE, (0, 9.5, 10.5, 9, 9), (9, 7, 8, 9, 9), symbol="XYZ"),
        instruments=[ABC, other],
    )
    venue.exchange.subscribe(other, Channel.QUOTE)
    venue.at(1, lambda: venue.submit(Side.BUY, 2))
    venue.at(1, lambda: venue.submit(Side.BUY, 3, 9, other))
    venue.play()
    fills = [(fill.instrument.symbol, fill.price, fill.units) for fill in venue.events("on_fill")]
    assert fills == [("ABC", 100.5, 2), ("XYZ", 9, 3)]
    assert {quote.instrument.symbol for quote in venue.events("on_quote")} == {"XYZ"}
    # ABC at the middle of 100 lost 2 x 0.50, XYZ at 7.5 lost 3 x 1.50: 5.50 in all.
    (wallet,) = [one for one in venue.exchange.wallets() if one.currency.code == "USD"]
    assert (wallet.balance, wallet.equity) == (100_000_00, 100_000_00 - 5_50)


def test_an_instrument_without_data_takes_no_orders() -> None:
    other = perpetual("XYZ")
    venue = Venue(rows(Rows.QUOTE, (0, 99.5, 100.5, 9, 9), (9, 99.5, 100.5, 9, 9)), instruments=[ABC, other])
    venue.at(1, lambda: venue.submit(Side.BUY, 3, 9, other))
    venue.play()
    assert venue.events("on_order")[0].reason == "XYZ is not traded here"
    assert venue.exchange.handler(rows(Rows.TRADE, (0, 1, 1, 1), symbol="XYZ")) is None


def test_capabilities_follow_the_data() -> None:
    venue = Venue(rows(Rows.TRADE, (0, 1, 100, 1)), rows(Rows.FUNDING, (0, 0.1, 0)))
    assert venue.exchange.capabilities.channels == {Channel.TRADE, Channel.FUNDING, Channel.CANDLE}


def test_nothing_is_told_after_close() -> None:
    venue = Venue(rows(Rows.QUOTE, (0, 99.5, 100.5, 9, 9), (9, 99.5, 100.5, 9, 9)))
    venue.at(1, lambda: venue.submit(Side.BUY, 2))
    venue.at(0.5, venue.exchange.close)
    venue.play()
    assert venue.names() == []


def test_an_immediate_order_never_rests() -> None:
    venue = Venue(rows(Rows.QUOTE, (0, 99.5, 100.5, 9, 3), (9, 99.5, 100.5, 9, 9)))
    venue.at(1, lambda: venue.submit(Side.BUY, 5, 100.5, time_in_force=TimeInForce.IOC))
    venue.at(2, lambda: venue.submit(Side.BUY, 5, 100.5, time_in_force=TimeInForce.FOK))
    venue.agenda.at(T0 + 3 * SECOND, lambda: venue.told.append(("open", len(venue.account.orders))), Turn.REQUEST)
    venue.play()
    last = {one.id: (one.status, one.filled_units) for one in venue.events("on_order")}
    assert last == {"o1": (OrderStatus.CANCELED, 3), "o2": (OrderStatus.CANCELED, 0)}
    assert venue.events("open") == [0]
