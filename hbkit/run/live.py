"""Puts a run against answering exchanges together from a plan, and writes what it leaves behind.

In mode `simulator` the exchange's own simulator is started first, unless the config names one that runs already; mode
`paper` puts the matching engine between the strategies and a connector that only listens.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

from hbkit.chance import Chance
from hbkit.clock import SECOND, ShiftedClock, iso
from hbkit.data.journal import Journal
from hbkit.data.lock import StateLock
from hbkit.errors import ExchangeError, HbkitError
from hbkit.exchange import Address, Exchange
from hbkit.log import get_logger
from hbkit.model import MarginMode, PositionMode
from hbkit.report.result import ProvenanceRow, RunResult
from hbkit.run.admission import check_clock, check_markets
from hbkit.run.alerts import Alerts
from hbkit.run.connections import Connections
from hbkit.run.desks import Desks, made
from hbkit.run.folders import fresh_state_file, new_run_folder
from hbkit.run.ground import Ground
from hbkit.run.market_clock import read_clock
from hbkit.run.news import News
from hbkit.run.outcome import Story, outcome, write
from hbkit.run.plan import Plan
from hbkit.run.reporting import valuation
from hbkit.runtime.existing import Found, Past, look, meet, restore
from hbkit.runtime.host import Host
from hbkit.runtime.live import LiveSession
from hbkit.runtime.looped import LoopScheduler
from hbkit.runtime.money import Money
from hbkit.runtime.reconcile import OVERLAP, Reconciler
from hbkit.runtime.router import Router

ACCOUNT = "account"
BOT = "bot"
NUMBERS = "strategy numbers"
LOOKS = 50
"""How often an account is read at the start until nothing happens on it meanwhile."""
_FOLLOW_SECONDS = 1.0


class LiveRun:
    """One run on the running event loop."""

    def __init__(self, plan: Plan, ground: Ground) -> None:
        settings = plan.config.settings
        self.name = settings.run.name
        self.mode = ", ".join(dict.fromkeys(one.mode for one in plan.exchanges.values()))
        self.clock = ShiftedClock(ground.clock, ground.clock.now())
        """The time of the market; it may run ahead of the wall's."""
        self.hosts: list[Host] = []
        self.exchanges: dict[str, Exchange] = {}
        self._plan = plan
        self._ground = ground
        self._chance = Chance(settings.run.seed)
        self.news = News(len(plan.exchanges) > 1)
        """What happened, for those who watch."""
        self.speed = 1.0
        """Market seconds per second."""
        self._alerts = Alerts(plan.plugins, self.clock, "")
        self._stage = ""
        self._router: Router | None = None
        self._trading_since: float | None = None
        self._log = get_logger("hbkit")
        self._fault: HbkitError | None = None
        self._past: dict[str, Past] = {}
        """What the state file knows of each exchange."""
        self._session: LiveSession | None = None
        self._scheduler = LoopScheduler(self.clock)
        # User code first: what it raises must leave nothing behind.
        self.strategies = made(plan)
        self.folder = new_run_folder(Path(settings.run.dir), settings.run.name, ground.clock)

    # -- what a view reads

    @property
    def stage(self) -> str:
        """What the run is at, in words, while it is not trading; empty while it is."""
        session = self._session
        if session is None or self._trading_since is None:
            return self._stage
        return f"stopping: {session.ending.reason}" if session.ending.reason else ""

    @property
    def money(self) -> Money | None:
        """The books, once the exchanges are open."""
        return self._session.money if self._session is not None else None

    @property
    def lag_ns(self) -> int:
        """By how much the loop was late when it was looked at last."""
        return self._session.lag_ns if self._session is not None else 0

    @property
    def unseen(self) -> dict[str, bool]:
        """Exchanges at which nothing new is begun, and whether they can be reached: then books are being compared."""
        session = self._session
        if self._router is None or self._trading_since is None or session is None or session.accounts:
            return {}  # before it began, and when all is done and the exchanges are let go of
        return {name: self.exchanges[name].is_up for name in self._router.blind}

    @property
    def seconds(self) -> float:
        """For how long it has been trading."""
        since = self._trading_since
        return 0.0 if since is None else asyncio.get_running_loop().time() - since

    @property
    def seconds_left(self) -> float | None:
        """Until it ends by itself; None when it does not."""
        duration = self._plan.config.settings.run.duration
        return None if duration is None else max(0.0, duration / SECOND - self.seconds)

    # -- running

    def stop(self, reason: str, exit_code: int) -> None:
        """End soon; call it from the loop."""
        if self._session is not None:
            self._session.stop(reason, exit_code)

    async def play(self) -> RunResult:
        """Run to the end, then write report, result, config copy and journal."""
        try:
            return await self._play()
        finally:
            if self.money is None:
                # Nothing was traded: what stopped it is told, and a folder without a result would only be in the way.
                shutil.rmtree(self.folder, ignore_errors=True)

    async def _play(self) -> RunResult:
        async with AsyncExitStack() as stack:
            # The first to come is the last to go: it waits until everybody has been told.
            notices = self._ground.background()
            stack.callback(notices.close)
            self._alerts = Alerts(self._plan.plugins, self.clock, self.folder.name, self._plan.notifiers, notices)
            connections = Connections(
                self._plan.exchanges,
                self._ground,
                self._chance,
                self.clock,
                self._on_end,
                seed=self._plan.config.settings.run.seed,
                markets=self._plan.markets,
            )
            self._stage = self._first_stage()
            addresses = await connections.open(stack)
            self._stage = f"connecting to {', '.join(addresses)}"
            await self._take_clock(addresses, stack)
            path = stack.enter_context(self._state_file())
            background = self._ground.background()
            stack.callback(background.close)
            journal = Journal(
                path, self.folder.name, background, durability=self._plan.config.settings.state.durability
            )
            self.exchanges = {
                name: connections.exchange(one, addresses[name], self._scheduler)
                for name, one in self._plan.exchanges.items()
            }
            stack.callback(self._scheduler.close)
            return await self._run(journal)

    async def _run(self, journal: Journal) -> RunResult:
        plan, settings = self._plan, self._plan.config.settings
        hook = partial(plan.plugins.tell, "position_mode_changed")
        router = self._router = Router(self.exchanges, journal, self.news, hook)
        desks = Desks(
            plan,
            self.strategies,
            self.exchanges,
            router,
            journal,
            bot=self._bot(journal),
            numbers=_numbers(journal, [one.name for one in plan.strategies]),
            chance=self._chance,
            clock=self.clock,
            scheduler=self._scheduler,
            on_failed=self._on_failed,
            alerts=self._alerts,
        )
        self.hosts = desks.hosts
        seen = {name: _first_seen(journal, name) for name in self.exchanges}
        lasting = {
            name: one for name, one in self.exchanges.items() if plan.exchanges[name].outlives_run and seen[name]
        }
        # Each exchange by itself: where one was out of reach, what it did meanwhile is older than the other's newest.
        self._past = restore(journal, router, lasting, {name: one.get("earlier", 0) for name, one in seen.items()})
        since = {name: max(self._past[name].last, seen[name].get("since", 0)) for name in lasting}
        session = self._session = LiveSession(
            self.exchanges,
            self.hosts,
            router,
            self.news,
            clock=self.clock,
            prepare=lambda reconcilers: self._prepare(reconcilers, router, journal),
            subscribe=desks.subscribe,
            since={name: since.get(name, 0) or self.clock.now() for name in self.exchanges},
            duration=None if settings.run.duration is None else settings.run.duration / SECOND,
            max_drawdown=settings.risk.max_drawdown,
            valuation=valuation(settings.report, plan.markets, self.exchanges, self.clock),
        )
        started = iso(self.clock.now())
        try:
            await session.run()
        except ExchangeError as error:
            if session.money is None:
                journal.close(iso(self.clock.now()), "never opened")
                raise
            self._fault = error
            session.ending.set(error.message, error.exit_code)
        result = self._result(session, router, journal, started)
        self._log.info("ended", reason=result.stop_reason, exit=result.exit_code)
        write(plan, self.folder, result)
        plan.plugins.tell("session_stopped", run_id=self.folder.name, stop_reason=result.stop_reason)
        self._alerts.stopped(result.stop_reason, result.exit_code)
        return result

    def _on_failed(self, host: Host) -> None:
        if self._session is not None:
            self._session.on_failed(host)

    def _on_end(self, error: HbkitError) -> None:
        """An exchange is lost for good: end in order, as far as that is still possible."""
        if self._fault is None:
            self._fault = error
            self._log.error(error.message)
        if self._session is not None:
            self._session.stop(error.message, error.exit_code, gone=True)

    def _first_stage(self) -> str:
        own = [
            one.name
            for one in self._plan.exchanges.values()
            if one.feed == "simulator" and one.settings.simulator.url is None
        ]
        return f"starting the simulator of {', '.join(own)}" if own else "connecting"

    # -- before trading

    async def _prepare(self, reconcilers: Mapping[str, Reconciler], router: Router, journal: Journal) -> None:
        """Books and accounts agree, or the run is refused."""
        router.begun = False
        self._stage = "comparing the books with the account"
        for name, exchange in self.exchanges.items():
            await self._bring_to_terms(name, exchange)
            await self._take_up(exchange, reconcilers[name], router, journal)
            found = await _look(exchange, reconcilers[name], router)
            if found:
                policy = self._plan.config.settings.state.on_existing
                await meet(found, exchange, router, self.hosts, journal, policy)
                if policy == "cancel" and found.orders:
                    # Some may have filled before they could be taken away.
                    found = Found([], (await _look(exchange, reconcilers[name], router)).holdings)
                    await meet(found, exchange, router, self.hosts, journal, policy)
            await exchange.refresh()
        for ledger in (*router.ledgers.values(), *(host.trader.ledger for host in self.hosts)):
            ledger.begin()
        for host in self.hosts:
            host.trader.fills = 0
        router.begun = True
        # Only now is there a run to speak of: a start that is refused leaves no row.
        journal.begin(self.name, self.mode, self._plan.config.settings.run.seed, iso(self.clock.now()))
        self._plan.plugins.tell("session_started", run_id=self.folder.name, mode=self.mode)
        self._alerts.started(f"{self.name} in mode {self.mode}")
        self._trading_since = asyncio.get_running_loop().time()
        self._log.info("trading", run=self.folder.name, mode=self.mode, markets=_markets(self._plan))

    async def _bring_to_terms(self, name: str, exchange: Exchange) -> None:
        """Its clock and its markets are as they must be, and so are the position mode, margin mode and leverage that
        the config asks for; refused with the exchange's reason.
        """
        block = self._plan.exchanges[name].settings
        every = [market for one in self._plan.strategies for market in one.markets if market.exchange == name]
        markets = list(dict.fromkeys(every))
        if self._plan.exchanges[name].outlives_run:
            check_clock(exchange, self._ground.clock)
        await check_markets(exchange, markets, self.clock.now())
        await exchange.prepare(
            markets,
            position_mode=PositionMode(block.position_mode) if block.position_mode else None,
            margin_mode=MarginMode(block.margin.mode) if block.margin.mode else None,
            leverage=block.margin.leverage,
        )

    async def _take_up(self, exchange: Exchange, reconciler: Reconciler, router: Router, journal: Journal) -> None:
        """Go on where the books end. On an account that the bot sees for the first time they begin with what it holds:
        executions of the minute before are in that already, and are remembered so that none of them is booked again.
        """
        lasts = self._plan.exchanges[exchange.name].outlives_run
        seen = _first_seen(journal, exchange.name) if lasts else {}
        if not seen:
            now = self.clock.now()
            before = await exchange.executions_since(now - OVERLAP)
            # An account that ends with the run leaves executions which the next one of that name knows nothing of.
            earlier = self._past[exchange.name].rows if exchange.name in self._past else 0
            told = [[one.instrument.symbol, one.id] for one in before]
            seen = {"since": now, "before": told, "earlier": earlier} if lasts else {}
            journal.keep("", f"{ACCOUNT} {exchange.name}", seen)
            router.skip((one.instrument, one.id) for one in before)
            return
        known = exchange.instruments()
        router.skip((known[symbol], id_) for symbol, id_ in seen["before"] if symbol in known)
        await reconciler.catch_up()

    async def _take_clock(self, addresses: Mapping[str, Address], stack: AsyncExitStack) -> None:
        """Follow the clock of a simulator, which may run faster, begin elsewhere, and be pushed forward by hand."""
        one = next((one for one in self._plan.exchanges.values() if one.feed == "simulator"), None)
        if one is None:
            return
        base = addresses[one.name].rest.removesuffix(one.spec.simulator_routes[0])
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=self._ground.connector()))
        self.speed = await read_clock(http, base, self.clock)
        if one.settings.simulator.url is not None:
            following = asyncio.get_running_loop().create_task(self._follow_clock(http, base), name="market clock")
            stack.push_async_callback(_cancelled, following)

    async def _follow_clock(self, http: aiohttp.ClientSession, base: str) -> None:
        while True:
            await asyncio.sleep(_FOLLOW_SECONDS)
            try:
                self.speed = await read_clock(http, base, self.clock)
            except ExchangeError as error:
                self._log.debug(error.message)  # the connector says that it is gone, and what comes of it
            else:
                self._scheduler.clock_moved()

    # -- state

    @contextlib.contextmanager
    def _state_file(self) -> Iterator[Path]:
        """The state file: kept where the account outlives the run, begun anew where it does not."""
        settings = self._plan.config.settings
        folder = Path(settings.state.dir)
        kept = any(one.outlives_run for one in self._plan.exchanges.values())
        modes = self.mode.replace(", ", "-")
        path = folder / (f"{self.name}.db" if kept else f"{self.name}.{modes}.db")
        with StateLock(path):
            if not kept:
                path, line = fresh_state_file(folder, self.name, modes, Path(settings.run.dir))
                if line:
                    self._log.info(line)
            yield path

    def _bot(self, journal: Journal) -> str:
        """The bot's identity, kept over restarts: an order of ours is known by it."""
        kept = journal.kept("").get(BOT)
        if isinstance(kept, str):
            return kept
        # Drawn from the file's own beginning, not from the seed: two bots of one seed may share an account.
        fresh = any(one.outlives_run for one in self._plan.exchanges.values())
        chance = Chance(self._ground.clock.now()) if fresh else self._chance.fork("bot")
        bot = chance.short_id(6)
        journal.keep("", BOT, bot)
        return bot

    # -- what is left behind

    def _result(self, session: LiveSession, router: Router, journal: Journal, started: str) -> RunResult:
        assert session.money is not None
        for name, ledger in router.ledgers.items():
            for side, leg in ledger.legs:
                if leg.units:
                    row = (self.clock.now(), name, leg.instrument.symbol, side.value, leg.units, leg.cost)
                    journal.position(*row)
        self._plan.warnings.extend(session.warnings)
        plans = self._plan.exchanges.values()
        story = Story(
            mode=self.mode,
            started=started,
            stopped=iso(self.clock.now()),
            ending=session.ending,
            events=session.events,
            fill_model=", ".join(dict.fromkeys(one.fill_model for one in plans if one.mode == "paper")),
            latency_ns=None,
            provenance=[
                ProvenanceRow(part=one.name, origin=one.mode, text=one.where_from) for one in plans
            ],
            fault=self._fault,
            standing=[
                f"{ticket.request.id} at {ticket.request.instrument.exchange}" if len(plans) > 1 else ticket.request.id
                for host in self.hosts
                for ticket in host.trader.tracker.open.values()
            ],
        )
        money, accounts = session.money, session.accounts or session.money.accounts(open_profit_of_exchange=True)
        return outcome(self._plan, self.folder, journal, story, money, accounts, self.hosts, router, self.news)


