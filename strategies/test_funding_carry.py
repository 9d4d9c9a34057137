"""Spot against perpetual: both sides by hand over a scripted market, a refused side, and one simulator for both."""

import ast
from pathlib import Path

import pytest

from hbkit.cli import live
from hbkit.clock import SECOND, ManualClock, iso, parse_time
from hbkit.config import load_config
from hbkit.plugins import Plugins
from hbkit.report.result import FillRow, RunResult
from hbkit.run import Replay, make_plan

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "strategies" / "funding_carry.py"
START = parse_time("2019-05-28T19:59:00Z")
CONFIG = """
exchanges:
  bitmex: {mode: replay, balances: {USDT: CASH}, replay: {data: spot.csv}}
  bitmex_perpetual: {mode: replay, balances: {USDT: 1000}, replay: {data: [perpetual.csv, marks.csv, funding.csv]}}
strategies:
  - use: FILE
    exchange: bitmex
    instruments: [XBT_USDT, {exchange: bitmex_perpetual, symbol: XBTUSDT}]
    params: {enter: 0.0005, leave: 0.0001, qty: 0.1}
"""
RATES = {60: 0.0005, 120: 0.001, 180: 0.0001, 240: 0.00005}
"""Fundings by second: it enters at the first, is paid the next three, and leaves at the last."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def play(*, cash: int = 1000, offered: tuple[float, ...] = (5,)) -> RunResult:
    """Five minutes: spot stands at 8,000 to 8,000.5, the perpetual at 8,010 to 8,010.5, its mark at 8,010.

    :param offered: what the spot market offers, in coins, a second each, over and over.
    """
    stamps = [iso(START + second * SECOND) for second in range(300)]
    quotes = "timestamp,bidPrice,askPrice,bidSize,askSize\n"
    sizes = [offered[second % len(offered)] for second in range(300)]
    Path("spot.csv").write_text(
        quotes + "".join(f"{ts},8000,8000.5,5,{size}\n" for ts, size in zip(stamps, sizes, strict=True))
    )
    Path("perpetual.csv").write_text(quotes + "".join(f"{ts},8010,8010.5,5000000,5000000\n" for ts in stamps))
    Path("marks.csv").write_text("timestamp,markPrice\n" + "".join(f"{ts},8010\n" for ts in stamps))
    rates = "".join(f"{stamps[second]},{rate}\n" for second, rate in RATES.items())
    Path("funding.csv").write_text("timestamp,fundingRate\n" + rates)
    Path("carry.yaml").write_text(CONFIG.replace("FILE", str(FILE)).replace("CASH", str(cash)))
    plan = make_plan(load_config(Path("carry.yaml"), environ={}), Plugins([], []), None)
    return Replay(plan, wall=ManualClock(0)).play()


def fills(rows: list[FillRow]) -> list[tuple[str, str, str, float]]:
    return [(row.instrument, row.side, row.qty, float(row.price)) for row in rows if row.kind == "trade"]


def test_it_enters_collects_and_leaves() -> None:
    result = play()
    assert (result.exit_code, result.rejects, result.warnings) == (0, 0, [])
    assert fills(result.fill_rows) == [
        ("XBT_USDT", "buy", "0.1", 8000.5),
        ("XBTUSDT", "sell", "100000", 8010.0),  # 100,000 contracts of 0.000001 coins
        ("XBT_USDT", "sell", "0.1", 8000.0),
        ("XBTUSDT", "buy", "100000", 8010.5),
    ]
    # In micro-USDt. Spot 0.1 * -0.5 and the perpetual 0.1 * -0.5: -0.1. Fees are 0.05 % of 800.05, 801, 800 and 801.05:
    # 0.400025 + 0.4005 + 0.4 + 0.400525 = 1.60105. The short of 801 is paid 0.001, 0.0001 and 0.00005 of it: 0.92115.
    (usdt,) = [row for row in result.money if row.currency == "USDT"]
    assert (usdt.realized_pnl, usdt.fees, usdt.funding) == (-100_000, 1_601_050, 921_150)
    assert (usdt.gap, usdt.unrealized_pnl) == (0, 0)


def test_what_is_filled_in_part_is_hedged_in_part_and_made_up_for() -> None:
    # Spot offers 0.04 and 0.05 by turns. What is missing is asked for again at the next look, ten seconds later, when
    # as much is offered as at the funding: 0.04, 0.04, and the 0.02 that are left. The short follows each of them.
    result = play(offered=(0.04, 0.05))
    assert fills(result.fill_rows)[:6] == [
        ("XBT_USDT", "buy", "0.04", 8000.5),
        ("XBTUSDT", "sell", "40000", 8010.0),
        ("XBT_USDT", "buy", "0.04", 8000.5),
        ("XBTUSDT", "sell", "40000", 8010.0),
        ("XBT_USDT", "buy", "0.02", 8000.5),
        ("XBTUSDT", "sell", "20000", 8010.0),
    ]
    assert (result.rejects, result.positions) == (0, [])


def test_a_side_that_is_refused_ends_the_carry() -> None:
    # 0.1 coins cost 800.05, there are 500: nothing is bought, so nothing is sold short, and it is said.
    result = play(cash=500)
    assert result.fills == 0
    assert result.rejects >= 1


def test_two_exchanges_of_one_account_in_one_simulator() -> None:
    # Nothing but the funding is heard of here; both sides are valued all the same, and the account counts once.
    over = ["exchanges.bitmex.simulator.speed=1", "exchanges.bitmex_perpetual.simulator.speed=1", "run.duration=90s"]
    config = load_config(ROOT / "configs" / "funding_carry.yaml", overrides=over, environ={})
    plan = make_plan(config, Plugins([], []), None)
    result = live.play(plan, virtual=True, allowed=False, debug=False, no_view=True)
    assert (result.exit_code, result.rejects, result.warnings) == (0, 0, [])
    assert [(row.instrument, row.side, row.qty) for row in result.fill_rows if row.kind == "trade"] == [
        ("XBT_USDT", "buy", "0.1"),
        ("XBTUSDT", "sell", "100000"),
    ]
    (usdt,) = [row for row in result.money if row.currency == "USDT"]
    assert usdt.starting_balance == 10_000_000_000
    assert {row.currency: row.gap for row in result.money if row.gap} == {}


def test_its_config_is_good_and_it_is_a_small_file() -> None:
    make_plan(load_config(ROOT / "configs" / "funding_carry.yaml", environ={}), Plugins([], []), None)
    statements = [node for node in ast.walk(ast.parse(FILE.read_text(encoding="utf-8"))) if isinstance(node, ast.stmt)]
    assert len(statements) < 40
