"""The market through ccxt: from BitMEX's simulator over its real wire, and from scripts for what no simulator does."""

from __future__ import annotations

import asyncio
import math
from decimal import Decimal
from itertools import pairwise

import ccxt
import pytest
from hbkit_ccxt import feeds as rooms
from hbkit_ccxt.client import Client
from hbkit_ccxt.feeds import Feeds
from hbkit_ccxt.listing import listed

from hbkit.chance import Chance
from hbkit.clock import MINUTE, SECOND, ShiftedClock
from hbkit.errors import Unsupported
from hbkit.exchange import Channel, ListingRequest, SimulatorOptions
from hbkit.log import Secret
from hbkit.model import Currency, Instrument, InstrumentKind, Side
from hbkit.net.http import RequestDisconnected
from hbkit.net.virtual import run_virtual
from plugins.ccxt.tests.script import Listener, Script

needs_bitmex = pytest.mark.skipif("bitmex" not in ccxt.exchanges, reason="this ccxt has no bitmex: 4.5.83 was the last")
SYMBOL = "BTC/USDT:USDT"
COIN = Instrument(
    exchange="main", symbol="BTC-USDT-SWAP", unified=SYMBOL, kind=InstrumentKind.LINEAR, base="BTC", quote="USDT",
    settle=Currency("USDT", 8), tick_size=Decimal("0.1"), lot_size=Decimal(1), unit_size=Decimal(1),
    multiplier=Decimal(1_000_000), maker_fee=Decimal(0), taker_fee=Decimal(0),
)  # fmt: skip
WATCHED = {"watchTrades": True, "watchOrderBook": True, "fetchTrades": True, "fetchOrderBook": True}


def play(program, has=None, answers=None):
    """Runs a program of (loop, script, feeds, listener, ups and downs) in virtual time."""

    async def main(loop):
        script = Script(loop, has or WATCHED, {"fetch_order_book": book(100), "fetch_trades": [], **(answers or {})})
        listener, turns = Listener(), []
        feeds = Feeds(script, listener, {COIN.symbol: COIN}, turns.append, lambda: turns.append("up"))
        try:
            await program(loop, script, feeds, listener, turns)
        finally:
            await feeds.close()
        return listener, turns, script

    return run_virtual(main)


def book(bid, ask=None, ts=None):
    ask = bid + 0.5 if ask is None else ask
    return {"bids": [[bid, 3.0], [bid - 0.5, 4.0]], "asks": [[ask, 2.0]], "timestamp": ts}


def trade(loop, number, seconds=0.0, **values):
    ts = loop.clock.now() // 1_000_000 + round(1000 * seconds)
    return {
        "id": str(number),
        "timestamp": ts,
        "side": "buy",
        "price": 100.1,
        "amount": 2.0,
        "symbol": SYMBOL,
        **values,
    }


# -- over a real wire


@needs_bitmex
def test_every_channel_of_a_market_comes_over_bitmexs_wire(connection):
    hosted = pytest.importorskip("hbkit_bitmex.simulator").hosted
    instruments = {one.symbol: one for one in listed(ListingRequest("ccxt:bitmex", "simulator"))}

    async def main(loop):
        async with hosted(SimulatorOptions(), loop.clock, Chance(1), "bitmex") as address:
            there = {"rest_url": address.rest, "ws_url": address.websocket, "api_secret": Secret("demo-secret")}
            client = Client("bitmex", connection(loop.clock, "bitmex", api_key="demo", **there))
            await client.load()
            listener, turns = Listener(), []
            feeds = Feeds(client, listener, instruments, turns.append, lambda: turns.append("up"))
            coin = instruments["XBTUSD"]
            listener.on_book = lambda told: listener.told.append(("crossed", told.is_crossed))
            for channel in Channel:
                feeds.subscribe(coin, channel, "1m" if channel is Channel.CANDLE else "")
            await asyncio.sleep(70)
            past = await feeds.candles(coin, "1m", client.market_now() - 300 * MINUTE, client.market_now())
            reference, last = feeds.reference_price(coin), feeds.last_price(coin)
            await feeds.close()
            await client.close()
            return listener, turns, past, reference, last

    listener, turns, past, reference, last = run_virtual(main)
    assert turns == []
    trades, quotes, candles = (listener.all(f"on_{name}") for name in ("trade", "quote", "candle"))
    assert len(trades) > 100
    assert [one.ts for one in trades] == sorted(one.ts for one in trades)
    assert all(one.bid < one.ask for one in quotes)
    assert len(quotes) > 5
    assert set(listener.all("crossed")) == {False}
    # The run begins on a whole minute: a candle has closed after 70 s, and agrees with the trades in it.
    assert len(candles) == 1
    for one in candles:
        inside = [trade for trade in trades if one.open_time < trade.ts <= one.close_time]
        assert one.volume == sum(trade.qty for trade in inside)
        assert one.close == inside[-1].price
    assert candles == past[-1:]
    # 300 minutes that do not begin on a whole one hold 299 whole ones.
    assert len(past) == 299
    assert all(after.open_time == before.close_time for before, after in pairwise(past))
    assert reference == listener.all("on_mark")[-1].price
    assert last == trades[-1].price


