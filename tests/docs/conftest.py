"""One bench for each test: an empty current folder with the command line in it."""

import pytest

from tests.workbench import Bench


@pytest.fixture
def bench(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path, capsys)
