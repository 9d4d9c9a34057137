"""Times as they stand in an account's files: ISO 8601 of the API, or what a browser wrote in its own zone and order.

BitMEX's pages made their CSV in the browser: `12/31/2019, 1:05:55 PM` in one country, `31.12.2019, 13:05:55` in
another, each in the zone of that machine, which the file does not name. Such a time is never guessed at: who wrote it
says which zone it was, and, where a file cannot tell, which of the two numbers is the day.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from hbkit.clock import HOUR, SECOND, parse_time

_LOCAL = re.compile(
    r"(?P<a>\d{1,4})(?P<sep>[/.\-])(?P<b>\d{1,2})(?P=sep)(?P<c>\d{1,4}),?\s+"
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d+))?)?\s*(?P<half>[AaPp]\.?\s?[Mm]\.?)?"
)
_ISO = re.compile(r"\d{4}-\d\d-\d\d")
_ZONED = re.compile(r"(Z|[+-]\d\d:?\d\d)$")
_BLANKS = str.maketrans({"\u202f": " ", "\xa0": " ", "\u200e": "", "\u200f": ""})
"""Browsers put narrow blanks before AM and marks of direction around numbers."""
SESSION_HOUR = 12
"""Profit is settled at 12:00 UTC (18.7.6; every RealisedPNL row of a real account of 2020 and 2021 stands there)."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Times:
    """How the times of one file are to be read: the zone of those that name none, and the order of day and month."""

    zone: tzinfo | None = None
    order: str = ""
    """`dmy`, `mdy`, or empty where it is not known."""

    def ts(self, cell: object) -> int:
        """Nanoseconds since the epoch. Raises ValueError with the mend."""
        text = str(cell).translate(_BLANKS).strip()
        if _ISO.match(text):
            try:
                return self._iso(text)
            except OverflowError:
                raise ValueError(f'"{text}" is not a time') from None
        found = _LOCAL.fullmatch(text)
        if found is None:
            raise ValueError(f'"{text}" is not a time; write it as 2020-05-01T12:00:00.000Z')
        if self.zone is None:
            raise ValueError(
                f'"{text}" names no zone: a browser wrote it in its own; say which, as --zone Europe/Berlin'
            )
        return self._local(text, found, self.zone)

    def _iso(self, text: str) -> int:
        if self.zone is None or _ZONED.search(text) or len(text) == 10:
            return parse_time(text)
        return _nanoseconds(datetime.fromisoformat(text).replace(tzinfo=self.zone))

    def _local(self, text: str, found: re.Match[str], zone: tzinfo) -> int:
        year, month, day = self._date(text, found)
        hour = int(found["hour"])
        if found["half"]:
            if not 1 <= hour <= 12:
                raise ValueError(f'"{text}" is not a time: there is no {hour} o\'clock {found["half"]}')
            hour = hour % 12 + (12 if found["half"][0] in "pP" else 0)
        micros = int((found["fraction"] or "0")[:6].ljust(6, "0"))
        try:
            moment = datetime(year, month, day, hour, int(found["minute"]), int(found["second"] or 0), micros, zone)
        except ValueError as error:
            raise ValueError(
                f'"{text}" is not a time ({error}); is the order of day and month right? --date-order'
            ) from None
        return _nanoseconds(moment)

    def _date(self, text: str, found: re.Match[str]) -> tuple[int, int, int]:
        first, second, last = int(found["a"]), int(found["b"]), int(found["c"])
        if len(found["a"]) == 4:
            return first, second, last
        order = "dmy" if found["sep"] == "." else self.order
        if not order:
            raise ValueError(f'"{text}": is {first} the day or the month? say it with --date-order dmy or mdy')
        day, month = (first, second) if order == "dmy" else (second, first)
        return last, month, day


def order_of(cells: Iterable[object]) -> str:
    """The order of day and month that some date of a file proves: one number of it is above 12. Empty: none does."""
    for cell in cells:
        found = _LOCAL.fullmatch(str(cell).translate(_BLANKS).strip())
        if found is not None and len(found["a"]) < 4:
            if int(found["a"]) > 12:
                return "dmy"
            if int(found["b"]) > 12:
                return "mdy"
    return ""


def is_ambiguous(ts: int, zone: tzinfo | None) -> bool:
    """True for a time of the hour that is there twice, when summer time ends in that zone."""
    if zone is None:
        return False
    moment = (_EPOCH + timedelta(microseconds=ts // 1000)).astimezone(zone)
    return moment.replace(fold=0).utcoffset() != moment.replace(fold=1).utcoffset()


def off_session(settled: Iterable[int]) -> int | None:
    """By how many hours the times of settled profit miss 12:00 UTC where most of them agree; None where they do not."""
    hours = Counter((ts // HOUR % 24 - SESSION_HOUR + 12) % 24 - 12 for ts in settled)
    if not hours:
        return None
    shift, seen = hours.most_common(1)[0]
    return shift if shift and seen * 2 > hours.total() else None


def _nanoseconds(moment: datetime) -> int:
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds * 1000
