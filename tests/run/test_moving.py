"""`check --exchange`: what would change on another exchange, and what stands against it, before any money moves."""

import sys

import pytest

from tests.workbench import Bench, plant

FAR = """
from dataclasses import replace
from decimal import Decimal as D
from hbkit import ExchangeSpec, Instrument, hookimpl
from hbkit.errors import ExchangeError
from hbkit.exchange import Bridge, Capabilities, Channel, Prompt
from hbkit.model import Currency, InstrumentKind as Kind

BTC, USDT = Currency("BTC", 8), Currency("USDT", 8)
INVERSE = Instrument("", "BTC-USD-SWAP", "BTC/USD:BTC", Kind.INVERSE, "BTC", "USD", BTC, D("0.5"), D(1), D(1),
    D(100 * 10**8), D("0.0002"), D("0.0005"), init_margin=D("0.02"))
LINEAR = Instrument("", "BTCUSDT", "BTC/USDT:USDT", Kind.LINEAR, "BTC", "USDT", USDT, D("0.1"), D("0.1"), D("0.1"),
    D(10**6), D("0.0002"), D("0.0005"), min_cost=D(5))
SPOT = Instrument("", "BTC-USD", "BTC/USD", Kind.SPOT, "BTC", "USD", Currency("USD", 8), D("0.1"), D("0.001"),
    D("0.001"), D(10**8), D("0.001"), D("0.001"))
LISTS = {"inverse": [INVERSE, SPOT], "linear": [LINEAR], "spot": [SPOT], "poor": [INVERSE], "none": [],
    "twins": [INVERSE, replace(INVERSE, symbol="BTC-USD-OTHER")], "shy": []}
ALL = Capabilities(frozenset(Channel), ("1m", "1h"), post_only=True, reduce_only=True, amend=True, triggers=True,
    time_in_force=frozenset({"gtc", "ioc", "fok"}), hedge_mode=True, leverage=True)
POOR = Capabilities(frozenset({Channel.TRADE, Channel.CANDLE}), ("5m",))

def listed(request):
    name = request.name.partition(":")[2]
    if name == "shy" and not request.may_ask:
        raise ExchangeError(f"{request.name} was not asked yet; run it with --connect", code="HB444")
    return LISTS[name]

def spec(name):
    short = name.partition(":")[2]
    if short not in LISTS:
        raise KeyError(name)
    prompts = (Prompt("api_key", "API key"), Prompt("api_secret", "secret key", hidden=True),
               Prompt("api_passphrase", "passphrase", hidden=True))
    return ExchangeSpec(name, name, lister="far:listed", capabilities=POOR if short == "poor" else ALL, prompts=prompts,
        modes=("paper", "replay", "live") if short == "poor" else ("paper", "replay", "testnet", "live"),
        starting_balances={"BTC": "1", "USDT": "10000", "USD": "10000"})

@hookimpl
def hbkit_exchanges():
    return Bridge("through far", lambda: [f"far:{one}" for one in LISTS], spec)
"""
STRATEGY = """
qty: float = Param(100, gt=0)
max_position: float = Param(500)
qty_ratio: bool = Param(True)
maker: bool = Param(True)

def on_quote(self, quote):
    self.buy(self.qty, quote.bid, post_only=self.maker)
    self.sell(self.qty, trigger_price=quote.bid * 0.9, reduce_only=True)
"""
CONFIG = """
exchanges:
  main: {plugin: bitmex_perpetual, BLOCK}
strategies:
  - use: one
    instruments: [XBTUSD]
    PARAMS
risk: {max_position: 1000}
"""


@pytest.fixture
def far(tmp_path, monkeypatch, capsys):
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(site))
    plant(site, "far-dist", "far", FAR, "far")
    bench = Bench(tmp_path, capsys)
    bench.strategy(STRATEGY)
    yield bench
    sys.modules.pop("far", None)


def check(bench: Bench, name: str, *words: str, block: str = "mode: simulator", params: str = ""):
    bench.write("c.yaml", CONFIG.replace("BLOCK", block).replace("PARAMS", params))
    done = bench.hbkit("check", "c.yaml", "--exchange", name, "--json", *words)
    assert bench.left_behind == []
    return done


def rows(done) -> dict[str, tuple[str, str]]:
    (market,) = done.json["markets"]
    return {one["name"]: (one["here"], one["there"]) for one in market["rows"]}


def quantities(done) -> dict[str, dict[str, str]]:
    (market,) = done.json["markets"]
    return {one["path"].rpartition(".")[2]: one for one in market["quantities"]}


