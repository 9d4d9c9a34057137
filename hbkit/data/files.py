"""Recorded market data in text files: CSV or JSON lines, plain or gzip, read as the user's tools wrote them.

`FileSource` finds out from the column names what the rows are, looks at each file once for its span and symbols
(`info`), and then hands out windows of columns, each row checked before it is handed out (`windows`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hbkit.clock import DAY, SECOND, duration_text, iso
from hbkit.data import cells as parse
from hbkit.data.cells import BadCell
from hbkit.data.layout import Layout, Stamp, layouts
from hbkit.data.source import Batch, Floats, Ints, Provenance, Rows, SourceInfo
from hbkit.data.table import TextTable, cell_text
from hbkit.errors import DataError, Fault

CHUNK_ROWS = 65_536
"""Rows of a window: large enough for numpy to pay off, small enough that the text of a window stays below 50 MB."""
_SAMPLE_ROWS = 1_000
_MILLISECOND = 1_000_000
_DAY_TEXT = re.compile(r"\d{4}-?\d{2}-?\d{2}")
_CLOCK_TEXT = re.compile(r"\d{1,2}:?\d{2}(:?\d{2}(\.\d+)?)?Z?")

Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class _Span:
    """What one file has of one symbol."""

    rows: int
    first: int
    last: int

    def missing(self, interval: int) -> int:
        """Candles that are not there between the first and the last."""
        return (self.last - self.first) // interval + 1 - self.rows


@dataclass(frozen=True)
class _File:
    """One file after the first look."""

    table: TextTable
    layouts: Sequence[Layout]
    spans: Mapping[str, _Span]
    interval: int
    """Of candles, ns; else 0."""

    @property
    def kind(self) -> Rows:
        return self.layouts[0].kind

    @property
    def start(self) -> int:
        return min(span.first for span in self.spans.values())

    @property
    def end(self) -> int:
        return max(span.last for span in self.spans.values())

    @property
    def rows(self) -> int:
        return sum(span.rows for span in self.spans.values())


class FileSource:
    """One kind of rows of one or several symbols, from one file or several that follow each other in time."""

    def __init__(self, paths: Sequence[Path], *, symbol: str | None, name: str) -> None:
        if not paths:
            raise DataError("no data file is named; write replay: {data: {XBTUSD: file.csv}}", code="HB500")
        self._paths = [Path(path) for path in paths]
        self._symbol = symbol
        self._name = name
        self._looked: list[_File] = []

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
            open_is_previous_close=all(layout.is_bitmex for file in files for layout in file.layouts),
        )

    def _files(self) -> list[_File]:
        if not self._looked:
            files = sorted((self._look(path) for path in self._paths), key=lambda file: file.start)
            for before, after in pairwise(files):
                _check_follows(before, after)
            self._looked = files
        return self._looked

    def _look(self, path: Path) -> _File:
        """First rows, last rows and symbols of a file."""
        table = TextTable(path)
        found = layouts(table.header)
        if isinstance(found, str):
            table.refuse(found, 1)
        found = self._of_symbol(table, found)
        ends = _Ends(table, found, self._symbol)
        interval = ends.interval()
        return _File(table, found, ends.spans(interval), interval)

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
            yield from _windows(file, self._symbol, start, end)

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


def _check_follows(before: _File, after: _File) -> None:
    """Two neighbours in time hold the same kind of rows and do not overlap."""
    ours, theirs = _kind_text(before), _kind_text(after)
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


def _kind_text(file: _File) -> str:
    text = f"{file.kind.value}s" if file.kind is not Rows.FUNDING else "funding"
    return f"{duration_text(file.interval)} {text}" if file.interval else text


def _provenance(file: _File) -> Provenance:
    """The line of a report: file, rows, kind, span, and what the file does not tell."""
    parts = [
        f"{file.table.path.name}: {file.rows:,} {_kind_text(file)}, {', '.join(sorted(file.spans))}",
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
    return Provenance(_kind_text(file), "recorded", "; ".join(parts))


# -- the first look ----------------------------------------------------------------------------------------------------


class _Ends:
    """First and last line of each symbol of a file, and the times of its first rows."""

    def __init__(self, table: TextTable, found: Sequence[Layout], symbol: str | None) -> None:
        self._table = table
        self._layouts = found
        self._symbol = symbol
        self._counts: Counter[str] = Counter()
        self._first: dict[str, tuple[int, bytes]] = {}
        self._last: dict[str, tuple[int, bytes]] = {}
        self._steps: list[int] = []
        self._scan()
        self._sample()

    def _scan(self) -> None:
        """One pass over the raw lines; nothing is parsed but the symbol."""
        at = self._layouts[0].fields.get("symbol")
        cut = self._table.cutter(at) if at is not None else None
        counts, first, last = self._counts, self._first, self._last
        name = self._symbol or ""
        count, number, line = 0, 0, b""
        for number, line in self._table.raw_lines():
            count += 1
            if cut is not None:
                name = cut(line, number)
                counts[name] += 1
                last[name] = (number, line)
            if name not in first:
                first[name] = (number, line)
        if not count:
            self._table.refuse("a header, but no rows; add one row per line")
        if cut is None:
            counts[name], last[name] = count, (number, line)
        self._pick_symbol(at is not None)

    def _pick_symbol(self, in_column: bool) -> None:
        """Keep what was asked for; a repeated header is no symbol."""
        for name in [name for name in self._counts if in_column and name in self._table.header]:
            self._table.refuse_line(self._first[name][0], f'"{name}" is the name of a column, not a symbol')
        if "" in self._counts and in_column:
            self._table.refuse("no value in the column symbol; fill it or remove the line", self._first[""][0])
        if not in_column or self._symbol is None:
            return
        if self._symbol not in self._counts:
            names = ", ".join(sorted(self._counts)[:5])
            mend = f"write replay: {{data: {{{next(iter(self._counts))}: {self._table.path.name}}}}}"
            self._table.refuse(f"no rows of {self._symbol}; the column symbol has {names}; {mend}")
        self._counts = Counter({self._symbol: self._counts[self._symbol]})

    def _sample(self) -> None:
        """Convert the first rows: faults of a whole column show at once, and the steps tell the interval."""
        layout = self._layouts[0]
        wanted = layout.wanted()
        for chunk in self._table.chunks(_SAMPLE_ROWS, wanted):
            columns = dict(zip(wanted, chunk, strict=True))
            rows = _rows_of(layout, columns, self._symbol)
            try:
                ts = _times(layout, {name: _take(columns[at], rows) for name, at in layout.fields.items()}, self._table)
            except BadCell as bad:
                self._table.refuse_row(int(rows[bad.row]) if rows is not None else bad.row, bad.message)
            for _, mine in _by_symbol(_names(layout, columns, rows), ""):
                self._steps += np.diff(ts if mine is None else ts[mine]).tolist()
            if self._steps or layout.kind is not Rows.CANDLE:
                return

    def interval(self) -> int:
        """Of candles: the smallest step if all others are multiples of it, else the most common one; 0 for others."""
        if self._layouts[0].kind is not Rows.CANDLE:
            return 0
        steps = Counter(step for step in self._steps if step > 0)
        if not steps:
            self._table.refuse("one candle only: its interval is not known; give at least two rows")
        smallest = min(steps)
        common = max(steps, key=lambda step: (steps[step], -step))
        interval = smallest if all(step % smallest == 0 for step in steps) else common
        if interval % SECOND or interval > DAY:
            text = duration_text(interval)
            self._table.refuse(f"candles {text} apart; hbkit takes intervals of whole seconds from 1s to 1d")
        return interval

    def spans(self, interval: int) -> dict[str, _Span]:
        """Rows, first and last ts of each symbol."""
        found: dict[str, _Span] = {}
        for layout in self._layouts:
            for name, count in self._counts.items():
                first, last = (self._time(layout, *ends[name], interval) for ends in (self._first, self._last))
                if last < first:
                    message = f"{iso(last)} comes after {iso(first)}; sort the file by time"
                    self._table.refuse(message, self._last[name][0], code="HB504")
                found[layout.symbol or name] = _Span(count, first, last)
        return found

    def _time(self, layout: Layout, number: int, line: bytes, interval: int) -> int:
        cells = self._table.cells(line, number)
        try:
            ts = _times(layout, {name: [cells[at]] for name, at in layout.fields.items()}, self._table)
        except BadCell as bad:
            self._table.refuse_line(number, bad.message)
        return int(_close_times(layout, ts, interval)[0])


# -- rows to columns ---------------------------------------------------------------------------------------------------


def _windows(file: _File, symbol: str | None, start: int, end: int) -> Iterator[Sequence[Batch]]:
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

    def __init__(self, file: _File, symbol: str | None) -> None:
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
            rows = _rows_of(layout, columns, self._symbol)
            mine = {name: _take(columns[at], rows) for name, at in layout.fields.items()}
            if not mine["time"]:
                continue
            try:
                batches += self._batches(layout, mine, _names(layout, columns, rows), latest)
            except BadCell as bad:
                row = int(rows[bad.row]) if rows is not None else bad.row
                code = "HB504" if isinstance(bad, _Unsorted) else "HB501"
                self._file.table.refuse_row(self._done + row, bad.message, code=code)
        self._done += count
        return batches

    def _batches(self, layout: Layout, cells: Columns, names: list[str] | None, latest: int | None) -> list[Batch]:
        stamps = _times(layout, cells, self._file.table)
        _check_order(stamps, None if latest is None else self._stamp_of(layout, latest))
        interval = self._file.interval
        ts = _close_times(layout, stamps, interval)
        columns = _CONVERT[layout.kind](cells, self._file.table.header, layout, ts, interval)
        self.latest = int(ts[-1])
        text = duration_text(interval) if interval else ""
        batches = []
        for symbol, rows in _by_symbol(names, layout.symbol or self._symbol or ""):
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


def _rows_of(layout: Layout, columns: Mapping[int, Sequence[Any]], symbol: str | None) -> Ints | None:
    """Indices of the wanted symbol's rows, None for all."""
    at = layout.fields.get("symbol")
    if at is None or symbol is None:
        return None
    if columns[at].count(symbol) == len(columns[at]):
        return None
    return np.flatnonzero(np.array([cell_text(cell) == symbol for cell in columns[at]], np.bool_))


