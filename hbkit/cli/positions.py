"""`hbkit positions EXCHANGE`: every position of the account that is not flat, and what it is worth now."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

import click

from hbkit.cli.asking import Asked, aligned, ask, decimal_text, exchange_options, plan
from hbkit.cli.output import print_json, say

if TYPE_CHECKING:
    from hbkit.exchange import Holding
    from hbkit.run.visit import Visit


@click.command("positions", short_help="The account's positions.")
@exchange_options
def command(asked: Asked, as_json: bool) -> int:
    """Show the open positions of the account at EXCHANGE, with entry, mark and open profit."""
    found = plan(asked)

    async def read(there: Visit) -> list[dict[str, str]]:
        holdings = await there.exchange.positions()
        return [_values(one, await there.price(one.instrument)) for one in holdings]

    rows = ask(asked, found, read, account=True)
    if as_json:
        print_json({"exchange": found.name, "from": asked.where, "positions": rows})
        return 0
    if not rows:
        say(f"flat: no positions at {found.name} ({asked.where})")
        return 0
    table = [("instrument", "side", "qty", "entry", "mark", "open profit", "")]
    table += [
        (one["instrument"], one["side"], one["qty"], one["entry_price"], one["mark_price"] or "?",
         one["unrealized_pnl"] or "?", one["currency"])
        for one in rows
    ]  # fmt: skip
    say(aligned(table, left=(0, 1, 6)))
    return 0


def _values(held: Holding, price: float | None) -> dict[str, str]:
    """One position; `side` says long or short also where the account keeps one leg, whose `qty` is signed."""
    instrument = held.instrument
    entry = instrument.entry_price(held.units, held.cost)
    profit = "" if price is None else instrument.settle.text(instrument.signed_cost(held.units, price) - held.cost)
    return {
        "instrument": instrument.symbol,
        "side": "long" if held.units > 0 else "short",
        "position_side": held.side.value,
        "qty": instrument.qty_text(held.units),
        "entry_price": "" if math.isnan(entry) else _price_text(entry),
        "mark_price": "" if price is None else _price_text(price),
        "unrealized_pnl": profit,
        "currency": instrument.settle.code,
    }


def _price_text(price: float) -> str:
    """A price that need not lie on the grid: a mean, or a mark."""
    return decimal_text(Decimal(f"{price:.12g}"))
