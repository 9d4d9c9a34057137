"""Keeps a venue in its state file while it lives, and brings it back: the copy, then everything that acted after it."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Iterable, Mapping

from hbkit_bitmex.simulator import parameters
from hbkit_bitmex.simulator.accounts import VenueAccount
from hbkit_bitmex.simulator.auth import Key, Keys
from hbkit_bitmex.simulator.copying import World, from_bytes, to_bytes
from hbkit_bitmex.simulator.endpoints import BULK, ENDPOINTS
from hbkit_bitmex.simulator.feed import Feed
from hbkit_bitmex.simulator.history import History
from hbkit_bitmex.simulator.refusals import Refusal
from hbkit_bitmex.simulator.routes import Call, Routes, Services
from hbkit_bitmex.simulator.state import TIMER, WATCHED, Begun, Entry, Request, Saved, StateFile

_log = logging.getLogger(__name__)
WORK = 20_000
"""Steps of the market and requests after which a copy is made; a start plays them again in about three seconds."""
BYTES_PER_STEP = 200
"""A large copy is made more rarely, so that making them stays a small part of all work."""


class Keeper:
    """Writes copies of the venue when enough has happened."""

    def __init__(self, state: StateFile, begun: Begun, keys: Mapping[str, int], world: World, now: int) -> None:
        """:param now: where the market stands."""
        self.state = state
        self.now = now
        self.work = 0
        """Steps and requests since the last copy."""
        self._begun = begun
        self._keys = keys
        self._world = world
        self._due = 0

    def keep(self) -> None:
        """A copy now."""
        venue = self._world.venue
        found = to_bytes(self._world)
        self.state.keep(self._begun, self._keys, venue.ts, found, self._world.watched)
        self.work, self._due = 0, max(WORK, len(found) // BYTES_PER_STEP)

    def keep_in_time(self) -> None:
        """A copy if it is time for one."""
        if self.work >= self._due:
            self.keep()

    def watched(self, listening: Callable[[], Iterable[str]], wall: Callable[[], int]) -> Callable[[], tuple[str, ...]]:
        """What sockets listen to, written down when the backdrop is told of it: it decides who may sleep."""

        def told() -> tuple[str, ...]:
            self._world.watched = tuple(sorted(listening()))
            self.state.watch(self._world.venue.ts, wall(), self._world.watched)
            return self._world.watched

        return told


def brought_back(saved: Saved, before: Callable[[str], History], state: StateFile) -> World:
    """The venue as it was copied. Raises StateError for what is no copy of one."""
    try:
        return from_bytes(saved.venue, before)
    except (pickle.UnpicklingError, EOFError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise state.damaged(f"{type(error).__name__}: {error}") from None


class Replay:
    """Acts again what acted after the copy, each at its moment; nobody is told of it."""

    def __init__(self, world: World, feed: Feed) -> None:
        self._world = world
        self._venue = world.venue
        self._feed = feed
        self._services = Services(world.venue, Keys(), lambda account: None, world.preferences)
        self._routes = Routes((*ENDPOINTS, *BULK))
        world.backdrop.watched = lambda: world.watched

    def run(self, entries: Iterable[Entry], until: int) -> int:
        """All of them, then the market up to `until`; how many there were."""
        count = 0
        for entry in entries:
            count += 1
            if entry.request.verb == WATCHED:
                # It is asked for when a minute begins, before anything else of that moment.
                self._play(entry.ts - 1, entry.request.wall)
                self._world.watched = entry.names
                continue
            self._play(entry.ts, entry.request.wall)
            self._act(entry)
        self._play(until, self._venue.wall)
        self._forget_walls()
        return count

    def _play(self, until: int, wall: int) -> None:
        while self._feed.next_ts <= until:
            self._feed.step(wall)

    def _act(self, entry: Entry) -> None:
        venue, request = self._venue, entry.request
        venue.begin(entry.ts, request.wall)
        for name in entry.names:
            self._feed.attend(name)
        if entry.names:
            venue.finish()
        account = venue.accounts[request.account] if request.account is not None else None
        if request.verb == TIMER and account is not None:
            venue.cancel_all_after(account)
        elif request.verb:
            self._ask(request, account)
        venue.finish()

    def _ask(self, request: Request, account: VenueAccount | None) -> None:
        key = Key("", "", account) if account is not None else None
        try:
            sent = parameters.read(request.query, request.body.encode())
            self._routes.need(request.verb, request.path).act(Call(self._services, sent, key, request.wall))
        except Refusal:
            pass  # as it was refused then
        except Exception:  # noqa: BLE001 - it failed then as well, and left the venue as it does now
            _log.exception("%s %s failed again as it did before the restart", request.verb, request.path)

    def _forget_walls(self) -> None:
        """The wall clock of the process before decides nothing: a virtual one may begin earlier again."""
        self._venue.forget_wall()
        for account in self._venue.accounts.values():
            for session in account.legs_session.values():
                session.told_at = 0
