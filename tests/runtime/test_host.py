"""A strategy in a run: the order of its callbacks, what becomes of what it raises, timers, chance and kept state."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.workbench import CONFIG

TWO = """
exchanges:
  left: {plugin: bitmex_perpetual, mode: replay, replay: {data: x.csv}}
  right: {plugin: bitmex_perpetual, mode: replay, replay: {data: x.csv}}
strategies:
  - {use: one, exchange: left, instruments: [XBTUSD]}
  - {use: two, exchange: right, instruments: [XBTUSD]}
"""


@pytest.fixture
def ready(bench):
    bench.candles(*[10_000 + 10 * minute for minute in range(10)])
    return bench


def told(outcome, logger="one"):
    """The events that a strategy logged, in their order."""
    return re.findall(rf"logger={logger} event=(\S+|\"[^\"]*\")", outcome.err)


def warnings(outcome):
    return " ".join(outcome.out.split())


# -- the order of things


def test_callbacks_come_in_their_order(ready):
    ready.strategy("""
    def on_start(self): self.log.info("start")
    def on_connected(self, exchange): self.log.info("connected")
    def on_position_mode(self, change): self.log.info(f"mode-{change.origin}-{change.mode}")
    def on_candle(self, candle):
        self.log.info("candle")
        if not self.orders and not self.position.qty:
            self.buy(100, 20_000)
    def on_order(self, order): self.log.info(f"order-{order.status}")
    def on_fill(self, fill): self.log.info("fill")
    def on_position(self, position): self.log.info(f"position-{position.qty:g}")
    def on_balance(self, balance): self.log.info("balance")
    def on_stop(self): self.log.info("stop")
    """)
    done = ready.backtest("--for", "2m")
    assert done.code == 0, done.err
    assert told(done) == [
        "start", "connected", "mode-start-one_way", "candle", "order-open", "fill", "order-filled", "position-100",
        "balance", "candle", "stop",
    ]  # fmt: skip


def test_on_start_may_be_async_while_it_waits_for_nothing(ready):
    ready.strategy("""
    async def on_start(self): self.log.info("start")
    async def on_stop(self): self.log.info("stop")
    """)
    assert told(ready.backtest()) == ["start", "stop"]


@pytest.mark.parametrize("wait", ["asyncio.sleep(0)", "asyncio.sleep(1)"])
def test_an_on_start_that_waits_fails_and_says_what_to_do(ready, wait):
    ready.strategy(f"async def on_start(self):\n    import asyncio\n    await {wait}")
    done = ready.backtest()
    assert (done.code, done.json["stop_reason"], done.json["events"]) == (5, "strategy failed", 0)
    assert "on_start waits for something that takes time" in done.err
    assert "strategies/one.py:6 in on_start" in done.err


def test_what_is_open_at_the_end_is_cancelled_and_the_position_kept(ready):
    ready.strategy("""
    def on_start(self):
        self.buy(100)
        self.sell(100, 50_000)
    """)
    done = ready.backtest()
    assert done.json["orders"] == 2
    assert [held["qty"] for held in done.json["positions"]] == ["100"]
    assert '"status":"canceled"' in Path("runs", done.json["run_id"], "result.json").read_text()


# -- failures


RAISES = """
def on_candle(self, candle):
    self.buy(100, 5_000)
    if candle.close == 10_030:
        {what}
