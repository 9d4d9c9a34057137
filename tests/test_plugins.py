"""Plugins: names from metadata, imports only on demand, every failure with its distribution, and guests at work."""

import sys
from pathlib import Path

import pytest

from hbkit.errors import PluginError
from hbkit.plugins import Plugins
from tests.workbench import CONFIG, Bench, install, plant

CANARY = """
from pathlib import Path

print("the canary sings")
Path(__file__).with_name("canary").write_text("sang")
"""
DIP_BUYER = '''
from hbkit import Candle, Param, Strategy, hookimpl

class DipBuyer(Strategy):
    """Buy a candle that closes `drop` percent below its open."""
    drop: float = Param(1.0, gt=0)
    qty: float = Param(100, gt=0)

    def on_candle(self, candle: Candle) -> None:
        if candle.close < candle.open * (1 - self.drop / 100):
            self.buy(self.qty)

@hookimpl
def hbkit_strategies():
    return {"dip_buyer": DipBuyer}
'''
DIP_BUYER_PROJECT = """
[build-system]
requires = ["hatchling>=1.24"]
build-backend = "hatchling.build"

[project]
name = "hbkit-dip-buyer"
version = "0.1"
dependencies = ["hbkit-core"]       # the core's distribution; `hbkit` in the registry is another project
[project.entry-points.hbkit]
dip_buyer = "dip_buyer"              # the name that users write in `use:`

[tool.hatch.build.targets.wheel]
include = ["dip_buyer.py"]
"""


@pytest.fixture
def bench(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path, capsys)


