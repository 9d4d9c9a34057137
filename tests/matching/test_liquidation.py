"""Who is taken over and at which price, in the engine; the numbers are those of the BitMEX notes (10.12, 18.7.9)."""

from dataclasses import replace

import pytest

from hbkit.matching.liquidation import EngineTaker, Liquidator
from hbkit.model import Execution, ExecutionKind, Instrument, MarginMode
from tests.matching.flows import XBTUSD_TENTH
from tests.matching.venue import NET, Venue

NOTES = replace(XBTUSD_TENTH, symbol="NOTES", max_qty=None)


def liquidator(venue: Venue) -> Liquidator:
    return Liquidator(venue.engine, EngineTaker(venue.engine))


def taken(venue: Venue, instrument: Instrument, mark: float) -> list[Execution]:
    """What a test at this mark books."""
    venue.engine.out.clear()
    venue.engine.markets[instrument].mark = mark
    liquidator(venue).test(venue.a, instrument)
    return [event for event in venue.engine.out if isinstance(event, Execution)]


def test_isolated_long_goes_at_its_bankruptcy_price_and_costs_no_more_than_its_margin() -> None:
    venue = Venue(NOTES)
    venue.a.set_margin_mode(NOTES, MarginMode.ISOLATED)
    venue.a.set_leverage(NOTES, 10)
    venue.hold(10_000, 500_000)
    cash = venue.a.cash["XBT"]
    leg = venue.a.leg(NOTES, NET)
    # posInit 2,000,000, posComm 11,000, posMaint 0.005 * 20,000,000 + 11,000 (nobody knows the next funding here):
    # at 1e12 / (20,000,000 + 2,011,000 - 111,000) the margin is used up to the maintenance: 45662.1 upwards.
    assert venue.a.maintenance_needed(leg, NET) == 111_000
    assert (venue.a.bankruptcy_ticks(leg, NET), venue.a.liquidation_ticks(leg, NET)) == (454_546, 456_622)
    assert taken(venue, NOTES, 45_662.3) == []
    (execution,) = taken(venue, NOTES, 45_662.2)
    assert (execution.kind, execution.price, execution.order_id) == (ExecutionKind.LIQUIDATION, 45_454.6, "")
    assert cash - venue.a.cash["XBT"] == 2_011_000
    assert leg.units == 0


def test_cross_positions_lose_what_the_account_has_left_and_the_fund_pays_the_fees() -> None:
    venue = Venue(NOTES, xbt=1_000_000)
    venue.hold(10_000, 500_000)
    # 20,000,000 need 100,000 of 1,000,000. A lot at 47900 is 208768: a loss of 876,800. At 47800 it is 209205: a loss
    # of 920,500, and 79,500 are left. 1e12 / (20,920,500 + 79,500) is 47619.05, up to the tick 47619.1; a lot there is
    # 210000:
    # a loss of 1,000,000 and a fee of 10,500 on top of it.
    assert taken(venue, NOTES, 47_900) == []
    first, paid = taken(venue, NOTES, 47_800)
    assert (first.kind, first.price, first.fee) == (ExecutionKind.LIQUIDATION, 47_619.1, 10_500)
    assert (paid.kind, paid.fee) == (ExecutionKind.INSURANCE, -10_500)
    assert venue.a.cash["XBT"] == 0


def test_a_gap_beyond_bankruptcy_leaves_nothing_below_zero() -> None:
    venue = Venue(NOTES, xbt=1_000_000)
    venue.hold(10_000, 500_000)
    first, paid = taken(venue, NOTES, 30_000)
    # Nothing is left to lose: the position goes at the mark, and the fund makes good what that costs.
    assert first.price == 30_000
    assert venue.a.cash["XBT"] == 0
    assert paid.fee == -(first.fee + (33_333_300 - 20_000_000) - 1_000_000)


@pytest.mark.parametrize("leverage", [1, 2, 5, 10, 25, 100])
@pytest.mark.parametrize("units", [100, 1_000, 12_300, -100, -45_600])
def test_no_isolated_position_costs_more_than_what_stands_behind_it(units: int, leverage: int) -> None:
    venue = Venue(NOTES)
    venue.a.set_margin_mode(NOTES, MarginMode.ISOLATED)
    venue.a.set_leverage(NOTES, leverage)
    venue.hold(units, 500_000)
    cash, leg = venue.a.cash["XBT"], venue.a.leg(NOTES, NET)
    margin = venue.a.isolated_margin(leg, NET)
    assert margin is not None
    found = taken(venue, NOTES, 100.0 if units > 0 else 900_000.0)
    if venue.a.liquidation_ticks(leg, NET) is None and not found:
        return  # a short at 1x is worth nothing at no price at all
    # Half a minor unit a lot is what rounding lot by lot may add.
    assert cash - venue.a.cash["XBT"] <= margin.margin + abs(units) // 200 + 1
