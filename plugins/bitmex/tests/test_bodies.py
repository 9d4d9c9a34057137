"""Requests travel as exact decimal text and come back as what was asked for."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hbkit_bitmex.bodies import (
    amend_body,
    cancel_all_body,
    cancel_body,
    encode,
    login,
    order_body,
    subscribe,
    timer,
    timer_body,
    unsubscribe,
)
from hbkit_bitmex.instruments import load

from hbkit.model.enums import OrderType, PositionSide, Side, TimeInForce, TriggerBy, TriggerKind
from hbkit.model.order import OrderRequest

NEWEST = {instrument.symbol: instrument for instrument in load()}
FINEST = min(NEWEST.values(), key=lambda instrument: instrument.tick_size)
TICK_1E05 = next(one for one in NEWEST.values() if one.tick_size == Decimal("0.00001") and not one.is_spot)


def request(symbol="XBTUSD", **changes):
    fields = {
        "id": "bot1",
        "instrument": NEWEST[symbol],
        "side": Side.BUY,
        "position_side": PositionSide.NET,
        "type": OrderType.LIMIT,
        "units": 100,
        "ticks": 1000,
    }
    return OrderRequest(**{**fields, **changes})


def test_a_limit_order_on_the_wire():
    # 641875 ticks of 0.1 are 64187.5.
    raw = encode(order_body(request(ticks=641875, side=Side.SELL, post_only=True, reduce_only=True)))
    assert raw == (
        b'{"symbol":"XBTUSD","side":"Sell","orderQty":100,"ordType":"Limit","clOrdID":"bot1","price":64187.5,'
        b'"timeInForce":"GoodTillCancel","execInst":"ParticipateDoNotInitiate,ReduceOnly"}'
    )


def test_a_market_order_has_neither_price_nor_time():
    assert order_body(request(type=OrderType.MARKET, ticks=None)) == {
        "symbol": "XBTUSD",
        "side": "Buy",
        "orderQty": 100,
        "ordType": "Market",
        "clOrdID": "bot1",
    }


@pytest.mark.parametrize("symbol", ["XBTUSD", "XBTUSDT", "XBT_USDT", TICK_1E05.symbol, FINEST.symbol])
@pytest.mark.parametrize("ticks", [1, 3, 7, 10, 999, 100_000, 123_457, 98_765_432_109])
def test_prices_are_exact_and_without_exponent(symbol, ticks):
    instrument = NEWEST[symbol]
    raw = encode(order_body(request(symbol, ticks=ticks, trigger_ticks=ticks + 1))).decode()
    read = json.loads(raw, parse_float=Decimal, parse_int=Decimal)
    assert read["price"] == instrument.tick_size * ticks
    assert read["stopPx"] == instrument.tick_size * (ticks + 1)
    assert instrument.ticks(json.loads(raw)["price"]) == ticks
    numbers = raw.split('"price":')[1].split(",")[0] + raw.split('"stopPx":')[1].split(",")[0]
    assert set(numbers) <= set("0123456789.")


def test_spot_quantities_are_minor_base_units():
    # 0.0001 XBT are 10000 satoshi (2.3).
    instrument = NEWEST["XBT_USDT"]
    assert order_body(request("XBT_USDT", units=instrument.units("0.0001")))["orderQty"] == 10000


@pytest.mark.parametrize("side", [PositionSide.LONG, PositionSide.SHORT])
def test_hedge_mode_names_the_leg(side):
    assert order_body(request(position_side=side))["strategy"] == side.value.capitalize()


def test_one_way_mode_names_none():
    assert "strategy" not in order_body(request())


@pytest.mark.parametrize(
    ("kind", "fires", "expected"),
    [
        (OrderType.MARKET, TriggerKind.STOP, "Stop"),
        (OrderType.LIMIT, TriggerKind.STOP, "StopLimit"),
        (OrderType.MARKET, TriggerKind.TAKE_PROFIT, "MarketIfTouched"),
        (OrderType.LIMIT, TriggerKind.TAKE_PROFIT, "LimitIfTouched"),
    ],
)
def test_trigger_orders(kind, fires, expected):
    made = request(
        type=kind, ticks=None if kind is OrderType.MARKET else 1000, trigger_ticks=2000, trigger_kind=fires
    )
    body = order_body(made)
    assert body["ordType"] == expected
    assert body["execInst"] == "MarkPrice"
    assert ("price" in body) == (kind is OrderType.LIMIT)


def test_a_trailing_stop_is_a_stop_with_a_peg():
    # 200 ticks of 0.1 behind the price: a sell stop's offset is negative (11.5), its stopPx is the exchange's to set.
    made = request(type=OrderType.MARKET, ticks=None, side=Side.SELL, trail_ticks=-200, trigger_by=TriggerBy.LAST)
    assert encode(order_body(made)) == (
        b'{"symbol":"XBTUSD","side":"Sell","orderQty":100,"ordType":"Stop","clOrdID":"bot1",'
        b'"pegPriceType":"TrailingStopPeg","pegOffsetValue":-20,"execInst":"LastPrice"}'
    )


def test_an_iceberg_says_what_it_shows():
    assert order_body(request(display_units=0))["displayQty"] == 0
    assert order_body(request(display_units=50))["displayQty"] == 50


def test_a_trigger_always_names_its_price():
    assert order_body(request(trigger_ticks=5, trigger_by=TriggerBy.INDEX))["execInst"] == "IndexPrice"
    assert order_body(request("XBT_USDT", trigger_ticks=5))["execInst"] == "LastPrice"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (TimeInForce.GTC, "GoodTillCancel"),
        (TimeInForce.IOC, "ImmediateOrCancel"),
        (TimeInForce.FOK, "FillOrKill"),
        (TimeInForce.DAY, "Day"),
    ],
)
def test_time_in_force(word, expected):
    assert order_body(request(time_in_force=word))["timeInForce"] == expected


def test_an_iceberg_shows_its_part_and_a_hidden_order_nothing():
    assert order_body(request(display_units=0))["displayQty"] == 0
    assert "displayQty" not in order_body(request())


@pytest.mark.parametrize("id", ["", "x" * 37])
def test_an_id_that_the_exchange_refuses_is_not_sent(id):
    with pytest.raises(ValueError, match="1 to 36"):
        order_body(request(id=id))


def test_amends_name_one_id_and_the_new_total():
    xbtusd = NEWEST["XBTUSD"]
    assert encode(amend_body(xbtusd, id="bot1", exchange_id="O1", ticks=7, units=300)) == (
        b'{"orderID":"O1","orderQty":300,"price":0.7}'
    )
    assert encode(amend_body(xbtusd, id="bot1", trigger_ticks=7)) == b'{"origClOrdID":"bot1","stopPx":0.7}'
    with pytest.raises(ValueError, match="id"):
        amend_body(xbtusd, ticks=7)
    with pytest.raises(ValueError, match="change"):
        amend_body(xbtusd, id="bot1")


def test_cancels_name_one_sort_of_id():
    assert cancel_body(ids=["a", "b"]) == {"clOrdID": ["a", "b"]}
    assert cancel_body(exchange_ids=["O1"]) == {"orderID": ["O1"]}
    for ids in ([], ["a"]):
        with pytest.raises(ValueError, match="not both"):
            cancel_body(ids=ids, exchange_ids=ids)
    assert cancel_all_body(NEWEST["XBTUSD"]) == {"symbol": "XBTUSD"}
    assert cancel_all_body() == {}
    assert timer_body(60_000) == {"timeout": 60_000}


def test_socket_commands():
    assert encode(subscribe(["trade:XBTUSD", "order"])) == b'{"op":"subscribe","args":["trade:XBTUSD","order"]}'
    assert unsubscribe(["order"]) == {"op": "unsubscribe", "args": ["order"]}
    # The expiry is a number; as text it is refused (3.3).
    assert encode(login("K", 1518064236, "S")) == b'{"op":"authKeyExpires","args":["K",1518064236,"S"]}'
    assert encode(timer(60_000)) == b'{"op":"cancelAllAfter","args":60000}'
