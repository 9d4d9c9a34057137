"""`hbkit plugins`: what is installed, from which distribution, without importing any of it; and the hooks."""

from __future__ import annotations

import inspect

import click

from hbkit.cli.output import print_json, say, table


@click.command("plugins", short_help="What is installed and loaded, and the hooks.")
@click.option("--hooks", is_flag=True, help="List the hooks that a plugin can implement.")
@click.option("--json", "as_json", is_flag=True, help="Print as one JSON object on the last line.")
def command(hooks: bool, as_json: bool) -> int:
    """List the installed plugins; nothing of them is imported."""
    if hooks:
        return _hooks(as_json)
    from hbkit.plugins import Plugins

    plugins = Plugins()
    for clash in plugins.clashes.values():
        say(f"error[HB204] {clash}", err=True)
    rows = [("name", "distribution", "module")]
    rows += [(one.name, one.origin, one.target) for one in plugins.installed.values()]
    if as_json:
        print_json(
            {
                "plugins": [
                    {"name": one.name, "distribution": one.distribution, "version": one.version, "module": one.target}
                    for one in plugins.installed.values()
                ],
                "loaded": [{"name": name, "origin": origin} for name, origin in plugins.loaded()],
            }
        )
        return 0
    say(table(rows))
    built_in = ", ".join(name for name, _ in plugins.loaded())
    say(f"\nloaded: {built_in}; the others are imported when a config names them")
    return 0


def _hooks(as_json: bool) -> int:
    from hbkit import hookspecs

    found = {
        name: (inspect.signature(hook), inspect.getdoc(hook) or "")
        for name, hook in vars(hookspecs).items()
        if name.startswith("hbkit_")
    }
    if as_json:
        print_json({"hooks": [{"name": name, "doc": doc} for name, (_, doc) in found.items()]})
        return 0
    for name, (signature, doc) in found.items():
        arguments = ", ".join(signature.parameters)
        say(f"{name}({arguments})\n    {doc.splitlines()[0]}")
    return 0