@pytest.mark.parametrize(("feed", "behind"), [("live", 5), ("testnet", 5), ("simulator", -3600)])
def test_a_market_is_timed_by_its_own_clock_and_not_by_a_machine_that_is_wrong(connection, feed, behind):
    async def main(loop):
        ahead = ShiftedClock(loop.clock, loop.clock.now() + 3600 * SECOND)
        client = Client("okx", connection(loop.clock, "nowhere", feed=feed, market_clock=ahead))
        now = loop.clock.now()
        # The machine is 5 s ahead of the venue: a candle must not be taken for closed before it is.
        client.server.sample(now - 5 * SECOND, now, now)
        told = client.market_now()
        await client.close()
        return (now - told) / SECOND

    assert run_virtual(main) == behind


# -- trades


def test_a_trade_is_told_once_and_none_from_before_it_was_asked_for():
    async def program(loop, script, feeds, listener, turns):
        feeds.subscribe(COIN, Channel.TRADE)
        old, one, two = trade(loop, 1, -5), trade(loop, 2, 1), trade(loop, 3, 1.5, side="sell", price=100.3)
        for rows in ([old], [two, one], [one, two], [trade(loop, 4, 2, symbol="ETH/USDT:USDT")]):
            script.stream("watch_trades").put_nowait(rows)
        await asyncio.sleep(1)
        assert feeds.last_price(COIN) == 100.3

    listener, *_ = play(program)
    told = listener.all("on_trade")
    assert [(one.side, one.price, one.qty) for one in told] == [(Side.BUY, 100.1, 2.0), (Side.SELL, 100.3, 2.0)]
    assert told[0].ts < told[1].ts


def test_trades_without_an_id_are_told_apart_by_all_that_they_are():
    async def program(loop, script, feeds, listener, turns):
        feeds.subscribe(COIN, Channel.TRADE)
        one = trade(loop, "", 1)
        script.stream("watch_trades").put_nowait([one, {**one, "amount": 3.0}])
        script.stream("watch_trades").put_nowait([one])
        await asyncio.sleep(1)

    assert [one.qty for one in play(program)[0].all("on_trade")] == [2.0, 3.0]


def test_a_trade_without_the_takers_side_is_left_out():
    async def program(loop, script, feeds, listener, turns):
        feeds.subscribe(COIN, Channel.TRADE)
        script.stream("watch_trades").put_nowait([trade(loop, 1, 1, side=None), trade(loop, 2, 1)])
        await asyncio.sleep(1)

    assert len(play(program)[0].all("on_trade")) == 1


def test_without_a_watch_trades_are_asked_for():
    async def program(loop, script, feeds, listener, turns):
        feeds.subscribe(COIN, Channel.TRADE)
        rows = [trade(loop, 1, 1)]
        script.answers["fetch_trades"] = rows
        await asyncio.sleep(1.5 * rooms.POLL_SECONDS)
        rows.append(trade(loop, 2, 1))
        await asyncio.sleep(1.5 * rooms.POLL_SECONDS)

    assert len(play(program, {"fetchTrades": True})[0].all("on_trade")) == 2


def test_what_ccxt_has_no_method_for_is_refused_by_name():
    async def program(loop, script, feeds, listener, turns):
        with pytest.raises(Unsupported, match="okx tells no trade of BTC-USDT-SWAP"):
            feeds.subscribe(COIN, Channel.TRADE)

    play(program, {"fetchOrderBook": True})


