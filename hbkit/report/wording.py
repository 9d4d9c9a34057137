"""How figures are written for people: money, shares, spans of time and moments, alike on the terminal and the page."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from hbkit.clock import DAY, HOUR, MINUTE, SECOND, parse_time
from hbkit.report.result import RunResult

_PAIRS = (("d", "h", DAY, HOUR), ("h", "m", HOUR, MINUTE), ("m", "s", MINUTE, SECOND))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(ts: int) -> datetime:
    """`ts` as a datetime in UTC."""
    return _EPOCH + timedelta(microseconds=ts // 1000)


def moment_text(ts: int) -> str:
    """`2019-05-28 18:23:03.341`, milliseconds only where there are any."""
    at = moment(ts)
    millis = f".{at.microsecond // 1000:03d}" if at.microsecond >= 1000 else ""
    return at.strftime("%Y-%m-%d %H:%M:%S") + millis


def span_text(ns: int) -> str:
    """A length of time in its two largest units: `2h 10m`, `3d 4h`, `45s`, `0.25s`."""
    if ns < MINUTE:
        return f"{ns / SECOND:.3f}".rstrip("0").rstrip(".") + "s"
    for big, small, big_size, small_size in _PAIRS:
        if ns >= big_size:
            rest = ns % big_size // small_size
            return f"{ns // big_size}{big}" + (f" {rest}{small}" if rest else "")
    raise AssertionError("a span of a minute or more has a unit")


def run_span(result: RunResult) -> str:
    """From when to when the run went, and how long; the texts as they are where they are no times."""
    try:
        start, stop = parse_time(result.started), parse_time(result.stopped)
    except ValueError:
        return f"{result.started} to {result.stopped}"
    return f"{between(start, stop)} UTC ({span_text(max(stop - start, 0))})"


def between(start: int, stop: int) -> str:
    """Two moments to the second; the date of the second only where it is another."""
    first, last = moment_text(start)[:19], moment_text(stop)[:19]
    return f"{first} to {last[11:] if first[:10] == last[:10] else last}"


def percent(share: float, *, signed: bool = False) -> str:
    """A share of 1 as percent: `12.30 %`; four digits after the point where two would show nothing."""
    value = share * 100
    decimals = 2 if abs(value) >= 0.1 or value == 0 else 4
    return f"{value:{'+' if signed else ''},.{decimals}f} %"


def signed(text: str) -> str:
    """Decimal text with a plus where it is positive."""
    return text if text.startswith("-") or not text.strip("0.") else f"+{text}"


def count(number: int) -> str:
    """A count with its thousands apart: `48,211`."""
    return f"{number:,}"


def plural(number: int, noun: str) -> str:
    """`1 fill`, `2,048 fills`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def spoken(word: str) -> str:
    """A word of a config or an enum for people: `end_of_data` is `end of data`."""
    return word.replace("_", " ")


def known(text: str) -> bool:
    """False for the empty text and for `nan`, which stand for: there is none."""
    return bool(text) and text.lower() != "nan"


def is_gap(value: float | None) -> bool:
    """True where a series has no value."""
    return value is None or not math.isfinite(value)


def latency_text(latency_ns: int | None) -> str:
    """The simulated delay as people say it."""
    if latency_ns is None:
        return "as the network was"
    return "none" if latency_ns == 0 else f"{latency_ns / 1_000_000:.6f}".rstrip("0").rstrip(".") + " ms"
