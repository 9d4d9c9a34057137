"""Subscriptions: acks, partials, errors and filters (protocol 7.3, 7.4, 18.10)."""

import asyncio

import aiohttp
import pytest

DOCS = "https://www.bitmex.com/app/wsAPI"


def test_each_argument_is_acked_then_followed_by_its_partial(at_the_desk):
    async def story(desk):
        socket = await desk.socket(key=None)
        await socket.send(op="subscribe", args=["trade:XBTUSD", "nothing", "liquidation", "quote:XBTUSD"])
        await socket.send(op="subscribe", args="trade")
        return socket.frames[1:]

    frames = at_the_desk(story)
    request = {"op": "subscribe", "args": ["trade:XBTUSD", "nothing", "liquidation", "quote:XBTUSD"]}
    assert frames[0] == {"success": True, "subscribe": "trade:XBTUSD", "request": request}
    assert (frames[1]["table"], frames[1]["action"], frames[1]["filter"]) == ("trade", "partial", {"symbol": "XBTUSD"})
    assert frames[1]["keys"] == []
    assert frames[2] == {
        "status": 400,
        "error": "Unknown table: nothing",
        "meta": {},
        "request": {"op": "subscribe", "args": ["nothing"]},
    }
    assert frames[4]["data"] == []
    assert frames[5]["subscribe"] == "quote:XBTUSD"
    # A command with a text is echoed with a text.
    assert frames[7] == {"success": True, "subscribe": "trade", "request": {"op": "subscribe", "args": "trade"}}
    assert frames[8]["filter"] == {}


@pytest.mark.parametrize(
    ("topic", "status", "error"),
    [
        ("orderBook25", 400, "Unknown table: orderBook25"),
        ("trade:NONE", 400, "Unknown or expired symbol."),
        ("quote:.BXBT", 400, "Unknown or expired symbol."),
        ("margin:XBT", 400, "Unknown or expired symbol."),
        (
            "announcement",
            400,
            f"Topic announcement is not available on this endpoint. Please see the documentation at {DOCS}.",
        ),
    ],
)
def test_topics_that_are_refused(at_the_desk, topic, status, error):
    async def story(desk):
        socket = await desk.socket(topic)
        return socket.errors()

    request = {"op": "subscribe", "args": [topic]}
    assert at_the_desk(story) == [{"status": status, "error": error, "meta": {}, "request": request}]


def test_private_topics_need_a_login_and_work_after_it(at_the_desk):
    async def story(desk):
        socket = await desk.socket("order", key=None)
        return socket.errors()

    (error,) = at_the_desk(story)
    assert error["status"] == 401
    assert error["error"] == "User requested an account-locked subscription but no authorization was provided."
    assert error["meta"]["notes"].startswith("Account-locked tables include the following: account,affiliate")


def test_repeated_wider_and_ended_subscriptions(at_the_desk):
    async def story(desk):
        socket = await desk.socket("trade:XBTUSD", "trade:XBTUSD", "trade", key=None)
        await asyncio.sleep(30)
        both = socket.rows("trade", "insert")
        await socket.send(op="unsubscribe", args=["trade", "trade:XBTUSD", "quote"])
        count = len(socket.frames)
        await asyncio.sleep(30)
        return socket, both, len(socket.frames) - count

    socket, both, later = at_the_desk(story)
    errors = [error["error"] for error in socket.errors()]
    assert errors == [
        f"You are already subscribed to this topic:trade:XBTUSD. Please see the documentation at {DOCS}.",
        "Not subscribed",
    ]
    ids = [row["trdMatchID"] for row in both if row["symbol"] == "XBTUSD"]
    assert len(ids) == 2 * len(set(ids)) > 0
    assert later == 0


def test_classes_currencies_and_stars(at_the_desk):
    async def story(desk):
        return await desk.socket("instrument:INDICES", "instrument:DERIVATIVES", "margin:USDt", "position:*")

    socket = at_the_desk(story)
    indices, derivatives = socket.of("instrument")
    assert {".BXBT", ".BXBTT", ".BETH"} <= {row["symbol"] for row in indices["data"]}
    assert all(row["symbol"].startswith(".") for row in indices["data"])
    names = {row["symbol"] for row in derivatives["data"]}
    assert {"XBTUSD", "XBTUSDT", "XBTM26", "P_POWELLK26"} <= names
    assert "XBT_USDT" not in names
    assert indices["filter"] == {}
    (margin,) = socket.of("margin")
    assert margin["filter"] == {"account": 100001, "currency": "USDt"}
    assert [row["currency"] for row in margin["data"]] == ["USDt"]
    assert socket.of("position")[0]["filter"] == {"account": 100001}


