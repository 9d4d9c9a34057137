"""What a strategy reads and calls beside its orders: markets, money, timers, and the words it may use."""

import math
from typing import Any

import pytest

from hbkit.clock import SECOND, parse_time
from hbkit.errors import StrategyError
from hbkit.exchange import Channel
from hbkit.model import Candle, PositionMode, PositionSide
from hbkit.trading.strategy import Strategy
from hbkit.trading.view import MarketView


def test_timers_come_again_until_they_are_cancelled(room: Any) -> None:
    seen: list[int] = []
    start = room.bot.now
    timer = room.bot.every(0.5, lambda: seen.append(room.bot.now - start))
    room.wait(2 * SECOND)
    assert seen == [SECOND // 2, SECOND, 3 * SECOND // 2, 2 * SECOND]
    timer.cancel()
    room.wait(2 * SECOND)
    assert len(seen) == 4


def test_a_timer_that_raises_is_a_failure_of_the_strategy_and_comes_again(room: Any) -> None:
    room.bot.every(1, lambda: 1 / 0)
    room.wait(3 * SECOND)
    assert room.host.failures == 3
    assert "ZeroDivisionError" in room.host.failure.message


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf, 1e-12], ids=repr)
def test_an_interval_must_be_above_zero(room: Any, seconds: float) -> None:
    with pytest.raises(StrategyError, match=r"every\(.*\): the interval must be a finite number above 0"):
        room.bot.every(seconds, lambda: None)


def test_a_call_at_a_time_comes_once_and_at_once_if_that_has_passed(room: Any) -> None:
    seen: list[int] = []
    room.bot.at(5_000, lambda: seen.append(room.bot.now))
    room.bot.at(5_500.0, lambda: seen.append(room.bot.now))
    room.bot.at("1970-01-01T00:00:01Z", lambda: seen.append(room.bot.now))
    room.wait(10_000)
    room.bot.at(0, lambda: seen.append(-room.bot.now))
    assert len(seen) == 2
    room.wait(2 * SECOND)
    assert seen == [5_000, 5_500, -10_001, parse_time("1970-01-01T00:00:01Z")]
    assert all(isinstance(ts, int) for ts in seen)


@pytest.mark.parametrize("time", ["soon", math.nan, math.inf], ids=repr)
def test_a_time_that_is_none_names_the_call(room: Any, time: Any) -> None:
    with pytest.raises(StrategyError, match=r"^error\[HB310\] at\("):
        room.bot.at(time, lambda: None)


def test_markets_are_found_by_either_name_and_others_are_told(room: Any) -> None:
    view = room.bot.market("ABC")
    assert room.bot.market("ABC/USD:USD") is view
    assert room.bot.market(room.instrument) is view
    assert room.bot.buy(10, 90, instrument="ABC").instrument == "ABC"
    with pytest.raises(StrategyError, match='strategy "bot" has no instrument "XYZ"; its config lists: ABC'):
        room.bot.market("XYZ")


def test_money_is_read_by_currency(room: Any) -> None:
    assert (room.bot.balance("USD").total, room.bot.balance("USD").free) == (1e6, 1e6)
    with pytest.raises(StrategyError, match='the account has no currency "EUR"; it has USD'):
        room.bot.balance("EUR")


def test_a_position_is_valued_at_the_reference_price(room: Any) -> None:
    assert math.isnan(room.bot.position.entry_price)
    room.bot.buy(10)
    room.wait()
    # Bought at 100.5; the middle is 100: 10 x 0.50 lost.
    position = room.bot.position
    assert (position.qty, position.entry_price, position.unrealized_pnl) == (10, 100.5, -5.0)


def test_candles_that_were_not_asked_for_are_told(room: Any) -> None:
    view = room.bot.market("ABC")
    for number in range(3):
        view.remember(Candle(0, 0, 0, room.instrument, "1m", 1, 1, 1, number, 0, 1))
    assert not view.remember(Candle(0, 0, 0, room.instrument, "5m", 1, 1, 1, 9, 0, 1))
    assert list(room.bot.closes(2)) == [1, 2]
    assert [one.close for one in room.bot.candles(9)] == [0, 1, 2]
    with pytest.raises(StrategyError, match='no candles of "5m" for ABC; the config lists 1m'):
        room.bot.closes(2, "5m")


@pytest.mark.parametrize("mode", ["hedge", "HEDGE", PositionMode.HEDGE])
def test_the_position_mode_is_asked_for_by_its_word(room: Any, mode: Any) -> None:
    room.bot.set_position_mode(mode)
    assert room.bot.position_mode is PositionMode.ONE_WAY
    room.wait()
    assert room.bot.position_mode is PositionMode.HEDGE
    with pytest.raises(StrategyError, match=r'set_position_mode\("both"\): it is one of one_way, hedge'):
        room.bot.set_position_mode("both")


def test_a_switch_of_the_mode_moves_the_strategys_position_to_its_leg(room: Any) -> None:
    room.bot.buy(10)
    room.wait()
    room.bot.set_position_mode("hedge")
    room.wait()
    assert (room.bot.long.qty, room.bot.short.qty) == (10, 0)
    assert room.bot.long.side is PositionSide.LONG


@pytest.mark.parametrize("leverage", [-1, math.nan, math.inf], ids=repr)
def test_a_leverage_that_means_nothing_is_refused(room: Any, leverage: float) -> None:
    with pytest.raises(StrategyError, match="the leverage must be a finite number"):
        room.bot.set_leverage(leverage)


@pytest.mark.parametrize(
    ("name", "callback"), [("book", "on_book"), ("mark_price", "on_mark"), ("last_trade", "on_trade")]
)
def test_what_no_feed_fills_is_an_error_where_it_is_read(room, name, callback):
    view = MarketView(room.instrument, room.exchange, room.trader, [], account=None, needs=frozenset({Channel.QUOTE}))
    assert view.last_quote is None
    with pytest.raises(StrategyError, match=f"{name} of ABC is never filled.*; define {callback}, or read self.{name}"):
        getattr(view, name)
    with pytest.raises(StrategyError, match="no candles of ABC: no method of the strategy reads them"):
        view.closes(3)


def test_in_init_there_is_no_market_yet():
    class Early(Strategy):
        def __init__(self):
            self.buy(1)

    with pytest.raises(StrategyError, match="in __init__ there is no market, no parameter and no clock yet"):
        Early()
