"""The grid on both legs: where it enters and closes, what a lost answer changes, and that three modes fill it alike."""

import ast
from pathlib import Path
from typing import Any

import pytest

from hbkit.cli import live
from hbkit.clock import ManualClock
from hbkit.config import load_config
from hbkit.plugins import Plugins
from hbkit.report.result import FillRow, RunResult
from hbkit.run import Replay, make_plan

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "strategies" / "hedged_grid.py"
PARAMS = {"levels": 2, "step": 1, "profit": 2, "qty": 1}
# The first price is 100.0, a step is 1.0: the long leg enters at 99.5 and 98.5, the short leg at 100.5 and 101.5. They
# close 2.0 further: the longs at 101.5 and 100.5, the shorts at 98.5 and 99.5.
WAY = (100, 99.3, 100.7, 101.7, 100.6, 99.2)
FILLS = [
    ("buy", "long", 99.5),  # at 99.3
    ("sell", "short", 100.5),  # at 100.7: both legs are held
    ("sell", "long", 101.5),  # at 101.7: the long of 99.5 closes, 2.0 above
    ("sell", "short", 101.5),  # at 101.7
    ("buy", "long", 99.5),  # at 99.2: entered anew
    ("buy", "short", 99.5),  # at 99.2: the short of 101.5 closes, 2.0 below
]


def legs(rows: list[FillRow]) -> list[tuple[str, str, float]]:
    return [(row.side, row.position_side, float(row.price)) for row in rows]


async def test_each_leg_enters_and_closes_at_its_lines(run_strategy: Any, market: Any) -> None:
    ran = await run_strategy(str(FILE), script=market(*WAY), params=PARAMS, position_mode="hedge")
    assert sorted(legs(ran.fills)) == sorted(FILLS)
    assert legs(ran.fills)[:2] == FILLS[:2]
    assert {(row.qty, row.liquidity) for row in ran.fills} == {("1", "maker")}
    # Bought 1 at 99.5, sold at 101.5, bought 1 at 99.5; sold 1 at 100.5 and 1 at 101.5, bought 1 at 99.5.
    ran.assert_position(1, side="long")
    ran.assert_position(-1, side="short")
    ran.assert_clean()


@pytest.mark.parametrize(
    "fault",
    [("cut",), ("lose_reply", "submit"), ("lose_request", "submit"), ("late_reply", "submit", 1.5), ("early_update",)],
    ids=lambda fault: fault[0],
)
async def test_a_fault_doubles_no_line(run_strategy: Any, market: Any, faults: Any, fault: tuple[Any, ...]) -> None:
    # The price stands at each step for five seconds, so that what was late or lost has been made up for. An order that
    # had to be sent again may come late to its line and get a better price.
    faults.at(5.5, *fault)
    way = [price for price in WAY for _ in range(5)]
    ran = await run_strategy(str(FILE), script=market(*way), params=PARAMS, position_mode="hedge", seconds=60)
    assert sorted(row[:2] for row in legs(ran.fills)) == sorted(row[:2] for row in FILLS)
    ran.assert_position(1, side="long")
    ran.assert_position(-1, side="short")
    assert len(ran.venue.executions()) == len(FILLS)


async def test_a_line_that_filled_in_part_asks_for_the_rest_and_closes_the_part(run_strategy: Any, market: Any) -> None:
    ran = await run_strategy(str(FILE), script=market(100, 100), params=PARAMS, position_mode="hedge")
    strategy = ran.strategy
    # 1.4 below: the first line is full, of the second (98.5) 0.6 are missing and 0.4 close at 100.5.
    entries, exits = strategy.ladder(1.4, -1)
    assert [(round(price, 9), round(qty, 9)) for price, qty in entries] == [(98.5, 0.6)]
    assert [(round(price, 9), round(qty, 9)) for price, qty in exits] == [(101.5, 1), (100.5, 0.4)]


CONFIG = """
exchanges:
  bitmex_perpetual:
    mode: {mode}
    position_mode: hedge
    latency: 5.5ms
    simulator: {{start: 2019-05-28T19:17:00Z}}
    replay: {{from: 2019-05-28T19:17:00Z}}
strategies:
  - {{use: {file}, instruments: [XBTUSDT], params: {{levels: 4, step: 0.01, profit: 0.02, qty: 10000}}}}
run: {{duration: 200s}}
"""


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, RunResult]:
    """Three lively minutes of the tape, in each mode."""
    monkeypatch.chdir(tmp_path)
    results: dict[str, RunResult] = {}
    for mode in ("simulator", "paper", "replay"):
        Path("grid.yaml").write_text(CONFIG.format(mode=mode, file=FILE))
        plan = make_plan(load_config(Path("grid.yaml"), environ={}), Plugins([], []), None)
        if mode == "replay":
            results[mode] = Replay(plan, wall=ManualClock(0)).play()
        else:
            results[mode] = live.play(plan, virtual=True, allowed=False, debug=False, no_view=True)
    return results


def test_it_fills_alike_in_simulator_paper_and_replay(played: dict[str, RunResult]) -> None:
    told = {
        mode: [(*leg, row.qty, row.fee) for leg, row in zip(legs(one.fill_rows), one.fill_rows, strict=True)]
        for mode, one in played.items()
    }
    assert len(told["replay"]) > 10
    assert {leg for _, leg, *_ in told["replay"]} == {"long", "short"}
    assert told["simulator"] == told["replay"]
    assert told["paper"] == told["replay"]
    for one in played.values():
        assert (one.exit_code, one.rejects, one.warnings) == (0, 0, [])
        assert [row.gap for row in one.money] == [0] * len(one.money)


def test_its_config_is_good_and_it_is_a_small_file() -> None:
    make_plan(load_config(ROOT / "configs" / "hedged_grid.yaml", environ={}), Plugins([], []), None)
    statements = [node for node in ast.walk(ast.parse(FILE.read_text(encoding="utf-8"))) if isinstance(node, ast.stmt)]
    assert len(statements) < 40
