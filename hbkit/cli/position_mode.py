"""`hbkit position-mode EXCHANGE [MODE]`: shows the account's position mode, or switches it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hbkit.cli.asking import Asked, ask, clean, exchange_options, plan
from hbkit.cli.output import print_json, say
from hbkit.errors import ExchangeError, UsageError
from hbkit.model.enums import PositionMode

if TYPE_CHECKING:
    from hbkit.model import PositionModeChange
    from hbkit.run.visit import Visit

_SPELLINGS = {"oneway": PositionMode.ONE_WAY, "one-way": PositionMode.ONE_WAY}


@click.command("position-mode", short_help="Show or switch the account's position mode.")
@exchange_options
@click.argument("mode", required=False)
def command(asked: Asked, mode: str | None, as_json: bool) -> int:
    """Show the position mode of the account at EXCHANGE, or switch it to MODE: one_way or hedge."""
    wanted = _mode(mode)
    if wanted is not None and asked.config is None and asked.url is None:
        raise UsageError("say which account: --config FILE (its block of that name) or --url BASE of a simulator")
    found = plan(asked)
    if wanted is not None:
        from hbkit.run.position_mode import check_switch, traded

        check_switch(found, wanted, traded(found, asked.config))

    async def work(there: Visit) -> tuple[PositionMode, PositionModeChange | None]:
        change = await there.switch_mode(wanted) if wanted is not None else None
        return there.exchange.position_mode, change

    now, change = ask(asked, found, work, account=True)
    if change is not None and change.refused:
        raise ExchangeError(
            f"{found.name} stays in {now} mode ({clean(change.reason)}); cancel open orders and close isolated "
            "positions first, `hbkit flatten` does both",
            code="HB420",
        )
    if as_json:
        previous = change.previous if change is not None else now
        print_json({"exchange": found.name, "from": asked.where, "mode": now.value, "previous": previous.value})
    else:
        say(f"{found.name} ({asked.where}): {now}")
    return 0


def _mode(word: str | None) -> PositionMode | None:
    if word is None:
        return None
    try:
        return _SPELLINGS.get(word.lower()) or PositionMode(word.lower())
    except ValueError:
        raise UsageError(f'"{word}" is no position mode; it is one of {", ".join(PositionMode)}') from None
