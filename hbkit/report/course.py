"""The course of a run, order by order: what its strategies asked for, what was changed, what filled, how it ended.

It is read from the result and, where there is one, from the journal: the result knows how each order ended, the journal
also what was asked and when. Orders stand in lanes, one for each strategy, market and leg, in the order in which the
strategy placed them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import merge
from typing import Any, NamedTuple

import msgspec

from hbkit.data.journal import columns
from hbkit.model import ExecutionKind, InstrumentKind
from hbkit.report.result import FillRow, InstrumentRow, OrderRow, RunResult

Rows = Mapping[str, Iterable[tuple[Any, ...]]]
"""The rows of one run's journal by table, as `hbkit.data.journal.read_rows` gives them."""
_FLAGS = ("post_only", "reduce_only")
_WORTHLESS = InstrumentRow(exchange="", symbol="", kind="", unit="", tick="", lot="", maker_fee="", taker_fee="")


class Key(NamedTuple):
    """Which lane: `leg` is net, long or short.

    `market` is the unified symbol, so that it is the same at another exchange; with the exchange's name behind it where
    a run trades it at several.
    """

    strategy: str
    market: str
    leg: str


class Asked(msgspec.Struct):
    """An amend or a cancel that was asked for; prices and quantities as decimal text, empty where there is none."""

    ts: int
    kind: str
    price: str = ""
    qty: str = ""
    trigger: str = ""
    refused: str = ""
    """Why it was turned down; empty where it was not, or where nobody said."""
    answered: bool = False
    """Whether it was turned down."""


class OrderCourse(msgspec.Struct):
    """One order from the first to the last that is known of it, as it was asked for.

    `time_in_force`, `flags`, `display_qty` and the details of a trigger are empty where the journal is not there, and
    of an order that hbkit itself refused.
    """

    id: str
    ts: int
    side: str
    type: str
    price: str
    qty: str
    tag: str = ""
    time_in_force: str = ""
    flags: str = ""
    trigger: str = ""
    display_qty: str = ""
    asked: list[Asked] = []
    status: str = ""
    """How it stood at the end of the run: a value of OrderStatus, empty where nothing was ever heard of it."""
    reason: str = ""
    filled: str = "0"
    ended_ts: int | None = None
    fills: list[FillRow] = []

    @property
    def is_refused(self) -> bool:
        """True for one that was turned down, by hbkit or by the exchange."""
        return self.status == "rejected"


@dataclass
class Lane:
    """What one strategy did on one leg of one market."""

    key: Key
    market: InstrumentRow
    orders: list[OrderCourse] = field(default_factory=list)
    forced: list[FillRow] = field(default_factory=list)
    """Fills of no order of ours: liquidations, settlements."""
    payments: list[FillRow] = field(default_factory=list)
    """Fundings and what else moves money alone."""
    fills: list[FillRow] = field(default_factory=list)
    """All fills, of whichever order, as they came."""

    @property
    def is_inverse(self) -> bool:
        """True where a quantity counts the quote currency."""
        return self.market.kind == InstrumentKind.INVERSE.value


@dataclass
class Course:
    """A run as it is compared."""

    result: RunResult
    lanes: dict[Key, Lane]
    has_journal: bool
    """Whether what was asked for is known, and not only how orders ended."""


def course_of(result: RunResult, rows: Rows | None) -> Course:
    """Put the rows of a run in order.

    :param rows: `intents` and `orders` of its journal; None where it is not there.
    """
    reader = _Reader(result)
    if rows is not None:
        reader.take_journal(rows)
    return Course(result, reader.read(), rows is not None)


