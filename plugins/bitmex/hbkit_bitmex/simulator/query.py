"""Table queries as every list route takes them: filter, times, order, paging, columns (protocol 4.1, 4.2)."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from heapq import merge
from itertools import islice
from typing import Any, overload

from hbkit_bitmex.simulator import parameters as read
from hbkit_bitmex.simulator.models import MODEL_KEYS, MODELS
from hbkit_bitmex.simulator.parameters import Parameters
from hbkit_bitmex.simulator.refusals import bad_request
from hbkit_bitmex.simulator.times import iso, moment

Row = dict[str, Any]
Fits = Callable[[Row], bool]

COUNT = 100
COUNT_MAX = 500
START_MAX = 2**53
_OPEN = frozenset({"New", "PartiallyFilled"})


def answer(
    table: str, rows: Sequence[Row], sent: Parameters, *, most: int = COUNT_MAX, default: int = COUNT,
    reverse: bool = False, stamp: str = "timestamp", paged: bool = True, in_time: bool = True,
) -> list[Row]:  # fmt: skip
    """Filter, sort by time, reverse, skip, take, keep columns: in this order (4.1.2).

    :param rows: oldest first; where that is not so, `in_time` is False and their order stays.
    """
    return answer_of(
        table, [rows], sent, most=most, default=default, reverse=reverse, stamp=stamp, paged=paged, in_time=in_time
    )


def answer_of(
    table: str, lists: Sequence[Sequence[Row]], sent: Parameters, *, most: int = COUNT_MAX, default: int = COUNT,
    reverse: bool = False, stamp: str = "timestamp", paged: bool = True, in_time: bool = True,
) -> list[Row]:  # fmt: skip
    """The same of several lists, which are merged by time; no row is looked at that is not needed for the page."""
    count, start = default, 0
    if paged:
        count = read.integer(sent, "count", bad_request("count is invalid")) or default
        start = read.integer(sent, "start", bad_request("start is invalid")) or 0
        if not 1 <= count <= most or read.text(sent, "count") == "0":
            raise bad_request("count is invalid")
        if not 0 <= start <= START_MAX:
            raise bad_request("start is invalid")
    fits, since, until = matcher(table, sent), _bound(sent, "startTime"), _bound(sent, "endTime")
    backwards = read.boolean(sent, "reverse", reverse, bad_request("reverse is invalid"))

    def when(row: Row) -> str:
        return row.get(stamp) or ""

    parts = [_between(rows, since, until, when, in_time=in_time) for rows in lists]
    ways: list[Iterable[Row]] = [reversed(rows) for rows in reversed(parts)] if backwards else [*parts]
    ordered = ways[0] if len(ways) == 1 else merge(*ways, key=when, reverse=backwards)
    wanted = (row for row in ordered if fits(row))
    return _columns(table, list(islice(wanted, start, start + count if paged else None)), sent)


def _between(
    rows: Sequence[Row], since: str, until: str, when: Callable[[Row], str], *, in_time: bool
) -> Sequence[Row]:
    """The rows inside the bounds, both inclusive."""
    if not (since or until):
        return rows
    if not in_time:
        return [row for row in rows if (not since or when(row) >= since) and (not until or when(row) <= until)]
    first = bisect_left(rows, since, key=when) if since else 0
    last = bisect_right(rows, until, key=when) if until else len(rows)
    return Window(rows, first, max(first, last))


class Window(Sequence[Row]):
    """A stretch of a list, without a copy: the list may be long and its rows not made yet."""

    def __init__(self, rows: Sequence[Row], first: int, last: int) -> None:
        self._rows = rows
        self._range = range(first, last)

    def __len__(self) -> int:
        return len(self._range)

    @overload
    def __getitem__(self, row: int) -> Row: ...
    @overload
    def __getitem__(self, row: slice) -> list[Row]: ...
    def __getitem__(self, row: int | slice) -> Row | list[Row]:
        if isinstance(row, slice):
            return [self._rows[at] for at in self._range[row]]
        return self._rows[self._range[row]]


def _bound(sent: Parameters, name: str) -> str:
    """A time bound as the text that rows carry, so that texts can be compared; empty where there is none."""
    value = read.text(sent, name)
    if not value:
        return ""
    try:
        return iso(moment(value))
    except (ValueError, OverflowError):
        raise bad_request(f"{name} is invalid") from None


def matcher(table: str, sent: Parameters) -> Fits:
    """The test that `filter` and `symbol` are together."""
    wanted = _filter(sent)
    tests: list[Fits] = []
    symbol = read.text(sent, "symbol")
    if symbol and "symbol" in MODELS.get(table, {"symbol": ""}):
        tests.append(_equals("symbol", {series(symbol).upper()}, upper=True))
    for column, value in wanted.items():
        tests.append(_test(table, column, value))
    return lambda row: all(test(row) for test in tests)


def series(symbol: str) -> str:
    """A bare root or `ROOT:perpetual` is the perpetual of that root (2.1); ccxt asks for fundings so."""
    root, _, frame = symbol.partition(":")
    return "XBTUSD" if root.upper() == "XBT" and frame in ("", "perpetual", "nearest") else symbol


def _filter(sent: Parameters) -> dict[str, Any]:
    value = read.given(sent, "filter")
    if isinstance(value, dict):
        return value
    if value is None:
        return {}
    try:
        found = json.loads(str(value))
    except (ValueError, RecursionError):
        raise bad_request("filter values are not valid") from None
    if not isinstance(found, dict):
        raise bad_request("filter values are not valid")
    return found


def _test(table: str, column: str, value: Any) -> Fits:
    if table == "order" and column in ("open", "ordStatus.isTerminated"):
        return _open_test(column, value)
    if table == "position" and column == "isOpen":
        return lambda row: (row["currentQty"] != 0) == bool(value)
    if column in ("startTime", "endTime"):
        return _time_test(column, value)
    if column not in MODELS.get(table, {}):
        raise bad_request("filter columns are not valid")
    values = value if isinstance(value, list) else [value]
    if any(isinstance(item, (dict, list)) for item in values):
        raise bad_request("filter values are not valid")
    return _equals(column, {_plain(item) for item in values})


def _open_test(column: str, value: Any) -> Fits:
    """`{"open": false}` is refused by the real server too (4.2)."""
    if column == "open":
        if value is not True:
            raise bad_request("filter values are not valid")
        return lambda row: row["ordStatus"] in _OPEN
    if not isinstance(value, bool):
        raise bad_request("filter values are not valid")
    return lambda row: (row["ordStatus"] not in _OPEN) == value


def _time_test(column: str, value: Any) -> Fits:
    bound = _bound({column: value}, column)
    if column == "startTime":
        return lambda row: (row.get("timestamp") or "") >= bound
    return lambda row: (row.get("timestamp") or "") <= bound


def _equals(column: str, wanted: set[Any], *, upper: bool = False) -> Fits:
    if upper:
        return lambda row: str(row.get(column, "")).upper() in wanted
    return lambda row: _plain(row.get(column)) in wanted


def _plain(value: Any) -> Any:
    """An absent column equals null and the empty text."""
    return "" if value is None else value


def _columns(table: str, rows: list[Row], sent: Parameters) -> list[Row]:
    names = read.many(sent, "columns", bad_request("columns are not valid"))
    if not names:
        return rows
    known = set(MODELS.get(table, {})).union(*(row.keys() for row in rows))
    if any(name not in known for name in names):
        raise bad_request("columns are not valid")
    kept = {*names, *MODEL_KEYS.get(table, ()), "timestamp"}
    return [{column: value for column, value in row.items() if column in kept} for row in rows]
