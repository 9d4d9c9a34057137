"""Loads a config: the file, the command line's overrides, what comes from the environment, and all faults at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from hbkit.config.check import build_settings
from hbkit.config.document import MAX_BYTES, MAX_FAULTS, read_document
from hbkit.config.files import Unreadable, read_small
from hbkit.config.interpolate import interpolate
from hbkit.config.mapping import text_of
from hbkit.config.node import Node, Place, find, is_secret, scalars, shown
from hbkit.config.overrides import apply_overrides
from hbkit.config.settings import Settings
from hbkit.config.shapes import derived_name
from hbkit.errors import ConfigError, Fault, Faults
from hbkit.log import MASK

_LISTED = 10


@dataclass(frozen=True)
class Config:
    """A config that holds: its settings, and the places of its values for checks that come later."""

    settings: Settings
    path: Path
    text: str
    """The file as it was read, secrets masked, for the copy that a run keeps."""
    faults: list[Fault]
    """Warnings; later checks add theirs."""
    _root: Node = field(repr=False)

    def where(self, *keys: str | int) -> Place | None:
        """Where the value at a key path stands, such as `("strategies", 0, "params", "qty")`, else its nearest parent.

        A value from the command line has the file `--set path=value` and no line.
        """
        node, _ = find(self._root, keys)
        return node.place

    def fault(self, code: str, message: str, *keys: str | int, severity: str = "error") -> Fault:
        """A fault at the place of a key path."""
        place = self.where(*keys)
        if place is None:
            return Fault(code, message, str(self.path), severity=severity)
        return Fault(code, message, place.file, place.line, place.column, severity)

    def is_in_clear(self, *keys: str | int) -> bool:
        """True when the value at a key path was written in the file itself, not taken from outside."""
        node, there = find(self._root, keys)
        return there and node.filled is None

    def told(self) -> dict[str, str]:
        """Every value by its path (`exchanges.bitmex.latency`), overrides among them, as text; no secret is in it.

        What came from outside stands as it was asked for, `${NAME}`.
        """
        return {
            ".".join(map(str, path)): MASK if is_secret(path) else _as_written(node)
            for path, node in scalars(self._root)
        }

    def resolve(self, text: str) -> Path:
        """The path that a text of the config means: from the config's folder, else from the current one.

        Where neither exists it is the one from the config's folder, so that a message can name it.
        """
        return resolved(self.path, text)


def resolved(config: Path, text: str) -> Path:
    """The path that a text means in the config of that path: see `Config.resolve`."""
    beside = config.parent / text
    if not beside.exists() and Path(text).exists():
        return Path(text)
    return beside


def load_config(path: str | Path, *, overrides: Sequence[str] = (), environ: Mapping[str, str]) -> Config:
    """The config at `path`. Raises ConfigError with every fault of the file and of `overrides`, in line order."""
    file, shown_path = Path(path), str(path)
    return _loaded(_read(file, shown_path), file, shown_path, overrides, environ)


def load_mapping(
    config: Mapping[str, Any], *, overrides: Sequence[str] = (), environ: Mapping[str, str], name: str = "config"
) -> Config:
    """A config that is a mapping already, as if it were a file of that name in the current folder.

    Raises ConfigError as `load_config` does; lines are those of the text that the run keeps as its copy.
    """
    return _loaded(text_of(config).encode(), Path(name), name, overrides, environ)


def _loaded(
    content: bytes, file: Path, shown_path: str, overrides: Sequence[str], environ: Mapping[str, str]
) -> Config:
    faults = Faults()
    root = read_document(content, shown_path, faults)
    settings = None
    if root is not None:
        apply_overrides(root, overrides, faults)
        interpolate(root, file.parent, environ, faults)
        settings = build_settings(root, derived_name(file.stem, "run"), faults)
    _check(faults)
    assert root is not None
    assert settings is not None
    return Config(settings, file, _masked(content.decode("utf-8"), root), faults.found, root)


def _as_written(node: Node) -> str:
    return node.written if node.filled is not None else str(node.value)


def _masked(text: str, root: Node) -> str:
    """The file without the secrets that were written into it."""
    lines = text.split("\n")
    for path, node in scalars(root):
        if is_secret(path) and not node.filled and node.place.line and isinstance(node.value, str) and node.value:
            at = node.place.line - 1
            if at < len(lines):
                lines[at] = lines[at].replace(str(node.written or node.value), MASK)
    return "\n".join(lines)


def _check(faults: Faults) -> None:
    """Raise what was found; a file full of nonsense is not listed to its end."""
    try:
        faults.check()
    except ConfigError as error:
        if len(error.faults) <= MAX_FAULTS:
            raise
        raise ConfigError(error.faults[:MAX_FAULTS]) from None


def _read(file: Path, name: str) -> bytes:
    try:
        return read_small(file, MAX_BYTES, "1 MiB")
    except FileNotFoundError:
        _refuse(f'config file "{shown(name)}" not found; {_configs_in(file.parent)}')
    except IsADirectoryError:
        _refuse(f'"{shown(name)}" is a directory, not a config file; {_configs_in(file)}')
    except Unreadable as error:
        _refuse(f'config file "{shown(name)}" cannot be read: {error}')


def _refuse(message: str) -> NoReturn:
    raise ConfigError([Fault("HB100", message)])


def _configs_in(folder: Path) -> str:
    """The configs of a folder, as the mend for a wrong path."""
    try:
        names = sorted(file.name for file in folder.iterdir() if file.suffix in (".yaml", ".yml"))
    except OSError:
        return f'there is no folder "{shown(str(folder))}"'
    if not names:
        return "no configs here"
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"configs here: {', '.join(shown(name) for name in names[:_LISTED])}{more}"
