"""`hbkit orders EXCHANGE`: every open order of the account, whoever sent it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hbkit.cli.asking import Asked, aligned, ask, clean, exchange_options, plan
from hbkit.cli.output import print_json, say
from hbkit.clock import iso

if TYPE_CHECKING:
    from hbkit.model import OrderReport
    from hbkit.run.visit import Visit


@click.command("orders", short_help="The account's open orders.")
@exchange_options
def command(asked: Asked, as_json: bool) -> int:
    """Show the open orders of the account at EXCHANGE, oldest first, also those of others."""
    found = plan(asked)

    async def read(there: Visit) -> list[OrderReport]:
        return sorted(await there.exchange.open_orders(), key=lambda report: report.ts)

    reports = ask(asked, found, read, account=True)
    values = [_values(report) for report in reports]
    if as_json:
        print_json({"exchange": found.name, "from": asked.where, "orders": values})
        return 0
    if not reports:
        say(f"no open orders at {found.name} ({asked.where})")
        return 0
    rows = [("time (UTC)", "instrument", "side", "qty", "filled", "price", "status", "id")]
    for one in values:
        when = str(one["ts"])[:19].replace("T", " ")
        price = one["price"] or "market"
        name = one["id"] or one["exchange_id"]
        side = one["side"] if one["position_side"] == "net" else f"{one['side']} {one['position_side']}"
        rows.append((when, one["instrument"], side, one["qty"], one["filled"], price, one["status"], clean(name)))
    say(aligned(rows, left=(0, 1, 2, 6, 7)))
    return 0


def _values(report: OrderReport) -> dict[str, str]:
    instrument = report.instrument
    return {
        "ts": iso(report.ts),
        "instrument": instrument.symbol,
        "side": report.side.value,
        "position_side": report.position_side.value,
        "qty": instrument.qty_text(report.units),
        "filled": instrument.qty_text(report.filled_units),
        "price": "" if report.ticks is None else instrument.price_text(report.ticks),
        "status": report.status.value,
        "id": report.id,
        "exchange_id": report.exchange_id,
    }