def faults(done) -> list[tuple[str, int, int, str]]:
    return [(one["code"], one["line"], one["column"], one["message"]) for one in done.json["faults"]]


def test_the_same_contract_of_another_size(far):
    done = check(far, "far:inverse")
    assert (done.code, done.json["ok"], done.json["faults"]) == (0, True, [])
    assert done.json["here"] == {"exchange": "bitmex_perpetual", "mode": "simulator"}
    assert done.json["there"] == {"exchange": "far:inverse", "mode": "paper"}
    (market,) = done.json["markets"]
    assert (market["match"], market["there"]) == ("same", {"symbol": "BTC-USD-SWAP", "unified": "BTC/USD:BTC"})
    assert rows(done)["qty counts"] == ("contract of 1 USD", "contract of 100 USD")
    assert rows(done)["tick"] == ("0.1", "0.5")
    assert rows(done)["lot"] == ("100", "1")
    assert rows(done)["maker fee"] == ("0.05 %", "0.02 %")
    assert rows(done)["highest leverage"] == ("100", "50")
    # 100 contracts of 1 USD are one of 100 USD.
    assert quantities(done)["qty"] == {
        "path": "strategies.one.params.qty", "value": "100", "here": "100 contracts of 1 USD",
        "there": "100 contracts of 100 USD: 10000 USD", "alike": "1", "problem": None,
    }  # fmt: skip
    assert [one["alike"] for one in done.json["markets"][0]["quantities"]] == ["1", "5", "10"]  # risk.max_position last
    assert done.json["changes"] == [
        "exchanges.main: write plugin: far:inverse",
        "exchanges.main: far:inverse has no mode simulator; write mode: paper; orders are then filled by hbkit's own "
        "engine",
        "one: write instruments: [BTC/USD:BTC] in place of XBTUSD",
        "strategies.one.params.qty: 100 is 100 contracts of 100 USD: 10000 USD there; for as much as here write 1",
        "strategies.one.params.max_position: 500 is 500 contracts of 100 USD: 50000 USD there; for as much as here "
        "write 5",
        "risk.max_position: 1000 is 1000 contracts of 100 USD: 100000 USD there; for as much as here write 10",
    ]


def test_a_config_that_was_changed_as_it_says_runs_there(far):
    far.write("c.yaml", """
    exchanges:
      main: {plugin: "far:inverse", mode: paper}
    strategies:
      - use: one
        instruments: [BTC/USD:BTC]
        params: {qty: 1, max_position: 5}
    risk: {max_position: 10}
    """)  # fmt: skip
    done = far.hbkit("check", "c.yaml", "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json["markets"] == [
        {"strategy": "one", "exchange": "main", "mode": "paper", "symbol": "BTC-USD-SWAP", "unified": "BTC/USD:BTC",
         "qty_counts": "contract of 100 USD", "tick": "0.5", "lot": "1", "least": "1"},
    ]  # fmt: skip
    assert far.hbkit("check", "c.yaml", "--exchange", "far:inverse", "--json").json["changes"] == [
        "exchanges.main: write plugin: far:inverse"
    ]


def test_for_people_it_is_a_table_with_stars_at_what_changes(far):
    far.write("c.yaml", CONFIG.replace("BLOCK", "mode: simulator").replace("PARAMS", ""))
    done = far.hbkit("check", "c.yaml", "--exchange", "far:inverse")
    assert (done.code, done.err) == (0, "")
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert lines[0] == "main: bitmex_perpetual (simulator) -> far:inverse (paper)"
    assert "one: XBTUSD -> BTC-USD-SWAP (the same unified symbol)" in lines
    assert "* qty counts contract of 1 USD contract of 100 USD" in lines
    assert "unified BTC/USD:BTC BTC/USD:BTC" in lines
    assert (
        "* strategies.one.params.qty 100 100 contracts of 1 USD 100 contracts of 100 USD: 10000 USD; as much as here: 1"
        in lines
    )
    assert lines[-1] == "nothing stands against it; nothing was changed and nothing was traded"


def test_what_comes_closest_and_a_quantity_that_depends_on_the_price(far):
    done = check(far, "far:linear", params="params: {qty: 0.05}")
    assert done.code == 0
    (market,) = done.json["markets"]
    assert (market["match"], market["there"]["unified"]) == ("nearest", "BTC/USDT:USDT")
    # A contract of 0.01 BTC: 0.05 USD are 0.05 / (price * 0.01) of them.
    qty = quantities(done)["qty"]
    assert (qty["there"], qty["alike"]) == ("0.05 contracts of 0.01 BTC: 0.0005 BTC", "0.05 / (price * 0.01)")
    assert qty["problem"] == "below the least order of 0.1"
    assert rows(done)["least order"] == ("100", "0.1 and 5 USDT")
    told = done.json["changes"]
    assert "one: BTC/USD:BTC is not there; BTC/USDT:USDT comes closest: write it in instruments" in told
    assert (
        "BTC/USDT:USDT settles in USDT, BTC/USD:BTC in XBT: profit, fees and margin are counted in USDT" in told
    )
    assert "BTC/USDT:USDT is linear, BTC/USD:BTC is inverse: its value moves otherwise" in told


