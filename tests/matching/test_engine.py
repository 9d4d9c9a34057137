"""What the engine does with requests: refusals, amends, cancels, reduce-only, hedge legs, horizon and funding."""

from dataclasses import replace
from decimal import Decimal

import pytest

from hbkit.matching import Horizon
from hbkit.model import Execution, ExecutionKind, PositionMode, TimeInForce
from tests.matching.flows import XBT_USDT, XBTUSD
from tests.matching.venue import ASK, BID, LONG, NET, SHORT, Venue

# -- arrival


def test_limit_order_rests_and_says_so(venue: Venue) -> None:
    order = venue.buy(100, 99)
    assert venue.said() == [(order, "open", "")]


def test_limit_order_takes_then_rests(venue: Venue) -> None:
    order = venue.buy(600, 101)
    assert venue.said() == [(order, "partially_filled", ""), (order, "partially_filled", "")]
    assert venue.order(order).leaves == 200


def test_market_order_ends_where_the_book_does(venue: Venue) -> None:
    order = venue.buy(1500)
    said = venue.said()
    assert said[-1] == (order, "canceled", "immediate order: the rest found nothing to trade with")
    assert venue.a.leg(venue.instrument, NET).units == 1000


def test_post_only_that_would_take_is_cancelled(venue: Venue) -> None:
    order = venue.buy(100, 101, post_only=True)
    assert venue.said() == [(order, "canceled", "post-only order would have taken liquidity")]


def test_post_only_between_the_touches_rests(venue: Venue) -> None:
    order = venue.buy(100, 100, post_only=True)
    assert venue.said() == [(order, "open", "")]


def test_post_only_amended_to_cross_is_cancelled(venue: Venue) -> None:
    order = venue.buy(100, 99, post_only=True)
    venue.events()
    venue.amend(order, ticks=101)
    assert venue.said() == [(order, "canceled", "post-only order would have taken liquidity")]


def test_immediate_or_cancel_takes_what_is_there(venue: Venue) -> None:
    order = venue.buy(500, 101, tif=TimeInForce.IOC)
    said = venue.said()
    assert [status for _, status, _ in said] == ["partially_filled", "canceled"]
    assert said[-1] == (order, "canceled", "immediate order: the rest found nothing to trade with")


def test_fill_or_kill_fills_whole(venue: Venue) -> None:
    order = venue.buy(1000, 102, tif=TimeInForce.FOK)
    assert venue.fills() == [(order, 101, 400, "taker"), (order, 102, 600, "taker")]


def test_fill_or_kill_that_cannot_fill_whole_fills_nothing(venue: Venue) -> None:
    order = venue.buy(1100, 102, tif=TimeInForce.FOK)
    assert venue.said() == [(order, "canceled", "fill-or-kill could not fill whole")]


def test_fill_or_kill_does_not_count_parts_of_a_lot(venue: Venue) -> None:
    venue.market.level(ASK, 101, 450)
    venue.market.level(ASK, 102, 650)
    # 450 + 650 = 1100 are offered, but only 400 + 600 in whole lots.
    order = venue.buy(1100, 102, tif=TimeInForce.FOK)
    assert venue.said() == [(order, "canceled", "fill-or-kill could not fill whole")]


# -- refusals


@pytest.mark.parametrize(
    ("units", "ticks", "reason"),
    [
        (150, 99, "quantity 150 is not a multiple of lot 100"),
        (0, 99, "quantity 0 is not a multiple of lot 100"),
        (2100, 99, "quantity 2100 is above the maximum 2000"),
        (100, 0, "a limit order needs a price above 0"),
        (100, 2_000_002, "price 1000001.0 is above the maximum 1000000"),
    ],
    ids=["off-lot", "nothing", "above-the-maximum", "no-price", "price-above-the-maximum"],
)
def test_an_order_off_the_rules_is_rejected(venue: Venue, units: int, ticks: int, reason: str) -> None:
    order = venue.buy(units, ticks)
    assert venue.said() == [(order, "rejected", reason)]


def test_id_of_an_open_order_is_rejected_and_leaves_the_first_alone(venue: Venue) -> None:
    venue.buy(100, 99, order_id="same")
    venue.events()
    venue.buy(200, 98, order_id="same")
    assert venue.said() == [("same", "rejected", "duplicate client order id")]
    assert venue.order("same").units == 100


def test_id_of_a_done_order_may_be_used_again(venue: Venue) -> None:
    venue.buy(100, 99, order_id="same")
    venue.cancel("same")
    venue.events()
    venue.buy(200, 98, order_id="same")
    assert venue.said() == [("same", "open", "")]


