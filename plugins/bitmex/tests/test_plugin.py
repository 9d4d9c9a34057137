"""What the plugin offers, and that asking for it stays cheap."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hbkit_bitmex import plugin
from hbkit_bitmex.instruments import load

NAMES = (
    "bitmex",
    "bitmex_perpetual",
    "bitmex_testnet",
    "bitmex_perpetual_testnet",
    "bitmex_paper_trade",
    "bitmex_perpetual_paper_trade",
)


def test_the_six_names_are_offered_and_registered_as_entry_points():
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert tuple(plugin.hbkit_exchanges()) == NAMES
    assert project["entry-points"]["hbkit"] == dict.fromkeys(NAMES, "hbkit_bitmex.plugin")


@pytest.mark.parametrize("name", NAMES)
def test_a_spec_has_the_modes_of_its_name_and_says_that_the_venue_closed(name):
    spec = plugin.hbkit_exchanges()[name]
    assert spec.name == name
    modes = {"testnet": ("testnet",), "trade": ("paper",)}
    assert spec.modes == modes.get(name.split("_")[-1], ("simulator", "replay", "paper", "testnet", "live"))
    assert spec.closed_on == "2026-09-23"
    assert "mode: simulator" in spec.advice
    assert spec.advice.endswith(".")
    assert spec.starting_balances == {"XBT": "1", "USDT": "10000", "ETH": "10"}
    assert spec.facts["type"] == "centralized"


@pytest.mark.parametrize("name", NAMES)
def test_the_default_data_of_a_spec_is_a_tape_that_is_offered(name):
    default = plugin.hbkit_exchanges()[name].default_data
    assert default == "bitmex-2019-05-29"
    assert default in plugin.hbkit_data_sources()


@pytest.mark.parametrize("symbols", [["XBTUSD"], ["XBTUSDT"], ["XBT_USDT"], ["XBTUSD", "XBT_USDT"]])
def test_a_tape_brings_what_is_derived_from_it_and_leaves_out_what_a_run_does_not_need(symbols):
    source = plugin.hbkit_data_sources()["bitmex-2019-05-29"](3)
    assert set(source.info().kinds) == {"XBTUSD", "XBTUSDT", "XBT_USDT"}
    assert set(source.only(symbols).info().kinds) == set(symbols)
    assert source.only(["ETHUSD"]).info().kinds == source.info().kinds


@pytest.mark.parametrize("name", NAMES)
def test_each_instrument_is_served_here_or_at_the_name_that_is_given_as_elsewhere(name):
    specs = plugin.hbkit_exchanges()
    spec = specs[name]
    other = specs[spec.elsewhere]
    assert other.elsewhere == name
    for instrument in load():
        assert spec.serves(instrument) is not other.serves(instrument)
        assert spec.serves(instrument) is (instrument.is_spot is ("perpetual" not in name))


def test_the_instruments_text_names_a_function_that_takes_the_era():
    module, attribute = plugin.hbkit_exchanges()["bitmex"].instruments.split(":")
    assert getattr(importlib.import_module(module), attribute)(None)[0].symbol == "XBTUSD"


@pytest.mark.parametrize("name", plugin.TAPES)
def test_a_data_source_is_made_from_a_seed_and_carries_its_name(name):
    info = plugin.hbkit_data_sources()[name](3).info()
    assert info.name == name
    assert info.era in {"2026-05-03"}


def test_importing_the_plugin_loads_neither_a_network_library_nor_numpy():
    code = (
        "import sys, hbkit_bitmex.plugin as plugin; plugin.hbkit_exchanges(); plugin.hbkit_data_sources(); "
        "print(*{'aiohttp', 'numpy', 'asyncio'} & set(sys.modules))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""


def test_the_simulator_is_offered_as_a_command() -> None:
    from click.testing import CliRunner
    from hbkit_bitmex.plugin import hbkit_commands

    answer = CliRunner().invoke(hbkit_commands()["simulator"], ["bitmex", "--help"])
    assert answer.exit_code == 0
    assert "--account KEY:SECRET" in answer.output
