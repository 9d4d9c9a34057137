"""A way out that never makes its writer wait: a terminal may be stopped (Ctrl-S), a pager may not read on.

What is written goes to a thread of its own. Log lines queue up to a bound and are then dropped and counted; a picture
is drawn only while nothing is on its way (`busy`).
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TextIO

from hbkit.background import ThreadBackground

MOST_BYTES = 1 << 20
CLOSE_SECONDS = 2.0


class Unblocked:
    """A text stream over the file of another one; `write` returns at once."""

    def __init__(self, stream: TextIO) -> None:
        stream.flush()
        self.encoding = stream.encoding or "utf-8"
        self.lost = 0
        """Texts that were dropped."""
        # A file of its own: whoever is stuck in it holds no lock of the stream.
        self._file = os.dup(stream.fileno())
        self._thread = ThreadBackground("hbkit-writer")
        # Bytes handed over and bytes done with: each is changed on one side only, so that no lock is needed.
        self._given = 0
        self._done = 0

    @property
    def busy(self) -> bool:
        """Whether something is still being written."""
        return self._done < self._given

    def write(self, text: str) -> int:
        """Hand `text` over; dropped when too much is waiting."""
        data = text.encode(self.encoding, "backslashreplace")
        if self._given - self._done + len(data) > MOST_BYTES:
            self.lost += 1
            return 0
        self._given += len(data)
        self._thread.run(lambda: self._write(data))
        return len(text)

    def flush(self) -> None:
        """Nothing to wait for."""

    async def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Write what is left; a reader that takes nothing for so long is left behind."""
        if self.lost:
            self.write(f"{self.lost} lines were not shown: nobody read them in time\n")
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while self.busy and loop.time() < end:  # noqa: ASYNC110 - once, at the end: the thread need not know of the loop
            await asyncio.sleep(0.01)
        if not self.busy:
            self._thread.close()
            os.close(self._file)

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        # A reader that is gone is no reason to stop trading.
        with suppress(OSError):
            while left:
                left = left[os.write(self._file, left) :]
        self._done += len(data)
