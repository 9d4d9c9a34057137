"""What a simulator remembers from before its tape: candles of four sizes, day figures, fundings."""

import itertools

import pytest

from hbkit.clock import DAY, HOUR, MINUTE, parse_time

BEGIN = parse_time("2019-05-28T18:45:00Z")
SIZES = {"1m": MINUTE, "5m": 5 * MINUTE, "1h": HOUR, "1d": DAY}


@pytest.fixture
def on_its_own_day(at_the_desk):
    """Runs a story on the day of the recording: the tape is not moved."""
    return lambda story: at_the_desk(story, start=BEGIN, tape_start=BEGIN)


def test_daily_candles_are_those_of_the_exchange(on_its_own_day):
    async def story(desk):
        return (await desk.call("GET", "/trade/bucketed?symbol=XBTUSD&binSize=1d&reverse=true&count=3", key=None)).body

    newest, *_ = on_its_own_day(story)
    # The exchange's own daily row of 2019-05-27, stamped at its end (hfshr/bitmexr 5c09674).
    assert (newest["timestamp"], newest["open"], newest["high"], newest["low"], newest["close"]) == (
        "2019-05-28T00:00:00.000Z", 8750, 8964, 8659, 8779.5,
    )  # fmt: skip
    assert (newest["trades"], newest["volume"]) == (838245, 3896581382)
    # Of a minute's average price the tenth of a dollar is known, and the exchange rounded each contract's value.
    assert newest["turnover"] == pytest.approx(44252568578669, rel=1e-4)


@pytest.mark.parametrize("symbol", ["XBTUSD", "XBTUSDT", "XBT_USDT"])
@pytest.mark.parametrize("size", SIZES)
def test_the_past_goes_over_into_the_tape_without_a_seam(on_its_own_day, symbol, size):
    async def story(desk):
        target = f"/trade/bucketed?symbol={symbol}&binSize={{}}&reverse=true&count={{}}&partial=true"
        larger = (await desk.call("GET", target.format(size, 4), key=None)).body
        minutes = (await desk.call("GET", target.format("1m", 4 * 1440), key=None)).body
        return larger[::-1], minutes[::-1]

    larger, minutes = on_its_own_day(story)
    for before, after in itertools.pairwise(larger):
        assert after["open"] == before["close"]
        assert parse_time(after["timestamp"]) - parse_time(before["timestamp"]) == SIZES[size]
    for row in larger[1:]:
        end = parse_time(row["timestamp"])
        inside = [one for one in minutes if end - SIZES[size] < parse_time(one["timestamp"]) <= end]
        traded = [one for one in inside if one["trades"]]
        assert (row["open"], row["close"]) == (inside[0]["open"], inside[-1]["close"])
        assert row["high"] == max((one["high"] for one in traded), default=row["close"])
        assert row["low"] == min((one["low"] for one in traded), default=row["close"])
        for column in ("trades", "volume", "turnover"):
            assert row[column] == sum(one[column] for one in inside), column


def test_day_figures_are_those_of_the_last_1440_minutes(on_its_own_day):
    async def story(desk):
        minutes = (await desk.call("GET", "/trade/bucketed?symbol=XBTUSD&reverse=true&count=1440", key=None)).body
        return minutes, (await desk.call("GET", "/instrument?symbol=XBTUSD", key=None)).body[0]

    minutes, row = on_its_own_day(story)
    assert len(minutes) == 1440
    assert row["volume24h"] == sum(minute["volume"] for minute in minutes)
    assert row["turnover24h"] == sum(minute["turnover"] for minute in minutes)
    assert row["highPrice"] == max(minute["high"] for minute in minutes)
    assert row["lowPrice"] == min(minute["low"] for minute in minutes)
    assert row["prevPrice24h"] == minutes[-1]["open"]
    assert row["lastChangePcnt"] == round(row["lastPrice"] / row["prevPrice24h"] - 1, 4)


def test_the_oldest_and_a_stretch_of_the_past(on_its_own_day):
    async def story(desk):
        oldest = (await desk.call("GET", "/trade/bucketed?symbol=XBTUSD&count=1", key=None)).body
        stretch = await desk.call(
            "GET", "/trade/bucketed?symbol=XBTUSD&binSize=1h&startTime=2019-05-10&endTime=2019-05-10T02:00", key=None
        )
        everyone = (await desk.call("GET", "/trade/bucketed?binSize=1h&startTime=2019-05-10&count=4", key=None)).body
        return oldest, stretch.body, everyone

    oldest, stretch, everyone = on_its_own_day(story)
    # codler/bitmex-data 9c8be80, first row: average 5263.4349.
    assert oldest == [
        {
            "timestamp": "2019-05-01T00:00:00.000Z", "symbol": "XBTUSD", "open": 5263, "high": 5264, "low": 5262.5,
            "close": 5264, "trades": 176, "volume": 227769, "turnover": 4327411939, "homeNotional": 43.27411939,
            "foreignNotional": 227769, "vwap": 5263.4,
        }
    ]  # fmt: skip
    assert [row["timestamp"][8:16] for row in stretch] == ["10T00:00", "10T01:00", "10T02:00"]
    assert [(row["timestamp"][8:13], row["symbol"]) for row in everyone] == [
        ("10T00", "XBTUSD"), ("10T00", "XBTUSDT"), ("10T00", "XBT_USDT"), ("10T01", "XBTUSD"),
    ]  # fmt: skip


def test_fundings_are_the_recorded_rates_at_the_market_s_hours(at_the_desk):
    async def story(desk):
        return (await desk.call("GET", "/funding?symbol=XBTUSD&reverse=true&count=2", key=None)).body

    # The tape is played two days early: what was paid on 2019-05-28 at 04:00 and 12:00 was paid the evening before.
    rows = at_the_desk(story, start=parse_time("2019-05-27T00:10:00Z"), tape_start=BEGIN)
    assert [(row["timestamp"], row["fundingRate"]) for row in rows] == [
        ("2019-05-26T20:00:00.000Z", 0.001425),
        ("2019-05-26T12:00:00.000Z", 0.001267),
    ]
