"""The channel with stop orders: where they stand, where they fire, and the money over an hour of the recorded day."""

import ast
from pathlib import Path
from typing import Any

import pytest

from hbkit.clock import ManualClock
from hbkit.config import load_config
from hbkit.plugins import Plugins
from hbkit.report.result import RunResult
from hbkit.run import Replay, make_plan

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "strategies" / "candle_breakout.py"
PARAMS = {"entry": 2, "exit": 1, "qty": 1}
# A price every 20 s from 1 s on, three in a minute, with prints a tick (0.1) below and above it.
WAY = (100, 101, 100.5, 100, 100.6, 100.2, 100.4, 101.5, 102, 103, 102.5, 102.6, 102.8, 102.4, 101, 100.9, 99, 98)


async def test_it_goes_in_above_the_highest_and_out_below_the_lowest(run_strategy: Any, market: Any) -> None:
    # 120 s: highs 101.1 and 100.7, the way in is 101.2; at 141 s the price is 101.5, bought at the ask.
    # 240 s: low of 103, 102.5, 102.6 is 102.4, the way out 102.3; at 261 s the price is 102.4, sold at the bid.
    ran = await run_strategy(str(FILE), script=market(*WAY, every=20), params=PARAMS)
    ran.assert_fill("buy", 1, 101.6)
    ran.assert_fill("sell", 1, 102.3)
    assert (len(ran.fills), ran.result.rejects) == (2, 0)
    ran.assert_position(0)


async def test_the_candles_before_the_start_count(run_strategy: Any, market: Any) -> None:
    # With the quiet minute before it the first candle is the second: its high is 101.1, and nothing gets to 101.2.
    ran = await run_strategy(str(FILE), script=market(*WAY[:5], every=20), params=PARAMS)
    ran.assert_no_fills()
    assert [row.trigger_price for row in ran.orders] == ["101.2"]
    ran.assert_clean()


@pytest.mark.parametrize(
    "fault", [("cut",), ("lose_reply", "submit"), ("lose_request", "submit")], ids=lambda one: one[0]
)
async def test_a_fault_when_the_stop_is_placed_doubles_nothing(
    run_strategy: Any, market: Any, faults: Any, fault: tuple[str, ...]
) -> None:
    faults.at(119, *fault)
    ran = await run_strategy(str(FILE), script=market(*WAY, every=20), params=PARAMS)
    assert [row.side for row in ran.fills] == ["buy", "sell"]
    ran.assert_position(0)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """The example's config over an hour of the tape."""
    folder = tmp_path_factory.mktemp("breakout")
    over = [
        "exchanges.bitmex_perpetual.replay.from=2019-05-28T22:00:00Z", "run.duration=1h", f"run.dir={folder}",
        f"state.dir={folder}",
    ]  # fmt: skip
    config = load_config(ROOT / "configs" / "candle_breakout.yaml", overrides=over, environ={})
    return Replay(make_plan(config, Plugins([], []), "replay"), wall=ManualClock(0)).play()


def test_it_is_long_or_flat_and_pays_as_a_taker(played: RunResult) -> None:
    assert (played.exit_code, played.rejects, played.warnings) == (0, 0, [])
    held, seen = 0.0, set()
    for row in played.fill_rows:
        held += float(row.qty) if row.side == "buy" else -float(row.qty)
        seen.add(held)
    assert seen == {0, 1000}
    assert {row.liquidity for row in played.fill_rows} == {"taker"}


def test_the_first_purchase_is_above_the_highest_of_twenty_candles(played: RunResult) -> None:
    # The highest trade from 21:41 to 22:01 of the tape is 8735.0; a tick above it is 8735.1, and the next offer 8736.
    assert float(played.fill_rows[0].price) == 8736.0


def test_the_money_adds_up_to_the_minor_unit(played: RunResult) -> None:
    assert [row.gap for row in played.money] == [0] * len(played.money)
    # Every fill is 1,000 contracts, ten lots of 100: 10,000,000,000 / price satoshi a lot, rounded (10.1). The fee is
    # 0.05 % of the ten, truncated.
    paid = 0
    for row in played.fill_rows:
        lot = round(100 * 100_000_000 / float(row.price))
        paid += 10 * lot * 5 // 10_000
    (xbt,) = [row for row in played.money if row.currency == "XBT"]
    assert xbt.fees == paid > 0


def test_its_config_is_good_and_it_is_a_small_file() -> None:
    make_plan(load_config(ROOT / "configs" / "candle_breakout.yaml", environ={}), Plugins([], []), None)
    statements = [node for node in ast.walk(ast.parse(FILE.read_text(encoding="utf-8"))) if isinstance(node, ast.stmt)]
    assert len(statements) < 40


def test_the_report_shows_where_each_stop_stood(played: RunResult) -> None:
    # Of the first purchase: a tick above 8735.0.
    assert played.order_rows[0].trigger_price == "8735.1"
    assert all(row.trigger_price for row in played.order_rows)
