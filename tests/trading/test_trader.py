"""From what a strategy wants to requests: rounding, refusals, targets and quotes, with the exchange answering late."""

import math
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hbkit.errors import StrategyError
from hbkit.model import Execution, Liquidity, Order, OrderReport, OrderStatus, PositionMode, PositionSide, Side

LATENCY = 1_000
Rooms = Callable[..., Any]


# -- rounding


@pytest.mark.parametrize(
    ("side", "price", "sent"),
    [
        ("buy", 99.7, 99.5),
        ("sell", 101.2, 101.5),
        ("buy", 99.5, 99.5),
        ("sell", 101.5, 101.5),
        ("buy", 99.50000000000001, 99.5),
        ("buy", 99.49999999999999, 99.5),  # float noise, not an intention to bid 99.0
        ("sell", 101.50000000000001, 101.5),
        ("buy", "99.9", 99.5),
        ("buy", Decimal("99.9999"), 99.5),
        ("buy", 99, 99.0),
    ],
)
def test_a_price_goes_to_the_tick_passively(room: Any, side: str, price: Any, sent: float) -> None:
    order = getattr(room.bot, side)(10, price)
    assert order.price == sent
    room.wait()
    assert room.resting() == [(side, sent, 10)]


def test_the_noise_of_a_tenth_is_no_price_of_its_own(make_room: Rooms, instrument: Any) -> None:
    from dataclasses import replace

    room = make_room(market=replace(instrument, tick_size=Decimal("0.1")))
    assert room.bot.sell(10, 88094.20000000001).price == 88094.2  # not one tick up, 88094.3
    assert room.bot.buy(10, 88.09999999999999).price == 88.1  # not one tick down, 88.0


@pytest.mark.parametrize(
    ("qty", "sent"),
    [(19, 10), (29.999999999, 30), (25.5, 20), ("30", 30), (Decimal("39.9"), 30), (10, 10)],
)
def test_a_quantity_goes_down_to_whole_lots(room: Any, qty: Any, sent: float) -> None:
    assert room.bot.buy(qty, 90).qty == sent


@pytest.mark.parametrize(
    ("qty", "price", "reason"),
    [
        (9, 90, "quantity 9 is below one lot of 10"),
        (0.001, None, "quantity 0.001 is below one lot of 10"),
        (10, 0.3, "price 0.3 is below one tick"),
    ],
)
def test_what_rounds_to_nothing_is_rejected_and_told_later(room: Any, qty: Any, price: Any, reason: str) -> None:
    order = room.bot.buy(qty, price)
    assert (order.status, order.reason) == (OrderStatus.REJECTED, reason)
    assert room.bot.heard == []  # not from inside the call
    room.wait()
    assert [(one.id, one.status) for one in room.bot.heard] == [(order.id, OrderStatus.REJECTED)]
    assert room.exchange.asked == []
    assert room.trader.refused == 1


@pytest.mark.parametrize("qty", [0, -10, math.nan, math.inf, -math.inf, "many", "", None], ids=repr)
def test_a_quantity_that_means_nothing_raises_and_names_the_call(room: Any, qty: Any) -> None:
    with pytest.raises(StrategyError, match=r"^error\[HB411\] sell\(.*\) of ABC: .*quantity"):
        room.bot.sell(qty, 100)
    assert room.intents() == []


@pytest.mark.parametrize("price", [0, -5, math.nan, math.inf, "cheap"], ids=repr)
def test_a_price_that_means_nothing_raises_and_names_the_call(room: Any, price: Any) -> None:
    with pytest.raises(StrategyError, match=r"^error\[HB410\] buy of ABC at .*: .*price"):
        room.bot.buy(10, price)
    with pytest.raises(StrategyError, match=r"target_position of ABC at .*price"):
        room.bot.target_position(0, price)
    assert room.intents() == []


