"""The page about testing: its examples are tests that pass, and its table has every case."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from hbkit.testing.contract import ConnectorContract, cases
from tests.testing.inner import inner_pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_example_passes(tmp_path: Path, text: str) -> None:
    shutil.copytree(ROOT / "strategies", tmp_path / "strategies", ignore=lambda *_: ["__pycache__"])
    (tmp_path / "test_example.py").write_text(text)
    outcome = inner_pytest(tmp_path, "test_example.py")
    assert re.search(r"^\d+ passed", outcome, re.MULTILINE), outcome


def test_the_table_has_every_case() -> None:
    rows = re.findall(r"^\| (C\d+) \| (\w+) \| (.*) \|$", PAGE, re.MULTILINE)
    assert rows == [(one.number, one.level.value, one.title) for one in cases(ConnectorContract)]
