"""Paper: our engine against a feed that tells of the market and nothing of us."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from hbkit.clock import HOUR, SECOND, ShiftedClock
from hbkit.exchange import Capabilities, Channel, Exchange, Listener
from hbkit.matching import Account, Engine, Queue
from hbkit.model import (
    Candle,
    Currency,
    Funding,
    Instrument,
    InstrumentKind,
    Mark,
    OrderBook,
    OrderRequest,
    OrderStatus,
    OrderType,
    PositionMode,
    PositionSide,
    Quote,
    Side,
    TimeInForce,
    Trade,
    Wallet,
)
from hbkit.net.virtual import VirtualLoop, run_virtual
from hbkit.runtime.looped import LoopScheduler
from hbkit.simulated import PaperExchange

USD = Currency("USD", 2)
NAN = float("nan")


def instrument(symbol: str, **changes: Any) -> Instrument:
    """Tick 0.5, lot 10 units of 1; without fees: a price of 100 is 10,000 cents."""
    fields: dict[str, Any] = {
        "exchange": "venue", "symbol": symbol, "unified": f"{symbol}/USD:USD", "kind": InstrumentKind.LINEAR,
        "base": symbol, "quote": "USD", "settle": USD, "tick_size": Decimal("0.5"), "lot_size": Decimal(10),
        "unit_size": Decimal(1), "multiplier": Decimal(100), "maker_fee": Decimal(0), "taker_fee": Decimal(0),
    }  # fmt: skip
    return Instrument(**{**fields, **changes})


ABC = instrument("ABC")
COIN = instrument("COIN", unified="COIN/USD", kind=InstrumentKind.SPOT, base_scale=0, maker_fee=Decimal("0.01"))


class HandFeed(Exchange):
    """A connector whose market is moved by hand; it holds its own book, as connectors do."""

    name = "venue"

    def __init__(self, channels: frozenset[Channel]) -> None:
        self.asked: list[tuple[str, Channel, str]] = []
        self.paper: Listener
        self.up = False
        self.books = {one.symbol: OrderBook(one) for one in (ABC, COIN)}
        self._channels = channels

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(channels=self._channels, book_depth=25)

    def connect(self, listener: Listener) -> None:
        self.paper = listener

    def close(self) -> None:
        self.up = False

    async def open(self, listener: Listener) -> None:
        self.connect(listener)
        self.up = True
        listener.on_connected(self.name)

    @property
    def is_up(self) -> bool:
        return self.up

    def instruments(self) -> Mapping[str, Instrument]:
        return {one.symbol: one for one in (ABC, COIN)}

    def wallets(self) -> Sequence[Wallet]:
        return [Wallet(USD, 7, 7, 7)]

    @property
    def position_mode(self) -> PositionMode:
        return PositionMode.ONE_WAY

    def reference_price(self, instrument: Instrument) -> float | None:
        return None

    def subscribe(self, instrument: Instrument, channel: Channel, interval: str = "") -> None:
        self.asked.append((instrument.symbol, channel, interval))

    def submit(self, request: OrderRequest) -> None:
        raise AssertionError("nothing is ever sent to the feed's venue")

    def amend(self, order_id: str, *, ticks: int | None = None, units: int | None = None) -> None:
        raise AssertionError("nothing is ever sent to the feed's venue")

    def cancel(self, order_id: str) -> None:
        raise AssertionError("nothing is ever sent to the feed's venue")


class Room:
    """Paper over a hand-moved feed, on a virtual loop, and all that was told."""

    def __init__(self, loop: VirtualLoop, market: Instrument, channels: frozenset[Channel], latency: int) -> None:
        self.loop = loop
        self.market = market
        self.told: list[tuple[str, Any]] = []
        self.react: dict[str, Callable[[Any], object]] = {}
        self.feed = HandFeed(channels)
        clock = ShiftedClock(loop.clock, loop.clock.now())
        self.clock = clock
        self.scheduler = LoopScheduler(clock)
        ids = count(1)
        engine = Engine(lambda: f"x{next(ids)}")
        self.account = Account("venue", {USD: 100_000_00}, engine.reference_price)
        self.exchange = PaperExchange(
            self.feed, [market], Queue(), self.account, engine, clock=clock, scheduler=self.scheduler, latency=latency
        )
        self._orders = 0

    def __getattr__(self, name: str) -> Callable[[Any], None]:
        if not name.startswith("on_"):
            raise AttributeError(name)

        def hear(event: Any) -> None:
            self.told.append((name, (event.bids(), event.asks()) if name == "on_book" else event))
            if name in self.react:
                self.react[name](event)

        return hear

    def submit(self, side: Side, units: int, price: float | None = None, **more: Any) -> str:
        self._orders += 1
        ticks = None if price is None else self.market.ticks(price)
        kind = OrderType.MARKET if price is None else OrderType.LIMIT
        order_id = f"o{self._orders}"
        self.exchange.submit(OrderRequest(order_id, self.market, side, PositionSide.NET, kind, units, ticks, **more))
        return order_id

    async def wait(self, seconds: float = 0.001) -> None:
        await asyncio.sleep(seconds)

    def book(self, *levels: tuple[Side, float, int]) -> None:
        """Levels of the feed change, in one step."""
        book = self.feed.books[self.market.symbol]
        for side, price, units in levels:
            book.set(side, self.market.ticks(price), units)
        self.feed.paper.on_book(book)

    def trade(self, side: Side, price: float, qty: float) -> None:
        self.feed.paper.on_trade(Trade(self.clock.now(), self.market, side, price, qty))

    def names(self) -> list[str]:
        return [name for name, _ in self.told if name != "on_connected"]

    def events(self, name: str) -> list[Any]:
        return [event for one, event in self.told if one == name]


ALL = frozenset(Channel)
Story = Callable[[Room], Awaitable[None]]


def tell(
    story: Story, market: Instrument = ABC, channels: frozenset[Channel] = ALL, latency: int = 0, *, book: bool = True
) -> Room:
    """Open, tell the story, shut; a book of 99 to 100 with 50 a side to begin with."""
    rooms: list[Room] = []

    async def main(loop: VirtualLoop) -> None:
        room = Room(loop, market, channels, latency)
        rooms.append(room)
        await room.exchange.open(room)  # type: ignore[arg-type]
        if book:
            room.book((Side.BUY, 99, 50), (Side.SELL, 100, 50))
        await story(room)
        room.scheduler.close()
        await room.exchange.shut()

    run_virtual(main)
    return rooms[0]


# -- orders fill against the feed


def test_an_order_that_takes_walks_the_book_of_the_feed() -> None:
    async def story(room: Room) -> None:
        room.book((Side.SELL, 100.5, 70))
        room.submit(Side.BUY, 80)
        await room.wait()

    room = tell(story)
    assert [(fill.price, fill.units) for fill in room.events("on_fill")] == [(100, 50), (100.5, 30)]
    assert room.names()[-1] == "on_balance"


def test_a_resting_order_fills_when_the_queue_before_it_is_gone() -> None:
    async def story(room: Room) -> None:
        room.submit(Side.BUY, 20, 99)
        await room.wait()
        room.trade(Side.SELL, 99, 45)  # 50 stand before us
        await room.wait()
        assert room.events("on_fill") == []
        room.trade(Side.SELL, 99, 15)  # 5 for them, 10 for us
        await room.wait()

    room = tell(story)
    assert [(fill.price, fill.units) for fill in room.events("on_fill")] == [(99, 10)]
    assert room.events("on_order")[-1].status is OrderStatus.PARTIALLY_FILLED


def test_a_print_of_less_than_a_lot_works_off_the_queue() -> None:
    async def story(room: Room) -> None:
        room.submit(Side.BUY, 10, 99)
        await room.wait()
        for _ in range(10):
            room.trade(Side.SELL, 99, 5)
        await room.wait()
        room.trade(Side.SELL, 99, 10)
        await room.wait()

    assert [fill.units for fill in tell(story).events("on_fill")] == [10]


def test_a_book_that_moves_through_an_order_trades_with_it() -> None:
    async def story(room: Room) -> None:
        room.submit(Side.BUY, 20, 99.5)
        await room.wait()
        room.book((Side.SELL, 100, 0), (Side.BUY, 99, 0), (Side.SELL, 99.5, 50), (Side.BUY, 98, 50))

    (fill,) = tell(story).events("on_fill")
    assert (fill.price, fill.units, fill.liquidity) == (99.5, 20, "maker")


@pytest.mark.parametrize("post_only", [False, True])
def test_immediate_and_post_only_orders_never_rest_where_they_may_not(post_only: bool) -> None:
    async def story(room: Room) -> None:
        tif = TimeInForce.GTC if post_only else TimeInForce.IOC
        room.submit(Side.BUY, 80, 100, post_only=post_only, time_in_force=tif)
        await room.wait()

    room = tell(story)
    assert sum(fill.units for fill in room.events("on_fill")) == (0 if post_only else 50)
    assert room.events("on_order")[-1].status is OrderStatus.CANCELED
    assert room.account.orders == {}


# -- when


@pytest.mark.parametrize("latency", [0, SECOND // 20])
def test_a_request_arrives_after_its_latency_and_after_the_market_of_that_instant(latency: int) -> None:
    arrived: list[int] = []

    async def story(room: Room) -> None:
        begin = room.clock.now()
        room.react["on_order"] = lambda report: arrived.append(report.ts - begin)
        room.submit(Side.BUY, 20, 100)
        await room.wait(latency / SECOND)
        room.book((Side.SELL, 100, 0), (Side.SELL, 101, 50))  # in the very instant of the arrival
        await room.wait()

    room = tell(story, latency=latency)
    assert room.events("on_fill") == []
    assert arrived == [latency + 1_000]


def test_the_feed_is_not_delayed() -> None:
    async def story(room: Room) -> None:
        room.exchange.subscribe(ABC, Channel.TRADE)
        room.trade(Side.BUY, 100, 10)
        assert room.names() == ["on_trade"]

    tell(story, latency=SECOND)


# -- what is told


def test_the_book_and_the_touch_are_told_as_they_stand_then_with_our_orders_in_them() -> None:
    async def story(room: Room) -> None:
        for channel in (Channel.BOOK, Channel.QUOTE):
            room.exchange.subscribe(ABC, channel)
        await room.wait()
        room.submit(Side.BUY, 20, 99.5)
        await room.wait()
        room.submit(Side.SELL, 10)
        await room.wait()

    room = tell(story)
    assert room.events("on_book") == [
        ([(99, 50)], [(100, 50)]),
        ([(99.5, 20), (99, 50)], [(100, 50)]),
        ([(99.5, 10), (99, 50)], [(100, 50)]),  # our own order was in our way
    ]
    touches = [(quote.bid, quote.bid_qty, quote.ask, quote.ask_qty) for quote in room.events("on_quote")]
    assert touches == [(99, 50, 100, 50), (99.5, 20, 100, 50), (99.5, 10, 100, 50)]


def test_trades_then_fills_then_the_book_of_a_moment() -> None:
    async def story(room: Room) -> None:
        for channel in (Channel.TRADE, Channel.BOOK, Channel.QUOTE):
            room.exchange.subscribe(ABC, channel)
        await room.wait()
        room.submit(Side.BUY, 20, 99.5)
        await room.wait()
        room.told.clear()
        room.trade(Side.SELL, 99.5, 10)
        room.trade(Side.SELL, 99.5, 10)
        room.book((Side.BUY, 99, 40))
        await room.wait()

    told = ["on_trade", "on_trade", "on_fill", "on_order", "on_fill", "on_order", "on_balance", "on_book", "on_quote"]
    assert tell(story).names() == told


def test_what_we_take_is_told_as_a_trade_and_counts_in_the_candle() -> None:
    async def story(room: Room) -> None:
        room.exchange.subscribe(ABC, Channel.TRADE)
        room.exchange.subscribe(ABC, Channel.CANDLE, "1m")
        begin = room.clock.now()
        room.trade(Side.SELL, 99, 10)
        room.submit(Side.BUY, 20)
        await room.wait(60)
        end = begin + 60 * SECOND
        room.feed.paper.on_candle(Candle(end, begin, end, ABC, "1m", 99, 99, 99, 99, 10, 1))

    room = tell(story)
    trades = [(trade.side, trade.price, trade.qty) for trade in room.events("on_trade")]
    assert trades == [("sell", 99, 10), ("buy", 100, 20)]
    (candle,) = room.events("on_candle")
    prices = candle.open, candle.high, candle.low, candle.close
    assert (prices, candle.volume, candle.trades) == ((99, 100, 99, 100), 30, 2)
    assert ("ABC", Channel.CANDLE, "1m") in room.feed.asked


def test_the_mark_is_told_as_it_stands_and_values_the_position() -> None:
    async def story(room: Room) -> None:
        room.submit(Side.BUY, 20)
        await room.wait()
        room.feed.paper.on_mark(Mark(room.clock.now(), ABC, 103, 103))
        room.exchange.subscribe(ABC, Channel.MARK)
        await room.wait()

    room = tell(story)
    assert [mark.price for mark in room.events("on_mark")] == [103]
    (wallet,) = room.exchange.wallets()
    assert wallet.equity - wallet.balance == 20 * 3_00


# -- money


def test_funding_is_paid_by_our_account_on_the_value_at_the_mark() -> None:
    async def story(room: Room) -> None:
        room.exchange.subscribe(ABC, Channel.FUNDING)
        room.submit(Side.BUY, 20)
        await room.wait()
        room.feed.paper.on_mark(Mark(room.clock.now(), ABC, 100, 100))
        room.feed.paper.on_funding(Funding(room.clock.now(), ABC, 0.01, room.clock.now() + 8 * HOUR, 0.0, "USD"))

    room = tell(story)
    (funding,) = room.events("on_funding")
    # 20 contracts at 100: 2,000.00, one percent of it.
    assert (funding.amount, funding.rate) == (-20, 0.01)
    assert room.events("on_fill")[-1].fee == 20_00
    assert room.names()[-3:] == ["on_fill", "on_balance", "on_funding"]
    assert room.account.cash["USD"] == 100_000_00 - 20_00


def test_spot_moves_both_currencies_and_asks_the_feed_for_no_mark() -> None:
    async def story(room: Room) -> None:
        room.submit(Side.BUY, 20, 99)
        await room.wait()
        room.trade(Side.SELL, 99, 70)
        await room.wait()

    room = tell(story, COIN)
    wallets = {wallet.currency.code: wallet.balance for wallet in room.exchange.wallets()}
    # 20 at 99.00, and the maker's one percent.
    assert wallets == {"USD": 100_000_00 - 1980_00 - 19_80, "COIN": 20}
    assert {channel for _, channel, _ in room.feed.asked} == {Channel.BOOK, Channel.TRADE}
    assert not room.exchange.capabilities.reduce_only


def test_the_account_behind_the_feed_is_not_ours() -> None:
    async def story(room: Room) -> None:
        room.feed.paper.on_balance(Wallet(USD, 7, 7, 7))
        assert room.names() == []
        assert [wallet.balance for wallet in room.exchange.wallets()] == [100_000_00]
        assert (await room.exchange.open_orders(), await room.exchange.positions()) == ([], [])
        assert (await room.exchange.executions_since(0), await room.exchange.find("o1")) == ([], None)

    tell(story)


# -- a feed that is gone


def test_orders_wait_while_the_feed_is_gone_and_meet_the_book_when_it_is_back() -> None:
    async def story(room: Room) -> None:
        room.submit(Side.BUY, 20, 99)
        await room.wait()
        room.feed.up = False
        room.feed.paper.on_disconnected("venue")
        assert not room.exchange.is_up
        await room.wait(5)
        assert list(room.account.orders) == ["o1"]
        # Nobody told what happened meanwhile; the new book says that the market went below us.
        room.feed.up = True
        room.feed.paper.on_connected("venue")
        room.book((Side.BUY, 99, 0), (Side.SELL, 100, 0), (Side.BUY, 97, 50), (Side.SELL, 98, 50))

    room = tell(story)
    assert [name for name, _ in room.told].count("on_connected") == 2
    assert room.events("on_disconnected") == ["venue"]
    (fill,) = room.events("on_fill")
    assert (fill.price, fill.units) == (99, 20)


def test_nothing_is_told_after_shut() -> None:
    async def story(room: Room) -> None:
        room.exchange.subscribe(ABC, Channel.TRADE)
        await room.exchange.shut()
        room.trade(Side.SELL, 99, 10)
        await room.wait()

    assert tell(story).names() == []


# -- a feed without a book


def test_a_feed_of_quotes_is_a_book_of_one_level_and_its_quotes_are_told_as_they_are() -> None:
    async def story(room: Room) -> None:
        room.exchange.subscribe(ABC, Channel.QUOTE)
        for ask, size in ((100.0, 30.0), (NAN, NAN), (101.0, NAN)):
            room.feed.paper.on_quote(Quote(room.clock.now(), ABC, 99.0, ask, 50.0, size))
            room.submit(Side.BUY, 40)
            await room.wait()

    room = tell(story, channels=frozenset({Channel.QUOTE, Channel.TRADE}), book=False)
    assert len(room.events("on_quote")) == 3
    # 30 that are known, nothing on an empty side, all of it where the size is not known.
    assert [(fill.price, fill.units) for fill in room.events("on_fill")] == [(100, 30), (101, 40)]
    assert ("ABC", Channel.QUOTE, "") in room.feed.asked
