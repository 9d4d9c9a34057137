"""From files to the run they make, in one call; nothing is written here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hbkit.errors import DataError, Fault
from hbkit.report.result import RunResult
from hbkit_bitmex.archive.cells import Choices, sheets
from hbkit_bitmex.archive.files import HistoryFile, printable, read
from hbkit_bitmex.archive.outcome import Account, result
from hbkit_bitmex.archive.trades import trades
from hbkit_bitmex.archive.wallet import wallet


def import_account(
    files: Sequence[Path], choices: Choices | None = None, name: str = "bitmex-archive", strategy: str = ""
) -> tuple[Account, RunResult]:
    """The account and its result. Raises DataError with all faults of all files."""
    try:
        return _imported(files, choices or Choices(), name, strategy)
    except DataError as error:
        # They quote cells, and a cell may hold codes for the terminal.
        faults = [Fault(one.code, printable(one.message), one.file, one.line) for one in error.faults]
    raise DataError(faults)


def _imported(files: Sequence[Path], chosen: Choices, name: str, strategy: str) -> tuple[Account, RunResult]:
    told = sheets(_read(files), chosen)
    account = Account.of(told, wallet(told), trades(told, chosen.currency))
    if not account.span[1]:
        raise DataError("there is no row in these files that is of this account; check --account", code="HB511")
    return account, result(account, name, strategy)


def _read(files: Sequence[Path]) -> list[HistoryFile]:
    found, faults = [], []
    for path in dict.fromkeys(files):
        try:
            found.append(read(path))
        except DataError as error:
            faults += error.faults
    if faults:
        raise DataError(faults)
    return found
