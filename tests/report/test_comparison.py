"""Two runs side by side, in small: what counts as the same, where they part, and the sentences about why."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hbkit.clock import SECOND
from hbkit.report.compared import as_json
from hbkit.report.comparison import Comparison, compare
from hbkit.report.course import Asked, Course, Key, Lane, OrderCourse
from hbkit.report.reasons import why
from hbkit.report.result import FillRow, InstrumentRow, MoneyRow, PositionRow, ProvenanceRow, StrategyRow
from tests.report.conftest import START, make_fill, make_result

MILLI = 1_000_000
UNITS = {
    "one dollar": {"unit": "contract of 1 USD", "contract_size": "1", "kind": "inverse"},
    "hundred dollars": {"unit": "contract of 100 USD", "contract_size": "100", "kind": "inverse"},
    "a thousandth": {"unit": "contract of 0.001 BTC", "contract_size": "0.001", "kind": "linear"},
    "a hundredth": {"unit": "contract of 0.01 BTC", "contract_size": "0.01", "kind": "linear"},
}


def market(size: str = "one dollar", **changes: str) -> InstrumentRow:
    row = {
        "exchange": "x", "symbol": "XBTUSD", "tick": "0.5", "lot": "1", "maker_fee": "0.0001", "taker_fee": "0.0005",
        "unified": "BTC/USD:BTC", "settle": "XBT", **UNITS[size],
    }  # fmt: skip
    return InstrumentRow(**{**row, **changes})


def fill(at: float, qty: str = "100", price: str = "8700", **changes: Any) -> FillRow:
    """A fill `at` seconds into the run."""
    return make_fill(at / 60, changes.pop("side", "buy"), qty=qty, price=price, **changes)


def order(
    at: float, qty: str = "100", price: str = "8700", fills: list[FillRow] | None = None, **changes: Any
) -> OrderCourse:
    """A bid placed `at` seconds into the run, which filled as `fills` say, else stands to the end."""
    done = sum((Decimal(one.qty) for one in fills or []), Decimal(0))
    values: dict[str, Any] = {
        "id": f"demo-{at}", "ts": START + round(at * SECOND), "side": "buy", "type": "limit", "price": price,
        "qty": qty, "time_in_force": "gtc", "status": "filled" if done == Decimal(qty) else "open",
        "filled": str(done), "ended_ts": fills[-1].ts if fills and done == Decimal(qty) else None,
        "fills": fills or [], "asked": [],
    }  # fmt: skip
    return OrderCourse(**{**values, **changes})


def run(*orders: OrderCourse, lane: InstrumentRow | None = None, strategy: str = "maker", **changes: Any) -> Course:
    """A run with one strategy in one market."""
    row = lane or market()
    parts: dict[str, Any] = {name: changes.pop(name) for name in ("forced", "payments") if name in changes}
    key = Key(strategy, row.unified, changes.pop("leg", "net"))
    given = {"strategies": [StrategyRow(name=strategy)], "instruments": [row], **changes}
    fills = sorted(
        [*(one for order in orders for one in order.fills), *parts.get("forced", ())], key=lambda one: one.ts
    )
    lanes = {key: Lane(key, row, list(orders), fills=fills, **parts)} if orders or parts else {}
    return Course(make_result(**given), lanes, has_journal=True)


def kinds(found: Comparison) -> list[str]:
    return [one.kind for one in found.differences]


def refused(at: float, reason: str = "risk.max_position is 100") -> OrderCourse:
    return order(at, status="rejected", reason=reason, ended_ts=START + round(at * SECOND))


# -- the same


def test_a_run_is_the_same_as_itself() -> None:
    one = run(order(1, fills=[fill(2)]), refused(3), forced=[fill(9, kind="liquidation")], payments=[fill(8)])
    found = compare(one, one)
    assert found.same
    assert (found.first, why(found), found.start, found.config, found.notes) == (None, [], [], [], [])
    assert [(pair.alike, pair.common) for pair in found.lanes] == [(2, 2)]
    # Placed twice, one fill, two ends, a liquidation and a payment.
    assert found.timed == 7


def test_numbers_are_the_same_however_they_are_written() -> None:
    a = run(order(1, "100", "8700", fills=[fill(2, "100", "8700")]))
    b = run(order(1, "100.0", "8700.00", fills=[fill(2, "1E+2", "8700.0", fee="0.0000001")]))
    assert compare(a, b).same


def test_times_may_differ_by_a_step_and_by_no_more() -> None:
    a = run(order(1, fills=[fill(2)]))
    found = compare(a, run(order(1.001, fills=[fill(2.001)])))
    assert (found.same, found.timed) == (True, 3)  # placed, the fill, the end
    found = compare(a, run(order(1.002, fills=[fill(2.001)])))
    assert (found.same, found.first, found.alike["times"]) == (False, None, False)
    assert [(one.what, one.lag) for one in found.late] == [("placed", 2 * MILLI)]
    assert compare(a, run(order(1.002, fills=[fill(2.001)])), tolerance=2 * MILLI).same


# -- where they part


def test_the_first_difference_is_the_earliest_in_time_not_in_the_sequence() -> None:
    # The first order fills late and otherwise; the second one is asked for otherwise before that.
    a = run(order(1, fills=[fill(50, price="8700")]), order(10, price="8710"))
    b = run(order(1, fills=[fill(50, price="8699")]), order(10, price="8711"))
    found = compare(a, b)
    assert [(one.kind, one.number) for one in found.differences] == [("placed", 2), ("filled", 1)]
    assert found.first is not None
    assert [(gap.name, gap.a, gap.b) for gap in found.first.gaps] == [("price", "8710", "8711")]
    assert why(found)[0] == "what the strategy asked for differs in price"


@pytest.mark.parametrize(
    ("a", "b", "kind", "sentence"),
    [
        (order(1), refused(1), "refused", "B refused it: risk.max_position is 100"),
        (refused(1, ""), order(1), "refused", "A refused it: no reason given"),
        (order(1, tag="x"), order(1), "placed", "what the strategy asked for differs in tag"),
        (order(1, tag="x"), order(3), "placed", "what the strategy asked for differs in tag, 2 s later in B"),
        (
            order(1, asked=[Asked(START + 2 * SECOND, "amend", "8705", "100")]),
            order(1, asked=[Asked(START + 2 * SECOND, "amend", "8706", "100")]),
            "asked",
            "the strategy asked for another change of the order",
        ),
        (
            order(1, asked=[Asked(START + 2 * SECOND, "cancel")]),
            order(1),
            "asked",
            "only the strategy in A asked for this change",
        ),
        (
            order(1, asked=[Asked(START + 2 * SECOND, "amend", "1", "100")]),
            order(1, asked=[Asked(START + 2 * SECOND, "amend", "1", "100", "", "too far", True)]),
            "asked",
            "B refused the amend: too far",
        ),
        (
            order(1, fills=[fill(2)]),
            order(1, status="canceled", ended_ts=START + SECOND, reason="post-only order would have taken liquidity"),
            "ended",  # at 1 s; the fill came at 2 s
            "in B the order ended as canceled, with 0 of 100 filled (post-only order would have taken liquidity)",
        ),
        (
            order(1, fills=[fill(2)]),
            order(1, status="canceled", ended_ts=START + 2 * SECOND, reason="expired"),
            "filled",
            "in B the order ended as canceled, with 0 of 100 filled (expired)",
        ),
        (order(1, fills=[fill(2)]), order(1), "filled", "in B the order stood to the end, with 0 of 100 filled"),
        (order(1, fills=[fill(2)]), order(1, status=""), "filled", "in B the order was never answered"),
        (order(1, fills=[fill(2)]), order(1, fills=[fill(2, price="8699")]), "filled", "the fill has another price"),
        (
            order(1, fills=[fill(2)]),
            order(1, fills=[fill(2, "60"), fill(2, "40")]),
            "filled",
            "the order filled the same in sum, in 1 part in A and in 2 in B",
        ),
        (order(1, status="open"), order(1, status="unknown"), "ended", "in A the order stood to the end"),
    ],
)  # fmt: skip
def test_each_kind_of_parting_is_named_and_explained(a: OrderCourse, b: OrderCourse, kind: str, sentence: str) -> None:
    found = compare(run(a), run(b))
    assert kinds(found) == [kind]
    assert any(told.startswith(sentence) for told in why(found)), why(found)


def test_a_cancel_that_came_too_late_is_told_by_how_the_order_ended() -> None:
    late = Asked(START + 2 * SECOND, "cancel", refused="filled already", answered=True)
    a = run(order(1, fills=[fill(2)], asked=[late]))
    b = run(order(1, fills=[fill(2)], asked=[Asked(START + 2 * SECOND, "cancel")]))
    assert compare(a, b).same


def test_an_order_that_only_one_has_and_what_the_other_was_doing() -> None:
    a, b = run(order(1), order(20), refused(30)), run(order(1))
    found = compare(a, b)
    assert [(one.kind, one.number) for one in found.differences] == [("only", 2), ("only", 3)]
    assert why(found)[0] == "B placed no such order, and none after it in this market"
    (pair,) = found.lanes
    assert (pair.alike, pair.common) == (1, 1)
    ended = run(order(1), stopped="2019-05-28T18:00:15.000Z", stop_reason="duration")
    assert why(compare(a, ended))[0] == "B had ended by then: duration"


def test_a_liquidation_that_only_one_suffered() -> None:
    a = run(order(1, fills=[fill(2)]), forced=[fill(9, kind="liquidation", side="sell")])
    found = compare(a, run(order(1, fills=[fill(2)])))
    assert kinds(found) == ["forced"]
    assert (found.alike["orders"], found.alike["fills"]) == (True, False)
    assert why(found)[0] == "B has no such event"


def test_fills_are_the_same_in_their_sequence_whatever_is_known_of_the_orders() -> None:
    a = run(order(1, fills=[fill(2)]), order(3), order(5, fills=[fill(6)]))
    b = run(order(1, fills=[fill(2)]), order(5, fills=[fill(6)]))  # imported: orders without a fill are not told
    found = compare(a, b)
    assert (found.alike["orders"], found.alike["fills"]) == (False, True)
    assert [(pair.alike, pair.fills) for pair in found.lanes] == [(1, 2)]
    assert not compare(a, run(order(1, fills=[fill(2)]))).alike["fills"]
    # Two orders that fill in one moment may be told in either order.
    first, second = fill(2, price="8701"), fill(2)
    a = run(order(1, price="8701", fills=[first]), order(1.5, fills=[second]))
    b = run(order(1, price="8701", fills=[first]), order(1.5, fills=[second]))
    next(iter(b.lanes.values())).fills.reverse()
    assert compare(a, b).same


def test_what_was_late_before_the_parting_is_evidence() -> None:
    a = run(order(1, fills=[fill(2)]), order(5, price="8710"))
    b = run(order(1, fills=[fill(2.5)]), order(5, price="8711"))
    sentences = why(compare(a, b))
    assert sentences[1] == (
        "before that, times differ by more than 0.001 s: first the fill of order 1 (BTC/USD:BTC), 0.5 s later in B"
    )
    assert sentences[-1].startswith("the runs started alike")


# -- money


def test_fees_and_payments_are_their_own_aspects() -> None:
    a = run(order(1, fills=[fill(2, fee="0.1")]), payments=[fill(8, kind="funding", fee="0.5")])
    b = run(
        order(1, fills=[fill(2, fee="-0.1", liquidity="taker")]),
        payments=[fill(8, kind="funding", fee="0.5"), fill(9, kind="funding", fee="0.25")],
    )
    found = compare(a, b)
    assert (found.first, found.alike["fees"], found.alike["payments"], found.same) == (None, False, False, False)
    assert [(one.a, one.b) for one in found.fees] == [("0.1 XBT maker", "-0.1 XBT taker")]
    assert [(one.a, one.b, one.number) for one in found.payments] == [("", "funding 0.25 XBT", 2)]


def test_money_is_compared_line_by_line_and_adds_up() -> None:
    # 100 + 30 - 10 + 5 = 125 minor units of two decimals, and 100 + 20 - 10 + 5 = 115.
    rows = [
        MoneyRow(currency="XBT", scale=2, starting_balance=100, realized_pnl=profit, fees=10, unrealized_pnl=5,
                 equity=equity)
        for profit, equity in ((30, 125), (20, 115))
    ]  # fmt: skip
    found = compare(run(money=[rows[0]]), run(money=[rows[1]]))
    (pair,) = found.money
    assert (found.alike["money"], pair.is_same) == (False, False)
    assert pair.amounts("equity") == (Decimal("1.25"), Decimal("1.15"))
    told = as_json(found)["money"]["XBT"]
    assert told["realized_pnl"] == {"a": "0.30", "b": "0.20", "difference": "-0.10"}
    for side in ("a", "b", "difference"):
        lines = {name: Decimal(line[side]) for name, line in told.items()}
        sources = ("starting_balance", "transfers", "realized_pnl", "funding", "unrealized_pnl")
        assert sum(lines[name] for name in sources) - lines["fees"] == lines["equity"]


def test_what_an_imported_run_does_not_tell_is_no_difference() -> None:
    row = MoneyRow(currency="XBT", scale=2, starting_balance=100, realized_pnl=30, fees=10, equity=120)
    silent = MoneyRow(currency="XBT", scale=2, starting_balance=100, realized_pnl=30, equity=120, untold=["fees"])
    found = compare(run(money=[row]), run(money=[silent]))
    assert found.alike["money"]
    assert as_json(found)["money"]["XBT"]["fees"] == {"a": "0.10", "b": "", "difference": ""}


def test_positions_at_the_end_are_compared_by_their_unified_names() -> None:
    held = {"instrument": "XBTUSD", "exchange": "x", "side": "long", "entry_price": "8700"}
    one, more = (PositionRow(qty=qty, **held) for qty in ("100", "200"))
    assert compare(run(positions=[one]), run(positions=[one])).same
    (gap,) = compare(run(positions=[one]), run(positions=[more])).positions
    assert (gap.name, gap.a, gap.b) == ("BTC/USD:BTC long", "100 at 8700", "200 at 8700")
    (gap,) = compare(run(positions=[]), run(positions=[more])).positions
    assert (gap.a, gap.b) == ("none", "200 at 8700")


# -- two exchanges


@pytest.mark.parametrize(
    ("size_a", "qty_a", "size_b", "qty_b", "price", "same"),
    [
        ("one dollar", "300", "hundred dollars", "3", "8700", True),  # 300 USD
        ("one dollar", "350", "hundred dollars", "3", "8700", False),
        ("a thousandth", "20", "a hundredth", "2", "8700", True),  # 0.02 BTC
        ("one dollar", "174", "a hundredth", "2", "8700", True),  # 174 USD / 8700 = 0.02 BTC
        ("one dollar", "175", "a hundredth", "2", "8700", False),
        ("one dollar", "100", "one dollar", "100", "8700", True),
    ],
)
def test_quantities_are_compared_in_what_a_contract_is_of(
    size_a: str, qty_a: str, size_b: str, qty_b: str, price: str, same: bool
) -> None:
    a = run(order(1, qty_a, price, fills=[fill(2, qty_a, price)]), lane=market(size_a))
    b = run(order(1, qty_b, price, fills=[fill(2, qty_b, price)]), lane=market(size_b))
    found = compare(a, b)
    assert (found.alike["orders"] and found.alike["fills"]) is same
    assert [note for note in found.notes if "quantities are compared" in note] or size_a == size_b


def test_other_names_for_one_currency_are_one_currency() -> None:
    here, there = market(), market(exchange="y", symbol="BTCUSD", settle="BTC")
    money = {code: MoneyRow(currency=code, scale=8, starting_balance=10**8, equity=10**8) for code in ("XBT", "BTC")}
    a = run(order(1, fills=[fill(2)]), lane=here, money=[money["XBT"]])
    b = run(order(1, fills=[fill(2, fee_currency="BTC")]), lane=there, money=[money["BTC"]])
    found = compare(a, b)
    assert found.same
    assert [pair.currency for pair in found.money] == ["BTC"]
    # Both call it the same: so it is called here.
    assert [pair.currency for pair in compare(a, a).money] == ["XBT"]


def test_the_only_market_and_the_only_strategy_left_are_compared_whatever_their_names() -> None:
    a = run(order(1))
    b = run(order(1), strategy="other", lane=market(unified="BTC/USDT:USDT", symbol="BTCUSDT", exchange="y"))
    found = compare(a, b)
    assert found.first is None
    assert found.notes == [
        "strategy maker of A is compared with other of B",
        "BTC/USD:BTC of A is compared with BTC/USDT:USDT of B",
    ]


def test_legs_are_never_taken_for_each_other() -> None:
    found = compare(run(order(1), leg="long"), run(order(1), leg="short"))
    assert kinds(found) == ["only", "only"]
    assert len(found.lanes) == 2


def test_runs_that_began_at_other_times_are_counted_from_their_starts() -> None:
    a = run(order(1), order(5, price="8710"))
    hour = 3600
    b = run(order(hour + 1), order(hour + 5, price="8711"), started="2019-05-28T19:00:00.000Z")
    found = compare(a, b)
    assert (found.shift, found.late) == (-hour * SECOND, [])
    assert found.first is not None
    assert found.first.ts == START + 5 * SECOND
    # The same data from an earlier moment on: times are those of the data.
    c = run(order(1), order(5, price="8710"), started="2019-05-28T17:00:00.000Z")
    assert compare(a, c).shift == 0


# -- the start


def test_what_differed_at_the_start_is_listed_by_its_key() -> None:
    strategies = [StrategyRow(name="maker", code="aaa", params={"qty": "1", "spread": "2"})]
    other = [StrategyRow(name="maker", code="bbb", params={"qty": "2", "spread": "3"})]
    rows = [MoneyRow(currency="XBT", scale=0, starting_balance=amount, equity=amount) for amount in (5, 7)]
    tape = [[ProvenanceRow(part="trades", origin="recorded", text=text)] for text in ("may", "june")]
    a = run(
        order(1), strategies=strategies, money=[rows[0]], provenance=tape[0],
        told={"strategies.maker.params.qty": "1", "run.name": "x"},
    )  # fmt: skip
    b = run(
        order(1), strategies=other, money=[rows[1]], provenance=tape[1], seed=8, latency_ns=0, fill_model="touch",
        hbkit_version="0.2.0", told={"strategies.maker.params.qty": "2", "run.name": "x"},
        lane=market(maker_fee="0.0002"),
    )  # fmt: skip
    found = compare(a, b)
    assert {(gap.name, gap.a, gap.b) for gap in found.start} == {
        ("seed", "7", "8"),
        ("latency", "50 ms", "none"),
        ("fill model", "queue: a resting order waits behind the size that was there before it", "touch"),
        ("hbkit", "0.1.0", "0.2.0"),
        ("maker: code", "aaa", "bbb"),
        ("maker: spread", "2", "3"),  # qty stands in the config
        ("BTC/USD:BTC: maker fee", "0.0001", "0.0002"),
        ("data: trades", "recorded: may", "recorded: june"),
        ("starting balance XBT", "5", "7"),
    }
    assert [(gap.name, gap.a, gap.b) for gap in found.config] == [("strategies.maker.params.qty", "1", "2")]


# -- laws


@st.composite
def orders(draw: st.DrawFn) -> list[OrderCourse]:
    drawn = []
    for number in range(draw(st.integers(0, 6))):
        at = number * 10 + draw(st.sampled_from([0, 0.0005, 0.5]))
        qty = draw(st.sampled_from(["100", "200"]))
        price = draw(st.sampled_from(["8700", "8701"]))
        some = draw(st.sampled_from([[], [qty], ["50", str(int(qty) - 50)], ["50"]]))
        fills = [fill(at + 1 + part, one, price) for part, one in enumerate(some)]
        asked = draw(st.sampled_from([[], [Asked(START + round((at + 0.5) * SECOND), "amend", "8702", qty)]]))
        drawn.append(refused(at) if draw(st.integers(0, 5)) == 0 else order(at, qty, price, fills, asked=asked))
    return drawn


@given(orders())
def test_every_run_is_the_same_as_itself(drawn: list[OrderCourse]) -> None:
    assert compare(run(*drawn), run(*drawn)).same


@given(orders(), orders())
def test_a_comparison_is_the_same_from_both_sides(one: list[OrderCourse], other: list[OrderCourse]) -> None:
    there, back = compare(run(*one), run(*other)), compare(run(*other), run(*one))
    assert (there.same, there.alike) == (back.same, back.alike)
    assert [(d.kind, d.ts, d.number) for d in there.differences] == [(d.kind, d.ts, d.number) for d in back.differences]
    assert [(pair.alike, pair.common) for pair in there.lanes] == [(pair.alike, pair.common) for pair in back.lanes]
    assert [late.lag for late in there.late] == [-late.lag for late in back.late]
    json.dumps(as_json(there))


@given(orders(), orders())
def test_runs_without_a_difference_have_the_same_orders(one: list[OrderCourse], other: list[OrderCourse]) -> None:
    found = compare(run(*one), run(*other))
    plain = [
        [(o.side, o.qty, o.price, o.status, [(f.qty, f.price) for f in o.fills], len(o.asked)) for o in drawn]
        for drawn in (one, other)
    ]
    assert (found.first is None) == (plain[0] == plain[1])
