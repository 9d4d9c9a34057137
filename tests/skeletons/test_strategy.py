"""`hbkit new strategy` and `hbkit new project`: what they write works, is typed and tidy, and touches nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from hbkit.config.load import load_config
from tests.skeletons.tools import RULES, files, tool
from tests.testing.inner import inner_pytest
from tests.workbench import Bench, install


def test_a_strategy_is_a_small_file_with_its_test_and_config(bench: Bench) -> None:
    done = bench.hbkit("new", "strategy", "dip_buyer")
    assert done.code == 0
    assert files(bench.folder) == ["configs/dip_buyer.yaml", "strategies/dip_buyer.py", "strategies/test_dip_buyer.py"]
    text = (bench.folder / "strategies/dip_buyer.py").read_text()
    assert "class DipBuyer(Strategy)" in text
    assert len(text.splitlines()) < 30
    assert done.out.splitlines()[-3:] == [
        "  pytest", "  hbkit backtest configs/dip_buyer.yaml", "  hbkit run configs/dip_buyer.yaml",
    ]  # fmt: skip
    assert bench.hbkit("check", "configs/dip_buyer.yaml").code == 0


def test_a_project_is_sound_before_anything_is_edited(bench: Bench, mypy: Callable[[Path], str]) -> None:
    assert bench.hbkit("new", "project", "my-bots").code == 0
    folder = bench.folder / "my-bots"
    assert files(folder) == [
        ".github/workflows/tests.yml", ".gitignore", "README.md", "configs/first.yaml", "hbkit.schema.json",
        "pyproject.toml", "requirements.txt", "strategies/first.py", "strategies/test_first.py",
    ]  # fmt: skip
    assert re.search(r"^1 passed", inner_pytest(folder), re.MULTILINE)
    assert tool(folder, "ruff", "check", ".", "--select", RULES) == ""
    assert tool(folder, "ruff", "format", "--check", ".") == ""
    assert mypy(folder) == ""
    load_config(folder / "configs/first.yaml", environ={})
    assert (folder / "configs/first.yaml").read_text().startswith("# yaml-language-server: $schema=../hbkit.schema")
    assert "hbkit-bitmex" in (folder / "requirements.txt").read_text()


def test_a_package_is_sound_and_runs_once_it_is_installed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, mypy: Callable[[Path], str]
) -> None:
    assert bench.hbkit("new", "strategy", "dip_buyer", "--package").code == 0
    folder = bench.folder / "hbkit-dip-buyer"
    assert re.search(r"^2 passed", inner_pytest(folder), re.MULTILINE)
    assert tool(folder, "ruff", "check", ".", "--select", RULES) == ""
    assert tool(folder, "ruff", "format", "--check", ".") == ""
    assert mypy(folder) == ""
    site = bench.folder / "site"
    monkeypatch.syspath_prepend(str(install(folder, site)))
    assert (site / "hbkit_dip_buyer" / "py.typed").is_file()
    listed = bench.process("strategies", "dip_buyer")
    assert "dip_buyer (hbkit-dip-buyer 0.1.0)" in listed.out, listed.err
    assert bench.process("check", str(folder / "configs/dip_buyer.yaml")).code == 0


def test_nothing_is_written_over_and_nothing_is_half_written(bench: Bench) -> None:
    bench.write("configs/dip_buyer.yaml", "mine\n")
    done = bench.hbkit("new", "strategy", "dip_buyer")
    assert done.code == 2
    assert "configs/dip_buyer.yaml exists already; nothing was written" in done.err
    assert files(bench.folder) == ["configs/dip_buyer.yaml"]
    assert (bench.folder / "configs/dip_buyer.yaml").read_text() == "mine\n"


def test_a_folder_in_the_way_is_named(bench: Bench) -> None:
    bench.write("strategies", "a file\n")
    done = bench.hbkit("new", "strategy", "dip_buyer")
    assert done.code == 2
    assert "strategies cannot be written" in done.err
    assert files(bench.folder) == ["strategies"]
    (bench.folder / "bots").mkdir()
    assert "bots exists already" in bench.hbkit("new", "project", "bots").err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("MyFirst", "try my_first"),
        ("my-first", "try my_first"),
        ("my_first.py", "try my_first"),
        ("../evil", "try evil"),
        ("1st", "try my_1st"),
        ("a" * 60, "at most 40"),
        ("", "try my_first"),
        ("class", "it is a word of Python; try my_class"),
        ("match", "it is a word of Python"),
        ("strategy", "would hide the one of that name; try my_strategy"),
        ("exception", "would hide the one of that name"),
        ("json", "a module of Python has this name"),
        ("test_it", "pytest would take it for a test"),
        ("bitmex", "hbkit-bitmex offers that name"),
    ],
)
def test_a_name_that_would_not_do_says_why_and_which_would(bench: Bench, name: str, words: str) -> None:
    done = bench.hbkit("new", "strategy", "--", name)
    assert done.code == 2
    assert words in done.err
    assert files(bench.folder) == []


@pytest.mark.parametrize("name", ["..", "a/b", "", ".hidden", "x" * 41])
def test_a_project_lies_in_the_current_folder(bench: Bench, name: str) -> None:
    done = bench.hbkit("new", "project", "--", name)
    assert (done.code, files(bench.folder)) == (2, [])
    assert "is no name for a project" in done.err


def test_the_market_can_be_named(bench: Bench) -> None:
    assert bench.hbkit("new", "strategy", "one", "--exchange", "bitmex", "--instrument", "XBT_USDT").code == 0
    text = (bench.folder / "configs/one.yaml").read_text()
    assert "  bitmex: {latency: 50ms}" in text
    assert "instruments: [XBT_USDT]" in text
    assert bench.hbkit("check", "configs/one.yaml").code == 0
    refused = bench.hbkit("new", "strategy", "two", "--exchange", "bitmex", "--instrument", "XBTUSDD")
    assert refused.code == 2
    assert 'bitmex has no instrument "XBTUSDD"' in refused.err
    assert "bitmexx" in bench.hbkit("new", "strategy", "two", "--exchange", "bitmexx").err


def test_without_an_exchange_there_is_no_config(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hbkit.plugins.entry_points", lambda **_: [])
    done = bench.hbkit("new", "strategy", "one")
    assert done.code == 0
    assert files(bench.folder) == ["strategies/one.py", "strategies/test_one.py"]
    assert "no exchange is installed" in done.out


LONG = "a_rather_long_name_of_forty_letters_here"


@pytest.mark.parametrize("words", [("exchange",), ("strategy",), ("strategy", "--package")], ids=" ".join)
def test_the_longest_name_is_tidy_too(bench: Bench, words: tuple[str, ...]) -> None:
    assert len(LONG) == 40
    assert bench.hbkit("new", *words, LONG).code == 0
    line = ("--line-length", "120")
    assert tool(bench.folder, "ruff", "check", ".", "--select", RULES, "--ignore", "ANN401,I001", *line) == ""
    assert tool(bench.folder, "ruff", "format", "--check", ".", *line) == ""
