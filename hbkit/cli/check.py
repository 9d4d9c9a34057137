"""`hbkit check CONFIG`: every fault at once, with file, line, column and the mend; sends nothing unless told to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hbkit.cli.output import print_json, say, table
from hbkit.config import MODES, load_config
from hbkit.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from hbkit.model import Instrument
    from hbkit.plugins import Plugins
    from hbkit.run import Plan


@click.command("check", short_help="Find every fault of a config; sends nothing.")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--mode", type=click.Choice(MODES), help="Check it for this mode.")
@click.option("--set", "overrides", metavar="PATH=VALUE", multiple=True, help="Override a value of the config.")
@click.option("--connect", is_flag=True, help="Ask its exchanges too: markets, clock, key; no orders.")
@click.option("--exchange", metavar="NAME", help="What would change on this exchange; BLOCK=NAME for one of several.")
@click.option("--json", "as_json", is_flag=True, help="Print the faults as one JSON object on the last line.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def command(
    config: Path,
    mode: str | None,
    overrides: tuple[str, ...],
    connect: bool,
    exchange: str | None,
    as_json: bool,
    debug: bool,
) -> int:
    """Check CONFIG to the end and say what it would run."""
    try:
        loaded = load_config(config, overrides=overrides, environ=os.environ)

        from hbkit.plugins import Plugins
        from hbkit.run import make_plan

        plugins = Plugins(block=loaded.settings.plugins.block)
        plan = make_plan(loaded, plugins, mode, may_ask=connect)
        plan.warnings.extend(plan.read_data())
        for warning in plan.warnings:
            say(warning, err=True)
        if exchange is not None:
            return _move(plan, plugins, exchange, connect=connect, as_json=as_json)
    except ConfigError as error:
        if not as_json:
            raise
        return _faulty(error)
    say(_table(plan))
    contacted: list[dict[str, object]] = []
    if connect:
        try:
            from hbkit.cli.contacting import ask_all

            contacted = ask_all(plan, debug=debug)
        except ConfigError as error:
            if not as_json:
                raise
            return _faulty(error)
    else:
        say(f"\n{config}: no faults, nothing was started")
    if as_json:
        more = {"exchanges": contacted} if connect else {}
        markets = [_market(plan, one.name, market) for one in plan.strategies for market in one.markets]
        print_json({
            "ok": True, "faults": [], "warnings": plan.warnings, "markets": markets, **more, "exit_code": 0,
        })  # fmt: skip
    return 0


def _market(plan: Plan, strategy: str, market: Instrument) -> dict[str, str]:
    from hbkit.model.instrument import plain

    return {
        "strategy": strategy,
        "exchange": market.exchange,
        "mode": plan.exchanges[market.exchange].mode,
        "symbol": market.symbol,
        "unified": market.unified,
        "qty_counts": market.unit_text,
        "tick": plain(market.tick_size),
        "lot": plain(market.lot_size),
        "least": market.least_text,
    }


def _faulty(error: ConfigError) -> int:
    from hbkit.cli.moving import fault_values

    say(str(error), err=True)
    faults = [fault_values(one) for one in error.faults]
    print_json({"ok": False, "faults": faults, "exit_code": error.exit_code})
    return error.exit_code


def _table(plan: Plan) -> str:
    from hbkit.model.instrument import plain

    rows = [("strategy", "exchange", "mode", "instrument", "qty counts", "tick", "lot", "least")]
    for strategy in plan.strategies:
        for market in strategy.markets:
            mode_name = plan.exchanges[market.exchange].mode
            rows.append(
                (strategy.name, market.exchange, mode_name, f"{market.symbol} ({market.unified})", market.unit_text,
                 plain(market.tick_size), plain(market.lot_size), market.least_text)
            )  # fmt: skip
    return table(rows)


def _move(plan: Plan, plugins: Plugins, name: str, *, connect: bool, as_json: bool) -> int:
    """What would change on another exchange."""
    from hbkit.cli.moving import show
    from hbkit.run.listing import FOLDER, Asking
    from hbkit.run.moving import block_of, moved

    try:
        block, wanted = block_of(plan, name)
    except ValueError as error:
        raise UsageError(f"--exchange: {error}") from None
    asking = Asking(
        may_ask=connect,
        folder=Path(plan.config.settings.state.dir) / FOLDER,
        warn=lambda text: say(f"warning[HB442] {text}", err=True),
    )
    return show(moved(plan, block, plugins.exchange(wanted), asking), as_json=as_json)
