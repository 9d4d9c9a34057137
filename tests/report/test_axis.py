"""The marks of an axis stand on numbers and moments that a person would have chosen."""

import pytest

from hbkit.clock import DAY, HOUR, MINUTE, SECOND, parse_time
from hbkit.report.axis import time_ticks, value_ticks


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (8_650.0, 8_810.0, ["8,650", "8,700", "8,750", "8,800"]),
        (0.99998, 1.00003, ["0.99998", "0.99999", "1.00000", "1.00001", "1.00002", "1.00003"]),
        (-3.0, 2.0, ["-3", "-2", "-1", "0", "1", "2"]),
        (5.0, 5.0, ["5"]),
    ],
    ids=["prices", "equity", "through zero", "constant"],
)
def test_values_stand_on_round_numbers(low, high, labels):
    assert [tick.label for tick in value_ticks(low, high)] == labels


def test_no_mark_is_finer_than_the_grid_of_the_price():
    assert [tick.label for tick in value_ticks(8_699.4, 8_700.6, finest=1)] == ["8,699.5", "8,700.0", "8,700.5"]
    assert [tick.label for tick in value_ticks(8_699.94, 8_700.06, finest=1)] == ["8,700.0"]


@pytest.mark.parametrize(
    ("start", "length", "labels"),
    [
        ("2019-05-28T18:00:10Z", 5 * SECOND,
         ["18:00:10", "18:00:11", "18:00:12", "18:00:13", "18:00:14", "18:00:15"]),
        ("2019-05-28T18:02:00Z", HOUR, ["18:10", "18:20", "18:30", "18:40", "18:50", "19:00"]),
        ("2019-05-28T18:00:00Z", 12 * HOUR, ["18:00", "20:00", "22:00", "29 May", "02:00", "04:00", "06:00"]),
        ("2019-05-28T00:00:00Z", 3 * DAY, ["28 May", "12:00", "29 May", "12:00", "30 May", "12:00", "31 May"]),
        # Mondays
        ("2019-05-01T00:00:00Z", 30 * DAY, ["6 May", "13 May", "20 May", "27 May"]),
        ("2019-05-15T00:00:00Z", 365 * DAY,
         ["Jul 2019", "Sep 2019", "Nov 2019", "Jan 2020", "Mar 2020", "May 2020"]),
        ("2019-05-28T18:00:00Z", 5 * MINUTE, ["18:00", "18:01", "18:02", "18:03", "18:04", "18:05"]),
    ],
    ids=["seconds", "hour", "over midnight", "days", "weeks", "months", "minutes"],
)  # fmt: skip
def test_times_stand_on_round_moments(start, length, labels):
    begin = parse_time(start)
    assert [tick.label for tick in time_ticks(begin, begin + length)] == labels
