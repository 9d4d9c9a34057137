"""The crossing averages over some hours of the recorded market: they trade, and the money adds up."""

import ast
from itertools import pairwise
from pathlib import Path

import pytest

from hbkit.clock import ManualClock
from hbkit.config import load_config
from hbkit.plugins import Plugins
from hbkit.report.result import RunResult
from hbkit.run import Replay, make_plan

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "strategies" / "sma_cross.py"
CONFIG = """
exchanges:
  bitmex_perpetual:
    mode: replay
    latency: 50ms
    replay: {from: 2019-05-29T00:00:00Z, to: 2019-05-29T03:00:00Z}
strategies:
  - use: STRATEGY
    instruments: [XBTUSD]
    params: {fast: 5, slow: 15, qty: 1000}
"""


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunResult:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "trend.yaml"
    file.write_text(CONFIG.replace("STRATEGY", str(FILE)))
    config = load_config(file, environ={})
    return Replay(make_plan(config, Plugins([], []), None), wall=ManualClock(0)).play()


def test_it_goes_in_and_out(played: RunResult) -> None:
    assert (played.exit_code, played.stop_reason, played.warnings) == (0, "end of data", [])
    assert played.fills >= 4
    position, seen = 0.0, set()
    for row in played.fill_rows:
        position += float(row.qty) if row.side == "buy" else -float(row.qty)
        assert 0 <= position <= 1000
        seen.add(position)
    assert {0, 1000} <= seen


def test_it_sends_one_order_for_each_crossing(played: RunResult) -> None:
    # Never two orders of one side in a row: the second would double what the first is about to do.
    sides = [row.side for row in played.order_rows]
    assert all(one != two for one, two in pairwise(sides))


def test_the_money_adds_up_to_the_minor_unit(played: RunResult) -> None:
    assert {row.currency: row.gap for row in played.money} == dict.fromkeys((row.currency for row in played.money), 0)
    assert any(row.realized_pnl for row in played.money)


def test_it_is_a_small_file() -> None:
    statements = [node for node in ast.walk(ast.parse(FILE.read_text(encoding="utf-8"))) if isinstance(node, ast.stmt)]
    assert len(statements) < 30
