"""compare: two runs that the command line made, held against each other by it."""

from pathlib import Path

import pytest


@pytest.fixture
def ready(bench):
    bench.candles(10_000, 10_010, 9_990, 10_020)
    bench.strategy("def on_candle(self, candle): self.buy(100)")
    return bench


def test_the_same_config_twice_is_the_same(ready):
    names = [ready.backtest().json["run_id"] for _ in range(2)]
    done = ready.hbkit("compare", *names, "--json")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == "The same orders and fills."
    assert done.json["same"] is True
    assert done.json["orders"]["a"] == done.json["orders"]["alike"] > 0
    assert done.json["settings"] == []


def test_another_setting_is_found_by_its_path(ready):
    first = ready.backtest().json["run_id"]
    second = ready.backtest("--set", "risk.max_position=200").json["run_id"]
    done = ready.hbkit("compare", first, f"runs/{second}", "--json")
    assert done.code == 0
    assert done.json["same"] is False
    assert {"what": "risk.max_position", "a": "", "b": "200"} in done.json["settings"]
    # A buys at each close; B holds 200 after two of them and may buy no more.
    parting = done.json["parting"]
    assert (parting["what"], parting["number"], parting["b"]) == ("fill", 3, "")
    assert "in B the order in the place of the one that was filled is rejected (" in parting["reasons"][0]
    assert "max_position" in parting["reasons"][0]
    assert "They part at fill 3" in done.out


def test_the_beginning_of_a_name_is_enough_where_one_run_has_it(ready):
    run = ready.backtest().json["run_id"]
    assert ready.hbkit("compare", run[:-1], run).code == 0
    ready.backtest()
    done = ready.hbkit("compare", run[:4], run)
    assert done.code == 2
    assert done.err.startswith(f'error[HB001] "{run[:4]}" begins several runs in runs: {run}, ')


def test_an_unknown_run_names_the_nearest(ready):
    run = ready.backtest().json["run_id"]
    done = ready.hbkit("compare", run, run + "x")
    assert (done.code, done.err) == (2, f'error[HB001] no run "{run}x" in runs; did you mean "{run}"?\n')


def test_a_secret_is_not_among_what_the_runs_were_told(ready, monkeypatch):
    monkeypatch.setenv("PRIVATE_WORD", "xyzzy-plugh")
    done = ready.backtest("--set", "exchanges.bitmex_perpetual.api_key=${PRIVATE_WORD}",
                          "--set", "exchanges.bitmex_perpetual.api_secret=in-the-clear-1234")  # fmt: skip
    text = Path(f"runs/{done.json['run_id']}/result.json").read_text()
    assert "exchanges.bitmex_perpetual.api_key" in text
    assert "xyzzy-plugh" not in text
    assert "in-the-clear-1234" not in text
