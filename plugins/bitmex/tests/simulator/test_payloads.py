"""Each recorded REST answer is made again: same columns, same types, empty where it was empty (protocol 0.3).

What differs is listed in `DIFFERENT` with the reason, and in `docs/bitmex-fidelity.md`; a difference that goes away has
to leave both. An absent column, `null` and `""` are the same: recorded rows of before 2023 are full, ours are sparse.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

PAYLOADS = Path(__file__).parent.parent / "payloads"
PAGE = Path(__file__).parents[4] / "docs" / "bitmex-fidelity.md"


def words(*texts: str) -> frozenset[str]:
    """The words of several lines."""
    return frozenset(word for text in texts for word in text.split())


REMOVED = words(
    "simpleOrderQty simpleLeavesQty simpleCumQty exDestination multiLegReportingType underlyingLastPx lastMkt",
    # margin
    "prevState action prevUnrealisedPnl taxableMargin sessionMargin varMargin indicativeTax unrealisedProfit",
    "syntheticMargin marginBalancePcnt excessMarginPcnt grossLastValue commission pendingCredit pendingDebit",
    "confirmedDebit",
    # wallet
    "prevDeposited prevWithdrawn prevTransferIn prevTransferOut prevAmount prevTimestamp deltaDeposited deltaWithdrawn",
    "deltaTransferIn deltaTransferOut deltaAmount addr script withdrawalLock",
    # position
    "prevClosePrice openingTimestamp openingCost openingComm execBuyQty execBuyCost execSellQty execSellCost execQty",
    "execCost execComm currentTimestamp grossOpenCost grossExecCost posCost2 posAllowance targetExcessMargin",
    "realisedGrossPnl realisedTax unrealisedGrossPnl unrealisedTax indicativeTaxRate shortBankrupt longBankrupt",
    "simpleQty simpleCost simpleValue simplePnl simplePnlPcnt taxBase lastPrice lastValue",
    # instrument
    "relistInterval optionStrikePcnt optionStrikeRound optionStrikePrice optionMultiplier optionUnderlyingPrice",
    "sessionInterval inverseLeg sellLeg buyLeg maxTolerancePcnt bankruptLimitUpPrice bankruptLimitDownPrice",
    "insuranceFee rebalanceTimestamp rebalanceInterval publishTime",
)
"""Columns that the exchange took away in 2023 (protocol 8, 9.2): a recorded row of before that may have them."""
LATER = words(
    "strategy pool tradePool feeType trdType memoRequired assetID foreignMarginBalance foreignRequirement instantPnl",
    "minPrice minTick instrumentID fundingBaseRate fundingQuoteRate",
    # taken away in 2023 and there again in the rows of 2026-05-03
    "openingTimestamp closingTimestamp prevTotalVolume prevTotalTurnover prevClosePrice capped",
)
"""Columns that the exchange added after the row was recorded."""

Ask = Callable[[Any], Awaitable[Any]]


def get(route: str, *, pick: Callable[[dict[str, Any]], bool] = lambda row: True, key: str | None = "demo") -> Ask:
    """The first row of a route that fits."""

    async def ask(desk: Any) -> Any:
        body = (await desk.call("GET", route, key=key)).body
        return next(row for row in body if pick(row)) if isinstance(body, list) else body

    return ask


def after(*orders: dict[str, Any], then: Ask) -> Ask:
    """Place these first."""

    async def ask(desk: Any) -> Any:
        for order in orders:
            if "leverage" in order:
                await desk.call("POST", "/position/leverage", order)
            else:
                await desk.place(**order)
        return await then(desk)

    return ask


RESTING = {"symbol": "XBT_USDT", "side": "Buy", "orderQty": 1000, "price": 8000, "clOrdID": "mine"}
LINEAR = {"symbol": "XBTUSDT", "side": "Buy", "orderQty": 1000, "ordType": "Market"}


async def cancelled(desk: Any) -> Any:
    row = await desk.place(**RESTING)
    return (await desk.call("DELETE", "/order", {"orderID": row["orderID"]})).body[0]


async def all_cancelled(desk: Any) -> Any:
    await desk.place(**RESTING)
    return (await desk.call("DELETE", "/order/all")).body[0]


async def closed(desk: Any) -> Any:
    await desk.place(**LINEAR)
    return await desk.place(symbol="XBTUSDT", side="Sell", execInst="Close")


async def refused(desk: Any) -> Any:
    order = {"symbol": "XBTUSD", "side": "Buy", "orderQty": 1_500_000, "price": 8000}
    return (await desk.call("POST", "/order", order)).body


async def nobody(desk: Any) -> Any:
    headers = {**desk.sign("GET", "/api/v1/order"), "api-key": "nobody"}
    return (await desk.raw("GET", "/api/v1/order", headers=headers)).body


async def fees(desk: Any) -> Any:
    return {"1000000MOGUSDT": (await desk.call("GET", "/user/commission")).body["XBTUSD"]}


async def timer(desk: Any) -> Any:
    return (await desk.call("POST", "/order/cancelAllAfter", {"timeout": 100})).body


def symbol(name: str) -> Callable[[dict[str, Any]], bool]:
    return lambda row: row.get("symbol") == name


CASES: dict[str, Ask] = {
    "ccxt_http_asset": get("/wallet/assets", pick=lambda row: row["currency"] == "XBt"),
    "ccxt_http_cancel_all_after": timer,
    "ccxt_http_close_position_2026": closed,
    "ccxt_http_funding": get("/funding"),
    "ccxt_http_instrument_ltcusdt": get("/instrument?symbol=XBTUSDT"),
    "ccxt_http_margin_all": get("/user/margin?currency=all"),
    "ccxt_http_order_open": after({"side": "Buy", "orderQty": 100, "price": 8000}, then=get("/order")),
    "ccxt_http_order_spot_market_filled": after(
        {"symbol": "XBT_USDT", "side": "Sell", "orderQty": 10000, "ordType": "Market"}, then=get("/order")
    ),
    "ccxt_http_position_ethusdt_isolated": after(
        {"symbol": "XBTUSDT", "leverage": 3}, LINEAR, then=get("/position", pick=symbol("XBTUSDT"))
    ),
    "ccxt_http_stats": get("/stats", pick=lambda row: row["rootSymbol"] == "Total"),
    "ccxt_http_trade_bucketed_zero_volume": get(
        "/trade/bucketed?symbol=XBTUSD&partial=true&reverse=true", pick=lambda row: row["trades"] == 0
    ),
    "nautilus_http_error_response": nobody,
    "nautilus_http_get_executions": after(
        {"side": "Buy", "orderQty": 200, "ordType": "Market"},
        {"side": "Sell", "orderQty": 200, "price": 5000, "clOrdID": "mine", "execInst": "ReduceOnly"},
        then=get("/execution/tradeHistory?symbol=XBTUSD", pick=lambda row: row["side"] == "Sell"),
    ),
    "nautilus_http_get_instrument_xbtusd": get("/instrument?symbol=XBTUSD"),
    "nautilus_http_get_orders": after(
        {"side": "Buy", "orderQty": 100, "price": 8000, "clOrdID": "mine"}, then=get("/order")
    ),
    "nautilus_http_get_trades": get("/trade?symbol=XBTUSD"),
    "nautilus_http_get_wallet": get("/user/wallet"),
    "cryptofeed_http_instrument_active_2021_a": get("/instrument/active", pick=symbol("XBTUSD")),
    "net_http_cancel_all_orders": all_cancelled,
    "net_http_cancel_orders": cancelled,
    "net_http_get_active_intervals": get("/instrument/activeIntervals"),
    "net_http_get_active_symbols": get("/instrument/active", pick=symbol("XBTUSD")),
    "net_http_get_aggregated_book_ticker_history": get("/quote/bucketed?symbol=XBTUSD&partial=true"),
    "net_http_get_announcements": get("/announcement"),
    "net_http_get_assets": get("/wallet/assets", pick=lambda row: row["currency"] == "XBt"),
    "net_http_get_balances": get("/user/wallet"),
    "net_http_get_book_ticker_history": get("/quote?symbol=XBTUSD"),
    "net_http_get_exchange_stats": get("/stats"),
    "net_http_get_fees": fees,
    "net_http_get_insurance": get("/insurance"),
    "net_http_get_klines": get("/trade/bucketed?symbol=XBTUSD&reverse=true"),
    "net_http_get_positions": after({"orderQty": 1000, "side": "Buy", "ordType": "Market"}, then=get("/position")),
    "net_http_get_symbol_volumes": get("/instrument/usdVolume"),
    "net_http_get_user_events": get("/userEvent"),
    "net_http_place_order": after(then=lambda desk: desk.place(**RESTING)),
    "official_websocket_help": get("/schema/websocketHelp"),
    "roq_cancel_all_orders_ack": all_cancelled,
    "roq_cancel_order_ack": cancelled,
    "roq_error_response_1": refused,
    "roq_order_data_item__create_ack": after(then=lambda desk: desk.place(**RESTING)),
}
"""Payload to what makes the same answer here."""

TEXT = "ccxt's comment shows texts; the rows of 2026-05-03 have numbers, and so had every reader"
PLACEHOLDER = "the field list leaves it out; the captured rows have it"
DIFFERENT: dict[str, dict[str, str]] = {
    "ccxt_http_asset": dict.fromkeys(
        (
            "scale", "minDepositAmount", "minWithdrawalAmount", "maxWithdrawalAmount", "networks.withdrawalFee",
            "networks.minFee", "networks.maxFee",
        ),
        TEXT,
    ),
    "ccxt_http_stats": dict.fromkeys(("volume24h", "turnover24h", "openInterest", "openValue"), TEXT),
    "ccxt_http_order_spot_market_filled": {
        "price": "a market order had its price in 2023; the row of 2026-04 has none, and that generation is sent"
    },
    "net_http_get_assets": dict.fromkeys(
        ("minDepositAmount", "minWithdrawalAmount", "maxWithdrawalAmount"), PLACEHOLDER
    ),
    "net_http_get_positions": {"posInit": PLACEHOLDER},
}  # fmt: skip
"""What stays different, and why; each column stands in docs/bitmex-fidelity.md."""


def recorded(name: str) -> Any:
    """The first row of a payload."""
    found = json.loads((PAYLOADS / f"{name}.json").read_text())
    if isinstance(found, dict) and "response" in found:
        found = found["response"]
    return found[0] if isinstance(found, list) else found


def kind(value: Any) -> str:
    """Whole and broken numbers are one kind in JSON; `test_shapes` holds whole columns to whole numbers."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return type(value).__name__


