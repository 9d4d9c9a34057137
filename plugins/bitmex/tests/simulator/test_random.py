"""Random order flows and random nonsense: what must hold whatever is sent."""

import json
from contextlib import suppress
from fractions import Fraction
from urllib.parse import quote

import pytest
from hbkit_bitmex.simulator import leverage, trading
from hbkit_bitmex.simulator.refusals import Refusal

from hbkit.chance import Chance
from hbkit.model import PositionSide, Side

SYMBOLS = ("XBTUSD", "XBTUSDT", "XBT_USDT")
LOTS = {"XBTUSD": 1000, "XBTUSDT": 1000, "XBT_USDT": 1_000_000}


def random_request(chance, bench, accounts):
    """One call of one account: place, amend, cancel, leverage; some of it wrong."""
    venue, account = bench.venue, chance.choice(accounts)
    symbol = chance.choice(SYMBOLS)
    open_ids = [order.order_id for order in venue.open_orders(account)]
    price = 8000 + chance.randrange(-20, 21) / 2
    qty = LOTS[symbol] * chance.randrange(1, 30)
    kind = chance.random()
    if kind < 0.6 or not open_ids:
        order = {"symbol": symbol, "side": chance.choice(["Buy", "Sell"]), "orderQty": qty}
        if chance.random() < 0.8:
            order["price"] = price
        order["timeInForce"] = chance.choice(["GoodTillCancel", "GoodTillCancel", "ImmediateOrCancel", "FillOrKill"])
        if chance.random() < 0.4:
            order["execInst"] = chance.choice(["ParticipateDoNotInitiate", "ReduceOnly", "Close"])
        return trading.place(venue, account, order)
    if kind < 0.75:
        change = {"price": price} if chance.random() < 0.5 else {"orderQty": qty}
        return trading.amend(venue, account, {"orderID": chance.choice(open_ids), **change})
    if kind < 0.9:
        return trading.cancel(venue, account, {"orderID": chance.choice(open_ids)})
    return leverage.set_leverage(venue, account, {"symbol": symbol, "leverage": chance.choice([0, 5, 50])})


def random_market(chance, bench):
    """The tape does something."""
    venue = bench.venue
    market = venue.markets[chance.choice(SYMBOLS)]
    middle = market.instrument.ticks(8000 + chance.randrange(-10, 11) / 2)
    step = market.instrument.ticks(0.5)
    kind = chance.random()
    if kind < 0.4:
        side = chance.choice(list(Side))
        units = LOTS[market.symbol] * chance.randrange(0, 60) + chance.randrange(0, 50)
        venue.level(market, side, middle - side.sign * step * chance.randrange(1, 8), units)
    elif kind < 0.9:
        venue.print(market, chance.choice(list(Side)), middle, LOTS[market.symbol] * chance.randrange(1, 80))
    else:
        venue.index(market, 8000 + chance.randrange(-10, 11)) if not market.instrument.is_spot else None


def check(bench, accounts):
    venue = bench.venue
    for account in accounts:
        fills = [row for row in venue.executions[account.number] if row["execType"] == "Trade"]
        for symbol in SYMBOLS:
            instrument = venue.markets[symbol].instrument
            mine = [row for row in fills if row["symbol"] == symbol]
            signed = sum(row["lastQty"] * (1 if row["side"] == "Buy" else -1) for row in mine)
            assert account.leg(instrument, PositionSide.NET).units == signed
            if not instrument.is_spot:
                # What came in less what is still in the position is what was realised.
                cost = sum(row["execCost"] for row in mine)
                leg = account.leg(instrument, PositionSide.NET)
                assert leg.realized == -(cost - leg.cost)
        for order in venue.orders_of[account.number]:
            assert order.filled == sum(row["lastQty"] for row in fills if row["orderID"] == order.order_id)
            assert order.is_open == (order.order_id in account.orders)
            assert order.filled <= order.qty
        for code in ("XBT", "USDT"):
            row = venue.margin(account, code)
            assert row["walletBalance"] == row["amount"] + row["realisedPnl"]
            assert row["marginBalance"] == row["walletBalance"] + row["unrealisedPnl"]
            assert row["excessMargin"] == row["marginBalance"] - row["maintMargin"] - row["initMargin"]
    for market in venue.markets.values():
        bid, _, ask, _ = market.board.top()
        if (
            bid is not None
            and ask is not None
            and market.market.book.best_bid_ticks
            and market.market.book.best_ask_ticks
        ):
            crossed_tape = market.market.book.best_bid_ticks >= market.market.book.best_ask_ticks
            assert bid < ask or crossed_tape