def test_late_cancel_is_told_what_became_of_the_order(venue: Venue) -> None:
    order = venue.buy(100, 101)
    venue.events()
    venue.cancel(order)
    (report,) = venue.events()
    assert not isinstance(report, Execution)
    assert (report.refused, report.reason) == ("cancel", "order is already filled")


def test_order_that_waited_pays_the_price_of_the_print() -> None:
    venue = Venue(XBT_USDT, has_book=False, usdt=60_060)
    order = venue.buy(100)  # before the first print nobody knows what it needs
    venue.events()
    # 100 satoshi at 60000 are 60,000 millionths, with the fee 60,060; at 60001 they are too dear.
    venue.market.print(600_010, 1000, 1)
    assert venue.said() == [(order, "canceled", "the next print is dearer than the account can pay")]
    venue.market.print(600_000, 1000, 1)
    order = venue.buy(100)
    venue.events()
    venue.market.print(600_000, 1000, 1)
    assert venue.fills() == [(order, 600_000, 100, "taker")]
    assert venue.a.cash["USDT"] == 0


# -- amend and cancel


def test_lower_quantity_keeps_the_place(venue: Venue) -> None:
    first, second = venue.buy(300, 100), venue.buy(100, 100)
    venue.amend(first, units=200)
    venue.events()
    venue.market.print(100, 200, -1)
    assert venue.fills() == [(first, 100, 200, "maker")]
    assert venue.order(second).filled == 0


def test_higher_quantity_loses_the_place(venue: Venue) -> None:
    first, second = venue.buy(100, 100), venue.buy(100, 100)
    venue.amend(first, units=200)
    venue.events()
    venue.market.print(100, 100, -1)
    assert venue.fills() == [(second, 100, 100, "maker")]


def test_new_price_loses_the_place(venue: Venue) -> None:
    order = venue.buy(100, 100)
    venue.amend(order, ticks=99)
    assert venue.order(order).ahead == 500


def test_amend_to_cross_trades_at_once(venue: Venue) -> None:
    order = venue.buy(100, 99)
    venue.amend(order, ticks=101)
    assert venue.fills() == [(order, 101, 100, "taker")]


@pytest.mark.parametrize(
    ("units", "reason"),
    [
        (200, "quantity must stay above the 200 that filled"),
        (350, "quantity 350 is not a multiple of lot 100"),
        (500, "nothing to change"),
    ],
)
def test_amend_off_the_rules_changes_nothing(venue: Venue, units: int, reason: str) -> None:
    order = venue.buy(500, 100)
    venue.market.print(100, 200, -1)
    venue.events()
    venue.amend(order, units=units)
    assert venue.said() == [(order, "partially_filled", reason)]
    assert venue.order(order).units == 500


def test_market_order_that_waits_takes_no_price() -> None:
    venue = Venue(has_book=False, xbt=10**15)
    order = venue.buy(100)
    venue.events()
    venue.amend(order, ticks=99)
    assert venue.said() == [(order, "open", "a market order has no price")]


def test_amend_that_needs_no_more_passes_on_an_account_without_free_money() -> None:
    venue = Venue(xbt=100_000)
    venue.hold(500, 64_371)
    venue.book({64_370: 100}, {64_372: 100})
    order = venue.buy(200, 64_370)
    venue.market.mark = 28_966.95  # ten percent under water: nothing is free
    assert venue.a.wallet("XBT").available == 0
    venue.events()
    venue.amend(order, units=100)
    assert venue.said() == [(order, "open", "")]


def test_cancel_takes_the_order_out_of_the_queue(venue: Venue) -> None:
    first, second = venue.buy(100, 100), venue.buy(100, 100)
    venue.cancel(first)
    venue.events()
    venue.market.print(100, 100, -1)
    assert venue.fills() == [(second, 100, 100, "maker")]


# -- reduce-only


def test_reduce_only_without_a_position_is_rejected(venue: Venue) -> None:
    order = venue.sell(100, 101, reduce_only=True)
    assert venue.said() == [(order, "rejected", "reduce-only sell but the position is 0")]


def test_reduce_only_is_cut_to_the_position(venue: Venue) -> None:
    venue.hold(200, 100)
    order = venue.sell(500, 103, reduce_only=True)
    assert venue.order(order).units == 200


def test_reduce_only_order_never_flips_the_position_by_an_amend(venue: Venue) -> None:
    venue.hold(200, 100)
    order = venue.sell(100, 103, reduce_only=True)
    venue.amend(order, ticks=99, units=400)
    assert venue.fills() == [(order, 99, 200, "taker")]
    assert venue.a.leg(venue.instrument, NET).units == 0


