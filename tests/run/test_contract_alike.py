"""What a strategy is promised beside market data, in replay, on paper and against the simulator alike.

Vetoes, failing callbacks, timers, leverage and position mode, liquidation, and a connection that is lost.
"""

import asyncio
import contextlib

import aiohttp
import pytest

from hbkit.clock import SECOND, iso
from hbkit.hookspecs import hookimpl
from hbkit.run.ground import VirtualGround
from hbkit.trading.strategy import Strategy
from tests.run.alike import MODES, note, play

START = "2019-05-28T19:10:00Z"
PLACE = f"{{mode}}, simulator: {{start: {START}}}, replay: {{from: {START}}}"
ONE = f"""
exchanges: {{bitmex_perpetual: {{{PLACE}}}}}
strategies: [{{use: one, instruments: [XBTUSD]}}]
run: {{duration: 40s}}
"""
TWO = f"""
exchanges: {{bitmex_perpetual: {{{PLACE}}}}}
strategies:
  - {{use: one, instruments: [XBTUSD], on_error: POLICY}}
  - {{use: two, instruments: [XBTUSDT]}}
run: {{duration: 40s}}
"""


@pytest.fixture(autouse=True)
def _folder(bench):
    """An empty current folder."""


class Heard(Strategy):
    """Notes what becomes of its orders."""

    def seconds(self):
        return (self.now - self.begun) / SECOND

    def on_start(self):
        self.begun = self.now
        self.plan()

    def plan(self):
        self.at(self.now + 5 * SECOND, self.act)

    def act(self):
        self.buy(100_000, tag="large")
        self.buy(1_000, tag="small")

    def on_order(self, order):
        note(self.name, "order", order.tag, order.status, order.reason)

    def on_fill(self, fill):
        note(self.name, "fill", fill.qty)


class Refuses:
    """Nobody buys a hundred thousand of XBTUSD."""

    @hookimpl
    def hbkit_check_order(self, request, strategy):
        too_large = strategy == "one" and request.units >= 100_000
        return f"{strategy} may not buy so much" if too_large else None


class Raises:
    """Has a mistake in it."""

    @hookimpl
    def hbkit_check_order(self, request, strategy):
        return None if strategy == "two" else 1 // 0


@pytest.mark.parametrize("mode", MODES)
def test_a_veto_refuses_its_order_and_no_other(mode):
    told = play(mode, TWO.replace("POLICY", "stop"), Refuses(), one=Heard, two=Heard)
    assert told.of("one", "order", "large") == [("rejected", "one may not buy so much")]
    assert told.of("one", "fill") == [("1000.0",)]
    # The hook looks at one alone.
    assert sum(float(qty) for (qty,) in told.of("two", "fill")) == 101_000
    assert (told.result.rejects, told.result.exit_code) == (1, 0)


@pytest.mark.parametrize("mode", MODES)
def test_a_veto_that_raises_refuses_and_names_itself(mode):
    told = play(mode, TWO.replace("POLICY", "stop"), Raises(), one=Heard, two=Heard)
    reasons = told.of("one", "order", "large") + told.of("one", "order", "small")
    assert [status for status, _ in reasons] == ["rejected", "rejected"]
    for _, reason in reasons:
        assert reason.startswith("hbkit_check_order of raises raised ZeroDivisionError")
    assert told.of("one", "fill") == []
    assert told.of("two", "fill")
    assert told.result.exit_code == 0


class Failing(Strategy):
    """Its second timer raises."""

    def on_start(self):
        self.calls = 0
        self.every(10, self.tick)

    def tick(self):
        self.calls += 1
        note(self.name, "tick", self.calls)
        if self.calls == 2:
            raise ValueError("on purpose")

    def on_error(self, error):
        note(self.name, "error", error)

    def on_stop(self):
        note(self.name, "stop")


class Steady(Failing):
    """The other one."""

    def tick(self):
        self.calls += 1
        note(self.name, "tick", self.calls)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("policy", ["stop", "continue"])
def test_a_failing_callback_obeys_on_error_and_the_others_go_on(mode, policy):
    told = play(mode, TWO.replace("POLICY", policy), one=Failing, two=Steady)
    # Every ten seconds of forty: what is due at the very end comes before on_stop.
    assert told.of("two", "tick") == [("1",), ("2",), ("3",), ("4",)]
    assert told.of("one", "error") == [("on purpose",)]
    assert told.of("one", "tick") == [("1",), ("2",)] + ([("3",), ("4",)] if policy == "continue" else [])
    assert told.of("one", "stop") == ([()] if policy == "continue" else [])
    assert told.of("two", "stop") == [()]


class Punctual(Strategy):
    """Timers of every sort, with the second at which each came."""

    def on_start(self):
        self.begun = self.now
        self.count = 0
        note("start")
        self.beat = self.every(1.5, self.again)
        self.at(self.now + 4 * SECOND, lambda: self.seen("at"))
        self.at(iso(self.now + 7 * SECOND), lambda: self.seen("text"))
        self.at(self.now - SECOND, lambda: self.seen("past"))
        self.at(self.now + 9 * SECOND, lambda: self.seen("off")).cancel()
        for name in ("first", "second"):
            self.at(self.now + 8 * SECOND, lambda name=name: self.seen(name))

    def seen(self, name):
        note("timer", name, (self.now - self.begun) / SECOND)

    def again(self):
        self.count += 1
        self.seen("every")
        if self.count == 4:
            self.beat.cancel()
            self.at(self.now + 2 * SECOND, lambda: self.seen("nested"))


