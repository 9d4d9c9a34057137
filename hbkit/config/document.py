"""Reads one YAML text into a tree of plain values with positions, strictly: nothing is guessed, nothing is executed.

It walks the parser's events instead of letting a YAML loader build objects. That is how every value knows its line and
column, how a duplicate key is seen, how tags stay powerless, and why depth, size and aliases can be bounded before they
cost anything. All faults of a text are collected; only broken syntax ends the reading early.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import NoReturn

import yaml

from hbkit.config.node import KeyPath, Node, Place, Scalar, is_secret, shown
from hbkit.config.scalars import Trap, read_scalar
from hbkit.config.syntax import MAX_DEPTH, explain
from hbkit.errors import Faults

MAX_BYTES = 1 << 20
MAX_VALUES = 50_000
MAX_ALIAS_VALUES = 10_000
MAX_FAULTS = 100

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CORE = "tag:yaml.org,2002:"
_SCALAR_TAGS: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "int": (int,),
    "float": (int, Decimal),
    "null": (type(None),),
}
_BOM = "\ufeff"


def read_document(content: bytes | str, file: str, faults: Faults, *, placed: bool = True) -> Node | None:
    """The tree of a YAML text, None where it cannot be read at all; `faults` then says why.

    `placed=False` leaves lines and columns out: a text from the command line has none.
    """
    reader = _Reader(file, faults, placed)
    try:
        return reader.read(reader.decode(content) if isinstance(content, bytes) else content)
    except _Stop:
        return None


class _Stop(Exception):
    """Reading cannot go on; the fault is recorded."""


@dataclass(slots=True)
class _Frame:
    """A mapping or list that is being read."""

    node: Node
    path: KeyPath
    anchor: str | None
    key: str | None = None
    key_place: Place | None = None
    has_key: bool = False
    is_key: bool = False
    """This collection stands where a key belongs; it is read to its end and dropped."""


class _Reader:
    def __init__(self, file: str, faults: Faults, placed: bool) -> None:
        self._file = file
        self._faults = faults
        self._placed = placed
        self._frames: list[_Frame] = []
        self._anchors: dict[str, Node] = {}
        self._root: Node | None = None
        self._values = 0
        self._alias_values = 0
        self._reported = 0

    def decode(self, content: bytes) -> str:
        """The text of a file's bytes."""
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            before = content[: error.start].decode("utf-8")
            self._stop("this is not a UTF-8 text file; save it as UTF-8", *_position(before))
        return text

    def read(self, text: str) -> Node:
        """The tree of `text`."""
        if text.startswith(_BOM):
            self._fault("HB100", "the file starts with a byte order mark; save it as UTF-8 without one", self._at(1, 1))
            text = text[1:]
        if control := _CONTROL.search(text):
            message = f"control character U+{ord(control.group()):04X}; a config is plain text"
            self._stop(message, *_position(text[: control.start()]))
        try:
            for event in self._events(text):
                self._take(event)
        except yaml.YAMLError as error:
            self._stop(*explain(error, text))
        if self._root is None or (self._root.value is None and not self._root.written):
            self._stop("the file is empty; a config has at least exchanges and strategies", 1, 1)
        return self._root

    def _events(self, text: str) -> Iterator[yaml.Event]:
        documents = 0
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._stop_at('a config is one document; remove this "---"', self._of(event))
            yield event

    def _take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            frame = self._frames.pop()
            if frame.is_key:
                self._set_key(None, frame.node.place)
            else:
                self._attach(frame.node, frame.anchor)

    def _open(self, event: yaml.CollectionStartEvent) -> None:
        place = self._of(event)
        if len(self._frames) >= MAX_DEPTH:
            self._stop_at(f"nested more than {MAX_DEPTH} deep", place)
        self._count(place)
        mapping = isinstance(event, yaml.MappingStartEvent)
        path = self._path()
        if event.tag not in (None, _CORE + ("map" if mapping else "seq")):
            self._refuse_tag(event.tag, place, path)
        is_key = self._wants_key()
        if is_key:
            self._fault("HB100", "a key must be a text, not a mapping or a list", place)
        node = Node({} if mapping else [], place)
        self._frames.append(_Frame(node, path, event.anchor, is_key=is_key))

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        place = self._of(event)
        self._count(place)
        if self._wants_key():
            if event.anchor is not None:
                self._anchors[event.anchor] = Node(event.value, place, written=event.value)
            self._set_key(event.value, place)
            return
        node = Node(event.value, place, written=event.value)
        path = self._path()
        try:
            node.value = self._value(event, place, path)
        except Trap as trap:
            node.faulty = True
            hidden = "this value reads differently in older YAML; put it in quotes"
            self._fault("HB104", hidden if is_secret(path) else str(trap), place)
        self._attach(node, event.anchor)

    def _value(self, event: yaml.ScalarEvent, place: Place, path: KeyPath) -> Scalar:
        text = str(event.value)
        if event.tag is None:
            return read_scalar(text) if event.implicit[0] else text
        kind = event.tag.removeprefix(_CORE)
        if event.tag == _CORE + "str":
            return text
        if event.tag != _CORE + kind or kind not in _SCALAR_TAGS:
            self._refuse_tag(event.tag, place, path)
            return text
        value = read_scalar(text)
        if type(value) not in _SCALAR_TAGS[kind]:
            raise Trap(f'"{shown(text)}" is not what its tag !!{kind} says; remove the tag')
        return value

    def _alias(self, event: yaml.AliasEvent) -> None:
        place = self._of(event)
        anchor = str(event.anchor)
        target = self._anchors.get(anchor)
        path = self._path()
        if target is None:
            name = "this name" if is_secret(path) else f"&{shown(anchor)}"
            mend = "put the value in quotes if it is a text"
            self._fault("HB100", f"no finished value with the anchor {name} stands above; {mend}", place)
            target = Node("", place, faulty=True)
        if self._wants_key():
            scalar = not isinstance(target.value, (dict, list))
            if not scalar:
                self._fault("HB100", "a key must be a text, not a mapping or a list", place)
            self._set_key(target.written if scalar and not target.faulty else None, place)
            return
        node = self._copy(target, place, len(self._frames))
        node.place, node.key = place, None
        self._attach(node, None)

    def _copy(self, node: Node, place: Place, depth: int) -> Node:
        """A copy of an anchored value, counted: ten lines of aliases could otherwise mean a billion values."""
        self._alias_values += 1
        if self._alias_values > MAX_ALIAS_VALUES:
            self._stop_at(f"the aliases stand for more than {MAX_ALIAS_VALUES:,} values; write fewer", place)
        if depth > MAX_DEPTH or (depth == MAX_DEPTH and isinstance(node.value, (dict, list))):
            self._stop_at(f"nested more than {MAX_DEPTH} deep", place)
        value = node.value
        if isinstance(value, dict):
            value = {key: self._copy(below, place, depth + 1) for key, below in value.items()}
        elif isinstance(value, list):
            value = [self._copy(below, place, depth + 1) for below in value]
        return Node(value, node.place, node.key, node.written, faulty=node.faulty)

    def _set_key(self, key: str | None, place: Place) -> None:
        """Take the key of the value that comes next; None drops that value."""
        frame = self._frames[-1]
        frame.has_key, frame.key, frame.key_place = True, None, place
        if key is None:
            return
        known = frame.node.value
        assert isinstance(known, dict)
        if key == "<<":
            self._fault("HB100", 'the merge key "<<" is not read; write the keys out', place)
        elif not key:
            self._fault("HB100", "this key is empty; write it as key: value", place)
        elif key in known:
            name = "this key is" if is_secret(frame.path) else f'key "{shown(key)}"'
            first = known[key].key
            where = f" on line {first.line}" if first is not None and first.line is not None else ""
            self._fault("HB102", f"{name} already set{where}; remove one", place)
        else:
            frame.key = key

    def _attach(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._frames:
            self._root = node
            return
        frame = self._frames[-1]
        into = frame.node.value
        if isinstance(into, list):
            into.append(node)
        elif isinstance(into, dict):
            if frame.key is not None:
                node.key = frame.key_place
                into[frame.key] = node
            frame.has_key, frame.key = False, None

    def _wants_key(self) -> bool:
        return bool(self._frames) and isinstance(self._frames[-1].node.value, dict) and not self._frames[-1].has_key

    def _path(self) -> KeyPath:
        """The path of the value that comes next, good enough to know a secret by."""
        if not self._frames:
            return ()
        frame = self._frames[-1]
        return frame.path if frame.key is None else (*frame.path, frame.key)

    def _refuse_tag(self, tag: str, place: Place, path: KeyPath) -> None:
        name = "" if is_secret(path) else f" {shown(tag.replace(_CORE, '!!'))}"
        self._fault("HB100", f"the tag{name} is not read; remove it, or put the value in quotes", place)

    def _count(self, place: Place) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            self._stop_at(f"more than {MAX_VALUES:,} values; a config is smaller", place)

    def _of(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        assert mark is not None
        return self._at(mark.line + 1, mark.column + 1)

    def _at(self, line: int, column: int) -> Place:
        return Place(self._file, line, column) if self._placed else Place(self._file, None, None)

    def _fault(self, code: str, message: str, place: Place) -> None:
        self._faults.add(code, message, file=place.file, line=place.line, column=place.column)
        self._reported += 1
        if self._reported >= MAX_FAULTS:
            raise _Stop

    def _stop_at(self, message: str, place: Place) -> NoReturn:
        self._fault("HB100", message, place)
        raise _Stop

    def _stop(self, message: str, line: int, column: int) -> NoReturn:
        self._stop_at(message, self._at(line, column))


def _position(before: str) -> tuple[int, int]:
    """Line and column, from 1, of what follows the text `before`."""
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
