"""Two results held against each other: small runs whose orders and fills are written down by hand."""

import random

import msgspec
import pytest

from hbkit.clock import MINUTE, SECOND
from hbkit.report.comparison import compare
from hbkit.report.lines import OFF
from hbkit.report.result import EquitySeries, InstrumentRow, MoneyRow
from hbkit.report.sidebyside import side_by_side
from tests.report.conftest import START, make_fill, make_order, make_result

BITMEX = InstrumentRow(
    exchange="bitmex_perpetual", symbol="XBTUSD", kind="inverse", unit="contract of 1 USD", tick="0.5", lot="1",
    maker_fee="-0.00025", taker_fee="0.00075", unified="BTC/USD:BTC",
)  # fmt: skip
OTHER = InstrumentRow(
    exchange="okx", symbol="BTC-USD-SWAP", kind="inverse", unit="contract of 100 USD", tick="0.1", lot="1",
    maker_fee="0.0002", taker_fee="0.0005", unified="BTC/USD:BTC", contract_size="100",
)  # fmt: skip


def order(number=1, **changes):
    return make_order(
        number, **{"exchange": "bitmex_perpetual", "first_price": changes.get("price", "8700"), **changes}
    )


def fill(minute, side="buy", qty="100", **changes):
    return make_fill(minute, side, qty, **{"exchange": "bitmex_perpetual", **changes})


def run(orders=(), fills=(), **changes):
    return make_result(
        **{"order_rows": list(orders), "fill_rows": list(fills), "instruments": [BITMEX], "told": {}, **changes}
    )


def test_a_run_is_the_same_as_itself():
    one = make_result()
    compared = compare(one, one)
    assert compared.same
    assert compared.parting is None
    assert compared.settings == compared.markets == compared.endings == []
    assert {row.difference.strip("-0.") for row in compared.money} == {""}
    # Three orders; of four rows of fills one is a funding.
    assert (compared.orders.alike, compared.fills.alike) == (3, 3)


def test_the_first_difference_is_told_with_what_both_did():
    a = run(
        [order(1), order(2, side="sell", price="8710")], [fill(1.5), fill(2.5, "sell", price="8710", order_id="demo-2")]
    )
    b = run(
        [order(1), order(2, side="sell", price="8711")], [fill(1.5), fill(2.7, "sell", price="8711", order_id="demo-2")]
    )
    compared = compare(a, b)
    assert not compared.same
    assert (compared.orders.alike, compared.fills.alike) == (1, 1)
    parting = compared.parting
    assert (parting.what, parting.number, parting.at_a, parting.at_b) == ("order", 2, 2 * MINUTE, 2 * MINUTE)
    assert (parting.a, parting.b) == ("sell 100 limit at 8710, filled", "sell 100 limit at 8711, filled")
    assert parting.reasons[0] == "the strategy wanted another price: it saw another market"


def test_a_fill_that_came_in_one_run_only_names_what_became_of_the_order():
    a = run([order(1)], [fill(1.5)])
    b = run([order(1, status="canceled", filled="0", reason="post-only")])
    compared = compare(a, b)
    assert compared.orders.same
    assert compared.parting.what == "fill"
    assert compared.parting.b == ""
    assert compared.parting.reasons[0] == (
        "in B the order in the place of the one that was filled is canceled (post-only)"
    )
    assert [(row.what, row.a, row.b) for row in compared.endings] == [
        ("order 1 of market_maker in BTC/USD:BTC", "filled", "canceled (post-only)")
    ]


def test_a_fill_at_another_price_and_as_another_kind():
    a, b = run([order(1)], [fill(1.5)]), run([order(1)], [fill(1.5, price="8700.5", liquidity="taker")])
    reasons = compare(a, b).parting.reasons
    assert reasons[:2] == ["A was filled as maker, B as taker", "the market gave another price"]
    b = run([order(1)], [fill(1.5, qty="40"), fill(1.6, qty="60")])
    assert compare(a, b).parting.reasons[0] == "the market gave another quantity: an order was filled in other parts"


def test_a_refusal_is_the_reason():
    a = run([order(1)])
    b = run([order(1, qty="50", status="rejected", filled="0", reason="max_position 50")])
    assert compare(a, b).parting.reasons[0] == "in B it was rejected: max_position 50"


def test_a_run_that_ended_before_is_the_reason():
    long, short = EquitySeries(ts=[START, START + 10 * MINUTE]), EquitySeries(ts=[START, START + 90 * SECOND])
    a = run([order(1), order(2)], equity_series=long)
    b = run([order(1)], equity_series=short, stop_reason="time_is_up")
    assert "B had ended by then, after 1m 30s: time is up" in compare(a, b).parting.reasons
    assert "A had ended by then, after 1m 30s: time is up" in compare(b, a).parting.reasons


