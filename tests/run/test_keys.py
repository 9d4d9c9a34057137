"""Keys of exchanges whose hosts only their connector knows: kept by name, for one network, and sent nowhere else."""

import io
import sys
from dataclasses import replace

import keyring
import pytest
from keyring.backends import fail

from hbkit.config import load_config
from hbkit.config.keystore import KeyStore
from hbkit.errors import ConfigError
from hbkit.plugins import Plugins
from hbkit.run import make_plan
from hbkit.run.keys import take_kept_keys
from tests.workbench import Bench, plant

VENUE = """
from decimal import Decimal
from hbkit import ExchangeSpec, Instrument, hookimpl
from hbkit.exchange import Bridge, Capabilities, Channel, Prompt, VerifiedKey
from hbkit.model import Currency, InstrumentKind

seen = []
SPOT = Instrument("", "BTC-USDT", "BTC/USDT", InstrumentKind.SPOT, "BTC", "USDT", Currency("USDT", 8), Decimal("0.1"),
    Decimal("0.001"), Decimal("0.001"), Decimal(10**8), Decimal(0), Decimal(0))

async def verify(connection, fields):
    seen.append((connection.feed, connection.rest_url, connection.api_key, connection.api_secret.reveal(),
        connection.api_passphrase.reveal(), connection.account_id))
    return VerifiedKey("1001", ("trade",))

def spec(name):
    if name not in ("far:okx", "far:kraken"):
        raise KeyError(name)
    return ExchangeSpec(name, name, lister="far:listed", modes=("paper", "testnet", "live"), verifier="far:verify",
        prompts=(Prompt("api_key", "API key"), Prompt("api_secret", "secret key", hidden=True),
                 Prompt("api_passphrase", "passphrase", hidden=True), Prompt("account", "user id", optional=True)),
        capabilities=Capabilities(frozenset({Channel.CANDLE})), starting_balances={}, connector="far:nobody")

def listed(request):
    return [SPOT]

BRIDGE = Bridge("through far", lambda: ["far:okx", "far:kraken"], spec)

@hookimpl
def hbkit_exchanges():
    return BRIDGE
"""
KEY, SECRET, PHRASE = "canary-key-7q", "canary-secret", "canary-phrase"


@pytest.fixture
def far(tmp_path, monkeypatch, capsys):
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setenv("HBKIT_PASSWORD", "tulip")
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    plant(site, "far-dist", "far", VENUE, "far")
    bench = Bench(tmp_path, capsys)
    bench.strategy("def on_candle(self, candle): pass")
    yield bench
    keyring.set_keyring(before)
    sys.modules.pop("far", None)


@pytest.fixture
def connect(far, monkeypatch):
    def run(*flags, lines=(KEY, SECRET, PHRASE, "77")):
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        return far.hbkit("connect", "far:okx", *flags)

    return run


def taken(far, block):
    """The exchange block after the kept keys were given out."""
    far.write("c.yaml", f"exchanges: {{main: {{{block}}}}}\nstrategies: [{{use: one, instruments: [BTC/USDT]}}]\n")
    (plan,) = make_plan(load_config("c.yaml", environ={}), Plugins()).exchanges.values()
    take_kept_keys([plan], KeyStore(far.folder / "settings/hbkit/keys"), lambda: "tulip")
    return plan.settings


def test_a_key_is_verified_and_kept_under_the_name_with_the_colon(far, connect):
    done = connect("--mode", "live")
    assert (done.code, done.err) == (0, "")
    assert sys.modules["far"].seen == [("live", "", KEY, SECRET, PHRASE, "77")]
    assert "account 1001 at far:okx, may trade" in done.out
    files = [path.name for path in (far.folder / "settings/hbkit/keys").iterdir()]
    assert files == ["far+okx.json"]
    assert far.hbkit("connect", "--list").out.splitlines()[1].split()[:2] == ["far:okx", "far:okx"]
    kept = (far.folder / "settings/hbkit/keys/far+okx.json").read_text()
    assert not [secret for secret in (KEY, SECRET, PHRASE) if secret in kept]
    assert far.hbkit("disconnect", "far:okx").code == 0
    assert list((far.folder / "settings/hbkit/keys").iterdir()) == []