def test_a_quantity_off_the_lot_is_told(far):
    done = check(far, "far:linear", params="params: {qty: 0.25}")
    assert quantities(done)["qty"]["problem"] == "no multiple of the lot of 0.1: sent as 0.2"


IMPOSSIBLE = {
    "no swaps": (
        "far:spot", "mode: simulator",
        [("HB401", 5, 19, "far:spot has no perpetuals or futures, all it has is spot (1); on BTC it has BTC/USD")],
    ),
    "nothing": ("far:none", "mode: simulator", [("HB401", 5, 19, 'far:none has no instrument "BTC/USD:BTC"; '
                                                                'instruments: none')]),
    "ambiguous": (
        "far:twins", "mode: simulator",
        [("HB401", 5, 19, 'far:twins has 2 instruments of the name "BTC/USD:BTC": BTC-USD-SWAP and BTC-USD-OTHER; '
                          "write one of these")],
    ),
    "another name serves it": (
        "bitmex", "mode: simulator",
        [("HB403", 5, 19, "BTC/USD:BTC is a contract; use the exchange bitmex_perpetual for it")],
    ),
    "channels": (
        "far:poor", "mode: simulator", [("HB506", 4, 10, "one listens to quote, which far:poor does not tell")],
    ),
    "leverage": (
        "far:inverse", "mode: simulator, margin: {leverage: 60}",
        [("HB413", 2, 72, "leverage 60 > 50 allowed for BTC-USD-SWAP")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "block", "told"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_what_makes_it_impossible_stands_at_its_place(far, name, block, told):
    done = check(far, name, block=block)
    assert done.code == 2
    assert faults(done) == told
    assert done.err.count("error[HB") == len(told)


def test_where_the_venue_takes_the_orders_what_it_lacks_is_impossible(far):
    keys = "mode: live, rest_url: 'http://h:1/api', ws_url: 'ws://h:1', api_key: abc, api_secret: '${S}'"
    done = check(
        far, "far:poor", "--set", "exchanges.main.position_mode=hedge", "--set", "exchanges.main.margin.leverage=5",
        "--set", "strategies.0.candles=[1m]", "--set", "exchanges.main.api_secret=canary", block=keys,
    )  # fmt: skip
    assert done.code == 2
    assert [(code, message) for code, _, _, message in faults(done)] == [
        ("HB506", "one listens to quote, which far:poor does not tell"),
        ("HB506", "one needs 1m candles, far:poor has 5m"),
        ("HB414", "one uses post-only orders, which far:poor does not have"),
        ("HB414", "one uses reduce-only orders, which far:poor does not have"),
        ("HB414", "one uses orders with a trigger, which far:poor does not have"),
        ("HB420", "far:poor has no hedge mode; leave position_mode out"),
        ("HB414", "far:poor takes no margin mode or leverage; leave margin out"),
    ]
    told = done.json["changes"]
    assert "exchanges.main.rest_url is an address of bitmex_perpetual: leave it out" in told
    assert "exchanges.main.ws_url is an address of bitmex_perpetual: leave it out" in told
    assert "exchanges.main.api_key: far:poor needs a key of its own (hbkit connect keeps one)" in told
    assert "exchanges.main: far:poor wants api_passphrase with the key" in told
    assert "canary" not in done.out + done.err


def test_in_paper_the_engine_has_what_the_venue_lacks_and_a_parameter_may_do_without(far):
    done = check(far, "far:poor", params="params: {maker: false}")
    told = done.json["changes"]
    assert "one uses reduce-only orders: mode paper has them, far:poor itself has not" in told
    assert not [text for text in told if "post-only" in text]


def test_a_sandbox_that_is_not_there_becomes_paper_and_never_live(far):
    keys = "mode: testnet, rest_url: 'http://h:1/api', ws_url: 'ws://h:1'"
    done = check(far, "far:poor", block=keys)
    assert done.json["there"]["mode"] == "paper"
    assert (
        "exchanges.main: far:poor has no sandbox (mode testnet); write mode: paper; orders are then filled by hbkit's "
        "own engine" in done.json["changes"]
    )


def test_keys_of_the_block_and_money_that_mean_nothing_there(far):
    block = "mode: paper, balances: {XBT: 1, ETH: 2}, paper: {feed: simulator}, simulator: {speed: 2}"
    done = check(far, "far:linear", block=block)
    told = done.json["changes"]
    assert "exchanges.main.simulator: far:linear has no simulator: leave it out" in told
    assert "exchanges.main.paper.feed: far:linear has no simulator: leave it out" in told
    assert "exchanges.main.balances: XBT is not known there" in told
    assert "exchanges.main.balances: trading there takes USDT; write balances: {USDT: AMOUNT}" in told
    assert "exchanges.main.balances: XBT is BTC there" in check(far, "far:inverse", block=block).json["changes"]


def test_recorded_data_is_named_by_the_symbols_there(far):
    far.candles(10_000, 10_000)
    far.strategy(STRATEGY.replace("on_quote(self, quote)", "on_candle(self, quote)").replace(".bid", ".close"))
    named = check(far, "far:inverse", block="mode: replay, replay: {data: {XBTUSD: [x.csv]}}")
    assert (named.code, named.json["there"]["mode"]) == (0, "replay")
    assert "exchanges.main.replay.data: write BTC-USD-SWAP in place of XBTUSD" in named.json["changes"]
    own = check(far, "far:inverse", block="mode: replay")
    told = "exchanges.main: far:inverse brings no recorded data; name a file: replay: {data: FILE}"
    assert told in own.json["changes"]


def test_nobody_is_asked_without_connect(far):
    done = check(far, "far:shy")
    assert done.code == 4
    assert done.json["error"]["message"] == "far:shy was not asked yet; run it with --connect"
    asked = check(far, "far:shy", "--mode", "replay")
    assert asked.code == 4


def test_a_name_that_is_misspelt_and_a_fault_of_the_config_itself(far):
    done = check(far, "far:invrse")
    assert done.code == 2
    assert 'did you mean "far:inverse"?' in done.err
    own = check(far, "far:inverse", params="params: {qty: -1}")
    assert own.code == 2
    assert "error[HB302]" in own.err


def test_of_several_blocks_one_is_named(far):
    far.write("c.yaml", """
    exchanges: {a: {plugin: bitmex_perpetual}, b: {plugin: bitmex_perpetual}}
    strategies:
      - {use: one, name: first, exchange: a, instruments: [XBTUSD]}
      - {use: one, name: second, exchange: b, instruments: [ETHUSD]}
    """)  # fmt: skip
    for name, told in {
        "far:inverse": "has 2 exchange blocks; say which one: a=far:inverse, b=far:inverse",
        "c=far:inverse": 'no exchange block "c"; it has a, b',
    }.items():
        done = far.hbkit("check", "c.yaml", "--exchange", name)
        assert done.code == 2
        assert told in done.err
    done = far.hbkit("check", "c.yaml", "--exchange", "a=far:inverse", "--json")
    assert (done.code, [one["strategy"] for one in done.json["markets"]]) == (0, ["first"])


# -- the same, of a config that is there already


def test_sorts_of_orders_that_the_venue_has_not_are_warned_of_before_the_first_is_refused(far):
    far.strategy(STRATEGY.replace("on_quote(self, quote)", "on_trade(self, quote)").replace(".bid", ".price"))
    far.write("c.yaml", """
    exchanges:
      main: {plugin: "far:poor", mode: live}
    strategies:
      - use: one
        instruments: [BTC/USD:BTC]
    """)  # fmt: skip
    done = far.hbkit("check", "c.yaml")
    assert done.code == 0
    assert [line.split("c.yaml:")[1] for line in done.err.splitlines()] == [
        f"4:10 one uses {words}, which far:poor does not have: such orders are refused"
        for words in ("post-only orders", "reduce-only orders", "orders with a trigger")
    ]
    assert far.hbkit("check", "c.yaml", "--mode", "paper").err == ""


def test_a_sandbox_that_does_not_exist_has_a_way_out(far):
    far.write("c.yaml", """
    exchanges: {main: {plugin: "far:poor", mode: testnet}}
    strategies: [{use: one, instruments: [BTC/USD:BTC]}]
    """)  # fmt: skip
    told = (
        'far:poor has no mode "testnet"; it has paper, replay, live. No sandbox of it is known: mode paper trades on '
        "its market without money"
    )
    done = far.hbkit("check", "c.yaml")
    assert (done.code, done.err) == (2, f"error[HB205] c.yaml:1:46 {told}\n")
    assert far.hbkit("connect", "far:poor", "--mode", "testnet").err == f"error[HB205] {told}\n"
