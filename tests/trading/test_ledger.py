"""Books kept from executions alone: position, realized profit, fees, funding, worked out by hand."""

from itertools import permutations
from typing import Any

import msgspec
import pytest

from hbkit.model import Currency, Execution, ExecutionKind, Instrument, Liquidity, PositionMode, PositionSide, Side
from hbkit.trading.ledger import Ledger

NET = PositionSide.NET
USD = Currency("USD", 2)


def traded(instrument: Instrument, side: Side, units: int, price: float, fee: int = 0, leg: Any = NET) -> Execution:
    cost = side.sign * instrument.value(units, price)
    return Execution(0, "", "", instrument, side, leg, price, units, cost, fee, Liquidity.TAKER)


def test_a_round_trip_realizes_its_difference_and_fees_stand_apart(instrument: Instrument) -> None:
    ledger = Ledger()
    assert ledger.apply(traded(instrument, Side.BUY, 10, 100.0, fee=7)) == 0
    # 4 of 10 sold 5.00 higher: 20.00
    assert ledger.apply(traded(instrument, Side.SELL, 4, 105.0, fee=3)) == 20_00
    assert (ledger.realized[USD], ledger.fees[USD]) == (20_00, 10)
    # 6 left, bought at 100, worth 103: 18.00
    assert ledger.unrealized(lambda _: 103.0) == {USD: 18_00}
    assert ledger.unrealized(lambda _: None) == {}


def test_a_fill_through_zero_closes_and_opens(instrument: Instrument) -> None:
    ledger = Ledger()
    ledger.apply(traded(instrument, Side.BUY, 10, 100.0))
    assert ledger.apply(traded(instrument, Side.SELL, 15, 102.0)) == 20_00
    leg = ledger.legs.get(instrument)
    assert (leg.units, leg.entry_price) == (-5, 102.0)


def test_funding_moves_money_and_no_position(instrument: Instrument) -> None:
    ledger = Ledger()
    ledger.apply(traded(instrument, Side.BUY, 10, 100.0))
    paid = Execution(
        0, "", "", instrument, Side.BUY, NET, 100.0, 10, 0, 50, Liquidity.TAKER, kind=ExecutionKind.FUNDING
    )  # fmt: skip
    assert ledger.apply(paid) == 0
    assert (ledger.funding[USD], ledger.fees[USD], ledger.legs.get(instrument).units) == (-50, 0, 10)


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
def test_whatever_the_order_the_sum_is_the_same(instrument: Instrument, order: tuple[int, ...]) -> None:
    # Out 3 at 101, 4 at 103; in 5 at 99, 2 at 102: flat, and 303 + 412 - 495 - 204 = 16.00 earned.
    rows = [(Side.BUY, 5, 99.0), (Side.SELL, 3, 101.0), (Side.BUY, 2, 102.0), (Side.SELL, 4, 103.0)]
    ledger = Ledger()
    for at in order:
        ledger.apply(traded(instrument, *rows[at], fee=1))
    leg = ledger.legs.get(instrument)
    assert (leg.units, leg.cost, ledger.realized[USD], ledger.fees[USD]) == (0, 0, 16_00, 4)


def test_legs_are_kept_apart_until_the_mode_nets_them(instrument: Instrument) -> None:
    ledger = Ledger()
    ledger.apply(traded(instrument, Side.BUY, 3, 100.0, leg=PositionSide.LONG))
    ledger.apply(traded(instrument, Side.SELL, 2, 104.0, leg=PositionSide.SHORT))
    ledger.rekey(PositionMode.ONE_WAY)
    # 2 of the longs close against the shorts, 4.00 each
    assert (ledger.legs.get(instrument).units, ledger.realized[USD]) == (1, 8_00)


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
def test_a_late_execution_is_put_in_its_place(instrument: Instrument, order: tuple[int, ...]) -> None:
    # In 3 at 100, in 1 at 104 (4 at 101), out 2 at 103: 4.00 earned, 2 left at 101; in 2 at 107: 4 at 104.
    rows = [(Side.BUY, 3, 100.0), (Side.BUY, 1, 104.0), (Side.SELL, 2, 103.0), (Side.BUY, 2, 107.0)]
    ledger = Ledger()
    for at in order:
        ledger.apply(msgspec.structs.replace(traded(instrument, *rows[at], fee=1), ts=at, id=str(at)))
    leg = ledger.legs.get(instrument)
    assert (leg.units, leg.entry_price, leg.realized) == (4, 104.0, 4_00)
    assert (ledger.realized[USD], ledger.fees[USD]) == (4_00, 4)


def test_what_was_counted_before_a_beginning_is_not_undone_by_a_late_execution(instrument: Instrument) -> None:
    ledger = Ledger()
    ledger.apply(msgspec.structs.replace(traded(instrument, Side.BUY, 5, 100.0), ts=10))
    ledger.begin()
    ledger.apply(msgspec.structs.replace(traded(instrument, Side.SELL, 5, 101.0), ts=5))
    assert (ledger.legs.get(instrument).units, ledger.realized[USD]) == (0, 5_00)
