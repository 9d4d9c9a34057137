"""Which generation of rows is sent: the newest, without empty columns, or an old one, with every column (protocol 0.3).

Everything inside the simulator holds sparse rows. They are widened here and nowhere else, on their way out: for REST
once an answer, for sockets once a frame and group of listeners.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any

from hbkit_bitmex.simulator.columns import KEYS, TYPES
from hbkit_bitmex.simulator.models import MODEL_KEYS, MODELS

Row = dict[str, Any]


class Shape(StrEnum):
    """What becomes of empty columns."""

    SPARSE = "sparse"
    """They are left out."""
    FULL = "full"
    """They are there: empty numbers, times and guids as null, empty texts as ""."""


_BOOKS = {f"orderBookL2{size}": {"pool": "symbol"} for size in ("", "_25")}
_QUOTES = {table: {"pool": "symbol"} for table in TYPES if table.startswith("quote")}
_NEWER: Mapping[str, Mapping[str, str]] = {
    "order": {"expiryTime": "timestamp"},
    "execution": {"expiryTime": "timestamp"},
    "trade": {"pool": "symbol"},
    **_BOOKS,
    **_QUOTES,
}
"""Columns of section 8 that no captured map names, of 2026; without a value here, so that only full rows have them."""
_TEXTS = frozenset({"symbol", "string", ""})
_REST_TABLES = (*TYPES, "announcement")
_TOLD_WITH_UPDATES = {"order": ("clOrdID",)}
"""What updates carry although it is no key, even where it is empty (7.4)."""
_WHOLE = frozenset({"position", "margin", "wallet", "orderBook10"})
"""Tables whose updates are whole rows (8.3, 7.5)."""


def types(table: str, shape: Shape) -> Mapping[str, str]:
    """The map of a socket's partial."""
    return TYPES[table] if shape is Shape.SPARSE else {**TYPES[table], **_NEWER.get(table, {})}


def _empty(columns: Mapping[str, str]) -> Row:
    return {column: "" if kind in _TEXTS else None for column, kind in columns.items()}


_FULL: Mapping[str, Row] = {
    table: _empty({**MODELS[table], **_NEWER.get(table, {})}) for table in _REST_TABLES
}  # fmt: skip
"""A row of nothing, by table."""
_UPDATED: Mapping[str, Row] = {
    table: {column: _FULL[table][column] for column in columns} for table, columns in _TOLD_WITH_UPDATES.items()
}


def framed(table: str, action: str, rows: list[Row], shape: Shape) -> list[Row]:
    """The rows of a socket's frame. Updates stay what changed, deletes what names the row."""
    if shape is Shape.SPARSE or action == "delete" or table not in TYPES:
        return rows
    whole = action != "update" or table in _WHOLE
    empty = _FULL[table] if whole else _UPDATED.get(table)
    return rows if empty is None else [{**empty, **row} for row in rows]


def answered(model: str, answer: Any, shape: Shape, columns: Collection[str] = ()) -> Any:
    """The rows of a REST answer, or the one that it is; of chosen `columns` only those, and what names the row."""
    if shape is Shape.SPARSE or model not in _FULL:
        return answer
    empty = _FULL[model]
    if columns:
        kept = {*columns, *MODEL_KEYS.get(model, KEYS.get(model, ())), "timestamp"}
        empty = {column: value for column, value in empty.items() if column in kept}
    if isinstance(answer, list):
        return [{**empty, **row} for row in answer]
    return {**empty, **answer}
