"""Several sources as one: files of different instruments or kinds that belong to one exchange."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hbkit.data.source import Batch, Rows, Source, SourceInfo
from hbkit.data.timeline import Timeline


def combine(sources: Sequence[Source]) -> Source:
    """One source that has what all of `sources` have."""
    return _Combined(sources)


class _Combined:
    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources

    def info(self) -> SourceInfo:
        """What all have together; raises what one of them raises."""
        infos = [source.info() for source in self._sources]
        symbols = list(dict.fromkeys(symbol for info in infos for symbol in info.kinds))
        counts = [info.rows for info in infos]
        return SourceInfo(
            name=", ".join(info.name for info in infos),
            kinds={symbol: frozenset().union(*(info.kinds.get(symbol, ()) for info in infos)) for symbol in symbols},
            start=min(info.start for info in infos),
            end=max(info.end for info in infos),
            intervals={
                symbol: tuple(dict.fromkeys(one for info in infos for one in info.intervals.get(symbol, ())))
                for symbol in symbols
            },
            sizes_known=any(info.sizes_known for info in infos),
            era=next((info.era for info in infos if info.era is not None), None),
            rows=None if None in counts else sum(count or 0 for count in counts),
            provenance=[line for info in infos for line in info.provenance],
            whole_book_every=max(info.whole_book_every for info in infos),
            open_is_previous_close=any(info.open_is_previous_close for info in infos),
        )

    def windows(self, start: int, end: int) -> Iterator[Sequence[Batch]]:
        """Every row of every source once; the time line puts the windows in step."""
        before: list[Batch] = []
        for window in Timeline(self._sources, start, end).windows():
            if window.batches is before:
                continue  # a large window comes in pieces that share their batches
            before = window.batches
            # Opens are derived again by whoever merges this source with others.
            yield [batch for batch in window.batches if batch.kind is not Rows.OPEN]
