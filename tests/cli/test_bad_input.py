"""Golden tests of wrong input: the text, the exit code, and that nothing half-written is left behind."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.workbench import CONFIG, environment


@pytest.fixture
def ready(bench):
    """A bench on which `CONFIG` runs."""
    bench.candles(10_000, 10_010, 10_020, 10_000)
    bench.strategy("def on_candle(self, candle): pass")
    return bench


def message(outcome):
    """What was said on stderr, without the log lines of a run."""
    return "\n".join(line for line in outcome.err.splitlines() if not line.startswith("ts="))


# -- the config


FAULTS = {
    "broken_yaml": ("exchanges: {a", "error[HB100] c.yaml:2:1 the mapping that opens with"),
    "unknown_key": (
        CONFIG.replace("mode: replay", "mdoe: replay"),
        'error[HB101] c.yaml:2:22 unknown key "mdoe" in exchanges.bitmex_perpetual; did you mean "mode"?',
    ),
    "plugin": (
        CONFIG.replace("bitmex_perpetual", "bitmex_perpetul"),
        'error[HB201] c.yaml:2:20 exchange "bitmex_perpetul" needs a plugin that is not installed; '
        'did you mean "bitmex_perpetual"?',
    ),
    "loaded_plugin": (
        CONFIG + "plugins: {load: [noen]}",
        'error[HB201] c.yaml:4:18 no plugin "noen" is installed; installed: ',
    ),
    "blocked_plugin": (
        CONFIG + "plugins: {block: [bitmex_perpetual]}",
        'error[HB202] c.yaml:2:21 plugin "bitmex_perpetual" is in plugins.block of the config; take it out to use it',
    ),
    "strategy": (
        CONFIG.replace("use: one", "use: oen"),
        'error[HB301] c.yaml:3:20 no strategy "oen"; did you mean "one"? `hbkit strategies` lists them',
    ),
    "strategy_file": (
        CONFIG.replace("use: one", "use: strategies/two.py"),
        "error[HB201] strategies/two.py no such file",
    ),
    "strategy_class": (
        CONFIG.replace("use: one", "use: strategies/one.py:Two"),
        "error[HB301] c.yaml:3:20 strategies/one.py has no strategy Two; it has One; write use: one.py:CLASS",
    ),
    "native_symbol": (
        CONFIG.replace("XBTUSD", "XBTUDS"),
        'error[HB401] c.yaml:3:39 bitmex_perpetual has no instrument "XBTUDS"; did you mean "XBTUSD"?',
    ),
    "unified_symbol": (
        CONFIG.replace("XBTUSD", "BTC/UDS:BTC"),
        'error[HB401] c.yaml:3:39 bitmex_perpetual has no instrument "BTC/UDS:BTC"; did you mean "BTC/USD:BTC"?',
    ),
    "spot_on_perpetual": (
        CONFIG.replace("XBTUSD", "XBT_USDT"),
        "error[HB403] c.yaml:3:39 XBT_USDT is spot; use the exchange bitmex for it",
    ),
    "perpetual_on_spot": (
        CONFIG.replace("bitmex_perpetual", "bitmex"),
        "error[HB403] c.yaml:3:39 XBTUSD is a contract; use the exchange bitmex_perpetual for it",
    ),
    "parameter": (
        CONFIG.replace("[XBTUSD]", "[XBTUSD], params: {qtx: 5}"),
        'error[HB302] c.yaml:3:62 unknown parameter "qtx" of One; parameters: none',
    ),
    "wrong_type": (
        CONFIG + "risk: {max_position: ten}",
        'error[HB103] c.yaml:4:22 risk.max_position must be a number > 0, got text "ten"',
    ),
    "mode_not_built": (
        CONFIG.replace("mode: replay", "plugin: bitmex_testnet, mode: live"),
        'error[HB205] c.yaml:2:52 bitmex_testnet has no mode "live"; it has testnet',
    ),
    "currency": (
        CONFIG.replace("mode: replay", "mode: replay, balances: {XBTC: 1}"),
        'error[HB112] c.yaml:2:46 bitmex_perpetual has no currency XBTC; did you mean "XBT"?',
    ),
    "fill_model": (
        CONFIG.replace("mode: replay", "mode: replay, fill_model: queu"),
        'error[HB206] c.yaml:2:48 no fill model "queu"; did you mean "queue"?',
    ),
    "data_source": (
        CONFIG.replace("x.csv", "bitmex-2019-05-30"),
        'error[HB500] c.yaml:2:51 no data source "bitmex-2019-05-30" and no such file; '
        'did you mean "bitmex-2019-05-29"?',
    ),
    "data_file": (
        CONFIG.replace("x.csv", "y.csv"),
        'error[HB500] c.yaml:2:51 data file "y.csv" not found; .csv files in that folder: x.csv',
    ),
    "span": (
        CONFIG.replace("x.csv", "x.csv, from: 2030-01-01"),
        "error[HB503] c.yaml:2:44 data covers 2021-07-22T00:01:00.000Z..2021-07-22T00:04:00.000Z; asked "
        "2030-01-01T00:00:00.000Z..the end",
    ),
    "interval": (
        CONFIG.replace("[XBTUSD]", "[XBTUSD], candles: [90s]"),
        "error[HB506] c.yaml:3:57 one needs 90s candles of XBTUSD, there are 1m; write candles: [1m] or a "
        "multiple of it",
    ),
    "no_strategy": (
        "exchanges: {bitmex_perpetual: {mode: replay, replay: {data: x.csv}}}",
        "error[HB109] c.yaml:1:1 no strategy: write strategies: [{use: NAME, instruments: [SYMBOL]}]",
    ),
}


NOT_OF_BACKTEST = {name: fault for name, fault in FAULTS.items() if name != "mode_not_built"}


@pytest.mark.parametrize(("config", "text"), NOT_OF_BACKTEST.values(), ids=NOT_OF_BACKTEST)
def test_a_fault_of_the_config_is_told_with_its_place_and_nothing_is_started(ready, config, text):
    done = ready.backtest(config=config)
    assert done.code == 2
    assert text in message(done)
    assert "Traceback" not in done.err
    assert done.json["exit_code"] == 2
    assert done.json["error"]["code"] == text[6:11]
    assert text in done.json["error"]["message"]
    assert ready.left_behind == []


@pytest.mark.parametrize(("config", "text"), FAULTS.values(), ids=FAULTS)
def test_check_finds_the_same(ready, config, text):
    ready.write("c.yaml", config)
    done = ready.hbkit("check", "c.yaml")
    assert (done.code, done.out) == (2, "")
    assert text in message(done)


def test_all_faults_come_at_once_in_the_order_of_the_file(ready):
    ready.write("c.yaml", """
    exchanges:
      bitmex_perpetual: {mode: replay, fill_model: none, replay: {data: x.csv}}
    strategies:
      - {use: oen, instruments: [XBTUSD]}
      - {use: one, instruments: [XBTUDS]}
    plugins: {load: [nowhere.py]}
    """)
    done = ready.hbkit("check", "c.yaml", "--json")
    assert done.json["ok"] is False
    assert [(fault["code"], fault["line"]) for fault in done.json["faults"]] == [
        ("HB301", 4), ("HB401", 5), ("HB201", None),
    ]  # fmt: skip
    assert message(done).endswith("3 errors, nothing was started")


def test_a_config_that_is_not_there_names_those_that_are(ready):
    ready.write("demo.yaml", CONFIG)
    done = ready.hbkit("backtest", "x.yaml", "--json")
    assert done.code == 2
    assert message(done) == 'error[HB100] config file "x.yaml" not found; configs here: demo.yaml'
    assert done.json == {
        "error": {"code": "HB100", "message": message(done)}, "exit_code": 2,
    }  # fmt: skip
    assert ready.left_behind == []


# -- the strategy file


BROKEN_STRATEGIES = {
    "syntax": ("def on_candle(self, candle) pass", "error[HB301] strategies/one.py:6:"),
    "import": (
        "import nowhere_to_be_found",
        "error[HB301] strategies/one.py:6 ModuleNotFoundError: No module named 'nowhere_to_be_found'",
    ),
    "exit": ("raise SystemExit(0)", "error[HB301] strategies/one.py:6 SystemExit: 0"),
    "misspelt_callback": (
        "def on_cnadle(self, candle): pass",
        "error[HB303] strategies/one.py:6 One has on_cnadle; no such callback. Did you mean \"on_candle\"?",
    ),
    "async_callback": (
        "async def on_trade(self, trade): pass",
        "error[HB304] strategies/one.py:6 One.on_trade is async; market callbacks are plain functions: write def "
        "on_trade(...), calls such as self.buy() return at once and need no await",
    ),
    "arguments": (
        "def on_candle(self): pass",
        "error[HB303] strategies/one.py:6 One.on_candle must be def on_candle(self, candle)",
    ),
    "misspelt_hook": (
        "@hookimpl\ndef hbkit_check_oder(self): pass",
        "One has the hook hbkit_check_oder, which does not exist; did you mean \"hbkit_check_order\"?",
    ),
    "feed": (
        "def on_quote(self, quote): pass",
        "error[HB506] c.yaml:3:20 one listens to quote of XBTUSD, but the data x.csv has only candle",
    ),
}


@pytest.mark.parametrize(("body", "text"), BROKEN_STRATEGIES.values(), ids=BROKEN_STRATEGIES)
def test_a_strategy_file_that_cannot_work_is_told_with_its_line(ready, body, text):
    ready.strategy(body)
    done = ready.backtest()
    assert done.code == 2
    assert text in message(done)
    assert done.json["exit_code"] == 2
    assert ready.left_behind == []
    assert text in message(ready.hbkit("check", "c.yaml"))


def test_an_init_that_raises_is_the_strategys_failure_and_leaves_nothing(ready):
    ready.strategy("def __init__(self):\n    self.x = 1 / 0")
    done = ready.backtest()
    assert done.code == 5
    assert message(done) == (
        "error[HB310] strategy one: ZeroDivisionError: division by zero at strategies/one.py:7 in __init__"
    )
    assert ready.left_behind == []


# -- what a strategy asks for


def test_a_quantity_of_zero_fails_the_strategy_and_names_the_line(ready):
    ready.strategy("def on_candle(self, candle):\n    self.buy(0)")
    done = ready.backtest()
    assert (done.code, done.json["exit_code"], done.json["stop_reason"]) == (5, 5, "strategy failed")
    told = "buy(0) of XBTUSD: the quantity must be above 0; one lot is 100 at strategies/one.py:7 in on_candle"
    assert told in done.err
    assert told in " ".join(done.out.split())
    assert done.json["orders"] == 0


def test_a_quantity_below_one_lot_is_a_refused_order_and_a_warning(ready):
    ready.strategy("""
    def on_candle(self, candle):
        self.buy(50)

    def on_order(self, order):
        self.log.info("told", status=order.status.value, reason=order.reason)
    """)
    done = ready.backtest()
    assert (done.code, done.json["orders"], done.json["rejects"]) == (0, 0, 4)
    assert "warning[HB411] 4 orders were refused, the first: quantity 50 is below one lot of 100" in " ".join(
        done.out.split()
    )
    assert 'event=told status=rejected reason="quantity 50 is below one lot of 100"' in done.err


def test_an_off_grid_price_goes_out_rounded_passively(ready):
    ready.strategy("""
    def on_candle(self, candle):
        if not self.orders:
            self.buy(100, 9000.17)
            self.sell(100, 11000.13)

    def on_order(self, order):
        self.log.info("told", price=order.price)
    """)
    done = ready.backtest()
    assert (done.code, done.json["orders"], done.json["rejects"]) == (0, 2, 0)
    assert "price=9000.1" in done.err
    assert "price=11000.2" in done.err


# -- data files


@pytest.mark.parametrize(
    ("swap", "text"),
    [
        (lambda rows: [*rows[:6], rows[7], rows[6], *rows[8:]], "error[HB504] x.csv:8 "),
        (lambda rows: [*rows[:3], rows[0], *rows[3:]], "error[HB501] x.csv:4 repeated header; remove line 4"),
    ],
    ids=["unsorted", "repeated_header"],
)
def test_a_data_file_that_is_wrong_is_told_with_its_line_and_leaves_nothing(ready, swap, text):
    rows = ready.candles(*[10_000] * 10).read_text().splitlines()
    ready.write("x.csv", "\n".join(swap(rows)) + "\n")
    done = ready.backtest()
    assert done.code == 2
    assert text in message(done)
    assert done.json["error"]["message"].startswith(text)
    assert ready.left_behind == []
    assert text in message(ready.hbkit("check", "c.yaml"))


def test_a_fault_deep_in_a_file_ends_the_run_and_leaves_nothing(ready):
    """The first look does not read so far: the strategy has run by then."""
    ready.candles(*[10_000] * 3_000)
    with ready.folder.joinpath("x.csv").open("a") as file:
        file.write("2021-07-22T00:00:00Z,1,1,1,1,1\n")
    done = ready.backtest()
    assert done.code == 2
    assert "x.csv:3002 " in message(done)
    assert ready.left_behind == []


def test_check_tells_of_gaps_in_the_data(ready):
    rows = ready.folder.joinpath("x.csv").read_text().splitlines()
    ready.write("x.csv", "\n".join([*rows[:2], *rows[3:]]) + "\n")
    ready.write("c.yaml", CONFIG)
    done = ready.hbkit("check", "c.yaml", "--json")
    assert done.code == 0
    (warning,) = done.json["warnings"]
    assert warning.startswith("warning[HB502] XBTUSD: 1 1m candles are missing")


# -- the command line


USAGE = {
    "command": (["rnu"], 'error[HB001] no command "rnu"; did you mean "run"?'),
    "flag": (["backtest", "c.yaml", "--sedd", "1"], "error[HB001] No such option '--sedd'"),
    "argument": (["backtest"], "error[HB001] Missing argument 'CONFIG'; see hbkit backtest --help"),
    "mode": (["run", "c.yaml", "--mode", "lvie"], "error[HB001] Invalid value for '--mode': 'lvie' is not one of"),
    "seed": (["run", "c.yaml", "--seed", "x"], "error[HB001] Invalid value for '--seed'"),
    "for": (["run", "c.yaml", "--for", "soon"], "error[HB103] --set run.duration=soon "),
    "from": (["backtest", "c.yaml", "--from", "monday"], "must be a time such as 2019-05-28"),
    "set": (["run", "c.yaml", "--set", "risk"], "error[HB001] --set --set takes path=value"),
    "set_key": (["run", "c.yaml", "--set", "run.sedd=1"], 'unknown key "sedd" in run; did you mean "seed"?'),
    "report": (["report"], "error[HB001] no runs in runs; start one: hbkit run"),
}


@pytest.mark.parametrize(("words", "text"), USAGE.values(), ids=USAGE)
def test_wrong_words_on_the_command_line(ready, words, text):
    ready.write("c.yaml", CONFIG)
    done = ready.hbkit(*words, "--json")
    assert done.code == 2
    assert text in message(done)
    assert done.json["exit_code"] == 2
    assert text in done.json["error"]["message"]
    assert ready.left_behind == []


def test_a_folder_that_cannot_be_written_is_told_and_nothing_is_left(ready):
    ready.write("plain", "a file\n")
    done = ready.backtest("--set", "run.dir=plain/runs")
    assert done.code == 2
    assert message(done) == (
        "error[HB601] cannot write reports in plain/runs (Not a directory); set run: {dir: ...}"
    )
    done = ready.backtest("--set", "state.dir=plain/state")
    assert done.code == 2
    assert message(done).startswith("error[HB601] cannot write state in plain/state (")
    assert ready.left_behind == []


def test_a_state_file_that_is_none_is_told_and_kept(ready):
    ready.write("state/c.replay.db", "not a database, but long enough to be looked at\n" * 30)
    done = ready.backtest()
    assert done.code == 2
    assert "state/c.replay.db is no state file of hbkit" in message(done)
    assert ready.left_behind == ["c.replay.db"]


# -- signals, pipes and places that cannot show much


LONG = """
def on_start(self):
    with open("started", "w") as fifo:
        fifo.write("on")
    self.seen = 0

