"""What a REST route is: who may call it, what it takes and what answers; one entry both serves and is described.

The entries stand in `endpoints`. `rest` finds one by verb and path, `explorer` writes the API description from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hbkit_bitmex.simulator.accounts import VenueAccount
from hbkit_bitmex.simulator.auth import Key, Keys
from hbkit_bitmex.simulator.parameters import Parameters
from hbkit_bitmex.simulator.refusals import not_found
from hbkit_bitmex.simulator.venue import Venue

PREFIX = "/api/v1"
OUTSIDE = "!"
"""Stands before a path that does not lie below the prefix."""
ANYBODY: None = None
ANY_KEY = ""
ORDER, CANCEL, WITHDRAW = "order", "orderCancel", "withdraw"
"""Permissions of a key (3.2)."""


@dataclass(frozen=True)
class Services:
    """What routes work with."""

    venue: Venue
    keys: Keys
    watch: Callable[[VenueAccount], None]
    """To be told when a dead man's switch was set or disarmed."""
    preferences: dict[int, dict[str, Any]] = field(default_factory=dict)
    """What clients stored, by account."""
    routes: Routes = field(default_factory=lambda: Routes(()))
    """All of them, for the description."""


@dataclass(frozen=True)
class Call:
    """One request, read and admitted; `key` is None on a public call without login."""

    services: Services
    sent: Parameters
    key: Key | None
    wall: int
    skew: int = 0
    """By how much the clock that clients are shown is off, ns (a fault)."""

    @property
    def venue(self) -> Venue:
        """The venue."""
        return self.services.venue

    @property
    def login(self) -> Key:
        """The key of a route that needs one."""
        if self.key is None:
            raise TypeError("this route was declared for anybody")
        return self.key

    @property
    def account(self) -> VenueAccount:
        """Whose call it is."""
        return self.login.account


Act = Callable[[Call], Any]


@dataclass(frozen=True)
class Parameter:
    """One parameter as it is described; reading it is the route's own business (section 1 takes many forms)."""

    name: str
    kind: str = "string"
    """`string`, `integer`, `number`, `boolean`, `json` (text of it) or `time`."""
    text: str = ""
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()


def below(path: str) -> str:
    """The path without the prefix; marked where it does not lie below it."""
    rest = path[len(PREFIX) :]
    return rest if path.startswith(PREFIX) and rest[:1] in ("", "/") else f"{OUTSIDE}{path}"


@dataclass(frozen=True)
class Route:
    """One verb on one path below /api/v1."""

    verb: str
    path: str
    name: str
    """The operation's name in the exchange's own description: generated clients call it so."""
    summary: str
    act: Act
    parameters: tuple[Parameter, ...] = ()
    model: str = ""
    """The table in `models` whose columns the answer has; empty where it is no row."""
    one: bool = False
    """One row instead of a list."""
    needs: str | None = ANYBODY
    """`ANYBODY`, `ANY_KEY`, or a permission."""
    second: bool = False
    """Whether it counts against the limit per second, too (section 6)."""
    shed: bool = False
    """Whether load shedding acts on it (5.2)."""

    def admits(self, key: Key) -> bool:
        """Whether the key's permissions suffice: `order` allows everything about orders, cancelling too (3.2)."""
        if self.needs in (ANYBODY, ANY_KEY) or self.needs in key.permissions:
            return True
        return self.needs == CANCEL and ORDER in key.permissions


class Routes:
    """All of them, found by verb and path."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._found = {(route.verb, route.path): route for route in routes}

    def find(self, verb: str, path: str) -> Route | None:
        """The route, None for an unknown path or a wrong verb; a slash at the end is nothing."""
        return self._found.get((verb, path.removesuffix("/")))

    def need(self, verb: str, path: str) -> Route:
        """The same. Raises the 404 of 18.9.1."""
        route = self.find(verb, path)
        if route is None:
            raise not_found()
        return route

    def __iter__(self) -> Iterator[Route]:
        return iter(self._found.values())
