"""An order inside the engine: the only object in the market that is an account's; everything outside is a size."""

from __future__ import annotations

from hbkit.model import OrderRequest, OrderStatus, OrderType, TimeInForce

UNKNOWN_SIZE = 1 << 60
"""Stands for a size nobody recorded: as a quantity ahead it is never worked off, as liquidity it never runs out."""


class EngineOrder:
    """Mutable; owned by the engine. `account` is its owner's name, `ahead` is the outside quantity that
    stands before it in its level's queue, `entered` its place among all orders that ever came.

    One with a trigger has the status UNTRIGGERED until `trigger` is reached, and nothing that may fill. Of one with
    `display`, `slice` is what is left of the part that stands in the queue; 0 hides the order whole.
    """

    __slots__ = (
        "account",
        "ahead",
        "arrived",
        "display",
        "entered",
        "exchange_id",
        "filled",
        "is_reached",
        "released_at",
        "request",
        "sequence",
        "side",
        "slice",
        "status",
        "ticks",
        "trail",
        "trailed_from",
        "trigger",
        "triggered",
        "units",
    )

    def __init__(self, account: str, request: OrderRequest, exchange_id: str, arrived: int) -> None:
        self.account = account
        self.request = request
        self.exchange_id = exchange_id
        self.arrived = arrived
        self.sequence = UNKNOWN_SIZE
        self.side = request.side.sign
        self.ticks = request.ticks
        self.units = request.units
        self.filled = 0
        self.ahead = UNKNOWN_SIZE
        self.status = OrderStatus.PENDING
        self.entered = 0
        self.display = request.display_units
        self.slice = 0
        self.trigger = request.trigger_ticks
        self.trail = request.trail_ticks
        self.trailed_from: float | None = None
        """The price that a trailing trigger was set by last."""
        self.is_reached = False
        """The price has been at the trigger; the order is let in when the moment is over."""
        self.triggered = False
        self.released_at: int | None = None
        """Ticks at which a candle that reached the trigger lets the order trade; None where prints follow."""

    @property
    def leaves(self) -> int:
        """Units that may fill as things stand: 0 once the order is done, and 0 until it is triggered."""
        idle = self.status is OrderStatus.UNTRIGGERED or self.status.is_final
        return 0 if idle else self.units - self.filled

    @property
    def shown(self) -> int:
        """Units that others see in the book."""
        return min(self.slice, self.leaves) if self.display is not None else self.leaves

    @property
    def offer(self) -> int:
        """Units that stand at its place in the queue: the shown part, or all of what is not shown at all."""
        return min(self.slice, self.leaves) if self.display else self.leaves

    @property
    def is_market(self) -> bool:
        """True for an order without a price."""
        return self.request.type is OrderType.MARKET

    @property
    def is_immediate(self) -> bool:
        """True for an order that never rests."""
        return self.is_market or self.request.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)

    @property
    def eagerness(self) -> tuple[int, bool, int]:
        """Sorts the most aggressive first: market orders, then by price, then what is shown, then by place."""
        return (-UNKNOWN_SIZE if self.ticks is None else -self.ticks * self.side, self.display == 0, self.sequence)

    def work_off(self, units: int) -> None:
        """Outside units at its level went; what nobody knows is never worked off."""
        if self.ahead < UNKNOWN_SIZE:
            self.ahead = max(0, self.ahead - units)

    def reaches(self, ticks: int) -> bool:
        """True when the order may trade at `ticks`."""
        return self.ticks is None or (self.ticks - ticks) * self.side >= 0
