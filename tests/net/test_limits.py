"""Rate limits: no window is ever over, cancels go first, and a pause holds everything back."""

import asyncio
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hbkit.clock import SECOND, ManualClock
from hbkit.net.limits import Bucket, LoopClock, RateBudget, TokenBucket, WindowBucket
from hbkit.net.virtual import VirtualLoop, run_virtual

Make = Callable[[VirtualLoop], RateBudget]


def most_in_any(seconds: float, times: list[float]) -> int:
    """The fullest half-open stretch of that length."""
    nanoseconds = [round(time * SECOND) for time in times]
    most, first = 0, 0
    for last, time in enumerate(nanoseconds):
        while nanoseconds[first] <= time - round(seconds * SECOND):
            first += 1
        most = max(most, last - first + 1)
    return most


# -- buckets


def test_a_token_bucket_refills_continuously() -> None:
    clock = ManualClock()
    bucket = TokenBucket(10, 2.0, clock)
    assert bucket.take(10)
    assert not bucket.take()
    assert bucket.wait_seconds() == 0.5
    clock.set(SECOND // 2 - 1)
    assert not bucket.take()
    clock.set(SECOND // 2)
    assert bucket.take()
    clock.set(100 * SECOND)
    assert bucket.available() == 10


def test_a_window_gives_each_token_back_a_window_later() -> None:
    clock = ManualClock()
    bucket = WindowBucket(3, 1.0, clock)
    assert bucket.take(2)
    clock.set(SECOND // 2)
    assert bucket.take()
    assert bucket.wait_seconds(2) == 0.5
    assert bucket.wait_seconds(3) == 1.0
    clock.set(SECOND - 1)
    assert not bucket.take()
    clock.set(SECOND)
    assert bucket.available() == 2


@pytest.mark.parametrize("make", [lambda c: TokenBucket(10, 10.0, c), lambda c: WindowBucket(10, 1.0, c)])
def test_the_server_can_only_make_a_bucket_stricter(make: Callable[[ManualClock], Bucket]) -> None:
    clock = ManualClock()
    bucket = make(clock)
    bucket.sync(3)
    assert bucket.take(3)
    assert not bucket.take()
    bucket.sync(9)
    assert not bucket.take()
    # Its own token may come back, what the server says is gone may not.
    bucket.put_back()
    assert bucket.take()
    assert not bucket.take()
    clock.set(SECOND)
    assert bucket.take(10)


@pytest.mark.parametrize("make", [lambda c: TokenBucket(10, 10.0, c), lambda c: WindowBucket(10, 1.0, c)])
def test_a_token_returned_never_lifts_the_level_above_what_the_server_said(
    make: Callable[[ManualClock], Bucket],
) -> None:
    bucket = make(ManualClock())
    assert bucket.take()
    bucket.sync(5)
    bucket.put_back()
    assert not bucket.take(6)
    assert bucket.take(5)


def test_a_reset_later_than_the_remaining_tokens_say_counts() -> None:
    clock = ManualClock()
    bucket = TokenBucket(120, 2.0, clock)
    # 100 left would be full in 10 s; the server says 30 s, so 60 tokens are missing.
    bucket.sync(100, reset=30.0)
    assert bucket.available() == 60
    bucket.sync(100, reset=86_400.0)
    assert bucket.available() == 0


@pytest.mark.parametrize("make", [lambda c: TokenBucket(10, 10.0, c), lambda c: WindowBucket(10, 1.0, c)])
def test_a_clock_that_is_set_back_neither_fills_nor_stalls_a_bucket(make: Callable[[ManualClock], Bucket]) -> None:
    clock = ManualClock(3600 * SECOND)
    bucket = make(clock)
    assert bucket.take(10)
    clock.ts = 0
    assert not bucket.take()
    assert bucket.wait_seconds(10) == 1.0


@pytest.mark.parametrize("wrong", [lambda c: TokenBucket(0, 1.0, c), lambda c: WindowBucket(1, 0.0, c)])
def test_a_bucket_that_holds_nothing_is_refused(wrong: Callable[[ManualClock], object]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        wrong(ManualClock())


#: (time until the next try in ms, tokens, what the server says before it: nothing, or what is left)
steps = st.lists(
    st.tuples(st.integers(0, 400), st.integers(1, 4), st.one_of(st.none(), st.integers(0, 12))), max_size=200
)


@settings(max_examples=300, deadline=None)
@given(steps=steps)
def test_no_window_is_ever_over(steps: list[tuple[int, int, int | None]]) -> None:
    clock = ManualClock()
    window, tokens = WindowBucket(10, 1.0, clock), TokenBucket(10, 10.0, clock)
    left: dict[str, list[float]] = {"window": [], "tokens": []}
    for wait, count, said in steps:
        clock.set(clock.ts + wait * 1_000_000)
        for name, bucket in (("window", window), ("tokens", tokens)):
            if said is not None:
                bucket.sync(said)
                assert bucket.available() <= said
            if bucket.take(count):
                left[name] += [clock.ts / SECOND] * count
    assert most_in_any(1.0, left["window"]) <= 10
    for seconds in (0.1, 0.5, 1.0, 3.0):
        # A continuous bucket: its capacity and what flows in meanwhile.
        assert most_in_any(seconds, left["tokens"]) <= 10 + 10 * seconds


@settings(max_examples=200, deadline=None)
@given(waits=st.lists(st.integers(0, 900), min_size=1, max_size=200))
def test_a_window_is_safe_against_a_server_with_a_continuous_bucket(waits: list[int]) -> None:
    clock = ManualClock()
    ours, server = WindowBucket(10, 1.0, clock), TokenBucket(10, 10.0, clock)
    for wait in waits:
        clock.set(clock.ts + wait * 1_000_000)
        while ours.take():
            assert server.take()


# -- the budget


def strict(loop: VirtualLoop) -> RateBudget:
    clock = LoopClock()
    buckets = {"minute": WindowBucket(120, 60.0, clock), "second": WindowBucket(10, 1.0, clock)}
    return RateBudget(buckets, clock=loop.clock)


def flowing(loop: VirtualLoop) -> RateBudget:
    clock = LoopClock()
    buckets: dict[str, Bucket] = {"minute": TokenBucket(120, 2.0, clock), "second": TokenBucket(10, 10.0, clock)}
    return RateBudget(buckets, clock=loop.clock)


def ten_minutes(make: Make, seed: int) -> tuple[list[float], list[float], list[float]]:
    """Orders always wait, cancels come about every two seconds; when each left, and how long the cancels waited."""

    async def main(loop: VirtualLoop) -> tuple[list[float], list[float], list[float]]:
        budget, chance = make(loop), random.Random(seed)
        orders: list[float] = []
        cancels: list[float] = []
        waits: list[float] = []

        async def order() -> None:
            while loop.time() < 600:
                await budget.take()
                orders.append(loop.time())

        async def cancel() -> None:
            while loop.time() < 600:
                await asyncio.sleep(chance.expovariate(0.5))
                asked = loop.time()
                await budget.take(urgent=True)
                waits.append(loop.time() - asked)
                cancels.append(loop.time())

        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(order())
            group.create_task(cancel())
        return orders, cancels, waits

    return run_virtual(main)


@pytest.mark.parametrize("seed", range(5))
def test_ten_minutes_of_orders_and_cancels_keep_both_limits(seed: int) -> None:
    orders, cancels, waits = ten_minutes(strict, seed)
    left = sorted(orders + cancels)
    assert most_in_any(1.0, left) <= 10
    assert most_in_any(60.0, left) <= 120
    assert most_in_any(1.0, orders) <= 8
    assert most_in_any(60.0, orders) <= 96
    # Orders leave as long as more than the cancels' 24 are left: of both together 96 in each of ten minutes, or more.
    assert len(left) >= 10 * 96
    # 24 a minute are theirs, about 30 come: some wait, most do not, and none as long as the orders do.
    assert sorted(waits)[len(waits) // 2] == 0


@pytest.mark.parametrize("seed", range(3))
def test_continuous_buckets_keep_their_own_bound_and_never_pause_long(seed: int) -> None:
    orders, cancels, waits = ten_minutes(flowing, seed)
    left = sorted(orders + cancels)
    assert most_in_any(1.0, left) <= 10 + 10
    assert most_in_any(60.0, left) <= 120 + 120
    assert len(left) <= 120 + 2 * 601
    # Orders stop at 24 tokens left, so a cancel finds some; only more than two a second could use them up.
    assert max(waits) == 0


def test_the_same_seed_leaves_at_the_same_times() -> None:
    assert ten_minutes(strict, 4) == ten_minutes(strict, 4)


def small(loop: VirtualLoop, capacity: int = 5) -> RateBudget:
    return RateBudget({"second": WindowBucket(capacity, 1.0, LoopClock())}, clock=loop.clock)


def test_cancels_overtake_and_the_rest_leaves_by_arrival() -> None:
    async def main(loop: VirtualLoop) -> list[tuple[str, float]]:
        budget = small(loop)
        left: list[tuple[str, float]] = []

        async def leave(name: str, urgent: bool) -> None:
            await budget.take(urgent=urgent)
            left.append((name, loop.time()))

        async with asyncio.TaskGroup() as group:
            for number in range(6):
                group.create_task(leave(f"order {number}", False))
            for number in range(3):
                group.create_task(leave(f"cancel {number}", True))
        assert budget.waiting == 0
        return left

    # 5 a second, one of them for cancels alone.
    assert run_virtual(main) == [
        *[(f"order {number}", 0.0) for number in range(4)],
        ("cancel 0", 0.0),
        ("cancel 1", 1.0),
        ("cancel 2", 1.0),
        ("order 4", 1.0),
        ("order 5", 1.0),
    ]


def test_a_small_request_never_slips_past_an_older_one() -> None:
    async def main(loop: VirtualLoop) -> list[str]:
        budget = small(loop)
        left: list[str] = []

        async def leave(name: str, count: int) -> None:
            await budget.take(count=count)
            left.append(name)

        async with asyncio.TaskGroup() as group:
            for name, count in (("first", 3), ("large", 3), ("small", 1)):
                group.create_task(leave(name, count))
        return left

    assert run_virtual(main) == ["first", "large", "small"]


def test_a_pause_holds_back_everything_and_a_shorter_one_does_not_end_it() -> None:
    async def main(loop: VirtualLoop) -> list[float]:
        budget = small(loop)
        left: list[float] = []

        async def leave(urgent: bool) -> None:
            await budget.take(urgent=urgent)
            left.append(loop.time())

        budget.pause_until(loop.clock.now() + 7 * SECOND)
        budget.pause(1.0)
        assert budget.paused == 7.0
        async with asyncio.TaskGroup() as group:
            group.create_task(leave(True))
            group.create_task(leave(False))
        return left

    assert run_virtual(main) == [7.0, 7.0]


def test_what_a_float_leaves_of_a_pause_is_not_waited_for_without_end() -> None:
    async def main(loop: VirtualLoop) -> float:
        budget = small(loop)
        # 0.1 + 0.7 is 0.7999999999999999: the timer comes at 0.8 less a hair, for which no timer moves a clock.
        await asyncio.sleep(0.1)
        budget.pause(0.7 + 3e-10)
        async with asyncio.timeout(5):
            await budget.take()
        return round(loop.time(), 6)

    assert run_virtual(main) == 0.8


def test_a_pause_also_holds_back_who_has_just_had_its_turn() -> None:
    async def main(loop: VirtualLoop) -> tuple[float, float]:
        budget = small(loop, capacity=1)
        await budget.take()
        task = asyncio.create_task(budget.take())
        await asyncio.sleep(0)
        # After the timer that gives it its turn, before the task runs.
        loop.call_at(1.0, budget.pause, 3.0)
        await task
        return loop.time(), budget.paused

    assert run_virtual(main) == (4.0, 0.0)


def test_a_cancelled_waiter_takes_nothing_and_lets_the_next_one_go() -> None:
    async def main(loop: VirtualLoop) -> float:
        budget = small(loop)
        await budget.take(count=3)
        large = asyncio.create_task(budget.take(count=4))
        next_one = asyncio.create_task(budget.take(count=1))
        await asyncio.sleep(0.25)
        large.cancel()
        await next_one
        assert budget.waiting == 0
        return loop.time()

    assert run_virtual(main) == 0.25


@pytest.mark.parametrize("turns", range(4))
def test_a_cancel_at_the_instant_of_its_turn_gives_the_token_back(turns: int) -> None:
    async def main(loop: VirtualLoop) -> None:
        budget = small(loop, capacity=1)
        await budget.take()
        waiter = asyncio.create_task(budget.take())
        await asyncio.sleep(0)

        def cancel(left: int) -> None:
            if left:
                loop.call_soon(cancel, left - 1)
            else:
                waiter.cancel()

        loop.call_at(1.0, cancel, turns)
        await asyncio.wait([waiter])
        assert loop.time() == 1.0
        started = loop.time()
        await budget.take()
        # Free at once if the waiter was cancelled, a window later if it had taken its token before.
        assert loop.time() - started == (0.0 if waiter.cancelled() else 1.0)

    run_virtual(main)


def test_a_request_that_could_never_leave_is_refused() -> None:
    async def main(loop: VirtualLoop) -> None:
        budget = small(loop)
        with pytest.raises(ValueError, match="takes 1 to 4 of bucket second, not 5"):
            await budget.take(count=5)
        await budget.take(count=5, urgent=True)

    run_virtual(main)


def test_a_server_that_says_less_is_left_holds_the_budget_back() -> None:
    async def main(loop: VirtualLoop) -> float:
        budget = flowing(loop)
        budget.sync("minute", remaining=0)
        # 24 of 120 are kept for cancels: 25 tokens at 2 a second.
        await budget.take("minute")
        return loop.time()

    assert run_virtual(main) == 12.5
