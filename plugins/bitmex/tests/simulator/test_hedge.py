"""Hedge mode at the venue: the switch and its refusals, orders and rows per leg (protocol 13)."""

import pytest
from hbkit_bitmex.simulator import leverage, modes, trading
from hbkit_bitmex.simulator.refusals import Refusal

from hbkit.model import PositionMode, PositionSide

LONG, SHORT, NET = PositionSide.LONG, PositionSide.SHORT, PositionSide.NET


def place(bench, side, qty, strategy="", price=None, **more):
    sent = {"symbol": "XBTUSDT", "side": side, "orderQty": qty, **more}
    if strategy:
        sent["strategy"] = strategy
    if price is not None:
        sent["price"] = price
    return trading.place(bench.venue, bench.account, sent)


def hedge(bench):
    bench.book("XBTUSDT", 7999, 8001)
    bench.mark("XBTUSDT", 8000)
    modes.set_position_mode(bench.venue, bench.account, {"positionMode": "MultiWay"})
    bench.venue.finish()


def units(bench):
    instrument = bench.venue.markets["XBTUSDT"].instrument
    return tuple(bench.account.leg(instrument, side).units for side in (LONG, SHORT))


def refusal(act, *arguments):
    with pytest.raises(Refusal) as refused:
        act(*arguments)
    return refused.value.status, refused.value.name, refused.value.message


def test_both_legs_are_held_and_each_is_closed_by_its_own_orders(bench):
    hedge(bench)
    row = place(bench, "Buy", 300, "Long")
    place(bench, "Sell", 200, "Short")
    assert (row["strategy"], row["ordStatus"], units(bench)) == ("Long", "Filled", (300, -200))
    bench.venue.finish()
    rows = {one["strategy"]: one for one in bench.venue.positions(bench.account)}
    assert {name: one["currentQty"] for name, one in rows.items()} == {"Long": 300, "Short": -200}
    assert {name: one["avgEntryPrice"] for name, one in rows.items()} == {"Long": 8001, "Short": 7999}
    # No offset: maintenance of both, (0.005 + 0.0001) of 2,400,300 for the long, 0.005 of 1,599,800 for the short.
    assert bench.venue.margin(bench.account, "USDT")["maintMargin"] == 12_242 + 7_999
    # 13.2: a leg never crosses zero; what is too much is cut, as by ReduceOnly.
    cut = place(bench, "Sell", 500, "Long")
    assert (cut["orderQty"], cut["text"]) == (300, "Amended orderQty\nSubmitted via API.")
    assert units(bench) == (0, -200)
    closed = trading.place(
        bench.venue, bench.account, {"symbol": "XBTUSDT", "side": "Buy", "strategy": "Short", "execInst": "Close"}
    )
    assert (closed["orderQty"], units(bench)) == (200, (0, 0))
    assert refusal(place, bench, "Buy", 100, "Short")[2] == (
        "Order had execInst of ReduceOnly and side of Buy but current position is 0"
    )


def test_a_strategy_that_does_not_fit_the_mode_is_refused(bench):
    bench.book("XBTUSDT", 7999, 8001)
    wrong = (400, "ValidationError", "Invalid strategy")
    for word in ("Long", "Short", "Sideways"):
        assert refusal(place, bench, "Buy", 100, word) == wrong
    hedge(bench)
    for word in ("", "OneWay", "Sideways"):
        assert refusal(place, bench, "Buy", 100, word) == wrong


def test_spot_goes_on_without_a_leg_in_hedge_mode(bench):
    hedge(bench)
    bench.book("XBT_USDT", 7999, 8001)
    sent = {"symbol": "XBT_USDT", "side": "Buy", "orderQty": 1000}
    assert trading.place(bench.venue, bench.account, sent)["strategy"] == "OneWay"
    assert refusal(trading.place, bench.venue, bench.account, {**sent, "strategy": "Long"})[2] == "Invalid strategy"


def test_the_switch_is_refused_with_orders_and_with_isolated_positions(bench):
    bench.book("XBTUSDT", 7999, 8001)
    bench.mark("XBTUSDT", 8000)
    order = place(bench, "Buy", 100, price=7000)
    switch = {"positionMode": "MultiWay"}
    said = (400, "ValidationError", "Cannot change position mode with open orders")
    assert refusal(modes.set_position_mode, bench.venue, bench.account, switch) == said
    trading.cancel(bench.venue, bench.account, {"orderID": order["orderID"]})
    place(bench, "Buy", 100)
    leverage.set_leverage(bench.venue, bench.account, {"symbol": "XBTUSDT", "leverage": 5})
    said = (400, "ValidationError", "Cannot change position mode with isolated positions")
    assert refusal(modes.set_position_mode, bench.venue, bench.account, switch) == said
    assert bench.account.mode is PositionMode.ONE_WAY
    leverage.isolate(bench.venue, bench.account, {"symbol": "XBTUSDT", "enabled": False})
    modes.set_position_mode(bench.venue, bench.account, switch)
    assert units(bench) == (100, 0)
    assert refusal(modes.set_position_mode, bench.venue, bench.account, {"positionMode": "x"})[2] == (
        "Invalid positionMode"
    )


