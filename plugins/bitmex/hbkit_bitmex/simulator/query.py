"""Table queries as every list route takes them: filter, times, order, paging, columns (protocol 4.1, 4.2)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hbkit_bitmex.simulator import parameters as read
from hbkit_bitmex.simulator.columns import KEYS, TYPES
from hbkit_bitmex.simulator.parameters import Parameters
from hbkit_bitmex.simulator.refusals import bad_request
from hbkit_bitmex.simulator.times import iso, moment

Row = dict[str, Any]
Fits = Callable[[Row], bool]

COUNT = 100
COUNT_MAX = 500
_OPEN = frozenset({"New", "PartiallyFilled"})


def answer(
    table: str, rows: Iterable[Row], sent: Parameters, *, most: int = COUNT_MAX, default: int = COUNT,
    reverse: bool = False, stamp: str = "timestamp", paged: bool = True,
) -> list[Row]:  # fmt: skip
    """Filter, sort by time, reverse, skip, take, keep columns: in this order. `rows` come oldest first."""
    count, start = default, 0
    if paged:
        count = read.integer(sent, "count", bad_request("count is invalid")) or default
        start = read.integer(sent, "start", bad_request("start is invalid")) or 0
        if not 1 <= count <= most or read.text(sent, "count") == "0":
            raise bad_request("count is invalid")
        if start < 0:
            raise bad_request("start is invalid")
    fits, since, until = matcher(table, sent), _bound(sent, "startTime"), _bound(sent, "endTime")
    backwards = read.boolean(sent, "reverse", reverse, bad_request("reverse is invalid"))
    found: list[Row] = []
    wanted = start + count if paged else None
    ordered: Iterable[Row] = reversed(rows) if backwards and isinstance(rows, Sequence) else rows
    if backwards and not isinstance(rows, Sequence):
        ordered = reversed(list(rows))
    for row in ordered:
        when = row.get(stamp) or ""
        if (since and when < since) or (until and when > until) or not fits(row):
            continue
        found.append(row)
        if wanted is not None and len(found) >= wanted:
            break
    return _columns(table, found[start:], sent)


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
    if symbol and "symbol" in TYPES.get(table, {"symbol": ""}):
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
    if column not in TYPES.get(table, {}):
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
    known = set(TYPES.get(table, {})).union(*(row.keys() for row in rows))
    if any(name not in known for name in names):
        raise bad_request("columns are not valid")
    kept = {*names, *KEYS.get(table, ()), "timestamp"}
    return [{column: value for column, value in row.items() if column in kept} for row in rows]
