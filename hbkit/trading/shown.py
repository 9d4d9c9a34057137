"""The order book as a strategy gets it: the exchange's own, to be read only.

It is not a copy: it shows what the exchange has now. What would change it for everybody raises.
"""

from __future__ import annotations

from typing import NoReturn

from hbkit.errors import StrategyError
from hbkit.model import OrderBook, Side


class ShownBook(OrderBook):
    """Reads like the book that it shows."""

    __slots__ = ("_of",)

    def __init__(self, book: OrderBook) -> None:
        self._of = book
        self.instrument = book.instrument
        self._bids = book._bids  # the very levels, so that reading costs what it costs
        self._asks = book._asks

    @property
    def ts(self) -> int:  # type: ignore[override]
        """When it changed last, ns."""
        return self._of.ts

    def __repr__(self) -> str:
        return f"OrderBook({self.instrument}, bid={self.best_bid}, ask={self.best_ask})"

    def shows(self, book: OrderBook) -> bool:
        """Whether it is the view of this book."""
        return self._of is book

    def prices(self, side: Side) -> list[int]:
        """The prices of one side in ticks, ascending; a list of your own."""
        return list(super().prices(side))

    def set(self, side: Side, ticks: int, units: int) -> NoReturn:
        """Not a strategy's to do."""
        raise _refusal("set", side, ticks, units)

    def clear(self, side: Side | None = None) -> NoReturn:
        """Not a strategy's to do."""
        raise _refusal("clear", side)


def _refusal(call: str, *arguments: object) -> StrategyError:
    given = ", ".join(str(one) for one in arguments if one is not None)
    return StrategyError(
        f"book.{call}({given}): the book is the exchange's, and everybody reads it; copy what you need with bids() and "
        "asks()",
        code="HB305",
    )
