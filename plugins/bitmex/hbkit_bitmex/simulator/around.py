"""The book of a market of which only the touch or only the prints were recorded: the rest is drawn around that."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from hbkit.clock import SECOND
from hbkit.data.source import Rows
from hbkit.model import Side
from hbkit_bitmex.simulator.depth import Depth
from hbkit_bitmex.simulator.played import Played
from hbkit_bitmex.simulator.public import PublicMarket
from hbkit_bitmex.simulator.venue import Venue
from hbkit_bitmex.simulator.worth import Worth

MARK_STEP = 5 * SECOND


class Around:
    """One such market. The middle of its touch is its index where none was recorded."""

    def __init__(
        self,
        venue: Venue,
        market: PublicMarket,
        depth: Depth,
        lot_dollars: Callable[[float], float],
        *,
        has_quotes: bool,
        has_index: bool,
    ) -> None:
        """:param lot_dollars: what a lot is worth at a price."""
        self._venue = venue
        self._market = market
        self._depth = depth
        self._lot_dollars = lot_dollars
        self._has_index = has_index
        self.has_quotes = has_quotes
        self._bid: int | None = None
        self._ask: int | None = None
        self._marked = 0

    def quoted(self, ts: int, bid: int, bid_units: int, ask: int, ask_units: int) -> None:
        """A recorded touch; 0 units where its size was not recorded."""
        self._bid, self._ask = bid, ask
        self._draw(ts, {(Side.BUY, bid): bid_units, (Side.SELL, ask): ask_units})

    def printed(self, ts: int, side: Side, ticks: int) -> None:
        """A recorded print: a buy shows the ask, a sell the bid, and the two are kept a tick apart."""
        if side is Side.BUY:
            self._ask, self._bid = ticks, min(self._bid or ticks - 1, ticks - 1)
        else:
            self._bid, self._ask = ticks, max(self._ask or ticks + 1, ticks + 1)
        # What was last seen of the other side long ago is no quote any longer.
        apart = max(2, round(ticks * 0.001))
        self._bid, self._ask = max(self._bid, ticks - apart), min(self._ask, ticks + apart)
        self._draw(ts, {})

    def _draw(self, ts: int, recorded: dict[tuple[Side, int], int]) -> None:
        assert self._bid is not None
        assert self._ask is not None
        middle = (self._market.instrument.price(self._bid) + self._market.instrument.price(self._ask)) / 2
        levels = self._depth.around(self._bid, self._ask, ts, self._lot_dollars(middle))
        self._venue.book(self._market, levels | {level: units for level, units in recorded.items() if units})
        if not self._has_index and ts >= self._marked + MARK_STEP:
            self._marked = ts
            self._venue.index(self._market, middle)


def books_around(venue: Venue, played: Played, worth: Worth, seed: int) -> dict[str, Around]:
    """One for each market that is played without recorded levels."""
    if played.source is None:
        return {}
    found = {}
    for symbol, kinds in played.source.info().kinds.items():
        if symbol in venue.markets and Rows.LEVEL not in kinds:
            market, row = venue.markets[symbol], venue.recorded[symbol]
            found[symbol] = Around(
                venue,
                market,
                Depth(market.instrument, seed, played.style),
                partial(_lot_dollars, venue, worth, row, market),
                has_quotes=Rows.QUOTE in kinds,
                has_index=Rows.MARK in kinds,
            )
    return found


def _lot_dollars(venue: Venue, worth: Worth, row: dict[str, Any], market: PublicMarket, price: float) -> float:
    return worth.lot(row, market.instrument, price, venue.ts)
