"""BitMEX's rows, orders and best prices through ccxt 4.5.83, as BitMEX means them."""

from __future__ import annotations

import asyncio
import json

import ccxt
import pytest
from aiohttp import web
from hbkit_ccxt.client import Client

from hbkit.net.virtual import run_virtual

pytestmark = pytest.mark.skipif("bitmex" not in ccxt.exchanges, reason="this ccxt has no bitmex: 4.5.83 was the last")

BTC, SPOT = "BTC/USD:BTC", "BTC/USDT"
START = 1_559_001_600_000


@pytest.fixture
def asked(connection, served):
    """Runs a program over a client with two markets; returns what the venue was asked for, and the program's result."""

    def play(program, answer=None):
        seen = []

        async def venue(request):
            body = await request.text()
            seen.append((request.method, request.path, json.loads(body) if body else dict(request.query)))
            return web.json_response(answer if answer is not None else {"orderID": "1", "symbol": "XBTUSD"})

        async def main(loop):
            async with served("venue", venue):
                client = Client("bitmex", connection(loop.clock, "venue"))
                prepare(client.api)
                try:
                    return await program(client)
                finally:
                    await client.close()

        return run_virtual(main), seen

    return play


def prepare(api):
    instruments = pytest.importorskip("hbkit_bitmex.instruments")
    plain = [json.loads(json.dumps(list(rows()), default=float)) for rows in (instruments.assets, instruments.rows)]
    currencies = api.parse_currencies(plain[0])
    api.set_markets([], currencies)
    api.set_markets([one for one in api.parse_markets(plain[1]) if one["type"]], currencies)


def order(asked, *args, **params):
    async def program(client):
        await client.call("create_order", *args, **params)

    (verb, path, body), *_ = asked(program)[1]
    assert (verb, path) == ("POST", "/api/v1/order")
    return body


def test_conditions_go_into_one_text(asked):
    body = order(asked, BTC, "limit", "buy", 100, "8000.5", clOrdID="a", postOnly=True, reduceOnly=True)
    assert body == {
        "symbol": "XBTUSD",
        "side": "Buy",
        "orderQty": 100,
        "ordType": "Limit",
        "price": 8000.5,
        "clOrdID": "a",
        "execInst": "ParticipateDoNotInitiate,ReduceOnly",
        "text": "",
    }


@pytest.mark.parametrize(("word", "told"), [("IOC", "ImmediateOrCancel"), ("FOK", "FillOrKill"), ("DAY", "Day")])
def test_times_in_force_are_said_as_bitmex_says_them(word, told, asked):
    assert order(asked, BTC, "limit", "buy", 100, 8000.5, timeInForce=word)["timeInForce"] == told


@pytest.mark.parametrize(
    ("side", "direction", "kind"),
    [("sell", "descending", "Stop"), ("buy", "ascending", "Stop"), ("buy", "descending", "MarketIfTouched")],
)
def test_a_trigger_looks_at_the_price_that_was_asked_for(side, direction, kind, asked):
    body = order(
        asked, BTC, "market", side, 100, triggerPrice="7000", triggerDirection=direction, triggerPriceType="mark"
    )
    assert (body["ordType"], body["stopPx"], body["execInst"]) == (kind, 7000, "MarkPrice")
    assert "triggerPriceType" not in body
    assert "triggerDirection" not in body


def test_a_trailing_stop_trails_below_for_a_sale(asked):
    body = order(asked, BTC, "market", "sell", 100, trailingAmount="25")
    assert (body["ordType"], body["pegPriceType"], body["pegOffsetValue"]) == ("Stop", "TrailingStopPeg", -25)


def test_a_spot_quantity_is_in_minor_units(asked):
    # 0.001 BTC of 10^8 each; ccxt makes a whole number of the fraction, which would be none at all.
    assert order(asked, SPOT, "limit", "buy", 0.001, 8000)["orderQty"] == 100_000


