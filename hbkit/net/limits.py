"""Rate limits: nothing leaves faster than the server allows, and cancels never wait behind orders.

Two kinds of bucket, because venues count in two ways. `TokenBucket` refills continuously: after a burst of its capacity
it lets through `per_second` more, so a window can hold the capacity and the refill. `WindowBucket` counts what left in
any stretch of `seconds`: never more than its capacity, wherever the stretch begins. The second is always safe against
a server of the first kind; the first keeps a bot moving after a burst.

    budget = RateBudget({"minute": TokenBucket(120, 2.0, clock), "second": WindowBucket(10, 1.0, clock)})
    await budget.take("minute", "second")
    await budget.take("minute", "second", urgent=True)      # a cancel

Hand `LoopClock()` to the buckets of a live run: a wall clock that is set forward would fill them all at once.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from heapq import heapify, heappop, heappush
from typing import Protocol

from hbkit.clock import SECOND, Clock

#: What only cancels may use, of every bucket.
DEFAULT_RESERVE = 0.2
_RESOLUTION = 1e-8
"""Seconds of a loop's time below which two moments are the same."""


class LoopClock:
    """The running loop's own time as a clock: it never jumps, and on a virtual loop it is virtual."""

    def now(self) -> int:
        """Nanoseconds since an arbitrary moment, not since the epoch."""
        return round(asyncio.get_running_loop().time() * SECOND)


class Bucket(Protocol):
    """What a budget asks of a bucket; whole tokens only."""

    capacity: int

    def take(self, count: int = 1) -> bool:
        """Take `count` tokens if they are there."""
        ...

    def put_back(self, count: int = 1) -> None:
        """Return tokens whose request never left."""
        ...

    def wait_seconds(self, count: int = 1) -> float:
        """Seconds until `count` tokens are there; 0 if they are now."""
        ...

    def sync(self, remaining: float, reset: float | None = None) -> None:
        """What the server says; it can only make the bucket stricter."""
        ...


class TokenBucket:
    """`capacity` tokens, refilled continuously by `per_second`.

    Kept as one whole number, the time at which the bucket is full again, so that no rounding ever adds up.
    """

    def __init__(self, capacity: int, per_second: float, clock: Clock) -> None:
        if capacity < 1 or not per_second > 0:
            raise ValueError(f"a bucket needs a capacity and a rate above 0, not {capacity} and {per_second}")
        self.capacity = capacity
        self._clock = clock
        # Rounded up: never faster than asked.
        self._interval = math.ceil(SECOND / per_second)
        self._seen = clock.now()
        self._full_at = self._seen
        # What the server said last: tokens that come back never lift the level above it.
        self._server_full_at = self._seen

    def available(self) -> float:
        """Tokens that are there now."""
        return self.capacity - max(0, self._full_at - self._now()) / self._interval

    def take(self, count: int = 1) -> bool:
        """Take `count` tokens if they are there."""
        if self._wait(count) > 0:
            return False
        self._full_at = max(self._full_at, self._seen) + count * self._interval
        return True

    def put_back(self, count: int = 1) -> None:
        """Return tokens whose request never left."""
        self._full_at = max(self._full_at - count * self._interval, min(self._full_at, self._server_full_at))

    def wait_seconds(self, count: int = 1) -> float:
        """Seconds until `count` tokens are there; infinite if the bucket never holds so many."""
        return max(0, self._wait(count)) / SECOND if count <= self.capacity else math.inf

    def sync(self, remaining: float, reset: float | None = None) -> None:
        """The server has `remaining` tokens left and is full again in `reset` seconds: the stricter of both holds."""
        now = self._now()
        missing = math.ceil(self.capacity - max(0.0, remaining)) * self._interval
        # A reset far off, from a server that counts otherwise, empties the bucket and no more.
        until_full = min(max(missing, round((reset or 0.0) * SECOND)), self.capacity * self._interval)
        self._server_full_at = max(self._server_full_at, now + until_full)
        self._full_at = max(self._full_at, self._server_full_at)

    def _wait(self, count: int) -> int:
        """Nanoseconds until `count` tokens are there; at or below 0 if they are."""
        now = self._now()
        return max(self._full_at, now) + (count - self.capacity) * self._interval - now

    def _now(self) -> int:
        now = self._clock.now()
        if now < self._seen:
            # The clock was set back: keep the level, do not wait until the old time comes round again.
            self._full_at -= self._seen - now
            self._server_full_at -= self._seen - now
        self._seen = now
        return now


