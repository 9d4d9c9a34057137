"""A callback that does not come back: told with its line while it blocks, and again with how long it took."""

import sys
from pathlib import Path

import pytest

from hbkit.runtime.watch import Watch
from hbkit.trading.strategy import Strategy

HERE = Path(__file__).relative_to(Path.cwd()) if Path(__file__).is_relative_to(Path.cwd()) else Path(__file__)


class Sleeper(Strategy):
    """Looks at itself in the middle of a callback, as the thread would."""

    def on_trade(self, trade):
        self.helper(trade)

    def helper(self, look):
        look()  # the line that blocks


def stuck():
    """Where the strategy is, the test around it left out: its file is the strategy's too."""
    frame = sys._getframe()
    while frame is not None and frame.f_code is not Sleeper.helper.__code__:
        frame = frame.f_back
    return frame


LINE = Sleeper.helper.__code__.co_firstlineno + 1


@pytest.fixture
def watched():
    said, beats = [], [0]
    watch = Watch(lambda: beats[0], stuck, [Sleeper()], said.append, limit=1.0)
    watch.look(100.0)
    return watch, said, beats


def test_it_is_told_once_while_it_blocks_and_once_when_it_came_back(watched):
    watch, said, beats = watched
    on_trade = Sleeper().on_trade
    on_trade(lambda: watch.look(100.9))
    assert said == []
    on_trade(lambda: watch.look(101.25))
    on_trade(lambda: watch.look(102.5))
    assert said == [
        f"warning[HB304] {HERE}:{LINE} in on_trade blocked the run for 1.2 s and has not come back; use self.every or "
        "self.at to wait, and leave slow work to a program of its own"
    ]
    beats[0] += 1
    watch.look(103.5)
    assert said[1:] == [f"warning[HB304] {HERE}:{LINE} in on_trade blocked the run for 3.5 s"]


def test_a_run_that_is_slow_without_any_strategy_in_it_is_not_blamed_on_one(watched):
    watch, said, _ = watched
    watch.look(500.0)
    assert said == []


def test_a_run_that_goes_on_is_left_alone(watched):
    watch, said, beats = watched
    for at in range(20):
        beats[0] += 1
        Sleeper().on_trade(lambda at=at: watch.look(100.0 + at))
    assert said == []
