"""The touch of one symbol at the end of each minute, five minutes, hour and day (`/quote/bucketed`, `quoteBin*`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hbkit.clock import iso
from hbkit_bitmex.simulator.bins import SIZES
from hbkit_bitmex.simulator.packed import PackedRows
from hbkit_bitmex.simulator.retention import QUOTE_BINS_KEPT

Row = dict[str, Any]


class QuoteBins:
    """Kept from the quotes; a bin in which the touch did not change shows the one before, none before the first."""

    def __init__(self) -> None:
        self._last: Row | None = None
        self._closed: dict[str, PackedRows] = {size: PackedRows(QUOTE_BINS_KEPT) for size in SIZES}

    def add(self, row: Row) -> None:
        """A quote."""
        self._last = row

    def close(self, ts: int) -> dict[str, list[Row]]:
        """It is `ts`, a minute's boundary: the bins that end now, by size."""
        if self._last is None:
            return {}
        row = {**self._last, "timestamp": iso(ts)}
        ended = {size: [row] for size, ns in SIZES.items() if ts % ns == 0}
        for size in ended:
            self._closed[size].append(row)
        return ended

    def rows(self, size: str, *, partial: int | None = None) -> Sequence[Row]:
        """Those of a size, oldest first; with the unfinished one where `partial` says what time it is."""
        closed = self._closed[size]
        if partial is None or self._last is None:
            return closed
        ns = SIZES[size]
        return [*closed, {**self._last, "timestamp": iso(partial // ns * ns + ns)}]
