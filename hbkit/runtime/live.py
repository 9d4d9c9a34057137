"""A run against an exchange that answers in its own time: an event loop, real or virtual, in place of the time line.

The router, the strategies, the trader and the journal are those of replay. Nothing here asks which exchange it is or
whether its clock is the wall's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal

from hbkit.agenda import Appointment, Turn
from hbkit.clock import SECOND, Clock
from hbkit.exchange import Exchange
from hbkit.model import PositionModeChange
from hbkit.runtime.ending import Ending
from hbkit.runtime.host import Host
from hbkit.runtime.money import Money
from hbkit.runtime.record import Recorder
from hbkit.runtime.router import Router

FAREWELL_SECONDS = 5.0
"""How long a stopping run waits for its cancels to be answered."""
_POLL_SECONDS = 0.05


class LoopScheduler:
    """Calls back from the running event loop, at times of a clock that may run faster than the loop's."""

    def __init__(self, clock: Clock, speed: float = 1.0) -> None:
        self._clock = clock
        self._speed = speed

    def at(self, ts: int, call: Callable[[], None], turn: Turn = Turn.TIMER) -> Appointment:
        """Call at `ts`, or as soon as the loop is free if that has passed."""
        del turn  # events of one instant come in the order of the loop
        appointment = Appointment(call)

        def fire() -> None:
            if appointment.call is not None:
                appointment.call()

        delay = max(0, ts - self._clock.now()) / SECOND / self._speed
        asyncio.get_running_loop().call_later(delay, fire)
        return appointment


class LiveSession:
    """One run on an event loop, from the first connection to the last cancelled order."""

    def __init__(
        self,
        exchanges: Sequence[Exchange],
        hosts: Sequence[Host],
        router: Router,
        money: Callable[[], Money],
        recorder: Recorder,
        *,
        clock: Clock,
        subscribe: Callable[[], None],
        sample_seconds: float = 1.0,
        duration: float | None = None,
        max_drawdown: Decimal | None = None,
    ) -> None:
        """
        :param money: makes the books once the exchanges are open and tell their balances.
        :param subscribe: asks the exchanges for the market data of all strategies.
        :param duration: seconds of the loop after which the run ends; None for no end.
        """
        self.ending = Ending()
        self.events = 0
        self.on_sample: Callable[[], None] | None = None
        """Called with each sample, for a view."""
        self._exchanges = list(exchanges)
        self._hosts = hosts
        self._router = router
        self._make_money = money
        self.money: Money | None = None
        self._recorder = recorder
        self._clock = clock
        self._subscribe = subscribe
        self._sample_seconds = sample_seconds
        self._duration = duration
        self._max_drawdown = max_drawdown
        self._stopping = asyncio.Event()

    def stop(self, reason: str, exit_code: int) -> None:
        """End the run soon; call it from the loop."""
        self.ending.set(reason, exit_code)
        self._stopping.set()

    def on_failed(self, host: Host) -> None:
        """A strategy raised: a stopped one loses its orders; the last one to stop ends the run."""
        if host.stopped:
            self._router.unseat(host)
            host.trader.cancel_all()
            if all(other.stopped for other in self._hosts):
                self.stop("strategy failed", 5)

    async def run(self) -> None:
        """Open, trade, close. What an exchange raises while it opens goes up."""
        try:
            for exchange in self._exchanges:
                await exchange.open(self._router.listener(exchange.name))
            self.money = self._make_money()
            self._router.on_money = self._watch if self._max_drawdown is not None else None
            for host in self._hosts:
                await host.wait("on_start")
            for exchange in self._exchanges:
                self._router.on_position_mode(self._first_mode(exchange))
            self._subscribe()
            await self._until_stopped()
            await self._farewell()
        finally:
            for exchange in self._exchanges:
                await exchange.shut()

    async def _until_stopped(self) -> None:
        loop = asyncio.get_running_loop()
        end = None if self._duration is None else loop.time() + self._duration
        while not self._stopping.is_set():
            self._sample()
            left = self._sample_seconds if end is None else min(self._sample_seconds, end - loop.time())
            if left <= 0:
                self.ending.set("duration", 0)
                return
            try:
                async with asyncio.timeout(left):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    async def _farewell(self) -> None:
        """on_stop, cancels, and the answers to them."""
        for host in self._hosts:
            if not host.stopped:
                await host.wait("on_stop")
                host.stopped = True
            host.trader.cancel_all()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + FAREWELL_SECONDS
        while any(host.trader.tracker.open for host in self._hosts) and loop.time() < deadline:
            await asyncio.sleep(_POLL_SECONDS)
        self._sample()

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

    def _sample(self) -> None:
        assert self.money is not None
        prices: dict[str, float | None] = {}
        by_name = {exchange.name: exchange for exchange in self._exchanges}
        for host in self._hosts:
            for view in host.desk.markets:
                prices[view.instrument.symbol] = by_name[view.instrument.exchange].last_price(view.instrument)
        self._recorder.sample(self._clock.now(), self.money.booked_equity(), prices)
        if self.on_sample is not None:
            self.on_sample()

    def _watch(self) -> None:
        assert self.money is not None
        assert self._max_drawdown is not None
        reason = self.money.fallen(self._max_drawdown)
        if reason:
            self.stop(reason, 6)
