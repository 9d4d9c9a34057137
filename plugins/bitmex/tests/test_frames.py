"""Every recorded message reads, keeps what is needed, and survives whatever a changed exchange could do to it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hbkit_bitmex import wire
from hbkit_bitmex.frames import (
    TABLES,
    Authenticated,
    BookFrame,
    DataFrame,
    ExecutionFrame,
    Ignored,
    OrderFrame,
    Pong,
    QuoteFrame,
    Refused,
    Subscribed,
    TimerSet,
    TradeFrame,
    Unreadable,
    Unsubscribed,
    Welcome,
    decode,
)
from hbkit_bitmex.instruments import currencies, load
from hbkit_bitmex.rows import (
    BinRow,
    ExecutionRow,
    FundingRow,
    InstrumentRow,
    MarginRow,
    OrderRow,
    PositionRow,
    QuoteRow,
    TradeRow,
    WalletRow,
)
from hbkit_bitmex.words import OrdStatus, Word, known, nanoseconds, unknown_words
from msgspec import UNSET

from hbkit.chance import Chance
from hbkit.clock import parse_time

PAYLOADS = Path(__file__).parent / "payloads"
INSTRUMENT = next(instrument for instrument in load() if instrument.symbol == "XBTUSD")

#: Files of bare rows: the table they belong to.
BARE = {
    "nautilus_ws_execution_cancel_reject": "execution",
    "nautilus_ws_instrument": "instrument",
    "nautilus_ws_instrument_index_update": "instrument",
    "nautilus_ws_liquidation": "liquidation",
    "nautilus_ws_orderbook_10": "orderBook10",
    "nautilus_ws_trade": "trade",
    "nautilus_ws_wallet": "wallet",
    "official_announcement_execution_new_2026": "execution",
    "ccxt_http_order_open": "order",
    "ccxt_http_order_spot_market_filled": "order",
    "ccxt_http_close_position_2026": "order",
    "ccxt_http_margin_all": "margin",
    "ccxt_http_position_ethusdt_isolated": "position",
    "ccxt_http_trade_bucketed_zero_volume": "tradeBin1m",
    "ccxt_http_funding": "funding",
    "nautilus_http_get_executions": "execution",
    "nautilus_http_get_orders": "order",
    "nautilus_http_get_trades": "trade",
    "nautilus_http_get_wallet": "wallet",
    "roq_order_data_item__create_ack": "order",
    "roq_cancel_order_ack": "order",
    "roq_cancel_all_orders_ack": "order",
}

#: What a strategy or the ledger cannot do without; the test below sees that no capture's value of it goes missing.
NEEDED = {
    "trade": "timestamp symbol side size price trdMatchID",
    "quote": "timestamp symbol bidSize bidPrice askPrice askSize",
    "orderBookL2": "symbol id side size price timestamp",
    "orderBook10": "symbol bids asks timestamp",
    "tradeBin1m": "timestamp symbol open high low close trades volume",
    "funding": "timestamp symbol fundingInterval fundingRate",
    "instrument": "symbol state lastPrice bidPrice askPrice markPrice indicativeSettlePrice fundingRate"
    " indicativeFundingRate fundingTimestamp timestamp",
    "liquidation": "orderID symbol side price leavesQty",
    "order": "orderID clOrdID account symbol side strategy orderQty price displayQty stopPx ordType timeInForce"
    " execInst ordStatus triggered workingIndicator ordRejReason leavesQty cumQty avgPx text error transactTime"
    " timestamp",
    "execution": "execID orderID clOrdID account symbol side strategy execType ordStatus lastQty lastPx"
    " lastLiquidityInd commission execCost execComm settlCurrency trdMatchID ordRejReason text transactTime timestamp",
    "position": "account symbol currency strategy currentQty avgEntryPrice markPrice liquidationPrice unrealisedPnl"
    " realisedPnl leverage crossMargin isOpen currentCost unrealisedCost timestamp",
    "margin": "account currency amount walletBalance marginBalance availableMargin realisedPnl unrealisedPnl timestamp",
    "wallet": "account currency amount deposited withdrawn transferIn transferOut pendingCredit pendingDebit timestamp",
    "transact": "transactID account currency transactType transactStatus amount fee transactTime",
}


def compact(message: Any) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def file_messages(path: Path) -> list[Any]:
    """The messages of one file; bare rows become a frame, `dir: send` is left out."""
    if path.suffix == ".gz":
        return [json.loads(line)["msg"] for line in gzip.decompress(path.read_bytes()).splitlines()]
    content = json.loads(path.read_text(encoding="utf-8"))
    found = content if isinstance(content, list) else [content]
    if path.stem in BARE:
        return [{"table": BARE[path.stem], "action": "insert", "data": found}]
    return [one.get("msg", one) for one in found if one.get("dir") != "send"]


def distinct_messages() -> dict[str, Any]:
    """One message per file and shape: a session of 1,752 messages repeats a few shapes."""
    shapes: dict[tuple[Any, ...], Any] = {}
    for path in sorted(PAYLOADS.glob("*.json*")):
        if path.stem == "nautilus_credential_post_order":
            continue
        for message in file_messages(path):
            rows = message.get("data") or [{}]
            shape = tuple(sorted(message)), message.get("table"), message.get("action"), tuple(sorted(rows[0]))
            short = {**message, "data": message["data"][:3]} if "data" in message else message
            shapes.setdefault((path.stem, *shape), short)
    return {f"{number}-{key[0]}-{key[2]}": message for number, (key, message) in enumerate(shapes.items())}


MESSAGES = distinct_messages()
DATA = {name: message for name, message in MESSAGES.items() if message.get("table") in TABLES}


def all_messages() -> Iterator[Any]:
    for path in sorted(PAYLOADS.glob("*.json*")):
        if path.stem != "nautilus_credential_post_order":
            yield from file_messages(path)


def test_there_is_a_message_of_every_table_that_was_ever_captured():
    tables = {message["table"] for message in DATA.values()}
    assert tables == TABLES - {"orderBookL2_25", "transact"}


def test_every_recorded_message_reads():
    for message in all_messages():
        frame = decode(compact(message))
        assert not isinstance(frame, Unreadable), (frame, message)
        assert not isinstance(frame, Ignored) or "table" not in message


@pytest.mark.parametrize("table", NEEDED)
def test_needed_columns_are_read(table):
    frame = decode(compact({"table": table, "action": "insert", "data": [{}]}))
    assert isinstance(frame, DataFrame)
    assert set(NEEDED[table].split()) <= set(frame.data[0].__struct_fields__)


def test_no_value_of_a_column_that_is_read_gets_lost():
    for message in all_messages():
        frame = decode(compact(message))
        if not isinstance(frame, DataFrame):
            continue
        assert frame.table == message["table"]
        assert frame.action == message.get("action")
        assert len(frame.data) == len(message["data"])
        for row, sent in zip(frame.data, message["data"], strict=True):
            for column in row.__struct_fields__:
                assert_same(getattr(row, column), sent, column)


def assert_same(value: Any, sent: dict[str, Any], column: str) -> None:
    if column not in sent:
        assert value is None or value is UNSET
    elif column.lower().endswith(("timestamp", "time", "interval")):
        assert nanoseconds(value) == (parse_time(sent[column]) if sent[column] else 0)
    else:
        assert value == sent[column]
        assert not isinstance(value, Word) or not value.is_unknown


@pytest.mark.parametrize("prefix", ["", " ", "\n"])
def test_keys_in_another_order_and_spaces_read_as_well(prefix):
    row = {"symbol": "XBTUSD", "id": 7, "side": "Buy", "size": 100, "price": 5.5}
    raw = (prefix + json.dumps({"data": [row], "action": "insert", "table": "orderBookL2"})).encode()
    frame = decode(raw)
    assert isinstance(frame, BookFrame)
    assert (frame.data[0].id, frame.data[0].price) == (7, 5.5)


# -- what a changed exchange could send


def changed(node: Any, change: str) -> Iterator[Any]:
    """Copies of a message with one key changed, at every depth."""
    if isinstance(node, dict):
        for key, value in node.items():
            if change == "drop":
                yield {name: member for name, member in node.items() if name != key}
            elif change == "null":
                yield {**node, key: None}
            elif change == "empty" and not isinstance(value, (dict, list)):
                yield {**node, key: ""}
            elif change == "word" and isinstance(value, str):
                yield {**node, key: "Zz Unheard-of"}
            for inner in changed(value, change):
                yield {**node, key: inner}
        if change == "add":
            yield {**node, "brandNew": {"deep": [1, "two", None]}}
    elif isinstance(node, list):
        for index, value in enumerate(node):
            for inner in changed(value, change):
                yield [*node[:index], inner, *node[index + 1 :]]


@pytest.mark.parametrize("change", ["drop", "null", "empty", "add", "word"])
@pytest.mark.parametrize("name", MESSAGES)
def test_a_changed_message_never_raises(name, change):
    for message in changed(without_types(MESSAGES[name]), change):
        frame = decode(compact(message))
        use(frame)
        if change in {"drop", "null", "empty", "add"} and isinstance(message.get("table"), str) and message["table"]:
            assert isinstance(frame, DataFrame), (frame, message)


def without_types(message: dict[str, Any]) -> dict[str, Any]:
    """Without the maps that are not read: hundreds of keys that say nothing."""
    return {key: value for key, value in message.items() if key not in {"types", "attributes", "foreignKeys"}}


def use(frame: object) -> None:
    """Make every value that can be made of a frame's rows."""
    for row in (frame.data or []) if isinstance(frame, DataFrame) else []:
        unknown_words(row)
        for function, kinds in (
            (wire.trade, TradeRow),
            (wire.quote, QuoteRow),
            (wire.mark, InstrumentRow),
            (wire.funding, FundingRow),
            (wire.order_report, OrderRow),
            (wire.execution, ExecutionRow),
            (wire.is_unbooked, ExecutionRow),
            (wire.position, PositionRow),
        ):
            if isinstance(row, kinds):
                function(row, INSTRUMENT)
        if isinstance(row, (OrderRow, ExecutionRow)):
            wire.refusal(row)
        if isinstance(row, (MarginRow, WalletRow)):
            wire.wallet(row, currencies())
        if isinstance(row, BinRow):
            wire.candle(row, INSTRUMENT, "1m", 60)


