"""A pytest of its own in a folder: what a user of the fixtures has, with nothing of this project's settings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.workbench import environment

ASYNCIO = ("-p", "pytest_asyncio.plugin")


def inner_pytest(folder: Path, *words: str) -> str:
    """Everything that it printed. Of the plugins that are installed it loads hbkit's and those that are named."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "hbkit.testing.plugin", *words]
    done = subprocess.run(
        # pytest-asyncio warns of its own defaults; every other warning is a failure.
        [*command, "-p", "no:cacheprovider", "-W", "error", "-W", "ignore::pytest.PytestDeprecationWarning"],
        # Loading every plugin that is installed here takes some seconds, each time.
        cwd=folder, env={**environment(), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr
