"""The windows of one data file: chunk by chunk to checked batches, each row in its order in time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from hbkit.clock import duration_text, iso
from hbkit.data.cells import BadCell
from hbkit.data.columns import Cells, by_symbol, close_times, convert, names_of, rows_of, stamps, take
from hbkit.data.layout import Layout, Stamp
from hbkit.data.look import FileLook
from hbkit.data.source import Batch, Ints

CHUNK_ROWS = 65_536
"""Rows of a window: large enough for numpy to pay off, small enough that the text of a window stays below 50 MB."""


def windows_of(file: FileLook, symbol: str | None, start: int, end: int) -> Iterator[Sequence[Batch]]:
    """The rows of one file, chunk by chunk."""
    reader = _Reader(file, symbol)
    wanted = sorted({at for layout in file.layouts for at in layout.wanted()})
    for chunk in file.table.chunks(CHUNK_ROWS, wanted):
        batches = reader.read(dict(zip(wanted, chunk, strict=True)), len(chunk[0]))
        cut = [batch for batch in (batch.between(start, end) for batch in batches) if len(batch)]
        if cut:
            yield cut
        if reader.latest is not None and reader.latest >= end:
            return


class _Reader:
    """Turns chunks of cells into checked batches, and remembers what the next chunk must follow."""

    def __init__(self, file: FileLook, symbol: str | None) -> None:
        self._file = file
        self._symbol = symbol
        self._done = 0
        self._last_of: dict[str, int] = {}
        self.latest: int | None = None
        """ts of the last row read."""

    def read(self, columns: Mapping[int, Sequence[Any]], count: int) -> list[Batch]:
        """The batches of one chunk."""
        batches: list[Batch] = []
        latest = self.latest
        for layout in self._file.layouts:
            rows = rows_of(layout, columns, self._symbol)
            mine = {name: take(columns[at], rows) for name, at in layout.fields.items()}
            if not mine["time"]:
                continue
            try:
                batches += self._batches(layout, mine, names_of(layout, columns, rows), latest)
            except BadCell as bad:
                row = int(rows[bad.row]) if rows is not None else bad.row
                code = "HB504" if isinstance(bad, _Unsorted) else "HB501"
                self._file.table.refuse_row(self._done + row, bad.message, code=code)
        self._done += count
        return batches

    def _batches(self, layout: Layout, cells: Cells, names: list[str] | None, latest: int | None) -> list[Batch]:
        written = stamps(layout, cells, self._file.table.header)
        _check_order(written, None if latest is None else self._stamp_of(layout, latest))
        interval = self._file.interval
        ts = close_times(layout, written, interval)
        columns = convert(layout, cells, self._file.table.header, ts, interval)
        self.latest = int(ts[-1])
        text = duration_text(interval) if interval else ""
        batches = []
        for symbol, rows in by_symbol(names, layout.symbol or self._symbol or ""):
            mine = ts if rows is None else ts[rows]
            if interval:
                self._check_candle_times(symbol, mine, rows)
            picked = columns if rows is None else tuple(column[rows] for column in columns)
            batches.append(Batch(symbol, layout.kind, mine, picked, text))
        return batches

    def _stamp_of(self, layout: Layout, ts: int) -> int:
        return ts - self._file.interval if layout.stamp is Stamp.OPEN else ts

    def _check_candle_times(self, symbol: str, ts: Ints, rows: Ints | None) -> None:
        """No candle twice, none off the grid of the interval."""
        interval = self._file.interval
        before = self._last_of.get(symbol)
        steps = np.diff(ts, prepend=ts[0] - interval if before is None else before)
        good = (steps > 0) & (steps % interval == 0)
        if not good.all():
            at = int(np.argmin(good))
            row = at if rows is None else int(rows[at])
            if steps[at] == 0:
                raise BadCell(row, f"a second candle for {iso(int(ts[at]) - interval)}; remove one of them")
            raise BadCell(
                row,
                f"{duration_text(int(steps[at]))} after the candle before; they are {duration_text(interval)} apart",
            )
        self._last_of[symbol] = int(ts[-1])


class _Unsorted(BadCell):
    """A row that is earlier than the one before it."""


def _check_order(ts: Ints, before: int | None) -> None:
    """No row is earlier than the one before it; `before` is the last of the chunk before."""
    earlier = np.concatenate(([ts[0] if before is None else before], ts[:-1]))
    good = ts >= earlier
    if not good.all():
        row = int(np.argmin(good))
        raise _Unsorted(row, f"{iso(int(ts[row]))} comes after {iso(int(earlier[row]))}; sort the file by time")
