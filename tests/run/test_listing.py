"""Instruments that an exchange has to be asked for: when it is asked, what it is told, what becomes of its silence."""

import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from hbkit.clock import DAY, WallClock
from hbkit.config import load_config
from hbkit.errors import ConfigError
from hbkit.exchange import ExchangeSpec, ListingRequest
from hbkit.model import Currency, Instrument, InstrumentKind
from hbkit.plugins import Plugins
from hbkit.run import make_plan
from hbkit.run.listing import Asking, instruments_of, unknown
from tests.workbench import Bench, plant

ASKED = """
from decimal import Decimal
from hbkit import ExchangeSpec, Instrument, hookimpl
from hbkit.errors import ExchangeError
from hbkit.exchange import Bridge, Capabilities, Channel
from hbkit.model import Currency, InstrumentKind

asked = []
USDT = Currency("USDT", 8)
SWAP = Instrument("", "BTCUSDT", "BTC/USDT:USDT", InstrumentKind.LINEAR, "BTC", "USDT", USDT, Decimal("0.1"),
    Decimal(1), Decimal(1), Decimal(10**6), Decimal("0.0002"), Decimal("0.0005"), min_cost=Decimal(5))

def listed(request):
    asked.append(request)
    if request.name == "far:mute":
        raise ExchangeError("far:mute could not be reached (timed out)", code="HB432")
    if request.name == "far:odd":
        raise KeyError("markets")
    kept = request.folder / request.file_stem
    if request.may_ask:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.touch()
    elif not kept.exists():
        raise ExchangeError(
            f"{request.name} has not told its instruments yet; run: hbkit instruments {request.name}", code="HB444")
    if request.name == "far:old":
        request.warn("far:old could not be reached; its list of 2026-01-01 serves, which is 3 days old")
    return [SWAP]

def spec(name):
    if name not in names:
        raise KeyError(name)
    closed = {"closed_on": "2026-09-23", "advice": "It closed on 2026-09-23."} if "closed" in name else {}
    home = {"simulator": "far", "simulator_routes": ("/api", "/ws")} if name == "far:closed" else {}
    return ExchangeSpec(
        name, name, lister="far:listed", modes=("paper", "replay", "testnet", "live"), **closed, **home,
        capabilities=Capabilities(frozenset({Channel.CANDLE}), candle_intervals=("1m",)),
        starting_balances={"USDT": "1000"}, connector="far:nobody", rest_url="https://far.example/api")

names = [f"far:{one}" for one in ("okx", "mute", "odd", "old", "closed", "closed2")]

@hookimpl
def hbkit_exchanges():
    return Bridge("through far 1.2", lambda: names, spec)
"""


@pytest.fixture
def far(tmp_path, monkeypatch, capsys):
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(site))
    plant(site, "far-dist", "far", ASKED, "far")
    bench = Bench(tmp_path, capsys)
    bench.strategy("def on_candle(self, candle): pass")
    yield bench
    sys.modules.pop("far", None)


def write(bench: Bench, block: str, *, more: str = "") -> Path:
    return bench.write(
        "c.yaml",
        f"exchanges: {{main: {{{block}}}}}\nstrategies: [{{use: one, instruments: ['BTC/USDT:USDT']}}]\n{more}",
    )


def planned(bench: Bench, block: str, *, may_ask: bool = True, more: str = ""):
    config = load_config(write(bench, block, more=more), environ={})
    return make_plan(config, Plugins(), may_ask=may_ask)


def asked() -> list[ListingRequest]:
    return sys.modules["far"].asked


