"""An order inside the engine: the only object in the market that is an account's; everything outside is a size."""

from __future__ import annotations

from hbkit.model import OrderRequest, OrderStatus, OrderType, TimeInForce

UNKNOWN_SIZE = 1 << 60
"""Stands for a size nobody recorded: as a quantity ahead it is never worked off, as liquidity it never runs out."""


class EngineOrder:
    """Mutable; owned by the engine. `account` is its owner's name, `ahead` is the outside quantity that
    stands before it in its level's queue."""

    __slots__ = (
        "account",
        "ahead",
        "arrived",
        "exchange_id",
        "filled",
        "request",
        "sequence",
        "side",
        "status",
        "ticks",
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

    @property
    def leaves(self) -> int:
        """Units that may still fill; 0 once the order is done."""
        return 0 if self.status.is_final else self.units - self.filled

    @property
    def is_market(self) -> bool:
        """True for an order without a price."""
        return self.request.type is OrderType.MARKET

    @property
    def is_immediate(self) -> bool:
        """True for an order that never rests."""
        return self.is_market or self.request.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)

    @property
    def eagerness(self) -> tuple[int, int]:
        """Sorts the most aggressive first: market orders, then by price, then by place in the queue."""
        return (-UNKNOWN_SIZE if self.ticks is None else -self.ticks * self.side, self.sequence)

    def work_off(self, units: int) -> None:
        """Outside units at its level went; what nobody knows is never worked off."""
        if self.ahead < UNKNOWN_SIZE:
            self.ahead = max(0, self.ahead - units)

    def reaches(self, ticks: int) -> bool:
        """True when the order may trade at `ticks`."""
        return self.ticks is None or (self.ticks - ticks) * self.side >= 0
