"""Frames to the listener: the recorded sessions, and frames that break every rule."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hbkit_bitmex import wire
from hbkit_bitmex.instruments import currencies, load
from hbkit_bitmex.rows import ExecutionRow, MarginRow, OrderRow, WalletRow
from hbkit_bitmex.stream import ASK_AGAIN_SECONDS, PRIVATE, Stream
from hbkit_bitmex.words import known

from hbkit import log
from hbkit.chance import Chance
from hbkit.clock import SECOND, ManualClock
from hbkit.exchange import Channel, Connection
from hbkit.log import Secret
from hbkit.model import Instrument, Side

PAYLOADS = Path(__file__).parents[1] / "payloads"
PUBLIC = PAYLOADS / "bitmex-public-2021-07-22T2236.jsonl.gz"
PRIVATE_SESSIONS = sorted(PAYLOADS.glob("bitmex-private-*.jsonl.gz"))
OLD = "2021-07-22"


@cache
def instruments(era: str | None) -> dict[str, Instrument]:
    """What the plugin knows of an era."""
    return {one.symbol: one for one in load(era)}


class Bench:
    """A stream, and everything that came out of it on every side."""

    def __init__(self, *, era: str | None = None, key: str = "key") -> None:
        self.clock = ManualClock(1_600_000_000 * SECOND)
        self.instruments = instruments(era)
        self.sent: list[tuple[float, dict[str, Any]]] = []
        self.told: list[tuple[str, Any]] = []
        self.tops: list[tuple[str, int, int]] = []
        self.ready = 0
        self.refused: list[tuple[int, str]] = []
        self.orders: list[OrderRow] = []
        self.executions: list[ExecutionRow] = []
        self.margins: list[MarginRow] = []
        self.wallets: list[WalletRow] = []
        connection = Connection(
            name="bitmex", instruments=self.instruments, rest_url="", ws_url="", api_key=key, api_secret=Secret("s"),
            clock=self.clock, market_clock=self.clock, chance=Chance(1), connector=lambda: None, on_end=print,
        )  # fmt: skip
        self.stream = Stream(connection, self, self, self.send, lambda: 1)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("on_"):
            raise AttributeError(name)
        return lambda event: self.told.append((name, event))

    # what it sends, and what a connector would do with private rows

    def send(self, raw: bytes, seconds: float = 0.0) -> None:
        self.sent.append((seconds, json.loads(raw)))

    def on_order_row(self, row: OrderRow) -> None:
        self.orders.append(row)

    def on_execution_row(self, row: ExecutionRow) -> None:
        self.executions.append(row)

    def on_wallet_row(self, row: WalletRow) -> None:
        self.wallets.append(row)

    def on_margin_row(self, row: MarginRow) -> None:
        self.margins.append(row)

    def on_ready(self) -> None:
        self.ready += 1

    def on_login_refused(self, status: int, text: str) -> None:
        self.refused.append((status, text))

    # helpers

    def feed(self, *frames: Any) -> None:
        """Frames as they are, or to be written as JSON."""
        for frame in frames:
            self.stream.frame(frame if isinstance(frame, bytes) else json.dumps(frame).encode())

    def log_in(self) -> None:
        """Up to the account's last table."""
        self.stream.up()
        self.feed({"success": True, "request": {"op": "authKeyExpires", "args": ["k", 1, "s"]}})
        for table in PRIVATE:
            self.feed(partial(table))
        self.sent.clear()

    def asked(self) -> list[str]:
        """Topics asked for again."""
        return [topic for _, command in self.sent if command["op"] == "subscribe" for topic in command["args"]]

    def of(self, name: str) -> list[Any]:
        """What the listener heard."""
        return [event for heard, event in self.told if heard == name]


KEYS = {
    "order": ["orderID"], "execution": ["execID"], "position": ["account", "symbol", "strategy"],
    "margin": ["account", "currency"], "wallet": ["account", "currency"], "instrument": ["symbol"],
}  # fmt: skip