@pytest.mark.parametrize(
    ("block", "feed", "rest_url", "max_age"),
    [
        ("plugin: far:okx", "live", "", DAY),  # paper, the first mode, over the live feed
        ("plugin: far:okx, mode: live", "live", "", DAY),
        ("plugin: far:okx, mode: testnet", "testnet", "", DAY),
        ("plugin: far:okx, mode: paper, paper: {feed: testnet}", "testnet", "", DAY),
        ("plugin: far:okx, mode: live, rest_url: 'http://h:1/api'", "live", "http://h:1/api", DAY),
        ("plugin: far:okx, mode: replay, replay: {data: x.csv}", "data", "", None),
        ("plugin: far:closed", "simulator", "", None),
        ("plugin: far:closed, mode: live", "simulator", "", None),
        ("plugin: far:closed, simulator: {url: 'http://h:1/'}", "simulator", "http://h:1/api", None),
        ("plugin: far:closed, mode: live, rest_url: 'http://h:1', ws_url: 'ws://h:1'", "live", "http://h:1", DAY),
    ],
)
def test_the_lister_is_told_whose_instruments_are_wanted(far, block, feed, rest_url, max_age):
    far.candles(10_000, 10_000)
    plan = planned(far, block, more="state: {dir: kept}")
    (request,) = asked()
    assert (request.feed, request.rest_url, request.may_ask) == (feed, rest_url, True)
    assert (request.max_age, request.folder) == (max_age, Path("kept/markets"))
    (market,) = plan.strategies[0].markets
    assert (market.symbol, market.exchange) == ("BTCUSDT", "main")


def test_the_name_of_a_kept_file_is_a_file_name():
    assert ListingRequest("far:okx", "live").file_stem == "far+okx.live"


def test_a_check_asks_nobody_and_says_how_to_ask(far):
    write(far, "plugin: far:okx")
    done = far.hbkit("check", "c.yaml")
    assert done.code == 4
    assert done.err == (
        "error[HB444] c.yaml:1:28 far:okx has not told its instruments yet; run: hbkit instruments far:okx\n"
    )
    assert [one.may_ask for one in asked()] == [False]


def test_what_the_exchange_says_stands_at_its_place_beside_all_other_faults(far):
    write(far, "plugin: far:mute", more="notify: [nobody]")
    done = far.hbkit("run", "c.yaml")
    assert done.code == 2  # the config has a fault of its own
    first, second, *_ = done.err.splitlines()
    assert first == "error[HB432] c.yaml:1:28 far:mute could not be reached (timed out)"
    assert second.startswith("error[HB206] c.yaml:3:")
    write(far, "plugin: far:mute")
    assert far.hbkit("run", "c.yaml").code == 4


def test_a_lister_that_breaks_is_named_and_no_traceback_is_shown(far):
    with pytest.raises(ConfigError, match=r"far:odd: its instruments cannot be loaded \(KeyError: 'markets'\)") as told:
        planned(far, "plugin: far:odd")
    assert told.value.exit_code == 2


def test_an_old_list_is_a_warning_at_the_exchange(far):
    plan = planned(far, "plugin: far:old")
    (told,) = plan.warnings
    assert told.startswith("warning[HB442] ")
    assert told.endswith("c.yaml:1:28 far:old could not be reached; its list of 2026-01-01 serves, which is 3 days old")


def test_a_venue_that_has_closed_and_has_no_simulator_is_not_asked(far):
    with pytest.raises(ConfigError, match=r"It closed on 2026-09-23\. Nothing was sent\.") as told:
        planned(far, "plugin: far:closed2, mode: live")
    assert told.value.exit_code == 4
    assert asked() == []


def test_by_hand_an_exchange_is_asked_now(far):
    done = far.hbkit("instruments", "far:okx")
    assert (done.code, done.err) == (0, "")
    (request,) = asked()
    assert (request.max_age, request.may_ask, request.feed) == (0, True, "live")
    assert request.folder == Path("state/markets")


def test_a_block_of_another_name_is_found_by_its_plugin(far):
    write(far, "plugin: far:okx, mode: live, rest_url: 'http://h:1/api'", more="state: {dir: kept}")
    assert far.hbkit("candles", "far:okx", "NOSUCH", "--config", "c.yaml").code == 2
    (request,) = asked()
    assert (request.rest_url, request.folder, request.max_age) == ("http://h:1/api", Path("kept/markets"), DAY)


