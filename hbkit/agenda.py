"""What is due when: calls in the order of their time, for every part whose time is counted instead of measured.

At one instant timers come first, then candle closes, then what the market did, and last the requests that reach an
exchange: nobody is served before what was recorded for that instant. Within a turn the order of entry decides.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from heapq import heappop, heappush
from typing import Protocol

from hbkit.clock import ManualClock
from hbkit.errors import StrategyError

NEVER = 1 << 62
_SAME_INSTANT = 100_000
"""More calls than this at one instant are a loop: an answer that provokes the request that provokes it."""


class Turn(IntEnum):
    """What goes first at one instant; market events stand between CANDLE and REQUEST."""

    TIMER = 0
    CANDLE = 1
    REQUEST = 2


class Appointment:
    """A call that can still be called off."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """Call it off; harmless when it has happened."""
        self.call = None


class Scheduler(Protocol):
    """Whoever can call back later: the agenda in replay, the event loop elsewhere."""

    def at(self, ts: int, call: Callable[[], None], turn: Turn = Turn.TIMER) -> Appointment:
        """Call at `ts` (ns since the epoch), or at once if that has passed, but never from inside this call."""
        ...


class Agenda:
    """The scheduler of replay: moves its clock from one due call to the next."""

    def __init__(self, clock: ManualClock) -> None:
        self.next_ts = NEVER
        """When the next call is due; read on every market event, therefore a plain attribute."""
        self._clock = clock
        self._heap: list[tuple[int, int, int, Appointment]] = []
        self._entries = 0

    def at(self, ts: int, call: Callable[[], None], turn: Turn = Turn.TIMER) -> Appointment:
        """Call at `ts`, not before now."""
        appointment = Appointment(call)
        self._entries += 1
        heappush(self._heap, (max(ts, self._clock.ts), turn, self._entries, appointment))
        self.next_ts = self._heap[0][0]
        return appointment

    def run_until(self, ts: int, last: Turn = Turn.REQUEST) -> None:
        """Do everything that is due up to and including `ts`, each at its own time; of `ts` itself the turns to `last`.

        What is left of `ts` is done by the next call, before anything later.
        """
        instant, calls = -1, 0
        while self._heap and self._heap[0][:2] <= (ts, last):
            due, _, _, appointment = heappop(self._heap)
            if appointment.call is None:
                continue
            self._clock.set(due)
            calls = calls + 1 if due == instant else 0
            instant = due
            if calls > _SAME_INSTANT:
                raise StrategyError(
                    f"{_SAME_INSTANT:,} calls at one instant: something answers each event with a request that "
                    "causes the next; place orders on market events or timers, or set a latency",
                    code="HB311",
                )
            appointment.call()
        self.next_ts = self._heap[0][0] if self._heap else NEVER
