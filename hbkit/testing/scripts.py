"""Markets in one line: the way of a price, step by step, played to a FakeVenue while a strategy runs.

    Script.of("calm")                       a named one
    Script.of("100 101 99.5 102")           prices, one a second
    Script.of([100, 101, 99.5], every=5.0)  the same, slower

At each step the book stands around the price, a tick away on both sides, and a trade prints on each side of it; resting
orders that the price passes fill.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass

from hbkit.model import Side
from hbkit.testing.fake.venue import FakeVenue

SIZE = 50_000
"""Units on each level."""
PRINT = 100
"""Units of each print."""


@dataclass(frozen=True)
class Script:
    """Prices, and the seconds between them."""

    prices: Sequence[float]
    every: float = 1.0

    @classmethod
    def of(cls, text: str | Sequence[float] | Script, every: float = 1.0) -> Script:
        """A script by name, as text, or as numbers. Raises ValueError that names the scripts there are."""
        if isinstance(text, Script):
            return text
        if not isinstance(text, str):
            return cls(tuple(text), every)
        if text in NAMED:
            return cls(NAMED[text], every)
        try:
            return cls(tuple(float(word) for word in text.split()), every)
        except ValueError:
            known = ", ".join(NAMED)
            raise ValueError(f'"{text}" is no script; write prices ("100 101 99.5") or one of {known}') from None

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return len(self.prices) * self.every

    async def play(self, venue: FakeVenue) -> None:
        """Move the market, step by step, from the moment on that somebody listens to it."""
        await venue.watched.wait()
        for price in self.prices:
            ticks = venue.instrument.ticks(price)
            venue.quote(ticks - 1, ticks + 1, SIZE)
            venue.trade(Side.SELL, ticks - 1, PRINT)
            venue.trade(Side.BUY, ticks + 1, PRINT)
            await asyncio.sleep(self.every)


def _steps(number: int, height: float, swings: float, drift: float) -> tuple[float, ...]:
    around = (
        100 + drift * step / number + height * math.sin(2 * math.pi * swings * step / number) for step in range(number)
    )
    return tuple(round(price, 1) for price in around)


NAMED: dict[str, tuple[float, ...]] = {
    "calm": _steps(120, 0.5, 8, 0.0),
    "rise": _steps(120, 0.3, 6, 10.0),
    "fall": _steps(120, 0.3, 6, -10.0),
    "crash": (*_steps(30, 0.3, 3, 0.0), *_steps(10, 0.0, 1, -20.0), *(80.0,) * 30),
    "still": (100.0,) * 60,
}
"""About 100, a price a second."""