@pytest.fixture
def ready(bench):
    bench.candles(10_000, 10_010, 9_800, 9_900)
    bench.strategy("def on_candle(self, candle): pass")
    bench.write("c.yaml", CONFIG)
    return bench


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of installed distributions, on the path of this process and of its children."""
    target = tmp_path / "site"
    target.mkdir()
    monkeypatch.syspath_prepend(str(target))
    before = set(sys.modules)
    yield target
    for name in set(sys.modules) - before:
        if str(target) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


# -- what is installed is not what is imported


@pytest.mark.parametrize(
    "words",
    [["plugins"], ["--version"], ["--help"], ["check", "c.yaml"], ["backtest", "c.yaml"], ["plugins", "--json"]],
    ids=" ".join,
)
def test_a_plugin_that_nobody_named_is_never_imported(ready, site, words):
    plant(site, "evil-dist", "evil", CANARY, "evil")
    done = ready.process(*words)
    assert done.code == 0, done.err
    assert not (site / "canary").exists()
    assert "the canary sings" not in done.out + done.err
    if words == ["plugins"]:
        assert "evil-dist 0.1" in done.out


def test_the_same_plugin_sings_once_it_is_named(ready, site):
    """What makes the test above worth something."""
    plant(site, "evil-dist", "evil", CANARY, "evil")
    ready.write("c.yaml", CONFIG + "plugins: {load: [evil]}")
    assert ready.process("check", "c.yaml").code == 0
    assert (site / "canary").read_text() == "sang"


def test_the_strategy_distribution_of_the_docs_runs_from_its_wheel(ready, site):
    ready.write("project/pyproject.toml", DIP_BUYER_PROJECT)
    ready.write("project/dip_buyer.py", DIP_BUYER)
    install(ready.folder / "project", site)
    ready.write("c.yaml", CONFIG.replace("use: one", "use: dip_buyer"))
    done = ready.process("backtest", "c.yaml", "--json")
    assert done.code == 0, done.err
    # 9,800 is more than 1 % below 10,010: one market order, filled at the next open.
    assert (done.json["orders"], done.json["fills"]) == (1, 1)
    assert float(done.json["positions"][0]["entry_price"]) == pytest.approx(9800)
    assert done.json["strategies"][0]["name"] == "dip_buyer"
    listed = ready.process("strategies", "dip_buyer")
    assert "dip_buyer (hbkit-dip-buyer 0.1)" in listed.out
    assert "Buy a candle that closes `drop` percent below its open." in listed.out


def test_a_name_that_two_distributions_offer_is_refused_and_named(ready, site):
    plant(site, "first-dist", "first", CANARY, "twice")
    plant(site, "second-dist", "second", CANARY, "twice")
    ready.write("d.yaml", CONFIG.replace("use: one", "use: twice"))
    done = ready.process("check", "d.yaml")
    assert done.code == 2
    expected = '"twice" is offered by first-dist 0.1 and by second-dist 0.1; uninstall one of them'
    assert done.err == f"error[HB204] d.yaml:3:20 {expected}\n"
    assert ready.process("check", "c.yaml").code == 0
    listed = ready.process("plugins")
    assert (listed.code, listed.err) == (0, f"error[HB204] {expected}\n")
    assert not (site / "canary").exists()


def test_a_plugin_that_cannot_be_imported_is_named_with_its_distribution_and_cause(ready, site):
    plant(site, "broken-dist", "broken", "import nowhere_at_all", "broken", version="2.0")
    ready.write("d.yaml", CONFIG.replace("use: one", "use: broken"))
    done = ready.process("check", "d.yaml")
    assert done.code == 2
    assert done.err.startswith(
        'error[HB203] d.yaml:3:20 plugin "broken" of broken-dist 2.0 failed to import: ModuleNotFoundError: '
        "No module named 'nowhere_at_all' ("
    )
    assert "broken.py:1); mend or uninstall broken-dist" in done.err
    assert "Traceback" not in done.err


def test_listings_show_the_others_when_a_plugin_is_broken(ready, site):
    plant(site, "broken-dist", "broken", "raise ValueError('no luck')", "broken", "broken_too")
    plant(site, "good-dist", "good", DIP_BUYER, "dip_buyer")
    exchanges = ready.hbkit("exchanges")
    assert exchanges.code == 0
    assert "bitmex_perpetual" in exchanges.out
    assert exchanges.err.count("broken-dist 0.1 failed to import: ValueError: no luck") == 1
    strategies = ready.hbkit("strategies", "--json")
    assert strategies.code == 0
    assert {one["name"]: one["from"] for one in strategies.json["strategies"]} == {
        "dip_buyer": "good-dist 0.1", "one": "strategies/one.py",
    }  # fmt: skip
    assert "broken-dist 0.1" in strategies.err
    unknown = ready.hbkit("rnu")
    assert unknown.code == 2
    assert 'no command "rnu"; did you mean "run"?' in unknown.err


def test_a_command_of_a_plugin_runs_and_is_suggested(ready, site):
    plant(site, "greet-dist", "greeter", """
    import click
    from hbkit import hookimpl

    @click.command("greet")
    @click.argument("whom")
    def greet(whom):
        click.echo(f"good day, {whom}")
        return 0

    @hookimpl
    def hbkit_commands():
        return {"greet": greet, "run": greet}
    """, "greeter")  # fmt: skip
    assert ready.hbkit("greet", "Ada").out == "good day, Ada\n"
    assert 'did you mean "greet"?' in ready.hbkit("gret").err
    # A name of hbkit's own cannot be taken.
    assert "Run CONFIG" in ready.hbkit("run", "--help").out


def test_a_module_behind_several_names_is_registered_once(site):
    plant(site, "many-dist", "many", DIP_BUYER, "one_name", "another")
    plugins = Plugins(["one_name", "another", "one_name"])
    assert [origin for name, origin in plugins.loaded() if name == "many"] == ["many-dist 0.1"]
    assert list(plugins.strategies()) == ["dip_buyer"]


def test_a_blocked_name_is_refused_even_when_its_module_came_in_under_another(site):
    plant(site, "many-dist", "many", DIP_BUYER.replace('"dip_buyer"', '"another"'), "one_name", "another")
    plugins = Plugins(["one_name"], block=["another"])
    with pytest.raises(PluginError, match=r'plugin "another" is in plugins\.block'):
        plugins.strategy("another")


# -- exchanges that are made only when somebody asks for them


BRIDGE = """
from hbkit import ExchangeSpec, hookimpl
from hbkit.exchange import Bridge
from hbkit.errors import PluginError