@pytest.mark.parametrize("name", DATA)
def test_an_unknown_word_keeps_its_text_and_its_row(name):
    message = without_types(DATA[name])
    for index, sent in enumerate(message["data"]):
        frame = decode(compact(message))
        for column in frame.data[index].__struct_fields__:
            if not isinstance(getattr(frame.data[index], column), Word) or not sent[column]:
                continue
            rows = [*message["data"]]
            rows[index] = {**sent, column: "Zz"}
            strange = decode(compact({**message, "data": rows}))
            assert unknown_words(strange.data[index]) == [(column, "Zz")]
            assert getattr(strange.data[index], column).name == "UNKNOWN"


def test_random_damage_never_raises():
    chance = Chance(20210722)
    raws = [compact(message) for message in MESSAGES.values()]
    for _ in range(4000):
        raw = bytearray(chance.choice(raws))
        for _ in range(chance.randint(1, 4)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        use(decode(bytes(raw[: chance.randint(0, len(raw))] if chance.random() < 0.3 else raw)))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"[1]",
        b'"x"',
        b"\xff\xfe",
        b"[" * 5000,
        b'{"table":5}',
        b'{"table":"order","data":[null]}',
        b'{"table":"order","data":5}',
        b'{"table":"order","action":3}',
        b'{"table":"trade","data":[{"price":1e999}]}',
        b'{"table":"trade","action":"insert","data":[{"size":1e300}]}',
        b'{"status":1e400,"error":"x"}',
    ],
    ids=lambda raw: repr(raw[:30]),
)
def test_nonsense_is_unreadable_and_does_not_raise(raw):
    use(decode(raw))


