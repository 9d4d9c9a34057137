"""Bans what would make two runs of one seed differ, or hide a failure: clocks, chance, threads, swallowed errors.

Each has one home, a file that hands it to everyone else as an argument; outside of it even a mention is found, under
whatever name it was imported. The end of the file proves that each ban bites.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

CLOCK = "hbkit/clock.py"
CHANCE = "hbkit/chance.py"
BACKGROUND = "hbkit/background.py"
NOWHERE = ""

USE_CLOCK = (CLOCK, "use the clock that was handed in")
USE_CHANCE = (CHANCE, "use the Chance that was handed in")
USE_BACKGROUND = (BACKGROUND, "use the Background that was handed in")

#: Dotted name (and all below it) -> its home and what to use instead.
BANS = {
    "time.time": USE_CLOCK,
    "time.time_ns": USE_CLOCK,
    "time.monotonic": USE_CLOCK,
    "time.monotonic_ns": USE_CLOCK,
    "time.perf_counter": USE_CLOCK,
    "time.perf_counter_ns": USE_CLOCK,
    "time.process_time": USE_CLOCK,
    "time.sleep": (CLOCK, "use asyncio.sleep"),
    "datetime.datetime.now": USE_CLOCK,
    "datetime.datetime.utcnow": USE_CLOCK,
    "datetime.datetime.today": USE_CLOCK,
    "datetime.date.today": USE_CLOCK,
    "random": USE_CHANCE,
    "secrets": USE_CHANCE,
    "uuid": USE_CHANCE,
    "os.urandom": USE_CHANCE,
    "numpy.random": (CHANCE, "use a numpy.random.Generator that was handed in"),
    "threading": USE_BACKGROUND,
    "_thread": USE_BACKGROUND,
    "concurrent.futures": USE_BACKGROUND,
    "queue": USE_BACKGROUND,
    "multiprocessing": USE_BACKGROUND,
    "asyncio.get_event_loop": (NOWHERE, "use asyncio.get_running_loop"),
}
#: The type of the thing that is handed in may be named anywhere.
ALLOWED = {"numpy.random.Generator"}


# -- the checks


def faults_in(path: str, text: str) -> list[str]:
    """Everything banned in one file, `path` counted from the root."""
    tree = ast.parse(text)
    found = [*banned_names(path, tree), *swallowed_errors(tree)]
    return [f"{path}:{line} {fault}" for line, fault in sorted(set(found))]


def banned_names(path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    for line, name in names_used(tree):
        ban = next((ban for ban in BANS if name == ban or name.startswith(f"{ban}.")), None)
        if ban is None or any(name == one or name.startswith(f"{one}.") for one in ALLOWED):
            continue
        home, mend = BANS[ban]
        if path != home:
            where = f" outside {home}" if home else ""
            yield line, f"{ban}{where}: {mend}"


def names_used(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Each import and each mention of an imported thing, under its full name."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                known[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                known[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield node.lineno, f"{node.module}.{alias.name}"
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    # Only whole chains: the `np.random` in `np.random.Generator` is not a mention of its own.
    inner = {id(node.value) for node in attributes}
    for node in attributes:
        if id(node) not in inner and (name := dotted(node, known)):
            yield node.lineno, name


def dotted(node: ast.expr, known: dict[str, str]) -> str:
    """`t.time` is `time.time` after `import time as t`; empty for what was not imported."""
    if isinstance(node, ast.Name):
        return known.get(node.id, "")
    if isinstance(node, ast.Attribute) and (owner := dotted(node.value, known)):
        return f"{owner}.{node.attr}"
    return ""


def swallowed_errors(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            if node.type is None:
                yield node.lineno, "bare except: name the error"
            elif is_broad(node.type) and all(does_nothing(step) for step in node.body):
                yield node.lineno, "an error of any kind is swallowed: name it, or log it"
        elif (
            isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress") and any(map(is_broad, node.args))
        ):
            yield node.lineno, "an error of any kind is swallowed: name it, or log it"


def is_broad(node: ast.expr) -> bool:
    kinds = node.elts if isinstance(node, ast.Tuple) else [node]
    return any(isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"} for kind in kinds)


def does_nothing(step: ast.stmt) -> bool:
    return isinstance(step, (ast.Pass, ast.Continue)) or (
        isinstance(step, ast.Expr) and isinstance(step.value, ast.Constant)
    )


# -- the project


def project_files() -> list[Path]:
    """What runs in a session: the core, the plugins' packages, the strategies; not their tests."""
    found = [path for pattern in ("hbkit", "plugins/*/hbkit_*", "strategies") for path in ROOT.glob(pattern)]
    files = {file for path in found for file in path.rglob("*.py")}
    return sorted(file for file in files if not file.name.startswith(("test_", "conftest")))