made = []

def spec(name):
    made.append(name)
    if name == "far:gone":
        raise PluginError("far:gone left in May; use far:fernk", code="HB207")
    if name == "far:broken":
        raise ValueError("half a row")
    if name not in ("far:fernk", "far:polypus"):
        raise KeyError(name)
    return ExchangeSpec(name, name.title(), "nowhere:load", modes=("paper", "live"))

names = ("far:fernk", "far:polypus", "far:broken")
bridge = Bridge("through far 1.2", lambda: names, spec)

@hookimpl
def hbkit_exchanges():
    return bridge
"""


@pytest.fixture
def far(ready, site):
    plant(site, "far-dist", "far", BRIDGE, "far")
    return ready


def made():
    return sys.modules["far"].made


def test_one_exchange_of_many_is_made_once_and_alone(far):
    plugins = Plugins()
    assert plugins.exchange("far:fernk").title == "Far:Fernk"
    assert plugins.exchange("far:fernk") is plugins.exchange("far:fernk")
    assert made() == ["far:fernk"]


def test_what_an_exchange_uses_of_another_plugin_is_loaded_with_it(far, site):
    plant(site, "tape-dist", "tape", """
    from hbkit import hookimpl

    @hookimpl
    def hbkit_data_sources():
        return {"far-day": None}
    """, "tape")  # fmt: skip
    (site / "far.py").write_text(BRIDGE.replace('"nowhere:load",', '"nowhere:load", beside=("tape", "not_there"),'))
    plugins = Plugins()
    plugins.exchange("far:fernk")
    assert "far-day" in plugins.data_sources()
    blocked = Plugins(block=["tape"])
    blocked.exchange("far:fernk")
    assert "far-day" not in blocked.data_sources()


def test_names_are_listed_and_counted_without_making_any(far):
    plugins = Plugins(["far"])
    assert [name for name in plugins.exchanges() if name.startswith("far:")] == list(sys.modules["far"].names)
    assert "far:polypus" in plugins.exchanges()
    assert list(plugins.bridges()) == ["far"]
    assert made() == []


def test_a_list_of_exchanges_shows_a_bridge_in_one_line_and_makes_nothing(far):
    done = far.hbkit("exchanges")
    assert (done.code, done.err) == (0, "")
    (line,) = [line for line in done.out.splitlines() if line.startswith("far")]
    assert line.split("  ")[0] == "far:<id>"
    assert "3 exchanges through far 1.2" in line
    listed = far.hbkit("exchanges", "far")
    assert (listed.code, listed.out) == (0, "far:<id>, 3 exchanges through far 1.2: broken, fernk, polypus\n")
    (told,) = [one for one in far.hbkit("exchanges", "--json").json["bridges"] if one["name"].startswith("far:")]
    assert told == {
        "name": "far:<id>", "title": "3 exchanges through far 1.2",
        "exchanges": ["far:fernk", "far:polypus", "far:broken"],
    }  # fmt: skip
    assert far.hbkit("exchanges", "far", "--json").json == told
    assert made() == []
    assert far.hbkit("exchanges", "far:fernk").out.startswith("far:fernk: Far:Fernk\n")
    assert made() == ["far:fernk"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("far:ferk", 'no exchange of the name "far:ferk"; did you mean "far:fernk"? (hbkit exchanges far lists them)'),
        ("far:FERNK", 'did you mean "far:fernk"?'),
        ("far:zzzzzz", 'no exchange of the name "far:zzzzzz"; it has 3 others (hbkit exchanges far lists them)'),
        ("far:gone", "far:gone left in May; use far:fernk"),
        ("far:broken", '"far:broken" of far-dist 0.1 cannot be made: ValueError: half a row ('),
    ],
)
def test_a_name_that_a_bridge_does_not_have_is_told_with_the_way_out(far, name, told):
    far.write("d.yaml", CONFIG.replace("mode: replay", f"plugin: {name}, mode: replay"))
    done = far.hbkit("check", "d.yaml")
    assert done.code == 2
    assert done.err.startswith("error[HB20")
    assert "d.yaml:2:" in done.err
    assert told in done.err
    assert "Traceback" not in done.err


def test_a_new_strategy_makes_none_of_them(far):
    assert far.hbkit("new", "strategy", "fresh").code == 0
    assert made() == []


@pytest.mark.parametrize(("name", "meant"), [("fernk", "fernk"), ("Polypus", "polypus"), ("polyp", "polypus")])
def test_the_bare_name_of_an_exchange_behind_a_bridge_is_found_by_the_listing(far, name, meant):
    done = far.hbkit("exchanges", name)
    meant = f"far:{meant}"
    assert (done.code, done.err) == (
        2, f'error[HB201] exchange "{name}" needs a plugin that is not installed; did you mean "{meant}"?\n',
    )  # fmt: skip
    far.write("d.yaml", CONFIG.replace("mode: replay", f"plugin: {name}, mode: replay"))
    assert f"hbkit exchanges {name} looks for it behind all of them" in far.hbkit("check", "d.yaml").err
    assert made() == []


def test_a_bridge_that_is_not_installed_is_named_by_its_plugin(ready):
    ready.write("d.yaml", CONFIG.replace("mode: replay", "plugin: frr:okx, mode: replay"))
    told = 'error[HB201] d.yaml:2:30 exchange "frr:okx" needs the plugin "frr", which is not installed; installed: '
    assert ready.hbkit("check", "d.yaml").err.startswith(told)


def test_an_exchange_that_two_plugins_offer_is_refused_and_made_by_neither(far, site):
    plant(site, "near-dist", "near", BRIDGE.replace("polypus", "bitget"), "near")
    plugins = Plugins(["far", "near"])
    with pytest.raises(PluginError, match=r'the exchange "far:fernk" is offered by .* and by .*; block one'):
        plugins.exchange("far:fernk")
    assert made() == []


def test_a_bridge_whose_names_cannot_be_told_is_named_and_the_others_stay(far):
    plugins = Plugins(["far", "bitmex"])
    sys.modules["far"].bridge._tell = lambda: 1 / 0
    assert "bitmex_perpetual" in plugins.exchanges()
    with pytest.raises(PluginError, match=r'no exchange of the name "far:okx".*hbkit_exchanges of far-dist 0\.1'):
        plugins.exchange("far:okx")


# -- what is wrong with a plugin


BROKEN_FILES = {
    "misspelt": (
        "from hbkit import hookimpl\n@hookimpl\ndef hbkit_sesion_started(run_id): pass",
        "has the hook hbkit_sesion_started, which does not exist; did you mean \"hbkit_session_started\"?",
    ),
    "argument": (
        "from hbkit import hookimpl\n@hookimpl\ndef hbkit_session_started(run): pass",
        "Argument(s) {'run'} are declared in the hookimpl but can not be found in the hookspec",
    ),
    "wrapper": (
        "from hbkit import hookimpl\n@hookimpl(wrapper=True)\ndef hbkit_session_started(run_id):\n    return (yield)",
        "hbkit_session_started is a hook wrapper; write a plain hook",
    ),
    "syntax": ("def x(:", "guest.py:1:7 "),
    "import": ("x = 1\nimport nowhere_at_all", "guest.py:2 ModuleNotFoundError: No module named 'nowhere_at_all'"),
}


@pytest.mark.parametrize(("code", "text"), BROKEN_FILES.values(), ids=BROKEN_FILES)
def test_a_plugin_file_that_cannot_work_is_told(ready, code, text):
    ready.write("guest.py", code)
    done = ready.backtest(config=CONFIG + "plugins: {load: [guest.py]}")
    assert done.code == 2
    assert text in done.err
    assert "guest.py" in done.err
    assert ready.left_behind == []


def test_what_is_broken_does_not_stop_what_comes_after_it(ready):
    plugins = Plugins()
    with pytest.raises(PluginError, match="did you mean"):
        plugins.load_file(ready.write("bad.py", BROKEN_FILES["misspelt"][0]))
    plugins.load_file(ready.write("good.py", DIP_BUYER))
    assert list(plugins.strategies()) == ["dip_buyer"]


def test_a_plugin_file_is_looked_for_beside_the_config_first(ready):
    ready.write("elsewhere/guest.py", DIP_BUYER)
    text = CONFIG.replace("x.csv", "../x.csv").replace("use: one", "use: dip_buyer")
    ready.write("elsewhere/d.yaml", text + "plugins: {load: [guest.py]}")
    assert ready.hbkit("check", "elsewhere/d.yaml").code == 0


def test_an_offer_of_two_plugins_names_both(ready):
    plugins = Plugins()
    for name in ("a.py", "b.py"):
        plugins.load_file(ready.write(name, DIP_BUYER))
    with pytest.raises(PluginError, match=r'the strategy "dip_buyer" is offered by .*\.py and by .*\.py; block one'):
        plugins.strategies()


def test_built_in_fill_models_come_through_the_hook():
    assert list(Plugins().fill_models()) == ["queue", "touch", "through"]
    assert Plugins().loaded() == [("hbkit", "hbkit")]


# -- guests at work, each from a file beside the config


def with_guest(bench, code, config=CONFIG):
    bench.write("guest.py", "from hbkit import *\nfrom hbkit import hookimpl, Strategy\n" + code)
    return bench.backtest(config=config + "plugins: {load: [guest.py]}")


BUYER = """
def on_candle(self, candle):
    self.buy(100)

