"""Replay event by event against the floor: the same rule as a plain Python loop over the same rows, no framework.

Two workloads. Candles: one-minute candles of a seeded walk, moving averages of 20 and 50 closes, market orders at the
next open, fee 0.05 %. Trades: one resting bid per 1,000 trades, filled when a trade touches it. The floor's loop does
nothing else: no accounts, no journal, no report; its rows are in memory already, hbkit reads its own from CSV.
"""

from __future__ import annotations

import contextlib
import io
import os
import statistics
import tempfile
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hbkit.chance import Chance
from hbkit.clock import WallClock, cpu_seconds
from hbkit.config import load_config
from hbkit.plugins import Plugins
from hbkit.run import Replay, make_plan

Floats = npt.NDArray[np.float64]
TICK = 0.5
START_MS = 1_704_067_200_000
_HERE = Path(__file__).parent


def candles(rows: int) -> Floats:
    """ts_ms, open, high, low, close, volume: a walk in which each candle opens at the close before."""
    chance = Chance(7).arrays("candles")
    path = 50_000.0 + np.cumsum(chance.normal(0.0, 8.0, size=rows * 4))
    path = np.round((path - min(0.0, path.min() - 10_000.0)) / TICK) * TICK
    quarters = path.reshape(rows, 4)
    opens = np.concatenate(([quarters[0, 0]], quarters[:-1, 3]))
    high = np.maximum(opens, quarters.max(axis=1))
    low = np.minimum(opens, quarters.min(axis=1))
    ts = START_MS + 60_000.0 * np.arange(rows)
    return np.column_stack([ts, opens, high, low, quarters[:, 3], np.round(chance.lognormal(2.0, 0.5, rows), 3)])


def trades(rows: int) -> Floats:
    """ts_ms, side, price, size: a walk of single ticks, ten trades a second."""
    chance = Chance(8).arrays("trades")
    side = chance.choice([1.0, -1.0], rows)
    middle = 50_000.0 + TICK * np.cumsum(chance.integers(-1, 2, rows))
    price = np.round((middle + side * TICK / 2) / TICK) * TICK
    return np.column_stack([START_MS + 100.0 * np.arange(rows), side, price, chance.integers(1, 50, rows) * 100.0])


def plain_candles(rows: Floats) -> int:
    """The floor of the candle workload; returns its fills."""
    cash, held, fills, wanted, before = 1e6, 0.0, 0, None, None
    fast: deque[float] = deque(maxlen=20)
    slow: deque[float] = deque(maxlen=50)
    fast_sum = slow_sum = 0.0
    for _, opened, _, _, close, _ in rows.tolist():
        if wanted is not None:
            cash -= (wanted - held) * opened + abs(wanted - held) * opened * 0.0005
            held, wanted, fills = wanted, None, fills + 1
        fast_sum += close - (fast[0] if len(fast) == 20 else 0.0)
        slow_sum += close - (slow[0] if len(slow) == 50 else 0.0)
        fast.append(close)
        slow.append(close)
        if len(slow) == 50:
            difference = fast_sum / 20 - slow_sum / 50
            if before is not None:
                if before <= 0 < difference and held == 0:
                    wanted = 1.0
                elif before >= 0 > difference and held > 0:
                    wanted = 0.0
            before = difference
    return fills


def plain_trades(rows: Floats) -> int:
    """The floor of the trade workload: a call per trade; returns its fills."""

    class Loop:
        seen = fills = 0
        bid: float | None = None

        def on_trade(self, price: float) -> None:
            self.seen += 1
            if self.bid is not None and price <= self.bid:
                self.fills += 1
                self.bid = None
            if self.seen % 1000 == 0 and self.bid is None:
                self.bid = price - 5.0

    loop = Loop()
    for _, _, price, _ in rows.tolist():
        loop.on_trade(price)
    return loop.fills


def measure(rows: int, repeat: int) -> dict[str, Any]:
    """CPU seconds of both sides, medians of `repeat`, and their ratio."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        return {
            "candles": _workload(
                candles(rows), plain_candles, "timestamp,open,high,low,close,volume", "XBTUSDT", "crossing.py", repeat
            ),
            "trades": _workload(
                trades(rows), plain_trades, "timestamp,side,price,size", "XBTUSD", "resting.py", repeat
            ),
        }


def text(result: dict[str, Any]) -> str:
    """The figures for people."""
    lines = ["workload   rows       hbkit s   floor s   ratio   fills hbkit / floor"]
    for name, row in result.items():
        lines.append(
            f"{name:<9}  {row['rows']:<9,}  {row['hbkit_cpu_s']:<8.3f}  {row['floor_cpu_s']:<8.3f}  "
            f"{row['ratio']:<6.2f}  {row['hbkit_fills']} / {row['floor_fills']}"
        )
    return "\n".join(lines)


def _workload(
    rows: Floats, floor: Callable[[Floats], int], header: str, symbol: str, strategy: str, repeat: int
) -> dict[str, Any]:
    data = Path(strategy).with_suffix(".csv")
    np.savetxt(data, rows, fmt="%.10g", delimiter=",", header=header, comments="")
    config = Path(strategy).with_suffix(".yaml")
    config.write_text(
        f"exchanges: {{bitmex_perpetual: {{mode: replay, fill_model: touch, replay: {{data: {data}}},\n"
        f"  balances: {{XBT: 1, USDT: 1000000}}}}}}\n"
        f"strategies: [{{use: {_HERE / strategy}, instruments: [{symbol}]}}]\n"
    )
    ours = [_timed(lambda: _replay(config)) for _ in range(repeat)]
    theirs = [_timed(lambda: floor(rows)) for _ in range(repeat)]
    hbkit_s = statistics.median(seconds for seconds, _ in ours)
    floor_s = statistics.median(seconds for seconds, _ in theirs)
    return {
        "rows": len(rows),
        "hbkit_cpu_s": hbkit_s,
        "floor_cpu_s": floor_s,
        "ratio": hbkit_s / floor_s,
        "hbkit_fills": ours[0][1],
        "floor_fills": theirs[0][1],
    }


def _timed(call: Callable[[], int]) -> tuple[float, int]:
    began = cpu_seconds()
    answer = call()
    return cpu_seconds() - began, answer


def _replay(path: Path) -> int:
    config = load_config(path, environ=os.environ)
    with contextlib.redirect_stderr(io.StringIO()):
        run = Replay(make_plan(config, Plugins(), "replay"), wall=WallClock())
        return run.play().fills
