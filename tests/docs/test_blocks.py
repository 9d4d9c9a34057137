"""Every block of the docs runs: Python is executed, tests are tests that pass, configs load, commands are commands.

A block that nothing here knows how to run is a failure; `pages.py` says which comments may stand above one.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import re
import shlex
import shutil
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

from hbkit import Strategy
from hbkit.cli import main as command_line
from hbkit.config import Settings, load_config
from hbkit.testing.bench import Bench as VirtualBench
from hbkit.testing.contract.score import score
from hbkit.trading.contract import check_class
from hbkit.trading.strategy import CALLBACKS
from tests.docs.pages import ROOT, Block, all_blocks, pages
from tests.testing.inner import inner_pytest
from tests.workbench import Bench

QUICK = {"check", "plugins", "exchanges", "strategies", "instruments", "runs", "schema"}
"""Commands that are run. All others are parsed: they open sockets, want a key, or take longer than a moment, and have
tests of their own under tests/cli and plugins/bitmex/tests."""
OTHER_PROGRAMS = {
    "python3": "makes an environment; CI begins with this line",
    ".venv/bin/python": "installs; CI begins with this line",
    "pip": "installs", "python": "installs, or shows this site", "pytest": "runs the tests of a reader's own folder",
    "cd": "is the reader's", "export": "is the reader's", "curl": "talks to a simulator that runs",
}  # fmt: skip
"""Words that begin a line of no command of ours, and why it is not run."""

FIXTURES = {"run_strategy", "market", "simulator", "faults", "clock"}


def is_followed(page: str) -> bool:
    """Whether a page is followed from top to bottom by a test of its own: `test_PAGE.py`, which reads its fences."""
    test = Path(__file__).with_name(f"test_{page.removesuffix('.md').replace('-', '_')}.py")
    return test.is_file() and re.search(r"```|\bblocks\(", test.read_text(encoding="utf-8")) is not None


BLOCKS = [block for block in all_blocks() if not is_followed(block.page)]


def of(*languages: str) -> list[Block]:
    return [block for block in BLOCKS if block.language in languages]


def is_test(block: Block) -> bool:
    """Whether a Python block is for pytest: it defines a test, or a contract to be played."""
    return re.search(r"^(?:async )?def test_|^class Test", block.text, re.MULTILINE) is not None


def is_shell(block: Block) -> bool:
    return block.language == "sh" or (not block.language and block.text.startswith("hbkit "))


PYTHON = [block for block in of("python") if not is_test(block)]
TESTS = [block for block in of("python") if is_test(block)]
SHELL = [block for block in BLOCKS if is_shell(block)]
SHOWN = [block for block in of("", "text", "diff") if not is_shell(block)]


def test_every_block_has_a_runner() -> None:
    known = {*PYTHON, *TESTS, *SHELL, *SHOWN, *of("yaml", "toml", "json")}
    left = [f"{block}: {block.language}" for block in BLOCKS if block not in known]
    assert not left, f"{left}: write yaml, python, sh, toml or json; what is only shown is text"


def test_pages_that_have_a_test_of_their_own_are_not_forgotten() -> None:
    followed = {path.name for path in pages() if is_followed(path.name)}
    assert followed >= {"tutorial.md", "exchange-author.md"}
    assert not followed & {"README.md", "index.md", "quickstart.md", "config.md", "testing.md", "ported.md"}


# -- Python


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python_runs(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox(tmp_path, monkeypatch)
    source = inside(block) if block.mark == "inside" else block.text
    if block.mark == "not run":
        compile(source, str(block), "exec")
        return
    module = run_module(tmp_path, block, source)
    for found in list(vars(module).values()):
        if isinstance(found, type) and issubclass(found, Strategy) and found.__module__ == module.__name__:
            assert check_class(found) == []
            if all(spec.required is False for spec in found.params.values()):
                play(found, tmp_path)


def inside(block: Block) -> str:
    """Lines of a callback, with the strategy around them."""
    assert block.value in CALLBACKS, f"{block}: no callback {block.value}"
    argument = "" if block.value in ("on_start", "on_stop") else ", value"
    body = textwrap.indent(block.text, " " * 8)
    names = sorted({node.id for node in ast.walk(ast.parse(block.text)) if isinstance(node, ast.Name)})
    value = [name for name in names if block.value == f"on_{name}"]
    head = f"    def {block.value}(self{argument}):\n" + "".join(f"        {name} = value\n" for name in value)
    return f"from hbkit import *\nfrom hbkit import Strategy\n\n\nclass Shown(Strategy):\n{head}{body}"


def run_module(folder: Path, block: Block, source: str) -> ModuleType:
    """The block as a module of its own, so that what looks at its source finds it."""
    name = re.sub(r"\W", "_", str(block))
    path = folder / f"{name}.py"
    path.write_text("\n" * block.line + source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module


def play(strategy: type[Strategy], folder: Path) -> None:
    """Some minutes of a market in memory: it has to end in order."""

    async def test() -> None:
        ran = await bench.run_strategy(strategy, script=bench.script(100, 100.6, 99.4, 101, 100, every=30.0))
        assert (ran.result.exit_code, ran.result.stop_reason) == (0, "duration"), ran.log

    with VirtualBench(folder) as bench:
        bench.play(test())


@pytest.mark.parametrize("block", TESTS, ids=str)
def test_test_passes(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Played as the fixtures of hbkit.testing play it; what asks for more than they give, in a pytest of its own."""
    sandbox(tmp_path, monkeypatch)
    found = vars(run_module(tmp_path, block, block.text))
    tests = [one for name, one in found.items() if name.startswith("test_")]
    contracts = [one for name, one in found.items() if name.startswith("Test")]
    assert tests or contracts
    for contract in contracts:
        played = score(contract)
        assert (played.failed, played.grade is None) == ([], False)
    if any(set(inspect.signature(one).parameters) - FIXTURES for one in tests):
        name = f"test_{re.sub(r'[^a-z0-9]', '_', str(block).lower())}.py"
        (tmp_path / name).write_text(block.text, encoding="utf-8")
        assert re.search(r"^\d+ passed", printed := inner_pytest(tmp_path, name), re.MULTILINE), printed
        return
    for one in tests:
        with VirtualBench(tmp_path) as bench:
            given = {
                "run_strategy": bench.run_strategy, "market": bench.script, "simulator": bench.venue,
                "faults": bench.faults, "clock": bench.clock,
            }  # fmt: skip
            begun = one(**{name: given[name] for name in inspect.signature(one).parameters})
            if inspect.iscoroutine(begun):
                bench.play(begun)


