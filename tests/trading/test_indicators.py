"""Indicators on a market's candles: what they are fed with, when they have a value, and what is said of a wrong one."""

import inspect
import math
import sys

import numpy as np
import pytest

from hbkit.clock import MINUTE
from hbkit.errors import StrategyError
from hbkit.model import Candle
from hbkit.trading import indicators
from hbkit.trading.indicators import make

talipp = pytest.importorskip("talipp.indicators")

CLOSES = [10.0, 11.0, 13.0, 12.0, 15.0]


def feed(room, *closes, first=0, interval="1m"):
    view = room.bot.market("ABC")
    for at, close in enumerate(closes, first):
        ts = (at + 1) * MINUTE
        prices = (close - 1, close + 1, close - 2, close)
        view.remember(Candle(ts, ts - MINUTE, ts, room.instrument, interval, *prices, 5.0, 1))


def test_it_has_no_value_until_it_has_seen_enough(room):
    sma = room.bot.indicator(talipp.SMA, 3)
    assert (sma.value, sma[-1], len(sma), sma.ready, bool(sma)) == (None, None, 0, False, False)
    feed(room, *CLOSES[:2])
    assert (sma.value, sma[-1], len(sma), bool(sma)) == (None, None, 0, False)
    feed(room, *CLOSES[2:], first=2)
    # (10 + 11 + 13) / 3, (11 + 13 + 12) / 3, (13 + 12 + 15) / 3
    assert [sma[-1], sma[-2], sma[-3], sma[-4]] == [pytest.approx(40 / 3), 12.0, pytest.approx(34 / 3), None]
    assert (sma.value, len(sma), sma.ready) == (pytest.approx(40 / 3), 3, True)
    assert sma[-99] is None


def test_one_that_is_made_late_knows_every_candle_that_the_strategy_knows(room):
    early = room.bot.indicator(talipp.EMA, 2)
    feed(room, *CLOSES)
    late = room.bot.market("ABC").indicator(talipp.EMA, 2)
    assert late.value == early.value is not None


def test_those_that_take_whole_candles_get_them(room):
    atr = room.bot.indicator(talipp.ATR, 2)
    vwap = room.bot.indicator("VWAP")
    feed(room, *CLOSES)
    # Each candle reaches from close - 2 to close + 1. True ranges: 3, 3, 3 (14 - 11), 3, 4 (16 - 12); the first value
    # is the mean of two, each later one half of itself and half of the new range: 3, 3, 3, 3.5.
    assert atr.value == pytest.approx(3.5)
    # Typical price: (3 close - 1) / 3, equal volumes.
    assert vwap.value == pytest.approx(np.mean([(3 * close - 1) / 3 for close in CLOSES]))


@pytest.mark.parametrize(
    ("source", "last"),
    [("open", 14.0), ("high", 16.0), ("low", 13.0), ("close", 15.0), ("volume", 5.0), ("hl2", 14.5),
     ("hlc3", 44 / 3), ("ohlc4", 14.5), (lambda candle: candle.close * 2, 30.0)],
)  # fmt: skip
def test_source_says_what_of_a_candle_it_is_fed_with(room, source, last):
    sma = room.bot.indicator(talipp.SMA, 1, source=source)
    feed(room, *CLOSES)
    assert sma.value == pytest.approx(last)


def test_a_class_of_ones_own_is_an_indicator_too(room):
    class Highest(list):
        def add(self, value):
            self.append(max([value, *self[-1:]]))

    highest = room.bot.indicator(Highest)
    feed(room, 3.0, 5.0, 4.0)
    assert (highest.value, len(highest)) == (5.0, 3)


def test_columns_are_views_that_cannot_be_written(room):
    feed(room, *CLOSES)
    bot = room.bot
    assert list(bot.opens(2)) == [11.0, 14.0]
    assert list(bot.highs(2)) == [13.0, 16.0]
    assert list(bot.lows(2)) == [10.0, 13.0]
    assert list(bot.volumes(9)) == [5.0] * 5
    for column in (bot.opens(3), bot.highs(3), bot.lows(3), bot.closes(3), bot.volumes(3)):
        assert (column.dtype, column.flags.c_contiguous, column.flags.writeable) == (np.float64, True, False)
        with pytest.raises(ValueError, match="read-only"):
            column[0] = math.inf


