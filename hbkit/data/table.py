"""A text file of rows: CSV or JSON lines, plain or gzip, told apart by content, read in chunks of columns.

It knows nothing of markets. What cannot be read raises DataError with file and line; the line is searched only then,
so that the way through a good file stays short.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import IO, Any, NoReturn, cast

from hbkit.errors import DataError, Fault

Cell = Any
"""Text from CSV; text, number, bool or None from JSON."""

_GZIP = b"\x1f\x8b"
_OTHER_FORMATS = {b"PAR1": "a Parquet file", b"PK\x03\x04": "a zip archive", b"SQLi": "an SQLite file"}
_UNREADABLE = (EOFError, gzip.BadGzipFile, zlib.error)
_EXAMPLE = "timestamp,open,high,low,close,volume"


class TextTable:
    """One file: `header` names its columns, `chunks` hands out its rows column by column."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._packed = _look(path)
        self._is_json, self._delimiter, self.header = self._read_header()

    # -- reading -------------------------------------------------------------------------------------------------

    def chunks(self, size: int, wanted: Sequence[int]) -> Iterator[list[list[Cell]]]:
        """The columns `wanted` (indices into `header`), at most `size` rows at a time; blank lines are left out."""
        pick = [itemgetter(index) for index in wanted]
        width = len(self.header)
        done = 0
        rows = self._rows()
        while chunk := list(islice(rows, size)):
            if {*map(len, chunk)} != {width}:
                row = next(row for row, cells in enumerate(chunk) if len(cells) != width)
                self._refuse_width(done + row, chunk[row])
            yield [list(map(one, chunk)) for one in pick]
            done += len(chunk)

    def raw_lines(self) -> Iterator[tuple[int, bytes]]:
        """Number and bytes of each data line that is not blank, for a quick look at the whole file."""
        with self._reading(), self._open() as file:
            is_data = self._is_json
            for number, line in enumerate(file, 1):
                if line.isspace():
                    continue
                if is_data:
                    yield number, line
                is_data = True

    def cells(self, line: bytes, number: int) -> list[Cell]:
        """One data line of `raw_lines` as cells in the order of `header`."""
        text = line.decode("utf-8", errors="replace")
        if self._is_json:
            return self._object(text, number)
        cells = next(csv.reader([text], delimiter=self._delimiter, skipinitialspace=True), [])
        if len(cells) != len(self.header):
            self.refuse(_width_message(cells, self.header), number)
        return cells

    def cutter(self, index: int) -> Callable[[bytes, int], str]:
        """A quick function from a raw line and its number to the text of one column."""
        if self._is_json:
            name = self.header[index]
            return lambda line, number: cell_text(self._loads(line.decode(errors="replace"), number).get(name))
        delimiter = self._delimiter.encode()

        def cut(line: bytes, number: int) -> str:
            if b'"' in line:
                return cell_text(self.cells(line, number)[index])
            parts = line.split(delimiter, index + 1)
            return parts[index].strip().decode(errors="replace") if index < len(parts) else ""

        return cut

    # -- places --------------------------------------------------------------------------------------------------

    def line_of(self, row: int) -> int:
        """The line (from 1) of data row `row` (from 0)."""
        with self._reading(), self._open_text() as file:
            if self._is_json:
                numbers = (number for number, line in enumerate(file, 1) if not line.isspace())
                return next(islice(numbers, row, None))
            reader = self._csv(file)
            filled = (int(reader.line_num) for cells in reader if cells)
            return next(islice(filled, row + 1, None))

    def repeated_headers(self) -> list[int]:
        """Lines after the first that hold the header again, as files that were glued together do."""
        if self._is_json:
            return []
        with self._reading(), self._open_text() as file:
            reader = self._csv(file)
            found = [reader.line_num for cells in reader if _names(cells) == self.header]
        return found[1:]

    def refuse(self, message: str, line: int | None = None, *, code: str = "HB501") -> NoReturn:
        """Raise DataError about this file."""
        raise DataError([Fault(code, message, str(self.path), line)])

    def refuse_row(self, row: int, message: str, *, code: str = "HB501") -> NoReturn:
        """Raise DataError about data row `row` (from 0)."""
        self.refuse_line(self.line_of(row), message, code=code)

    def refuse_line(self, line: int, message: str, *, code: str = "HB501") -> NoReturn:
        """Raise DataError about a line; a repeated header is named as such."""
        again = self.repeated_headers()
        if line in again:
            plural = "s" if len(again) > 1 else ""
            message, code = f"repeated header; remove line {line} ({len(again)} such line{plural})", "HB501"
        self.refuse(message, line, code=code)

    # -- inside --------------------------------------------------------------------------------------------------

    def _read_header(self) -> tuple[bool, str, list[str]]:
        with self._reading(), self._open_text() as file:
            first = next((line for line in file if not line.isspace()), "")
        text = first.strip()
        if not text:
            self.refuse(f"the file is empty; write a header line such as {_EXAMPLE} and one row per line")
        if text.startswith("["):
            self.refuse("a JSON array; write one JSON object per line (JSON lines)", 1)
        if text.startswith("{"):
            return True, "", list(self._loads(text, 1))
        delimiter = max(",;\t", key=text.count)
        cells = next(csv.reader([text], delimiter=delimiter, skipinitialspace=True))
        if all(_is_value(cell) for cell in cells):
            self.refuse(f"no header line; write the names of the columns as the first line, such as {_EXAMPLE}", 1)
        return False, delimiter, _names(cells)

    def _rows(self) -> Iterator[list[Cell]]:
        with self._reading(), self._open_text() as file:
            if self._is_json:
                for number, line in enumerate(file, 1):
                    if not line.isspace():
                        yield self._object(line, number)
                return
            reader = self._csv(file)
            try:
                filled = filter(None, reader)
                next(filled, None)
                yield from filled
            except csv.Error as error:
                self.refuse(f"not a CSV line ({error}); mend or remove it", reader.line_num)

    def _object(self, text: str, number: int) -> list[Cell]:
        row = self._loads(text, number)
        return [row.get(name) for name in self.header]

    def _loads(self, text: str, number: int) -> dict[str, Cell]:
        try:
            row = json.loads(text)
        except ValueError as error:
            self.refuse(f"not a JSON object ({error}); write one object per line", number)
        if not isinstance(row, dict):
            self.refuse("not a JSON object; write one object per line", number)
        return row

    def _csv(self, file: IO[str]) -> Any:
        return csv.reader(file, delimiter=self._delimiter, skipinitialspace=True)

    def _open(self) -> IO[bytes]:
        return cast(IO[bytes], gzip.GzipFile(self.path, "rb")) if self._packed else self.path.open("rb")

    def _open_text(self) -> IO[str]:
        return io.TextIOWrapper(self._open(), encoding="utf-8-sig", newline="")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Errors of the file itself become errors that say what to do."""
        try:
            yield
        except UnicodeDecodeError:
            self.refuse("not UTF-8 text; save the file as UTF-8", self._undecodable_line())
        except csv.Error as error:
            self.refuse(f"not a CSV file ({error}); write it again as CSV")
        except _UNREADABLE as error:
            self.refuse(f"gzip cannot be read to its end ({error}); copy or compress the file again")

    def _undecodable_line(self) -> int:
        with self._open() as file:
            for number, line in enumerate(file, 1):
                try:
                    line.decode("utf-8-sig")
                except UnicodeDecodeError:
                    return number
        return 1

    def _refuse_width(self, row: int, cells: list[Cell]) -> NoReturn:
        self.refuse_row(row, _width_message(cells, self.header))


def cell_text(cell: Cell) -> str:
    """A cell as text without blanks around it; nothing for None."""
    return "" if cell is None else str(cell).strip()


def _width_message(cells: list[Cell], header: list[str]) -> str:
    return f"{len(cells)} cells, but the header names {len(header)} columns; mend or remove the line"


def _names(cells: list[str]) -> list[str]:
    """Header cells as names; numpy's savetxt puts `# ` before them."""
    names = [cell.strip() for cell in cells]
    if names:
        names[0] = names[0].removeprefix("#").lstrip()
    return names


