"""`hbkit new exchange`: a connector over HTTP and a websocket that is gold before anything is edited."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hbkit.testing.contract import ConnectorContract, cases
from tests.skeletons.tools import RULES, files, tool
from tests.testing.inner import inner_pytest
from tests.workbench import Bench, install


@pytest.fixture
def acme(bench: Bench) -> Path:
    assert bench.hbkit("new", "exchange", "acme").code == 0
    return bench.folder / "hbkit-acme"


@pytest.fixture
def clean_modules() -> Iterator[None]:
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "hbkit_acme"]:
        del sys.modules[name]


def test_its_tests_pass_at_once_and_play_every_case(acme: Path) -> None:
    # The cases, and five recorded messages.
    said = inner_pytest(acme)
    assert re.search(rf"^{len(cases(ConnectorContract)) + 5} passed", said, re.MULTILINE), said


def test_it_is_tidy_and_typed(acme: Path, mypy: Callable[[Path], str]) -> None:
    assert tool(acme, "ruff", "check", ".", "--select", RULES, "--ignore", "ANN401") == ""
    assert tool(acme, "ruff", "format", "--check", ".") == ""
    assert mypy(acme) == ""
    assert "fake" not in (acme / "hbkit_acme/exchange.py").read_text().lower()


def test_it_is_gold_once_it_is_installed(
    acme: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch, clean_modules: None
) -> None:
    monkeypatch.syspath_prepend(str(install(acme, bench.folder / "site")))
    done = bench.hbkit("compliance", "acme")
    assert done.code == 0, done.err
    assert "acme: gold (" in done.out.splitlines()[-1]
    assert "failed" not in done.out
    listed = bench.hbkit("exchanges", "acme")
    assert listed.code == 0
    assert "Acme" in listed.out
    assert "hbkit-acme offers that name" in bench.hbkit("new", "exchange", "acme").err


def test_a_fault_of_the_connector_is_found_by_its_suite(acme: Path) -> None:
    wire = acme / "hbkit_acme/wire.py"
    text = wire.read_text()
    right = 'units if row["way"] == "long" else -units'
    assert text.count(right) == 1
    wire.write_text(text.replace(right, "units"))
    said = inner_pytest(acme, "-k", "c24")
    assert "1 failed" in said
    assert "hbkit.exchange" in said


def test_what_is_there(acme: Path) -> None:
    found = files(acme)
    assert [name for name in found if name.startswith("tests/messages/")] == [
        f"tests/messages/{name}.json" for name in ("candle", "fill", "order", "quote", "trade")
    ]
    assert ".github/workflows/tests.yml" in found
    project = tomllib.loads((acme / "pyproject.toml").read_text())
    assert project["project"]["entry-points"]["hbkit"] == {"acme": "hbkit_acme.plugin"}
    assert project["project"]["dependencies"] == ["hbkit-core"]


def test_nothing_is_written_over(acme: Path, bench: Bench) -> None:
    (acme / "hbkit_acme/wire.py").write_text("mine\n")
    done = bench.hbkit("new", "exchange", "acme")
    assert done.code == 2
    assert "already; nothing was written" in done.err
    assert (acme / "hbkit_acme/wire.py").read_text() == "mine\n"


def test_its_name_hides_nothing(bench: Bench) -> None:
    done = bench.hbkit("new", "exchange", "link")
    assert done.code == 2
    assert "would hide the one of that name; try my_link" in done.err
    assert '"Acme" is no name for an exchange' in bench.hbkit("new", "exchange", "Acme").err
