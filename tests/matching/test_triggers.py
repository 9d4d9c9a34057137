"""Orders with a trigger: when they are let in, in which order, and at what price a candle lets them trade."""

from __future__ import annotations

import pytest

from hbkit.clock import SECOND
from hbkit.matching import Horizon
from hbkit.model import OrderRequest, OrderType, Side, TimeInForce, TriggerBy, TriggerKind
from tests.matching.flows import XBTUSD
from tests.matching.venue import ASK, BID, NET, Venue

STOP, TAKE_PROFIT = TriggerKind.STOP, TriggerKind.TAKE_PROFIT
LAST, MARK, INDEX = TriggerBy.LAST, TriggerBy.MARK, TriggerBy.INDEX


def waits(
    venue: Venue,
    side: Side,
    units: int,
    trigger: int | None,
    ticks: int | None = None,
    *,
    kind: TriggerKind = STOP,
    by: TriggerBy | None = LAST,
    trail: int | None = None,
    tif: TimeInForce = TimeInForce.GTC,
    reduce_only: bool = False,
    post_only: bool = False,
) -> str:
    """Submit an order with a trigger; returns its id."""
    venue.ts += 1
    request = OrderRequest(
        id=f"t{venue.ts}",
        instrument=venue.instrument,
        side=side,
        position_side=NET,
        type=OrderType.MARKET if ticks is None else OrderType.LIMIT,
        units=units,
        ticks=ticks,
        time_in_force=tif,
        post_only=post_only,
        reduce_only=reduce_only,
        trigger_ticks=trigger,
        trigger_by=by,
        trigger_kind=kind,
        trail_ticks=trail,
    )
    venue.engine.submit(venue.a, request, venue.ts)
    return request.id


def last(venue: Venue, *ticks: int) -> None:
    """Prints of nothing that anybody rests at, and the end of their moment."""
    for price in ticks:
        venue.market.print(price, 1, 0)
    venue.engine.release()


# Which way each of them fires, with the last price at 100 before: the price that does not, the one that does.
@pytest.mark.parametrize(
    ("side", "kind", "idle", "fires"),
    [
        (Side.SELL, STOP, 101, 100),
        (Side.BUY, STOP, 99, 100),
        (Side.SELL, TAKE_PROFIT, 99, 100),
        (Side.BUY, TAKE_PROFIT, 101, 100),
    ],
    ids=["stop sell", "stop buy", "take profit sell", "take profit buy"],
)
def test_a_trigger_fires_at_its_price_from_its_own_side(
    venue: Venue, side: Side, kind: TriggerKind, idle: int, fires: int
) -> None:
    order = waits(venue, side, 100, 100, kind=kind)
    assert venue.said() == [(order, "untriggered", "")]
    last(venue, idle)
    assert venue.events() == []
    last(venue, fires)
    # The book is 99 / 101: a market order takes the other side's best, not the trigger price.
    assert venue.fills() == [(order, 99 if side is Side.SELL else 101, 100, "taker")]


@pytest.mark.parametrize("by", [MARK, INDEX])
def test_mark_and_index_trigger_what_looks_at_them_and_nothing_else(venue: Venue, by: TriggerBy) -> None:
    venue.market.marked(100 * 0.5, 100 * 0.5)
    by_price, by_last = waits(venue, Side.SELL, 100, 90, by=by), waits(venue, Side.SELL, 100, 90, by=LAST)
    venue.events()
    venue.market.marked(89 * 0.5 if by is MARK else 50.0, 89 * 0.5 if by is INDEX else 50.0)
    venue.engine.release()
    assert [fill[0] for fill in venue.fills()] == [by_price]
    last(venue, 90)
    assert [fill[0] for fill in venue.fills()] == [by_last]


def test_without_a_mark_the_last_price_stands_in_as_it_does_for_values(venue: Venue) -> None:
    order = waits(venue, Side.SELL, 100, 90, by=None)
    last(venue, 90)
    assert venue.fills() == [(order, 99, 100, "taker")]


def test_a_trigger_that_is_reached_in_the_middle_of_a_moment_meets_the_book_of_its_end(venue: Venue) -> None:
    order = waits(venue, Side.SELL, 100, 95)
    venue.market.print(95, 1, -1)
    assert venue.order(order).status == "untriggered"
    venue.market.level(BID, 99, 0)
    venue.market.level(BID, 98, 0)
    venue.market.level(BID, 94, 300)
    venue.engine.release()
    assert venue.fills() == [(order, 94, 100, "taker")]


