"""Lines for a terminal: wrapped, with labels in the margin, painted where that is wanted.

Everything from outside passes through `clean`, so that a tag or a venue's text cannot send codes to the terminal.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

_ASCII = str.maketrans({"·": "|", "─": "-", "—": "-", "–": "-", "−": "-", "’": "'", "…": "..."})
LABEL = 13
BOLD, DIM, WARN, OFF = "\x1b[1m", "\x1b[2m", "\x1b[33m", "\x1b[0m"


class Page:
    """Lines as they grow; knows the width and whether codes are wanted."""

    def __init__(self, width: int, colour: bool) -> None:
        self.width = max(width, 40)
        self.colour = colour
        self.lines: list[str] = []

    def text(self, *, ascii: bool = False) -> str:
        """All lines; `ascii` keeps to characters that any stream can encode."""
        whole = "\n".join(self.lines)
        return whole.translate(_ASCII).encode("ascii", "replace").decode("ascii") if ascii else whole

    def paint(self, text: str, code: str) -> str:
        """The text in a terminal code, where codes are wanted."""
        return f"{code}{text}{OFF}" if self.colour and text else text

    def blank(self) -> None:
        """An empty line, unless there is one."""
        if self.lines and self.lines[-1]:
            self.lines.append("")

    def add(self, text: str, code: str = "") -> None:
        """A paragraph."""
        for line in textwrap.wrap(clean(text), self.width, break_long_words=False, break_on_hyphens=False):
            self.lines.append(self.paint(line, code))

    def entry(self, label: str, text: str, code: str = "") -> None:
        """A label in the margin and its text beside it, wrapped under itself."""
        room = max(self.width - LABEL, 20)
        wrapped = textwrap.wrap(clean(text), room, break_long_words=False, break_on_hyphens=False) or [""]
        for index, line in enumerate(wrapped):
            margin = f"{label if index == 0 else '':<{LABEL}}"
            self.lines.append(self.paint(margin, code or DIM) + self.paint(line, code))

    def entries(self, label: str, texts: Iterable[str], code: str = "") -> None:
        """Several under one label."""
        for index, text in enumerate(texts):
            self.entry(label if index == 0 else "", text, code)


def clean(text: str) -> str:
    """One line without control characters."""
    return "".join(char if char.isprintable() else " " for char in text)
