"""Candles: built from trades, larger ones from smaller ones, and the memory of closed ones that indicators read.

Bins are [k * interval, (k + 1) * interval) from the epoch, UTC; a trade exactly on the boundary belongs to the bin that
it opens. An interval without a trade is a candle too, with `trades` 0 and the close before as its prices: an outage is
seen, and no volume is invented.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import index
from typing import ClassVar, cast

import numpy as np

from hbkit.clock import DAY, SECOND, duration_text, parse_duration
from hbkit.data.source import Floats
from hbkit.model.instrument import Instrument
from hbkit.model.market import Candle


def interval_ns(text: str) -> int:
    """Nanoseconds of a candle interval such as `1m`; ValueError unless it is whole seconds from 1s to 1d."""
    mend = f'"{text}" is not a candle interval; write whole seconds from 1s to 1d, such as 1m, 5m, 1h or 1d'
    try:
        interval = parse_duration(text)
    except ValueError:
        raise ValueError(mend) from None
    if not SECOND <= interval <= DAY or interval % SECOND:
        raise ValueError(mend)
    return interval


class CandleBuilder:
    """Candles of one instrument and interval from its trades, in the order in which they happened.

    `open_is_previous_close` is BitMEX's convention: a candle opens where the one before closed, which may lie outside
    its own [low, high].
    """

    def __init__(self, instrument: Instrument, interval: str, *, open_is_previous_close: bool) -> None:
        self._instrument = instrument
        self._interval = interval_ns(interval)
        self._text = duration_text(self._interval)
        self._open_is_previous_close = open_is_previous_close
        self._closed: list[Candle] = []
        self._end = 0
        """Close time of the open bin; 0 before the first trade."""
        self._last = 0.0
        """Price of the last trade: what an empty bin shows."""
        self._start_bin()
        self.late = 0
        """Trades that came after their candle had been handed out; a closed candle is never changed."""

    def _start_bin(self) -> None:
        self._open = self._high = self._low = self._last
        self._volume = 0.0
        self._trades = 0

    def add(self, ts: int, price: float, qty: float) -> None:
        """A trade. Bins that it leaves behind are handed out by the next `close_until`."""
        if ts >= self._end:
            self._move_to(ts, price)
        elif ts < self._end - self._interval:
            self.late += 1
            return
        if self._trades == 0:
            if not self._open_is_previous_close:
                self._open = price
            self._high = self._low = price
        elif price > self._high:
            self._high = price
        elif price < self._low:
            self._low = price
        self._last = price
        self._volume += qty
        self._trades += 1

    def _move_to(self, ts: int, price: float) -> None:
        """Make the bin of `ts` the open one."""
        if self._end:
            self._close_bins(ts)
            return
        self._end = (ts // self._interval + 1) * self._interval
        self._last = price
        self._start_bin()

    def close_until(self, ts: int) -> list[Candle]:
        """It is `ts` now: the candles that closed at or before it and were not handed out yet."""
        if self._end and ts >= self._end:
            self._close_bins(ts)
        closed, self._closed = self._closed, []
        return closed

    def _close_bins(self, ts: int) -> None:
        while self._end <= ts:
            self._closed.append(
                Candle(
                    self._end,
                    self._end - self._interval,
                    self._end,
                    self._instrument,
                    self._text,
                    self._open,
                    self._high,
                    self._low,
                    self._last,
                    self._volume,
                    self._trades,
                )
            )
            self._end += self._interval
            self._start_bin()


class Resampler:
    """Larger candles from smaller ones.

    A bin is handed out with its last inner candle. The very first is dropped unless it begins with the bin; a gap in
    the source closes the bin that was open with what it had, and gives no candle for bins without any row.
    """

    def __init__(self, instrument: Instrument, source_interval: str, interval: str) -> None:
        self._instrument = instrument
        self._interval = interval_ns(interval)
        source = interval_ns(source_interval)
        if self._interval <= source or self._interval % source:
            raise ValueError(f"{interval} candles cannot be made of {source_interval} ones; take a multiple")
        self._text = duration_text(self._interval)
        self._inner: list[Candle] = []
        self._end = 0
        """Close time of the open bin; 0 before the first whole one."""

    def add(self, candle: Candle) -> list[Candle]:
        """A closed smaller candle; the larger ones that are complete now: none, one, or two after a gap."""
        start = candle.open_time // self._interval * self._interval
        if not self._end and candle.open_time != start:
            return []
        closed = self.close_until(candle.open_time)
        self._end = start + self._interval
        self._inner.append(candle)
        return closed + self.close_until(candle.close_time)

    def close_until(self, ts: int) -> list[Candle]:
        """It is `ts` now: the bin that closed at or before it, if it was still open (the source has a gap)."""
        if not self._inner or ts < self._end:
            return []
        inner, self._inner = self._inner, []
        return [self._merge(inner)]

    def _merge(self, inner: list[Candle]) -> Candle:
        # The flat prices of an empty candle were not traded in it; they count only where there is nothing else.
        traded = [candle for candle in inner if not candle.is_empty] or inner
        known = all(candle.trades >= 0 for candle in inner)
        return Candle(
            self._end,
            self._end - self._interval,
            self._end,
            self._instrument,
            self._text,
            inner[0].open,
            max(candle.high for candle in traded),
            min(candle.low for candle in traded),
            inner[-1].close,
            sum(candle.volume for candle in inner),
            sum(candle.trades for candle in inner) if known else -1,
        )


def inner_interval(interval: str, native: Sequence[str]) -> str:
    """The interval to ask for where `interval` is wanted: itself where it is native, else the longest that fits in it.

    Raises ValueError with the mend where none of the native ones fits.
    """
    length = interval_ns(interval)
    if not native or interval in native:
        return interval
    fitting = [one for one in native if length % parse_duration(one) == 0 and parse_duration(one) <= length]
    if not fitting:
        raise ValueError(f"{interval} candles cannot be made of {', '.join(native)}; take a multiple of one of them")
    return max(fitting, key=parse_duration)


def resampled(candles: Iterable[Candle], instrument: Instrument, inner: str, interval: str) -> list[Candle]:
    """Whole candles of `interval` from those of `inner`, which may be the same."""
    if inner == interval:
        return list(candles)
    resampler = Resampler(instrument, inner, interval)
    return [larger for candle in candles for larger in resampler.add(candle)]


def _whole(n: object) -> int:
    """How many candles are asked for, where it is no int: numpy has whole numbers of its own."""
    try:
        return index(n)  # type: ignore[arg-type]  # what is none raises, and that is what is asked
    except TypeError:
        raise ValueError(f"the last {n!r} candles: write how many as a whole number, such as 20") from None


class CandleSeries:
    """The newest closed candles, as objects and as numpy columns.

    Columns are read-only views of memory that is never written again, so a strategy may keep one.
    """

    _FIRST_SIZE: ClassVar[int] = 256

    def __init__(self, capacity: int = 10_000) -> None:
        if capacity < 1:
            raise ValueError(f"a series keeps at least one candle, got capacity {capacity}")
        self._capacity = capacity
        self._candles: list[Candle] = []
        self._table = np.empty((5, min(self._FIRST_SIZE, 2 * capacity)))
        self._show()

    def __len__(self) -> int:
        return min(len(self._candles), self._capacity)

    def append(self, candle: Candle) -> None:
        """Add the next closed candle; beyond the capacity the oldest go."""
        count = len(self._candles)
        if count == self._table.shape[1]:
            count = self._make_room(count)
        # One by one through the buffer: numpy would make an array of the five first, almost three times the work.
        opens, highs, lows, closes, volumes = self._cells
        opens[count], highs[count], lows[count] = candle.open, candle.high, candle.low
        closes[count], volumes[count] = candle.close, candle.volume
        self._candles.append(candle)

    def _make_room(self, count: int) -> int:
        """Fresh memory with the candles that are kept; the old stays as it was for views that are still held."""
        keep = min(count, self._capacity)
        table = np.empty((5, min(2 * max(count, 1), 2 * self._capacity)))
        table[:, :keep] = self._table[:, count - keep : count]
        self._table = table
        del self._candles[: count - keep]
        self._show()
        return keep

    def _show(self) -> None:
        self._cells = [cast("memoryview[float]", row.data) for row in self._table]
        shown = self._table.view()
        shown.flags.writeable = False
        self._opens, self._highs, self._lows, self._closes, self._volumes = shown

    def _first(self, n: int) -> int:
        """Index of the first of the last `n`; what was asked for once is kept from then on."""
        if not isinstance(n, int):
            n = _whole(n)
        if n < 0:
            raise ValueError(f"the last {n} candles do not exist; ask for 0 or more")
        self._capacity = max(self._capacity, n)
        first = len(self._candles) - n
        return first if first > 0 else 0

    def opens(self, n: int) -> Floats:
        """The last `n` opens, oldest first; fewer where fewer exist."""
        return self._opens[self._first(n) : len(self._candles)]

    def highs(self, n: int) -> Floats:
        """The last `n` highs."""
        return self._highs[self._first(n) : len(self._candles)]

    def lows(self, n: int) -> Floats:
        """The last `n` lows."""
        return self._lows[self._first(n) : len(self._candles)]

    def closes(self, n: int) -> Floats:
        """The last `n` closes."""
        return self._closes[self._first(n) : len(self._candles)]

    def volumes(self, n: int) -> Floats:
        """The last `n` volumes."""
        return self._volumes[self._first(n) : len(self._candles)]

    def last(self, n: int) -> list[Candle]:
        """The last `n` candles, oldest first."""
        return self._candles[self._first(n) :]