def on_order(self, order):
    self.log.info("told", status=order.status.value, reason=order.reason)
"""


def test_a_data_source_of_a_guest_is_replayed_with_the_seed_and_its_era(ready):
    ready.strategy("def on_start(self): self.log.info('grid', tick=str(self.instrument.tick_size))\n"
                   "def on_trade(self, trade): self.log.info('heard', price=trade.price)")  # fmt: skip
    done = with_guest(ready, """
import numpy as np
from hbkit.data.source import Batch, Rows, SourceInfo

class Ticks:
    def __init__(self, seed):
        self.price = 30_000.5 + seed

    def info(self):
        return SourceInfo("ticks", {"XBTUSD": frozenset({Rows.TRADE})}, 10**18, 10**18 + 2, era="2021-07-22")

    def windows(self, start, end):
        columns = (np.array([1, -1]), np.array([self.price] * 2), np.array([100.0] * 2))
        yield [Batch("XBTUSD", Rows.TRADE, np.array([10**18, 10**18 + 2]), columns)]

@hookimpl
def hbkit_data_sources():
    return {"ticks": Ticks}
""", CONFIG.replace("x.csv", "ticks") + "run: {seed: 7}\n")  # fmt: skip
    assert done.code == 0, done.err
    assert done.json["events"] == 2
    assert done.err.count("price=30007.5") == 2
    # XBTUSD had a tick of 0.5 in 2021, of 0.1 in 2026.
    assert "tick=0.5" in done.err


def test_a_fill_model_of_a_guest_decides(ready):
    guest = """
