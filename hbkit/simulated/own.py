"""Trades of our own that no record holds: told as everybody's trades are, and counted in the candles of their interval.

A venue's tape and candles hold them, so that a strategy sees them there. In replay and on paper they are added.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from hbkit.model import Candle, Execution, ExecutionKind, Instrument, Liquidity, Trade

_KEPT = 10_000
"""Trades remembered for an interval that nobody asks for."""


def public(executions: Iterable[Execution]) -> Iterator[Trade]:
    """Executions as the trades that everybody sees: two of our orders that met are one trade."""
    met = False
    for one in executions:
        if one.kind is not ExecutionKind.TRADE:
            continue
        maker = one.liquidity is Liquidity.MAKER
        if not (maker and met):
            side = one.side.opposite if maker else one.side
            yield Trade(one.ts, one.instrument, side, one.price, one.instrument.qty(one.units))
        met = not maker


class OwnTrades:
    """Our trades of the candles that are not closed yet, per instrument and interval."""

    def __init__(self) -> None:
        self._open: dict[tuple[Instrument, str], list[Trade]] = {}
        self.is_idle = True
        """Whether nobody traded yet: then every candle is as it was recorded."""
        self._closes: dict[tuple[Instrument, str], tuple[float, float]] = {}
        """The last close that was changed: as recorded, and as it was told."""

    def watch(self, instrument: Instrument, interval: str) -> None:
        """Candles of this interval will be merged."""
        self._open.setdefault((instrument, interval), [])

    def add(self, trade: Trade) -> None:
        """One trade."""
        self.is_idle = False
        for (instrument, _), trades in self._open.items():
            if instrument is trade.instrument:
                trades.append(trade)
                del trades[:-_KEPT]

    def merged(self, candle: Candle, last: int | None) -> Candle:
        """A closed candle with our trades in it; `last` is the last trade's price in ticks, ours or not.

        It opens where the one before was told to close, if that is what its record does.
        """
        key = candle.instrument, candle.interval
        trades = self._open.get(key)
        before = self._closes.pop(key, None)
        if before is not None and candle.open == before[0]:
            candle = _opened_at(candle, before[1])
            if candle.is_empty:
                self._closes[key] = before
        if not trades:
            return candle
        ours = [trade for trade in trades if trade.ts < candle.close_time]
        del trades[: len(ours)]
        if not ours:
            return candle
        prices = [trade.price for trade in ours] + ([] if candle.is_empty else [candle.high, candle.low])
        close = candle.close if last is None else candle.instrument.price(last)
        if close != candle.close:
            self._closes[key] = (before[0] if candle.is_empty and before is not None else candle.close), close
        return msgspec.structs.replace(
            candle,
            high=max(prices),
            low=min(prices),
            close=close,
            volume=candle.volume + sum(trade.qty for trade in ours),
            trades=candle.trades + len(ours) if candle.trades >= 0 else candle.trades,
        )


def _opened_at(candle: Candle, price: float) -> Candle:
    """The candle with another close before it: its open, and all of it where nothing traded."""
    if candle.is_empty:
        return msgspec.structs.replace(candle, open=price, high=price, low=price, close=price)
    return msgspec.structs.replace(candle, open=price)
