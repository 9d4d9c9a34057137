"""Holds the floors of the house: who may import whom, read from the source without running any of it.

A room is a file or a folder directly in `hbkit/`; it stands on one floor and imports what stands below. Change the
table here when you mean to move a room. The checks themselves are tested at the end, on small trees with planted
faults.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE = "hbkit"
VENUES = ("bitmex",)


@dataclass(frozen=True)
class Floor:
    """Rooms at one height. `beside`: they may import each other too; no cycle between files is allowed anywhere."""

    rooms: frozenset[str]
    beside: bool = False


def floor(*rooms: str, beside: bool = False) -> Floor:
    return Floor(frozenset(rooms), beside)


# From the ground up.
FLOORS = (
    # The ground: a clock's message needs an error, a log line needs a clock.
    floor("errors", "clock", "log", "chance", "agenda", "background", "version", beside=True),
    floor("model", "net"),
    floor("exchange", "matching", "data", "config"),
    floor("simulated", "trading", "report"),
    floor("runtime", "executors", "hookspecs", "hooktrace"),
    floor("plugins"),
    floor("run"),
    floor("sweep", "testing", "skeletons", "notebook"),
    # `python -m hbkit` answers --version by itself and calls cli for the rest.
    floor("cli", "__main__", beside=True),
)


# -- reading


@dataclass(frozen=True)
class Source:
    """One file: where it is, what it is called, what is in it."""

    path: Path
    module: str
    tree: ast.Module

    @property
    def room(self) -> str:
        """The room in `hbkit/`; empty for the face."""
        return self.module.split(".")[1] if "." in self.module else ""

    @property
    def package(self) -> str:
        """What a relative import counts from."""
        return self.module if self.path.name == "__init__.py" else self.module.rpartition(".")[0]


@dataclass(frozen=True)
class Import:
    """One name that a file imports: from `module`, `name` (empty for `import module`)."""

    source: Source
    line: int
    module: str
    name: str

    def __str__(self) -> str:
        words = f"from {self.module} import {self.name}" if self.name else f"import {self.module}"
        return f"{self.source.path.name}:{self.line} ({self.source.module}) {words}"


def read(package: Path) -> list[Source]:
    """Every file of a package, in order of its name."""
    sources = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        sources.append(Source(path, module, ast.parse(path.read_text(encoding="utf-8"))))
    return sources


def read_all(root: Path) -> list[Source]:
    """The core and the packages of all plugins."""
    packages = [root / CORE, *sorted(path for path in root.glob("plugins/*/hbkit_*") if path.is_dir())]
    return [source for package in packages for source in read(package)]


def imports_of(source: Source) -> Iterator[Import]:
    """All imports of a file: in functions, under TYPE_CHECKING and by `import_module("...")` too."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(source, node.lineno, alias.name, "")
        elif isinstance(node, ast.ImportFrom):
            module = absolute(source, node)
            for alias in node.names:
                yield Import(source, node.lineno, module, alias.name)
        elif isinstance(node, ast.Call) and (name := dynamic_import(node)):
            yield Import(source, node.lineno, name, "")


