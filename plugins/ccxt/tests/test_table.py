"""The table of docs/exchanges.md is the one that the installed ccxt makes."""

from __future__ import annotations

import re
from pathlib import Path

import ccxt
import pytest
from hbkit_ccxt import table, venues

PAGE = Path(__file__).parents[3] / "docs" / "exchanges.md"


def test_the_table_of_the_docs_is_current():
    release, found = table.written(PAGE.read_text(encoding="utf-8"))
    if release != ccxt.__version__:
        pytest.skip(f"docs/exchanges.md is of ccxt {release}, installed is {ccxt.__version__}")
    assert found == table.table(), "python -m hbkit_ccxt.table --write docs/exchanges.md"


def test_the_table_has_a_row_for_each_exchange():
    rows = table.table().splitlines()
    assert len(rows) == 2 + len(venues.ids())
    assert {row.count("|") for row in rows} == {len(table.HEAD) + 1}


def test_a_row_says_what_ccxt_declares():
    assert table.row("okx") == (
        "`okx`", "spf", "w", "w", "w", "11", "w", "a", "ioc, fok", "yes", "yes", "yes", "native", "yes",
        "yes", "yes", "yes", "ksp",
    )  # fmt: skip
    # Kraken: spot alone, no sandbox.
    kraken = dict(zip(table.HEAD, table.row("kraken"), strict=True))
    names = ("markets", "mark", "hedge", "testnet")
    assert [kraken[name] for name in names] == ["s", "-", "-", "-"]
    # Prices of significant digits: nothing that could be traded.
    assert table.row("bitfinex")[1] == "none"


def test_it_is_written_in_its_place_and_nowhere_else(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("# Title\n\n<!-- exchanges of ccxt 1.2: x -->\nold\n<!-- end of the exchanges -->\nafter\n")
    assert table.main(["--write", str(page)]) == 0
    text = page.read_text()
    assert re.match(rf"# Title\n\n<!-- exchanges of ccxt {re.escape(ccxt.__version__)}: python -m ", text)
    assert "old" not in text
    assert text.endswith("<!-- end of the exchanges -->\nafter\n")
    page.write_text("# Title\n")
    assert table.main(["--write", str(page)]) == 2
    assert "has no place for the table" in capsys.readouterr().err
    assert page.read_text() == "# Title\n"
