"""The market of an exchange of ccxt: watched where ccxt can, asked for again and again where it cannot.

| channel | watched by | asked for by |
| --- | --- | --- |
| trade | watchTrades | fetchTrades |
| quote | watchBidsAsks, else the best prices of the book | fetchOrderBook |
| book | watchOrderBook | fetchOrderBook |
| candle | (never: see closing.py) | fetchOHLCV after each close |
| mark | watchMarkPrice, else watchTicker where it tells one | fetchMarkPrice, fetchFundingRate |
| funding | (BitMEX: its own table) | fetchFundingRateHistory after each funding, else fetchFundingRate |

What is told: each trade once and none from before it was asked for; books whole, never crossed; quotes when they
change; candles once they are closed. A watch that breaks puts the market out of reach (`on_down`) until the venue
answers and every socket is connected again (`on_up`): news.py. One that is silent while the market goes on is found by
watchdog.py.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping
from math import isnan
from typing import Any, Final

from hbkit.clock import HOUR, SECOND
from hbkit.data.candles import Resampler, inner_interval
from hbkit.errors import ExchangeError, HbkitError, Unsupported
from hbkit.exchange import Channel, Listener
from hbkit.log import get_logger
from hbkit.model import Candle, Instrument, OrderBook, Quote
from hbkit_ccxt import history, values
from hbkit_ccxt.capabilities import BOOK_DEPTH, intervals
from hbkit_ccxt.closing import Closing
from hbkit_ccxt.news import News
from hbkit_ccxt.values import MILLISECOND
from hbkit_ccxt.watchdog import Watchdog, Watched

POLL_SECONDS: Final = 2.0
"""How often trades and books are asked for where nothing tells of them."""
MARK_SECONDS: Final = 5.0
FUNDING_SECONDS: Final = 20.0
"""How often it is looked whether a funding is due."""
FUNDING_GRACE: Final = 5 * SECOND
CROSSED_SECONDS: Final = 5.0
"""A book that stays crossed for so long has lost a frame."""
REMEMBERED: Final = 5000
"""Trades by which repetitions are known."""

Row = Mapping[str, Any]


class _Market:
    """What is known of one instrument."""

    def __init__(self, instrument: Instrument, began: int) -> None:
        self.instrument = instrument
        self.began = began
        """Trades of before are past."""
        self.book = OrderBook(instrument)
        self.quote: Quote | None = None
        self.last: float | None = None
        self.mark: tuple[float, float] | None = None
        self.seen: OrderedDict[tuple[Any, ...], None] = OrderedDict()
        self.newest = 0
        """Time of the newest trade, ms."""
        self.crossed_since: float | None = None
        self.channels: set[tuple[Channel, str]] = set()
        self.follows_book = False
        self.quotes_from_book = False
        self.next_funding = 0
        self.funded = began
        self.lacks_side = False


class Feeds:
    """The market's half of one connection."""

    def __init__(
        self,
        client: Any,
        listener: Listener,
        instruments: Mapping[str, Instrument],
        on_down: Callable[..., None],
        on_up: Callable[..., None],
        *,
        amount_of: Callable[[Instrument, int], float] | None = None,
    ) -> None:
        """
        :param client: a `Client` that has loaded its markets.
        :param on_down: the market is out of reach; takes the reason.
        :param on_up: it is within reach again.
        :param amount_of: what a funding at a time (ns) moved on the account, as executions have told; None for nothing.
        """
        self._client = client
        self._listener = listener
        self._by_unified = {one.unified: one for one in instruments.values()}
        self._on_down = on_down
        self._on_up = on_up
        self._amount_of = amount_of
        self._markets: dict[Instrument, _Market] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._log = get_logger("ccxt.feeds")
        self._news = News(
            _Line(client),
            client.venue,
            client.chance.fork("feeds"),
            probe=self._probe,
            on_down=self._down,
            on_up=self._up,
            on_end=self._ended,
            start=self._start,
        )
        self._watchdog = Watchdog(self._begin_anew)
        self._guarded = False

    # -- what is asked of it

    def subscribe(self, instrument: Instrument, channel: Channel, interval: str = "") -> None:
        """Begin to tell a channel of an instrument; once, however often it is asked for. Raises Unsupported."""
        market = self._market(instrument)
        if (channel, interval) in market.channels:
            return
        market.channels.add((channel, interval))
        if channel is Channel.TRADE:
            self._follow_trades(market)
        elif channel is Channel.BOOK:
            self._follow_book(market)
        elif channel is Channel.QUOTE:
            self._follow_quotes(market)
        elif channel is Channel.CANDLE:
            self._follow_candles(market, interval)
        elif channel is Channel.MARK:
            self._follow_marks(market)
        else:
            self._follow_fundings(market)

    async def candles(self, instrument: Instrument, interval: str, start: int, end: int) -> list[Candle]:
        """Closed candles that open at `start` or later and close at `end` or earlier, oldest first; times in ns."""
        return await history.candles(self._client, instrument, interval, start, min(end, self._now()))

    def reference_price(self, instrument: Instrument) -> float | None:
        """The mark, else the last trade, else the middle of the best prices; None while nothing is known."""
        market = self._markets.get(instrument)
        if market is None:
            return None
        if market.mark is not None:
            return market.mark[0]
        if market.last is not None:
            return market.last
        if market.quote is not None and not isnan(market.quote.mid):
            return market.quote.mid
        return market.book.mid

    def last_price(self, instrument: Instrument) -> float | None:
        """The price of the last trade; the reference price where none is known."""
        market = self._markets.get(instrument)
        last = market.last if market is not None else None
        return last if last is not None else self.reference_price(instrument)

    @property
    def silences(self) -> int:
        """How often a watch was found silent."""
        return self._watchdog.found

    async def close(self) -> None:
        """Tell nothing more; every task has ended when this returns."""
        self._closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- trades

    def _follow_trades(self, market: _Market) -> None:
        symbol = market.instrument.unified

        def instead() -> None:
            self._ask(f"trades of {symbol}", lambda: self._poll_trades(market), POLL_SECONDS)

        if self._client.has("watchTrades") is True:
            watched = self._watch("watch_trades", market, lambda rows: self._hear_trades(market, rows), instead)
            self._guard(watched, "fetchTrades", lambda: self._has_newer_trades(market))
        else:
            self._need("fetchTrades", Channel.TRADE, market)
            instead()

    async def _poll_trades(self, market: _Market) -> None:
        self._hear_trades(market, await self._client.call("fetch_trades", market.instrument.unified))

    def _hear_trades(self, market: _Market, rows: list[Row]) -> None:
        for row in sorted(rows, key=lambda row: row.get("timestamp") or 0):
            if row.get("symbol") not in (None, market.instrument.unified):
                continue
            key = values.trade_key(row)
            if key in market.seen:
                continue
            market.seen[key] = None
            if len(market.seen) > REMEMBERED:
                market.seen.popitem(last=False)
            trade = values.trade(row, market.instrument)
            if trade is None:
                self._say_that_sides_lack(market, row)
                continue
            if trade.ts >= market.newest * MILLISECOND:
                market.newest, market.last = trade.ts // MILLISECOND, trade.price
            if trade.ts >= market.began and not self._closed:
                self._listener.on_trade(trade)

    def _say_that_sides_lack(self, market: _Market, row: Row) -> None:
        if row.get("side") is None and not market.lacks_side:
            market.lacks_side = True
            self._log.warning(
                "trades without the taker's side are left out",
                venue=self._client.venue,
                instrument=market.instrument.symbol,
            )

    async def _has_newer_trades(self, market: _Market) -> bool:
        """Whether the venue knows a trade that is newer than what was told, and not only just made."""
        rows = await self._client.call("fetch_trades", market.instrument.unified)
        latest = self._now() // MILLISECOND - 3000
        known = max(market.newest, market.began // MILLISECOND)
        return any(
            known < (row.get("timestamp") or 0) < latest and values.trade_key(row) not in market.seen for row in rows
        )

    # -- books and best prices

    def _follow_book(self, market: _Market) -> None:
        if market.follows_book:
            return
        market.follows_book = True
        symbol = market.instrument.unified

        def instead() -> None:
            self._ask(f"book of {symbol}", lambda: self._poll_book(market), POLL_SECONDS)

        if self._client.has("watchOrderBook") is True:
            watched = self._watch("watch_order_book", market, lambda row: self._hear_book(market, row), instead)
            self._guard(watched, "fetchOrderBook", lambda: self._has_another_touch(market))
        else:
            self._need("fetchOrderBook", Channel.BOOK, market)
            instead()

    def _follow_quotes(self, market: _Market) -> None:
        if self._client.has("watchBidsAsks") is not True:
            market.quotes_from_book = True
            self._follow_book(market)
            return

        def instead() -> None:
            market.quotes_from_book = True
            self._ask(f"book of {market.instrument.unified}", lambda: self._poll_book(market), POLL_SECONDS)

        watched = self._watch("watch_bids_asks", market, lambda rows: self._hear_tops(market, rows), instead)
        self._guard(watched, "fetchOrderBook", lambda: self._has_another_touch(market))

    async def _poll_book(self, market: _Market) -> None:
        self._hear_book(market, await self._client.call("fetch_order_book", market.instrument.unified))

    def _hear_book(self, market: _Market, row: Row) -> None:
        bids, asks = values.levels(row, market.instrument, BOOK_DEPTH)
        if values.is_crossed(bids, asks):
            self._hear_crossed(market)
            return
        market.crossed_since = None
        if not values.fill(market.book, bids, asks, values.time_of(row, self._now())) or self._closed:
            return
        if (Channel.BOOK, "") in market.channels:
            self._listener.on_book(market.book)
        if market.quotes_from_book and (quote := values.top(market.book)) is not None:
            self._tell_quote(market, quote)

    def _hear_crossed(self, market: _Market) -> None:
        """A state between two frames, or a frame was lost: only the second lasts."""
        now = asyncio.get_running_loop().time()
        if market.crossed_since is None:
            market.crossed_since = now
        elif now - market.crossed_since >= CROSSED_SECONDS:
            market.crossed_since = None
            self._start(self._begin_anew(f"the book of {market.instrument} stays crossed"))

    def _hear_tops(self, market: _Market, rows: Mapping[str, Row]) -> None:
        row = rows.get(market.instrument.unified)
        quote = values.quote(row, market.instrument, self._now()) if row is not None else None
        if quote is not None and not quote.bid >= quote.ask:
            self._tell_quote(market, quote)

    def _tell_quote(self, market: _Market, quote: Quote) -> None:
        if (Channel.QUOTE, "") not in market.channels or self._closed:
            return
        known = market.quote
        if known is not None and _same(known, quote):
            return
        market.quote = quote
        self._listener.on_quote(quote)

    async def _has_another_touch(self, market: _Market) -> bool:
        """Whether the venue's best prices are not ours."""
        row = await self._client.call("fetch_order_book", market.instrument.unified)
        bids, asks = values.levels(row, market.instrument, 1)
        theirs = (max(bids, default=None), min(asks, default=None))
        instrument, quote = market.instrument, market.quote
        if market.quotes_from_book or quote is None:
            return theirs != (market.book.best_bid_ticks, market.book.best_ask_ticks)
        ours = tuple(None if isnan(price) else instrument.ticks(price) for price in (quote.bid, quote.ask))
        return theirs != ours

    # -- candles

    def _follow_candles(self, market: _Market, interval: str) -> None:
        self._need("fetchOHLCV", Channel.CANDLE, market)
        try:
            inner = inner_interval(interval, intervals(self._client.api))
        except ValueError as error:
            raise Unsupported(f"{self._client.venue}: {error}") from None
        tell = self._tell_candle
        if inner != interval:
            larger = Resampler(market.instrument, inner, interval)

            def tell(candle: Candle) -> None:
                for one in larger.add(candle):
                    self._tell_candle(one)

        closing = Closing(self._client, market.instrument, inner, self._now, tell)
        self._start(self._close_for_ever(closing))

    async def _close_for_ever(self, closing: Closing) -> None:
        while True:
            try:
                await closing.next()
            except ExchangeError as error:
                self._news.broke(error.message)
                await asyncio.sleep(POLL_SECONDS)

    def _tell_candle(self, candle: Candle) -> None:
        if not self._closed:
            self._listener.on_candle(candle)

    # -- marks

    def _follow_marks(self, market: _Market) -> None:
        symbol = market.instrument.unified

        def instead() -> None:
            self._ask(f"mark of {symbol}", lambda: self._poll_mark(market), MARK_SECONDS)

        if self._client.has("watchMarkPrice") is True:
            self._watch("watch_mark_price", market, lambda row: self._hear_mark(market, row), instead)
            return
        asked = False

        def hear(row: Row) -> None:
            nonlocal asked
            if not self._hear_mark(market, row) and market.mark is None and not asked:
                asked = True
                instead()

        if self._client.has("watchTicker") is True:
            self._watch("watch_ticker", market, hear, instead)
        else:
            instead()

    async def _poll_mark(self, market: _Market) -> None:
        symbol = market.instrument.unified
        for name, method in (("fetchMarkPrice", "fetch_mark_price"), ("fetchFundingRate", "fetch_funding_rate")):
            if self._client.has(name) and self._hear_mark(market, await self._client.call(method, symbol)):
                return
        if self._client.has("fetchTicker"):
            self._hear_mark(market, await self._client.call("fetch_ticker", symbol))

    def _hear_mark(self, market: _Market, row: Row) -> bool:
        """Whether the row told a mark."""
        mark = values.mark(row, market.instrument, self._now())
        if mark is None:
            return False
        known = (mark.price, mark.index)
        if repr(known) != repr(market.mark) and not self._closed:
            market.mark = known
            self._listener.on_mark(mark)
        return True

    # -- fundings

    def _follow_fundings(self, market: _Market) -> None:
        if market.instrument.is_spot or market.instrument.expiry is not None:
            return
        name = f"funding of {market.instrument.unified}"

        def instead() -> None:
            self._ask(name, lambda: self._look_for_funding(market), FUNDING_SECONDS)

        if self._client.has("watchFundings") is True:
            # Not ccxt's: a class that was taught to (BitMEX) tells each funding when it takes place.
            self._watch("watch_fundings", market, lambda rows: self._hear_fundings(market, rows), instead)
        else:
            instead()

    def _hear_fundings(self, market: _Market, rows: list[Row], coming: int = 0) -> None:
        """Rows of the history of funding rates, news alone.

        :param coming: when the next one is due, ns; 0 where that is not told.
        """
        for row in sorted(rows, key=lambda row: row["timestamp"]):
            ts = int(row["timestamp"]) * MILLISECOND
            after = coming if coming > ts else ts + market.instrument.funding_interval
            amount = self._amount_of(market.instrument, ts) if self._amount_of is not None else 0.0
            funding = values.funding(row, market.instrument, after, amount)
            market.funded = ts
            if funding is not None and not self._closed:
                self._listener.on_funding(funding)

    async def _look_for_funding(self, market: _Market) -> None:
        now, symbol = self._now(), market.instrument.unified
        if now < market.next_funding + FUNDING_GRACE:
            return
        due = market.next_funding
        rate: Row = (
            await self._client.call("fetch_funding_rate", symbol) if self._client.has("fetchFundingRate") else {}
        )
        told = rate.get("fundingTimestamp") or rate.get("nextFundingTimestamp")
        coming = int(told) * MILLISECOND if told is not None else 0
        following = coming if coming > now else (now // HOUR + 1) * HOUR
        if due == 0:
            market.next_funding = following  # the first look: nothing was due yet
            return
        if not self._client.has("fetchFundingRateHistory"):
            # ccxt tells the rate that comes, not the one that was: what was paid is known from the account alone.
            market.next_funding = following
            return
        rows = await self._client.call("fetch_funding_rate_history", symbol, market.funded // MILLISECOND + 1)
        new = [row for row in rows if int(row.get("timestamp") or 0) * MILLISECOND > market.funded]
        self._hear_fundings(market, new, coming)
        # What is due and not in the history yet is asked for again, for as long as it takes to be sure.
        if new or now > due + 30 * 60 * SECOND:
            market.next_funding = following

    # -- inside

    def _market(self, instrument: Instrument) -> _Market:
        if instrument not in self._markets:
            self._markets[instrument] = _Market(instrument, self._now())
        return self._markets[instrument]

    def _now(self) -> int:
        now: int = self._client.market_now()
        return now

    def _need(self, method: str, channel: Channel, market: _Market) -> None:
        if not self._client.has(method):
            raise Unsupported(f"{self._client.venue} tells no {channel} of {market.instrument}")

    def _watch(self, method: str, market: _Market, hear: Callable[[Any], Any], instead: Callable[[], None]) -> Watched:
        watched = self._watchdog.add(f"{method} of {market.instrument.unified}", _never_behind, instead)

        def heard(told: Any) -> None:
            watched.pulse()
            if not self._closed:
                hear(told)

        self._news.watch(method, market.instrument.unified, heard, instead)
        return watched

    def _guard(self, watched: Watched, needs: str, is_behind: Callable[[], Coroutine[Any, Any, bool]]) -> None:
        if not self._client.has(needs):
            return
        watched.is_behind = is_behind
        if not self._guarded:
            self._guarded = True
            self._start(self._watchdog.run())

    def _ask(self, what: str, question: Callable[[], Coroutine[Any, Any, None]], seconds: float) -> None:
        self._news.ask(what, question, seconds)
        self._news.poke(what)

    async def _probe(self) -> None:
        """Something that the venue answers when it can be reached."""
        symbols = [one.unified for one in self._markets] or list(self._by_unified)[:1]
        if symbols and self._client.has("fetchOrderBook"):
            await self._client.call("fetch_order_book", symbols[0])
        elif self._client.has("fetchTime"):
            await self._client.call("fetch_time")

    async def _begin_anew(self, reason: str) -> None:
        """Out of reach at once, then within reach again when the sockets are connected and the venue answers."""
        self._log.warning("the market's connection begins anew", venue=self._client.venue, reason=reason)
        self._news.broke(reason)
        await self._client.reconnect()

    def _down(self, reason: str) -> None:
        if not self._closed:
            self._on_down(reason)

    def _up(self) -> None:
        if not self._closed:
            self._on_up()

    def _ended(self, error: HbkitError) -> None:
        """The venue does not let us listen: a block of our country or address, most likely."""
        self._log.error("the exchange lets nobody listen here", venue=self._client.venue, reason=error.message)
        self._down(error.message)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not self._closed:
            self._log.error("a feed ended", venue=self._client.venue, exc_info=error)
            self._down(f"a feed ended: {type(error).__name__}")


class _Line:
    """The client as news.py asks it: one symbol for every watch."""

    def __init__(self, client: Any) -> None:
        self._client = client

    @property
    def api(self) -> Any:
        """ccxt's object."""
        return self._client.api

    async def call(self, method: str, symbol: str) -> Any:
        """One watch."""
        return await self._client.call(method, [symbol] if method == "watch_bids_asks" else symbol)


async def _never_behind() -> bool:
    return False


def _same(one: Quote, other: Quote) -> bool:
    """Equal but for the time; a size that is not known is one that is not known."""
    mine = (one.bid, one.ask, one.bid_qty, one.ask_qty)
    theirs = (other.bid, other.ask, other.bid_qty, other.ask_qty)
    return all(this == that or (isnan(this) and isnan(that)) for this, that in zip(mine, theirs, strict=True))
