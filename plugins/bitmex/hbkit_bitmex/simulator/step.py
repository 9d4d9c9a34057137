"""What one engine step changed, collected by table and handed out in the order of protocol 17.1.

trade, execution, order, position, margin, wallet, orderBookL2, quote, instrument; one frame per table and action.
Candles that closed come before all of these, for they tell of what was before; a funding comes after the executions
that it moved money with, and before the mark that follows it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

Row = dict[str, Any]

TABLES = (
    "tradeBin1m", "tradeBin5m", "tradeBin1h", "tradeBin1d", "quoteBin1m", "quoteBin5m",
    "quoteBin1h", "quoteBin1d", "trade", "execution", "order", "position", "margin",
    "wallet", "transact", "funding", "settlement", "liquidation", "orderBookL2", "orderBookL2_25", "orderBook10",
    "quote", "instrument",
)  # fmt: skip
ACTIONS = ("delete", "update", "insert")
"""18.10.12 has this order for levels; for most other tables it does not matter which comes first."""
ACTIONS_OF = {
    # A switch of the mode takes rows away and brings others; what was opened in this step may change in it as well.
    "position": ("delete", "insert", "update"),
    # The order of the liquidation engine comes and goes within a step.
    "liquidation": ("insert", "update", "delete"),
}


class Update(NamedTuple):
    """Rows of one table and action; of one account where the table is private."""

    table: str
    action: str
    rows: list[Row]
    account: int | None


class Step:
    """The rows of a step while it goes on."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[tuple[str, int | None], list[Row]]] = {}

    def add(self, table: str, action: str, row: Row, account: int | None = None) -> None:
        """One row more."""
        self._rows.setdefault(table, {}).setdefault((action, account), []).append(row)

    def extend(self, table: str, changes: tuple[list[Row], list[Row], list[Row]]) -> None:
        """Deletes, updates and inserts of a public table."""
        for action, rows in zip(ACTIONS, changes, strict=True):
            if rows:
                self._rows.setdefault(table, {}).setdefault((action, None), []).extend(rows)

    def take(self) -> list[Update]:
        """Everything in the order in which it is sent; the step is empty afterwards."""
        rows, self._rows = self._rows, {}
        return [
            Update(table, action, found, account)
            for table in TABLES
            if table in rows
            for (action, account), found in sorted(rows[table].items(), key=_by_account_and_action(table))
        ]


def _by_account_and_action(table: str) -> Callable[[tuple[tuple[str, int | None], list[Row]]], tuple[int, int]]:
    actions = ACTIONS_OF.get(table, ACTIONS)

    def place(item: tuple[tuple[str, int | None], list[Row]]) -> tuple[int, int]:
        (action, account), _ = item
        return account or 0, actions.index(action)

    return place
