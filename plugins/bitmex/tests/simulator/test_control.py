"""The control routes: the market's clock, faults, the truth."""

import asyncio

import aiohttp
import pytest

from hbkit.clock import MINUTE, SECOND

ORDER = {"symbol": "XBTUSD", "side": "Buy", "orderQty": 100, "price": 8000, "clOrdID": "one"}


def test_the_clock_is_read_set_and_pushed(at_the_desk):
    async def story(desk):
        first = (await desk.raw("GET", "/control/clock")).body
        await desk.raw("POST", "/control/clock", '{"speed": 10}')
        await asyncio.sleep(6)
        second = (await desk.raw("GET", "/control/clock")).body
        socket = await desk.socket("tradeBin1m:XBTUSD", key=None)
        pushed = (await desk.raw("POST", "/control/clock", '{"advance": 120}')).body
        frames = len(socket.of("tradeBin1m", "insert"))  # written before the answer
        bad = [await desk.raw("POST", "/control/clock", body) for body in ("{}", '{"speed": -1}', '{"advance": "x"}')]
        return first, second, pushed, frames, bad

    first, second, pushed, frames, bad = at_the_desk(story)
    assert first["speed"] == 1
    assert (second["now"] - first["now"], second["speed"]) == (MINUTE, 10)
    assert pushed["now"] - second["now"] == pytest.approx(2 * MINUTE, abs=SECOND)
    assert frames == 2
    assert [answer.status for answer in bad] == [400] * 3


def test_a_market_that_stands_still_still_takes_orders(at_the_desk):
    async def story(desk):
        socket = await desk.socket("trade", "order")
        await desk.raw("POST", "/control/clock", '{"speed": 0}')
        await asyncio.sleep(60)
        trades = len(socket.of("trade", "insert"))
        row = await desk.place(side="Buy", orderQty=100, ordType="Market")
        await desk.raw("POST", "/control/clock", '{"speed": 1}')
        await asyncio.sleep(60)
        return trades, row, len(socket.of("trade", "insert"))

    still, row, moving = at_the_desk(story)
    assert still == 0
    assert row["ordStatus"] == "Filled"
    assert moving > 1


@pytest.mark.parametrize(("fault", "orders"), [("lost_request", 0), ("lost_reply", 1)])
def test_a_broken_connection_leaves_one_order_or_none(at_the_desk, fault, orders):
    async def story(desk):
        await desk.raw(
            "POST", "/control/faults", f'{{"fault": "{fault}", "verb": "POST", "route": "/order", "count": 1}}'
        )
        with pytest.raises(aiohttp.ClientError):
            await desk.call("POST", "/order", ORDER)
        rows = (await desk.call("GET", "/order")).body
        again = await desk.call("POST", "/order", ORDER)
        return len(rows), again

    count, again = at_the_desk(story)
    assert count == orders
    assert again.status == (400 if orders else 200)


def test_overload_and_bad_gateway(at_the_desk):
    async def story(desk):
        row = await desk.place(**{**ORDER, "clOrdID": "kept"})
        await desk.raw("POST", "/control/faults", '{"fault": "overload"}')
        shed = await desk.call("POST", "/order", ORDER)
        # Cancels are exempt.
        cancel = await desk.call("DELETE", "/order", {"orderID": row["orderID"]})
        await desk.raw("DELETE", "/control/faults")
        await desk.raw("POST", "/control/faults", '{"fault": "bad_gateway", "count": 1, "verb": "POST"}')
        unknown = await desk.call("POST", "/order", ORDER)
        rows = (await desk.call("GET", "/order?filter=%7B%22clOrdID%22%3A%22one%22%7D")).body
        return shed, cancel, unknown, rows

    shed, cancel, unknown, rows = at_the_desk(story)
    assert (shed.status, shed.message) == (503, "The system is currently overloaded. Please try again later.")
    assert cancel.body[0]["ordStatus"] == "Canceled"
    assert (unknown.status, unknown.body[:5]) == (502, "<html")
    assert [row["ordStatus"] for row in rows] == ["New"]


def test_delay_mute_duplicate_and_cut(at_the_desk):
    async def story(desk):
        socket = await desk.socket("execution", "order")
        for fault in (
            '{"fault": "delay", "seconds": 2.5, "count": 1}',
            '{"fault": "mute", "table": "order"}',
            '{"fault": "duplicate", "table": "execution"}',
        ):
            await desk.raw("POST", "/control/faults", fault)
        before = desk.loop.time()
        await desk.place(**ORDER)
        took = desk.loop.time() - before
        await asyncio.sleep(0.001)
        counts = len(socket.of("order", "insert")), len(socket.of("execution", "insert"))
        cut = (await desk.raw("POST", "/control/faults", '{"fault": "cut"}')).body
        await asyncio.sleep(0.001)
        return took, counts, cut, socket.socket.close_code

    took, counts, cut, code = at_the_desk(story)
    assert took == pytest.approx(2.5)
    assert counts == (0, 2)
    assert cut == {"cut": 1}
    assert code == 1006


def test_an_unknown_fault_or_route_is_refused(at_the_desk):
    async def story(desk):
        return [
            await desk.raw("POST", "/control/faults", '{"fault": "gremlin"}'),
            await desk.raw("POST", "/control/faults", "no"),
            await desk.raw("GET", "/control/nothing"),
            await desk.raw("POST", "/control/clock", '{"speed": 2}', {"Origin": "http://somewhere"}),
        ]

    assert [answer.status for answer in at_the_desk(story)] == [400, 400, 404, 403]


def test_the_truth_agrees_with_what_accounts_are_told(at_the_desk):
    async def story(desk):
        await desk.place(side="Buy", orderQty=100, ordType="Market")
        truth = (await desk.raw("GET", "/control/truth")).body
        margin = (await desk.call("GET", "/user/margin")).body
        return truth, margin, (await desk.call("GET", "/execution")).body, desk.loop.clock.now()

    truth, margin, executions, now = at_the_desk(story)
    mine, other = truth["accounts"]
    assert margin in mine["margins"]
    assert mine["executions"] == executions
    assert other["executions"] == []
    assert abs(truth["now"] - now) < SECOND