def test_least_aggressive_reduce_only_order_gives_way(venue: Venue) -> None:
    venue.hold(300, 100)
    near = venue.sell(200, 103, reduce_only=True)
    far = venue.sell(200, 104, reduce_only=True)
    # 300 to reduce: the nearer keeps its 200, the farther is cut to 100.
    assert venue.order(far).units == 100
    venue.sell(200, 99)
    # 100 left: the nearer is cut to 100, for the farther nothing is left.
    assert venue.order(near).units == 100
    assert far not in venue.a.orders
    assert (far, "canceled", "reduce-only order: nothing is left to reduce") in venue.said()


def test_reduce_only_market_buy_is_more_aggressive_than_resting_orders(venue: Venue) -> None:
    venue.hold(-600, 100)
    resting = venue.buy(600, 99, reduce_only=True)
    order = venue.buy(600, reduce_only=True)
    assert venue.fills() == [(order, 101, 400, "taker"), (order, 102, 200, "taker")]
    assert resting not in venue.a.orders


def test_older_reduce_only_order_of_a_price_keeps_its_quantity(venue: Venue) -> None:
    venue.hold(300, 100)
    older, younger = venue.sell(200, 103, reduce_only=True), venue.sell(200, 103, reduce_only=True)
    assert (venue.order(older).units, venue.order(younger).units) == (200, 100)


def test_order_of_the_whole_position_may_be_off_lot(venue: Venue) -> None:
    venue.hold(150, 100)
    order = venue.sell(150, 99, reduce_only=True)
    assert venue.fills() == [(order, 99, 150, "taker")]


def test_reduce_only_on_spot_pays_like_any_order() -> None:
    venue = Venue(XBT_USDT, xbt=100, usdt=10)
    venue.hold(-100, 600_000)  # sold all 100 satoshi of the account for 60000 millionths
    venue.a.cash["USDT"] = 10
    order = venue.buy(100, 600_000, reduce_only=True)
    # 100 satoshi at 60000 are 0.06 USDT, with a fee of a thousandth 0.06006.
    assert venue.said() == [(order, "rejected", "needs 0.060060 USDT, free 0.000010 USDT")]


# -- hedge mode


@pytest.fixture
def hedged() -> Venue:
    venue = Venue(xbt=10**15, mode=PositionMode.HEDGE)
    venue.book({99: 500, 98: 700}, {101: 400, 102: 600})
    return venue


def test_hedge_mode_needs_a_leg_and_one_way_mode_none(venue: Venue, hedged: Venue) -> None:
    order, other = hedged.buy(100, 99), venue.buy(100, 99, leg=LONG)
    assert hedged.said() == [(order, "rejected", "position side net does not fit the position mode hedge")]
    assert venue.said() == [(other, "rejected", "position side long does not fit the position mode one_way")]


def test_both_legs_stand_beside_each_other(hedged: Venue) -> None:
    hedged.buy(200, leg=LONG)
    hedged.sell(300, leg=SHORT)
    legs = {side: leg.units for side, leg in hedged.a.legs()}
    assert legs == {LONG: 200, SHORT: -300}


def test_closing_side_of_a_leg_never_crosses_zero(hedged: Venue) -> None:
    hedged.hold(200, 100, LONG)
    order = hedged.sell(500, leg=LONG)
    assert hedged.fills() == [(order, 99, 200, "taker")]
    assert hedged.a.leg(hedged.instrument, LONG).units == 0


def test_closing_side_of_an_empty_leg_is_rejected(hedged: Venue) -> None:
    order = hedged.buy(100, 99, leg=SHORT)
    assert hedged.said() == [(order, "rejected", "reduce-only buy but the position is 0")]


def test_reduce_only_on_the_opening_side_of_a_leg_is_rejected(hedged: Venue) -> None:
    hedged.hold(200, 100, LONG)
    order = hedged.buy(100, 99, leg=LONG, reduce_only=True)
    assert hedged.said() == [(order, "rejected", "reduce-only buy but the position is 200")]


def test_legs_of_one_account_may_trade_with_each_other(hedged: Venue) -> None:
    resting = hedged.sell(100, 100, leg=SHORT)
    taker = hedged.buy(100, 100, leg=LONG)
    assert hedged.fills() == [(taker, 100, 100, "taker"), (resting, 100, 100, "maker")]


# -- horizon


def test_horizon_is_the_nearest_resting_orders(venue: Venue) -> None:
    venue.buy(100, 98)
    venue.buy(100, 99)
    venue.sell(100, 105)
    assert venue.engine.horizon()[venue.instrument] == Horizon(99, 105)


def test_horizon_without_orders_is_endless(venue: Venue) -> None:
    low, high = venue.engine.horizon()[venue.instrument][:2]
    assert low < -(10**15)
    assert high > 10**15


