"""The position mode: told once at the start, at each change and refusal, with the legs told afterwards."""

import re

import pytest

from tests.workbench import CONFIG, gap

HEDGE = CONFIG.replace("mode: replay", "mode: replay, position_mode: hedge")
TELL = """
def on_position_mode(self, change):
    self.log.info("mode", mode=change.mode, previous=change.previous, requested=change.requested,
                  origin=change.origin, account=change.account, reason=change.reason)
def on_position(self, position):
    self.log.info("position", side=position.side, qty=position.qty)
"""


@pytest.fixture
def ready(bench):
    bench.candles(*[10_000] * 8)
    return bench


def events(outcome):
    """What was logged, without times and logger."""
    return [line.partition("event=")[2] for line in outcome.err.splitlines() if "logger=one" in line]


@pytest.mark.parametrize(("config", "mode"), [(CONFIG, "one_way"), (HEDGE, "hedge")], ids=["one_way", "hedge"])
def test_it_is_told_once_after_on_start_and_before_any_data(ready, config, mode):
    ready.strategy(TELL + """
def on_start(self):
    self.log.info("start", mode=self.position_mode)
def on_candle(self, candle):
    self.log.info("candle")
""")  # fmt: skip
    done = ready.backtest(config=config)
    assert events(done) == [
        f"start mode={mode}",
        f'mode mode={mode} previous={mode} requested={mode} origin=start account=bitmex_perpetual reason=""',
        *["candle"] * 8,
    ]


def test_a_switch_is_told_and_then_each_leg(ready):
    ready.strategy(TELL + """
def on_candle(self, candle):
    step = len(self.closes(100))
    if step == 1:
        self.buy(300)
    if step == 3:
        self.set_position_mode("hedge")
    if step == 5:
        self.sell(100, position_side="short")
    if step == 7:
        self.log.info("held", long=self.long.qty, short=self.short.qty)
""")  # fmt: skip
    done = ready.backtest()
    assert done.code == 0, done.err
    assert events(done)[1:] == [
        "position side=net qty=300.0",
        'mode mode=hedge previous=one_way requested=hedge origin=strategy account=bitmex_perpetual reason=""',
        "position side=long qty=300.0",
        "position side=short qty=-100.0",
        "held long=300.0 short=-100.0",
    ]
    assert [(held["side"], held["qty"]) for held in done.json["positions"]] == [("long", "300"), ("short", "-100")]
    assert gap(done, "XBT") == 0


def test_a_switch_with_open_orders_is_refused_and_told(ready):
    ready.strategy(TELL + """
def on_candle(self, candle):
    if not self.orders:
        self.buy(100, 5_000)
        self.set_position_mode("hedge")
""")  # fmt: skip
    done = ready.backtest()
    refused = [event for event in events(done) if "requested=hedge" in event]
    assert len(refused) == 1
    assert refused[0].startswith("mode mode=one_way previous=one_way requested=hedge origin=strategy ")
    assert "open order" in refused[0]


def test_every_strategy_of_the_account_hears_of_a_change_and_the_hook_too(ready):
    ready.candles(*[200] * 8, name="eth.csv")
    ready.strategy(TELL + "def on_start(self): self.at(self.now + 90 * 10**9, self.switch)\n"
                   "def switch(self): self.set_position_mode('hedge')")  # fmt: skip
    ready.strategy(TELL, "two")
    ready.write("guest.py", """
    from hbkit import hookimpl
    @hookimpl
    def hbkit_position_mode_changed(change):
        print("hook", change.mode, change.origin)
    """)
    done = ready.backtest(config="""
    exchanges: {bitmex_perpetual: {mode: replay, replay: {data: {XBTUSD: x.csv, ETHUSD: eth.csv}}}}
    strategies: [{use: one, instruments: [XBTUSD]}, {use: two, instruments: [ETHUSD]}]
    plugins: {load: [guest.py]}
    """)
    assert done.code == 0, done.err
    assert re.findall(r"logger=(\w+) event=mode mode=(\w+)", done.err) == [
        ("one", "one_way"), ("two", "one_way"), ("one", "hedge"), ("two", "hedge"),
    ]  # fmt: skip
    assert [line for line in done.out.splitlines() if line.startswith("hook")] == [
        "hook one_way start", "hook hedge strategy",
    ]  # fmt: skip


def test_hedge_mode_wants_a_leg_and_has_no_single_position(ready):
    ready.strategy("def on_candle(self, candle):\n    self.position")
    done = ready.backtest(config=HEDGE)
    assert done.code == 5
    assert "XBTUSD is in hedge mode: read self.long and self.short, not self.position at strategies/" in done.err
    ready.strategy("def on_candle(self, candle):\n    self.buy(100)")
    done = ready.backtest(config=HEDGE)
    assert 'say position_side=\\"long\\" or position_side=\\"short\\"' in done.err
