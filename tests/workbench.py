"""A folder to run hbkit in: writes configs, strategies and data there, runs the command line, and hands back what came.

Tests make one as a fixture of their own: `Bench(tmp_path, capsys)`, after `monkeypatch.chdir(tmp_path)`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from hbkit.cli import main, run_cli
from hbkit.clock import MINUTE, iso, parse_time

START = "2021-07-22T00:00:00Z"
CONFIG = """
exchanges:
  bitmex_perpetual: {mode: replay, replay: {data: x.csv}}
strategies: [{use: one, instruments: [XBTUSD]}]
"""


@dataclass(frozen=True)
class Outcome:
    """What a command left with, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The object on the last line of stdout."""
        return json.loads(self.out.splitlines()[-1])


class Bench:
    """The current folder of a test and the command line in it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys
        main._guests.cache_clear()

    def write(self, name: str, text: str) -> Path:
        """A file with this text, indented as the test is."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
        return path

    def strategy(self, body: str, name: str = "one") -> Path:
        """strategies/NAME.py with the class One (or as `name` says) and this body."""
        head = f"from hbkit import Param, Strategy, hookimpl\n\n\n\nclass {name.title()}(Strategy):\n"
        lines = dedent(body).strip("\n").splitlines()
        return self.write(f"strategies/{name}.py", head + "".join(f"    {line}\n" if line else "\n" for line in lines))

    def candles(self, *closes: float, name: str = "x.csv", start: str = START) -> Path:
        """1m candles with these closes, each open the close before, the first open its own close."""
        rows = ["timestamp,open,high,low,close,volume"]
        before, ts = closes[0], parse_time(start)
        for close in closes:
            rows.append(f"{iso(ts)},{before},{max(before, close)},{min(before, close)},{close},1000")
            before, ts = close, ts + MINUTE
        return self.write(name, "\n".join(rows) + "\n")

    def hbkit(self, *words: str) -> Outcome:
        """The command line in this process."""
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            run_cli(list(words))
        printed = self._capsys.readouterr()
        return Outcome(int(left.value.code or 0), printed.out, printed.err)

    def backtest(self, *words: str, config: str = CONFIG) -> Outcome:
        """`hbkit backtest c.yaml --json` of this config."""
        self.write("c.yaml", config)
        return self.hbkit("backtest", "c.yaml", "--json", *words)

    def process(self, *words: str, **environ: str) -> Outcome:
        """The command line in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "hbkit", *words],
            cwd=self.folder, env=environment(**environ), capture_output=True, text=True, check=False,
        )  # fmt: skip
        return Outcome(done.returncode, done.stdout, done.stderr)

    @property
    def run_folders(self) -> list[str]:
        """Names of the run folders that there are."""
        return sorted(path.name for path in self.folder.glob("runs/*"))

    @property
    def left_behind(self) -> list[str]:
        """Run folders and state files."""
        return self.run_folders + sorted(path.name for path in self.folder.glob("state/*"))


def environment(**more: str) -> dict[str, str]:
    """This process's environment, with the checkout under test found first."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **more}


def pay(outcome: Outcome, line: str, code: str = "XBT") -> Decimal:
    """One line of the money table."""
    return Decimal(outcome.json[line][code])


def gap(outcome: Outcome, code: str) -> Decimal:
    """By how much the lines of the money table miss the equity."""
    lines = ("starting_balance", "transfers", "realized_pnl", "funding", "unrealized_pnl")
    booked = sum((pay(outcome, line, code) for line in lines), Decimal(0)) - pay(outcome, "fees", code)
    return booked - pay(outcome, "equity", code)


def wheel(source: Path, out: Path) -> Path:
    """The wheel that hatchling builds of a distribution's folder; nothing is fetched."""
    pytest.importorskip("hatchling")
    pytest.importorskip("build")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--skip-dependency-check"]
    subprocess.run([*command, "--outdir", str(out), str(source)], check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return built


def install(source: Path, target: Path) -> Path:
    """A distribution in `target` as an installer leaves it: the wheel unpacked, real metadata beside the code."""
    with zipfile.ZipFile(wheel(source, source / "dist")) as packed:
        packed.extractall(target)
    return target


def plant(target: Path, name: str, module: str, code: str, *points: str, version: str = "0.1") -> None:
    """A pure distribution of one module, written straight as an installer leaves it: many of them cost no build."""
    target.mkdir(parents=True, exist_ok=True)
    (target / f"{module}.py").write_text(dedent(code), encoding="utf-8")
    info = target / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    (info / "RECORD").write_text(f"{module}.py,,\n", encoding="utf-8")
    listed = "".join(f"{point} = {module}\n" for point in points)
    (info / "entry_points.txt").write_text(f"[hbkit]\n{listed}", encoding="utf-8")