def test_an_amend_of_a_trigger_changes_the_trigger_and_nothing_that_stays(asked):
    async def program(client):
        await client.call(
            "edit_order", "id", BTC, "market", "sell", 200, None, triggerPrice="7100.5", triggerDirection="descending"
        )

    assert asked(program)[1] == [
        ("PUT", "/api/v1/order", {"orderID": "id", "orderQty": 200, "stopPx": 7100.5, "text": ""})
    ]


def test_the_dead_mans_switch_is_armed_for_as_long_as_was_asked(asked):
    async def program(client):
        await client.call("cancel_all_orders_after", 60_000)

    assert asked(program)[1] == [("POST", "/api/v1/order/cancelAllAfter", {"timeout": 60_000})]


def test_quantities_of_an_inverse_order_are_contracts(asked):
    row = {
        "orderID": "1",
        "clOrdID": "a",
        "symbol": "XBTUSD",
        "side": "Buy",
        "orderQty": 300,
        "cumQty": 100,
        "leavesQty": 200,
        "price": 8000,
        "avgPx": 8000,
        "ordStatus": "PartiallyFilled",
        "ordType": "Limit",
        "timestamp": "2019-05-28T00:00:01.000Z",
    }

    async def program(client):
        return client.api.parse_order(row)

    found = asked(program)[0]
    assert (found["amount"], found["filled"], found["remaining"]) == (300, 100, 200)
    assert found["lastUpdateTimestamp"] == START + 1000


def test_an_execution_is_its_own_price_fee_and_side(asked):
    """Two fills of one order, of one match: the second at another price than the average, and the maker paid."""
    row = {
        "execID": "e2",
        "trdMatchID": "m",
        "orderID": "1",
        "clOrdID": "a",
        "symbol": "XBTUSD",
        "side": "Buy",
        "lastQty": 100,
        "lastPx": 8010,
        "avgPx": 8005,
        "execCost": -1_248_439,
        "execComm": 624,
        "commission": 0.0005,
        "settlCurrency": "XBt",
        "lastLiquidityInd": "AddedLiquidity",
        "execType": "Trade",
        "ordType": "Limit",
        "timestamp": "2019-05-28T00:00:01.000Z",
    }

    async def program(client):
        return client.api.parse_trade(row)

    found = asked(program)[0]
    assert (found["id"], found["price"], found["amount"]) == ("e2", 8010, 100)
    assert (found["takerOrMaker"], found["clientOrderId"]) == ("maker", "a")
    # 624 minor units of 10^-8.
    assert found["fee"] == {"cost": 0.00000624, "currency": "BTC", "rate": 0.0005}


def test_fundings_are_found_among_the_executions(asked):
    rows = [
        {"execID": "f", "execType": "Funding", "symbol": "XBTUSD", "execComm": 150, "settlCurrency": "XBt",
         "transactTime": "2019-05-28T04:00:00.000Z"},
        {"execID": "t", "execType": "Trade", "symbol": "XBTUSD", "execComm": 10, "settlCurrency": "XBt"},
    ]  # fmt: skip

    async def program(client):
        return await client.call("fetch_funding_history", BTC, START)

    found, seen = asked(program, rows)
    # The account paid 150 minor units.
    assert [(one["id"], one["amount"], one["code"], one["timestamp"]) for one in found] == [
        ("f", -0.0000015, "BTC", START + 4 * 3_600_000)
    ]
    (verb, path, query), *_ = seen
    assert (verb, path) == ("GET", "/api/v1/execution/tradeHistory")
    assert query["symbol"] == "XBTUSD"
    assert query["startTime"] == "2019-05-28T00:00:00.000Z"


@pytest.mark.parametrize(("word", "hedged"), [("MultiWay", True), ("OneWay", False), (None, False)])
def test_the_position_mode_is_in_the_row_of_the_user(word, hedged, asked):
    async def program(client):
        return (await client.call("fetch_position_mode"))["hedged"]

    found, seen = asked(program, {"id": 1, "positionMode": word})
    assert found is hedged
    assert seen[0][:2] == ("GET", "/api/v1/user")


