"""`hbkit report [RUN]`: the summary of a run again, and its page written anew."""

from __future__ import annotations

from pathlib import Path

import click

from hbkit.cli.kept import kept_run
from hbkit.cli.output import is_ascii, is_plain, print_json, say, width


@click.command("report", short_help="Show a run again and rewrite its page.")
@click.argument("run", required=False)
@click.option("--dir", "folder", type=click.Path(path_type=Path), default=Path("runs"), help="Where runs are kept.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object on the last line.")
def command(run: str | None, folder: Path, as_json: bool) -> int:
    """Show RUN, the newest one if none is named."""
    from hbkit.report.html import page
    from hbkit.report.result import RunResult
    from hbkit.report.text import summary

    path = kept_run(run, folder)
    result = RunResult.load(path)
    (path.parent / "report.html").write_text(page(result), encoding="utf-8")
    say(summary(result, width=width(), colour=not is_plain(), ascii=is_ascii()))
    if as_json:
        print_json(result.to_json())
    return 0

