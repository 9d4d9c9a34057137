"""The tapes, whole: they agree with what was recorded, never cross, and do not depend on how they are cut."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hbkit_bitmex import recording
from hbkit_bitmex.recording import Prints
from hbkit_bitmex.tapes import WINDOW, Tape, derived_quotes, open_tape

from hbkit.chance import Chance
from hbkit.clock import HOUR, MINUTE, parse_time
from hbkit.data.source import COLUMNS as NAMES
from hbkit.data.source import INTEGER_COLUMNS, Batch, Rows
from hbkit.errors import DataError

DAY, TRADES = "bitmex-2019-05-29", "bitmex-2019-05-03-trades"
FOREVER = 2**62

RAW_QUOTES = (
    ("2019-05-28T18:23:03.341Z", 8756.5, 8757),
    ("2019-05-28T18:23:03.561Z", 8756.5, 8757),
    ("2019-05-28T18:23:05.782Z", 8756.5, 8757),
    ("2019-05-28T18:23:05.782Z", 8756.5, 8757),
    ("2019-05-28T18:36:55.455Z", 8756.5, 8757),
    ("2019-05-28T18:36:58.026Z", 8756.5, 8757),
    ("2019-05-28T18:36:58.026Z", 8755, 8755.5),
    ("2019-05-28T18:36:59.519Z", 8755, 8755.5),
    ("2019-05-28T19:23:11.006Z", 8621, 8680),
    ("2019-05-29T08:48:18.169Z", 8598.5, 8599),
    ("2019-05-29T18:13:46.743Z", 8703, 8703.5),
    ("2019-05-29T18:13:47.773Z", 8703, 8703.5),
)
"""Rows of the raw file as they stand there; of two with one time the later one holds."""

RAW_CANDLES = (
    # stamp (the END), open, high, low, close, volume, trades
    ("2019-05-28T18:24:00Z", 8756.5, 8757, 8736.5, 8747, 3674365, 1095),
    ("2019-05-28T18:25:00Z", 8747, 8747, 8729.5, 8729.5, 2943446, 793),
    ("2019-05-29T00:00:00Z", 8720.5, 8721.5, 8720.5, 8721, 837502, 150),
    ("2019-05-29T04:01:00Z", 8632.5, 8661, 8632.5, 8657.5, 5333509, 1403),
    ("2019-05-29T04:36:00Z", 8562.5, 8562.5, 8515, 8534, 40706774, 5365),
    ("2019-05-29T18:14:00Z", 8699, 8703.5, 8699.5, 8703, 425547, 246),
)


@dataclass(frozen=True)
class Table:
    """All rows of one kind."""

    ts: npt.NDArray[np.int64]
    columns: tuple[npt.NDArray[Any], ...]

    def __getitem__(self, index: int) -> npt.NDArray[Any]:
        return self.columns[index]


def tables(windows: Iterable[Sequence[Batch]]) -> dict[Rows, Table]:
    """Windows joined, kind by kind."""
    parts: dict[Rows, list[Batch]] = {}
    for window in windows:
        for batch in window:
            parts.setdefault(batch.kind, []).append(batch)
    return {
        kind: Table(
            np.concatenate([batch.ts for batch in batches]),
            tuple(np.concatenate(columns) for columns in zip(*(batch.columns for batch in batches), strict=True)),
        )
        for kind, batches in parts.items()
    }


def digest(found: dict[Rows, Table]) -> str:
    """One text for everything in the tables."""
    total = hashlib.sha256()
    for kind in sorted(found):
        for column in (found[kind].ts, *found[kind].columns):
            total.update(column.tobytes())
    return total.hexdigest()


def tape(name: str = DAY, seed: int = 7) -> Tape:
    return open_tape(name, seed)


@pytest.fixture(scope="module")
def day() -> dict[Rows, Table]:
    return tables(tape().windows(0, FOREVER))


@pytest.fixture(scope="module")
def six_minutes() -> dict[Rows, Table]:
    return tables(tape(TRADES).windows(0, FOREVER))


# -- the whole day ---------------------------------------------------------------------------------------------------


def test_every_minute_of_prints_adds_up_to_its_recorded_candle(day):
    candles, (side, price, qty) = recording.read(DAY).candles, day[Rows.TRADE].columns
    assert len(candles) == 1431
    edges = np.searchsorted(day[Rows.TRADE].ts, np.append(candles.ts - MINUTE, candles.ts[-1]))
    assert (edges[0], edges[-1]) == (0, len(qty))
    assert np.array_equal(np.diff(edges), candles.trades)
    first = edges[:-1]
    assert np.array_equal(np.add.reduceat(qty, first), candles.volume)
    assert np.array_equal(np.maximum.reduceat(price, first), candles.high / 2)
    assert np.array_equal(np.minimum.reduceat(price, first), candles.low / 2)
    assert np.array_equal(price[edges[1:] - 1], candles.close / 2)
    assert np.array_equal(price * 2, np.rint(price * 2))
    assert np.array_equal(qty, np.rint(qty))
    assert qty.min() >= 1
    assert set(np.unique(side)) == {-1, 1}


def test_prints_stand_at_the_quote_of_their_moment_but_for_what_the_candle_demands(day):
    trades, quotes = day[Rows.TRADE], day[Rows.QUOTE]
    quote = np.searchsorted(quotes.ts, trades.ts, side="right") - 1
    assert quote.min() == 0
    at_quote = np.where(trades[0] > 0, trades[1] == quotes[1][quote], trades[1] == quotes[0][quote])
    assert at_quote.mean() > 0.98


def test_candles_are_the_recorded_ones(day):
    candles = day[Rows.CANDLE]
    for stamp, *figures in RAW_CANDLES:
        row = int(np.searchsorted(candles.ts, parse_time(stamp)))
        assert candles.ts[row] == parse_time(stamp)
        assert candles[0][row] == parse_time(stamp) - MINUTE
        assert [float(column[row]) for column in candles.columns[1:]] == figures
    assert np.array_equal(candles[1][1:], candles[4][:-1])  # open is the previous close


def test_quotes_are_the_recorded_ones(day):
    quotes = day[Rows.QUOTE]
    assert len(quotes.ts) == 47_865
    assert np.all(np.diff(quotes.ts) > 0)
    for stamp, (bid, ask) in {stamp: (bid, ask) for stamp, bid, ask in RAW_QUOTES}.items():
        row = int(np.searchsorted(quotes.ts, parse_time(stamp)))
        assert quotes.ts[row] == parse_time(stamp)
        assert (quotes[0][row], quotes[1][row]) == (bid, ask)
    assert np.all(quotes[0] < quotes[1])


def replay_book(found: dict[Rows, Table]) -> tuple[int, int]:
    """Replay levels and check every group of one ts; returns how many groups and quotes were compared."""
    levels, quotes = found[Rows.LEVEL], found[Rows.QUOTE]
    rows = list(zip(levels.ts.tolist(), *(column.tolist() for column in levels.columns), strict=True))
    told = dict(zip(quotes.ts.tolist(), zip(*(column.tolist() for column in quotes.columns), strict=True), strict=True))
    book: dict[int, dict[float, float]] = {1: {}, -1: {}}
    groups = compared = 0
    bid = ask = 0.0
    moments = sorted(set(levels.ts.tolist()) | set(told))
    position = 0
    for ts in moments:
        inserted = False
        while position < len(rows) and rows[position][0] == ts:
            _, side, price, qty = rows[position]
            position += 1
            if qty == 0:
                assert not inserted, "a delete after an insert"
                del book[side][price]
            else:
                inserted = True
                book[side][price] = qty
        bid, ask = max(book[1]), min(book[-1])
        assert bid < ask
        assert len(book[1]) == len(book[-1]) == 25
        groups += 1
        if ts in told:
            assert told[ts] == (bid, ask, book[1][bid], book[-1][ask])
            compared += 1
    assert position == len(rows)
    return groups, compared


def test_the_book_is_never_crossed_and_its_top_is_the_quote_all_day(day):
    groups, compared = replay_book(day)
    assert compared == 47_865
    assert groups > compared


def test_level_sizes_are_plausible(day):
    side, _, qty = day[Rows.LEVEL].columns
    standing = qty[qty > 0]
    assert set(np.unique(side)) == {-1, 1}
    assert 200_000 < np.median(standing) < 800_000
    assert np.array_equal(standing, np.rint(standing))


def test_fundings_are_the_recorded_ones(day):
    fundings = day[Rows.FUNDING]
    expected = [
        ("2019-05-28T20:00:00Z", 0.001543, "2019-05-29T04:00:00Z"),
        ("2019-05-29T04:00:00Z", 0.001224, "2019-05-29T12:00:00Z"),
        ("2019-05-29T12:00:00Z", 0.000726, "2019-05-29T20:00:00Z"),
    ]
    assert fundings.ts.tolist() == [parse_time(ts) for ts, _, _ in expected]
    assert fundings[0].tolist() == [rate for _, rate, _ in expected]
    assert fundings[1].tolist() == [parse_time(following) for _, _, following in expected]


def test_marks_follow_the_formula_worked_by_hand(day):
    # Middle of 8756.5 and 8757; 5816.659 s to the funding at 20:00 of 28800 s: 8756.75 * 0.001543 * 0.20197 = 2.7289
    marks = day[Rows.MARK]
    assert marks.ts[0] == parse_time("2019-05-28T18:23:03.341Z")
    assert (marks[0][0], marks[1][0]) == (8759.48, 8756.75)


def test_the_mark_is_the_index_at_the_moment_of_funding_and_bears_the_next_rate_after_it(day):
    marks = day[Rows.MARK]
    row = int(np.searchsorted(marks.ts, parse_time("2019-05-28T20:00:00Z")))
    assert marks[0][row] == round(marks[1][row], 2)
    # 5 s later 28795 s of 28800 s are left of the next interval, at 0.001224.
    expected = marks[1][row + 1] * (1 + 0.001224 * 28795 / 28800)
    assert marks[0][row + 1] == pytest.approx(expected, abs=0.005001)


def test_marks_come_every_five_seconds_from_the_middle_of_the_quote(day):
    marks, quotes = day[Rows.MARK], day[Rows.QUOTE]
    assert set(np.diff(marks.ts[1:]).tolist()) == {5_000_000_000}
    assert np.all(marks.ts[1:] % 5_000_000_000 == 0)
    quote = np.searchsorted(quotes.ts, marks.ts, side="right") - 1
    assert np.array_equal(marks[1], (quotes[0][quote] + quotes[1][quote]) / 2)
    basis = (marks[0] - marks[1]) / marks[1]
    assert 0 <= basis.min() <= basis.max() < 0.001543 + 1e-6


# -- cutting and seeds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_rows_do_not_depend_on_where_a_replay_is_cut(day, seed):
    chance, info = Chance(seed), tape().info()
    begin = info.start + chance.randrange(20 * HOUR)
    cuts = sorted({begin, *(begin + chance.randrange(2 * HOUR) for _ in range(12)), begin + 2 * HOUR})
    pieces = [window for first, last in itertools.pairwise(cuts) for window in tape().windows(first, last)]
    joined = tables(pieces)
    for kind, whole in day.items():
        first, last = np.searchsorted(whole.ts, (cuts[0], cuts[-1]))
        if first == last:
            assert kind not in joined
            continue
        assert np.array_equal(joined[kind].ts, whole.ts[first:last])
        for column, expected in zip(joined[kind].columns, whole.columns, strict=True):
            assert np.array_equal(column, expected[first:last])


@pytest.mark.parametrize("name", [DAY, TRADES])
def test_windows_are_made_in_order_and_every_batch_is_sorted(name):
    source = tape(name)
    before = source.info().start - 1
    for window in source.windows(0, FOREVER):
        assert min(batch.ts[0] for batch in window) > before
        before = max(int(batch.ts[-1]) for batch in window)
        assert before - min(int(batch.ts[0]) for batch in window) < WINDOW
        for batch in window:
            assert np.all(np.diff(batch.ts) >= 0)
            assert batch.ts.dtype == np.int64
            for column, title in zip(batch.columns, NAMES[batch.kind], strict=True):
                assert len(column) == len(batch)
                assert column.dtype == (np.int64 if title in INTEGER_COLUMNS else np.float64), (batch.kind, title)
    assert before == source.info().end


def test_nothing_lies_outside_of_the_tape():
    info = tape().info()
    assert list(tape().windows(0, info.start)) == []
    assert list(tape().windows(info.end + 1, FOREVER)) == []
    assert [len(window) for window in tape().windows(info.end, info.end + 1)] == [1]  # the last candle alone


def test_a_replay_that_begins_on_a_minute_has_the_whole_book_at_once():
    begin = parse_time("2019-05-29T06:10:00Z")
    levels = next(batch for batch in next(tape().windows(begin, FOREVER)) if batch.kind is Rows.LEVEL)
    opening = levels.between(begin, begin + 1)
    assert int((opening.columns[2] > 0).sum()) == 50


@pytest.mark.parametrize("name", [DAY, TRADES])
def test_the_same_seed_gives_the_same_rows_and_another_seed_others(name):
    start = tape(name).info().start
    first, again, other = (tables(tape(name, seed).windows(start, start + HOUR)) for seed in (7, 7, 8))
    assert digest(first) == digest(again) != digest(other)
    for kind in (Rows.CANDLE, Rows.MARK):
        assert digest({kind: first[kind]}) == digest({kind: other[kind]})
    quotes = [Table(found[Rows.QUOTE].ts, found[Rows.QUOTE].columns[:2]) for found in (first, other)]
    assert digest({Rows.QUOTE: quotes[0]}) == digest({Rows.QUOTE: quotes[1]})
    assert digest({Rows.LEVEL: first[Rows.LEVEL]}) != digest({Rows.LEVEL: other[Rows.LEVEL]})
    same_trades = digest({Rows.TRADE: first[Rows.TRADE]}) == digest({Rows.TRADE: other[Rows.TRADE]})
    assert same_trades is (name == TRADES)


# -- six minutes of real prints --------------------------------------------------------------------------------------


def test_prints_of_the_trade_tape_are_the_recorded_ones(six_minutes):
    trades = six_minutes[Rows.TRADE]
    assert len(trades.ts) == 4891
    ends = [(int(trades.ts[row]), *(column[row] for column in trades.columns)) for row in (0, -1)]
    assert ends[0] == (parse_time("2019-05-03T12:00:09.576Z"), -1, 5700, 18)
    assert ends[1] == (parse_time("2019-05-03T12:05:53.937Z"), 1, 5710.5, 10)


def test_the_first_five_minutes_are_whole_and_of_the_sixth_17_prints_are_missing(six_minutes):
    trades, candles = six_minutes[Rows.TRADE], six_minutes[Rows.CANDLE]
    edges = np.searchsorted(trades.ts, np.append(candles[0], candles.ts[-1]))
    assert (np.diff(edges) - candles[6]).tolist() == [0, 0, 0, 0, 0, 1106 - 1123]
    assert np.array_equal(np.add.reduceat(trades[2], edges[:-1])[:5], candles[5][:5])
    assert np.array_equal(np.maximum.reduceat(trades[1], edges[:-1]), candles[2])
    assert np.array_equal(np.minimum.reduceat(trades[1], edges[:-1]), candles[3])


def test_the_book_of_the_trade_tape_is_never_crossed(six_minutes):
    _, compared = replay_book(six_minutes)
    assert compared == len(six_minutes[Rows.QUOTE].ts) == 118


def test_derived_quotes_are_the_last_buy_and_the_last_sell_at_least_a_tick_apart():
    def column(*numbers: int) -> npt.NDArray[np.int64]:
        return np.array(numbers, dtype=np.int64)

    #               sell 100 | buy 101 | buy 103 then 104 at once | sell 104: the ask gives way | again: nothing new
    prints = Prints(
        column(1, 2, 3, 3, 4, 5), column(-1, 1, 1, 1, -1, -1), column(100, 101, 103, 104, 104, 104), column(*[1] * 6)
    )
    quotes = derived_quotes(prints)
    assert quotes.ts.tolist() == [1, 3, 4]
    assert quotes.bid.tolist() == [100, 100, 104]
    assert quotes.ask.tolist() == [101, 104, 105]


# -- what a tape says of itself --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [DAY, TRADES])
def test_a_tape_says_what_it_has(name, request):
    found = request.getfixturevalue("day" if name == DAY else "six_minutes")
    info = tape(name).info()
    assert info.kinds == {"XBTUSD": frozenset(found)}
    assert info.start == min(int(table.ts[0]) for table in found.values())
    assert info.end == max(int(table.ts[-1]) for table in found.values())
    assert info.intervals == {"XBTUSD": ("1m",)}
    assert info.sizes_known
    assert info.open_is_previous_close
    assert info.rows == pytest.approx(sum(len(table.ts) for table in found.values()), rel=0.1)


@pytest.mark.parametrize("name", [DAY, TRADES])
def test_provenance_names_every_part_once_and_its_origin(name):
    lines = tape(name).info().provenance
    parts = {line.part: line.origin for line in lines}
    assert len(parts) == len(lines)
    assert {"trades", "quotes", "1m candles", "book sizes", "mark and index"} <= set(parts)
    assert set(parts.values()) == {"recorded", "derived", "synthesised"}
    assert all("\n" not in line.text and line.text for line in lines)
    assert parts["trades"] == ("synthesised" if name == DAY else "recorded")
    assert parts["quotes"] == ("recorded" if name == DAY else "derived")


def test_an_unknown_tape_is_refused_with_the_nearest_name():
    with pytest.raises(DataError, match='did you mean "bitmex-2019-05-29"'):
        open_tape("bitmex-2019-05-28", 1)
