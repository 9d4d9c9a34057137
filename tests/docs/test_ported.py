"""The page about ported strategies says what its files are: counted anew, and fewer statements than the originals."""

from __future__ import annotations

import csv
import re

import pytest

from tests.docs.pages import DOCS, ROOT
from tests.ported.statements import statements

PAGE = (DOCS / "ported.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(\w+)` \| .* \| (\d+) \| (\d+) \| (.*) \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("name", "there", "here", "trades"), ROWS, ids=[row[0] for row in ROWS])
def test_row_is_true(name: str, there: str, here: str, trades: str) -> None:
    source = (ROOT / "strategies" / f"{name}.py").read_text(encoding="utf-8")
    assert statements(source) == int(here) < int(there)
    assert (ROOT / "configs" / f"{name}.yaml").is_file()
    assert (ROOT / "strategies" / f"test_{name}.py").is_file()
    assert trades


def test_there_are_three() -> None:
    assert len(ROWS) == 3


def test_the_parts_of_the_sample_make_its_sum() -> None:
    # 16 + 176 + 28 = 220
    parts = [int(number) for number in re.findall(r"\((\d+)(?: statements)?\)", PAGE)]
    assert sum(parts) == int(ROWS[0][1])


def test_the_fills_it_tells_of_are_those_that_are_kept() -> None:
    kept = {}
    for path in (ROOT / "tests" / "ported").glob("*.csv"):
        with path.open(encoding="utf-8") as file:
            kept[path.stem] = list(csv.DictReader(file))
    # Each of freqtrade's 37 trades is two fills, but for the one that ends with the data: 73.
    trades = kept["freqtrade-average"]
    fills = 2 * len(trades) - sum(row["exit_reason"] == "force_exit" for row in trades)
    assert (len(kept["basana-rsi-stop-6"]), len(kept["basana-rsi-stop-0.3"]), fills) == (46, 66, 73)
    for number in ("46 of 46", "66\nof 66", "73 of 73"):
        assert number in PAGE


def test_a_statement_is_counted_at_any_depth_and_a_docstring_is_none() -> None:
    # class, def, if, return, elif, pass, else's call: 7; the two docstrings and the dots count for nothing.
    source = '''
class A:
    """Doc."""
    def f(self):
        """Doc."""
        if self:
            return 1
        elif not self:
            pass
        else:
            print()
        ...
'''
    assert statements(source) == 7
