"""A replay from config to result: what it prints and leaves behind, and that it repeats."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.workbench import CONFIG

KEYS = {
    "run_id", "mode", "seed", "started", "stopped", "stop_reason", "exit_code", "events", "orders", "fills", "rejects",
    "starting_balance", "transfers", "fees", "funding", "realized_pnl", "unrealized_pnl", "equity", "positions",
    "report", "journal", "journal_hash", "strategies",
}  # fmt: skip
TRADER = """
def on_candle(self, candle):
    self.log.info("heard", close=candle.close)
    qty = 100 * self.random.randint(1, 9)
    self.buy(qty) if self.random.random() < 0.5 else self.sell(qty)

def on_fill(self, fill):
    self.log.info("filled", price=fill.price, qty=fill.qty, side=fill.side.value)
"""
WAVE = [10_000 + 37 * (minute % 7) - 11 * (minute % 5) for minute in range(30)]


@pytest.fixture
def ready(bench):
    bench.candles(*WAVE)
    bench.strategy(TRADER)
    return bench


def heard(outcome):
    return [float(close) for close in re.findall(r"event=heard close=([\d.]+)", outcome.err)]


def test_the_last_line_has_all_keys_in_their_formats(ready):
    done = ready.backtest()
    result = done.json
    assert done.code == 0
    assert set(result) >= KEYS
    assert (result["mode"], result["seed"], result["exit_code"]) == ("replay", 0, 0)
    assert result["stop_reason"] == "end of data"
    for key in ("started", "stopped"):
        assert re.fullmatch(r"2021-07-22T00:\d\d:\d\d\.\d{3}Z", result[key]), key
    for key in ("events", "orders", "fills", "rejects"):
        assert isinstance(result[key], int)
    for key in ("starting_balance", "transfers", "fees", "funding", "realized_pnl", "unrealized_pnl", "equity"):
        assert re.fullmatch(r"-?\d+\.\d{8}", result[key]["XBT"]), key
    (position,) = result["positions"]
    assert set(position) == {"exchange", "instrument", "side", "qty", "entry_price"}
    (strategy,) = result["strategies"]
    assert set(strategy) == {"name", "orders", "fills", "realized_pnl"}
    assert (strategy["orders"], strategy["fills"]) == (result["orders"], result["fills"]) == (30, 29)
    assert re.fullmatch("[0-9a-f]{64}", result["journal_hash"])


def test_a_run_leaves_its_config_log_report_result_and_journal(ready):
    result = ready.backtest().json
    folder = Path("runs") / result["run_id"]
    assert sorted(path.name for path in folder.iterdir()) == ["config.yaml", "report.html", "result.json", "run.log"]
    assert (folder / "config.yaml").read_text() == Path("c.yaml").read_text()
    assert (folder / "run.log").read_text().count("event=filled") == 29
    assert result["report"] == str(folder / "report.html")
    assert result["journal"] == "state/c.replay.db"
    with closing(sqlite3.connect(result["journal"])) as db:
        assert db.execute("SELECT run_id, stop_reason, journal_hash FROM runs").fetchall() == [
            (result["run_id"], "end of data", result["journal_hash"])
        ]
        assert db.execute("SELECT COUNT(*) FROM executions").fetchone() == (29,)
    assert re.fullmatch(r"c-\d{8}-\d{6}", result["run_id"])


def test_the_name_and_the_folders_are_those_of_the_config(ready):
    more = "run: {name: mine, dir: out}\nstate: {dir: kept}"
    result = ready.backtest(config=CONFIG + more).json
    assert result["run_id"].startswith("mine-2")
    assert result["report"] == f"out/{result['run_id']}/report.html"
    assert result["journal"] == "kept/mine.replay.db"


def test_an_older_state_goes_home_to_its_run_and_one_line_says_so(ready):
    first = ready.backtest()
    assert "empty state" not in first.err
    second = ready.backtest()
    assert second.json["run_id"] != first.json["run_id"]
    told = [line for line in second.err.splitlines() if "empty state" in line]
    assert len(told) == 1
    assert f"the state of run {first.json['run_id']} is now runs/{first.json['run_id']}/journal.db" in told[0]
    assert Path("runs", first.json["run_id"], "journal.db").is_file()
    assert second.json["journal_hash"] == first.json["journal_hash"]
    assert second.json["starting_balance"] == first.json["starting_balance"]


def test_the_same_run_in_another_folder_with_another_hash_seed_does_the_same(ready, tmp_path):
    ready.write("c.yaml", CONFIG)
    one = ready.process("backtest", "c.yaml", "--json", "--seed", "5", PYTHONHASHSEED="1")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    ready.folder = elsewhere
    two = ready.process("backtest", "../c.yaml", "--json", "--seed", "5", PYTHONHASHSEED="2", TZ="America/New_York")
    assert (one.code, two.code) == (0, 0), one.err + two.err
    assert one.json["journal_hash"] == two.json["journal_hash"]
    same = KEYS - {"run_id", "report"}
    assert {key: one.json[key] for key in same} == {key: two.json[key] for key in same}
    filled = [[line for line in done.err.splitlines() if "event=filled" in line] for done in (one, two)]
    assert filled[0] == filled[1]
    assert len(filled[0]) == 29


def test_another_seed_draws_otherwise(ready):
    assert ready.backtest("--seed", "1").json["journal_hash"] != ready.backtest("--seed", "2").json["journal_hash"]
    assert ready.backtest("--seed", "1").json["seed"] == 1


# -- how much of the data


@pytest.mark.parametrize(
    ("words", "more", "minutes"),
    [
        ([], "", range(30)),
        # A candle is heard at its close: the one of 00:10 opens at 00:09.
        (["--from", "2021-07-22T00:10:00Z"], "", range(9, 30)),
        (["--to", "2021-07-22T00:10:00Z"], "", range(9)),
        (["--from", "2021-07-22T00:05:00Z", "--to", "2021-07-22T00:10:00Z"], "", range(4, 9)),
        ([], ", from: 2021-07-22T00:05:00Z, to: 2021-07-22T00:10:00Z", range(4, 9)),
        (["--for", "5m"], ", from: 2021-07-22T00:05:00Z", range(4, 9)),
        (["--set", "exchanges.bitmex_perpetual.replay.from=2021-07-22T00:20:00Z"], "", range(19, 30)),
    ],
    ids=["all", "from", "to", "both", "config", "for", "set"],
)
def test_from_to_and_for_cut_the_data(ready, words, more, minutes):
    done = ready.backtest(*words, config=CONFIG.replace("x.csv", f"x.csv{more}"))
    assert done.code == 0, done.err
    assert heard(done) == [float(WAVE[minute]) for minute in minutes]


def test_for_is_data_time(ready):
    result = ready.backtest("--for", "10m").json
    assert (result["started"], result["stopped"]) == ("2021-07-22T00:01:00.000Z", "2021-07-22T00:11:00.000Z")


# -- several at once


def test_several_instruments_come_on_one_time_line(ready):
    ready.candles(*[200 + minute for minute in range(30)], name="eth.csv", start="2021-07-22T00:00:30Z")
    ready.strategy("""
    def on_candle(self, candle):
        self.log.info("heard", close=candle.close, symbol=str(candle.instrument), at=candle.ts)
        if candle.instrument == "ETHUSD" and candle.close == 205:
            self.market("ETHUSD").buy(10)
    """)
    done = ready.backtest(config="""
    exchanges: {bitmex_perpetual: {mode: replay, replay: {data: {XBTUSD: x.csv, ETHUSD: eth.csv}}}}
    strategies: [{use: one, instruments: [XBTUSD, ETH/USD:BTC, XBTUSD, "BTC/USD:BTC"]}]
    """)
    assert done.code == 0, done.err
    times = [int(ts) for ts in re.findall(r" at=(\d+)", done.err)]
    assert len(times) == 60
    assert times == sorted(times)
    assert done.err.count("symbol=ETHUSD") == 30
    assert [position["instrument"] for position in done.json["positions"]] == ["ETHUSD"]


def test_two_accounts_of_one_venue_are_apart(ready):
    """Each strategy trades on an account of its own, and hears of no other's money or mode."""
    ready.strategy("""
    qty: float = Param(100)
    def on_candle(self, candle):
        if not self.position.qty:
            self.buy(self.qty)
    def on_balance(self, balance):
        self.log.info("balance", total=f"{balance.total:.8f}")
    def on_position_mode(self, change):
        self.log.info("mode", of=change.exchange)
    def on_connected(self, exchange):
        self.log.info("connected", to=exchange)
    """)
    done = ready.backtest("--to", "2021-07-22T00:03:00Z", config="""
    exchanges:
      left: {plugin: bitmex_perpetual, mode: replay, balances: {XBT: 1}, replay: {data: x.csv}}
      right: {plugin: bitmex_perpetual, mode: replay, balances: {XBT: 2}, replay: {data: x.csv}}
    strategies:
      - {use: one, name: first, exchange: left, instruments: [XBTUSD]}
      - {use: one, name: second, exchange: right, instruments: [XBTUSD], params: {qty: 200}}
    """)
    assert done.code == 0, done.err
    assert done.json["starting_balance"] == {"XBT": "3.00000000"}
    assert [(held["exchange"], held["qty"]) for held in done.json["positions"]] == [("left", "100"), ("right", "200")]
    # 100 and 200 USD at 10,000: 0.05 % of 0.01 and 0.02 XBT.
    assert re.findall(r"logger=first event=balance total=(\S+)", done.err) == ["0.99999500"]
    assert re.findall(r"logger=second event=balance total=(\S+)", done.err) == ["1.99999000"]
    assert re.findall(r"logger=(\w+) event=mode of=(\w+)", done.err) == [("first", "left"), ("second", "right")]
    assert [(row["name"], row["fills"]) for row in done.json["strategies"]] == [("first", 1), ("second", 1)]


