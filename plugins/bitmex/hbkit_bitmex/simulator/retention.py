"""How much a venue keeps of what only grows, so that its memory is flat however long it runs.

A page of a list holds 500 rows at most (protocol 4.1), so what is kept is twenty pages and more. Open orders, positions
and the wallet's history, which has to sum to the balance, are never dropped.
"""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")

EXECUTIONS_KEPT = 10_000
"""Per account."""
ORDERS_KEPT = 5_000
"""Per account, beside those that are open."""
FUNDINGS_KEPT = 20_000
"""Of all contracts: two months, where nearly a hundred of them pay three times a day."""
TRADES_KEPT = 20_000
QUOTES_KEPT = 10_000
"""Of each market, or index."""
QUOTE_BINS_KEPT = 20_000
"""Of each size and market: two weeks of minutes."""
BINS_KEPT = 50_000
"""Of each size and market: a month of minutes."""


def trim(rows: list[T], most: int) -> int:
    """Drop the oldest where there are a tenth too many, which costs little per row; how many went."""
    if len(rows) <= most + most // 10:
        return 0
    gone = len(rows) - most
    del rows[:gone]
    return gone
