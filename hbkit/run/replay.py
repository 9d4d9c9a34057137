"""Puts a replay together from a plan, plays it, and writes what it leaves behind."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import count
from pathlib import Path

from hbkit.agenda import Agenda
from hbkit.background import InlineBackground
from hbkit.chance import Chance
from hbkit.clock import Clock, ManualClock, iso
from hbkit.data.journal import Journal
from hbkit.errors import DataError, StateError, StrategyError
from hbkit.exchange import Exchange
from hbkit.log import get_logger
from hbkit.matching import Account, Engine
from hbkit.model import (
    ExecutionKind,
    Instrument,
    Leg,
    Order,
    Position,
    PositionMode,
    PositionSide,
)
from hbkit.report.html import page
from hbkit.report.result import InstrumentRow, MoneyRow, PositionRow, ProvenanceRow, RunResult, StrategyRow
from hbkit.run.folders import fresh_state_file, new_run_folder
from hbkit.run.plan import ExchangePlan, Plan, StrategyPlan
from hbkit.runtime.host import Host, told
from hbkit.runtime.kept import KeptState
from hbkit.runtime.money import Money
from hbkit.runtime.record import Recorder
from hbkit.runtime.replay import Feed, ReplaySession
from hbkit.runtime.router import Router
from hbkit.simulated import SimulatedExchange
from hbkit.trading.ledger import Ledger
from hbkit.trading.risk import RiskGate, RiskLimits
from hbkit.trading.strategy import AccountView, Desk, Strategy, hand_over
from hbkit.trading.trader import Trader
from hbkit.trading.view import MarketView
from hbkit.version import VERSION

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
        self._start, self._end = _span(plan)
        self.clock = ManualClock(self._start)
        """The time of the data; logs of the run are stamped with it."""
        self._agenda = Agenda(self.clock)
        # User code first: what it raises must leave nothing behind.
        strategies = [_made(one) for one in plan.strategies]
        runs = Path(settings.run.dir)
        self.folder = new_run_folder(runs, settings.run.name, wall)
        try:
            state, self._set_aside = fresh_state_file(Path(settings.state.dir), settings.run.name, "replay", runs)
            self._journal = Journal(state, self.folder.name, InlineBackground(), buffered=True)
        except StateError:
            self.folder.rmdir()
            raise
        self._log = get_logger("hbkit")
        risk = settings.risk
        # One gate: max_orders_per_minute counts the orders of all strategies together.
        self._risk = RiskGate(
            RiskLimits(risk.max_position, risk.max_order_qty, risk.max_orders_per_minute, risk.max_drawdown)
        )
        self._recorder = Recorder()
        self._feeds = [
            Feed(self._exchange(one), one.source)
            for one in plan.exchanges.values()
            if one.source is not None
        ]
        exchanges: dict[str, Exchange] = {feed.exchange.name: feed.exchange for feed in self._feeds}
        mode_hook = partial(plan.plugins.tell, "position_mode_changed")
        self._router = Router(exchanges, self._journal, self._recorder, mode_hook)
        self._hosts = [self._host(at, one, exchanges) for at, one in enumerate(strategies)]
        self._session = ReplaySession(
            self._feeds,
            self._hosts,
            self._router,
            Money(exchanges, self._router.ledgers),
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

    def play(self, progress: Progress | None = None) -> RunResult:
        """Run to the end, then write report, result, config copy and journal."""
        plugins = self._plan.plugins
        if self._set_aside:
            self._log.info(self._set_aside)
        self._journal.begin(self._plan.config.settings.run.name, "replay", self._seed, iso(self._start))
        plugins.tell("session_started", run_id=self.folder.name, mode="replay")
        if progress is not None:
            self._session.progress = lambda done, ts: progress(done, ts, len(self._recorder.fills))
        try:
            self._session.run()
        except DataError:
            self._discard()
            raise
        if self._session.fault is not None:
            self._log.error(str(self._session.fault))
        result = self._result()
        self._write(result)
        plugins.tell("session_stopped", run_id=self.folder.name, stop_reason=result.stop_reason)
        return result

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
        )

    def _host(self, at: int, strategy: Strategy, exchanges: Mapping[str, Exchange]) -> Host:
        router = self._router
        plan = self._plan.strategies[at]
        own = {market.exchange: exchanges[market.exchange] for market in plan.markets}
        bot = self._chance.fork("bot").short_id(4)
        prefix = f"{bot}-{at + 1}-"
        trader = Trader(
            plan.name,
            own,
            journal=self._journal,
            clock=self.clock,
            risk=self._risk,
            prefix=prefix,
            veto=self._plan.plugins.veto,
            tell_refusal=lambda order: self._tell_refusal(host, order),
        )
        host = Host(strategy, trader, keep_going=plan.settings.on_error == "continue", on_failed=self._on_failed)
        views = [MarketView(market, own[market.exchange], trader, plan.intervals) for market in plan.markets]
        first = own[plan.markets[0].exchange]
        desk = Desk(
            name=plan.name,
            markets=views,
            trader=trader,
            account=AccountView(first, lambda: _positions(router.ledgers[first.name], first)),
            exchange=first,
            clock=self.clock,
            scheduler=self._agenda,
            chance=self._chance.fork(f"strategy/{plan.name}"),
            state=KeptState(self._journal, plan.name),
            log=get_logger(plan.name),
            guard=host.guard,
        )
        hand_over(strategy, desk, plan.values)
        self._plan.plugins.add(strategy, f"strategy {plan.name}")
        for market in plan.markets:
            for channel in sorted(plan.needs):
                for interval in plan.intervals if channel == "candle" else ("",):
                    own[market.exchange].subscribe(market, channel, interval)
        router.seat(host, views, plan.needs, prefix)
        return host

    def _tell_refusal(self, host: Host, order: Order) -> None:
        """Told like an exchange's refusal: soon, but not from inside the call."""
        self._agenda.at(self.clock.ts, lambda: self._router.refused(host, order, self.clock.ts))

    def _on_failed(self, host: Host) -> None:
        if host.failures == 1 or host.stopped:
            self._log.error(str(host.failure))
            cause = host.failure.__cause__ if host.failure is not None else None
            self._log.debug(f"traceback of strategy {host.name}", exc_info=cause)
        self._session.on_failed(host)

    # -- what is left behind

    def _discard(self) -> None:
        """Leave nothing of a run whose data turned out to be at fault: half a result is no result."""
        self._journal.close(iso(self.clock.ts), "data at fault")
        for suffix in ("", "-wal", "-shm"):
            self._journal.path.with_name(self._journal.path.name + suffix).unlink(missing_ok=True)
        shutil.rmtree(self.folder)

    def _result(self) -> RunResult:
        session, router, recorder, hosts, feeds = (
            self._session, self._router, self._recorder, self._hosts, self._feeds,
        )  # fmt: skip
        plans = self._plan.exchanges
        money = session.money.rows()
        for name, ledger in router.ledgers.items():
            for side, leg in ledger.legs:
                if leg.units:
                    self._journal.position(
                        self.clock.ts, name, leg.instrument.symbol, side.value, leg.units, leg.cost
                    )
        stopped = iso(self.clock.ts)
        self._journal.close(stopped, session.ending.reason)
        trades = [row for row in recorder.fills if row.kind != ExecutionKind.FUNDING]
        return RunResult(
            run_id=self.folder.name,
            name=self._plan.config.settings.run.name,
            mode="replay",
            seed=self._seed,
            started=iso(self._start),
            stopped=stopped,
            stop_reason=session.ending.reason,
            exit_code=session.ending.exit_code,
            events=session.events,
            orders=sum(host.trader.sent for host in hosts),
            fills=len(trades),
            rejects=sum(host.trader.refused for host in hosts),
            money=money,
            positions=[row for name, ledger in router.ledgers.items() for row in _position_rows(name, ledger)],
            strategies=[
                StrategyRow(
                    name=host.name, orders=host.trader.sent, fills=host.trader.fills,
                    realized_pnl=dict(host.trader.ledger.realized),
                )
                for host in hosts
            ],
            journal_hash=self._journal.hash,
            report=str(self.folder / "report.html"),
            journal=str(self._journal.path),
            equity_series=recorder.equity_series(),
            prices=recorder.price_series(),
            fill_rows=recorder.fills,
            order_rows=recorder.orders,
            provenance=[
                ProvenanceRow(part=line.part, origin=line.origin, text=line.text)
                for plan in plans.values() if plan.info is not None for line in plan.info.provenance
            ],
            fill_model=", ".join(dict.fromkeys(plan.fill_model for plan in plans.values())),
            latency_ns=max(feed.exchange.latency for feed in feeds),
            instruments=[_instrument_row(market) for market in _markets(self._plan)],
            warnings=[*self._plan.warnings, *_warnings(feeds, money, session.fault, hosts, recorder)],
            config_text=self._plan.config.text,
            python_version=platform.python_version(),
            hbkit_version=VERSION,
        )  # fmt: skip

    def _write(self, result: RunResult) -> None:
        (self.folder / "config.yaml").write_text(self._plan.config.text, encoding="utf-8")
        (self.folder / "report.html").write_text(page(result, self._sections(result)), encoding="utf-8")
        result.save(self.folder / "result.json")

    def _sections(self, result: RunResult) -> dict[str, str]:
        """What plugins add to the report; a section that cannot be made is logged and left out."""
        plugins = self._plan.plugins
        sections: dict[str, str] = {}
        for title, offer in plugins.offers("report_sections").items():
            try:
                sections[title] = str(offer.value(result))
            except Exception as error:  # noqa: BLE001 - a guest's code: the report must not be lost over it
                plugins.complain(f'the report section "{title}" of {offer.origin}', error)
        return sections