class Never:
    name = "never"
    uses_queue = False
    def fillable(self, beyond, leaves, offered):
        return 0

@hookimpl
def hbkit_fill_models():
    return {"never": Never}
"""
    ready.strategy("""
    def on_candle(self, candle):
        if not self.orders and not self.position.qty:
            self.buy(100, 9_900)
    """)
    config = CONFIG.replace("mode: replay", "mode: replay, fill_model: MODEL")
    assert with_guest(ready, guest, config.replace("MODEL", "touch")).json["fills"] == 1
    assert with_guest(ready, guest, config.replace("MODEL", "never")).json["fills"] == 0


def test_a_section_of_a_guest_stands_in_the_report(ready):
    done = with_guest(ready, """
@hookimpl
def hbkit_report_sections():
    return {"Of the guest": lambda result: f"<p>seed {result.seed} it was</p>"}
""")  # fmt: skip
    page = Path(done.json["report"]).read_text()
    assert "Of the guest" in page
    assert "<p>seed 0 it was</p>" in page


def test_a_veto_refuses_the_order_with_its_reason(ready):
    ready.strategy(BUYER)
    done = with_guest(ready, """
@hookimpl
def hbkit_check_order(request, strategy):
    return f"{strategy} may not {request.side.value} {request.units}"
""")  # fmt: skip
    assert (done.code, done.json["orders"], done.json["rejects"]) == (0, 0, 4)
    assert 'event=told status=rejected reason="one may not buy 100"' in done.err


def test_a_veto_that_raises_refuses_the_order_and_is_named(ready):
    ready.strategy(BUYER)
    done = with_guest(ready, """
