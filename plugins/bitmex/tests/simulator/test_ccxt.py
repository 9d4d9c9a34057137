"""The very requests that ccxt 4.5.83 sends, and the columns that it reads of the answers.

Noted from a ccxt that was run against the simulator; it signs public calls too, and its bodies have no spaces. What it
makes of the answers agreed with `/control/truth` then: this holds it to what it agreed on.
"""

import pytest

BOUGHT = '{"symbol":"XBTUSD","side":"Buy","orderQty":1000,"ordType":"Market","text":"CCXT"}'
RESTING = '{"symbol":"XBTUSD","side":"Buy","orderQty":500,"ordType":"Limit","text":"CCXT","price":8209.5}'
SPOT = '{"symbol":"XBT_USDT","side":"Buy","orderQty":1000000,"ordType":"Market","text":"CCXT"}'

TICKER = "symbol timestamp prevPrice24h lastPrice highPrice lowPrice bidPrice askPrice vwap homeNotional24h"
MARKET = "symbol underlying quoteCurrency typ state isInverse isQuanto multiplier maxOrderQty lotSize tickSize maxPrice"
FUNDING = "fundingTimestamp fundingRate indicativeFundingRate indicativeSettlePrice markPrice"
CANDLE = "timestamp symbol open high low close volume"
ORDER = "orderID symbol side orderQty cumQty leavesQty ordType timeInForce ordStatus timestamp transactTime text"
BIN = "/trade/bucketed?symbol={}&binSize={}&partial=true&count=20&reverse=true"

READS = {
    "fetchCurrencies": ("/wallet/assets", "asset currency name scale enabled currencyType networks"),
    "fetchMarkets": ("/instrument/active", MARKET),
    "fetchTicker": ("/instrument?symbol=XBTUSD", f"{TICKER} markPrice foreignNotional24h"),
    "fetchTicker, spot": ("/instrument?symbol=XBT_USDT", TICKER),
    "fetchTickers, fetchFundingRates": ("/instrument/activeAndIndices", "symbol timestamp lastPrice"),
    "fetchFundingRate": ("/instrument?symbol=XBTUSD", FUNDING),
    "fetchOrderBook": ("/orderBook/L2?symbol=XBTUSD&depth=10", "side size price"),
    "fetchTrades": ("/trade?symbol=XBTUSD&reverse=true&count=50", "timestamp symbol side price size trdMatchID"),
    **{
        f"fetchOHLCV {symbol} {size}": (BIN.format(symbol, size), CANDLE)
        for symbol in ("XBTUSD", "XBTUSDT", "XBT_USDT")
        for size in ("1m", "5m", "1h", "1d")
    },
    "fetchOHLCV since": (
        "/trade/bucketed?symbol=XBTUSD&binSize=1h&partial=true&count=100&startTime=2019-05-18T18%3A07%3A16.176Z",
        CANDLE,
    ),
    "fetchFundingRateHistory": ("/funding?symbol=XBTUSD&count=100&reverse=true", "symbol timestamp fundingRate"),
    "fetchFundingRateHistory since": (
        "/funding?symbol=XBTUSD&startTime=2019-05-25T17%3A07%3A16.249Z", "symbol timestamp fundingRate",
    ),
    "fetchOpenInterests": ("/stats", "rootSymbol currency openInterest openValue"),
    "fetchBalance": ("/user/margin?currency=all", "currency availableMargin marginBalance"),
    "fetchOrders": ("/order", ORDER),
    "fetchOpenOrders": ("/order?symbol=XBTUSD&filter=%7B%22open%22%3Atrue%7D", f"{ORDER} price"),
    "fetchMyTrades": (
        "/execution/tradeHistory",
        "timestamp symbol side avgPx lastQty execCost execComm currency commission execType ordType trdMatchID orderID",
    ),
    "fetchPositions": (
        "/position",
        "account symbol timestamp crossMargin foreignNotional homeNotional maintMargin unrealisedPnl currentQty "
        "avgEntryPrice markPrice leverage initMargin initMarginReq maintMarginReq liquidationPrice unrealisedPnlPcnt "
        "deleveragePercentile",
    ),
    "fetchLedger": ("/user/walletHistory?currency=XBt", "transactID account transactType currency amount fee"),
    "fetchDepositsWithdrawals": ("/user/walletHistory?currency=all", "transactID transactTime walletBalance"),
}  # fmt: skip
"""Route, and the columns that the first row has to have."""
EMPTY = ("/liquidation?symbol=XBTUSD", "/settlement?symbol=XBTUSD")
"""fetchLiquidations and fetchSettlementHistory of a fresh simulator."""


