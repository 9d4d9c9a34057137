"""What stands behind the fixtures: a virtual loop for a test, a venue on it, and a look at what the test left over."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Self

from hbkit.clock import SECOND
from hbkit.errors import did_you_mean
from hbkit.net.virtual import LeakedTasks, VirtualLoop
from hbkit.testing.contract import Venue
from hbkit.testing.fake.venue import FakeVenue
from hbkit.testing.playing import HIDDEN, run_strategy
from hbkit.testing.ran import Ran
from hbkit.testing.scripts import Script
from hbkit.trading.strategy import Strategy

FAULTS = ("cut", "lose_reply", "lose_request", "late_reply", "repeat", "early_update", "cross")


class Clock:
    """Counted time."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now(self) -> int:
        """Nanoseconds since the epoch."""
        return self._loop.clock.now()

    @property
    def seconds(self) -> float:
        """Seconds since the test began."""
        return self._loop.time()

    async def advance(self, seconds: float) -> None:
        """Let time go by, and everything happen that is due."""
        await asyncio.sleep(seconds)
        await self._loop.settle()

    async def until(self, ts: int) -> None:
        """Let time go by until a moment, ns."""
        await self.advance(max(0, ts - self.now()) / SECOND)


class Faults:
    """What goes wrong at the venue, and when."""

    def __init__(self, loop: VirtualLoop, venue: Venue) -> None:
        self._loop = loop
        self.venue = venue
        self.failed: list[Exception] = []
        """Of faults that the venue could not bring about."""

    def at(self, seconds: float, fault: str, *details: Any) -> None:
        """So many seconds from now: `cut`, `lose_reply` or `lose_request` with the request, `cross`, ...

        Raises ValueError for a fault that does not exist, with the nearest name.
        """
        if fault not in FAULTS:
            raise ValueError(f'no fault "{fault}"; {did_you_mean(fault, FAULTS, what="faults")}')
        self._loop.call_later(seconds, self._bring, fault, details)

    def _bring(self, fault: str, details: tuple[Any, ...]) -> None:
        try:
            getattr(self.venue, fault)(*details)
        except Exception as error:  # noqa: BLE001 - it is told at the end of the test, where it can be seen
            self.failed.append(error)


class Bench:
    """For one test; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._runner = asyncio.Runner(loop_factory=VirtualLoop)
        loop = self._runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        self._loop = loop
        self._folder = folder
        self.venue = FakeVenue(loop)
        self.clock = Clock(loop)
        self.faults = Faults(loop, self.venue)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.venue.close()
        self._runner.close()

    def play(self, test: Coroutine[Any, Any, None]) -> None:
        """The test, and then the look around.

        Raises LeakedTasks for tasks that nobody owns, AssertionError for connections that are still open.
        """
        __tracebackhide__ = True
        self._runner.run(test)
        self._runner.run(self._loop.settle())
        if self.faults.failed:
            raise self.faults.failed[0]
        left = [task.get_name() for task in self._loop.waiting()]
        if left:
            raise LeakedTasks(f"the test left tasks running: {', '.join(left)}; await or cancel them before it ends")
        if self.venue.connections:
            raise AssertionError(f"the test left {self.venue.connections} connections open; shut the exchange")

    @staticmethod
    def script(*prices: float, every: float = 1.0) -> Script:
        """A market in one line."""
        return Script(prices, every)

    async def run_strategy(self, use: str | type[Strategy], **options: Any) -> Ran:
        """See `hbkit.testing.playing.run_strategy`."""

        __tracebackhide__ = HIDDEN

        def staged(venue: Venue) -> None:
            self.faults.venue = venue

        return await run_strategy(self._loop, self.venue, self._folder, use, on_venue=staged, **options)
