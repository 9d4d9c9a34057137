"""The wheel that users install holds the data, and stays small."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parent.parent


def test_the_wheel_builds_and_contains_data_types_and_entry_points(tmp_path):
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--skip-dependency-check"]
    subprocess.run([*command, "--outdir", str(tmp_path), str(PLUGIN)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("hbkit_bitmex-*-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
        entry_points = packed.read(next(name for name in names if name.endswith("entry_points.txt"))).decode()
    data = {f"hbkit_bitmex/data/{path.name}" for path in (PLUGIN / "hbkit_bitmex" / "data").iterdir()}
    assert len(data) == 7
    assert data <= names
    assert "hbkit_bitmex/py.typed" in names
    assert "bitmex_perpetual = hbkit_bitmex.plugin" in entry_points
    assert not [name for name in names if "test" in name or "tools" in name]
    # Half of it is the four weeks of recorded minutes before the tape.
    assert wheel.stat().st_size < 1_000_000
