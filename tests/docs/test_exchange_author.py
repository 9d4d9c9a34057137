"""The guide of docs/exchange-author.md, followed: its files are written as it says and reach its grades."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from hbkit.exchange import Capabilities, Channel, Exchange, ExchangeSpec, Listener
from hbkit.model import TimeInForce
from hbkit.testing.contract import ConnectorContract, cases
from hbkit.testing.contract.case import Level
from hbkit.testing.contract.score import Score, State, score
from tests.docs.pages import DOCS, Block, blocks
from tests.workbench import Bench, plant

PAGE = DOCS / "exchange-author.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = list(blocks(PAGE))
MODULES = ("toy", "toy_plugin", "test_toy")


def parts(name: str) -> list[Block]:
    """The blocks that make a file, in the order of the page."""
    return [block for block in BLOCKS if (block.mark, block.value) == ("file", name)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The reader's folder, at the end of the page."""
    for name in {block.value for block in BLOCKS if block.mark == "file"}:
        (tmp_path / name).write_text("\n\n".join(block.text for block in parts(name)), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in MODULES:
        sys.modules.pop(name, None)


def graded(name: str) -> Score:
    """What the suite of the page says of a class of it."""
    contract = importlib.import_module("test_toy").TestToy
    contract.connector = getattr(importlib.import_module("toy"), name)
    return score(contract)


def open_cases(found: Score) -> set[str]:
    return {one.case.number for one in found.outcomes if one.state is State.NOT_DECLARED}


def test_the_first_half_is_bronze(folder: Path) -> None:
    half = parts("toy.py")[0].text
    (folder / "toy.py").write_text(half, encoding="utf-8")
    found = graded("ToyFeed")
    assert (found.grade, found.failed) == (Level.BRONZE, [])


def test_the_whole_is_gold(folder: Path) -> None:
    found = graded("ToyExchange")
    assert (found.grade, found.failed) == (Level.GOLD, [])
    # What it does not declare: amending, hedge mode, fundings, day orders and leverage.
    undeclared = {"amend", "hedge_mode", Channel.FUNDING, TimeInForce.DAY, "leverage", "triggers", "display_qty"}
    assert {one.number for one in cases(ConnectorContract) if set(one.needs) & undeclared} == open_cases(found)


def test_the_mistake_that_it_shows_fails_as_it_shows(folder: Path) -> None:
    source = (folder / "toy.py").read_text()
    right = "return Candle(end, row"
    assert source.count(right) == 1
    (folder / "toy.py").write_text(source.replace(right, 'return Candle(row["open"], row'))
    (failed,) = [one for one in graded("ToyFeed").failed if one.case.number == "C08"]
    shown = next(block.text for block in BLOCKS if block.language == "text")
    for line in shown.splitlines():
        assert line.removesuffix(" ...") in failed.why


def test_an_answer_that_is_lost_is_what_makes_it_gold(folder: Path) -> None:
    source = (folder / "toy.py").read_text()
    ends = ("LostAnswer as lost", "ExchangeError as error")
    start, end = (source.index(f"        except {words}:\n") for words in ends)
    handler = source[start:end]
    (folder / "toy.py").write_text(source.replace(handler, ""))
    found = graded("ToyExchange")
    assert found.grade is Level.SILVER
    assert {one.case.number for one in found.failed} >= {"C43", "C44"}


def test_it_is_offered_as_the_page_says(folder: Path, bench: Bench) -> None:
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    ((name, module),) = project["project"]["entry-points"]["hbkit"].items()
    assert set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["include"]) == {f"{one}.py" for one in MODULES}
    source = (folder / "test_toy.py").read_text()
    (folder / "test_toy.py").write_text(source.replace("ToyFeed", "ToyExchange"))
    plant(folder, project["project"]["name"], module, (folder / f"{module}.py").read_text(), name)
    (shell,) = [block for block in BLOCKS if block.language == "sh"]
    shown = bench.hbkit(*shell.text.split()[1:])
    assert shown.code == 0, shown.err
    assert "gold" in shown.out
    assert "the toy venue" in bench.hbkit("exchanges", "toy").out


# -- the tables at its end


def rows(heading: str) -> list[str]:
    """The names in the first column of a table, by the head of that column."""
    table = TEXT.split(f"| {heading} |", 1)[1].split("\n\n", 1)[0]
    return [name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]


def members(cls: type) -> set[str]:
    return {name for name in {*vars(cls), *inspect.get_annotations(cls)} if not name.startswith("_")}


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("field of `Capabilities`", {one.name for one in dataclasses.fields(Capabilities)}),
        ("field of `ExchangeSpec`", {one.name for one in dataclasses.fields(ExchangeSpec)}),
        ("member of `Exchange`", members(Exchange)),
        ("method of `Listener`", members(Listener)),
    ],
    ids=["Capabilities", "ExchangeSpec", "Exchange", "Listener"],
)
def test_each_name_has_its_row_and_each_row_its_name(heading: str, names: set[str]) -> None:
    found = rows(heading)
    assert sorted(found) == sorted(names)


def test_the_venues_manual_names_its_requests() -> None:
    from hbkit.testing.fake import FakeVenue

    served = {name.removeprefix("_do_") for name in dir(FakeVenue) if name.startswith("_do_")} | {"time"}
    told = set(rows("request"))
    # What the guide leaves to FakeExchange.
    assert (told - served, served - told) == (set(), {"amend", "leverage", "mode"})
