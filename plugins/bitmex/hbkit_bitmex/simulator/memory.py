"""Gives a venue that was just started what it would remember: candles and fundings from before the tape.

Both were recorded (`past`), and both are moved with the tape. Candles keep their distance to the tape's minutes. Of
fundings the rates keep their order: they are told at the funding times of the market's clock, the last one at the last
of these before the beginning.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from hbkit.clock import iso
from hbkit.model import Instrument
from hbkit_bitmex import past
from hbkit_bitmex.simulator.history import Columns, History, whole_numbers
from hbkit_bitmex.simulator.listing import FUNDING_HOURS, FUNDING_INTERVAL_TEXT, next_funding
from hbkit_bitmex.simulator.numbers import number
from hbkit_bitmex.simulator.venue import Venue


def remember(venue: Venue, *, tape_start: int, shift: int) -> None:
    """Put the past in front of every market that has one.

    :param tape_start: where the tape begins, ns of its own time.
    :param shift: what is added to the tape's times to get the market's.
    """
    paid = past.rates(venue.ts - shift)
    last = next_funding(venue.ts) - FUNDING_HOURS
    first = last - (len(paid) - 1) * FUNDING_HOURS
    perpetuals: list[str] = []
    rows: list[dict[str, Any]] = []
    for symbol, market in venue.markets.items():
        before = history(market.instrument, tape_start=tape_start, shift=shift)
        if before is None:
            continue
        market.precede(before)
        if not market.instrument.is_spot:
            perpetuals.append(symbol)
    for place, rate in enumerate(paid):
        row = {
            "timestamp": iso(first + place * FUNDING_HOURS),
            "symbol": "",
            "fundingInterval": FUNDING_INTERVAL_TEXT,
            "fundingRate": number(rate),
            "fundingRateDaily": number(round(rate * 3, 10)),
        }
        rows += [{**row, "symbol": symbol} for symbol in perpetuals]
    venue.fundings[:0] = rows


def history(instrument: Instrument, *, tape_start: int, shift: int) -> History | None:
    """The candles of one market from before its tape, None where there are none."""
    minutes = _minutes(instrument, tape_start)
    return None if minutes is None else History(minutes.moved(shift))


@lru_cache(maxsize=8)
def _minutes(instrument: Instrument, tape_start: int) -> Columns | None:
    """The candles before a tape, which never change; None where there are none."""
    minutes = past.minutes(instrument.symbol, tape_start)
    return whole_numbers(instrument, minutes) if minutes is not None and len(minutes.end) else None
