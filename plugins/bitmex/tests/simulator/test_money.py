"""The worked numbers of protocol 10.12, 18.6 and 18.8, to the unit, on the venue without a server."""

from fractions import Fraction

import pytest
from hbkit_bitmex.simulator import leverage, trading
from hbkit_bitmex.simulator.refusals import Refusal

from hbkit.model import PositionSide


def market(bench, symbol, side, qty, price):
    """A market order against one level at `price`."""
    bench.book(symbol, price if side == "Sell" else price - 100, price if side == "Buy" else price + 100)
    bench.venue.finish()
    row = trading.place(bench.venue, bench.account, {"symbol": symbol, "side": side, "orderQty": qty})
    assert row["ordStatus"] == "Filled", row
    return bench.venue.executions[bench.account.number][-1]


def position(bench, symbol):
    instrument = bench.venue.markets[symbol].instrument
    return bench.venue.position(bench.account, instrument, PositionSide.NET)


def test_inverse_long_and_its_close(bench):
    first = market(bench, "XBTUSD", "Buy", 10_000, 50_000)
    assert (first["execCost"], first["execComm"], first["commission"]) == (-20_000_000, 10_000, 0.0005)
    assert (first["homeNotional"], first["foreignNotional"]) == (0.2, -10_000)
    second = market(bench, "XBTUSD", "Sell", 10_000, 52_000)
    assert (second["execCost"], second["execComm"]) == (19_230_800, 9615)
    row = bench.venue.margin(bench.account, "XBT")
    # +769200 of profit, less both fees.
    assert row["realisedPnl"] == 769_200 - 10_000 - 9615
    assert row["walletBalance"] == row["amount"] + row["realisedPnl"] == 100_000_000 + row["realisedPnl"]
    assert position(bench, "XBTUSD")["realisedPnl"] == row["realisedPnl"]


@pytest.mark.parametrize(
    ("side", "maintenance", "bankrupt", "liquidation"),
    [("Buy", 113_000, 45_454.6, 45_666.3), ("Sell", 111_000, 55_555.5, 55_248.6)],
)
def test_isolated_ten_times(bench, side, maintenance, bankrupt, liquidation):
    market(bench, "XBTUSD", side, 10_000, 50_000)
    bench.mark("XBTUSD", 50_000)
    row = leverage.set_leverage(bench.venue, bench.account, {"symbol": "XBTUSD", "leverage": 10})
    assert (row["posInit"], row["posComm"], row["posMargin"]) == (2_000_000, 11_000, 2_011_000)
    assert (row["posMaint"], row["bankruptPrice"], row["liquidationPrice"]) == (maintenance, bankrupt, liquidation)
    assert (row["crossMargin"], row["leverage"], row["initMarginReq"]) == (False, 10, 0.1)
    money = bench.venue.margin(bench.account, "XBT")
    assert money["maintMargin"] == row["maintMargin"] == 2_011_000 + row["unrealisedPnl"]


def test_linear_long(bench):
    first = market(bench, "XBTUSDT", "Buy", 1000, 50_000)
    assert (first["execCost"], first["execComm"]) == (50_000_000, 25_000)
    assert (first["homeNotional"], first["foreignNotional"]) == (0.001, -50)
    second = market(bench, "XBTUSDT", "Sell", 1000, 52_000)
    assert bench.venue.margin(bench.account, "USDT")["realisedPnl"] == 2_000_000 - 25_000 - second["execComm"]


def test_funding_of_a_long(bench):
    market(bench, "XBTUSD", "Buy", 10_000, 50_000)
    bench.mark("XBTUSD", 50_000)
    before = bench.account.cash["XBT"]
    ticker = bench.venue.markets["XBTUSD"].ticker
    bench.venue.minute(ticker.funding_at)
    row = bench.venue.executions[bench.account.number][-1]
    assert bench.account.cash["XBT"] == before - 2000
    assert (row["execType"], row["execComm"], row["execCost"]) == ("Funding", 2000, -20_000_000)
    assert (row["commission"], row["lastQty"], row["lastPx"]) == (0.0001, 10_000, 50_000)
    assert (row["ordStatus"], row["timeInForce"], row["text"]) == ("Filled", "AtTheClose", "Funding")
    assert row["orderID"] == "00000000-0000-0000-0000-000000000000"
    assert not {"side", "lastLiquidityInd", "clOrdID"} & set(row)
    assert bench.venue.fundings[-1]["fundingRateDaily"] == 0.0003