def _span(plan: Plan) -> tuple[int, int]:
    """First and last moment of the run: the data's, cut by `from`, `to` and `duration`."""
    infos = [one.info for one in plan.exchanges.values() if one.info is not None]
    wanted = [one.settings.replay for one in plan.exchanges.values()]
    starts = [one.from_ts for one in wanted if one.from_ts is not None]
    ends = [one.to_ts for one in wanted if one.to_ts is not None]
    start = max(starts) if starts else min(info.start for info in infos)
    # The end is exclusive, the last row of the data is not.
    end = min(ends) if ends else max(info.end for info in infos) + 1
    duration = plan.config.settings.run.duration
    return start, end if duration is None else min(end, start + duration)


def _made(plan: StrategyPlan) -> Strategy:
    """The strategy's object; its `__init__` is user code, and runs before it has a market to act on."""
    try:
        return plan.cls()
    except (Exception, SystemExit) as error:
        raise StrategyError(f"strategy {plan.name}: {told(plan.cls, '__init__', None, error)}") from error


def _positions(ledger: Ledger, exchange: Exchange) -> Iterator[Position]:
    for side, leg in ledger.legs:
        if leg.units:
            yield _position(leg, side, exchange)


def _position(leg: Leg, side: PositionSide, exchange: Exchange) -> Position:
    price = exchange.reference_price(leg.instrument)
    profit = leg.unrealized(price) if price is not None else 0
    amount = leg.instrument.settle.amount(profit)
    return Position(leg.instrument, side, leg.instrument.qty(leg.units), leg.entry_price, amount)


