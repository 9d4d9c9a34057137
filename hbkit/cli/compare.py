"""`hbkit compare A B`: two runs side by side, where they part, and what the rows prove of the reason."""

from __future__ import annotations

from pathlib import Path

import click

from hbkit.cli.kept import kept_run
from hbkit.cli.output import is_ascii, is_plain, print_json, say, width


@click.command("compare", short_help="Two runs side by side: where they part, and why.")
@click.argument("a")
@click.argument("b")
@click.option("--dir", "folder", type=click.Path(path_type=Path), default=Path("runs"), help="Where runs are kept.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as one JSON object on the last line.")
def command(a: str, b: str, folder: Path, as_json: bool) -> int:
    """Hold the runs A and B against each other: orders, fills and money.

    Each is named by its id, the beginning of one, or its folder. Exit code 0 says that they were compared; whether
    they are the same stands in the first line, and as `same` in the JSON object.
    """
    from hbkit.report.comparison import compare
    from hbkit.report.result import RunResult
    from hbkit.report.sidebyside import side_by_side

    compared = compare(*(RunResult.load(kept_run(run, folder)) for run in (a, b)))
    say(side_by_side(compared, width=width(), colour=not is_plain(), ascii=is_ascii()))
    if as_json:
        print_json(compared.to_json())
    return 0
