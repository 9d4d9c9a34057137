"""The candles before the first one: in replay, on paper and against the simulator, and the seam to the next."""

import pytest

from hbkit.cli import live
from hbkit.clock import MINUTE, SECOND, ManualClock, parse_time
from hbkit.config import load_config
from hbkit.model import Candle
from hbkit.net.virtual import run_virtual
from hbkit.plugins import Plugins
from hbkit.report.result import RunResult
from hbkit.run import Replay, make_plan
from hbkit.runtime.history import History
from hbkit.testing.fake.venue import COIN

NOTES = """
    warmup = WANTED
    def on_start(self):
        self.ema, self.atr = self.indicator("EMA", 5), self.indicator("ATR", 5)
        self.note("start")
    def on_candle(self, candle): self.note(f"candle-{(candle.ts // 10**9) % 86400}")
    def note(self, what):
        ema = None if self.ema.value is None else round(self.ema.value, 6)
        atr = None if self.atr.value is None else round(self.atr.value, 6)
        known = self.candles(1000)
        whole = all(one.close_time == two.open_time for one, two in zip(known, known[1:]))
        print("note", what, len(known), whole, list(self.closes(3)), list(self.volumes(2)), ema, atr)
"""
START = "2019-05-28T19:22:00Z"
CONFIG = """
exchanges:
  bitmex_perpetual: {mode: MODE, simulator: {start: START}, replay: {from: START}}
strategies: [{use: one, instruments: [XBTUSD], candles: [INTERVAL]}]
run: {duration: 190s}
"""


def notes(bench, capsys, mode: str, wanted: int, interval: str = "1m") -> tuple[list[str], RunResult]:
    bench.strategy(NOTES.replace("WANTED", str(wanted)))
    text = CONFIG.replace("MODE", mode).replace("START", START).replace("INTERVAL", interval)
    path = bench.write("c.yaml", text)
    plan = make_plan(load_config(path, environ={}), Plugins([], []), None)
    capsys.readouterr()
    if mode == "replay":
        result = Replay(plan, wall=ManualClock(0)).play()
    else:
        result = live.play(plan, virtual=True, allowed=False, debug=False, no_view=True)
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("note")], result


@pytest.mark.parametrize("mode", ["paper", "simulator"])
def test_history_and_what_follows_is_one_row_and_the_same_in_all_modes(bench, capsys, mode):
    pytest.importorskip("talipp")
    told, result = notes(bench, capsys, mode, 30)
    replay, other = notes(bench, capsys, "replay", 30)
    assert told == replay
    # 19:22 is second 69720 of the day: the candle that closes then is the first of the run, the fourth closes at 19:25.
    assert [line.split()[1] for line in told] == ["start", *(f"candle-{69720 + 60 * at}" for at in range(4))]
    assert [line.split()[2:4] for line in told] == [[str(30 + at), "True"] for at in range(5)]
    assert not [one for one in (*result.warnings, *other.warnings) if "HB509" in one]


@pytest.mark.parametrize("wanted", [0, 5])
def test_candles_that_are_put_together_begin_with_the_open_one_in_every_mode(bench, capsys, wanted, monkeypatch):
    pytest.importorskip("talipp")
    monkeypatch.setitem(globals(), "START", "2019-05-28T19:20:00Z")
    # The 3m candle of 19:18 to 19:21 (second 69660) is open, and its first minute is past. The next ends at 19:24.
    expected = ["start", "candle-69660"]
    told = {mode: notes(bench, capsys, mode, wanted, "3m")[0] for mode in ("replay", "paper", "simulator")}
    assert [line.split()[1] for line in told["replay"]] == expected
    assert told["paper"] == told["simulator"] == told["replay"]


def test_a_shorter_history_is_told_and_the_run_goes_on(bench, capsys):
    # The tape begins at 18:23:03: 58 minutes have closed before 19:22, the first of them not a whole one.
    told, result = notes(bench, capsys, "replay", 100)
    (warning,) = [one for one in result.warnings if "HB509" in one]
    assert told[0].split()[2] == "58"
    assert "wants 100 1m candles of XBTUSD before it begins, there are 58, from 2019-05-28T18:23:00.000Z" in warning


@pytest.mark.parametrize(("interval", "minute"), [("1m", 5), ("2m", 10)])
def test_without_from_a_replay_begins_when_its_data_holds_the_history(bench, interval, minute):
    pytest.importorskip("talipp")
    bench.candles(*[10_000 + 10 * minute for minute in range(20)])
    bench.strategy(NOTES.replace("WANTED", "4"))
    done = bench.backtest(config=f"""
    exchanges: {{bitmex_perpetual: {{mode: replay, replay: {{data: x.csv}}}}}}
    strategies: [{{use: one, instruments: [XBTUSD], candles: [{interval}]}}]
    """)
    assert done.code == 0, done.err
    notes = [line.split() for line in done.out.splitlines() if line.startswith("note")]
    # 1m: four candles close at minutes 1 to 4, the fifth at 5. 2m: at 2, 4, 6, 8, the fifth at 10.
    assert notes[0][1:3] == ["start", "4"]
    assert notes[1][1:3] == [f"candle-{60 * minute}", "5"]


