"""Times and durations as people write them, and the clock that moves only when told."""

from typing import Any

import pytest

from hbkit.clock import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    ManualClock,
    ShiftedClock,
    duration_text,
    iso,
    parse_duration,
    parse_time,
)


def test_time_never_runs_backwards() -> None:
    clock = ManualClock(100)
    clock.set(90)
    assert clock.now() == 100
    clock.set(110)
    assert clock.now() == 110


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("60s", MINUTE),
        ("1m30s", 90 * SECOND),
        ("1m 30s", 90 * SECOND),
        ("2h", 2 * HOUR),
        ("1d", DAY),
        ("1w", 7 * DAY),
        ("500ms", SECOND // 2),
        ("1.5s", 1_500_000_000),
        ("250us", 250_000),
        ("7ns", 7),
        ("5M", 5 * MINUTE),
        ("90", 90 * SECOND),
        (90, 90 * SECOND),
        (0.5, SECOND // 2),
        (0, 0),
    ],
)
def test_a_duration_is_read_as_it_is_written(text: Any, ns: int) -> None:
    assert parse_duration(text) == ns


@pytest.mark.parametrize(
    "text", ["", "soon", "5x", "-5s", "5s later", "1e3", True, None, -5, float("nan"), float("inf")]
)
def test_what_is_no_duration_is_refused_with_the_accepted_form(text: Any) -> None:
    with pytest.raises(ValueError, match="is not a duration; write it as 60s, 5m, 2h or 1d"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["1w", "3d", "90s", "1m", "36h", "250ms", "5us", "1ns"])
def test_a_duration_is_written_as_short_as_it_can_be(text: str) -> None:
    assert duration_text(parse_duration(text)) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2019-05-28", "2019-05-28T00:00:00.000Z"),
        ("2019-05-28T18:23:03.341Z", "2019-05-28T18:23:03.341Z"),
        ("2019-05-28T18:23:03", "2019-05-28T18:23:03.000Z"),
        ("2019-05-28 18:23", "2019-05-28T18:23:00.000Z"),
        ("2019-05-28T18:23:03+02:00", "2019-05-28T16:23:03.000Z"),
        ("  1970-01-01  ", "1970-01-01T00:00:00.000Z"),
        ("1969-12-31T23:59:59Z", "1969-12-31T23:59:59.000Z"),
    ],
)
def test_a_time_without_a_zone_is_utc(text: str, shown: str) -> None:
    assert iso(parse_time(text)) == shown


@pytest.mark.parametrize("text", ["", "yesterday", "28.05.2019", "2019-13-01", "2019-02-30"])
def test_what_is_no_time_is_refused_with_the_accepted_form(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time; write it as 2019-05-28 or 2019-05-28T18:30:00Z"):
        parse_time(text)


# -- a clock of another time


def test_a_shifted_clock_begins_where_it_is_told_and_runs_at_its_own_speed() -> None:
    wall = ManualClock(1_000 * SECOND)
    clock = ShiftedClock(wall, 50 * SECOND, 10)
    assert clock.now() == 50 * SECOND
    wall.set(1_003 * SECOND)
    assert clock.now() == 80 * SECOND
    clock.set(200 * SECOND, 0.5)
    wall.set(1_005 * SECOND)
    assert clock.now() == 201 * SECOND


def test_a_shifted_clock_never_runs_backwards() -> None:
    wall = ManualClock(0)
    clock = ShiftedClock(wall, 100 * SECOND)
    clock.set(90 * SECOND, 1)
    assert clock.now() == 100 * SECOND
    wall.set(5 * SECOND)
    assert clock.now() == 100 * SECOND
    wall.set(11 * SECOND)
    assert clock.now() == 101 * SECOND


def test_a_wall_that_is_set_back_stops_a_shifted_clock_and_does_not_turn_it() -> None:
    wall = ManualClock(10 * SECOND)
    clock = ShiftedClock(wall, 100 * SECOND)
    wall.set(12 * SECOND)
    assert clock.now() == 102 * SECOND
    wall.ts = 5 * SECOND
    assert clock.now() == 102 * SECOND


def test_a_shifted_clock_tells_how_long_the_wall_takes_until_a_moment() -> None:
    wall = ManualClock(0)
    clock = ShiftedClock(wall, 100 * SECOND, 4)
    assert clock.seconds_until(108 * SECOND) == 2.0
    assert clock.seconds_until(99 * SECOND) == 0.0
    clock.set(100 * SECOND, 0)
    assert clock.seconds_until(101 * SECOND) is None
    assert clock.seconds_until(100 * SECOND) == 0.0


def test_a_shifted_clock_has_arrived_when_the_time_it_told_has_passed() -> None:
    wall = ManualClock(0)
    clock = ShiftedClock(wall, 0, 7.3)
    left = clock.seconds_until(1_000_000_007)
    assert left is not None
    wall.set(round(left * SECOND))
    assert clock.now() >= 1_000_000_007
