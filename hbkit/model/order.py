"""Orders and what becomes of them: the request, the exchange's report, the money movement, and what strategies see."""

from __future__ import annotations

import msgspec

from hbkit.model.enums import (
    ExecutionKind,
    Liquidity,
    OrderStatus,
    OrderType,
    PositionSide,
    Side,
    TimeInForce,
    TriggerBy,
)
from hbkit.model.instrument import Instrument

TRANSITIONS: dict[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.PENDING: frozenset(OrderStatus) - {OrderStatus.PENDING},
    OrderStatus.UNKNOWN: frozenset(OrderStatus) - {OrderStatus.PENDING, OrderStatus.UNKNOWN},
    OrderStatus.OPEN: frozenset(
        {
            OrderStatus.PARTIALLY_FILLED,
            OrderStatus.FILLED,
            OrderStatus.CANCELED,
            OrderStatus.REJECTED,
            OrderStatus.EXPIRED,
        }
    ),
    OrderStatus.PARTIALLY_FILLED: frozenset(
        {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.REJECTED, OrderStatus.EXPIRED}
    ),
    # Evidence beats proof of absence: an order that was written off and turns up is adopted, with an alarm.
    OrderStatus.NEVER_ARRIVED: frozenset(
        {OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED, OrderStatus.CANCELED}
    ),
}
"""The legal moves of an order; a final status other than NEVER_ARRIVED has none."""


def can_move(old: OrderStatus, new: OrderStatus) -> bool:
    """True when an order may go from `old` to `new`."""
    return new in TRANSITIONS.get(old, frozenset())


class OrderRequest(msgspec.Struct, frozen=True):
    """What the trader hands to an exchange: already on the grid, already checked; `ticks` is None for market."""

    id: str
    instrument: Instrument
    side: Side
    position_side: PositionSide
    type: OrderType
    units: int
    ticks: int | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    reduce_only: bool = False
    trigger_ticks: int | None = None
    trigger_by: TriggerBy | None = None
    display_units: int | None = None


class OrderReport(msgspec.Struct, frozen=True):
    """What an exchange says of an order. `refused` names the request it turned down: "submit", "amend" or "cancel".

    A refused amend or cancel leaves the order as it was; its `status` is then the order's present one.
    """

    ts: int
    id: str
    exchange_id: str
    instrument: Instrument
    side: Side
    position_side: PositionSide
    status: OrderStatus
    units: int
    filled_units: int
    ticks: int | None
    reason: str = ""
    refused: str = ""
    lost: str = ""
    """The request ("submit", "amend" or "cancel") whose answer was lost: it may have arrived, or may still."""
    expires: int = 0
    """When a lost request can no longer be accepted, ns on the exchange's clock."""


class Execution(msgspec.Struct, frozen=True):
    """One movement of position or money, keyed by `id`; amounts in minor units of `instrument.settle`.

    `cost` is signed by the convention of `hbkit.model.instrument`; `fee` is positive when paid; of a funding `fee` is
    the payment (positive paid) and `units` the position it was paid on.
    """

    ts: int
    id: str
    order_id: str
    instrument: Instrument
    side: Side
    position_side: PositionSide
    price: float
    units: int
    cost: int
    fee: int
    liquidity: Liquidity
    kind: ExecutionKind = ExecutionKind.TRADE
    rate: float = 0.0


class Order(msgspec.Struct, frozen=True):
    """An order as strategies see it; `price` is None for a market order, `reason` why it was refused or ended."""

    id: str
    exchange_id: str
    instrument: Instrument
    side: Side
    position_side: PositionSide
    qty: float
    filled: float
    price: float | None
    status: OrderStatus
    reason: str
    tag: str

    @property
    def is_open(self) -> bool:
        """True while the order may still fill."""
        return not self.status.is_final

    @property
    def remaining(self) -> float:
        """Quantity not filled yet."""
        return self.qty - self.filled


class Fill(msgspec.Struct, frozen=True):
    """A fill of one of the strategy's orders; `fee` is positive when paid."""

    ts: int
    id: str
    order_id: str
    instrument: Instrument
    side: Side
    position_side: PositionSide
    price: float
    qty: float
    fee: float
    fee_currency: str
    liquidity: Liquidity
