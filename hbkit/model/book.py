"""An order book of one instrument: size per price, best prices at once, depth when asked for.

Each side is a dict of ticks to units with a sorted list of its prices beside it: updates touch only the dict, inserts
and deletes the list as well. Measured against a sorted dict this costs a third, and a top of 25 half.
"""

from __future__ import annotations

from bisect import bisect_left, insort

from hbkit.model.enums import Side
from hbkit.model.instrument import Instrument


class _Levels:
    __slots__ = ("prices", "sizes")

    def __init__(self) -> None:
        self.sizes: dict[int, int] = {}
        self.prices: list[int] = []

    def set(self, ticks: int, units: int) -> None:
        if units <= 0:
            if self.sizes.pop(ticks, None) is not None:
                del self.prices[bisect_left(self.prices, ticks)]
            return
        if ticks not in self.sizes:
            insort(self.prices, ticks)
        self.sizes[ticks] = units

    def clear(self) -> None:
        self.sizes.clear()
        self.prices.clear()


class OrderBook:
    """Both sides of the market; strategies read prices and quantities as floats, newest state only."""

    __slots__ = ("_asks", "_bids", "instrument", "ts")

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.ts = 0
        self._bids = _Levels()
        self._asks = _Levels()

    def set(self, side: Side, ticks: int, units: int) -> None:
        """Set the size of one level; 0 takes it away."""
        (self._bids if side is Side.BUY else self._asks).set(ticks, units)

    def clear(self, side: Side | None = None) -> None:
        """Forget everything, or one side, as before a snapshot."""
        if side is not Side.SELL:
            self._bids.clear()
        if side is not Side.BUY:
            self._asks.clear()

    def size(self, side: Side, ticks: int) -> int:
        """Units at one price, 0 where there is no level."""
        return (self._bids if side is Side.BUY else self._asks).sizes.get(ticks, 0)

    def prices(self, side: Side) -> list[int]:
        """The prices of one side in ticks, ascending; the book's own list, not to be changed."""
        return (self._bids if side is Side.BUY else self._asks).prices

    @property
    def best_bid_ticks(self) -> int | None:
        """Highest bid in ticks, None when there is none."""
        return self._bids.prices[-1] if self._bids.prices else None

    @property
    def best_ask_ticks(self) -> int | None:
        """Lowest ask in ticks, None when there is none."""
        return self._asks.prices[0] if self._asks.prices else None

    @property
    def best_bid(self) -> float | None:
        """Highest bid, None when there is none."""
        ticks = self.best_bid_ticks
        return None if ticks is None else self.instrument.price(ticks)

    @property
    def best_ask(self) -> float | None:
        """Lowest ask, None when there is none."""
        ticks = self.best_ask_ticks
        return None if ticks is None else self.instrument.price(ticks)

    @property
    def mid(self) -> float | None:
        """Half way between the best prices, None when a side is empty."""
        bid, ask = self.best_bid, self.best_ask
        return None if bid is None or ask is None else (bid + ask) / 2

    @property
    def is_crossed(self) -> bool:
        """True when the best bid is at or above the best ask; a strategy never sees such a book."""
        bid, ask = self.best_bid_ticks, self.best_ask_ticks
        return bid is not None and ask is not None and bid >= ask

    def bids(self, depth: int = 25) -> list[tuple[float, float]]:
        """The best `depth` bids as (price, qty), best first."""
        return self._top(self._bids, self._bids.prices[: -depth - 1 : -1])

    def asks(self, depth: int = 25) -> list[tuple[float, float]]:
        """The best `depth` asks as (price, qty), best first."""
        return self._top(self._asks, self._asks.prices[:depth])

    def qty_at(self, side: Side, price: float) -> float:
        """Quantity at one price, 0 where there is no level."""
        return self.instrument.qty(self.size(side, self.instrument.ticks(price)))

    def _top(self, levels: _Levels, prices: list[int]) -> list[tuple[float, float]]:
        instrument = self.instrument
        return [(instrument.price(ticks), instrument.qty(levels.sizes[ticks])) for ticks in prices]
