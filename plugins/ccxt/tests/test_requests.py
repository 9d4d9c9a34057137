"""Orders in ccxt's words, by the features that ccxt itself declares of real venues."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import ccxt
import pytest
from hbkit_ccxt.requests import Terms, at_once, buys_by_cost, order_call, trigger_prices
from hbkit_ccxt.requests import features_of as features

from hbkit.errors import Unsupported
from hbkit.model import InstrumentKind, OrderRequest, OrderType, PositionSide, Side, TimeInForce, TriggerBy, TriggerKind
from hbkit.testing.fake import COIN

SWAP = replace(COIN, unified="BTC/USDT:USDT", tick_size=Decimal("0.1"), lot_size=Decimal("0.001"))
SPOT = replace(
    COIN,
    unified="BTC/USDT",
    kind=InstrumentKind.SPOT,
    tick_size=Decimal("0.00000001"),
    lot_size=Decimal("0.00000001"),
    unit_size=Decimal("0.00000001"),
)


def request(**more: Any) -> OrderRequest:
    values: dict[str, Any] = {
        "id": "ab12cd-1-1", "instrument": SWAP, "side": Side.BUY, "position_side": PositionSide.NET,
        "type": OrderType.LIMIT, "units": 3, "ticks": 653_217, **more,
    }  # fmt: skip
    return OrderRequest(**values)


def call(venue: str, order: OrderRequest) -> Any:
    terms = Terms(order.units, order.ticks, order.trigger_ticks)
    return order_call(order, terms, getattr(ccxt, venue)(), {"clientOrderId": "x"})


def test_a_limit_order_has_exact_numbers_and_nothing_that_was_not_asked_for() -> None:
    # 3 units of 0.001; 653,217 ticks of 0.1.
    assert call("okx", request()) == ("BTC/USDT:USDT", "limit", "buy", 0.003, 65321.7, {"clientOrderId": "x"})


def test_a_number_that_no_float_holds_goes_as_text() -> None:
    # 90,000,000,000,000,001 units of 0.00000001 have 17 digits: the nearest float is 900000000.
    order = request(instrument=SPOT, units=90_000_000_000_000_001, ticks=1)
    found = call("binance", order)
    assert found.amount == "900000000.00000001"
    assert found.price == 1e-8


@pytest.mark.parametrize(
    ("more", "params"),
    [
        ({"post_only": True}, {"postOnly": True}),
        ({"reduce_only": True}, {"reduceOnly": True}),
        ({"time_in_force": TimeInForce.IOC}, {"timeInForce": "IOC"}),
        ({"time_in_force": TimeInForce.FOK}, {"timeInForce": "FOK"}),
        ({"display_units": 1}, {"icebergAmount": 0.001}),
        ({"position_side": PositionSide.LONG}, {"hedged": True, "reduceOnly": False}),
        ({"position_side": PositionSide.SHORT}, {"hedged": True, "reduceOnly": True}),
    ],
)
def test_conditions_have_ccxts_names(more: dict[str, Any], params: dict[str, Any]) -> None:
    assert call("okx", request(**more)).params == {"clientOrderId": "x", **params}


def test_a_stop_says_from_which_side_where_the_venue_wants_to_know() -> None:
    stop = request(type=OrderType.MARKET, ticks=None, trigger_ticks=660_000, trigger_by=TriggerBy.LAST)
    assert call("bybit", stop).params == {
        "clientOrderId": "x", "triggerPrice": 66000.0, "triggerDirection": "ascending", "triggerPriceType": "last",
    }  # fmt: skip
    profit = request(type=OrderType.MARKET, ticks=None, trigger_ticks=640_000, trigger_kind=TriggerKind.TAKE_PROFIT)
    assert call("bybit", profit).params["triggerDirection"] == "descending"


def test_a_take_profit_has_its_own_name_where_there_is_no_side_to_say() -> None:
    profit = request(
        type=OrderType.MARKET, ticks=None, trigger_ticks=640_000, trigger_kind=TriggerKind.TAKE_PROFIT, reduce_only=True
    )
    assert call("binance", profit).params["takeProfitPrice"] == 64000.0


@pytest.mark.parametrize(
    ("venue", "more", "why"),
    [
        ("binance", {"trigger_ticks": 660_000, "trigger_by": TriggerBy.INDEX}, "index price"),
        ("kraken", {"instrument": SPOT, "trigger_ticks": 660_000}, "stops that open"),
        ("hyperliquid", {"trail_ticks": -5}, "no trailing orders"),
        ("okx", {"trigger_ticks": 660_000, "within_mark": True}, "within the mark"),
    ],
)
def test_what_a_venue_does_not_declare_is_refused_before_the_wire(venue: str, more: dict[str, Any], why: str) -> None:
    with pytest.raises(Unsupported, match=why):
        call(venue, request(**more))


def test_the_prices_of_triggers_are_those_that_ccxt_names() -> None:
    assert trigger_prices(features(ccxt.binance(), SWAP)) == {TriggerBy.MARK, TriggerBy.LAST}
    assert trigger_prices(features(ccxt.kraken(), SPOT)) == frozenset()


def test_a_market_buy_of_coins_is_a_limit_order_where_the_venue_takes_money_only() -> None:
    gate = ccxt.gate()
    buy = request(instrument=SPOT, type=OrderType.MARKET, ticks=None, units=5)
    assert buys_by_cost(buy, gate)
    assert not buys_by_cost(request(instrument=SPOT, type=OrderType.MARKET, ticks=None, side=Side.SELL), gate)
    assert not buys_by_cost(buy, ccxt.okx())
    # One percent above 100 is 101: 10,100,000,000 ticks of 0.00000001.
    sent = at_once(buy, gate, 100.0)
    assert (sent.type, sent.ticks, sent.time_in_force) == (OrderType.LIMIT, 10_100_000_000, TimeInForce.IOC)
    with pytest.raises(Unsupported, match="no price"):
        at_once(buy, gate, None)
