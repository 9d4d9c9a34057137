"""Several sources as one: everything once, in the order of the time line, described together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from hbkit.data import timeline
from hbkit.data.combined import combine
from hbkit.data.source import Batch, Rows, SourceInfo
from hbkit.data.timeline import Timeline


@dataclass
class Trades:
    """Trades of one symbol at `stamps`, priced by their number."""

    symbol: str
    stamps: Sequence[int]

    def info(self) -> SourceInfo:
        return SourceInfo(
            self.symbol, {self.symbol: frozenset({Rows.TRADE})}, self.stamps[0], self.stamps[-1], rows=len(self.stamps)
        )

    def windows(self, start: int, end: int) -> Iterator[Sequence[Batch]]:
        ts = np.array(self.stamps, np.int64)
        price = np.arange(len(ts), dtype=np.float64)
        yield [Batch(self.symbol, Rows.TRADE, ts, (np.ones(len(ts), np.int64), price, price)).between(start, end)]


def events(sources: Sequence[object], start: int = 0, end: int = 10_000) -> list[tuple[int, str, float]]:
    return [
        (ts, window.batches[batch].symbol, float(window.batches[batch].columns[1][row]))
        for window in Timeline(sources, start, end).windows()  # type: ignore[arg-type]
        for ts, batch, row in zip(window.ts, window.batch, window.row, strict=True)
    ]


A, B = Trades("A", range(0, 400, 2)), Trades("B", range(0, 600, 3))


@pytest.mark.parametrize("rows", [timeline.WINDOW_ROWS, 7], ids=["one window", "many windows"])
def test_every_row_comes_once_however_large_the_windows(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "WINDOW_ROWS", rows)
    assert events([combine([A, B])]) == events([A, B])
    assert len(events([combine([A, B])])) == 400


def test_the_span_is_cut() -> None:
    assert {ts for ts, _, _ in events([combine([A, B])], 100, 110)} == {100, 102, 104, 105, 106, 108}


def test_it_is_described_as_all_together() -> None:
    info = combine([A, B]).info()
    assert (info.name, info.start, info.end, info.rows) == ("A, B", 0, 597, 400)
    assert info.kinds == {"A": {Rows.TRADE}, "B": {Rows.TRADE}}


def test_two_files_of_one_symbol_follow_each_other() -> None:
    later = Trades("A", range(1_000, 1_010))
    assert [ts for ts, _, _ in events([combine([later, A])])] == [*A.stamps, *later.stamps]
