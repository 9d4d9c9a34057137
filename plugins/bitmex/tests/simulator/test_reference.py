"""Routes that tell of the venue and of what was traded in it, and the forms in which answers go out."""

import csv
import gzip
import io
import json

import aiohttp
import pytest
from hbkit_bitmex.simulator.columns import PLATFORM
from yarl import URL

from hbkit.clock import DAY, iso, parse_time

BEGIN = parse_time("2019-05-28T18:45:00Z")


def ask(at_the_desk, *routes, key=None):
    """The bodies of several GETs on the tape's own day."""

    async def story(desk):
        return [(await desk.call("GET", route, key=key)).body for route in routes]

    return at_the_desk(story, start=BEGIN, tape_start=BEGIN)


def test_series_and_the_symbols_they_mean(at_the_desk):
    (intervals,) = ask(at_the_desk, "/instrument/activeIntervals")
    assert dict(zip(intervals["intervals"], intervals["symbols"], strict=True))["XBT:perpetual"] == "XBTUSD"


def test_an_index_is_its_own_only_part(at_the_desk):
    rows, trades = ask(at_the_desk, "/instrument/compositeIndex?reverse=true", "/trade?symbol=.BXBT&reverse=true")
    assert [(row["timestamp"], row["lastPrice"]) for row in rows] == [
        (trade["timestamp"], trade["price"]) for trade in trades
    ]
    assert {row["reference"] for row in rows} == {"BMI"}


def test_volumes_add_up(at_the_desk):
    volume, by_root, history, stats, days = ask(
        at_the_desk, "/instrument/usdVolume", "/stats/historyUSD", "/stats/history", "/stats",
        "/trade/bucketed?symbol=XBTUSD&binSize=1d&partial=true",
    )  # fmt: skip
    mine = next(row for row in volume if row["symbol"] == "XBTUSD")
    # XBTUSD's contracts are dollars; the recorded past has fewer than 30 days.
    assert mine["turnover"] == mine["turnover30d"] == mine["turnover365d"] == sum(day["volume"] for day in days)
    total = next(row for row in by_root if row["rootSymbol"] == "Total")
    assert total["turnover"] == sum(row["turnover"] for row in volume)
    bitcoin = [row for row in history if row["currency"] == "XBt" and row["rootSymbol"] == "XBT"]
    assert [(row["date"], row["volume"], row["turnover"]) for row in bitcoin] == [
        (day["timestamp"], day["volume"], day["turnover"]) for day in days
    ]
    assert {row["rootSymbol"] for row in stats} >= {"XBT", "Total"}
    # The root holds XBTEUR and the dated futures too.
    assert next(row["volume24h"] for row in stats if row["currency"] == "XBt") > mine["turnover24h"]


def test_announcements_say_where_one_is(at_the_desk):
    rows, some, urgent = ask(
        at_the_desk, "/announcement", "/announcement?columns=title", "/announcement/urgent"
    )  # fmt: skip
    assert "simulator" in rows[0]["content"]
    assert set(some[0]) == {"id", "title"}
    assert urgent == []


def test_the_schema_tells_keys_and_types(at_the_desk):
    whole, trade = ask(at_the_desk, "/schema", "/schema?model=Trade")
    assert set(trade) == {"trade"}
    assert trade["trade"]["types"]["price"] == "float"
    assert whole["position"]["keys"] == ["account", "symbol", "strategy"]
    assert {"order", "execution", "instrument", "settlement", "transact"} <= set(whole)


def test_the_socket_help_names_every_topic_that_can_be_had(at_the_desk):
    async def story(desk):
        topics = (await desk.call("GET", "/schema/websocketHelp", key=None)).body["subscriptionSubjects"]
        socket = await desk.socket(*(name for name in topics["public"] if name not in PLATFORM))
        return socket.errors()

    assert at_the_desk(story) == []


def test_networks_are_those_of_the_assets(at_the_desk):
    assets, networks = ask(at_the_desk, "/wallet/assets", "/wallet/networks")
    named = {network["asset"] for asset in assets for network in asset["networks"]}
    assert {network["network"] for network in networks} == named


def test_quote_bins_hold_the_touch_at_their_end(at_the_desk):
    async def story(desk):
        await desk.raw("POST", "/control/clock", '{"advance": 130}')
        bins = (await desk.call("GET", "/quote/bucketed?symbol=XBTUSD&reverse=true&partial=true", key=None)).body
        return bins, (await desk.call("GET", "/quote?symbol=XBTUSD&count=500", key=None)).body

    bins, quotes = at_the_desk(story)
    # Begun at 00:00:00, now 00:02:10: the bin that is open ends at 00:03.
    assert [row["timestamp"][11:19] for row in bins][:3] == ["00:03:00", "00:02:00", "00:01:00"]
    for row in bins:
        seen = [quote for quote in quotes if quote["timestamp"] < row["timestamp"]]
        assert {**row, "timestamp": ""} == {**seen[-1], "timestamp": ""}


# -- forms


