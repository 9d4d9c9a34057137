"""Where an order stands in the queue, and what moves it up. One test per rule."""

import pytest

from hbkit.matching import UNKNOWN_SIZE
from hbkit.model import TimeInForce
from tests.matching.venue import ASK, BID, Venue

# -- the quantity ahead


@pytest.mark.parametrize(
    ("ticks", "ahead"),
    [(100, 0), (99, 500), (98, 700), (97, UNKNOWN_SIZE)],
    ids=["betters-the-best", "joins-the-best", "joins-a-deeper-level", "deeper-than-recorded"],
)
def test_outside_size_at_arrival_stands_ahead(venue: Venue, ticks: int, ahead: int) -> None:
    assert venue.order(venue.buy(100, ticks)).ahead == ahead


def test_a_gap_within_the_recorded_levels_has_nobody_ahead(venue: Venue) -> None:
    venue.market.level(BID, 95, 300)
    assert venue.order(venue.buy(100, 97)).ahead == 0


def test_an_empty_side_tells_nothing_of_the_queue() -> None:
    venue = Venue(xbt=10**15)
    assert venue.order(venue.buy(100, 99)).ahead == UNKNOWN_SIZE


def test_decrease_of_a_level_caps_what_is_ahead(venue: Venue) -> None:
    order = venue.buy(100, 99)
    venue.market.level(BID, 99, 200)
    assert venue.order(order).ahead == 200


def test_increase_of_a_level_stands_behind(venue: Venue) -> None:
    order = venue.buy(100, 99)
    venue.market.level(BID, 99, 900)
    assert venue.order(order).ahead == 500


def test_a_new_best_behind_an_order_leaves_nobody_ahead(venue: Venue) -> None:
    order = venue.buy(100, 99)
    venue.market.quote(98, 700, 101, 400)
    assert venue.order(order).ahead == 0


# -- prints


def test_print_works_off_what_is_ahead_then_fills(venue: Venue) -> None:
    order = venue.buy(300, 99)
    venue.market.print(99, 400, -1)
    assert venue.fills() == []
    # 500 - 400 = 100 are left ahead: of 300 more, 200 reach the order.
    venue.market.print(99, 300, -1)
    assert venue.fills() == [(order, 99, 200, "maker")]


def test_print_moves_up_those_it_did_not_reach(venue: Venue) -> None:
    venue.buy(100, 99)
    venue.market.level(BID, 99, 800)
    second = venue.buy(100, 99, account=venue.b)
    # 500 ahead of the first, 300 more ahead of the second: a print of 500 ends before the first.
    venue.market.print(99, 500, -1)
    assert venue.order(second).ahead == 300


def test_print_of_the_same_side_fills_nothing_at_the_price(venue: Venue) -> None:
    venue.buy(100, 100)
    venue.market.print(100, 1000, 1)
    assert venue.fills() == []


def test_print_of_unknown_side_fills(venue: Venue) -> None:
    order = venue.buy(100, 100)
    venue.market.print(100, 1000, 0)
    assert venue.fills() == [(order, 100, 100, "maker")]


def test_print_beyond_fills_best_price_first_up_to_its_size(venue: Venue) -> None:
    low, high = venue.buy(200, 99), venue.buy(200, 100)
    venue.market.print(98, 300, 1)
    assert venue.fills() == [(high, 100, 200, "maker"), (low, 99, 100, "maker")]


def test_account_orders_share_a_print_in_time_order(venue: Venue) -> None:
    first = venue.buy(200, 100, account=venue.b)
    second = venue.buy(200, 100)
    venue.market.print(100, 300, -1)
    assert venue.fills() == [(first, 100, 200, "maker"), (second, 100, 100, "maker")]


def test_whole_lots_only(venue: Venue) -> None:
    order = venue.buy(300, 100)
    venue.market.print(100, 250, -1)
    assert venue.fills() == [(order, 100, 200, "maker")]


def test_an_unknown_quantity_ahead_is_never_worked_off(venue: Venue) -> None:
    order = venue.buy(100, 97)
    venue.market.print(97, UNKNOWN_SIZE, -1)
    venue.market.print(97, UNKNOWN_SIZE, -1)
    assert venue.fills() == []
    assert venue.order(order).ahead == UNKNOWN_SIZE


# -- recorded levels meet resting orders


def test_opposite_level_at_the_price_trades_up_to_its_size(venue: Venue) -> None:
    order = venue.buy(500, 100)
    venue.market.level(ASK, 100, 200)
    assert venue.fills() == [(order, 100, 200, "maker")]
    assert venue.market.available(ASK, 100) == 0


def test_the_same_level_again_is_no_new_size(venue: Venue) -> None:
    venue.buy(500, 100)
    venue.market.level(ASK, 100, 200)
    venue.fills()
    venue.market.level(ASK, 100, 200)
    assert venue.fills() == []


def test_a_change_of_the_level_is_new_size(venue: Venue) -> None:
    order = venue.buy(500, 100)
    venue.market.level(ASK, 100, 200)
    venue.fills()
    venue.market.level(ASK, 100, 100)
    assert venue.fills() == [(order, 100, 100, "maker")]


def test_quote_beyond_the_price_fills_at_the_order_price(venue: Venue) -> None:
    order = venue.buy(300, 100)
    venue.market.quote(97, 100, 99, 1000)
    assert venue.fills() == [(order, 100, 300, "maker")]


# -- orders take


def test_taker_walks_the_levels_and_leaves_dents(venue: Venue) -> None:
    order = venue.buy(600, 102)
    assert venue.fills() == [(order, 101, 400, "taker"), (order, 102, 200, "taker")]
    assert venue.market.available(ASK, 101) == 0
    assert venue.market.available(ASK, 102) == 400


