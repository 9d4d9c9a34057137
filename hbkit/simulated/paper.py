"""Paper: a connector that only listens, and the matching engine between it and the strategies.

What the market does comes from the connector; orders rest and fill here. The feed has no orders of ours in it: what is
told of the book and the touch is the feed's with them, as in replay and at a venue.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from functools import partial

from hbkit.agenda import Scheduler
from hbkit.clock import Clock
from hbkit.exchange import Capabilities, Channel, Exchange, Holding, Listener
from hbkit.matching import UNKNOWN_SIZE, Account, Engine, FillModel, Market
from hbkit.model import (
    Candle,
    Execution,
    Funding,
    Instrument,
    Mark,
    OrderBook,
    OrderReport,
    PositionModeChange,
    Quote,
    Side,
    Trade,
    TriggerBy,
    Wallet,
)
from hbkit.simulated.engine import EngineExchange

_TAKER = {Side.BUY: 1, Side.SELL: -1}
BEHIND = 1_000
"""A request that arrives in the very instant of a market event comes after it, as in replay: by this many ns."""


class PaperExchange(EngineExchange):
    """One account of play money in the market that `feed` tells of; it is the feed's listener too."""

    def __init__(
        self,
        feed: Exchange,
        markets: Sequence[Instrument],
        model: FillModel,
        account: Account,
        engine: Engine,
        *,
        clock: Clock,
        scheduler: Scheduler,
        latency: int = 0,
    ) -> None:
        super().__init__(feed.name, account, engine, clock=clock, scheduler=scheduler, latency=latency)
        self._feed = feed
        self._marks: dict[Instrument, Mark] = {}
        self._is_due = False
        self._afterwards: list[Callable[[], None]] = []
        self._book_depth = feed.capabilities.book_depth
        self._levels = Channel.BOOK in feed.capabilities.channels
        for instrument in markets:
            market = engine.add_market(instrument, model, has_book=True)
            market.counts_own_trades = self._levels
            self._markets[instrument] = market

    # -- the contract

    @property
    def capabilities(self) -> Capabilities:
        """The engine's for orders, the feed's for data."""
        told = self._feed.capabilities
        return Capabilities(
            channels=told.channels,
            candle_intervals=told.candle_intervals,
            book_depth=told.book_depth,
            post_only=True,
            reduce_only=any(not instrument.is_spot for instrument in self._markets),
            time_in_force=frozenset({"gtc", "ioc", "fok", "day"}),
            amend=True,
            triggers=True,
            display_qty=True,
            hedge_mode=any(instrument.hedge for instrument in self._markets),
            leverage=True,
        )

    def trigger_prices(self, instrument: Instrument) -> frozenset[TriggerBy]:
        """Those that the feed tells."""
        return self._feed.trigger_prices(instrument)

    def connect(self, listener: Listener) -> None:
        """A feed has a network: see `open`."""
        raise RuntimeError("await open() instead")

    def close(self) -> None:
        """See `shut`."""
        raise RuntimeError("await shut() instead")

    async def open(self, listener: Listener) -> None:
        """Connect the feed, and ask it for what the engine lives on: books, trades, marks and fundings."""
        self._listener = listener
        await self._feed.open(self)
        self._expect_ends()
        offered = self._feed.capabilities.channels
        book = Channel.BOOK if self._levels else Channel.QUOTE
        for instrument in self._markets:
            for channel in (book, Channel.TRADE, Channel.MARK, Channel.FUNDING):
                if channel in offered and not (instrument.is_spot and channel in (Channel.MARK, Channel.FUNDING)):
                    self._feed.subscribe(instrument, channel)

    async def shut(self) -> None:
        """Let go of the feed."""
        await self._feed.shut()
        self._listener = None

    def subscribe(self, instrument: Instrument, channel: Channel, interval: str = "") -> None:
        """Tell of a channel from now on, and first of the book, the touch and the mark as they stand."""
        self._subscribed.add((instrument, channel))
        self._want(instrument, channel)
        if channel is Channel.CANDLE:
            self._own.watch(instrument, interval)
            self._feed.subscribe(instrument, channel, interval)
        elif channel is Channel.MARK and instrument in self._marks:
            self._call_soon(partial(self._tell_mark, instrument))
        self._soon()

    @property
    def is_up(self) -> bool:
        """Whether the feed is."""
        return self._feed.is_up

    @property
    def events(self) -> int:  # type: ignore[override]
        """What the feed has told."""
        return self._feed.events

    def health(self) -> dict[str, str]:
        """The feed's."""
        return self._feed.health()

    def server_now(self) -> int:
        """The market's time."""
        return self._clock.now()

    async def listed(self) -> list[str]:
        """What the feed lists."""
        return await self._feed.listed()

    async def refresh(self) -> None:
        """What the feed has to say of this very moment comes first: its answer to a question comes behind it."""
        await self._feed.listed()
        await asyncio.sleep(0)
        self.settle()

    async def open_orders(self) -> list[OrderReport]:
        """None: the account begins empty, and its orders answer by themselves."""
        return []

    async def executions_since(self, ts: int) -> list[Execution]:
        """None: nothing is lost on the way from the engine."""
        del ts
        return []

    async def find(self, order_id: str) -> OrderReport | None:
        """Not needed: no answer is ever lost."""
        del order_id
        return None

    async def positions(self) -> list[Holding]:
        """None: the account begins empty."""
        return []

    async def candles(self, instrument: Instrument, interval: str, start: int, end: int) -> list[Candle]:
        """The feed's."""
        return await self._feed.candles(instrument, interval, start, end)

    # -- what the feed tells

    def on_trade(self, trade: Trade) -> None:
        """Resting orders meet the print; what that did to them is told after the trades of the moment."""
        instrument = trade.instrument
        market = self._markets.get(instrument)
        if market is None:
            return
        self._soon()
        self._engine.at(self._clock.now())
        # A print is what it is: sizes of another era need not be whole lots.
        units = round(trade.qty / float(instrument.unit_size))
        market.print(instrument.ticks(trade.price), units, _TAKER[trade.side])
        if not self._levels:
            self._drain()
        if market.mark is None:
            self._watch(instrument)
        if self._hears(instrument, Channel.TRADE) and self._listener is not None:
            self._listener.on_trade(trade)

    def on_quote(self, quote: Quote) -> None:
        """The best prices, where the feed tells no levels; else the book says what they are, with our orders in it."""
        market = self._markets.get(quote.instrument)
        if market is None or self._levels:
            return
        self._soon()
        self._engine.at(self._clock.now())
        before = len(self._engine.out)
        _follow_touch(market, quote)
        self._moved(quote.instrument, before)
        if self._hears(quote.instrument, Channel.QUOTE) and self._listener is not None:
            self._listener.on_quote(quote)

    def on_book(self, book: OrderBook) -> None:
        """Bring the engine's book to the feed's, level by level."""
        market = self._markets.get(book.instrument)
        if market is None:
            return
        self._soon()
        self._engine.at(self._clock.now())
        before = len(self._engine.out)
        for side, ticks in _follow(market, book):
            if (shown := self._shown.get(book.instrument)) is not None:
                shown.touch(side, ticks)
        self._moved(book.instrument, before)

    def _moved(self, instrument: Instrument, before: int) -> None:
        """The book of an instrument moved: tell whom it took with it, what that and the prints did, then how it looks.

        :param before: where in the engine's events that began.
        """
        self._note_own_trades(before)
        if (shown := self._shown.get(instrument)) is not None:
            shown.stirred = True
        self.settle()

    def on_candle(self, candle: Candle) -> None:
        """A closed candle."""
        if self._listener is not None and candle.instrument in self._markets:
            self._soon()
            self._listener.on_candle(self._with_own(candle))

    def on_mark(self, mark: Mark) -> None:
        """What positions are valued at."""
        market = self._markets.get(mark.instrument)
        if market is None:
            return
        self._soon()
        self.settle()
        self._engine.at(self._clock.now())
        market.marked(mark.price, mark.index)
        self._marks[mark.instrument] = mark
        self._watch(mark.instrument)
        self._settlements.note(mark.instrument, self._clock.now(), mark.index)
        self._tell_mark(mark.instrument)

    def _tell_mark(self, instrument: Instrument) -> None:
        if self._hears(instrument, Channel.MARK) and self._listener is not None:
            self._listener.on_mark(self._marks[instrument])

    def on_funding(self, funding: Funding) -> None:
        """Pay or receive, then tell."""
        instrument = funding.instrument
        if instrument not in self._markets:
            return
        self._soon()
        self.settle()
        now = self._clock.now()
        self._engine.at(now)
        self._engine.fund(instrument, funding.rate, now)
        paid = sum(event.fee for event in self._engine.out if isinstance(event, Execution))
        self.settle()
        self._watch(instrument)
        if self._hears(instrument, Channel.FUNDING) and self._listener is not None:
            amount = instrument.settle.amount(-paid)
            self._listener.on_funding(
                Funding(funding.ts, instrument, funding.rate, funding.next_time, amount, instrument.settle.code)
            )

    def on_connected(self, exchange: str) -> None:
        """The feed is there."""
        if self._listener is not None:
            self._listener.on_connected(exchange)

    def on_disconnected(self, exchange: str) -> None:
        """The feed is gone: resting orders wait for the market to come back."""
        if self._listener is not None:
            self._listener.on_disconnected(exchange)

    def on_order(self, report: OrderReport) -> None:
        """Not ours: the account behind the feed is not traded on."""

    def on_fill(self, execution: Execution) -> None:
        """Not ours."""

    def on_balance(self, wallet: Wallet) -> None:
        """Not ours."""

    def on_position_mode(self, change: PositionModeChange) -> None:
        """Not ours."""

    def _has_levels(self, instrument: Instrument) -> bool:
        del instrument
        return self._levels

    def _hears(self, instrument: Instrument, channel: Channel) -> bool:
        return (instrument, channel) in self._subscribed

    def _call_soon(self, call: Callable[[], None]) -> None:
        """When the present moment of the feed has been told to its end; soon, where it is no moment of the feed."""
        if self._is_due:
            self._afterwards.append(call)
        else:
            asyncio.get_running_loop().call_soon(call)

    def _arrival(self) -> int:
        return self._clock.now() + self.latency + BEHIND

    def _soon(self) -> None:
        """Tell what is left to tell once the feed has said all it has to say of this moment."""
        if not self._is_due:
            self._is_due = True
            loop = asyncio.get_running_loop()
            # Two steps on: a connector tells its book one step after the last frame that has arrived.
            loop.call_soon(loop.call_soon, self._end_moment)

    def _end_moment(self) -> None:
        self._release()
        self.settle()
        self._is_due = False
        afterwards, self._afterwards = self._afterwards, []
        for call in afterwards:
            call()


