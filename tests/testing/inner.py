"""A pytest of its own in a folder: what a user of the fixtures has, with nothing of this project's settings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.workbench import environment


def inner_pytest(folder: Path, *words: str) -> str:
    """Everything that it printed."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:hbkit", "-p", "hbkit.testing.plugin", *words]
    done = subprocess.run(
        # pytest-asyncio warns of its own defaults; every other warning is a failure.
        [*command, "-p", "no:cacheprovider", "-W", "error", "-W", "ignore::pytest.PytestDeprecationWarning"],
        cwd=folder, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr
