"""Where a run that is over is kept, by the name that a person gives it."""

from __future__ import annotations

from pathlib import Path

from hbkit.errors import UsageError, did_you_mean


def kept_run(run: str | None, folder: Path) -> Path:
    """The `result.json` of a run: by its id, the beginning of one, or its folder; of the newest where none is named.

    Raises UsageError with the nearest name, or with the ones that begin so.
    """
    if run is not None and (path := Path(run) / "result.json").is_file():
        return path
    found = {path.parent.name: path for path in folder.glob("*/result.json")}
    if not found:
        raise UsageError(f"no runs in {folder}; start one: hbkit run configs/quickstart.yaml")
    if run is None:
        return max(found.values(), key=lambda path: path.stat().st_mtime_ns)
    if run in found:
        return found[run]
    named = sorted(name for name in found if run and name.startswith(run))
    if len(named) == 1:
        return found[named[0]]
    if named:
        raise UsageError(f'"{run}" begins several runs in {folder}: {", ".join(named)}; write more of it')
    raise UsageError(f'no run "{run}" in {folder}; {did_you_mean(run, found, what="runs")}')