@pytest.mark.parametrize("qty", [math.nan, math.inf, "many", None], ids=repr)
def test_a_target_that_means_nothing_raises_and_names_the_call(room: Any, qty: Any) -> None:
    with pytest.raises(StrategyError, match=r"target_position\(.*\) of ABC.*finite"):
        room.bot.target_position(qty)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"post_only": True}, "post_only does not go with a market order"),
        ({"post_only": True, "price": 90, "time_in_force": "ioc"}, "post_only does not go with time_in_force ioc"),
    ],
)
def test_options_that_contradict_each_other_are_rejected(room: Any, options: dict[str, Any], reason: str) -> None:
    assert room.bot.buy(10, **options).reason == reason
    assert room.exchange.asked == []


@pytest.mark.parametrize(
    ("option", "known"),
    [({"time_in_force": "gtd"}, "gtc, ioc, fok, day"), ({"position_side": "up"}, "net, long, short")],
)
def test_a_misspelt_option_raises_with_what_is_known(room: Any, option: dict[str, Any], known: str) -> None:
    with pytest.raises(StrategyError, match=known):
        room.bot.buy(10, 90, **option)


def test_a_veto_refuses_with_its_reason(room: Any) -> None:
    room.vetoes.append("not on a Friday")
    order = room.bot.buy(10, 90)
    assert (order.status, order.reason) == (OrderStatus.REJECTED, "not on a Friday")
    assert room.exchange.asked == []


# -- journal first


def test_the_intent_is_in_the_journal_before_the_exchange_is_asked(room: Any) -> None:
    order = room.bot.buy(10, 90)
    room.wait()
    room.bot.amend(order, price=91)
    room.wait()
    room.bot.cancel(order)
    # The last number counts the rows of the journal at the moment of the request: its own is among them.
    assert room.exchange.asked == [("submit", order.id, 1), ("amend", order.id, 2), ("cancel", order.id, 3)]
    assert [row[2:4] for row in room.intents()] == [("submit", order.id), ("amend", order.id), ("cancel", order.id)]


def test_an_order_whose_intent_cannot_be_written_is_neither_sent_nor_tracked(room: Any) -> None:
    class Full(Exception):
        pass

    def full(*row: Any) -> None:
        raise Full

    room.journal.intent = full
    with pytest.raises(Full):
        room.bot.buy(10, 90)
    assert room.exchange.asked == []
    assert room.bot.orders == []
    del room.journal.intent


# -- amend and cancel


def test_amend_and_cancel_of_an_ended_order_are_harmless(room: Any) -> None:
    order = room.bot.buy(10)
    room.wait()
    assert room.bot.filled[0].qty == 10
    room.bot.cancel(order)
    room.bot.amend(order, price=95, qty=20)
    room.bot.cancel("never-heard-of")
    room.wait()
    assert room.kinds() == ["submit"]


def test_a_second_cancel_is_not_sent_while_the_first_is_on_its_way(make_room: Rooms) -> None:
    room = make_room(latency=LATENCY)
    order = room.bot.buy(10, 90)
    room.wait()
    room.bot.cancel(order)
    room.bot.cancel(order)
    room.bot.amend(order, price=91)  # it is going away
    room.wait()
    assert room.kinds() == ["submit", "cancel"]
    assert room.resting() == []


def test_amends_on_their_way_add_up_instead_of_undoing_each_other(make_room: Rooms) -> None:
    room = make_room(latency=LATENCY)
    order = room.bot.buy(10, 90)
    room.wait()
    room.bot.amend(order, qty=30)
    room.bot.amend(order, price=91)  # not back to 10
    room.wait()
    assert room.resting() == [("buy", 91, 30)]
    room.bot.amend(order, price=92)
    room.bot.amend(order, price=91)  # back to where it stands, while 92 is on its way
    room.wait()
    assert room.resting() == [("buy", 91, 30)]


