"""What one setting may look like: each function takes what the file holds and returns the typed value, or says no.

The words are a trader's (`a number > 0`, `a duration such as 60s`); `hbkit.config.check` puts the key before them and
what was found behind them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import PurePosixPath

from pydantic_core import PydanticCustomError

from hbkit.clock import DAY, SECOND, parse_duration, parse_time
from hbkit.config.node import FilledDecimal, FilledInt, Scalar
from hbkit.errors import did_you_mean, nearest

SHAPE = "shape"
"""The kind of every fault that is raised here."""

LONGEST_NAME = 40
_LARGEST_WHOLE = 2**63 - 1
_LONGEST_DURATION = 3650 * DAY

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,39}")
_EXCHANGE = re.compile(r"(?=.{1,40}\Z)[A-Za-z0-9_][A-Za-z0-9_-]*(?::[A-Za-z0-9_][A-Za-z0-9_-]*)?")
_CURRENCY = re.compile(r"[A-Za-z0-9_]{1,16}")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
_INTERVAL = re.compile(r"[1-9][0-9]{0,3}[smhdw]")
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*%")
_CLASS = re.compile(r"(.+\.py):([A-Za-z_][A-Za-z0-9_]*)")


def mismatch(expected: str, *, at: tuple[str | int, ...] = (), mend: str = "") -> PydanticCustomError:
    """The error to raise: what the value must be, where below it the trouble is, and a mend beyond that."""
    return PydanticCustomError(SHAPE, "must be {expected}", {"expected": expected, "at": at, "mend": mend})


def text(value: object, *, expected: str = "a text", at: tuple[str | int, ...] = ()) -> str:
    """A text that is not empty. A number is none, except where it came out of `${...}`, which no quotes can mark."""
    if isinstance(value, (FilledInt, FilledDecimal)):
        return value.text
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        raise mismatch(expected, at=at, mend="put it in quotes")
    if not isinstance(value, str):
        raise mismatch(expected, at=at)
    if not value.strip():
        raise mismatch(f"{expected} that is not empty", at=at)
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
        raise mismatch(f"{expected} on one line, without control characters", at=at)
    return value


def _matching(pattern: re.Pattern[str], expected: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        word = text(value, expected=expected)
        if pattern.fullmatch(word) is None:
            raise mismatch(expected)
        return word

    return check


name = _matching(_NAME, f"a name of letters, digits, _, - and ., at most {LONGEST_NAME}")
exchange_name = _matching(_EXCHANGE, f"named with letters, digits, _ and -, at most {LONGEST_NAME}")
currency = _matching(_CURRENCY, "a currency such as XBT")
identifier = _matching(_IDENTIFIER, "a plain name such as queue")


def derived_name(source: str, otherwise: str) -> str:
    """A name made from a path, a dotted name or `path.py:Class`: what is not allowed in a name becomes `-`."""
    if found := _CLASS.fullmatch(source):
        source = found.group(2)
    stem = PurePosixPath(source.replace("\\", "/")).name
    stem = re.sub(r"\.(?:py|yaml|yml)\Z", "", stem)
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", stem).lstrip(".-")[:LONGEST_NAME]
    return plain or otherwise


def choice(*allowed: str) -> Callable[[object], str]:
    """One of a few words."""

    def check(value: object) -> str:
        if isinstance(value, str) and value in allowed:
            return value
        mend = did_you_mean(value, allowed) if isinstance(value, str) and nearest(value, allowed) else ""
        raise mismatch(f"one of {', '.join(allowed)}", mend=mend)

    return check


def switch(value: object) -> bool:
    """`true` or `false`; a text that came from a variable counts too."""
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise mismatch("true or false")


def whole(minimum: int) -> Callable[[object], int]:
    """A whole number of at least `minimum` that fits 64 bits."""
    expected = f"a whole number {'> 0' if minimum == 1 else f'>= {minimum}'}"

    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise mismatch(expected, mend=_unquote(value))
        if value < minimum:
            raise mismatch(expected)
        if value > _LARGEST_WHOLE:
            raise mismatch(f"{expected} and at most {_LARGEST_WHOLE}")
        return int(value)

    return check


def amount(*, zero: bool) -> Callable[[object], Decimal]:
    """A number of at least zero, or above zero, exact."""
    expected = "a number >= 0" if zero else "a number > 0"

    def check(value: object) -> Decimal:
        number = _number(value)
        if number is None:
            raise mismatch(expected, mend=_unquote(value))
        if number < 0 or (number == 0 and not zero):
            raise mismatch(expected)
        return number

    return check


def fraction(value: object) -> Decimal:
    """A part of the whole, above 0 and at most 1: `5%` or 0.05."""
    expected = "a percentage such as 5%, or a fraction from 0 to 1 such as 0.05"
    number = _number(value)
    if isinstance(value, str) and (found := _PERCENT.fullmatch(value.strip())):
        number = Decimal(found.group(1)) / 100
    if number is None:
        raise mismatch(expected, mend=_unquote(value))
    if number <= 0:
        raise mismatch(f"{expected}, above 0")
    if number > 1:
        raise mismatch(f"{expected}, at most 100%", mend="" if isinstance(value, str) else "a percentage needs its %")
    return number


def duration(*, zero: bool) -> Callable[[object], int]:
    """A span of time in nanoseconds: `60s`, `1m30s`, `50ms`; a bare number is seconds."""
    expected = "a duration such as 50ms, 60s or 2h"

    def check(value: object) -> int:
        number = _number(value)
        try:
            # Not through a float: 0.1 s is 100,000,000 ns, whatever binary fractions say.
            span = int(number * SECOND) if number is not None else parse_duration(text(value, expected=expected))
        except (ValueError, OverflowError):
            raise mismatch(expected) from None
        if span < 0 or (span == 0 and not zero):
            raise mismatch(f"{expected}, {'not negative' if zero else 'above zero'}")
        if span > _LONGEST_DURATION:
            raise mismatch(f"{expected}, at most 3650d")
        return span

    return check


def moment(value: object) -> int:
    """A time in nanoseconds since the epoch: `2019-05-28` or `2019-05-28T18:30:00Z`."""
    expected = "a time such as 2019-05-28 or 2019-05-28T18:30:00Z"
    if not isinstance(value, str):
        raise mismatch(expected)
    try:
        ts = parse_time(value)
    except (ValueError, OverflowError):
        raise mismatch(expected) from None
    if not 0 <= ts <= _LARGEST_WHOLE:
        raise mismatch(f"{expected}, between 1970 and 2262")
    return ts


def mapping(value: object) -> dict[str, object]:
    """A mapping; nothing at all is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise mismatch("a mapping")
    return value


