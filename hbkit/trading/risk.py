"""Caps that an order must pass before it is written down: position, size, orders per minute."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from decimal import Decimal

from hbkit.clock import MINUTE
from hbkit.model import Instrument, Side


@dataclass(frozen=True)
class RiskLimits:
    """What the config's `risk` says; None means no cap. Quantities are in the instrument's unit of qty."""

    max_position: Decimal | None = None
    max_order_qty: Decimal | None = None
    max_orders_per_minute: int | None = None
    max_drawdown: Decimal | None = None
    """Part of the highest equity, in any currency; it ends the run and is watched by the session."""


class RiskGate:
    """Answers whether an order may go out; each refusal names the cap, what stands and what was asked."""

    def __init__(self, limits: RiskLimits) -> None:
        self.limits = limits
        self._sent: deque[int] = deque()

    def refusal(self, instrument: Instrument, side: Side, units: int, exposure: int, ts: int) -> str:
        """Why an order of `units` is held back, the empty text if it may go.

        :param exposure: signed units of the position with everything that is open or in flight on this side, orders in
            state UNKNOWN counted as if filled.
        """
        limits = self.limits
        if limits.max_order_qty is not None and instrument.unit_size * units > limits.max_order_qty:
            return f"risk.max_order_qty is {limits.max_order_qty}, this order is {instrument.qty_text(units)}"
        after = exposure + units * side.sign
        grows = abs(after) > abs(exposure) or (after > 0) != (exposure > 0)
        if limits.max_position is not None and grows and instrument.unit_size * abs(after) > limits.max_position:
            return (
                f"risk.max_position is {limits.max_position}, with this order {instrument} could reach "
                f"{instrument.qty_text(after)}"
            )
        return self._rate_refusal(ts)

    def sent(self, ts: int) -> None:
        """Count an order that goes out."""
        if self.limits.max_orders_per_minute is not None:
            self._sent.append(ts)

    def _rate_refusal(self, ts: int) -> str:
        limit = self.limits.max_orders_per_minute
        if limit is None:
            return ""
        while self._sent and self._sent[0] <= ts - MINUTE:
            self._sent.popleft()
        return f"risk.max_orders_per_minute is {limit}" if len(self._sent) >= limit else ""