def test_an_amend_beyond_a_cap_is_not_sent_and_told_later(make_room: Rooms) -> None:
    room = make_room(max_position=Decimal(50), max_order_qty=Decimal(40))
    order = room.bot.buy(40, 90)
    room.wait()
    room.bot.heard.clear()
    room.bot.amend(order, qty=50)
    assert room.bot.heard == []
    room.wait()
    assert [(one.status, one.reason) for one in room.bot.heard] == [
        (OrderStatus.OPEN, "risk.max_order_qty is 40, this order is 50")
    ]
    assert room.kinds() == ["submit"]
    assert room.resting() == [("buy", 90, 40)]


def test_an_amend_upwards_counts_as_exposure_before_it_is_answered(make_room: Rooms) -> None:
    room = make_room(latency=LATENCY, max_position=Decimal(50))
    order = room.bot.buy(10, 90)
    room.wait()
    room.bot.amend(order, qty=40)
    # 40 may stand by then, so 10 more are the last that may go.
    assert room.bot.buy(20, 90).reason == "risk.max_position is 50, with this order ABC could reach 60"
    assert room.bot.buy(10, 90).status is OrderStatus.PENDING


def test_a_market_order_has_no_price_to_amend(make_room: Rooms) -> None:
    room = make_room(latency=LATENCY)
    order = room.bot.buy(10)
    with pytest.raises(StrategyError, match="a market order has no price to change"):
        room.bot.amend(order, price=99)


@pytest.mark.parametrize("side", [Side.BUY, "buy", "BUY"])
def test_cancel_all_of_one_side_leaves_the_other(room: Any, side: Any) -> None:
    room.bot.buy(10, 90)
    room.bot.sell(10, 110)
    room.wait()
    room.bot.cancel_all(side=side)
    room.wait()
    assert room.resting() == [("sell", 110, 10)]
    with pytest.raises(StrategyError, match='side is "up"'):
        room.bot.cancel_all(side="up")


# -- targets


def test_a_target_is_reached_once_however_often_it_is_named(make_room: Rooms) -> None:
    room = make_room(latency=LATENCY)
    for _ in range(5):
        room.bot.target_position(50)  # in flight after the first
    room.wait()
    room.bot.target_position(50)
    room.wait()
    assert room.held == 50
    assert room.kinds() == ["submit"]


def test_targets_that_follow_each_other_in_flight_end_at_the_last(make_room: Rooms) -> None:
    room = make_room(latency=LATENCY)
    for target in (50, 0, -30, 20):
        room.bot.target_position(target)
    room.wait()
    assert room.held == 20


def test_a_target_beyond_zero_takes_two_orders_of_which_none_crosses(room: Any) -> None:
    room.bot.target_position(50)
    room.wait()
    closing, opening = room.bot.target_position(-30)
    assert [(one.side, one.qty) for one in (closing, opening)] == [(Side.SELL, 50), (Side.SELL, 30)]
    assert [row[12] for row in room.intents()[1:]] == ["reduce_only,target", "target"]
    room.wait()
    assert room.held == -30


def test_a_smaller_target_only_reduces(room: Any) -> None:
    room.bot.target_position(-50)
    room.wait()
    (order,) = room.bot.target_position(-20)
    assert (order.side, order.qty) == (Side.BUY, 30)
    assert room.intents()[-1][12] == "reduce_only,target"
    room.wait()
    assert room.held == -20


@pytest.mark.parametrize(("target", "reached"), [(57, 50), (-57, -50), ("33.3", 30)])
def test_a_target_goes_down_to_whole_lots(room: Any, target: Any, reached: float) -> None:
    room.bot.target_position(target)
    room.wait()
    assert room.held == reached


def test_a_resting_target_that_is_named_again_is_left_alone(make_room: Rooms) -> None:
    room = make_room(latency=LATENCY)
    for _ in range(3):
        room.bot.target_position(50, 99)
        room.wait(100)
    room.wait()
    room.bot.target_position(50, 99)
    room.wait()
    assert room.resting() == [("buy", 99, 50)]
    assert room.kinds() == ["submit"]