def absolute(source: Source, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    base = source.package.split(".")
    parts = base[: len(base) - node.level + 1] + ([node.module] if node.module else [])
    return ".".join(parts)


def dynamic_import(node: ast.Call) -> str:
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if called not in {"import_module", "__import__"} or not node.args:
        return ""
    name = node.args[0]
    return name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else ""


def target_of(found: Import, modules: set[str]) -> str:
    """The file that an import means, if it is one of ours: `from a import b` is the file a.b where there is one."""
    inner = f"{found.module}.{found.name}"
    if found.name and inner in modules:
        return inner
    return found.module if found.module in modules else ""


# -- the checks: each returns what it found, in words


def misplaced_rooms(sources: list[Source], floors: tuple[Floor, ...] = FLOORS) -> list[str]:
    known = {room for one in floors for room in one.rooms}
    rooms = {source.room for source in sources if source.module.split(".")[0] == CORE} - {""}
    return [f'room "{room}" stands on no floor; add it to the table' for room in sorted(rooms - known)]


def upward_imports(sources: list[Source], floors: tuple[Floor, ...] = FLOORS) -> list[str]:
    height = {room: number for number, one in enumerate(floors, 1) for room in one.rooms}
    found = []
    for source in core_rooms(sources):
        for one in imports_of(source):
            room = imported_room(one)
            if room not in height or source.room not in height or room == source.room:
                continue
            ours, theirs = height[source.room], height[room]
            if theirs > ours:
                found.append(f"{one}: floor {ours} imports floor {theirs}")
            elif theirs == ours and not floors[ours - 1].beside:
                found.append(f"{one}: rooms on floor {ours} do not import each other")
    return found


def imported_room(found: Import) -> str:
    parts = f"{found.module}.{found.name}".split(".")
    return parts[1] if parts[0] == CORE and len(parts) > 1 else ""


def imports_of_the_face(sources: list[Source]) -> list[str]:
    """`import hbkit`, or a name out of it that is not a file: only guests do that."""
    modules = {source.module for source in sources}
    return [
        f"{one}: nothing in {CORE}/ imports the face"
        for source in core_rooms(sources)
        for one in imports_of(source)
        if one.module == CORE and f"{CORE}.{one.name}" not in modules
    ]


def imports_of_plugins(sources: list[Source]) -> list[str]:
    return [
        f"{one}: nothing in {CORE}/ imports a plugin"
        for source in sources
        if source.module.split(".")[0] == CORE
        for one in imports_of(source)
        if one.module.startswith(f"{CORE}_")
    ]


def core_rooms(sources: list[Source]) -> list[Source]:
    """The files of the core without the face, which hands on names from every floor."""
    return [source for source in sources if source.module.split(".")[0] == CORE and source.room]


def import_cycles(sources: list[Source]) -> list[str]:
    """Each knot of files that import each other, however long the way round; the face stands outside."""
    modules = {source.module for source in sources}
    graph = {
        source.module: sorted({target_of(one, modules) for one in imports_of(source)} - {"", CORE})
        for source in sources
        if source.module != CORE
    }
    return [" <-> ".join(knot) + ": import cycle" for knot in knots(graph)]


def knots(graph: dict[str, list[str]]) -> list[list[str]]:
    """Strongly connected parts of more than one file, or of one that imports itself (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph.get(node, []):
            if other not in index:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == index[node]:
            knot = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(knot) > 1 or node in graph.get(node, []):
                found.append(sorted(knot))

    for node in graph:
        if node not in index:
            visit(node)
    return sorted(found)


def venues_named(sources: list[Source], venues: tuple[str, ...] = VENUES) -> list[str]:
    """A venue in a name or a text of the core; docstrings and comments may give one as an example."""
    found = []
    for source in sources:
        if source.module.split(".")[0] != CORE:
            continue
        if any(venue in source.module.lower() for venue in venues):
            found.append(f"{source.module}: the core names no venue")
        for line, text in words_of(source.tree):
            if any(venue in text.lower() for venue in venues):
                found.append(f"{source.path.name}:{line} ({source.module}) {text[:40]!r}: the core names no venue")
    return found


def words_of(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every identifier and every text of a file, without docstrings."""
    docstrings = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if id(node) in docstrings:
            continue
        for _, value in ast.iter_fields(node):
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, bytes):
                    yield getattr(node, "lineno", 0), text.decode("latin-1")
                elif isinstance(text, str):
                    yield getattr(node, "lineno", 0), text


def eager_imports_of_the_face(sources: list[Source]) -> list[str]:
    """What `import hbkit` would load; `typing` and `importlib` are what being lazy takes."""
    found = []
    for source in sources:
        if source.module == CORE:
            for node in run_at_import(source.tree):
                names = (
                    [alias.name for alias in node.names] if isinstance(node, ast.Import) else [absolute(source, node)]
                )
                found += [
                    f"{source.path.name}:{node.lineno} import of {name}: the face loads nothing"
                    for name in names
                    if name not in {"__future__", "typing", "importlib"}
                ]
    return found


