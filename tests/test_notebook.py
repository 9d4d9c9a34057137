"""`hbkit.backtest`: the same run as the command's, as a value; faults raised, frames of the rows."""

from __future__ import annotations

import asyncio
import json
import math
import signal
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

import hbkit
from hbkit.errors import ConfigError, StrategyError, UsageError
from tests.workbench import CONFIG, Bench

BUYER = """
qty: float = Param(100, gt=0)

def on_candle(self, candle):
    self.buy(self.qty)
"""
MAPPING = {
    "exchanges": {"bitmex_perpetual": {"mode": "replay", "replay": {"data": Path("x.csv")}}},
    "strategies": [{"use": "one", "instruments": ("XBTUSD",), "params": {"qty": np.int64(100)}}],
    "risk": {"max_drawdown": Decimal("0.5"), "max_position": None},
}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    monkeypatch.chdir(tmp_path)
    made = Bench(tmp_path, capsys)
    made.candles(10_000, 10_010, 9_800, 9_900)
    made.strategy(BUYER)
    made.write("c.yaml", CONFIG)
    return made


def test_it_is_the_same_run_as_the_commands(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    told = bench.backtest("--set", "strategies.0.params.qty=200", "--seed", "7").json
    result = hbkit.backtest("c.yaml", params={"qty": 200}, seed=7)
    assert isinstance(result, hbkit.Result)
    assert result.journal_hash == told["journal_hash"]
    assert (result.orders, result.fills, result.seed) == (told["orders"], told["fills"], 7)
    assert result.to_json()["equity"] == told["equity"]
    assert json.loads(Path(result.report).with_name("result.json").read_text())["run_id"] == result.run_id
    assert capsys.readouterr().out == ""


def test_a_mapping_is_a_config_like_any_other(bench: Bench) -> None:
    assert hbkit.backtest(MAPPING).journal_hash == hbkit.backtest("c.yaml").journal_hash
    copy = Path(hbkit.backtest(MAPPING).report).with_name("config.yaml").read_text()
    assert "data: x.csv" in copy
    assert "max_drawdown: 0.5" in copy


@pytest.mark.parametrize("text", ["no", "010", "12:30", "1e-8", "null", "5", "a: b", "#x", "ü", "", "{x}", "*a", " a "])
def test_a_text_of_a_mapping_stays_a_text(bench: Bench, text: str) -> None:
    bench.strategy(f"word: str = Param('')\n\ndef on_start(self):\n    assert self.word == {text!r}, self.word")
    hbkit.backtest({**MAPPING, "strategies": [{"use": "one", "instruments": ["XBTUSD"], "params": {"word": text}}]})
    hbkit.backtest("c.yaml", params={"word": text})


def test_the_span_can_be_cut(bench: Bench) -> None:
    # Four candles from 00:00; until 00:02 two of them have closed.
    assert len(hbkit.backtest("c.yaml").candles) == 4
    for end in ("2021-07-22T00:02:00Z", datetime(2021, 7, 22, 0, 2, tzinfo=UTC)):
        assert [one.close for one in hbkit.backtest("c.yaml", to=end).candles] == [10_000, 10_010]
    assert hbkit.backtest("c.yaml", from_=date(2021, 7, 22)).fill_rows == hbkit.backtest("c.yaml").fill_rows
    with pytest.raises(ConfigError, match="must be a time such as"):
        hbkit.backtest("c.yaml", to="noon")


def test_values_by_path(bench: Bench) -> None:
    for values in ({"risk.max_position": 100}, ["risk.max_position=100"], "risk.max_position=100"):
        # The second purchase would hold 200.
        assert hbkit.backtest("c.yaml", set=values).rejects == 3
    assert hbkit.backtest("c.yaml", set={"strategies.0.candles": ["2m"]}).orders == 2


def test_it_runs_inside_a_running_loop(bench: Bench) -> None:
    async def cell() -> hbkit.Result:
        return hbkit.backtest("c.yaml")

    assert asyncio.run(cell()).journal_hash == hbkit.backtest("c.yaml").journal_hash


def test_it_runs_in_a_thread(bench: Bench) -> None:
    async def beside() -> hbkit.Result:
        return await asyncio.to_thread(hbkit.backtest, "c.yaml")

    assert asyncio.run(beside()).orders == 4


# -- whose parameters


TWO = """
exchanges:
  a: {plugin: bitmex_perpetual, mode: replay, replay: {data: x.csv}}
  b: {plugin: bitmex_perpetual, mode: replay, replay: {data: x.csv}}
strategies:
  - {use: one, name: first, exchange: a, instruments: [XBTUSD]}
  - {use: one, name: second, exchange: b, instruments: [XBTUSD]}
"""


def test_parameters_of_several_go_by_their_names(bench: Bench) -> None:
    bench.write("two.yaml", TWO)
    result = hbkit.backtest("two.yaml", params={"second": {"qty": 300}})
    assert {(row.strategy, row.qty) for row in result.fill_rows} == {("first", "100"), ("second", "300")}
    with pytest.raises(UsageError, match="the config has 2 strategies; say whose they are"):
        hbkit.backtest("two.yaml", params={"qty": 300})
    with pytest.raises(UsageError, match='no strategy "secnd"; did you mean "second"'):
        hbkit.backtest("two.yaml", params={"secnd": {"qty": 300}})


def test_a_misspelt_parameter_is_a_fault_with_its_mend(bench: Bench) -> None:
    with pytest.raises(ConfigError, match='unknown parameter "qyt" of One; did you mean "qty"') as found:
        hbkit.backtest("c.yaml", params={"qyt": 1})
    assert found.value.code == "HB302"
    with pytest.raises(UsageError, match="not object"):
        hbkit.backtest("c.yaml", params={"qty": object()})
    assert bench.left_behind == []


# -- what is raised


def test_faults_are_raised_all_at_once(bench: Bench) -> None:
    broken = {"exchanges": {"bitmex_perpetual": {"mode": "replya"}}, "stratgies": []}
    with pytest.raises(ConfigError) as found:
        hbkit.backtest(broken)
    assert [(fault.code, fault.file, fault.line) for fault in found.value.faults] == [
        ("HB103", "config", 3), ("HB101", "config", 4),
    ]  # fmt: skip
    with pytest.raises(ConfigError, match=r'"missing\.yaml" not found; configs here: c\.yaml'):
        hbkit.backtest(Path("missing.yaml"))


def test_a_strategy_that_raises_is_raised_with_the_way_to_its_report(bench: Bench) -> None:
    bench.strategy("def on_candle(self, candle): raise ValueError('no luck')")
    with pytest.raises(StrategyError, match="ValueError: no luck") as found:
        hbkit.backtest("c.yaml")
    (note,) = found.value.__notes__
    assert Path(note.removeprefix("the run up to there: ")).is_file()
    assert isinstance(found.value.__cause__, ValueError)
    # Where it may go on there is a result.
    bench.write("c.yaml", CONFIG.replace("instruments:", "on_error: continue, instruments:"))
    assert hbkit.backtest("c.yaml").exit_code == 0


def test_a_risk_limit_is_an_outcome(bench: Bench) -> None:
    result = hbkit.backtest("c.yaml", params={"qty": 100_000}, set={"risk.max_drawdown": 0.001})
    assert (result.exit_code, result.stop_reason.partition(":")[0]) == (6, "risk.max_drawdown")


def test_an_interrupt_ends_the_run_in_order_and_is_raised_after_it(bench: Bench) -> None:
    bench.strategy("def on_candle(self, candle):\n    import os, signal\n    os.kill(os.getpid(), signal.SIGINT)")
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        hbkit.backtest("c.yaml")
    assert signal.getsignal(signal.SIGINT) is before
    (run,) = bench.run_folders
    assert hbkit.Result.load(f"runs/{run}/result.json").stop_reason == "interrupted"


def test_the_log_is_let_go_of_and_warnings_go_to_stderr(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.strategy("def on_candle(self, candle): self.log.info('quiet'); self.log.warning('loud')")
    result = hbkit.backtest("c.yaml")
    told = capsys.readouterr().err
    assert "loud" in told
    assert "quiet" not in told
    assert "loud" in Path(result.report).with_name("run.log").read_text()


# -- frames


def test_frames_have_the_rows_by_time(bench: Bench) -> None:
    pytest.importorskip("pandas")
    bench.strategy("def on_candle(self, candle):\n    if candle.close == 9800: self.buy(100); self.sell(100, 20_000)")
    frames = hbkit.backtest("c.yaml").frames
    # The third candle closes at 00:03 with 9,800; the order trades at the next open, which is that close.
    (fill,) = frames.fills.to_dict("records")
    assert (fill["side"], fill["price"], fill["qty"], fill["kind"]) == ("buy", 9800.0, 100.0, "trade")
    assert str(frames.fills.index[0]) == "2021-07-22 00:03:00+00:00"
    orders = frames.orders
    assert list(orders["status"]) == ["filled", "canceled"]
    assert math.isnan(orders["price"].iloc[0])
    assert orders["ended"].iloc[0] == frames.fills.index[0]
    assert list(frames.candles["close"]) == [10_000, 10_010, 9_800, 9_900]
    assert set(frames.candles["interval"]) == {"1m"}
    # 1 XBT at the start; 100 USD bought at 9,800 cost a fee of 0.05 %: 0.00000510 XBT, more by the rise to 9,900.
    assert frames.equity["XBT"].iloc[0] == 1
    assert frames.equity["XBT"].iloc[-1] == pytest.approx(1 - 0.0000051 + 100 / 9_800 - 100 / 9_900, abs=2e-8)
    assert frames.prices["XBTUSD"].iloc[-1] == 9_900
    assert repr(frames) == "Frames(fills, orders, equity, prices, candles)"


def test_frames_of_nothing_have_their_columns(bench: Bench) -> None:
    pytest.importorskip("pandas")
    bench.strategy("def on_candle(self, candle): pass")
    frames = hbkit.backtest("c.yaml").frames
    assert len(frames.fills) == len(frames.orders) == 0
    assert {"price", "qty", "fee"} <= set(frames.fills.columns)
    assert "ended" in frames.orders.columns


def test_without_pandas_the_mend_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    result = hbkit.backtest("c.yaml")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match=r'pip install "hbkit-core\[frames\]"'):
        _ = result.frames.fills


def test_an_earlier_result_can_be_loaded(bench: Bench) -> None:
    result = hbkit.backtest("c.yaml")
    again = hbkit.Result.load(Path(result.report).with_name("result.json"))
    assert (again.fill_rows, again.money, again.candles) == (result.fill_rows, result.money, [])
    assert again.net_profit == result.net_profit
    assert result.net_profit.keys() == {"XBT"}


def test_a_notebook_shows_it_escaped(bench: Bench) -> None:
    result = hbkit.backtest("c.yaml")
    result.warnings = ["<script>1</script>"] * 5
    shown = result._repr_html_()
    assert "<script>" not in shown
    assert "and 2 more in the report" in shown
    assert "<td>1.00000000</td>" in shown
    assert repr(result).startswith(f"Result({result.run_id}: 4 orders, 3 fills, ")
