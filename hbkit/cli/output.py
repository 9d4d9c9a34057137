"""What commands print: text for people that suits their terminal, one JSON object for programs."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from typing import Any

import click


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print text, in the encoding of the stream: by itself click would write UTF-8 where ASCII was asked for."""
    click.echo(text, file=sys.stderr if err else sys.stdout, nl=nl)


def print_json(value: Any) -> None:
    """One object on the last line of stdout."""
    say(json.dumps(value, separators=(", ", ": ")))


def is_plain() -> bool:
    """True where colour and redrawn lines have no place."""
    return not sys.stdout.isatty() or "NO_COLOR" in os.environ


def is_ascii() -> bool:
    """True where stdout cannot show more than ASCII."""
    try:
        "\u2500\u00b7\u2212".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return True
    return False


def width() -> int:
    """Columns to write in, within reason."""
    return max(60, min(100, shutil.get_terminal_size((80, 24)).columns))


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns padded to their widest cell, two spaces apart."""
    if not rows:
        return ""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)
