"""Caps that an order must pass before it is written down: position, size, orders per minute."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from hbkit.clock import MINUTE
from hbkit.model import Instrument, Side


@dataclass(frozen=True)
class QtyLimits:
    """What the config says for one exchange, in place of what it says for all; None where it says nothing."""

    max_position: Decimal | None = None
    max_order_qty: Decimal | None = None


@dataclass(frozen=True)
class RiskLimits:
    """What the config's `risk` says; None means no cap. Quantities are in the instrument's unit of qty."""

    max_position: Decimal | None = None
    max_order_qty: Decimal | None = None
    max_orders_per_minute: int | None = None
    max_drawdown: Decimal | None = None
    """Part of the highest equity; it ends the run and is watched by the session."""
    exchanges: Mapping[str, QtyLimits] = field(default_factory=dict)
    """Caps of single exchanges, whose instruments may count in another unit."""

    def cap(self, name: str, exchange: str) -> tuple[str, Decimal | None]:
        """The key of a cap on quantities that is in force at an exchange, and its value."""
        own: Decimal | None = getattr(self.exchanges.get(exchange), name, None)
        if own is not None:
            return f"exchanges.{exchange}.risk.{name}", own
        limit: Decimal | None = getattr(self, name)
        return f"risk.{name}", limit


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
        key, limit = self.limits.cap("max_order_qty", instrument.exchange)
        if limit is None or instrument.unit_size * units <= limit:
            return ""
        return f"{key} is {limit}, this order is {instrument.qty_text(units)}"

    def growth_refusal(self, instrument: Instrument, side: Side, units: int, exposure: int) -> str:
        """Why the exposure may not grow by `units`; what reduces it is never held back."""
        key, limit = self.limits.cap("max_position", instrument.exchange)
        after = exposure + units * side.sign
        grows = abs(after) > abs(exposure) or (after > 0) != (exposure > 0)
        if limit is None or not grows or instrument.unit_size * abs(after) <= limit:
            return ""
        return f"{key} is {limit}, with this order {instrument} could reach {instrument.qty_text(after)}"

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
