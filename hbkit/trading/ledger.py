"""Books kept from executions alone: positions per leg, and realized profit, fees and funding per settlement currency.

One ledger stands for an account, one for each strategy. An execution is applied once, in whatever order executions
arrive: orders never move a position by themselves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from hbkit.model import Execution, ExecutionKind, Instrument, Legs, PositionMode

Reference = Callable[[Instrument], float | None]


class Ledger:
    """Positions and money moved, in units and minor units."""

    def __init__(self) -> None:
        self.legs = Legs()
        self.realized: dict[str, int] = defaultdict(int)
        self.fees: dict[str, int] = defaultdict(int)
        self.funding: dict[str, int] = defaultdict(int)

    def apply(self, execution: Execution) -> int:
        """Book an execution; returns the profit it realized, gross of fees."""
        instrument = execution.instrument
        code = instrument.settle.code
        if execution.kind is ExecutionKind.FUNDING:
            self.funding[code] -= execution.fee
            return 0
        leg = self.legs.get(instrument, execution.position_side)
        realized = leg.apply(execution.units * execution.side.sign, execution.cost)
        self.realized[code] += realized
        self.fees[code] += execution.fee
        return realized

    def begin(self) -> None:
        """Count money from here on: positions stay, with what they cost."""
        self.realized.clear()
        self.fees.clear()
        self.funding.clear()

    def unrealized(self, reference: Reference) -> dict[str, int]:
        """Open profit per settlement currency; spot holdings count at the reference price as well."""
        total: dict[str, int] = defaultdict(int)
        for _, leg in self.legs:
            price = reference(leg.instrument) if leg.units else None
            if price is not None:
                total[leg.instrument.settle.code] += leg.unrealized(price)
        return total

    def rekey(self, mode: PositionMode) -> None:
        """Follow a switch of the account's position mode."""
        for instrument, realized in self.legs.rekey(mode).items():
            self.realized[instrument.settle.code] += realized