def items(value: object) -> list[object]:
    """A list; nothing at all is an empty one."""
    if value is None:
        return []
    if not isinstance(value, (list, tuple)):
        raise mismatch("a list")
    return list(value)


def some_items(value: object) -> list[object]:
    """A list with something in it."""
    found = items(value)
    if not found:
        raise mismatch("a list with at least one item")
    return found


def texts(value: object) -> tuple[str, ...]:
    """A list of texts, each once."""
    return once(text(item, at=(index,)) for index, item in enumerate(items(value)))


def intervals(value: object) -> tuple[str, ...]:
    """A list of candle intervals, each once, as they were written."""
    found = items(value)
    for index, item in enumerate(found):
        if not isinstance(item, str) or _INTERVAL.fullmatch(item) is None:
            raise mismatch("an interval such as 1m, 5m, 1h or 1d", at=(index,))
    return once(str(item) for item in found)


def once(values: Iterable[str]) -> tuple[str, ...]:
    """The values in their order, without repeats."""
    return tuple(dict.fromkeys(values))


def data_sources(value: object) -> tuple[str, ...] | dict[str, tuple[str, ...]]:
    """Where recorded data lies: one text, a list of texts, or either of them for each symbol."""
    if isinstance(value, dict):
        return {symbol: _sources(below, (symbol,)) for symbol, below in value.items()}
    return _sources(value, ())


def _sources(value: object, at: tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(value, (list, tuple)) and value:
        return tuple(text(item, at=(*at, index)) for index, item in enumerate(value))
    expected = "a text, a list of texts" + ("" if at else ", or a mapping of symbols to them")
    return (text(value, expected=expected, at=at),)


def parameters(value: object) -> dict[str, Scalar | tuple[Scalar, ...]]:
    """The parameters of a strategy: each a scalar or a list of scalars; the strategy itself checks their meaning."""
    return {key: _parameter(key, below) for key, below in mapping(value).items()}


def _parameter(key: str, value: object) -> Scalar | tuple[Scalar, ...]:
    if isinstance(value, (list, tuple)):
        return tuple(_scalar(item, (key, index), "a text, a number, true or false") for index, item in enumerate(value))
    return _scalar(value, (key,), "a single value or a list of values")


def _scalar(value: object, at: tuple[str | int, ...], expected: str) -> Scalar:
    if isinstance(value, FilledInt):
        return int(value)
    if isinstance(value, FilledDecimal):
        return Decimal(value)
    if value is None or isinstance(value, (bool, int, Decimal, str)):
        return value
    raise mismatch(expected, at=at)


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return None
    return Decimal(value)


def _unquote(value: object) -> str:
    """The mend for a number that stands in quotes."""
    if isinstance(value, str) and re.fullmatch(r"[-+]?[0-9]+(?:\.[0-9]+)?", value):
        return "write the number without quotes"
    return ""
