"""`hbkit position-mode EXCHANGE [MODE]`: shows the account's position mode, or asks the exchange for the other one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hbkit.cli.asking import Asked, ask, clean, exchange_options, plan
from hbkit.cli.output import print_json, say
from hbkit.errors import ExchangeError, UsageError
from hbkit.model import PositionMode

if TYPE_CHECKING:
    from hbkit.model import PositionModeChange
    from hbkit.run.plan import ExchangePlan
    from hbkit.run.visit import Visit


@click.command("position-mode", short_help="The account's position mode: one-way or hedge.")
@exchange_options
@click.argument("mode", required=False, type=click.Choice([one.value for one in PositionMode]))
def command(asked: Asked, mode: str | None, as_json: bool) -> int:
    """Show the position mode of the account at EXCHANGE; with one_way or hedge, switch to it.

    The exchange refuses a switch while there are open orders or isolated positions.
    """
    if mode is not None and asked.config is None and asked.url is None:
        raise UsageError("say which account: --config FILE (its block of that name) or --url BASE of a simulator")
    found = plan(asked)
    if mode is None:

        async def read(there: Visit) -> PositionMode:
            return there.exchange.position_mode

        _say(found, asked, ask(asked, found, read, account=True), as_json=as_json)
        return 0
    change = _switched(asked, found, PositionMode(mode))
    if change.refused:
        raise ExchangeError(
            f"{found.name} ({asked.where}) stays in {change.mode} mode: {clean(change.reason)}", code="HB420"
        )
    _say(found, asked, change.mode, as_json=as_json, previous=change.previous)
    return 0


def _switched(asked: Asked, found: ExchangePlan, mode: PositionMode) -> PositionModeChange:
    from hbkit.run.position_mode import check_switch, switched, traded

    check_switch(found, mode, traded(found, asked.config))

    async def work(there: Visit) -> PositionModeChange:
        return await switched(there, mode)

    return ask(asked, found, work, account=True)


def _say(
    found: ExchangePlan, asked: Asked, mode: PositionMode, *, as_json: bool, previous: PositionMode | None = None
) -> None:
    if as_json:
        print_json({
            "exchange": found.name, "from": asked.where, "position_mode": mode.value,
            "previous": (previous or mode).value,
        })  # fmt: skip
        return
    was = f", was {previous}" if previous not in (None, mode) else ""
    say(f"{found.name} ({asked.where}): position mode {mode}{was}")