@pytest.mark.parametrize("text", ["{", "[]", "1", '{"op":"order"}', "\u0000", "[" * 5000], ids=range(6))
def test_what_is_no_command(at_the_desk, text):
    async def story(desk):
        socket = await desk.socket(key=None)
        await socket.socket.send_str(text)
        await socket.socket.send_str("ping")
        await asyncio.sleep(0.001)
        return socket.frames[1:]

    error = {"status": 400, "error": "Unrecognized request", "meta": {}, "request": {}}
    assert at_the_desk(story) == [error, "pong"]


def test_twenty_errors_close_the_socket(at_the_desk):
    async def story(desk):
        socket = await desk.socket(key=None)
        for _ in range(25):
            await socket.send(op="nothing") if not socket.socket.closed else None
        await asyncio.sleep(0.001)
        return len(socket.errors()), socket.socket.close_code

    assert at_the_desk(story) == (20, 1008)


def test_cancel_all_after_over_the_socket(at_the_desk):
    async def story(desk):
        stranger = await desk.socket(key=None)
        await stranger.send(op="cancelAllAfter", args=1000)
        socket = await desk.socket("order")
        await desk.place(side="Buy", orderQty=100, price=8000)
        await socket.send(op="cancelAllAfter", args=1000)
        await asyncio.sleep(1.1)
        return stranger.errors(), [frame for frame in socket.frames if "cancelTime" in frame], socket.rows("order")

    errors, (answer,), rows = at_the_desk(story)
    assert (errors[0]["status"], errors[0]["error"]) == (401, "Authorization Required")
    assert answer["request"] == {"op": "cancelAllAfter", "args": 1000}
    assert rows[-1]["ordStatus"] == "Canceled"


def test_the_order_partial_holds_open_orders_and_executions_the_newest(at_the_desk):
    async def story(desk):
        await desk.place(side="Buy", orderQty=100, ordType="Market")
        kept = await desk.place(side="Buy", orderQty=100, price=8000)
        socket = await desk.socket("order", "execution", "position")
        return kept, socket

    kept, socket = at_the_desk(story)
    assert socket.rows("order", "partial") == [kept]
    assert [row["execType"] for row in socket.rows("execution", "partial")] == ["New", "Trade", "New"]
    assert socket.of("position")[0]["keys"] == ["account", "symbol", "strategy"]
    assert socket.rows("position")[0]["openOrderBuyQty"] == 100


def test_stopping_closes_sockets_with_a_restart_code(at_the_desk):
    async def story(desk):
        socket = await desk.socket("trade", key=None)
        await desk.running.close()
        await asyncio.sleep(0.001)
        return socket.socket.close_code

    assert at_the_desk(story) == 1012


def test_a_client_that_answers_no_ping_for_a_minute_is_closed_and_an_idle_one_is_not(at_the_desk):
    async def story(desk):
        idle = await desk.socket(key=None)
        async with desk.session.ws_connect("/realtime", autoping=False) as dead:
            pings = 0
            while (message := await dead.receive()).type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.PING):
                pings += message.type is aiohttp.WSMsgType.PING
            return pings, dead.close_code, desk.loop.time(), idle.socket.closed

    pings, code, at, closed = at_the_desk(story)
    assert (pings, code) == (3, 1011)
    assert 60 < at < 90
    assert not closed


def test_a_simulator_without_history_begins_with_the_tape(at_the_desk):
    async def story(desk):
        socket = await desk.socket("trade:XBTUSD", "orderBookL2:XBTUSD", key=None)
        await asyncio.sleep(60)
        return socket

    socket = at_the_desk(story, history=0)
    assert [frame["data"] for frame in socket.of("trade", "partial")] == [[]]
    assert len(socket.of("trade", "insert")) > 10
    assert len(socket.rows("orderBookL2", "insert")) >= 50


def test_the_platform_socket_has_its_own_tables(at_the_desk):
    async def story(desk):
        async with desk.session.ws_connect("/realtimePlatform") as socket:
            topics = ["announcement", "connected", "chat", "trade:XBTUSD", "privateNotifications"]
            await socket.send_json({"op": "subscribe", "args": topics})
            return [await socket.receive_json(timeout=5) for _ in range(9)]

    welcome, *frames = at_the_desk(story)
    assert welcome["version"] == "2.0.0"
    partials = [frame for frame in frames if "table" in frame]
    assert [frame["table"] for frame in partials] == ["announcement", "connected", "chat"]
    assert all(frame["keys"] == ["id"] for frame in partials)
    assert partials[0]["data"][0]["title"] == "This is a simulator"
    other, locked = (frame for frame in frames if "error" in frame)
    assert other["error"].startswith("Topic trade is not available on this endpoint.")
    assert (locked["status"], locked["request"]["args"]) == (401, ["privateNotifications"])