def test_the_project_keeps_the_bans() -> None:
    files = project_files()
    assert ROOT / "hbkit/net/virtual.py" in files
    faults = [
        fault
        for file in files
        for fault in faults_in(file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8"))
    ]
    assert faults == []


# -- each ban bites


PLANTED = {
    **{
        f"time.{name}": f"import time\nx = time.{name}()\n"
        for name in ("time", "time_ns", "monotonic", "perf_counter", "sleep")
    },
    "from time": "from time import time\n",
    "from time, renamed": "from time import sleep as nap\n",
    "time, renamed": "import time as t\nx = t.time()\n",
    "time, handed on": "import time\ndef f(now=time.time_ns): ...\n",
    "time, in a function": "def f():\n    import time\n    return time.time()\n",
    "datetime.now": "from datetime import datetime\nx = datetime.now()\n",
    "datetime.utcnow": "import datetime\nx = datetime.datetime.utcnow()\n",
    "datetime.today": "from datetime import datetime as moment\nx = moment.today()\n",
    "date.today": "from datetime import date\nx = date.today()\n",
    "random": "import random\n",
    "from random": "from random import choice\n",
    "secrets": "import secrets\n",
    "uuid": "from uuid import uuid4\n",
    "os.urandom": "import os\nx = os.urandom(8)\n",
    "from os": "from os import urandom\n",
    "numpy.random": "import numpy as np\nx = np.random.normal()\n",
    "numpy.random, seeded here": "import numpy as np\nx = np.random.default_rng(7)\n",
    "from numpy": "from numpy.random import default_rng\n",
    "from numpy, the room": "from numpy import random\n",
    "threading": "import threading\n",
    "concurrent.futures": "import concurrent.futures\n",
    "import of futures": "from concurrent import futures\n",
    "queue": "from queue import Queue\n",
    "_thread": "import _thread\n",
    "multiprocessing": "import multiprocessing.pool\n",
    "asyncio.get_event_loop": "import asyncio\nx = asyncio.get_event_loop()\n",
    "from asyncio": "from asyncio import get_event_loop\n",
    "bare except": "try:\n    f()\nexcept:\n    raise\n",
    "swallowed": "try:\n    f()\nexcept Exception:\n    pass\n",
    "swallowed, named": "try:\n    f()\nexcept BaseException as error:\n    ...\n",
    "swallowed, in a tuple": "try:\n    f()\nexcept (ValueError, Exception):\n    pass\n",
    "swallowed in a loop": "for x in y:\n    try:\n        f()\n    except Exception:\n        continue\n",
    "suppressed": "import contextlib\nwith contextlib.suppress(Exception):\n    f()\n",
}


@pytest.mark.parametrize("text", PLANTED.values(), ids=PLANTED.keys())
def test_a_planted_fault_is_found(text: str) -> None:
    assert faults_in("hbkit/net/planted.py", text)


SOUND = {
    "the clock's arithmetic": "from datetime import UTC, datetime\nx = datetime(2019, 1, 1, tzinfo=UTC)\n",
    "a method of that name": "x = self.time.time()\n",
    "the loop's time": "import asyncio\nx = asyncio.get_running_loop().time()\n",
    "a generator that was handed in": "import numpy as np\ndef f(chance: np.random.Generator): ...\n",
    "a narrow error": "try:\n    f()\nexcept ValueError:\n    pass\n",
    "a broad error that is told": "try:\n    f()\nexcept Exception as error:\n    log(error)\n",
    "our own name": "from hbkit.chance import Chance\n",
}


@pytest.mark.parametrize("text", SOUND.values(), ids=SOUND.keys())
def test_what_is_sound_is_not_found(text: str) -> None:
    assert faults_in("hbkit/net/planted.py", text) == []


@pytest.mark.parametrize(
    ("home", "text"),
    [
        (CLOCK, "import time\nx = time.time_ns()\n"),
        (CHANCE, "import random, secrets, uuid\n"),
        (BACKGROUND, "import queue, threading\n"),
    ],
)
def test_a_home_may_do_what_others_may_not(home: str, text: str) -> None:
    assert faults_in(home, text) == []
    assert faults_in("hbkit/other.py", text)
