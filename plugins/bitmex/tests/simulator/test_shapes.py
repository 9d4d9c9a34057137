"""Every row that is sent has the columns and types of its table's map, whole numbers whole (Appendix A, B.3)."""

import asyncio
import re
from collections import Counter

import pytest
from hbkit_bitmex.simulator.columns import TYPES

from hbkit.clock import parse_time

GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
CHECKS = {
    "long": lambda value: type(value) is int,
    "float": lambda value: type(value) in (int, float),
    "guid": lambda value: bool(GUID.fullmatch(value)),
    "timestamp": lambda value: bool(TIME.fullmatch(value)),
    "timespan": lambda value: value.startswith("2000-01-"),
    "boolean": lambda value: type(value) is bool,
    "symbol": lambda value: type(value) is str,
    "string": lambda value: type(value) is str,
    "": lambda value: type(value) in (str, list),
}
RECORDED_ONLY = {"capped", "minPrice", "instrumentID", "pool", "openingTimestamp", "closingTimestamp"}
"""Columns of the recorded instrument rows that no captured map names."""


async def everything(desk):
    # Without a filter these would wake all 129 markets.
    busy = ("trade", "quote", "orderBook")
    socket = await desk.socket(*(f"{table}:XBTUSD" if table.startswith(busy) else table for table in TYPES))
    for symbol, qty in (("XBTUSD", 1000), ("XBTUSDT", 1000), ("XBT_USDT", 100_000)):
        bid, ask = await desk.touch(symbol)
        tick = 0.5 if symbol == "XBT_USDT" else 0.1
        await desk.place(symbol=symbol, side="Buy", orderQty=qty, price=ask, text="note")
        await desk.place(symbol=symbol, side="Sell", orderQty=qty, price=round(ask - tick, 1), clOrdID=f"s{symbol}")
        row = await desk.place(symbol=symbol, side="Buy", orderQty=qty, price=round(bid - 50, 1))
        await desk.call("PUT", "/order", {"orderID": row["orderID"], "price": bid - 60})
        await desk.call("DELETE", "/order", {"orderID": row["orderID"]})
    await desk.call("POST", "/position/leverage", {"symbol": "XBTUSD", "leverage": 7})
    await asyncio.sleep(90)
    return socket


def test_rows_fit_their_maps(at_the_desk):
    socket = at_the_desk(everything, start=parse_time("2019-05-28T11:59:00Z"))
    seen = Counter()
    for frame in socket.frames:
        if not isinstance(frame, dict) or "table" not in frame:
            continue
        types = TYPES[frame["table"]]
        seen[frame["table"]] += len(frame["data"])
        for row in frame["data"]:
            for column, value in row.items():
                if frame["table"] == "instrument" and column in RECORDED_ONLY:
                    continue
                assert column in types, (frame["table"], column)
                assert value is None or CHECKS[types[column]](value), (frame["table"], column, value)
    assert set(seen) == set(TYPES)
    # Nobody is liquidated, nothing settles, no money is paid in or out.
    silent = {table for table, count in seen.items() if not count}
    assert silent <= {"liquidation", "insurance", "settlement", "transact", "affiliate", "tradeBin1d", "quoteBin1d"}


@pytest.mark.parametrize("route", ["/instrument", "/instrument/activeAndIndices"])
def test_instrument_rows_carry_what_strict_readers_demand(at_the_desk, route):
    async def story(desk):
        return (await desk.call("GET", route, key=None)).body

    rows = at_the_desk(story)
    opened = [row["symbol"] for row in rows if row["state"] == "Open"]
    # A page of /instrument holds 100 rows, alphabetical (4.1.6): it ends before X.
    assert len(opened) == (129 if route.endswith("Indices") else len(rows) - sum(r["symbol"][0] == "." for r in rows))
    assert opened == sorted(opened)
    for row in rows:
        assert {
            "symbol", "rootSymbol", "state", "typ", "underlying", "quoteCurrency", "tickSize", "multiplier", "isQuanto",
            "isInverse", "instantPnl", "timestamp", "lastPrice",
        } <= set(row)  # fmt: skip
        if row["typ"] == "FFWCSX":
            assert row["markPrice"] == pytest.approx(row["indicativeSettlePrice"] + row["fairBasis"])
            assert row["openValue"] > 0
