"""The first look at a data file: its kind, symbols, span and interval, from its ends and one quick pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hbkit.clock import DAY, SECOND, duration_text, iso
from hbkit.data.cells import BadCell
from hbkit.data.columns import by_symbol, close_times, names_of, rows_of, stamps, take
from hbkit.data.layout import Layout
from hbkit.data.source import Rows
from hbkit.data.table import TextTable

_SAMPLE_ROWS = 1_000


@dataclass(frozen=True)
class Span:
    """What one file has of one symbol."""

    rows: int
    first: int
    last: int

    def missing(self, interval: int) -> int:
        """Candles that are not there between the first and the last."""
        return (self.last - self.first) // interval + 1 - self.rows


@dataclass(frozen=True)
class FileLook:
    """One file after the first look."""

    table: TextTable
    layouts: Sequence[Layout]
    spans: Mapping[str, Span]
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

    @property
    def kind_text(self) -> str:
        """What a message calls the rows: `1m candles`."""
        text = f"{self.kind.value}s" if self.kind is not Rows.FUNDING else "funding"
        return f"{duration_text(self.interval)} {text}" if self.interval else text


def look_at(table: TextTable, found: Sequence[Layout], symbol: str | None) -> FileLook:
    """What a file has of `symbol`, of all its symbols for None; DataError when its first or last rows are no good."""
    ends = _Ends(table, found, symbol)
    interval = ends.interval()
    return FileLook(table, found, ends.spans(interval), interval)


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
            rows = rows_of(layout, columns, self._symbol)
            try:
                ts = stamps(
                    layout, {name: take(columns[at], rows) for name, at in layout.fields.items()}, self._table.header
                )
            except BadCell as bad:
                self._table.refuse_row(int(rows[bad.row]) if rows is not None else bad.row, bad.message)
            for _, mine in by_symbol(names_of(layout, columns, rows), ""):
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

    def spans(self, interval: int) -> dict[str, Span]:
        """Rows, first and last ts of each symbol."""
        found: dict[str, Span] = {}
        for layout in self._layouts:
            for name, count in self._counts.items():
                first, last = (self._time(layout, *ends[name], interval) for ends in (self._first, self._last))
                if last < first:
                    message = f"{iso(last)} comes after {iso(first)}; sort the file by time"
                    self._table.refuse(message, self._last[name][0], code="HB504")
                found[layout.symbol or name] = Span(count, first, last)
        return found

    def _time(self, layout: Layout, number: int, line: bytes, interval: int) -> int:
        cells = self._table.cells(line, number)
        try:
            ts = stamps(layout, {name: [cells[at]] for name, at in layout.fields.items()}, self._table.header)
        except BadCell as bad:
            self._table.refuse_line(number, bad.message)
        return int(close_times(layout, ts, interval)[0])
