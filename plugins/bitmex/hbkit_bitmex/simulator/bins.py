"""Candles of one symbol as `/trade/bucketed` and `tradeBin*` give them: stamped at their END (protocol 4.4).

A bin opens at the close before it. One without a trade is a row too, with zeros and the close before; before a symbol's
first trade there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, overload

from hbkit.clock import DAY, HOUR, MINUTE, iso
from hbkit.model import Instrument
from hbkit_bitmex.simulator.numbers import notionals, number
from hbkit_bitmex.simulator.retention import BINS_KEPT, trim

SIZES = {"1m": MINUTE, "5m": 5 * MINUTE, "1h": HOUR, "1d": DAY}


class Bin:
    """What traded between `end - size` and `end`; prices in ticks, money in minor units."""

    __slots__ = ("close", "end", "high", "last_size", "low", "open", "trades", "turnover", "volume")

    def __init__(self, end: int, previous_close: int) -> None:
        self.end = end
        self.open = self.high = self.low = self.close = previous_close
        self.trades = self.volume = self.turnover = self.last_size = 0

    @classmethod
    def of(cls, end: int, opened: int, high: int, low: int, close: int, trades: int, volume: int, turnover: int) -> Bin:
        """A bin that is over."""
        which = cls(end, opened)
        which.high, which.low, which.close = high, low, close
        which.trades, which.volume, which.turnover = trades, volume, turnover
        return which

    def add(self, ticks: int, units: int, value: int) -> None:
        """One trade."""
        if not self.trades:
            self.high = self.low = ticks
        elif ticks > self.high:
            self.high = ticks
        elif ticks < self.low:
            self.low = ticks
        self.close = ticks
        self.trades += 1
        self.volume += units
        self.turnover += value
        self.last_size = units

    def merge(self, other: Bin) -> None:
        """A smaller bin that lies inside this one and came after all that is in it."""
        self.close = other.close
        if not other.trades:
            return
        self.high = max(self.high, other.high) if self.trades else other.high
        self.low = min(self.low, other.low) if self.trades else other.low
        self.trades += other.trades
        self.volume += other.volume
        self.turnover += other.turnover
        self.last_size = other.last_size

    def begin_with(self, lead: Bin) -> None:
        """What came before all that is in it."""
        if lead.trades:
            self.high = max(self.high, lead.high) if self.trades else lead.high
            self.low = min(self.low, lead.low) if self.trades else lead.low
        self.open = lead.open
        self.trades += lead.trades
        self.volume += lead.volume
        self.turnover += lead.turnover

    def copy(self) -> Bin:
        """The same, to be changed."""
        twin = Bin(self.end, self.open)
        twin.merge(self)
        return twin


class Series(Protocol):
    """Bins that are made when they are asked for."""

    def __len__(self) -> int: ...

    def bin_at(self, row: int) -> Bin:
        """One of them."""


class Past(Protocol):
    """What was before the first trade of `Bins`."""

    @property
    def end(self) -> int:
        """When its last minute ended."""

    @property
    def close(self) -> int:
        """Its last price, in ticks."""

    def of(self, size: str) -> Series:
        """The bins of a size that were over by then."""

    def lead(self, size: str) -> Bin | None:
        """What of the next bin had passed by then."""


class BinRows(Sequence[dict[str, Any]]):
    """Bins as rows, oldest first, each made when somebody looks at it: of a month of minutes a request wants a few."""

    def __init__(self, past: Series | None, bins: Sequence[Bin], row: Callable[[Bin], dict[str, Any]]) -> None:
        self._past = past
        self._before = len(past) if past is not None else 0
        self._bins = bins
        self._row = row

    def __len__(self) -> int:
        return self._before + len(self._bins)

    @overload
    def __getitem__(self, row: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, row: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, row: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(row, slice):
            return [self[index] for index in range(*row.indices(len(self)))]
        at = row + len(self) if row < 0 else row
        if not 0 <= at < len(self):
            raise IndexError(row)
        if self._past is not None and at < self._before:
            return self._row(self._past.bin_at(at))
        return self._row(self._bins[at - self._before])


class Bins:
    """The closed bins of four sizes and the open ones."""

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._past: Past | None = None
        self.closed: dict[str, list[Bin]] = {size: [] for size in SIZES}
        self._open: dict[str, Bin] = {}

    def add(self, ts: int, ticks: int, units: int, value: int) -> None:
        """A trade at `ts`; the minute before was closed by then."""
        if not self._open:
            self._open = {size: Bin((ts // ns + 1) * ns, ticks) for size, ns in SIZES.items()}
        self._open["1m"].add(ticks, units, value)

    def close_until(self, ts: int) -> dict[str, list[Bin]]:
        """It is `ts`, a minute's boundary: the bins that ended, by size."""
        ended: dict[str, list[Bin]] = {}
        while self._open and self._open["1m"].end <= ts:
            minute = self._open["1m"]
            self._end("1m", minute, ended)
            for size in ("5m", "1h", "1d"):
                larger = self._open[size]
                larger.merge(minute)
                if larger.end <= minute.end:
                    self._end(size, larger, ended)
        return ended

    def _end(self, size: str, which: Bin, ended: dict[str, list[Bin]]) -> None:
        self.closed[size].append(which)
        if trim(self.closed[size], BINS_KEPT):
            self._past = None  # the oldest go first
        ended.setdefault(size, []).append(which)
        self._open[size] = Bin(which.end + SIZES[size], which.close)

    def unfinished(self, size: str) -> Bin | None:
        """The open bin with everything so far, None before the first trade."""
        if not self._open:
            return None
        whole = self._open[size].copy()
        if size != "1m":
            whole.merge(self._open["1m"])
        return whole

    @property
    def past(self) -> Past | None:
        """What was put in front."""
        return self._past

    def precede(self, past: Past) -> None:
        """Put what was before in front: the first bin of each size goes on where the past ended.

        Minutes between the two, in which nothing traded, are bins too (4.4).
        """
        self._past = past
        if not self._open:
            self._open = {size: Bin(past.end // ns * ns + ns, past.close) for size, ns in SIZES.items()}
        for size, ns in SIZES.items():
            closed = self.closed[size]
            first = closed[0] if closed else self._open[size]
            first.open = past.close
            quiet = [Bin(end, past.close) for end in range(past.end // ns * ns + ns, first.end, ns)]
            closed[:0] = quiet
            lead = past.lead(size)
            if lead is not None:
                (quiet[0] if quiet else first).begin_with(lead)

    def rows(self, size: str, *, partial: bool) -> Sequence[dict[str, Any]]:
        """Every bin of a size as a row, oldest first, the unfinished one too where that is wanted."""
        unfinished = self.unfinished(size) if partial else None
        bins = [*self.closed[size], unfinished] if unfinished is not None else self.closed[size]
        return BinRows(self._past.of(size) if self._past is not None else None, bins, self.row)

    def row(self, which: Bin) -> dict[str, Any]:
        """A bin as a row."""
        instrument = self._instrument
        price = instrument.price
        home, foreign = notionals(instrument, which.volume, which.turnover)
        row: dict[str, Any] = {
            "timestamp": iso(which.end),
            "symbol": instrument.symbol,
            "open": number(price(which.open)),
            "high": number(price(which.high)),
            "low": number(price(which.low)),
            "close": number(price(which.close)),
            "trades": which.trades,
            "volume": which.volume,
            "turnover": which.turnover,
            "homeNotional": home,
            "foreignNotional": foreign,
        }
        if which.trades:
            row["vwap"] = number(round(foreign / home, 4)) if home else row["close"]
        if which.last_size:  # of the past it is not known
            row["lastSize"] = which.last_size
        return row
