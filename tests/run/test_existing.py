"""What a start finds on an account that outlives the run: own orders and those of others, positions, fills in between.

Bots and simulator share one virtual loop; a bot is killed by cancelling its task, which leaves its orders where they
are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hbkit_bitmex.simulator import Options, Running, serve, trading

from hbkit.background import Background, Beside, InlineBackground, Main, TaskBeside
from hbkit.chance import Chance
from hbkit.clock import parse_time
from hbkit.config import load_config
from hbkit.errors import AlreadyRunning, ExchangeError
from hbkit.exchange import Address, ExchangeSpec, SimulatorOptions
from hbkit.model import PositionMode
from hbkit.net.virtual import VirtualLoop, run_virtual
from hbkit.plugins import Plugins
from hbkit.report.result import RunResult
from hbkit.run import make_plan
from hbkit.run.live import LiveRun

STRATEGY = """
from hbkit import Quote, Strategy


class Patient(Strategy):
    'Quotes far away; buys once when told to.'

    def on_start(self) -> None:
        self.seen = [(order.id, order.price) for order in self.orders]
        self.held = self.position.qty
        self.log.info("began", held=self.held, orders=len(self.seen))

    def on_quote(self, quote: Quote) -> None:
        if not self.state.get("bought"):
            self.state["bought"] = True
            self.buy(200)
        self.quote(bids=[(quote.bid - 50, 100)], asks=[(quote.ask + 50, 100)])
"""


class Ground:
    """A virtual loop on which the simulator runs already."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.clock = loop.clock

    def background(self) -> Background:
        return InlineBackground()

    def beside(self, main: Main, name: str) -> Beside:
        return TaskBeside(main, name)

    def connector(self) -> aiohttp.BaseConnector:
        return aiohttp.UnixConnector(path="venue", keepalive_timeout=1e6)

    def simulator(
        self, spec: ExchangeSpec, options: SimulatorOptions, on_end: Callable[[str], None], latency: int
    ) -> AbstractAsyncContextManager[Address]:
        raise AssertionError("it runs already")


class Town:
    """The simulator, and the bots that come and go."""

    def __init__(self, loop: VirtualLoop, running: Running, folder: Path, more: str) -> None:
        self.venue = running.simulator.venue
        self.account = next(iter(self.venue.accounts.values()))
        self.drive = running.simulator.drive
        self._ground = Ground(loop)
        self._config = folder / "bot.yaml"
        (folder / "strategies").mkdir()
        (folder / "strategies" / "patient.py").write_text(STRATEGY)
        self._config.write_text(
            "exchanges: {bitmex_perpetual: {simulator: {url: 'http://simulator'}}}\n"
            "strategies: [{use: patient, instruments: [XBTUSD]}]\n" + more
        )

    def bot(self, policy: str = "refuse", seconds: int = 5) -> LiveRun:
        """A bot that has not begun."""
        overrides = [f"state.on_existing={policy}", f"run.duration={seconds}s"]
        config = load_config(self._config, overrides=overrides, environ={})
        return LiveRun(make_plan(config, Plugins()), self._ground)

    async def kill(self, run: LiveRun, after: float) -> None:
        """Let it play for so long, then take it away as the end of a process does: its file is let go of."""
        task = asyncio.ensure_future(run.play())
        await asyncio.sleep(after)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert run._router is not None
        run._router._journal._db.close()

    async def killed_bot(self) -> None:
        """One that buys 200, quotes, and is killed."""
        await self.kill(self.bot(seconds=600), after=3)
        assert len(self.open_orders()) == 2
        assert self.position() == 200

    def manual(self, **fields: Any) -> None:
        """An order of somebody else."""
        sent = {"symbol": "XBTUSD", "ordType": "Limit", "clOrdID": "manual", **fields}
        self.drive.act(lambda: trading.place(self.venue, self.account, sent))

    def pay_in(self, minor: int) -> None:
        """A deposit while the bot runs."""

        def act() -> None:
            for money in (self.account.cash, self.account.deposited):
                money["XBT"] += minor
            for dirty in (self.venue._dirty_wallets, self.venue._dirty_margins):
                dirty[self.account, "XBT"] = None

        self.drive.act(act)

    def open_orders(self) -> list[str]:
        orders = [order.row() for order in self.venue.orders_of[self.account.number]]
        return sorted(row["clOrdID"] for row in orders if row["ordStatus"] in ("New", "PartiallyFilled"))

    def position(self) -> int:
        return sum(row["currentQty"] for row in self.venue.positions(self.account))

    def settled(self) -> int:
        return int(self.venue.margin(self.account, "XBT")["walletBalance"])


