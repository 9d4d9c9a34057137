"""Finds watches that are silent while the market goes on: a subscription that the venue forgot, or never confirmed.

A socket that answers pings says nothing of its subscriptions, and a quiet market looks like a dead one. So a watch that
told nothing for QUIET_SECONDS is held against a REST answer; where that knows more, twice, the watch is silent: the
connection is let go of, which begins every watch anew. What stays silent after STRIKES of that is asked for instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from hbkit.errors import ExchangeError
from hbkit.log import get_logger

QUIET_SECONDS: Final = 30.0
CHECK_SECONDS: Final = 5.0
AGAIN_SECONDS: Final = 5.0
STRIKES: Final = 3


class Watched:
    """One watch: when it was heard last, and how it is found out whether it is behind."""

    def __init__(self, what: str, is_behind: Callable[[], Awaitable[bool]], instead: Callable[[], None]) -> None:
        self.what = what
        self.is_behind = is_behind
        self.instead = instead
        self.heard = asyncio.get_running_loop().time()
        self.strikes = 0
        self.given_up = False

    def pulse(self) -> None:
        """It told something."""
        self.heard = asyncio.get_running_loop().time()
        self.strikes = 0


class Watchdog:
    """All watches of one connection."""

    def __init__(self, reconnect: Callable[[str], Awaitable[None]]) -> None:
        """:param reconnect: begins all watches anew; takes the reason."""
        self._reconnect = reconnect
        self._watched: list[Watched] = []
        self._log = get_logger("ccxt.watchdog")
        self.found = 0
        """Silent watches so far."""

    def add(self, what: str, is_behind: Callable[[], Awaitable[bool]], instead: Callable[[], None]) -> Watched:
        """Look after one more."""
        one = Watched(what, is_behind, instead)
        self._watched.append(one)
        return one

    async def run(self) -> None:
        """For ever; whoever starts it ends it."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            for one in self._watched:
                if not one.given_up:
                    await self._look(one)

    async def _look(self, one: Watched) -> None:
        loop = asyncio.get_running_loop()
        heard = one.heard
        if loop.time() - heard < QUIET_SECONDS:
            return
        for wait in (AGAIN_SECONDS, 0.0):
            try:
                if not await one.is_behind() or one.heard != heard:
                    # Nothing happened: not to be asked about again at once.
                    one.heard = max(one.heard, loop.time() - QUIET_SECONDS / 2)
                    return
            except ExchangeError as error:
                self._log.debug("not compared", what=one.what, reason=error.message)
                return
            await asyncio.sleep(wait)
        self.found += 1
        one.strikes += 1
        one.heard = loop.time()
        reason = f"{one.what} tells nothing, and the exchange has news"
        if one.strikes >= STRIKES:
            one.given_up = True
            self._log.warning(f"{reason}, after {one.strikes} new beginnings; it is asked for instead")
            one.instead()
            return
        self._log.warning(f"{reason}; the connection begins anew")
        await self._reconnect(reason)
