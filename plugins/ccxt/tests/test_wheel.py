"""The wheel that users install is complete and small."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parent.parent


def test_the_wheel_builds_with_its_types_and_its_entry_point_and_without_tests(tmp_path: Path) -> None:
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--skip-dependency-check"]
    subprocess.run([*command, "--outdir", str(tmp_path), str(PLUGIN)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("hbkit_ccxt-*-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
        metadata = {name.rpartition("/")[2]: packed.read(name).decode() for name in names if ".dist-info/" in name}
    assert {"hbkit_ccxt/py.typed", "hbkit_ccxt/plugin.py"} <= names
    assert "ccxt = hbkit_ccxt.plugin" in metadata["entry_points.txt"]
    assert "Requires-Dist: ccxt==4.5.83; extra == 'bitmex'" in metadata["METADATA"]
    assert not [name for name in names if "test" in name]
    assert wheel.stat().st_size < 200_000
