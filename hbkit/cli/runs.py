"""`hbkit runs`: the runs that left a result, newest last."""

from __future__ import annotations

from pathlib import Path

import click

from hbkit.cli.output import print_json, say, table
from hbkit.errors import DataError


@click.command("runs", short_help="List the runs.")
@click.option("--dir", "folder", type=click.Path(path_type=Path), default=Path("runs"), help="Where runs are kept.")
@click.option("--json", "as_json", is_flag=True, help="Print the list as one JSON object on the last line.")
def command(folder: Path, as_json: bool) -> int:
    """List the runs; `hbkit report RUN` shows one of them again, `hbkit compare A B` holds two side by side."""
    from hbkit.report.result import RunResult

    paths = sorted(folder.glob("*/result.json"), key=lambda path: path.stat().st_mtime_ns)
    results = []
    for path in paths:
        try:
            results.append(RunResult.load(path))
        except DataError as error:
            say(str(error), err=True)
    if as_json:
        print_json({"runs": [result.to_json() for result in results]})
        return 0
    if not results:
        say(f"no runs in {folder}; start one: hbkit run configs/quickstart.yaml")
        return 0
    rows = [("run", "mode", "fills", "net profit", "ended")]
    for result in results:
        profit = ", ".join(f"{row.unit.text(row.net_profit)} {row.currency}" for row in result.money if row.net_profit)
        rows.append((result.run_id, result.mode, f"{result.fills:,}", profit or "0", result.stop_reason))
    say(table(rows))
    return 0
