"""Each cap just below, at and just beyond its limit; what reduces a position always goes."""

from decimal import Decimal
from typing import Any

import pytest

from hbkit.clock import MINUTE
from hbkit.model import Instrument, Side
from hbkit.trading.risk import QtyLimits, RiskGate, RiskLimits

# The instrument of conftest: one unit is one contract.
BUY, SELL = Side.BUY, Side.SELL


def refused(instrument: Instrument, side: Side, units: int, exposure: int, **limits: Any) -> str:
    return RiskGate(RiskLimits(**limits)).refusal(instrument, side, units, exposure, 0)


@pytest.mark.parametrize(
    ("side", "units", "exposure", "goes"),
    [
        (BUY, 99, 0, True),
        (BUY, 100, 0, True),
        (BUY, 101, 0, False),
        (SELL, 100, 0, True),
        (SELL, 101, 0, False),
        (BUY, 50, 50, True),
        (BUY, 51, 50, False),
        (SELL, 150, 50, True),  # through zero to -100
        (SELL, 151, 50, False),
        (SELL, 10, 500, True),  # beyond the cap already, and this reduces
        (BUY, 10, 500, False),
        (BUY, 10, -500, True),
        (SELL, 900, 500, False),  # -400 is nearer to zero than 500, but on a new side and beyond the cap
        (SELL, 1000, 500, False),
    ],
)
def test_max_position(instrument: Instrument, side: Side, units: int, exposure: int, goes: bool) -> None:
    reason = refused(instrument, side, units, exposure, max_position=Decimal(100))
    assert (reason == "") is goes
    if reason:
        after = exposure + units * side.sign
        assert reason == f"risk.max_position is 100, with this order ABC could reach {after}"


@pytest.mark.parametrize(("units", "goes"), [(99, True), (100, True), (101, False)])
def test_max_order_qty(instrument: Instrument, units: int, goes: bool) -> None:
    reason = refused(instrument, BUY, units, 0, max_order_qty=Decimal(100))
    assert reason == ("" if goes else "risk.max_order_qty is 100, this order is 101")


@pytest.mark.parametrize(
    ("own", "units", "reason"),
    [
        # The exchange's own caps stand in place of the run's, also where they are larger; the rest is the run's.
        (QtyLimits(Decimal(50)), 51, "exchanges.venue.risk.max_position is 50, with this order ABC could reach 51"),
        (QtyLimits(Decimal(500), Decimal(500)), 500, ""),
        (QtyLimits(Decimal(500)), 101, "risk.max_order_qty is 100, this order is 101"),
        (QtyLimits(max_order_qty=Decimal(7)), 8, "exchanges.venue.risk.max_order_qty is 7, this order is 8"),
        (QtyLimits(), 101, "risk.max_order_qty is 100, this order is 101"),
    ],
)
def test_an_exchange_may_have_caps_of_its_own(instrument: Instrument, own: QtyLimits, units: int, reason: str) -> None:
    limits: dict[str, Any] = {"max_position": Decimal(100), "max_order_qty": Decimal(100)}
    name = instrument.exchange
    told = refused(instrument, BUY, units, 0, **limits, exchanges={name: own, "other": QtyLimits(Decimal(1))})
    assert told == reason.replace("venue", name)


def test_max_orders_per_minute_counts_a_sliding_minute(instrument: Instrument) -> None:
    gate = RiskGate(RiskLimits(max_orders_per_minute=3))
    for ts in (0, 10, 20):
        assert gate.refusal(instrument, BUY, 1, 0, ts) == ""
        gate.sent(ts)
    assert gate.refusal(instrument, BUY, 1, 0, MINUTE - 1) == "risk.max_orders_per_minute is 3"
    assert gate.refusal(instrument, BUY, 1, 0, MINUTE) == ""  # the one of 0 is a minute old
    gate.sent(MINUTE)
    assert gate.refusal(instrument, BUY, 1, 0, MINUTE + 9) != ""
    assert gate.refusal(instrument, BUY, 1, 0, MINUTE + 10) == ""


def test_without_caps_everything_goes(instrument: Instrument) -> None:
    assert refused(instrument, BUY, 10**12, 10**12) == ""


def test_orders_in_flight_and_resting_count_as_filled(make_room: Any) -> None:
    room = make_room(latency=1_000, max_position=Decimal(100))
    assert room.bot.buy(60, 90).reason == ""
    assert room.bot.buy(50, 90).reason == "risk.max_position is 100, with this order ABC could reach 110"
    assert room.bot.sell(100, 110).reason == ""  # the other side is counted apart
    room.wait()
    assert room.bot.buy(50, 90).reason != ""
    assert room.bot.buy(40, 90).reason == ""


def test_a_position_beyond_the_cap_can_be_closed(make_room: Any) -> None:
    room = make_room(max_position=Decimal(100))
    room.bot.buy(100)
    room.wait()
    assert room.bot.buy(10, 90, reduce_only=False).reason != ""
    assert room.bot.sell(100).reason == ""
    room.wait()
    assert room.held == 0
