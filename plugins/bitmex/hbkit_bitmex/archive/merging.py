"""Rows of several files as one history: each once, the oldest first.

Rows with an id are one where the id is one. Rows without, as BitMEX's pages exported them, are told apart by what they
say: what one file has once more than those before it is new, so that two equal rows of one file stay two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Protocol, TypeVar

from hbkit.errors import DataError, Fault
from hbkit_bitmex.archive.files import Row


class Line(Protocol):
    """What both kinds of rows have."""

    @property
    def row(self) -> Row:
        """Where it stands."""
        ...

    @property
    def ts(self) -> int:
        """When it was booked."""
        ...

    @property
    def id(self) -> str:
        """The exchange's id, empty where the file has none."""
        ...


T = TypeVar("T", bound=Line)


def merged(
    files: Iterable[Sequence[T]],
    looks: Callable[[T], Hashable],
    contradiction: Callable[[T, T], str],
    *,
    replaces: Callable[[T, T], bool] = lambda new, old: False,
) -> tuple[list[T], list[T]]:
    """All rows once, and those that were there before.

    :param looks: what makes two rows without an id equal.
    :param contradiction: why two rows of one id cannot both be right, empty where they can.
    :param replaces: whether a row says more than one of the same id before it.

    Raises DataError where rows contradict each other.
    """
    named: dict[str, T] = {}
    nameless: list[list[T]] = []
    twice: list[T] = []
    faults: list[Fault] = []
    for rows in files:
        rest = []
        for one in _oldest_first(rows):
            if not one.id:
                rest.append(one)
                continue
            before = named.get(one.id)
            if before is None:
                named[one.id] = one
                continue
            twice.append(one)
            if message := contradiction(one, before):
                faults.append(Fault("HB514", message, one.row.file, one.row.line))
            elif replaces(one, before):
                named[one.id] = one
        nameless.append(rest)
    if faults:
        raise DataError(faults)
    kept = list(named.values())
    for rest in nameless:
        have = Counter(map(looks, kept)) if rest else Counter[Hashable]()
        for one in rest:
            if have[looks(one)] > 0:
                have[looks(one)] -= 1
                twice.append(one)
            else:
                kept.append(one)
    return sorted(kept, key=lambda one: one.ts), twice


def _oldest_first(rows: Sequence[T]) -> Sequence[T]:
    """The exchange tells the newest first; rows of one moment keep the order in which they were booked."""
    return rows[::-1] if len(rows) > 1 and rows[0].ts > rows[-1].ts else rows
