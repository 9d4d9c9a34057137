"""Halts: trading in an instrument is stopped for a while, with its orders standing where they are.

`state` says `Closed`, new orders and amends are refused with `Market is not open` (18.1.4), cancels are allowed. What
is played goes on beside the book: nothing trades, the index and the published mark move, fundings are paid. No order
is triggered and nobody is liquidated until it opens again; then the book is as it would have been by now, and what it
crosses fills.
"""

from __future__ import annotations

from collections.abc import Iterable

from hbkit_bitmex.simulator.public import PublicMarket
from hbkit_bitmex.simulator.venue import Venue

OPEN, HALTED = "Open", "Closed"


class Halts:
    """Which markets are halted, and by whom; two halts at once end with the later one."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._owners: dict[PublicMarket, set[object]] = {}

    def begin(self, owner: object, symbols: Iterable[str]) -> list[str]:
        """Halt those that are open; which."""
        found = []
        for symbol in symbols:
            market = self._venue.markets[symbol]
            if not market.is_halted:
                if market.ticker.row["state"] != OPEN:
                    continue
                market.is_halted = True
                market.ticker.set(state=HALTED)
                self._venue.touch(market)
            self._owners.setdefault(market, set()).add(owner)
            found.append(symbol)
        return found

    def end(self, owner: object) -> list[str]:
        """Open what nobody else halts; which."""
        found = []
        for market, owners in list(self._owners.items()):
            if owner in owners:
                owners.discard(owner)
                if not owners:
                    del self._owners[market]
                    self._venue.reopen(market)
                    found.append(market.symbol)
        return found


def reopen(venue: Venue) -> None:
    """Open everything: whoever halted it went with the process."""
    for market in venue.markets.values():
        if market.is_halted:
            venue.reopen(market)
