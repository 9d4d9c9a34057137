"""What a BitMEX socket has told so far: its books, keyed rows and feeds, each trusted only from its partial on.

There are no sequence numbers and no checksums (7.4 of the project's BitMEX protocol reference): what a table can see of
a lost frame is that a later row makes no sense. From then on the table says so (`lost`), shows nothing of what may be
wrong, and waits for the next partial. A new connection begins with `reset` on every table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Generic, Protocol, TypeVar

import msgspec
from msgspec import UNSET, Struct

from hbkit.model.book import OrderBook
from hbkit.model.enums import Side
from hbkit.model.instrument import ON_GRID, Instrument
from hbkit_bitmex.frames import BookFrame, ExecutionFrame, Filter, QuoteFrame
from hbkit_bitmex.rows import Book10Row, BookRow, ExecutionRow, QuoteRow
from hbkit_bitmex.words import Action, BookSide, nanoseconds

R = TypeVar("R", bound=Struct)

# Members under names of this file: looking them up in their class for each row costs as much as a change of the book.
_BUY: Final = Side.BUY
_SELL: Final = Side.SELL
_BUY_WORD: Final = BookSide.BUY
_SELL_WORD: Final = BookSide.SELL
_PARTIAL: Final = Action.PARTIAL
_INSERT: Final = Action.INSERT
_UPDATE: Final = Action.UPDATE
_DELETE: Final = Action.DELETE
_PRIMARY: Final = "Primary"
PATIENCE: Final = 3
"""Frames of quotes in a row that deny a book until it is lost."""
_MAX_PRICES: Final = 50_000
"""Prices whose ticks a ladder remembers, so that weeks of a moving market do not fill the memory."""

# -- order books


class BookTable:
    """The books of `orderBookL2` or `orderBookL2_25` on one socket.

    A row that contradicts what is known (an unknown id, a level that is there already) is proof that a frame is
    missing, and the missing one may have been of any symbol: all books of the table are lost then. A crossed book at
    the end of a frame is lost alone.
    """

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self._ladders = {symbol: _Ladder(instrument) for symbol, instrument in instruments.items()}
        self._ready: dict[str, _Ladder] = {}
        self._lost: dict[str, str] = {}
        self.dropped = 0
        """Rows that came before the partial of their symbol, or of a symbol that nobody asked for."""

    @property
    def lost(self) -> Mapping[str, str]:
        """Symbols whose book needs a new partial and why; empty while all is well. `take_lost` empties it."""
        return self._lost

    def take_lost(self) -> dict[str, str]:
        """`lost`, handed over once: subscribe these again."""
        taken, self._lost = self._lost, {}
        return taken

    def book(self, symbol: str) -> OrderBook | None:
        """The book of a symbol, None before its partial and while it is lost."""
        ladder = self._ready.get(symbol)
        return None if ladder is None else ladder.book

    def reset(self) -> None:
        """Forget everything, as after a lost connection."""
        for symbol in list(self._ready):
            self._withhold(symbol)
        self._lost.clear()

    def suspect(self, reason: str) -> None:
        """Every book may be wrong: a frame of this table could not be read, or contradicts what is known."""
        for symbol in list(self._ready):
            self._lose(symbol, reason)

    def apply(self, frame: BookFrame, received: int) -> list[OrderBook]:
        """Take a whole frame, then return the books that changed and may be shown.

        `received` is the books' time where the rows have none (until 2022). A frame is applied as a whole: in the
        middle of it a book may well be crossed (7.6).
        """
        rows = frame.data or ()
        action = frame.action
        if action is _PARTIAL:
            return self._partial(frame.filter, rows, received)
        touched: list[_Ladder] = []
        symbol: str | None = None
        ladder: _Ladder | None = None
        for row in rows:
            if row.symbol != symbol or symbol is None:
                symbol = row.symbol
                ladder = self._ready.get(symbol) if symbol else None
                if ladder is not None and ladder not in touched:
                    touched.append(ladder)
            if ladder is not None:
                fault = ladder.apply(action, row)
            else:
                fault = "" if symbol else "a row without symbol"
                self.dropped += 1
            if fault:
                self.suspect(f"{symbol or frame.table}: {fault}")
                return []
        ts = (nanoseconds(rows[-1].timestamp) if rows else 0) or received
        return [ladder.book for ladder in touched if self._sound(ladder, ts)]

    def check(self, frame: QuoteFrame) -> None:
        """Let the quotes bear witness: a lost update of a size leaves no contradiction among a book's own rows.

        A frame tells every step on the way, so its last quote of a symbol is compared. In the session captured in 2021
        that was the top of the book at all 59 of them, price and size. Order among tables is not guaranteed though
        (12.3), so a book is lost only when `PATIENCE` frames in a row deny it.
        """
        newest = {row.symbol: row for row in frame.data or () if not row.pool or row.pool == _PRIMARY}
        for symbol, quote in newest.items():
            ladder = self._ready.get(symbol) if symbol else None
            if symbol is None or ladder is None:
                continue
            ladder.denials = 0 if ladder.agrees(quote) else ladder.denials + 1
            if ladder.denials >= PATIENCE:
                self._lose(symbol, f"{symbol}: {PATIENCE} quotes in a row deny its best prices")

    def _partial(self, scope: Filter | None, rows: Sequence[BookRow], received: int) -> list[OrderBook]:
        """Begin the books that a partial stands for anew; those of other symbols stay (trap 31)."""
        by_symbol: dict[str | None, list[BookRow]] = {symbol: [] for symbol in self._scope(scope)}
        named = scope.symbol if scope is not None else None
        for row in rows:
            if not named or row.symbol == named:
                by_symbol.setdefault(row.symbol, []).append(row)
        return [
            ladder.book
            for symbol, its_rows in by_symbol.items()
            if symbol and (ladder := self._ladders.get(symbol)) and self._begin(symbol, ladder, its_rows, received)
        ]

    def _scope(self, scope: Filter | None) -> list[str]:
        """The symbols whose books a partial begins even if it has no row of them: `{}` is the whole table (7.4)."""
        if scope is None:
            return []
        return [scope.symbol] if scope.symbol else list(self._ladders)

    def _begin(self, symbol: str, ladder: _Ladder, rows: Sequence[BookRow], received: int) -> bool:
        ladder.clear()
        self._ready[symbol] = ladder
        self._lost.pop(symbol, None)
        fault = next(filter(None, (ladder.apply(_INSERT, row) for row in rows)), "")
        if fault:
            self._lose(symbol, f"{symbol}: in a partial, {fault}")
            return False
        return self._sound(ladder, (nanoseconds(rows[-1].timestamp) if rows else 0) or received)

    def _sound(self, ladder: _Ladder, ts: int) -> bool:
        """End a frame: stamp the book, or lose it if it is crossed."""
        book = ladder.book
        book.ts = ts
        if book.is_crossed:
            self._lose(book.instrument.symbol, f"{book.instrument.symbol}: crossed at the end of a frame")
            return False
        return True

    def _lose(self, symbol: str, reason: str) -> None:
        self._withhold(symbol)
        self._lost[symbol] = reason

    def _withhold(self, symbol: str) -> None:
        """Whoever still holds the book finds it empty, never wrong."""
        self._ready.pop(symbol).clear()


class _Ladder:
    """The book of one symbol with the price behind each id of a side: ids are opaque (7.6, trap 3)."""

    __slots__ = ("_buys", "_grid", "_sells", "book", "denials")

    def __init__(self, instrument: Instrument) -> None:
        self.book = OrderBook(instrument)
        self.denials = 0
        self._buys: dict[int, int] = {}
        self._sells: dict[int, int] = {}
        self._grid: dict[float, int] = {}

    def clear(self) -> None:
        self.book.clear()
        self._buys.clear()
        self._sells.clear()
        self._grid.clear()
        self.denials = 0

    def agrees(self, quote: QuoteRow) -> bool:
        """True when both best levels are those of the quote; a side that the quote leaves out is not compared."""
        book = self.book
        for side, ticks, price, size in (
            (_BUY, book.best_bid_ticks, quote.bidPrice, quote.bidSize),
            (_SELL, book.best_ask_ticks, quote.askPrice, quote.askSize),
        ):
            if price is not None and (ticks is None or book.instrument.ticks(price) != ticks):
                return False
            if price is not None and size is not None and ticks is not None and book.size(side, ticks) != size:
                return False
        return True

    def apply(self, action: Action | None, row: BookRow) -> str:
        """Take one row; the fault if it contradicts what is known, else "".

        The row's own price counts where it has one; update and delete rows had none before 2023-04 (7.6).
        """
        if row.pool and row.pool != _PRIMARY:
            return ""
        number, word = row.id, row.side
        if word is _BUY_WORD:
            side, ids = _BUY, self._buys
        elif word is _SELL_WORD:
            side, ids = _SELL, self._sells
        else:
            return f"a row of side {word!s}"
        if number is None:
            return "a row without id"
        ticks = ids.get(number)
        if action is _DELETE:
            if ticks is None:
                return f"delete of the unknown id {number}"
            del ids[number]
            self.book.set(side, ticks, 0)
            return ""
        size = row.size
        if size is None or size <= 0:
            return f"a level of size {size}"
        if action is _UPDATE:
            if ticks is None:
                return f"update of the unknown id {number}"
            if row.price is None or self._grid.get(row.price) == ticks:
                self.book.set(side, ticks, size)
                return ""
            # The level has another price now: it moves.
            self.book.set(side, ticks, 0)
        elif action is not _INSERT:
            return f"an action {action!s}"
        elif ticks is not None:
            return f"insert of the known id {number}"
        return self._place(side, ids, number, row.price, size)

    def _place(self, side: Side, ids: dict[int, int], number: int, price: float | None, size: int) -> str:
        """Put a level where no other one may be: two ids of one side at one price mean that a delete is missing."""
        if price is None:
            return f"the new id {number} without price"
        ticks = self._grid.get(price)
        if ticks is None:
            instrument = self.book.instrument
            ticks = instrument.ticks(price)
            if abs(instrument.price(ticks) - price) > instrument.tick * ON_GRID:
                return f"price {price!r} is off the tick of {instrument.tick_size}: load the instruments again"
            if len(self._grid) >= _MAX_PRICES:
                self._grid.clear()
            self._grid[price] = ticks
        if self.book.size(side, ticks):
            return f"a second id, {number}, at the price {price!r}"
        ids[number] = ticks
        self.book.set(side, ticks, size)
        return ""


def apply_ten(row: Book10Row, book: OrderBook, received: int) -> bool:
    """Set a book to a row of `orderBook10`, which is always whole; False, and an empty book, for one that is crossed.

    Levels are pairs of price and size (7.5); one that is no such pair takes the whole row's worth.
    """
    book.clear()
    book.ts = nanoseconds(row.timestamp) or received
    for side, levels in ((Side.BUY, row.bids), (Side.SELL, row.asks)):
        for level in levels or ():
            if len(level) != 2 or not book.instrument.is_on_tick(level[0]):
                book.clear()
                return False
            book.set(side, book.instrument.ticks(level[0]), int(level[1]))
    if book.is_crossed:
        book.clear()
        return False
    return True


# -- tables with keys


class KeyedFrame(Protocol[R]):
    """A data frame of rows of one kind."""

    action: Action | None
    keys: list[str] | None
    filter: Filter | None
    data: list[R] | None


class Changes(Struct, Generic[R]):
    """What a frame did: rows as they stand now, merged; rows that are gone; rows of which nothing was known."""

    rows: list[R] = []
    removed: list[R] = []
    missing: list[R] = []


Key = tuple[object, ...]


class KeyedTable(Generic[R]):
    """The rows of `order`, `position`, `margin`, `wallet`, `instrument` or `liquidation` by their key.

    Which columns are the key is what the partial says: a position had `account, symbol, currency` in 2018, has
    `account, symbol, strategy` since 2025 (7.5). `finished` tells rows that are history: the exchange never takes an
    order away, so the last `keep` ended ones are kept for late updates and older ones are forgotten.
    """

    def __init__(self, *, finished: Callable[[R], bool] | None = None, keep: int = 1000) -> None:
        self._finished = finished
        self._keep = keep
        self._rows: dict[Key, R] = {}
        self._ended: dict[Key, None] = {}
        self._keys: tuple[str, ...] = ()
        self._whole = False
        self._symbols: set[str] = set()
        self.dropped = 0
        """Rows that came before their partial."""
        self.lost = ""
        """Why the table needs a new partial, empty while all is well; set back by the next partial."""

    @property
    def is_ready(self) -> bool:
        """True from the first partial on; an empty partial is one too (7.4)."""
        return self._whole or bool(self._symbols)

    @property
    def rows(self) -> list[R]:
        """The rows as they stand, finished ones that are still kept among them."""
        return list(self._rows.values())

    def reset(self) -> None:
        """Forget everything, as after a lost connection."""
        self._rows.clear()
        self._ended.clear()
        self._symbols.clear()
        self._whole = False
        self.lost = ""

    def suspect(self, reason: str) -> None:
        """A frame of this table could not be read: what it said is unknown until the next partial."""
        self.lost = reason

    def apply(self, frame: KeyedFrame[R]) -> Changes[R]:
        """Take a whole frame and return what it did."""
        changes: Changes[R] = Changes()
        rows = frame.data or []
        if frame.action is _PARTIAL:
            self._partial(frame, rows, changes)
            return changes
        step = {_INSERT: self._insert, _UPDATE: self._update, _DELETE: self._delete}.get(frame.action or _PARTIAL)
        if step is None:
            self.lost = f"an action {frame.action!s}"
            return changes
        for row in rows:
            if self._is_open(row):
                step(row, changes)
            else:
                self.dropped += 1
        return changes

    def _partial(self, frame: KeyedFrame[R], rows: list[R], changes: Changes[R]) -> None:
        """Replace the slice that the filter names; those of other symbols stay (trap 31)."""
        symbol = frame.filter.symbol if frame.filter is not None else None
        keys = tuple(frame.keys or ())
        columns = rows[0].__struct_fields__ if rows else keys
        if not keys or not set(keys) <= set(columns):
            # Rows under a guessed key could be taken for each other: two legs for one position.
            self.reset()
            self.lost = f"a partial with the keys {', '.join(keys) or 'none'}"
            return
        self._keys = keys
        old = {key: row for key, row in self._rows.items() if not symbol or getattr(row, "symbol", None) == symbol}
        for key in old:
            del self._rows[key]
            self._ended.pop(key, None)
        for row in rows:
            self._set(self._key(row), row)
        self._whole = self._whole or not symbol
        if symbol:
            self._symbols.add(symbol)
        self.lost = ""
        changes.rows.extend(rows)
        changes.removed.extend(row for key, row in old.items() if key not in self._rows)

    def _insert(self, row: R, changes: Changes[R]) -> None:
        key = self._key(row)
        before = self._rows.get(key)
        if before is not None and before != row:
            self.lost = f"insert of the known key {key}"
        self._set(key, row)
        changes.rows.append(row)

    def _update(self, row: R, changes: Changes[R]) -> None:
        key = self._key(row)
        before = self._rows.get(key)
        if before is None:
            self.lost = f"update of the unknown key {key}"
            changes.missing.append(row)
            return
        merged = merge(before, row)
        self._set(key, merged)
        changes.rows.append(merged)

    def _delete(self, row: R, changes: Changes[R]) -> None:
        key = self._key(row)
        before = self._rows.pop(key, None)
        self._ended.pop(key, None)
        if before is None:
            self.lost = f"delete of the unknown key {key}"
            changes.missing.append(row)
        else:
            changes.removed.append(before)

    def _key(self, row: R) -> Key:
        """Absent, null and "" are one key: an update may leave out what the partial had as "" (0.3)."""
        return tuple(None if (part := getattr(row, name)) is UNSET or part == "" else part for name in self._keys)

    def _is_open(self, row: R) -> bool:
        return self._whole or getattr(row, "symbol", None) in self._symbols

    def _set(self, key: Key, row: R) -> None:
        self._rows[key] = row
        if self._finished is None:
            return
        if not self._finished(row):
            self._ended.pop(key, None)
            return
        self._ended[key] = None
        if len(self._ended) > self._keep:
            oldest = next(iter(self._ended))
            del self._ended[oldest], self._rows[oldest]


def merge(before: R, change: R) -> R:
    """The row after an update: what the change leaves out is as before, what it says is null is now empty (0.3)."""
    old, new = msgspec.structs.astuple(before), msgspec.structs.astuple(change)
    return type(before)(*[was if now is UNSET else now for was, now in zip(old, new, strict=True)])


# -- tables that are only added to


class Feed(Generic[R]):
    """Rows of `trade`, `quote`, candles or `funding`, from the partial on.

    A partial holds the last row or two of each symbol (7.4): the newest quote, but trades that are history.
    """

    def __init__(self) -> None:
        self._whole = False
        self._symbols: set[str] = set()
        self.dropped = 0
        """Rows that came before their partial."""

    def reset(self) -> None:
        """Wait for a partial again."""
        self._whole = False
        self._symbols.clear()

    def apply(self, frame: KeyedFrame[R]) -> list[R]:
        """The frame's rows that may be handed on; `frame.action` tells whether they are history."""
        rows = frame.data or []
        if frame.action is _PARTIAL:
            symbol = frame.filter.symbol if frame.filter is not None else None
            self._whole = self._whole or not symbol
            if symbol:
                self._symbols.add(symbol)
            return rows
        if frame.action is not _INSERT:
            self.dropped += len(rows)
            return []
        if self._whole:
            return rows
        fit = [row for row in rows if getattr(row, "symbol", None) in self._symbols]
        self.dropped += len(rows) - len(fit)
        return fit


class ExecutionTable:
    """Rows of `execution`, each once: a partial repeats old ones after every reconnect (trap 15).

    Nothing is dropped before the partial: an execution is a fact by itself, and the partial need not have it. The last
    `keep` ids are remembered; a repetition older than that is told again, and the journal knows it.
    """

    def __init__(self, keep: int = 100_000) -> None:
        self._keep = keep
        self._seen: dict[str, None] = {}
        self.repeated = 0
        """Rows that were there before."""

    def apply(self, frame: ExecutionFrame) -> list[ExecutionRow]:
        """The rows of a frame that are news; ids outlive a reconnect, so there is no `reset`."""
        fresh = [row for row in frame.data or () if self._is_news(row)]
        self.repeated += len(frame.data or ()) - len(fresh)
        return fresh

    def _is_news(self, row: ExecutionRow) -> bool:
        if not row.execID:
            return True
        if row.execID in self._seen:
            return False
        self._seen[row.execID] = None
        if len(self._seen) > self._keep:
            del self._seen[next(iter(self._seen))]
        return True