def test_rows_go_and_come_with_the_switch_and_legs_net_at_their_entry_prices(bench):
    hedge(bench)
    place(bench, "Buy", 300, "Long")
    place(bench, "Sell", 200, "Short")
    bench.venue.finish()
    before = bench.venue.margin(bench.account, "USDT")
    modes.set_position_mode(bench.venue, bench.account, {})
    updates = [one for one in bench.venue.finish() if one.table == "position"]
    told = [(one.action, row["strategy"]) for one in updates for row in one.rows]
    assert told == [("delete", "Long"), ("delete", "Short"), ("insert", "OneWay")]
    (row,) = bench.venue.positions(bench.account)
    assert (row["currentQty"], row["avgEntryPrice"]) == (100, 8001)
    # 200 contracts bought at 8001 and sold at 7999: 400 micro-USDt lost, without a fee or an execution.
    after = bench.venue.margin(bench.account, "USDT")
    assert after["realisedPnl"] == before["realisedPnl"] - 400
    assert row["realisedPnl"] == after["realisedPnl"]
    modes.set_position_mode(bench.venue, bench.account, {})  # already so: nothing
    assert not [one for one in bench.venue.finish() if one.table == "position"]


def test_leverage_is_a_legs_own_and_both_without_a_strategy(bench):
    hedge(bench)
    sent = {"symbol": "XBTUSDT", "leverage": 10}
    both = leverage.set_leverage(bench.venue, bench.account, sent)
    assert (both["strategy"], both["leverage"], both["crossMargin"]) == ("Long", 10, False)
    one = leverage.set_leverage(bench.venue, bench.account, {**sent, "leverage": 20, "strategy": "Short"})
    assert (one["strategy"], one["leverage"]) == ("Short", 20)
    bench.venue.finish()
    rows = {row["strategy"]: row["leverage"] for row in bench.venue.positions(bench.account)}
    assert rows == {"Long": 10, "Short": 20}
    transfer = leverage.transfer_margin, bench.venue, bench.account
    assert refusal(*transfer, {"symbol": "XBTUSDT", "amount": 1})[2] == "Invalid strategy"


def test_funding_of_equal_legs_nets_to_nothing(bench):
    hedge(bench)
    place(bench, "Buy", 300, "Long")
    place(bench, "Sell", 300, "Short")
    cash = bench.account.cash["USDT"]
    bench.venue.clearing.fund(bench.venue.markets["XBTUSDT"])
    rows = [row for row in bench.venue.executions[bench.account.number] if row["execType"] == "Funding"]
    # 300 contracts at 8000 are 2,400,000: 240 at 0.0001.
    assert {row["strategy"]: row["execComm"] for row in rows} == {"Long": 240, "Short": -240}
    assert bench.account.cash["USDT"] == cash


def test_the_routes_tell_and_switch_the_mode(at_the_desk):
    async def story(desk):
        first = (await desk.call("GET", "/user")).body["positionMode"]
        on = await desk.call("POST", "/user/positionMode", {"positionMode": "MultiWay"})
        row = await desk.place(symbol="XBTUSDT", side="Buy", orderQty=300, ordType="Market", strategy="Long")
        fill = (await desk.call("GET", "/execution/tradeHistory")).body[-1]
        off = await desk.call("POST", "/user/positionMode", {})
        mode = await desk.call("POST", "/user/marginingMode", {"selectedMarginingMode": "MultiAsset"})
        summary = (await desk.call("GET", "/user/walletSummary?currency=all")).body
        wallets = (await desk.call("GET", "/user/wallet?currency=all")).body
        truth = (await desk.raw("GET", "/control/truth")).body
        assert truth["house"]["USDt"]["fees"] == fill["execComm"]
        return first, on, row, fill, off, mode, summary, wallets

    first, on, row, fill, off, mode, summary, wallets = at_the_desk(story)
    assert (first, on.status, on.body["positionMode"]) == ("OneWay", 200, "MultiWay")
    assert (row["strategy"], fill["strategy"], off.body["positionMode"]) == ("Long", "Long", "OneWay")
    assert mode.body["selectedMarginingMode"] == "MultiAsset"
    totals = {one["currency"]: one["amount"] for one in summary if one["transactType"] == "Total"}
    assert totals == {one["currency"]: one["amount"] for one in wallets}
