"""What rests around a touch where nobody recorded it: 25 levels a side, sizes of seed, place and time."""

from __future__ import annotations

import math
from collections.abc import Iterator

from hbkit.clock import SECOND
from hbkit.model import Instrument, Side
from hbkit_bitmex.simulator.paths import Style, mixed, normal, state_of

LEVELS = 25
LEVEL_DOLLARS = 40_000.0
"""At a typical level of a calm market; assumed, no book but XBTUSD's of 2019 stands behind it."""
SPREAD = 0.7
"""Logarithmic, between the sizes of levels."""
HOLD = 16
"""Seconds for which a level keeps its size; each level changes at a moment of its own."""
STEP = 0.00005
"""Between two levels, as a fraction of the price, in whole ticks."""


class Depth:
    """The levels of one instrument."""

    def __init__(self, instrument: Instrument, seed: int, style: Style) -> None:
        self._instrument = instrument
        self._state = state_of(seed, f"depth/{instrument.symbol}")
        self._dollars = LEVEL_DOLLARS * style.size

    def around(self, bid: int | None, ask: int | None, ts: int, lot_dollars: float) -> dict[tuple[Side, int], int]:
        """Units by side and price in ticks; `lot_dollars` is what a lot is worth."""
        middle = bid or ask or 1
        step = max(1, round(middle * STEP))
        lots = self._dollars / lot_dollars
        second = ts // SECOND
        found: dict[tuple[Side, int], int] = {}
        for side, start, sign in ((Side.BUY, bid, -1), (Side.SELL, ask, 1)):
            if start is not None:
                for ticks in _prices(start, sign * step):
                    found[side, ticks] = self._size(int(side.sign), ticks, second, lots)
        return found

    def _size(self, sign: int, ticks: int, second: int, lots: float) -> int:
        level = mixed(self._state, 2 * ticks + (sign > 0))
        size = lots * math.exp(SPREAD * normal(mixed(level, (second + level % HOLD) // HOLD)))
        most = float(self._instrument.max_qty or math.inf) / float(self._instrument.lot_size)
        return max(1, round(min(size, most))) * self._instrument.lot_units


def _prices(start: int, step: int) -> Iterator[int]:
    """The touch, then the multiples of the step behind it, so that levels stay where they are when the touch moves."""
    yield start
    size = abs(step)
    ticks = start // size * size if step < 0 else -(-start // size) * size
    for _ in range(LEVELS):
        if ticks <= 0:
            return
        if ticks != start:
            yield ticks
        ticks += step