def test_a_resting_target_moves_to_another_price(make_room: Rooms) -> None:
    room = make_room(latency=LATENCY)
    room.bot.target_position(50, 99)
    room.wait()
    room.bot.target_position(50, 98)
    room.wait()
    assert room.resting() == [("buy", 98, 50)]


def test_an_old_resting_target_that_fills_while_its_cancel_travels_is_not_bought_twice(make_room: Rooms) -> None:
    room = make_room(latency=LATENCY)
    room.bot.target_position(50, 99)
    room.wait()
    room.bot.target_position(50)  # at the market now; the order at 99 has to go first
    room.trade(98.5, 1e5, -1)  # and fills before its cancel arrives
    room.wait()
    assert room.held == 50


def test_a_new_target_goes_on_by_itself_once_the_old_order_is_gone(make_room: Rooms) -> None:
    room = make_room(latency=LATENCY)
    room.bot.target_position(50, 99)
    room.wait()
    room.bot.target_position(30)
    room.wait()
    assert room.held == 30
    assert room.resting() == []
    assert room.kinds() == ["submit", "cancel", "submit"]


def test_a_target_that_waits_is_forgotten_when_everything_is_cancelled(make_room: Rooms) -> None:
    room = make_room(latency=LATENCY)
    room.bot.target_position(50, 99)
    room.wait()
    room.bot.target_position(30)
    room.bot.cancel_all()
    room.wait()
    assert room.held == 0
    assert room.bot.orders == []


def test_close_position_takes_away_what_is_held_and_what_rests_for_it(make_room: Rooms) -> None:
    room = make_room(latency=LATENCY)
    room.bot.buy(30)
    room.wait()
    room.bot.target_position(80, 99)
    room.wait()
    order = room.bot.close_position()
    assert (order.side, order.qty) == (Side.SELL, 30)
    room.wait()
    assert room.held == 0
    assert room.resting() == []
    assert room.bot.close_position() is None


def test_an_odd_rest_of_a_position_is_closed_whole(make_room: Rooms, instrument: Any) -> None:
    room = make_room(latency=LATENCY)
    # 13 contracts of a time when the lot was 1: they stand in both books.
    for leg in (room.account.leg(instrument, PositionSide.NET), room.trader.ledger.legs.get(instrument)):
        leg.apply(13, 13 * 10_000)
    order = room.bot.close_position()
    assert (order.side, order.qty) == (Side.SELL, 13)
    room.wait()
    assert room.held == 0


def test_a_fill_that_was_reported_but_not_yet_executed_counts_as_held(room: Any) -> None:
    room.bot.target_position(50)
    request = next(iter(room.trader.tracker.open.values())).request
    room.trader.on_report(
        OrderReport(
            2,
            request.id,
            "x",
            request.instrument,
            request.side,
            request.position_side,
            OrderStatus.FILLED,
            50,
            50,
            None,
        )
    )
    assert room.bot.target_position(50) == []  # the order is final, its execution is still on its way
    room.trader.on_execution(
        Execution(
            2, "e", request.id, request.instrument, request.side, request.position_side, 100.5, 50, 502_500, 0,
            Liquidity.TAKER,
        )
    )  # fmt: skip
    assert room.held == 50
    assert room.bot.target_position(50) == []


def test_an_unknown_order_counts_as_filled(make_room: Rooms) -> None:
    room = make_room(latency=LATENCY, max_position=Decimal(60))
    order = room.bot.buy(50, 90)
    request = room.trader.tracker.open[order.id].request
    room.trader.on_report(
        OrderReport(
            2, order.id, "", request.instrument, request.side, request.position_side, OrderStatus.UNKNOWN, 50, 0, 180
        )
    )
    assert room.bot.orders[0].status is OrderStatus.UNKNOWN
    assert room.bot.target_position(50) == []
    assert "max_position" in room.bot.buy(20, 90).reason
    assert room.bot.buy(10, 90).status is OrderStatus.PENDING


# -- hedge mode


