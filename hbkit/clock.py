"""Time: the clocks that are handed in, and the texts that people read. The wall clock is read in this file alone.

A `ts` is nanoseconds since the epoch, UTC, everywhere; durations that people write (`60s`, `5m`) become seconds or
nanoseconds here.
"""

from __future__ import annotations

import math
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ns|us|ms|s|m|h|d|w)", re.IGNORECASE)
_UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}


class Clock(Protocol):
    """What every part that needs the time is handed."""

    def now(self) -> int:
        """Nanoseconds since the epoch."""
        ...


class WallClock:
    """The machine's clock."""

    def now(self) -> int:
        """Nanoseconds since the epoch, from the operating system."""
        return time.time_ns()


class ManualClock:
    """A clock that moves only when told: replay and virtual time."""

    __slots__ = ("ts",)

    def __init__(self, ts: int = 0) -> None:
        self.ts = ts

    def now(self) -> int:
        """Where the clock was last set."""
        return self.ts

    def set(self, ts: int) -> None:
        """Move to `ts`; time never runs backwards."""
        self.ts = max(self.ts, ts)


class ShiftedClock:
    """The time of a market that began elsewhere and runs at a speed of its own: another clock, moved and stretched."""

    def __init__(self, wall: Clock, ts: int, speed: float = 1.0) -> None:
        """
        :param ts: where this clock stands now.
        :param speed: its seconds per second of `wall`, at least 0.
        """
        self._wall = wall
        self._last = ts
        self.set(ts, speed)

    def now(self) -> int:
        """Nanoseconds since the epoch, in the market's time; never less than before."""
        self._last = max(self._last, self._ts + round((self._wall.now() - self._since) * self._speed))
        return self._last

    def set(self, ts: int, speed: float) -> None:
        """Go on from `ts` at `speed`; a clock that was ahead of it stands still until then."""
        self._ts, self._since, self._speed = ts, self._wall.now(), speed

    def seconds_until(self, ts: int) -> float | None:
        """How long `wall` takes until this clock shows `ts`; None when it stands still before it."""
        left = ts - (self._ts + round((self._wall.now() - self._since) * self._speed))
        if left <= 0:
            return 0.0
        return math.ceil(left / self._speed) / SECOND if self._speed else None


def monotonic() -> float:
    """Seconds for measuring how long something took; never for deciding what a strategy sees."""
    return time.perf_counter()


def cpu_seconds() -> float:
    """CPU seconds of this process, for measuring only."""
    return time.process_time()


def iso(ts: int) -> str:
    """`ts` as ISO 8601 UTC with milliseconds: `2019-05-28T18:23:03.341Z`."""
    moment = _EPOCH + timedelta(microseconds=ts // 1000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def parse_time(text: str) -> int:
    """Nanoseconds of an ISO 8601 text; a text without a zone is UTC, a bare date is its midnight.

    Raises ValueError with the accepted form.
    """
    raw = text.strip()
    try:
        moment = datetime.fromisoformat(raw)
    except ValueError:
        raise ValueError(f'"{raw}" is not a time; write it as 2019-05-28 or 2019-05-28T18:30:00Z') from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds * 1000


def parse_duration(text: str | float) -> int:
    """Nanoseconds of `60s`, `1m30s`, `2h`, `500ms`, `1d`; a bare number is seconds.

    Raises ValueError with the accepted form.
    """
    if isinstance(text, (int, float)) and not isinstance(text, bool) and 0 <= text < math.inf:
        return round(text * SECOND)
    raw = str(text).strip()
    if re.fullmatch(r"\d+(?:\.\d+)?", raw):
        return round(float(raw) * SECOND)
    parts = _DURATION.findall(raw)
    if not parts or _DURATION.sub("", raw).strip():
        raise ValueError(f'"{raw}" is not a duration; write it as 60s, 5m, 2h or 1d')
    return sum(round(float(number) * _UNITS[unit.lower()]) for number, unit in parts)


def duration_text(ns: int) -> str:
    """The shortest way to write a duration: `1m`, `90s`, `1h`, `250ms`."""
    for unit in ("w", "d", "h", "m", "s", "ms", "us"):
        size = _UNITS[unit]
        if ns >= size and ns % size == 0:
            return f"{ns // size}{unit}"
    return f"{ns}ns"
