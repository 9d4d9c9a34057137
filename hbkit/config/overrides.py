"""Applies the command line's `--set path=value` to the tree of a config, before it is checked.

A path is keys with dots between them; a list item is its number from 0, or for a strategy its `name` or `use`. A value
is one scalar, or a list or mapping in brackets, by the same rules as in the file. A key that the file does not have yet
is added, and checked with everything else.
"""

from __future__ import annotations

from collections.abc import Sequence

from hbkit.config import shapes
from hbkit.config.check import text_of
from hbkit.config.document import MAX_BYTES, read_document
from hbkit.config.node import KeyPath, Node, Place, child, given, is_secret, path_text, shown
from hbkit.config.scalars import Trap, read_scalar
from hbkit.config.syntax import MAX_DEPTH
from hbkit.errors import Faults, did_you_mean


class _Lost(ValueError):
    """The path leads nowhere; code and message of the fault."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def apply_overrides(root: Node, overrides: Sequence[str], faults: Faults) -> None:
    """Write each `path=value` into the tree, in their order."""
    for override in overrides:
        path, equals, text = override.partition("=")
        parts = path.strip().split(".")
        if not equals or not all(parts):
            # Without a path nobody can tell whether the text is a secret.
            faults.add("HB001", "--set takes path=value, such as risk.max_position=500", file="--set")
            continue
        place = Place(_label(parts, text), None, None)
        try:
            _apply(root, parts, text, place, faults)
        except _Lost as lost:
            faults.add(lost.code, str(lost), file=place.file)


def _label(parts: list[str], text: str) -> str:
    value = "***" if is_secret(tuple(parts)) else shown(text)
    return f"--set {shown('.'.join(parts))}={value}"


def _apply(root: Node, parts: list[str], text: str, place: Place, faults: Faults) -> None:
    if len(parts) > MAX_DEPTH:
        raise _Lost("HB101", f"the path is more than {MAX_DEPTH} keys deep")
    value = _value(text, tuple(parts), place, faults)
    node = root
    path: KeyPath = ()
    for part in parts[:-1]:
        node, path = _step(node, path, part, place)
    _put(node, path, parts[-1], value, place)


def _step(node: Node, path: KeyPath, part: str, place: Place) -> tuple[Node, KeyPath]:
    """One part further down; a key that is not there yet becomes an empty mapping."""
    if isinstance(node.value, list):
        index = _index(node, path, part)
        return node.value[index], (*path, index)
    below = _mapping(node, path)
    if part not in below:
        _check_addition(below, path, part)
        below[part] = Node({}, place, place)
    return below[part], (*path, part)


def _put(node: Node, path: KeyPath, part: str, value: Node, place: Place) -> None:
    if isinstance(node.value, list):
        node.value[_index(node, path, part)] = value
        return
    below = _mapping(node, path)
    if part not in below:
        _check_addition(below, path, part)
    value.key = place
    below[part] = value


def _mapping(node: Node, path: KeyPath) -> dict[str, Node]:
    if node.value is None:
        node.value = {}
    if not isinstance(node.value, dict):
        raise _Lost("HB101", f"{path_text(path)} has no keys, it is {given(node, path)}")
    return node.value


def _check_addition(below: dict[str, Node], path: KeyPath, part: str) -> None:
    """A misspelt exchange must not quietly become a second one; other keys are checked with the file's."""
    if path == ("exchanges",):
        raise _Lost("HB107", f'no exchange "{shown(part)}" in this config; {did_you_mean(part, below)}')


def _index(node: Node, path: KeyPath, part: str) -> int:
    listed = node.value
    assert isinstance(listed, list)
    if part.isascii() and part.isdigit():
        if len(part) < 10 and int(part) < len(listed):
            return int(part)
        held = f"{len(listed)} item{'' if len(listed) == 1 else 's'}"
        raise _Lost("HB101", f"{path_text(path)} has {held}, counted from 0; there is no {shown(part)}")
    names = [_names(item) for item in listed]
    # A name is unique, what is used is not: look for the name first.
    for key in ("name", "use"):
        found = [index for index, known in enumerate(names) if part in known[key]]
        if len(found) > 1:
            raise _Lost("HB101", f'{path_text(path)} uses "{shown(part)}" more than once; write its name or its number')
        if found:
            return found[0]
    every = {name for known in names for group in known.values() for name in group}
    raise _Lost("HB101", f'{path_text(path)} has no item "{shown(part)}"; {did_you_mean(part, every)}')


def _names(item: Node) -> dict[str, list[str]]:
    """What a list item can be called by."""
    name, use = text_of(child(item, "name")), text_of(child(item, "use"))
    return {
        "name": [name] if name is not None else [],
        "use": [use, shapes.derived_name(use, use)] if use is not None else [],
    }


def _value(text: str, path: KeyPath, place: Place, faults: Faults) -> Node:
    """The value of an override. Only brackets and quotes make YAML of it: `*`, `#` or `:` are what they look like."""
    stripped = text.strip()
    if stripped[:1] in ("[", "{", '"', "'") and stripped:
        return _flow_value(stripped, path, place, faults)
    node = Node(stripped, place, written=stripped)
    try:
        node.value = read_scalar(stripped)
    except Trap as trap:
        node.faulty = True
        hidden = "this value reads differently in older YAML; put it in quotes"
        faults.add("HB104", hidden if is_secret(path) else str(trap), file=place.file)
    return node


def _flow_value(text: str, path: KeyPath, place: Place, faults: Faults) -> Node:
    found: Faults = Faults()
    node = None
    if len(text) > MAX_BYTES:
        found.add("HB100", "the value is larger than 1 MiB", file=place.file)
    else:
        node = read_document(text, place.file, found, placed=False)
    if is_secret(path) and found.found:
        found = Faults()
        found.add("HB100", "the value of this path cannot be read; put it in quotes", file=place.file)
    faults.found.extend(found.found)
    return node or Node("", place, faulty=True)
