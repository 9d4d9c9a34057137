"""The terminal while a run is watched: when it is drawn, by whom, and how it is given back.

Drawing must not hold up trading. A picture is put together on the run's own loop, a line at a time with other work
let through in between; its cost is measured, and what costs much is drawn less often. Writing it is left to a thread,
and while one picture is still on its way to a slow terminal the next one is left out.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, redirect_stdout
from dataclasses import dataclass
from typing import TextIO

from rich.console import Console
from rich.text import Text

from hbkit.cli.output import is_ascii
from hbkit.cli.unblocked import Unblocked
from hbkit.clock import monotonic
from hbkit.log import get_logger

INTERVAL = 0.25
"""Seconds between pictures."""
SHARE = 0.02
"""The part of the loop's time that drawing may take."""
LONGEST_PAUSE = 2.0
"""Seconds after which a picture is drawn whatever it costs: on a machine that is busy with other things it would else
be half a minute old, and a terminal that was resized would show a piece of the old one."""
LEAST_COLUMNS, LEAST_LINES = 30, 8

# The other screen, so that what was there comes back; no cursor, no wrapping of what a resize made too long.
_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
_LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
_HOME, _TO_END_OF_LINE, _TO_END = "\x1b[H", "\x1b[K", "\x1b[J"
_ASCII = str.maketrans({"·": "|", "×": "x", "─": "-", "−": "-", "…": ".", "│": "|", "’": "'"})
_LINE = re.compile(
    r'ts=\S+ level=(?P<level>warning|error) logger=(?P<logger>\S+) event=(?P<event>"(?:[^"\\]|\\.)*"|\S+)(?P<more>.*)'
)

Tell = Callable[[str, str], None]
"""Takes `warning`, `error` or `print`, and the text."""


@dataclass
class Cost:
    """What drawing costs, for those who ask whether it is in the way."""

    seconds: float = 0.0
    """Time on the loop that the last picture took."""
    longest: float = 0.0
    """The longest piece of it, which is what something else may have had to wait."""
    pictures: int = 0
    dropped: int = 0
    """Pictures that were left out because the terminal had not taken the one before."""


def _size(stream: TextIO) -> tuple[int, int]:
    """Columns and rows of the terminal itself: COLUMNS and LINES of the environment, where somebody has exported them,
    do not follow when it is resized."""
    try:
        columns, rows = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        columns = rows = 0
    return (columns, rows) if columns and rows else shutil.get_terminal_size((80, 24))


class Screen:
    """Draws what `lines` yields until it is closed.

    :param lines: takes columns and rows, yields the lines of a picture from the top; called for each picture.
    """

    def __init__(self, lines: Callable[[int, int, Cost], Iterator[Text]], stream: TextIO) -> None:
        self.cost = Cost()
        self._lines = lines
        self._stream = stream
        self._out = Unblocked(stream)
        self._ascii = is_ascii()

    async def draw(self) -> None:
        """Draw until cancelled."""
        self._out.write(_ENTER)
        while True:
            if self._out.busy and self.cost.pictures:
                self.cost.dropped += 1
            else:
                self._out.write(await self.picture())
            await asyncio.sleep(min(LONGEST_PAUSE, max(INTERVAL, self.cost.seconds / SHARE)))

    async def picture(self) -> str:
        """One picture, drawn piece by piece."""
        columns, rows = _size(self._stream)
        columns, rows = max(columns, LEAST_COLUMNS), max(rows, LEAST_LINES)
        console = console_of(columns, io.StringIO())
        parts: list[str] = []
        spent = longest = 0.0
        began = monotonic()
        for line in self._lines(columns, rows, self.cost):
            with console.capture() as captured:
                console.print(line, end="")
            parts.append(captured.get())
            taken = monotonic() - began
            spent, longest = spent + taken, max(longest, taken)
            await asyncio.sleep(0)
            began = monotonic()
        self.cost.seconds, self.cost.longest = spent, max(longest, self.cost.longest)
        self.cost.pictures += 1
        text = f"{_TO_END_OF_LINE}\r\n".join(parts[:rows])
        if self._ascii:
            text = text.translate(_ASCII).encode("ascii", "replace").decode("ascii")
        return f"{_HOME}{text}{_TO_END_OF_LINE}{_TO_END}"

    async def close(self) -> None:
        """Give the terminal back as it was."""
        self._out.write(_LEAVE)
        await self._out.close()


def console_of(columns: int, file: TextIO) -> Console:
    """What turns a line into text with codes; NO_COLOR leaves bold and dim."""
    return Console(
        file=file, width=columns, force_terminal=True, color_system="standard", no_color="NO_COLOR" in os.environ,
        legacy_windows=False, highlight=False, markup=False, emoji=False, soft_wrap=False,
    )  # fmt: skip


@asynccontextmanager
async def drawing(lines: Callable[[int, int, Cost], Iterator[Text]], tell: Tell) -> AsyncIterator[Cost]:
    """Draw while the block runs; what strategies print meanwhile is told, not written into the picture."""
    screen = Screen(lines, sys.stdout)
    task = asyncio.create_task(screen.draw(), name="view")
    try:
        # A first picture before anything slow begins.
        await asyncio.sleep(0)
        with redirect_stdout(Printed(tell)):
            yield screen.cost
    finally:
        task.cancel()
        failure = (await asyncio.gather(task, return_exceptions=True))[0]
        await screen.close()
        if isinstance(failure, Exception):
            get_logger("view").error("the view failed", exc_info=failure)


class Warnings(io.TextIOBase):
    """Where log lines go while a picture is on the screen: warnings and errors into it, all else to the file alone.

    `kept` has them as they were, to be shown when the screen is given back.
    """

    encoding = "utf-8"

    def __init__(self, tell: Tell, *, passed_over: tuple[str, ...] = ()) -> None:
        """
        :param passed_over: loggers whose lines the view shows anyway.
        """
        self._tell = tell
        self._passed_over = passed_over
        self.kept: list[str] = []

    def write(self, text: str) -> int:
        """One line of the log, with its traceback."""
        line = text.partition("\n")[0]
        found = _LINE.match(line)
        if found is not None and found["logger"] not in self._passed_over:
            event = found["event"]
            self._tell(found["level"], (json.loads(event) if event.startswith('"') else event) + found["more"])
            self.kept.append(line)
            del self.kept[:-20]
        return len(text)


class Printed(io.TextIOBase):
    """What is printed while a picture is on the screen, line by line."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._rest = ""

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Tell each whole line."""
        *whole, self._rest = (self._rest + text).split("\n")
        for line in whole:
            if line.strip():
                self._tell("print", line)
                get_logger("print").info(line)
        return len(text)