@pytest.fixture
def answers(at_the_desk):
    """Every answer, after three orders."""

    async def story(desk):
        target = "/api/v1/order"
        for body in (BOUGHT, RESTING, SPOT):
            headers = {**desk.sign("POST", target, body), "Content-Type": "application/json"}
            placed = await desk.raw("POST", target, body, headers)
            assert placed.status == 200, placed.body
        orders = (await desk.call("GET", "/order")).body
        rows = {name: await desk.call("GET", route) for name, (route, _) in READS.items()}
        one = await desk.call("GET", f"/order?filter=%7B%22orderID%22%3A%20%22{orders[1]['orderID']}%22%7D")
        truth = (await desk.raw("GET", "/control/truth")).body["accounts"][0]
        return rows, one, [await desk.call("GET", route) for route in EMPTY], truth

    return at_the_desk(story)


def test_every_reading_call_gets_what_it_reads(answers):
    rows, one, empty, truth = answers
    for name, (_, columns) in READS.items():
        answer = rows[name]
        assert answer.status == 200, (name, answer.body)
        first = answer.body[-1] if name == "fetchDepositsWithdrawals" else answer.body[0]
        assert set(columns.split()) <= set(first), (name, set(columns.split()) - set(first))
    assert [row["text"] for row in one.body] == ["CCXT\nSubmitted via API."]
    assert [answer.body for answer in empty] == [[], []]

    # What it shows is what the venue knows.
    margins = {row["currency"]: row["marginBalance"] for row in truth["margins"]}
    assert {row["currency"]: row["marginBalance"] for row in rows["fetchBalance"].body} == margins
    assert {row["orderID"]: row["cumQty"] for row in rows["fetchOrders"].body} == {
        row["orderID"]: row["cumQty"] for row in truth["orders"]
    }
    fills = [row["execID"] for row in truth["executions"] if row["execType"] == "Trade"]
    assert [row["execID"] for row in rows["fetchMyTrades"].body] == fills
    assert [row["currentQty"] for row in rows["fetchPositions"].body] == [1000]
    assert len(rows["fetchFundingRateHistory"].body) == 100
    for name in READS:
        if "fetchOHLCV" in name and "since" not in name:
            assert len(rows[name].body) == 20, name
            newest, before = rows[name].body[:2]
            assert newest["open"] == before["close"], name


# -- its writing calls: the body as it is sent, and what the row that answers has to say

WRITES = {
    "limit": (
        '{"symbol":"XBTUSD","side":"Buy","orderQty":300,"ordType":"Limit","text":"CCXT","price":8306.5,"clOrdID":"mine-1"}',
        {"ordType": "Limit", "ordStatus": "New", "clOrdID": "mine-1"},
    ),
    "market": (
        '{"symbol":"XBTUSD","side":"Buy","orderQty":200,"ordType":"Market","text":"CCXT"}',
        {"ordType": "Market", "ordStatus": "Filled", "cumQty": 200},
    ),
    "stop": (
        '{"symbol":"XBTUSD","side":"Sell","orderQty":200,"ordType":"Stop","text":"CCXT","stopPx":5406.5}',
        {"ordType": "Stop", "stopPx": 5406.5, "workingIndicator": False},
    ),
    "stop limit": (
        '{"symbol":"XBTUSD","side":"Sell","orderQty":200,"ordType":"StopLimit","text":"CCXT","stopPx":5406.5,'
        '"price":5396.5}',
        {"ordType": "StopLimit", "stopPx": 5406.5, "price": 5396.5},
    ),
    "trailing": (
        '{"symbol":"XBTUSD","side":"Sell","orderQty":100,"ordType":"Stop","text":"CCXT","pegOffsetValue":-250,'
        '"pegPriceType":"TrailingStopPeg"}',
        {"ordType": "Stop", "pegOffsetValue": -250, "pegPriceType": "TrailingStopPeg", "ordStatus": "New"},
    ),
    "post-only": (
        '{"symbol":"XBTUSD","side":"Sell","orderQty":100,"ordType":"Limit","text":"CCXT",'
        '"execInst":"ParticipateDoNotInitiate","price":9907}',
        {"execInst": "ParticipateDoNotInitiate", "ordStatus": "New"},
    ),
    "reduce-only": (
        '{"symbol":"XBTUSD","side":"Sell","orderQty":100,"ordType":"Market","text":"CCXT","execInst":"ReduceOnly"}',
        {"ordStatus": "Filled"},
    ),
    "spot": (
        '{"symbol":"XBT_USDT","side":"Sell","orderQty":100000,"ordType":"Limit","text":"CCXT","price":9806}',
        {"symbol": "XBT_USDT", "ordStatus": "New"},
    ),
}  # fmt: skip


