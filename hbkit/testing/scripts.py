"""Markets in one line: the way of a price, step by step, played to a venue while a strategy runs.

    Script.of("calm")                       a named one, in hundredths of the price that the market begins with
    Script.of("100 101 99.5 102")           prices, one a second
    Script.of([100, 101, 99.5], every=5.0)  the same, slower

At each step the book stands around the price, a tick away on both sides, the mark is the price, and a trade prints on
each side of it; resting orders that the price passes fill.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from hbkit.model import Side
from hbkit.testing.contract import NotStaged, Venue

SIZE = 5_000
"""Lots on each level."""
PRINT = 10
"""Lots of each print."""
LEAD = 1.0
"""Seconds from the start of trading to the first step: what is asked for at the start is there by then."""


@dataclass(frozen=True)
class Script:
    """Prices, and the seconds between them."""

    prices: Sequence[float]
    every: float = 1.0
    relative: bool = False
    """Whether the prices are hundredths of the one that the market begins with."""

    @classmethod
    def of(cls, text: str | Sequence[float] | Script, every: float = 1.0) -> Script:
        """A script by name, as text, or as numbers. Raises ValueError that names the scripts there are."""
        if isinstance(text, Script):
            return text
        if not isinstance(text, str):
            return cls(tuple(text), every)
        if text in NAMED:
            return cls(NAMED[text], every, relative=True)
        try:
            return cls(tuple(float(word) for word in text.split()), every)
        except ValueError:
            known = ", ".join(NAMED)
            raise ValueError(f'"{text}" is no script; write prices ("100 101 99.5") or one of {known}') from None

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return len(self.prices) * self.every

    async def play(self, venue: Venue, began: asyncio.Event) -> None:
        """Move the market, step by step, soon after trading began."""
        await began.wait()
        await asyncio.sleep(LEAD)
        one = venue.instrument
        scale = _middle(venue) / 100 if self.relative else 1.0
        for price in self.prices:
            ticks = one.ticks(price * scale)
            venue.quote(ticks - 1, ticks + 1, SIZE * one.lot_units)
            if not one.is_spot:
                with suppress(NotStaged):
                    venue.mark(one.price(ticks))
            venue.trade(Side.SELL, ticks - 1, PRINT * one.lot_units)
            venue.trade(Side.BUY, ticks + 1, PRINT * one.lot_units)
            await asyncio.sleep(self.every)


def _middle(venue: Venue) -> float:
    bid, ask = max(venue.book(Side.BUY)), min(venue.book(Side.SELL))
    return venue.instrument.price((bid + ask) // 2)


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
"""About 100, a price a second; see `Script.relative`."""