def test_times_count_from_the_start_and_may_differ():
    later = 7 * MINUTE
    a = run([order(1)], [fill(1.5)], equity_series=EquitySeries(ts=[START]))
    b = run(
        [msgspec.structs.replace(order(1), ts=order(1).ts + later)],
        [msgspec.structs.replace(fill(1.5), ts=fill(1.5).ts + later + SECOND // 2)],
        equity_series=EquitySeries(ts=[START + later]),
    )
    compared = compare(a, b)
    assert compared.same
    assert (compared.orders.latest, compared.fills.latest) == (0, SECOND // 2)


def test_contracts_of_another_size_are_compared_by_what_they_are_worth():
    a = run([order(1, qty="200", filled="200")], [fill(1.5, qty="200")])
    there = {"exchange": "okx", "instrument": "BTC-USD-SWAP"}
    b = run([order(1, qty="2", filled="2", **there)], [fill(1.5, qty="2", **there)], instruments=[OTHER])
    compared = compare(a, b)
    assert compared.same  # 200 contracts of 1 USD are 2 of 100 USD
    assert {row.what for row in compared.markets} == {
        f"BTC/USD:BTC {what}" for what in ("symbol", "unit", "tick", "maker fee", "taker fee")
    }
    assert not compare(a, run([order(1, qty="3", **there)], instruments=[OTHER])).same


def test_strategies_and_legs_have_sequences_of_their_own():
    one, other = order(1), order(2, strategy="second", side="sell")
    long, short = order(3, position_side="long"), order(4, position_side="short", side="sell")
    a, b = run([one, other, long, short]), run([other, one, short, long])
    assert compare(a, b).same  # in another order among themselves, in the same each


def test_what_differs_in_settings_and_money():
    a = run(told={"risk.max_position": "100", "exchanges.x.latency": "50ms"}, seed=1, latency_ns=0)
    more = MoneyRow(currency="XBT", scale=8, starting_balance=200_000_000, equity=200_000_000)
    b = run(told={"risk.max_position": "200"}, seed=2, latency_ns=50_000_000, money=[more], order_rows=[order(1)])
    compared = compare(a, b)
    assert [(row.what, row.a, row.b) for row in compared.settings] == [
        ("seed", "1", "2"), ("latency", "none", "50 ms"), ("risk.max_position", "100", "200"),
        ("exchanges.x.latency", "50ms", ""),
    ]  # fmt: skip
    start = next(row for row in compared.money if row.line == "starting_balance")
    assert (start.a, start.b, start.difference) == ("1.00000000", "2.00000000", "1.00000000")
    assert "they began with other balances: XBT 1.00000000 and 2.00000000" in compared.parting.reasons
    assert compared.parting.reasons[-1] == (
        "they were not told the same: seed, latency, risk.max_position, exchanges.x.latency"
    )


def test_it_is_symmetric():
    dice = random.Random(5)

    def drawn():
        orders = [
            order(n, side=dice.choice(["buy", "sell"]), price=dice.choice(["1", "2"])) for n in range(dice.randrange(6))
        ]
        fills = [fill(n, dice.choice(["buy", "sell"])) for n in range(dice.randrange(6))]
        return run(orders, fills, told={"a": dice.choice(["1", "2"])})

    for _ in range(200):
        a, b = drawn(), drawn()
        there, back = compare(a, b), compare(b, a)
        assert (there.same, there.orders.alike, there.fills.alike) == (back.same, back.orders.alike, back.fills.alike)
        assert (there.orders.a, there.fills.b) == (back.orders.b, back.fills.a)
        assert there.same == (there.parting is None)
        if there.parting is not None:
            mirrored = (back.parting.what, back.parting.number, back.parting.b, back.parting.a)
            assert (there.parting.what, there.parting.number, there.parting.a, there.parting.b) == mirrored


@pytest.mark.parametrize("width", [60, 80])
def test_the_text_fits_and_holds_no_code_from_outside(width):
    a = run([order(1)], [fill(1.5)])
    b = run([order(1, status="canceled", filled="0", reason="\x1b[31mred\x1b[0m " + "words " * 20)])
    text = side_by_side(compare(a, b), width=width)
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= width
    assert text.splitlines()[0] == "Not the same."
    assert OFF in side_by_side(compare(a, b), width=width, colour=True)
    side_by_side(compare(a, b), ascii=True).encode("ascii")


def test_a_list_that_is_long_is_cut_in_the_text_alone():
    a, b = run(told={f"key{n}": "1" for n in range(40)}), run(told={f"key{n}": "2" for n in range(40)})
    compared = compare(a, b)
    assert len(compared.to_json()["settings"]) == 40
    assert "and 28 more; --json has them all" in side_by_side(compared)


def test_bitcoin_is_one_coin_by_both_of_its_codes():
    a = run(money=[MoneyRow(currency="XBT", scale=8, starting_balance=100, equity=100)])
    b = run(money=[MoneyRow(currency="BTC", scale=8, starting_balance=100, equity=90, fees=10)])
    compared = compare(a, b)
    assert {row.currency for row in compared.money} == {"XBT/BTC"}
    assert next(row for row in compared.money if row.line == "equity").difference == "-0.00000010"
