"""Several strategies on one instrument of one account: own positions, no order that meets another, sums that add up."""

import re
from pathlib import Path
from textwrap import dedent

import pytest

from hbkit.report.result import RunResult
from tests.workbench import gap, pay

TWO = """
exchanges: {bitmex_perpetual: {mode: replay, replay: {data: x.csv}}}
strategies:
  - {use: one, instruments: [XBTUSD], share: true}
  - {use: two, instruments: [XBTUSD], share: true}
"""
TELL = """
def tell(self, *what): print("told", self.name, *what)
def on_order(self, order): self.tell("order", order.side, order.qty, order.status, order.reason.partition(":")[0])
def on_position(self, position): self.tell("position", position.qty)
"""


@pytest.fixture
def ready(bench):
    bench.candles(*[10_000] * 12)
    return bench


def telling(ready, body, name="one"):
    ready.strategy(TELL + dedent(body), name)


def told(done):
    assert done.code == 0, done.err
    return [line.removeprefix("told ").strip() for line in done.out.splitlines() if line.startswith("told")]


@pytest.mark.parametrize("shares", ["", ", share: true"])
def test_two_strategies_on_one_leg_are_an_error_unless_both_say_share(ready, shares):
    ready.strategy("pass")
    ready.strategy("pass", "two")
    done = ready.backtest(config=TWO.replace(", share: true}\n  - {use: two", f"{shares}}}\n  - {{use: two").replace(
        "{use: two, instruments: [XBTUSD], share: true}", "{use: two, instruments: [XBTUSD]}"))  # fmt: skip
    assert done.code == 2
    assert re.search(
        r"error\[HB108\] c.yaml:4:\d+ XBTUSD on bitmex_perpetual belongs to strategy one already; .*"
        "or write share: true in both",
        done.err,
    )


def test_two_blocks_of_one_account_are_one_account(ready):
    ready.strategy("pass")
    ready.strategy("pass", "two")
    ready.write("c.yaml", """
    exchanges: {a: {plugin: bitmex_perpetual, mode: simulator}, b: {plugin: bitmex_perpetual, mode: simulator}}
    strategies:
      - {use: one, exchange: a, instruments: [XBTUSD], share: true}
      - {use: two, exchange: b, instruments: [XBTUSD], share: true}
    """)
    done = ready.hbkit("check", "c.yaml")
    assert done.code == 2
    assert "belongs to strategy one already; a is the same account; name one block in both" in done.err


def test_each_has_the_position_of_its_own_fills_and_the_account_their_sum(ready):
    body = """
    def on_candle(self, candle):
        step = len(self.closes(99))
        if step == 1: self.FIRST(FIRST_QTY)
        if step == 3:
            self.tell("held", self.position.qty, [one.qty for one in self.account.positions])
            self.close_position()
        if step == 5: self.tell("end", self.position.qty, [one.qty for one in self.account.positions])
    """
    telling(ready, body.replace("FIRST_QTY", "300").replace("FIRST", "buy"))
    telling(ready, body.replace("FIRST_QTY", "100").replace("FIRST", "sell"), "two")
    lines = told(ready.backtest(config=TWO))
    # Both market orders leave in one moment: the second waits until the first has ended.
    assert next(line for line in lines if "pending" in line) == "two order sell 100.0 pending held back"
    held = [line for line in lines if line.split()[1] == "held"]
    assert held == ["one held 300.0 [200.0]", "two held -100.0 [200.0]"]
    assert [line for line in lines if " end " in line] == ["one end 0.0 []", "two end 0.0 []"]


def test_an_order_that_would_meet_anothers_is_held_until_it_is_gone(ready):
    telling(ready, """
    def on_candle(self, candle):
        step = len(self.closes(99))
        if step == 1: self.bid = self.buy(100, 9_000)
        if step == 4: self.cancel(self.bid)
    """)
    telling(ready, """
    def on_candle(self, candle):
        step = len(self.closes(99))
        if step == 1: self.ask = self.sell(200, 8_900)      # would meet the bid at 9,000
        if step == 2: self.tell("open", [(one.status, one.price) for one in self.orders])
        if step == 3: self.amend(self.ask, price=8_800)     # one that has not left is changed at once
        if step == 6: self.tell("now", self.position.qty, self.orders)
    """, "two")
    done = ready.backtest(config=TWO)
    lines = told(done)
    assert lines.index("two order sell 200.0 pending held back") < lines.index("one order buy 100.0 canceled")
    assert "two open [(<OrderStatus.PENDING: 'pending'>, 8900.0)]" in lines
    assert lines.index("one order buy 100.0 canceled") < lines.index("two order sell 200.0 filled")
    assert "two now -200.0 []" in lines
    assert done.json["orders"] == 2


def test_what_is_held_can_be_cancelled_and_is_at_the_end(ready):
    ready.strategy("def on_start(self): self.buy(100, 9_000)")
    telling(ready, """
    def on_candle(self, candle):
        step = len(self.closes(99))
        if step == 1: self.first, self.second = self.sell(100, 8_900), self.sell(100, 8_950)
        if step == 2: self.cancel(self.first)
    """, "two")
    done = ready.backtest(config=TWO)
    assert told(done).count("two order sell 100.0 canceled cancelled before it left") == 1
    assert (done.json["orders"], done.json["fills"]) == (1, 0)


def test_a_change_that_would_meet_anothers_order_is_held(ready):
    telling(ready, """
    def on_candle(self, candle):
        step = len(self.closes(99))
        if step == 1: self.bid = self.buy(100, 9_000)
        if step == 2: self.amend(self.bid, price=11_500)    # would meet the offer at 11,000
        if step == 3: self.tell("price", self.orders[0].price)
    """)
    ready.strategy("""
    def on_candle(self, candle):
        step = len(self.closes(99))
        if step == 1: self.sell(100, 11_000)
        if step == 4: self.cancel_all()
    """, "two")
    lines = told(ready.backtest(config=TWO))
    assert "one price 9000.0" in lines
    assert lines[-1] == "one position 100.0"


