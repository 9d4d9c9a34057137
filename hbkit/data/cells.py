"""Cells of text to numpy columns: times, numbers, sides; a whole column at once, row by row only to find a fault."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hbkit.clock import SECOND, parse_time
from hbkit.data.source import Floats, Ints

_EMPTY = frozenset({"", "nan", "none", "null", "na", "n/a"})
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")
_DATE = re.compile(r"(19|20)\d{6}")
_SIDES = {"buy": 1, "b": 1, "bid": 1, "sell": -1, "s": -1, "a": -1, "ask": -1, "unknown": 0}
_MAKER = {"true": -1, "t": -1, "1": -1, "false": 1, "f": 1, "0": 1}
_SEPARATORS = {
    at: [ord(mark) for mark in marks]
    for at, marks in ((4, "-"), (7, "-"), (10, "T D"), (13, ":"), (16, ":"), (19, "."))
}
_UNITS = ((1e8, SECOND), (1e11, 1_000_000), (1e14, 1_000), (1e17, 1))
"""The smallest number of an epoch time (March 1973) and its unit in ns: seconds, milli-, micro- and nanoseconds."""
_SPAN = 92
"""The largest is this many times the smallest: April 2261, where 64 bits of nanoseconds end."""
_LONGEST_TIME = 40


class BadCell(Exception):
    """Row `row` (from 0 in the column handed in) cannot be used; the message says why."""

    def __init__(self, row: int, message: str) -> None:
        super().__init__(message)
        self.row = row
        self.message = message


def numbers(cells: Sequence[Any], name: str, *, empty: float | None = None) -> Floats:
    """A column of floats; `empty` stands for cells without a value, None where they are not allowed."""
    try:
        return np.fromiter(map(float, cells), np.float64, len(cells))
    except (ValueError, TypeError):
        return np.array([_number(row, cell, name, empty) for row, cell in enumerate(cells)], np.float64)


def _number(row: int, cell: Any, name: str, empty: float | None) -> float:
    if is_empty(cell):
        if empty is None:
            raise BadCell(row, f"no value in column {name}; fill it or remove the line")
        return empty
    try:
        return float(cell)
    except (ValueError, TypeError):
        raise BadCell(row, f'"{_shown(cell)}" in column {name} is not a number; write it as 8756.5') from None


def _shown(cell: Any) -> str:
    """A cell as a message shows it: garbage may be long."""
    text = str(cell)
    return text if len(text) <= _LONGEST_TIME else text[:_LONGEST_TIME] + "..."


def is_empty(cell: Any) -> bool:
    """True for a cell that holds no value."""
    return cell is None or (isinstance(cell, str) and cell.strip().lower() in _EMPTY)


def require(good: npt.NDArray[np.bool_], cells: Sequence[Any], message: str) -> None:
    """Raise BadCell for the first row that is not good; `{}` in the message stands for its text."""
    if not good.all():
        row = int(np.argmin(good))
        raise BadCell(row, message.format(_shown(cells[row])))


def sides(cells: Sequence[Any], name: str, *, is_maker_flag: bool = False) -> Ints:
    """+1 for buy takers, -1 for sell takers, 0 unknown; a maker flag says whether the buyer was the maker."""
    known: dict[Any, int] = {}
    read = _side_of_maker_flag if is_maker_flag else _side
    for cell in set(cells):
        found = read(cell)
        if found is None:
            accepted = "true or false" if is_maker_flag else "buy, sell, 1 or -1"
            raise BadCell(cells.index(cell), f'"{_shown(cell)}" in column {name} is not a side; write {accepted}')
        known[cell] = found
    return np.fromiter(map(known.__getitem__, cells), np.int64, len(cells))


def _side(cell: Any) -> int | None:
    if is_empty(cell):
        return 0
    text = str(cell).strip().lower()
    if text in _SIDES:
        return _SIDES[text]
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number in (1.0, -1.0, 0.0) else None


def _side_of_maker_flag(cell: Any) -> int | None:
    return 0 if is_empty(cell) else _MAKER.get(str(cell).strip().lower())


# -- times -------------------------------------------------------------------------------------------------------------


def times(cells: Sequence[Any], name: str) -> Ints:
    """A column of times as ns: ISO 8601 text (UTC without a zone), or epoch numbers, their unit told by magnitude."""
    if not cells:
        return np.empty(0, np.int64)
    text = str(cells[0]).strip()
    if _NUMBER.fullmatch(text) and not _DATE.fullmatch(text):
        return _epoch(cells, name)
    found = _uniform_iso(cells)
    return found if found is not None else _iso_one_by_one(cells, name)


def _epoch(cells: Sequence[Any], name: str) -> Ints:
    whole: Ints | None = None
    if not isinstance(cells[0], float):
        try:
            # Nanoseconds do not fit into a float: whole numbers stay whole.
            whole = np.fromiter(map(int, cells), np.int64, len(cells))
        except (ValueError, TypeError, OverflowError):
            whole = None
    size = whole.astype(np.float64) if whole is not None else _epoch_floats(cells, name)
    unit = _unit(size, cells, name)
    if whole is not None:
        return whole * unit
    # A float of seconds is good to about a quarter of a microsecond; finer digits are noise.
    return np.rint(size * (unit / 1_000)).astype(np.int64) * 1_000


def _epoch_floats(cells: Sequence[Any], name: str) -> Floats:
    try:
        return np.fromiter(map(float, cells), np.float64, len(cells))
    except (ValueError, TypeError):
        row = next(row for row, cell in enumerate(cells) if not _NUMBER.fullmatch(str(cell).strip()))
        raise _not_a_time(row, cells[row], name) from None


def _unit(size: Floats, cells: Sequence[Any], name: str) -> int:
    """The unit of the first number; all others must be of the same magnitude."""
    for low, unit in _UNITS:
        if low <= size[0] < low * _SPAN:
            good = (size >= low) & (size < low * _SPAN)
            require(good, cells, f'"{{}}" in column {name} is not a time in the unit of the rows before')
            return unit
    raise _not_a_time(0, cells[0], name)


def _uniform_iso(cells: Sequence[Any]) -> Ints | None:
    """ISO texts by numpy, a group of equal length at a time; None where one of them looks different."""
    if not all(isinstance(cell, str) and len(cell) <= _LONGEST_TIME for cell in cells):
        return None
    text = np.array(cells)
    out = np.empty(len(text), np.int64)
    lengths = np.char.str_len(text)
    for length in np.unique(lengths):
        if not length:
            return None
        mine = np.flatnonzero(lengths == length)
        found = _parse_group(text[mine] if len(mine) < len(text) else text, int(length))
        if found is None:
            return None
        out[mine] = found
    return out


def _parse_group(text: npt.NDArray[np.str_], length: int) -> Ints | None:
    """Texts of `length` characters of the form YYYY-MM-DD[T HH:MM[:SS[.fraction]]], all without zone, Z or +00:00."""
    codes = np.ascontiguousarray(text.astype(f"U{length}", copy=False)).view(np.uint32).reshape(len(text), length)
    if length > 16 and (codes[:, -1] == ord("Z")).all():
        codes = codes[:, :-1]
    elif length > 19 and _ends_in_utc_offset(codes):
        codes = codes[:, :-6]
    width = codes.shape[1]
    if width not in (10, 16, 19, *range(21, 30)):
        return None
    for at in range(width):
        one, allowed = codes[:, at], _SEPARATORS.get(at)
        good = (one - ord("0")) <= 9 if allowed is None else np.isin(one, allowed)
        if not good.all():
            return None
    years = (codes[:, :4] - ord("0")) @ np.array([1000, 100, 10, 1], np.uint32)
    if years.min() < 1970 or years.max() > 2261:
        return None
    plain = codes.copy()
    if width > 10:
        # BitMEX's daily dumps write 2019-05-28D18:23:03.341000000.
        plain[:, 10] = ord("T")
    try:
        return plain.view(f"U{width}").ravel().astype("datetime64[ns]").astype(np.int64)
    except ValueError:
        return None


def _ends_in_utc_offset(codes: npt.NDArray[np.uint32]) -> bool:
    zero = codes[:, -5:] == [ord(mark) for mark in "00:00"]
    return bool(zero.all() and np.isin(codes[:, -6], [ord("+"), ord("-")]).all())


def _iso_one_by_one(cells: Sequence[Any], name: str) -> Ints:
    out = np.empty(len(cells), np.int64)
    for row, cell in enumerate(cells):
        try:
            out[row] = parse_time(str(cell))
        except (ValueError, OverflowError):
            raise _not_a_time(row, cell, name) from None
    return out


def _not_a_time(row: int, cell: Any, name: str) -> BadCell:
    if is_empty(cell):
        return BadCell(row, f"no time in column {name}; fill it or remove the line")
    return BadCell(
        row, f'"{_shown(cell)}" in column {name} is not a time; write it as 2019-05-28T18:30:00Z or 1559068200000'
    )
