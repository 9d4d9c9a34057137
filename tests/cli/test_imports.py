"""What each command loads, and what it leaves unloaded: start-up is felt at every call."""

import json
import subprocess
import sys

import pytest

from tests.workbench import CONFIG, environment

SHOW = """
import json, sys
sys.argv = ["hbkit", *json.loads(sys.argv[1])]
from hbkit.__main__ import main
code = 0
try:
    main()
except SystemExit as left:
    code = left.code
print()
print(json.dumps([code, sorted(sys.modules)]))
"""


def loaded_by(bench, *words):
    done = subprocess.run(
        [sys.executable, "-c", SHOW, json.dumps(words)],
        cwd=bench.folder, env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert not code, done.stderr
    return set(modules)


def test_version_loads_nothing(bench):
    modules = loaded_by(bench, "--version")
    heavy = {"click", "aiohttp", "structlog", "numpy", "pydantic", "msgspec", "pluggy", "yaml", "rich", "hbkit_bitmex"}
    assert not modules & heavy
    assert {name for name in modules if name.startswith("hbkit")} == {"hbkit", "hbkit.__main__", "hbkit.version"}


def test_help_loads_only_click(bench):
    heavy = {"aiohttp", "structlog", "numpy", "pydantic", "msgspec", "pluggy", "yaml", "rich", "hbkit_bitmex"}
    assert not loaded_by(bench, "--help") & heavy


@pytest.mark.parametrize("line", ["check c.yaml", "plugins", "exchanges", "backtest c.yaml"])
def test_no_command_of_today_loads_the_network(bench, line):
    words = line.split()
    bench.candles(10_000, 10_000)
    bench.strategy("def on_candle(self, candle): pass")
    bench.write("c.yaml", CONFIG)
    modules = loaded_by(bench, *words)
    assert "aiohttp" not in modules
    if words[0] != "backtest":
        assert "structlog" not in modules


def test_the_version_is_the_same_by_every_way(bench):
    import hbkit

    assert bench.process("--version").out == f"hbkit {hbkit.__version__}\n"
    assert bench.hbkit("--version").out == f"hbkit {hbkit.__version__}\n"


def test_the_face_hands_on_what_it_names(bench):
    import hbkit

    assert all(getattr(hbkit, name) is not None for name in dir(hbkit))
    with pytest.raises(AttributeError, match="no attribute 'Stratgy'"):
        _ = hbkit.Stratgy


def test_the_face_hands_everything_on_to_a_star():
    names: dict[str, object] = {}
    exec("from hbkit import *", names)
    assert {"Strategy", "Param", "Candle", "hookimpl"} <= set(names)
