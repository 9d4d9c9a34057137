"""Looks at what was written: which files, and what tools complain of in them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.workbench import environment

ROOT = Path(__file__).parents[2]
RULES = "E,F,W,I,UP,B,SIM,C4,PT,RET,RUF,PL,ANN,BLE,ASYNC"
"""More than ruff checks by itself."""


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def tool(folder: Path, *words: str) -> str:
    """What a tool complains of in a folder; empty when it does not."""
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env=environment(MYPYPATH=str(ROOT)),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return "" if done.returncode == 0 else done.stdout + done.stderr