def partial(table: str, *rows: Any, symbol: str = "") -> dict[str, Any]:
    """A partial of a table."""
    chosen = {"symbol": symbol} if symbol else {"account": 1}
    return {"table": table, "action": "partial", "keys": KEYS.get(table, []), "filter": chosen, "data": list(rows)}


def lines(path: Path) -> Iterator[Any]:
    """The messages of a recorded session."""
    for line in gzip.decompress(path.read_bytes()).splitlines():
        found = json.loads(line)
        yield next((found[key] for key in ("msg", "message", "frame") if key in found), found)


def singles() -> list[Path]:
    return sorted(PAYLOADS.glob("*_ws_*.json"))


def messages(path: Path) -> Iterator[dict[str, Any]]:
    """Socket frames in a file of one message, or of several under names."""
    found = json.loads(path.read_text())
    stack = [found]
    while stack:
        one = stack.pop()
        if isinstance(one, dict) and ("table" in one or "success" in one or "error" in one):
            yield one
        elif isinstance(one, (dict, list)):
            stack.extend(one.values() if isinstance(one, dict) else one)


# -- recorded sessions


def test_the_recorded_market_gives_books_that_equal_an_independent_rebuild(capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench(era=OLD)
    levels: dict[str, dict[int, tuple[str, float, int]]] = {}
    compared = crossed = 0
    bench.stream.up()
    for message in lines(PUBLIC):
        bench.told.clear()
        bench.feed(message)
        if message.get("table") != "orderBookL2":
            continue
        for row in message["data"]:
            ours = levels.setdefault(row["symbol"], {})
            if message["action"] == "delete":
                del ours[row["id"]]
            elif message["action"] == "update":
                side, price, size = ours[row["id"]]
                ours[row["id"]] = (row.get("side", side), row.get("price", price), row.get("size", size))
            else:
                ours[row["id"]] = (row["side"], row["price"], row["size"])
        for book in bench.of("on_book"):
            # Whole books now and then, in between the levels that a frame spoke of: each frame is compared.
            whole = compared % 40 == 0
            known = levels[book.instrument.symbol]
            spoken = known.values() if whole else [known[row["id"]] for row in message["data"] if row["id"] in known]
            for side, word in ((Side.BUY, "Buy"), (Side.SELL, "Sell")):
                wanted = {book.instrument.ticks(price): size for name, price, size in spoken if name == word}
                assert {ticks: book.size(side, ticks) for ticks in wanted} == wanted
                if whole:
                    assert len(book.prices(side)) == len(wanted)
            compared += 1
            crossed += book.best_bid >= book.best_ask
    assert compared > 1_500
    assert crossed == 0
    assert "unreadable" not in capsys.readouterr().err
    assert not bench.asked()


def test_the_recorded_trades_and_quotes_are_all_heard() -> None:
    bench = Bench(era=OLD)
    rows: Counter[str] = Counter()
    for message in lines(PUBLIC):
        bench.feed(message)
        if message.get("action") == "insert":
            rows[message["table"]] += len(message["data"])
        elif message.get("table") == "quote":
            rows["quote"] += len(message["data"])
    assert len(bench.of("on_trade")) == rows["trade"] > 0
    assert len(bench.of("on_quote")) == rows["quote"] > 0


@pytest.mark.parametrize("path", PRIVATE_SESSIONS, ids=lambda path: path.name)
def test_recorded_accounts_give_rows_that_a_ledger_can_book(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench(era=OLD)
    bench.stream._history = 0  # the first partial counts as news here: all of them are looked at
    traded = set()
    for message in lines(path):
        bench.feed(message)
        if message.get("table") == "execution":
            traded |= {row["execID"] for row in message["data"] if row.get("execType") == "Trade"}
    assert "unreadable" not in capsys.readouterr().err
    booked = {}
    for row in bench.executions:
        instrument = bench.instruments.get(row.symbol or "")
        if instrument is None:
            continue
        value = wire.execution(row, instrument)
        assert value is not None or not wire.is_unbooked(row, instrument), row
        if value is not None:
            booked[value.id] = value
            assert value.ts > 0
            assert value.units > 0
            assert value.price > 0
            assert value.cost * value.side.sign * instrument.cost_sign > 0
            assert value.order_id or known(row.clOrdID) is None
    assert set(booked) == traded
    for row in bench.orders:
        instrument = bench.instruments.get(known(row.symbol) or "")
        if instrument is not None:
            report = wire.order_report(row, instrument)
            assert report is not None
            assert report.exchange_id
            assert 0 <= report.filled_units <= report.units
    for margin in bench.margins:
        assert wire.wallet(margin, currencies()) is not None


@pytest.mark.parametrize("path", singles(), ids=lambda path: path.stem)
def test_recorded_single_frames_are_read(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench()
    bench.log_in()
    frames = list(messages(path))
    bench.feed(*frames)
    assert bench.stream.frames == len(frames) + 1 + len(PRIVATE)
    assert "unreadable" not in capsys.readouterr().err


# -- frames that break the rules


BAD = [
    b"", b"{", b"null", b"[]", b"5", b'"text"', b"\xff\xfe", b'{"table"', b'{"table":5,"action":"insert","data":[]}',
    b'{"table":"nobody","action":"insert","data":[{"a":1}]}', b'{"table":null}', b'{"table":"trade"}',
    b'{"table":"trade","action":"insert"}', b'{"table":"trade","action":"explode","data":[{}]}',
    b'{"table":"trade","action":"insert","data":{}}', b'{"table":"trade","action":"insert","data":[1]}',
    b'{"table":"trade","action":"insert","data":[{"price":"x","size":[]}]}',
    b'{"status":400}', b'{"error":5}', b'{"success":true}', b'{"subscribe":[]}', b"[" * 5000, b'{"request":[]}',
]  # fmt: skip


@pytest.mark.parametrize("raw", BAD, ids=lambda raw: repr(raw[:60]))
def test_no_frame_makes_it_raise_and_the_next_ones_count(raw: bytes) -> None:
    bench = Bench()
    bench.log_in()
    bench.stream.subscribe(bench.instruments["XBTUSD"], Channel.TRADE)
    bench.feed(partial("trade", symbol="XBTUSD"))
    bench.feed(raw)
    row = {"symbol": "XBTUSD", "side": "Buy", "size": 100, "price": 7000, "timestamp": "2019-05-28T00:00:00.000Z"}
    bench.feed({"table": "trade", "action": "insert", "data": [row]})
    assert len(bench.of("on_trade")) == 1


ROWS: dict[str, dict[str, Any]] = {
    "trade": {"timestamp": "2019-05-28T00:00:00.000Z", "symbol": "XBTUSD", "side": "Buy", "size": 100, "price": 7000.5},
    "quote": {"timestamp": "2019-05-28T00:00:00.000Z", "symbol": "XBTUSD", "bidSize": 1, "bidPrice": 7000,
              "askPrice": 7000.5, "askSize": 5},
    "orderBookL2_25": {"symbol": "XBTUSD", "id": 8799300000, "side": "Buy", "size": 100, "price": 7000},
    "instrument": {"symbol": "XBTUSD", "markPrice": 7000.1, "timestamp": "2019-05-28T00:00:00.000Z"},
    "tradeBin1m": {"timestamp": "2019-05-28T00:01:00.000Z", "symbol": "XBTUSD", "open": 1, "high": 2, "low": 1,
                   "close": 2, "trades": 3, "volume": 100},
    "funding": {"timestamp": "2019-05-28T04:00:00.000Z", "symbol": "XBTUSD", "fundingRate": 0.0001,
                "fundingInterval": "2000-01-01T08:00:00.000Z"},
    "order": {"orderID": "0fdbfbd4-b3a1-4a0d-8f0d-000000000001", "clOrdID": "a-1", "account": 1, "symbol": "XBTUSD",
              "side": "Buy", "orderQty": 100, "price": 7000, "ordType": "Limit", "ordStatus": "New", "leavesQty": 100,
              "cumQty": 0, "timestamp": "2019-05-28T00:00:00.000Z"},
    "execution": {"execID": "0fdbfbd4-b3a1-4a0d-8f0d-000000000002", "orderID": "0fdbfbd4-b3a1-4a0d-8f0d-000000000001",
                  "clOrdID": "a-1", "account": 1, "symbol": "XBTUSD", "side": "Buy", "lastQty": 100, "lastPx": 7000,
                  "execType": "Trade", "execCost": -1428500, "execComm": 1071, "timestamp": "2019-05-28T00:00:00.000Z",
                  "transactTime": "2019-05-28T00:00:00.000Z"},
    "position": {"account": 1, "symbol": "XBTUSD", "strategy": "OneWay", "currentQty": 100},
    "margin": {"account": 1, "currency": "XBt", "walletBalance": 5, "marginBalance": 5, "availableMargin": 5},
    "wallet": {"account": 1, "currency": "XBt", "amount": 5, "deposited": 5, "withdrawn": 0},
}  # fmt: skip
WRONG: list[Any] = [None, "", "x", -1, 1.5, [], {}, True, 10**30, "2019-99-99T00:00:00.000Z"]


@pytest.mark.parametrize("table", ROWS)
def test_a_row_with_any_column_gone_or_wrong_costs_nothing_else(table: str) -> None:
    """Every column of every table left out and given ten wrong values, in each of the four actions."""
    row = ROWS[table]
    for column in row:
        for value in [..., *WRONG]:
            bad = {name: one for name, one in row.items() if name != column}
            if value is not ...:
                bad[column] = value
            for action in ("partial", "insert", "update", "delete"):
                bench = Bench()
                bench.log_in()
                symbol = "" if table in PRIVATE else "XBTUSD"
                bench.feed({**partial(table, bad, symbol=symbol), "action": action})
                other = "quote" if table != "quote" else "trade"
                bench.feed(partial(other, symbol="XBTUSD"), {"table": other, "action": "insert", "data": [ROWS[other]]})
                assert len(bench.of(f"on_{other}")) == 1


@pytest.mark.parametrize("table", [*PRIVATE, "instrument", "trade", "quote", "orderBookL2_25"])
def test_a_table_that_cannot_be_read_is_asked_for_again_and_no_other(table: str) -> None:
    bench = Bench()
    bench.log_in()
    market = bench.instruments["XBTUSD"]
    for channel in (Channel.MARK, Channel.TRADE, Channel.QUOTE, Channel.BOOK):
        bench.stream.subscribe(market, channel)
    bench.feed(partial(table, ROWS[table], symbol="" if table in PRIVATE else "XBTUSD"))
    bench.sent.clear()
    topic = table if table in PRIVATE else f"{table}:XBTUSD"
    bad = {"table": table, "action": "insert", "data": [{"symbol": {"no": "text"}}]}
    bench.feed(bad)
    assert bench.asked() == [topic]
    assert bench.sent[0][1] == {"op": "unsubscribe", "args": [topic]}
    bench.feed(bad, bad)
    assert bench.asked() == [topic], "not again at once"
    bench.clock.set(bench.clock.ts + round((ASK_AGAIN_SECONDS + 1) * SECOND))
    bench.feed(b"{}")
    assert bench.asked() == [topic, topic], "the partial has not come: once more"
    bench.feed(partial(table, ROWS[table], symbol="" if table in PRIVATE else "XBTUSD"))
    bench.clock.set(bench.clock.ts + 60 * SECOND)
    bench.feed(b"{}")
    assert bench.asked() == [topic, topic]


@pytest.mark.parametrize("table", ["order", "position", "margin", "instrument"])
def test_an_update_of_a_row_that_nobody_knows_brings_the_table_anew(table: str) -> None:
    bench = Bench()
    bench.log_in()
    bench.stream.subscribe(bench.instruments["XBTUSD"], Channel.MARK)
    bench.feed(partial("instrument", symbol="XBTUSD"))
    bench.sent.clear()
    bench.feed({"table": table, "action": "update", "data": [ROWS[table]]})
    assert bench.asked() == ["instrument:XBTUSD" if table == "instrument" else table]


def test_a_table_whose_partial_is_always_wrong_is_not_asked_for_without_end() -> None:
    bench = Bench()
    bench.log_in()
    for _ in range(100):
        bench.feed({**partial("position", ROWS["position"]), "keys": ["nonsense"]})
    assert bench.asked() == ["position"]


def test_a_frame_that_is_no_json_puts_every_table_in_doubt() -> None:
    bench = Bench()
    bench.log_in()
    bench.stream.subscribe(bench.instruments["XBTUSD"], Channel.TRADE)
    bench.sent.clear()
    bench.feed(b"{")
    assert bench.asked() == [*PRIVATE, "trade:XBTUSD"]


def test_an_unreadable_frame_is_shown_once_with_its_text_and_counted() -> None:
    said = StringIO()
    log.configure(level="info", stream=said, clock=ManualClock(0))
    try:
        bench = Bench()
        bench.log_in()
        bad = b'{"table":"margin","action":"update","data":[{"account":1,"walletBalance":"plenty"}]}'
        for _ in range(3):
            bench.feed(bad)
        bench.feed(b"{\x1b[2J" + b"x" * 9000)
    finally:
        log.close()
    lines = [line for line in said.getvalue().splitlines() if "unreadable frame" in line]
    assert bench.stream.unreadable == 4
    assert len(lines) == 2
    assert "plenty" in lines[0]
    assert "table=margin" in lines[0]
    assert "\x1b" not in said.getvalue(), "nothing of it steers the terminal"
    assert "bytes=9005" in lines[1]
    assert len(lines[1]) < 1000


def test_a_topic_that_has_to_wait_is_asked_for_when_the_exchange_says() -> None:
    bench = Bench()
    bench.log_in()
    bench.feed({
        "status": 429, "error": "Rate limit exceeded, retry in 29 seconds.", "meta": {"retryAfter": 29},
        "request": {"op": "subscribe", "args": ["trade:XBTUSD"]},
    })  # fmt: skip
    assert bench.sent == [(29.0, {"op": "subscribe", "args": ["trade:XBTUSD"]})]


def test_a_refused_login_is_told_with_its_status_and_nothing_is_subscribed() -> None:
    bench = Bench()
    bench.stream.up()
    bench.sent.clear()
    request = {"op": "authKeyExpires", "args": ["k", 1, "s"]}
    bench.feed({"status": 401, "error": "Signature not valid.", "request": request})
    assert bench.refused == [(401, "Signature not valid.")]
    assert not bench.sent
    assert not bench.ready


# -- history and news


def execution(number: int, minute: int) -> dict[str, Any]:
    stamp = f"2019-05-28T00:{minute:02d}:00.000Z"
    return {**ROWS["execution"], "execID": f"e{number}", "timestamp": stamp, "transactTime": stamp}


def test_the_first_partial_is_history_and_a_later_one_news_of_the_gap() -> None:
    bench = Bench()
    bench.stream.up()
    bench.feed(partial("execution", execution(1, 1), execution(2, 2)))
    assert not bench.executions
    bench.feed({"table": "execution", "action": "insert", "data": [execution(3, 3)]})
    bench.stream.down()
    bench.stream.up()
    bench.feed(partial("execution", execution(0, 0), execution(2, 2), execution(3, 3), execution(4, 4)))
    # 0 is older than all that the first partial told: it is history that a longer partial shows.
    assert [row.execID for row in bench.executions] == ["e3", "e4"]


def test_an_execution_before_the_first_partial_is_news() -> None:
    bench = Bench()
    bench.stream.up()
    bench.feed({"table": "execution", "action": "insert", "data": [execution(3, 3)]})
    bench.feed(partial("execution", execution(1, 1), execution(3, 3)))
    assert [row.execID for row in bench.executions] == ["e3"]


def test_the_account_is_ready_with_the_last_of_its_tables_and_once_a_connection() -> None:
    bench = Bench()
    for connection in (1, 2):
        bench.stream.up()
        bench.feed({"success": True, "request": {"op": "authKeyExpires", "args": []}})
        for at, table in enumerate(PRIVATE):
            assert bench.ready == connection - 1, at
            bench.feed(partial(table))
        assert bench.ready == connection
        bench.feed(partial("order"))
        assert bench.ready == connection
        bench.stream.down()
