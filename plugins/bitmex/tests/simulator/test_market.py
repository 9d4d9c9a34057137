"""The public tables: bins, books rebuilt from their deltas, quotes, marks and fundings, the same in every run."""

import asyncio
import hashlib

import pytest
from hbkit_bitmex import tapes

from hbkit.clock import HOUR, MINUTE, parse_time
from hbkit.data.source import Rows

SYMBOLS = ("XBTUSD", "XBTUSDT", "XBT_USDT")


def test_bins_are_the_tapes_candles_stamped_at_their_end(at_the_desk):
    async def story(desk):
        socket = await desk.socket("tradeBin1m:XBTUSD", key=None)
        await asyncio.sleep(600)
        rest = (await desk.call("GET", "/trade/bucketed?symbol=XBTUSD&binSize=1m&count=10&reverse=true", key=None)).body
        return socket.rows("tradeBin1m", "insert"), rest

    rows, rest = at_the_desk(story)
    assert rest[::-1] == rows
    tape = tapes.open_tape("bitmex-2019-05-29", 1)
    start = tape.info().start // MINUTE * MINUTE
    batches = [batch for window in tape.windows(start, start + HOUR) for batch in window if batch.kind is Rows.CANDLE]
    table = [zip(*(column.tolist() for column in (batch.ts, *batch.columns)), strict=True) for batch in batches]
    candles = [row for rows_of_batch in table for row in rows_of_batch]
    # The simulator's history is two minutes of the tape: what follows begins with its third.
    assert len(rows) == 10
    for row, (ts, _, opened, high, low, close, volume, trades) in zip(rows, candles[2:12], strict=True):
        assert parse_time(row["timestamp"]) - ts == parse_time(rows[0]["timestamp"]) - candles[2][0]
        assert (row["open"], row["high"], row["low"], row["close"]) == (opened, high, low, close)
        assert (row["volume"], row["trades"]) == (volume, trades)
    assert rows[0]["timestamp"] == "2019-05-28T00:01:00.000Z"


def test_larger_bins_hold_the_smaller_ones_and_partial_is_the_open_one(at_the_desk):
    async def story(desk):
        await asyncio.sleep(330)
        url = "/trade/bucketed?symbol=XBTUSD&reverse=true&binSize="
        small = (await desk.call("GET", f"{url}1m&count=5", key=None)).body
        large = (await desk.call("GET", f"{url}5m&count=2&partial=true", key=None)).body
        wrong = await desk.call("GET", f"{url}15m", key=None)
        return small, large, wrong

    small, (partial, whole), wrong = at_the_desk(story)
    assert whole["volume"] == sum(row["volume"] for row in small)
    assert whole["high"] == max(row["high"] for row in small)
    assert (whole["open"], whole["close"]) == (small[-1]["open"], small[0]["close"])
    assert (whole["timestamp"], partial["timestamp"]) == ("2019-05-28T00:05:00.000Z", "2019-05-28T00:10:00.000Z")
    assert (wrong.status, wrong.message) == (400, "binSize is invalid")


def rebuild(socket, table):
    """A book from its frames; every delta must hit."""
    books = {}
    for frame in socket.of(table):
        for row in frame["data"]:
            key = (row["symbol"], row["id"], row["side"])
            assert {"price", "timestamp", "transactTime"} <= set(row)
            if frame["action"] in ("partial", "insert"):
                assert key not in books
                books[key] = row
            elif frame["action"] == "update":
                assert row["size"] > 0
                books[key] = {**books[key], **row}
            else:
                assert "size" not in row
                del books[key]
    return books


@pytest.mark.parametrize("table", ["orderBookL2", "orderBookL2_25"])
def test_deltas_rebuild_the_same_book_as_rest(at_the_desk, table):
    async def story(desk):
        socket = await desk.socket(*(f"{table}:{symbol}" for symbol in SYMBOLS), key=None)
        for second in range(40):
            await asyncio.sleep(7)
            # Our own orders and fills are in it too.
            bid, ask = await desk.touch()
            await desk.place(side="Buy", orderQty=100, price=round((bid + ask) / 2 - 0.05, 1))
            await desk.place(side="Sell" if second % 2 else "Buy", orderQty=30_000, ordType="Market")
        depth = 25 if table.endswith("25") else 0
        rest = [(await desk.call("GET", f"/orderBook/L2?symbol={s}&depth={depth}", key=None)).body for s in SYMBOLS]
        await asyncio.sleep(0)
        return rebuild(socket, table), rest

    books, rest = at_the_desk(story)
    for symbol, rows in zip(SYMBOLS, rest, strict=True):
        mine = {
            (row["side"], row["price"]): (row["size"], row["id"]) for row in books.values() if row["symbol"] == symbol
        }
        assert mine == {(row["side"], row["price"]): (row["size"], row["id"]) for row in rows}
        asks = [row["price"] for row in rows if row["side"] == "Sell"]
        bids = [row["price"] for row in rows if row["side"] == "Buy"]
        assert asks == sorted(asks, reverse=True)
        assert bids == sorted(bids, reverse=True)
        assert min(asks) > max(bids)
        assert len(asks) == len(bids) == 25 or table == "orderBookL2"


