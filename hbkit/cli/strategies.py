"""`hbkit strategies [NAME]`: strategies of plugins and of the `strategies` folder, with their parameters."""

from __future__ import annotations

import inspect
from pathlib import Path

import click

from hbkit.cli.output import print_json, say, table
from hbkit.errors import PluginError, did_you_mean
from hbkit.trading.strategy import Strategy


@click.command("strategies", short_help="The strategies that plugins and files offer.")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print as one JSON object on the last line.")
def command(name: str | None, as_json: bool) -> int:
    """List the strategies, or show the parameters of NAME."""
    found = _all()
    if name is not None:
        if name not in found:
            raise PluginError(f'no strategy "{name}"; {did_you_mean(name, found, what="strategies")}', code="HB301")
        found = {name: found[name]}
    if as_json:
        listed = [{"name": key, "from": origin, **_values(cls)} for key, (cls, origin) in found.items()]
        print_json({"strategies": listed})
        return 0
    if name is not None:
        cls, origin = found[name]
        say(f"{name} ({origin})\n\n{inspect.getdoc(cls) or ''}\n")
        rows = [("parameter", "type", "default", "bounds")]
        for spec in cls.params.values():
            rows.append((spec.name, spec.type_name, "required" if spec.required else str(spec.default), spec.bounds))
        say(table(rows))
        return 0
    if not found:
        say("no strategies: write one in strategies/, or install a plugin that brings some")
        return 0
    say(table([("name", "from", "what"), *((key, origin, _line(cls)) for key, (cls, origin) in found.items())]))
    return 0


def _all() -> dict[str, tuple[type[Strategy], str]]:
    from hbkit.plugins import Plugins
    from hbkit.run.find import strategies_of, strategy_files

    plugins = Plugins()
    broken = plugins.load_all()
    found = {name: (offer.value, offer.origin) for name, offer in plugins.offers("strategies").items()}
    for path in strategy_files(Path("hbkit.yaml")):
        try:
            classes = strategies_of(plugins.load_file(path))
        except PluginError as error:
            broken.append(error)
            continue
        for name, cls in classes.items():
            # What `use:` takes: the file's own name where it can only mean one class, else the class in the file.
            single = len(classes) == 1 or name == path.stem
            found.setdefault(path.stem if single else f"{path}:{cls.__name__}", (cls, str(path)))
    for one in broken:
        say(str(one), err=True)
    return found


def _line(cls: type[Strategy]) -> str:
    return (inspect.getdoc(cls) or "").partition("\n")[0]


def _values(cls: type[Strategy]) -> dict[str, object]:
    return {
        "doc": inspect.getdoc(cls) or "",
        "params": [
            {"name": spec.name, "type": spec.type_name, "default": None if spec.required else str(spec.default),
             "bounds": spec.bounds}
            for spec in cls.params.values()
        ],
    }  # fmt: skip
