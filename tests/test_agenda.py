"""What is due when, in which order at one instant, and when that is a loop."""

import pytest

from hbkit.agenda import NEVER, Agenda, Turn
from hbkit.clock import ManualClock
from hbkit.errors import StrategyError


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(100)


@pytest.fixture
def agenda(clock: ManualClock) -> Agenda:
    return Agenda(clock)


def test_at_one_instant_the_turn_decides_then_the_entry(agenda: Agenda) -> None:
    done: list[str] = []
    for name, turn in (("r1", Turn.REQUEST), ("c1", Turn.CANDLE), ("t1", Turn.TIMER), ("r2", Turn.REQUEST)):
        agenda.at(200, lambda name=name: done.append(name), turn)  # type: ignore[misc]
    agenda.at(200, lambda: done.append("t2"))
    agenda.at(199, lambda: done.append("early"), Turn.REQUEST)
    agenda.run_until(200)
    assert done == ["early", "t1", "t2", "c1", "r1", "r2"]


def test_what_is_left_of_an_instant_is_done_before_anything_later(agenda: Agenda) -> None:
    done: list[str] = []
    for ts, name, turn in ((200, "r", Turn.REQUEST), (200, "t", Turn.TIMER), (200, "c", Turn.CANDLE)):
        agenda.at(ts, lambda name=name: done.append(name), turn)  # type: ignore[misc]
    agenda.at(300, lambda: done.append("late"))
    agenda.run_until(200, Turn.CANDLE)
    assert (done, agenda.next_ts) == (["t", "c"], 200)
    agenda.run_until(300, Turn.TIMER)
    assert done == ["t", "c", "r", "late"]


def test_each_call_happens_at_its_own_time(agenda: Agenda, clock: ManualClock) -> None:
    seen: list[int] = []
    for ts in (300, 150, 200):
        agenda.at(ts, lambda: seen.append(clock.now()))
    agenda.run_until(250)
    assert seen == [150, 200]
    assert agenda.next_ts == 300
    agenda.run_until(300)
    assert (seen, agenda.next_ts) == ([150, 200, 300], NEVER)


def test_the_past_means_now_but_never_inside_the_call(agenda: Agenda, clock: ManualClock) -> None:
    done: list[object] = []

    def outer() -> None:
        agenda.at(5, lambda: done.append(clock.now()))
        done.append("outer ends")

    agenda.at(150, outer)
    agenda.run_until(150)
    assert done == ["outer ends", 150]


def test_a_cancelled_call_does_not_happen_and_cancelling_later_is_harmless(agenda: Agenda) -> None:
    done: list[str] = []
    first = agenda.at(200, lambda: done.append("first"))
    second = agenda.at(200, lambda: done.append("second"))
    first.cancel()
    agenda.run_until(200)
    second.cancel()
    second.cancel()
    agenda.run_until(300)
    assert done == ["second"]


def test_calls_that_provoke_each_other_without_end_are_named_a_loop(agenda: Agenda) -> None:
    def again() -> None:
        agenda.at(200, again)

    agenda.at(200, again)
    with pytest.raises(StrategyError, match="100,000 calls at one instant") as caught:
        agenda.run_until(300)
    assert caught.value.code == "HB311"


def test_many_calls_over_time_are_no_loop(agenda: Agenda) -> None:
    count = 0

    def again() -> None:
        nonlocal count
        count += 1
        if count < 150_000:
            agenda.at(200 + count, again)

    agenda.at(200, again)
    agenda.run_until(1_000_000)
    assert count == 150_000
