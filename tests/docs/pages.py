"""The pages of docs/ and the README, cut into their fenced blocks, with what a comment above a block says about it.

    <!-- not run: REASON -->      the block is parsed, and no more; the reason is for the reader of the source
    <!-- inside: on_candle -->    the lines stand inside that callback of a strategy
    <!-- file: NAME -->           a part of that file, which the page builds up; the page's own test runs it
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[\w-]*)\n(?P<text>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE)
MARK = re.compile(r"<!-- (not run|inside|file|in): ([^>]*?) -->\n+ *\Z")


@dataclass(frozen=True)
class Block:
    """One fenced block: where it begins, its language, its lines, and its mark."""

    page: str
    line: int
    language: str
    text: str
    mark: str = ""
    value: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """README first, then the site's pages."""
    return [README, *sorted(DOCS.rglob("*.md"))]


def blocks(path: Path) -> Iterator[Block]:
    """The blocks of a page, in order."""
    text = path.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        mark = MARK.search(text[: found.start()])
        line = text.count("\n", 0, found.start()) + 1
        words = mark.groups() if mark else ("", "")
        lines = re.sub(rf"^{found['indent']}", "", found["text"], flags=re.MULTILINE)
        yield Block(path.name, line, found["language"], lines, *words)


def all_blocks() -> list[Block]:
    """Every block of every page."""
    return [block for path in pages() for block in blocks(path)]
