"""Sorts of orders that a strategy uses and an exchange does not have, and modes that are not there: in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hbkit.exchange import ExchangeSpec
from hbkit.trading.strategy import Strategy
from hbkit.trading.uses import used

REAL = ("simulator", "testnet", "live")
"""Modes in which the venue itself takes the orders; elsewhere hbkit's own engine does, which has all sorts."""
_WORDS = {
    "post_only": "post-only orders",
    "reduce_only": "reduce-only orders",
    "triggers": "orders with a trigger",
    "display_qty": "orders that show a part of themselves",
    "amend": "amending of orders",
    "leverage": "setting of leverage",
    "hedge_mode": "hedge mode",
}


def missing_orders(
    spec: ExchangeSpec, cls: type[Strategy], values: Mapping[str, Any]
) -> Iterator[tuple[str, str, bool]]:
    """What orders of `cls` need and `spec` has not: field of Capabilities, the same in words, whether it is certain.

    :param values: the strategy's parameters.
    """
    offered = spec.capabilities
    for what, certain in sorted(used(cls, Strategy, values).items()):
        word, _, tif = what.partition(" ")
        if (tif in offered.time_in_force) if tif else getattr(offered, what):
            continue
        yield what, f"time_in_force {tif}" if word == "time_in_force" else _WORDS[what], certain


def no_mode(spec: ExchangeSpec, mode: str) -> str:
    """What to say of a mode that an exchange does not have."""
    told = f'{spec.name} has no mode "{mode}"; it has {", ".join(spec.modes)}'
    if mode == "testnet" and "paper" in spec.modes:
        return f"{told}. No sandbox of it is known: mode paper trades on its market without money"
    if mode == "simulator" and "paper" in spec.modes:
        return f"{told}. Its plugin brings no simulator: mode paper fills orders by hbkit's own engine"
    return told
