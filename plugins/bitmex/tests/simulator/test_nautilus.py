"""The very requests of NautilusTrader 1.231's BitMEX client, and the columns without which it refuses a row (B.3).

Noted between one that traded, was stopped and started again, and the simulator: 68 requests, all answered with 200, and
its orders and positions agreed with `/control/truth` before and after. It sends forms; ids stand in them as the JSON
text of an array.
"""

import asyncio
import json
from urllib.parse import quote

import pytest
from hbkit_bitmex.simulator.shapes import Shape

FORM = "application/x-www-form-urlencoded"
END = "&text=NautilusTrader"
GTC = f"&timeInForce=GoodTillCancel{END}"
STOPPED = "symbol=XBTUSD&side=Sell&orderQty=300&stopPx=5000.0&clOrdID=O-3&ordType=Stop"
PLACED = {
    "limit": f"symbol=XBTUSD&side=Buy&orderQty=100&price=5506.0&clOrdID=O-1&ordType=Limit{GTC}",
    "market": f"symbol=XBTUSD&side=Buy&orderQty=1000&clOrdID=O-2&ordType=Market{GTC}",
    "stop": f"{STOPPED}&timeInForce=GoodTillCancel&execInst=ReduceOnly%2CMarkPrice{END}",
    "stop limit": (
        "symbol=XBTUSD&side=Sell&orderQty=200&price=4990.0&stopPx=5000.0&clOrdID=O-4&ordType=StopLimit"
        f"&timeInForce=GoodTillCancel&execInst=LastPrice{END}"
    ),
    "trailing": (
        "symbol=XBTUSD&side=Sell&orderQty=100&clOrdID=O-5&pegOffsetValue=-250.0&pegPriceType=TrailingStopPeg"
        f"&ordType=Pegged&timeInForce=GoodTillCancel&execInst=LastPrice{END}"
    ),
    "post-only": (
        "symbol=XBTUSD&side=Buy&orderQty=100&price=9990.0&clOrdID=O-7&ordType=Limit&timeInForce=GoodTillCancel"
        f"&execInst=ParticipateDoNotInitiate{END}"
    ),
    "touched": f"symbol=XBTUSD&side=Sell&orderQty=100&stopPx=9990.0&clOrdID=O-9&ordType=MarketIfTouched{GTC}",
    "off the grid": f"symbol=XBTUSD&side=Buy&orderQty=100&price=5552.500000000001&clOrdID=O-11&ordType=Limit{GTC}",
}
OPEN = '{"open":true}'
ONE = '{"clOrdID":"O-3"}'
LISTS = {
    "order": f"/order?filter={quote(OPEN)}&count=500&reverse=true",
    "all orders": "/order?count=500&reverse=true",
    "execution": "/execution/tradeHistory?count=500&reverse=true",
    "position": "/position?count=500",
    "margin": "/user/margin?currency=all",
    "bars": "/trade/bucketed?symbol=XBTUSD&binSize=1m&reverse=false"
    "&startTime=2019-05-27T23%3A30%3A24.823020Z&endTime=2019-05-28T00%3A00%3A24.823121Z",
}
DEMANDED = {
    "order": (
        "orderID account symbol side orderQty currency settlCurrency ordStatus workingIndicator leavesQty cumQty "
        "transactTime timestamp"
    ),
    "execution": "execID account lastQty lastPx execType ordType timeInForce",
    "position": "account symbol",
    "margin": "account currency",
    "bars": "timestamp symbol open high low close volume",
}
NEVER_EMPTY = {"clOrdID", "lastLiquidityInd", "lastTickDirection", "fairMethod", "markMethod"}


@pytest.fixture
def session(at_the_desk):
    """What a node asks when it starts and trades, with a socket as it has one."""

    async def story(desk):
        async def send(verb, route, body=""):
            headers = desk.sign(verb, f"/api/v1{route}", body)
            return await desk.raw(verb, f"/api/v1{route}", body, {**headers, "Content-Type": FORM} if body else headers)

        socket = await desk.socket("order", "execution", "position", "margin", "wallet", "instrument:XBTUSD")
        root = await send("GET", "")
        placed = {name: await send("POST", "/order", body) for name, body in PLACED.items()}
        ids = {name: answer.body["orderID"] for name, answer in placed.items()}
        amended = await send("PUT", "/order", f"orderID={ids['limit']}&orderQty=200&price=5450.0{END}")
        one = await send("GET", f"/order?filter={quote(ONE)}&count=1")
        lists = {name: await send("GET", route) for name, route in LISTS.items()}
        by_id = await send("DELETE", "/order", f"orderID={quote(json.dumps([ids['limit']]))}{END}")
        by_name = await send("DELETE", "/order", f"clOrdID={quote(json.dumps(['O-9', 'O-11']))}{END}")
        await asyncio.sleep(1)
        return root, placed, amended, one, lists, by_id, by_name, socket

    return at_the_desk(story, row_shape=Shape.SPARSE)


def test_each_request_is_taken(session):
    root, placed, amended, one, lists, by_id, by_name, _ = session
    assert type(root.body["timestamp"]) is int
    answers = [root, *placed.values(), amended, one, *lists.values(), by_id, by_name]
    assert {answer.status for answer in answers} == {200}
    assert (amended.body["orderQty"], amended.body["price"]) == (200, 5450)
    assert [row["clOrdID"] for row in one.body] == ["O-3"]
    assert [row["ordStatus"] for row in (*by_id.body, *by_name.body)] == ["Canceled"] * 3


def test_its_orders_become_what_they_say(session):
    rows = {name: answer.body for name, answer in session[1].items()}
    assert {name: (row["ordType"], row["ordStatus"]) for name, row in rows.items()} == {
        "limit": ("Limit", "New"), "market": ("Market", "Filled"), "stop": ("Stop", "New"),
        "stop limit": ("StopLimit", "New"), "trailing": ("Stop", "New"), "post-only": ("Limit", "Canceled"),
        "touched": ("MarketIfTouched", "New"), "off the grid": ("Limit", "New"),
    }  # fmt: skip
    assert rows["trailing"]["pegPriceType"] == "TrailingStopPeg"
    assert rows["off the grid"]["price"] == 5552.5


def test_a_started_node_finds_its_orders_and_positions(session):
    lists = {name: answer.body for name, answer in session[4].items()}
    assert sorted(row["clOrdID"] for row in lists["order"]) == ["O-1", "O-11", "O-3", "O-4", "O-5", "O-9"]
    assert [(row["symbol"], row["currentQty"]) for row in lists["position"]] == [("XBTUSD", 1000)]
    assert sum(row["lastQty"] for row in lists["execution"]) == 1000
    assert {row["currency"] for row in lists["margin"]} == {"XBt", "USDt", "Gwei"}
    assert lists["bars"]


def test_rows_have_what_it_demands(session):
    for table, columns in DEMANDED.items():
        for row in session[4][table].body:
            assert set(columns.split()) <= set(row), table
            assert not [column for column in NEVER_EMPTY & set(row) if row[column] == ""]
    socket = session[-1]
    for row in socket.rows("order", "insert"):
        assert set(DEMANDED["order"].split()) <= set(row)
    for table in ("margin", "wallet"):
        assert all({"account", "currency", "timestamp"} <= set(row) for row in socket.rows(table))
    for table in ("order", "execution", "position", "margin", "wallet", "instrument"):
        rows = socket.rows(table)
        assert rows
        assert not [row for row in rows if any(row.get(column) == "" for column in NEVER_EMPTY)]
    assert all("timestamp" in row for row in socket.rows("instrument"))