def _follow(market: Market, book: OrderBook) -> list[tuple[Side, int]]:
    """Levels that are gone first, so that the book is never crossed on the way from one state to the next; then each
    side from its best price on, so that an order never seems to stand alone before the levels above it are set.

    Returns the levels that changed.
    """
    gone = [(side, ticks) for side in Side for ticks in market.book.prices(side) if not book.size(side, ticks)]
    for side, ticks in gone:
        market.level(side, ticks, 0)
    changed = []
    for side in Side:
        prices = book.prices(side)
        for ticks in reversed(prices) if side is Side.BUY else prices:
            units = book.size(side, ticks)
            if market.book.size(side, ticks) != units:
                market.level(side, ticks, units)
                changed.append((side, ticks))
    return gone + changed


def _follow_touch(market: Market, quote: Quote) -> None:
    """A touch without a price is an empty side; one without a size has an unknown one."""
    instrument = market.instrument
    sides = []
    for price, qty in ((quote.bid, quote.bid_qty), (quote.ask, quote.ask_qty)):
        ticks = None if math.isnan(price) else instrument.ticks(price)
        sides.append((ticks, UNKNOWN_SIZE if math.isnan(qty) else round(qty / float(instrument.unit_size))))
    (bid, bid_units), (ask, ask_units) = sides
    market.quote(bid, bid_units, ask, ask_units)