def _markets(plan: Plan) -> str:
    return ", ".join(f"{one.exchange} {one}" if len(plan.exchanges) > 1 else str(one) for one in plan.markets)


def _first_seen(journal: Journal, exchange: str) -> dict[str, Any]:
    """When the bot saw this account first, and which executions were there before; empty if it never has."""
    found = journal.kept("").get(f"{ACCOUNT} {exchange}")
    return found if isinstance(found, dict) else {}


async def _look(exchange: Exchange, reconciler: Reconciler, router: Router) -> Found:
    """What stands on an account, read between two readings of its executions that tell the same.

    Only then it is certain which executions the positions hold: none is counted twice, and none is left out.
    """
    newest = await reconciler.catch_up()
    for _ in range(LOOKS):
        found = await look(exchange, router)
        before, newest = newest, await reconciler.catch_up()
        if newest == before:
            return found
    raise ExchangeError(
        f"{exchange.name}: somebody trades on this account without a pause; its books cannot be taken over",
        code="HB421",
    )


def _numbers(journal: Journal, names: list[str]) -> dict[str, int]:
    """Each strategy's number within the bot, kept by name: the config may list them in another order next time."""
    kept = journal.kept("").get(NUMBERS)
    numbers: dict[str, int] = dict(kept) if isinstance(kept, dict) else {}
    free = (number for number in count(1) if number not in numbers.values())
    for name in names:
        if name not in numbers:
            numbers[name] = next(free)
    journal.keep("", NUMBERS, numbers)
    return numbers


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

