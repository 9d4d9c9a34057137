"""`hbkit compare A B`: two runs side by side, where they part and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hbkit.cli.kept import kept_run
from hbkit.cli.output import is_ascii, is_plain, print_json, say, width
from hbkit.clock import SECOND

if TYPE_CHECKING:
    from hbkit.report.course import Rows


@click.command("compare", short_help="Two runs side by side: where they part, and why.")
@click.argument("a")
@click.argument("b")
@click.option("--dir", "folder", type=click.Path(path_type=Path), default=Path("runs"), help="Where runs are kept.")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    default=0.001,
    show_default=True,
    help="By how much times may differ and still be the same.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as one JSON object on the last line.")
def command(a: str, b: str, folder: Path, tolerance: float, as_json: bool) -> int:
    """Hold run A beside run B: their ids, the beginnings of them, or their folders.

    It leaves with 0 whether they are the same or not: the answer is the first line, and `same` of the JSON object.
    """
    from hbkit.data.journal import journal_of
    from hbkit.report.compared import as_json as json_of
    from hbkit.report.comparison import compare
    from hbkit.report.course import course_of
    from hbkit.report.result import RunResult
    from hbkit.report.sidebyside import side_by_side

    paths = [kept_run(word, folder) for word in (a, b)]
    results = [RunResult.load(path) for path in paths]
    journals = [
        journal_of(result.run_id, path.parent, result.journal) for result, path in zip(results, paths, strict=True)
    ]
    # What the journal tells of one run has to be known of the other, or everything would differ.
    both = None not in journals
    courses = []
    for result, journal in zip(results, journals, strict=True):
        course = course_of(result, _rows(journal, result.run_id) if both and journal is not None else None)
        course.has_journal = journal is not None
        courses.append(course)
    found = compare(courses[0], courses[1], round(tolerance * SECOND))
    say(side_by_side(found, width=width(), colour=not is_plain(), ascii=is_ascii()))
    if as_json:
        print_json(json_of(found))
    return 0


def _rows(journal: Path, run_id: str) -> Rows:
    """What a run asked for, and the answers."""
    from hbkit.data.journal import stream_rows

    return {table: stream_rows(journal, table, run_id) for table in ("intents", "orders")}