def shape(row: dict[str, Any], before: str = "") -> dict[str, str]:
    """Column to kind, without what is empty; members of objects by their path, of lists their first item's."""
    found: dict[str, str] = {}
    for column, value in row.items():
        if value is None or value in ("", []):
            continue
        found[f"{before}{column}"] = kind(value)
        inner = value[0] if isinstance(value, list) else value
        if isinstance(inner, dict):
            found |= shape(inner, f"{before}{column}.")
    return found


def differences(theirs: dict[str, Any], ours: dict[str, Any], *, listed: bool) -> dict[str, str]:
    """What a reader of the recorded row would notice.

    :param listed: theirs is a list of fields with something in each, so that what we leave empty is no difference.
    """
    before, now = shape(theirs), shape(ours)
    named = {column: "missing" for column in before.keys() - now.keys() - REMOVED if not listed}
    named |= dict.fromkeys(now.keys() - before.keys() - LATER, "added")
    return named | {
        column: f"{before[column]} there, {now[column]} here"
        for column in before.keys() & now.keys()
        if before[column] != now[column]
    }


@pytest.mark.parametrize("name", CASES)
def test_a_recorded_answer_is_made_again(at_the_desk, name):
    ours = at_the_desk(CASES[name])
    found = differences(recorded(name), ours, listed=name.startswith("net_") and name != "net_http_get_fees")
    assert found.keys() == DIFFERENT.get(name, {}).keys(), (found, ours)


@pytest.mark.parametrize("name", sorted({*CASES, *DIFFERENT}))
def test_the_page_of_differences_names_it(name):
    page = PAGE.read_text()
    assert f"`{name}`" in page
    for column, reason in DIFFERENT.get(name, {}).items():
        assert f"`{column}`" in page, column
        assert reason.partition(";")[0] in page, reason


def test_every_recorded_answer_is_there():
    unused = {"recorded_rest_response_headers"}  # test_reference
    others = ("_ws_", "hummingbot_", "official_announcement", "nautilus_credential", "ccxt_request_bodies")
    pushed = {
        "roq_funding",
        "roq_liquidation__empty",
        "roq_margin",
        "roq_order_book_l2",
        "roq_position",
        "roq_subscribe",
        "roq_welcome",
    }
    found = {path.stem for path in PAYLOADS.glob("*.json")} - unused - pushed
    assert {name for name in found if not any(part in name for part in others)} == set(CASES)
