"""`hbkit book EXCHANGE SYMBOL`: the order book at this moment."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

import click

from hbkit.cli.asking import Asked, aligned, ask, exchange_options, grid_text, plan
from hbkit.cli.output import print_json, say
from hbkit.clock import iso

if TYPE_CHECKING:
    from hbkit.model import Instrument
    from hbkit.run.visit import BookTop, Visit

DEPTH = 10


@click.command("book", short_help="The order book at this moment.")
@exchange_options
@click.argument("symbol")
@click.option("--depth", type=click.IntRange(1, 1000), default=DEPTH, show_default=True, help="Levels of each side.")
def command(asked: Asked, symbol: str, depth: int, as_json: bool) -> int:
    """Show the best bids and asks of SYMBOL, as deep as the exchange tells."""
    from hbkit.run.visit import instrument_of

    found = plan(asked)
    instrument = instrument_of(found, symbol)  # a wrong symbol is told before anything is started

    async def read(there: Visit) -> BookTop:
        return await there.book(await there.market(symbol), depth)

    top = ask(asked, found, read)
    if as_json:
        print_json({
            "exchange": found.name, "from": asked.where, "symbol": instrument.symbol, "unified": instrument.unified,
            "ts": iso(top.ts), "qty_counts": instrument.unit_text,
            "bids": _levels(instrument, top.bids), "asks": _levels(instrument, top.asks),
        })  # fmt: skip
        return 0
    say(f"{instrument} ({instrument.unified}) at {found.name}, {iso(top.ts)[:19].replace('T', ' ')} UTC\n")
    say(_table(instrument, top))
    say(f"\n{_spread(instrument, top)}; qty counts {instrument.unit_text}")
    return 0


def _levels(instrument: Instrument, levels: list[tuple[int, int]]) -> list[dict[str, str]]:
    return [
        {"price": instrument.price_text(ticks), "qty": instrument.qty_text(units)} for ticks, units in levels
    ]


def _table(instrument: Instrument, top: BookTop) -> str:
    def cells(level: tuple[int, int] | None) -> tuple[str, str]:
        if level is None:
            return "", ""
        ticks, units = level
        return (
            grid_text(instrument.tick_size * ticks, instrument.tick_size),
            grid_text(instrument.unit_size * units, instrument.lot_size),
        )

    rows = [("bid qty", "bid", "ask", "ask qty")]
    for bid, ask_ in zip_longest(top.bids, top.asks):
        price, qty = cells(bid)
        rows.append((qty, price, *cells(ask_)))
    return aligned(rows)


def _spread(instrument: Instrument, top: BookTop) -> str:
    if not top.bids or not top.asks:
        return "one side is empty"
    bid, ask_ = top.bids[0][0], top.asks[0][0]
    bps = (ask_ - bid) / ((ask_ + bid) / 2) * 10_000
    return f"spread {instrument.price_text(ask_ - bid)} {instrument.quote} ({bps:.2f} bps)"
