"""Candles of a symbol from before its tape: columns of minutes, larger sizes made when asked for, rows one at a time.

`Bins` holds what traded since; `of` and `lead` are where the two meet, for a day or an hour may have begun before the
tape.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hbkit.data.source import Floats, Ints
from hbkit.model import Instrument, InstrumentKind
from hbkit_bitmex.past import Minutes
from hbkit_bitmex.simulator.bins import SIZES, Bin


@dataclass(frozen=True)
class Columns:
    """Candles as whole numbers: prices in ticks, volume in units, value in minor units."""

    end: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    trades: Ints
    volume: Ints
    value: Ints

    def __len__(self) -> int:
        return len(self.end)

    def moved(self, shift: int) -> Columns:
        """The same at another time."""
        return replace(self, end=self.end + shift)

    def rows(self, first: int, last: int | None = None) -> Columns:
        """Some of them."""
        return Columns(**{name: column[first:last] for name, column in vars(self).items()})

    def bin_at(self, row: int) -> Bin:
        """One candle."""
        return self.bins(row, row + 1)[0]

    def bins(self, first: int, last: int) -> list[Bin]:
        """Candles one by one."""
        columns = (self.end, self.open, self.high, self.low, self.close, self.trades, self.volume, self.value)
        return [Bin.of(*row) for row in zip(*(column[first:last].tolist() for column in columns), strict=True)]

    def larger(self, size: int) -> Columns:
        """Candles of `size` ns, the last one perhaps not whole."""
        group = (self.end - 1) // size
        first = np.flatnonzero(np.diff(group, prepend=group[0] - 1))
        last = np.append(first[1:], len(group)) - 1
        traded = self.trades > 0
        limit = np.iinfo(np.int64)
        trades = np.add.reduceat(self.trades, first)
        close = self.close[last]
        # A minute without a trade stands at the close before it, which nobody traded at then.
        high = np.maximum.reduceat(np.where(traded, self.high, limit.min), first)
        low = np.minimum.reduceat(np.where(traded, self.low, limit.max), first)
        return Columns(
            (group[first] + 1) * size,
            self.open[first],
            np.where(trades > 0, high, close),
            np.where(trades > 0, low, close),
            close,
            trades,
            np.add.reduceat(self.volume, first),
            np.add.reduceat(self.value, first),
        )


class History:
    """The past of one symbol; not empty."""

    def __init__(self, minutes: Columns) -> None:
        self._minutes = minutes
        self._whole: dict[str, Columns] = {"1m": self._minutes}

    @property
    def end(self) -> int:
        """When the last minute ended."""
        return int(self._minutes.end[-1])

    @property
    def close(self) -> int:
        """The last price, in ticks."""
        return int(self._minutes.close[-1])

    def of(self, size: str) -> Columns:
        """The candles of a size that were over when the tape began."""
        if size not in self._whole:
            made = self._minutes.larger(SIZES[size])
            whole = int(np.searchsorted(made.end, self.end, side="right"))
            self._whole[size] = made.rows(0, whole)
        return self._whole[size]

    def lead(self, size: str) -> Bin | None:
        """The beginning of the candle in which the tape began; None where it began with the tape."""
        ns = SIZES[size]
        since = self.end // ns * ns
        if since == self.end:
            return None
        rows = int(np.searchsorted(self._minutes.end, since, side="right"))
        return self._minutes.rows(rows).larger(ns).bin_at(0)

    def last(self, count: int) -> list[Bin]:
        """The newest minutes, oldest first."""
        return self._minutes.bins(max(0, len(self._minutes) - count), len(self._minutes))


def whole_numbers(instrument: Instrument, minutes: Minutes) -> Columns:
    """Minutes as the simulator counts them. The value is that of the volume at the average price."""
    tick, unit = float(instrument.tick_size), float(instrument.unit_size)
    units = np.rint(minutes.volume / unit)
    scaled = units * float(instrument.multiplier) * unit
    inverse = instrument.kind is InstrumentKind.INVERSE

    def ticks(prices: Floats) -> Ints:
        return np.rint(prices / tick).astype(np.int64)

    return Columns(
        end=minutes.end,
        open=ticks(minutes.open),
        high=ticks(minutes.high),
        low=ticks(minutes.low),
        close=ticks(minutes.close),
        trades=minutes.trades,
        volume=units.astype(np.int64),
        value=np.rint(scaled / minutes.average if inverse else scaled * minutes.average).astype(np.int64),
    )