@pytest.mark.parametrize("seed", range(12))
def test_random_flows_keep_every_book(bench, seed):
    chance = Chance(seed)
    accounts = [bench.account, bench.venue.add_account(), bench.venue.add_account()]
    for symbol in SYMBOLS:
        bench.book(symbol, 7990, 8010)
        if symbol != "XBT_USDT":
            bench.mark(symbol, 8000)
    orders = {account.number: {} for account in accounts}
    for step in range(400):
        bench.venue.begin(bench.venue.ts + 1_000_000, bench.venue.ts)
        with suppress(Refusal):
            random_request(chance, bench, accounts) if chance.random() < 0.6 else random_market(chance, bench)
        for update in bench.venue.finish():
            if update.table == "order":
                for row in update.rows:
                    known = orders[update.account]
                    assert (update.action == "insert") == (row["orderID"] not in known)
                    known[row["orderID"]] = {**known.get(row["orderID"], {}), **row}
        if step % 40 == 39:
            check(bench, accounts)
    assert sum(row["execType"] == "Trade" for rows in bench.venue.executions.values() for row in rows) > 50
    for account in accounts:
        # Inserts and updates alone give everybody the rows that REST gives.
        assert list(orders[account.number].values()) == [order.row() for order in bench.venue.orders_of[account.number]]


def test_money_is_made_or_lost_by_no_rounding_beyond_a_unit_a_match(bench):
    chance = Chance(5)
    other = bench.venue.add_account()
    bench.book("XBTUSD", 7990, 8010, qty=0)
    for _ in range(200):
        price = 8000 + chance.randrange(-20, 21) / 2
        for account, side in ((bench.account, "Buy"), (other, "Sell")):
            order = {"symbol": "XBTUSD", "side": side, "orderQty": 100 * chance.randrange(1, 50), "price": price}
            trading.place(bench.venue, account, order)
    total = sum(account.cash["XBT"] for account in (bench.account, other))
    fees = sum(row["execComm"] for rows in bench.venue.executions.values() for row in rows if "execComm" in row)
    instrument = bench.venue.markets["XBTUSD"].instrument
    open_cost = sum(account.leg(instrument, PositionSide.NET).cost for account in (bench.account, other))
    # Every match has one value for both sides, so nothing at all is left over.
    assert Fraction(total + fees - open_cost) == 200_000_000


NONSENSE = [
    "", "0", "-1", "1e400", "nan", "null", "[]", "{}", "[[]]", '{"a":{}}', "é" * 50, "\x00", "9" * 500, "true",
    "2019-99-99", "99999999999999999999", '{"open":false}', '{"symbol":[{}]}', "XBTUSD", "Buy", '["x"]', "0.1",
]  # fmt: skip
READ = {
    "/instrument": "filter columns count start reverse startTime symbol",
    "/orderBook/L2": "symbol depth",
    "/trade": "symbol count startTime endTime filter reverse",
    "/trade/bucketed": "symbol binSize partial count startTime columns",
    "/quote": "symbol start endTime",
    "/funding": "symbol filter",
    "/order": "filter symbol columns count startTime",
    "/execution": "filter columns",
    "/position": "filter columns count",
    "/user/margin": "currency",
    "/user/walletHistory": "currency count start reverse",
    "/stats": "x",
    "/wallet/assets": "columns filter",
}


def test_no_nonsense_in_a_query_is_an_internal_error(at_the_desk):
    async def story(desk):
        await desk.place(side="Buy", orderQty=100, ordType="Market")
        bad = []
        for route, names in READ.items():
            for name in names.split():
                for value in NONSENSE:
                    answer = await desk.call("GET", f"{route}?{name}={quote(value)}")
                    if answer.status not in (200, 400):
                        bad.append((route, name, value, answer.status))
        return bad

    assert at_the_desk(story) == []


WRITE = {
    ("POST", "/order"): "symbol side orderQty price ordType timeInForce execInst clOrdID text displayQty stopPx",
    ("PUT", "/order"): "orderID origClOrdID orderQty leavesQty price clOrdID text",
    ("DELETE", "/order"): "orderID clOrdID text",
    ("DELETE", "/order/all"): "symbol filter text",
    ("POST", "/order/cancelAllAfter"): "timeout",
    ("POST", "/position/leverage"): "symbol leverage",
    ("POST", "/position/isolate"): "symbol enabled",
}
VALUES = [*NONSENSE, None, 0, -1, 1.5, 10**30, True, [], {}, [1], {"a": 1}, [[]], ["é"]]


def test_no_nonsense_in_a_body_is_an_internal_error(at_the_desk):
    async def story(desk):
        bad = []
        for (verb, route), names in WRITE.items():
            for name in names.split():
                for value in VALUES:
                    body = {"symbol": "XBTUSD", "orderQty": 100, "price": 8000, name: value}
                    answer = await desk.call(verb, route, body)
                    if answer.status not in (200, 400):
                        bad.append((verb, route, name, value, answer.status))
                await desk.call("DELETE", "/order/all")
        return bad, json.dumps((await desk.raw("GET", "/control/truth")).body)

    bad, truth = at_the_desk(story)
    assert bad == []
    assert "NaN" not in truth