def test_csv_has_the_columns_of_the_json(at_the_desk):
    async def story(desk):
        route = "/trade?symbol=XBTUSD&count=3&columns=price,size,side"
        answer = await desk.call("GET", f"{route}&_format=csv", key=None)
        return answer.headers["Content-Type"], answer.body, (await desk.call("GET", route, key=None)).body

    kind, text, rows = at_the_desk(story)
    assert kind == "text/csv; charset=utf-8"
    assert text.splitlines()[0] == '"timestamp","symbol","side","size","price"'
    assert list(csv.DictReader(io.StringIO(text))) == [
        {column: str(value) for column, value in row.items()} for row in rows
    ]


def test_csv_of_nothing_has_its_heads(at_the_desk):
    async def story(desk):
        return (await desk.call("GET", "/funding?symbol=NOTHING&_format=csv", key=None)).body

    assert at_the_desk(story) == '"timestamp","symbol","fundingInterval","fundingRate","fundingRateDaily"\n'


def test_an_unknown_form_is_refused(at_the_desk):
    async def story(desk):
        return await desk.call("GET", "/trade?_format=yaml", key=None)

    answer = at_the_desk(story)
    assert (answer.status, answer.message) == (400, "_format is invalid")


def test_long_answers_are_packed_for_who_takes_that(at_the_desk):
    async def story(desk):
        async def get(route, how):
            url = URL(f"http://venue/api/v1{route}", encoded=True)
            async with (
                aiohttp.ClientSession(connector=aiohttp.UnixConnector(path="venue"), auto_decompress=False) as raw,
                raw.get(url, headers={"Accept-Encoding": how}) as answer,
            ):
                return answer.headers, await answer.read()

        return [await get(*call) for call in (("/schema", "gzip"), ("/schema", "identity"), ("/trade?count=1", "gzip"))]

    packed, plain, short = at_the_desk(story)
    assert packed[0]["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed[1]) == plain[1]
    assert packed[0]["ETag"] == plain[0]["ETag"]
    assert "Content-Encoding" not in plain[0]
    assert "Content-Encoding" not in short[0]
    assert json.loads(short[1])


def test_headers_are_those_that_were_recorded(at_the_desk):
    async def story(desk):
        return (await desk.call("GET", "/position")).headers

    headers = at_the_desk(story, limits=True)
    # payloads/recorded_rest_response_headers.json, but for the name of the server and the packing.
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert headers["X-User-ID"] == "100001"
    assert (headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"]) == ("120", "119")
    assert headers["X-RateLimit-Reset"].isdigit()
    assert headers["X-Powered-By"] == "Profit"
    assert headers["ETag"] == 'W/"2-l9Fw4VUO7kr8CvBlt4zaMCqXZ0w"'  # of `[]`


# -- what cannot be answered


@pytest.mark.parametrize(
    ("verb", "target"),
    [
        ("GET", "/api/v1/nothing"), ("PATCH", "/api/v1/order"), ("DELETE", "/api/v1/trade"),
        ("OPTIONS", "/api/v1/order"), ("GET", "/api/v2/order"), ("GET", "/"), ("GET", "/api/v1/%6Frder"),
    ],
)  # fmt: skip
def test_unknown_routes_and_wrong_verbs(at_the_desk, verb, target):
    async def story(desk):
        return await desk.raw(verb, target)

    answer = at_the_desk(story)
    assert (answer.status, answer.body) == (404, {"error": {"message": "Not Found", "name": "HTTPError"}})


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ("{", 400, "Invalid request body"),
        ("[1]", 400, "Invalid request body"),
        ('{"symbol":"XBTUSD","text":"\\ud800"}', 400, "Invalid request body"),
        ('{"orderQty":NaN}', 400, "Invalid request body"),
        ("[" * 100_000, 400, "Invalid request body"),
        ('{"text":"' + "x" * (2**20 - 11) + '"}', 413, "request entity too large"),
    ],
    ids=["cut off", "array", "half a character", "not a number", "deep", "huge"],
)
def test_bodies_that_cannot_be_read(at_the_desk, body, status, text):
    async def story(desk):
        target = "/api/v1/order"
        answer = await desk.raw("POST", target, body, desk.sign("POST", target, body if status == 400 else ""))
        return answer, (await desk.call("GET", "/order")).body

    answer, orders = at_the_desk(story)
    assert (answer.status, answer.message) == (status, text)
    assert orders == []


def test_a_slash_at_the_end_is_nothing(at_the_desk):
    async def story(desk):
        return [(await desk.raw("GET", target)).status for target in ("/api/v1", "/api/v1/", "/api/v1/trade/")]

    assert at_the_desk(story) == [200, 200, 200]


# -- the user


