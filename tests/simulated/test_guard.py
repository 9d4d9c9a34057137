"""Liquidation and settlement in replay: what marks and trades do to positions with too little behind them."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from hbkit.data.source import Rows
from hbkit.model import ExecutionKind, MarginMode, Side
from tests.simulated.test_recorded import ABC, T0, Venue, rows

RISKY = replace(ABC, init_margin=Decimal("0.01"), maint_margin=Decimal("0.005"))


def venue(*batches: Any, money: int, instrument: Any = RISKY, **more: Any) -> Venue:
    return Venue(rows(Rows.QUOTE, (0, 99.5, 100, 900, 900)), *batches, instruments=(instrument,), money=money, **more)


def kinds(one: Venue) -> list[tuple[str, float, int]]:
    return [(event.kind.value, event.price, event.units) for event in one.events("on_fill")]


def test_a_mark_takes_a_cross_position_over() -> None:
    # 100 contracts at 100 are 1,000,000 cents and need 5,000 behind them; there are 100,000.
    one = venue(rows(Rows.MARK, (2, 95, 95), (3, 90.6, 91), (4, 90.4, 91)), money=100_000)
    one.at(1, lambda: one.submit(Side.BUY, 100, market=RISKY))
    one.play()
    # At 90.6 6,000 are left; at 90.4 4,000, which is what the position may lose: 90.0 is the tick.
    assert kinds(one) == [("trade", 100, 100), ("liquidation", 90.0, 100)]
    assert one.account.cash["USD"] == 0
    assert one.events("on_balance")[-1].equity == 0


def test_orders_go_first_and_say_why() -> None:
    one = venue(rows(Rows.MARK, (3, 50, 50)), money=100_000)
    one.at(1, lambda: one.submit(Side.BUY, 100, market=RISKY))
    one.at(2, lambda: one.submit(Side.BUY, 1, 40, market=RISKY))
    one.play()
    assert one.events("on_order")[-1].reason == "liquidation"
    # The mark has gone past bankruptcy: the fund pays 400,000 cents, and nothing is below zero.
    assert kinds(one)[-2:] == [("liquidation", 50, 100), ("insurance", 0, 0)]
    assert one.events("on_fill")[-1].fee == -400_000
    assert one.account.cash["USD"] == 0


def test_without_marks_trades_and_quotes_are_what_counts() -> None:
    one = venue(rows(Rows.TRADE, (2, -1, 95, 1), (3, -1, 90, 1)), money=100_000)
    one.at(1, lambda: one.submit(Side.BUY, 100, market=RISKY))
    one.play()
    assert [kind for kind, _, _ in kinds(one)] == ["trade", "liquidation"]


def test_isolated_margin_is_all_that_can_be_lost() -> None:
    one = venue(rows(Rows.MARK, (3, 80, 80)), money=10_000_000)
    one.exchange.set_margin_mode(RISKY, MarginMode.ISOLATED)
    one.exchange.set_leverage(RISKY, 10)
    one.at(1, lambda: one.submit(Side.BUY, 100, market=RISKY))
    one.play()
    # A tenth of 1,000,000 cents.
    assert kinds(one)[-1] == ("liquidation", 90, 100)
    assert one.account.cash["USD"] == 10_000_000 - 100_000


@pytest.mark.parametrize("step", [0.5, 0.01])
def test_the_guard_never_misses_what_a_test_at_every_mark_would_find(step: float) -> None:
    prices = [100 - step * at for at in range(round(12 / step))]
    marks = [(2 + at / 1000, price, price) for at, price in enumerate(prices)]
    one = venue(rows(Rows.MARK, *marks), money=100_000)
    one.at(1, lambda: one.submit(Side.BUY, 100, market=RISKY))
    one.play()
    # The first mark at which 100,000 less the loss is below 5,000: below 90.5.
    due = next(mark[0] for mark in marks if 100_000 - (100 - mark[1]) * 10_000 < 5_000 - 1e-6)
    (fill,) = [event for event in one.events("on_fill") if event.kind is ExecutionKind.LIQUIDATION]
    assert (fill.ts - T0) / 1e9 == pytest.approx(due)


def test_a_dated_contract_settles_and_takes_no_more_orders() -> None:
    dated = replace(RISKY, expiry=T0 + 60_000_000_000)
    marks = [(50, 101, 100), (58, 101, 102), (59, 101, 104), (70, 101, 101)]
    one = venue(rows(Rows.MARK, *marks), money=10_000_000, instrument=dated)
    one.at(1, lambda: one.submit(Side.BUY, 100, market=dated))
    one.at(2, lambda: one.submit(Side.BUY, 1, 90, market=dated))
    one.at(61, lambda: one.submit(Side.BUY, 1, 90, market=dated))
    one.play()
    # The mean of the index over the half hour before: (100 + 102 + 104) / 3.
    assert kinds(one)[-1] == ("settlement", 102, 100)
    assert one.account.cash["USD"] == 10_000_000 + 20_000
    assert [(one_.status.value, one_.reason) for one_ in one.events("on_order")[-2:]] == [
        ("canceled", "ABC has settled"), ("rejected", "ABC is not traded here"),
    ]  # fmt: skip
