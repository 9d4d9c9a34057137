"""One file of an account's history as rows of named cells, each with the line it stands in.

CSV (also `;` and tab), JSON (an array of rows) and JSON lines, plain or gzip, told apart by content. Cells keep what
they are: text of a CSV, numbers of JSON without the way through a float. Empty cells, `null` and absent columns are
one: absent.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

from hbkit.errors import DataError, Fault

_GZIP = b"\x1f\x8b"
_OTHER = {b"PK\x03\x04": "a zip archive or an Excel file", b"PAR1": "a Parquet file", b"SQLi": "an SQLite file"}
_EMPTY = ("", "null", "NULL", "undefined")


@dataclass(frozen=True)
class Row:
    """The cells of a row that are not empty, by the names of their columns."""

    file: str
    line: int
    cells: dict[str, Any]

    @property
    def place(self) -> str:
        """`file:line`, as messages say it."""
        return f"{self.file}:{self.line}"

    @property
    def short_place(self) -> str:
        """The same without the folder, for tables and CSV files."""
        return f"{Path(self.file).name}:{self.line}"


@dataclass
class HistoryFile:
    """One file: its columns in the order of their first mention, and its rows."""

    path: Path
    columns: list[str]
    rows: list[Row]
    broken: list[Fault] = field(default_factory=list)
    """Rows that are none."""

    @property
    def name(self) -> str:
        """As it stands in messages."""
        return str(self.path)


def read(path: Path) -> HistoryFile:
    """All rows of a file. Raises DataError with the mend for what is no such file at all."""
    text = _text(path)
    start = text.lstrip()
    if not start:
        _refuse(path, "the file is empty; export the history again, with its header line")
    file = HistoryFile(path, [], [])
    rows = _json(path, text) if start[0] in "[{" else _csv(file, text)
    columns: dict[str, None] = {}
    for line, cells in rows:
        columns.update(dict.fromkeys(cells))
        known = {name: cell for name, cell in cells.items() if not _is_empty(cell)}
        file.rows.append(Row(file.name, line, known))
    file.columns = list(columns) or file.columns
    return file


def printable(text: str) -> str:
    """Text that holds cells of a file on its way to a terminal: control characters are shown, never sent."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _is_empty(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and cell.strip() in _EMPTY)


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if data.startswith(_GZIP):
            data = gzip.decompress(data)
    except FileNotFoundError:
        raise DataError(f'"{path}" not found; name the files that you exported', code="HB500") from None
    except IsADirectoryError:
        raise DataError(f'"{path}" is a folder; name the files in it: {path}/*.csv', code="HB500") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        _refuse(path, f"gzip cannot be read to its end ({error}); copy or compress the file again")
    except OSError as error:
        raise DataError(f'"{path}" cannot be read ({error.strerror}); check its rights', code="HB500") from None
    if data[:4] in _OTHER:
        _refuse(path, f"{_OTHER[data[:4]]}; unpack it, or save it as CSV")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _refuse(path, "not UTF-8 text; save the file as UTF-8", data.count(b"\n", 0, error.start) + 1)


def _refuse(path: Path, message: str, line: int | None = None) -> NoReturn:
    raise DataError([Fault("HB501", message, str(path), line)])


# -- CSV


def _csv(file: HistoryFile, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    first = text.lstrip().split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    names: list[str] = []
    line = 1
    try:
        for cells in reader:
            # A quoted cell may hold line ends; the row stands where it begins.
            at, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            stripped = [cell.strip() for cell in cells]
            if not names:
                names = _header(file.path, stripped, at)
                file.columns = names
            elif stripped == names:
                continue  # files that were glued together
            elif len(cells) != len(names):
                message = f"{len(cells)} cells, but the header names {len(names)} columns; mend or remove the line"
                file.broken.append(Fault("HB501", message, file.name, at))
            else:
                yield at, dict(zip(names, stripped, strict=True))
    except csv.Error as error:
        _refuse(file.path, f"not a CSV line ({error}); mend or remove it", reader.line_num)


def _header(path: Path, cells: list[str], line: int) -> list[str]:
    if cells[0][:1].isdigit():
        _refuse(path, "no header line; write the names of the columns as the first line, as the export had them", line)
    twice = next((name for name in cells if name and cells.count(name) > 1), None)
    if twice is not None:
        _refuse(path, f'two columns are called "{twice}"; rename or remove one', line)
    return cells


# -- JSON


def _json(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of an array, or one after the other; the decoder tells where each ends, so lines can be counted."""
    decoder = json.JSONDecoder(parse_float=Decimal)
    at = len(text) - len(text.lstrip())
    is_array = text[at] == "["
    at += is_array
    line, counted = 1, 0
    while True:
        at = _skip(text, at, " \t\r\n,")
        if at >= len(text) or text[at] == "]":
            break
        line, counted = line + text.count("\n", counted, at), at
        try:
            row, at = decoder.raw_decode(text, at)
        except ValueError as error:
            _refuse(path, f"not JSON ({error}); export the file again, or mend the line", line)
        if not isinstance(row, dict):
            _refuse(path, "not a row; write a list of objects, one for each row", line)
        if not is_array and not {"transactType", "execType", "execID", "transactID"} & set(row):
            lists = [name for name, value in row.items() if isinstance(value, list)]
            if lists:
                _refuse(path, f'the rows stand inside of "{lists[0]}"; write that list alone into the file', line)
        yield line, row
    if is_array and at >= len(text):
        _refuse(path, "the list has no end; the file was cut off, export it again", line)


def _skip(text: str, at: int, what: str) -> int:
    while at < len(text) and text[at] in what:
        at += 1
    return at
