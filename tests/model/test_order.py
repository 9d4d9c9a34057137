"""The state machine of an order, and what strategies see of one."""

import pytest

from hbkit.model import Order, OrderStatus, PositionSide, Side
from hbkit.model.order import TRANSITIONS, can_move
from tests.matching.flows import XBTUSD

FINAL = [OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.REJECTED, OrderStatus.EXPIRED]
OPEN = [OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED]


@pytest.mark.parametrize("status", FINAL)
def test_a_done_order_stays_as_it_is(status: OrderStatus) -> None:
    assert status.is_final
    assert not any(can_move(status, other) for other in OrderStatus)


@pytest.mark.parametrize("status", [OrderStatus.PENDING, OrderStatus.UNKNOWN])
def test_evidence_of_any_kind_settles_a_doubt(status: OrderStatus) -> None:
    assert not status.is_final
    assert all(can_move(status, other) for other in [*OPEN, *FINAL, OrderStatus.NEVER_ARRIVED])
    assert not can_move(status, OrderStatus.PENDING)


def test_an_order_that_was_seen_never_becomes_doubtful_again() -> None:
    for status in OPEN:
        assert not can_move(status, OrderStatus.UNKNOWN)
        assert not can_move(status, OrderStatus.NEVER_ARRIVED)


def test_a_partial_fill_is_not_undone() -> None:
    assert not can_move(OrderStatus.PARTIALLY_FILLED, OrderStatus.OPEN)


def test_an_order_written_off_may_still_turn_up() -> None:
    assert OrderStatus.NEVER_ARRIVED.is_final
    assert can_move(OrderStatus.NEVER_ARRIVED, OrderStatus.FILLED)
    assert not can_move(OrderStatus.NEVER_ARRIVED, OrderStatus.REJECTED)


def test_no_status_moves_to_itself() -> None:
    assert not any(status in moves for status, moves in TRANSITIONS.items())


@pytest.mark.parametrize(
    ("status", "is_open"), [(OrderStatus.OPEN, True), (OrderStatus.UNKNOWN, True), (OrderStatus.FILLED, False)]
)
def test_what_a_strategy_sees(status: OrderStatus, is_open: bool) -> None:
    order = Order("o1", "x1", XBTUSD, Side.BUY, PositionSide.NET, 300.0, 100.0, 50_000.0, status, "", "tag")
    assert order.remaining == 200.0
    assert order.is_open is is_open