def test_what_was_traded_in_dollars_a_day(at_the_desk):
    async def story(desk):
        _, ask = await desk.touch("XBT_USDT")
        await desk.place(side="Buy", orderQty=3000, ordType="Market")
        await desk.place(symbol="XBT_USDT", side="Buy", orderQty=1_000_000, price=ask)
        volume = (await desk.call("GET", "/user/tradingVolume")).body
        return ask, volume, (await desk.call("GET", "/user")).body

    ask, (volume,), user = at_the_desk(story)
    # 3,000 contracts are 3,000 dollars: 100 a day over 30 days; 0.01 XBT at the ask.
    assert volume["advUsdContract"] == pytest.approx(100)
    assert volume["advUsdSpot"] == pytest.approx(0.01 * ask / 30)
    assert volume["advUsd"] == pytest.approx(volume["advUsdContract"] + volume["advUsdSpot"])
    assert user["firstTradeTimestamp"].startswith("2019-05-28T00:00")


def test_quotes_and_fills_are_counted(at_the_desk):
    async def story(desk):
        await desk.place(side="Buy", orderQty=1000, ordType="Market")
        row = await desk.place(side="Buy", orderQty=1000, price=5000)
        await desk.call("PUT", "/order", {"orderID": row["orderID"], "price": 5001})
        fills = (await desk.call("GET", "/user/quoteFillRatio")).body
        return fills, (await desk.call("GET", "/user/quoteValueRatio")).body

    fills, (value,) = at_the_desk(story)
    # Two orders, one amend; one fill; seven days, today's last.
    assert [row["date"] for row in fills] == [
        iso(parse_time("2019-05-28T00:00:00Z") - back * DAY) for back in range(6, -1, -1)
    ]
    assert (fills[-1]["quoteCount"], fills[-1]["dealtCount"]) == (3, 1)
    assert fills[-1]["quoteFillRatioMavg7"] == pytest.approx(1 / 3)
    assert (fills[0]["quoteCount"], fills[0]["quoteFillRatioMavg7"]) == (0, 0)
    assert value["quoteCount"] == 3
    assert value["QVR"] == pytest.approx(value["volumeXBT"] / 3)


def test_executions_of_a_day(at_the_desk):
    async def story(desk):
        await desk.place(side="Buy", orderQty=1000, ordType="Market")
        route = "/user/executionHistory?symbol=xbtusd&timestamp=2019-05-{}T12:00:00.000Z"
        wrong = await desk.call("GET", "/user/executionHistory?symbol=XBTUSD")
        return [(await desk.call("GET", route.format(day))).body for day in (27, 28)], wrong

    (before, today), wrong = at_the_desk(story)
    assert before == []
    assert [row["execType"] for row in today] == ["Trade"]
    assert (wrong.status, wrong.message) == (400, "timestamp is invalid")


def test_preferences_are_kept(at_the_desk):
    async def story(desk):
        await desk.call("POST", "/user/preferences", {"prefs": {"theme": "dark", "sound": 1}})
        form = "prefs=%7B%22sound%22%3A2%7D"
        target = "/api/v1/user/preferences"
        merged = await desk.raw("POST", target, form, desk.sign("POST", target, form))
        only = await desk.call("POST", "/user/preferences", {"prefs": '{"a":1}', "overwrite": True})
        bad = await desk.call("POST", "/user/preferences", {"prefs": "7"})
        return merged.body, only.body, bad, (await desk.call("GET", "/user", key="other")).body

    merged, only, bad, other = at_the_desk(story)
    assert merged["preferences"] == {"theme": "dark", "sound": 2}
    assert only["preferences"] == {"a": 1}
    assert (bad.status, bad.message) == (400, "prefs is invalid")
    assert other["preferences"] == {}


def test_small_routes_of_the_user(at_the_desk):
    async def story(desk):
        routes = ("/userEvent", "/globalNotification", "/user/commission", "/apiKey")
        bodies = [(await desk.call("GET", route)).body for route in routes]
        return bodies, await desk.call("POST", "/user/logout")

    (events, notifications, fees, keys), out = at_the_desk(story)
    assert [event["userId"] for event in events["userEvents"]] == [100001]
    assert notifications == []
    assert fees["XBTUSD"] == {"maxFee": 0.0005, "makerFee": 0.0005, "takerFee": 0.0005, "settlementFee": 0}
    assert [(key["id"], key["secret"], key["permissions"]) for key in keys] == [("demo", "", ["order"])]
    assert (out.status, out.body) == (200, "null")


@pytest.mark.parametrize("on", [False, True], ids=["off", "on"])
def test_bulk_orders_are_served_where_they_are_asked_for(at_the_desk, on):
    async def story(desk):
        order = {"symbol": "XBTUSD", "side": "Buy", "orderQty": 100, "price": 5000}
        placed = await desk.call("POST", "/order/bulk", {"orders": [order, {**order, "price": 5001}]})
        if not on:
            return placed, placed
        changes = [{"orderID": row["orderID"], "price": 4999} for row in placed.body]
        return placed, await desk.call("PUT", "/order/bulk", {"orders": changes})

    placed, amended = at_the_desk(story, bulk_orders=on)
    if on:
        assert [row["price"] for row in placed.body] == [5000, 5001]
        assert [row["price"] for row in amended.body] == [4999, 4999]
    else:
        assert (placed.status, placed.message) == (404, "Not Found")
