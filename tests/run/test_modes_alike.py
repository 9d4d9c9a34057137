"""One strategy file in modes simulator, paper and replay: the same fills, and the same told on the way to them.

Simulator and paper run in virtual time, from where the replay begins on the tape, so that times are the same too. The
stretch from 19:15 is a lively one of the tape; no funding lies in it.
"""

import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hbkit.cli import live
from hbkit.clock import SECOND, ManualClock, iso, parse_time
from hbkit.config import load_config
from hbkit.plugins import Plugins
from hbkit.report.result import RunResult
from hbkit.run import Replay, make_plan
from tests.workbench import Bench

STRATEGIES = Path(__file__).resolve().parents[2] / "strategies"
MODES = ("simulator", "paper", "replay")
STEP = 1_000_000
"""The wire tells times in milliseconds."""
BUSY = '''
"""Rests, amends, cancels, takes and is refused: decided by trades, by the book and by timers."""

from hbkit import Fill, OrderBook, Param, Strategy, Trade


class Busy(Strategy):
    qty: float = Param(100, gt=0)

    def on_start(self) -> None:
        self.trades = 0
        self.side = "buy"
        self.every(7, self.turn)
        self.every(11.5, self.take)

    def turn(self) -> None:
        self.cancel_all()
        self.side = "sell" if self.position.qty > 0 else "buy"

    def take(self) -> None:
        touch = self.last_quote
        if touch is None or abs(self.position.qty) > 5 * self.qty:
            return
        if self.position.qty <= 0:
            self.buy(self.qty, touch.ask, time_in_force="ioc")
        else:
            self.sell(2 * self.qty, touch.bid, time_in_force="ioc")

    def on_trade(self, trade: Trade) -> None:
        self.trades += 1
        if self.trades % 40 == 0:
            # Refused where it would take: the trade may have eaten what stood there.
            self.buy(self.qty, trade.price, post_only=True, tag="follow")

    def on_fill(self, fill: Fill) -> None:
        if self.random.random() < 0.2:
            self.cancel_all()

    def on_book(self, book: OrderBook) -> None:
        bid, ask, tick = book.best_bid, book.best_ask, float(self.instrument.tick_size)
        if bid is None or ask is None:
            return
        price = bid - 2 * tick if self.side == "buy" else ask + 2 * tick
        mine = [order for order in self.orders if not order.tag]
        if not mine:
            (self.buy if self.side == "buy" else self.sell)(self.qty, price, post_only=True)
        elif mine[0].status == "open" and abs(mine[0].price - price) > 2.5 * tick:
            self.amend(mine[0].id, price=price)
'''
WAITING = '''
"""Stops, take profits, trailing stops and icebergs, close to the market so that all of them come to something."""

from hbkit import Param, Strategy


class Waiting(Strategy):
    qty: float = Param(100, gt=0)

    def on_start(self) -> None:
        self.turn = 0
        self.every(3.25, self.act)

    def act(self) -> None:
        touch, tick = self.last_quote, float(self.instrument.tick_size)
        if touch is None:
            return
        if len(self.orders) > 6:
            self.cancel(self.orders[0])
        self.turn += 1
        kind = self.turn % 6
        if kind == 0:
            self.buy(self.qty, trigger_price=touch.ask + 2 * tick, trigger_by="last", trigger_kind="stop", tag="stop")
        elif kind == 1:
            self.sell(
                self.qty, touch.bid - 4 * tick, trigger_price=touch.bid - 2 * tick, trigger_by="last",
                trigger_kind="stop", tag="stop limit",
            )
        elif kind == 2:
            self.sell(
                self.qty, trigger_price=touch.ask + 3 * tick, trigger_by="last", trigger_kind="take_profit", tag="take",
            )
        elif kind == 3:
            self.sell(self.qty, trail=2 * tick, trigger_by="last", tag="trail")
        elif kind == 4:
            self.buy(4 * self.qty, touch.bid, display_qty=self.qty, tag="iceberg")
        else:
            waiting = [order for order in self.orders if order.status == "untriggered" and order.tag == "stop"]
            if waiting:
                self.amend(waiting[0], trigger_price=touch.ask + tick)
            self.buy(self.qty, trigger_price=touch.ask + 2 * tick, trigger_kind="stop", tag="mark stop")
'''
LISTENER = '''
"""Writes down what it hears, and trades a little so that its own orders are in it."""

from hbkit import Param, Strategy

HEARD = []


class Listener(Strategy):
    qty: float = Param(100, gt=0)

    def on_start(self):
        HEARD.clear()
        self.begun = self.now
        self.every(4.25, self.act)

    def act(self):
        self.note("timer")
        touch, tick = self.last_quote, float(self.instrument.tick_size)
        if self.orders:
            self.cancel(self.orders[0].id)
        self.buy(3 * self.qty, touch.bid + tick)
        self.sell(3 * self.qty, touch.ask + 3 * tick)
        self.sell(2 * self.qty) if self.position.qty > 0 else self.buy(2 * self.qty)

    def note(self, *what):
        if self.now > self.begun + 1_000_000:
            HEARD.append((round((self.now - self.begun) / 1e6), *what))

    def on_trade(self, trade):
        self.note("trade", trade.side, trade.price, trade.qty)

    def on_quote(self, quote):
        self.note("quote", quote.bid, quote.ask, quote.bid_qty, quote.ask_qty)

    def on_book(self, book):
        self.note("book", book.bids(), book.asks())

    def on_candle(self, candle):
        self.note("candle", candle.ts, candle.open, candle.high, candle.low, candle.close, candle.volume, candle.trades)

    def on_mark(self, mark):
        self.note("mark", mark.price, mark.index)

    def on_fill(self, fill):
        self.note("fill", fill.side, fill.price, fill.qty, fill.fee, fill.liquidity)
'''


