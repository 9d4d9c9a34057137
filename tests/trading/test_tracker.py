"""Orders are moved by evidence alone: reports and executions in any order, repeated, late."""

from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hbkit.model import (
    Currency,
    Execution,
    Instrument,
    InstrumentKind,
    Liquidity,
    OrderReport,
    OrderRequest,
    OrderStatus,
    OrderType,
    PositionSide,
    Side,
)
from hbkit.model.enums import OrderStatus as S
from hbkit.trading.tracker import Ticket, Tracker

ABC = Instrument(
    "venue", "ABC", "ABC/USD:USD", InstrumentKind.LINEAR, "ABC", "USD", Currency("USD", 2), Decimal(1), Decimal(1),
    Decimal(1), Decimal(100), Decimal(0), Decimal(0),
)  # fmt: skip
XYZ = Instrument(
    "venue", "XYZ", "XYZ/USD:USD", InstrumentKind.LINEAR, "XYZ", "USD", Currency("USD", 2), Decimal(1), Decimal(1),
    Decimal(1), Decimal(100), Decimal(0), Decimal(0),
)  # fmt: skip


def tracked(units: int = 10, order_id: str = "a") -> tuple[Tracker, Ticket]:
    tracker = Tracker()
    request = OrderRequest(order_id, ABC, Side.BUY, PositionSide.NET, OrderType.LIMIT, units, 100)
    ticket = Ticket(request, "", "")
    tracker.add(ticket)
    return tracker, ticket


def report(
    status: OrderStatus, filled: int = 0, ts: int = 1, *, units: int = 10, ticks: int = 100, **more: Any
) -> OrderReport:
    return OrderReport(ts, "a", "x1", ABC, Side.BUY, PositionSide.NET, status, units, filled, ticks, **more)


def execution(number: int, units: int, instrument: Instrument = ABC) -> Execution:
    return Execution(
        1, f"e{number}", "a", instrument, Side.BUY, PositionSide.NET, 100.0, units, 0, 0, Liquidity.MAKER
    )  # fmt: skip


def apply(tracker: Tracker, *events: OrderReport | Execution) -> None:
    for event in events:
        if isinstance(event, OrderReport):
            tracker.report(event)
        else:
            tracker.execution(event)


LIVES: dict[str, list[OrderReport | Execution]] = {
    "filled in two": [
        report(S.OPEN, 0, 1), execution(1, 4), report(S.PARTIALLY_FILLED, 4, 2), execution(2, 6),
        report(S.FILLED, 10, 3),
    ],
    "cancelled in part": [
        report(S.OPEN, 0, 1), execution(1, 4), report(S.PARTIALLY_FILLED, 4, 2),
        report(S.CANCELED, 4, 3, reason="by the user"),
    ],
    "moved by the venue, then filled": [
        report(S.OPEN, 0, 1), report(S.OPEN, 0, 2, ticks=99), report(S.OPEN, 0, 3, ticks=98, units=6),
        execution(1, 6), report(S.FILLED, 6, 4, ticks=98, units=6),
    ],
    "unknown, then found": [
        report(S.UNKNOWN, 0, 1), report(S.OPEN, 0, 2), execution(1, 3), report(S.PARTIALLY_FILLED, 3, 3),
    ],
    "refused amend": [
        report(S.OPEN, 0, 1), report(S.OPEN, 0, 2, reason="no", refused="amend"), execution(1, 10),
        report(S.FILLED, 10, 3),
    ],
    "rejected": [report(S.REJECTED, 0, 1, reason="no money", refused="submit")],
}  # fmt: skip


def state(tracker: Tracker, ticket: Ticket) -> tuple[Any, ...]:
    return (
        ticket.status, ticket.ticks, ticket.units, ticket.done, ticket.filled, ticket.leaves, ticket.pending,
        ticket.exchange_id, ticket.request.id in tracker.open, tracker.unbooked(ABC, PositionSide.NET),
    )  # fmt: skip


@pytest.mark.parametrize("life", LIVES.values(), ids=LIVES.keys())
@given(data=st.data())
def test_any_order_and_any_repetition_ends_alike(life: list[Any], data: st.DataObject) -> None:
    tracker, ticket = tracked()
    apply(tracker, *life)
    other, late = tracked()
    again = data.draw(st.lists(st.sampled_from(life), max_size=5))
    apply(other, *data.draw(st.permutations([*life, *again])))
    assert state(other, late) == state(tracker, ticket)


@pytest.mark.parametrize("final", [S.FILLED, S.CANCELED, S.REJECTED, S.EXPIRED])
@pytest.mark.parametrize("late", [S.PENDING, S.OPEN, S.PARTIALLY_FILLED, S.UNKNOWN, S.CANCELED, S.NEVER_ARRIVED])
def test_a_final_status_stays(final: OrderStatus, late: OrderStatus) -> None:
    tracker, ticket = tracked()
    apply(tracker, report(final, 0, 1))
    assert tracker.report(report(late, 0, 2, ticks=50)) is None
    assert (ticket.status, ticket.ticks) == (final, 100)
    assert tracker.open == {}


