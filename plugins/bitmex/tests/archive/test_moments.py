"""Times of the API and of browsers; nothing about them is guessed."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hbkit_bitmex.archive.moments import Times, is_ambiguous, off_session, order_of

from hbkit.clock import HOUR, iso, parse_time

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "times", "moment"),
    [
        ("2020-05-01T12:00:00.004Z", Times(), "2020-05-01T12:00:00.004Z"),
        ("2020-05-01T12:00:00+02:00", Times(), "2020-05-01T10:00:00.000Z"),
        # The API knows no other zone than UTC, a browser's zone does not change what says Z.
        ("2020-05-01 12:00:00", Times(), "2020-05-01T12:00:00.000Z"),
        ("2020-05-01 12:00:00", Times(BERLIN), "2020-05-01T10:00:00.000Z"),
        ("2020-05-01T12:00:00Z", Times(BERLIN), "2020-05-01T12:00:00.000Z"),
        # One hour east of UTC in winter, two in summer.
        ("31.12.2019, 13:05:55", Times(BERLIN), "2019-12-31T12:05:55.000Z"),
        ("12/31/2019, 1:05:55 PM", Times(BERLIN, "mdy"), "2019-12-31T12:05:55.000Z"),
        ("12/31/2019, 12:05:55\u202fAM", Times(BERLIN, "mdy"), "2019-12-30T23:05:55.000Z"),
        ("01/07/2019, 13:05", Times(BERLIN, "dmy"), "2019-07-01T11:05:00.000Z"),
        ("2019/12/31 21:00:00", Times(ZoneInfo("Asia/Tokyo")), "2019-12-31T12:00:00.000Z"),
    ],
)
def test_a_time_is_read_as_it_was_written(text: str, times: Times, moment: str) -> None:
    assert iso(times.ts(text)) == moment


@pytest.mark.parametrize(
    ("text", "times", "told"),
    [
        ("12/31/2019, 1:05:55 PM", Times(), "names no zone: a browser wrote it in its own; say which, as --zone"),
        ("03/04/2019, 13:05:55", Times(BERLIN), "is 3 the day or the month? say it with --date-order dmy or mdy"),
        ("31/12/2019, 13:05:55", Times(BERLIN, "mdy"), "is the order of day and month right?"),
        ("03/04/2019, 13:05 PM", Times(BERLIN, "mdy"), "there is no 13 o'clock PM"),
        ("yesterday", Times(BERLIN), "is not a time; write it as 2020-05-01T12:00:00.000Z"),
        ("2020-13-01T00:00:00Z", Times(), "is not a time"),
    ],
)
def test_what_a_time_does_not_say_is_asked_for(text: str, times: Times, told: str) -> None:
    with pytest.raises(ValueError) as refused:
        times.ts(text)
    assert told in str(refused.value)


def test_one_date_that_can_be_read_in_one_way_only_tells_the_order_of_all() -> None:
    assert order_of(["03/04/2019, 1:00 PM", "03/25/2019, 1:00 PM"]) == "mdy"
    assert order_of(["03/04/2019, 13:00", "25/03/2019, 13:00"]) == "dmy"
    assert order_of(["03/04/2019, 13:00", "2019-04-25T13:00:00Z", None]) == ""


def test_the_hour_that_is_there_twice_is_known() -> None:
    # Summer time ended in Berlin on 2019-10-27 at 01:00 UTC: 02:00 to 03:00 came twice.
    assert is_ambiguous(parse_time("2019-10-27T00:30:00Z"), BERLIN)
    assert is_ambiguous(parse_time("2019-10-27T01:30:00Z"), BERLIN)
    assert not is_ambiguous(parse_time("2019-10-27T02:30:00Z"), BERLIN)
    assert not is_ambiguous(parse_time("2019-10-27T00:30:00Z"), None)


def test_settled_profit_that_stands_at_another_hour_shows_the_zone() -> None:
    noon = parse_time("2020-05-01T12:00:00Z")
    assert off_session([noon, noon + 24 * HOUR]) is None
    assert off_session([noon + 2 * HOUR, noon + 26 * HOUR, noon]) == 2
    assert off_session([noon - 11 * HOUR]) == -11
    assert off_session([]) is None
