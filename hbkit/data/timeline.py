"""One time line out of several sources: every event once, in an order that does not depend on how sources cut windows.

At one ts the order is that of `ORDER`, within a kind the order of the sources, then the symbol, then the interval of
candles (the smaller first), then the row. All events of one ts are in one window.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hbkit.clock import iso
from hbkit.data.candles import interval_ns
from hbkit.data.source import Batch, Ints, Rows, Source, SourceInfo
from hbkit.errors import DataError

ORDER = {
    kind: rank
    for rank, kind in enumerate(
        (Rows.CANDLE, Rows.FUNDING, Rows.TRADE, Rows.LEVEL, Rows.QUOTE, Rows.MARK, Rows.OPEN),
    )
}
"""What a candle tells is past when its close time comes; its successor opens after everything else of that moment.

A trade comes before the book it leaves behind: the other way round a print would be counted twice against the queue,
once by the smaller level and once by itself.
"""

WINDOW_ROWS = 262_144
"""About how many events a window has at most: their lists take some 30 MB."""
_NEVER = 2**63 - 1
_BEFORE_ALL = -(2**63)


@dataclass(frozen=True)
class Window:
    """A stretch of the time line: event i happened at `ts[i]` and is row `row[i]` of `batches[batch[i]]`."""

    batches: list[Batch]
    ts: list[int]
    batch: list[int]
    row: list[int]

    def __len__(self) -> int:
        return len(self.ts)


class Timeline:
    """Merges the windows of several sources, start <= ts < end."""

    def __init__(self, sources: Sequence[Source], start: int, end: int) -> None:
        self._sources = sources
        self._start = start
        self._end = end

    def windows(self) -> Iterator[Window]:
        """The time line in windows; each row once."""
        opens = _open_intervals([source.info() for source in self._sources])
        streams = [
            _Stream(source, at, wanted, self._start, self._end)
            for at, (source, wanted) in enumerate(zip(self._sources, opens, strict=True))
        ]
        while streams:
            horizon = min(stream.horizon for stream in streams)
            for stream in streams:
                if stream.horizon == horizon and horizon < _NEVER:
                    stream.pull()
            released = [part for stream in streams for part in stream.release(min(one.horizon for one in streams))]
            yield from _merge(released)
            streams = [stream for stream in streams if stream.is_live]


def _open_intervals(infos: Iterable[SourceInfo]) -> list[Mapping[str, str]]:
    """Per source the symbols whose opens are wanted, with the interval to take them from.

    A symbol with trades needs no opens. Where it has candles of several intervals the smallest one tells the most.
    """
    infos = list(infos)
    traded = {symbol for info in infos for symbol, kinds in info.kinds.items() if Rows.TRADE in kinds}
    smallest: dict[str, str] = {}
    for info in infos:
        for symbol, intervals in info.intervals.items():
            known = [smallest[symbol]] if symbol in smallest else []
            if symbol not in traded and (intervals or known):
                smallest[symbol] = min((*known, *intervals), key=interval_ns)
    return [
        {symbol: smallest[symbol] for symbol, intervals in info.intervals.items() if smallest.get(symbol) in intervals}
        for info in infos
    ]


@dataclass(frozen=True)
class _Part:
    """A batch with its place in the order of equal times."""

    key: tuple[int, int, str, int]
    batch: Batch


class _Stream:
    """What was read of one source and is not handed out yet."""

    def __init__(self, source: Source, at: int, opens: Mapping[str, str], start: int, end: int) -> None:
        self._at = at
        self._name = type(source).__name__
        self._opens = opens
        self._start = start
        self._end = end
        # A candle that closes after the end may open before it, and a later row may still bring such an open.
        self._reach = max((interval_ns(interval) for interval in opens.values()), default=0)
        self._windows = iter(source.windows(start, min(end + self._reach, _NEVER)))
        self._parts: list[_Part] = []
        self._latest = _BEFORE_ALL
        self.is_live = True
        self.horizon = _BEFORE_ALL
        """Rows that are not read yet have no ts below this."""

    def pull(self) -> None:
        """Read one window more."""
        window = next(self._windows, None)
        if window is None:
            self.horizon = _NEVER
            return
        before = self._latest
        for batch in window:
            if not len(batch):
                continue
            if int(batch.ts[0]) < before:
                raise DataError(
                    f"{self._name} went backwards: {batch.kind} of {batch.symbol} at {iso(int(batch.ts[0]))} after "
                    f"{iso(before)}; its windows must follow each other in time",
                    code="HB504",
                )
            self._latest = max(self._latest, int(batch.ts[-1]))
            self._keep(batch)
            if batch.kind is Rows.CANDLE and self._opens.get(batch.symbol) == batch.interval:
                self._keep(_opens(batch))
        self.horizon = max(self.horizon, self._latest - self._reach)

    def _keep(self, batch: Batch) -> None:
        mine = batch.between(self._start, self._end)
        if len(mine):
            interval = interval_ns(batch.interval) if batch.interval else 0
            self._parts.append(_Part((ORDER[batch.kind], self._at, batch.symbol, interval), mine))

    def release(self, horizon: int) -> list[_Part]:
        """Take out the rows below `horizon`: nothing that is still unread can come before or among them."""
        out: list[_Part] = []
        kept: list[_Part] = []
        for part in self._parts:
            count = int(np.searchsorted(part.batch.ts, horizon)) if horizon < _NEVER else len(part.batch)
            if count:
                out.append(_Part(part.key, _slice(part.batch, 0, count)))
            if count < len(part.batch):
                kept.append(_Part(part.key, _slice(part.batch, count, len(part.batch))))
        self._parts = kept
        self.is_live = self.horizon < _NEVER or bool(kept)
        return out


def _slice(batch: Batch, first: int, last: int) -> Batch:
    if first == 0 and last == len(batch):
        return batch
    columns = tuple(column[first:last] for column in batch.columns)
    return Batch(batch.symbol, batch.kind, batch.ts[first:last], columns, batch.interval)


def _merge(parts: list[_Part]) -> Iterator[Window]:
    """One or several windows of the rows handed in."""
    if not parts:
        return
    parts.sort(key=lambda part: part.key)
    batches = [part.batch for part in parts]
    # With the batches in the order of equal times, a stable sort by ts alone gives the whole order.
    ts = np.concatenate([batch.ts for batch in batches])
    which = np.repeat(np.arange(len(batches)), [len(batch) for batch in batches])
    row = np.concatenate([np.arange(len(batch)) for batch in batches])
    if len(batches) > 1:
        order = np.argsort(ts, kind="stable")
        ts, which, row = ts[order], which[order], row[order]
    for first, last in _cuts(ts):
        part = slice(first, last)
        yield Window(batches, ts[part].tolist(), which[part].tolist(), row[part].tolist())


def _cuts(ts: Ints) -> Iterator[tuple[int, int]]:
    """Stretches of about WINDOW_ROWS that keep rows of one ts together."""
    first = 0
    while first < len(ts):
        last = min(first + WINDOW_ROWS, len(ts))
        last = int(np.searchsorted(ts, ts[last - 1], side="right"))
        yield first, last
        first = last


def _opens(candles: Batch) -> Batch:
    """The opens of candles, at their open times."""
    open_ts, price, *_, trades = candles.columns
    return Batch(candles.symbol, Rows.OPEN, open_ts, (price, trades), candles.interval)
