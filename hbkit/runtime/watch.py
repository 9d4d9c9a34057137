"""Notices a callback that does not come back, and says which line it is at: while it blocks, not only afterwards.

Looked at from another thread, because the one that runs the strategies is the one that is stuck.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from types import FrameType

from hbkit.errors import Fault
from hbkit.runtime.host import shown
from hbkit.trading.strategy import CALLBACKS, Strategy

LIVE_SECONDS = 1.0
"""Where an exchange waits: orders, fills and pings stand still meanwhile."""
REPLAY_SECONDS = 10.0
"""Where nothing waits: only what looks like a loop without end."""
MEND = "use self.every or self.at to wait, and leave slow work to a program of its own"


class Watch:
    """Looks at a beat that goes on as long as the strategies come back."""

    def __init__(
        self,
        beat: Callable[[], int],
        frame: Callable[[], FrameType | None],
        strategies: Iterable[Strategy],
        tell: Callable[[str], object],
        *,
        limit: float,
    ) -> None:
        """
        :param beat: another number whenever the run went on.
        :param frame: where the thread that runs the strategies is now.
        :param tell: hears what is to be said, from the thread that looks.
        :param limit: seconds without a beat that are too long.
        """
        self._beat = beat
        self._frame = frame
        self._tell = tell
        self._limit = limit
        self._files = {inspect.getfile(cls) for one in strategies for cls in type(one).__mro__[:-1]} - {
            inspect.getfile(Strategy)
        }
        self._last: int | None = None
        self._since = 0.0
        self._blocked_at = ""

    def look(self, now: float) -> None:
        """Look once; `now` in seconds of a clock that does not stand still."""
        beat = self._beat()
        if beat != self._last:
            if self._blocked_at:
                self._say(f"{self._blocked_at} for {now - self._since:.1f} s")
            self._last, self._since, self._blocked_at = beat, now, ""
        elif not self._blocked_at and now - self._since >= self._limit:
            place, callback = self._place()
            if place:
                self._blocked_at = f"{place} in {callback} blocked the run"
                self._say(f"{self._blocked_at} for {now - self._since:.1f} s and has not come back; {MEND}")

    def _say(self, message: str) -> None:
        self._tell(str(Fault("HB304", message, severity="warning")))

    def _place(self) -> tuple[str, str]:
        """File and line of the deepest frame in a strategy's file, and the callback that led there; else empty."""
        place, callback, frame = "", "a callback", self._frame()
        while frame is not None:
            code = frame.f_code
            if code.co_filename in self._files:
                place = place or shown(code.co_filename, frame.f_lineno)
                if code.co_name in CALLBACKS:
                    callback = code.co_name
            frame = frame.f_back
        return place, callback