def test_the_other_symbols_are_the_same_bitcoin_at_a_stated_basis(at_the_desk):
    async def story(desk):
        await asyncio.sleep(30)
        return [await desk.touch(symbol) for symbol in SYMBOLS]

    usd, usdt, spot = at_the_desk(story)
    assert usdt == (usd[0] + 1, usd[1] + 1)
    assert spot == (usd[0] - 1, usd[1] - 1)


def test_quotes_are_the_top_of_the_book_and_instrument_rows_follow(at_the_desk):
    async def story(desk):
        socket = await desk.socket("quote:XBTUSD", "instrument:XBTUSD", "orderBook10:XBTUSD", key=None)
        await asyncio.sleep(60)
        row = (await desk.call("GET", "/instrument?symbol=XBTUSD", key=None)).body[0]
        return socket, row, await desk.touch()

    socket, row, touch = at_the_desk(story)
    quote = socket.rows("quote")[-1]
    assert (quote["bidPrice"], quote["askPrice"]) == (row["bidPrice"], row["askPrice"]) == touch
    store = {}
    for frame in socket.of("instrument"):
        for update in frame["data"]:
            assert update["symbol"] == "XBTUSD"
            store.update(update)
    assert store == row
    ten = socket.rows("orderBook10")[-1]
    assert [len(ten["bids"]), len(ten["asks"])] == [10, 10]
    assert (ten["bids"][0][0], ten["asks"][0][0]) == touch
    assert {"fundingRate", "markPrice", "indicativeSettlePrice", "fundingTimestamp", "volume24h"} <= set(row)


def test_funding_comes_at_its_hours_and_the_estimate_becomes_the_rate(at_the_desk):
    async def story(desk):
        socket = await desk.socket("funding", "execution", "instrument:XBTUSD")
        await desk.place(side="Buy", orderQty=1000, ordType="Market")
        before = (await desk.call("GET", "/instrument?symbol=XBTUSD")).body[0]
        await desk.raw("POST", "/control/clock", '{"advance": 120}')
        after = (await desk.call("GET", "/instrument?symbol=XBTUSD")).body[0]
        rows = (await desk.call("GET", "/funding?symbol=XBT:perpetual&reverse=true&count=1")).body
        return socket, before, after, rows

    socket, before, after, rows = at_the_desk(story, start=parse_time("2019-05-28T03:59:00Z"))
    assert before["fundingTimestamp"] == "2019-05-28T04:00:00.000Z"
    assert after["fundingTimestamp"] == "2019-05-28T12:00:00.000Z"
    assert after["fundingRate"] == before["indicativeFundingRate"]
    assert [row["fundingRate"] for row in rows] == [before["fundingRate"]]
    funded = {row["symbol"] for row in socket.rows("funding", "insert")}
    assert {"XBTUSD", "XBTUSDT", "ETHUSD", "AAPLUSDT"} <= funded
    assert not funded & {"XBT_USDT", "XBTM26", "P_POWELLK26"}
    paid = [row for row in socket.rows("execution", "insert") if row["execType"] == "Funding"]
    assert len(paid) == 1
    assert paid[0]["timestamp"] == "2019-05-28T04:00:00.000Z"


def test_the_tape_starts_again_when_it_ends(at_the_desk):
    async def story(desk):
        socket = await desk.socket("orderBookL2:XBTUSD", "tradeBin1m:XBTUSD", key=None)
        await desk.raw("POST", "/control/clock", '{"advance": 1200}')
        truth = (await desk.raw("GET", "/control/truth")).body
        return truth["tape_restarts"], rebuild(socket, "orderBookL2"), socket.rows("tradeBin1m", "insert")

    restarts, book, bins = at_the_desk(story, data=("bitmex-2019-05-03-trades",))
    assert restarts >= 3
    assert max(r["price"] for r in book.values() if r["side"] == "Buy") < min(
        r["price"] for r in book.values() if r["side"] == "Sell"
    )
    assert len(bins) == 20


def run_of_a_minute(at_the_desk, **options):
    async def story(desk):
        socket = await desk.socket(
            "orderBookL2_25", "trade", "quote", "instrument", "order", "execution", "position", "margin", "orderBook10"
        )
        for second in range(12):
            bid, ask = await desk.touch()
            await desk.place(side="Buy", orderQty=200, price=bid, clOrdID=f"b{second}")
            await desk.place(side="Sell", orderQty=100, price=ask)
            await asyncio.sleep(5)
        return len(socket.texts), hashlib.sha256("\n".join(socket.texts).encode()).hexdigest()

    return at_the_desk(story, **options)


def test_sixty_virtual_seconds_are_the_same_frames_in_every_run(at_the_desk):
    first = run_of_a_minute(at_the_desk)
    assert first == run_of_a_minute(at_the_desk)
    assert first[0] > 200
    assert first != run_of_a_minute(at_the_desk, seed=2)
