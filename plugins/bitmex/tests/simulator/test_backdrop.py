"""Markets that nobody recorded: prices that agree, sleep that changes nothing, and cheap rest."""

import asyncio
import statistics

import pytest
from hbkit_bitmex.simulator.paths import STYLES, Path

from hbkit.clock import DAY, HOUR, MINUTE, SECOND


async def instruments_of(desk):
    rows = (await desk.call("GET", "/instrument/activeAndIndices", key=None)).body
    return {row["symbol"]: row for row in rows}


def test_every_listed_instrument_has_a_price_and_a_touch(at_the_desk):
    rows = at_the_desk(instruments_of)
    opened = [row for row in rows.values() if row["state"] == "Open"]
    assert len(opened) == 129
    for row in opened:
        assert row["bidPrice"] < row["askPrice"], row["symbol"]
        assert row["lastPrice"] > 0, row["symbol"]
        if row["typ"] != "IFXXXP":
            assert row["markPrice"] == pytest.approx((row["bidPrice"] + row["askPrice"]) / 2, rel=0.06), row["symbol"]


def test_prices_of_one_asset_agree(at_the_desk):
    rows = at_the_desk(instruments_of)
    bitcoin, ether = rows["XBTUSD"]["indicativeSettlePrice"], rows["ETHUSD"]["indicativeSettlePrice"]
    assert rows[".BETH"]["lastPrice"] == ether
    assert rows["ETHUSDT"]["markPrice"] == pytest.approx(ether, rel=0.001)
    assert rows["ETH_USDT"]["bidPrice"] == pytest.approx(ether, rel=0.002)
    assert rows["ETH_XBT"]["bidPrice"] == pytest.approx(ether / bitcoin, rel=0.002)
    assert rows["XBTETH"]["markPrice"] == pytest.approx(bitcoin / ether, rel=0.002)
    assert rows["ETHM26"]["indicativeSettlePrice"] == pytest.approx(ether / bitcoin, rel=0.002)
    # The rows of 2026-05-03 had ETHUSD at 2,302.03 and XBTUSD at 78,176.66: 0.02945, and a day moves that by 2 %.
    assert ether / bitcoin == pytest.approx(0.02945, rel=0.05)
    # Dated futures stand above the index in the order of their expiry: +0.15 %, +0.80 % and +1.29 % there.
    basis = [rows[symbol]["markPrice"] / bitcoin - 1 for symbol in ("XBTM26", "XBTU26", "XBTZ26")]
    assert basis == pytest.approx([0.0015, 0.0080, 0.0129], abs=0.001)
    # XBt to the dollar: 1e8 / index of the settlement currency.
    assert rows["ETHUSD"]["quoteToSettleMultiplier"] == pytest.approx(1e8 / bitcoin, rel=0.001)


def test_futures_expire_as_far_away_as_on_the_day_of_their_rows(at_the_desk):
    rows = at_the_desk(instruments_of)
    # 2019-05-28 lies 361.7 weeks before 2026-05-03, which makes 362; XBTM26 expired on 2026-06-26.
    assert rows["XBTM26"]["expiry"] == "2019-07-19T12:00:00.000Z"


async def what_ether_did(desk, *, early):
    if early:
        await desk.socket("trade:ETHUSD", "orderBookL2:ETHUSD", key=None)
    await asyncio.sleep(900)
    book = (await desk.call("GET", "/orderBook/L2?symbol=ETHUSD", key=None)).body
    await asyncio.sleep(30)
    trades = (await desk.call("GET", "/trade?symbol=ETHUSD&count=3&reverse=true", key=None)).body
    return [(row["side"], row["price"], row["size"]) for row in book], trades


def test_a_market_is_the_same_whenever_it_was_woken(at_the_desk):
    watched = at_the_desk(lambda desk: what_ether_did(desk, early=True))
    asleep = at_the_desk(lambda desk: what_ether_did(desk, early=False))
    assert watched[0] == asleep[0]
    assert len(watched[0]) == 50
    assert watched[1] == asleep[1]


