"""Fills in what a config takes from outside: `${NAME}`, `${NAME:-default}`, `${file:path}`, `${keyring:service/name}`.

`$${` is a literal `${`.

A scalar that is one reference and nothing else, in quotes or not, is read again as a scalar of its text, so `${QTY}`
with QTY=100 is a number; within a longer text it stays text. What was filled in is never looked through again. The
environment is handed in, and no message shows what a variable or a file holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from hbkit.config.files import Unreadable, read_small
from hbkit.config.keystore import from_keyring
from hbkit.config.node import KeyPath, Node, Scalar, is_secret, scalars, shown
from hbkit.config.scalars import Trap, read_scalar
from hbkit.errors import ConfigError, Faults

MAX_FILE_BYTES = 64 * 1024

_REFERENCE = re.compile(r"\$(\$\{)|\$\{([^{}]*)\}|\$\{")
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


class _Missing(ValueError):
    """A reference that cannot be filled in; the message is the fault's."""


def interpolate(root: Node, folder: Path, environ: Mapping[str, str], faults: Faults) -> None:
    """Fill in the references of the tree, in place; `${file:...}` is looked for from `folder`."""
    for path, node in scalars(root):
        if isinstance(node.value, str) and "${" in node.value and not node.faulty:
            try:
                _fill(node, path, folder, environ)
            except _Missing as missing:
                node.faulty = True
                place = node.place
                faults.add("HB110", str(missing), file=place.file, line=place.line, column=place.column)


def _fill(node: Node, path: KeyPath, folder: Path, environ: Mapping[str, str]) -> None:
    text = str(node.value)

    def replace(match: re.Match[str]) -> str:
        escaped, body = match.group(1), match.group(2)
        if escaped:
            return "${"
        if body is None:
            raise _Missing('"${" has no "}", or holds another one; write ${NAME}, or $${ for the text itself')
        return _look_up(body, path, folder, environ)

    filled = _REFERENCE.sub(replace, text)
    node.written, node.value = text, filled
    if any(match.group(2) is not None for match in _REFERENCE.finditer(text)):
        node.filled = filled
    # An empty variable stays an empty text: read as nothing, it would quietly lift a risk limit.
    whole = _REFERENCE.fullmatch(text)
    if whole is not None and whole.group(2) is not None and filled:
        node.value = _read_again(filled)


def _read_again(text: str) -> Scalar:
    try:
        return read_scalar(text)
    except Trap:
        # Nobody can put quotes into a variable: what would be a trap in the file is a text here.
        return text


def _look_up(body: str, path: KeyPath, folder: Path, environ: Mapping[str, str]) -> str:
    if body.startswith("file:"):
        return _read_file(body.removeprefix("file:"), path, folder)
    if body.startswith("keyring:"):
        return _read_keyring(body.removeprefix("keyring:"), path)
    match = _NAME.fullmatch(body)
    if match is None:
        what = "this" if is_secret(path) else f'"${{{shown(body)}}}"'
        raise _Missing(f"{what} is not a reference; write ${{NAME}}, ${{NAME:-default}} or ${{file:path}}")
    name, default = match.groups()
    # As in a shell, `:-` also stands in for a variable that is set and empty.
    value = environ.get(name)
    if default is not None and not value:
        return str(default)
    if value is None:
        raise _Missing(f"environment variable {shown(name)} is not set; set it, or write ${{{shown(name)}:-default}}")
    return value


def _read_keyring(text: str, path: KeyPath) -> str:
    service, slash, name = text.partition("/")
    if not (service and slash and name):
        raise _Missing("a keyring's entry is named ${keyring:service/name}")
    try:
        value = from_keyring(service, name)
    except ConfigError as error:
        raise _Missing(error.message) from None
    if value is None:
        what = "that is named here" if is_secret(path) else f'"{shown(text)}"'
        raise _Missing(f"the keyring has no entry {what}; `keyring set SERVICE NAME` makes one")
    return value


def _read_file(name: str, path: KeyPath, folder: Path) -> str:
    what = "the file that is named here" if is_secret(path) else f'file "{shown(name)}"'
    if not name.strip():
        raise _Missing("${file:} names no file; write ${file:path}")
    try:
        content = read_small(folder / name, MAX_FILE_BYTES, "64 KiB").decode("utf-8")
    except FileNotFoundError:
        raise _Missing(f"{what} is not found; a relative path starts in the config's folder") from None
    except IsADirectoryError:
        raise _Missing(f"{what} is a directory; name a file") from None
    except UnicodeDecodeError:
        raise _Missing(f"{what} is not UTF-8 text") from None
    except Unreadable as error:
        raise _Missing(f"{what} cannot be read: {error}") from None
    return content.rstrip("\r\n")
