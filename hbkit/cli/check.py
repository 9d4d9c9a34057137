"""`hbkit check CONFIG`: every fault at once, with file, line, column and the mend; sends nothing."""

from __future__ import annotations

import os
from pathlib import Path

import click

from hbkit.cli.output import print_json, say, table
from hbkit.config import MODES, load_config
from hbkit.errors import ConfigError


@click.command("check", short_help="Find every fault of a config; sends nothing.")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--mode", type=click.Choice(MODES), help="Check it for this mode.")
@click.option("--set", "overrides", metavar="PATH=VALUE", multiple=True, help="Override a value of the config.")
@click.option("--json", "as_json", is_flag=True, help="Print the faults as one JSON object on the last line.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def command(config: Path, mode: str | None, overrides: tuple[str, ...], as_json: bool, debug: bool) -> int:
    """Check CONFIG to the end and say what it would run."""
    del debug  # read by the caller, which shows tracebacks
    try:
        loaded = load_config(config, overrides=overrides, environ=os.environ)

        from hbkit.plugins import Plugins
        from hbkit.run import make_plan

        settings = loaded.settings
        plan = make_plan(loaded, Plugins(block=settings.plugins.block), mode, may_ask=False)
        plan.warnings.extend(plan.read_data())
    except ConfigError as error:
        if not as_json:
            raise
        say(str(error), err=True)
        faults = [
            {"code": one.code, "severity": one.severity, "file": one.file, "line": one.line, "column": one.column,
             "message": one.message}
            for one in error.faults
        ]  # fmt: skip
        print_json({"ok": False, "faults": faults, "exit_code": error.exit_code})
        return error.exit_code
    for warning in plan.warnings:
        say(warning, err=True)
    rows = [("strategy", "exchange", "mode", "instrument", "qty counts", "tick", "lot", "least")]
    for strategy in plan.strategies:
        for market in strategy.markets:
            mode_name = plan.exchanges[market.exchange].mode
            rows.append(
                (strategy.name, market.exchange, mode_name, f"{market.symbol} ({market.unified})", market.unit_text,
                 str(market.tick_size), str(market.lot_size), market.least_text)
            )  # fmt: skip
    say(table(rows))
    say(f"\n{config}: no faults, nothing was started")
    if as_json:
        print_json({"ok": True, "faults": [], "warnings": plan.warnings, "exit_code": 0})
    return 0
