"""The two clocks: the wall that was handed in, and the market's own, which may run faster and be pushed forward."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from hbkit.clock import SECOND, Clock, iso, parse_time

_DIGITS = re.compile(r"\d+")
_FRACTION = re.compile(r"(\.\d{1,9})")


class MarketClock:
    """Market time = where it was set + speed x wall time since. It never runs backwards."""

    def __init__(self, wall: Clock, start: int, speed: float) -> None:
        self._wall = wall
        self._anchor_wall = wall.now()
        self._anchor = start
        self.speed = speed

    def now(self) -> int:
        """The market's time, ns."""
        elapsed = self._wall.now() - self._anchor_wall
        return self._anchor + (elapsed if self.speed == 1 else round(elapsed * self.speed))

    def wall_of(self, ts: int) -> int | None:
        """When the wall clock will show that the market is at `ts`; None while the market stands still."""
        if self.speed <= 0:
            return None
        distance = ts - self._anchor
        # Rounded up: a market that is a nanosecond short of `ts` when somebody wakes for it would be looked at twice.
        return self._anchor_wall + (distance if self.speed == 1 else -int(-distance // self.speed))

    def set_speed(self, speed: float) -> None:
        """Another speed from now on."""
        self._anchor, self._anchor_wall = self.now(), self._wall.now()
        self.speed = speed

    def advance(self, ns: int) -> None:
        """Push the market forward at once."""
        self._anchor += ns


def http_date(ts: int) -> str:
    """The Date header; aiohttp's own would read the machine's clock."""
    return datetime.fromtimestamp(ts // SECOND, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


def moment(text: str) -> int:
    """A time as clients write it (protocol 2.4): ISO with 0 to 9 fraction digits, a date, or digits (ms or s).

    Raises ValueError.
    """
    raw = text.strip()
    if _DIGITS.fullmatch(raw):
        if len(raw) == 13:
            return int(raw) * 1_000_000
        if len(raw) == 10:
            return int(raw) * SECOND
        raise ValueError(raw)
    fraction = _FRACTION.search(raw)
    if fraction is None:
        return parse_time(raw)
    digits = fraction.group(1)[1:].ljust(9, "0")
    return parse_time(raw.replace(fraction.group(1), "", 1)) + int(digits)


__all__ = ["MarketClock", "http_date", "iso", "moment"]
