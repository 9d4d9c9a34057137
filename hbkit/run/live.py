"""Puts a run against answering exchanges together from a plan, and writes what it leaves behind.

In mode `simulator` the exchange's own simulator is started first, unless the config names one that runs already.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import aiohttp

from hbkit.background import Background
from hbkit.chance import Chance
from hbkit.clock import SECOND, Clock, ShiftedClock, iso
from hbkit.data.journal import Journal
from hbkit.data.lock import StateLock
from hbkit.errors import ConfigError, ExchangeError, HbkitError
from hbkit.exchange import Connection, Exchange
from hbkit.log import Secret, get_logger
from hbkit.report.result import FillRow, ProvenanceRow, RunResult
from hbkit.run.child import simulator
from hbkit.run.desks import Desks, made
from hbkit.run.folders import fresh_state_file, new_run_folder
from hbkit.run.outcome import Story, outcome, write
from hbkit.run.plan import ExchangePlan, Plan
from hbkit.runtime.existing import meet
from hbkit.runtime.host import Host
from hbkit.runtime.live import LiveSession, LoopScheduler
from hbkit.runtime.money import Money
from hbkit.runtime.record import Recorder
from hbkit.runtime.router import Router

BOT_KEY = "bot"
CLOCK_ROUTE = "/control/clock"


class LiveRun:
    """One run on the running event loop."""

    def __init__(self, plan: Plan, *, wall: Clock, background: Background, seed: int) -> None:
        settings = plan.config.settings
        self.name = settings.run.name
        self.mode = ", ".join(dict.fromkeys(one.mode for one in plan.exchanges.values()))
        self.clock: Clock = wall
        """The time of the market; it may run ahead of the wall's."""
        self.hosts: list[Host] = []
        self.exchanges: dict[str, Exchange] = {}
        self.lag_ns = 0
        self._plan = plan
        self._wall = wall
        self._background = background
        self._chance = Chance(seed)
        self._recorder = Recorder()
        self._log = get_logger("hbkit")
        self._fault: HbkitError | None = None
        self._session: LiveSession | None = None
        self._on_sample: Callable[[], None] | None = None
        self._strategies = made(plan)
        self.folder = new_run_folder(Path(settings.run.dir), settings.run.name, wall)

    # -- what a view reads

    @property
    def fill_rows(self) -> list[FillRow]:
        """Executions so far, oldest first."""
        return self._recorder.fills

    @property
    def order_count(self) -> int:
        """Orders sent so far."""
        return sum(host.trader.sent for host in self.hosts)

    @property
    def fill_count(self) -> int:
        """Fills so far."""
        return sum(host.trader.fills for host in self.hosts)

    def profit(self) -> dict[str, tuple[str, str]]:
        """Equity and profit since the start, as texts, of each currency that moved."""
        if self._session is None or self._session.money is None:
            return {}
        rows = self._session.money.rows()
        moved = [row for row in rows if not row.is_idle] or rows
        return {row.currency: (row.unit.text(row.equity), row.unit.text(row.net_profit)) for row in moved}

    def on_sample(self, call: Callable[[], None]) -> None:
        """Call after each sample; a view draws itself there."""
        self._on_sample = call

    # -- running

    def stop(self, reason: str, exit_code: int) -> None:
        """End soon; call it from the loop."""
        if self._session is not None:
            self._session.stop(reason, exit_code)

    async def play(self) -> RunResult:
        """Run to the end, then write report, result, config copy and journal."""
        async with AsyncExitStack() as stack:
            addresses = await self._addresses(stack)
            speed = await self._set_clock(addresses)
            journal = stack.enter_context(self._open_journal())
            return await self._run(addresses, speed, journal)

    async def _run(self, addresses: dict[str, tuple[str, str]], speed: float, journal: Journal) -> RunResult:
        plan, settings = self._plan, self._plan.config.settings
        self.exchanges = {name: self._exchange(one, *addresses[name]) for name, one in plan.exchanges.items()}
        mode_hook = partial(plan.plugins.tell, "position_mode_changed")
        router = Router(self.exchanges, journal, self._recorder, mode_hook)
        desks = Desks(
            plan,
            self._strategies,
            self.exchanges,
            router,
            journal,
            bot=self._bot(journal),
            generation=journal.generation,
            chance=self._chance,
            clock=self.clock,
            scheduler=LoopScheduler(self.clock, speed),
            on_failed=self._on_failed,
        )
        self.hosts = desks.hosts
        duration = settings.run.duration
        session = self._session = LiveSession(
            list(self.exchanges.values()),
            self.hosts,
            router,
            lambda: Money(self.exchanges, router.ledgers),
            self._recorder,
            clock=self.clock,
            prepare=lambda exchange: meet(exchange, router, self.hosts, settings.state.on_existing),
            subscribe=desks.subscribe,
            since=self.clock.now(),
            duration=None if duration is None else duration / SECOND,
            max_drawdown=settings.risk.max_drawdown,
        )
        session.on_sample = self._sampled
        started = iso(self.clock.now())
        journal.begin(self.name, self.mode, settings.run.seed, started)
        plan.plugins.tell("session_started", run_id=self.folder.name, mode=self.mode)
        try:
            await session.run()
        except ExchangeError as error:
            if session.money is None:
                journal.close(iso(self.clock.now()), "never opened")
                raise
            self._fault = error
            session.ending.set(error.message, error.exit_code)
        result = self._result(session, router, journal, started)
        write(plan, self.folder, result)
        plan.plugins.tell("session_stopped", run_id=self.folder.name, stop_reason=result.stop_reason)
        return result

    def _on_failed(self, host: Host) -> None:
        if self._session is not None:
            self._session.on_failed(host)

    def _on_end(self, error: HbkitError) -> None:
        """An exchange is lost for good: end in order, as far as that is still possible."""
        self._fault = error
        self._log.error(str(error))
        self.stop(error.message, error.exit_code)

    def _sampled(self) -> None:
        if self._session is not None:
            self.lag_ns = self._session.lag_ns
        if self._on_sample is not None:
            self._on_sample()

    # -- putting together

    async def _addresses(self, stack: AsyncExitStack) -> dict[str, tuple[str, str]]:
        """REST base and socket of each exchange; starts one simulator for all blocks of one venue."""
        found: dict[str, tuple[str, str]] = {}
        children: dict[str, tuple[str, str]] = {}
        for name, one in self._plan.exchanges.items():
            settings = one.settings
            if one.mode != "simulator":
                if settings.rest_url is None or settings.ws_url is None:
                    raise ExchangeError(f"{one.spec.advice} (nothing was sent)", code="HB436")
                found[name] = settings.rest_url.rstrip("/"), settings.ws_url
            elif settings.simulator.url is not None:
                base = settings.simulator.url.rstrip("/")
                found[name] = f"{base}/api/v1", f"{base.replace('http', 'ws', 1)}/realtime"
            else:
                word = one.spec.simulator
                if word not in children:
                    children[word] = await stack.enter_async_context(simulator(word, _flags(one, self._plan)))
                found[name] = children[word]
        return found

    async def _set_clock(self, addresses: dict[str, tuple[str, str]]) -> float:
        """Follow the clock of a simulator, which may run faster and begin elsewhere."""
        for name, one in self._plan.exchanges.items():
            if one.mode == "simulator":
                base = addresses[name][0].removesuffix("/api/v1")
                told = await _read_clock(base)
                speed = float(told["speed"])
                self.clock = ShiftedClock(self._wall, int(told["now"]), speed)
                return speed
        return 1.0

    @contextlib.contextmanager
    def _open_journal(self) -> Iterator[Journal]:
        """The state file: kept where the account outlives the run, begun anew where it does not."""
        settings = self._plan.config.settings
        folder = Path(settings.state.dir)
        kept = all(one.mode != "simulator" or one.settings.simulator.url for one in self._plan.exchanges.values())
        path = folder / f"{self.name}.db" if kept else folder / f"{self.name}.{self.mode}.db"
        with StateLock(path):
            if not kept:
                path, line = fresh_state_file(folder, self.name, self.mode, Path(settings.run.dir))
                if line:
                    self._log.info(line)
            yield Journal(path, self.folder.name, self._background, durability=settings.state.durability)

    def _bot(self, journal: Journal) -> str:
        """The bot's identity, kept over restarts."""
        kept = journal.kept("").get(BOT_KEY)
        if isinstance(kept, str):
            return kept
        bot = self._chance.fork("bot").short_id(6)
        journal.keep("", BOT_KEY, bot)
        return bot

    def _exchange(self, plan: ExchangePlan, rest_url: str, ws_url: str) -> Exchange:
        settings, spec = plan.settings, plan.spec
        key, secret = settings.api_key, settings.api_secret
        if plan.mode == "simulator" and key is None:
            key, secret = spec.simulator_key[0], Secret(spec.simulator_key[1])
        if key is None or secret is None:
            raise ConfigError(f"{plan.name} needs api_key and api_secret; write them as ${{VAR}}", code="HB110")
        module, _, name = spec.connector.partition(":")
        connector: type[Exchange] = getattr(import_module(module), name)
        connection = Connection(
            name=plan.name,
            instruments=plan.instruments,
            rest_url=rest_url,
            ws_url=ws_url,
            api_key=key,
            api_secret=secret,
            clock=self._wall,
            chance=self._chance.fork(f"exchange/{plan.name}"),
            connector=aiohttp.TCPConnector,
            on_end=self._on_end,
        )
        return connector(connection)  # type: ignore[call-arg]

    def _result(self, session: LiveSession, router: Router, journal: Journal, started: str) -> RunResult:
        assert session.money is not None
        for name, ledger in router.ledgers.items():
            for side, leg in ledger.legs:
                if leg.units:
                    row = (self.clock.now(), name, leg.instrument.symbol, side.value, leg.units, leg.cost)
                    journal.position(*row)
        story = Story(
            mode=self.mode,
            started=started,
            stopped=iso(self.clock.now()),
            ending=session.ending,
            events=session.events,
            fill_model="",
            latency_ns=None,
            provenance=[
                ProvenanceRow(part=name, origin="exchange", text=f"orders and fills of {one.spec.title}, mode {one.mode}")
                for name, one in self._plan.exchanges.items()
            ],
            fault=self._fault,
        )
        return outcome(
            self._plan, self.folder, journal, story, session.final_money(), self.hosts, router, self._recorder
        )


async def _read_clock(base: str) -> dict[str, Any]:
    """Where a simulator's market clock stands."""
    try:
        async with aiohttp.ClientSession() as http, http.get(base + CLOCK_ROUTE) as answer:
            told: dict[str, Any] = await answer.json()
            return told
    except aiohttp.ClientError as error:
        raise ExchangeError(
            f"no simulator at {base} ({type(error).__name__}); start one: hbkit simulator NAME", code="HB432"
        ) from None


def _flags(plan: ExchangePlan, whole: Plan) -> list[str]:
    settings = plan.settings.simulator
    seed = settings.seed if settings.seed is not None else whole.config.settings.run.seed
    flags = ["--speed", str(settings.speed), "--seed", str(seed)]
    for data in settings.data:
        flags += ["--data", data]
    if plan.settings.api_key is not None and plan.settings.api_secret is not None:
        flags += ["--account", f"{plan.settings.api_key}:{plan.settings.api_secret.reveal()}"]
    return flags


