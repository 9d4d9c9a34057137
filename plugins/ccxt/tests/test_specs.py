"""The names `ccxt:<id>`, what is said of each, and what becomes of those that are not there."""

from __future__ import annotations

import os
import subprocess
import sys

import ccxt
import pytest
from hbkit_ccxt import credentials, venues
from hbkit_ccxt.plugin import hbkit_exchanges
from hbkit_ccxt.removed import fate
from hbkit_ccxt.sandbox import has_sandbox
from hbkit_ccxt.specs import spec_of

from hbkit.errors import PluginError
from hbkit.exchange import Channel

needs_bitmex = pytest.mark.skipif("bitmex" not in ccxt.exchanges, reason="this ccxt has no bitmex: 4.5.83 was the last")
KNOWN = frozenset(venues.ids())


def test_every_exchange_of_the_installed_ccxt_is_offered():
    offered = hbkit_exchanges()
    assert list(offered) == [f"ccxt:{one}" for one in venues.ids()]
    assert offered.title == f"through ccxt {ccxt.__version__}"


@pytest.mark.parametrize("name", [f"ccxt:{one}" for one in venues.ids()])
def test_every_one_of_them_can_be_looked_at(name):
    spec = hbkit_exchanges()[name]
    assert (spec.name, spec.lister) == (name, "hbkit_ccxt.listing:listed")
    assert spec.connector == f"hbkit_ccxt.exchange:{name[5:]}"
    assert [mode for mode in spec.modes if mode not in ("simulator", "testnet")] == ["paper", "replay", "live"]
    # One has candles and nothing else of the market.
    assert Channel.BOOK in spec.capabilities.channels or name == "ccxt:mudrex"
    assert all(interval == interval.lower() for interval in spec.capabilities.candle_intervals)
    assert spec.facts["through"].startswith(f"ccxt {ccxt.__version__}")
    assert all(spec.facts.values())
    # `hbkit connect` keeps a key by these two.
    fields = {prompt.field for prompt in spec.prompts}
    assert not fields or {"api_key", "api_secret"} <= fields


def test_looking_at_one_loads_no_network_loop():
    code = (
        "import sys; from hbkit_ccxt.plugin import hbkit_exchanges; bridge = hbkit_exchanges(); list(bridge); "
        "print(*{'ccxt', 'aiohttp'} & set(sys.modules)); bridge['ccxt:okx']; "
        "print(*{'ccxt', 'aiohttp'} & set(sys.modules))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.split("\n")[:2] == ["", "ccxt"]


def test_okx_has_three_parts_of_a_key_a_sandbox_and_an_amend_of_its_own():
    spec = spec_of("ccxt:okx")
    asked = [(one.field, one.words, one.hidden) for one in spec.prompts]
    assert asked == [
        ("api_key", "API key", False), ("api_secret", "secret key", True), ("api_passphrase", "passphrase", True),
    ]  # fmt: skip
    assert spec.modes == ("paper", "replay", "testnet", "live")
    assert (spec.facts["sandbox"], spec.facts["amend"]) == ("mode: testnet", "native")
    assert (spec.closed_on, spec.advice, spec.rest_url) == ("", "", "")


def test_kraken_has_no_sandbox_and_says_what_there_is_instead():
    spec = spec_of("ccxt:kraken")
    assert "testnet" not in spec.modes
    assert spec.facts["sandbox"] == "none; mode: paper trades on its market without money"


def test_an_exchange_without_contracts_offers_nothing_of_contracts():
    can = spec_of("ccxt:kraken").capabilities
    assert not can.hedge_mode
    assert not can.leverage
    assert not can.reduce_only
    assert can.channels == {Channel.TRADE, Channel.QUOTE, Channel.BOOK, Channel.CANDLE}


def test_a_month_is_no_minute():
    assert "1M" in ccxt.okx().timeframes
    assert spec_of("ccxt:okx").capabilities.candle_intervals == (
        "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d",
    )  # fmt: skip


def test_a_sandbox_may_be_a_switch_of_the_venues_own():
    # Bitget has no second host; kraken has neither, and ccxt's switch would take its addresses away.
    assert has_sandbox(ccxt.bitget())
    assert not has_sandbox(ccxt.kraken())


@pytest.mark.parametrize(
    ("required", "held", "beyond"),
    [
        ({"apiKey": True, "secret": True, "uid": False}, {"api_key": "apiKey", "api_secret": "secret"}, ()),
        ({"walletAddress": True, "privateKey": True}, {"api_key": "walletAddress", "api_secret": "privateKey"}, ()),
        ({"secret": True, "uid": True}, {"api_key": "uid", "api_secret": "secret"}, ()),
        (
            {"apiKey": True, "secret": True, "uid": True, "login": True, "password": True},
            {"api_key": "apiKey", "api_secret": "secret", "api_passphrase": "password", "account": "uid"},
            ("login",),
        ),
        ({"privateKey": True}, {"api_secret": "privateKey"}, ()),
        ({}, {}, ()),
    ],
)
def test_the_parts_of_a_key_have_their_keys_in_the_config(required, held, beyond):
    assert credentials.names(required) == held
    assert credentials.missing(required) == beyond
    assert [one.field for one in credentials.prompts(required) if not one.optional] == list(held)


# -- what is not there


def test_a_name_that_never_was_is_a_key_error_for_core_to_say():
    with pytest.raises(KeyError):
        spec_of("ccxt:no_such_exchange")
    with pytest.raises(KeyError):
        spec_of("okx")


@pytest.mark.parametrize(
    ("venue", "told"),
    [
        ("gateio", "ccxt {} has no gateio any more; it is ccxt:gate now"),
        (
            "ftx",
            "ccxt {} has no ftx any more (it went bankrupt in November 2022); hbkit exchanges ccxt lists the {} others",
        ),
        (
            "coinmetro",
            "ccxt {} has no coinmetro any more (release 4.5.38 had it); hbkit exchanges ccxt lists the {} others",
        ),
    ],
)
def test_an_exchange_that_went_is_told_with_the_way_out(venue, told):
    with pytest.raises(PluginError) as caught:
        spec_of(f"ccxt:{venue}")
    assert caught.value.message == told.format(ccxt.__version__, len(KNOWN))
    assert caught.value.code == "HB201"


def test_bitmex_on_a_ccxt_without_it_names_three_ways_out():
    told = fate("bitmex", "4.5.90", KNOWN - {"bitmex"})
    assert told.startswith(
        "ccxt 4.5.90 has no bitmex: BitMEX closed on 2026-09-23, and ccxt took it out after 4.5.83; "
    )
    assert 'python -m pip install "hbkit-ccxt[bitmex]"' in told
    assert "plugin: bitmex_perpetual (hbkit-bitmex)" in told
    assert "plugin: ccxt:okx" in told


def test_an_exchange_of_the_last_release_comes_back_with_it():
    told = fate("coinex", "4.5.90", frozenset({"okx"}))
    assert told == (
        "ccxt 4.5.90 has no coinex any more (release 4.5.83 had it); "
        'python -m pip install "ccxt==4.5.83" brings it back; '
        "hbkit exchanges ccxt lists the 1 others"
    )


@needs_bitmex
def test_bitmex_trades_on_its_simulator_and_says_that_it_closed():
    from hbkit_bitmex.plugin import ADVICE, CLOSED_ON

    spec = spec_of("ccxt:bitmex")
    assert spec.modes == ("simulator", "paper", "replay", "testnet", "live")
    assert (spec.closed_on, spec.advice) == (CLOSED_ON, ADVICE)
    assert (spec.simulator, spec.simulator_key) == ("bitmex", ("demo", "demo-secret"))
