"""Sparse rows and full ones: per server, per key, over REST and sockets, each frame encoded once per shape (0.3)."""

import asyncio
import json
from collections import Counter

import pytest
from hbkit_bitmex.simulator import hub
from hbkit_bitmex.simulator.columns import KEYS, TYPES
from hbkit_bitmex.simulator.options import PlannedAccount, PlannedKey
from hbkit_bitmex.simulator.shapes import Shape, answered, framed

from hbkit.clock import SECOND, parse_time

TEXTS = ("symbol", "string", "")
ORDER = {"symbol": "XBTUSD", "side": "Buy", "orderQty": 100, "price": 5000}

# What the official clients index without a look whether it is there (B.4, B.5 of the protocol reference).
INSTRUMENT = (
    "symbol state tickSize isQuanto isInverse underlyingToSettleMultiplier quoteToSettleMultiplier multiplier "
    "markPrice indicativeSettlePrice midPrice bidPrice askPrice lastPrice"
)
INDEXED = {
    "instrument": INSTRUMENT,
    "position": "symbol currentQty avgCostPrice avgEntryPrice homeNotional",
    "margin": "marginBalance",
    "order": "orderID clOrdID side price orderQty leavesQty cumQty symbol",
    "quote": "bidPrice askPrice",
    "trade": "price",
}
SUBSCRIBED = "quote:XBTUSD,trade:XBTUSD,instrument,order:XBTUSD,execution:XBTUSD,margin,position"
"""The sample market maker's, in the address that it connects to."""


@pytest.fixture
def know(monkeypatch):
    """Tells a desk the secrets of further keys."""

    def know(desk, *names):
        for name in names:
            monkeypatch.setitem(type(desk).sign.__globals__["SECRETS"], name, f"{name}-secret")

    return know


def is_full(table, row):
    return set(TYPES[table]) <= set(row)


def test_full_rows_have_every_column_over_rest(at_the_desk):
    async def story(desk):
        await desk.place(side="Buy", orderQty=100, ordType="Market")
        await desk.place(**ORDER)
        routes = {
            "order": "/order", "execution": "/execution", "position": "/position", "margin": "/user/margin",
            "wallet": "/user/wallet", "instrument": "/instrument?symbol=XBTUSD", "trade": "/trade?symbol=XBTUSD",
            "quote": "/quote?symbol=XBTUSD", "orderBookL2": "/orderBook/L2?symbol=XBTUSD", "funding": "/funding",
            "tradeBin1m": "/trade/bucketed?symbol=XBTUSD",
        }  # fmt: skip
        return {table: (await desk.call("GET", route)).body for table, route in routes.items()}

    bodies = at_the_desk(story, row_shape=Shape.FULL)
    for table, body in bodies.items():
        rows = body if isinstance(body, list) else [body]
        assert rows
        for row in rows:
            assert is_full(table, row), table
            empty = {column for column, value in row.items() if value is None}
            assert not [column for column in empty if TYPES[table].get(column) in TEXTS], table
    market, limit = bodies["order"]
    # A market order has no price, a limit order that has not filled no average; neither has a name of its own.
    assert (market["price"], limit["avgPx"], limit["stopPx"], limit["expiryTime"]) == (None, None, None, None)
    assert (market["clOrdID"], market["execInst"], market["triggered"]) == ("", "", "")
    assert (market["orderQty"], limit["price"]) == (100, 5000)


def test_sparse_is_what_is_sent_otherwise(at_the_desk):
    async def story(desk):
        return await desk.place(**ORDER), (await desk.call("GET", "/order")).body[0]

    placed, listed = at_the_desk(story)
    assert placed == listed
    assert not {"clOrdID", "stopPx", "avgPx", "execInst"} & set(placed)


@pytest.mark.parametrize("given", ["price,side", '["price","side"]'])
def test_of_chosen_columns_only_those_are_filled(at_the_desk, given):
    async def story(desk):
        await desk.place(side="Buy", orderQty=100, ordType="Market")
        return (await desk.call("GET", f"/order?columns={given}".replace('"', "%22"))).body

    (row,) = at_the_desk(story, row_shape=Shape.FULL)
    assert set(row) == {"orderID", "price", "side", "timestamp"}
    assert row["price"] is None


