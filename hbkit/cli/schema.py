"""`hbkit schema`: the JSON schema of a config, for editors."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hbkit.cli.output import say


@click.command("schema", short_help="The JSON schema of a config, for editors.")
@click.option("--strategy", "strategies", metavar="NAME", multiple=True, help="With the parameters of this strategy.")
def command(strategies: tuple[str, ...]) -> int:
    """Print the JSON schema of a config; `hbkit schema > hbkit.schema.json` puts it where editors find it."""
    say(schema_text(strategies), nl=False)
    return 0


def schema_text(strategies: tuple[str, ...] = ()) -> str:
    """The schema as text; `strategies` are names or files as in `use:`, looked for from the current folder."""
    from hbkit.config.schema import json_schema

    return json.dumps(json_schema(_params(strategies)), indent=2) + "\n"


def _params(strategies: tuple[str, ...]) -> dict[str, dict[str, object]]:
    if not strategies:
        return {}
    from hbkit.plugins import Plugins
    from hbkit.run.find import find_class
    from hbkit.trading.schema import params_schema

    plugins = Plugins()
    return {name: params_schema(find_class(name, Path("hbkit.yaml"), plugins)) for name in strategies}
