"""The page about testing: its table has every case; tests/docs/ runs its examples."""

from __future__ import annotations

import re
from pathlib import Path

from hbkit.testing.contract import ConnectorContract, cases

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")


def test_the_table_has_every_case() -> None:
    rows = re.findall(r"^\| (C\d+) \| (\w+) \| (.*) \|$", PAGE, re.MULTILINE)
    assert rows == [(one.number, one.level.value, one.title) for one in cases(ConnectorContract)]