def test_triggers_of_one_moment_are_let_in_by_age_and_what_they_do_triggers_others(venue: Venue) -> None:
    venue.market.counts_own_trades = True
    last(venue, 100)
    # Bids 99 (500) and 98 (700): the first two take all of 99 and 100 of 98, and that last price fires the third.
    third = waits(venue, Side.SELL, 100, 98)
    first, second = waits(venue, Side.SELL, 500, 100), waits(venue, Side.SELL, 100, 100)
    assert venue.fills() == [(first, 99, 500, "taker"), (second, 98, 100, "taker"), (third, 98, 100, "taker")]


def test_a_stop_that_is_past_its_trigger_on_arrival_fires_at_once(venue: Venue) -> None:
    last(venue, 90)
    order = waits(venue, Side.SELL, 100, 95, 101)
    assert venue.said() == [(order, "open", ""), (order, "open", "")]
    assert venue.order(order).triggered


def test_the_quantity_of_a_reduce_only_trigger_is_the_position_at_that_time(venue: Venue) -> None:
    none, all_of_it = (
        waits(venue, Side.SELL, 300, 100, reduce_only=True),
        waits(venue, Side.SELL, 0, 90, reduce_only=True),
    )
    venue.events()
    last(venue, 100)
    assert venue.said()[-1] == (none, "canceled", "reduce-only order: nothing is left to reduce")
    venue.hold(200, 100)
    last(venue, 90)
    assert venue.fills() == [(all_of_it, 99, 200, "taker")]


def test_a_trigger_needs_no_money_until_it_fires_and_is_rejected_then() -> None:
    venue = Venue(xbt=1000)
    venue.book({99: 500}, {101: 500})
    free = venue.a.wallet("XBT").available
    order = waits(venue, Side.BUY, 500, 105)
    assert venue.a.wallet("XBT").available == free == 1000
    last(venue, 105)
    (_, _, _), (_, fired, _), (_, status, reason) = venue.said()
    assert (fired, status, order in venue.a.orders) == ("open", "rejected", False)
    # 5 lots at 101 * 0.5 USD: 5 * 198019802 = 990099010 XBt; at 0.01 + 0.00075 of it, rounded up.
    assert reason == "needs 0.10643565 XBT, free 0.00001000 XBT"


def test_a_post_only_stop_limit_that_would_take_is_canceled(venue: Venue) -> None:
    order = waits(venue, Side.SELL, 100, 100, 99, post_only=True)
    last(venue, 100)
    assert venue.said()[-1] == (order, "canceled", "post-only order would have taken liquidity")


def test_an_amended_trigger_counts_from_then_on(venue: Venue) -> None:
    last(venue, 100)
    order = waits(venue, Side.SELL, 100, 90)
    venue.engine.amend(venue.a, order, 9, ticks=None, units=200, trigger_ticks=95)
    assert (venue.order(order).trigger, venue.order(order).units) == (95, 200)
    venue.events()
    venue.engine.amend(venue.a, order, 9, ticks=None, units=None, trigger_ticks=100)
    assert venue.fills() == [(order, 99, 200, "taker")]


def test_refused_triggers_say_why(venue: Venue) -> None:
    plain, fired = venue.buy(100, 98), waits(venue, Side.SELL, 100, 200, 105, kind=STOP)
    last(venue, 150)
    trailing = waits(venue, Side.SELL, 100, None, trail=-5)
    venue.events()
    for order in (plain, fired, trailing):
        venue.engine.amend(venue.a, order, 9, ticks=None, units=None, trigger_ticks=80)
    waits(venue, Side.SELL, 100, 0)
    waits(venue, Side.SELL, 100, None, trail=5)
    assert [reason for _, _, reason in venue.said()] == [
        "the order has no trigger",
        "the order is triggered already",
        "the trigger of a trailing order follows the price",
        "a trigger price must be above 0",
        "a trailing sell stop cannot follow at a distance of 5 ticks",
    ]


# -- trailing