def test_dent_lasts_until_the_next_recorded_change(venue: Venue) -> None:
    venue.buy(300, 101)
    assert venue.market.available(ASK, 101) == 100
    venue.market.level(ASK, 101, 350)
    assert venue.market.available(ASK, 101) == 350


def test_dent_works_off_what_is_ahead_of_resting_orders(venue: Venue) -> None:
    resting = venue.sell(100, 101, account=venue.b)
    venue.buy(300, 101)
    assert venue.order(resting).ahead == 100


def test_taker_meets_account_orders_in_the_queue(venue: Venue) -> None:
    resting = venue.sell(200, 101, account=venue.b)
    venue.market.level(ASK, 101, 700)
    venue.events()
    # Queue at 101: 400 outside, 200 of account b, 300 outside.
    taker = venue.buy(800, 101)
    assert venue.fills() == [
        (taker, 101, 400, "taker"),
        (taker, 101, 200, "taker"),
        (resting, 101, 200, "maker"),
        (taker, 101, 200, "taker"),
    ]


def test_account_order_at_a_better_price_is_met_first(venue: Venue) -> None:
    resting = venue.sell(100, 100, account=venue.b)
    taker = venue.buy(200, 101)
    assert venue.fills() == [
        (taker, 100, 100, "taker"),
        (resting, 100, 100, "maker"),
        (taker, 101, 100, "taker"),
    ]


# -- models


def test_touch_fills_whole_at_the_price() -> None:
    venue = Venue(model="touch", xbt=10**15)
    venue.book({99: 500}, {101: 400})
    order = venue.buy(700, 99)
    venue.market.print(99, 1, 1)
    assert venue.fills() == [(order, 99, 700, "maker")]


def test_through_fills_whole_only_beyond_the_price() -> None:
    venue = Venue(model="through", xbt=10**15)
    venue.book({99: 500}, {101: 400})
    order = venue.buy(700, 99)
    venue.market.print(99, 10_000, -1)
    assert venue.fills() == []
    venue.market.print(98, 1, -1)
    assert venue.fills() == [(order, 99, 700, "maker")]


# -- feeds without a book


def test_market_order_waits_for_the_next_print() -> None:
    venue = Venue(has_book=False, xbt=10**15)
    order = venue.buy(300)
    assert venue.fills() == []
    venue.market.print(100, 200, -1)
    venue.market.print(103, 200, 1)
    assert venue.fills() == [(order, 100, 200, "taker"), (order, 103, 100, "taker")]


def test_limit_order_that_takes_waits_and_rests_when_missed() -> None:
    venue = Venue(has_book=False, xbt=10**15)
    venue.market.print(100, 100, 1)
    order = venue.buy(300, 101)
    venue.market.print(102, 100, 1)
    assert venue.fills() == []
    venue.market.print(100, 100, 1)
    assert venue.fills() == [(order, 101, 100, "maker")]


def test_immediate_order_that_the_print_misses_ends() -> None:
    venue = Venue(has_book=False, xbt=10**15)
    order = venue.buy(300, 101, tif=TimeInForce.IOC)
    venue.events()
    venue.market.print(102, 100, 1)
    assert venue.said() == [(order, "canceled", "immediate order: the next print did not reach its price")]


def test_fill_or_kill_that_the_print_cannot_fill_ends() -> None:
    venue = Venue(has_book=False, xbt=10**15)
    order = venue.buy(300, 101, tif=TimeInForce.FOK)
    venue.events()
    venue.market.print(100, 200, 1)
    assert venue.said() == [(order, "canceled", "fill-or-kill could not fill whole")]


def test_one_print_is_shared_by_waiting_and_resting_orders() -> None:
    venue = Venue(has_book=False, xbt=10**15)
    resting = venue.sell(300, 100, account=venue.b)
    waiting = venue.buy(200)
    venue.events()
    # 400 at 102: 200 go to the order that waited, 200 are left for the sell that the print went beyond.
    venue.market.print(102, 400, 1)
    assert venue.fills() == [(waiting, 102, 200, "taker"), (resting, 100, 200, "maker")]


def test_range_of_a_candle_counts_only_for_orders_that_stood_at_its_open() -> None:
    venue = Venue(has_book=False, model="through", xbt=10**15)
    before = venue.buy(100, 95)  # at 1
    after = venue.buy(100, 96)  # at 2
    venue.events()
    # Opened at 1, low 90: only the older order stood when it opened; the close of 97 reaches neither.
    venue.market.candle(1, 90, 99, 97)
    assert venue.fills() == [(before, 95, 100, "maker")]
    venue.market.candle(10, 94, 99, 97)
    assert venue.fills() == [(after, 96, 100, "maker")]


def test_close_of_a_candle_counts_for_orders_that_arrived_during_it() -> None:
    venue = Venue(has_book=False, model="through", xbt=10**15)
    order = venue.buy(100, 98)
    venue.market.candle(0, 90, 99, 97)
    assert venue.fills() == [(order, 98, 100, "maker")]


def test_order_that_waits_trades_at_the_close_of_a_candle() -> None:
    venue = Venue(has_book=False, xbt=10**15)
    order = venue.sell(100)
    venue.market.candle(0, 90, 99, 97)
    assert venue.fills() == [(order, 97, 100, "taker")]


def test_candle_at_the_price_fills_nothing_in_the_queue_model() -> None:
    venue = Venue(has_book=False, xbt=10**15)
    venue.buy(100, 95)
    venue.market.candle(5, 95, 99, 97)
    assert venue.fills() == []