def test_a_candle_tells_how_many_trades_it_holds(asked):
    row = {"timestamp": "2019-05-28T00:01:00.000Z", "symbol": "XBTUSD", "open": 1, "high": 3, "low": 1, "close": 2,
           "trades": 7, "volume": 100}  # fmt: skip

    async def program(client):
        return await client.call("fetch_ohlcv", BTC, "1m")

    assert asked(program, [row])[0] == [[START, 1.0, 3.0, 1.0, 2.0, 100.0, 7]]


class Wire:
    """A socket that plays frames when it is asked for something."""

    def __init__(self, *frames):
        self.frames = frames

    async def __call__(self, request):
        wire = web.WebSocketResponse()
        await wire.prepare(request)
        async for message in wire:
            if "subscribe" in message.data:
                for frame in self.frames:
                    await wire.send_str(json.dumps(frame))
        return wire


def watched(connection, served, frames, program):
    async def main(loop):
        async with served("venue", Wire(*frames)):
            client = Client("bitmex", connection(loop.clock, "venue"))
            prepare(client.api)
            try:
                async with asyncio.timeout(5):
                    return await program(client)
            finally:
                await client.close()

    return run_virtual(main)


def test_each_change_of_the_best_prices_is_told_once(connection, served):
    def quote(action, bid, size):
        stamp = "2019-05-28T00:00:01.000Z"
        row = {"symbol": "XBTUSD", "timestamp": stamp, "bidPrice": bid, "bidSize": size, "askPrice": 8001, "askSize": 7}
        return {"table": "quote", "action": action, "data": [row]}

    async def program(client):
        assert client.has("watchBidsAsks") is True
        return [(await client.call("watch_bids_asks", [BTC]))[BTC] for _ in range(3)]

    frames = [quote("partial", 8000, 5), quote("insert", 8000, 6), quote("insert", 7999.5, 1)]
    found = watched(connection, served, frames, program)
    assert [(one["bid"], one["bidVolume"]) for one in found] == [(8000, 5), (8000, 6), (7999.5, 1)]
    assert {(one["ask"], one["askVolume"], one["timestamp"]) for one in found} == {(8001, 7, START + 1000)}


def test_a_funding_is_told_when_it_takes_place_and_those_before_are_not(connection, served):
    def funding(action, stamp, rate):
        row = {
            "timestamp": stamp,
            "symbol": "XBTUSD",
            "fundingInterval": "2000-01-01T08:00:00.000Z",
            "fundingRate": rate,
        }
        return {"table": "funding", "action": action, "data": [row]}

    async def program(client):
        return await client.call("watch_fundings", BTC)

    frames = [
        funding("partial", "2019-05-27T20:00:00.000Z", 0.0001),
        funding("insert", "2019-05-28T04:00:00.000Z", 0.0002),
    ]
    (told,) = watched(connection, served, frames, program)
    assert (told["symbol"], told["fundingRate"], told["timestamp"]) == (BTC, 0.0002, START + 4 * 3_600_000)


def test_rows_of_a_book_before_its_first_state_are_left_aside(connection, served):
    def rows(action, *levels):
        data = [{"symbol": "XBTUSD", "id": id_, "side": side, "size": 9, "price": price} for id_, side, price in levels]
        return {"table": "orderBookL2_25", "action": action, "filter": {"symbol": "XBTUSD"}, "data": data}

    async def program(client):
        return await client.call("watch_order_book", BTC)

    frames = [rows("update", (1, "Buy", 1.0)), rows("partial", (2, "Buy", 8000.0), (3, "Sell", 8001.0))]
    found = watched(connection, served, frames, program)
    assert [level[0] for level in found["bids"]] == [8000.0]
    assert [level[0] for level in found["asks"]] == [8001.0]
