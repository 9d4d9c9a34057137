"""A skeleton as files, made from the texts of this package; writes them all, or none where one of them exists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath
from string import Template

from hbkit.errors import UsageError


@dataclass(frozen=True)
class File:
    """A file to write: its path from the folder, and its text."""

    path: str
    text: str


def made(text: str, path: str, **names: str) -> File:
    """The file `path` from `texts/<text>.txt`, its `$name`s filled in."""
    template = files("hbkit.skeletons").joinpath("texts", f"{text}.txt").read_text(encoding="utf-8")
    return File(path, Template(template).substitute(names))


def write(folder: Path, skeleton: Sequence[File]) -> list[Path]:
    """Write a skeleton into a folder; raises UsageError, and has written nothing, where one of its files exists."""
    paths = [folder / PurePosixPath(one.path) for one in skeleton]
    there = [path for path in paths if path.exists() or path.is_symlink()]
    if there:
        names = ", ".join(map(str, there))
        verb = "exists" if len(there) == 1 else "exist"
        raise UsageError(f"{names} {verb} already; nothing was written: choose another name, or move it away")
    written: list[Path] = []
    try:
        for path, one in zip(paths, skeleton, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            # "x": what came into being since the look above is not written over either.
            with path.open("x", encoding="utf-8", newline="\n") as file:
                written.append(path)
                file.write(one.text)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        reason = error.strerror or type(error).__name__
        raise UsageError(f"{error.filename or folder} cannot be written ({reason}); nothing was left behind") from None
    return written