class Case(NamedTuple):
    """A strategy with its parameters, where it begins and for how long."""

    use: str
    params: dict[str, float]
    start: str
    seconds: int


MAKER = Case(
    str(STRATEGIES / "market_maker.py"),
    {"spread_bps": 1, "requote_bps": 0.3, "skew_bps": 0.5},
    "2019-05-28T19:22:00Z",
    120,
)
CROSS = Case(str(STRATEGIES / "sma_cross.py"), {"fast": 1, "slow": 2}, "2019-05-28T19:15:00Z", 420)
SOME = Case("busy.py", {}, "2019-05-28T19:22:00Z", 90)
TRIGGERS = Case("waiting.py", {}, "2019-05-28T19:22:00Z", 110)
HEARING = Case("listener.py", {}, "2019-05-28T19:22:00Z", 70)
LATENCIES = ["0s", "5.5ms", "50ms"]
MARKETS = {
    "XBTUSD": ("bitmex_perpetual", 100.0),
    "XBTUSDT": ("bitmex_perpetual", 1000.0),
    "XBT_USDT": ("bitmex", 0.001),
}
CONFIG = """
exchanges:
  {exchange}:
    mode: {mode}
    latency: {latency}
    simulator: {{start: {start}}}
    replay: {{from: {start}}}
strategies:
  - use: {use}
    instruments: [{symbol}]
    params: {params}
run: {{duration: {seconds}s}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the strategies of this file."""
    monkeypatch.chdir(tmp_path)
    Path("busy.py").write_text(BUSY)
    Path("listener.py").write_text(LISTENER)
    Path("waiting.py").write_text(WAITING)
    return tmp_path


def config(mode: str, case: Case, symbol: str = "XBTUSD", latency: str = "0s") -> str:
    exchange, qty = MARKETS[symbol]
    return CONFIG.format(
        mode=mode, exchange=exchange, symbol=symbol, latency=latency, use=case.use, params={"qty": qty, **case.params},
        start=case.start, seconds=case.seconds,
    )  # fmt: skip


def run(mode: str, case: Case, symbol: str = "XBTUSD", latency: str = "0s") -> RunResult:
    Path("c.yaml").write_text(config(mode, case, symbol, latency))
    plan = make_plan(load_config(Path("c.yaml"), environ={}), Plugins([], []), None)
    if mode == "replay":
        return Replay(plan, wall=ManualClock(0)).play()
    return live.play(plan, virtual=True, allowed=False, debug=False, no_view=True)


def fills(result: RunResult) -> list[tuple[str, ...]]:
    return [(row.side, row.price, row.qty, row.fee, row.liquidity) for row in result.fill_rows]


def what_was_heard() -> list[tuple[Any, ...]]:
    """The notes of the Listener of this test, its first moment left out: there the order of the tables is open."""
    file = str(Path("listener.py").resolve())
    (module,) = [one for one in sys.modules.values() if getattr(one, "__file__", None) == file]
    return list(module.HEARD)


# Each strategy meets each instrument and each latency once.
CASES = [
    pytest.param(case, symbol, latency, least, id=f"{Path(case.use).stem}-{symbol}-{latency}")
    for at, (case, least) in enumerate([(MAKER, 20), (CROSS, 4), (SOME, 10), (TRIGGERS, 10)])
    for symbol, latency in zip(MARKETS, [*LATENCIES[at % 3 :], *LATENCIES[: at % 3]], strict=True)
]


@pytest.mark.parametrize(("case", "symbol", "latency", "least"), CASES)
def test_the_fills_are_the_same_in_all_modes(case: Case, symbol: str, latency: str, least: int) -> None:
    simulator, paper, replay = (run(mode, case, symbol, latency) for mode in MODES)
    assert replay.fills >= least
    assert fills(simulator) == fills(replay)
    assert fills(paper) == fills(replay)
    for result in (simulator, paper):
        assert (result.orders, result.rejects) == (replay.orders, replay.rejects)
        late = [row.ts - other.ts for row, other in zip(result.fill_rows, replay.fill_rows, strict=True)]
        assert max(map(abs, late)) < STEP
    money = [{row.currency: (row.equity, row.fees) for row in one.money} for one in (simulator, paper, replay)]
    assert money[0] == money[1] == money[2]


