"""`hbkit new strategy|exchange|project NAME`: a skeleton that works, with tests that pass before anything is edited."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hbkit.cli.output import say
from hbkit.cli.schema import schema_text
from hbkit.errors import ConfigError, UsageError
from hbkit.skeletons import (
    Market,
    exchange,
    named,
    project,
    project_named,
    strategy,
    strategy_package,
    write,
)
from hbkit.skeletons.project import FIRST
from hbkit.skeletons.strategy import SCHEMA

if TYPE_CHECKING:
    from hbkit.exchange import ExchangeSpec
    from hbkit.plugins import Plugins


@click.group("new", short_help="A strategy, an exchange or a project to begin with.")
def command() -> None:
    """Write a skeleton that works: its tests pass before anything is edited. Nothing that exists is touched."""


_EXCHANGE = click.option("--exchange", metavar="NAME", help="Where the config trades; default: an installed one.")
_INSTRUMENT = click.option("--instrument", metavar="SYMBOL", help="What it trades; default: what there is data of.")


@command.command("strategy", short_help="strategies/NAME.py, its test and a config.")
@click.argument("name")
@click.option("--package", is_flag=True, help="As a distribution that others can install: a folder hbkit-NAME.")
@_EXCHANGE
@_INSTRUMENT
def new_strategy(name: str, package: bool, exchange: str | None, instrument: str | None) -> int:
    """Write strategies/NAME.py, its test and configs/NAME.yaml in the current folder."""
    from hbkit.plugins import Plugins

    plugins = Plugins()
    names = named(name, "strategy", _installed(plugins))
    market = _market(plugins, exchange, instrument)
    if package:
        _report(write(Path(), strategy_package(names, market, schema_text())))
        _next(
            f"cd {names.distribution}",
            "pytest",
            f"python -m pip install -e .   # then it is `use: {names.name}`, everywhere",
            *_runs(names.name, market),
        )
        return 0
    _report(write(Path(), strategy(names, market, schema=Path(SCHEMA).is_file())))
    _next("pytest", *_runs(names.name, market))
    return 0


@command.command("exchange", short_help="A connector as a distribution: a folder hbkit-NAME.")
@click.argument("name")
def new_exchange(name: str) -> int:
    """Write a connector that trades at a venue of its own, with the contract suite wired: a folder hbkit-NAME."""
    from hbkit.plugins import Plugins

    names = named(name, "exchange", _installed(Plugins()))
    _report(write(Path(), exchange(names)))
    _next(
        f"cd {names.distribution}",
        "pytest                         # the connector contract, case by case",
        "python -m pip install -e .",
        f"hbkit compliance {names.name}",
    )
    return 0


@command.command("project", short_help="A folder with a first strategy, its test, config and CI.")
@click.argument("name")
@_EXCHANGE
@_INSTRUMENT
def new_project(name: str, exchange: str | None, instrument: str | None) -> int:
    """Write a folder NAME with a first strategy, its test and config, a schema for editors, and CI."""
    from hbkit.plugins import Plugins

    folder = project_named(name)
    if Path(folder).exists() or Path(folder).is_symlink():
        raise UsageError(f"{folder} exists already; nothing was written: choose another name, or move it away")
    market = _market(Plugins(), exchange, instrument)
    _report(write(Path(), project(folder, market, schema_text())))
    _next(f"cd {folder}", "pytest", *_runs(FIRST.name, market))
    return 0


def _report(paths: Sequence[Path]) -> None:
    for path in paths:
        say(f"wrote {path}")


def _next(*steps: str) -> None:
    say("\nnext:")
    for step in steps:
        say(f"  {step}")


def _runs(name: str, market: Market | None) -> list[str]:
    if market is None:
        return ["# no exchange is installed: install one, then write a config for it"]
    return [f"hbkit backtest configs/{name}.yaml", f"hbkit run configs/{name}.yaml"]


def _installed(plugins: Plugins) -> dict[str, str]:
    return {name: entry.distribution for name, entry in plugins.installed.items()}


# -- where the config trades


def _market(plugins: Plugins, exchange: str | None, symbol: str | None) -> Market | None:
    """The market that was asked for; else of the first installed exchange that replays one of its own by itself."""
    if exchange is not None:
        return _at(plugins, plugins.exchange(exchange), symbol)
    for broken in plugins.load_all():
        say(str(broken), err=True)
    found = [spec for spec in plugins.single_exchanges() if spec.default_data and "replay" in spec.modes]
    for spec in sorted(found, key=lambda spec: -len(spec.modes)):
        recorded = _recorded(plugins, spec)
        wanted = symbol or next(iter(recorded), "")
        # A name may replay what is derived from another's recording; that other one comes first.
        if wanted in _served(spec):
            return _at(plugins, spec, wanted)
    if symbol is not None:
        raise UsageError(f'no installed exchange has an instrument "{symbol}"; name one with --exchange')
    return None


def _at(plugins: Plugins, spec: ExchangeSpec, symbol: str | None) -> Market:
    served = _served(spec)
    chosen = symbol or next((one for one in _recorded(plugins, spec) if one in served), next(iter(served), ""))
    if chosen not in served:
        known = ", ".join(list(served)[:5])
        raise UsageError(f'{spec.name} has no instrument "{chosen}"; it has {known}, ...')
    home = plugins.installed[spec.name.partition(":")[0]].distribution
    return Market(spec.name, chosen, f"{served[chosen].normalize():f}", home)


def _recorded(plugins: Plugins, spec: ExchangeSpec) -> list[str]:
    """The instruments that there is data of without any file, the recorded ones first."""
    source = plugins.data_sources().get(spec.default_data)
    return list(source(0).info().kinds) if source is not None else []


def _served(spec: ExchangeSpec) -> dict[str, Decimal]:
    """Symbol and lot of what an exchange trades under this name."""
    from hbkit.run.listing import instruments_of

    try:
        listed = instruments_of(spec, None)
    except ConfigError as error:
        say(str(error), err=True)
        return {}
    return {one.symbol: one.lot_size for one in listed if spec.serves is None or spec.serves(one)}
