"""What a BitMEX socket has told so far, besides its books: keyed rows and feeds, trusted only from their partials on.

There are no sequence numbers (7.4 of the project's BitMEX protocol reference): a lost frame is seen only where a later
row speaks of a key that nobody knows. The table says so then (`lost`) and waits for the next partial. A new connection
begins with `reset` on every table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import msgspec
from msgspec import UNSET, Struct

from hbkit_bitmex.frames import ExecutionFrame, Filter
from hbkit_bitmex.rows import ExecutionRow
from hbkit_bitmex.words import Action

R = TypeVar("R", bound=Struct)


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

    def __init__(self, kind: type[R], *, finished: Callable[[R], bool] | None = None, keep: int = 1000) -> None:
        self._columns = frozenset(kind.__struct_fields__)
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
        if frame.action is Action.PARTIAL:
            self._partial(frame, rows, changes)
            return changes
        step = {Action.INSERT: self._insert, Action.UPDATE: self._update, Action.DELETE: self._delete}.get(
            frame.action or Action.PARTIAL
        )
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
        if not keys or not self._columns.issuperset(keys):
            # Rows under a guessed key could be taken for each other: two legs for one position.
            self.reset()
            self.lost = f"a partial with the keys {', '.join(keys) or 'none'}"
            return
        self._keys = keys
        old = {key: row for key, row in self._rows.items() if not symbol or getattr(row, "symbol", None) == symbol}
        for key in old:
            del self._rows[key]
            self._ended.pop(key, None)
        self.lost = ""
        for row in rows:
            self._set(self._key(row), row)
        self._whole = self._whole or not symbol
        if symbol:
            self._symbols.add(symbol)
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
        if all(part is None for part in key):
            # Rows without any key would take each other's place.
            self.lost = "a row without its key"
            return
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
        if frame.action is Action.PARTIAL:
            symbol = frame.filter.symbol if frame.filter is not None else None
            self._whole = self._whole or not symbol
            if symbol:
                self._symbols.add(symbol)
            return rows
        if frame.action is not Action.INSERT:
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