def test_a_key_that_nobody_can_verify_is_not_asked_for(far, connect, monkeypatch):
    Plugins().exchange("far:okx")
    module = sys.modules["far"]
    plain = replace(module.spec("far:okx"), verifier="")
    monkeypatch.setitem(module.BRIDGE._made, "far:okx", plain)
    done = connect()
    assert done.code == 2
    assert "the plugin of far:okx cannot verify a key, and what was not verified is not kept" in done.err
    assert not (far.folder / "settings").exists()


def test_a_run_gets_the_kept_key_whole(far, connect):
    connect()  # mode live is what the name stands for
    block = taken(far, "plugin: far:okx, mode: live")
    assert (block.api_key.reveal(), block.api_secret.reveal()) == (KEY, SECRET)
    assert (block.api_passphrase.reveal(), block.account) == (PHRASE, "77")


def test_a_block_may_bear_the_name_with_the_colon_itself(far):
    far.write("c.yaml", """
    exchanges:
      far:okx: {mode: paper}
    strategies: [{use: one, instruments: [BTC/USDT]}]
    """)  # fmt: skip
    done = far.hbkit("check", "c.yaml", "--set", "exchanges.far:okx.mode=testnet")
    assert (done.code, done.err) == (0, "")
    assert "testnet" in done.out


def test_a_key_of_one_network_is_not_sent_to_the_other(far, connect):
    connect("--mode", "testnet")
    assert sys.modules["far"].seen[0][0] == "testnet"
    with pytest.raises(ConfigError, match=r"verified at far:okx testnet, and exchanges\.main trades at far:okx; run: "
                                          "hbkit connect far:okx --mode live"):  # fmt: skip
        taken(far, "plugin: far:okx, mode: live")
    assert taken(far, "plugin: far:okx, mode: testnet").api_key.reveal() == KEY
    assert taken(far, "plugin: far:kraken, mode: live").api_key is None
    with pytest.raises(ConfigError, match="trades at other:1; run: hbkit connect far:okx --rest-url http://other:1"):
        taken(far, "plugin: far:okx, mode: testnet, rest_url: 'http://other:1'")


def test_a_passphrase_in_the_file_is_warned_of_and_masked(far):
    far.write("c.yaml", f"""
    exchanges: {{far:okx: {{mode: testnet, api_key: abc, api_secret: "${{S}}", api_passphrase: {PHRASE}}}}}
    strategies: [{{use: one, instruments: [BTC/USDT]}}]
    """)  # fmt: skip
    config = load_config("c.yaml", environ={"S": SECRET})
    (warning,) = make_plan(config, Plugins()).warnings
    assert "warning[HB111]" in warning
    assert "api_passphrase is in the file in clear" in warning
    assert PHRASE not in config.text
    assert PHRASE not in repr(config.settings)
    lone = far.write("d.yaml", """
    exchanges: {far:okx: {mode: testnet, api_passphrase: "${S}"}}
    strategies: [{use: one, instruments: [BTC/USDT]}]
    """)  # fmt: skip
    with pytest.raises(ConfigError, match="api_passphrase goes with api_key and api_secret"):
        make_plan(load_config(lone, environ={"S": SECRET}), Plugins())


def test_mode_live_asks_before_it_trades_though_no_host_is_known(far):
    far.write("c.yaml", f"""
    exchanges: {{far:okx: {{mode: live, api_key: abc, api_secret: "{SECRET}"}}}}
    strategies: [{{use: one, instruments: [BTC/USDT]}}]
    """)  # fmt: skip
    done = far.hbkit("run", "c.yaml")
    assert done.code == 2
    assert "mode live trades with real money at far:okx; say so with --live" in done.err