def test_two_strategies_on_one_instrument_of_one_account_are_a_fault(ready):
    done = ready.backtest(config="""
    exchanges: {bitmex_perpetual: {mode: replay, replay: {data: x.csv}}}
    strategies:
      - {use: one, name: a, instruments: [XBTUSD]}
      - {use: one, name: b, instruments: [XBTUSD]}
    """)
    assert done.code == 2
    assert "error[HB108] c.yaml:4:38 XBTUSD on bitmex_perpetual belongs to strategy a already" in done.err


# -- where strategies come from


def test_use_looks_beside_the_config_then_in_its_parent_then_here(ready):
    body = "def on_start(self): self.log.info('from {}')"
    text = CONFIG.replace("x.csv", "../../x.csv")
    ready.write("a/b/c.yaml", text)
    ready.strategy(body.format("here"))
    for folder, place in (("", "here"), ("a/", "parent"), ("a/b/", "beside")):
        ready.strategy(body.format(place), name="one")
        if folder:
            ready.write(f"{folder}strategies/one.py", Path("strategies/one.py").read_text())
        done = ready.hbkit("backtest", "a/b/c.yaml")
        assert f'event="from {place}"' in done.err


@pytest.mark.parametrize("use", ["strategies/two.py:Second", "strategies/two.py:second", "./strategies/two.py:Second"])
def test_use_takes_a_class_in_a_file(ready, use):
    ready.write("strategies/two.py", """
    from hbkit import Strategy
    class First(Strategy): pass
    class Second(Strategy):
        def on_start(self): self.log.info("second here")
    """)
    assert 'event="second here"' in ready.backtest(config=CONFIG.replace("use: one", f"use: {use}")).err