# -- configs


@pytest.mark.parametrize("block", of("yaml"), ids=str)
def test_config_loads(block: Block, tmp_path: Path) -> None:
    if block.mark == "not run":
        return
    text = block.text
    top = set(re.findall(r"^([a-z_]+):", text, re.MULTILINE))
    assert top <= set(Settings.model_fields), f"{block}: {top - set(Settings.model_fields)} are no keys of a config"
    if "exchanges" not in top:
        text = f"exchanges: {{bitmex_perpetual: , bitmex: }}\n{text}"
    text = re.sub(r"\$\{(?:keyring|file):[^}]*\}", "kept", text)
    (tmp_path / "demo.yaml").write_text(text, encoding="utf-8")
    environ = dict.fromkeys(re.findall(r"\$\{(\w+)\}", text), "set")
    assert load_config(tmp_path / "demo.yaml", environ=environ).faults == []


def test_data_can_be_read() -> None:
    for block in of("toml", "json"):
        {"toml": tomllib.loads, "json": json.loads}[block.language](block.text)


# -- commands


def lines(block: Block) -> Iterator[list[str]]:
    """The commands of a block as words; comments and what is behind `>` or `|` left out."""
    text = block.text.replace("\\\n", " ")
    for line in text.splitlines():
        for part in line.split("&&"):
            words = shlex.split(part, comments=True)
            end = next((at for at, word in enumerate(words) if word in (">", "|", "2>", "&")), len(words))
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words, end = words[1:], end - 1
            if words:
                yield words[:end]


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_command_is_one(block: Block, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox(bench.folder, monkeypatch)
    for words in lines(block):
        program = words[0].removeprefix(".venv/bin/")
        if program != "hbkit":
            assert words[0] in OTHER_PROGRAMS, f"{block}: {words[0]} is no program that is known here"
            continue
        name = parsed(words[1:])
        if name in QUICK and block.mark != "not run":
            assert bench.hbkit(*words[1:]).code == 0, words


def parsed(words: list[str]) -> str:
    """The command's name, once its words are taken by it or by its subcommand."""
    if words[0].startswith("-"):
        return ""
    found: click.Command | None = command_line.cli
    rest = words
    with click.Context(command_line.cli, info_name="hbkit") as context:
        while isinstance(found, click.Group):
            found = found.get_command(context, rest[0])
            assert found is not None, f"no command {rest[0]} in {' '.join(words)}"
            rest = rest[1:]
        assert found is not None
        found.make_context(words[0], rest, parent=context).close()
    return words[0]


def sandbox(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of a reader who has a checkout and a config or two of their own."""
    for name in ("configs", "strategies"):
        shutil.copytree(ROOT / name, folder / name, ignore=lambda *_: ["__pycache__"])
    config = (ROOT / "configs" / "replay.yaml").read_text()
    strategy = (ROOT / "strategies" / "sma_cross.py").read_text()
    for name in ("demo.yaml", "bot.yaml", "my.yaml"):
        (folder / name).write_text(config)
    (folder / "strategies" / "my_cross.py").write_text(strategy.replace("class SmaCross", "class MyCross"))
    monkeypatch.chdir(folder)
