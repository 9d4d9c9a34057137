"""Prints add up to their candle whatever the candle, and books follow their quotes."""

from __future__ import annotations

import numpy as np
import pytest
from hbkit_bitmex import synthesis
from hbkit_bitmex.recording import MILLISECOND, Quotes
from hbkit_bitmex.synthesis import ASK, BID, Bar
from hypothesis import given, settings
from hypothesis import strategies as st

from hbkit.clock import MINUTE

START = 26_000_000 * MINUTE


def quotes_of(*rows: tuple[int, int, int]) -> Quotes:
    """Quotes from (ms after START, bid, ask)."""
    table = np.array(rows, dtype=np.int64)
    return Quotes(START + table[:, 0] * MILLISECOND, table[:, 1], table[:, 2])


QUOTES = quotes_of((0, 100, 101), (20_000, 104, 105), (40_000, 98, 101))


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    """Any candle that can exist: with two trades one of them is the close, so the other can be only one extreme."""
    low = draw(st.integers(90, 110))
    high = low + draw(st.integers(0, 12))
    trades = draw(st.integers(1, 40))
    if trades == 1:
        high = low
    close = draw(st.sampled_from((low, high))) if trades == 2 else draw(st.integers(low, high))
    return Bar(START, draw(st.integers(90, 120)), high, low, close, trades + draw(st.integers(0, 10**7)), trades)


@given(bars(), st.integers(-(2**70), 2**70))
@settings(max_examples=300, deadline=None)
def test_prints_have_the_count_volume_range_and_close_of_their_candle(bar, seed):
    prints = synthesis.prints(seed, bar, QUOTES)
    assert len(prints.ts) == len(prints.side) == len(prints.price) == len(prints.qty) == bar.trades
    assert (prints.qty.sum(), int(prints.qty.min()) >= 1) == (bar.volume, True)
    assert (prints.price.max(), prints.price.min(), prints.price[-1]) == (bar.high, bar.low, bar.close)
    assert np.all(np.diff(prints.ts) >= 0)
    assert prints.ts[0] >= START
    assert prints.ts[-1] < START + MINUTE
    assert set(prints.side.tolist()) <= {1, -1}


def test_a_minute_without_trades_has_no_print():
    assert len(synthesis.prints(1, Bar(START, 100, 100, 100, 100, 0, 0), QUOTES).ts) == 0


def test_the_high_is_printed_when_the_quotes_come_nearest_to_it():
    # Only between 20 s and 40 s does the ask stand at 105.
    prints = synthesis.prints(5, Bar(START, 100, 105, 98, 100, 10**6, 500), QUOTES)
    moments = (prints.ts[prints.price == 105] - START) // MILLISECOND
    assert len(moments)
    assert np.all((moments >= 20_000) & (moments < 40_000))


def test_prints_of_one_moment_belong_to_one_order_and_have_one_side():
    prints = synthesis.prints(5, Bar(START, 100, 105, 98, 100, 10**6, 500), QUOTES)
    same = np.diff(prints.ts) == 0
    assert same.any()
    assert np.mean(np.diff(prints.side)[same] == 0) > 0.95  # two orders may fall into one millisecond


def test_prints_keep_to_the_quote_of_their_moment():
    prints = synthesis.prints(9, Bar(START, 100, 105, 98, 101, 10**6, 400), QUOTES)
    quote = QUOTES.at(prints.ts)
    at_quote = np.where(prints.side > 0, prints.price == QUOTES.ask[quote], prints.price == QUOTES.bid[quote])
    assert (~at_quote).sum() <= 3  # high, low and close


@pytest.mark.parametrize(("count", "volume"), [(1, 1), (1, 99), (7, 7), (3, 1000), (5000, 5001)])
def test_quantities_are_whole_positive_and_sum_to_the_volume(count, volume):
    found = synthesis.quantities(synthesis.generator(1, 2, 3), count, volume)
    assert (len(found), found.sum(), found.min() >= 1) == (count, volume, True)


def apply(changes: synthesis.Changes, until: int, book: dict[tuple[int, int], int]) -> None:
    rows = zip(changes.ts, changes.side, changes.price, changes.qty, strict=True)
    for ts, side, price, qty in rows:
        if ts > until:
            return
        if qty:
            book[int(side), int(price)] = int(qty)
        else:
            del book[int(side), int(price)]


def test_a_book_begins_whole_and_follows_its_quotes():
    minute = synthesis.book_minute(3, START, QUOTES)
    for row, (bid, ask) in enumerate(((100, 101), (104, 105), (98, 101))):
        book: dict[tuple[int, int], int] = {}
        apply(minute.changes, int(QUOTES.ts[row]), book)
        assert sorted(price for side, price in book if side > 0) == list(range(bid - 24, bid + 1))
        assert sorted(price for side, price in book if side < 0) == list(range(ask, ask + 25))
        assert book[1, bid] == minute.bid_qty[row]
        assert book[-1, ask] == minute.ask_qty[row]


def test_sizes_at_the_touch_change_between_quotes():
    changes = synthesis.book_minute(3, START, quotes_of((0, 100, 101))).changes
    later = changes.ts > START
    assert 5 <= later.sum() <= 60
    assert {(1, 100), (-1, 101)} & {
        (int(side), int(price)) for side, price in zip(changes.side[later], changes.price[later], strict=True)
    }


def test_a_size_belongs_to_its_price_and_drifts_slowly():
    window = np.stack([100 - np.arange(25), 101 + np.arange(25)])[None]
    no_change = np.zeros_like(window)
    first, second, far = (synthesis._sizes(1, minute, window, no_change) for minute in (1000, 1001, 5000))
    moved = synthesis._sizes(1, 1000, window + 1, no_change)
    assert np.array_equal(moved[0, BID, 1:], first[0, BID, :-1])
    assert np.array_equal(moved[0, ASK, :-1], first[0, ASK, 1:])
    near_ratio, far_ratio = (np.abs(np.log(other / first)).mean() for other in (second, far))
    assert 0 < near_ratio < far_ratio
