"""How many calls leave at once, and what an exchange's own counters change in that."""

from __future__ import annotations

import asyncio

from hbkit_ccxt.limits import Throttle

from hbkit.net.virtual import run_virtual


def times_of(calls, *, venue="okx", urgent=False, heard=None):
    """When calls of cost 1 leave, of a venue that takes ten a second."""

    async def main(loop):
        throttle, left = Throttle(venue, 100.0), []
        if heard:
            throttle.hear(heard)

        async def call():
            await throttle.take(1.0, urgent=urgent)
            left.append(round(loop.time(), 3))

        await asyncio.gather(*(call() for _ in range(calls)))
        return left

    return run_virtual(main)


def test_a_burst_leaves_a_fifth_for_cancels():
    # Ten in a burst, two of them for cancels; then one every 100 ms.
    assert times_of(10) == [0.0] * 8 + [0.1, 0.2]
    assert times_of(11, urgent=True) == [0.0] * 10 + [0.1]


def test_a_call_that_costs_more_than_a_burst_waits_for_all_of_it():
    async def main(loop):
        throttle = Throttle("okx", 100.0)
        await throttle.take(50.0)
        return loop.time()

    # 8 at once, 42 more at ten a second.
    assert abs(run_virtual(main) - 4.2) < 0.01


def test_the_counters_that_bitmex_tells_make_it_stricter():
    # Three of ten are left and two of them are for cancels: one leaves now, the next in 100 ms.
    assert times_of(2, venue="bitmex", heard={"x-ratelimit-remaining": "100", "x-ratelimit-remaining-1s": "3"}) == [
        0,
        0.1,
    ]
    assert times_of(2, venue="okx", heard={"x-ratelimit-remaining-1s": "3"}) == [0, 0]


def test_what_counts_the_address_says_nothing_of_the_key():
    assert times_of(2, venue="bitmex", heard={"x-ratelimit-limit": "30", "x-ratelimit-remaining": "0"}) == [0, 0]
