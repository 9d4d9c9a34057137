"""The BitMEX socket: subscriptions, tables and the way from a frame to the listener, all on the reader's own stack.

Tables are trusted from their partial on; after a lost connection everything is forgotten and asked for again (7.4 of
the project's BitMEX protocol reference). A table whose frames contradict each other, or cannot be read, is asked for
again, and it alone. Private news goes out through `Inbox`, public data straight to the listener.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from hbkit.clock import SECOND, parse_duration
from hbkit.data.candles import Resampler
from hbkit.errors import Unsupported
from hbkit.exchange import Channel, Connection, Listener
from hbkit.log import get_logger
from hbkit.model import Funding, Instrument, TriggerBy
from hbkit_bitmex import bodies, wire
from hbkit_bitmex.auth import realtime_signature
from hbkit_bitmex.books import BookTable
from hbkit_bitmex.frames import (
    Authenticated,
    BinFrame,
    BookFrame,
    DataFrame,
    ExecutionFrame,
    FundingFrame,
    InstrumentFrame,
    MarginFrame,
    OrderFrame,
    PositionFrame,
    QuoteFrame,
    Refused,
    TradeFrame,
    Unreadable,
    WalletFrame,
    decode,
)
from hbkit_bitmex.rows import (
    BinRow,
    ExecutionRow,
    FundingRow,
    InstrumentRow,
    MarginRow,
    OrderRow,
    PositionRow,
    QuoteRow,
    TradeRow,
    WalletRow,
)
from hbkit_bitmex.tables import ExecutionTable, Feed, KeyedTable
from hbkit_bitmex.words import Action, ExecType, Strategy, known, nanoseconds

ASK_AGAIN_SECONDS = 5.0
"""The least time between two requests for the same table."""
PRIVATE = ("order", "execution", "position", "margin", "wallet")
BINS = {"1m": "tradeBin1m", "5m": "tradeBin5m", "1h": "tradeBin1h", "1d": "tradeBin1d"}
_TOPICS = {
    Channel.TRADE: "trade",
    Channel.QUOTE: "quote",
    Channel.BOOK: "orderBookL2_25",
    Channel.MARK: "instrument",
    Channel.FUNDING: "funding",
}


SHOWN_BYTES = 500
"""Of a frame that cannot be read, in the log."""
MOST_SHOWN = 50
"""Kinds of unreadable frames that are shown; what changes with each frame would fill the log."""


class Inbox(Protocol):
    """What the connector does with rows of the account."""

    def on_order_row(self, row: OrderRow) -> None:
        """An order as it stands, merged."""

    def on_execution_row(self, row: ExecutionRow) -> None:
        """An execution that was not seen before."""

    def on_wallet_row(self, row: WalletRow) -> None:
        """What was paid into and out of one currency."""

    def on_margin_row(self, row: MarginRow) -> None:
        """One currency of the account."""

    def on_new_legs(self, legs: set[Strategy]) -> None:
        """Positions that were not there before, by their legs: they tell of the position mode (13.3)."""

    def on_ready(self) -> None:
        """Logged in, and every private table has had its partial."""

    def on_login_refused(self, status: int, text: str) -> None:
        """The login was turned down."""


class Send(Protocol):
    """Hands a command to the socket, now or some seconds later."""

    def __call__(self, raw: bytes, seconds: float = 0.0) -> None:
        """Whether it was sent is not told: the next connection asks for everything anew."""


class Stream:
    """Frames in, values out."""

    def __init__(
        self,
        connection: Connection,
        listener: Listener,
        inbox: Inbox,
        send: Send,
        expiry: Callable[[], int],
    ) -> None:
        """
        :param expiry: seconds since the epoch at which a login that is signed now expires.
        """
        self._connection = connection
        self._listener = listener
        self._inbox = inbox
        self._send = send
        self._expiry = expiry
        self._instruments: Mapping[str, Instrument] = connection.instruments
        self._topics: dict[str, None] = {}
        self._waiting: set[str] = set()
        self._said = False
        """Whether this connection has heard what is wanted; new topics are told to it at once from then on."""
        self._doubts: dict[str, str] = {}
        """Topics whose table is in doubt and why, until their partial comes."""
        self._asked: dict[str, int] = {}
        """When a topic in doubt was asked for last."""
        self._history: int | None = None
        """Executions before this are of a time before this process; None before the first partial."""
        self._log = get_logger("bitmex.stream")
        self.books = BookTable(connection.instruments)
        self.orders: KeyedTable[OrderRow] = KeyedTable(OrderRow, finished=wire.is_finished)
        self.positions: KeyedTable[PositionRow] = KeyedTable(PositionRow)
        self.margins: KeyedTable[MarginRow] = KeyedTable(MarginRow)
        self.purses: KeyedTable[WalletRow] = KeyedTable(WalletRow)
        self.rows: KeyedTable[InstrumentRow] = KeyedTable(InstrumentRow)
        self._executions = ExecutionTable()
        self._trades: Feed[TradeRow] = Feed()
        self._quotes: Feed[QuoteRow] = Feed()
        self._fundings: Feed[FundingRow] = Feed()
        self.unreadable = 0
        """Frames that could not be read."""
        self._shown: set[tuple[str, str]] = set()
        self._paid: dict[str, tuple[int, int]] = {}
        """The last funding of each symbol: when, and what the account paid, in minor units."""
        self._bins: dict[str, Feed[BinRow]] = {}
        self._resamplers: dict[tuple[Instrument, str], dict[str, Resampler]] = {}
        self.frames = 0
        """How many frames have come."""
        self._books_due: dict[str, None] = {}
        """Symbols whose book changed in frames of one step, and is told when the step is over."""
        self._books_stamp: object = None
        self._is_telling = False
        self._marks_told: dict[str, tuple[float, float]] = {}
        self.marks: dict[str, float] = {}
        """The mark price, per symbol."""
        self.last: dict[str, float] = {}
        """The price of the last trade, per symbol."""

    # -- the connection comes and goes

    def up(self) -> None:
        """A new connection: forget what was known, log in."""
        self._said = False
        self._doubts.clear()
        self.books.reset()
        self._books_due.clear()
        self._marks_told.clear()
        self.orders.reset()
        self.positions.reset()
        self.margins.reset()
        self.purses.reset()
        self.rows.reset()
        self._trades.reset()
        self._quotes.reset()
        self._fundings.reset()
        for bins in self._bins.values():
            bins.reset()
        if not self._connection.api_key:
            self._say_topics(())
            self._inbox.on_ready()
            return
        self._waiting = set(PRIVATE)
        expires = self._expiry()
        signature = realtime_signature(self._connection.api_secret.reveal(), expires)
        self._send(bodies.encode(bodies.login(self._connection.api_key, expires, signature)))

    def down(self) -> None:
        """The connection is gone."""
        self._said = False
        self._waiting.clear()

    def subscribe(self, instrument: Instrument, channel: Channel) -> None:
        """Ask for a channel, now if the socket is up, and again after each reconnect."""
        self._ask(f"{_TOPICS[channel]}:{instrument.symbol}")

    def subscribe_candles(self, instrument: Instrument, interval: str) -> None:
        """Candles of any interval: the exchange's own, or put together from the largest that divides it."""
        native = interval
        if interval not in BINS:
            wanted = parse_duration(interval)
            smaller = [one for one in BINS if wanted % parse_duration(one) == 0]
            if not smaller:
                raise Unsupported(f"no candles of {interval}; there are {', '.join(BINS)} and their multiples")
            native = max(smaller, key=parse_duration)
            resamplers = self._resamplers.setdefault((instrument, native), {})
            if interval not in resamplers:
                resamplers[interval] = Resampler(instrument, native, interval)
        self._ask(f"{BINS[native]}:{instrument.symbol}")

    def present_price(self, instrument: Instrument, by: TriggerBy) -> float | None:
        """Mark, last or index, None where it was not told."""
        symbol = instrument.symbol
        if by is TriggerBy.LAST:
            return self.last.get(symbol)
        if by is TriggerBy.MARK:
            return self.marks.get(symbol)
        index = self._marks_told[symbol][1] if symbol in self._marks_told else math.nan
        return None if math.isnan(index) else index

    def _ask(self, topic: str) -> None:
        if topic not in self._topics:
            self._topics[topic] = None
            if self._said:
                self._send(bodies.encode(bodies.subscribe([topic])))

    def _say_topics(self, more: Sequence[str]) -> None:
        """Everything that was ever asked for, in one command, as after each connect."""
        self._said = True
        topics = [*more, *self._topics]
        if topics:
            self._send(bodies.encode(bodies.subscribe(topics)))

    # -- frames

    def frame(self, raw: bytes) -> None:
        """Take one frame; called for each, on the reader's stack."""
        self.frames += 1
        frame = decode(raw)
        if isinstance(frame, Unreadable):
            self._note(raw, frame)
        if self._books_due and not isinstance(frame, BookFrame):
            self._tell_books()
        if self._doubts and isinstance(frame, DataFrame):
            self._settle(frame)
        handler = self._HANDLERS.get(type(frame))
        if handler is not None:
            handler(self, frame)
        elif isinstance(frame, BinFrame):
            self._on_bins(frame)
        elif isinstance(frame, BookFrame):
            self._on_book(frame)
        if self._doubts:
            self._ask_for_doubted()

    def _on_trades(self, frame: TradeFrame) -> None:
        history = frame.action is Action.PARTIAL
        for row in self._trades.apply(frame):
            instrument = self._instruments.get(row.symbol or "")
            trade = wire.trade(row, instrument) if instrument is not None else None
            if trade is not None:
                self.last[trade.instrument.symbol] = trade.price
                if not history:
                    self._listener.on_trade(trade)

    def _on_quotes(self, frame: QuoteFrame) -> None:
        for row in self._quotes.apply(frame):
            instrument = self._instruments.get(row.symbol or "")
            quote = wire.quote(row, instrument) if instrument is not None else None
            if quote is not None:
                self._listener.on_quote(quote)
        self.books.check(frame)
        self._look_for_lost_books()

    def _on_book(self, frame: BookFrame) -> None:
        """One step of the exchange comes in up to three frames (deletes, updates, inserts): a book is told after them.

        The next frame of another table or moment ends the step, or there is none: then what has arrived is all.
        """
        stamp = frame.data[0].timestamp if frame.data else None
        if self._books_due and stamp != self._books_stamp:
            self._tell_books()
        self._books_stamp = stamp
        for book in self.books.apply(frame, self._connection.market_clock.now()):
            self._books_due[book.instrument.symbol] = None
        if self._books_due and not self._is_telling:
            self._is_telling = _soon(self._tell_books)
        self._look_for_lost_books()

    def _look_for_lost_books(self) -> None:
        if self.books.lost:
            for symbol, reason in self.books.take_lost().items():
                self._doubt(f"{_TOPICS[Channel.BOOK]}:{symbol}", reason)

    def _tell_books(self) -> None:
        self._is_telling = False
        due, self._books_due = self._books_due, {}
        for symbol in due:
            book = self.books.book(symbol)
            if book is not None:
                self._listener.on_book(book)

    def _on_bins(self, frame: BinFrame) -> None:
        feed = self._bins.setdefault(frame.table, Feed())
        # What closes in the very moment of the subscription is news.
        heard_from = self._connection.market_clock.now() if frame.action is Action.PARTIAL else 0
        for row in feed.apply(frame):
            instrument = self._instruments.get(row.symbol or "")
            candle = wire.candle(row, instrument, frame.interval, frame.length) if instrument is not None else None
            if candle is None or candle.ts < heard_from or instrument is None:
                continue
            self._listener.on_candle(candle)
            for resampler in self._resamplers.get((instrument, frame.interval), {}).values():
                for larger in resampler.add(candle):
                    self._listener.on_candle(larger)

    def _on_instruments(self, frame: InstrumentFrame) -> None:
        for row in self.rows.apply(frame).rows:
            symbol = known(row.symbol) or ""
            instrument = self._instruments.get(symbol)
            mark = wire.mark(row, instrument) if instrument is not None else None
            if mark is not None and self._marks_told.get(symbol) != (mark.price, mark.index):
                # The row changes with every trade; this is for those who wait for the mark.
                self._marks_told[symbol] = mark.price, mark.index
                self.marks[symbol] = mark.price
                self._listener.on_mark(mark)
        self._after(frame, self.rows.lost)

    def _on_fundings(self, frame: FundingFrame) -> None:
        history = frame.action is Action.PARTIAL
        for row in self._fundings.apply(frame):
            instrument = self._instruments.get(row.symbol or "")
            funding = wire.funding(row, instrument) if instrument is not None else None
            if funding is not None and instrument is not None and not history:
                self._listener.on_funding(self._with_payment(funding, instrument))

    def _with_payment(self, funding: Funding, instrument: Instrument) -> Funding:
        """With what the account received: its executions of that moment, both legs of it, come before the funding."""
        ts, minor = self._paid.get(instrument.symbol, (0, 0))
        if ts != funding.ts:
            return funding
        return msgspec.structs.replace(funding, amount=instrument.settle.amount(-minor))

    def _on_orders(self, frame: OrderFrame) -> None:
        for row in self.orders.apply(frame).rows:
            self._inbox.on_order_row(row)
        self._after(frame, self.orders.lost)

    def _on_executions(self, frame: ExecutionFrame) -> None:
        for row in self._news(frame, self._executions.apply(frame)):
            if row.execType is ExecType.FUNDING:
                moment = nanoseconds(row.transactTime) or nanoseconds(row.timestamp)
                ts, minor = self._paid.get(row.symbol or "", (0, 0))
                self._paid[row.symbol or ""] = moment, (known(row.execComm) or 0) + (minor if ts == moment else 0)
            self._inbox.on_execution_row(row)
        self._after(frame, "")

    def _news(self, frame: ExecutionFrame, fresh: list[ExecutionRow]) -> list[ExecutionRow]:
        """The first partial of a process tells of the past, which whoever keeps the books has asked for or knows.

        A later one is news from the gap, but for what is older than all that the first one told.
        """
        if frame.action is not Action.PARTIAL:
            return fresh
        if self._history is None:
            self._history = min((nanoseconds(row.timestamp) for row in fresh), default=0)
            return []
        return [row for row in fresh if nanoseconds(row.timestamp) >= self._history]

    def _on_positions(self, frame: PositionFrame) -> None:
        self.positions.apply(frame)
        if frame.action is Action.INSERT:
            self._inbox.on_new_legs({row.strategy for row in frame.data or () if isinstance(row.strategy, Strategy)})
        self._after(frame, self.positions.lost)

    def _on_margins(self, frame: MarginFrame) -> None:
        for row in self.margins.apply(frame).rows:
            self._inbox.on_margin_row(row)
        self._after(frame, self.margins.lost)

    def _on_wallets(self, frame: WalletFrame) -> None:
        for row in self.purses.apply(frame).rows:
            self._inbox.on_wallet_row(row)
        self._after(frame, self.purses.lost)

    def _on_login(self, frame: Authenticated) -> None:
        del frame
        self._say_topics(PRIVATE)

    def _on_refused(self, frame: Refused) -> None:
        if frame.is_duplicate:
            return
        if frame.op.startswith("authKey"):
            self._inbox.on_login_refused(frame.status, frame.text)
            return
        self._log.warning("refused", status=frame.status, text=frame.text, topics=frame.topics)
        if frame.op == "subscribe" and frame.status == 429 and frame.topics:
            self._send(bodies.encode(bodies.subscribe(frame.topics)), max(1.0, frame.retry_after))

    def _note(self, raw: bytes, frame: Unreadable) -> None:
        """Each is counted; the first of its kind is shown, for a venue that changed its words sends many alike."""
        self.unreadable += 1
        kind = frame.table, frame.reason
        if kind in self._shown or len(self._shown) >= MOST_SHOWN:
            return
        self._shown.add(kind)
        text = raw[:SHOWN_BYTES].decode("utf-8", "backslashreplace")
        self._log.warning("unreadable frame", table=frame.table, reason=frame.reason, bytes=len(raw), text=text)

    def _on_unreadable(self, frame: Unreadable) -> None:
        """What it said is unknown: its table is in doubt, or every table where not even that can be told."""
        if not frame.table or frame.table.startswith("orderBookL2"):
            self.books.suspect(frame.reason)
            self._look_for_lost_books()
        for topic in (*PRIVATE, *self._topics) if self._said else ():
            if not frame.table or topic.partition(":")[0] == frame.table:
                self._doubt(topic, frame.reason)

    def _after(self, frame: DataFrame, lost: str) -> None:
        """Take note of a table that is in doubt, and of the last of the account's tables."""
        if lost:
            for topic in (*PRIVATE, *self._topics):
                if topic.partition(":")[0] == frame.table:
                    self._doubt(topic, lost)
        if frame.action is Action.PARTIAL and frame.table in self._waiting:
            self._waiting.discard(frame.table)
            if not self._waiting:
                self._inbox.on_ready()

    def _settle(self, frame: DataFrame) -> None:
        """A partial makes its table whole again."""
        if frame.action is Action.PARTIAL:
            symbol = frame.filter.symbol if frame.filter is not None else None
            for topic in list(self._doubts):
                table, _, wanted = topic.partition(":")
                if table == frame.table and wanted == (symbol or wanted):
                    del self._doubts[topic]

    def _doubt(self, topic: str, reason: str) -> None:
        self._doubts[topic] = reason

    def _ask_for_doubted(self) -> None:
        """Ask for the partials of the tables in doubt, and of no others."""
        now = self._connection.clock.now()
        for topic, reason in self._doubts.items():
            last = self._asked.get(topic)
            if last is None or not 0 <= now - last < ASK_AGAIN_SECONDS * SECOND:
                self._asked[topic] = now
                self._log.warning("asking again", topic=topic, reason=reason)
                self._send(bodies.encode(bodies.unsubscribe([topic])))
                self._send(bodies.encode(bodies.subscribe([topic])))

    _HANDLERS: dict[type, Callable[..., None]] = {  # noqa: RUF012 - filled once, never changed
        TradeFrame: _on_trades,
        QuoteFrame: _on_quotes,
        InstrumentFrame: _on_instruments,
        FundingFrame: _on_fundings,
        OrderFrame: _on_orders,
        ExecutionFrame: _on_executions,
        PositionFrame: _on_positions,
        MarginFrame: _on_margins,
        WalletFrame: _on_wallets,
        Authenticated: _on_login,
        Refused: _on_refused,
        Unreadable: _on_unreadable,
    }


def _soon(call: Callable[[], None]) -> bool:
    """Have it called when what has arrived is read; at once where no loop runs, for then nothing more arrives."""
    try:
        asyncio.get_running_loop().call_soon(call)
    except RuntimeError:
        call()
        return False
    return True
