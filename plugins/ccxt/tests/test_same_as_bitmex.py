"""One strategy on `bitmex_perpetual` and on `ccxt:bitmex`, against the same simulator on the stepped clock.

Only the exchange block of the config differs. What is compared: every order, amend and cancel that the strategy sent,
and every fill, with its moment.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import ccxt
import pytest

from hbkit.cli import live
from hbkit.config import load_config
from hbkit.plugins import Plugins
from hbkit.run import make_plan

pytest.importorskip("hbkit_bitmex")
pytestmark = pytest.mark.skipif("bitmex" not in ccxt.exchanges, reason="this ccxt has no bitmex: 4.5.83 was the last")

ROOT = Path(__file__).parent.parent.parent.parent
OWN = "bitmex_perpetual: {mode: simulator, simulator: {start: 2019-05-28T19:22:00Z}}"
THROUGH_CCXT = "main: {plugin: 'ccxt:bitmex', mode: simulator, simulator: {start: 2019-05-28T19:22:00Z}}"
CONFIG = """
exchanges:
  BLOCK
strategies:
  - use: STRATEGY
    instruments: [BTC/USD:BTC]
    params: PARAMS
risk: {max_position: 1000, max_drawdown: 5%}
run: {duration: 60s, seed: 7}
"""
EXAMPLES = ("quickstart", "bitmex_through_ccxt")
STEP_NS = 1_000_000
"""One step of the simulator's clock: times on the wire are in milliseconds."""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder of the test's own: runs and state lie there."""
    monkeypatch.chdir(tmp_path)


def run(block, strategy, params):
    Path("c.yaml").write_text(
        CONFIG.replace("BLOCK", block).replace("STRATEGY", str(strategy)).replace("PARAMS", params)
    )
    plan = make_plan(load_config(Path("c.yaml"), environ={}), Plugins([], []), None)
    result = live.play(plan, virtual=True, allowed=False, debug=False, no_view=True)
    # At once: the next run begins with a state file of its own and sets this one aside.
    return result, intents(result), fills(result)


def rows(result, columns, table, where="1"):
    with sqlite3.connect(result.journal) as journal:
        found = journal.execute(f"SELECT ts, {columns} FROM {table} WHERE {where} ORDER BY seq").fetchall()
    journal.close()
    return [row[0] for row in found], [row[1:] for row in found]


def intents(result):
    return rows(result, "kind, order_id, side, type, time_in_force, qty, price, flags", "intents")


def fills(result):
    return rows(result, "order_id, side, price, qty, cost, fee, liquidity", "executions", "kind = 'trade'")


@pytest.mark.parametrize(
    ("strategy", "params", "orders", "traded"),
    [
        ("market_maker", "{spread_bps: 2, requote_bps: 2, qty: 100}", 15, 10),
        ("market_maker", "{spread_bps: 1, requote_bps: 0.2, qty: 100}", 15, 5),
    ],
    ids=["wide", "at every change"],
)
def test_only_the_exchange_block_differs_and_orders_and_fills_are_the_same(strategy, params, orders, traded):
    file = ROOT / "strategies" / f"{strategy}.py"
    (own, *told), (through_ccxt, *their) = run(OWN, file, params), run(THROUGH_CCXT, file, params)
    assert (own.exit_code, through_ccxt.exit_code) == (0, 0)
    for (times, rows_), (their_times, their_rows), least in zip(told, their, (orders, traded), strict=True):
        assert their_rows == rows_
        assert max(abs(one - other) for one, other in zip(times, their_times, strict=True)) <= STEP_NS
        assert len(rows_) >= least
    # The money is the same to the minor unit; ccxt calls BitMEX's XBT by its usual name.
    (mine,) = [row for row in own.money if row.currency == "XBT"]
    (their,) = [row for row in through_ccxt.money if row.currency == "BTC"]
    assert (their.equity, their.fees, their.realized_pnl, their.funding) == (
        mine.equity,
        mine.fees,
        mine.realized_pnl,
        mine.funding,
    )
    assert own.warnings == through_ccxt.warnings == []


def test_the_example_differs_from_the_quickstart_in_the_exchange_block_and_the_symbol_alone():
    quick, example = (load_config(ROOT / "configs" / f"{name}.yaml", environ={}).settings for name in EXAMPLES)
    (mine,), (theirs,) = quick.exchanges.values(), example.exchanges.values()
    assert theirs.model_copy(update={"plugin": mine.plugin}) == mine
    (strategy,), (other,) = quick.strategies, example.strategies
    assert (other.use, other.params) == (strategy.use, strategy.params)
    assert example.risk == quick.risk
    make_plan(load_config(ROOT / "configs" / f"{EXAMPLES[1]}.yaml", environ={}), Plugins([], []), None)