def test_an_unreadable_frame_names_its_table_so_that_it_can_be_asked_for_again():
    frame = decode(b'{"table":"position","action":"update","data":[{"currentQty":"many"}]}')
    assert isinstance(frame, Unreadable)
    assert frame.table == "position"
    assert "many" not in frame.reason


def test_numbers_in_other_clothes_are_the_same_numbers():
    raw = b'{"table":"trade","action":"insert","data":[{"size":100.0,"price":1.0E-4,"side":"Buy"},{"size":"7"}]}'
    frame = decode(raw)
    assert isinstance(frame, TradeFrame)
    assert [(row.size, row.price) for row in frame.data] == [(100, 0.0001), (7, None)]


def test_absent_null_and_empty_are_the_same():
    rows = [{"orderID": "a"}, {"orderID": "a", "clOrdID": None}, {"orderID": "a", "clOrdID": ""}]
    frame = decode(compact({"table": "order", "action": "update", "data": rows}))
    assert isinstance(frame, OrderFrame)
    assert [known(row.clOrdID) for row in frame.data] == [None, None, None]
    assert [row.clOrdID is UNSET for row in frame.data] == [True, False, False]


def test_tables_that_nobody_reads_are_ignored():
    assert decode(b'{"table":"insurance","action":"insert","data":[{"currency":"XBt"}]}') == Ignored("insurance")


