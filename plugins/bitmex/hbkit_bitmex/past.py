"""What lies before the tapes: four weeks of minutes of XBTUSD and five months of its funding rates, as recorded.

A simulator answers questions about the past from here, so that daily candles are there on the first day. Of XBTUSDT and
XBT_USDT the past is derived as their tapes are. The columns are those of `recording`, made by `tools/pack.py`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from hbkit.clock import MINUTE
from hbkit.data.source import Floats, Ints
from hbkit_bitmex.derived import BASIS, quantity
from hbkit_bitmex.recording import MILLISECOND, TICK
from hbkit_bitmex.tapes import SYMBOL


@dataclass(frozen=True)
class Minutes:
    """One-minute candles without a gap; `end` in ns, prices in quote currency, volume as the symbol's tape has it."""

    end: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    average: Floats
    """Volume-weighted price; of a minute without a trade, its low."""
    volume: Floats
    trades: Ints

    def until(self, ts: int) -> Minutes:
        """Those that end at `ts` or before."""
        rows = slice(0, int(np.searchsorted(self.end, ts, side="right")))
        return Minutes(
            self.end[rows], self.open[rows], self.high[rows], self.low[rows], self.close[rows], self.average[rows],
            self.volume[rows], self.trades[rows],
        )  # fmt: skip


@cache
def _columns() -> dict[str, Ints]:
    data = resources.files("hbkit_bitmex").joinpath("data", "xbtusd-past.npz").read_bytes()
    with np.load(io.BytesIO(data), allow_pickle=False) as packed:
        return {column: packed[column].astype(np.int64) for column in packed.files}


@cache
def _recorded() -> Minutes:
    columns = _columns()
    close = np.cumsum(columns["candle_close"])
    low = _prices(close + columns["candle_low"])
    return Minutes(
        columns["candle_first_end_ms"] * MILLISECOND + np.arange(len(close), dtype=np.int64) * MINUTE,
        _prices(close + columns["candle_open"]),
        _prices(close + columns["candle_high"]),
        low,
        _prices(close),
        np.round(low + columns["candle_vwap"] / 10, 1),
        columns["candle_volume"].astype(np.float64),
        columns["candle_trades"],
    )


def _prices(ticks: Ints) -> Floats:
    return ticks.astype(np.float64) * TICK


def minutes(symbol: str, until: int) -> Minutes | None:
    """The candles of `symbol` that end at `until` of the tape's time or before; None where nothing is known of it."""
    if symbol == SYMBOL:
        return _recorded().until(until)
    if symbol not in BASIS:
        return None
    base, basis = _recorded().until(until), BASIS[symbol]
    return Minutes(
        base.end,
        base.open + basis,
        base.high + basis,
        base.low + basis,
        base.close + basis,
        base.average + basis,
        quantity(symbol, base.volume, base.average),
        base.trades,
    )


def rates(until: int) -> list[float]:
    """The funding rates paid before `until` of the tape's time, oldest first."""
    columns = _columns()
    paid = np.cumsum(columns["funding_ms"]) * MILLISECOND < until
    found: list[float] = (columns["funding_rate"][paid] / 1_000_000).tolist()
    return found
