"""The merged time line against a plain sort of all events, whatever windows the sources cut."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hbkit.clock import MINUTE, SECOND
from hbkit.data import timeline
from hbkit.data.source import COLUMNS, INTEGER_COLUMNS, Batch, Rows, SourceInfo
from hbkit.data.timeline import ORDER, Timeline
from hbkit.errors import DataError

Event = tuple[int, int, int, str, int, float]
"""ts, rank of the kind, source, symbol, running number in its stream, a value that tells the row apart."""

EVERYTHING = (0, 2**60)


@dataclass
class ListSource:
    """A source of rows (ts, kind, symbol, value) that cuts its windows where it is told to."""

    rows: Sequence[tuple[int, Rows, str, float]]
    cuts: Sequence[int] = ()
    interval: int = MINUTE

    def info(self) -> SourceInfo:
        kinds: dict[str, set[Rows]] = {}
        for _, kind, symbol, _ in self.rows:
            kinds.setdefault(symbol, set()).add(kind)
        intervals = {symbol: ("1m",) for symbol, found in kinds.items() if Rows.CANDLE in found}
        frozen = {symbol: frozenset(found) for symbol, found in kinds.items()}
        stamps = [row[0] for row in self.rows] or [0]
        return SourceInfo("list", frozen, min(stamps), max(stamps), intervals)

    def windows(self, start: int, end: int) -> Iterator[Sequence[Batch]]:
        mine = [row for row in self.rows if start <= row[0] < end]
        edges = sorted({min(cut, len(mine)) for cut in self.cuts} | {0, len(mine)})
        for first, last in pairwise(edges):
            yield self._batches(mine[first:last])

    def _batches(self, rows: Sequence[tuple[int, Rows, str, float]]) -> list[Batch]:
        groups: dict[tuple[Rows, str], list[tuple[int, float]]] = {}
        for ts, kind, symbol, value in rows:
            groups.setdefault((kind, symbol), []).append((ts, value))
        return [self._batch(kind, symbol, found) for (kind, symbol), found in groups.items()]

    def _batch(self, kind: Rows, symbol: str, rows: list[tuple[int, float]]) -> Batch:
        ts = np.array([row[0] for row in rows], np.int64)
        values = np.array([row[1] for row in rows], np.float64)
        columns = []
        for name in COLUMNS[kind]:
            if name == "open_ts":
                columns.append(ts - self.interval)
            else:
                columns.append(values.astype(np.int64) if name in INTEGER_COLUMNS else values)
        return Batch(symbol, kind, ts, tuple(columns), "1m" if kind is Rows.CANDLE else "")


def merged(sources: Sequence[ListSource], start: int, end: int) -> list[tuple[int, Rows, str, float]]:
    """The time line as plain rows."""
    found = []
    for window in Timeline(sources, start, end).windows():
        for ts, batch, row in zip(window.ts, window.batch, window.row, strict=True):
            one = window.batches[batch]
            assert ts == one.ts[row]
            found.append((ts, one.kind, one.symbol, float(one.columns[1 if one.kind is Rows.CANDLE else 0][row])))
    return found


def sorted_plainly(sources: Sequence[ListSource], start: int, end: int) -> list[tuple[int, Rows, str, float]]:
    """The same by one sort over all events."""
    traded = {symbol for source in sources for _, kind, symbol, _ in source.rows if kind is Rows.TRADE}
    events: list[Event] = []
    kinds = {rank: kind for kind, rank in ORDER.items()}
    for at, source in enumerate(sources):
        for number, (ts, kind, symbol, value) in enumerate(source.rows):
            value_shown = (
                float(int(value)) if COLUMNS[kind][0] in INTEGER_COLUMNS and kind is not Rows.CANDLE else value
            )
            events.append((ts, ORDER[kind], at, symbol, number, value_shown))
            if kind is Rows.CANDLE and symbol not in traded:
                events.append((ts - source.interval, ORDER[Rows.OPEN], at, symbol, number, value))
    chosen = sorted(event for event in events if start <= event[0] < end)
    return [(ts, kinds[rank], symbol, value) for ts, rank, _, symbol, _, value in chosen]


KINDS = [kind for kind in Rows if kind not in (Rows.OPEN, Rows.CANDLE)]


@st.composite
def list_sources(draw: st.DrawFn) -> ListSource:
    """Rows with many equal times; candles on their grid, once per minute and symbol."""
    symbols = draw(st.lists(st.sampled_from(["A", "B", "C"]), min_size=1, max_size=2, unique=True))
    stamps = st.integers(0, 24).map(lambda half: half * 30 * SECOND)
    rows = draw(st.lists(st.tuples(stamps, st.sampled_from(KINDS), st.sampled_from(symbols)), max_size=30))
    for symbol in symbols:
        minutes = draw(st.lists(st.integers(1, 12), unique=True, max_size=8))
        rows += [(minute * MINUTE, Rows.CANDLE, symbol) for minute in minutes]
    rows = sorted(draw(st.permutations(rows)), key=lambda row: row[0])
    cuts = draw(st.lists(st.integers(0, 40), max_size=6))
    return ListSource([(*row, float(number)) for number, row in enumerate(rows)], cuts)


@settings(max_examples=300)
@given(st.lists(list_sources(), min_size=1, max_size=4), st.integers(0, 8), st.integers(9, 30))
def test_order_equals_a_plain_sort(sources: list[ListSource], start: int, end: int) -> None:
    span = (start * 30 * SECOND, end * 30 * SECOND)
    assert merged(sources, *span) == sorted_plainly(sources, *span)


@given(st.lists(list_sources(), min_size=1, max_size=3))
def test_order_does_not_depend_on_window_cuts(sources: list[ListSource]) -> None:
    uncut = [ListSource(source.rows) for source in sources]
    single = [ListSource(source.rows, range(len(source.rows))) for source in sources]
    assert merged(uncut, *EVERYTHING) == merged(single, *EVERYTHING)


@given(st.lists(list_sources(), min_size=1, max_size=3))
def test_events_of_one_ts_are_in_one_window(sources: list[ListSource]) -> None:
    lasts = [-1]
    for window in Timeline(sources, *EVERYTHING).windows():
        assert window.ts[0] > lasts[-1]
        lasts.append(window.ts[-1])


def test_kinds_of_one_moment_come_in_their_order() -> None:
    rows = [(MINUTE, kind, "A", 7.0) for kind in (Rows.TRADE, Rows.QUOTE, Rows.LEVEL, Rows.MARK, Rows.FUNDING)]
    rows.append((MINUTE, Rows.CANDLE, "B", 7.0))
    rows.append((2 * MINUTE, Rows.CANDLE, "B", 7.0))
    found = [kind for ts, kind, _, _ in merged([ListSource(rows)], *EVERYTHING) if ts == MINUTE]
    expected = [Rows.CANDLE, Rows.FUNDING, Rows.TRADE, Rows.LEVEL, Rows.QUOTE, Rows.MARK, Rows.OPEN]
    assert found == expected


def test_open_of_a_candle_comes_right_after_the_close_of_the_one_before() -> None:
    candles = [(at * MINUTE, Rows.CANDLE, "A", float(at)) for at in (1, 2, 3)]
    for cuts in ([], [1, 2]):
        assert merged([ListSource(candles, cuts)], *EVERYTHING) == [
            (0, Rows.OPEN, "A", 1),
            (MINUTE, Rows.CANDLE, "A", 1),
            (MINUTE, Rows.OPEN, "A", 2),
            (2 * MINUTE, Rows.CANDLE, "A", 2),
            (2 * MINUTE, Rows.OPEN, "A", 3),
            (3 * MINUTE, Rows.CANDLE, "A", 3),
        ]


def test_open_is_cut_by_its_own_time() -> None:
    candles = [(at * MINUTE, Rows.CANDLE, "A", float(at)) for at in (1, 2, 3)]
    # From half a minute on: the first open is past. To 2:30: the third candle is not closed, but it has opened.
    assert merged([ListSource(candles)], 30 * SECOND, 150 * SECOND) == [
        (MINUTE, Rows.CANDLE, "A", 1),
        (MINUTE, Rows.OPEN, "A", 2),
        (2 * MINUTE, Rows.CANDLE, "A", 2),
        (2 * MINUTE, Rows.OPEN, "A", 3),
    ]


def test_no_opens_where_there_are_trades() -> None:
    candles = ListSource([(MINUTE, Rows.CANDLE, "A", 1.0), (MINUTE, Rows.CANDLE, "B", 2.0)])
    trades = ListSource([(5, Rows.TRADE, "A", 1.0)])
    found = merged([candles, trades], *EVERYTHING)
    assert [symbol for _, kind, symbol, _ in found if kind is Rows.OPEN] == ["B"]


class TwoIntervals:
    """Candles of a minute and of five minutes of one symbol."""

    def info(self) -> SourceInfo:
        return SourceInfo("two", {"A": frozenset({Rows.CANDLE})}, MINUTE, 5 * MINUTE, {"A": ("5m", "1m")})

    def windows(self, start: int, end: int) -> Iterator[Sequence[Batch]]:
        yield [self._batch("5m", 5, 1), self._batch("1m", 1, 5)]

    def _batch(self, interval: str, minutes: int, count: int) -> Batch:
        ts = np.arange(1, count + 1, dtype=np.int64) * minutes * MINUTE
        price, nothing = np.ones(count), np.zeros(count, np.int64)
        return Batch("A", Rows.CANDLE, ts, (ts - minutes * MINUTE, *[price] * 5, nothing), interval)


def test_opens_come_from_the_smallest_interval_and_small_candles_before_large_ones() -> None:
    windows = Timeline([TwoIntervals()], *EVERYTHING).windows()
    batches = [window.batches[batch] for window in windows for batch in window.batch]
    assert sum(batch.kind is Rows.OPEN for batch in batches) == 5
    assert [batch.interval for batch in batches[-2:]] == ["1m", "5m"]


def test_large_stretches_are_cut_into_windows_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "WINDOW_ROWS", 10)
    source = ListSource([(at // 3, Rows.TRADE, "A", float(at)) for at in range(100)])
    sizes = [len(window) for window in Timeline([source], *EVERYTHING).windows()]
    assert sum(sizes) == 100
    assert max(sizes) <= 12
    assert merged([source], *EVERYTHING) == sorted_plainly([source], *EVERYTHING)


def test_source_that_goes_backwards_is_refused() -> None:
    rows = [(ts, Rows.TRADE, "A", 1.0) for ts in (1, 9, 4)]
    with pytest.raises(DataError, match="went backwards") as caught:
        merged([ListSource(rows, [1, 2])], *EVERYTHING)
    assert caught.value.code == "HB504"


def test_sources_without_rows_give_no_window() -> None:
    assert merged([ListSource([]), ListSource([])], *EVERYTHING) == []
    assert merged([], *EVERYTHING) == []
