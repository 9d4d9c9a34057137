"""Keyed rows hold what was sent and merge what changed; what they cannot know they say."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hbkit_bitmex import wire
from hbkit_bitmex.frames import DataFrame, ExecutionFrame, MarginFrame, OrderFrame, PositionFrame, decode
from hbkit_bitmex.instruments import load
from hbkit_bitmex.rows import MarginRow, OrderRow, PositionRow, TradeRow
from hbkit_bitmex.tables import ExecutionTable, Feed, KeyedTable
from hbkit_bitmex.words import known

from hbkit.model.enums import OrderStatus, Side

PAYLOADS = Path(__file__).parent / "payloads"
XBTUSD = next(instrument for instrument in load("2021-07-22") if instrument.symbol == "XBTUSD")


def messages(name: str) -> list[Any]:
    lines = gzip.decompress((PAYLOADS / name).read_bytes()).splitlines()
    return [json.loads(line)["msg"] for line in lines]


def compact(message: Any) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def frame_of(table: str, action: str, *rows: dict[str, Any], **members: Any) -> Any:
    return decode(compact({"table": table, "action": action, **members, "data": rows}))


# -- the private sequence of 2018


def private_tables() -> tuple[KeyedTable[OrderRow], KeyedTable[PositionRow], KeyedTable[MarginRow], ExecutionTable]:
    orders: KeyedTable[OrderRow] = KeyedTable(OrderRow, finished=wire.is_finished)
    return orders, KeyedTable(PositionRow), KeyedTable(MarginRow), ExecutionTable()


def test_the_market_maker_of_2018_ends_with_the_right_orders_and_money():
    orders, positions, margins, executions = private_tables()
    told: list[Any] = []
    types: Counter[str] = Counter()
    for message in messages("bitmex-private-testnet-sequence-2018-08-16.jsonl.gz"):
        frame = decode(compact(message))
        if isinstance(frame, OrderFrame):
            told += [wire.order_report(row, XBTUSD) for row in orders.apply(frame).rows]
        elif isinstance(frame, PositionFrame):
            positions.apply(frame)
        elif isinstance(frame, MarginFrame):
            margins.apply(frame)
        elif isinstance(frame, ExecutionFrame):
            types.update(str(row.execType) for row in executions.apply(frame))
    # Three buys and three sells were placed, acknowledged twice, and cancelled.
    assert [report.status for report in told].count(OrderStatus.CANCELED) == len(orders.rows)
    assert {report.id for report in told} == {known(row.clOrdID) for row in orders.rows}
    assert all(report.units and report.filled_units == 0 for report in told)
    assert all(wire.order_report(row, XBTUSD).status is OrderStatus.CANCELED for row in orders.rows)
    assert types == {"New": len(orders.rows), "Canceled": len(orders.rows)}
    [position], [margin] = positions.rows, margins.rows
    assert (position.currentQty, position.markPrice, position.openOrderBuyQty) == (-219, 6336.19, 0)
    assert (margin.availableMargin, margin.initMargin) == (135189839, 0)
    assert (orders.lost, positions.lost, margins.lost, orders.dropped) == ("", "", "", 0)


def test_the_market_order_of_2018_fills():
    orders, _, _, executions = private_tables()
    orders.apply(frame_of("order", "partial", keys=["orderID"], filter={"account": 423359}))
    lines = gzip.decompress((PAYLOADS / "bitmex-private-testnet-2018-08.jsonl.gz").read_bytes()).splitlines()
    fills, reports = [], []
    for line in map(json.loads, lines):
        frame = decode(compact(line["msg"]))
        if line["file"] != "market-order.json":
            continue
        if isinstance(frame, OrderFrame):
            reports += [wire.order_report(row, XBTUSD) for row in orders.apply(frame).rows]
        elif isinstance(frame, ExecutionFrame):
            fills += [fill for row in executions.apply(frame) if (fill := wire.execution(row, XBTUSD))]
    assert [report.status for report in reports] == [OrderStatus.OPEN, OrderStatus.OPEN, OrderStatus.FILLED]
    assert (reports[-1].filled_units, reports[-1].ticks) == (1, None)
    [fill] = fills
    # One contract at 6360.5: round(1e8 / 6360.5) = 15722; the fee of 0.000675 is 10.61, truncated.
    assert (fill.units, fill.price, fill.cost, fill.fee, fill.side) == (1, 6360.5, -15722, 10, Side.BUY)


# -- keyed tables, rule by rule


def keyed(table: str, *rows: dict[str, Any], keys: list[str], **scope: Any) -> DataFrame:
    return frame_of(table, "partial", *rows, keys=keys, filter=scope)


POSITION_KEYS = ["account", "symbol", "strategy"]
LONG = {"account": 1, "symbol": "XBTUSD", "strategy": "Long", "currentQty": 100, "avgEntryPrice": 5.5}
SHORT = {"account": 1, "symbol": "XBTUSD", "strategy": "Short", "currentQty": -30, "avgEntryPrice": 6.5}


def test_both_legs_of_a_hedge_are_rows_of_their_own():
    positions: KeyedTable[PositionRow] = KeyedTable(PositionRow)
    positions.apply(keyed("position", LONG, SHORT, keys=POSITION_KEYS, account=1))
    changes = positions.apply(
        frame_of("position", "update", {"account": 1, "symbol": "XBTUSD", "strategy": "Short", "currentQty": -10})
    )
    assert [(row.currentQty, row.avgEntryPrice) for row in changes.rows] == [(-10, 6.5)]
    assert sorted(row.currentQty for row in positions.rows) == [-10, 100]


def test_an_absent_column_is_unchanged_and_an_explicit_null_is_empty():
    positions: KeyedTable[PositionRow] = KeyedTable(PositionRow)
    positions.apply(keyed("position", {**LONG, "liquidationPrice": 4}, keys=POSITION_KEYS))
    key = {name: LONG[name] for name in POSITION_KEYS}
    [row] = positions.apply(frame_of("position", "update", {**key, "avgEntryPrice": None, "currentQty": 0})).rows
    assert (row.avgEntryPrice, row.currentQty, row.liquidationPrice) == (None, 0, 4)


def test_keys_are_those_of_the_partial():
    """2018: account, symbol, currency; a row without strategy is one with an empty one."""
    positions: KeyedTable[PositionRow] = KeyedTable(PositionRow)
    columns = {"account": 1, "symbol": "XBTUSD", "currency": "XBt"}
    positions.apply(keyed("position", {**columns, "currentQty": 1}, keys=["account", "symbol", "currency"]))
    positions.apply(frame_of("position", "update", {**columns, "currentQty": 2}))
    assert [row.currentQty for row in positions.rows] == [2]
    positions.apply(keyed("position", {**columns, "strategy": "", "currentQty": 3}, keys=POSITION_KEYS))
    positions.apply(frame_of("position", "update", {**columns, "currentQty": 4}))
    assert [row.currentQty for row in positions.rows] == [4]
    assert not positions.lost


@pytest.mark.parametrize("rows", [[], [LONG]])
@pytest.mark.parametrize("keys", [[], ["account", "symbol", "brandNew"]])
def test_keys_that_cannot_be_followed_are_not_guessed(keys, rows):
    positions: KeyedTable[PositionRow] = KeyedTable(PositionRow)
    positions.apply(keyed("position", *rows, keys=keys))
    positions.apply(frame_of("position", "insert", SHORT))
    assert (positions.is_ready, positions.rows) == (False, [])
    assert "keys" in positions.lost


def order(id: str, symbol: str = "XBTUSD", **columns: Any) -> dict[str, Any]:
    return {"orderID": id, "symbol": symbol, "ordStatus": "New", "orderQty": 5, **columns}


def test_deltas_before_a_partial_are_dropped_and_two_partials_keep_both_slices():
    orders: KeyedTable[OrderRow] = KeyedTable(OrderRow)
    assert orders.apply(frame_of("order", "insert", order("a"))).rows == []
    assert (orders.dropped, orders.is_ready) == (1, False)
    orders.apply(keyed("order", order("a"), keys=["orderID"], symbol="XBTUSD"))
    orders.apply(frame_of("order", "insert", order("x", "ETHUSD")))
    assert orders.dropped == 2
    orders.apply(keyed("order", keys=["orderID"], symbol="ETHUSD"))
    assert orders.is_ready
    orders.apply(frame_of("order", "insert", order("x", "ETHUSD")))
    changes = orders.apply(keyed("order", order("b"), keys=["orderID"], symbol="XBTUSD"))
    assert {row.orderID for row in orders.rows} == {"b", "x"}
    assert [row.orderID for row in changes.removed] == ["a"]


@pytest.mark.parametrize("action", ["update", "delete"])
def test_a_row_that_nobody_knows_is_handed_back_and_asked_about(action):
    orders: KeyedTable[OrderRow] = KeyedTable(OrderRow)
    orders.apply(keyed("order", keys=["orderID"]))
    changes = orders.apply(frame_of("order", action, {"orderID": "a", "leavesQty": 0}))
    assert ([row.orderID for row in changes.missing], changes.rows, changes.removed) == (["a"], [], [])
    assert orders.lost
    orders.apply(keyed("order", keys=["orderID"]))
    assert not orders.lost


def test_a_doubled_insert_is_harmless_and_a_contradicting_one_is_asked_about():
    orders: KeyedTable[OrderRow] = KeyedTable(OrderRow)
    orders.apply(keyed("order", keys=["orderID"]))
    for _ in range(2):
        orders.apply(frame_of("order", "insert", order("a")))
    assert not orders.lost
    orders.apply(frame_of("order", "insert", order("a", ordStatus="Filled")))
    assert orders.lost


@pytest.mark.parametrize("action", ["partial", "insert"])
def test_rows_without_a_key_do_not_take_each_others_place(action):
    orders: KeyedTable[OrderRow] = KeyedTable(OrderRow)
    orders.apply(keyed("order", keys=["orderID"]))
    orders.apply(frame_of("order", action, {"symbol": "XBTUSD"}, {"symbol": "XBTUSD"}, keys=["orderID"]))
    assert (orders.rows, orders.lost) == ([], "a row without its key")


def test_an_unheard_of_action_is_asked_about():
    orders: KeyedTable[OrderRow] = KeyedTable(OrderRow)
    orders.apply(keyed("order", keys=["orderID"]))
    orders.apply(frame_of("order", "upsert", order("a")))
    assert orders.lost


def test_a_deleted_row_is_gone():
    orders: KeyedTable[OrderRow] = KeyedTable(OrderRow)
    orders.apply(keyed("order", order("a"), keys=["orderID"]))
    assert [row.orderID for row in orders.apply(frame_of("order", "delete", {"orderID": "a"})).removed] == ["a"]
    assert orders.rows == []


def test_finished_orders_take_late_updates_and_are_forgotten_in_the_end():
    orders: KeyedTable[OrderRow] = KeyedTable(OrderRow, finished=wire.is_finished, keep=2)
    orders.apply(keyed("order", order("open"), keys=["orderID"]))
    for id in "abc":
        orders.apply(frame_of("order", "insert", order(id, ordStatus="Filled")))
    assert {row.orderID for row in orders.rows} == {"open", "b", "c"}
    [row] = orders.apply(frame_of("order", "update", {"orderID": "c", "text": "late"})).rows
    assert (row.text, row.orderQty) == ("late", 5)


def test_a_reset_waits_for_the_next_partial():
    orders: KeyedTable[OrderRow] = KeyedTable(OrderRow)
    orders.apply(keyed("order", order("a"), keys=["orderID"]))
    orders.reset()
    assert (orders.rows, orders.is_ready) == ([], False)
    orders.apply(frame_of("order", "insert", order("b")))
    assert orders.dropped == 1


# -- feeds


def test_a_feed_begins_with_its_partial():
    feed: Feed[TradeRow] = Feed()
    trade = {"symbol": "XBTUSD", "price": 5}
    assert feed.apply(frame_of("trade", "insert", trade)) == []
    assert len(feed.apply(frame_of("trade", "partial", trade, filter={"symbol": "XBTUSD"}))) == 1
    other = {"symbol": "ETHUSD", "price": 5}
    assert [row.symbol for row in feed.apply(frame_of("trade", "insert", trade, other))] == ["XBTUSD"]
    assert feed.dropped == 2
    feed.apply(frame_of("trade", "partial", filter={}))
    assert len(feed.apply(frame_of("trade", "insert", trade, other))) == 2
    feed.reset()
    assert feed.apply(frame_of("trade", "insert", trade)) == []


def test_each_execution_is_news_once():
    executions = ExecutionTable(keep=2)
    rows = [{"execID": "1"}, {"execID": "2"}]
    assert len(executions.apply(frame_of("execution", "insert", *rows))) == 2
    partial = frame_of("execution", "partial", *rows, {"execID": "3"}, {}, keys=[])
    assert [row.execID for row in executions.apply(partial)] == ["3", None]
    assert executions.repeated == 2
    assert [row.execID for row in executions.apply(frame_of("execution", "insert", {"execID": "1"}))] == ["1"]