@pytest.mark.parametrize(
    "call",
    [
        lambda bot: bot.buy(10),
        lambda bot: bot.target_position(10),
        lambda bot: bot.close_position(),
        lambda bot: bot.quote(bids=[(90, 10)]),
    ],
    ids=["buy", "target_position", "close_position", "quote"],
)
def test_hedge_mode_wants_a_leg(make_room: Rooms, call: Callable[[Any], object]) -> None:
    room = make_room(mode=PositionMode.HEDGE)
    with pytest.raises(StrategyError, match='say position_side="long" or position_side="short"'):
        call(room.bot)
    with pytest.raises(StrategyError, match=r"read self.long and self.short"):
        _ = room.bot.position


def test_one_way_mode_wants_none(room: Any) -> None:
    with pytest.raises(StrategyError, match="leave position_side out, got long"):
        room.bot.buy(10, position_side="long")


def test_both_legs_stand_beside_each_other(make_room: Rooms) -> None:
    room = make_room(mode=PositionMode.HEDGE, latency=LATENCY)
    room.bot.target_position(50, position_side="long")
    room.bot.target_position(-20, position_side=PositionSide.SHORT)
    room.wait()
    assert (room.bot.long.qty, room.bot.short.qty) == (50, -20)
    room.bot.close_position(position_side="long")
    room.wait()
    assert (room.bot.long.qty, room.bot.short.qty) == (0, -20)
    with pytest.raises(StrategyError, match="the short leg of ABC cannot have that sign"):
        room.bot.target_position(20, position_side="short")


# -- quotes


def test_a_quote_that_stands_needs_no_request(room: Any) -> None:
    for _ in range(3):
        room.bot.quote(bids=[(99, 10), (98, 20)], asks=[(101, 10)])
        room.wait()
    assert room.kinds() == ["submit"] * 3


def test_a_moved_quote_is_one_amend(room: Any) -> None:
    room.bot.quote(bids=[(99, 10), (98, 20)], asks=[(101, 10)])
    room.wait()
    room.bot.quote(bids=[(99, 10), (97, 20)], asks=[(101, 10)])
    room.wait()
    assert room.kinds()[3:] == ["amend"]
    assert room.resting() == [("buy", 97, 20), ("buy", 99, 10), ("sell", 101, 10)]


def test_levels_that_trade_places_in_part_keep_the_order_that_fits(room: Any) -> None:
    room.bot.quote(bids=[(99, 10), (98, 10)])
    room.wait()
    room.bot.quote(bids=[(98, 10), (97, 10)])
    room.wait()
    assert room.kinds()[2:] == ["amend"]  # 99 to 97; 98 keeps its place in the queue


def test_a_level_less_is_a_cancel_and_a_level_more_a_placement(room: Any) -> None:
    room.bot.quote(bids=[(99, 10), (98, 10)])
    room.wait()
    room.bot.quote(bids=[(98, 10)], asks=[(101, 10)])
    room.wait()
    assert room.kinds()[2:] == ["cancel", "submit"]
    assert room.resting() == [("buy", 98, 10), ("sell", 101, 10)]
    room.bot.quote()
    room.wait()
    assert room.resting() == []


def test_a_quote_in_part_filled_is_topped_up(room: Any) -> None:
    room.bot.quote(bids=[(100, 30)])
    room.wait()
    room.trade(100, 10, -1)
    assert room.held == 10
    room.bot.quote(bids=[(100, 30)])
    room.wait()
    assert room.resting() == [("buy", 100, 30)]


def test_quotes_in_flight_are_left_alone_and_go_on_when_answered(make_room: Rooms) -> None:
    room = make_room(latency=LATENCY)
    room.bot.quote(bids=[(99, 10)])
    for price in (98, 97, 96):
        room.bot.quote(bids=[(price, 10)])
    assert room.kinds() == ["submit"]
    room.wait()
    assert room.kinds() == ["submit", "amend"]  # straight to the last
    assert room.resting() == [("buy", 96, 10)]


