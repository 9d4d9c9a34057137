"""`hbkit exchanges [NAME]`: the exchanges that plugins offer, and the facts of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hbkit.cli.output import print_json, say, table
from hbkit.errors import PluginError, nearest
from hbkit.exchange import Bridge, ExchangeSpec

if TYPE_CHECKING:
    from hbkit.plugins import Plugins


@click.command("exchanges", short_help="The exchanges that plugins offer.")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print as one JSON object on the last line.")
def command(name: str | None, as_json: bool) -> int:
    """List the exchanges, or show what is known of NAME."""
    from hbkit.plugins import Plugins

    plugins = Plugins()
    if name is not None:
        return _named(plugins, name, as_json)
    for broken in plugins.load_all():
        say(str(broken), err=True)
    single, bridges = plugins.single_exchanges(), plugins.bridges()
    if as_json:
        led_to = [_bridge_values(prefix, bridge) for prefix, bridge in bridges.items()]
        print_json({"exchanges": [_values(spec) for spec in single], "bridges": led_to})
        return 0
    rows = [("name", "what", "modes", "closed on")]
    rows += [(spec.name, spec.title, ", ".join(spec.modes), spec.closed_on) for spec in single]
    rows += [
        (f"{prefix}:<id>", f"{_many(bridge)}; hbkit exchanges {prefix} lists them", "", "")
        for prefix, bridge in bridges.items()
    ]
    say(table(rows))
    return 0


def _named(plugins: Plugins, name: str, as_json: bool) -> int:
    """One exchange, or the many of a plugin that is named by itself."""
    if name in plugins.installed:
        plugins.load(name)
        bridge = plugins.bridges().get(name)
        if bridge is not None:
            if as_json:
                print_json(_bridge_values(name, bridge))
            else:
                ids = ", ".join(sorted(one.partition(":")[2] for one in bridge))
                say(f"{name}:<id>, {_many(bridge)}: {ids}")
            return 0
    try:
        return _one(plugins.exchange(name), as_json)
    except PluginError as error:
        if ":" in name or name in plugins.installed:
            raise
        raise _told_by_all(plugins, name, error) from None


def _told_by_all(plugins: Plugins, name: str, error: PluginError) -> PluginError:
    """The same, with the name behind a bridge that is meant: `okx` for `ccxt:okx`."""
    plugins.load_all()
    for prefix, bridge in plugins.bridges().items():
        close = nearest(name, [one.partition(":")[2] for one in bridge])
        if close is not None and (close.lower() == name.lower() or nearest(name, plugins.installed) is None):
            known = f'did you mean "{prefix}:{close}"?'
            return PluginError(f'exchange "{name}" needs a plugin that is not installed; {known}', code=error.code)
    return error


def _many(bridge: Bridge) -> str:
    return f"{len(bridge)} exchanges {bridge.title}"


def _bridge_values(prefix: str, bridge: Bridge) -> dict[str, object]:
    return {"name": f"{prefix}:<id>", "title": _many(bridge), "exchanges": list(bridge)}


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