@hookimpl
def hbkit_check_order(request):
    return 1 / 0
""")  # fmt: skip
    assert (done.code, done.json["orders"], done.json["rejects"]) == (0, 0, 4)
    assert "hbkit_check_order of guest.py raised ZeroDivisionError: division by zero (" in done.err
    assert "guest.py:6)" in done.err


def test_any_other_hook_that_raises_is_logged_with_its_origin_and_ends_nothing(ready):
    ready.strategy("def on_candle(self, candle): self.set_position_mode('hedge')")
    done = with_guest(ready, """
@hookimpl
def hbkit_session_started(run_id, mode): raise ValueError("at the start")
@hookimpl
def hbkit_session_stopped(): raise ValueError("at the end")
@hookimpl
def hbkit_position_mode_changed(change): raise ValueError("at a change")
@hookimpl
def hbkit_report_sections(): return {"Sad": lambda result: 1 / 0}
@hookimpl
def hbkit_exchanges(): raise ValueError("at an offer")
@hookimpl
def hbkit_data_sources(): return ["a list"]
""")  # fmt: skip
    assert (done.code, done.json["stop_reason"]) == (0, "end of data")
    for text in (
        "hbkit_session_started of guest.py raised ValueError: at the start",
        "hbkit_session_stopped of guest.py raised ValueError: at the end",
        "hbkit_position_mode_changed of guest.py raised ValueError: at a change",
        'the report section \\"Sad\\" of guest.py raised ZeroDivisionError',
        "hbkit_exchanges of guest.py raised ValueError: at an offer",
    ):
        assert done.err.count(text) == 1, text
    assert Path(done.json["report"]).is_file()


def test_a_strategy_object_may_carry_hooks(ready):
    """In hedge mode too, where reading `self.position` raises: finding the hooks must not read it."""
    ready.strategy("""
    def on_candle(self, candle):
        self.buy(100, position_side="long")

    @hookimpl
    def hbkit_check_order(self, request):
        return "the strategy itself objects" if self.now else None

    @hookimpl
    def hbkit_session_stopped(self, stop_reason):
        self.log.info("hook", why=stop_reason)
    """)
    done = ready.backtest(config=CONFIG.replace("mode: replay", "mode: replay, position_mode: hedge"))
    assert (done.code, done.json["rejects"]) == (0, 4)
    assert "the strategy itself objects" in " ".join(done.out.split())
    assert 'why="end of data"' in done.err
