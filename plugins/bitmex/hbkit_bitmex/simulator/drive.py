"""Moves the market along its clock: a task that sleeps until the next row is due, plays it and has its frames sent.

Every request goes through `act`, which first plays what is due, so that a request meets the market of its own moment.
With a state file, each is written down before it acts, and the market's time before it is played.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection
from typing import TypeVar

from hbkit.clock import SECOND, Clock
from hbkit.errors import StateError
from hbkit_bitmex.simulator.accounts import VenueAccount
from hbkit_bitmex.simulator.feed import Feed
from hbkit_bitmex.simulator.hub import Hub
from hbkit_bitmex.simulator.keeping import Keeper
from hbkit_bitmex.simulator.refusals import Refusal
from hbkit_bitmex.simulator.state import TIMER, Request
from hbkit_bitmex.simulator.times import MarketClock
from hbkit_bitmex.simulator.venue import Venue

T = TypeVar("T")

FAIR = 256
"""Steps after which sockets and requests get their turn, when the market has to hurry."""


class Drive:
    """Owner of the market's clock."""

    def __init__(
        self, venue: Venue, feed: Feed, hub: Hub, wall: Clock, speed: float, keeper: Keeper | None = None
    ) -> None:
        """:param keeper: writes down what happens, for a venue that outlives the process."""
        self._venue = venue
        self._feed = feed
        self._hub = hub
        self._wall = wall
        self._keeper = keeper
        self.clock = MarketClock(wall, wall.now() if keeper is None else keeper.now, speed)
        self._alarm: asyncio.Future[None] | None = None
        self._hurry = asyncio.Lock()
        self._timers: dict[VenueAccount, asyncio.TimerHandle] = {}
        self._lost: StateError | None = None

    async def run(self) -> None:
        """For as long as the server lives. Raises StateError when the state can be written no longer."""
        for account in self._venue.accounts.values():
            self.watch(account)
        try:
            while True:
                if self._lost is not None:
                    raise self._lost
                if self._keeper is not None:
                    self._keeper.keep_in_time()
                if not await self._play_due():
                    await self._sleep()
        finally:
            for timer in self._timers.values():
                timer.cancel()

    async def _play_due(self) -> bool:
        """Play some of what is due; True when more is left."""
        if self._hurry.locked():
            async with self._hurry:
                return True
        if self._play(self.clock.now(), FAIR):
            return False
        await asyncio.sleep(0)
        return True

    def _play(self, until: int, steps: int | None = None) -> bool:
        """Play up to a moment; False when `steps` did not suffice."""
        feed, hub, keeper = self._feed, self._hub, self._keeper
        if keeper is not None and feed.next_ts <= until:
            keeper.state.tell(until)
        while feed.next_ts <= until:
            if steps is not None:
                if steps == 0:
                    return False
                steps -= 1
            if keeper is not None:
                keeper.work += 1
            hub.publish(feed.step(self._wall.now()))
        return True

    async def _sleep(self) -> None:
        """Until the next row is due, or somebody changes the clock."""
        due = self.clock.wall_of(self._feed.next_ts)
        loop = asyncio.get_running_loop()
        self._alarm = loop.create_future()
        timer = None
        if due is not None:
            timer = loop.call_later(max(0, due - self._wall.now()) / SECOND, self._wake)
        try:
            await self._alarm
        finally:
            self._alarm = None
            if timer is not None:
                timer.cancel()

    def _wake(self) -> None:
        if self._alarm is not None and not self._alarm.done():
            self._alarm.set_result(None)

    # -- the clock

    def set_speed(self, speed: float) -> None:
        """From now on."""
        self._play(self.clock.now())
        self._tell()
        self.clock.set_speed(speed)
        self._wake()

    async def advance(self, ns: int) -> None:
        """Push the market forward; returns when everything due by then is played and its frames are written."""
        async with self._hurry:
            self.clock.advance(ns)
            self._tell()
            while not self._play(self.clock.now(), FAIR):
                await self._hub.flush()
            await self._hub.flush()
        self._wake()

    # -- requests

    async def ready(self) -> None:
        """Wait while the market is being pushed forward: requests come after that."""
        while self._hurry.locked():
            async with self._hurry:
                pass

    def act(self, request: Callable[[], T], names: Collection[str] = (), written: Request | None = None) -> T:
        """Do something to the venue, now; its frames are queued before this returns.

        :param names: of markets that the request is about, which are played from now on.
        :param written: what is to be written down of it; None where it only looks.

        Raises Refusal when it cannot be written down; then it did not happen.
        """
        now = self.clock.now()
        if written is None:
            written = Request(self._wall.now())
        try:
            self._play(now)
            ts = max(now, self._venue.ts)
            if self._keeper is not None:
                if self._lost is not None:
                    raise self._lost
                self._keeper.work += 1
                self._keeper.state.add(ts, names, written)
        except StateError as error:
            raise self._lose(error) from None
        self._venue.begin(ts, written.wall)
        for name in names:
            self._feed.attend(name)
        if names:
            self._hub.publish(self._venue.finish())
            self._wake()
        try:
            return request()
        finally:
            self._hub.publish(self._venue.finish())

    def _tell(self) -> None:
        """How far the market is, where nothing is due that would have it written."""
        if self._keeper is not None:
            try:
                self._keeper.state.tell(self.clock.now())
            except StateError as error:
                raise self._lose(error) from None

    def _lose(self, error: StateError) -> Refusal:
        """The state cannot be written: nothing may happen any more that it would not know of."""
        self._lost = error
        self._wake()
        return Refusal(503, f"The simulator ends: {error.message}")

    def intervene(self, request: Callable[[], T], names: Collection[str] = ()) -> T:
        """The same for what no request of a client can say, such as a halt: what came of it is kept as a copy."""
        answer = self.act(request, names)
        if self._keeper is not None:
            try:
                self._keeper.keep()
            except StateError as error:
                raise self._lose(error) from None
        return answer

    def leave(self) -> None:
        """The server ended: what is remembered goes home."""
        if self._keeper is None:
            return
        # What cannot be written now is no loss: all that was answered stands in the file.
        with contextlib.suppress(StateError):
            if self._lost is None:
                self._keeper.state.tell(self.clock.now())
                self._keeper.keep()
        self._keeper.state.close()

    def watch(self, account: VenueAccount) -> None:
        """The dead man's switch of an account was set or disarmed: it runs on the wall clock."""
        timer = self._timers.pop(account, None)
        if timer is not None:
            timer.cancel()
        if account.cancel_at is not None:
            delay = max(0, account.cancel_at - self._wall.now()) / SECOND
            self._timers[account] = asyncio.get_running_loop().call_later(delay, self._fire, account)

    def _fire(self, account: VenueAccount) -> None:
        self._timers.pop(account, None)
        if account.cancel_at is None:
            return
        if account.cancel_at > self._wall.now():
            self.watch(account)
            return
        written = Request(self._wall.now(), account.number, TIMER)
        with contextlib.suppress(Refusal):  # nobody asked, so nobody is refused; the market's task says why
            self.act(lambda: self._venue.cancel_all_after(account), (), written)
