"""The market maker on a quarter of an hour of the recorded market: it quotes, it fills, and the money adds up."""

import ast
import importlib.util
import math
from pathlib import Path

import pytest

from hbkit import Instrument, Quote
from hbkit.clock import ManualClock
from hbkit.config import load_config
from hbkit.plugins import Plugins
from hbkit.report.result import RunResult
from hbkit.run import Replay, make_plan

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "strategies" / "market_maker.py"


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunResult:
    """The quickstart's config over the 15 minutes of the tape that its simulator plays."""
    monkeypatch.chdir(tmp_path)
    config = load_config(
        ROOT / "configs" / "quickstart.yaml",
        overrides=["run.duration=15m", "exchanges.bitmex_perpetual.replay.from=2019-05-28T22:00:00Z"],
        environ={},
    )
    return Replay(make_plan(config, Plugins([], []), "replay"), wall=ManualClock(0)).play()


def test_it_quotes_both_sides_and_fills_as_a_maker(played: RunResult) -> None:
    assert (played.exit_code, played.stop_reason) == (0, "end of data")
    assert played.fills > 10
    assert {row.side for row in played.fill_rows} == {"buy", "sell"}
    assert {row.liquidity for row in played.fill_rows} == {"maker"}
    assert played.warnings == []


def test_the_money_adds_up_to_the_minor_unit(played: RunResult) -> None:
    assert {row.currency: row.gap for row in played.money} == dict.fromkeys((row.currency for row in played.money), 0)
    assert any(row.fees for row in played.money)


def test_it_stays_within_the_cap_of_its_config(played: RunResult) -> None:
    position = worst = 0.0
    for row in played.fill_rows:
        position += float(row.qty) if row.side == "buy" else -float(row.qty)
        worst = max(worst, abs(position))
    assert 100 <= worst <= 1000


def test_no_quote_is_left_behind(played: RunResult) -> None:
    assert played.order_rows
    assert all(row.ended_ts is not None for row in played.order_rows)


def test_an_empty_side_of_the_book_is_no_middle() -> None:
    spec = importlib.util.spec_from_file_location("market_maker_alone", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    quote = Quote(0, Instrument.__new__(Instrument), 100.0, math.nan, 1.0, math.nan)
    module.MarketMaker().on_quote(quote)  # nothing is asked of a desk that is not there


def test_it_is_a_small_file() -> None:
    statements = [node for node in ast.walk(ast.parse(FILE.read_text(encoding="utf-8"))) if isinstance(node, ast.stmt)]
    assert len(statements) < 30
