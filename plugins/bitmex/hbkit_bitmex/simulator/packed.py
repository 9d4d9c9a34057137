"""Rows that only grow, kept small: the newest as they are, older ones packed and compressed a block at a time.

An execution row costs about four kilobytes as a dict and a tenth of one in a block, for its neighbours have the same
columns and mostly the same words. A page of the newest rows, which is what clients ask for, unpacks nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any, overload

import msgspec

Row = dict[str, Any]

BLOCK = 100
LOOSE = 100
"""Newest rows that are never packed: the usual page of a list (protocol 4.1)."""


def pack(value: Any) -> bytes:
    """A row, or rows, as bytes: a third of a dict's size."""
    return msgspec.msgpack.encode(value)


def unpack(data: bytes) -> Any:
    """What was packed: same columns in the same order, same values of the same types."""
    return msgspec.msgpack.decode(data)


class PackedRows(Sequence[Row]):
    """A list of rows that grows at its end and forgets its beginning; what was added is not to be changed."""

    def __init__(self, most: int, block: int = BLOCK, loose: int = LOOSE) -> None:
        """:param most: how many rows are kept at least; `block` more are the most that there are.

        :param block: how many rows are packed together.
        :param loose: how many of the newest are never packed.
        """
        self._most, self._block, self._loose = most, block, loose
        self._blocks: list[bytes] = []
        self._rows: list[Row] = []
        self._open: tuple[int, list[Row]] | None = None
        """The block that was looked at last, by its place."""

    def append(self, row: Row) -> None:
        """One more, the newest."""
        self._rows.append(row)
        if len(self._rows) < self._loose + self._block:
            return
        self._blocks.append(zlib.compress(pack(self._rows[: self._block]), 1))
        del self._rows[: self._block]
        self._forget()

    def keep(self, most: int) -> None:
        """Keep this many from now on."""
        self._most = most
        self._forget()

    def _forget(self) -> None:
        """The oldest blocks go where there is one too many."""
        spare = (len(self) - self._most) // self._block
        if spare > 0 and self._blocks:
            del self._blocks[:spare]
            self._open = None

    def clear(self) -> None:
        """Forget all."""
        self._blocks.clear()
        self._rows.clear()
        self._open = None

    def __len__(self) -> int:
        return len(self._blocks) * self._block + len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        for data in self._blocks:
            yield from unpack(zlib.decompress(data))
        yield from self._rows

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> list[Row]: ...
    def __getitem__(self, place: int | slice) -> Row | list[Row]:
        if isinstance(place, slice):
            return [self[at] for at in range(*place.indices(len(self)))]
        at = place + len(self) if place < 0 else place
        if not 0 <= at < len(self):
            raise IndexError(place)
        block, inside = divmod(at, self._block)
        if block >= len(self._blocks):
            return self._rows[at - len(self._blocks) * self._block]
        if self._open is None or self._open[0] != block:
            self._open = block, unpack(zlib.decompress(self._blocks[block]))
        return self._open[1][inside]

    def __getstate__(self) -> dict[str, Any]:
        """Everything but what was looked at last."""
        return {**self.__dict__, "_open": None}
