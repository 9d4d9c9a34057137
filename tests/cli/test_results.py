"""report and runs: a run shown again, the list of runs, and what they say when there is nothing to show."""

from pathlib import Path

import pytest


@pytest.fixture
def ready(bench):
    bench.candles(10_000, 10_010, 9_990)
    bench.strategy("def on_candle(self, candle): self.buy(100)")
    return bench


def test_report_shows_the_newest_run_and_rewrites_its_page(ready):
    ready.backtest()
    newest = ready.backtest()
    page = Path(newest.json["report"])
    page.unlink()
    done = ready.hbkit("report", "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json == newest.json
    assert done.out.splitlines()[:-1] == newest.out.splitlines()[:-1]
    assert page.is_file()


def test_report_takes_a_run_by_name_or_by_folder(ready):
    first = ready.backtest().json
    ready.backtest()
    for word in (first["run_id"], f"runs/{first['run_id']}"):
        assert ready.hbkit("report", word, "--json").json["run_id"] == first["run_id"]


def test_report_of_an_unknown_run_names_the_nearest(ready):
    run = ready.backtest().json["run_id"]
    done = ready.hbkit("report", run[:-1] + "x")
    assert (done.code, done.err) == (2, f'error[HB001] no run "{run[:-1]}x" in runs; did you mean "{run}"?\n')


def test_nothing_to_report_says_how_to_begin(bench):
    text = "no runs in runs; start one: hbkit run configs/quickstart.yaml"
    assert (bench.hbkit("report").code, bench.hbkit("report").err) == (2, f"error[HB001] {text}\n")
    assert (bench.hbkit("runs").code, bench.hbkit("runs").out) == (0, f"{text}\n")
    assert bench.hbkit("runs", "--json").json == {"runs": []}


def test_runs_lists_them_the_newest_last(ready):
    names = [ready.backtest().json["run_id"] for _ in range(2)]
    rows = ready.hbkit("runs").out.splitlines()
    assert rows[0].split() == ["run", "mode", "fills", "net", "profit", "ended"]
    assert [row.split()[0] for row in rows[1:]] == names
    assert rows[1].endswith("end of data")
    assert " XBT" in rows[1]
    assert [run["run_id"] for run in ready.hbkit("runs", "--json").json["runs"]] == names


def test_runs_passes_over_a_damaged_result(ready):
    name = ready.backtest().json["run_id"]
    ready.write("runs/torn/result.json", '{"run_id": "torn"')
    done = ready.hbkit("runs")
    assert done.code == 0
    assert [row.split()[0] for row in done.out.splitlines()[1:]] == [name]
    assert "runs/torn/result.json" in done.err
