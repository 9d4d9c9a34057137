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
    TriggerKind,
)
from hbkit.model.instrument import Instrument

TRANSITIONS: dict[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.PENDING: frozenset(OrderStatus) - {OrderStatus.PENDING},
    OrderStatus.UNKNOWN: frozenset(OrderStatus) - {OrderStatus.PENDING, OrderStatus.UNKNOWN},
    OrderStatus.UNTRIGGERED: frozenset(OrderStatus)
    - {OrderStatus.PENDING, OrderStatus.UNTRIGGERED, OrderStatus.UNKNOWN, OrderStatus.NEVER_ARRIVED},
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
        {
            OrderStatus.UNTRIGGERED,
            OrderStatus.OPEN,
            OrderStatus.PARTIALLY_FILLED,
            OrderStatus.FILLED,
            OrderStatus.CANCELED,
        }
    ),
}
"""The legal moves of an order; a final status other than NEVER_ARRIVED has none."""


def can_move(old: OrderStatus, new: OrderStatus) -> bool:
    """True when an order may go from `old` to `new`."""
    return new in TRANSITIONS.get(old, frozenset())


class OrderRequest(msgspec.Struct, frozen=True, gc=False):
    """What the trader hands to an exchange: already on the grid, already checked; `ticks` is None for market.

    With `trigger_ticks`, or with `trail_ticks`, the order waits until the price named by `trigger_by` (None for the
    one that positions are valued at) has reached the trigger; `trigger_kind` says from which side.
    """

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
    """How much of it others see at a time; 0 for nothing, None for all."""
    trigger_kind: TriggerKind = TriggerKind.STOP
    trail_ticks: int | None = None
    """The trigger follows the price at this signed distance while the price moves away from it."""
    within_mark: bool = False
    """The last price counts only within 5 percent of the mark (a sell's from below, a buy's from above)."""

    @property
    def waits(self) -> bool:
        """True for an order with a trigger."""
        return self.trigger_ticks is not None or self.trail_ticks is not None

    @property
    def fires_above(self) -> bool:
        """Whether the trigger is reached from below: at its price or above it."""
        return (self.side is Side.BUY) == (self.trigger_kind is TriggerKind.STOP)


class OrderReport(msgspec.Struct, frozen=True, gc=False):
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
    trigger_ticks: int | None = None
    """The trigger price as it stands; that of a trailing order moves."""
    triggered: bool = False
    """True once the trigger was reached."""


class Execution(msgspec.Struct, frozen=True, gc=False):
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


class Order(msgspec.Struct, frozen=True, gc=False):
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
    trigger_price: float | None = None
    """Where it fires, None for an order without a trigger; that of a trailing order moves."""

    @property
    def is_open(self) -> bool:
        """True while the order may still fill."""
        return not self.status.is_final

    @property
    def remaining(self) -> float:
        """Quantity not filled yet."""
        return self.qty - self.filled


class Fill(msgspec.Struct, frozen=True, gc=False):
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