def test_a_quote_that_fills_in_flight_is_not_placed_anew(make_room: Rooms) -> None:
    room = make_room(latency=LATENCY)
    room.bot.quote(bids=[(100, 10)])
    room.wait()
    room.bot.quote(bids=[(98, 10)])
    room.bot.quote(bids=[(97, 10)])
    room.trade(99.5, 1e5, -1)
    room.wait()
    assert room.held == 10
    assert room.resting() == []


def test_a_quote_that_took_no_place_is_tried_where_it_is_wanted_by_then(make_room: Rooms) -> None:
    room = make_room(latency=LATENCY)
    room.bot.quote(bids=[(101, 10)])  # post-only, and it would take
    room.bot.quote(bids=[(99, 10)])
    room.wait()
    assert room.resting() == [("buy", 99, 10)]


def test_quotes_respect_the_cap_in_silence(make_room: Rooms) -> None:
    room = make_room(max_position=Decimal(50))
    room.bot.buy(40)
    room.wait()
    room.bot.heard.clear()
    room.bot.quote(bids=[(99, 20)], asks=[(101, 20)])
    room.wait()
    assert room.resting() == [("sell", 101, 20)]  # 40 + 20 is beyond 50
    assert [one.status for one in room.bot.heard] == [OrderStatus.OPEN]
    assert room.trader.refused == 0


def test_a_quote_never_grows_beyond_the_cap_by_an_amend(make_room: Rooms) -> None:
    room = make_room(max_position=Decimal(50))
    room.bot.quote(bids=[(99, 50)])
    room.wait()
    room.bot.quote(bids=[(98, 60)])
    room.wait()
    assert room.resting() == []


@pytest.mark.parametrize(
    ("level", "reason"),
    [((99, 5), "below one lot"), ((0.2, 10), "below one tick"), ((99, 40), "max_order_qty")],
)
def test_a_quote_that_can_never_stand_is_told_once(make_room: Rooms, level: Any, reason: str) -> None:
    room = make_room(max_order_qty=Decimal(30))
    for _ in range(3):
        room.bot.quote(bids=[level])
        room.wait()
    assert [(one.status, reason in one.reason) for one in room.bot.heard] == [(OrderStatus.REJECTED, True)]


@pytest.mark.parametrize("asks", [[(101, 0)], [(math.nan, 10)], [(None, 10)]], ids=repr)
def test_a_quote_with_a_side_that_means_nothing_sends_neither(room: Any, asks: Any) -> None:
    with pytest.raises(StrategyError, match=r"^error.*quote"):
        room.bot.quote(bids=[(99, 10)], asks=asks)
    assert room.intents() == []


_folders = count()
_levels = st.lists(st.tuples(st.integers(180, 198), st.integers(1, 3)), max_size=3, unique_by=lambda level: level[0])
_steps = st.lists(st.tuples(_levels, _levels, st.integers(0, 2_500)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_steps, latency=st.sampled_from([0, 1, 1_000]))
def test_quotes_end_where_they_are_wanted_whatever_was_in_flight(
    make_room: Rooms, tmp_path: Path, steps: Any, latency: int
) -> None:
    room = make_room(latency=latency)
    bids = asks = []
    for below, above, pause in steps:
        # Bids from 90 to 99, offers as far above the market at 99.5 / 100.5.
        bids = [(ticks / 2, lots * 10) for ticks, lots in below]
        asks = [(200 - ticks / 2, lots * 10) for ticks, lots in above]
        room.bot.quote(bids, asks)
        room.wait(pause)
    room.wait(100_000)
    wanted = sorted([("buy", price, qty) for price, qty in bids] + [("sell", price, qty) for price, qty in asks])
    assert room.resting() == wanted
    assert sorted((one.side.value, one.price, one.remaining) for one in room.bot.orders) == wanted
    before = len(room.intents())
    room.bot.quote(bids, asks)
    assert len(room.intents()) == before


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    calls=st.lists(
        st.tuples(
            st.integers(-6, 6),
            st.sampled_from([None, 98.0, 99.0, 101.0, 102.0]),
            st.sampled_from([0, 300, 1_200]),
            st.sampled_from([None, 97.5, 102.5]),
        ),
        min_size=1,
        max_size=10,
    )
)
def test_a_position_never_goes_beyond_the_targets_that_were_named(make_room: Rooms, calls: Any) -> None:
    room = make_room(latency=LATENCY)
    low = high = 0
    for lots, price, pause, trade in calls:
        low, high = min(low, lots * 10), max(high, lots * 10)
        room.bot.target_position(lots * 10, price)
        room.wait(pause)
        if trade is not None:
            room.trade(trade, 1e5, -1 if trade < 100 else 1)
        assert low <= room.held <= high
    room.wait(100_000)
    assert low <= room.held <= high
    room.bot.target_position(20)
    room.wait(100_000)
    assert room.held == 20
    assert room.resting() == []


