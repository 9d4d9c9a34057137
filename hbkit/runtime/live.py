"""A run against exchanges that answer in their own time: an event loop, real or virtual, in place of the time line.

The router, the strategies, the trader and the journal are those of replay. Nothing here asks which exchange it is or
whether its clock is the wall's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from decimal import Decimal
from typing import Any

from hbkit.clock import SECOND, Clock
from hbkit.errors import ExchangeError
from hbkit.exchange import Exchange
from hbkit.log import get_logger
from hbkit.model import Instrument, OrderReport, PositionModeChange
from hbkit.report.result import AccountRow
from hbkit.runtime.ending import Ending
from hbkit.runtime.history import History, hand_out, rows, wanted
from hbkit.runtime.host import Host
from hbkit.runtime.money import Money
from hbkit.runtime.reconcile import Reconciler
from hbkit.runtime.record import Recorder
from hbkit.runtime.reporting import Valuation
from hbkit.runtime.router import Router

FAREWELL_SECONDS = 5.0
"""How long a stopping run waits for its cancels to be answered."""
UNKNOWN_SECONDS = 30.0
"""How long it waits where an answer was lost: until the request has expired and was looked up."""
LAST_WORD_SECONDS = 15.0
"""How long it tries to read the account once more at the end."""
_POLL_SECONDS = 0.02
_AGAIN_SECONDS = 1.0
_SLACK = 1e-6
"""A loop calls a timer up to its resolution early, and what is left then would be waited for without end."""


class LiveSession:
    """One run on an event loop, from the first connection to the last cancelled order."""

    def __init__(
        self,
        exchanges: Mapping[str, Exchange],
        hosts: Sequence[Host],
        router: Router,
        recorder: Recorder,
        *,
        clock: Clock,
        prepare: Callable[[Mapping[str, Reconciler]], Awaitable[None]],
        subscribe: Callable[[], None],
        since: Mapping[str, int],
        sample_seconds: float = 1.0,
        duration: float | None = None,
        max_drawdown: Decimal | None = None,
        valuation: Valuation | None = None,
    ) -> None:
        """
        :param prepare: brings the books into line with the accounts, once the exchanges are open.
        :param subscribe: asks the exchanges for the market data of all strategies.
        :param since: up to when each exchange's executions are in the books, ns.
        :param duration: seconds of the loop after which the run ends; None for no end.
        """
        self.ending = Ending()
        self.lag_ns = 0
        """By how much the loop was late when it was looked at last."""
        self.money: Money | None = None
        self.accounts: list[AccountRow] = []
        """The money at the end, as the exchanges book it."""
        self._exchanges = exchanges
        self._hosts = hosts
        self._router = router
        self._recorder = recorder
        self._clock = clock
        self._prepare = prepare
        self._subscribe = subscribe
        self._sample_seconds = sample_seconds
        self._duration = duration
        self._max_drawdown = max_drawdown
        self._valuation = valuation
        self._stopping = asyncio.Event()
        self._trading = False
        self._gone = False
        self._there: set[str] = set()
        """Exchanges that are connected and logged in, whether or not the books have been compared since."""
        self._comparing: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = get_logger("hbkit")
        self.warnings: list[str] = []
        """What the report is to say of the beginning."""
        self._history = History(exchanges, clock, router.tell_candle, self._spawn)
        self._reconcilers = {
            name: Reconciler(exchange, router, lambda name=name: self._open_ids(name), since[name])  # type: ignore[misc]
            for name, exchange in exchanges.items()
        }

    def stop(self, reason: str, exit_code: int, *, gone: bool = False) -> None:
        """End the run soon; call it from the loop. `gone`: an exchange is lost for good."""
        self._gone = self._gone or gone
        self.ending.set(reason, exit_code)
        self._stopping.set()

    def on_failed(self, host: Host) -> None:
        """A strategy raised: a stopped one loses its orders; the last one to stop ends the run."""
        if host.stopped:
            self._router.unseat(host)
            host.trader.cancel_all()
            if all(other.stopped for other in self._hosts):
                self.stop("strategy failed", 5)

    @property
    def events(self) -> int:
        """What the exchanges have told, frame by frame."""
        return sum(exchange.events for exchange in self._exchanges.values())

    async def run(self) -> None:
        """Open, trade, close. What an exchange raises while it opens goes up."""
        self._router.on_connection = self._on_connection
        self._router.on_lost = self._on_lost
        self._router.is_next_candle = self._history.take
        for host in self._hosts:
            host.began = False
        try:
            for name, exchange in self._exchanges.items():
                await exchange.open(self._router.listener(name))
                self._spawn(self._reconcilers[name].run(), f"{name} reconcile")
            await self._prepare(self._reconcilers)
            self.money = Money(self._exchanges, self._router.ledgers, self._valuation)
            self._trading = True
            for name, reconciler in self._reconcilers.items():
                reconciler.comparing = True
                if name in self._router.blind and name in self._there:
                    self._compare(name)  # it was gone for a moment while the run began
            try:
                await self._begin()
                await self._until_stopped()
            except Exception:
                # What one exchange refuses at the beginning must not leave orders at another.
                await self._farewell()
                raise
            await self._farewell()
        finally:
            self._trading = False
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for exchange in self._exchanges.values():
                await exchange.shut()

    # -- the beginning

    async def _begin(self) -> None:
        self._router.on_money = self._watch if self._max_drawdown is not None else None
        await self._warm_up()
        for host in self._hosts:
            host.began = True
            await host.wait("on_start")
        for name, exchange in self._exchanges.items():
            if name not in self._router.blind:
                self._router.tell_connected(name)
            self._router.on_position_mode(self._first_mode(exchange))
        self._subscribe()
        self._history.expect(rows(self._hosts))
        if self._history.is_open:
            self._spawn(self._history.look(), "first candles")

    async def _warm_up(self) -> None:
        """The candles that the strategies want to know before they begin."""
        counts = wanted(self._hosts)
        for fault in hand_out(self._hosts, await self._history.load(counts)) if counts else ():
            self._log.warning(str(fault))
            self.warnings.append(str(fault))

    def _first_mode(self, exchange: Exchange) -> PositionModeChange:
        mode = exchange.position_mode
        return PositionModeChange(
            exchange=exchange.name,
            account=exchange.account,
            mode=mode,
            previous=mode,
            requested=mode,
            origin="start",
            reason="",
            ts=self._clock.now(),
        )

    # -- connections come and go, answers get lost

    def _on_connection(self, name: str, up: bool) -> None:
        # A comparison that was begun on an earlier connection proves nothing of what came after it.
        if (earlier := self._comparing.pop(name, None)) is not None:
            earlier.cancel()
        if not up:
            self._there.discard(name)
            return
        self._there.add(name)
        if self._trading:
            self._compare(name)

    def _compare(self, name: str) -> None:
        self._comparing[name] = self._spawn(self._again(name), f"{name} again")

    async def _again(self, name: str) -> None:
        """After a gap: the books first, then the gate."""
        while True:
            try:
                await self._reconcilers[name].whole()
            except ExchangeError as error:
                self._log.warning("cannot compare the books yet", exchange=name, reason=error.message)
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                self._log.info("books agree again", exchange=name)
                self._history.reconnected(name)
                self._router.tell_connected(name)
                return

    def _on_lost(self, report: OrderReport) -> None:
        self._log.warning("answer lost", order=report.id, request=report.lost, reason=report.reason)
        self._reconcilers[report.instrument.exchange].lost(report)

    def _open_ids(self, exchange: str) -> list[str]:
        return [
            order_id
            for host in self._hosts
            for order_id, ticket in host.trader.tracker.open.items()
            if ticket.request.instrument.exchange == exchange and ticket.pending != "submit"
        ]

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error(f"{task.get_name()} failed", exc_info=error)
            self.stop(f"{task.get_name()} failed: {type(error).__name__}: {error}", 1)

    # -- while it runs

    async def _until_stopped(self) -> None:
        loop = asyncio.get_running_loop()
        end = None if self._duration is None else loop.time() + self._duration
        while not self._stopping.is_set():
            self._sample()
            left = self._sample_seconds if end is None else min(self._sample_seconds, end - loop.time())
            if left <= _SLACK:
                await asyncio.sleep(0)  # what a timer of this very moment asked for leaves first, as in replay
                self.ending.set("duration", 0)
                return
            due = loop.time() + left
            try:
                async with asyncio.timeout(left):
                    await self._stopping.wait()
            except TimeoutError:
                self.lag_ns = max(0, round((loop.time() - due) * SECOND))

    def _sample(self) -> None:
        assert self.money is not None
        prices: dict[Instrument, float | None] = {}
        for host in self._hosts:
            for view in host.desk.markets:
                prices[view.instrument] = self._exchanges[view.instrument.exchange].last_price(view.instrument)
        equity = self.money.booked_equity()
        self._recorder.sample(self._clock.now(), equity, prices, self.money.reported(equity))
        if self._max_drawdown is not None:
            self._watch()

    def _watch(self) -> None:
        assert self.money is not None
        assert self._max_drawdown is not None
        reason = self.money.fallen(self._max_drawdown)
        if reason:
            self.stop(reason, 6)

    # -- the end

    async def _farewell(self) -> None:
        """on_stop, cancels, the answers to them, and the account as it stands then."""
        for host in self._hosts:
            if not host.stopped and host.began:
                await host.wait("on_stop")
            host.stopped = True
            host.trader.cancel_all()
        await self._answers()
        assert self.money is not None
        for name in self._exchanges:
            await self._last_word(name)
        self._sample()
        self.accounts = self.money.accounts(open_profit_of_exchange=True)

    async def _last_word(self, name: str) -> None:
        """What the exchange booked until now; asked for also where the socket is gone at this moment."""
        seconds = _AGAIN_SECONDS if self._gone and name in self._router.blind else LAST_WORD_SECONDS
        reason = f"no answer within {seconds:g} s"
        try:
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        await self._reconcilers[name].catch_up()
                        await self._exchanges[name].refresh()
                        return
                    except ExchangeError as error:
                        reason = error.message
                        await asyncio.sleep(_AGAIN_SECONDS)
        except TimeoutError:
            self._log.warning("the account could not be read at the end", exchange=name, reason=reason)

    def _patience(self) -> float:
        """How long answers are waited for: not at all where nobody is left to give them."""
        if self._gone and self._router.blind.issuperset(self._exchanges):
            return 0.0
        settled = all(reconciler.is_settled for reconciler in self._reconcilers.values())
        return FAREWELL_SECONDS if settled or self._gone else UNKNOWN_SECONDS

    async def _answers(self) -> None:
        """Wait until no order of ours is open any more, within reason."""
        open_orders = [ticket for host in self._hosts for ticket in host.trader.tracker.open.values()]
        if not open_orders:
            return
        loop = asyncio.get_running_loop()
        began = loop.time()
        again = began + _AGAIN_SECONDS
        self._log.info("stopping", cancelling=len(open_orders))
        while any(host.trader.tracker.open for host in self._hosts):
            if loop.time() - began > self._patience():
                break
            if loop.time() >= again:
                # A cancel may have been refused, or an order turned up after its own.
                again = loop.time() + _AGAIN_SECONDS
                for host in self._hosts:
                    host.trader.cancel_all()
            # Fills and answers come from several sides; a look now and then costs nothing at the end of a run.
            await asyncio.sleep(_POLL_SECONDS)
        self._log.info("stopped", seconds=round(loop.time() - began, 1))