def _take(cells: Sequence[Any], rows: Ints | None) -> Sequence[Any]:
    return cells if rows is None else [cells[row] for row in rows.tolist()]


def _names(layout: Layout, columns: Mapping[int, Sequence[Any]], rows: Ints | None) -> list[str] | None:
    """The symbol of each row, None without such a column."""
    at = layout.fields.get("symbol")
    return None if at is None else [cell_text(cell) for cell in _take(columns[at], rows)]


def _by_symbol(names: Sequence[str] | None, otherwise: str) -> list[tuple[str, Ints | None]]:
    """Each symbol with the indices of its rows, None where all are of one symbol."""
    if names is None:
        return [(otherwise, None)]
    symbols = sorted(set(names))
    if len(symbols) == 1:
        return [(symbols[0], None)]
    numbers = {symbol: number for number, symbol in enumerate(symbols)}
    codes = np.fromiter(map(numbers.__getitem__, names), np.int64, len(names))
    return [(symbol, np.flatnonzero(codes == number)) for symbol, number in numbers.items()]


def _times(layout: Layout, cells: Columns, table: TextTable) -> Ints:
    """The time column as it stands in the file, ns."""
    name = table.header[layout.fields["time"]]
    column = cells["time"]
    if "date" in cells and column and _is_split(cells["date"][0], column[0]):
        column = [f"{date}T{time}" for date, time in zip(cells["date"], column, strict=True)]
        return parse.times(column, f"date, {name}")
    return parse.times(column, name)


