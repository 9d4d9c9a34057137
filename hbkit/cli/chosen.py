"""Which run a word on the command line means: its id, the beginning of it, or its folder."""

from __future__ import annotations

from pathlib import Path

from hbkit.errors import UsageError, did_you_mean

RESULT = "result.json"
_LISTED = 6


def chosen(word: str, folder: Path) -> Path:
    """The result of the run that is meant, among those in `folder` or under a path.

    Raises UsageError where there is none, and where several runs begin like that.
    """
    there = Path(word)
    if (there / RESULT).is_file():
        return there / RESULT
    found = results(folder)
    if word in found:
        return found[word]
    for bare in (there, folder / word):
        # Before the beginnings of names: the name of another run may begin with the whole of this one's.
        if word and bare.is_dir():
            raise UsageError(
                f"{bare} holds no {RESULT}: that run has not ended, or was killed before it could write it"
            )
    begun = sorted(name for name in found if name.startswith(word))
    if len(begun) == 1:
        return found[begun[0]]
    if begun:
        names = ", ".join(begun[:_LISTED]) + (f" and {len(begun) - _LISTED} more" if len(begun) > _LISTED else "")
        raise UsageError(f'{len(begun)} runs in {folder} begin with "{word}": {names}; write more of the name')
    raise UsageError(f'no run "{word}" in {folder}; {did_you_mean(word, found, what="runs")}')


def newest(folder: Path) -> Path:
    """The result that was written last. Raises UsageError where there is none."""
    return max(results(folder).values(), key=lambda path: path.stat().st_mtime_ns)


def results(folder: Path) -> dict[str, Path]:
    """The results in a folder by the ids of their runs. Raises UsageError where there are none."""
    found = {path.parent.name: path for path in folder.glob(f"*/{RESULT}")}
    if not found:
        raise UsageError(f"no runs in {folder}; start one: hbkit run configs/quickstart.yaml")
    return found
