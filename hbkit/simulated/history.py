"""The candles that closed before a replay begins, from the rows that were recorded until then.

They are made as those of the run are: as recorded, put together from smaller ones, or built from trades.
"""

from __future__ import annotations

from collections.abc import Iterator

from hbkit.clock import parse_duration
from hbkit.data.candles import CandleBuilder, Resampler
from hbkit.data.source import Batch, Rows, Source
from hbkit.model import Candle, Instrument


def recorded_candles(source: Source, instrument: Instrument, interval: str, count: int, before: int) -> list[Candle]:
    """The last `count` candles that close before `before`, ns, oldest first; fewer where fewer were recorded."""
    info = source.info()
    length = parse_duration(interval)
    native = info.intervals.get(instrument.symbol, ())
    divisors = [known for known in native if length % parse_duration(known) == 0]
    # One more than is asked for: a candle that is built opens at the close before it.
    first = before - before % length - (count + 1) * length
    if interval in native:
        found = list(_rows(source, instrument, interval, first, before))
    elif divisors:
        inner = max(divisors, key=parse_duration)
        resampler = Resampler(instrument, inner, interval)
        rows = _rows(source, instrument, inner, first, before)
        found = [larger for candle in rows for larger in resampler.add(candle)]
    else:
        builder = CandleBuilder(instrument, interval, open_is_previous_close=info.open_is_previous_close)
        for batch in _batches(source, instrument, Rows.TRADE, first, before):
            columns = (batch.ts.tolist(), batch.columns[1].tolist(), batch.columns[2].tolist())
            for ts, price, qty in zip(*columns, strict=True):
                builder.add(ts, price, qty)
        found = builder.close_until(before - 1)
    return found[-count:]


def _rows(source: Source, instrument: Instrument, interval: str, first: int, before: int) -> Iterator[Candle]:
    for batch in _batches(source, instrument, Rows.CANDLE, first, before):
        if batch.interval == interval:
            yield from (candle_of(batch, instrument, row) for row in range(len(batch)))


def _batches(source: Source, instrument: Instrument, kind: Rows, first: int, before: int) -> Iterator[Batch]:
    for window in source.windows(first, before):
        for batch in window:
            if batch.symbol == instrument.symbol and batch.kind is kind:
                yield batch.between(first, before)


def candle_of(batch: Batch, instrument: Instrument, row: int) -> Candle:
    """One row of a batch of candles."""
    open_ts, *prices, volume, trades = (column[row].item() for column in batch.columns)
    opened, high, low, close = prices
    ts = int(batch.ts[row])
    return Candle(ts, open_ts, ts, instrument, batch.interval, opened, high, low, close, volume, trades)