def test_spot_buy(bench):
    bench.account.cash["USDT"] = 100_000_000
    fill = market(bench, "XBT_USDT", "Buy", 100_000, 60_000)
    # 17.2 speaks of a fee of 0.001; the recorded row of 2026-05-03, which holds, has 0.0005.
    assert (fill["execCost"], fill["execComm"]) == (60_000_000, 30_000)
    assert bench.account.cash["USDT"] == 100_000_000 - 60_000_000 - 30_000
    assert bench.account.cash["XBT"] == 100_100_000


def test_order_margin_is_that_of_the_larger_side(bench):
    bench.book("XBTUSD", 54_000, 55_000)
    buy = {"symbol": "XBTUSD", "side": "Buy", "orderQty": 10_000, "price": 50_000}
    trading.place(bench.venue, bench.account, buy)
    row = position(bench, "XBTUSD")
    assert (row["initMargin"], row["openOrderBuyQty"], row["openOrderBuyCost"]) == (210_000, 10_000, -20_000_000)
    sell = {"symbol": "XBTUSD", "side": "Sell", "orderQty": 4000, "price": 60_000}
    trading.place(bench.venue, bench.account, sell)
    row = position(bench, "XBTUSD")
    assert (row["initMargin"], row["openOrderSellCost"]) == (210_000, 6_666_680)
    assert bench.venue.margin(bench.account, "XBT")["availableMargin"] == 100_000_000 - 210_000


def test_what_only_closes_needs_nothing(bench):
    market(bench, "XBTUSD", "Buy", 4000, 50_000)
    bench.book("XBTUSD", 49_900, 50_000)
    trading.place(bench.venue, bench.account, {"symbol": "XBTUSD", "side": "Sell", "orderQty": 4000, "price": 60_000})
    assert position(bench, "XBTUSD")["initMargin"] == 0


def test_spot_orders_reserve_and_refuse(bench):
    bench.book("XBT_USDT", 59_999, 60_001)
    venue, account = bench.venue, bench.account
    trading.place(venue, account, {"symbol": "XBT_USDT", "side": "Buy", "orderQty": 100_000, "price": 50_000})
    # 50 USDT and the taker fee on it.
    assert venue.margin(account, "USDT")["initMargin"] == 50_025_000
    trading.place(venue, account, {"symbol": "XBT_USDT", "side": "Sell", "orderQty": 60_000_000, "price": 70_000})
    assert venue.margin(account, "XBT")["availableMargin"] == 40_000_000
    with pytest.raises(Refusal) as refused:
        trading.place(venue, account, {"symbol": "XBT_USDT", "side": "Sell", "orderQty": 50_000_000, "price": 70_000})
    assert refused.value.message == "Account has insufficient Available Balance, 50000000 XBt required"
    assert (refused.value.name, refused.value.details) == ("CodedHTTPError", "19000")


def test_an_amend_that_cannot_be_paid_for_leaves_the_order_and_its_place(bench):
    bench.book("XBTUSD", 49_000, 51_000)
    venue, account = bench.venue, bench.account
    row = trading.place(venue, account, {"symbol": "XBTUSD", "side": "Buy", "orderQty": 1000, "price": 50_000})
    account.cash["XBT"] = 30_000
    with pytest.raises(Refusal, match="insufficient Available Balance"):
        trading.amend(venue, account, {"orderID": row["orderID"], "orderQty": 100_000})
    assert venue.orders[row["orderID"]].row() == row


def test_average_price_of_several_fills(bench):
    bench.book("XBTUSD", 49_000, 50_000, qty=1000)
    instrument = bench.venue.markets["XBTUSD"].instrument
    bench.venue.level(bench.venue.markets["XBTUSD"], _sell(), instrument.ticks(51_000), 10_000)
    row = trading.place(bench.venue, bench.account, {"symbol": "XBTUSD", "side": "Buy", "orderQty": 2000})
    # Harmonic: 2000 / (1000/50000 + 1000/51000).
    assert row["avgPx"] == round(float(2000 / (Fraction(1000, 50_000) + Fraction(1000, 51_000))), 4)


def _sell():
    from hbkit.model import Side

    return Side.SELL


def test_cross_and_leverage_that_is_none(bench):
    for wrong in (-1, 0.001, 101, "x", None):
        with pytest.raises(Refusal, match="Invalid leverage"):
            leverage.set_leverage(bench.venue, bench.account, {"symbol": "XBTUSD", "leverage": wrong})
    with pytest.raises(Refusal, match="Invalid symbol"):
        leverage.set_leverage(bench.venue, bench.account, {"symbol": "XBT_USDT", "leverage": 2})
    row = leverage.set_leverage(bench.venue, bench.account, {"symbol": "XBTUSD", "leverage": 0})
    assert (row["crossMargin"], row["leverage"], row["currentQty"]) == (True, 100, 0)