def _is_split(date: Any, time: Any) -> bool:
    """Whether day and time of day stand in two columns, as in `20171128,0100`."""
    return bool(_DAY_TEXT.fullmatch(str(date)) and _CLOCK_TEXT.fullmatch(str(time)))


def _close_times(layout: Layout, ts: Ints, interval: int) -> Ints:
    """The ts of rows: as it stands, of candles that are stamped at their open one interval later."""
    if layout.stamp is Stamp.OPEN:
        return ts + interval
    if layout.stamp is Stamp.CLOSE:
        # Some venues write the last millisecond of the bin (...59.999) for its end.
        return np.where((ts + _MILLISECOND) % SECOND == 0, ts + _MILLISECOND, ts)
    return ts


class _Fields:
    """The cells of one chunk by field, converted with the file's own names in the messages."""

    def __init__(self, cells: Columns, header: Sequence[str], layout: Layout) -> None:
        self._cells = cells
        self._header = header
        self._layout = layout

    def __contains__(self, field: str) -> bool:
        return field in self._cells

    def name(self, field: str) -> str:
        return self._header[self._layout.fields[field]]

    def prices(self, field: str) -> Floats:
        """Numbers above 0."""
        found = parse.numbers(self._cells[field], self.name(field))
        good = (found > 0) & (found < np.inf)
        parse.require(good, self._cells[field], f"{self.name(field)} is {{}}; a price is above 0")
        return found

    def sizes(self, field: str, *, otherwise: float = np.nan, empty: float | None = np.nan) -> Floats:
        """Numbers of 0 or more; `empty` for empty cells, `otherwise` where there is no such column."""
        cells = self._cells.get(field)
        if cells is None:
            return np.full(len(self._cells["time"]), otherwise)
        found = parse.numbers(cells, self.name(field), empty=empty)
        good = (found >= 0) & (found < np.inf)
        if empty is not None:
            good |= np.isnan(found)
        parse.require(good, cells, f"{self.name(field)} is {{}}; a quantity is 0 or more")
        return found

    def finite(self, field: str) -> Floats:
        """Numbers of either sign."""
        found = parse.numbers(self._cells[field], self.name(field))
        parse.require(np.isfinite(found), self._cells[field], f"{self.name(field)} is {{}}; write a number")
        return found

    def side(self) -> Ints:
        """Side of the taker, 0 where there is no such column."""
        if "side" in self:
            return parse.sides(self._cells["side"], self.name("side"))
        if "is_buyer_maker" in self:
            return parse.sides(self._cells["is_buyer_maker"], self.name("is_buyer_maker"), is_maker_flag=True)
        return np.zeros(len(self._cells["time"]), np.int64)

    def moments(self, field: str) -> Ints:
        """Times, 0 where there is none."""
        cells = self._cells.get(field)
        if cells is None or all(parse.is_empty(cell) for cell in cells):
            return np.zeros(len(self._cells["time"]), np.int64)
        known = [row for row, cell in enumerate(cells) if not parse.is_empty(cell)]
        found = np.zeros(len(cells), np.int64)
        try:
            found[known] = parse.times([cells[row] for row in known], self.name(field))
        except BadCell as bad:
            raise BadCell(known[bad.row], bad.message) from None
        return found