# -- books and best prices


def test_a_book_is_told_whole_and_only_when_it_changed():
    seen = []

    async def program(loop, script, feeds, listener, turns):
        listener.on_book = lambda told: seen.append((told.bids(), told.asks()))
        feeds.subscribe(COIN, Channel.BOOK)
        for state in (book(100), book(100), {**book(100), "bids": [[100, 1.0]]}):
            script.stream("watch_order_book").put_nowait(state)
        await asyncio.sleep(1)

    play(program)
    assert seen == [
        ([(100.0, 3.0), (99.5, 4.0)], [(100.5, 2.0)]),
        ([(100.0, 1.0)], [(100.5, 2.0)]),
    ]


def test_a_crossed_state_is_passed_over_and_one_that_lasts_begins_the_connection_anew():
    async def program(loop, script, feeds, listener, turns):
        feeds.subscribe(COIN, Channel.BOOK)
        stream = script.stream("watch_order_book")
        for state in (book(100), book(101, 100.5), book(102, 102.5)):
            stream.put_nowait(state)
        await asyncio.sleep(1)
        assert (len(listener.all("on_book")), script.reconnects) == (2, 0)
        for _ in range(2):
            stream.put_nowait(book(104, 103))
            await asyncio.sleep(rooms.CROSSED_SECONDS)
        stream.put_nowait(book(104, 104.5))
        await asyncio.sleep(5)

    listener, turns, script = play(program)
    assert script.reconnects == 1
    assert turns == ["the book of BTC-USDT-SWAP stays crossed", "up"]
    assert len(listener.all("on_book")) == 3


def test_best_prices_come_from_the_book_where_there_is_no_watch_of_their_own():
    async def program(loop, script, feeds, listener, turns):
        feeds.subscribe(COIN, Channel.QUOTE)
        deeper = {**book(100), "bids": [[100, 3.0], [99, 9.0]]}
        for state in (book(100, ts=7), deeper, book(100.5, 101)):
            script.stream("watch_order_book").put_nowait(state)
        await asyncio.sleep(1)
        assert feeds.reference_price(COIN) == 100.75

    listener, *_ = play(program)
    told = [(one.bid, one.bid_qty, one.ask, one.ask_qty) for one in listener.all("on_quote")]
    assert told == [(100.0, 3.0, 100.5, 2.0), (100.5, 3.0, 101.0, 2.0)]
    assert listener.all("on_quote")[0].ts == 7_000_000
    assert listener.all("on_book") == []


def test_best_prices_of_their_own_watch_may_be_one_sided_and_of_unknown_size():
    async def program(loop, script, feeds, listener, turns):
        feeds.subscribe(COIN, Channel.QUOTE)
        rows = [
            {"bid": 100.0, "ask": 100.5, "bidVolume": 1.0, "askVolume": None},
            {"bid": 100.0, "ask": 100.5, "bidVolume": 1.0, "askVolume": None},
            {"bid": 101.0, "ask": 100.5},
            {"bid": 100.0, "ask": None, "bidVolume": 1.0},
        ]
        for row in rows:
            script.stream("watch_bids_asks").put_nowait({SYMBOL: row})
        await asyncio.sleep(1)

    listener, _, script = play(program, {**WATCHED, "watchBidsAsks": True})
    first, second = listener.all("on_quote")
    assert (first.bid, first.ask, first.bid_qty) == (100.0, 100.5, 1.0)
    assert math.isnan(first.ask_qty)
    assert math.isnan(second.ask)
    assert ("watch_bids_asks", [SYMBOL]) in script.asked


# -- marks and fundings


def test_a_mark_comes_from_the_watch_that_has_one_else_it_is_asked_for():
    async def program(loop, script, feeds, listener, turns):
        feeds.subscribe(COIN, Channel.MARK)
        script.stream("watch_ticker").put_nowait({"last": 100.0, "markPrice": None})
        await asyncio.sleep(1)
        assert feeds.reference_price(COIN) == 100.2

    has = {"watchTicker": True, "fetchFundingRate": True}
    listener, *_ = play(program, has, {"fetch_funding_rate": {"markPrice": 100.2, "indexPrice": 100.4}})
    (told,) = listener.all("on_mark")
    assert (told.price, told.index) == (100.2, 100.4)