def test_a_trailing_stop_follows_the_price_up_once_a_second_and_never_down() -> None:
    venue = Venue()
    venue.book({19_990: 500}, {20_010: 500})
    last(venue, 20_000)
    order = waits(venue, Side.SELL, 100, None, trail=-100)
    assert venue.order(order).trigger == 19_900
    # A thousandth of 20000 is 20: 20020 is not more than that, 20021 is; and not before the second has begun.
    for second, price, trigger in [(1, 20_020, 19_900), (2, 20_021, 19_900), (3, 20_500, 19_921), (4, 20_100, 20_400)]:
        venue.engine.at(second * SECOND)
        assert venue.order(order).trigger == trigger
        last(venue, price)


def test_a_trailing_stop_fires_when_the_price_comes_back() -> None:
    venue = Venue()
    venue.book({19_990: 500}, {20_010: 500})
    last(venue, 20_000)
    order = waits(venue, Side.BUY, 100, None, trail=100)
    last(venue, 19_000)
    venue.engine.at(SECOND)
    assert venue.order(order).trigger == 19_100
    last(venue, 19_099)
    assert venue.order(order).status == "untriggered"
    venue.events()
    last(venue, 19_100)
    assert venue.fills() == [(order, 20_010, 100, "taker")]


# -- candles: the range is 90 to 110 and the close 100, all orders stood when it opened


@pytest.mark.parametrize(
    ("side", "kind", "trigger", "through", "touch"),
    [
        (Side.SELL, STOP, 95, 90, 95),
        (Side.BUY, STOP, 105, 110, 105),
        (Side.SELL, TAKE_PROFIT, 105, 100, 105),
        (Side.BUY, TAKE_PROFIT, 95, 100, 95),
        # The open before was 100; a trigger that the range lies beyond was jumped over: nothing traded there.
        (Side.SELL, STOP, 120, 90, 110),
        (Side.SELL, TAKE_PROFIT, 80, 90, 90),
    ],
    ids=["stop sell", "stop buy", "take profit sell", "take profit buy", "gap", "gap up"],
)
@pytest.mark.parametrize("model", ["through", "touch", "queue"])
def test_in_a_candle_a_trigger_trades_on_the_pessimistic_side(
    model: str, side: Side, kind: TriggerKind, trigger: int, through: int, touch: int
) -> None:
    venue = Venue(model=model, has_book=False, xbt=10**15)
    order = waits(venue, side, 100, trigger, kind=kind)
    venue.events()
    venue.market.candle(10, 90, 110, 100)
    assert venue.fills() == [(order, touch if model == "touch" else through, 100, "taker")]


def test_a_trigger_that_a_candle_jumps_over_at_its_open_trades_at_the_open() -> None:
    venue = Venue(model="through", has_book=False, xbt=10**15)
    order = waits(venue, Side.SELL, 100, 95)
    venue.market.open(92)
    assert venue.fills() == [(order, 92, 100, "taker")]


def test_a_stop_limit_that_a_candle_leaves_behind_rests_and_meets_its_close() -> None:
    venue = Venue(model="through", has_book=False, xbt=10**15)
    order = waits(venue, Side.SELL, 100, 95, 94)
    venue.market.candle(10, 90, 110, 100)
    # At the low, 90, a sell at 94 does not trade; the close at 100 is beyond it.
    assert venue.fills() == [(order, 94, 100, "maker")]


def test_an_order_that_came_during_a_candle_is_triggered_by_its_close_alone() -> None:
    venue = Venue(model="through", has_book=False, xbt=10**15)
    low, close = waits(venue, Side.SELL, 100, 95), waits(venue, Side.SELL, 100, 101)
    venue.market.candle(0, 90, 110, 100)
    assert venue.fills() == []
    assert venue.order(low).status == "untriggered"
    venue.market.open(97)
    assert venue.fills() == [(close, 97, 100, "taker")]


def test_in_a_candle_a_stop_comes_before_what_rests() -> None:
    venue = Venue(model="through", has_book=False, xbt=10**15)
    venue.hold(100, 100)
    target, stop = venue.sell(100, 105, reduce_only=True), waits(venue, Side.SELL, 100, 95, reduce_only=True)
    venue.events()
    venue.market.candle(10, 90, 110, 100)
    assert venue.fills() == [(stop, 90, 100, "taker")]
    assert target not in venue.a.orders


# -- horizon


