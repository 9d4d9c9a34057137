"""Where a run puts things: its id and folder, the state file of its bot, and what becomes of an older one."""

from __future__ import annotations

from pathlib import Path

from hbkit.clock import Clock, iso
from hbkit.data.journal import last_run_id
from hbkit.errors import StateError

JOURNAL = "journal.db"


def new_run_folder(runs: Path, name: str, clock: Clock) -> Path:
    """Make the folder of a new run; its name is the run id. Raises StateError when it cannot be made."""
    stamp = iso(clock.now())[:19].replace("-", "").replace(":", "").replace("T", "-")
    try:
        for attempt in range(1, 10_000):
            folder = runs / (f"{name}-{stamp}" if attempt == 1 else f"{name}-{stamp}-{attempt}")
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                continue
            return folder
    except OSError as error:
        raise StateError(f"cannot write reports in {runs} ({error.strerror}); set run: {{dir: ...}}") from None
    raise StateError(f"{runs} holds 10,000 runs of this second; set run: {{dir: ...}} to another folder")


def fresh_state_file(folder: Path, name: str, mode: str, runs: Path) -> tuple[Path, str]:
    """The state file of a run that begins from nothing, and a line about the older one that was set aside, if any.

    The file bears the mode in its name, so that a replay can never take the place of what a live bot must remember.
    The older file goes home to the folder of the run that wrote it.
    """
    path = folder / f"{name}.{mode}.db"
    if not path.exists():
        return path, ""
    owner = last_run_id(path)
    home = runs / (owner or f"{path.stem}-unfinished")
    try:
        home.mkdir(parents=True, exist_ok=True)
        target = _free(home / JOURNAL)
        for suffix in ("", "-wal", "-shm"):
            old = path.with_name(path.name + suffix)
            if old.exists():
                old.rename(target.with_name(target.name + suffix))
    except OSError as error:
        raise StateError(f"cannot set aside {path} ({error.strerror}); move it away") from None
    return path, f"{mode} begins from empty state; the state of run {owner or 'unknown'} is now {target}"


def _free(path: Path) -> Path:
    """`path`, or the next name beside it that nobody has."""
    if not path.exists():
        return path
    return next(
        other for n in range(2, 10_000) if not (other := path.with_stem(f"{path.stem}-{n}")).exists()
    )
