"""The tutorial, followed to the letter: its commands and edits are read from the page and done in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.workbench import environment

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)


def blocks() -> Iterator[tuple[str, str, str]]:
    """Each block of the page with its language, and the file that the words before it name last."""
    for found in BLOCK.finditer(PAGE):
        files = re.findall(r"`([\w/]+\.(?:py|yaml))`", PAGE[: found.start()])
        yield found[1], found[2], files[-1] if files else ""


def edit(path: Path, diff: str) -> int:
    """Do what a diff says; each line that goes must be there once. Returns how many lines come."""
    text = path.read_text()
    for old, new in re.findall(r"^-(.*\n)((?:\+.*\n)+)", diff, re.MULTILINE):
        assert text.count(old) == 1, old
        text = text.replace(old, re.sub(r"^\+", "", new, flags=re.MULTILINE))
    path.write_text(text)
    return diff.count("\n+") - sum(f"\n+{line[1:]}\n" in diff for line in diff.splitlines() if line[:1] == "-")


def run(folder: Path, line: str) -> str:
    scripts = str(Path(sys.executable).parent)
    path = os.pathsep.join([scripts, os.environ["PATH"]])
    done = subprocess.run(
        line.split(), cwd=folder, env=environment(PATH=path), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    return done.stdout


def test_a_new_user_gets_to_the_end(tmp_path: Path) -> None:
    said, edited, verbs = "", 0, []
    for language, text, file in blocks():
        match language:
            case "sh":
                said = ""
                for line in text.splitlines():
                    verbs.append(" ".join(line.split()[:2]))
                    said += run(tmp_path, line)
            case "diff":
                edited += edit(tmp_path / file, text)
            case "python":
                assert text in (tmp_path / "strategies/my_first.py").read_text()
            case _:
                missing = [line for line in text.splitlines() if line not in said]
                assert not missing, f"{missing} is not in:\n{said}"
    assert verbs == ["hbkit new", "pytest -q", "hbkit backtest", "hbkit run"]
    assert edited == 3
