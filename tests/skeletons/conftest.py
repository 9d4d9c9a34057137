"""A folder with the command line in it, and mypy with one cache for all that is made there: hbkit is read once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.skeletons.tools import tool
from tests.workbench import Bench


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path, capsys)


@pytest.fixture(scope="session")
def mypy(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], str]:
    """What mypy complains of in a folder, by the folder's own settings."""
    cache = tmp_path_factory.mktemp("mypy")
    return lambda folder: tool(folder, "mypy", "--cache-dir", str(cache))
