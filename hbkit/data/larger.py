"""Candles of every interval from the few that an exchange has, for connectors: what is not native is put together.

candles = Larger(instrument, ("1m", "1h"))
candles.want("15m")
for candle in candles.add(native):
    listener.on_candle(candle)
"""

from __future__ import annotations

from collections.abc import Sequence

from hbkit.clock import parse_duration
from hbkit.data.candles import Resampler
from hbkit.errors import Unsupported
from hbkit.model import Candle, Instrument


class Larger:
    """What was asked for of one instrument beyond the native intervals."""

    def __init__(self, instrument: Instrument, native: Sequence[str]) -> None:
        self._instrument = instrument
        self._native = native
        self._made: dict[str, Resampler] = {}

    def want(self, interval: str) -> None:
        """From now on. Raises Unsupported for an interval that is no multiple of a native one."""
        if interval in self._native:
            return
        length = parse_duration(interval)
        smaller = [one for one in self._native if length % parse_duration(one) == 0]
        if not smaller:
            raise Unsupported(f"no candles of {interval}; there are {', '.join(self._native)} and their multiples")
        self._made[interval] = Resampler(self._instrument, max(smaller, key=parse_duration), interval)

    def add(self, candle: Candle) -> list[Candle]:
        """A native candle, and those that it completes."""
        return [candle, *(larger for one in self._made.values() for larger in one.add(candle))]
