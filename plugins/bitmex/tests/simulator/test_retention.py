"""What a venue drops when it has run for long, and what never."""

import pytest
from hbkit_bitmex.simulator import bins, clearing, trading, venue
from hbkit_bitmex.simulator.retention import trim

from hbkit.clock import MINUTE

ORDER = {"symbol": "XBTUSD", "side": "Buy", "orderQty": 100, "price": 5000}


def test_a_list_is_cut_when_it_is_a_tenth_too_long():
    rows = list(range(110))
    assert trim(rows, 100) == 0
    rows.append(110)
    assert trim(rows, 100) == 11
    assert rows == list(range(11, 111))


@pytest.fixture
def few(monkeypatch):
    """Twenty of everything."""
    for module, name in (
        (venue, "ORDERS_KEPT"), (clearing, "FUNDINGS_KEPT"), (bins, "BINS_KEPT"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, 20)


def test_done_orders_go_and_open_ones_stay(bench, few):
    bench.book("XBTUSD", 8000, 8001)
    kept = trading.place(bench.venue, bench.account, {**ORDER, "clOrdID": "first"})
    for number in range(60):
        row = trading.place(bench.venue, bench.account, {**ORDER, "clOrdID": str(number)})
        trading.cancel(bench.venue, bench.account, {"orderID": row["orderID"]})
        bench.venue.finish()
    mine = bench.venue.orders_of[bench.account.number]
    assert len(mine) <= 23  # twenty done, a tenth over, and the open one
    assert mine[0].order_id == kept["orderID"]
    assert {order.order_id for order in mine} == {*bench.venue.orders}
    assert [order.entered for order in mine] == sorted({order.entered for order in mine})
    # It can still be cancelled, and the newest of the others be looked up.
    assert trading.cancel(bench.venue, bench.account, {"clOrdID": "first"})[0]["ordStatus"] == "Canceled"
    assert trading.newest(bench.venue, bench.account, "59").status == "Canceled"
    assert trading.newest(bench.venue, bench.account, "0") is None


def test_old_candles_and_fundings_go(bench, few):
    market = bench.venue.markets["XBTUSD"]
    start = bench.venue.ts
    for minute in range(60):
        market.bins.add(start + minute * MINUTE, 16_000, 100, 12_500)
        market.bins.close_until(start + (minute + 1) * MINUTE)
    closed = market.bins.closed["1m"]
    assert len(closed) <= 22
    assert closed[-1].end == start + 60 * MINUTE
    bench.book("XBTUSD", 8000, 8001)
    bench.mark("XBTUSD", 8000)
    for _ in range(30):
        bench.venue.clearing.fund(market)
    assert len(bench.venue.fundings) <= 22
