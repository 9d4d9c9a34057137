"""One process per state file: a lock beside it that the system lets go when the process ends, however it ends."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import IO

from hbkit.errors import AlreadyRunning, StateError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
    import msvcrt


class StateLock:
    """Held from `with` to the end of the block; raises AlreadyRunning, which names the process that holds it."""

    def __init__(self, state: Path, *, instead: str = "give this bot another run.name") -> None:
        """:param instead: what a second process may do."""
        self._path = state.with_name(state.name + ".lock")
        self._state = state
        self._instead = instead
        self._file: IO[str] | None = None

    def __enter__(self) -> StateLock:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = self._path.open("a+", encoding="ascii")
        except OSError as error:
            raise StateError(f"cannot write state in {self._path.parent} ({error.strerror})") from None
        try:
            _lock(file)
        except OSError:
            file.seek(0)
            owner = file.read().strip() or "unknown"
            file.close()
            raise AlreadyRunning(f"{self._state} is in use by process {owner}; stop it, or {self._instead}") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()


def _lock(file: IO[str]) -> None:
    if fcntl is not None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