def _is_value(cell: str) -> bool:
    """True for what no column is called: numbers, times, nothing."""
    text = cell.strip()
    return not text or text[0].isdigit() or (text[0] in "+-." and text[1:2].isdigit())


def _look(path: Path) -> bool:
    """Whether the file is gzip; raises DataError where it is no data file at all."""
    if path.is_dir():
        raise DataError(f'"{path}" is a folder; name the files in it{_others(path, "")}', code="HB500")
    if not path.exists():
        raise DataError(f'data file "{path}" not found{_others(path.parent, _suffix(path))}', code="HB500")
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise DataError(
            f'data file "{path}" cannot be read ({error.strerror}); check its rights', code="HB500"
        ) from None
    if magic in _OTHER_FORMATS:
        raise DataError([Fault("HB501", f"{_OTHER_FORMATS[magic]}; write it as CSV or JSON lines", str(path))])
    packed = magic.startswith(_GZIP)
    if path.suffix == ".gz" and magic and not packed:
        raise DataError([Fault("HB501", f"not gzip in spite of its name; rename it to {path.stem}", str(path))])
    return packed


def _suffix(path: Path) -> str:
    return "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix


def _others(folder: Path, suffix: str) -> str:
    """What the user may have meant: files of the same suffix in that folder."""
    if not folder.is_dir():
        return f'; there is no folder "{folder}"'
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_file() and entry.name.endswith(suffix))
    if not names:
        return f"; no {suffix or 'other'} files in that folder"
    more = ", ..." if len(names) > 5 else ""
    return f"; {suffix or 'other'} files in that folder: {', '.join(names[:5])}{more}"