def test_the_horizon_holds_the_nearest_triggers() -> None:
    venue = Venue(XBTUSD)
    venue.market.marked(50.0, 50.0)
    waits(venue, Side.SELL, 100, 90)
    waits(venue, Side.SELL, 100, 95)
    waits(venue, Side.BUY, 100, 110)
    waits(venue, Side.SELL, 100, 80, by=MARK)
    waits(venue, Side.BUY, 100, 120, by=INDEX)
    horizon = venue.engine.horizon()[venue.instrument]
    assert horizon == Horizon(horizon.buy_touch, horizon.sell_touch, 95, 110, 80, 120)
    waits(venue, Side.SELL, 100, None, trail=-5)
    below, above = venue.engine.horizon()[venue.instrument][2:4]
    # To one that follows the price every print matters... but it needs one first.
    assert below > above


# -- the end of the day


def test_day_orders_go_at_the_end_of_the_day(venue: Venue) -> None:
    day, untriggered = (
        venue.buy(100, 98, tif=TimeInForce.DAY),
        waits(venue, Side.SELL, 100, 90, 91, tif=TimeInForce.DAY),
    )
    stays = venue.buy(100, 98)
    venue.events()
    venue.engine.end_day(86_400 * SECOND)
    reason = "the day of its time in force is over"
    assert venue.said() == [(day, "canceled", reason), (untriggered, "canceled", reason)]
    assert list(venue.a.orders) == [stays]


# -- icebergs


def display(venue: Venue, side: Side, units: int, ticks: int, shown: int) -> str:
    """Submit an order of which `shown` is shown."""
    venue.ts += 1
    request = OrderRequest(
        id=f"i{venue.ts}", instrument=venue.instrument, side=side, position_side=NET, type=OrderType.LIMIT,
        units=units, ticks=ticks, display_units=shown,
    )  # fmt: skip
    venue.engine.submit(venue.a, request, venue.ts)
    return request.id


def test_only_the_shown_part_of_an_iceberg_is_in_the_book(venue: Venue) -> None:
    display(venue, Side.BUY, 500, 100, 200)
    display(venue, Side.SELL, 500, 101, 0)
    assert venue.market.inside() == {(BID, 100): 200}
    assert venue.market.best_shown(BID) == 100
    assert (venue.market.best_shown(ASK), venue.market.best(ASK)) == (101, 101)


def test_a_part_that_is_shown_anew_stands_at_the_end_of_the_queue(venue: Venue) -> None:
    iceberg = display(venue, Side.BUY, 500, 100, 200)
    other = venue.buy(300, 100)
    venue.events()
    venue.sell(700, 100, account=venue.b)
    makers = [fill for fill in venue.fills() if fill[3] == "maker"]
    # 200 shown, the other's 300, then the next 200 of the iceberg; 100 are left of it.
    assert makers == [(iceberg, 100, 200, "maker"), (other, 100, 300, "maker"), (iceberg, 100, 200, "maker")]
    assert venue.market.inside() == {(BID, 100): 100}


def test_a_part_that_is_shown_anew_waits_for_the_outside_size_again(venue: Venue) -> None:
    iceberg = display(venue, Side.BUY, 500, 99, 100)
    # 500 outside stand before it, then 300 come behind it.
    venue.market.level(BID, 99, 800)
    venue.market.print(99, 600, -1)
    assert venue.fills() == [(iceberg, 99, 100, "maker")]
    # The next part stands behind those 300.
    assert venue.order(iceberg).ahead == 300
    venue.market.level(BID, 99, 300)
    venue.market.print(99, 300, -1)
    assert venue.fills() == []
    venue.market.print(99, 100, -1)
    assert venue.fills() == [(iceberg, 99, 100, "maker")]


def test_a_hidden_order_stands_behind_everything_shown_and_is_met_by_post_only(venue: Venue) -> None:
    hidden = display(venue, Side.SELL, 300, 100, 0)
    shown = venue.sell(200, 100)
    venue.events()
    refused = venue.buy(100, 100, post_only=True)
    assert venue.said()[-1] == (refused, "canceled", "post-only order would have taken liquidity")
    venue.buy(400, 100, account=venue.b)
    assert [fill for fill in venue.fills() if fill[3] == "maker"] == [
        (shown, 100, 200, "maker"),
        (hidden, 100, 200, "maker"),
    ]


@pytest.mark.parametrize("shown", [-100, 150, 600])
def test_a_display_quantity_is_in_whole_lots_up_to_the_quantity(venue: Venue, shown: int) -> None:
    order = display(venue, Side.BUY, 500, 98, shown)
    ((said, status, reason),) = venue.said()
    assert (said, status) == (order, "rejected")
    assert reason == f"display quantity {shown} is not in whole lots up to the quantity"
