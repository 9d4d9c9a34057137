"""The scheduler of a run on an event loop: calls at times of a clock that may run faster than the loop's, and jump."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush

from hbkit.agenda import Appointment, Turn
from hbkit.clock import ShiftedClock


class LoopScheduler:
    """Calls back from the running event loop; calls of one instant come in the order of `Turn`."""

    def __init__(self, clock: ShiftedClock) -> None:
        self._clock = clock
        self._heap: list[tuple[int, int, int, Appointment]] = []
        self._entries = 0
        self._timer: asyncio.TimerHandle | None = None

    def at(self, ts: int, call: Callable[[], None], turn: Turn = Turn.TIMER) -> Appointment:
        """Call at `ts`, or as soon as the loop is free if that has passed."""
        appointment = Appointment(call)
        self._entries += 1
        entry = (ts, turn, self._entries, appointment)
        heappush(self._heap, entry)
        if self._heap[0] is entry:
            self.clock_moved()
        return appointment

    def clock_moved(self) -> None:
        """The next call may be due at another moment of the loop: wait for that one."""
        self.close()
        seconds = self._clock.seconds_until(self._heap[0][0]) if self._heap else None
        if seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._run)

    def close(self) -> None:
        """Wait for nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _run(self) -> None:
        """What is due; what is asked for meanwhile comes later, so that answers that ask again never stop the loop."""
        self._timer = None
        now, last = self._clock.now(), self._entries
        try:
            while self._heap and self._heap[0][0] <= now and self._heap[0][2] <= last:
                appointment = heappop(self._heap)[3]
                if appointment.call is not None:
                    appointment.call()
        finally:
            self.clock_moved()