def test_a_fill_after_the_end_is_booked_and_changes_no_status() -> None:
    tracker, ticket = tracked()
    apply(tracker, report(S.CANCELED, 0, 1))
    assert tracker.execution(execution(1, 4)) == (ticket, True)
    assert (ticket.status, ticket.filled) == (S.CANCELED, 4)


@pytest.mark.parametrize(
    ("evidence", "status"),
    [
        (report(S.OPEN), S.OPEN),
        (execution(1, 4), S.PARTIALLY_FILLED),
        (execution(1, 10), S.FILLED),
        (report(S.REJECTED), S.REJECTED),
        (report(S.NEVER_ARRIVED), S.NEVER_ARRIVED),
        (report(S.UNKNOWN), S.UNKNOWN),
        (report(S.PENDING), S.UNKNOWN),
    ],
)
def test_unknown_is_left_on_evidence_only(evidence: Any, status: OrderStatus) -> None:
    tracker, ticket = tracked()
    apply(tracker, report(S.UNKNOWN))
    assert ticket.leaves == 10
    apply(tracker, evidence)
    assert ticket.status is status


@pytest.mark.parametrize("evidence", [report(S.OPEN), execution(1, 4)], ids=["report", "execution"])
def test_an_order_that_was_written_off_and_turns_up_is_open_again(evidence: Any) -> None:
    tracker, ticket = tracked()
    apply(tracker, report(S.UNKNOWN), report(S.NEVER_ARRIVED))
    assert tracker.open == {}
    apply(tracker, evidence)
    assert tracker.open == {"a": ticket}
    assert ticket.leaves == 10 - ticket.filled


@pytest.mark.parametrize("refused", ["amend", "cancel"])
def test_a_refused_request_leaves_the_order_as_it_was(refused: str) -> None:
    tracker, ticket = tracked()
    apply(tracker, report(S.OPEN))
    ticket.asked(refused, 101, 20)
    news = tracker.report(report(S.OPEN, 0, 2, reason="too late", refused=refused))
    assert news is ticket
    assert (ticket.status, ticket.ticks, ticket.units, ticket.pending) == (S.OPEN, 100, 10, "")
    assert ticket.reason == "too late"


def test_a_fill_between_does_not_answer_a_request() -> None:
    tracker, ticket = tracked()
    apply(tracker, report(S.OPEN))
    ticket.asked("cancel", 100, 10)
    apply(tracker, execution(1, 4), report(S.PARTIALLY_FILLED, 4, 2))
    assert ticket.pending == "cancel"
    apply(tracker, report(S.CANCELED, 4, 3))
    assert ticket.pending == ""


def test_an_order_that_fills_while_it_is_made_larger_stays_open() -> None:
    tracker, ticket = tracked()
    apply(tracker, report(S.OPEN))
    ticket.asked("amend", 100, 20)
    apply(tracker, execution(1, 10))
    assert (ticket.status, ticket.leaves) == (S.PARTIALLY_FILLED, 10)
    apply(tracker, report(S.PARTIALLY_FILLED, 10, 2, units=20))
    assert (ticket.status, ticket.leaves, ticket.pending) == (S.PARTIALLY_FILLED, 10, "")


def test_an_order_that_fills_before_its_amend_arrives_ends() -> None:
    tracker, ticket = tracked()
    apply(tracker, report(S.OPEN))
    ticket.asked("amend", 100, 20)
    apply(tracker, execution(1, 10), report(S.FILLED, 10, 2, reason="order is already filled", refused="amend"))
    assert ticket.status is S.FILLED
    assert tracker.open == {}


def test_a_repeated_execution_counts_once_but_venues_number_per_instrument() -> None:
    tracker, ticket = tracked()
    assert tracker.execution(execution(1, 4)) == (ticket, True)
    assert tracker.execution(execution(1, 4)) == (None, False)
    assert ticket.filled == 4
    assert tracker.execution(execution(1, 4, XYZ))[1]


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_what_a_report_says_has_filled_is_held_until_the_executions_come(order: tuple[int, ...]) -> None:
    tracker, _ = tracked()
    apply(tracker, report(S.FILLED, 10))
    executions = [execution(1, 2), execution(2, 3), execution(3, 5)]
    left = 10
    for at in order:
        assert tracker.unbooked(ABC, PositionSide.NET) == left
        apply(tracker, executions[at])
        left -= executions[at].units
    assert tracker.unbooked(ABC, PositionSide.NET) == 0


def test_news_of_orders_that_are_not_ours_is_ignored() -> None:
    tracker = Tracker()
    assert tracker.report(report(S.OPEN)) is None
    assert tracker.execution(execution(1, 4)) == (None, True)