# -- times


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2018-08-16T14:56:18.743Z", 1534431378743000000),
        ("2018-08-16T14:56:18.743", 1534431378743000000),
        ("2018-08-16T16:56:18.743+02:00", 1534431378743000000),
        ("2022-02-13T00:21:50.268001Z", 1644711710268001000),
        ("1969-12-31T23:59:59.999Z", -1000000),
    ],
)
def test_times_are_exact(text, expected):
    frame = decode(compact({"table": "quote", "action": "insert", "data": [{"timestamp": text}]}))
    assert isinstance(frame, QuoteFrame)
    assert nanoseconds(frame.data[0].timestamp) == expected


# -- the other frames


def test_welcome_of_2018_and_of_2025():
    old = b'{"info":"Welcome","version":"2018-08-10T17:47:32.000Z","timestamp":"2018-08-16T14:56:25.126Z"}'
    assert decode(old) == Welcome(1534431385126000000, "2018-08-10T17:47:32.000Z", -1)
    new = (PAYLOADS / "roq_welcome.json").read_bytes()
    assert decode(new) == Welcome(parse_time("2025-09-30T12:48:45.419Z"), "2.0.0", 719)


def test_acknowledgements():
    assert decode((PAYLOADS / "roq_subscribe.json").read_bytes()) == Subscribed("instrument")
    assert decode(b'{"success":true,"unsubscribe":"trade:XBTUSD","request":{}}') == Unsubscribed("trade:XBTUSD")
    login = {"success": True, "request": {"op": "authKeyExpires", "args": ["K", 1518064236, "S"]}}
    assert decode(compact(login)) == Authenticated()
    assert decode(b"pong") == Pong()


def test_the_timer_and_its_end():
    on = decode((PAYLOADS / "ccxt_http_cancel_all_after.json").read_bytes())
    assert on == TimerSet(parse_time("2024-04-09T09:01:56.560Z"), parse_time("2024-04-09T09:01:56.660Z"))
    off = decode(b'{"now":"2024-04-09T09:01:56.560Z","cancelTime":0,"request":{"op":"cancelAllAfter","args":0}}')
    assert off == TimerSet(parse_time("2024-04-09T09:01:56.560Z"), 0)


def test_refusals():
    assert decode((PAYLOADS / "ccxt_ws_error_429.json").read_bytes()) == Refused(
        429, "Rate limit exceeded, retry in 1 seconds.", 1.0, "subscribe", ("orderBook",)
    )
    assert decode(b'{"error":"Rate limit exceeded"}') == Refused(0, "Rate limit exceeded", 0.0, "", ())
    text = "You are already subscribed to this topic:instrument. Please see the documentation at ..."
    twice = {"status": 400, "error": text, "meta": {}, "request": {"op": "subscribe", "args": ["instrument"]}}
    frame = decode(compact(twice))
    assert isinstance(frame, Refused)
    assert frame.is_duplicate
    assert frame.topics == ("instrument",)


@pytest.mark.parametrize("op", ["authKeyExpires", "authKey", "somethingNew", ""])
def test_a_refused_login_keeps_neither_key_nor_signature(op):
    request = {"op": op, "args": ["CANARYKEY", 1518064236, "CANARYSIGNATURE"]}
    message = {"status": 401, "error": "Signature not valid.", "meta": {}, "request": request}
    frame = decode(compact(message))
    assert isinstance(frame, Refused)
    assert "CANARY" not in repr(frame)


def test_cancel_rejects_are_rows_like_others():
    frame = decode(compact(DATA[next(name for name in DATA if "cancel_reject" in name)]))
    assert isinstance(frame, ExecutionFrame)
    assert frame.data[0].symbol is None
    assert frame.data[0].ordStatus is OrdStatus.REJECTED
