"""Files of any shape as rows with their lines; what is no such file is refused with the mend."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path

import pytest
from hbkit_bitmex.archive.files import read

from hbkit.errors import DataError

ROWS = '[\n {"transactType": "Deposit", "amount": 5, "rate": 1.10},\n\n {"transactType": null,\n  "fee": 7}\n]\n'


def written(folder: Path, text: str | bytes, name: str = "x") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_rows_of_a_list_know_their_lines_and_keep_exact_numbers(tmp_path: Path) -> None:
    file = read(written(tmp_path, ROWS))
    # The second object begins in the fourth line.
    assert [row.line for row in file.rows] == [2, 4]
    assert file.rows[0].cells == {"transactType": "Deposit", "amount": 5, "rate": Decimal("1.10")}
    assert file.rows[1].cells == {"fee": 7}
    assert file.columns == ["transactType", "amount", "rate", "fee"]


def test_columns_that_only_later_rows_have_are_there(tmp_path: Path) -> None:
    text = '{"execID": "a"}\n{"execID": "b", "side": "Buy"}\n'
    file = read(written(tmp_path, text))
    assert [row.cells for row in file.rows] == [{"execID": "a"}, {"execID": "b", "side": "Buy"}]
    assert [row.line for row in file.rows] == [1, 2]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("mark", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
def test_a_csv_row_stands_where_it_begins(tmp_path: Path, mark: str, packed: bool) -> None:
    # The text of the second row goes on in the next line, so the third row stands in line 5.
    lines = ['\ufeffa;"b"', "1;null", '2;"Submitted\r\nvia API"', ";", "3;x"]
    text = "\r\n".join(lines).replace(";", mark).encode()
    file = read(written(tmp_path, gzip.compress(text) if packed else text))
    assert [(row.line, row.cells) for row in file.rows] == [
        (2, {"a": "1"}), (3, {"a": "2", "b": "Submitted\r\nvia API"}), (6, {"a": "3", "b": "x"})
    ]  # fmt: skip


def test_headers_that_stand_again_in_a_glued_file_are_no_rows(tmp_path: Path) -> None:
    assert len(read(written(tmp_path, "a,b\n1,2\na,b\n3,4\n")).rows) == 2


def test_rows_of_another_width_are_told_with_the_rest(tmp_path: Path) -> None:
    file = read(written(tmp_path, "a,b\n1\n2,3\n4,5,6\n"))
    assert [str(fault) for fault in file.broken] == [
        f"error[HB501] {file.path}:2 1 cells, but the header names 2 columns; mend or remove the line",
        f"error[HB501] {file.path}:4 3 cells, but the header names 2 columns; mend or remove the line",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the file is empty; export the history again"),
        ("\n \n", "the file is empty"),
        (b"PK\x03\x04....", "a zip archive or an Excel file; unpack it, or save it as CSV"),
        (b"a,b\n1,\xff\n", ":2 not UTF-8 text; save the file as UTF-8"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:-6], "gzip cannot be read to its end"),
        ("1,2\n3,4\n", ":1 no header line"),
        ("a,b,a\n", ':1 two columns are called "a"'),
        ('[{"a": 1},\n 2]', ":2 not a row; write a list of objects"),
        ('[{"a": 1},\n {"a": 2}', ":2 the list has no end; the file was cut off"),
        ('[{"a": 1},\n {"a": }]', ":2 not JSON (Expecting value"),
        ('{"data": [{"execID": "a"}]}', 'the rows stand inside of "data"; write that list alone'),
    ],
)
def test_what_is_no_such_file_is_refused_with_place_and_mend(tmp_path: Path, text: str | bytes, told: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(DataError) as refused:
        read(path)
    assert str(path) in str(refused.value)
    assert told in str(refused.value)


def test_a_file_that_is_not_there_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not found; name the files that you exported"):
        read(tmp_path / "no.csv")
    with pytest.raises(DataError, match="is a folder; name the files in it"):
        read(tmp_path)
