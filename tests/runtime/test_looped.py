"""The scheduler of a run on a loop: calls in their order at times of a clock that runs at its own speed, and jumps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hbkit.agenda import Turn
from hbkit.clock import SECOND, ShiftedClock
from hbkit.net.virtual import VirtualLoop, run_virtual
from hbkit.runtime.looped import LoopScheduler

MARKET = 1_000 * SECOND


class Stage:
    """A scheduler, its clock, and what was called when: the loop's seconds and the name."""

    def __init__(self, loop: VirtualLoop, speed: float) -> None:
        self.loop = loop
        self.clock = ShiftedClock(loop.clock, MARKET, speed)
        self.scheduler = LoopScheduler(self.clock)
        self.heard: list[tuple[float, str]] = []

    def at(self, seconds: float, name: str, turn: Turn = Turn.TIMER) -> Any:
        """Ask for a call, in market seconds from the beginning."""
        return self.scheduler.at(
            MARKET + round(seconds * SECOND), lambda: self.heard.append((self.loop.time(), name)), turn
        )

    @property
    def names(self) -> list[str]:
        return [name for _, name in self.heard]


Story = Callable[[Stage], Awaitable[None]]


@pytest.fixture
def on_stage() -> Callable[..., None]:
    def run(story: Story, speed: float = 1.0) -> None:
        async def main(loop: VirtualLoop) -> None:
            stage = Stage(loop, speed)
            try:
                await story(stage)
            finally:
                stage.scheduler.close()

        run_virtual(main)

    return run


def test_calls_come_in_the_order_of_their_time_then_turn_then_entry(on_stage: Callable[..., None]) -> None:
    async def story(stage: Stage) -> None:
        stage.at(2, "late")
        stage.at(1, "request", Turn.REQUEST)
        stage.at(1, "candle", Turn.CANDLE)
        stage.at(1, "first timer")
        stage.at(1, "second timer")
        await asyncio.sleep(3)
        assert stage.heard == [(1, "first timer"), (1, "second timer"), (1, "candle"), (1, "request"), (2, "late")]

    on_stage(story)


def test_a_fast_clock_calls_sooner(on_stage: Callable[..., None]) -> None:
    async def story(stage: Stage) -> None:
        stage.at(60, "minute")
        await asyncio.sleep(6.5)
        assert stage.heard == [(6, "minute")]

    on_stage(story, speed=10)


def test_a_call_is_never_early_by_the_market_clock(on_stage: Callable[..., None]) -> None:
    async def story(stage: Stage) -> None:
        seen: list[int] = []
        for step in range(1, 200):
            stage.scheduler.at(MARKET + step * 333_333_333, lambda: seen.append(stage.clock.now()))
        await asyncio.sleep(30)
        assert len(seen) == 199
        assert all(now >= MARKET + step * 333_333_333 for step, now in enumerate(seen, 1))

    on_stage(story, speed=7.3)


def test_what_has_passed_is_called_as_soon_as_the_loop_is_free(on_stage: Callable[..., None]) -> None:
    async def story(stage: Stage) -> None:
        stage.at(-5, "past")
        assert not stage.heard
        await asyncio.sleep(0.001)
        assert stage.heard == [(0, "past")]

    on_stage(story)


def test_a_jump_of_the_clock_brings_what_it_passed_over(on_stage: Callable[..., None]) -> None:
    async def story(stage: Stage) -> None:
        stage.at(3_600, "hour")
        await asyncio.sleep(1)
        stage.clock.set(MARKET + 3_599 * SECOND, 1)
        stage.scheduler.clock_moved()
        await asyncio.sleep(1.5)
        assert stage.heard == [(2, "hour")]

    on_stage(story)


def test_a_clock_that_stands_calls_nothing_until_it_goes_on(on_stage: Callable[..., None]) -> None:
    async def story(stage: Stage) -> None:
        stage.at(1, "later")
        await asyncio.sleep(100)
        assert not stage.heard
        stage.clock.set(stage.clock.now(), 1)
        stage.scheduler.clock_moved()
        await asyncio.sleep(1.5)
        assert stage.names == ["later"]

    on_stage(story, speed=0)


def test_a_call_that_was_called_off_does_not_come(on_stage: Callable[..., None]) -> None:
    async def story(stage: Stage) -> None:
        stage.at(1, "off").cancel()
        stage.at(1, "on")
        await asyncio.sleep(2)
        assert stage.names == ["on"]

    on_stage(story)


def test_an_earlier_call_may_be_asked_for_after_a_later_one(on_stage: Callable[..., None]) -> None:
    async def story(stage: Stage) -> None:
        stage.at(10, "late")
        stage.at(1, "early")
        await asyncio.sleep(2)
        assert stage.heard == [(1, "early")]

    on_stage(story)


def test_a_call_that_raises_does_not_silence_the_others(on_stage: Callable[..., None]) -> None:
    async def story(stage: Stage) -> None:
        told: list[Any] = []
        stage.loop.set_exception_handler(lambda loop, context: told.append(context["exception"]))
        stage.scheduler.at(MARKET + SECOND, lambda: 1 // 0)
        stage.at(1, "after")
        await asyncio.sleep(2)
        assert stage.names == ["after"]
        assert [type(error) for error in told] == [ZeroDivisionError]

    on_stage(story)


def test_a_call_that_always_asks_for_the_next_one_leaves_the_loop_to_others(on_stage: Callable[..., None]) -> None:
    async def story(stage: Stage) -> None:
        calls = 0

        def again() -> None:
            nonlocal calls
            calls += 1
            if calls < 1_000:
                stage.scheduler.at(MARKET, again)

        again()
        turns = 0
        while calls < 1_000:
            turns += 1
            await asyncio.sleep(0)
        # Not all of them in one turn of the loop.
        assert turns >= 999

    on_stage(story)


def test_nothing_comes_after_the_end(on_stage: Callable[..., None]) -> None:
    async def story(stage: Stage) -> None:
        stage.at(1, "never")
        stage.scheduler.close()
        await asyncio.sleep(5)
        assert not stage.heard

    on_stage(story)
