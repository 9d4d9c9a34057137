"""The order book: sizes, best prices, depth."""

import pytest

from hbkit.model import OrderBook, Side
from tests.matching.flows import XBTUSD


@pytest.fixture
def book() -> OrderBook:
    """Bids 50000 (300) and 49999.5 (500), asks 50001 (200) and 50003 (100)."""
    book = OrderBook(XBTUSD)
    for side, ticks, units in [
        (Side.BUY, 99_999, 500),
        (Side.BUY, 100_000, 300),
        (Side.SELL, 100_006, 100),
        (Side.SELL, 100_002, 200),
    ]:
        book.set(side, ticks, units)
    return book


def test_best_prices(book: OrderBook) -> None:
    assert (book.best_bid_ticks, book.best_ask_ticks) == (100_000, 100_002)
    assert (book.best_bid, book.best_ask, book.mid) == (50_000.0, 50_001.0, 50_000.5)


def test_depth_is_best_first(book: OrderBook) -> None:
    assert book.bids() == [(50_000.0, 300.0), (49_999.5, 500.0)]
    assert book.asks(1) == [(50_001.0, 200.0)]
    assert book.bids(0) == []


def test_size_of_zero_takes_a_level_away(book: OrderBook) -> None:
    book.set(Side.BUY, 100_000, 0)
    book.set(Side.BUY, 77, 0)
    assert book.best_bid == 49_999.5
    assert book.size(Side.BUY, 100_000) == 0


def test_a_level_set_again_is_replaced(book: OrderBook) -> None:
    book.set(Side.SELL, 100_002, 900)
    assert book.asks() == [(50_001.0, 900.0), (50_003.0, 100.0)]


def test_quantity_at_a_price(book: OrderBook) -> None:
    assert book.qty_at(Side.SELL, 50_003.0) == 100.0
    assert book.qty_at(Side.BUY, 50_003.0) == 0.0


def test_an_empty_side_has_no_best_and_no_middle(book: OrderBook) -> None:
    book.clear(Side.BUY)
    assert (book.best_bid, book.mid) == (None, None)
    assert book.best_ask == 50_001.0
    book.clear()
    assert book.asks() == []
    assert book.best_ask_ticks is None


def test_prices_are_ascending(book: OrderBook) -> None:
    assert book.prices(Side.BUY) == [99_999, 100_000]
    assert book.prices(Side.SELL) == [100_002, 100_006]


@pytest.mark.parametrize(("ticks", "crossed"), [(100_001, False), (100_002, True), (100_003, True)])
def test_a_bid_at_or_above_the_ask_crosses(book: OrderBook, ticks: int, crossed: bool) -> None:
    book.set(Side.BUY, ticks, 100)
    assert book.is_crossed is crossed
