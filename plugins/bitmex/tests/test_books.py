"""Books are those that were sent, and where a frame must be missing they are withheld and asked for again."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hbkit_bitmex.books import PATIENCE, BookTable, apply_ten
from hbkit_bitmex.frames import (
    BookFrame,
    QuoteFrame,
    decode,
)
from hbkit_bitmex.instruments import load
from hbkit_bitmex.rows import Book10Row

from hbkit.chance import Chance
from hbkit.clock import parse_time
from hbkit.model.book import OrderBook
from hbkit.model.enums import Side

PAYLOADS = Path(__file__).parent / "payloads"
OLD = {instrument.symbol: instrument for instrument in load("2021-07-22")}
XBTUSD, ETHUSD = OLD["XBTUSD"], OLD["ETHUSD"]

SIDES = {"Buy": Side.BUY, "Sell": Side.SELL}
Levels = dict[tuple[str, int], tuple[float, int]]


def messages(name: str) -> list[Any]:
    lines = gzip.decompress((PAYLOADS / name).read_bytes()).splitlines()
    return [json.loads(line)["msg"] for line in lines]


def compact(message: Any) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def frame_of(table: str, action: str, *rows: dict[str, Any], **members: Any) -> Any:
    return decode(compact({"table": table, "action": action, **members, "data": rows}))


# -- the session of 2021


@cache
def session() -> tuple[list[Any], list[Any]]:
    """Messages of the book and quote tables as sent, and as frames."""
    sent = [one for one in messages("bitmex-public-2021-07-22T2236.jsonl.gz") if one.get("table") != "trade"]
    sent = [one for one in sent if "table" in one]
    return sent, [decode(compact(one)) for one in sent]


def naive(sent: list[Any]) -> dict[str, Levels]:
    """The books by rules of one line each, in floats and by id: nothing of it is shared with the code under test."""
    books: dict[str, Levels] = {}
    for message in sent:
        if message["table"] != "orderBookL2":
            continue
        if message["action"] == "partial":
            books[message["filter"]["symbol"]] = {}
        for row in message["data"]:
            book, key = books[row["symbol"]], (row["side"], row["id"])
            if message["action"] == "delete":
                del book[key]
            elif message["action"] == "update":
                book[key] = (book[key][0], row["size"])
            else:
                book[key] = (row["price"], row["size"])
    return books


@cache
def short_session() -> list[Any]:
    """The same frames with partials cut to the levels that a later row speaks of and the best ten: quick to replay."""
    return [decode(compact(one)) for one in short_messages()]


@cache
def short_messages() -> list[Any]:
    sent, _ = session()
    spoken = {(row["symbol"], row.get("id")) for one in sent if one["action"] != "partial" for row in one["data"]}
    return [cut(one, spoken) for one in sent]


def cut(message: Any, spoken: set[Any]) -> Any:
    if (message["table"], message["action"]) != ("orderBookL2", "partial"):
        return message
    # Asks come first, from high to low, then bids from high to low (7.6).
    asks = [row["id"] for row in message["data"] if row["side"] == "Sell"][-10:]
    bids = [row["id"] for row in message["data"] if row["side"] == "Buy"][:10]
    best = {*asks, *bids}
    rows = [row for row in message["data"] if (row["symbol"], row["id"]) in spoken or row["id"] in best]
    return {**message, "data": rows}


def by_price(books: dict[str, Levels]) -> dict[str, dict[str, dict[float, int]]]:
    return {
        symbol: {word: {price: size for (side, _), (price, size) in book.items() if side == word} for word in SIDES}
        for symbol, book in books.items()
    }


@cache
def expected() -> dict[str, dict[str, dict[float, int]]]:
    return by_price(naive(session()[0]))


@cache
def short_books() -> dict[str, dict[str, dict[float, int]]]:
    return by_price(naive(short_messages()))


def content(book: OrderBook) -> dict[str, dict[float, int]]:
    return {
        word: {book.instrument.price(ticks): book.size(side, ticks) for ticks in book.prices(side)}
        for word, side in SIDES.items()
    }


def replay(frames: list[Any]) -> BookTable:
    table = BookTable(OLD)
    for frame in frames:
        if isinstance(frame, BookFrame):
            for book in table.apply(frame, 1):
                assert not book.is_crossed
        elif isinstance(frame, QuoteFrame):
            table.check(frame)
    return table


def test_the_captured_session_ends_with_the_books_of_an_independent_rebuild():
    table = replay(session()[1])
    assert not table.lost
    assert table.dropped == 0
    assert len(expected()) == 6
    for symbol, levels in expected().items():
        assert content(table.book(symbol)) == levels, symbol
    assert (table.book("XBTUSD").best_bid, table.book("XBTUSD").best_ask) == (32186.5, 32187.0)


def verdict(table: BookTable) -> str:
    """`same` where each book is right, `told` where the table asked for a partial or shows no book, else `silent`."""
    if table.lost:
        return "told"
    books = {symbol: table.book(symbol) for symbol in short_books()}
    if all(book is not None and content(book) == short_books()[symbol] for symbol, book in books.items()):
        return "same"
    wrong = [symbol for symbol, book in books.items() if book is not None and content(book) != short_books()[symbol]]
    return "silent" if wrong else "told"


def mutate(frames: list[Any], chance: Chance, share: float) -> list[Any]:
    """A copy in which a share of the frames is dropped, doubled, or swapped with the next one."""
    mutated: list[Any] = []
    held: Any = None
    for frame in frames:
        change = chance.choice(("drop", "double", "swap")) if held is None and chance.random() < share else ""
        if change == "swap":
            held = frame
            continue
        mutated += [] if change == "drop" else [frame, frame] if change == "double" else [frame]
        if held is not None:
            mutated.append(held)
            held = None
    return mutated + ([held] if held is not None else [])


def test_a_thousand_damaged_sessions_are_never_wrong_and_silent():
    """5 % of all frames dropped, doubled or swapped, the partials too; a lost book is not looked at any further."""
    found: Counter[str] = Counter()
    for seed in range(1000):
        table = BookTable(OLD)
        for frame in mutate(short_session(), Chance(seed), 0.05):
            if isinstance(frame, BookFrame):
                table.apply(frame, 1)
            elif isinstance(frame, QuoteFrame):
                table.check(frame)
            if table.lost:
                break
        found[verdict(table)] += 1
    assert found["silent"] == 0, found
    assert verdict(replay(short_session())) == "same"


def deltas_of_one_frame_changed(change: str) -> list[list[Any]]:
    frames = short_session()
    places = [n for n, one in enumerate(frames) if isinstance(one, BookFrame) and one.action != "partial"]
    made = []
    for place in places[:: max(1, len(places) // 150)]:
        before, after = frames[:place], frames[place + 1 :]
        if change == "drop":
            made.append(before + after)
        elif change == "double":
            made.append([*before, frames[place], frames[place], *after])
        else:
            made.append([*before, *after[:1], frames[place], *after[1:]])
    return made


@pytest.mark.parametrize(("change", "blind"), [("drop", True), ("double", False), ("swap", True)])
def test_what_a_single_damaged_frame_does(change, blind):
    """The limit of what can be seen: a lost size that nobody speaks of again contradicts nothing.

    There are no sequence numbers (7.4), so this test does not forbid what no client can notice; it holds that such a
    book is still the right one but for the rows of the damaged frame itself, and that a doubled frame is no danger.
    """
    frames = short_session()
    for damaged in deltas_of_one_frame_changed(change):
        table = replay(damaged)
        if verdict(table) != "silent":
            continue
        assert blind
        pairs = enumerate(zip(frames, damaged, strict=False))
        place = next((n for n, (one, other) in pairs if one is not other), len(damaged))
        rows = [*frames[place].data, *(frames[place + 1].data if change == "swap" else ())]
        # Swapped frames can only disagree about levels that both speak of, a lost one only about its own.
        for symbol, levels in short_books().items():
            shown = content(table.book(symbol))
            off = {
                (side, price)
                for side in SIDES
                for price in shown[side].keys() | levels[side].keys()
                if shown[side].get(price) != levels[side].get(price)
            }
            assert len(off) <= sum(row.symbol == symbol for row in rows)


def test_a_lost_table_is_whole_again_after_new_partials():
    frames = session()[1]
    table = replay(frames)
    table.apply(frame_of("orderBookL2", "update", {"symbol": "XBTUSD", "id": 1, "side": "Buy", "size": 5}), 1)
    assert set(table.take_lost()) == set(expected())
    assert table.take_lost() == {}
    again = replay(frames)
    for frame in frames:
        if isinstance(frame, BookFrame):
            again.apply(frame, 1)
    assert {symbol: content(again.book(symbol)) for symbol in expected()} == expected()


def test_planted_missing_deletes_never_show_a_crossed_book():
    """A thousand sessions that each lose one delete: whatever a strategy is shown has its bid below its ask."""
    frames = [one for one in short_session() if isinstance(one, BookFrame)]
    places = [n for n, one in enumerate(frames) if one.action == "delete"]
    own = {symbol: [n for n, one in enumerate(frames) if one.data[0].symbol == symbol] for symbol in short_books()}
    chance = Chance(9)
    for _ in range(1000):
        missing = chance.choice(places)
        symbol = frames[missing].data[0].symbol
        table = BookTable(OLD)
        for place in own[symbol]:
            for book in table.apply(frames[place], 1) if place != missing else ():
                assert not book.is_crossed
            if table.lost:
                assert table.book(symbol) is None
                break


# -- books, rule by rule

ASK = {"symbol": "XBTUSD", "id": 1, "side": "Sell", "size": 100, "price": 101.5}
BID = {"symbol": "XBTUSD", "id": 2, "side": "Buy", "size": 200, "price": 101}
OTHER = {"symbol": "ETHUSD", "id": 3, "side": "Buy", "size": 7, "price": 20.05}


def partial(*rows: dict[str, Any], symbol: str = "XBTUSD") -> BookFrame:
    return frame_of("orderBookL2", "partial", *rows, keys=["symbol", "id", "side"], filter={"symbol": symbol})


def delta(action: str, *rows: dict[str, Any]) -> BookFrame:
    return frame_of("orderBookL2", action, *rows)


@pytest.fixture
def table() -> BookTable:
    made = BookTable(OLD)
    made.apply(partial(ASK, BID), 5)
    made.apply(partial(OTHER, symbol="ETHUSD"), 5)
    return made


def test_deltas_before_the_partial_are_dropped_and_counted():
    fresh = BookTable(OLD)
    assert fresh.apply(delta("insert", ASK, BID), 1) == []
    assert (fresh.dropped, fresh.book("XBTUSD"), fresh.lost) == (2, None, {})


def test_a_partial_of_one_symbol_leaves_the_others(table):
    table.apply(partial(ASK), 6)
    assert table.book("XBTUSD").best_bid is None
    assert table.book("ETHUSD").best_bid == 20.05


def test_an_empty_partial_is_a_book_and_one_of_the_whole_table_is_all_books(table):
    assert [book.instrument for book in table.apply(partial(), 6)] == ["XBTUSD"]
    assert table.book("XBTUSD").best_ask is None
    table.apply(frame_of("orderBookL2", "partial", ASK, filter={}), 7)
    assert table.book("ETHUSD").best_bid is None
    assert table.book("XBTUSD").best_ask == 101.5
    assert table.book("XRPU21") is not None


def test_the_time_of_a_book_is_the_rows_own_where_it_has_one(table):
    assert table.book("XBTUSD").ts == 5
    table.apply(delta("update", {**ASK, "timestamp": "2023-05-19T08:51:44.911Z"}), 9)
    assert table.book("XBTUSD").ts == parse_time("2023-05-19T08:51:44.911Z")


def test_update_and_delete_need_no_price(table):
    table.apply(delta("update", {"symbol": "XBTUSD", "id": 1, "side": "Sell", "size": 70}), 6)
    assert table.book("XBTUSD").qty_at(Side.SELL, 101.5) == 70
    table.apply(delta("delete", {"symbol": "XBTUSD", "id": 1, "side": "Sell"}), 6)
    assert table.book("XBTUSD").best_ask is None


def test_the_rows_of_2023_bring_their_price():
    fresh = BookTable(OLD)
    fresh.apply(partial(), 1)
    shown = []
    for message in json.loads((PAYLOADS / "official_announcement_l2_price_on_every_row.json").read_text()):
        [book] = fresh.apply(decode(compact(message)), 1)
        shown.append(content(book)["Buy"])
    assert shown == [{26902.0: 32800}, {26902.0: 42800}, {}]


def test_the_rows_own_price_is_preferred(table):
    table.apply(delta("update", {**ASK, "price": 102, "size": 50}), 6)
    assert content(table.book("XBTUSD"))["Sell"] == {102.0: 50}
    table.apply(delta("delete", {"symbol": "XBTUSD", "id": 1, "side": "Sell"}), 6)
    assert content(table.book("XBTUSD"))["Sell"] == {}


def test_an_id_may_be_on_both_sides(table):
    table.apply(delta("insert", {**BID, "id": 1, "price": 100}), 6)
    assert content(table.book("XBTUSD")) == {"Sell": {101.5: 100}, "Buy": {101.0: 200, 100.0: 200}}


def test_a_frame_is_applied_as_a_whole(table):
    """A bid above the ask in its first row, the ask gone in its second: not crossed at the end."""
    moved = [{**BID, "price": 103}, {**ASK, "price": 104}]
    assert len(table.apply(delta("update", *moved), 6)) == 1
    assert not table.lost


def test_a_crossed_book_is_withheld_alone_until_its_partial(table):
    book = table.book("XBTUSD")
    assert table.apply(delta("insert", {**BID, "id": 9, "price": 101.5}), 6) == []
    assert table.book("XBTUSD") is None
    assert (book.best_bid, book.best_ask) == (None, None)
    assert list(table.lost) == ["XBTUSD"]
    assert table.book("ETHUSD").best_bid == 20.05
    table.apply(delta("update", {**BID, "size": 1}), 7)
    assert table.book("XBTUSD") is None
    table.apply(partial(ASK, BID), 8)
    assert table.book("XBTUSD") is book
    assert (book.best_bid, table.lost) == (101.0, {})


CONTRADICTIONS = {
    "update of an unknown id": ("update", {**ASK, "id": 77}),
    "delete of an unknown id": ("delete", {**ASK, "id": 77}),
    "update on the other side": ("update", {**ASK, "side": "Buy"}),
    "insert of a known id": ("insert", ASK),
    "a second id at one price": ("insert", {**ASK, "id": 77}),
    "insert without price": ("insert", {"symbol": "XBTUSD", "id": 77, "side": "Buy", "size": 1}),
    "insert without size": ("insert", {"symbol": "XBTUSD", "id": 77, "side": "Buy", "price": 90}),
    "update to size 0": ("update", {**ASK, "size": 0}),
    "an unheard-of side": ("update", {**ASK, "side": "Middle"}),
    "no side": ("update", {"symbol": "XBTUSD", "id": 1, "size": 5}),
    "no id": ("update", {"symbol": "XBTUSD", "side": "Buy", "size": 5}),
    "no symbol": ("update", {"id": 1, "side": "Sell", "size": 5}),
    "an unheard-of action": ("upsert", ASK),
    "a price off the tick": ("insert", {**BID, "id": 77, "price": 90.3}),
}


@pytest.mark.parametrize(("action", "row"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_contradiction_loses_every_book(table, action, row):
    assert table.apply(delta(action, row), 6) == []
    assert set(table.lost) == {"XBTUSD", "ETHUSD"}
    assert (table.book("XBTUSD"), table.book("ETHUSD")) == (None, None)


def test_a_partial_that_makes_no_sense_begins_no_book(table):
    assert table.apply(partial(ASK, {**BID, "price": None}), 6) == []
    assert table.book("XBTUSD") is None
    assert "XBTUSD" in table.lost


def test_an_unreadable_frame_makes_every_book_suspect(table):
    table.suspect("unreadable")
    assert set(table.lost) == {"XBTUSD", "ETHUSD"}


def test_a_reset_forgets_without_asking(table):
    table.reset()
    assert (table.book("XBTUSD"), table.lost) == (None, {})


def test_other_pools_are_other_markets(table):
    table.apply(delta("insert", {**BID, "id": 8, "price": 100.5, "pool": "Secondary"}), 6)
    table.apply(delta("delete", {**BID, "id": 8, "pool": "Secondary"}), 6)
    table.apply(delta("update", {**BID, "size": 5, "pool": "Primary"}), 6)
    assert content(table.book("XBTUSD"))["Buy"] == {101.0: 5}


def test_quotes_that_keep_denying_a_book_lose_it(table):
    quote = {"symbol": "XBTUSD", "bidPrice": 101, "bidSize": 200, "askPrice": 101.5, "askSize": 100}
    on_the_way = {**quote, "bidPrice": 100}
    agreeing = frame_of("quote", "insert", on_the_way, quote)
    denying = frame_of("quote", "insert", quote, {**quote, "bidSize": 150})
    for frame in (*[denying] * (PATIENCE - 1), agreeing, *[denying] * (PATIENCE - 1)):
        table.check(frame)
    assert not table.lost
    table.check(denying)
    assert list(table.lost) == ["XBTUSD"]
    table.check(denying)


@pytest.mark.parametrize(
    ("bids", "fits"),
    [([[101, 5]], True), ([[102, 5]], False), ([[101]], False), ([[101.2, 5]], False), (None, True)],
)
def test_ten_levels_replace_the_book(bids, fits):
    book = OrderBook(XBTUSD)
    book.set(Side.BUY, 1, 1)
    assert apply_ten(Book10Row(symbol="XBTUSD", bids=bids, asks=[[101.5, 3]]), book, 4) is fits
    assert content(book) == {"Buy": {101.0: 5} if bids and fits else {}, "Sell": {101.5: 3} if fits else {}}
