"""hbkit compare: real runs side by side, in all that makes them differ, and what it says when one is not there."""

import json
from pathlib import Path

import pytest

CONFIG = """
exchanges:
  bitmex_perpetual:
    {mode}
    latency: LATE
    replay: {from: 2019-05-28T19:15:00Z}
    simulator: {start: 2019-05-28T19:15:00Z}
    paper: {feed: simulator}
strategies:
  - {use: market_maker, instruments: [XBTUSD], params: {spread_bps: 2, requote_bps: 2, qty: 100}}
run: {duration: 40s}
"""
MAKER = Path(__file__).resolve().parents[2] / "strategies" / "market_maker.py"
BUYER = """
    qty = Param(100, gt=0)

    def on_candle(self, candle):
        self.buy(self.qty)
"""


@pytest.fixture
def ready(bench):
    bench.candles(10_000, 10_010, 9_990, 10_020)
    bench.strategy(BUYER)
    return bench


@pytest.fixture
def maker(bench):
    """Runs the market maker for forty seconds of the tape; hands back the run's id."""
    bench.write("strategies/market_maker.py", MAKER.read_text())

    def run(mode="replay", latency="0s", *words):
        bench.write("c.yaml", CONFIG.replace("{mode}", f"mode: {mode}").replace("LATE", latency))
        virtual = [] if mode == "replay" else ["--virtual"]
        done = bench.hbkit("run", "c.yaml", "--json", *virtual, *words)
        assert done.code == 0, done.err
        return done.json["run_id"]

    return run


def test_the_same_config_twice_is_the_same_down_to_the_hash(ready):
    a, b = (ready.backtest().json["run_id"] for _ in range(2))
    done = ready.hbkit("compare", a, b, "--json")
    assert (done.code, done.err) == (0, "")
    assert "The runs are the same, down to the journal's hash." in done.out
    told = done.json
    assert (told["same"], told["same_journal"], told["first"], told["start"], told["config"]) == (
        True, True, None, [], [],
    )  # fmt: skip
    assert [told["lanes"][0]["orders"], told["lanes"][0]["orders_alike"]] == [{"a": 4, "b": 4}, 4]


def test_a_change_in_config_and_code_is_found_at_the_first_order(ready):
    a = ready.backtest().json["run_id"]
    ready.strategy(BUYER + "        self.sell(self.qty)\n")
    b = ready.backtest("--set", "strategies.one.params.qty=200").json["run_id"]
    told = ready.hbkit("compare", a, b, "--json").json
    assert (told["same"], told["first"]["kind"], told["first"]["order"]) == (False, "placed", 1)
    assert told["first"]["gaps"] == [{"name": "qty", "a": "100", "b": "200"}]
    assert told["config"] == [{"name": "strategies.one.params.qty", "a": "", "b": "200"}]
    assert [gap["name"] for gap in told["start"]] == ["one: code"]


def test_orders_that_a_risk_limit_holds_back_are_named_with_its_reason(ready):
    a = ready.backtest().json["run_id"]
    b = ready.backtest("--set", "risk.max_position=100").json["run_id"]
    done = ready.hbkit("compare", a, b, "--json")
    first = done.json["first"]
    # The first buy fills at the next open, so that the second one meets the limit.
    assert (first["kind"], first["order"], first["a"]["status"], first["b"]["status"]) == (
        "refused", 2, "filled", "rejected",
    )  # fmt: skip
    assert done.json["why"][0].startswith("B refused it: risk.max_position is 100")
    assert done.json["lanes"][0]["refused"] == {"a": 0, "b": 3}
    assert "risk.max_position: (not set) -> 100" in done.out


@pytest.mark.parametrize("mode", ["paper", "simulator"])
def test_the_modes_do_the_same_and_say_that_they_are_modes(bench, maker, mode):
    told = bench.hbkit("compare", maker(), maker(mode), "--json").json
    assert told["same"], told["why"]
    assert told["lanes"][0]["fills"]["a"] > 0
    assert {"name": "mode", "a": "replay", "b": mode} in told["start"]


def test_a_latency_shows_in_the_times_before_it_shows_in_the_fills(bench, maker):
    runs = maker("replay", "0s"), maker("replay", "30ms")
    told = bench.hbkit("compare", *runs, "--json").json
    assert {"name": "exchanges.bitmex_perpetual.latency", "a": "0s", "b": "30ms"} in told["config"]
    assert (told["first"], told["alike"]["orders"], told["alike"]["times"]) == (None, True, False)
    # Orders are placed at the same moments; what is cancelled ends 30 ms later.
    assert {(one["what"], one["lag"]) for one in told["late"]} == {("end", "0.03")}
    assert bench.hbkit("compare", *runs, "--tolerance", "0.03", "--json").json["alike"]["times"]


