"""The course of a run: lanes and orders from a result, with and without the rows of its journal."""

from collections.abc import Callable
from typing import Any

import msgspec

from hbkit.report.course import Key, course_of
from hbkit.report.result import InstrumentRow, RunResult
from tests.report.conftest import START, make_fill, make_order

XBTUSD = InstrumentRow(
    exchange="x", symbol="XBTUSD", kind="inverse", unit="contract of 1 USD", tick="0.5", lot="100",
    maker_fee="0.0001", taker_fee="0.0005", unified="BTC/USD:BTC", contract_size="1", settle="XBT",
)  # fmt: skip
LANE = Key("market_maker", "BTC/USD:BTC", "net")


def intent(seq: int, kind: str, order: str, **changes: Any) -> tuple[Any, ...]:
    """A row of the journal's intents."""
    row = {
        "seq": seq, "run_id": "r", "ts": START + seq, "strategy": "market_maker", "kind": kind, "order_id": order,
        "exchange": "x", "instrument": "XBTUSD", "side": "buy", "position_side": "net", "type": "limit",
        "time_in_force": "gtc", "qty": "100", "price": "8700", "flags": "post_only,quote", "tag": "",
        "trigger_price": "", "trigger_by": "", "trigger_kind": "", "trail": "", "display_qty": "",
    }  # fmt: skip
    return tuple({**row, **changes}.values())


def news(seq: int, order: str, refused: str, reason: str) -> tuple[Any, ...]:
    """A row of the journal's orders: a request was turned down."""
    return (seq, "r", START + seq, order, "", "open", "100", "0", "8700", reason, refused, "")


def test_the_result_alone_tells_how_orders_ended(maker: Callable[..., RunResult]) -> None:
    result = maker(instruments=[XBTUSD], order_rows=[make_order(10), make_order(2)], fill_rows=[make_fill(3, "buy")])
    course = course_of(result, None)
    assert not course.has_journal
    lane = course.lanes[LANE]
    # Ids count up: the second comes before the tenth. demo-1 of the fill is no order of these rows.
    assert [order.id for order in lane.orders] == ["demo-2", "demo-10"]
    assert [(order.price, order.filled, order.time_in_force) for order in lane.orders] == [("8700", "100", "")] * 2
    assert [fill.order_id for fill in lane.forced] == ["demo-1"]


def test_the_journal_tells_what_was_asked_for(maker: Callable[..., RunResult]) -> None:
    order = make_order(1, price="8702", status="canceled", filled="0", reason="by hand")
    rows = {
        "intents": [
            intent(1, "submit", "demo-1", price="8700"),
            intent(2, "amend", "demo-1", price="8701"),
            intent(4, "amend", "demo-1", price="8702"),
            intent(5, "cancel", "demo-1"),
            intent(7, "amend", "gone-9"),
        ],
        "orders": [news(3, "demo-1", "amend", "too late"), news(6, "demo-1", "amend", "below one lot")],
    }
    (lane,) = course_of(maker(instruments=[XBTUSD], order_rows=[order], fill_rows=[]), rows).lanes.values()
    (seen,) = lane.orders
    # As it was placed, not as it ended; which call of the strategy it belongs to is no flag of the order.
    assert (seen.price, seen.flags, seen.ts) == ("8700", "post_only", START + 1)
    assert [(one.kind, one.price, one.answered, one.refused) for one in seen.asked] == [
        ("amend", "8701", True, "too late"),
        ("amend", "8702", False, ""),
        ("cancel", "", False, ""),
        ("amend", "", True, "below one lot"),  # hbkit itself turned it down: nothing was sent
    ]
    assert (seen.status, seen.reason, seen.filled) == ("canceled", "by hand", "0")


def test_an_order_without_an_answer_and_one_that_never_left_are_both_there(maker: Callable[..., RunResult]) -> None:
    refused = make_order(2, status="rejected", reason="risk.max_position is 100", filled="0")
    rows = {"intents": [intent(1, "submit", "demo-1", trigger_price="8800", trigger_kind="stop")], "orders": []}
    (lane,) = course_of(maker(instruments=[XBTUSD], order_rows=[refused], fill_rows=[]), rows).lanes.values()
    assert [(order.id, order.status, order.trigger) for order in lane.orders] == [
        ("demo-1", "", "stop 8800"),
        ("demo-2", "rejected", ""),
    ]


def test_money_without_a_position_and_what_was_forced_stand_apart(maker: Callable[..., RunResult]) -> None:
    fills = [
        make_fill(1, "buy"),
        make_fill(2, "buy", kind="funding", order_id=""),
        make_fill(3, "sell", kind="liquidation", order_id=""),
    ]
    (lane,) = course_of(maker(instruments=[XBTUSD], order_rows=[make_order(1)], fill_rows=fills), None).lanes.values()
    assert [len(lane.orders[0].fills), len(lane.payments), len(lane.forced), len(lane.fills)] == [1, 1, 1, 2]


def test_a_market_that_stands_at_two_exchanges_is_two_lanes(maker: Callable[..., RunResult]) -> None:
    other = msgspec.structs.replace(XBTUSD, exchange="y", symbol="BTCUSD")
    orders = [make_order(1, exchange="x"), make_order(2, exchange="y", instrument="BTCUSD")]
    lanes = course_of(maker(instruments=[XBTUSD, other], order_rows=orders, fill_rows=[]), None).lanes
    assert [key.market for key in lanes] == ["BTC/USD:BTC x", "BTC/USD:BTC y"]


def test_rows_of_an_older_schema_lack_the_last_columns(maker: Callable[..., RunResult]) -> None:
    rows = {"intents": [intent(1, "submit", "demo-1")[:16]], "orders": []}
    (lane,) = course_of(maker(instruments=[XBTUSD], order_rows=[], fill_rows=[]), rows).lanes.values()
    assert (lane.orders[0].price, lane.orders[0].trigger, lane.orders[0].display_qty) == ("8700", "", "")


def test_without_a_journal_the_first_and_the_last_price_are_known(maker: Callable[..., RunResult]) -> None:
    rows = [make_order(1, first_price="8700", price="8710"), make_order(2, first_price="8700", price="8700")]
    (lane,) = course_of(maker(instruments=[XBTUSD], order_rows=rows, fill_rows=[]), None).lanes.values()
    seen = [(order.price, [(one.kind, one.price) for one in order.asked]) for order in lane.orders]
    assert seen == [("8700", [("amend", "8710")]), ("8700", [])]
