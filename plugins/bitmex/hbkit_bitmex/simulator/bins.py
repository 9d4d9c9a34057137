"""Candles of one symbol as `/trade/bucketed` and `tradeBin*` give them: stamped at their END (protocol 4.4).

A bin opens at the close before it. One without a trade is a row too, with zeros and the close before; before a symbol's
first trade there is none.
"""

from __future__ import annotations

from typing import Any

from hbkit.clock import DAY, HOUR, MINUTE, iso
from hbkit.model import Instrument
from hbkit_bitmex.simulator.numbers import notionals, number

SIZES = {"1m": MINUTE, "5m": 5 * MINUTE, "1h": HOUR, "1d": DAY}


class Bin:
    """What traded between `end - size` and `end`; prices in ticks, money in minor units."""

    __slots__ = ("close", "end", "high", "last_size", "low", "open", "trades", "turnover", "volume")

    def __init__(self, end: int, previous_close: int) -> None:
        self.end = end
        self.open = self.high = self.low = self.close = previous_close
        self.trades = self.volume = self.turnover = self.last_size = 0

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

    def copy(self) -> Bin:
        """The same, to be changed."""
        twin = Bin(self.end, self.open)
        twin.merge(self)
        return twin


class Bins:
    """The closed bins of four sizes and the open ones."""

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
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
            row["lastSize"] = which.last_size
        return row
