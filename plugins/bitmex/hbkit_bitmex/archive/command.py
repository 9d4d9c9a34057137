"""`hbkit import bitmex-archive FILE...`: the files of an account that was, as a run with a report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from hbkit.errors import UsageError


@click.command("bitmex-archive", short_help="An account's exported history at BitMEX.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option("--dir", "folder", type=click.Path(path_type=Path), default=Path("runs"), help="Where runs are kept.")
@click.option("--name", default="bitmex-archive", show_default=True, help="What the run's id begins with.")
@click.option("--strategy", metavar="NAME", default="", help="Whose the orders were: then `compare` can pair them.")
@click.option("--zone", metavar="NAME", help="Zone of times that name none: Europe/Berlin; of the API's own it is UTC.")
@click.option(
    "--date-order",
    type=click.Choice(["dmy", "mdy"]),
    help="Whether 03/04/2019 is the 3rd of April or the 4th of March.",
)
@click.option("--currency", metavar="CODE", default="", help="Currency of a file that names none: XBt, USDt.")
@click.option("--account", metavar="NUMBER", default="", help="Take the rows of this account only.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object on the last line.")
def command(
    files: Sequence[Path],
    folder: Path,
    name: str,
    strategy: str,
    zone: str | None,
    date_order: str | None,
    currency: str,
    account: str,
    as_json: bool,
) -> int:
    """Turn exported wallet and execution histories of one account, any number of files, into a run with a report."""
    from hbkit.cli.output import is_ascii, is_plain, print_json, say, width
    from hbkit.report.text import summary
    from hbkit_bitmex.archive.cells import Choices
    from hbkit_bitmex.archive.importing import import_account
    from hbkit_bitmex.archive.writing import FILLS, WALLET, write

    if not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise UsageError(f'--name "{name}" is to be a folder; use letters, digits, - and _')
    told, result = import_account(
        files, Choices(zone=_zone(zone), order=date_order or "", currency=currency, account=account), name, strategy
    )
    where, was_there = write(told, result, folder)
    say(summary(result, width=width(), colour=not is_plain(), ascii=is_ascii()))
    say(f"{'Imported before, the same run' if was_there else 'Imported as'} {result.run_id}: {where}")
    say(f"CSV: {where / FILLS}, {where / WALLET}")
    if as_json:
        files_made = {"fills_csv": str(where / FILLS), "wallet_csv": str(where / WALLET)}
        print_json({**result.to_json(), **files_made, "imported_before": was_there, "warnings": result.warnings})
    return 0


def _zone(name: str | None) -> tzinfo | None:
    """The zone of that name. Raises UsageError with the way to write it."""
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(
            f'--zone "{name}" is no time zone; write it as Europe/Berlin, America/New_York or UTC'
        ) from None