"""


def test_a_strategy_that_raises_ends_the_run_with_5_and_its_line(ready):
    ready.strategy(RAISES.format(what="1 / 0"))
    done = ready.backtest()
    assert (done.code, done.json["exit_code"], done.json["stop_reason"]) == (5, 5, "strategy failed")
    said = "strategy one: ZeroDivisionError: division by zero at strategies/one.py:9 in on_candle on Candle(ts=20"
    assert f"error[HB310] {said}" in done.err
    assert said[:60] in warnings(done)
    assert "instrument=XBTUSD, interval='1m'" in done.err
    assert "Instrument(" not in done.err
    assert "Traceback" not in done.err
    assert done.json["orders"] == 4
    result = Path("runs", done.json["run_id"], "result.json").read_text()
    assert result.count('"status":"canceled"') == 4
    assert '"status":"open"' not in result


def test_the_line_is_one_of_the_strategys_own_file(ready):
    """The deepest frame lies in the library that the strategy called."""
    ready.strategy(RAISES.format(what="__import__('json').loads('{')"))
    done = ready.backtest()
    assert "JSONDecodeError" in done.err
    assert "at strategies/one.py:9 in on_candle" in done.err


def test_debug_shows_the_traceback(ready):
    ready.strategy(RAISES.format(what="1 / 0"))
    done = ready.backtest("--debug")
    assert "  | Traceback (most recent call last):" in done.err
    assert "1 / 0" in done.err


def test_sys_exit_is_a_failure_like_any(ready):
    ready.strategy(RAISES.format(what="raise SystemExit('enough')"))
    done = ready.backtest()
    assert (done.code, done.json["stop_reason"]) == (5, "strategy failed")
    assert "SystemExit: enough at strategies/one.py:9" in done.err


def test_on_error_continue_goes_on_and_tells_on_error(ready):
    ready.strategy("""
    def on_candle(self, candle):
        raise ValueError(f"at {candle.close:g}")
    def on_error(self, error):
        self.log.info(f"told-{error}".replace(" ", "-"))
    """)
    done = ready.backtest(config=CONFIG.replace("[XBTUSD]", "[XBTUSD], on_error: continue"))
    assert (done.code, done.json["stop_reason"]) == (0, "end of data")
    assert told(done) == [f"told-at-{10_000 + 10 * minute}" for minute in range(10)]
    assert "(10 times, the last one shown)" in warnings(done)
    assert done.err.count("error[HB310]") == 1


def test_one_strategy_fails_and_the_other_goes_on(ready):
    ready.strategy(RAISES.format(what="1 / 0"))
    ready.strategy("""
    def on_candle(self, candle): self.log.info("heard")
    def on_stop(self): self.log.info("stop")
    """, "two")  # fmt: skip
    done = ready.backtest(config=TWO)
    assert (done.code, done.json["stop_reason"]) == (0, "end of data")
    assert told(done, "two") == ["heard"] * 10 + ["stop"]
    assert "strategy one: ZeroDivisionError" in warnings(done)


def test_when_the_last_one_fails_too_the_run_ends_with_5(ready):
    ready.strategy(RAISES.format(what="1 / 0"))
    ready.strategy("def on_candle(self, candle):\n    if candle.close == 10_050: 1 / 0", "two")
    done = ready.backtest(config=TWO)
    assert (done.code, done.json["stop_reason"]) == (5, "strategy failed")
    assert done.json["stopped"] == "2021-07-22T00:06:00.000Z"
    assert "strategies/two.py:7 in on_candle" in warnings(done)


@pytest.mark.parametrize("callback", ["on_start(self)", "on_stop(self)", "on_fill(self, x)", "on_order(self, x)"])
def test_whatever_callback_raises_the_run_ends_with_5(ready, callback):
    ready.strategy(f"def on_connected(self, exchange):\n    self.buy(100)\ndef {callback}:\n    raise ValueError('no')")
    done = ready.backtest()
    assert (done.code, done.json["stop_reason"]) == (5, "strategy failed")
    assert f"strategies/one.py:9 in {callback.partition('(')[0]}" in done.err
    assert Path(done.json["report"]).is_file()


def test_an_endless_answer_to_an_answer_ends_the_run_with_a_report(ready):
    ready.strategy("""
    def on_start(self): self.buy(50)
    def on_order(self, order): self.buy(50)
    """)
    done = ready.backtest()
    assert (done.code, done.json["stop_reason"]) == (5, "strategy failed")
    assert "had refused 10,000 orders within a minute: is this a loop?" in warnings(done)
    assert "strategies/one.py:7 in on_order" in warnings(done)


def test_a_timer_that_asks_for_itself_at_once_ends_its_strategy_with_a_report(ready):
    ready.strategy("""
    def on_start(self): self.again()
    def again(self): self.at(self.now, self.again)
    """)
    done = ready.backtest()
    assert (done.code, done.json["stop_reason"]) == (5, "strategy failed")
    assert "strategy one: asked for 10,000 timers that are due at once" in warnings(done)
    assert Path(done.json["report"]).is_file()


# -- timers, chance, state


def test_timers_come_at_their_time_until_called_off(ready):
    ready.strategy("""
    def on_start(self):
        self.ticks = 0
        self.appointment = self.every(60, self.tick)
        self.at("2021-07-22T00:05:30Z", lambda: self.log.info("at-once"))
        self.at(0, lambda: self.log.info("past"))
    def tick(self):
        self.ticks += 1
        self.log.info(f"tick-{self.now // 10**9 % 3600}")
        if self.ticks == 3:
            self.appointment.cancel()
    """)
    assert told(ready.backtest()) == ["past", "tick-120", "tick-180", "tick-240", "at-once"]


def test_a_timer_that_raises_is_treated_like_a_callback(ready):
    ready.strategy("def on_start(self):\n    self.every(60, lambda: 1 / 0)")
    done = ready.backtest()
    assert done.code == 5
    assert "strategies/one.py:7 in timer" in done.err


def test_the_same_seed_gives_the_same_chance_and_each_strategy_its_own(ready):
    ready.strategy("def on_start(self): self.log.info(str(self.random.random()))")
    ready.strategy("def on_start(self): self.log.info(str(self.random.random()))", "two")
    first, again, other = (ready.backtest("--seed", seed, config=TWO) for seed in ("3", "3", "4"))
    assert told(first) == told(again) != told(other)
    assert told(first) != told(first, "two")


def test_state_holds_what_json_can_hold_and_begins_empty_in_a_replay(ready):
    ready.strategy("""
    def on_start(self):
        self.log.info(f"empty-{len(self.state)}")
    def on_candle(self, candle):
        self.state["seen"] = self.state.get("seen", 0) + 1
        self.state["list"] = [1, {"a": 2.5}]
        self.state["gone"] = 1
        del self.state["gone"]
    def on_stop(self):
        self.log.info(f"seen-{self.state['seen']}-{'-'.join(sorted(self.state))}")
    """)
    for _ in range(2):
        done = ready.backtest()
        assert done.code == 0, done.err
        assert told(done) == ["empty-0", "seen-10-list-seen"]
    with closing(sqlite3.connect(done.json["journal"])) as db:
        kept = dict(db.execute("SELECT key, value FROM state WHERE strategy = 'one'"))
    assert kept == {"seen": "10", "list": '[1, {"a": 2.5}]'}


@pytest.mark.parametrize("value", ["None", "object()", "{1, 2}"])
def test_state_refuses_what_it_could_not_keep(ready, value):
    ready.strategy(f"def on_start(self):\n    self.state['x'] = {value}")
    done = ready.backtest()
    assert done.code == 5
    assert 'self.state["x"]' in done.err.replace("\\", "")
