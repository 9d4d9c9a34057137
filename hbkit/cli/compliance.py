"""`hbkit compliance EXCHANGE`: the connector's contract, case by case, and the grade that it reaches."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import click

from hbkit.cli.output import print_json, say, table
from hbkit.errors import ExchangeError

if TYPE_CHECKING:
    from hbkit.exchange import ExchangeSpec
    from hbkit.testing.contract import ConnectorContract, Outcome, Score

OPEN = 4
"""Exit code where something that is declared does not hold, or nothing is reached."""


@click.command("compliance", short_help="Prove an exchange's connector, case by case.")
@click.argument("exchange")
@click.option("--json", "as_json", is_flag=True, help="Print as one JSON object on the last line.")
def command(exchange: str, as_json: bool) -> int:
    """Play every case of the connector contract against the venue that EXCHANGE's plugin brings; nothing is sent.

    Bronze is market data, silver is trading, gold is both while things go wrong. A grade is reached when every case of
    it, and of those below, passed; what a connector does not declare does not count. The exit code is 0 when everything
    that is declared holds, else 4.
    """
    from hbkit.plugins import Plugins

    spec = Plugins().exchange(exchange)
    contract = _contract(spec)
    from hbkit.testing.contract import score

    found = score(contract)
    code = OPEN if found.failed or found.grade is None else 0
    if as_json:
        print_json({"exchange": spec.name, **_values(found), "exit_code": code})
    else:
        _show(spec.name, found)
    return code


def _contract(spec: ExchangeSpec) -> type[ConnectorContract]:
    if not spec.contract:
        raise ExchangeError(
            f"{spec.name} brings no contract suite, so there is nothing to play: its plugin has to name one "
            '(contract="module:Class" in its ExchangeSpec)',
            code="HB439",
        )
    module, _, name = spec.contract.partition(":")
    try:
        suite: type[ConnectorContract] = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ExchangeError(
            f"{spec.name} names the contract suite {spec.contract}, which cannot be loaded ({error})", code="HB439"
        ) from error
    return suite


# -- for people


def _show(name: str, found: Score) -> None:
    from hbkit.testing.contract import MEANING, State

    for level, meaning in MEANING.items():
        rows = [one for one in found.outcomes if one.case.level is level]
        say(f"{level}: {meaning}")
        say(table([("  " + one.case.number, one.state.value, _line(one)) for one in rows]) + "\n")
    for one in found.outcomes:
        if one.state in (State.FAILED, State.NOT_STAGED):
            say(f"{one.case.number} {one.state}: {one.case.title}\n  {_indented(one)}\n")
    say(f"{name}: {_grade(found)}")


def _line(one: Outcome) -> str:
    """The title; why it was left out is said at once, why it failed takes a paragraph further down."""
    from hbkit.testing.contract import State

    return f"{one.case.title} ({one.why})" if one.state is State.NOT_DECLARED else one.case.title


def _indented(one: Outcome) -> str:
    return "\n  ".join(line.strip() for line in one.why.splitlines())


def _grade(found: Score) -> str:
    counts = ", ".join(f"{number} {state}" for state, number in _counts(found).items())
    missing = found.missing
    if missing is None:
        return f"{found.grade} ({counts})"
    level, still = missing
    why = f"is missing {', '.join(one.case.number for one in still)}" if still else "asks for more than is declared"
    return f"{found.grade or 'no grade'} ({counts}); {level} {why}"


def _counts(found: Score) -> dict[str, int]:
    states = [one.state.value for one in found.outcomes]
    return {state: states.count(state) for state in dict.fromkeys(states)}


# -- for programs


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