def test_data_that_ends_before_the_history_is_an_error(bench):
    bench.candles(10_000, 10_010, 10_020)
    bench.strategy("warmup = 5\ndef on_candle(self, candle): pass")
    done = bench.backtest()
    assert done.code == 2
    assert "error[HB509] strategy one wants 5 1m candles of XBTUSD before it begins, and the data x.csv" in done.err
    assert not bench.left_behind


def test_warmup_may_be_a_parameter_or_follow_from_one(bench):
    bench.candles(*[10_000] * 9)
    for body in (
        "warmup: int = Param(3, ge=0)\n",
        "slow: int = Param(3, ge=1)\n@property\ndef warmup(self): return self.slow\n",
    ):
        bench.strategy(body + "def on_candle(self, candle): print('known', len(self.closes(9)))")
        done = bench.backtest()
        assert done.code == 0, done.err
        assert next(line for line in done.out.splitlines() if line.startswith("known")) == "known 4"


@pytest.mark.parametrize("bad", ["'50'", "-1", "2.5", "True"])
def test_a_warmup_that_is_no_number_of_candles_is_an_error(bench, bad):
    bench.candles(10_000, 10_010, 10_020)
    bench.strategy(f"warmup = {bad}\ndef on_candle(self, candle): pass")
    done = bench.backtest()
    assert done.code != 0
    assert "One.warmup must be a whole number from 0 to 100,000, got" in done.err


# -- the seam, candle by candle


class Bins:
    """An exchange that has candles, and counts how often it is asked."""

    name = COIN.exchange

    class capabilities:
        candle_intervals = ("1m",)

    def __init__(self, until: int) -> None:
        self.until = until
        self.asked = 0

    async def candles(self, instrument, interval, start, end):
        self.asked += 1
        times = range(start + -start % MINUTE, min(end, self.until) - MINUTE + 1, MINUTE)
        return [candle(ts + MINUTE) for ts in times]


def candle(ts: int) -> Candle:
    return Candle(ts, ts - MINUTE, ts, COIN, "1m", 1.0, 1.0, 1.0, 1.0, 1.0, 1)


T0 = parse_time("2024-01-01T00:10:00Z")


async def test_what_closed_before_the_first_one_that_is_told_comes_before_it_and_nothing_twice():
    clock, told, tasks = ManualClock(T0 + 30 * SECOND), [], []
    exchange = Bins(until=T0 + 9 * MINUTE)
    history = History(
        {COIN.exchange: exchange}, clock, lambda one: told.append(one.ts), lambda work, name: tasks.append(work)
    )
    found = await history.load({(COIN, "1m"): 3})
    assert [one.ts for one in found[COIN, "1m"]] == [T0 - 2 * MINUTE, T0 - MINUTE, T0]
    assert not history.take(candle(T0))
    # 00:11 and 00:12 were missed; 00:13 is told, and 00:14 while the two are being asked for.
    assert not history.take(candle(T0 + 3 * MINUTE))
    assert not history.take(candle(T0 + 4 * MINUTE))
    await tasks.pop()
    assert told == [T0 + at * MINUTE for at in (1, 2, 3, 4)]
    assert not history.take(candle(T0 + 4 * MINUTE))
    assert history.take(candle(T0 + 5 * MINUTE))
    # A venue that leaves a minute out is not asked for it, unless the connection was gone.
    assert history.take(candle(T0 + 7 * MINUTE))
    assert exchange.asked == 2
    history.reconnected(COIN.exchange)
    assert not history.take(candle(T0 + 9 * MINUTE))
    await tasks.pop()
    assert told[4:] == [T0 + at * MINUTE for at in (8, 9)]


def test_a_candle_that_closed_before_it_could_be_heard_is_asked_for_soon():
    async def play(loop):
        clock, told = ManualClock(T0 + 30 * SECOND), []
        exchange = Bins(until=T0 + MINUTE)
        history = History({COIN.exchange: exchange}, clock, lambda one: told.append(one.ts), lambda work, name: None)
        await history.load({(COIN, "1m"): 3})
        clock.set(T0 + MINUTE + SECOND)
        await history.look()
        assert told == [T0 + MINUTE]
        await history.look()
        assert (told, exchange.asked) == ([T0 + MINUTE], 2)

    run_virtual(play)