def test_reduce_only_looks_at_the_strategys_own_position(ready):
    ready.strategy("def on_start(self): self.at(self.now + 1, lambda: self.buy(1000))")
    telling(ready, """
    def on_candle(self, candle):
        step = len(self.closes(99))
        if step == 1: self.sell(100, reduce_only=True)      # the account is long, this strategy is flat
        if step == 2: self.buy(300)
        if step == 3:
            self.sell(500, 20_000, reduce_only=True)        # cut to 300
            self.sell(100, 21_000, reduce_only=True)        # nothing is left to reduce
        if step == 4: self.sell(200)                        # the resting one may now close 100
        if step == 6: self.tell("resting", [one.remaining for one in self.orders])
        if step == 7: self.sell(100)
        if step == 9: self.tell("resting", [one.remaining for one in self.orders])
    """, "two")
    lines = told(ready.backtest(config=TWO))
    assert lines[0] == "two order sell 0.0 rejected reduce_only"
    assert "two order sell 300.0 open" in lines
    assert [line for line in lines if "resting" in line] == ["two resting [100.0]", "two resting []"]
    assert lines.count("two order sell 0.0 rejected reduce_only") == 2


def test_a_cap_counts_all_who_share(ready):
    ready.strategy("def on_start(self): self.buy(800, 9_000)")
    telling(ready, "def on_start(self): self.buy(800, 9_000)", "two")
    lines = told(ready.backtest(config=TWO + "risk: {max_position: 1000}\n"))
    assert lines == ["two order buy 800.0 rejected risk.max_position is 1000, with this order XBTUSD could reach 1600"]


def test_funding_is_split_and_the_money_adds_up(bench):
    bench.candles(*[10_000] * 6)
    bench.write("f.csv", "timestamp,funding_rate\n2021-07-22T00:03:30Z,0.001\n")
    for name, qty in (("one", 300), ("two", -100)):
        bench.strategy(f"""
        def on_candle(self, candle):
            if len(self.closes(99)) == 1: self.target_position({qty})
        def on_stop(self): print("paid", list(self._desk.trader.ledger.funding.values()))
        """, name)
    done = bench.backtest(config=TWO.replace("data: x.csv", "data: {XBTUSD: [x.csv, f.csv]}"))
    assert done.code == 0, done.err
    # 200 contracts at 10,000 are 2,000,000 satoshi, a thousandth of it 2,000: one pays 3,000 and two receives 1,000.
    assert str(pay(done, "funding")) == "-0.00002000"
    lines = [line for line in done.out.splitlines() if line.startswith("paid")]
    assert lines == ["paid [-3000]", "paid [1000]"]


MODES = """
exchanges:
  bitmex_perpetual: {mode: MODE, latency: 5ms, simulator: {start: START}, replay: {from: START}}
strategies:
  - {use: one, instruments: [XBTUSD], share: true}
  - {use: two, instruments: [XBTUSD], share: true}
run: {duration: 30s}
""".replace("START", "2019-05-28T19:22:00Z")


def test_it_is_the_same_in_all_modes_and_no_order_of_ours_meets_another(bench):
    bench.strategy("""
    def on_start(self): self.every(5, self.turn)
    def turn(self):
        touch = self.last_quote
        self.quote([(touch.bid, 300)], [(touch.ask, 300)])
    """)
    bench.strategy("""
    def on_start(self): self.every(7, self.turn)
    def turn(self):
        touch = self.last_quote
        if self.position.qty > 0: self.sell(500)
        elif self.position.qty < 0: self.buy(500, touch.ask)
        else: self.sell(200)
    def on_order(self, order): print("held", order.id.split("-")[-1]) if order.reason.startswith("held") else None
    """, "two")
    seen = {}
    for mode in ("replay", "paper", "simulator"):
        bench.write("c.yaml", MODES.replace("MODE", mode))
        done = bench.hbkit("run", "c.yaml", "--virtual", "--json")
        assert done.code == 0, done.err
        result = RunResult.load(Path(done.json["report"]).with_name("result.json"))
        fills = [(row.strategy, row.side, row.price, row.qty, row.liquidity) for row in result.fill_rows]
        # Two of our own that met would have one execution each at one moment and price, on the two sides.
        moments = {}
        for row in result.fill_rows:
            moments.setdefault((row.ts, row.price), set()).add((row.strategy, row.side))
        assert all(len({side for _, side in who}) == 1 for who in moments.values())
        held = sum((1 if row.side == "buy" else -1) * int(row.qty) for row in result.fill_rows)
        booked = sum((1 if row.side == "long" else -1) * int(row.qty) for row in result.positions)
        assert (held, gap(done, "XBT")) == (booked, 0)
        seen[mode] = fills, [line for line in done.out.splitlines() if line.startswith("held")]
    assert seen["replay"] == seen["paper"] == seen["simulator"]
    assert {fill[0] for fill in seen["replay"][0]} == {"one", "two"}
    assert seen["replay"][1]


def test_a_stop_is_never_held_back(ready):
    telling(ready, "def on_start(self): self.buy(100, 9_000)")
    telling(ready, """
    def on_candle(self, candle):
        if len(self.closes(99)) == 1: self.sell(100, trigger_price=9_500, trigger_by="last")
    """, "two")
    lines = told(ready.backtest(config=TWO))
    assert not [line for line in lines if "pending" in line or "rejected" in line]
    assert "two order sell 100.0 untriggered" in lines
