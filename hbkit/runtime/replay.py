"""Replay: recorded rows on one merged time line, the clock moved from event to event, no event loop on the way.

At each moment: what is due first (timers, candle closes), then resting orders meet every row of the moment, then the
strategies have heard of all of it, then the requests that arrive just then. The router, the strategies, the trader and
the journal are the same objects as live.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from hbkit.agenda import Agenda, Turn
from hbkit.clock import MINUTE, ManualClock
from hbkit.data.source import Batch, Rows, Source, SourceInfo
from hbkit.data.timeline import Timeline
from hbkit.errors import StrategyError
from hbkit.model import Instrument, PositionModeChange
from hbkit.runtime.ending import Ending
from hbkit.runtime.host import Host
from hbkit.runtime.money import Money
from hbkit.runtime.record import Recorder
from hbkit.runtime.router import Router
from hbkit.simulated import RowHandler, SimulatedExchange

SAMPLES = 1_500
"""Points of the equity and price series of a report."""
_SEPARATOR = "\x1f"


@dataclass(frozen=True)
class Feed:
    """One exchange of the run and the data that stands for its market."""

    exchange: SimulatedExchange
    source: Source


class ReplaySession:
    """One run over recorded data, from on_start to the last cancelled order."""

    def __init__(
        self,
        feeds: Sequence[Feed],
        hosts: Sequence[Host],
        router: Router,
        money: Money,
        recorder: Recorder,
        *,
        clock: ManualClock,
        agenda: Agenda,
        start: int,
        end: int,
        max_drawdown: Decimal | None = None,
    ) -> None:
        self.ending = Ending()
        self.fault: StrategyError | None = None
        """What no single strategy can be blamed for."""
        self.events = 0
        self._feeds = feeds
        self._hosts = hosts
        self._router = router
        self.money = money
        self._recorder = recorder
        self._clock = clock
        self._agenda = agenda
        self._start = start
        self._end = end
        self._max_drawdown = max_drawdown
        self.progress: Callable[[float, int], None] | None = None
        """Called after each window with the part done (0..1) and the time of the data."""
        self._exchanges = {feed.exchange.name: feed.exchange for feed in feeds}
        self._latest = max(feed.exchange.latency for feed in feeds)
        self._stopping = False
        """The strategies have been asked to stop, and the cancels are on their way."""
        self._limit = end
        """The moment at which they are asked; from then on the one that is not played any more."""
        self._due: list[Callable[[], None]] = []
        """What is to be told when the present moment is over."""
        for feed in feeds:
            feed.exchange.due = self._due

    def stop(self, reason: str, exit_code: int) -> None:
        """End after the present moment; safe to call from a signal handler."""
        self.ending.set(reason, exit_code)

    def run(self) -> None:
        """Play everything; what a strategy raises ends up in `ending`."""
        try:
            self._begin()
            if not self.ending.reason:
                self._play_all()
            self._finish()
        except StrategyError as error:
            # Raised by no callback: strategies that answer each answer at one instant, without end.
            self.fault = error
            self.ending = Ending("strategy failed", error.exit_code)
            self._finish()

    def on_failed(self, host: Host) -> None:
        """A strategy raised: a stopped one loses its orders; the last one to stop ends the run."""
        if host.stopped:
            self._router.unseat(host)
            host.trader.cancel_all()
            if all(other.stopped for other in self._hosts):
                self.stop("strategy failed", 5)

    # -- inside

    def _play_all(self) -> None:
        for feed in self._feeds:
            feed.exchange.prime(feed.source, self._start)
        # The market goes on until the last cancel has arrived: a row that comes before it may still fill an order.
        timeline = Timeline([_Of(feed) for feed in self._feeds], self._start, self._end + 2 * self._latest + 1)
        for window in timeline.windows():
            handlers = [self._handler(batch) for batch in window.batches]
            over = self._play(window.ts, window.batch, window.row, handlers)
            if self.progress is not None:
                done = (self._clock.ts - self._start) / max(1, self._end - self._start)
                self.progress(min(1.0, done), self._clock.ts)
            if over:
                break

    def _begin(self) -> None:
        self._clock.set(self._start)
        self._router.on_money = self._watch if self._max_drawdown is not None else None
        for host in self._hosts:
            host.call_whole("on_start")
        for exchange in self._exchanges.values():
            exchange.connect(self._router.listener(exchange.name))
            self._router.on_position_mode(self._first_mode(exchange))
        self._schedule_samples()

    def _first_mode(self, exchange: SimulatedExchange) -> PositionModeChange:
        mode = exchange.position_mode
        return PositionModeChange(
            exchange=exchange.name,
            account=exchange.account,
            mode=mode,
            previous=mode,
            requested=mode,
            origin="start",
            reason="",
            ts=self._clock.ts,
        )

    def _play(self, ts: list[int], batch: list[int], row: list[int], handlers: list[RowHandler]) -> bool:
        """Rows of whole moments, in their order; True when the run is over."""
        agenda, clock, ending, due = self._agenda, self._clock, self.ending, self._due
        limit, told, counts = self._limit, ending.reason if self._stopping else "", not self._stopping
        moment = -1
        at = 0
        for now, source, at_row in zip(ts, batch, row, strict=True):
            if now != moment:
                if due:
                    self._tell()
                if now >= limit or ending.reason != told:
                    if counts:
                        self.events += at
                        counts = False
                        self._ask_to_stop(min(now, self._end))
                        limit, told = self._limit, ending.reason
                    if now >= limit:
                        return True
                if agenda.next_ts <= now:
                    agenda.run_until(now, Turn.CANDLE)
                clock.ts = moment = now
            handlers[source](at_row)
            at += 1
        if due:
            self._tell()
        if counts:
            self.events += at
        return False

    def _tell(self) -> None:
        """The moment is over: what it did to our orders, and how the books look after it."""
        calls = self._due[:]
        self._due.clear()
        for call in calls:
            call()

    def _handler(self, batch: Batch) -> RowHandler:
        name, _, symbol = batch.symbol.partition(_SEPARATOR)
        handler = self._exchanges[name].handler(replace(batch, symbol=symbol))
        if handler is None:
            return _ignore
        return self._after_requests(handler) if batch.kind is Rows.OPEN else handler

    def _after_requests(self, handler: RowHandler) -> RowHandler:
        """A candle opens after everything else of its moment: who heard the one before close trades at this open."""

        def play(row: int) -> None:
            if self._due:
                self._tell()
            if self._agenda.next_ts <= self._clock.ts:
                self._agenda.run_until(self._clock.ts)
            handler(row)

        return play

    def _finish(self) -> None:
        if not self._stopping:
            self._ask_to_stop(self._end)
        self._agenda.run_until(self._limit - 1)
        self._sample()
        for exchange in self._exchanges.values():
            exchange.close()

    def _ask_to_stop(self, now: int) -> None:
        """The run is over, at its end or before it: on_stop, and the cancels are sent.

        What is due later, and the candle that closes at the end itself, finds every strategy stopped.
        """
        if not self.ending.reason:
            self._agenda.run_until(now, Turn.TIMER)
        if not self.ending.reason:
            self._clock.set(self._end)
            self.ending.set("end of data", 0)
        # Whoever is still being placed is taken away when it has arrived.
        ways = 2 if any(exchange.is_placing for exchange in self._exchanges.values()) else 1
        for host in self._hosts:
            if not host.stopped:
                failures = host.failures
                host.call_whole("on_stop")
                host.stopped = True
                self._note_failed_stop(host.failures > failures)
            host.trader.cancel_all()
        self._stopping, self._limit = True, self._clock.ts + ways * self._latest + 1

    def _note_failed_stop(self, failed: bool) -> None:
        """A run that went well until its only strategy raised in on_stop did not end well."""
        if failed and len(self._hosts) == 1 and self.ending.exit_code == 0:
            self.ending = Ending("strategy failed", 5)

    def _schedule_samples(self) -> None:
        step = max(1, (self._end - self._start) // SAMPLES)
        if self._max_drawdown is not None:
            step = min(step, MINUTE)

        def sample() -> None:
            self._sample()
            self._agenda.at(self._clock.ts + step, sample)

        sample()

    def _sample(self) -> None:
        prices: dict[Instrument, float | None] = {}
        for host in self._hosts:
            for view in host.desk.markets:
                exchange = self._exchanges[view.instrument.exchange]
                prices[view.instrument] = exchange.last_price(view.instrument)
        equity = self.money.booked_equity()
        self._recorder.sample(self._clock.ts, equity, prices, self.money.reported(equity))
        if self._max_drawdown is not None:
            self._watch()

    def _watch(self) -> None:
        """End the run when equity has fallen too far below its peak in any currency."""
        limit = self._max_drawdown
        assert limit is not None
        reason = self.money.fallen(limit)
        if reason:
            self.stop(reason, 6)


class _Of:
    """A source whose symbols carry the name of their exchange, so that two exchanges may list the same symbol."""

    def __init__(self, feed: Feed) -> None:
        self._name = feed.exchange.name
        self._source = feed.source

    def info(self) -> SourceInfo:
        """As the source's, with longer symbols."""
        info = self._source.info()
        kinds = {self._long(symbol): rows for symbol, rows in info.kinds.items()}
        intervals = {self._long(symbol): known for symbol, known in info.intervals.items()}
        return replace(info, kinds=kinds, intervals=intervals)

    def windows(self, start: int, end: int) -> Iterator[Sequence[Batch]]:
        """As the source's, with longer symbols."""
        for batches in self._source.windows(start, end):
            yield [replace(batch, symbol=self._long(batch.symbol)) for batch in batches]

    def _long(self, symbol: str) -> str:
        return f"{self._name}{_SEPARATOR}{symbol}"


def _ignore(row: int) -> None:
    """A row that nobody needs."""
    del row
