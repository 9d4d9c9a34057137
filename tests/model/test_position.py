"""Legs: adding, closing in proportion, going through zero, and switching between one-way and hedge."""

import math

import pytest

from hbkit.model import Leg, Legs, PositionMode, PositionSide
from tests.matching.flows import ETHUSD, XBT_USDT, XBTUSD, XBTUSDT

NET, LONG, SHORT = PositionSide.NET, PositionSide.LONG, PositionSide.SHORT


def leg_of(units: int, cost: int) -> Leg:
    leg = Leg(XBTUSD)
    leg.apply(units, cost)
    return leg


def test_adding_adds_the_cost_and_realizes_nothing() -> None:
    leg = leg_of(10_000, -20_000_000)
    assert leg.apply(10_000, -40_000_000) == 0
    assert (leg.units, leg.cost) == (20_000, -60_000_000)


def test_partial_close_takes_its_share_of_the_cost_out() -> None:
    leg = leg_of(10_000, -20_000_000)
    # 2500 of 10000 take -5,000,000 out; sold at 52000 (25 lots of 192308) they bring 4,807,700.
    assert leg.apply(-2500, 4_807_700) == 5_000_000 - 4_807_700
    assert (leg.units, leg.cost) == (7500, -15_000_000)


@pytest.mark.parametrize(("cost", "taken_out"), [(-1001, -501), (1001, 501)])
def test_share_of_the_cost_is_rounded_away_from_zero(cost: int, taken_out: int) -> None:
    # Half of 1001 is 500.5.
    leg = leg_of(200, cost)
    assert leg.apply(-100, 0) == -taken_out
    assert leg.cost == cost - taken_out


def test_fill_through_zero_closes_then_opens_at_the_same_price() -> None:
    leg = leg_of(1000, -2_000_000)
    # 3000 sold at 52000 bring 30 * 192308 = 5,769,240: a third closes, the rest opens the short.
    assert leg.apply(-3000, 5_769_240) == 2_000_000 - 1_923_080
    assert (leg.units, leg.cost) == (-2000, 3_846_160)
    assert leg.entry_price == pytest.approx(52_000, rel=1e-5)


def test_full_close_leaves_nothing() -> None:
    leg = leg_of(-300, 931_111)
    assert leg.apply(300, -931_000) == -111
    assert (leg.units, leg.cost, leg.realized) == (0, 0, -111)
    assert math.isnan(leg.entry_price)


def test_cost_of_executions_is_cost_held_less_what_was_realized() -> None:
    """The identity that conserves money, whatever was rounded."""
    leg, paid = Leg(XBTUSD), 0
    for units, cost in [(700, -2_174_893), (-300, 931_111), (-700, 2_175_001), (100, -310_699), (200, -621_398)]:
        leg.apply(units, cost)
        paid += cost
        assert paid == leg.cost - leg.realized


@pytest.mark.parametrize(
    ("units", "price", "profit"),
    [
        (10_000, 52_000.0, 769_200),
        (-10_000, 52_000.0, -769_200),
        (10_000, 50_000.0, 0),
        (0, 50_000.0, 0),
    ],
)
def test_unrealized_is_cost_at_the_mark_less_cost(units: int, price: float, profit: int) -> None:
    leg = Leg(XBTUSD)
    if units:
        leg.apply(units, XBTUSD.signed_cost(units, 50_000.0))
    assert leg.unrealized(price) == profit


# -- Legs


def test_legs_come_in_the_order_of_first_touch() -> None:
    legs = Legs()
    legs.get(XBTUSDT)
    legs.get(XBTUSD, LONG).apply(100, -200_000)
    assert [(side, leg.instrument.symbol, leg.units) for side, leg in legs] == [
        (NET, "XBTUSDT", 0),
        (LONG, "XBTUSD", 100),
    ]


@pytest.mark.parametrize(("units", "side"), [(100, LONG), (-100, SHORT)])
def test_to_hedge_a_position_becomes_the_leg_of_its_sign(units: int, side: PositionSide) -> None:
    legs = Legs()
    legs.get(XBTUSD).apply(units, -2000 * units)
    assert legs.rekey(PositionMode.HEDGE) == {}
    assert [(where, leg.units, leg.cost) for where, leg in legs] == [(side, units, -2000 * units)]


def test_back_to_one_way_the_smaller_leg_closes_against_the_larger() -> None:
    legs = Legs()
    legs.get(XBTUSD, LONG).apply(100, -200_000)
    legs.get(XBTUSD, SHORT).apply(-300, 576_924)
    # 100 of the 300 close at 192308: 200000 - 192308 realized, 200 at 192308 stay short.
    assert legs.rekey(PositionMode.ONE_WAY) == {XBTUSD: 7692}
    assert [(where, leg.units, leg.cost) for where, leg in legs] == [(NET, -200, 384_616)]


def test_equal_legs_net_to_nothing() -> None:
    legs = Legs()
    legs.get(XBTUSD, LONG).apply(100, -200_000)
    legs.get(XBTUSD, SHORT).apply(-100, 192_308)
    assert legs.rekey(PositionMode.ONE_WAY) == {XBTUSD: 7692}
    assert [leg.units for _, leg in legs] == [0]


@pytest.mark.parametrize("instrument", [XBT_USDT, ETHUSD], ids=["spot", "no-hedge-mode"])
def test_what_knows_no_hedge_mode_stays_one_way(instrument: object) -> None:
    legs = Legs()
    legs.get(instrument).apply(100, 6000)  # type: ignore[arg-type]
    legs.rekey(PositionMode.HEDGE)
    assert [(where, leg.units) for where, leg in legs] == [(NET, 100)]


@pytest.mark.parametrize(
    ("mode", "side"), [(PositionMode.ONE_WAY, NET), (PositionMode.HEDGE, LONG), (PositionMode.HEDGE, SHORT)]
)
def test_following_the_mode_in_force_changes_nothing(mode: PositionMode, side: PositionSide) -> None:
    legs = Legs()
    legs.get(XBTUSD, side).apply(100 if side is not SHORT else -100, -200_000)
    assert not any(legs.rekey(mode).values())
    assert [(where, abs(leg.units)) for where, leg in legs if leg.units] == [(side, 100)]


def test_netting_keeps_what_the_legs_had_realized() -> None:
    legs = Legs()
    legs.get(XBTUSD, LONG).apply(200, -400_000)
    legs.get(XBTUSD, LONG).apply(-100, 190_000)
    legs.get(XBTUSD, SHORT).apply(-200, 384_616)
    # 200000 - 190000 of the long before; then 100 long at 200000 close against 100 short at 192308.
    assert legs.rekey(PositionMode.ONE_WAY) == {XBTUSD: 7692}
    assert legs.get(XBTUSD).realized == 10_000 + 7692