WRONG = [
    (("EMAA", 3), {}, 'no indicator "EMAA"; did you mean'),
    ((talipp.EMA,), {}, "indicator EMA: .*period"),
    ((talipp.EMA, 3), {"source": "clsoe"}, 'indicator source "clsoe"; did you mean "close"?'),
    ((talipp.EMA, 3), {"interval": "5m"}, 'no candles of "5m" for ABC; the config lists 1m'),
    ((talipp.EMA, 3), {"instrument": "XYZ"}, 'has no instrument "XYZ"'),
    ((print,), {}, "an indicator takes values by add"),
    (([], 3), {}, "is an object already and takes no arguments"),
]


@pytest.mark.parametrize(("arguments", "options", "message"), WRONG, ids=lambda value: str(value)[:20])
def test_what_cannot_be_one_is_told_with_the_mend(room, arguments, options, message):
    with pytest.raises(StrategyError, match=message):
        room.bot.indicator(*arguments, **options)


def test_values_are_counted_from_the_newest(room):
    sma = room.bot.indicator(talipp.SMA, 1)
    feed(room, *CLOSES)
    with pytest.raises(StrategyError, match="count from the newest, -1 is the last value"):
        sma[0]


def test_without_the_library_the_mend_is_said(room, monkeypatch):
    monkeypatch.setitem(sys.modules, "talipp.indicators", None)
    with pytest.raises(StrategyError, match=r'needs talipp, which is not installed; pip install "hbkit-core\[indicat'):
        room.bot.indicator("EMA", 3)


def walk(count):
    """Candles of a walk that never stands still; sines, so that it needs no draw."""
    closes = [100 + 10 * math.sin(at / 37) + 3 * math.sin(at * 1.7) for at in range(count)]
    return [
        Candle(ts := (at + 1) * MINUTE, ts - MINUTE, ts, "ABC", "1m", close, close + 1, close - 2, close, at + 1.0, 1)
        for at, close in enumerate(closes)
    ]


ARGUMENTS = {"fast_period": 5, "slow_period": 12, "signal_period": 4, "offset": 0.85, "sigma": 6.0, "sensitivity": 0.05}


def made(cls):
    """An indicator with every argument that has no default."""
    needed = {
        name: ARGUMENTS.get(name, 0.5 if one.annotation is float else 9)
        for name, one in inspect.signature(cls).parameters.items()
        if one.default is inspect.Parameter.empty
    }
    return make(cls, (), needed, None)


LISTED = sorted(
    name
    for name, cls in vars(talipp).items()
    if isinstance(cls, type) and hasattr(cls, "__len__") and not inspect.isabstract(cls) and name != "Indicator"
)


@pytest.mark.parametrize("name", LISTED)
def test_what_is_forgotten_changes_no_value(name, monkeypatch):
    cls = getattr(talipp, name)
    whole = made(cls)
    monkeypatch.setattr(indicators, "KEPT", 150)
    short = made(cls)
    for candle in walk(1_000):
        whole.update(candle)
        short.update(candle)
        assert repr(short.value) == repr(whole.value)
    assert whole.ready
    if name not in {"PivotsHL", "ZigZag"}:  # these keep pivots, which are few, and cannot purge
        assert len(whole.raw.input_values) == 1_000
        waited = next(at for at, value in enumerate(whole.raw) if value is not None)
        assert len(short.raw.input_values) <= 2 * max(150, 4 * waited)


def test_one_that_needs_long_to_its_first_value_keeps_what_it_needs(monkeypatch):
    monkeypatch.setattr(indicators, "KEPT", 10)
    slow = make("SMA", (300,), {}, None)
    for candle in walk(4_000):
        slow.update(candle)
    assert slow.value == pytest.approx(np.mean([candle.close for candle in walk(4_000)[-300:]]))
    # 299 inputs without a value, four times as many are kept, and at most twice that.
    assert len(slow.raw.input_values) <= 2 * 4 * 299
