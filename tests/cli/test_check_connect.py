"""`check --connect`: each exchange is asked for its markets, its clock and the key; no order is sent."""

from __future__ import annotations

import json
import urllib.request

import pytest

from tests.cli.serving import simulator

ACCOUNTS = """
accounts:
  - keys:
      - {key: good-key-of-mine, secret: canary-secret, permissions: [order]}
"""
STRATEGY = "def on_trade(self, trade): pass"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A simulator that knows a key besides its own."""
    accounts = tmp_path_factory.mktemp("accounts") / "accounts.yaml"
    accounts.write_text(ACCOUNTS)
    with simulator("--account", f"@{accounts}") as there:
        yield there


@pytest.fixture(autouse=True)
def _no_keys_of_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))


def check(bench, block, *words, symbol="XBTUSD"):
    bench.strategy(STRATEGY)
    bench.write("c.yaml", f"""
    exchanges: {{main: {{plugin: bitmex_perpetual, {block}}}}}
    strategies: [{{use: one, instruments: [{symbol}]}}]
    """)  # fmt: skip
    done = bench.hbkit("check", "c.yaml", "--connect", "--json", *words)
    assert bench.left_behind == []
    assert "canary-secret" not in done.out + done.err
    return done


def orders(base):
    with urllib.request.urlopen(f"{base}/control/truth") as answer:
        return [order for one in json.load(answer)["accounts"] for order in one["orders"]]


def test_a_key_is_verified_and_the_markets_are_looked_at(bench, base):
    addresses = f"rest_url: '{base}/api/v1', ws_url: '{base.replace('http', 'ws')}/realtime'"
    block = f"mode: live, {addresses}, dead_man_switch: 60s"
    key = ("--set", "exchanges.main.api_key=good-key-of-mine", "--set", "exchanges.main.api_secret=canary-secret")
    done = check(bench, block, *key)
    assert (done.code, done.json["ok"]) == (0, True), done.err
    (one,) = done.json["exchanges"]
    assert (one["exchange"], one["host"]) == ("main", base.removeprefix("http://"))
    assert one["listed"] > 100
    assert one["permissions"] == ["order"]
    assert one["account"]
    assert "c.yaml: no faults, no orders were sent" in done.out
    assert orders(base) == []
    wrong = check(bench, block, *key[:3], "exchanges.main.api_secret=canary-secretX")
    assert (wrong.code, wrong.json["faults"][0]["code"]) == (4, "HB430")
    assert wrong.json["faults"][0]["line"] == 1
    missing = check(bench, block)
    assert missing.code == 2
    assert "mode live needs a key: hbkit connect bitmex_perpetual keeps one" in missing.err


def test_a_simulator_that_runs_is_asked_with_its_own_account(bench, base):
    done = check(bench, f"simulator: {{url: '{base}'}}")
    assert done.code == 0, done.err
    (one,) = done.json["exchanges"]
    assert (one["host"], one["why"]) == (base, "the account that every simulator knows")
    assert one["listed"] > 100
    gone = check(bench, f"simulator: {{url: '{base}'}}", symbol="XBTZ21")
    assert gone.code == 2  # it has settled, which needs nobody to be asked


@pytest.mark.parametrize(
    ("block", "why"),
    [
        ("mode: simulator", "a run starts its own simulator: there is nobody to ask"),
        ("mode: paper", "a run starts its own simulator: there is nobody to ask"),
    ],
)
def test_where_there_is_nobody_to_ask_it_says_so(bench, block, why):
    done = check(bench, block)
    assert (done.code, done.json["exchanges"][0]["why"], done.json["exchanges"][0]["host"]) == (0, why, None)
    assert f"nobody         {why}" in done.out


def test_recorded_data_has_nobody_to_ask(bench):
    bench.candles(10_000, 10_000)
    bench.strategy("def on_candle(self, candle): pass")
    bench.write("c.yaml", """
    exchanges: {bitmex_perpetual: {mode: replay, replay: {data: x.csv}}}
    strategies: [{use: one, instruments: [XBTUSD]}]
    """)  # fmt: skip
    assert "recorded data: there is nobody to ask" in bench.hbkit("check", "c.yaml", "--connect").out


def test_a_venue_that_has_closed_and_one_that_is_not_there_are_told_apart_and_both_told(bench):
    bench.strategy(STRATEGY)
    nowhere = "rest_url: 'http://127.0.0.1:9/api/v1', ws_url: 'ws://127.0.0.1:9/realtime'"
    bench.write("c.yaml", f"""
    exchanges:
      a: {{plugin: bitmex_perpetual, mode: live}}
      b: {{plugin: bitmex_perpetual, mode: live, {nowhere}, api_key: abcdef, api_secret: "${{S}}"}}
    strategies:
      - {{use: one, name: first, exchange: a, instruments: [XBTUSD]}}
      - {{use: one, name: second, exchange: b, instruments: [ETHUSD]}}
    """)  # fmt: skip
    done = bench.hbkit("check", "c.yaml", "--connect", "--set", "exchanges.b.api_secret=canary-secret")
    assert done.code == 4
    _, first, second, *_ = done.err.splitlines()  # the first warns of the secret on the command line
    assert first.startswith("error[HB437] c.yaml:2:6 BitMEX closed on 2026-09-23")
    assert first.endswith("Nothing was sent.")
    assert second.startswith("error[HB432] c.yaml:3:6 ")
