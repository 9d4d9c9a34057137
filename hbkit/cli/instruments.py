"""`hbkit instruments EXCHANGE`: what can be traded, what a quantity counts, grid and fees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hbkit.cli.asking import Asked, aligned, ask, decimal_text, exchange_options, plan
from hbkit.cli.output import print_json, say

if TYPE_CHECKING:
    from hbkit.model import Instrument
    from hbkit.run.plan import ExchangePlan
    from hbkit.run.visit import Visit


@click.command("instruments", short_help="What an exchange trades: symbols, units, grid and fees.")
@exchange_options
@click.option("--all", "every", is_flag=True, help="With --url or --config: also what is not listed there now.")
def command(asked: Asked, every: bool, as_json: bool) -> int:
    """List the instruments of EXCHANGE.

    By themselves they come from the plugin and nothing is sent; --url or --config asks which are listed there now.
    Those of an exchange behind a bridge are asked for and kept, so that `check` knows them without a network.
    """
    from hbkit.run.visit import served

    found = plan(asked, afresh=True)
    known = served(found)
    if asked.url is None and asked.config is None:
        return _show(known, None, _packaged(found), as_json)

    async def listed(there: Visit) -> list[str]:
        return await there.exchange.listed()

    names = ask(asked, found, listed)
    shown = [one for one in known if every or one.symbol in names]
    source = f"{found.name} ({asked.where}), which was asked now"
    code = _show(shown, frozenset(names), source, as_json)
    if not as_json:
        if len(shown) < len(known):
            say(f"{len(known) - len(shown)} more are known and not listed there now; --all shows them")
        if strange := sorted(set(names) - set(found.instruments)):
            say(f"listed there and not known to the plugin: {', '.join(strange)}")
    return code


def _show(instruments: list[Instrument], listed: frozenset[str] | None, source: str, as_json: bool) -> int:
    if as_json:
        print_json({"from": source, "instruments": [_values(one, listed) for one in instruments]})
        return 0
    rows = [("symbol", "unified", "listed", "kind", "qty counts", "tick", "lot", "least", "maker", "taker")]
    for one in instruments:
        here = "" if listed is None else "yes" if one.symbol in listed else "no"
        rows.append(
            (one.symbol, one.unified, here, one.kind.value, one.unit_text, decimal_text(one.tick_size),
             decimal_text(one.lot_size), one.least_text, f"{one.maker_fee * 100:f} %", f"{one.taker_fee * 100:f} %")
        )  # fmt: skip
    if listed is None:
        rows = [(*row[:2], *row[3:]) for row in rows]  # type: ignore[misc]
    say(aligned(rows, left=range(5 if listed is not None else 4)))
    say(f"\n{len(instruments)} instruments of {source}")
    return 0


def _packaged(found: ExchangePlan) -> str:
    """Where rows come from that nobody was asked for."""
    from hbkit.plugins import Plugins

    if found.spec.lister:
        return f"{found.spec.name}, which was asked now" if found.feed != "simulator" else found.spec.name
    entry = Plugins().installed.get(found.spec.name)
    rows = found.spec.facts.get("instrument rows", "")
    origin = entry.origin if entry is not None else f"the plugin of {found.name}"
    return f"{origin}" + (f", instrument rows {rows}" if rows else "") + "; nothing was sent"


def _values(one: Instrument, listed: frozenset[str] | None) -> dict[str, object]:
    return {
        "symbol": one.symbol,
        "unified": one.unified,
        "kind": one.kind.value,
        "qty_counts": one.unit_text,
        "base": one.base,
        "quote": one.quote,
        "settle": one.settle.code,
        "contract_size": None if one.is_spot else decimal_text(abs(one.multiplier).scaleb(-one.settle.scale)),
        "tick": decimal_text(one.tick_size),
        "lot": decimal_text(one.lot_size),
        "min_qty": decimal_text(max(one.lot_size, one.min_qty or one.lot_size)),
        "min_cost": None if one.min_cost is None else decimal_text(one.min_cost),
        "max_qty": None if one.max_qty is None else decimal_text(one.max_qty),
        "maker_fee": decimal_text(one.maker_fee),
        "taker_fee": decimal_text(one.taker_fee),
        "listed": None if listed is None else one.symbol in listed,
    }
