"""How many orders within a minute are too many for one strategy: a loop that orders without end is stopped there.

Orders count, also those that were held back here (ten of those for one). Amends do not: they need an order that stands,
and a connector sends one at a time for each. Cancels never do: what takes exposure away is not to be stopped.
"""

from __future__ import annotations

from collections import deque

from hbkit.clock import MINUTE
from hbkit.errors import StrategyError

MOST_PER_MINUTE = 1_000
REFUSED_FOR_ONE = 10


class Pace:
    """The orders of one strategy within the last minute."""

    def __init__(self, most: int = MOST_PER_MINUTE) -> None:
        self._most = most
        self._sent: deque[int] = deque(maxlen=most)
        self._refused: deque[int] = deque(maxlen=most * REFUSED_FOR_ONE)

    def check(self, ts: int) -> None:
        """Raises StrategyError, at the call that is one too many."""
        if len(self._sent) < self._most and len(self._refused) < self._most * REFUSED_FOR_ONE:
            return  # what nearly every call costs
        for made, what in ((self._sent, "sent"), (self._refused, "had refused")):
            if len(made) == made.maxlen and made[0] > ts - MINUTE:
                raise StrategyError(
                    f"{what} {made.maxlen:,} orders within a minute: is this a loop? place orders when something "
                    f"changed, or raise max_orders_per_minute ({self._most}) of the strategy in the config",
                    code="HB312",
                )

    def sent(self, ts: int) -> None:
        """An order left."""
        self._sent.append(ts)

    def refused(self, ts: int) -> None:
        """An order was held back."""
        self._refused.append(ts)
