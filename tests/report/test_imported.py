"""A result whose source does not tell everything: what is not known is never shown as 0, and its own tables are."""

from __future__ import annotations

from pathlib import Path

import pytest

from hbkit.report.html import page
from hbkit.report.metrics import metrics
from hbkit.report.result import EquitySeries, ExtraTable, MoneyRow, RunResult
from hbkit.report.text import summary


@pytest.fixture
def told() -> RunResult:
    row = MoneyRow(
        currency="XBT", scale=8, starting_balance=100, realized_pnl=20, equity=120,
        untold=["fees", "funding", "unrealized_pnl"],
    )  # fmt: skip
    return RunResult(
        run_id="old-1", name="old", mode="import", seed=0, started="2020-01-01", stopped="2020-01-05",
        stop_reason="end_of_data", exit_code=0, money=[row],
        equity_series=EquitySeries(ts=[0, 10], minor={"XBT": [100, 120]}),
        tables=[
            ExtraTable(title="By <day>", heads=["Day", "Sum"], rows=[["1", "<5>"]], numbers=[1], note="All & each.")
        ],
        untold=["seed", "orders", "fills", "positions"],
    )  # fmt: skip


def test_the_page_says_what_is_not_told_and_shows_the_tables(told: RunResult) -> None:
    text = page(told)
    assert text.count("not told") >= 3
    assert "Fees paid" not in text
    assert "seed 0" not in text
    for what in ("orders", "fills", "positions"):
        assert f"The files do not tell of {what}." in text
    assert "<h2>By &lt;day&gt;</h2>" in text
    assert '<td class="number">&lt;5&gt;</td>' in text
    assert "All &amp; each." in text
    assert "What is not told is inside of the other lines, or in none." in text


def test_the_terminal_says_so_too(told: RunResult) -> None:
    text = summary(told)
    assert "- Fees " in text
    assert text.count("not told") == 5  # three lines of money, orders and fills, the position
    assert "orders and fills are not told" in text
    assert "flat" not in text


def test_figures_of_fills_are_left_out_with_the_reason(told: RunResult) -> None:
    (sheet,) = metrics(told)
    assert sheet.absent["round_trips"] == "the fills are not told"
    assert "fee_share" not in sheet.figures
    assert sheet.figures["net_profit"].value == pytest.approx(2e-7)


def test_the_object_names_what_stands_as_0_though_nobody_knows_it(told: RunResult, tmp_path: Path) -> None:
    told.save(tmp_path / "result.json")
    again = RunResult.load(tmp_path / "result.json")
    assert again == told
    assert again.to_json()["untold"] == {
        "XBT": ["fees", "funding", "unrealized_pnl"], "run": ["seed", "orders", "fills", "positions"]
    }  # fmt: skip
