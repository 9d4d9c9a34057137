"""One strategy on `ccxt:bitmex` in paper, in replay and on the simulator: what paper and replay come for nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import ccxt
import pytest

from hbkit.cli import live
from hbkit.config import load_config
from hbkit.errors import ConfigError
from hbkit.plugins import Plugins
from hbkit.run import make_plan

pytest.importorskip("hbkit_bitmex")
needs_bitmex = pytest.mark.skipif("bitmex" not in ccxt.exchanges, reason="this ccxt has no bitmex: 4.5.83 was the last")

ROOT = Path(__file__).parents[3]
CONFIG = """
exchanges:
  main: {plugin: "ccxt:bitmex", MODE}
strategies:
  - use: STRATEGY
    instruments: [BTC/USD:BTC]
    params: {spread_bps: 8, qty: 100}
risk: {max_position: 1000}
run: {duration: 45s, seed: 7}
"""


def plan_of(mode, may_ask=True):
    text = CONFIG.replace("MODE", mode).replace("STRATEGY", str(ROOT / "strategies" / "market_maker.py"))
    Path("c.yaml").write_text(text)
    return make_plan(load_config(Path("c.yaml"), environ={}), Plugins([], []), None, may_ask=may_ask)


def played(mode):
    """The fills of a run; read at once, for the next run sets its state file aside."""
    result = live.play(plan_of(mode), virtual=True, allowed=False, debug=False, no_view=True)
    with sqlite3.connect(result.journal) as journal:
        asked = "SELECT ts, side, price, qty, cost, fee, liquidity FROM executions WHERE kind = 'trade' ORDER BY seq"
        found = journal.execute(asked).fetchall()
    journal.close()
    return found


@needs_bitmex
def test_paper_fills_as_the_simulator_does(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paper, simulator = played("mode: paper, balances: {BTC: 1}"), played("mode: simulator")
    # Paper serves a request a microsecond after its instant, and the wire tells times in milliseconds.
    assert all(abs(ours[0] - theirs[0]) <= 1_000_000 for ours, theirs in zip(paper, simulator, strict=True))
    paper, simulator = ([row[1:] for row in found] for found in (paper, simulator))
    assert paper == simulator
    assert len(paper) >= 2


@needs_bitmex
def test_a_tape_of_another_plugin_is_replayed_as_this_exchange(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = plan_of(
        "mode: replay, balances: {BTC: 1}, replay: {to: 2019-05-29T00:05:00Z}", may_ask=False
    )
    assert plan.exchanges["main"].spec.name == "ccxt:bitmex"
    assert plan.exchanges["main"].instruments["XBTUSD"].unified == "BTC/USD:BTC"


def test_check_asks_nobody_and_says_how_the_instruments_are_come_by(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = CONFIG.replace('"ccxt:bitmex", MODE', '"ccxt:okx", mode: paper')
    Path("c.yaml").write_text(text.replace("STRATEGY", str(ROOT / "strategies" / "market_maker.py")))
    with pytest.raises(ConfigError, match="run `hbkit instruments ccxt:okx` once while online") as caught:
        make_plan(load_config(Path("c.yaml"), environ={}), Plugins([], []), None, may_ask=False)
    # As an exchange that cannot be reached, at its place in the config.
    assert (caught.value.exit_code, caught.value.faults[0].line) == (4, 3)


def test_a_sandbox_that_does_not_exist_is_refused_with_what_there_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = CONFIG.replace('"ccxt:bitmex", MODE', '"ccxt:kraken", mode: testnet')
    Path("c.yaml").write_text(text.replace("STRATEGY", str(ROOT / "strategies" / "market_maker.py")))
    with pytest.raises(ConfigError, match='ccxt:kraken has no mode "testnet"'):
        make_plan(load_config(Path("c.yaml"), environ={}), Plugins([], []), None, may_ask=False)
