"""Books kept from executions alone: positions per leg, and realized profit, fees and funding per settlement currency.

One ledger stands for an account, one for each strategy. An execution is applied once, and the books are the same in
whatever order executions arrive: one that comes late, out of a gap, is put in its place. Orders never move a position
by themselves.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from typing import NamedTuple

from hbkit.model import Currency, Execution, ExecutionKind, Instrument, Leg, Legs, PositionMode, PositionSide

Reference = Callable[[Instrument], float | None]
_REMEMBERED = 1_000
"""Executions of a leg before which a late one can still be put."""


class _Step(NamedTuple):
    """An execution that was applied, and how the leg stood before it."""

    execution: Execution
    units: int
    cost: int
    realized: int


class Ledger:
    """Positions and money moved, in units and minor units.

    Money is kept by currency and not by its code: a minor USDT need not be the same at two exchanges.
    """

    def __init__(self) -> None:
        self.legs = Legs()
        self.realized: dict[Currency, int] = defaultdict(int)
        self.fees: dict[Currency, int] = defaultdict(int)
        self.funding: dict[Currency, int] = defaultdict(int)
        self._steps: dict[tuple[Instrument, PositionSide], deque[_Step]] = {}

    def apply(self, execution: Execution) -> int:
        """Book an execution; returns the profit it realized, gross of fees."""
        instrument = execution.instrument
        currency = instrument.settle
        if execution.kind is ExecutionKind.FUNDING:
            self.funding[currency] -= execution.fee
            return 0
        self.fees[currency] += execution.fee
        if execution.kind is ExecutionKind.INSURANCE:
            return 0
        leg = self.legs.get(instrument, execution.position_side)
        steps = self._steps.setdefault((instrument, execution.position_side), deque(maxlen=_REMEMBERED))
        later: list[Execution] = []
        while steps and steps[-1].execution.ts > execution.ts:
            step = steps.pop()
            leg.units, leg.cost = step.units, step.cost
            leg.realized -= step.realized
            self.realized[currency] -= step.realized
            later.append(step.execution)
        realized = self._take(leg, steps, execution)
        while later:
            self._take(leg, steps, later.pop())
        return realized

    def _take(self, leg: Leg, steps: deque[_Step], execution: Execution) -> int:
        units, cost = leg.units, leg.cost
        realized = leg.apply(execution.units * execution.side.sign, execution.cost)
        self.realized[leg.instrument.settle] += realized
        steps.append(_Step(execution, units, cost, realized))
        return realized

    def begin(self) -> None:
        """Count money from here on: positions stay, with what they cost."""
        self._steps.clear()
        self.realized.clear()
        self.fees.clear()
        self.funding.clear()

    def unrealized(self, reference: Reference) -> dict[Currency, int]:
        """Open profit per settlement currency; spot holdings count at the reference price as well."""
        total: dict[Currency, int] = defaultdict(int)
        for _, leg in self.legs:
            price = reference(leg.instrument) if leg.units else None
            if price is not None:
                total[leg.instrument.settle] += leg.unrealized(price)
        return total

    def rekey(self, mode: PositionMode) -> None:
        """Follow a switch of the account's position mode."""
        self._steps.clear()
        for instrument, realized in self.legs.rekey(mode).items():
            self.realized[instrument.settle] += realized
