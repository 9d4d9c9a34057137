"""The options of an order, typed once: what `buy` and `sell` take behind quantity and price."""

from __future__ import annotations

from typing import TypedDict

from hbkit.model import PositionSide, TimeInForce, TriggerBy, TriggerKind
from hbkit.model.instrument import Number


class OrderOptions(TypedDict, total=False):
    """What an order may say besides side, quantity and price; what is left out takes its default."""

    post_only: bool
    """Never take: rest, or end with a reason."""
    reduce_only: bool
    """Close at most what is there."""
    time_in_force: TimeInForce | str | None
    trigger_price: Number | None
    """Wait until the price is there."""
    trigger_by: TriggerBy | str | None
    """Which price: mark, last or index."""
    trigger_kind: TriggerKind | str | None
    """Stop or take profit; left out, the side of the market on which the trigger lies decides."""
    trail: Number | None
    """A stop that follows the price at this distance."""
    display_qty: Number | None
    """What others see of it at a time; 0 for nothing."""
    position_side: PositionSide | str | None
    """The leg, in hedge mode."""
    tag: str
    """A word of yours that comes back with `on_order`."""
