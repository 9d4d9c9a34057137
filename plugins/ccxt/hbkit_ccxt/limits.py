"""How fast ccxt may ask: its own costs of each call, counted on the loop's clock, cancels first.

ccxt spaces requests evenly, which makes the second half of a two-sided quote late. Here the same rate has a burst of
one second's worth, a fifth of which is kept for cancels, as `hbkit.net.limits` does for every connector.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from hbkit.net.limits import Bucket, LoopClock, RateBudget, TokenBucket

_SHARE: Final = 100
"""Tokens of a cost of 1: costs are fractions, tokens are not."""
_BY_THE_MINUTE: Final = {"bitmex": 120}
"""Calls of any kind a minute, where ccxt makes of such a limit a cost of several for calls that do not order: those
take part in this one alone, and orders in both. BitMEX's: its protocol reference, section 6."""
_OF_THE_ADDRESS: Final = "30"
"""The limit that BitMEX names in answers to unsigned calls: it is not the key's (section 6 there)."""
_LONGEST: Final = 300.0


class Throttle:
    """The calls of one account, whichever block of the config they come from."""

    def __init__(self, venue: str, milliseconds: float, reserve: float = 0.2) -> None:
        """
        :param milliseconds: ccxt's `rateLimit`, between two calls of cost 1.
        :param reserve: the share that only cancels may use.
        """
        clock = LoopClock()
        rate = 1000 / milliseconds if milliseconds > 0 else 1000.0
        capacity = math.ceil(max(1.0, rate) * _SHARE)
        buckets: dict[str, Bucket] = {"cost": TokenBucket(capacity, rate * _SHARE, clock)}
        if venue in _BY_THE_MINUTE:
            count = _BY_THE_MINUTE[venue]
            buckets["minute"] = TokenBucket(count, count / 60, clock)
        self._most = math.floor(capacity * (1 - reserve))
        self._budget = RateBudget(buckets, clock=clock, reserve=reserve)
        self._by_minute = "minute" in buckets

    async def take(self, cost: float | None, *, urgent: bool = False) -> None:
        """Wait until a call of that cost may leave."""
        left = max(1, math.ceil((1.0 if cost is None else cost) * _SHARE))
        if self._by_minute:
            left = left if left <= _SHARE else 0
            await self._budget.take("minute", urgent=urgent)
        while left > 0:
            # A call that costs more than a second's worth takes it piece by piece.
            piece = min(left, self._most)
            await self._budget.take("cost", count=piece, urgent=urgent)
            left -= piece

    def hear(self, headers: Mapping[str, str]) -> None:
        """What an answer says of the account's own counters, which others may use too; names in lower case."""
        if not self._by_minute or headers.get("x-ratelimit-limit") == _OF_THE_ADDRESS:
            return
        if (left := headers.get("x-ratelimit-remaining", "")).isdigit():
            self._budget.sync("minute", float(left))
        if (left := headers.get("x-ratelimit-remaining-1s", "")).isdigit():
            self._budget.sync("cost", float(left) * _SHARE)

    def pause(self, seconds: float) -> None:
        """The venue asks to wait."""
        self._budget.pause(min(seconds, _LONGEST))
