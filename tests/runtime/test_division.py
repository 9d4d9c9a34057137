"""A funding and a liquidation of an account, divided among those who share it: whole numbers that add up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hbkit.model import Execution, ExecutionKind, Liquidity, PositionSide, Side
from hbkit.runtime.division import divided
from hbkit.testing.fake.venue import COIN


def execution(kind: ExecutionKind, side: Side, units: int, cost: int = 0, fee: int = 0) -> Execution:
    return Execution(1, "x", "", COIN, side, PositionSide.NET, 100.0, units, cost, fee, Liquidity.TAKER, kind)


def cases(table):
    return {"argvalues": [one[1:] for one in table], "ids": [one[0] for one in table]}


FUNDINGS = [
    # 100 divided 300 : -100 of 200: a pays 150, b receives 50.
    ("long and short", 100, {"a": 300, "b": -100}, 200, {"a": 150, "b": -50}),
    # 100 / 3 each, and one minor unit stays with the account.
    ("a remainder", 100, {"a": 10, "b": 10, "c": 10}, 30, {"a": 33, "b": 33, "c": 33}),
    ("received", -100, {"a": 10, "b": 20}, 30, {"a": -33, "b": -66}),
    ("short account", 100, {"a": -10, "b": -30}, -40, {"a": 25, "b": 75}),
    # A quarter of the account is nobody's: what falls on it is the account's.
    ("part of it nobody's", 100, {"a": 75}, 100, {"a": 75}),
    ("flat is left out", 100, {"a": 0, "b": 10}, 10, {"b": 100}),
]


@pytest.mark.parametrize(("fee", "held", "account", "expected"), **cases(FUNDINGS))
def test_funding_goes_by_size(fee, held, account, expected):
    parts = divided(execution(ExecutionKind.FUNDING, Side.BUY, abs(account), fee=fee), list(held.items()), account)
    assert {holder: part.fee for holder, part in parts} == expected
    assert all(part.units == abs(held[holder]) for holder, part in parts)


CLOSED = [
    ("pro rata", 40, {"a": 30, "b": 10}, 40, {"a": 30, "b": 10}),
    # 20 of 40: 15 and 5.
    ("a part of it", 20, {"a": 30, "b": 10}, 40, {"a": 15, "b": 5}),
    # 10 of 30, three ways: 3 each, and the one that is left to the largest, the first of equals.
    ("a remainder to the largest", 10, {"a": 10, "b": 10, "c": 10}, 30, {"a": 4, "b": 3, "c": 3}),
    # The account holds 20 net: b is short 10 and keeps it, a holds 30 of which 20 are closed.
    ("the other side keeps its own", 20, {"a": 30, "b": -10}, 20, {"a": 20}),
    # Half is nobody's: 5 of the 10 fall on it, what does not divide too.
    ("nobody's part", 11, {"a": 20}, 40, {"a": 5}),
]


@pytest.mark.parametrize(("units", "held", "account", "expected"), **cases(CLOSED))
def test_a_liquidation_goes_pro_rata(units, held, account, expected):
    whole = execution(ExecutionKind.LIQUIDATION, Side.SELL, units, cost=-1000, fee=77)
    parts = divided(whole, list(held.items()), account)
    assert {holder: part.units for holder, part in parts} == expected
    if sum(expected.values()) == units:
        assert (sum(part.cost for _, part in parts), sum(part.fee for _, part in parts)) == (-1000, 77)


@given(
    held=st.lists(st.integers(-10**9, 10**9), min_size=1, max_size=6),
    rest=st.integers(-10**9, 10**9),
    fee=st.integers(-10**9, 10**9),
    share=st.integers(1, 100),
)
def test_parts_add_up_and_nobody_is_closed_beyond_zero(held, rest, fee, share):
    account = sum(held) + rest
    holders = list(enumerate(held))
    paid = divided(execution(ExecutionKind.FUNDING, Side.BUY, abs(account), fee=fee), holders, account)
    left = fee - sum(part.fee for _, part in paid)
    # What stays with the account is its own part, but for less than one minor unit a strategy.
    if account:
        assert abs(left - fee * rest / account) <= len(held) + abs(fee) * 1e-6
    units = max(1, abs(account) * share // 100)
    side = Side.SELL if account > 0 else Side.BUY
    parts = divided(execution(ExecutionKind.LIQUIDATION, side, units, cost=fee, fee=7), holders, account)
    for at, part in parts:
        assert 0 < part.units <= abs(held[at])
        assert held[at] * side.sign < 0
    assert sum(part.units for _, part in parts) <= units
    if account and rest == 0:
        assert sum(part.units for _, part in parts) == units
