"""Candles of the past, page by page, from venues that deal them out in different ways; and those that close now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hbkit_ccxt.closing import Closing
from hbkit_ccxt.history import candles

from hbkit.clock import MINUTE
from hbkit.errors import RateLimited, Unsupported
from hbkit.net.virtual import run_virtual
from plugins.ccxt.tests.script import Script
from plugins.ccxt.tests.test_feeds import COIN

START = 1_700_000_040_000  # a whole minute, ms
FEATURES = {"swap": {"linear": {"fetchOHLCV": {"limit": 100}}}}
MARKET = {"type": "swap", "contract": True, "inverse": False}


def row(minute: int, volume: float = 5.0) -> list[Any]:
    return [START + 60_000 * minute, 100.0 + minute, 101.0 + minute, 99.0 + minute, 100.5 + minute, volume]


def read(answer: Callable[..., Any], first: int, last: int, interval: str = "1m"):
    async def main(loop):
        script = Script(loop, {"fetchOHLCV": True}, {"fetch_ohlcv": answer}, FEATURES)
        script.api.markets = {COIN.unified: MARKET}
        script.api.timeframes = {"1m": "1", "1M": "month"}
        start = START * 1_000_000
        return await candles(script, COIN, interval, start + first * MINUTE, start + last * MINUTE), script.asked

    return run_virtual(main)


def test_pages_are_asked_for_one_after_the_other_by_the_limit_that_ccxt_knows():
    rows = [row(minute) for minute in range(400)]

    def answer(symbol, interval, since, limit):
        return [one for one in rows if one[0] >= since][:limit]

    found, asked = read(answer, 0, 250)
    assert [one.open for one in found] == [100.0 + minute for minute in range(250)]
    assert [one[4] for one in asked] == [100, 100, 100]
    assert [(one[3] - START) // 60_000 for one in asked] == [0, 100, 200]
    first = found[0]
    assert (first.open_time, first.ts - first.open_time, first.volume, first.trades) == (START * 10**6, MINUTE, 5.0, -1)


def test_a_candle_is_told_once_and_none_that_has_not_closed():
    def answer(symbol, interval, since, limit):
        # Pages overlap, and the last row is the open interval.
        return [row(minute) for minute in range(max(0, (since - START) // 60_000 - 3), 12)]

    found, _ = read(answer, 2, 10)
    assert [(one.open_time // 10**6 - START) // 60_000 for one in found] == list(range(2, 10))


def test_an_interval_that_is_left_out_of_an_answer_had_no_trade():
    rows = [row(minute) for minute in (0, 1, 5)]

    def answer(symbol, interval, since, limit):
        return [one for one in rows if one[0] >= since][:limit]

    found, _ = read(answer, 0, 8)
    assert [one.close for one in found] == [100.5, 101.5, 101.5, 101.5, 101.5, 105.5, 105.5, 105.5]
    assert [one.trades for one in found] == [-1, -1, 0, 0, 0, -1, 0, 0]
    assert [one.volume for one in found] == [5.0, 5.0, 0.0, 0.0, 0.0, 5.0, 0.0, 0.0]


def test_a_row_without_volume_is_an_interval_without_a_trade():
    found, _ = read(lambda *asked: [row(0), row(1, 0.0)], 0, 2)
    assert [one.is_empty for one in found] == [False, True]


def test_a_stretch_without_trades_is_stepped_over_and_nothing_is_made_up_before_the_first_row():
    def answer(symbol, interval, since, limit):
        return [one for one in (row(250), row(251)) if since <= one[0] < since + limit * 60_000]

    found, asked = read(answer, 0, 252)
    assert [one.open for one in found] == [350.0, 351.0]
    assert len(asked) == 3


def test_a_venue_that_deals_out_its_newest_alone_ends_the_asking():
    found, asked = read(lambda *asked: [row(minute) for minute in range(50)], 0, 300)
    # 50 rows, and the intervals after them are empty; it was asked twice, not for ever.
    assert (len(found), found[49].trades, found[50].trades) == (300, -1, 0)
    assert len(asked) == 2


def test_a_venue_that_asks_to_wait_is_waited_for():
    answers = [RateLimited("slow down", retry_after=3.0), [row(0)]]
    found, asked = read(lambda *asked: answers.pop(0), 0, 1)
    assert (len(found), len(asked)) == (1, 2)


def test_rows_that_lack_a_price_are_left_aside():
    found, _ = read(lambda *asked: [row(0), [START + 60_000, None, None, None, None, 0.0], [], row(2)], 0, 3)
    assert [one.trades for one in found] == [-1, 0, -1]


def test_an_interval_that_the_venue_has_not_is_put_together_from_a_smaller_one():
    # 1,700,000,040 s are 28,333,334 minutes, which is even: two-minute candles begin there.
    found, asked = read(lambda *asked: [row(minute) for minute in range(7)], 0, 7, "2m")
    assert {one[2] for one in asked} == {"1m"}
    assert [(one.open, one.close, one.high, one.low, one.volume) for one in found] == [
        (100.0, 101.5, 102.0, 99.0, 10.0), (102.0, 103.5, 104.0, 101.0, 10.0), (104.0, 105.5, 106.0, 103.0, 10.0),
    ]  # fmt: skip


def test_an_interval_that_no_other_makes_is_refused():
    with pytest.raises(Unsupported, match="okx: 30s candles cannot be made of 1m"):
        read(lambda *asked: [], 0, 1, "30s")


# -- the present


def close(rows_at: Callable[[int], list[Any]], seconds: float) -> list[tuple[float, float, int]]:
    """What is told in so many seconds, as the second, the close and the trades; the loop begins on a whole minute."""

    async def main(loop):
        began = loop.clock.now() // 10**6

        def answer(symbol, interval, since, limit):
            shift = began - START
            now = (loop.clock.now() // 10**6 - began) / 1000
            return [[one[0] + shift, *one[1:]] for one in rows_at(now) if one[0] + shift >= since]

        script = Script(loop, {}, {"fetch_ohlcv": answer})
        told = []
        closing = Closing(
            script, COIN, "1m", script.market_now,
            lambda one: told.append((round(loop.time(), 3), one.close, one.trades)),
        )  # fmt: skip

        async def run():
            while True:
                await closing.next()

        task = asyncio.get_running_loop().create_task(run())
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return told

    return run_virtual(main)


def test_a_candle_is_told_a_second_after_its_close_and_the_open_one_is_not():
    told = close(lambda now: [row(-1), row(0), row(1), row(2)], 125)
    assert told == [(61.0, 100.5, -1), (121.0, 101.5, -1)]


def test_a_candle_that_comes_late_is_waited_for():
    told = close(lambda now: [row(-1), *([row(0)] if now >= 64 else [])], 70)
    assert told == [(64.0, 100.5, -1)]


def test_an_interval_that_stays_away_had_no_trade_and_has_the_price_before():
    told = close(lambda now: [row(-1), *([row(1)] if now >= 120 else [])], 125)
    # Asked at 61 s and ten times more; 99.5 is the close of the minute before.
    assert told == [(71.0, 99.5, 0), (121.0, 101.5, -1)]


def test_what_lies_before_the_first_candle_ever_is_passed_over():
    assert close(lambda now: [row(1)] if now >= 120 else [], 125) == [(121.0, 101.5, -1)]


@pytest.mark.parametrize("gap", [2, 3])
def test_closes_that_were_missed_are_told_in_order(gap):
    told = close(lambda now: [row(minute) for minute in range(-1, 5)] if now >= 60 * gap else [], 60 * gap + 5)
    assert [close for _, close, _ in told][-1] == 100.5 + gap - 1
    assert [close for _, close, _ in told] == sorted({close for _, close, _ in told})