def test_an_order_can_be_placed_from_inside_on_order(room: Any) -> None:
    def answer(order: Order) -> None:
        room.bot.answer = None
        room.bot.buy(10, 90)

    room.bot.answer = answer
    room.bot.buy(5, 90)
    room.wait()
    assert room.resting() == [("buy", 90, 10)]


# -- the state file, and exchanges out of sight


def lock_state(room: Any) -> None:
    """Let every write fail, as it does on a disk that has become read-only."""
    room.journal._db.execute("PRAGMA query_only = 1")


def test_what_cannot_be_written_down_is_not_sent_and_what_reduces_still_goes_out(room: Any) -> None:
    standing = room.bot.buy(10, 90)
    room.wait()
    lock_state(room)
    refused = room.bot.buy(10, 91)
    room.bot.amend(standing.id, qty=20)
    room.wait()
    assert refused.status is OrderStatus.REJECTED
    assert "cannot write state" in refused.reason
    assert room.resting() == [("buy", 90, 10)]
    room.bot.cancel(standing.id)
    room.wait()
    assert room.resting() == []
    room.journal._db.execute("PRAGMA query_only = 0")
    assert room.bot.buy(10, 92).status is OrderStatus.PENDING


def test_nothing_opens_at_an_exchange_that_cannot_be_seen(room: Any) -> None:
    room.bot.buy(10, 90)
    room.wait()
    room.trader._blind = {"venue"}
    refused = room.bot.buy(10, 91)
    room.bot.quote(bids=[(89, 10)], asks=[(110, 10)])
    assert "out of reach" in refused.reason
    assert room.bot.sell(10, 110, reduce_only=True).status is OrderStatus.PENDING
    room.wait()
    assert ("buy", 91, 10) not in room.resting()
    assert not [one for one in room.resting() if one[1] == 89]
    room.bot.cancel_all()
    room.wait()
    assert room.resting() == []


def test_an_order_of_an_earlier_run_is_led_on_by_the_call_that_it_belongs_to(room: Any) -> None:
    room.bot.quote(bids=[(90, 10)], asks=[])
    room.wait()
    flags = room.intents()[0][12]
    assert flags == "post_only,quote"
    room.bot.quote(bids=[(91, 10)], asks=[])
    room.wait()
    assert room.kinds() == ["submit", "amend"]


# -- out of sight


def test_while_the_exchange_is_out_of_sight_nothing_grows_and_everything_may_shrink(room: Any) -> None:
    order = room.bot.buy(30, 99)
    room.wait()
    room.trader._blind = {"venue"}
    assert room.bot.buy(10, 99).reason == "venue is out of reach; nothing was sent"
    room.bot.amend(order, qty=40)
    room.wait()
    assert "out of reach" in room.bot.heard[-1].reason
    assert room.resting() == [("buy", 99.0, 30)]
    room.bot.amend(order, qty=20, price=98.5)
    room.wait()
    assert room.resting() == [("buy", 98.5, 20)]
    room.bot.cancel(order)
    room.wait()
    assert room.resting() == []
