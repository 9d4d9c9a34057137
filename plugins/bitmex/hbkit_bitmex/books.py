"""The order books of a BitMEX socket, each trusted only from its partial on.

There are no sequence numbers and no checksums (7.4 of the project's BitMEX protocol reference): a lost frame is seen
only where a later row, or the quotes, contradict what is known. From then on the table says so (`lost`), shows nothing
of what may be wrong, and waits for the next partial. What nothing contradicts cannot be seen: a size that was lost and
that nobody speaks of again. TCP loses no frame, so `lost` means a fault of ours or of the exchange, never the weather.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from hbkit.model.book import OrderBook
from hbkit.model.enums import Side
from hbkit.model.instrument import ON_GRID, Instrument
from hbkit_bitmex.frames import BookFrame, Filter, QuoteFrame
from hbkit_bitmex.rows import Book10Row, BookRow, QuoteRow
from hbkit_bitmex.words import Action, BookSide, nanoseconds

# Members under names of this file: looking them up in their enum for each row shows in the cost of a frame.
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
