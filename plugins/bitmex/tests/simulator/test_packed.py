"""Rows that only grow and stay small, and yet are a list like any other."""

import pickle
import tracemalloc
from bisect import bisect_left

import pytest
from hbkit_bitmex.simulator import trading
from hbkit_bitmex.simulator.packed import PackedRows, pack, unpack

ORDER = {"symbol": "XBTUSD", "side": "Buy", "orderQty": 100, "price": 5000}


def row(number):
    return {"id": number, "price": number / 2, "text": "Submitted via API.", "leaves": None, "tags": ["a", number]}


@pytest.fixture
def rows():
    """Blocks of 4, the newest 6 loose, at least 20 kept; 50 rows were added."""
    packed = PackedRows(20, block=4, loose=6)
    for number in range(50):
        packed.append(row(number))
    return packed


def test_the_oldest_blocks_go_and_what_stays_is_what_was_added(rows):
    # A block is packed at 10 loose rows, so 50 rows have made 11 blocks; 24 would be too many, 20 to 23 remain.
    assert 20 <= len(rows) < 24
    first = 50 - len(rows)
    assert [*rows] == [row(number) for number in range(first, 50)]
    assert [*reversed(rows)] == [row(number) for number in range(49, first - 1, -1)]
    assert list(rows[0]) == list(row(0))  # the columns in their order


def test_places_count_as_in_a_list(rows):
    plain = [*rows]
    for place in range(-len(plain), len(plain)):
        assert rows[place] == plain[place]
    assert rows[-5:] == plain[-5:]
    assert rows[2:14:3] == plain[2:14:3]
    assert rows[100:] == []
    for place in (len(plain), -len(plain) - 1):
        with pytest.raises(IndexError):
            rows[place]
    assert bisect_left(rows, 40, key=lambda one: one["id"]) == [one["id"] for one in plain].index(40)


def test_nothing_is_lost_while_it_grows():
    packed, plain = PackedRows(10**6, block=3, loose=2), []
    for number in range(40):
        packed.append(row(number))
        plain.append(row(number))
        assert len(packed) == len(plain)
        assert packed[0] == plain[0]
        assert packed[-1] == plain[-1]
    assert [*packed] == plain
    packed.keep(10)  # in blocks of three
    assert [*packed] == plain[-len(packed) :]
    assert 10 <= len(packed) < 13
    packed.clear()
    assert [*packed] == []
    assert len(packed) == 0


def test_a_copy_holds_the_rows_and_not_what_was_looked_at_last(rows):
    before = pickle.dumps(rows)
    assert rows[0]["id"] == 50 - len(rows)
    assert pickle.dumps(rows) == before
    assert [*pickle.loads(before)] == [*rows]


@pytest.mark.parametrize("value", [0, -1, 2**62, 1e-8, 88_094.2, 1e300, True, None, "", "ü\n", [], [{"a": 1.0}]])
def test_values_keep_their_type(value):
    back = unpack(pack({"value": value}))["value"]
    assert (back, type(back)) == (value, type(value))


def test_an_account_that_trades_for_long_costs_less_than_its_rows_would(bench):
    """Orders that are placed and cancelled, with rows that are packed and with the same rows all left loose."""
    bench.book("XBTUSD", 8000, 8001)
    costs = []
    for loose in (20, 10**6):
        bench.venue.executions[bench.account.number] = PackedRows(10**6, block=20, loose=loose)
        tracemalloc.start()
        try:
            for _ in range(400):
                placed = trading.place(bench.venue, bench.account, ORDER)
                trading.cancel(bench.venue, bench.account, {"orderID": placed["orderID"]})
                bench.venue.finish()
            costs.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()
    packed, loose_rows = costs
    assert packed < loose_rows * 0.7  # what is left are the orders themselves