class WindowBucket:
    """At most `capacity` in any stretch of `seconds`: each token comes back that long after it was taken."""

    def __init__(self, capacity: int, seconds: float, clock: Clock) -> None:
        if capacity < 1 or not seconds > 0:
            raise ValueError(f"a window needs a capacity and a length above 0, not {capacity} and {seconds}")
        self.capacity = capacity
        self._window = round(seconds * SECOND)
        self._clock = clock
        self._seen = clock.now()
        # When each missing token comes back and its number, as a heap: what a server says is missing has its own time.
        self._back: list[tuple[int, int]] = []
        self._taken = 0
        self._synced = 0

    def available(self) -> int:
        """Tokens that are there now."""
        now = self._clock.now()
        if now < self._seen:
            self._back = [(ts - (self._seen - now), number) for ts, number in self._back]
        self._seen = now
        while self._back and self._back[0][0] <= now:
            heappop(self._back)
        return self.capacity - len(self._back)

    def take(self, count: int = 1) -> bool:
        """Take `count` tokens if they are there."""
        if self.available() < count:
            return False
        self._remove(count, self._window)
        return True

    def put_back(self, count: int = 1) -> None:
        """Return tokens whose request never left."""
        # The oldest are struck off, whichever were meant: what stays stands longer than it must, never shorter. Not
        # those from before the server's last word, which has not counted them as ours.
        ours = sorted(entry for entry in self._back if entry[1] > self._synced)[:count]
        self._back = [entry for entry in self._back if entry not in ours]
        heapify(self._back)

    def wait_seconds(self, count: int = 1) -> float:
        """Seconds until `count` tokens are there; infinite if the window never holds so many."""
        short = count - self.available()
        if short <= 0:
            return 0.0
        if count > self.capacity:
            return math.inf
        return (sorted(self._back)[short - 1][0] - self._seen) / SECOND

    def sync(self, remaining: float, reset: float | None = None) -> None:
        """The server has only `remaining` left, and all of them again in `reset` seconds (default: a whole window)."""
        missing = self.available() - math.floor(max(0.0, remaining))
        if missing > 0:
            self._remove(missing, self._window if reset is None else max(0, round(reset * SECOND)))
            self._synced = self._taken

    def _remove(self, count: int, length: int) -> None:
        for _ in range(count):
            self._taken += 1
            heappush(self._back, (self._seen + length, self._taken))


class _Waiter:
    """One request that waits for its turn."""

    __slots__ = ("buckets", "count", "future", "granted", "order", "urgent")

    def __init__(self, order: int, buckets: tuple[str, ...], count: int, urgent: bool) -> None:
        self.order = order
        self.buckets = buckets
        self.count = count
        self.urgent = urgent
        self.granted = False
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def __lt__(self, other: _Waiter) -> bool:
        return (not self.urgent, self.order) < (not other.urgent, other.order)


