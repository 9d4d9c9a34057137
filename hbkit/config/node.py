"""The tree that a config is read into: plain values, each with the place where it was written.

A `Node` holds a scalar, a mapping of text to nodes, or a list of nodes. Numbers that are not whole are `Decimal`, made
from the very text of the file, so that `1e-8` and `0.1` stay what the trader wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

Scalar = None | bool | int | Decimal | str
Plain = Scalar | list["Plain"] | dict[str, "Plain"]
KeyPath = tuple[str | int, ...]

_SECRET = re.compile(r"key|secret|token|password|passphrase", re.IGNORECASE)
_SHOWN_LETTERS = 40


class Place(NamedTuple):
    """Where something stands: the file as the user typed it, line and column from 1 (None on the command line)."""

    file: str
    line: int | None
    column: int | None


@dataclass(slots=True)
class Node:
    """One value of the tree, where it stands, and how it was written."""

    value: Scalar | list[Node] | dict[str, Node]
    place: Place
    key: Place | None = None
    """Where the key of this value stands, if it is in a mapping."""
    written: str = ""
    """A scalar's text as in the file, before `${...}` was filled in."""
    filled: str | None = None
    """The text after `${...}` was filled in, None where there was nothing to fill in."""
    faulty: bool = False
    """A fault was reported for it already; what follows from that fault is not reported again."""


class FilledInt(int):
    """A whole number that came out of `${...}`; it keeps its text, for the settings that want a text."""

    text: str


class FilledDecimal(Decimal):
    """A number that came out of `${...}`; it keeps its text, for the settings that want a text."""

    text: str


def plain(node: Node) -> Plain:
    """The value without places, for the typed settings."""
    value = node.value
    if isinstance(value, dict):
        return {key: plain(child) for key, child in value.items()}
    if isinstance(value, list):
        return [plain(child) for child in value]
    if node.filled is None or isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return value
    number = FilledInt(value) if isinstance(value, int) else FilledDecimal(value)
    number.text = node.filled
    return number


def find(root: Node, path: KeyPath) -> tuple[Node, bool]:
    """The node at `path` and True, or the nearest node above it and False."""
    node = root
    for part in path:
        below = child(node, part)
        if below is None:
            return node, False
        node = below
    return node, True


def child(node: Node, part: str | int) -> Node | None:
    """The value under a key or a list index, None if there is none."""
    if isinstance(node.value, dict):
        return node.value.get(str(part))
    if isinstance(node.value, list) and isinstance(part, int) and 0 <= part < len(node.value):
        return node.value[part]
    return None


def scalars(node: Node, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Node]]:
    """Every scalar of the tree with its path, in the order of the file."""
    if isinstance(node.value, dict):
        for key, below in node.value.items():
            yield from scalars(below, (*path, key))
    elif isinstance(node.value, list):
        for index, below in enumerate(node.value):
            yield from scalars(below, (*path, index))
    else:
        yield path, node


def path_text(path: KeyPath) -> str:
    """A path as messages show it: `strategies[0].params.qty`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{shown(part)}" if text else shown(part)
    return text or "the config"


def is_secret(path: KeyPath) -> bool:
    """True if a value under this path must never be shown."""
    return any(isinstance(part, str) and _SECRET.search(part) for part in path)


def shown(text: str) -> str:
    """A text of the user in a message: on one line, printable, not too long."""
    cut = text if len(text) <= _SHOWN_LETTERS else text[: _SHOWN_LETTERS - 3] + "..."
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in cut)


def given(node: Node, path: KeyPath) -> str:
    """What stands there, in a trader's words: `text "ten"`, `number 5`, `a list`; a secret is never spelled out."""
    value = node.value
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    if is_secret(path):
        return "a value that is not shown"
    if node.filled is not None:
        # What a variable or a file holds may be a secret in any key; the reference says enough to mend it.
        return f"what {shown(node.written)} holds"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'text "{shown(value)}"' if isinstance(value, str) else f"number {shown(node.written)}"
