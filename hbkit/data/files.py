"""Recorded market data in text files: CSV or JSON lines, plain or gzip, read as the user's tools wrote them.

`FileSource` finds out from the column names what the rows are, looks at each file once for its span and symbols
(`info`), and then hands out windows of columns, each row checked before it is handed out (`windows`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from hbkit.clock import duration_text, iso
from hbkit.data.layout import Layout, Stamp, layouts
from hbkit.data.look import FileLook, look_at
from hbkit.data.reader import windows_of
from hbkit.data.source import Batch, Ints, Provenance, Rows, SourceInfo
from hbkit.data.table import TextTable
from hbkit.errors import DataError, Fault


class FileSource:
    """One kind of rows of one or several symbols, from one file or several that follow each other in time."""

    def __init__(self, paths: Sequence[Path], *, symbol: str | None, name: str) -> None:
        if not paths:
            raise DataError("no data file is named; write replay: {data: {XBTUSD: file.csv}}", code="HB500")
        self._paths = [Path(path) for path in paths]
        self._symbol = symbol
        self._name = name
        self._looked: list[FileLook] = []

    # -- what there is -------------------------------------------------------------------------------------------

    def info(self) -> SourceInfo:
        """Span, kinds and symbols from a look at every file; raises DataError when one of them cannot be used."""
        files = self._files()
        symbols = sorted({symbol for file in files for symbol in file.spans})
        kind = files[0].kind
        intervals = {symbol: (duration_text(files[0].interval),) for symbol in symbols} if files[0].interval else {}
        return SourceInfo(
            name=self._name,
            kinds={symbol: frozenset({kind}) for symbol in symbols},
            start=files[0].start,
            end=max(file.end for file in files),
            intervals=intervals,
            sizes_known=kind is Rows.QUOTE and all(_has_sizes(layout) for file in files for layout in file.layouts),
            rows=sum(file.rows for file in files),
            provenance=[_provenance(file) for file in files],
            open_is_previous_close=all(layout.opens_at_last_close for file in files for layout in file.layouts),
        )

    def _files(self) -> list[FileLook]:
        if not self._looked:
            files = sorted((self._look(path) for path in self._paths), key=lambda file: file.start)
            for before, after in pairwise(files):
                _check_follows(before, after)
            self._looked = files
        return self._looked

    def _look(self, path: Path) -> FileLook:
        """The first look at a file."""
        table = TextTable(path)
        found = layouts(table.header)
        if isinstance(found, str):
            table.refuse(found, 1)
        return look_at(table, self._of_symbol(table, found), self._symbol)

    def _of_symbol(self, table: TextTable, found: list[Layout]) -> list[Layout]:
        """The layouts that belong to the wanted symbol; names the mend where no symbol is known."""
        if found[0].symbol is None:
            if self._symbol is None and "symbol" not in found[0].fields:
                table.refuse("whose rows are these? write replay: {data: {XBTUSD: " + table.path.name + "}}")
            return found
        if self._symbol is None:
            return found
        mine = [layout for layout in found if layout.symbol == self._symbol.upper()]
        if not mine:
            names = ", ".join(str(layout.symbol) for layout in found)
            table.refuse(f"no columns of {self._symbol}; the file has {names}", 1)
        return mine

    # -- the rows ------------------------------------------------------------------------------------------------

    def windows(self, start: int, end: int) -> Iterator[Sequence[Batch]]:
        """Rows with start <= ts < end in windows of ascending time, every row checked; DataError has file and line."""
        files = self._files()
        first, last = files[0].start, max(file.end for file in files)
        if end <= first or start > last:
            asked = f"{iso(start)}..{iso(end)}"
            raise DataError(f"data covers {iso(first)}..{iso(last)}; asked {asked}", code="HB503")
        for file in files:
            if file.end < start:
                continue
            if file.start >= end:
                return
            yield from windows_of(file, self._symbol, start, end)

    def warnings(self) -> list[Fault]:
        """Read every row, as a check does, and tell of each symbol's outages and gaps; DataError for a fault."""
        files = self._files()
        if files[0].kind is not Rows.CANDLE:
            for _ in self.windows(files[0].start, files[-1].end + 1):
                pass
            return []
        opened: dict[str, list[Ints]] = {}
        empty: dict[str, list[Ints]] = {}
        for window in self.windows(files[0].start, files[-1].end + 1):
            for batch in window:
                opened.setdefault(batch.symbol, []).append(batch.columns[0])
                empty.setdefault(batch.symbol, []).append(batch.columns[0][batch.columns[6] == 0])
        found: list[Fault] = []
        for symbol in sorted(opened):
            interval = files[0].interval
            found += _outages(symbol, np.concatenate(empty[symbol]), interval)
            found += _gaps(symbol, np.concatenate(opened[symbol]), interval)
        return found


def _outages(symbol: str, empty: Ints, interval: int) -> list[Fault]:
    """A warning about candles without trades, if there are any."""
    if not len(empty):
        return []
    runs = np.split(empty, np.flatnonzero(np.diff(empty) != interval) + 1)
    longest = max(runs, key=len)
    message = (
        f"{symbol}: {len(empty):,} {duration_text(interval)} candles without trades (kept, flagged); "
        f"the longest stretch is {len(longest):,} from {iso(int(longest[0]))}"
    )
    return [Fault("HB502", message, severity="warning")]


def _gaps(symbol: str, opened: Ints, interval: int) -> list[Fault]:
    """A warning about candles that are not in the files, if there are any."""
    missing = np.diff(opened) // interval - 1
    if not missing.sum():
        return []
    at = int(np.argmax(missing))
    message = (
        f"{symbol}: {int(missing.sum()):,} {duration_text(interval)} candles are missing (left out, not invented); "
        f"the longest gap is {int(missing[at]):,} from {iso(int(opened[at]) + interval)}"
    )
    return [Fault("HB502", message, severity="warning")]


def _has_sizes(layout: Layout) -> bool:
    return "bid_qty" in layout.fields and "ask_qty" in layout.fields


def _check_follows(before: FileLook, after: FileLook) -> None:
    """Two neighbours in time hold the same kind of rows and do not overlap."""
    ours, theirs = before.kind_text, after.kind_text
    name = before.table.path.name
    if ours != theirs:
        after.table.refuse(f"{theirs}, but {name} holds {ours}; name files of one kind together")
    for symbol, span in after.spans.items():
        earlier = before.spans.get(symbol)
        if earlier is not None and span.first < earlier.last + bool(after.interval):
            after.table.refuse(
                f"begins {iso(span.first)}, before {name} ends {iso(earlier.last)}; remove the rows they share",
                code="HB504",
            )
    if after.start < before.end:
        after.table.refuse(
            f"begins {iso(after.start)}, before {name} ends {iso(before.end)}; name files of different symbols apart",
            code="HB504",
        )


def _provenance(file: FileLook) -> Provenance:
    """The line of a report: file, rows, kind, span, and what the file does not tell."""
    parts = [
        f"{file.table.path.name}: {file.rows:,} {file.kind_text}, {', '.join(sorted(file.spans))}",
        f"{iso(file.start)} to {iso(file.end)}",
    ]
    if file.interval:
        missing = sum(span.missing(file.interval) for span in file.spans.values())
        if missing > 0:
            parts.append(f"{missing:,} intervals missing (kept as gaps)")
        if "volume" not in file.layouts[0].fields:
            parts.append("no volume column (volume is 0)")
        if file.layouts[0].stamp is Stamp.CLOSE:
            parts.append("stamped at the end of the interval")
    return Provenance(file.kind_text, "recorded", "; ".join(parts))