def test_a_funding_is_told_once_after_it_took_place_with_what_it_moved():
    # The loop begins on a whole hour; the funding is due in 10 minutes, and the history has it 30 s late.
    def rate(symbol):
        return {"fundingTimestamp": due if script_now() < due else due + 28_800_000}

    script_now = due = None

    async def program(loop, script, feeds, listener, turns):
        nonlocal script_now, due
        script_now = lambda: loop.clock.now() // 1_000_000  # noqa: E731
        due = script_now() + 600_000
        rows = []
        script.answers |= {"fetch_funding_rate": rate, "fetch_funding_rate_history": lambda symbol, since: rows}
        feeds.subscribe(COIN, Channel.FUNDING)
        await asyncio.sleep(630)
        rows.append({"timestamp": due, "fundingRate": 0.0001})
        await asyncio.sleep(600)
        assert (due + 28_800_000) * 1_000_000 == listener.all("on_funding")[0].next_time

    has = {"fetchFundingRate": True, "fetchFundingRateHistory": True}

    async def main(loop):
        script = Script(loop, has, {})
        listener = Listener()
        feeds = Feeds(script, listener, {}, print, print, amount_of=lambda instrument, ts: -1.5)
        await program(loop, script, feeds, listener, [])
        await feeds.close()
        return listener

    (told,) = run_virtual(main).all("on_funding")
    assert (told.rate, told.amount, told.currency, told.ts) == (0.0001, -1.5, "USDT", due * 1_000_000)


# -- up, down and silent


def test_a_broken_watch_is_told_and_so_is_its_end():
    async def program(loop, script, feeds, listener, turns):
        feeds.subscribe(COIN, Channel.TRADE)
        await asyncio.sleep(1)
        script.stream("watch_trades").put_nowait(RequestDisconnected("the line went", sent=False))
        await asyncio.sleep(5)
        assert turns == ["the line went", "up"]
        script.stream("watch_trades").put_nowait([trade(loop, 1)])
        await asyncio.sleep(1)

    assert len(play(program)[0].all("on_trade")) == 1


def test_a_watch_that_is_silent_while_the_market_goes_on_is_found_and_begun_anew():
    async def program(loop, script, feeds, listener, turns):
        feeds.subscribe(COIN, Channel.TRADE)
        script.answers["fetch_trades"] = lambda symbol: [trade(loop, round(loop.time()), -4)]
        await asyncio.sleep(50)
        assert (script.reconnects, feeds.silences) == (1, 1)
        assert turns == [f"watch_trades of {SYMBOL} tells nothing, and the exchange has news", "up"]
        # Three times in vain: it is asked for instead, and what was missed is told.
        await asyncio.sleep(120)
        assert feeds.silences == 3

    listener, _, script = play(program)
    assert script.reconnects == 2
    assert len(listener.all("on_trade")) > 5


def test_a_quiet_market_is_not_taken_for_a_silent_watch():
    async def program(loop, script, feeds, listener, turns):
        feeds.subscribe(COIN, Channel.TRADE)
        feeds.subscribe(COIN, Channel.BOOK)
        script.stream("watch_order_book").put_nowait(book(100))
        script.answers["fetch_trades"] = [trade(loop, 1, -60)]
        await asyncio.sleep(600)

    _, turns, script = play(program)
    assert (turns, script.reconnects) == ([], 0)
    # It is compared now and then, not all the time.
    assert sum(asked[0] == "fetch_order_book" for asked in script.asked) < 60


def test_a_book_that_was_never_confirmed_is_found():
    async def program(loop, script, feeds, listener, turns):
        feeds.subscribe(COIN, Channel.BOOK)
        await asyncio.sleep(50)

    assert play(program)[2].reconnects == 1


def test_nothing_is_told_once_it_is_closed():
    async def program(loop, script, feeds, listener, turns):
        feeds.subscribe(COIN, Channel.TRADE)
        await asyncio.sleep(1)
        script.stream("watch_trades").put_nowait([trade(loop, 1)])
        await feeds.close()
        await asyncio.sleep(1)

    assert play(program)[0].told == []