def test_another_seed_draws_another_market(bench, maker):
    told = bench.hbkit(
        "compare", maker("replay", "0s", "--for", "5m"), maker("replay", "0s", "--seed", "3", "--for", "5m"), "--json"
    ).json
    assert {"name": "seed", "a": "0", "b": "3"} in told["start"]
    assert (told["same"], told["first"] is None) == (False, False)
    assert told["why"][-1].startswith("the runs did not start alike, they differ in seed")


def test_a_run_is_found_by_its_id_its_beginning_and_its_folder(ready):
    a = ready.backtest().json["run_id"]
    b = ready.backtest("--set", "run.name=other").json["run_id"]
    for words in ((a, b), ("c-", "other"), (f"runs/{a}", str(ready.folder / "runs" / b))):
        told = ready.hbkit("compare", *words, "--json").json
        assert (told["a"]["run_id"], told["b"]["run_id"]) == (a, b)
    assert ready.hbkit("report", "other", "--json").json["run_id"] == b
    (ready.folder / "runs").rename(ready.folder / "elsewhere")
    assert ready.hbkit("compare", "c", "o", "--dir", "elsewhere", "--json").json["same"]


def test_a_run_that_is_not_there_gets_the_nearest_name(ready):
    a = ready.backtest().json["run_id"]
    done = ready.hbkit("compare", a, a[:-1] + "x")
    assert (done.code, done.err) == (2, f'error[HB001] no run "{a[:-1]}x" in runs; did you mean "{a}"?\n')
    b = ready.backtest().json["run_id"]
    done = ready.hbkit("compare", "c", b)
    assert (done.code, done.err) == (
        2, f'error[HB001] "c" begins several runs in runs: {", ".join(sorted([a, b]))}; write more of it\n',
    )  # fmt: skip
    (ready.folder / "runs" / a / "result.json").unlink()
    done = ready.hbkit("compare", a, b)
    assert done.code == 2
    assert f"runs/{a} holds no result.json: that run has not ended, or was killed before it wrote one" in done.err


def test_a_result_of_another_version_names_the_way_out(ready):
    a = ready.backtest().json["run_id"]
    path = ready.folder / "runs" / a / "result.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "seed": "seven"}))
    done = ready.hbkit("compare", a, a)
    assert done.code == 2
    assert "not a result of this version of hbkit" in done.err
    assert "read it with the hbkit that wrote it" in done.err


def test_without_a_journal_the_ends_of_the_orders_are_compared(ready):
    a, b = (ready.backtest().json["run_id"] for _ in range(2))
    (ready.folder / "runs" / a / "journal.db").unlink()
    done = ready.hbkit("compare", a, b, "--json")
    assert (done.code, done.json["same"]) == (0, True)
    assert [done.json[side]["has_journal"] for side in "ab"] == [False, True]
    assert "A has no journal: orders are compared as they ended" in " ".join(done.out.split())
    # What the journal would have told of B alone is no difference.
    assert done.json["differences"] == []


def test_a_secret_is_not_among_what_the_runs_were_told(ready, monkeypatch):
    monkeypatch.setenv("PRIVATE_WORD", "4711")
    run = ready.backtest(
        "--set", "exchanges.bitmex_perpetual.api_key=${PRIVATE_WORD}",
        "--set", "exchanges.bitmex_perpetual.api_secret=in-the-clear-1234",
        "--set", "strategies.one.params.qty=${PRIVATE_WORD}",
    ).json["run_id"]  # fmt: skip
    text = Path(f"runs/{run}/result.json").read_text()
    told = json.loads(text)
    assert told["told"]["exchanges.bitmex_perpetual.api_key"] == "***"
    assert told["told"]["strategies.one.params.qty"] == "${PRIVATE_WORD}"
    assert told["strategies"][0]["params"] == {"qty": "***"}
    assert "in-the-clear-1234" not in text


@pytest.mark.parametrize("words", [(), ("x",), ("x", "y", "--tolerance", "-1"), ("x", "y", "--tolerance", "soon")])
def test_bad_words_are_refused(bench, words):
    done = bench.hbkit("compare", *words)
    assert done.code == 2
    assert done.err.startswith("error[HB001]")
