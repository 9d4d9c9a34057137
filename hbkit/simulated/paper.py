"""Paper: a connector that only listens, and the matching engine between it and the strategies.

What the market does comes from the connector; orders rest and fill here. Resting orders meet each event before anybody
is told of it, as in replay.
"""

from __future__ import annotations

from collections.abc import Sequence

from hbkit.agenda import Scheduler
from hbkit.clock import Clock
from hbkit.exchange import Capabilities, Channel, Exchange, Holding, Listener
from hbkit.matching import Account, Engine, FillModel, Market
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
    Wallet,
)
from hbkit.simulated.engine import EngineExchange

_TAKER = {Side.BUY: 1, Side.SELL: -1}


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
        self._wanted: set[tuple[Instrument, Channel]] = set()
        for instrument in markets:
            self._markets[instrument] = engine.add_market(instrument, model, has_book=True)

    # -- the contract

    @property
    def capabilities(self) -> Capabilities:
        """The engine's for orders, the feed's for data."""
        told = self._feed.capabilities
        return Capabilities(
            channels=told.channels,
            candle_intervals=told.candle_intervals,
            post_only=True,
            reduce_only=True,
            time_in_force=frozenset({"gtc", "ioc", "fok"}),
            amend=True,
            hedge_mode=any(instrument.hedge for instrument in self._markets),
            leverage=True,
        )

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
        offered = self._feed.capabilities.channels
        for instrument in self._markets:
            for channel in (Channel.BOOK, Channel.TRADE, Channel.MARK, Channel.FUNDING):
                if channel in offered and not (instrument.is_spot and channel in (Channel.MARK, Channel.FUNDING)):
                    self._feed.subscribe(instrument, channel)

    async def shut(self) -> None:
        """Let go of the feed."""
        await self._feed.shut()
        self._listener = None

    def subscribe(self, instrument: Instrument, channel: Channel, interval: str = "") -> None:
        """Tell of a channel from now on."""
        self._wanted.add((instrument, channel))
        self._feed.subscribe(instrument, channel, interval)

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
        """Resting orders meet the print first."""
        market = self._markets.get(trade.instrument)
        if market is None:
            return
        instrument = trade.instrument
        self._engine.at(self._clock.now())
        market.print(instrument.ticks(trade.price), instrument.units(trade.qty), _TAKER[trade.side])
        self.settle()
        if self._hears(instrument, Channel.TRADE) and self._listener is not None:
            self._listener.on_trade(trade)

    def on_quote(self, quote: Quote) -> None:
        """The best prices; the engine has them from the book."""
        if self._hears(quote.instrument, Channel.QUOTE) and self._listener is not None:
            self._listener.on_quote(quote)

    def on_book(self, book: OrderBook) -> None:
        """Bring the engine's book to the feed's, level by level."""
        market = self._markets.get(book.instrument)
        if market is None:
            return
        self._engine.at(self._clock.now())
        _follow(market, book)
        self.settle()
        if self._hears(book.instrument, Channel.BOOK) and self._listener is not None:
            self._listener.on_book(book)

    def on_candle(self, candle: Candle) -> None:
        """A closed candle."""
        if self._listener is not None:
            self._listener.on_candle(candle)

    def on_mark(self, mark: Mark) -> None:
        """What positions are valued at."""
        market = self._markets.get(mark.instrument)
        if market is not None:
            market.mark = mark.price
        if self._hears(mark.instrument, Channel.MARK) and self._listener is not None:
            self._listener.on_mark(mark)

    def on_funding(self, funding: Funding) -> None:
        """Pay or receive, then tell."""
        instrument = funding.instrument
        if instrument not in self._markets:
            return
        now = self._clock.now()
        self._engine.at(now)
        self._engine.fund(instrument, funding.rate, now)
        paid = sum(event.fee for event in self._engine.out if isinstance(event, Execution))
        self.settle()
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

    def _hears(self, instrument: Instrument, channel: Channel) -> bool:
        return (instrument, channel) in self._wanted


def _follow(market: Market, book: OrderBook) -> None:
    """Levels that are gone first, so that the book is never crossed on the way from one state to the next."""
    for side in Side:
        wanted = {ticks: book.size(side, ticks) for ticks in book.prices(side)}
        for ticks in [ticks for ticks in market.book.prices(side) if ticks not in wanted]:
            market.level(side, ticks, 0)
        for ticks, units in wanted.items():
            if market.book.size(side, ticks) != units:
                market.level(side, ticks, units)

