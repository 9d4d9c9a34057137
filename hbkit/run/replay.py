"""Puts a replay together from a plan, plays it, and writes what it leaves behind."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

from hbkit.agenda import Agenda
from hbkit.background import InlineBackground
from hbkit.chance import Chance
from hbkit.clock import Clock, ManualClock, iso, parse_duration
from hbkit.data.journal import Journal
from hbkit.errors import ConfigError, DataError, StateError, StrategyError
from hbkit.exchange import Exchange
from hbkit.log import get_logger
from hbkit.matching import Account, Engine
from hbkit.model import Candle, MarginMode, PositionMode
from hbkit.report.result import ProvenanceRow, RunResult
from hbkit.run.alerts import Alerts
from hbkit.run.desks import Desks, made
from hbkit.run.folders import fresh_state_file, new_run_folder
from hbkit.run.outcome import Story, outcome, write
from hbkit.run.plan import ExchangePlan, Plan
from hbkit.run.reporting import valuation
from hbkit.runtime.history import hand_out, wanted
from hbkit.runtime.host import Host
from hbkit.runtime.money import Money
from hbkit.runtime.record import Recorder
from hbkit.runtime.replay import Feed, ReplaySession
from hbkit.runtime.router import Router
from hbkit.simulated import SimulatedExchange
from hbkit.simulated.history import recorded_candles
from hbkit.trading.view import MarketView

EVERY = 1 << 40
"""More candles than there are."""
Progress = Callable[[float, int, int], None]
"""Called with the part done (0..1), the data time and the fills so far."""


class Replay:
    """A run over recorded data: everything is put together here, `play` runs it and writes what it leaves behind."""

    def __init__(self, plan: Plan, *, wall: Clock) -> None:
        """Make the run's folder and its state file, then all its objects.

        :param wall: names the folder; nothing of the run itself depends on it.
        """
        settings = plan.config.settings
        self._plan = plan
        self._seed = settings.run.seed
        self._chance = Chance(self._seed)
        # User code first: what it raises must leave nothing behind.
        self.strategies = made(plan)
        self._start, self._end = _span(plan)
        self.clock = ManualClock(self._start)
        """The time of the data; logs of the run are stamped with it."""
        self._agenda = Agenda(self.clock)
        runs = Path(settings.run.dir)
        self.folder = new_run_folder(runs, settings.run.name, wall)
        try:
            state, self._set_aside = fresh_state_file(Path(settings.state.dir), settings.run.name, "replay", runs)
            self._journal = Journal(state, self.folder.name, InlineBackground(), buffered=True)
        except StateError:
            self.folder.rmdir()
            raise
        self._log = get_logger("hbkit")
        self._recorder = Recorder()
        self._feeds = [
            Feed(self._exchange(one), one.source) for one in plan.exchanges.values() if one.source is not None
        ]
        exchanges: dict[str, Exchange] = {feed.exchange.name: feed.exchange for feed in self._feeds}
        mode_hook = partial(plan.plugins.tell, "position_mode_changed")
        self._router = Router(exchanges, self._journal, self._recorder, mode_hook)
        # No notifier: nobody wants to be woken by what happened years ago.
        self._alerts = Alerts(plan.plugins, self.clock, self.folder.name)
        desks = Desks(
            plan,
            self.strategies,
            exchanges,
            self._router,
            self._journal,
            numbers={},
            bot=self._chance.fork("bot").short_id(4),
            chance=self._chance,
            clock=self.clock,
            scheduler=self._agenda,
            on_failed=self._on_failed,
            alerts=self._alerts,
        )
        desks.subscribe()
        self._hosts: list[Host] = desks.hosts
        self._session = ReplaySession(
            self._feeds,
            self._hosts,
            self._router,
            Money(exchanges, self._router.ledgers, valuation(settings.report, plan.markets, exchanges, self.clock)),
            self._recorder,
            clock=self.clock,
            agenda=self._agenda,
            start=self._start,
            end=self._end,
            max_drawdown=settings.risk.max_drawdown,
        )

    def stop(self, reason: str, exit_code: int) -> None:
        """End after the present event; safe to call from a signal handler."""
        self._session.stop(reason, exit_code)

    @property
    def failure(self) -> StrategyError | None:
        """What stopped a strategy, if one was."""
        return next((host.failure for host in self._hosts if host.stopped and host.failure is not None), None)

    def keep_candles(self) -> None:
        """Keep every candle that a strategy hears, for `candles`; call it before `play`."""
        for view, interval in self._heard():
            view.candles(EVERY, interval)

    def candles(self) -> list[Candle]:
        """The candles that strategies heard, each once, in the order of their closes."""
        heard = {
            (candle.instrument, candle.interval, candle.close_time): candle
            for view, interval in self._heard()
            for candle in view.candles(EVERY, interval)
        }
        return sorted(heard.values(), key=lambda candle: candle.close_time)

    def _heard(self) -> Iterator[tuple[MarketView, str]]:
        for host, plan in zip(self._hosts, self._plan.strategies, strict=True):
            for view in host.desk.markets:
                yield from ((view, interval) for interval in plan.intervals)

    def play(self, progress: Progress | None = None) -> RunResult:
        """Run to the end, then write report, result, config copy and journal."""
        plugins = self._plan.plugins
        if self._set_aside:
            self._log.info(self._set_aside)
        self._journal.begin(self._plan.config.settings.run.name, "replay", self._seed, iso(self._start))
        plugins.tell("session_started", run_id=self.folder.name, mode="replay")
        self._alerts.started(f"{self._plan.config.settings.run.name} in mode replay")
        if progress is not None:
            self._session.progress = lambda done, ts: progress(done, ts, len(self._recorder.fills))
        try:
            self._warm_up()
            self._session.run()
        except DataError:
            self._discard()
            raise
        if self._session.fault is not None:
            self._log.error(str(self._session.fault))
        result = self._result()
        write(self._plan, self.folder, result)
        plugins.tell("session_stopped", run_id=self.folder.name, stop_reason=result.stop_reason)
        self._alerts.stopped(result.stop_reason, result.exit_code)
        return result

    def _warm_up(self) -> None:
        """The candles that the strategies want to know before they begin."""
        sources = {feed.exchange.name: feed.source for feed in self._feeds}
        found = {
            (instrument, interval): recorded_candles(
                sources[instrument.exchange], instrument, interval, count, self._start
            )
            for (instrument, interval), count in wanted(self._hosts).items()
        }
        for fault in hand_out(self._hosts, found):
            self._log.warning(str(fault))
            self._plan.warnings.append(str(fault))

    def _on_failed(self, host: Host) -> None:
        self._session.on_failed(host)

    # -- putting together

    def _exchange(self, plan: ExchangePlan) -> SimulatedExchange:
        assert plan.info is not None
        assert plan.model is not None
        ids = count(1)
        engine = Engine(lambda: f"{plan.name}-{next(ids)}")
        settings = plan.settings
        account = Account(
            plan.name,
            plan.starting_money,
            engine.reference_price,
            mode=PositionMode(settings.position_mode or PositionMode.ONE_WAY),
            margin_mode=MarginMode(settings.margin.mode) if settings.margin.mode else None,
            leverage=settings.margin.leverage,
        )
        return SimulatedExchange(
            plan.name,
            plan.instruments,
            plan.info,
            plan.model,
            account,
            engine,
            clock=self.clock,
            scheduler=self._agenda,
            latency=settings.latency,
            book_depth=plan.spec.capabilities.book_depth,
        )

    # -- what is left behind

    def _discard(self) -> None:
        """Leave nothing of a run whose data turned out to be at fault: half a result is no result."""
        self._journal.close(iso(self.clock.ts), "data at fault")
        for suffix in ("", "-wal", "-shm"):
            self._journal.path.with_name(self._journal.path.name + suffix).unlink(missing_ok=True)
        shutil.rmtree(self.folder)

    def _result(self) -> RunResult:
        session, plans = self._session, self._plan.exchanges.values()
        accounts = session.money.accounts()
        self._write_positions()
        story = Story(
            mode="replay",
            started=iso(self._start),
            stopped=iso(self.clock.ts),
            ending=session.ending,
            events=session.events,
            fill_model=", ".join(dict.fromkeys(plan.fill_model for plan in plans)),
            latency_ns=max(feed.exchange.latency for feed in self._feeds),
            provenance=[
                ProvenanceRow(part=line.part, origin=line.origin, text=line.text)
                for plan in plans
                if plan.info is not None
                for line in plan.info.provenance
            ],
            fault=session.fault,
            off_grid={
                f"{feed.exchange.name} {symbol}" if len(self._feeds) > 1 else symbol: n
                for feed in self._feeds
                for symbol, n in feed.exchange.off_grid.items()
            },
        )
        return outcome(
            self._plan, self.folder, self._journal, story, session.money, accounts, self._hosts, self._router,
            self._recorder,
        )  # fmt: skip

    def _write_positions(self) -> None:
        for name, ledger in self._router.ledgers.items():
            for side, leg in ledger.legs:
                if leg.units:
                    row = (self.clock.ts, name, leg.instrument.symbol, side.value, leg.units, leg.cost)
                    self._journal.position(*row)


def _span(plan: Plan) -> tuple[int, int]:
    """First and last moment of the run: the data's, cut by `from`, `to` and `duration`."""
    infos = [one.info for one in plan.exchanges.values() if one.info is not None]
    wanted = [one.settings.replay for one in plan.exchanges.values()]
    starts = [one.from_ts for one in wanted if one.from_ts is not None]
    ends = [one.to_ts for one in wanted if one.to_ts is not None]
    start = max(starts) if starts else min(info.start for info in infos)
    # The end is exclusive, the last row of the data is not.
    end = min(ends) if ends else max(info.end for info in infos) + 1
    if not starts:
        start = _after_warmup(plan, start, end)
    duration = plan.config.settings.run.duration
    return start, end if duration is None else min(end, start + duration)


def _after_warmup(plan: Plan, start: int, end: int) -> int:
    """Where a run begins that names no `from`: once the data holds what its strategies want to know before they begin.

    Raises ConfigError when nothing would be left to play.
    """
    for strategy in plan.strategies:
        for market in strategy.markets if strategy.warmup else ():
            info = plan.exchanges[market.exchange].info
            assert info is not None
            for interval in strategy.intervals:
                length = parse_duration(interval)
                native = map(parse_duration, info.intervals.get(market.symbol, ()))
                inner = max((known for known in native if length % known == 0), default=0)
                opened = info.start - inner  # candles are stamped with their close
                begin = opened + -opened % length + (strategy.warmup + 1) * length
                if begin >= end:
                    raise ConfigError(
                        f"strategy {strategy.name} wants {strategy.warmup} {interval} candles of {market} before it "
                        f"begins, and the data {info.name} ends at {iso(info.end)}; lower warmup, or name more data",
                        code="HB509",
                    )
                start = max(start, begin)
    return start
