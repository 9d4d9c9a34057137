"""Money to the satoshi: what hbkit booked from the executions against the venue's own wallet, over whole runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from hbkit.clock import SECOND, parse_time
from plugins.bitmex.tests.connector.scene import TAPE, differences, play

LEGS = Path(__file__).with_name("legs.py")
BEFORE_FUNDING = parse_time("2019-05-28T03:59:20Z")
"""Forty seconds before one of the three payments of a day."""


@pytest.mark.parametrize("seed", [1, 2])
def test_two_legs_with_stops_amends_and_a_funding_tie_out_to_the_wallet(tmp_path: Path, seed: int) -> None:
    scene = play(
        tmp_path, seed=seed, use=f"{LEGS}:Legs", begin=BEFORE_FUNDING, start=TAPE + 180 * SECOND, duration=75,
        more=", position_mode: hedge", params="{busy: 60}",
    )  # fmt: skip
    assert differences(scene) == []
    (account,) = scene.venue.accounts.values()
    booked = scene.venue.executions[account.number]
    money = next(row for row in scene.result.money if row.currency == "XBT")
    # It was a run of that kind: stops fired, both legs traded, both paid or were paid, orders were amended.
    assert scene.strategy.fired > 1
    assert {row["strategy"] for row in booked if row["execType"] == "Funding"} == {"Long", "Short"}
    (funding,) = scene.strategy.paid
    assert round(funding.amount * 10**8) == money.funding != 0
    assert {row["strategy"] for row in booked if row["execType"] == "Trade"} == {"Long", "Short"}
    assert any(row["execType"] == "Replaced" for row in booked)
    assert any(row.get("triggered") == "StopOrderTriggered" for row in booked)
    # Fees and roles are those of the executions, not reckoned from a rate.
    trades = [row for row in booked if row["execType"] == "Trade"]
    assert money.fees == sum(row["execComm"] for row in trades)
    assert money.funding == -sum(row["execComm"] for row in booked if row["execType"] == "Funding")
    told = {"maker": "AddedLiquidity", "taker": "RemovedLiquidity"}
    roles = sorted((row["clOrdID"], row["lastLiquidityInd"]) for row in trades)
    fills = [row for row in scene.result.fill_rows if row.kind == "trade"]
    assert sorted((row.order_id, told[row.liquidity]) for row in fills) == roles
    assert {role for _, role in roles} == set(told.values())
