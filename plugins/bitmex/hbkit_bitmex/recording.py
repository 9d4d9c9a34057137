"""Reads the packaged recordings: what was seen at the exchange, before anything is derived or synthesised.

A recording is an .npz made by `tools/pack.py`. Prices are whole steps of 0.5; series are stored as their first value
and differences, candle prices as distance from their close, times in ms.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from hbkit.clock import MINUTE
from hbkit.data.source import Floats, Ints

TICK = 0.5
"""XBTUSD's step in 2019."""
MILLISECOND = 1_000_000

Columns = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Quotes:
    """Best bid and ask, in ticks; each row holds until the next."""

    ts: Ints
    bid: Ints
    ask: Ints

    def at(self, ts: Ints) -> Ints:
        """Index of the quote in force at each `ts`; before the first quote, the first."""
        return np.maximum(np.searchsorted(self.ts, ts, side="right") - 1, 0).astype(np.int64)


@dataclass(frozen=True)
class Prints:
    """Trades as printed: +1 or -1 for the taker's side, price in ticks, quantity in contracts."""

    ts: Ints
    side: Ints
    price: Ints
    qty: Ints


@dataclass(frozen=True)
class Candles:
    """One-minute candles without a gap, `ts` their end, prices in ticks.

    BitMEX stamps a bin with its end, and its open is the close of the bin before (protocol 4.4), so that the open may
    lie outside of [low, high].
    """

    ts: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    trades: Ints

    def __len__(self) -> int:
        return len(self.ts)

    @property
    def start(self) -> int:
        """Where the first minute begins."""
        return int(self.ts[0]) - MINUTE


@dataclass(frozen=True)
class Fundings:
    """When funding was paid and at which rate, up to the first time after the recording's end."""

    ts: Ints
    rate: Floats


@dataclass(frozen=True)
class Recording:
    """What was recorded of one instrument; exactly one of `quotes` and `prints` is there."""

    candles: Candles
    fundings: Fundings
    quotes: Quotes | None = None
    prints: Prints | None = None


@cache
def read(name: str) -> Recording:
    """The packaged recording of that name."""
    data = resources.files("hbkit_bitmex").joinpath("data", f"{name}.npz").read_bytes()
    with np.load(io.BytesIO(data), allow_pickle=False) as packed:
        columns = {column: packed[column].astype(np.int64) for column in packed.files}
    return Recording(
        _candles(columns),
        Fundings(columns["funding_ms"] * MILLISECOND, columns["funding_rate"] / 1_000_000),
        _quotes(columns) if "quote_ms" in columns else None,
        _prints(columns) if "print_ms" in columns else None,
    )


def _times(columns: Columns, part: str) -> Ints:
    milliseconds: Ints = columns[f"{part}_first_ms"] + np.cumsum(columns[f"{part}_ms"])
    return milliseconds * MILLISECOND


def _quotes(columns: Columns) -> Quotes:
    bid = np.cumsum(columns["quote_bid"])
    return Quotes(_times(columns, "quote"), bid, bid + columns["quote_spread"])


def _prints(columns: Columns) -> Prints:
    return Prints(
        _times(columns, "print"), columns["print_side"], np.cumsum(columns["print_price"]), columns["print_qty"]
    )


def _candles(columns: Columns) -> Candles:
    close = np.cumsum(columns["candle_close"])
    first = columns["candle_first_end_ms"] * MILLISECOND
    return Candles(
        first + np.arange(len(close), dtype=np.int64) * MINUTE,
        close + columns["candle_open"],
        close + columns["candle_high"],
        close + columns["candle_low"],
        close,
        columns["candle_volume"],
        columns["candle_trades"],
    )
