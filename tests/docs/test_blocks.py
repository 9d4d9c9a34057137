"""Every block of the docs runs: Python is executed, tests are tests that pass, configs load, commands are commands.

A block that nothing here knows how to run is a failure; `pages.py` says which comments may stand above one.
"""

from __future__ import annotations

import ast
import importlib.util
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
from hbkit.trading.contract import check_class
from hbkit.trading.strategy import CALLBACKS
from tests.docs.pages import ROOT, Block, all_blocks
from tests.testing.inner import inner_pytest
from tests.workbench import Bench

ELSEWHERE = {
    "tutorial.md": "tests/docs/test_tutorial.py",
    "exchange-author.md": "tests/docs/test_exchange_author.py",
    "hooks.md": "tests/docs/test_hooks.py",
}
"""Pages that are followed from top to bottom by a test of their own."""
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

BLOCKS = [block for block in all_blocks() if block.page not in ELSEWHERE]


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


def test_pages_that_are_run_elsewhere_are_read_there() -> None:
    for page, test in ELSEWHERE.items():
        assert page in (ROOT / test).read_text(encoding="utf-8")


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


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """All blocks that are tests, in one pytest of a user's own."""
    folder = tmp_path_factory.mktemp("tests")
    shutil.copytree(ROOT / "strategies", folder / "strategies", ignore=lambda *_: ["__pycache__"])
    names = []
    for block in TESTS:
        names.append(f"test_{re.sub(r'[^a-z0-9]', '_', str(block).lower())}.py")
        (folder / names[-1]).write_text("\n" * block.line + block.text, encoding="utf-8")
    return folder, inner_pytest(folder, *names, "-rA", "--import-mode=importlib")


@pytest.mark.parametrize("block", TESTS, ids=str)
def test_test_passes(block: Block, tested: tuple[Path, str]) -> None:
    _, printed = tested
    name = f"test_{re.sub(r'[^a-z0-9]', '_', str(block).lower())}.py"
    verdicts = re.findall(rf"^(PASSED|SKIPPED.*|FAILED|ERROR) .*{name}", printed, re.MULTILINE)
    assert "PASSED" in verdicts, printed
    assert not {"FAILED", "ERROR"} & set(verdicts), printed


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
