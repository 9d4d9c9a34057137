"""`hbkit flatten EXCHANGE`: cancels every order of the account and closes every position, whoever placed them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from hbkit.chance import Chance, fresh_seed
from hbkit.cli.asking import Asked, ask, exchange_options, plan
from hbkit.cli.live import LOOPBACK
from hbkit.cli.output import print_json, say
from hbkit.errors import ExchangeError, UsageError

if TYPE_CHECKING:
    from hbkit.exchange import Holding
    from hbkit.run.flatten import Flattened
    from hbkit.run.plan import ExchangePlan
    from hbkit.run.visit import Visit


@click.command("flatten", short_help="Cancel every order, close every position.")
@exchange_options
@click.option("--yes", is_flag=True, help="Do it without asking, where it is real money.")
def command(asked: Asked, yes: bool, as_json: bool) -> int:
    """Cancel every open order of the account at EXCHANGE and close every position at the market.

    Money that spot trades bought is no position: it is left as it is.
    """
    from hbkit.run.flatten import flatten

    if asked.config is None and asked.url is None:
        raise UsageError("say which account: --config FILE (its block of that name) or --url BASE of a simulator")
    found = plan(asked)
    _ask_first(found, yes=yes)

    async def work(there: Visit) -> Flattened:
        return await flatten(there.exchange, Chance(fresh_seed()))

    done = ask(asked, found, work, account=True)
    if as_json:
        print_json({
            "exchange": found.name, "from": asked.where, "flat": done.is_flat, "orders": done.orders,
            "positions": [_text(one) for one in done.positions], "left_orders": len(done.left_orders),
            "left_positions": [_text(one) for one in done.left_positions],
        })  # fmt: skip
    else:
        closed = ", ".join(_text(one) for one in done.positions) or "none"
        say(f"{found.name} ({asked.where}): {done.orders} orders found, positions found: {closed}")
    if not done.is_flat:
        left = ", ".join([*(_text(one) for one in done.left_positions), *(one.id for one in done.left_orders)])
        raise ExchangeError(f"not everything is gone: {left}; look at the exchange, then try again", code="HB438")
    if not as_json:
        say("flat: no orders, no positions")
    return 0


def _ask_first(found: ExchangePlan, *, yes: bool) -> None:
    """Real money is not moved by a slip of the finger; a simulator is."""
    host = urlsplit(found.settings.rest_url or found.spec.rest_url).hostname or found.host
    if yes or found.feed == "simulator" or host in LOOPBACK:
        return
    question = f"flatten the account of {found.name} at {host}: cancel every order, close every position"
    if not sys.stdin.isatty():
        raise UsageError(f"{question}? Say --yes")
    if input(f"{question}? Type yes: ").strip() != "yes":
        raise UsageError("nothing was done")


def _text(held: Holding) -> str:
    leg = "" if held.side == "net" else f" {held.side}"
    return f"{held.instrument.symbol} {held.instrument.qty_text(held.units)}{leg}"
