"""`hbkit compliance`: the table, the grade and the exit code; and that it runs where there is no pytest."""

import subprocess
import sys
from dataclasses import replace

import pytest
from hbkit_bitmex.compliance import BitmexContract
from hbkit_bitmex.exchange import BitmexExchange

from hbkit.plugins import Plugins
from tests.workbench import environment


class Deaf(BitmexExchange):
    """Does not hear of executions."""

    def on_execution_row(self, row):
        pass


class Mute(BitmexExchange):
    async def open(self, listener):
        raise RuntimeError("no such luck")


def test_every_case_is_shown_with_its_outcome_and_the_grade(bench):
    shown = bench.hbkit("compliance", "bitmex_perpetual")
    assert shown.code == 0
    lines = shown.out.splitlines()
    assert "silver: trading" in lines
    assert "  C21  passed  each fill is told once, with its order, side, price and quantity" in lines
    assert lines[-1].startswith("bitmex_perpetual: gold (")
    assert shown.err == ""


def test_a_failure_says_what_was_promised_and_what_came(bench, monkeypatch):
    monkeypatch.setattr(BitmexContract, "connector", Deaf)
    shown = bench.hbkit("compliance", "bitmex_perpetual", "--json")
    assert (shown.code, shown.json["grade"]) == (4, "bronze")
    cases = {one["number"]: one for one in shown.json["cases"]}
    assert cases["C21"]["outcome"] == "failed"
    assert "contract: hbkit.exchange.Listener.on_fill: An execution of ours" in cases["C21"]["why"]
    assert cases["C01"] == {
        "number": "C01",
        "level": "bronze",
        "title": "instruments are known by their native symbol, on a grid",
        "outcome": "passed",
        "why": "",
    }


def test_a_connector_that_does_nothing_reaches_no_grade(bench, monkeypatch):
    monkeypatch.setattr(BitmexContract, "connector", Mute)
    shown = bench.hbkit("compliance", "bitmex_perpetual")
    assert shown.code == 4
    assert "C01 failed: instruments are known by their native symbol, on a grid\n  RuntimeError: no such" in shown.out
    assert "bitmex_perpetual: no grade" in shown.out


def test_spot_is_not_asked_for_what_it_has_none_of(bench):
    shown = bench.hbkit("compliance", "bitmex")
    assert shown.code == 0
    assert (
        "  C24  not declared  a position is signed: above 0 when long, below when short, absent when flat (spot has no"
        in (shown.out)
    )
    assert shown.out.splitlines()[-1].startswith("bitmex: gold (")


def test_what_keeps_a_grade_open_is_named(bench, monkeypatch):
    monkeypatch.setattr(BitmexContract, "connector", Deaf)
    shown = bench.hbkit("compliance", "bitmex_perpetual")
    assert shown.code == 4
    assert (
        "C21 failed: each fill is told once, with its order, side, price and quantity\n  expected: fills" in shown.out
    )
    assert "; silver is missing C21, C22," in shown.out.splitlines()[-1]


@pytest.mark.parametrize(
    ("contract", "words"),
    [("", "brings no contract suite"), ("hbkit_bitmex.compliance:Nowhere", "cannot be loaded (module")],
    ids=["none", "misspelt"],
)
def test_an_exchange_without_a_suite_says_so(bench, monkeypatch, contract, words):
    exchange = Plugins.exchange
    monkeypatch.setattr(Plugins, "exchange", lambda self, name: replace(exchange(self, name), contract=contract))
    shown = bench.hbkit("compliance", "bitmex")
    assert shown.code == 4
    assert "HB439" in shown.err
    assert words in shown.err


def test_an_unknown_exchange_is_named_with_the_nearest_one(bench):
    shown = bench.hbkit("compliance", "bitmexx")
    assert shown.code == 2
    assert 'did you mean "bitmex"' in shown.err


@pytest.mark.parametrize("name", ["pytest", "_pytest"])
def test_it_needs_no_pytest(bench, name):
    code = f"import sys; sys.modules[{name!r}] = None; import hbkit_bitmex.compliance, hbkit.cli.compliance"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