def run_at_import(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            yield child
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in {ast.unparse(child.test).split(".")[-1]}:
            for other in child.orelse:
                yield from run_at_import(ast.Module([other], []))
        elif not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from run_at_import(child)


CHECKS = (
    misplaced_rooms,
    upward_imports,
    imports_of_the_face,
    imports_of_plugins,
    import_cycles,
    venues_named,
    eager_imports_of_the_face,
)


# -- the house


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_house_stands(check: type) -> None:
    assert check(read_all(ROOT)) == []


def test_it_is_read_as_a_whole() -> None:
    modules = {source.module for source in read_all(ROOT)}
    assert {"hbkit.errors", "hbkit.clock", "hbkit.net.virtual"} <= modules


def test_a_room_stands_on_one_floor_only() -> None:
    rooms = [room for one in FLOORS for room in one.rooms]
    assert len(rooms) == len(set(rooms))


# -- the checks, on planted faults


def house(root: Path, files: dict[str, str]) -> list[Source]:
    """A tree with these files."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return read_all(root)


def test_a_sound_house_has_no_faults(tmp_path: Path) -> None:
    sources = house(
        tmp_path,
        {
            "hbkit/__init__.py": "import typing\nif typing.TYPE_CHECKING:\n    from hbkit.clock import Clock\n",
            "hbkit/errors.py": "",
            "hbkit/clock.py": '"""As bitmex does."""\nimport hbkit.errors\n# bitmex\n',
            "hbkit/log.py": "from hbkit.clock import Clock\n",
            "hbkit/net/http.py": "from hbkit import log\nfrom . import limits\nfrom ..errors import HbkitError\n",
            "hbkit/net/limits.py": "",
            "hbkit/cli/main.py": "from hbkit.net import http\n",
            "plugins/bitmex/hbkit_bitmex/rest.py": "from hbkit.net.http import get\nVENUE = 'bitmex'\n",
        },
    )
    assert [fault for check in CHECKS for fault in check(sources)] == []


UPWARD = {
    "plain": "import hbkit.run\n",
    "from": "from hbkit.run import start\n",
    "submodule of the face": "from hbkit import run\n",
    "relative": "from ..run import start\n",
    "relative to the face": "from .. import run\n",
    "in a function": "def f():\n    from hbkit.run import start\n",
    "for types": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from hbkit.run import start\n",
    "by name": "import importlib\nrun = importlib.import_module('hbkit.run')\n",
    "a missing file": "from hbkit.cli.words import start\n",
}


@pytest.mark.parametrize("text", UPWARD.values(), ids=UPWARD.keys())
def test_an_upward_import_is_found(tmp_path: Path, text: str) -> None:
    faults = upward_imports(house(tmp_path, {"hbkit/net/http.py": text, "hbkit/run.py": ""}))
    assert len(faults) == 1
    assert "floor 2 imports floor" in faults[0]


def test_rooms_beside_each_other_do_not_import_each_other(tmp_path: Path) -> None:
    faults = upward_imports(
        house(tmp_path, {"hbkit/net/http.py": "from hbkit.model import Order\n", "hbkit/model/order.py": ""})
    )
    assert faults == [
        "http.py:1 (hbkit.net.http) from hbkit.model import Order: rooms on floor 2 do not import each other"
    ]


def test_a_cycle_is_found_however_long(tmp_path: Path) -> None:
    sources = house(
        tmp_path,
        {
            "hbkit/net/a.py": "from hbkit.net.b import x\n",
            "hbkit/net/b.py": "def f():\n    from . import c\n",
            "hbkit/net/c.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import hbkit.net.a\n",
            "hbkit/net/d.py": "from hbkit.net import a\n",
            "hbkit/clock.py": "from hbkit.log import x\n",
            "hbkit/log.py": "from hbkit.clock import x\n",
        },
    )
    assert import_cycles(sources) == [
        "hbkit.clock <-> hbkit.log: import cycle",
        "hbkit.net.a <-> hbkit.net.b <-> hbkit.net.c: import cycle",
    ]


def test_a_cycle_through_a_package_is_found(tmp_path: Path) -> None:
    files = {"hbkit/net/__init__.py": "from hbkit.net.a import x\n", "hbkit/net/a.py": "from hbkit.net import x\n"}
    assert import_cycles(house(tmp_path, files)) == ["hbkit.net <-> hbkit.net.a: import cycle"]


def test_a_cycle_in_a_plugin_is_found(tmp_path: Path) -> None:
    sources = house(
        tmp_path,
        {
            "plugins/one/hbkit_one/a.py": "from .b import x\n",
            "plugins/one/hbkit_one/b.py": "from hbkit_one.a import x\n",
            "hbkit/errors.py": "",
        },
    )
    assert import_cycles(sources) == ["hbkit_one.a <-> hbkit_one.b: import cycle"]


@pytest.mark.parametrize("text", ["import hbkit\n", "from hbkit import Strategy\n", "from .. import Strategy\n"])
def test_an_import_of_the_face_is_found(tmp_path: Path, text: str) -> None:
    assert len(imports_of_the_face(house(tmp_path, {"hbkit/__init__.py": "", "hbkit/net/http.py": text}))) == 1


@pytest.mark.parametrize("text", ["import hbkit_bitmex.rest\n", "def f():\n    from hbkit_bitmex import rest\n"])
def test_an_import_of_a_plugin_is_found(tmp_path: Path, text: str) -> None:
    assert len(imports_of_plugins(house(tmp_path, {"hbkit/net/http.py": text}))) == 1


VENUE = {
    "text": "HOST = 'www.BitMEX.com'\n",
    "f-string": "f'https://bitmex/{1}'\n",
    "bytes": "HOST = b'bitmex'\n",
    "name": "bitmex_host = 1\n",
    "attribute": "x.bitmex = 1\n",
    "function": "def ask_bitmex(): ...\n",
    "argument": "def ask(bitmex): ...\n",
    "keyword": "ask(bitmex=1)\n",
    "class": "class BitmexClient: ...\n",
    "alias": "import x as bitmex\n",
    "global": "def f():\n    global bitmex\n",
}


@pytest.mark.parametrize("text", VENUE.values(), ids=VENUE.keys())
def test_a_venue_in_the_core_is_found(tmp_path: Path, text: str) -> None:
    assert venues_named(house(tmp_path, {"hbkit/net/http.py": text}))


def test_a_venue_in_a_file_name_is_found(tmp_path: Path) -> None:
    assert venues_named(house(tmp_path, {"hbkit/net/bitmex.py": ""})) == ["hbkit.net.bitmex: the core names no venue"]


def test_a_room_without_a_floor_is_found(tmp_path: Path) -> None:
    faults = misplaced_rooms(house(tmp_path, {"hbkit/attic/box.py": "", "hbkit/errors.py": ""}))
    assert faults == ['room "attic" stands on no floor; add it to the table']


EAGER = {
    "plain": "import asyncio\n",
    "relative": "from .errors import HbkitError\n",
    "in a try": "try:\n    import asyncio\nexcept ImportError:\n    pass\n",
    "in a class": "class A:\n    import asyncio\n",
    "else of TYPE_CHECKING": "import typing\nif typing.TYPE_CHECKING:\n    import re\nelse:\n    import asyncio\n",
}


@pytest.mark.parametrize("text", EAGER.values(), ids=EAGER.keys())
def test_a_face_that_loads_something_is_found(tmp_path: Path, text: str) -> None:
    assert len(eager_imports_of_the_face(house(tmp_path, {"hbkit/__init__.py": text}))) == 1


def test_a_face_that_loads_on_first_use_is_sound(tmp_path: Path) -> None:
    text = "def __getattr__(name):\n    import importlib\n    return importlib.import_module('hbkit.errors')\n"
    assert eager_imports_of_the_face(house(tmp_path, {"hbkit/__init__.py": text})) == []
