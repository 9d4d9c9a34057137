"""Candles against hand-made cases and against the exchange's own rows."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hbkit.clock import DAY, HOUR, MINUTE, SECOND
from hbkit.data.candles import CandleBuilder, CandleSeries, Resampler, interval_ns
from hbkit.data.files import FileSource
from hbkit.model.balance import Currency
from hbkit.model.enums import InstrumentKind
from hbkit.model.instrument import Instrument
from hbkit.model.market import Candle

FIXTURES = Path(__file__).parent / "fixtures"
T0 = 1_559_088_000 * SECOND  # 2019-05-29T00:00Z

XBTUSD = Instrument(
    exchange="test",
    symbol="XBTUSD",
    unified="BTC/USD:BTC",
    kind=InstrumentKind.INVERSE,
    base="XBT",
    quote="USD",
    settle=Currency("XBT", 8),
    tick_size=Decimal("0.5"),
    lot_size=Decimal(100),
    unit_size=Decimal(1),
    multiplier=Decimal(100_000_000),
    maker_fee=Decimal(0),
    taker_fee=Decimal(0),
)


def candle(
    open_time: int,
    *,
    ohlc: tuple[float, float, float, float] = (1, 1, 1, 1),
    volume: float = 1,
    trades: int = 1,
    interval: str = "1m",
) -> Candle:
    close_time = open_time + interval_ns(interval)
    return Candle(close_time, open_time, close_time, XBTUSD, interval, *ohlc, volume, trades)


def recorded(name: str) -> list[Candle]:
    """Candles of a fixture."""
    source = FileSource([FIXTURES / name], symbol=None, name="fixture")
    (interval,) = source.info().intervals["XBTUSD"]
    found = []
    for window in source.windows(0, 2**62):
        for batch in window:
            rows = zip(batch.ts.tolist(), *(column.tolist() for column in batch.columns), strict=True)
            found += [Candle(ts, opened, ts, XBTUSD, interval, *rest) for ts, opened, *rest in rows]
    return found


def resampled(candles: list[Candle], interval: str) -> list[Candle]:
    resampler = Resampler(XBTUSD, candles[0].interval, interval)
    return [larger for one in candles for larger in resampler.add(one)]


# -- intervals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1s", SECOND),
        ("1m", MINUTE),
        ("5m", 5 * MINUTE),
        ("1h", HOUR),
        ("60m", HOUR),
        ("1d", DAY),
        ("90s", 90 * SECOND),
    ],
)
def test_interval_is_read_as_nanoseconds(text: str, expected: int) -> None:
    assert interval_ns(text) == expected


@pytest.mark.parametrize("text", ["500ms", "0s", "2d", "1w", "minute", "", "1.5s", "-1m"])
def test_interval_outside_the_range_is_refused_with_the_mend(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a candle interval; write whole seconds from 1s to 1d"):
        interval_ns(text)


# -- building from trades ----------------------------------------------------------------------------------------------


def test_candle_holds_first_highest_lowest_and_last_price() -> None:
    builder = CandleBuilder(XBTUSD, "1m", open_is_previous_close=False)
    for second, price, qty in ((5, 100.0, 1.0), (10, 103.0, 2.0), (20, 99.0, 3.0), (59, 101.0, 4.0)):
        builder.add(T0 + second * SECOND, price, qty)

    assert builder.close_until(T0 + MINUTE - 1) == []
    assert builder.close_until(T0 + MINUTE) == [candle(T0, ohlc=(100, 103, 99, 101), volume=10, trades=4)]
    assert builder.close_until(T0 + MINUTE) == []


def test_trade_on_the_boundary_belongs_to_the_next_candle() -> None:
    builder = CandleBuilder(XBTUSD, "1m", open_is_previous_close=False)
    builder.add(T0, 100.0, 1.0)
    builder.add(T0 + MINUTE, 200.0, 1.0)

    first, second = builder.close_until(T0 + 2 * MINUTE)

    assert (first.close, first.open_time, first.trades) == (100, T0, 1)
    assert (second.open, second.open_time, second.trades) == (200, T0 + MINUTE, 1)


def test_intervals_without_a_trade_repeat_the_close_and_none_come_before_the_first_trade() -> None:
    builder = CandleBuilder(XBTUSD, "1m", open_is_previous_close=False)
    assert builder.close_until(T0) == []
    builder.add(T0 + 30 * SECOND, 100.0, 1.0)
    builder.add(T0 + 40 * SECOND, 98.0, 1.0)

    first, *empty = builder.close_until(T0 + 3 * MINUTE)

    assert first.open_time == T0
    assert empty == [candle(T0 + at * MINUTE, ohlc=(98, 98, 98, 98), volume=0, trades=0) for at in (1, 2)]
    assert all(one.is_empty for one in empty)


@pytest.mark.parametrize(("previous_close", "expected"), [(True, 100), (False, 110)], ids=["bitmex", "first trade"])
def test_open_follows_the_convention_of_the_venue(previous_close: bool, expected: float) -> None:
    builder = CandleBuilder(XBTUSD, "1m", open_is_previous_close=previous_close)
    builder.add(T0, 100.0, 1.0)
    builder.add(T0 + MINUTE, 110.0, 1.0)

    second = builder.close_until(T0 + 2 * MINUTE)[1]

    assert (second.open, second.high, second.low) == (expected, 110, 110)


def test_trades_that_run_ahead_of_the_clock_lose_no_candle() -> None:
    builder = CandleBuilder(XBTUSD, "1m", open_is_previous_close=False)
    builder.add(T0, 100.0, 1.0)
    builder.add(T0 + 3 * MINUTE, 101.0, 1.0)

    assert [one.trades for one in builder.close_until(T0 + 3 * MINUTE)] == [1, 0, 0]


def test_late_trade_is_counted_and_changes_nothing() -> None:
    builder = CandleBuilder(XBTUSD, "1m", open_is_previous_close=False)
    builder.add(T0 + MINUTE, 100.0, 1.0)
    builder.add(T0 + MINUTE - 1, 50.0, 1.0)

    assert builder.late == 1
    assert builder.close_until(T0 + 2 * MINUTE)[0].low == 100


def test_candles_built_from_recorded_trades_equal_those_of_the_exchange() -> None:
    source = FileSource([FIXTURES / "XBTUSD-trades-2019-05-03T12.csv.gz"], symbol=None, name="fixture")
    builder = CandleBuilder(XBTUSD, "1m", open_is_previous_close=source.info().open_is_previous_close)
    for window in source.windows(0, 2**62):
        for batch in window:
            _side, price, qty = (column.tolist() for column in batch.columns)
            for row in zip(batch.ts.tolist(), price, qty, strict=True):
                builder.add(*row)
    built = builder.close_until(source.info().end)

    # The recording begins nine seconds into its first minute and ends inside the last.
    assert built[1:] == recorded("XBTUSD-1m-2019-05-03T12.csv.gz")[1:5]


# -- larger from smaller -----------------------------------------------------------------------------------------------


def test_recorded_minutes_become_the_day_row_of_the_exchange() -> None:
    minutes = recorded("XBTUSD-1m-2019-05-29.csv.gz")
    fives = resampled(minutes, "5m")
    hours = resampled(fives, "1h")
    days = resampled(hours, "1d")

    assert (len(minutes), len(fives), len(hours)) == (1440, 288, 24)
    assert days == recorded("XBTUSD-1d-2019-05-29.csv.gz")[1:]
    assert days == resampled(minutes, "1d")


def test_minutes_of_the_recorded_halt_are_flagged_and_stay_flat() -> None:
    minutes = recorded("XBTUSD-1m-2020-05-19-halt.csv.gz")
    empty = [one for one in minutes if one.is_empty]

    assert len(empty) == 99
    assert {one.volume for one in empty} == {0}
    assert empty[-1].open_time - empty[0].open_time == 98 * MINUTE
    # 12:05 to 13:40 lie within the halt: 19 whole candles of five minutes.
    assert sum(one.is_empty for one in resampled(minutes, "5m")) == 19


def test_empty_inner_candles_do_not_touch_high_and_low() -> None:
    inner = [
        candle(T0, ohlc=(100, 100, 100, 100), volume=0, trades=0),
        candle(T0 + MINUTE, ohlc=(100, 92, 90, 91), volume=5, trades=2),
        *(candle(T0 + at * MINUTE, ohlc=(91, 91, 91, 91), volume=0, trades=0) for at in (2, 3, 4)),
    ]
    expected = candle(T0, ohlc=(100, 92, 90, 91), volume=5, trades=2, interval="5m")
    assert resampled(inner, "5m") == [expected]


def test_all_empty_inner_candles_give_an_empty_candle() -> None:
    inner = [candle(T0 + at * MINUTE, ohlc=(9, 9, 9, 9), volume=0, trades=0) for at in range(5)]
    assert resampled(inner, "5m") == [candle(T0, ohlc=(9, 9, 9, 9), volume=0, trades=0, interval="5m")]


def test_trades_are_unknown_when_one_inner_count_is() -> None:
    inner = [candle(T0 + at * MINUTE, trades=-1 if at == 3 else 7) for at in range(5)]
    assert resampled(inner, "5m")[0].trades == -1


def test_incomplete_first_candle_is_dropped() -> None:
    inner = [candle(T0 + at * MINUTE) for at in range(2, 10)]
    assert [one.open_time for one in resampled(inner, "5m")] == [T0 + 5 * MINUTE]


def test_gap_closes_the_candle_that_was_open() -> None:
    inner = [candle(T0 + at * MINUTE, volume=2) for at in (0, 1, 17, 18, 19)]
    found = resampled(inner, "5m")
    assert [(one.open_time, one.volume) for one in found] == [(T0, 4), (T0 + 15 * MINUTE, 6)]


def test_gap_can_be_closed_by_the_clock() -> None:
    resampler = Resampler(XBTUSD, "1m", "5m")
    assert resampler.add(candle(T0)) == []
    assert resampler.close_until(T0 + 5 * MINUTE - 1) == []
    assert [one.ts for one in resampler.close_until(T0 + 5 * MINUTE)] == [T0 + 5 * MINUTE]
    assert resampler.close_until(T0 + 6 * MINUTE) == []


@pytest.mark.parametrize(("source", "wanted"), [("5m", "1m"), ("1m", "1m"), ("2m", "5m")])
def test_interval_that_is_no_multiple_is_refused(source: str, wanted: str) -> None:
    with pytest.raises(ValueError, match="take a multiple"):
        Resampler(XBTUSD, source, wanted)


@given(st.lists(st.tuples(st.integers(0, 3 * 3600), st.integers(1, 50), st.integers(1, 9)), min_size=1, max_size=60))
def test_resampled_candles_equal_those_built_from_the_trades(rows: list[tuple[int, int, int]]) -> None:
    small = CandleBuilder(XBTUSD, "1m", open_is_previous_close=True)
    large = CandleBuilder(XBTUSD, "15m", open_is_previous_close=True)
    start = T0 - 15 * MINUTE
    for builder in (small, large):
        # A trade at the very start, so that both begin with a whole bin.
        builder.add(start, 10.0, 1.0)
        for second, price, qty in sorted(rows):
            builder.add(T0 + second * SECOND, float(price), float(qty))
    until = T0 + 4 * HOUR
    assert resampled(small.close_until(until), "15m") == large.close_until(until)


# -- the series --------------------------------------------------------------------------------------------------------


def series_of(count: int, capacity: int = 10_000) -> CandleSeries:
    series = CandleSeries(capacity)
    for at in range(count):
        series.append(candle(T0 + at * MINUTE, ohlc=(at, at + 2, at - 2, at + 1), volume=at * 10))
    return series


def test_columns_are_the_last_rows_oldest_first() -> None:
    series = series_of(1_000)
    assert series.closes(3).tolist() == [998, 999, 1000]
    assert series.opens(2).tolist() == [998, 999]
    assert series.highs(1).tolist() == [1001]
    assert series.lows(1).tolist() == [997]
    assert series.volumes(2).tolist() == [9980, 9990]
    assert [one.close for one in series.last(2)] == [999, 1000]


def test_fewer_rows_come_where_fewer_exist() -> None:
    series = series_of(2)
    assert len(series) == 2
    assert series.closes(5).tolist() == [1, 2]
    assert len(series.last(5)) == 2
    assert len(series.closes(0)) == len(series.last(0)) == 0
    assert CandleSeries().closes(5).tolist() == []


def test_memory_stays_within_twice_the_capacity() -> None:
    series = series_of(10_000, capacity=50)
    assert len(series) == 50
    assert series.closes(50).base is not None
    assert len(series.closes(50)) == 50
    assert len(series._candles) <= 100
    assert series._table.shape[1] <= 100


def test_what_was_asked_for_is_kept_from_then_on() -> None:
    series = series_of(5, capacity=10)
    series.closes(300)
    for at in range(5, 2_000):
        series.append(candle(T0 + at * MINUTE, ohlc=(at, at, at, at)))
    assert series.closes(300).tolist() == list(range(1_700, 2_000))
    assert len(series.last(300)) == 300


def test_view_that_is_kept_never_changes_and_cannot_be_written() -> None:
    series = series_of(20, capacity=10)
    held = series.closes(10)
    before = held.tolist()
    for at in range(20, 100):
        series.append(candle(T0 + at * MINUTE, ohlc=(at, at, at, at)))
    assert held.tolist() == before
    with pytest.raises(ValueError, match="read-only"):
        held[0] = np.float64(1)


@pytest.mark.parametrize("call", [lambda: CandleSeries(0), lambda: CandleSeries().closes(-1)], ids=["capacity", "n"])
def test_senseless_sizes_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]