def _position_rows(exchange: str, ledger: Ledger) -> Iterator[PositionRow]:
    for side, leg in ledger.legs:
        if leg.units:
            held = side if side is not PositionSide.NET else PositionSide.LONG if leg.units > 0 else PositionSide.SHORT
            yield PositionRow(
                exchange=exchange,
                instrument=leg.instrument.symbol,
                side=held.value,
                qty=leg.instrument.qty_text(leg.units),
                entry_price=f"{leg.entry_price:.12g}",
            )


def _markets(plan: Plan) -> list[Instrument]:
    return list(dict.fromkeys(market for strategy in plan.strategies for market in strategy.markets))


def _instrument_row(market: Instrument) -> InstrumentRow:
    return InstrumentRow(
        exchange=market.exchange,
        symbol=market.symbol,
        kind=market.kind.value,
        unit=market.unit_text,
        tick=str(market.tick_size),
        lot=str(market.lot_size),
        maker_fee=str(market.maker_fee),
        taker_fee=str(market.taker_fee),
        quote=market.quote,
    )


def _warnings(
    feeds: list[Feed], money: list[MoneyRow], fault: StrategyError | None, hosts: list[Host], recorder: Recorder
) -> Iterator[str]:
    if fault is not None:
        yield str(fault)
    for feed in feeds:
        for symbol, prices in feed.exchange.off_grid.items():
            yield f"warning[HB508] {prices:,} prices of {symbol} in the data are off its tick; the nearest was taken"
    for row in money:
        if row.gap:
            yield f"error[HB699] {row.currency}: the books miss the exchange's equity by {row.gap} minor units"
    for host in hosts:
        if isinstance(host.failure, StrategyError):
            again = f" ({host.failures} times, the last one shown)" if host.failures > 1 else ""
            yield f"{host.failure}{again}"
    refused = [row for row in recorder.orders if row.status == "rejected"]
    if refused:
        yield f"warning[HB411] {len(refused):,} orders were refused, the first: {refused[0].reason}"
