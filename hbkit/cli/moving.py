"""What `hbkit check CONFIG --exchange NAME` prints: an exchange block here, and another exchange in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hbkit.cli.output import print_json, say, table
from hbkit.errors import ConfigError

if TYPE_CHECKING:
    from hbkit.errors import Fault
    from hbkit.model import Instrument
    from hbkit.run.moving import Market, Move, Quantity

IMPOSSIBLE = ConfigError.exit_code


def show(move: Move, *, as_json: bool) -> int:
    """Print it; returns the exit code: 0 where the config could move, 2 where something stands against it."""
    code = IMPOSSIBLE if move.faults else 0
    say(f"{move.block}: {move.here.spec.name} ({move.here.mode}) -> {move.there.spec.name} ({move.there.mode})")
    for market in move.markets:
        say("\n" + _market(market))
    if move.changes:
        say("\nto change and to know:")
        for text in move.changes:
            say(f"  {text}")
    for fault in move.faults:
        say(str(fault), err=True)
    if move.faults:
        say(f"\n{len(move.faults)} fault{'s' if len(move.faults) > 1 else ''} against it; nothing was changed")
    else:
        say("\nnothing stands against it; nothing was changed and nothing was traded")
    if as_json:
        print_json({**_values(move), "exit_code": code})
    return code


def _market(market: Market) -> str:
    here, there = market.here, market.there
    if there is None:
        return f"{market.strategy}: {here.symbol} ({here.unified}) has nothing in its place"
    how = "the same unified symbol" if market.is_same else "what comes closest"
    head = f"{market.strategy}: {here.symbol} -> {there.symbol} ({how})"
    rows = [("", "", "here", "there")]
    rows += [("  *" if row.changes else "", row.name, row.here, row.there) for row in market.rows]
    for one in market.quantities:
        rows.append(("  *" if one.here != one.there else "", f"{one.path} {one.value}", one.here, _there(one)))
    return f"{head}\n{table(rows)}"


def _there(one: Quantity) -> str:
    alike = f"; as much as here: {one.alike}" if one.alike else ""
    return f"{one.there}{alike}" + (f"; {one.problem}" if one.problem else "")


# -- for programs


def _values(move: Move) -> dict[str, object]:
    return {
        "ok": not move.faults,
        "block": move.block,
        "here": {"exchange": move.here.spec.name, "mode": move.here.mode},
        "there": {"exchange": move.there.spec.name, "mode": move.there.mode},
        "markets": [_market_values(one) for one in move.markets],
        "changes": move.changes,
        "faults": [fault_values(one) for one in move.faults],
    }


def _market_values(market: Market) -> dict[str, object]:
    return {
        "strategy": market.strategy,
        "here": _names(market.here),
        "there": None if market.there is None else _names(market.there),
        "match": "none" if market.there is None else "same" if market.is_same else "nearest",
        "rows": [{"name": one.name, "here": one.here, "there": one.there} for one in market.rows],
        "quantities": [
            {"path": one.path, "value": one.value, "here": one.here, "there": one.there,
             "alike": one.alike or one.value, "problem": one.problem or None}
            for one in market.quantities
        ],
    }  # fmt: skip


def _names(one: Instrument) -> dict[str, str]:
    return {"symbol": one.symbol, "unified": one.unified}


def fault_values(one: Fault) -> dict[str, object]:
    """A fault as programs read it."""
    return {
        "code": one.code, "severity": one.severity, "file": one.file, "line": one.line, "column": one.column,
        "message": one.message,
    }  # fmt: skip
