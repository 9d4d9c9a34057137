"""The options of an order, typed once: what `buy` and `sell` take behind quantity and price."""

from __future__ import annotations

from typing import TypedDict

from hbkit.model import PositionSide, TimeInForce, TriggerBy
from hbkit.model.instrument import Number


class OrderOptions(TypedDict, total=False):
    """What an order may say besides side, quantity and price; what is left out takes its default."""

    post_only: bool
    """Never take: rest, or end with a reason."""
    reduce_only: bool
    """Close at most what is there."""
    time_in_force: TimeInForce | str | None
    trigger_price: Number | None
    trigger_by: TriggerBy | str | None
    display_qty: Number | None
    position_side: PositionSide | str | None
    """The leg, in hedge mode."""
    tag: str
    """A word of yours that comes back with `on_order`."""