def town(tmp_path: Path, story: Callable[[Town], Awaitable[None]], more: str = "") -> None:
    async def main(loop: VirtualLoop) -> None:
        options = Options(path="venue", keep_alive=1e6, start=parse_time("2019-05-28T20:00:00Z"))
        running = await serve(options, clock=loop.clock, chance=Chance(1))
        try:
            await story(Town(loop, running, tmp_path, more))
        finally:
            await running.close()

    run_virtual(main)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def adds_up(result: RunResult, settled: int) -> bool:
    """The books meet the exchange to the unit, and both are what the venue says."""
    row = next(one for one in result.money if one.currency == "XBT")
    return row.gap == 0 and row.equity - row.unrealized_pnl == settled


def test_a_clean_restart_goes_on_with_the_position_that_the_books_explain(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        first = await town.bot().play()
        assert (first.fills, town.open_orders(), town.position()) == (1, [], 200)
        again = town.bot()
        second = await again.play()
        assert (second.exit_code, second.fills, town.position()) == (0, 0, 200)
        assert [(one.qty, one.side) for one in second.positions] == [("200", "long")]
        assert second.positions[0].entry_price == first.positions[0].entry_price
        assert adds_up(second, town.settled())

    town(tmp_path, story)


def test_orders_that_stand_are_refused_with_what_was_found_and_the_ways_out(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.killed_bot()
        town.manual(side="Sell", orderQty=300, price=9999.0)
        before = town.open_orders()
        with pytest.raises(ExchangeError) as refused:
            await town.bot().play()
        text = refused.value.message
        assert refused.value.code == "HB421"
        assert "order sell 300 XBTUSD at 9999 (manual, not this bot's)" in text
        assert text.count("this bot's, of an earlier run") == 2
        assert "position" not in text.split("start refused")[0], "the books explain it"
        assert all(f" {policy}" in text for policy in ("adopt", "cancel", "ignore"))
        assert town.open_orders() == before

    town(tmp_path, story)
    assert len(list(tmp_path.glob("runs/*"))) == 1, "a start that was refused leaves no run"


def test_adopt_goes_on_with_own_orders_and_leaves_those_of_others_alone(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.killed_bot()
        town.manual(side="Sell", orderQty=300, price=9999.0)
        own = [one for one in town.open_orders() if one != "manual"]
        run = town.bot("adopt")
        result = await run.play()
        # Amended where they were, not placed anew, and taken away at the end.
        assert result.orders == 0
        assert town.open_orders() == ["manual"]
        assert {row["clOrdID"] for row in _rows(town)} == {*own, "manual", *_bought(town)}
        assert adds_up(result, town.settled())

    town(tmp_path, story)


WAITING = '''
"""Holds a stop, a trailing stop and an iceberg far from the market; a second run amends what it finds."""

from hbkit import Quote, Strategy


class Patient(Strategy):
    def on_start(self) -> None:
        self.state["runs"] = self.state.get("runs", 0) + 1
        self.is_done = False
        self.every(1, self.look)

    def look(self) -> None:
        found = {order.tag: order for order in self.orders}
        if self.last_quote is None or self.is_done:
            return
        self.is_done = True
        price = round(self.last_quote.bid)
        if self.state["runs"] == 1:
            self.sell(200, trigger_price=price - 500, trigger_kind="stop", tag="stop")
            self.sell(100, price - 900, trail=800, trigger_by="last", tag="trail")
            self.buy(400, price - 300, display_qty=100, tag="iceberg")
        elif [str(found[tag].status) for tag in ("stop", "trail", "iceberg")] == ["untriggered", "untriggered", "open"]:
            self.amend(found["stop"], trigger_price=found["stop"].trigger_price - 100)
'''


def test_orders_that_wait_for_a_trigger_are_taken_up_with_it(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        (tmp_path / "strategies" / "patient.py").write_text(WAITING)
        await town.kill(town.bot(seconds=600), after=3.5)
        before = _rows(town)
        assert [row["ordType"] for row in before] == ["Stop", "StopLimit", "Limit"]
        run = town.bot("adopt")
        result = await run.play()
        after = _rows(town)
        assert result.orders == 0
        assert after[0]["orderID"] == before[0]["orderID"]
        assert before[0]["stopPx"] - after[0]["stopPx"] == 100
        assert [row["ordStatus"] for row in after] == ["Canceled"] * 3

    town(tmp_path, story)


def test_cancel_takes_all_orders_away_and_takes_the_position_over(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.killed_bot()
        town.manual(side="Buy", orderQty=100, ordType="Market")
        town.manual(side="Sell", orderQty=300, price=9999.0, clOrdID="rests")
        result = await town.bot("cancel").play()
        assert (result.exit_code, town.open_orders(), town.position()) == (0, [], 300)
        assert [(one.qty, one.side) for one in result.positions] == [("300", "long")]
        assert adds_up(result, town.settled())

    town(tmp_path, story)


def test_ignore_leaves_everything_where_it_is(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.killed_bot()
        town.manual(side="Buy", orderQty=100, ordType="Market")
        before = town.open_orders()
        result = await town.bot("ignore").play()
        assert (result.exit_code, town.position()) == (0, 300)
        assert set(before) <= set(town.open_orders())
        assert adds_up(result, town.settled())

    town(tmp_path, story)


@pytest.mark.parametrize(("policy", "held"), [("adopt", -100.0), ("cancel", -100.0), ("ignore", 0.0)])
def test_a_position_of_others_belongs_to_the_strategy_as_the_policy_says(
    tmp_path: Path, policy: str, held: float
) -> None:
    async def story(town: Town) -> None:
        town.manual(side="Sell", orderQty=100, ordType="Market")
        with pytest.raises(ExchangeError, match="position XBTUSD net -100"):
            await town.bot().play()
        run = town.bot(policy, seconds=2)
        result = await run.play()
        # It buys 200 by its own account, whatever was there.
        assert town.position() == 100
        assert run.hosts[0].desk.markets[0].position.qty == held + 200
        assert adds_up(result, town.settled())

    town(tmp_path, story)


def test_fills_of_the_time_between_two_runs_are_booked_once(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.killed_bot()
        own = town.open_orders()
        # Its offer is moved to the best price by hand, and fills while nobody listens.
        offer = max((row for row in _rows(town) if row["clOrdID"] in own), key=lambda row: row["price"])
        best = town.venue.markets["XBTUSD"].market.book.best_ask
        town.drive.act(lambda: trading.amend(town.venue, town.account, {"orderID": offer["orderID"], "price": best}))
        await asyncio.sleep(300)
        assert town.position() == 100
        result = await town.bot("cancel").play()
        assert [(one.qty, one.side) for one in result.positions] == [("100", "long")]
        assert result.fills == 0, "it filled before this run"
        assert adds_up(result, town.settled())

    town(tmp_path, story)


@pytest.mark.parametrize("minor", [25_000_000, -25_000_000])
def test_money_that_is_paid_in_or_out_is_a_transfer_and_no_profit(tmp_path: Path, minor: int) -> None:
    async def story(town: Town) -> None:
        task = asyncio.ensure_future(town.bot(seconds=5).play())
        await asyncio.sleep(3)
        town.pay_in(minor)
        result = await task
        row = next(one for one in result.money if one.currency == "XBT")
        assert (row.transfers, row.gap) == (minor, 0)
        assert abs(row.net_profit) < 100_000
        assert result.stop_reason == "duration", "a withdrawal is no drawdown"
        assert adds_up(result, town.settled())

    town(tmp_path, story, "risk: {max_drawdown: 5%}\n")


def test_two_bots_of_one_name_do_not_run_at_once(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        first = asyncio.ensure_future(town.bot(seconds=5).play())
        await asyncio.sleep(2)
        with pytest.raises(AlreadyRunning):
            await town.bot().play()
        assert (await first).exit_code == 0

    town(tmp_path, story)


def test_the_position_mode_that_the_config_names_is_put_in_force_before_the_strategy_begins(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        overrides = ["exchanges.bitmex_perpetual.position_mode=hedge"]
        config = load_config(tmp_path / "bot.yaml", overrides=overrides, environ={})
        result = await LiveRun(make_plan(config, Plugins()), town.bot()._ground).play()
        assert town.account.mode is PositionMode.HEDGE
        # The strategy is one for a single position: it is told so, and has sent nothing by then.
        assert (result.exit_code, result.orders) == (5, 0)

    town(tmp_path, story)


def _rows(town: Town) -> list[dict[str, Any]]:
    return [order.row() for order in town.venue.orders_of[town.account.number]]


def _bought(town: Town) -> list[str]:
    return [row["clOrdID"] for row in _rows(town) if row["ordType"] == "Market"]