def on_candle(self, candle):
    sum(range(50_000))  # long enough for a signal to arrive before two thousand candles are over
    self.seen += 1
    if self.seen == 1:
        self.buy(100, 5000)
"""


@pytest.mark.parametrize(
    ("number", "code", "reason"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 0, "terminated")],
    ids=["SIGINT", "SIGTERM"],
)
def test_a_signal_in_mid_run_ends_it_cleanly(ready, number, code, reason):
    os.mkfifo(ready.folder / "started")
    ready.candles(*[10_000] * 2_000)
    ready.strategy(LONG)
    ready.write("c.yaml", CONFIG)
    child = subprocess.Popen(
        [sys.executable, "-m", "hbkit", "backtest", "c.yaml", "--json"],
        cwd=ready.folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert ready.folder.joinpath("started").read_text() == "on"
    child.send_signal(number)
    out, err = child.communicate(timeout=30)
    result = json.loads(out.splitlines()[-1])
    assert child.returncode == code, err
    assert (result["stop_reason"], result["exit_code"]) == (reason, code)
    assert result["events"] < 4_000
    assert ready.folder.joinpath(result["report"]).is_file()
    assert ready.folder.joinpath(result["journal"]).is_file()


def test_a_reader_that_goes_away_changes_nothing(ready):
    ready.write("c.yaml", CONFIG)
    for words in (["plugins"], ["backtest", "c.yaml", "--json"]):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(
            [sys.executable, "-m", "hbkit", *words],
            cwd=ready.folder, env=environment(), stdout=write, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        os.close(write)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        assert "BrokenPipe" not in done.stderr
    assert len(ready.run_folders) == 1


def test_a_locale_without_unicode_is_shown_ascii(ready):
    ready.write("c.yaml", CONFIG.replace("use: one", "use: one, name: one"))
    done = ready.process("backtest", "c.yaml", PYTHONIOENCODING="ascii", NO_COLOR="1")
    assert done.code == 0, done.err
    assert done.out.isascii()
    assert "\x1b" not in done.out + done.err
    ready.strategy('"""Käse and φ."""\ndef on_candle(self, candle): pass')
    done = ready.process("strategies", PYTHONIOENCODING="ascii")
    assert (done.code, done.err) == (0, "")
    assert "K\\xe4se" in done.out
