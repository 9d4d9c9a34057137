"""What a case of the contract is: a number, a level, a title, what it needs, and the words of its failure.

    @case("C03", Level.BRONZE, "a print is told once", where=Listener.on_trade, needs=Channel.TRADE)
    async def test_c03_trades(self, stage: Stage) -> None: ...

The decorated method is a plain function that plays the case on a virtual loop of its own: pytest runs it as it stands,
and so does whoever has no pytest. What is not declared or cannot be staged is a `unittest.SkipTest`.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from unittest import SkipTest

from hbkit.exchange import Capabilities, Channel
from hbkit.model import Instrument, TimeInForce


class Level(StrEnum):
    """Bronze is market data, silver is trading, gold is all of it while things go wrong."""

    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"


MEANING = {
    Level.BRONZE: "market data",
    Level.SILVER: "trading",
    Level.GOLD: "both, while things go wrong",
}
"""What each level is about; in the order in which they are reached."""


class NotDeclared(SkipTest):
    """The connector does not declare what the case needs; C39 proves that it refuses it."""


class NotStaged(SkipTest):
    """The venue's handle cannot bring about what the case needs; the grade is not reached with it open."""


class Broken(AssertionError):
    """The contract does not hold: what was expected, what came, where the contract says so."""

    def __init__(self, expected: str, came: str, where: Any) -> None:
        self.expected = expected
        self.came = came
        super().__init__(f"\n  expected: {expected}\n  came:     {came}\n  contract: {place(where)}")

    def __str__(self) -> str:
        return str(self.args[0])


Need = Channel | TimeInForce | str
"""A channel, a time in force, the name of a field of Capabilities, or one of the two below."""
ORDERS = "orders"
"""Any time in force at all."""
POSITIONS = "positions"
"""A position beside the wallet: every kind of instrument but spot."""
_OF_CONTRACTS = (Channel.MARK, Channel.FUNDING, POSITIONS, "reduce_only", "hedge_mode", "leverage")
"""What spot has none of, whatever is declared for other instruments of the same connector."""
CASE_SECONDS = 900.0
"""Virtual seconds after which a case is taken to hang."""


@dataclass(frozen=True)
class Case:
    """One numbered promise."""

    number: str
    level: Level
    title: str
    where: Any
    """The method, class or module whose docstring makes the promise."""
    needs: tuple[Need, ...]
    body: Callable[..., Awaitable[None]]
    seconds: float = CASE_SECONDS
    """Virtual seconds after which it is taken to hang."""

    def missing(self, declared: Capabilities, instrument: Instrument) -> str:
        """What the case needs and is not there, in words; empty when it can be played."""
        for need in self.needs:
            if instrument.is_spot and need in _OF_CONTRACTS:
                return f"spot has no {need}"
            if not has(declared, instrument, need):
                return f"{need} is not declared"
        return ""


def has(declared: Capabilities, instrument: Instrument, need: Need) -> bool:
    """Whether a need is among what a connector declares."""
    if instrument.is_spot and need in _OF_CONTRACTS:
        return False
    if isinstance(need, Channel):
        return need in declared.channels
    if isinstance(need, TimeInForce):
        return need in declared.time_in_force
    if need == ORDERS:
        return bool(declared.time_in_force)
    if need == POSITIONS:
        return True
    if need == "hedge_mode":
        return declared.hedge_mode and instrument.hedge
    return bool(getattr(declared, need))


def case(
    number: str,
    level: Level,
    title: str,
    *,
    where: Any,
    needs: tuple[Need, ...] | Need = (),
    seconds: float = CASE_SECONDS,
) -> Callable[[Callable[..., Awaitable[None]]], Callable[[Any], None]]:
    """Make a case out of a coroutine method that takes a Stage."""
    wanted = needs if isinstance(needs, tuple) else (needs,)

    def number_it(body: Callable[..., Awaitable[None]]) -> Callable[[Any], None]:
        found = Case(number, level, title, where, wanted, body, seconds)

        def play(self: Any) -> None:
            __tracebackhide__ = True
            self.check(found)

        play.__name__ = play.__qualname__ = body.__name__
        play.__doc__ = f"{number} ({level}): {title}."
        play.__module__ = body.__module__
        play.case = found  # type: ignore[attr-defined]
        return play

    return number_it


def place(where: Any) -> str:
    """A place of the contract with its own words: `Listener.on_fill: An execution of ours; ...`."""
    target = where.fget if isinstance(where, property) else where
    module = getattr(target, "__module__", "") or ""
    name = getattr(target, "__qualname__", None)
    said = " ".join((inspect.getdoc(target) or "").split("\n\n")[0].split())
    return f"{module}.{name}: {said}" if name else f"{target}"
