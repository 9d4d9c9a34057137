"""The candles before a run's first one, and the seam to those that the exchange tells: none missing, none twice.

Over a network there is a moment between the answer about the past and the first candle that is told, and another one
after each gap in the connection. The first candle after it shows what is missing; that is asked for and told first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any

from hbkit.clock import SECOND, Clock, iso, parse_duration
from hbkit.data.candles import inner_interval, resampled
from hbkit.errors import ExchangeError, Fault
from hbkit.exchange import Exchange
from hbkit.log import get_logger
from hbkit.model import Candle, Instrument
from hbkit.runtime.host import Host

Key = tuple[Instrument, str]
"""A row of candles: the instrument and the interval."""
LOOK_SECONDS = 2.0
"""After the subscription: a candle that closed in between has been told by then, or will never be."""
MOST_MISSING = 1_000
"""Candles of a gap that are asked for; a longer one stays a gap."""


def wanted(hosts: Iterable[Host]) -> dict[Key, int]:
    """How many candles of each row are to be known before the beginning."""
    found: dict[Key, int] = {}
    for host in hosts:
        for view in host.desk.markets if host.warmup else ():
            for interval in view.intervals:
                key = view.instrument, interval
                found[key] = max(host.warmup, found.get(key, 0))
    return found


def rows(hosts: Iterable[Host]) -> list[Key]:
    """Every row of candles that a strategy follows."""
    views = (view for host in hosts for view in host.desk.markets)
    return list(dict.fromkeys((view.instrument, interval) for view in views for interval in view.intervals))


def hand_out(hosts: Iterable[Host], candles: Mapping[Key, Sequence[Candle]]) -> list[Fault]:
    """Give each strategy the candles that it wants to know; what is short of that is handed back as warnings."""
    short: list[Fault] = []
    for host in hosts:
        for view in host.desk.markets if host.warmup else ():
            for interval in view.intervals:
                known = candles.get((view.instrument, interval), ())[-host.warmup :]
                for candle in known:
                    view.remember(candle)
                if len(known) < host.warmup:
                    short.append(Fault("HB509", _shortage(host, view.instrument, interval, known), severity="warning"))
    return short


def _shortage(host: Host, instrument: Instrument, interval: str, known: Sequence[Candle]) -> str:
    since = f", from {iso(known[0].open_time)}" if known else ""
    return (
        f"strategy {host.name} wants {host.warmup} {interval} candles of {instrument} before it begins, there are "
        f"{len(known)}{since}; what it reads is shorter at first: begin later, or lower warmup"
    )


class History:
    """The past of every row of candles of a run over a network."""

    def __init__(
        self,
        exchanges: Mapping[str, Exchange],
        clock: Clock,
        tell: Callable[[Candle], None],
        spawn: Callable[[Coroutine[Any, Any, None], str], object],
    ) -> None:
        """
        :param tell: hands a candle to the strategies.
        :param spawn: runs a task that the run owns.
        """
        self._exchanges = exchanges
        self._clock = clock
        self._tell = tell
        self._spawn = spawn
        self._last: dict[Key, int] = {}
        """When the newest known candle of a row closed."""
        self._seams: set[Key] = set()
        """Rows whose next candle may have others missing before it."""
        self._held: dict[Key, list[Candle]] = {}
        """What was told while the candles before it are being asked for."""
        self._log = get_logger("hbkit")

    async def load(self, counts: Mapping[Key, int]) -> dict[Key, list[Candle]]:
        """The candles that closed before this moment, as many as are wanted; what cannot be had is left out."""
        found: dict[Key, list[Candle]] = {}
        # One that closes just now is told: it is the first of the run, in replay too.
        end = self._clock.now() - 1
        for key, count in counts.items():
            length = parse_duration(key[1])
            candles = await self._ask(key, end - end % length - count * length, end)
            found[key] = candles[-count:]
            if candles:
                self._last[key] = candles[-1].close_time
                self._seams.add(key)
        return found

    def take(self, candle: Candle) -> bool:
        """A candle is told by the exchange; True when it is the next one of its row and may be handed on."""
        key = candle.instrument, candle.interval
        if key in self._held:
            self._held[key].append(candle)
            return False
        last = self._last.get(key, 0)
        if candle.close_time <= last:
            return False
        if key in self._seams:
            self._seams.discard(key)
            if candle.open_time > last:
                self._held[key] = [candle]
                self._spawn(self._fill(key, candle.open_time), f"candles of {candle.instrument}")
                return False
        self._last[key] = candle.close_time
        return True

    def reconnected(self, exchange: str) -> None:
        """Candles may have closed while nobody listened."""
        self._seams.update(key for key in self._last if key[0].exchange == exchange)

    @property
    def is_open(self) -> bool:
        """Whether the first candle of any row may have others missing before it."""
        return bool(self._seams)

    async def look(self) -> None:
        """Soon after the subscription: what closed before it was heard is asked for now, not with the next candle."""
        await asyncio.sleep(LOOK_SECONDS)
        now = self._clock.now()
        for key in list(self._seams):
            if now >= self._last[key] + parse_duration(key[1]) + SECOND and key not in self._held:
                self._held[key] = []
                await self._fill(key, now)
        for key in sorted(filter(self._is_made, self._seams), key=lambda key: parse_duration(key[1])):
            await self._fill_first(key)

    def expect(self, rows: Iterable[Key]) -> None:
        """Rows that nobody wants a history of, whose first candle has to be asked for all the same.

        What a connector puts together of smaller candles begins with the first whole one: the one that is open when the
        run begins would be missing.
        """
        now = self._clock.now()
        for key in filter(self._is_made, rows):
            if key not in self._last:
                self._last[key] = now - now % parse_duration(key[1])
                self._seams.add(key)

    def _is_made(self, key: Key) -> bool:
        """Whether the exchange tells smaller candles than these."""
        native = self._exchanges[key[0].exchange].capabilities.candle_intervals
        return bool(native) and key[1] not in native

    async def _fill_first(self, key: Key) -> None:
        """When the first candle of a row has closed and nobody told it: the history knows those inside it."""
        due = self._last[key] + parse_duration(key[1])
        await asyncio.sleep(max(0.0, (due - self._clock.now()) / SECOND) + LOOK_SECONDS)
        now = self._clock.now()
        if key in self._seams and key not in self._held and now >= due + SECOND:
            self._held[key] = []
            await self._fill(key, now)

    async def _fill(self, key: Key, end: int) -> None:
        length = parse_duration(key[1])
        first = max(self._last[key], end - MOST_MISSING * length)
        try:
            missing = await self._ask(key, first, end)
        finally:
            held = self._held.pop(key)
        for candle in [*missing, *held]:
            if candle.close_time > self._last[key]:
                self._last[key] = candle.close_time
                self._tell(candle)

    async def _ask(self, key: Key, start: int, end: int) -> list[Candle]:
        """Candles that open at `start` or later and close at `end` or earlier."""
        instrument, interval = key
        exchange = self._exchanges[instrument.exchange]
        inner = inner_interval(interval, exchange.capabilities.candle_intervals)
        try:
            found = await exchange.candles(instrument, inner, start, end)
        except NotImplementedError as error:
            self._log.warning(str(error))
            return []
        except ExchangeError as error:
            self._log.warning("the history of candles cannot be read", exchange=exchange.name, reason=error.message)
            return []
        larger = resampled(found, instrument, inner, interval)
        return [candle for candle in larger if start <= candle.open_time and candle.close_time <= end]