class _Reader:
    def __init__(self, result: RunResult) -> None:
        self._result = result
        self._markets: dict[tuple[str, str], InstrumentRow] = {}
        for row in result.instruments:
            self._markets[row.exchange, row.symbol] = row
            self._markets.setdefault(("", row.symbol), row)  # older results do not name the exchange of an order
        self._everywhere = Counter(row.unified for row in result.instruments)
        self._lanes: dict[Key, Lane] = {}
        self._orders: dict[str, OrderCourse] = {}
        self._homes: dict[str, tuple[str, str, str, str]] = {}
        """Strategy, exchange, symbol and leg of each order."""

    # -- the journal

    def take_journal(self, rows: Rows) -> None:
        """Orders as they were asked for, with every amend and cancel."""
        intents = _dicts("intents", rows["intents"])
        news = _dicts("orders", rows["orders"])
        # Both are in the order of the journal; one row at a time, for there may be a million.
        for row in merge(intents, news, key=_seq):
            if "kind" in row:
                self._intent(row)
            elif row["refused"] in ("amend", "cancel"):
                self._refusal(row)

    def _intent(self, row: dict[str, Any]) -> None:
        order_id, kind = row["order_id"], row["kind"]
        if kind == "submit":
            self._homes[order_id] = (row["strategy"], row["exchange"], row["instrument"], row["position_side"])
            self._orders[order_id] = OrderCourse(
                id=order_id,
                ts=row["ts"],
                side=row["side"],
                type=row["type"],
                price=row["price"],
                qty=row["qty"],
                tag=row["tag"],
                time_in_force=row["time_in_force"],
                flags=",".join(flag for flag in row["flags"].split(",") if flag in _FLAGS),
                trigger=_trigger(row),
                display_qty=row.get("display_qty") or "",
                asked=[],
                fills=[],
            )
        elif order_id in self._orders:
            trigger = (row.get("trigger_price") or "") if kind == "amend" else ""
            asked = Asked(row["ts"], kind) if kind == "cancel" else Asked(
                row["ts"], kind, row["price"], row["qty"], trigger
            )  # fmt: skip
            self._orders[order_id].asked.append(asked)

    def _refusal(self, row: dict[str, Any]) -> None:
        order = self._orders.get(row["order_id"])
        if order is None:
            return
        last = order.asked[-1] if order.asked else None
        if last is None or last.kind != row["refused"] or last.answered:
            # hbkit itself turned it down: nothing was written down as asked for.
            last = Asked(row["ts"], row["refused"])
            order.asked.append(last)
        last.answered, last.refused = True, row["reason"]

    # -- the result

    def read(self) -> dict[Key, Lane]:
        """The lanes with everything in them."""
        for row in self._result.order_rows:
            self._end(row)
        for order_id, order in sorted(self._orders.items(), key=lambda item: _number(item[0])):
            self._lane(*self._homes[order_id]).orders.append(order)
        for fill in self._result.fill_rows:
            self._fill(fill)
        return self._lanes

    def _end(self, row: OrderRow) -> None:
        order = self._orders.get(row.id)
        if order is None:
            self._homes[row.id] = (row.strategy, row.exchange, row.instrument, row.position_side)
            order = self._orders[row.id] = OrderCourse(
                id=row.id,
                ts=row.ts,
                side=row.side,
                type=row.type,
                price=row.first_price or row.price,
                qty=row.qty,
                tag=row.tag,
                trigger=row.trigger_price,
                # Of the way from the first price to the last one only the end is known.
                asked=[Asked(row.ts, "amend", row.price, row.qty)] if row.first_price not in ("", row.price) else [],
                fills=[],
            )
        order.status, order.reason, order.filled, order.ended_ts = row.status, row.reason, row.filled, row.ended_ts

    def _fill(self, row: FillRow) -> None:
        home = self._homes.get(row.order_id, (row.strategy, row.exchange, row.instrument, row.position_side))
        lane = self._lane(*home)
        if not ExecutionKind(row.kind).moves_position:
            lane.payments.append(row)
            return
        lane.fills.append(row)
        (self._orders[row.order_id].fills if row.order_id in self._orders else lane.forced).append(row)

    def _market(self, exchange: str, symbol: str) -> InstrumentRow:
        found = self._markets.get((exchange, symbol)) or self._markets.get(("", symbol))
        if found is None:
            found = self._markets[exchange, symbol] = msgspec.structs.replace(
                _WORTHLESS, exchange=exchange, symbol=symbol, unified=symbol
            )
        return found

    def _lane(self, strategy: str, exchange: str, symbol: str, leg: str) -> Lane:
        market = self._market(exchange, symbol)
        name = market.unified or symbol
        if self._everywhere[market.unified] > 1:
            name = f"{name} {market.exchange}"
        key = Key(strategy, name, leg)
        if key not in self._lanes:
            self._lanes[key] = Lane(key, market)
        return self._lanes[key]


def _dicts(table: str, rows: Iterable[tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    names = columns(table)
    for row in rows:
        yield dict(zip(names, row, strict=False))  # files of an older schema have fewer columns


def _seq(row: dict[str, Any]) -> int:
    return int(row["seq"])


def _trigger(row: dict[str, Any]) -> str:
    """`stop mark 8700`, with `trail 5` where it follows the price; empty for an order without one."""
    price, trail = row.get("trigger_price") or "", row.get("trail") or ""
    if not price and not trail:
        return ""
    words = [row.get("trigger_kind") or "", row.get("trigger_by") or "", price, f"trail {trail}" if trail else ""]
    return " ".join(word for word in words if word)


def _number(order_id: str) -> tuple[str, int]:
    """Ids count up in the order in which a strategy placed its orders, also those that were refused."""
    prefix, _, number = order_id.rpartition("-")
    return (prefix, int(number)) if number.isascii() and number.isdigit() else (order_id, 0)