def test_use_of_a_file_with_two_classes_asks_which(ready):
    ready.write("strategies/two.py", "from hbkit import Strategy\nclass A(Strategy): pass\nclass B(Strategy): pass\n")
    done = ready.backtest(config=CONFIG.replace("use: one", "use: two"))
    assert (done.code, "it has A, B; write use: two.py:CLASS" in done.err) == (2, True)


# -- fill models, warnings, limits


def test_candles_fill_through_and_quotes_with_sizes_by_the_queue(ready):
    assert "Fills        through" in ready.backtest().out
    ready.write("q.csv", """
    timestamp,bid,bidSize,ask,askSize
    2021-07-22T00:00:00Z,10000,500,10001,500
    2021-07-22T00:01:00Z,10000,400,10001,500
    """)
    ready.strategy("def on_quote(self, quote): pass")
    assert "Fills        queue" in ready.backtest(config=CONFIG.replace("x.csv", "q.csv")).out


def test_the_queue_without_sizes_is_a_warning_everywhere(ready):
    config = CONFIG.replace("mode: replay", "mode: replay, fill_model: queue")
    done = ready.backtest(config=config)
    assert done.code == 0
    assert "warning[HB507] c.yaml:2:48 fill_model queue without recorded sizes" in " ".join(done.out.split())
    assert "warning[HB507]" in ready.hbkit("check", "c.yaml").err


def test_prices_of_the_data_off_the_tick_are_a_warning(ready):
    ready.candles(10_000.05, 10_000.05, 10_000.05)
    assert "prices of XBTUSD in the data are off its tick" in " ".join(ready.backtest().out.split())


def test_orders_per_minute_are_counted_over_all_strategies(ready):
    ready.strategy("def on_start(self):\n    [self.buy(100) for _ in range(3)]")
    done = ready.backtest(config="""
    exchanges:
      left: {plugin: bitmex_perpetual, mode: replay, replay: {data: x.csv}}
      right: {plugin: bitmex_perpetual, mode: replay, replay: {data: x.csv}}
    strategies:
      - {use: one, name: a, exchange: left, instruments: [XBTUSD]}
      - {use: one, name: b, exchange: right, instruments: [XBTUSD]}
    risk: {max_orders_per_minute: 4}
    """)
    assert [(row["name"], row["orders"]) for row in done.json["strategies"]] == [("a", 3), ("b", 1)]
    assert done.json["rejects"] == 2


def test_a_drawdown_beyond_the_limit_ends_the_run_with_6(ready):
    """A short of 1,000,000 USD costs 0.05 XBT in fees at 10,000 and 100 - 98.0392 XBT at 10,200: 2.0108 of 10 XBT."""
    ready.candles(10_000, 10_000, 10_100, 10_200, 10_300, 10_400)
    ready.strategy("""
    def on_candle(self, candle):
        if not self.position.qty and not self.orders:
            self.sell(1_000_000)
            self.buy(100, 5_000)
    """)
    config = CONFIG.replace("mode: replay", "mode: replay, balances: {XBT: 10}, margin: {leverage: 100}")
    done = ready.backtest(config=config + "risk: {max_drawdown: 15%}")
    assert (done.code, done.json["exit_code"]) == (6, 6), done.err
    assert done.json["stop_reason"].startswith("risk.max_drawdown: XBT fell by 20.11%")
    assert done.json["stopped"] < "2021-07-22T00:06:00.000Z"
    assert Path(done.json["report"]).is_file()
