"""Faults on request: what goes wrong between a client and the venue, set through `/control/faults`.

| fault | what happens | members |
| --- | --- | --- |
| `overload` | 503 before the venue is reached; cancels and `Close` without quantity are exempt (5.2) | |
| `lost_request` | the connection breaks, the venue never saw the request | |
| `lost_reply` | the request is done, then the connection breaks | |
| `bad_gateway` | the request is done, then an HTML page with status 502 | |
| `delay` | the request waits | `seconds` |
| `late_reply` | the request is done, its answer waits: the sockets tell first | `seconds` |
| `mute` | frames of a table are not sent | `table` |
| `duplicate` | frames of a table are sent twice | `table` |
| `cut` | sockets break at once, without a close frame | |

Members of all of them: `count` (how often, without it until it is taken away), `verb` and `route` (REST, such as
`POST` and `/order`), `chance` (0 to 1, drawn from the seed).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hbkit.chance import Chance

REQUEST = frozenset({"overload", "lost_request", "lost_reply", "bad_gateway", "delay", "late_reply"})
FRAME = frozenset({"mute", "duplicate"})
ALL = REQUEST | FRAME | {"cut"}


@dataclass
class Fault:
    """One fault that is switched on."""

    fault: str
    verb: str = ""
    route: str = ""
    table: str = ""
    seconds: float = 0.0
    chance: float = 1.0
    count: int | None = None

    def fits(self, verb: str, route: str) -> bool:
        """Whether it applies to this request."""
        return self.verb in ("", verb) and self.route in ("", route)


class Faults:
    """Those that are switched on, oldest first."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._active: list[Fault] = []

    def __bool__(self) -> bool:
        return bool(self._active)

    def add(self, fault: Fault) -> None:
        """Switch one on."""
        self._active.append(fault)

    def clear(self) -> None:
        """Switch all of them off."""
        self._active.clear()

    def rows(self) -> list[dict[str, Any]]:
        """What is switched on."""
        return [dict(vars(fault)) for fault in self._active]

    def on_request(self, fault: str, verb: str, route: str) -> Fault | None:
        """The fault of that name that hits this request; counts it."""
        for one in self._active:
            if one.fault == fault and one.fits(verb, route) and self._strikes(one):
                return one
        return None

    def copies(self, table: str) -> int:
        """How often a frame of this table is sent."""
        copies = 1
        for one in list(self._active):
            if one.fault in FRAME and one.table in ("", table) and self._strikes(one):
                copies = 0 if one.fault == "mute" else copies * 2
        return copies

    def _strikes(self, fault: Fault) -> bool:
        if fault.chance < 1 and self._chance.random() >= fault.chance:
            return False
        if fault.count is not None:
            fault.count -= 1
            if fault.count <= 0:
                self._active.remove(fault)
        return True
