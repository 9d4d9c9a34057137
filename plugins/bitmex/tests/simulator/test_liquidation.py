"""Liquidation, bankruptcy, insurance, settlement on the venue without a server (protocol 10.10, 18.7.5 to 18.7.10)."""

from dataclasses import replace

import pytest
from hbkit_bitmex.simulator import leverage, trading
from hbkit_bitmex.simulator.house import claim

from hbkit.model import PositionSide

NIL = "00000000-0000-0000-0000-000000000000"


def hold(bench, symbol, side, qty, price):
    """A position of `qty`, taken from one level; what is left of the level goes."""
    bench.book(symbol, price if side == "Sell" else price - 100, price if side == "Buy" else price + 100)
    trading.place(bench.venue, bench.account, {"symbol": symbol, "side": side, "orderQty": qty})
    bench.mark(symbol, price)
    bench.venue.finish()


def tables(bench):
    """What the step told, as (table, action, row)."""
    return [(one.table, one.action, row) for one in bench.venue.finish() for row in one.rows]


def row_of(bench, symbol):
    return bench.venue.position(bench.account, bench.venue.markets[symbol].instrument, PositionSide.NET)


def check_sum(bench, code="XBT"):
    """Accounts and house together hold what was paid in."""
    held = sum(claim(account, code) for account in bench.venue.accounts.values())
    paid_in = sum(account.deposited[code] for account in bench.venue.accounts.values())
    assert held + bench.venue.clearing.house.total(code) == paid_in


def test_isolated_position_goes_at_its_liquidation_price_to_the_tick(bench):
    # 10.12: long 10000 at 50000, 10x: liquidation 45666.3, bankruptcy 45454.6.
    hold(bench, "XBTUSD", "Buy", 10_000, 50_000)
    leverage.set_leverage(bench.venue, bench.account, {"symbol": "XBTUSD", "leverage": 10})
    resting = trading.place(
        bench.venue, bench.account, {"symbol": "XBTUSD", "side": "Buy", "orderQty": 100, "price": 40_000}
    )
    bench.venue.finish()
    before = bench.account.cash["XBT"]
    bench.mark("XBTUSD", 45_666.4)
    assert row_of(bench, "XBTUSD")["currentQty"] == 10_000
    bench.venue.finish()
    bench.mark("XBTUSD", 45_666.3)
    told = tables(bench)
    assert row_of(bench, "XBTUSD")["currentQty"] == 0
    assert bench.venue.orders[resting["orderID"]].text == "Canceled: Liquidation\nSubmitted via API."
    states = [row["posState"] for table, _, row in told if table == "position"]
    assert (states[0], states[-1]) == ("Liquidation", "")
    assert [action for table, action, _ in told if table == "liquidation"] == ["insert", "delete"]
    shown = next(row for table, action, row in told if (table, action) == ("liquidation", "insert"))
    assert {name: shown[name] for name in ("symbol", "side", "price", "leavesQty")} == {
        "symbol": "XBTUSD", "side": "Sell", "price": 45_454.6, "leavesQty": 10_000,
    }  # fmt: skip
    fill = bench.venue.executions[bench.account.number][-1]
    # One lot of 100 at 45454.6 is worth round(219999.7) = 220000 XBt: 22,000,000 in all, fee 0.0005 of it.
    assert (fill["execCost"], fill["execComm"], fill["lastPx"]) == (22_000_000, 11_000, 45_454.6)
    assert (fill["execType"], fill["ordType"], fill["timeInForce"]) == ("Trade", "Limit", "ImmediateOrCancel")
    assert (fill["lastLiquidityInd"], fill["tradePublishIndicator"]) == ("RemovedLiquidity", "DoNotPublishTrade")
    assert (fill["orderID"], fill["text"], fill["side"]) == (NIL, "Liquidation", "Sell")
    # All that stood behind it, and no more.
    assert before - bench.account.cash["XBT"] == 22_000_000 - 20_000_000 + 11_000 == 2_011_000
    assert not [row for table, _, row in told if table == "trade" and row["symbol"] == "XBTUSD"]
    check_sum(bench)


def test_isolated_short_goes_from_above(bench):
    # 10.12: short 10000 at 50000, 10x: liquidation 55248.6, bankruptcy 55555.5.
    hold(bench, "XBTUSD", "Sell", 10_000, 50_000)
    leverage.set_leverage(bench.venue, bench.account, {"symbol": "XBTUSD", "leverage": 10})
    bench.mark("XBTUSD", 55_248.5)
    assert row_of(bench, "XBTUSD")["currentQty"] == -10_000
    bench.mark("XBTUSD", 60_000)
    assert row_of(bench, "XBTUSD")["currentQty"] == 0
    assert bench.venue.executions[bench.account.number][-1]["lastPx"] == 55_555.5
    # The mark has gone further: the fund has a position worth less than it paid.
    assert bench.venue.clearing.house.insurance["XBT"] < 0
    check_sum(bench)