@pytest.mark.parametrize("latency", ["0s", "5.5ms"])
def test_all_that_a_strategy_hears_is_the_same_in_all_modes(latency: str) -> None:
    heard = {}
    for mode in MODES:
        run(mode, HEARING, latency=latency)
        heard[mode] = what_was_heard()
    kinds = {what[1] for what in heard["replay"]}
    assert kinds == {"timer", "trade", "quote", "book", "candle", "mark", "fill"}
    assert heard["simulator"] == heard["replay"]
    assert heard["paper"] == heard["replay"]


# -- the beginning and the end


def test_a_replay_from_the_midst_of_a_minute_begins_with_the_whole_book() -> None:
    run("replay", HEARING._replace(start="2019-05-28T19:22:31Z", seconds=5))
    bids, asks = next(what[2:] for what in what_was_heard() if what[1] == "book")
    assert len(bids) == len(asks) == 25
    assert 0 < asks[0][0] - bids[0][0] <= 1


def test_a_replay_that_is_stopped_between_two_windows_plays_no_further() -> None:
    Path("c.yaml").write_text(config("replay", SOME._replace(seconds=3600)))
    replay = Replay(make_plan(load_config(Path("c.yaml"), environ={}), Plugins([], []), None), wall=ManualClock(0))
    result = replay.play(lambda done, ts, fills: replay.stop("interrupted", 130))
    assert (result.exit_code, result.stop_reason) == (130, "interrupted")
    # The tape comes in windows of ten minutes.
    assert parse_time(result.stopped) <= parse_time("2019-05-28T19:30:00Z")


def test_an_order_may_still_fill_while_its_cancel_is_on_its_way(bench: Bench) -> None:
    # Trades at 100 until 10 s, at 90 from 11 s on; a bid at 95 is cancelled at the end of the run.
    begin = parse_time("2021-07-22")
    rows = [f"{iso(begin + at * SECOND)},sell,{100 if at < 11 else 90},1000" for at in range(20)]
    bench.write("t.csv", "timestamp,side,price,size\n" + "\n".join(rows) + "\n")
    bench.strategy("""
        def on_trade(self, trade):
            if not self.orders:
                self.buy(100, 95)
    """)
    text = "exchanges: {bitmex_perpetual: {mode: replay, latency: LATE, replay: {data: t.csv}}}\n" \
        "strategies: [{use: one, instruments: [XBTUSD]}]\n"
    for latency, filled in (("500ms", 0), ("1500ms", 1)):
        done = bench.backtest("--for", "10s", config=text.replace("LATE", latency))
        assert (done.code, done.json["fills"]) == (0, filled), done.err


# -- the command line


@pytest.mark.parametrize("mode", ["simulator", "paper"])
def test_the_same_seed_gives_the_same_journal_whatever_the_hash_seed(bench: Bench, mode: str) -> None:
    bench.write("c.yaml", config(mode, SOME._replace(seconds=60), latency="5.5ms"))
    told = [bench.process("run", "c.yaml", "--virtual", "--json", PYTHONHASHSEED=seed) for seed in ("1", "2")]
    assert [done.code for done in told] == [0, 0], told[0].err
    assert told[0].json["journal_hash"] == told[1].json["journal_hash"]
    assert told[0].json["fills"] > 5
    other = bench.process("run", "c.yaml", "--virtual", "--json", "--seed", "5")
    assert other.json["journal_hash"] != told[0].json["journal_hash"]


def test_virtual_says_nothing_new_to_a_replay(bench: Bench) -> None:
    bench.write("c.yaml", config("replay", SOME))
    plain, virtual = bench.hbkit("run", "c.yaml", "--json"), bench.hbkit("run", "c.yaml", "--json", "--virtual")
    assert (plain.code, virtual.code) == (0, 0), virtual.err
    assert plain.json["journal_hash"] == virtual.json["journal_hash"]


@pytest.mark.parametrize(
    ("start", "mend"),
    [
        ("2019-05-28T19:22:30Z", "write a whole minute, 2019-05-28T19:22:00.000Z"),
        ("2019-05-30T00:00:00Z", "covers 2019-05-28T18:23:03.341Z..2019-05-29T18:14:00.000Z"),
        ("2019-05-28T18:22:00Z", "covers 2019-05-28T18:23:03.341Z..2019-05-29T18:14:00.000Z"),
    ],
    ids=["part of a minute", "after", "before"],
)
def test_a_simulator_starts_at_a_whole_minute_of_its_tape_or_says_why_not(bench: Bench, start: str, mend: str) -> None:
    bench.write("c.yaml", config("simulator", SOME._replace(start=start)).replace(f"from: {start}", ""))
    done = bench.hbkit("run", "c.yaml", "--virtual", "--for", "5s")
    assert done.code == 2
    assert f"error[HB503] the simulator cannot start at {start[:-1]}.000Z: " in done.err
    assert mend in done.err