def test_timers_come_at_the_same_moments_in_the_same_order():
    told = {mode: play(mode, ONE, one=Punctual).of("timer") for mode in MODES}
    # 1.5, 3, 4.5 and 6 s, then it is called off; what had passed comes at once.
    assert told["replay"] == [
        ("past", "0.0"), ("every", "1.5"), ("every", "3.0"), ("at", "4.0"), ("every", "4.5"), ("every", "6.0"),
        ("text", "7.0"), ("first", "8.0"), ("second", "8.0"), ("nested", "8.0"),
    ]  # fmt: skip
    assert told["paper"] == told["simulator"] == told["replay"]


class Terms(Strategy):
    """Asks for a leverage and for a position mode, once refused and once granted."""

    def on_start(self):
        note("heard", "start")
        self.told = []
        for second, act in ((5, self.open), (10, self.lever), (15, self.refused), (20, self.granted)):
            self.at(self.now + second * SECOND, act)

    def on_trade(self, trade):
        note("heard", "data")

    def on_quote(self, quote):
        note("heard", "data")

    def on_mark(self, mark):
        note("heard", "data")

    def open(self):
        self.buy(1_000)
        self.buy(10_000, 8_000.0, tag="rests")

    def lever(self):
        self.free = self.balance("XBT").free
        self.told.clear()
        self.set_leverage(10)

    def on_balance(self, balance):
        self.told.append(balance.free)

    def refused(self):
        # A tenth of the order's 1.25 XBT is bound now, where a hundredth was, and of the position's 0.11.
        note("heard", "leverage", self.free - self.told[-1] > 0.1)
        self.set_position_mode("hedge")

    def granted(self):
        self.cancel_all()
        self.at(self.now + SECOND, lambda: self.set_position_mode("hedge"))

    def on_position_mode(self, change):
        note("mode", change.mode, change.previous, change.requested, change.origin, bool(change.reason))
        note("heard", "mode")

    def on_position(self, position):
        note("position", position.side, position.qty)


@pytest.mark.parametrize("mode", MODES)
def test_leverage_and_position_mode_are_answered_through_callbacks(mode):
    told = play(mode, ONE, one=Terms)
    assert told.of("mode") == [
        ("one_way", "one_way", "one_way", "start", "False"),
        ("one_way", "one_way", "hedge", "strategy", "True"),
        ("hedge", "one_way", "hedge", "strategy", "False"),
    ]
    # Once after on_start, and before anything of the market.
    assert [what for (what,) in (one[:1] for one in told.of("heard"))][:3] == ["start", "mode", "data"]
    assert told.of("heard", "leverage") == [("True",)]
    assert told.of("position")[-1] == ("long", "1000.0")


CRASH = "2019-05-28T19:20:00Z"
"""XBTUSD falls from 8,755 to 8,605 within five minutes: 1.7 %, and a hundredth is all that stands behind a position."""


class Doomed(Strategy):
    """Long with a hundred times what is behind it."""

    def on_start(self):
        self.set_leverage(100)
        self.at(self.now + 10 * SECOND, lambda: self.buy(10_000))

    def on_fill(self, fill):
        note("fill", fill.side, fill.qty)

    def on_liquidation(self, fill):
        note("liquidation", fill.instrument, fill.side, fill.qty, fill.order_id)

    def on_position(self, position):
        note("position", position.qty)


@pytest.mark.parametrize("mode", MODES)
def test_a_liquidation_is_told_as_one_with_the_position_that_is_left(mode):
    text = ONE.replace(START, CRASH).replace("40s", "360s").replace("{mode}", "{mode}, margin: {mode: isolated}")
    told = play(mode, text, one=Doomed)
    assert sum(float(qty) for side, qty in told.of("fill") if side == "buy") == 10_000
    assert told.of("liquidation") == [("XBTUSD", "sell", "10000.0", "")]
    assert told.notes[-1] == ("position", "0.0")
    assert told.result.exit_code == 0


class Cutting(VirtualGround):
    """Its simulator breaks every socket once, ten seconds after it began."""

    @contextlib.asynccontextmanager
    async def simulator(self, *about):
        async with super().simulator(*about) as address:
            cut = asyncio.create_task(self._cut(address.rest.removesuffix("/api/v1")))
            try:
                yield address
            finally:
                await cut

    async def _cut(self, base):
        await asyncio.sleep(10)
        async with (
            aiohttp.ClientSession(connector=self.connector()) as session,
            session.post(f"{base}/control/faults", json={"fault": "cut"}) as answer,
        ):
            assert answer.status == 200


class Linked(Strategy):
    """Notes the connection, and goes on."""

    def on_start(self):
        self.begun = self.now

    def on_connected(self, exchange):
        note("connected", exchange)

    def on_disconnected(self, exchange):
        note("disconnected", exchange)
        self.buy(100, tag="blind")

    def on_order(self, order):
        note("order", order.tag, order.status)

    def on_stop(self):
        note("stop")


@pytest.mark.parametrize("mode", MODES)
def test_a_lost_connection_is_told_where_there_is_one(mode, monkeypatch):
    monkeypatch.setattr("hbkit.cli.live.VirtualGround", Cutting)
    told = play(mode, ONE, one=Linked)
    connected, lost = ("connected", "bitmex_perpetual"), ("disconnected", "bitmex_perpetual")
    # A replay reads files, which nobody cuts. Elsewhere nothing new is opened in the dark.
    there = [connected] if mode == "replay" else [connected, lost, ("order", "blind", "rejected"), connected]
    assert told.notes == [*there, ("stop",)]