def test_every_print_matters_while_an_order_waits_for_one() -> None:
    venue = Venue(has_book=False, xbt=10**15)
    venue.buy(100)
    low, high = venue.engine.horizon()[venue.instrument][:2]
    assert low > 10**15
    assert high < -(10**15)


# -- funding


@pytest.mark.parametrize(
    ("units", "rate", "paid"),
    [
        # 10000 at 50000 are 20,000,000 XBt, times 0.0001 are 2000.
        (10_000, 0.0001, 2000),
        (-10_000, 0.0001, -2000),
        (10_000, -0.0001, -2000),
        (-10_000, -0.0001, 2000),
        # 100 at 50000 are 200,000 XBt, times 0.000123 are 24.6: truncated, either way.
        (100, 0.000123, 24),
        (-100, 0.000123, -24),
    ],
)
def test_longs_pay_shorts_when_the_rate_is_positive(units: int, rate: float, paid: int) -> None:
    venue = Venue()
    venue.hold(units, 100_000)
    venue.market.mark = 50_000.0
    venue.engine.fund(venue.instrument, rate, 5)
    (execution,) = venue.events()
    assert isinstance(execution, Execution)
    assert (execution.kind, execution.fee, execution.units) == (ExecutionKind.FUNDING, paid, abs(units))
    assert venue.a.cash["XBT"] == 1_000_000_000 - paid
    assert venue.a.funding["XBT"] == -paid


def test_equal_legs_pay_and_receive_the_same(hedged: Venue) -> None:
    hedged.hold(10_000, 100_000, LONG)
    hedged.hold(-10_000, 100_000, SHORT)
    hedged.market.mark = 50_000.0
    hedged.engine.fund(hedged.instrument, 0.0001, 5)
    assert [event.fee for event in hedged.events() if isinstance(event, Execution)] == [2000, -2000]
    assert hedged.a.cash["XBT"] == 10**15


@pytest.mark.parametrize("rate", [0.0, 0.000_000_001])
def test_a_funding_that_moves_nothing_is_not_told(rate: float) -> None:
    venue = Venue()
    venue.hold(100, 100_000)
    venue.market.mark = 50_000.0
    venue.engine.fund(venue.instrument, rate, 5)
    assert venue.events() == []


# -- fees


def test_fees_are_truncated_toward_zero_and_a_rebate_is_received() -> None:
    instrument = replace(XBTUSD, symbol="FEES", taker_fee=Decimal("0.00075"), maker_fee=Decimal("-0.00025"))
    venue = Venue(instrument)
    venue.market.level(BID, 64_371, 1000)
    resting = venue.sell(100, 64_372)
    venue.buy(100, 64_372, account=venue.b)
    taker, maker = (event for event in venue.events() if isinstance(event, Execution))
    # 1e10 / 32186 = 310694.1, rounded 310694; times 0.00075 = 233.02, times -0.00025 = -77.67.
    assert (taker.cost, taker.fee) == (-310_694, 233)
    assert (maker.order_id, maker.cost, maker.fee) == (resting, 310_694, -77)
    assert venue.b.cash["XBT"] == 1_000_000_000 - 233
    assert venue.a.cash["XBT"] == 1_000_000_000 + 77


# -- taken over by the venue


def test_a_position_is_taken_over_at_the_price_that_the_venue_names(venue: Venue) -> None:
    venue.hold(300, 100)
    stays, closes = venue.buy(100, 98), venue.sell(300, 105, reduce_only=True)
    venue.events()
    execution = venue.engine.take_over(venue.a, venue.instrument, NET, 90, 50)
    assert execution is not None
    assert (execution.order_id, execution.kind, execution.side, execution.units) == ("", "liquidation", "sell", 300)
    # Lot of 100 at 45 USD: round(100 / 45 * 1e8) = 222222222 XBt, three lots 666666666; taker fee 0.00075.
    assert (execution.price, execution.cost, execution.fee) == (45.0, 666_666_666, 499_999)
    assert venue.a.leg(venue.instrument, NET).units == 0
    assert list(venue.a.orders) == [stays]
    assert [(event.id, event.status) for event in venue.events()[1:]] == [(closes, "canceled")]
    # The market never heard of it.
    assert venue.market.last is None
    assert venue.engine.take_over(venue.a, venue.instrument, NET, 90, 51) is None


def test_a_cancel_of_the_venue_says_why(venue: Venue) -> None:
    order = venue.buy(100, 98)
    venue.events()
    venue.engine.cancel(venue.a, order, 9, "Liquidation")
    assert venue.said() == [(order, "canceled", "Liquidation")]
