"""Each recorded WebSocket frame is made again: same members, keys and types of a partial, same shape of its first row.

As `test_payloads` does it for REST: what differs is listed in `DIFFERENT` with the reason and in
`docs/bitmex-fidelity.md`, and a difference that goes away has to leave both.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from plugins.bitmex.tests.simulator.test_payloads import LATER, PAGE, PAYLOADS, REMOVED, differences

Ask = Callable[[Any], Awaitable[Any]]
FILLED = {"symbol": "XBTUSD", "side": "Buy", "orderQty": 100, "ordType": "Market"}
RESTING = {"symbol": "XBTUSDT", "side": "Buy", "orderQty": 1000, "price": 8000}
OLD_MEMBERS = frozenset({"foreignKeys", "attributes"})
"""Members of partials that were recorded until 2021, and in none since 2024."""


async def settled(seconds: float = 0.001) -> None:
    await asyncio.sleep(seconds)


def pushed(topic: str, action: str, *, seconds: float = 0.001, orders: tuple[dict[str, Any], ...] = ()) -> Ask:
    """The first frame of a table and action; orders are placed after the subscription."""

    async def ask(desk: Any) -> Any:
        socket = await desk.socket(topic)
        for order in orders:
            await desk.place(**order)
        await settled(seconds)
        return socket.of(topic.partition(":")[0], action)[0]

    return ask


def partial(topic: str, *orders: dict[str, Any]) -> Ask:
    """The partial, with these orders placed before."""

    async def ask(desk: Any) -> Any:
        for order in orders:
            await desk.place(**order)
        socket = await desk.socket(topic)
        return socket.of(topic.partition(":")[0], "partial")[0]

    return ask


async def liquidated(desk: Any) -> list[Any]:
    """The frames of an account whose isolated position is taken over."""
    socket = await desk.socket("execution", "liquidation")
    await desk.call("POST", "/position/leverage", {"symbol": "XBTUSD", "leverage": 50})
    await desk.place(**FILLED)
    simulator = desk.running.simulator
    market = simulator.venue.markets["XBTUSD"]
    simulator.drive.act(lambda: simulator.venue.index(market, market.ticker.index * 0.9))
    await settled()
    return socket


async def liquidation_execution(desk: Any) -> Any:
    return (await liquidated(desk)).of("execution", "insert")[-1]


async def liquidation(desk: Any) -> Any:
    return (await liquidated(desk)).of("liquidation", "insert")[0]


async def cancelled(desk: Any) -> Any:
    row = await desk.place(**RESTING)
    socket = await desk.socket("order")
    await desk.call("DELETE", "/order", {"orderID": row["orderID"]})
    await settled()
    return socket.of("order", "update")[0]


async def welcome(desk: Any) -> Any:
    socket = await desk.socket(key=None)
    await settled()
    return socket.frames[0]


def session(topic: str) -> Ask:
    """Welcome, ack and partial, as a socket got them."""

    async def ask(desk: Any) -> Any:
        socket = await desk.socket()
        await socket.send(op="subscribe", args=topic)
        return [socket.frames[0], *socket.frames[-2:]]

    return ask


async def subscribed(desk: Any) -> Any:
    return (await session("instrument")(desk))[1]


async def levels(desk: Any) -> Any:
    """An insert, an update and a delete."""
    socket = await desk.socket("orderBookL2:XBTUSD")
    await settled(60)
    return [socket.of("orderBookL2", action)[0] for action in ("insert", "update", "delete")]


def index_update(frames: list[Any]) -> Any:
    return next(frame for frame in frames if "indicativeSettlePrice" in frame["data"][0])


async def instrument_update(desk: Any) -> Any:
    socket = await desk.socket("instrument:XBTUSD")
    await settled(120)
    return index_update(socket.of("instrument", "update"))


CASES: dict[str, Ask] = {
    "ccxt_ws_execution_insert_liquidation": liquidation_execution,
    "ccxt_ws_instrument_partial_xbtusd": partial("instrument:XBTUSD"),
    "ccxt_ws_margin_partial": partial("margin"),
    "ccxt_ws_order_partial": partial("order", {"symbol": "XBTUSD", "side": "Buy", "orderQty": 100, "price": 8000}),
    "ccxt_ws_orderbookl2_update_2019": pushed("orderBookL2:XBTUSD", "update", seconds=60),
    "ccxt_ws_trade_partial": partial("trade:XBTUSD"),
    "ccxt_ws_tradebin1m_partial": partial("tradeBin1m:XBTUSD"),
    "cryptofeed_ws_order_insert_linear_future": pushed("order", "insert", orders=(RESTING,)),
    "cryptofeed_ws_order_update_linear_future": cancelled,
    "nautilus_ws_instrument_index_update": instrument_update,
    "nautilus_ws_liquidation": liquidation,
    "nautilus_ws_orderbook_10": partial("orderBook10:XBTUSD"),
    "nautilus_ws_trade": pushed("trade:XBTUSD", "insert", seconds=60),
    "nautilus_ws_wallet": partial("wallet"),
    "net_ws_concurrent": pushed("tradeBin1h:XBT_USDT", "insert", seconds=3700),
    "net_ws_klines": pushed("tradeBin5m:XBT_USDT", "insert", seconds=310),
    "official_announcement_execution_new_2026": pushed(
        "execution", "insert", orders=({**FILLED, "symbol": "XBTUSDT", "orderQty": 1000},)
    ),
    "official_announcement_l2_price_on_every_row": levels,
    "official_ws_order_empty_partial_all": session("order:*"),
    "official_ws_trade_symbol": session("trade:XBTUSD"),
    "roq_funding": partial("funding"),
    "roq_liquidation__empty": partial("liquidation"),
    "roq_margin": partial("margin"),
    "roq_order_book_l2": partial("orderBookL2"),
    "roq_position": partial("position", FILLED),
    "roq_subscribe": subscribed,
    "roq_welcome": welcome,
}
"""Payload to what makes the same frame here."""
LATER_KEYS = "the key of later years"
EMPTY_TYPE = "the captures of 2024 and 2025 have the empty text as its type"
EVERY_ROW = "on every row since 2023 and 2022"
NEW_WELCOME = "members of the welcome since 2024"
TOGETHER = "index and mark move in one row here, in rows of their own at the exchange"
NEVER_TRADED = "captured of an account that had never traded"
DIFFERENT: dict[str, dict[str, str]] = {
    "ccxt_ws_margin_partial": {"keys": LATER_KEYS},
    "ccxt_ws_order_partial": dict.fromkeys(
        ("types.clOrdID", "types.clOrdLinkID", "types.ordRejReason", "types.text"), EMPTY_TYPE
    ),
    "official_announcement_l2_price_on_every_row": {"transactTime": EVERY_ROW},
    "official_ws_order_empty_partial_all": {
        **dict.fromkeys(("types.clOrdID", "types.clOrdLinkID", "types.ordRejReason", "types.text"), EMPTY_TYPE),
        **dict.fromkeys(("heartbeatEnabled", "appName"), NEW_WELCOME),
    },
    "official_ws_trade_symbol": dict.fromkeys(("heartbeatEnabled", "appName"), NEW_WELCOME),
    "ccxt_ws_orderbookl2_update_2019": dict.fromkeys(("price", "timestamp", "transactTime"), EVERY_ROW),
    "nautilus_ws_instrument_index_update": dict.fromkeys(
        ("fairPrice", "openValue", "markPrice", "fairBasis"), TOGETHER
    ),
    "roq_margin": dict.fromkeys(("grossExecCost", "prevRealisedPnl"), NEVER_TRADED),
}
"""What stays different, and why; each column stands in docs/bitmex-fidelity.md."""
NOT_MADE: dict[str, str] = {
    "ccxt_ws_error_429": "commands over the socket are not counted",
    "nautilus_ws_execution_cancel_reject": "a cancel that fails is answered in its row, never told as an execution",
    "nautilus_ws_instrument": "a row made up by its reader: `indexPrice` and `indicativeTaxRate` are in no capture",
    "hummingbot_tests_private_ws": "rows made up by a test: six columns of a position",
}
"""Frames that are not sent, and why."""


def recorded(name: str) -> Any:
    """The frame of a payload: of a recorded session the data frame, of a bare row a frame around it."""
    found = json.loads((PAYLOADS / f"{name}.json").read_text())
    if name == "official_announcement_execution_new_2026":
        return {"table": "execution", "action": "insert", "data": [found]}
    if name == "official_announcement_l2_price_on_every_row":
        return found
    if isinstance(found, list) and "dir" in found[0]:
        return next(one["msg"] for one in found if one["dir"] == "recv" and "table" in one["msg"])
    return found


def compare(theirs: Any, ours: Any) -> dict[str, str]:
    """What a reader of the recorded frame would notice."""
    if isinstance(theirs, list):
        found: dict[str, str] = {}
        for one, other in zip(theirs, ours, strict=False):
            found |= compare(one, other)
        return found
    if "table" not in theirs:
        if "symbol" in theirs or "currency" in theirs:
            return differences(theirs, ours["data"][0], listed=False)
        return differences(theirs, ours, listed=False)
    found = {name: "a member" for name in theirs.keys() ^ ours.keys() if name not in OLD_MEMBERS}
    if theirs["action"] != ours["action"]:
        found["action"] = ours["action"]
    if "types" in theirs:
        columns, now = theirs["types"], ours["types"]
        named = columns.keys() ^ now.keys() if "attributes" not in theirs else columns.keys() - now.keys()
        found |= {f"types.{name}": "a column" for name in named - LATER - REMOVED}
        both = columns.keys() & now.keys()
        found |= {f"types.{name}": now[name] for name in both if columns[name] != now[name]}
        if theirs["keys"] != ours["keys"]:
            found["keys"] = ", ".join(ours["keys"])
        found |= {f"filter.{name}": "a filter" for name in theirs["filter"].keys() ^ ours["filter"].keys()}
    if theirs["data"]:
        found |= differences(theirs["data"][0], ours["data"][0], listed=False)
    return found


@pytest.mark.parametrize("name", sorted({*DIFFERENT, *CASES, *NOT_MADE}))
def test_the_page_of_differences_names_it(name):
    page = PAGE.read_text()
    assert f"`{name}`" in page
    for column, reason in DIFFERENT.get(name, {}).items():
        assert f"`{column}`" in page, column
        assert reason in page, reason
    if name in NOT_MADE:
        assert NOT_MADE[name] in page


def test_every_recorded_frame_is_there():
    found = {path.stem for path in PAYLOADS.glob("*.json")}
    pushed_by_roq = {
        "roq_funding", "roq_liquidation__empty", "roq_margin", "roq_order_book_l2", "roq_position", "roq_subscribe",
        "roq_welcome",
    }  # fmt: skip
    named = {name for name in found if any(part in name for part in ("_ws_", "hummingbot_", "official_announcement"))}
    assert named | pushed_by_roq == {*CASES, *NOT_MADE}


@pytest.mark.parametrize("name", CASES)
def test_a_recorded_frame_is_made_again(at_the_desk, name):
    ours = at_the_desk(CASES[name])
    found = compare(recorded(name), ours)
    if name.startswith("net_"):
        found = {column: what for column, what in found.items() if what != "added"}  # a list of fields, cut short
    assert found.keys() == DIFFERENT.get(name, {}).keys(), (found, ours)