class RateBudget:
    """Several named buckets; a request leaves when all of its buckets allow it.

    `reserve` is the share of each bucket that only urgent requests may use. Urgent ones are served first, then by
    arrival, strictly: a small request never slips past an older one. Waiting costs one timer of the loop and no task.
    """

    def __init__(self, buckets: Mapping[str, Bucket], *, clock: Clock, reserve: float = DEFAULT_RESERVE) -> None:
        if not 0 <= reserve < 1:
            raise ValueError(f"the reserve is a share from 0 to below 1, not {reserve}")
        self._buckets = dict(buckets)
        self._clock = clock
        self._reserve = {name: math.floor(bucket.capacity * reserve) for name, bucket in self._buckets.items()}
        self._queue: list[_Waiter] = []
        self._arrivals = 0
        self._timer: asyncio.TimerHandle | None = None
        self._paused_until = -math.inf

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._queue)

    async def take(self, *names: str, count: int = 1, urgent: bool = False) -> None:
        """Wait for this request's turn and take `count` from each named bucket, from all if none is named.

        Cancelled while it waits, it takes nothing.
        """
        buckets = names or tuple(self._buckets)
        self._refuse_impossible(buckets, count, urgent)
        self._arrivals += 1
        waiter = _Waiter(self._arrivals, buckets, count, urgent)
        while not self._pass(waiter):
            await self._turn(waiter)
            if not self.paused:
                return
            # A pause came between its turn and this line: give back and keep the place.
            self._give_back(waiter)
            waiter.granted = False
            waiter.future = asyncio.get_running_loop().create_future()

    def sync(self, name: str, remaining: float, reset: float | None = None) -> None:
        """What the server's headers say of one bucket; `reset` in seconds from now."""
        self._buckets[name].sync(remaining, reset)

    def pause_until(self, ts: int) -> None:
        """Nothing leaves before `ts` (ns since the epoch, on the budget's clock), urgent or not."""
        self.pause((ts - self._clock.now()) / SECOND)

    def pause(self, seconds: float) -> None:
        """Nothing leaves for `seconds`; a shorter pause never ends a longer one."""
        # By the loop's time: a wall clock that is set must not shorten a ban or make it last for hours.
        self._paused_until = max(self._paused_until, asyncio.get_running_loop().time() + seconds)
        self._serve()

    @property
    def paused(self) -> float:
        """Seconds until requests may leave again; 0 if they may now."""
        left = self._paused_until - asyncio.get_running_loop().time()
        # A loop calls a timer up to its resolution early: what is left then would be waited for without end.
        return left if left > _RESOLUTION else 0.0

    # -- turns

    def _pass(self, waiter: _Waiter) -> bool:
        """Take at once if nobody stands before it."""
        if (self._queue and not waiter < self._queue[0]) or self._wait_seconds(waiter) > 0:
            return False
        self._grant(waiter)
        return True

    async def _turn(self, waiter: _Waiter) -> None:
        heappush(self._queue, waiter)
        self._serve()
        try:
            await waiter.future
        except asyncio.CancelledError:
            self._leave(waiter)
            raise

    def _leave(self, waiter: _Waiter) -> None:
        """A waiter was cancelled: before its turn it frees its place, after it the tokens too."""
        if waiter.granted:
            self._give_back(waiter)
        elif waiter in self._queue:
            self._queue.remove(waiter)
            heapify(self._queue)
        self._serve()

    def _serve(self) -> None:
        """Let go who may, in order, and look again when the next one may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._queue:
            first = self._queue[0]
            if first.future.done():
                # Cancelled, and its task has not run since.
                heappop(self._queue)
                continue
            seconds = self._wait_seconds(first)
            if seconds > 0:
                self._timer = asyncio.get_running_loop().call_later(seconds, self._serve)
                return
            heappop(self._queue)
            self._grant(first)
            first.future.set_result(None)

    def _wait_seconds(self, waiter: _Waiter) -> float:
        waits = [self._buckets[name].wait_seconds(self._needed(name, waiter)) for name in waiter.buckets]
        return max(self.paused, *waits) if waits else self.paused

    def _needed(self, name: str, waiter: _Waiter) -> int:
        return waiter.count + (0 if waiter.urgent else self._reserve[name])

    def _grant(self, waiter: _Waiter) -> None:
        waiter.granted = True
        for name in waiter.buckets:
            taken = self._buckets[name].take(waiter.count)
            assert taken, f"bucket {name} said it has {waiter.count}"

    def _give_back(self, waiter: _Waiter) -> None:
        for name in waiter.buckets:
            self._buckets[name].put_back(waiter.count)

    def _refuse_impossible(self, names: tuple[str, ...], count: int, urgent: bool) -> None:
        for name in names:
            most = self._buckets[name].capacity - (0 if urgent else self._reserve[name])
            if not 1 <= count <= most:
                raise ValueError(f"a request takes 1 to {most} of bucket {name}, not {count}; it could never leave")
