"""What a strategy did in a test, and assertions on it that explain themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from hbkit.model.instrument import Number
from hbkit.report.result import FillRow, OrderRow, RunResult
from hbkit.trading.strategy import Strategy


@dataclass(frozen=True)
class Ran:
    """A run that is over."""

    result: RunResult
    """All of it, as `result.json` keeps it."""
    strategy: Strategy
    log: str
    """Lines of the log, from `info` up."""

    @property
    def fills(self) -> Sequence[FillRow]:
        """In the order in which they happened."""
        return [row for row in self.result.fill_rows if row.kind == "trade"]

    @property
    def orders(self) -> Sequence[OrderRow]:
        """In the order in which they were placed."""
        return self.result.order_rows

    @property
    def position(self) -> float:
        """Quantity at the end, signed."""
        return sum(float(row.qty) * (1 if row.side == "buy" else -1) for row in self.fills)

    def assert_fill(self, side: str = "", qty: Number | None = None, price: Number | None = None) -> FillRow:
        """The first fill like this; AssertionError lists the fills there were."""
        fits = [row for row in self.fills if _fits(row, side, qty, price)]
        return fits[0] if fits else self._missing("fill", self.fills, side, qty, price)

    def assert_order(
        self, side: str = "", qty: Number | None = None, price: Number | None = None, status: str = ""
    ) -> OrderRow:
        """The first order like this; AssertionError lists the orders there were."""
        fits = [row for row in self.orders if _fits(row, side, qty, price) and status in ("", row.status)]
        return fits[0] if fits else self._missing("order", self.orders, side, qty, price, status)

    def assert_clean(self) -> None:
        """It ended well, no order was refused, nothing was warned of, and the money adds up."""
        refused = [_words(row) for row in self.orders if row.status == "rejected"]
        warned = [line for line in self.log.splitlines() if "level=warning" in line or "level=error" in line]
        gaps = [f"the books miss {row.currency} by {row.gap}" for row in self.result.money if row.gap]
        result = self.result
        ended = [f"it ended with {result.exit_code}: {result.stop_reason}"] if result.exit_code else []
        faults = [*ended, *refused, *warned, *gaps]
        if faults:
            raise AssertionError("the run was not clean:\n  " + "\n  ".join(faults))

    def _missing(
        self,
        what: str,
        rows: Sequence[FillRow | OrderRow],
        side: str,
        qty: Number | None,
        price: Number | None,
        status: str = "",
    ) -> NoReturn:
        words = [side, "" if qty is None else f"{qty}", "" if price is None else f"at {price}", status]
        wish = " ".join(word for word in words if word) or "any"
        there = "\n  ".join(_words(row) for row in rows) or f"no {what} at all"
        last = f"\nthe log ends with:\n  {self.log.splitlines()[-1]}" if self.log else ""
        raise AssertionError(f"no {what} like: {wish}\nthere were:\n  {there}{last}")


def _fits(row: FillRow | OrderRow, side: str, qty: Number | None, price: Number | None) -> bool:
    return side in ("", row.side) and _same(qty, row.qty) and _same(price, row.price)


def _same(wanted: Number | None, text: str) -> bool:
    return wanted is None or (text != "" and float(wanted) == float(text))


def _words(row: FillRow | OrderRow) -> str:
    price = f"at {row.price}" if row.price else "market"
    if isinstance(row, FillRow):
        return f"{row.side} {row.qty} {row.instrument} {price} ({row.liquidity}, {row.order_id})"
    reason = f": {row.reason}" if row.reason else ""
    return f"{row.side} {row.qty} {row.instrument} {price} {row.status}, {row.filled} filled ({row.id}){reason}"
