"""Cells of a chunk to the columns of a batch, each value checked; and picking out the rows of a symbol."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hbkit.clock import SECOND
from hbkit.data import cells as parse
from hbkit.data.cells import BadCell
from hbkit.data.layout import Layout, Stamp
from hbkit.data.source import Floats, Ints, Rows
from hbkit.data.table import cell_text

_MILLISECOND = 1_000_000
_DAY_TEXT = re.compile(r"\d{4}-?\d{2}-?\d{2}")
_CLOCK_TEXT = re.compile(r"\d{1,2}:?\d{2}(:?\d{2}(\.\d+)?)?Z?")

Cells = Mapping[str, Sequence[Any]]
"""The cells of a chunk by field."""
Columns = tuple[npt.NDArray[Any], ...]


def convert(layout: Layout, cells: Cells, header: Sequence[str], ts: Ints, interval: int) -> Columns:
    """The columns of COLUMNS[layout.kind]; BadCell for the first row that cannot be used."""
    return _CONVERT[layout.kind](_Fields(cells, header, layout), ts, interval)


def stamps(layout: Layout, cells: Cells, header: Sequence[str]) -> Ints:
    """The time column as it stands in the file, ns."""
    name = header[layout.fields["time"]]
    column = cells["time"]
    if "date" in cells and column and _is_split(cells["date"][0], column[0]):
        column = [f"{date}T{time}" for date, time in zip(cells["date"], column, strict=True)]
        return parse.times(column, f"date, {name}")
    return parse.times(column, name)


def _is_split(date: Any, time: Any) -> bool:
    """Whether day and time of day stand in two columns, as in `20171128,0100`."""
    return bool(_DAY_TEXT.fullmatch(str(date)) and _CLOCK_TEXT.fullmatch(str(time)))


def close_times(layout: Layout, ts: Ints, interval: int) -> Ints:
    """The ts of rows: as it stands, of candles that are stamped at their open one interval later."""
    if layout.stamp is Stamp.OPEN:
        return ts + interval
    if layout.stamp is Stamp.CLOSE:
        # Some venues write the last millisecond of the bin (...59.999) for its end.
        return np.where((ts + _MILLISECOND) % SECOND == 0, ts + _MILLISECOND, ts)
    return ts


def rows_of(layout: Layout, columns: Mapping[int, Sequence[Any]], symbol: str | None) -> Ints | None:
    """Indices of the wanted symbol's rows, None for all."""
    at = layout.fields.get("symbol")
    if at is None or symbol is None:
        return None
    if columns[at].count(symbol) == len(columns[at]):
        return None
    return np.flatnonzero(np.array([cell_text(cell) == symbol for cell in columns[at]], np.bool_))


def take(cells: Sequence[Any], rows: Ints | None) -> Sequence[Any]:
    """The cells at `rows`, all of them for None."""
    return cells if rows is None else [cells[row] for row in rows.tolist()]


def names_of(layout: Layout, columns: Mapping[int, Sequence[Any]], rows: Ints | None) -> list[str] | None:
    """The symbol of each row, None without such a column."""
    at = layout.fields.get("symbol")
    return None if at is None else [cell_text(cell) for cell in take(columns[at], rows)]


def by_symbol(names: Sequence[str] | None, otherwise: str) -> list[tuple[str, Ints | None]]:
    """Each symbol with the indices of its rows, None where all are of one symbol."""
    if names is None:
        return [(otherwise, None)]
    symbols = sorted(set(names))
    if len(symbols) == 1:
        return [(symbols[0], None)]
    numbers = {symbol: number for number, symbol in enumerate(symbols)}
    codes = np.fromiter(map(numbers.__getitem__, names), np.int64, len(names))
    return [(symbol, np.flatnonzero(codes == number)) for symbol, number in numbers.items()]


# -- values of each kind -----------------------------------------------------------------------------------------------


class _Fields:
    """The cells of one chunk by field, converted with the file's own names in the messages."""

    def __init__(self, cells: Cells, header: Sequence[str], layout: Layout) -> None:
        self._cells = cells
        self._header = header
        self._layout = layout

    def __contains__(self, field: str) -> bool:
        return field in self._cells

    def cells(self, field: str) -> Sequence[Any]:
        return self._cells[field]

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


def _candles(fields: _Fields, ts: Ints, interval: int) -> Columns:
    opened, high, low, close = (fields.prices(name) for name in ("open", "high", "low", "close"))
    # The open may lie outside: BitMEX writes the close before. High below low is no candle at all.
    parse.require(high >= low, fields.cells("high"), f"{fields.name('high')} {{}} is below {fields.name('low')}")
    volume = fields.sizes("volume", otherwise=0.0)
    if "trades" in fields:
        counted = fields.sizes("trades")
        trades = np.where(np.isnan(counted), -1, np.nan_to_num(counted)).astype(np.int64)
    else:
        # No count, but a volume of 0 tells that nothing traded.
        trades = np.where((volume == 0) & ("volume" in fields), 0, -1).astype(np.int64)
    return ts - interval, opened, high, low, close, volume, trades


def _trades(fields: _Fields, _ts: Ints, _interval: int) -> Columns:
    return fields.side(), fields.prices("price"), fields.sizes("qty", empty=None)


def _quotes(fields: _Fields, _ts: Ints, _interval: int) -> Columns:
    return fields.prices("bid"), fields.prices("ask"), fields.sizes("bid_qty"), fields.sizes("ask_qty")


def _marks(fields: _Fields, _ts: Ints, _interval: int) -> Columns:
    return fields.prices("mark"), fields.sizes("index")


def _fundings(fields: _Fields, _ts: Ints, _interval: int) -> Columns:
    return fields.finite("rate"), fields.moments("next_ts")


_CONVERT = {
    Rows.CANDLE: _candles,
    Rows.TRADE: _trades,
    Rows.QUOTE: _quotes,
    Rows.MARK: _marks,
    Rows.FUNDING: _fundings,
}
