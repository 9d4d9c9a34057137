"""Faults on request: what may go wrong between a client and the venue, which of it is switched on, and whom it hits.

`KINDS` is the table of all of them; `/control/faults` and `--faults FILE` take the same members. Here stands what is
looked up while requests and frames go by; what happens once (sockets that break, a restart, a halt) is carried out by
`incidents`. Chances are drawn from the seed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from hbkit.chance import Chance
from hbkit.clock import SECOND, parse_duration
from hbkit.errors import did_you_mean

SECONDS_MAX = 3600
COUNT_MAX = 1_000_000
SWAP_SECONDS = 1.0
"""After which a frame that waits for the next one is sent without it."""

_REQUEST = frozenset({"verb", "route", "chance", "count", "for"})
_FRAME = frozenset({"table", "chance", "count", "for"})


class Kind(NamedTuple):
    """A fault that there is."""

    text: str
    members: frozenset[str]
    needs: frozenset[str] = frozenset()


KINDS: dict[str, Kind] = {
    "overload": Kind(
        "503 before the venue is reached; cancels and a Close without quantity are exempt (protocol 5.2)", _REQUEST
    ),
    "rate_limit": Kind("429 with retry-after before the venue is reached", _REQUEST | {"seconds"}),
    "lost_request": Kind("the connection breaks, the venue never saw the request", _REQUEST),
    "lost_reply": Kind("the request is done, then the connection breaks", _REQUEST),
    "bad_gateway": Kind("the request is done, then an HTML page with status 502", _REQUEST),
    "delay": Kind("the request waits before it is read", _REQUEST | {"seconds"}, frozenset({"seconds"})),
    "late_reply": Kind(
        "the request is done, its answer waits: the sockets tell first", _REQUEST | {"seconds"}, frozenset({"seconds"})
    ),
    "drop": Kind("single frames are not sent", _FRAME),
    "mute": Kind("a table says nothing, its partial neither", _FRAME),
    "duplicate": Kind("frames are sent twice", _FRAME),
    "reorder": Kind("a frame is sent after the next one of its table, or after `seconds`", _FRAME | {"seconds"}),
    "lag": Kind("frames come later", _FRAME | {"seconds"}, frozenset({"seconds"})),
    "late_partial": Kind(
        "a partial comes `seconds` after its ack, what changes meanwhile comes before it",
        _FRAME | {"seconds"},
        frozenset({"seconds"}),
    ),
    "cut": Kind("the sockets there are break, without a close frame", frozenset({"account"})),
    "half_open": Kind(
        "the sockets there are stay open, but nothing comes through, either way; afterwards they break",
        frozenset({"account", "for"}),
    ),
    "clock_skew": Kind(
        "the venue's clock is off by `seconds` in Date, the root's timestamp, the welcome, and where expiries are "
        "checked",
        frozenset({"seconds", "for"}),
        frozenset({"seconds"}),
    ),
    "halt": Kind("trading in an instrument is stopped, in all where none is named", frozenset({"symbol", "for"})),
    "restart": Kind(
        "all sockets are closed with 1012, for `seconds` everything is answered with 503; `memory: false`: then the "
        "accounts are as new",
        frozenset({"seconds", "memory"}),
    ),
}
REQUEST = frozenset(name for name, kind in KINDS.items() if "verb" in kind.members)
FRAME = frozenset({"drop", "mute", "duplicate", "reorder", "lag"})
ONCE = frozenset({"cut", "restart"})
"""What is over when it has happened."""
ALL = frozenset(KINDS)
MEMBERS = frozenset({"fault"}).union(*(kind.members for kind in KINDS.values()))
RESTART_SECONDS = 5.0


@dataclass(eq=False)
class Fault:
    """One fault that is switched on."""

    fault: str
    verb: str = ""
    route: str = ""
    table: str = ""
    symbol: str = ""
    account: int | None = None
    seconds: float = 0.0
    chance: float = 1.0
    count: int | None = None
    memory: bool = True
    last: float | None = None
    """Seconds after which it ends by itself: the member `for`."""

    def fits(self, verb: str, route: str) -> bool:
        """Whether it applies to this request."""
        return self.verb in ("", verb) and self.route in ("", route)

    def row(self) -> dict[str, Any]:
        """As `/control/faults` shows it: its own members that say something."""
        kind = KINDS[self.fault].members
        values = {**vars(self), "for": self.last}
        return {"fault": self.fault} | {name: values[name] for name in sorted(kind) if values[name] not in ("", None)}


@dataclass(frozen=True)
class PlannedFault:
    """A fault that begins at a time, in seconds of the wall since the simulator began to listen."""

    fault: Fault
    at: float = 0.0
    every: float | None = None
    """It comes again so often."""


class Misuse(ValueError):
    """A fault that cannot be meant; `member` is at fault, empty for the whole."""

    def __init__(self, member: str, message: str) -> None:
        super().__init__(message)
        self.member = member


def read_fault(sent: Mapping[str, Any]) -> Fault:
    """The fault that was written down. Raises Misuse with cause and mend."""
    name = sent.get("fault")
    if name is None:
        raise Misuse("", f"name a fault: {', '.join(sorted(ALL))}")
    if not isinstance(name, str) or name not in KINDS:
        raise Misuse("fault", f'there is no fault "{str(name)[:40]}"; {did_you_mean(str(name), ALL, what="faults")}')
    kind = KINDS[name]
    for member in sent:
        if member != "fault" and member not in kind.members:
            mend = did_you_mean(member, kind.members, what=f"members of {name}")
            raise Misuse(member, f'{name} takes no "{member[:40]}"; {mend}')
    for member in sorted(kind.needs):
        if sent.get(member) is None:
            raise Misuse("fault", f"{name} needs `{member}`")
    count = _number(sent, "count", 0, COUNT_MAX)
    lowest = -SECONDS_MAX if name == "clock_skew" else 0
    account, memory = sent.get("account"), sent.get("memory", True)
    if account is not None and (not isinstance(account, int) or isinstance(account, bool)):
        raise Misuse("account", "account is the number of one, such as 100001")
    if not isinstance(memory, bool):
        raise Misuse("memory", "memory is true or false")
    seconds = _seconds(sent, "seconds", lowest)
    return Fault(
        fault=name,
        verb=_text(sent, "verb").upper(),
        route=_text(sent, "route"),
        table=_text(sent, "table"),
        symbol=_text(sent, "symbol"),
        account=account,
        seconds=_DEFAULTS.get(name, 0.0) if seconds is None else seconds,
        chance=1.0 if (chance := _number(sent, "chance", 0, 1)) is None else float(chance),
        count=None if count is None else int(count),
        memory=memory,
        last=_seconds(sent, "for", 0),
    )


_DEFAULTS = {"reorder": SWAP_SECONDS, "rate_limit": 1.0, "restart": RESTART_SECONDS}


def _text(sent: Mapping[str, Any], name: str) -> str:
    value = sent.get(name, "")
    if not isinstance(value, str):
        raise Misuse(name, f"{name} is a text")
    return value


def _number(sent: Mapping[str, Any], name: str, least: float, most: float) -> float | None:
    value = sent.get(name)
    if value is None:
        return None
    if not isinstance(value, (int, float, Decimal)) or isinstance(value, bool) or not math.isfinite(value):
        raise Misuse(name, f"{name} is a number")
    if not least <= value <= most:
        raise Misuse(name, f"{name} is from {least:,} to {most:,}")
    return float(value)


def _seconds(sent: Mapping[str, Any], name: str, least: float) -> float | None:
    """A number of seconds, or a text such as 500ms."""
    value = sent.get(name)
    if isinstance(value, str):
        sign, text = (-1, value[1:]) if value.startswith("-") else (1, value)
        try:
            value = sign * parse_duration(text) / SECOND
        except ValueError as error:
            raise Misuse(name, str(error)) from None
    return _number({name: value}, name, least, SECONDS_MAX)


class Way(NamedTuple):
    """What becomes of a frame."""

    copies: int = 1
    swapped: float | None = None
    """It waits for the next one of its table, this many seconds at most."""
    lag: float = 0.0


STRAIGHT = Way()


class Faults:
    """Those that are switched on, oldest first."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._active: list[Fault] = []
        self.is_away = False
        """The venue restarts: it answers nothing but 503."""

    def __bool__(self) -> bool:
        return bool(self._active)

    def __contains__(self, fault: Fault) -> bool:
        return fault in self._active

    def add(self, fault: Fault) -> None:
        """Switch one on."""
        self._active.append(fault)

    def remove(self, fault: Fault) -> None:
        """Switch one off; nothing where it has ended already."""
        if fault in self._active:
            self._active.remove(fault)

    def clear(self) -> None:
        """Switch all of them off."""
        self._active.clear()

    def active(self) -> list[Fault]:
        """What is switched on, oldest first."""
        return list(self._active)

    def rows(self) -> list[dict[str, Any]]:
        """The same as rows."""
        return [fault.row() for fault in self._active]

    @property
    def skew(self) -> int:
        """By how much the clock that clients are shown is off, ns."""
        return round(SECOND * sum(one.seconds for one in self._active if one.fault == "clock_skew"))

    def on_request(self, fault: str, verb: str, route: str) -> Fault | None:
        """The fault of that name that hits this request; counts it."""
        for one in self._active:
            if one.fault == fault and one.fits(verb, route) and self._strikes(one):
                return one
        return None

    def on_partial(self, fault: str, table: str) -> Fault | None:
        """The fault of that name that hits the partial of a table; counts it."""
        for one in self._active:
            if one.fault == fault and one.table in ("", table) and self._strikes(one):
                return one
        return None

    def way(self, table: str) -> Way:
        """What becomes of the next frame of a table; counts it."""
        copies, swapped, lag = 1, None, 0.0
        for one in list(self._active):
            if one.fault in FRAME and one.table in ("", table) and self._strikes(one):
                match one.fault:
                    case "mute" | "drop":
                        copies = 0
                    case "duplicate":
                        copies *= 2
                    case "reorder":
                        swapped = one.seconds
                    case "lag":
                        lag += one.seconds
        return Way(copies, swapped, lag)

    def _strikes(self, fault: Fault) -> bool:
        if fault.chance < 1 and self._chance.random() >= fault.chance:
            return False
        if fault.count is not None:
            fault.count -= 1
            if fault.count <= 0:
                self.remove(fault)
        return True
