"""`hbkit compliance EXCHANGE`: the connector's contract, case by case, and the grade that it reaches."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import click

from hbkit.cli.output import print_json, say, table
from hbkit.errors import ExchangeError

if TYPE_CHECKING:
    from hbkit.testing.contract import Outcome, Score

OPEN = 4
"""Exit code where something that is declared does not hold, or nothing is reached."""


@click.command("compliance", short_help="Prove an exchange's connector, case by case.")
@click.argument("exchange")
@click.option("--json", "as_json", is_flag=True, help="Print as one JSON object on the last line.")
def command(exchange: str, as_json: bool) -> int:
    """Play every case of the connector contract against the venue that EXCHANGE's plugin brings; nothing is sent."""
    from hbkit.plugins import Plugins

    spec = Plugins().exchange(exchange)
    if not spec.contract:
        raise ExchangeError(f"{spec.name} brings no contract suite: its plugin names none", code="HB439")
    from hbkit.testing.contract import score

    module, _, name = spec.contract.partition(":")
    found = score(getattr(import_module(module), name))
    code = OPEN if found.failed or found.grade is None else 0
    if as_json:
        print_json({"exchange": spec.name, **_values(found), "exit_code": code})
    else:
        _show(spec.name, found)
    return code


def _show(name: str, found: Score) -> None:
    rows = [("case", "title", "level", "outcome")]
    rows += [(one.case.number, one.case.title, one.case.level.value, one.state.value) for one in found.outcomes]
    say(table(rows))
    for one in found.outcomes:
        if one.why:
            say(f"\n{one.case.number} {one.state}: {_indented(one)}")
    counts = ", ".join(f"{number} {state}" for state, number in _counts(found).items())
    say(f"\n{name}: {found.grade or 'no grade'} ({counts})")


def _indented(one: Outcome) -> str:
    return "\n  ".join(line.strip() for line in one.why.splitlines())


def _counts(found: Score) -> dict[str, int]:
    states = [one.state.value for one in found.outcomes]
    return {state: states.count(state) for state in dict.fromkeys(states)}


def _values(found: Score) -> dict[str, object]:
    return {
        "grade": found.grade,
        "counts": _counts(found),
        "cases": [
            {
                "number": one.case.number,
                "level": one.case.level,
                "title": one.case.title,
                "outcome": one.state,
                "why": one.why,
            }
            for one in found.outcomes
        ],
    }
