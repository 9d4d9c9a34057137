"""Where the marks of an axis stand: round values, and times of day, days or months in UTC."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from hbkit.clock import DAY, HOUR, MINUTE, SECOND
from hbkit.report.wording import moment

MS = SECOND // 1000
_STEPS = (
    *(size * MS for size in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(size * SECOND for size in (1, 2, 5, 10, 15, 30)),
    *(size * MINUTE for size in (1, 2, 5, 10, 15, 30)),
    *(size * HOUR for size in (1, 2, 3, 6, 12)),
    *(size * DAY for size in (1, 2, 7, 14)),
)
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)
_MONDAY = 4 * DAY
"""The epoch was a Thursday; weeks are counted from the Monday after it."""


@dataclass(frozen=True)
class Tick:
    """One mark: where it stands and what is written beside it."""

    at: float
    label: str


def value_ticks(low: float, high: float, count: int = 5, *, finest: int = 12) -> list[Tick]:
    """About `count` marks on 1, 2 or 5 times a power of ten within low..high, written with equal decimals.

    No mark has more than `finest` decimals: between two ticks of a price there is nothing to mark.
    """
    if not high > low:
        return [Tick(low, f"{low:,.10g}")]
    step, decimals = _step(max((high - low) / count, 10.0**-finest))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [Tick(index * step, f"{index * step + 0.0:,.{decimals}f}") for index in range(first, last + 1)]


def _step(raw: float) -> tuple[float, int]:
    """The round step nearest above `raw`, and the decimals that write its multiples."""
    exponent = math.floor(math.log10(raw))
    for factor, shift in ((1, 0), (2, 0), (5, 0), (10, 1)):
        step = factor * 10.0**exponent
        if step >= raw * (1 - 1e-9):
            return step, max(0, -(exponent + shift))
    raise AssertionError("ten times the power of ten below a number is above it")


def time_ticks(start: int, end: int, count: int = 7) -> list[Tick]:
    """At most about `count` marks on round times within start..end; midnight and longer steps show the date."""
    raw = max(end - start, 1) / count
    for step in _STEPS:
        if step >= raw:
            offset = _MONDAY if step >= 7 * DAY else 0
            first = -((offset - start) // step) * step + offset
            return [Tick(ts, _time_label(ts, step)) for ts in range(first, end + 1, step)]
    return _month_ticks(start, end, raw)


def _time_label(ts: int, step: int) -> str:
    at = moment(ts)
    if ts % DAY == 0:
        return f"{at.day} {at:%b}"
    if step < SECOND:
        return f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}"
    return f"{at:%H:%M:%S}" if step < MINUTE else f"{at:%H:%M}"


def _month_ticks(start: int, end: int, raw: float) -> list[Tick]:
    step = next((months for months in _MONTHS if months * 30 * DAY >= raw), _MONTHS[-1])
    month = moment(start).year * 12
    found = []
    while (ts := _first_of(month)) <= end:
        if ts >= start:
            found.append(Tick(ts, f"{moment(ts):%b %Y}"))
        month += step
    return found


def _first_of(month: int) -> int:
    return int(datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC).timestamp()) * SECOND