def test_markets_wake_when_asked_and_sleep_when_nobody_cares(at_the_desk):
    async def story(desk):
        feed = desk.running.simulator.feed
        seen = [feed.awake]
        await instruments_of(desk)
        seen.append(feed.awake)
        await desk.call("GET", "/orderBook/L2?symbol=SOLUSDT", key=None)
        await desk.call("GET", '/trade?filter={"symbol":"XRPUSD"}'.replace('"', "%22"), key=None)
        await desk.place(symbol="ETHUSDT", side="Buy", orderQty=1000, price=1)
        await desk.place(symbol="LTCUSDT", side="Buy", orderQty=1000, ordType="Market")
        socket = await desk.socket("quote:ADAUSD", key=None)
        seen.append(feed.awake)
        await asyncio.sleep(900)
        seen.append(feed.awake)
        await socket.socket.close()
        await asyncio.sleep(900)
        return [*seen, feed.awake]

    first, looked, asked, later, last = at_the_desk(story)
    assert first == looked == []
    assert asked == ["ADAUSD", "ETHUSDT", "LTCUSDT", "SOLUSDT", "XRPUSD"]
    assert later == ["ADAUSD", "ETHUSDT", "LTCUSDT"]
    assert last == ["ETHUSDT", "LTCUSDT"]


def test_orders_fill_there_and_candles_go_on_after_a_sleep(at_the_desk):
    async def story(desk):
        order = await desk.place(symbol="ETHUSDT", side="Buy", orderQty=2000, ordType="Market")
        await desk.place(symbol="ETHUSDT", side="Sell", orderQty=2000, ordType="Market")
        await asyncio.sleep(3600)
        asleep = desk.running.simulator.feed.awake
        bins = (await desk.call("GET", "/trade/bucketed?symbol=ETHUSDT&count=1000", key=None)).body
        return order, asleep, bins

    order, asleep, bins = at_the_desk(story)
    assert order["ordStatus"] == "Filled"
    assert asleep == []
    # Two minutes of history and the hour: not a minute is missing.
    assert len(bins) >= 60
    assert len({row["timestamp"] for row in bins}) == len(bins)
    assert sum(row["trades"] > 0 for row in bins) > 50


def test_the_unfiltered_instrument_table_tells_of_sleeping_markets_once_a_minute(at_the_desk):
    async def story(desk):
        socket = await desk.socket("instrument", key=None)
        await asyncio.sleep(125)
        return socket

    rows = at_the_desk(story).rows("instrument", "update")
    assert sum(row["symbol"] == "SOLUSDT" and "markPrice" in row for row in rows) == 2


@pytest.mark.parametrize("name", STYLES)
def test_a_synthetic_market_needs_no_tape(at_the_desk, name):
    async def story(desk):
        rows = await instruments_of(desk)
        book = (await desk.call("GET", "/orderBook/L2?symbol=XBTUSD", key=None)).body
        return rows, book

    rows, book = at_the_desk(story, data=(f"synthetic:{name}",), history=HOUR)
    assert rows["XBTUSD"]["markPrice"] == pytest.approx(78_176.66, rel=0.1)
    assert len(book) == 50
    asks, bids = book[:25], book[25:]
    assert asks[-1]["price"] > bids[0]["price"]
    if name == "thin":
        assert asks[-1]["price"] - bids[0]["price"] > 40


def test_a_path_moves_like_a_random_walk_and_remembers_nothing():
    path = Path(3, "XBT", 0.02, STYLES["calm"])
    assert path.at(5 * HOUR) == Path(3, "XBT", 0.02, STYLES["calm"]).at(5 * HOUR)
    assert path.at(0) == 0
    days = [path.at((day + 1) * DAY) - path.at(day * DAY) for day in range(400)]
    minutes = [path.at(at * HOUR + MINUTE) - path.at(at * HOUR) for at in range(400)]
    # 2 % a day; a minute is 1/1440 of a day, and sqrt(1/1440) = 1/38.
    assert statistics.pstdev(days) == pytest.approx(0.02, rel=0.25)
    assert statistics.pstdev(minutes) == pytest.approx(0.02 / 38, rel=0.35)


def test_gaps_and_trends():
    gapping = Path(1, "XBT", 0.02, STYLES["gapping"])
    steps = [abs(gapping.at(at * 10 * MINUTE) - gapping.at(at * 10 * MINUTE - SECOND)) for at in range(1, 400)]
    assert 40 < sum(step > 0.003 for step in steps) < 200
    calm = Path(1, "XBT", 0.02, STYLES["calm"])
    assert max(abs(calm.at(at * 10 * MINUTE) - calm.at(at * 10 * MINUTE - SECOND)) for at in range(1, 400)) < 0.001
    trending = Path(1, "XBT", 0.02, STYLES["trending"])
    swings = [abs(trending.at(4 * HOUR * (at + 1)) - trending.at(4 * HOUR * at)) for at in range(200)]
    assert statistics.mean(swings) > 0.03
