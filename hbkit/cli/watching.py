"""Looks after the strategies of a run from another thread: one that does not come back is told of while it blocks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

from hbkit.background import Repeating, this_thread
from hbkit.clock import monotonic
from hbkit.log import get_logger
from hbkit.runtime.watch import LIVE_SECONDS, REPLAY_SECONDS, Watch
from hbkit.trading.strategy import Strategy


@contextmanager
def watched_replay(strategies: Sequence[Strategy], now: Callable[[], int]) -> Iterator[None]:
    """While recorded data is played by this thread; `now` is its clock."""
    with _watched(strategies, now, REPLAY_SECONDS):
        yield


@asynccontextmanager
async def watched_loop(strategies: Sequence[Strategy]) -> AsyncIterator[None]:
    """While this thread runs its event loop."""
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(LIVE_SECONDS / 4)
            beats += 1

    beating = asyncio.get_running_loop().create_task(beat(), name="beat")
    try:
        with _watched(strategies, lambda: beats, LIVE_SECONDS):
            yield
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)


@contextmanager
def _watched(strategies: Sequence[Strategy], beat: Callable[[], int], limit: float) -> Iterator[None]:
    log = get_logger("hbkit")
    watch = Watch(beat, this_thread(), strategies, log.warning, limit=limit)
    thread = Repeating(lambda: watch.look(monotonic()), limit / 4)
    try:
        yield
    finally:
        thread.close()
