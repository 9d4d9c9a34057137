"""Lines for a terminal: wrapped to its width, coloured where that is wanted, nothing in them that could steer it."""

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

    def text(self, *, ascii: bool) -> str:
        """All lines; `ascii` keeps to characters that any stream can encode."""
        text = "\n".join(self.lines)
        return text.translate(_ASCII).encode("ascii", "replace").decode("ascii") if ascii else text

    def paint(self, text: str, code: str) -> str:
        """The text in a colour, if there are any."""
        return f"{code}{text}{OFF}" if self.colour and text else text

    def blank(self) -> None:
        """An empty line, never two."""
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
        """Several of them under one label."""
        for index, text in enumerate(texts):
            self.entry(label if index == 0 else "", text, code)


def clean(text: str) -> str:
    """One line without control characters."""
    return "".join(char if char.isprintable() else " " for char in text)