def test_csv_of_full_rows_has_every_column(at_the_desk):
    async def story(desk):
        await desk.place(**ORDER)
        return (await desk.call("GET", "/order?_format=csv")).body

    heads = [line.split(",") for line in at_the_desk(story, row_shape=Shape.FULL).splitlines()]
    assert {column.strip('"') for column in heads[0]} >= set(TYPES["order"])
    assert len(heads[0]) == len(heads[1])


@pytest.fixture
def frames(at_the_desk):
    """What a socket of the sample market maker hears: header login, topics in the address, no command at all."""

    async def story(desk):
        async with desk.session.ws_connect(
            f"/realtime?subscribe={SUBSCRIBED},orderBookL2:XBTUSD",
            headers=desk.sign("GET", "/realtime", expires=desk.loop.clock.now() // SECOND + 3600),
        ) as socket:
            found = []

            async def read():
                async for message in socket:
                    found.append(json.loads(message.data))

            reader = asyncio.create_task(read())
            await asyncio.sleep(1)
            orders = [
                {"symbol": "XBTUSD", "orderQty": 100, "price": 8000, "side": "Buy", "clOrdID": "mm_bitmex_1"},
                {"symbol": "XBTUSD", "orderQty": 100, "price": 9900, "side": "Sell"},
            ]
            placed = (await desk.call("POST", "/order/bulk", {"orders": orders})).body
            change = {"orderID": placed[0]["orderID"], "orderQty": 200, "price": 8001, "side": "Buy"}
            await desk.call("PUT", "/order/bulk", {"orders": [change]})
            wanted = '{"ordStatus.isTerminated": false, "symbol": "XBTUSD"}'
            quoted = wanted.replace('"', "%22").replace(" ", "%20").replace("{", "%7B").replace("}", "%7D")
            listed = (await desk.call("GET", f"/order?filter={quoted}&count=500")).body
            await desk.place(side="Buy", orderQty=300, ordType="Market")
            await desk.call("DELETE", "/order", {"orderID": [row["orderID"] for row in listed]})
            await desk.place(side="Sell", orderQty=300, ordType="Market")
            await asyncio.sleep(30)
            await socket.close()
            await reader
            return found, listed

    start = parse_time("2019-05-28T11:59:00Z")
    return at_the_desk(story, start=start, row_shape=Shape.FULL, bulk_orders=True)


def test_a_client_that_indexes_finds_what_it_indexes(frames):
    """Their stores, written as they keep them: lists of rows, found by the partial's keys."""
    heard, listed = frames
    assert [row["clOrdID"] for row in listed] == ["mm_bitmex_1", ""]
    tables, keys, seen = {}, {}, Counter()
    for frame in heard:
        if "table" not in frame:
            continue
        table, action, rows = frame["table"], frame["action"], frame["data"]
        seen[table, action] += 1
        if action == "partial":
            tables[table], keys[table] = list(rows), frame["keys"]
            assert all(is_full(table, row) for row in rows)
            continue
        for row in rows:
            named = [one for one in tables[table] if all(one[key] == row[key] for key in keys[table])]
            if action == "insert":
                assert is_full(table, row)
                tables[table].append(row)
            elif action == "update":
                named[0].update(row)
                assert "clOrdID" in row or table != "order"
                if table == "order" and named[0]["leavesQty"] == 0:
                    tables[table].remove(named[0])
            else:
                tables[table].remove(named[0])
        for row in tables[table]:
            assert set(INDEXED.get(table, "").split()) <= set(row)
    # An order that fills at once comes as an insert that leaves nothing, and they look at that before they count it.
    assert not [row for row in tables["order"] if row["leavesQty"] > 0]
    assert tables["margin"][0]["currency"] == "XBt"
    (position,) = tables["position"]
    # Bought 300 and sold them: flat, and then there is no entry price; it does not stay as it was.
    assert (position["currentQty"], position["avgEntryPrice"]) == (0, None)
    assert {("order", "update"), ("execution", "insert"), ("instrument", "update"), ("margin", "update")} <= set(seen)


def test_types_of_a_full_partial_name_the_columns_of_2026(frames):
    heard, _ = frames
    types = {frame["table"]: frame["types"] for frame in heard if frame.get("action") == "partial"}
    assert types["order"] == {**TYPES["order"], "expiryTime": "timestamp"}
    assert types["quote"] == {**TYPES["quote"], "pool": "symbol"}
    assert types["margin"] == TYPES["margin"]


BOTH = (
    PlannedAccount(
        (
            PlannedKey("new", "new-secret", frozenset({"order"})),
            PlannedKey("old", "old-secret", frozenset({"order"}), row_shape=Shape.FULL),
        )
    ),
)


def test_a_key_has_a_shape_of_its_own(at_the_desk, know):
    async def story(desk):
        know(desk, "new", "old")
        new, old = (
            await desk.socket("order", "quote:XBTUSD", key="new"),
            await desk.socket("order", "quote:XBTUSD", key="old"),
        )
        nobody = await desk.socket("instrument:XBTUSD", key=None)
        await desk.place("new", **ORDER)
        rows = [(await desk.call("GET", "/order", key=key)).body[0] for key in ("new", "old")]
        public = [(await desk.call("GET", "/quote?symbol=XBTUSD&count=1", key=key)).body[0] for key in ("old", None)]
        await asyncio.sleep(5)
        return new, old, nobody, rows, public

    new, old, nobody, rows, public = at_the_desk(story, planned=BOTH)
    assert [is_full("order", row) for row in rows] == [False, True]
    assert [is_full("order", socket.rows("order", "insert")[0]) for socket in (new, old)] == [False, True]
    assert [("pool" in row) for row in public] == [True, False]
    assert not is_full("instrument", nobody.rows("instrument", "partial")[0])
    assert {"pool" in row for row in old.rows("quote", "insert")} == {True}
    assert {"pool" in row for row in new.rows("quote", "insert")} == {False}


def test_a_login_counts_from_the_next_subscription_on(at_the_desk, know):
    async def story(desk):
        know(desk, "old")
        socket = await desk.socket("quote:XBTUSD", key=None)
        at = desk.loop.clock.now() // SECOND + 10
        sign = desk.sign("GET", "/realtime", key="old")["api-signature"]
        await socket.send(op="authKeyExpires", args=["old", at, sign])
        await socket.send(op="subscribe", args=["trade:XBTUSD"])
        await asyncio.sleep(5)
        return socket

    socket = at_the_desk(story, planned=BOTH)
    assert {"pool" in row for row in socket.rows("quote")} == {False}
    assert {"pool" in row for row in socket.rows("trade")} == {True}


def test_an_update_is_encoded_once_per_shape(at_the_desk, know, monkeypatch):
    encoded = []
    monkeypatch.setattr(hub, "encode", lambda value: encoded.append(value["table"]) or json.dumps(value).encode())

    async def story(desk):
        know(desk, "new", "old")
        sockets = [await desk.socket("quote:XBTUSD", key=key) for key in ("new", "new", None, "old", "old")]
        await asyncio.sleep(20)
        return [len(socket.of("quote", "insert")) for socket in sockets]

    counts = at_the_desk(story, planned=BOTH, limits=False)
    assert counts[0] > 0
    assert len(set(counts)) == 1
    assert len(encoded) == 2 * counts[0]  # five sockets, two shapes


def test_deletes_name_the_row_and_updates_what_changed():
    row = {"symbol": "XBTUSD", "id": 1, "side": "Buy"}
    assert framed("orderBookL2", "delete", [row], Shape.FULL) == [row]
    assert framed("instrument", "update", [{"symbol": "XBTUSD", "bidPrice": 1}], Shape.FULL) == [
        {"symbol": "XBTUSD", "bidPrice": 1}
    ]
    assert framed("order", "update", [{"orderID": "x", "price": 1}], Shape.FULL) == [
        {"clOrdID": "", "orderID": "x", "price": 1}
    ]
    # Whole rows are told of these: what became empty is told as empty.
    (flat,) = framed("position", "update", [{"account": 1, "symbol": "XBTUSD", "currentQty": 0}], Shape.FULL)
    assert flat["avgEntryPrice"] is None


def test_what_is_no_table_of_the_exchange_stays_as_it_is():
    assert answered("user", {"id": 1}, Shape.FULL) == {"id": 1}
    assert answered("", ["x"], Shape.FULL) == ["x"]
    assert answered("order", [{"orderID": "x"}], Shape.SPARSE) == [{"orderID": "x"}]
    assert set(KEYS["order"]) <= set(answered("order", [{}], Shape.FULL)[0])
