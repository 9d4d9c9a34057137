"""`hbkit exchanges [NAME]`: the exchanges that plugins offer, and the facts of one."""

from __future__ import annotations

import click

from hbkit.cli.output import print_json, say, table
from hbkit.exchange import ExchangeSpec


@click.command("exchanges", short_help="The exchanges that plugins offer.")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print as one JSON object on the last line.")
def command(name: str | None, as_json: bool) -> int:
    """List the exchanges, or show what is known of NAME."""
    from hbkit.plugins import Plugins

    plugins = Plugins()
    if name is not None:
        return _one(plugins.exchange(name), as_json)
    for broken in plugins.load_all():
        say(str(broken), err=True)
    specs = plugins.exchanges()
    if as_json:
        print_json({"exchanges": [_values(spec) for spec in specs.values()]})
        return 0
    rows = [("name", "what", "modes", "closed on")]
    rows += [(spec.name, spec.title, ", ".join(spec.modes), spec.closed_on) for spec in specs.values()]
    say(table(rows))
    return 0


def _one(spec: ExchangeSpec, as_json: bool) -> int:
    if as_json:
        print_json(_values(spec))
        return 0
    say(f"{spec.name}: {spec.title}\n")
    rows = [("modes", ", ".join(spec.modes)), *spec.facts.items()]
    if spec.default_data:
        rows.append(("replays", spec.default_data))
    say(table(rows))
    if spec.advice:
        say(f"\n{spec.advice}")
    return 0


def _values(spec: ExchangeSpec) -> dict[str, object]:
    return {
        "name": spec.name,
        "title": spec.title,
        "modes": list(spec.modes),
        "closed_on": spec.closed_on,
        "advice": spec.advice,
        "default_data": spec.default_data,
        "facts": dict(spec.facts),
    }