def test_every_writing_call_does_what_it_asks(at_the_desk):
    async def story(desk):
        async def send(verb, route, body=""):
            target = f"/api/v1{route}"
            headers = {**desk.sign(verb, target, body), "Content-Type": "application/json"}
            answer = await desk.raw(verb, target, body, headers)
            assert answer.status == 200, (route, body, answer.body)
            return answer.body

        placed = {name: await send("POST", "/order", body) for name, (body, _) in WRITES.items()}
        ids = {name: row["orderID"] for name, row in placed.items()}
        by_id = await send(
            "PUT", "/order", f'{{"orderID":"{ids["limit"]}","orderQty":400,"price":8296.5,"text":"CCXT"}}'
        )
        by_name = await send(
            "PUT", "/order", '{"origClOrdID":"mine-1","clOrdID":"mine-2","orderQty":500,"text":"CCXT"}'
        )
        cancelled = await send("DELETE", "/order", f'{{"orderID":"{ids["limit"]}"}}')
        twice = await send("DELETE", "/order", f'{{"orderID":"{ids["limit"]}"}}')
        some = await send("DELETE", "/order", f'{{"orderID":["{ids["stop"]}","{ids["stop limit"]}"]}}')
        rest = await send("DELETE", "/order/all", '{"symbol":"XBTUSD"}'), await send("DELETE", "/order/all")
        armed = await send("POST", "/order/cancelAllAfter", '{"timeout":60}')
        lever = await send("POST", "/position/leverage", '{"symbol":"XBTUSD","leverage":10}')
        cross = await send("POST", "/position/isolate", '{"symbol":"XBTUSD","enabled":false}')
        closed = await send("POST", "/order", '{"symbol":"XBTUSD","side":null,"execInst":"Close"}')
        positions = await send("GET", "/position")
        return placed, by_id, by_name, cancelled, twice, some, rest, armed, lever, cross, closed, positions

    placed, by_id, by_name, cancelled, twice, some, rest, armed, lever, cross, closed, positions = at_the_desk(story)
    for name, (_, said) in WRITES.items():
        assert {column: placed[name].get(column) for column in said} == said, name
    assert (by_id["orderQty"], by_id["price"]) == (400, 8296.5)
    assert (by_name["orderQty"], by_name["clOrdID"]) == (500, "mine-2")
    assert cancelled[0]["ordStatus"] == "Canceled"
    assert "Unable to cancel order due to existing state" in twice[0]["error"]  # what it looks for, to raise
    assert [row["ordStatus"] for row in some] == ["Canceled", "Canceled"]
    assert [[row["symbol"] for row in rows] for rows in rest] == [["XBTUSD", "XBTUSD"], ["XBT_USDT"]]
    assert armed["cancelTime"] == "2019-05-28T00:00:00.060Z"  # it divides by a thousand what is milliseconds
    assert (lever["leverage"], lever["crossMargin"], cross["crossMargin"]) == (10, False, True)
    # Bought 200, sold 100 with reduce-only, closed what was left.
    assert (closed["side"], closed["orderQty"], closed["ordStatus"]) == ("Sell", 100, "Filled")
    assert [row["currentQty"] for row in positions] == [0]
