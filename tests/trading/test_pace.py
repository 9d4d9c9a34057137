"""Orders within a minute: at the cap nothing more leaves, a minute later everything may."""

import pytest

from hbkit.clock import MINUTE, SECOND
from hbkit.errors import StrategyError
from hbkit.trading.pace import Pace


def test_the_call_that_is_one_too_many_raises_and_a_minute_later_it_may():
    pace = Pace(3)
    for ts in (0, SECOND, 2 * SECOND):
        pace.check(ts)
        pace.sent(ts)
    for ts in (2 * SECOND, MINUTE - 1):
        with pytest.raises(StrategyError, match=r"sent 3 orders within a minute: .* max_orders_per_minute \(3\)"):
            pace.check(ts)
    pace.check(MINUTE)  # the first is a minute old
    pace.sent(MINUTE)
    with pytest.raises(StrategyError):
        pace.check(MINUTE)
    pace.check(MINUTE + SECOND)


def test_ten_refused_orders_count_as_one():
    pace = Pace(2)
    for _ in range(20):
        pace.check(0)
        pace.refused(0)
    with pytest.raises(StrategyError, match="had refused 20 orders within a minute"):
        pace.check(0)
