"""Contracts that are gone: settled futures by their symbols, and what was listed in an earlier era and no more.

A dated symbol ends in the month's letter and the year: `XBTZ17` is December 2017. Quarterly futures settled on the last
Friday of that month (the rows of both packaged days: XBTU21 on 2021-09-24, XBTZ26 on 2026-12-25).
"""

from __future__ import annotations

import calendar
import re
from datetime import date, timedelta

from hbkit.clock import iso
from hbkit.model import Instrument
from hbkit_bitmex.instruments import ERAS, load

_MONTHS = "FGHJKMNQUVXZ"
"""January to December."""
_DATED = re.compile(rf"(?P<root>[A-Z]{{3,}}?)(?P<month>[{_MONTHS}])(?P<year>\d\d)")
_FRIDAY = 4
_FIRST_YEAR = 14
"""BitMEX opened in 2014."""


def settled(symbol: str) -> str:
    """Since when a symbol is gone, and what there is of its kind today; empty for one that never was, as far as known.
    """
    if any(one.symbol == symbol for one in load()):
        return ""
    earlier = next((one for era in ERAS[1:] for one in load(era) if one.symbol == symbol), None)
    found = _DATED.fullmatch(symbol)
    if found is None:
        return f"{symbol} is not listed any more; it was on {ERAS[1]}" if earlier is not None else ""
    year = int(found["year"])
    newest = int(ERAS[0][2:4])
    futures = [one for one in load() if one.expiry is not None and _root(one) == found["root"]]
    if not _FIRST_YEAR <= year <= newest or (earlier is None and not _is_root(found["root"])):
        return ""
    when = iso(earlier.expiry)[:10] if earlier is not None and earlier.expiry else str(_last_friday(symbol))
    if when >= ERAS[0]:
        return ""  # it would be among the rows, had there been one
    here = ", ".join(one.symbol for one in sorted(futures, key=lambda one: one.expiry or 0))
    return f"{symbol} settled on {when}; " + (
        f"open {found['root']} futures: {here}" if here else f"there are no {found['root']} futures any more"
    )


def _root(instrument: Instrument) -> str:
    found = _DATED.fullmatch(instrument.symbol)
    return found["root"] if found is not None else ""


def _is_root(root: str) -> bool:
    """Whether futures of this kind are known from either day: a misspelt symbol is no settled one."""
    return any(_root(one) == root for era in ERAS for one in load(era))


def _last_friday(symbol: str) -> date:
    year, month = 2000 + int(symbol[-2:]), _MONTHS.index(symbol[-3]) + 1
    last = date(year, month, calendar.monthrange(year, month)[1])
    return last - timedelta(days=(last.weekday() - _FRIDAY) % 7)
