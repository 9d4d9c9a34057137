"""Candles of the present: told once, when their interval has closed, as the venue's own history has them.

A stream of candles tells the open one again and again, and its last word on an interval may come after the first of the
next. So each close is waited for by the venue's clock, and GRACE_SECONDS later the history is asked. An interval that
is not there yet is asked for again; one that is still missing after ABSENT_TRIES answers had no trade, and is empty.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from hbkit.clock import SECOND
from hbkit.data.candles import interval_ns
from hbkit.model import Candle, Instrument
from hbkit_ccxt.history import rows_since, whole
from hbkit_ccxt.values import candle, empty

GRACE_SECONDS: Final = 1.0
AGAIN_SECONDS: Final = 1.0
ABSENT_TRIES: Final = 10
_NAP_SECONDS: Final = 1.0
"""A market's clock may be ahead of the machine's, or faster: it is looked at so often."""
_PAGE: Final = 100


class Closing:
    """The candles of one instrument and interval."""

    def __init__(
        self, client: Any, instrument: Instrument, interval: str, now: Callable[[], int], tell: Callable[[Candle], None]
    ) -> None:
        """
        :param now: the market's clock, ns.
        :param tell: takes each candle, in order, none left out and none twice.
        """
        self._client = client
        self._instrument = instrument
        self._interval = interval
        self._length = interval_ns(interval)
        self._now = now
        self._tell = tell
        self._until = now() // self._length * self._length
        """Up to where candles were told."""
        self._last: Candle | None = None
        """The last one that closed."""
        self._tries = 0

    async def next(self) -> None:
        """Wait for a close and tell what has closed; raises ExchangeError, after which it may be called again."""
        await self._wait(self._until + self._length)
        now = self._now()
        # One before what is wanted, so that an interval without a trade knows its price.
        rows = await rows_since(self._client, self._instrument, self._interval, self._until - self._length, _PAGE)
        told = [candle(row, self._instrument, self._interval, self._length) for row in rows]
        closed = sorted(
            (one for one in told if one is not None and one.close_time <= now), key=lambda one: one.open_time
        )
        before = [one for one in closed if one.close_time <= self._until]
        if before and (self._last is None or before[-1].close_time > self._last.close_time):
            self._last = before[-1]
        fresh = [one for one in closed if one.open_time >= self._until]
        if fresh:
            self._hand_on(fresh)
        elif self._tries < ABSENT_TRIES:
            self._tries += 1
            await asyncio.sleep(AGAIN_SECONDS)
        else:
            self._hand_on([])

    def _hand_on(self, fresh: list[Candle]) -> None:
        self._tries = 0
        known = [self._last] if self._last is not None and fresh else []
        for one in whole([*known, *fresh], 0) if fresh else self._nothing():
            if one.open_time >= self._until:
                self._until, self._last = one.close_time, one
                self._tell(one)

    def _nothing(self) -> list[Candle]:
        """The interval had no trade; what came before it is its price, and where nothing is known it is passed over."""
        if self._last is None:
            self._until += self._length
            return []
        found = [empty(self._last)]
        while found[-1].close_time < self._until + self._length:
            found.append(empty(found[-1]))
        return found

    async def _wait(self, close: int) -> None:
        due = close + round(GRACE_SECONDS * SECOND)
        while (left := due - self._now()) > 0:  # noqa: ASYNC110 - a clock that others move sets no event
            await asyncio.sleep(min(_NAP_SECONDS, max(0.01, left / SECOND)))