_Columns = tuple[npt.NDArray[Any], ...]


def _candles(cells: Columns, header: Sequence[str], layout: Layout, ts: Ints, interval: int) -> _Columns:
    fields = _Fields(cells, header, layout)
    opened, high, low, close = (fields.prices(name) for name in ("open", "high", "low", "close"))
    # The open may lie outside: BitMEX writes the close before. High below low is no candle at all.
    parse.require(high >= low, cells["high"], f"{fields.name('high')} {{}} is below {fields.name('low')}")
    volume = fields.sizes("volume", otherwise=0.0)
    if "trades" in fields:
        counted = fields.sizes("trades")
        trades = np.where(np.isnan(counted), -1, np.nan_to_num(counted)).astype(np.int64)
    else:
        # No count, but a volume of 0 tells that nothing traded.
        trades = np.where((volume == 0) & ("volume" in fields), 0, -1).astype(np.int64)
    return ts - interval, opened, high, low, close, volume, trades


def _trades(cells: Columns, header: Sequence[str], layout: Layout, _ts: Ints, _interval: int) -> _Columns:
    fields = _Fields(cells, header, layout)
    return fields.side(), fields.prices("price"), fields.sizes("qty", empty=None)


def _quotes(cells: Columns, header: Sequence[str], layout: Layout, _ts: Ints, _interval: int) -> _Columns:
    fields = _Fields(cells, header, layout)
    return fields.prices("bid"), fields.prices("ask"), fields.sizes("bid_qty"), fields.sizes("ask_qty")


def _marks(cells: Columns, header: Sequence[str], layout: Layout, _ts: Ints, _interval: int) -> _Columns:
    fields = _Fields(cells, header, layout)
    return fields.prices("mark"), fields.sizes("index")


def _fundings(cells: Columns, header: Sequence[str], layout: Layout, _ts: Ints, _interval: int) -> _Columns:
    fields = _Fields(cells, header, layout)
    return fields.finite("rate"), fields.moments("next_ts")


_CONVERT = {
    Rows.CANDLE: _candles,
    Rows.TRADE: _trades,
    Rows.QUOTE: _quotes,
    Rows.MARK: _marks,
    Rows.FUNDING: _fundings,
}
