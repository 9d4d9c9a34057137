"""When a resting order fills: the three built-in answers, and the contract for others.

The engine asks a fill model only about resting orders. Orders that take liquidity walk the recorded sizes, whichever
model is chosen; what is not recorded is never invented.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class FillModel(Protocol):
    """Says how much of a resting order a market event can fill."""

    @property
    def name(self) -> str:
        """What configs and reports call it."""
        ...

    @property
    def uses_queue(self) -> bool:
        """True when the quantity ahead and the size of each event count; only honest with recorded sizes."""
        ...

    def fillable(self, beyond: bool, leaves: int, offered: int) -> int:
        """Units that may fill when the market trades at the order's price or beyond it.

        :param beyond: True when the market went strictly beyond the order's price.
        :param leaves: what the order still wants.
        :param offered: what is left of the event once the queue ahead was served.
        """
        ...


class Queue:
    """Fill by place in the queue: what stands ahead goes first, and no fill is larger than what was traded."""

    name = "queue"
    uses_queue = True

    def fillable(self, beyond: bool, leaves: int, offered: int) -> int:
        """As much as the event offers."""
        del beyond
        return min(leaves, offered)


class Touch:
    """Fill whole as soon as the market trades at the price: the optimist's bound."""

    name = "touch"
    uses_queue = False

    def fillable(self, beyond: bool, leaves: int, offered: int) -> int:
        """All of it."""
        del beyond, offered
        return leaves


class Through:
    """Fill whole once the market trades beyond the price: the pessimist's bound, the default without sizes."""

    name = "through"
    uses_queue = False

    def fillable(self, beyond: bool, leaves: int, offered: int) -> int:
        """All of it, but only beyond the price."""
        del offered
        return leaves if beyond else 0


BUILT_IN: dict[str, Callable[[], FillModel]] = {"queue": Queue, "touch": Touch, "through": Through}
