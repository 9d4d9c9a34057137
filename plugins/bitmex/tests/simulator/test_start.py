"""Where on the tape a simulator begins, what it knows by then, and what an order needs on its way there."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hbkit_bitmex.derived import Family
from hbkit_bitmex.simulator.step import Step
from hbkit_bitmex.tapes import open_tape

from hbkit.clock import MINUTE, SECOND, parse_time
from hbkit.data.source import Rows
from hbkit.errors import ConfigError

SIX = parse_time("2019-05-29T06:00:00Z")
ANOTHER_DAY = parse_time("2019-06-02T11:00:00Z")


@pytest.mark.parametrize("clock", [SIX, ANOTHER_DAY], ids=["the tape's own time", "another day"])
def test_the_market_at_the_start_is_that_of_the_tape(at_the_desk: Any, clock: int) -> None:
    async def story(desk: Any) -> None:
        await desk.loop.settle()
        (touch,) = (await desk.call("GET", "/quote?symbol=XBTUSD&reverse=true&count=1", key=None)).body
        (window,) = list(open_tape("bitmex-2019-05-29", 1).windows(SIX, SIX + SECOND))
        levels = next(batch for batch in window if batch.kind is Rows.LEVEL)
        sides, prices, _ = levels.columns
        assert (touch["bidPrice"], touch["askPrice"]) == (prices[sides > 0].max(), prices[sides < 0].min())
        assert parse_time(touch["timestamp"]) == clock
        (candle,) = (
            await desk.call("GET", "/trade/bucketed?binSize=1m&symbol=XBTUSD&reverse=true&count=1", key=None)
        ).body
        assert parse_time(candle["timestamp"]) == clock

    at_the_desk(story, start=clock, tape_start=SIX)


def test_in_the_tapes_own_time_the_next_funding_is_the_tapes_own(at_the_desk: Any) -> None:
    async def story(desk: Any) -> None:
        (row,) = (await desk.call("GET", "/instrument?symbol=XBTUSD", key=None)).body
        noon = parse_time("2019-05-29T12:00:00Z")
        assert parse_time(row["fundingTimestamp"]) == noon
        assert row["fundingRate"] == open_tape("bitmex-2019-05-29", 1).funding_rates(noon)[0]

    at_the_desk(story, start=SIX, tape_start=SIX)


@pytest.mark.parametrize(
    ("start", "mend"),
    [
        (SIX + 1, "write a whole minute, 2019-05-29T06:00:00.000Z"),
        (SIX + 24 * 60 * MINUTE, "covers 2019-05-28T18:23:03.341Z..2019-05-29T18:14:00.000Z"),
        (SIX - 24 * 60 * MINUTE, "covers 2019-05-28T18:23:03.341Z..2019-05-29T18:14:00.000Z"),
    ],
)
def test_a_start_that_the_tape_does_not_have_is_refused_with_what_it_has(
    at_the_desk: Any, start: int, mend: str
) -> None:
    async def story(desk: Any) -> None:
        raise AssertionError("it must not start")

    with pytest.raises(ConfigError, match=r"HB503.*cannot start at") as refused:
        at_the_desk(story, tape_start=start)
    assert mend in str(refused.value)


def test_an_order_needs_its_latency_and_nothing_else_does(at_the_desk: Any) -> None:
    async def story(desk: Any) -> None:
        began = desk.loop.time()
        bid, _ = await desk.touch()
        assert desk.loop.time() == began
        row = await desk.place(side="Buy", orderQty=100, price=bid - 10)
        assert desk.loop.time() == began + 0.5
        assert parse_time(row["timestamp"]) == desk.loop.clock.now()
        await desk.call("PUT", "/order", {"orderID": row["orderID"], "orderQty": 200})
        await desk.call("DELETE", "/order", {"orderID": row["orderID"]})
        assert desk.loop.time() == began + 1.5
        assert (await desk.call("GET", "/order")).body[0]["ordStatus"] == "Canceled"
        assert desk.loop.time() == began + 1.5

    at_the_desk(story, latency=SECOND // 2)


def test_orders_that_are_sent_together_arrive_in_their_order(at_the_desk: Any) -> None:
    async def story(desk: Any) -> None:
        bid, _ = await desk.touch()
        prices = [bid - 10 - step / 2 for step in range(12)]
        await asyncio.gather(*(desk.place(side="Buy", orderQty=100, price=price) for price in prices))
        orders = (await desk.call("GET", "/order")).body
        assert [order["price"] for order in orders] == prices

    at_the_desk(story, latency=SECOND // 20)


def test_what_closed_is_told_first_and_a_funding_between_its_executions_and_the_mark() -> None:
    step = Step()
    for table in ("instrument", "funding", "quote", "execution", "trade", "tradeBin1m", "orderBookL2"):
        step.add(table, "insert", {})
    told = [update.table for update in step.take()]
    assert told == ["tradeBin1m", "trade", "execution", "funding", "orderBookL2", "quote", "instrument"]


def test_what_is_derived_has_the_marks_of_its_own_index() -> None:
    # The premium is a part of the index, not a number of dollars that could be shifted with it.
    (window,) = list(Family(open_tape("bitmex-2019-05-29", 1)).windows(SIX, SIX + MINUTE))
    marks = {batch.symbol: batch.columns for batch in window if batch.kind is Rows.MARK}
    rate = open_tape("bitmex-2019-05-29", 1).funding_rates(SIX)[0]
    for at, (price, index) in enumerate(zip(*marks["XBTUSDT"], strict=True)):
        assert index == marks["XBTUSD"][1][at] + 1
        left = (6 * 60 * MINUTE - at * 5 * SECOND) / (8 * 60 * MINUTE)
        assert price == round(index * (1 + rate * left), 2)
