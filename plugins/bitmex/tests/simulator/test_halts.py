"""Halts: what an instrument does and refuses while its trading is stopped, and how it opens again (protocol 18.1.4)."""

import asyncio
import json

import pytest
from hbkit_bitmex.simulator import trading

from hbkit.model import Side

CLOSED = {"state": "Closed"}
RESTING = {"side": "Buy", "orderQty": 100, "price": 8000, "clOrdID": "resting"}


async def halt(desk, **members):
    answer = await desk.raw("POST", "/control/faults", json.dumps({"fault": "halt", **members}))
    assert answer.status == 200, answer.body


async def state(desk, symbol):
    rows = (await desk.call("GET", f"/instrument?symbol={symbol}&columns=state", key=None)).body
    return rows[0]["state"]


def test_a_halt_is_told_refuses_orders_and_lets_cancels_through(at_the_desk):
    async def story(desk):
        kept = await desk.place(**RESTING)
        gone = await desk.place(**{**RESTING, "clOrdID": "gone"})
        socket = await desk.socket("instrument:XBTUSD", "trade:XBTUSD", "trade:.BXBT", "orderBookL2:XBTUSD")
        await halt(desk, symbol="xbtusd")
        counts = len(socket.of("trade", "insert")), len(socket.of("orderBookL2"))
        listed = await state(desk, "XBTUSD"), await state(desk, "XBTUSDT")
        new = await desk.call("POST", "/order", {"symbol": "XBTUSD", "side": "Buy", "orderQty": 100})
        amend = await desk.call("PUT", "/order", {"orderID": kept["orderID"], "price": 8001})
        close = await desk.call("POST", "/order/closePosition", {"symbol": "XBTUSD"})
        cancel = await desk.call("DELETE", "/order", {"orderID": gone["orderID"]})
        elsewhere = await desk.place(symbol="XBTUSDT", side="Buy", orderQty=1000, ordType="Market")
        await asyncio.sleep(120)
        told = [row["symbol"] for row in socket.rows("trade", "insert")[counts[0] :]]
        levels = [row for frame in socket.of("orderBookL2")[counts[1] :] for row in frame["data"]]
        await desk.raw("DELETE", "/control/faults")
        after = await desk.place(side="Buy", orderQty=100, ordType="Market")
        await asyncio.sleep(60)
        states = [row["state"] for row in socket.rows("instrument", "update") if "state" in row]
        return listed, new, amend, close, cancel, elsewhere, told, levels, after, states, socket

    listed, new, amend, close, cancel, elsewhere, told, levels, after, states, socket = at_the_desk(story)
    assert listed == ("Closed", "Open")
    assert (new.status, new.message, new.body["error"]["name"]) == (400, "Market is not open", "ValidationError")
    assert (amend.status, amend.message) == (400, "Market is not open")
    assert close.status == 400
    assert cancel.body[0]["ordStatus"] == "Canceled"
    assert elsewhere["ordStatus"] == after["ordStatus"] == "Filled"
    assert set(told) == {".BXBT"}  # the index goes on
    assert {row["price"] for row in levels} == {8000}  # the cancelled order's level alone
    assert states == ["Closed", "Open"]
    assert any(row["symbol"] == "XBTUSD" for row in socket.rows("trade", "insert")[-20:])


def test_a_halt_ends_with_its_time_and_two_of_them_with_the_later(at_the_desk):
    async def story(desk):
        await halt(desk, symbol="XBTUSD", **{"for": 10})
        await halt(desk, **{"for": 20})
        seen = []
        for _ in range(3):
            seen.append((await state(desk, "XBTUSD"), await state(desk, "XBT_USDT"), await state(desk, "ETHUSD")))
            await asyncio.sleep(10.001)
        return seen

    assert at_the_desk(story) == [("Closed",) * 3, ("Closed",) * 3, ("Open",) * 3]


def test_the_book_opens_as_it_would_be_by_now(at_the_desk):
    async def story(desk, *, halted):
        if halted:
            await halt(desk, symbol="XBTUSD")
            await halt(desk, symbol="ETHUSD")
        else:
            await desk.call("GET", "/orderBook/L2?symbol=ETHUSD")
        await asyncio.sleep(90)
        await desk.raw("DELETE", "/control/faults")
        await asyncio.sleep(1.1)
        return [(await desk.call("GET", f"/orderBook/L2?symbol={name}&depth=0")).body for name in ("XBTUSD", "ETHUSD")]

    def sizes(books):
        return [{(row["side"], row["price"]): row["size"] for row in rows} for rows in books]

    held, played = (
        sizes(at_the_desk(lambda desk, halted=halted: story(desk, halted=halted))) for halted in (True, False)
    )
    assert held == played


def test_a_bids_price_is_crossed_when_it_opens_and_a_stop_waits(bench):
    venue, account, symbol = bench.venue, bench.account, "XBTUSD"
    market = venue.markets[symbol]
    bench.book(symbol, 8000, 8001)
    bench.mark(symbol, 8000)
    bid = trading.place(venue, account, {"symbol": symbol, "side": "Buy", "orderQty": 100, "price": 7990})
    stop = trading.place(
        venue, account, {"symbol": symbol, "side": "Sell", "orderQty": 100, "ordType": "Stop", "stopPx": 7950}
    )
    market.is_halted = True
    bench.book(symbol, 7900, 7901)  # both levels of before gone, both new ones held
    bench.mark(symbol, 7900)
    venue.finish()
    quiet = venue.orders[bid["orderID"]].status, venue.orders[stop["orderID"]].status, market.board.top()[0]
    venue.reopen(market)
    venue.finish()
    assert quiet == ("New", "New", market.instrument.ticks(8000))
    # The bid of 7990 stands above the ask of 7901: it fills. The mark of 7900 is below the stop, which sells at 7900.
    assert [venue.orders[one["orderID"]].status for one in (bid, stop)] == ["Filled", "Filled"]
    assert account.leg(market.instrument, next(iter(account.sides(market.instrument)))).units == 0
    assert market.market.book.best_bid_ticks == market.instrument.ticks(7900)
    assert market.market.book.prices(Side.SELL) == [market.instrument.ticks(7901)]


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("Settled", "Instrument expired"),
        ("Expired", "Instrument expired"),
        ("Unlisted", "Instrument not listed for trading yet"),
        ("Delisted", "Market is not open"),
    ],
)
def test_whatever_is_not_open_takes_no_order(at_the_desk, said, text):
    async def story(desk):
        desk.running.simulator.venue.markets["XBTUSD"].ticker.set(state=said)
        return await desk.call("POST", "/order", {"symbol": "XBTUSD", **RESTING})

    answer = at_the_desk(story)
    assert (answer.status, answer.message) == (400, text)


def test_a_future_that_settled_takes_no_order_and_no_subscription(at_the_desk):
    async def story(desk):
        simulator = desk.running.simulator
        future = next(market for market in simulator.venue.markets.values() if market.instrument.expiry)
        simulator.drive.act(lambda: simulator.venue.clearing.settle(future))
        order = await desk.call("POST", "/order", {"symbol": future.symbol, "side": "Buy", "orderQty": 100})
        socket = await desk.socket(f"trade:{future.symbol}")
        # A halt neither closes it nor opens it again.
        await halt(desk)
        await desk.raw("DELETE", "/control/faults")
        return order, socket.errors(), await state(desk, future.symbol)

    order, errors, listed = at_the_desk(story)
    assert order.message == "Instrument expired"
    assert [error["error"] for error in errors] == ["Unknown or expired symbol."]
    assert listed == "Settled"
