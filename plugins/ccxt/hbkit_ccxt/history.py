"""Candles of the past, asked for page by page as each venue deals them out.

Venues differ in how many a page holds, in whether an interval without a trade has a row, and in how far back they go.
So a page is asked for from where the last one ended, an empty page is a stretch without trades and is stepped over, and
what lies between two candles is filled with empty ones: a closed interval that the venue leaves out of an answer had no
trade. Before the first row nothing is filled in; the venue may just not go back that far.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

from hbkit.data.candles import inner_interval, interval_ns, resampled
from hbkit.errors import RateLimited, Unsupported
from hbkit.model import Candle, Instrument
from hbkit_ccxt.capabilities import intervals, page_limit
from hbkit_ccxt.values import MILLISECOND, candle, empty

PAGE: Final = 500
"""Candles asked for at a time where ccxt does not say how many a venue gives."""
LARGEST_PAGE: Final = 1000
MOST_PAGES: Final = 2000
_TRIES: Final = 6


async def candles(client: Any, instrument: Instrument, interval: str, start: int, end: int) -> list[Candle]:
    """Candles that open at `start` or later and close at `end` or earlier, oldest first; times in ns.

    `end` must have passed. An interval that the venue has not is put together from a smaller one. Raises ExchangeError
    with the venue's reason.
    """
    try:
        inner = inner_interval(interval, intervals(client.api))
    except ValueError as error:
        raise Unsupported(f"{client.venue}: {error}") from None
    if inner != interval:
        smaller = await candles(client, instrument, inner, start, end)
        return resampled(smaller, instrument, inner, interval)
    length = interval_ns(interval)
    market: Mapping[str, Any] = (client.api.markets or {}).get(instrument.unified) or {}
    page = min(page_limit(client.api, market) or PAGE, LARGEST_PAGE)
    found: dict[int, Candle] = {}
    since = -(-start // length) * length
    for _ in range(MOST_PAGES):
        if since + length > end:
            break
        rows = await rows_since(client, instrument, interval, since, page)
        told = [one for row in rows if (one := candle(row, instrument, interval, length)) is not None]
        fresh = [one for one in told if one.open_time >= since]
        found.update({one.open_time: one for one in fresh if one.close_time <= end})
        if fresh:
            since = max(one.open_time for one in fresh) + length
        elif told:
            break  # it deals out its newest ones, whatever is asked for, and these are older
        else:
            since += page * length
    return [one for one in whole(found.values(), end) if one.open_time >= start]


async def rows_since(client: Any, instrument: Instrument, interval: str, since: int, limit: int) -> list[list[Any]]:
    """One page; a venue that asks to wait is waited for."""
    for attempt in range(_TRIES):
        try:
            told: list[list[Any]] = await client.call(
                "fetch_ohlcv", instrument.unified, interval, since // MILLISECOND, limit
            )
            return told
        except RateLimited as error:
            if attempt == _TRIES - 1:
                raise
            await asyncio.sleep(max(0.5, error.retry_after))
    raise AssertionError("unreachable")


def whole(found: Iterable[Candle], end: int) -> list[Candle]:
    """The same in order, with an empty candle for each interval that is missing after the first, up to `end`."""
    filled: list[Candle] = []
    for one in sorted(found, key=lambda candle: candle.open_time):
        while filled and filled[-1].close_time < one.open_time:
            filled.append(empty(filled[-1]))
        filled.append(one)
    while filled and filled[-1].close_time + (filled[-1].close_time - filled[-1].open_time) <= end:
        filled.append(empty(filled[-1]))
    return filled
