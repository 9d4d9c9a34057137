"""Where recorded or synthetic market data comes from: the contract of a source, and columns as it hands them out.

A source says what it has (`SourceInfo`), then yields windows of batches. A batch is one channel of one instrument as
columns sorted by time; all batches of a window lie after those of the window before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Rows(StrEnum):
    """The kinds of rows, with the columns of each (prices and quantities are floats in the user's units)."""

    TRADE = "trade"
    """side (+1 buy taker, -1 sell taker, 0 unknown), price, qty"""
    QUOTE = "quote"
    """bid, ask, bid_qty, ask_qty; `nan` for a quantity that is not known"""
    LEVEL = "level"
    """side (+1 bid, -1 ask), price, qty: the level's new size, 0 when it is gone; rows of one ts are one change"""
    CANDLE = "candle"
    """open_ts, open, high, low, close, volume, trades (-1 unknown); ts is the close time"""
    OPEN = "open"
    """price, trades: the open of a candle, at its open time; made by the timeline so that orders can meet it"""
    MARK = "mark"
    """price, index (`nan` where there is none)"""
    FUNDING = "funding"
    """rate, next_ts (0 where unknown)"""


COLUMNS: dict[Rows, tuple[str, ...]] = {
    Rows.TRADE: ("side", "price", "qty"),
    Rows.QUOTE: ("bid", "ask", "bid_qty", "ask_qty"),
    Rows.LEVEL: ("side", "price", "qty"),
    Rows.CANDLE: ("open_ts", "open", "high", "low", "close", "volume", "trades"),
    Rows.OPEN: ("price", "trades"),
    Rows.MARK: ("price", "index"),
    Rows.FUNDING: ("rate", "next_ts"),
}
INTEGER_COLUMNS = frozenset({"side", "open_ts", "trades", "next_ts"})


@dataclass(frozen=True)
class Batch:
    """Columns of one kind for one symbol, sorted by `ts` (int64 ns); `columns` in the order of COLUMNS[kind]."""

    symbol: str
    kind: Rows
    ts: Ints
    columns: tuple[npt.NDArray[Any], ...]
    interval: str = ""
    """Of candles: `1m`."""

    def __post_init__(self) -> None:
        names = COLUMNS[self.kind]
        if len(self.columns) != len(names):
            raise ValueError(f"{self.kind} needs the columns {', '.join(names)}, got {len(self.columns)}")

    def __len__(self) -> int:
        return len(self.ts)

    def between(self, start: int, end: int) -> Batch:
        """The rows with start <= ts < end, as views."""
        first, last = np.searchsorted(self.ts, (start, end))
        return Batch(
            self.symbol, self.kind, self.ts[first:last], tuple(col[first:last] for col in self.columns), self.interval
        )


@dataclass(frozen=True)
class Provenance:
    """One line of what a report says about its data: which part, whether it was recorded, and how it came about."""

    part: str
    origin: str
    """`recorded`, `derived` or `synthesised`."""
    text: str


@dataclass(frozen=True)
class SourceInfo:
    """What a source has, known before anything is read in full."""

    name: str
    kinds: Mapping[str, frozenset[Rows]]
    """Per symbol."""
    start: int
    end: int
    """First and last ts, ns; the last is inclusive."""
    intervals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Per symbol the candle intervals that are in the data."""
    sizes_known: bool = False
    """True when quotes or levels carry sizes: the `queue` fill model needs that."""
    era: str | None = None
    """Which instrument rows of the plugin it is meant for; None for the newest."""
    rows: int | None = None
    """About how many rows, for progress; None when unknown."""
    provenance: Sequence[Provenance] = ()
    whole_book_every: int = 0
    """The book is told anew, every level of it, at each multiple of this, ns; 0 where it is told once."""
    open_is_previous_close: bool = False
    """The venue's convention for candles that are built from these trades (BitMEX: True)."""


class Source(Protocol):
    """Recorded or synthetic data of one or several instruments."""

    def info(self) -> SourceInfo:
        """What is there; raises DataError when it cannot be used."""
        ...

    def windows(self, start: int, end: int) -> Iterator[Sequence[Batch]]:
        """Rows with start <= ts < end, in windows of ascending time; raises DataError with file and line."""
        ...
