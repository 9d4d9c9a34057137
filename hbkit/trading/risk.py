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
        """Why a new order of `units` is held back, the empty text if it may go.

        :param exposure: signed units of the position with everything that is open or in flight on this side, orders in
            state UNKNOWN counted as if filled.
        """
        return self.size_refusal(instrument, units) or self.room_refusal(instrument, side, units, exposure, ts)

    def room_refusal(self, instrument: Instrument, side: Side, units: int, exposure: int, ts: int) -> str:
        """As `refusal`, for what passes with time: the position and the orders of the last minute."""
        return self.growth_refusal(instrument, side, units, exposure) or self._rate_refusal(ts)

    def size_refusal(self, instrument: Instrument, units: int) -> str:
        """Why an order may not have `units` in all."""
        limit = self.limits.max_order_qty
        if limit is None or instrument.unit_size * units <= limit:
            return ""
        return f"risk.max_order_qty is {limit}, this order is {instrument.qty_text(units)}"

    def growth_refusal(self, instrument: Instrument, side: Side, units: int, exposure: int) -> str:
        """Why the exposure may not grow by `units`; what reduces it is never held back."""
        limit = self.limits.max_position
        after = exposure + units * side.sign
        grows = abs(after) > abs(exposure) or (after > 0) != (exposure > 0)
        if limit is None or not grows or instrument.unit_size * abs(after) <= limit:
            return ""
        return f"risk.max_position is {limit}, with this order {instrument} could reach {instrument.qty_text(after)}"

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