def test_a_spec_without_a_lister_brings_its_own(monkeypatch):
    import tests.run.test_listing as here

    monkeypatch.setattr(here, "load", lambda era: [era, "rows"], raising=False)
    spec = ExchangeSpec("near", "Near", "tests.run.test_listing:load")
    assert instruments_of(spec, "2021") == ["2021", "rows"]


def test_an_asking_that_may_not_ask_takes_any_age():
    spec = ExchangeSpec("far:okx", "Far", lister="far:listed")
    now = Asking(now=True).request(spec, "live", "", None)
    silent = Asking(now=True, may_ask=False).request(spec, "live", "", "2021")
    assert (now.max_age, silent.max_age, silent.era) == (0, DAY, "2021")
    assert isinstance(now.clock, WallClock)
    assert Decimal(now.clock.now()) > 0


# -- a symbol that is not there


def spot_only(*unified: str) -> list[Instrument]:
    one = Decimal(1)
    return [
        Instrument("", text.replace("/", "-"), text, InstrumentKind.SPOT, *text.split("/"), Currency("USD", 8),
                   one, one, one, one, one, one)
        for text in unified
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("symbol", "told"),
    [
        ("BTC/USDT", 'x has no instrument "BTC/USDT"; did you mean "BTC/USD" (BTC-USD)?'),
        ("BTC/USD:BTC", "x has no perpetuals or futures, all it has is spot (2); on BTC it has BTC/USD"),
        ("DOGE/USD:USD", "x has no perpetuals or futures, all it has is spot (2)"),
        ("BTC/UDS", 'x has no instrument "BTC/UDS"; did you mean "BTC/USD"?'),
        ("BTC-USDT", 'x has no instrument "BTC-USDT"; did you mean "BTC-USD"?'),
        ("XBT/USD", 'x has no instrument "XBT/USD"; did you mean "BTC/USD" (BTC-USD)?'),
    ],
)
def test_a_symbol_that_is_not_there_gets_what_comes_closest(symbol, told):
    assert unknown("x", symbol, spot_only("BTC/USD", "ETH/USD")) == told


def test_a_unified_symbol_of_two_instruments_is_asked_for_by_its_native_one(far, monkeypatch):
    write(far, "plugin: far:okx")
    Plugins().exchange("far:okx")
    module = sys.modules["far"]
    twin = replace(module.SWAP, symbol="BTCPERP")
    monkeypatch.setattr(module, "listed", lambda request: [module.SWAP, twin])
    told = 'has 2 instruments of the name "BTC/USDT:USDT": BTCUSDT and BTCPERP; write one of these'
    assert f"error[HB401] c.yaml:2:39 main {told}" in far.hbkit("check", "c.yaml").err
    assert f"far:okx {told}" in far.hbkit("book", "far:okx", "BTC/USDT:USDT").err
    write(far, "plugin: far:okx").write_text(Path("c.yaml").read_text().replace("BTC/USDT:USDT", "BTCPERP"))
    assert far.hbkit("check", "c.yaml").code == 0


def test_the_least_order_is_shown_by_instruments_and_by_check(far):
    told = far.hbkit("instruments", "far:okx")
    (row,) = [line.split() for line in told.out.splitlines() if line.startswith("BTCUSDT")]
    assert row[1:10] == ["BTC/USDT:USDT", "linear", "contract", "of", "0.01", "BTC", "0.1", "1", "1"]
    assert row[10:13] == ["and", "5", "USDT"]
    (one,) = far.hbkit("instruments", "far:okx", "--json").json["instruments"]
    assert {"contract_size": "0.01", "min_qty": "1", "min_cost": "5", "max_qty": None}.items() <= one.items()
    write(far, "plugin: far:okx")
    assert "contract of 0.01 BTC  0.1   1    1 and 5 USDT" in far.hbkit("check", "c.yaml").out