def test_cross_positions_of_a_currency_go_together_and_leave_nothing_below_zero(bench):
    hold(bench, "XBTUSD", "Buy", 100_000, 8000)
    # 12.5 XBT of value on 1 XBT: maintenance 0.005 and 0.0001 of it is 6,375,000; at 7500 the loss is 0.8333 XBT.
    free = trading.place(
        bench.venue, bench.account, {"symbol": "XBT_USDT", "side": "Buy", "orderQty": 100_000, "price": 7000}
    )
    bench.mark("XBTUSD", 7500)
    assert row_of(bench, "XBTUSD")["currentQty"] == 100_000
    bench.mark("XBTUSD", 7400)
    assert row_of(bench, "XBTUSD")["currentQty"] == 0
    row = bench.venue.margin(bench.account, "XBT")
    assert row["walletBalance"] == row["marginBalance"] == 0
    told = [one for one in bench.venue.executions[bench.account.number] if one["execType"] == "Insurance"]
    assert [one["execComm"] < 0 for one in told] == [True]
    assert bench.venue.orders[free["orderID"]].is_open  # another currency
    check_sum(bench)
    bench.venue.clearing.close_session()
    history = [one["amount"] for one in bench.account.transactions if one["currency"] == "XBt"]
    assert sum(history) == bench.venue.wallet(bench.account, "XBT")["amount"] - 100_000_000  # the bench pays in unseen


def test_cross_orders_go_first_and_isolated_rows_stay(bench):
    hold(bench, "XBTUSD", "Buy", 100_000, 8000)
    order = trading.place(
        bench.venue, bench.account, {"symbol": "XBTUSD", "side": "Buy", "orderQty": 100, "price": 5000}
    )
    bench.mark("XBTUSD", 7000)
    assert not bench.venue.orders[order["orderID"]].is_open
    assert row_of(bench, "XBTUSD")["currentQty"] == 0


def test_what_was_transferred_moves_the_bankruptcy_price(bench):
    hold(bench, "XBTUSD", "Buy", 10_000, 50_000)
    sent = {"symbol": "XBTUSD", "leverage": 10}
    first = leverage.set_leverage(bench.venue, bench.account, sent)
    more = leverage.transfer_margin(bench.venue, bench.account, {"symbol": "XBTUSD", "amount": 1_000_000})
    assert more["posMargin"] == first["posMargin"] + 1_000_000
    # 1e12 / (20,000,000 + 2,000,000 + 1,000,000), up to the tick.
    assert (first["bankruptPrice"], more["bankruptPrice"]) == (45_454.6, 43_478.3)
    assert more["liquidationPrice"] < first["liquidationPrice"]
    for wrong in (-1_000_001, 10**12, 0.5, None, "x"):
        with pytest.raises(Exception, match=r"Invalid amount|insufficient Available Balance"):
            leverage.transfer_margin(bench.venue, bench.account, {"symbol": "XBTUSD", "amount": wrong})
    back = leverage.transfer_margin(bench.venue, bench.account, {"symbol": "XBTUSD", "amount": -1_000_000})
    assert back["posMargin"] == first["posMargin"]


def test_a_leverage_that_would_liquidate_at_once_is_refused(bench):
    hold(bench, "XBTUSD", "Buy", 10_000, 50_000)
    bench.mark("XBTUSD", 49_600)
    # At 100x the bankruptcy price is 49504.9..., the liquidation price above the mark.
    with pytest.raises(Exception, match="Executing at order price would lead to immediate liquidation"):
        leverage.set_leverage(bench.venue, bench.account, {"symbol": "XBTUSD", "leverage": 100})
    assert row_of(bench, "XBTUSD")["crossMargin"] is True


def test_risk_limit_goes_in_steps_and_raises_both_rates(bench):
    sent = {"symbol": "XBTUSD"}
    base = row_of(bench, "XBTUSD")
    step = bench.venue.markets["XBTUSD"].instrument.risk_step
    row = leverage.set_risk_limit(bench.venue, bench.account, {**sent, "riskLimit": base["riskLimit"] + 1})
    assert row["riskLimit"] == base["riskLimit"] + step
    # 18.6: one step more is once more the base maintenance rate on both.
    assert row["initMarginReq"] == round(base["initMarginReq"] + base["maintMarginReq"], 8)
    assert row["maintMarginReq"] == 2 * base["maintMarginReq"]
    for wrong in (0, -1, "x", None, base["riskLimit"] + 11 * step):
        with pytest.raises(Exception, match="Invalid riskLimit"):
            leverage.set_risk_limit(bench.venue, bench.account, {**sent, "riskLimit": wrong})


def test_a_dated_contract_settles_at_the_mean_of_its_index(bench):
    market = bench.venue.markets["XBTUSDT"]
    hold(bench, "XBTUSDT", "Buy", 1000, 8000)
    resting = trading.place(
        bench.venue, bench.account, {"symbol": "XBTUSDT", "side": "Buy", "orderQty": 1000, "price": 7000}
    )
    ended = replace(market.instrument, expiry=bench.venue.ts + 60_000_000_000)
    market.instrument = ended
    for account in bench.venue.accounts.values():
        for _, leg in account.legs():
            if leg.instrument == ended:
                leg.instrument = ended
    for second, index in enumerate((8000, 8010, 8020)):
        bench.venue.begin(ended.expiry - (3 - second) * 1_000_000_000, bench.venue.wall)
        market.ticker.index = index
        bench.venue.clearing.sample(market)
    bench.venue.begin(ended.expiry, bench.venue.wall)
    assert bench.venue.clearing.is_due(market)
    order = bench.venue.orders[resting["orderID"]]
    order.instrument = ended
    bench.venue.engine.markets[ended] = market.market
    bench.venue.clearing.settle(market)
    row = bench.venue.executions[bench.account.number][-1]
    # 1000 contracts at 8010: 8,010,000 micro-USDt.
    assert (row["execType"], row["lastPx"], row["execCost"], row["side"]) == ("Settlement", 8010, -8_010_000, "Sell")
    assert (market.ticker.row["state"], market.ticker.row["settledPrice"]) == ("Settled", 8010)
    assert bench.venue.clearing.settlements[-1]["settledPrice"] == 8010
