"""Bronze: what a connector tells of the market."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from hbkit.clock import DAY, HOUR, MINUTE, SECOND, duration_text, parse_duration
from hbkit.exchange import Capabilities, Channel, Exchange, Listener
from hbkit.model import Candle, Funding, Instrument, Side, Trade
from hbkit.testing.contract.case import Level, case
from hbkit.testing.contract.stage import Levels, Stage

_RATE = 0.0003
"""Of a funding; longs pay."""


class DataCases:
    """C01 to C19."""

    @case("C01", Level.BRONZE, "instruments are known by their native symbol, on a grid", where=Exchange.instruments)
    async def test_c01_instruments(self, stage: Stage) -> None:
        found = (await stage.open()).instruments()
        where = Exchange.instruments
        stage.equal([symbol for symbol, one in found.items() if one.symbol != symbol], [], "keys that differ", where)
        stage.holds(stage.instrument.symbol in found, f"{stage.instrument} among them", list(found), where)
        one = found[stage.instrument.symbol]
        stage.holds(one.tick_size > 0 and one.lot_size > 0, "a tick and a lot above 0", one, Instrument)
        stage.equal(one.unit_size * one.lot_units, one.lot_size, "units that make a lot", Instrument.lot_units)

    @case("C02", Level.BRONZE, "open ends when the exchange is ready, and says so once", where=Exchange.open)
    async def test_c02_open(self, stage: Stage) -> None:
        exchange = await stage.open()
        await stage.loop.settle()
        stage.equal(
            (stage.heard.ups, stage.heard.downs), (1, 0), "on_connected, on_disconnected", Listener.on_connected
        )
        stage.holds(exchange.is_up, "is_up after open", exchange.is_up, Exchange.is_up)
        stage.equal(exchange.name, stage.instrument.exchange, "the name of the block", Exchange)

    @case("C03", Level.BRONZE, "a print is told once, with the taker's side, its price and its quantity",
          where=Listener.on_trade, needs=Channel.TRADE)  # fmt: skip
    async def test_c03_trades(self, stage: Stage) -> None:
        await subscribed(stage, Channel.TRADE)
        stage.heard.trades.clear()
        wanted = [(Side.BUY, stage.bid + 3, 5), (Side.SELL, stage.bid + 2, 1), (Side.BUY, stage.bid + 4, 30)]
        for side, ticks, lots in wanted:
            stage.venue.trade(side, ticks, stage.lots(lots))
            await asyncio.sleep(0.1)
        one = stage.instrument
        expected = [(side, one.price(ticks), one.qty(stage.lots(lots))) for side, ticks, lots in wanted]
        await asyncio.sleep(1)
        came = [(trade.side, trade.price, trade.qty) for trade in stage.heard.trades]
        stage.equal(came, expected, "prints as side, price and quantity", Trade)

    @case("C04", Level.BRONZE, "a quote has the best bid and ask with their sizes",
          where=Listener.on_quote, needs=Channel.QUOTE)  # fmt: skip
    async def test_c04_quotes(self, stage: Stage) -> None:
        await subscribed(stage, Channel.QUOTE)
        bid, ask = stage.bid + 2, stage.ask - 3
        stage.venue.level(Side.BUY, bid, stage.lots(7))
        stage.venue.level(Side.SELL, ask, stage.lots(9))
        one = stage.instrument
        expected = (one.price(bid), one.qty(stage.lots(7)), one.price(ask), one.qty(stage.lots(9)))

        def last() -> object:
            quote = stage.heard.quotes[-1] if stage.heard.quotes else None
            return quote and (quote.bid, quote.bid_qty, quote.ask, quote.ask_qty)

        await stage.until(lambda: last() == expected, f"a quote {expected}", lambda: f"{last()}", Listener.on_quote, 5)

    @case("C05", Level.BRONZE, "the first book that is told is whole, whatever came before its snapshot",
          where=Listener.on_book, needs=Channel.BOOK)  # fmt: skip
    async def test_c05_snapshot(self, stage: Stage) -> None:
        stage.venue.early_update()
        await stage.open()
        stage.exchange.subscribe(stage.instrument, Channel.BOOK)
        await stage.until(lambda: bool(stage.heard.books), "a book", lambda: "none", Listener.on_book)
        stage.equal(stage.heard.books[0], truth(stage), "the first book", Listener.on_book)

    @case("C06", Level.BRONZE, "the book follows every change", where=Listener.on_book, needs=Channel.BOOK)
    async def test_c06_updates(self, stage: Stage) -> None:
        await subscribed(stage, Channel.BOOK)
        bid, ask = stage.bid, stage.ask
        for side, ticks, lots in (
            (Side.BUY, bid + 1, 5), (Side.BUY, bid + 1, 8), (Side.SELL, ask - 1, 4), (Side.BUY, bid, 0),
            (Side.SELL, ask - 1, 0), (Side.SELL, ask + 1, 3),
        ):  # fmt: skip
            stage.venue.level(side, ticks, stage.lots(lots))
            await asyncio.sleep(0.2)
            stage.equal(stage.heard.books[-1:], [truth(stage)], "the book after a change", Listener.on_book)

    @case("C07", Level.BRONZE, "a crossed book is never passed on, and the book is whole again soon",
          where=Listener.on_book, needs=Channel.BOOK)  # fmt: skip
    async def test_c07_crossed(self, stage: Stage) -> None:
        await subscribed(stage, Channel.BOOK)
        stage.venue.cross()
        await asyncio.sleep(15)
        stage.venue.level(Side.BUY, stage.bid + 1, stage.lots(5))
        await stage.until(
            lambda: stage.heard.books[-1] == truth(stage),
            f"the venue's book after a crossed message: {truth(stage)}",
            lambda: f"{stage.heard.books[-1]}",
            Listener.on_book,
        )
        crossed = [one for one in stage.heard.books if one[Side.BUY] and one[Side.SELL] and is_crossed(one)]
        stage.equal(crossed, [], "crossed books", Listener.on_book)

    @case("C08", Level.BRONZE, "a candle says when it opened and when it closed, and what traded between",
          where=Candle, needs=Channel.CANDLE)  # fmt: skip
    async def test_c08_candles(self, stage: Stage) -> None:
        candles = await minutes(stage, [[3, 5, 2], [4]])
        one, base = stage.instrument, stage.bid
        first = candles[0]
        start = first.open_time
        stage.equal(start % MINUTE, 0, "open_time after a full minute, ns", Candle)
        stage.equal(
            (first.close_time - start, first.ts - start), (MINUTE, MINUTE), "close_time and ts after it", Candle
        )
        stage.equal(start, stage.venue.clock.now() // MINUTE * MINUTE - 2 * MINUTE, "open_time of the minute", Candle)
        came = (first.high, first.low, first.close, first.volume, first.trades)
        expected = (one.price(base + 5), one.price(base + 2), one.price(base + 2), one.qty(stage.lots(3)), 3)
        stage.equal(came, expected, "high, low, close, volume, trades", Candle)
        stage.equal([candle.interval for candle in candles[:2]], ["1m", "1m"], "interval", Candle)

    @case("C09", Level.BRONZE, "a minute without a trade is a candle too, at the close before, of no volume",
          where=Candle, needs=Channel.CANDLE)  # fmt: skip
    async def test_c09_empty_candle(self, stage: Stage) -> None:
        candles = await minutes(stage, [[3], [], [4]])
        times = [candle.open_time for candle in candles[:3]]
        expected = [times[0] + MINUTE * number for number in range(3)]
        stage.equal(times, expected, "open times, none left out", Candle)
        price = stage.instrument.price(stage.bid + 3)
        empty = candles[1]
        came = (empty.open, empty.high, empty.low, empty.close, empty.volume, max(empty.trades, 0))
        stage.equal(came, (price, price, price, price, 0.0, 0), "the empty minute", Candle)

    @case("C10", Level.BRONZE, "history and stream are one row of candles: none twice, none missing",
          where=Exchange.candles, needs=Channel.CANDLE)  # fmt: skip
    async def test_c10_history(self, stage: Stage) -> None:
        live = await minutes(stage, [[3], [4, 5], [2], [6]])
        start, end = live[0].open_time, live[3].close_time
        past = await stage.exchange.candles(stage.instrument, "1m", start, end)
        stage.equal(
            [one.open_time for one in past], [one.open_time for one in live[:4]], "open times", Exchange.candles
        )
        stage.equal([ohlc(one) for one in past], [ohlc(one) for one in live[:4]], "the same candles", Exchange.candles)
        inner = await stage.exchange.candles(stage.instrument, "1m", start + MINUTE, end - MINUTE)
        stage.equal(
            [one.open_time for one in inner],
            [one.open_time for one in live[1:3]],
            "only those asked for",
            Exchange.candles,
        )
        stage.holds(all(a.ts < b.ts for a, b in pairwise(past)), "oldest first", past, Exchange.candles)

    @case("C11", Level.BRONZE, "the mark is told, and positions are valued at it",
          where=Exchange.reference_price, needs=Channel.MARK)  # fmt: skip
    async def test_c11_mark(self, stage: Stage) -> None:
        await subscribed(stage, Channel.MARK)
        price = stage.instrument.price(stage.bid + 4)
        stage.venue.mark(price)
        await asyncio.sleep(2)
        marks = [mark.price for mark in stage.heard.marks]
        stage.equal(marks[-1:], [price], "the last mark told", Listener.on_mark)
        stage.equal(
            stage.exchange.reference_price(stage.instrument), price, "reference price", Exchange.reference_price
        )

    @case("C12", Level.BRONZE, "shut leaves nothing: no task, no connection, no word", where=Exchange.shut)
    async def test_c12_shut(self, stage: Stage) -> None:
        before = set(stage.loop.waiting())
        connections = stage.venue.connections
        exchange = await stage.open()
        for channel in stage.declared.channels:
            if not (stage.instrument.is_spot and channel in (Channel.MARK, Channel.FUNDING)):
                exchange.subscribe(stage.instrument, channel, "1m" if channel is Channel.CANDLE else "")
        await asyncio.sleep(5)
        await stage.shut()
        await stage.loop.settle()
        left = [task.get_name() for task in stage.loop.waiting() if task not in before]
        stage.equal(left, [], "tasks left", Exchange.shut)
        stage.equal(stage.venue.connections, connections, "open connections", Exchange.shut)
        told = stage.heard.told
        stage.venue.trade(Side.BUY, stage.bid + 3, stage.lots(1))
        stage.venue.level(Side.BUY, stage.bid + 1, stage.lots(5))
        await asyncio.sleep(65)
        stage.equal(stage.heard.told - told, 0, "words after shut", Exchange.close)

    @case("C13", Level.BRONZE, "a broken socket is told and comes back with everything that was asked for",
          where=Listener.on_disconnected, needs=Channel.TRADE)  # fmt: skip
    async def test_c13_reconnect(self, stage: Stage) -> None:
        await subscribed(stage, Channel.TRADE)
        if Channel.BOOK in stage.declared.channels:
            stage.exchange.subscribe(stage.instrument, Channel.BOOK)
        await asyncio.sleep(3)
        stage.venue.cut()
        stage.venue.level(Side.BUY, stage.bid + 1, stage.lots(5))
        await back(stage)
        stage.equal((stage.heard.ups, stage.heard.downs), (2, 1), "ups and downs", Listener.on_disconnected)
        stage.heard.trades.clear()
        await asyncio.sleep(3)
        stage.venue.trade(Side.SELL, stage.bid + 2, stage.lots(3))
        await stage.until(
            lambda: bool(stage.heard.trades), "prints go on after a reconnect", lambda: "none came", Exchange.subscribe
        )
        if Channel.BOOK in stage.declared.channels:
            stage.equal(stage.heard.books[-1], truth(stage), "the book after the gap", Listener.on_book)

    @case("C14", Level.BRONZE, "every interval of candles that is declared is told, and is in the history",
          where=Capabilities, needs=Channel.CANDLE, seconds=4 * HOUR / SECOND)  # fmt: skip
    async def test_c14_intervals(self, stage: Stage) -> None:
        lengths = {interval: parse_duration(interval) for interval in stage.declared.candle_intervals}
        stage.holds(bool(lengths), "at least one interval, for candles are declared", lengths, Capabilities)
        waited = {interval: length for interval, length in lengths.items() if length <= HOUR}
        exchange = await stage.open()
        for interval in lengths:
            exchange.subscribe(stage.instrument, Channel.CANDLE, interval)
        await until_next(stage, max(waited.values(), default=MINUTE))
        base, start = stage.bid, stage.venue.clock.now()
        for away in (3, 5, 2):
            stage.venue.trade(Side.BUY, base + away, stage.lots(1))
            await asyncio.sleep(1)
        one = stage.instrument
        expected = (one.price(base + 5), one.price(base + 2), one.price(base + 2), one.qty(stage.lots(3)))
        for interval, length in sorted(waited.items(), key=lambda item: item[1]):
            first = start // length * length
            await until(stage, first + length)
            told = [one for one in stage.heard.candles if (one.interval, one.open_time) == (interval, first)]
            came = [(one.close_time - first, (one.high, one.low, one.close, one.volume)) for one in told]
            stage.equal(came, [(length, expected)], f"the {interval} candle: ns it lasts, and its figures", Candle)
        for interval, length in lengths.items():
            past = await exchange.candles(stage.instrument, interval, start - 2 * length, stage.venue.clock.now())
            wrong = [
                one
                for one in past
                if one.interval != interval or one.open_time % length or one.close_time - one.open_time != length
            ]
            stage.equal(wrong, [], f"candles of the history that are none of {interval}", Exchange.candles)
            if interval in waited:
                times = [one.open_time for one in past]
                stage.holds(start // length * length in times, "the candle in the history", times, Exchange.candles)

    @case("C15", Level.BRONZE, "a funding is told when it took place, with its rate and the time of the next",
          where=Listener.on_funding, needs=Channel.FUNDING)  # fmt: skip
    async def test_c15_funding(self, stage: Stage) -> None:
        await subscribed(stage, Channel.FUNDING)
        now = stage.venue.clock.now()
        stage.venue.fund(_RATE)
        await stage.until(lambda: bool(stage.heard.fundings), "a funding", lambda: "none came", Listener.on_funding)
        (told,) = stage.heard.fundings
        stage.equal((told.instrument.symbol, told.rate), (stage.instrument.symbol, _RATE), "symbol and rate", Funding)
        off = (told.ts - now) / SECOND
        stage.holds(abs(off) < 60, "ts within a minute of the funding", f"{off:+.3f} s", Funding)
        ahead = (told.next_time - told.ts) / SECOND
        stage.holds(0 < ahead <= DAY / SECOND, "the next one within a day", f"{ahead:+.3f} s", Funding)

    @case("C16", Level.BRONZE, "a book is as deep as declared, and its last levels are there when the best ones go",
          where=Capabilities, needs=Channel.BOOK)  # fmt: skip
    async def test_c16_depth(self, stage: Stage) -> None:
        deep = (stage.declared.book_depth or 40) + 5
        bid, ask = stage.bid, stage.ask
        await subscribed(stage, Channel.BOOK)
        for away in range(deep):
            stage.venue.level(Side.BUY, bid - away, stage.lots(away + 1))
            stage.venue.level(Side.SELL, ask + away, stage.lots(away + 1))
        await asyncio.sleep(2)
        stage.equal(stage.heard.books[-1:], [truth(stage)], f"the book with {deep} levels a side", Capabilities)
        for away in range(3):
            stage.venue.level(Side.BUY, bid - away, 0)
            stage.venue.level(Side.SELL, ask + away, 0)
            await asyncio.sleep(1)
            stage.equal(stage.heard.books[-1:], [truth(stage)], "the book after its best levels went", Capabilities)

    @case("C17", Level.BRONZE, "a multiple of a declared interval is put together from its candles",
          where=Capabilities, needs=Channel.CANDLE, seconds=HOUR / SECOND)  # fmt: skip
    async def test_c17_put_together(self, stage: Stage) -> None:
        shortest = min(stage.declared.candle_intervals, key=parse_duration)
        length = 3 * parse_duration(shortest)
        interval = duration_text(length)
        exchange = await stage.open()
        exchange.subscribe(stage.instrument, Channel.CANDLE, interval)
        await until_next(stage, length)
        base, start = stage.bid, stage.venue.clock.now() // length * length
        stage.heard.candles.clear()
        for away in (4, 2, 6):
            stage.venue.trade(Side.BUY, base + away, stage.lots(1))
            await until_next(stage, length // 3)
        told = [one for one in stage.heard.candles if one.interval == interval]
        market = stage.instrument
        # In units: a sum of floats is off by their last bit.
        came = [(*ohlc(one)[1:4], one.open_time, one.close_time, market.units(one.volume)) for one in told]
        prices = market.price(base + 6), market.price(base + 2), market.price(base + 6)
        expected = [(*prices, start, start + length, stage.lots(3))]
        stage.equal(came, expected, f"{interval} candles as high, low, close, open and close time, units", Candle)


# -- what several cases do


async def subscribed(stage: Stage, channel: Channel) -> None:
    """Open and ask for a channel, and give the venue the time to answer."""
    await stage.open()
    stage.exchange.subscribe(stage.instrument, channel, "1m" if channel is Channel.CANDLE else "")
    await asyncio.sleep(2)


async def minutes(stage: Stage, prints: list[list[int]]) -> list[Candle]:
    """The candles of some minutes in which these prints came, each of a lot, in ticks above the best bid."""
    await subscribed(stage, Channel.CANDLE)
    base = stage.bid
    await next_minute(stage)
    stage.heard.candles.clear()
    for ticks in prints:
        for one in ticks:
            stage.venue.trade(Side.BUY, base + one, stage.lots(1))
            await asyncio.sleep(1)
        await next_minute(stage)
    wanted = len(prints)
    await stage.until(
        lambda: len(stage.heard.candles) >= wanted,
        f"{wanted} candles after {wanted} minutes",
        lambda: f"{len(stage.heard.candles)}: {[(one.open_time, one.trades) for one in stage.heard.candles]}",
        Listener.on_candle,
        5,
    )
    return stage.heard.candles


async def next_minute(stage: Stage) -> None:
    """Some seconds into the next minute of the venue, when its candle is told."""
    await until_next(stage, MINUTE)


async def until_next(stage: Stage, length: int) -> None:
    """Some seconds into the next interval of the venue, ns."""
    await until(stage, (stage.venue.clock.now() // length + 1) * length)


async def until(stage: Stage, ts: int) -> None:
    """Some seconds after a moment, ns, when what ends then was told."""
    await asyncio.sleep(max(0, ts - stage.venue.clock.now()) / SECOND + 3)


async def back(stage: Stage, ups: int = 2) -> None:
    """Until the connector says that it is there again."""
    await stage.until(
        lambda: stage.heard.ups >= ups, "connected again", lambda: f"{stage.heard.ups} ups", Listener.on_connected, 90
    )


def truth(stage: Stage) -> Levels:
    """The venue's book, as deep as it is declared to be told."""
    depth = stage.declared.book_depth or None
    sides = {side: stage.venue.book(side) for side in Side}
    best = {side: sorted(levels, reverse=side is Side.BUY)[:depth] for side, levels in sides.items()}
    return {side: {ticks: sides[side][ticks] for ticks in best[side]} for side in Side}


def is_crossed(levels: Levels) -> bool:
    """Whether the best bid is at or above the best ask."""
    return max(levels[Side.BUY]) >= min(levels[Side.SELL])


def ohlc(candle: Candle) -> tuple[float, ...]:
    """What two candles of one interval have in common."""
    return candle.open, candle.high, candle.low, candle.close, candle.volume
