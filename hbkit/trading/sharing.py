"""One instrument on one account, traded by several strategies that all said `share: true`.

The exchange knows one account and one position; each strategy has its own, the sum of its own fills. What the exchange
cannot keep apart is kept apart here: an order that would meet another strategy's is held until it would not, and the
exposure that a risk cap looks at is everybody's. Reduce-only is the trader's own doing (`Trader`), because the exchange
would reckon with the position of all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hbkit.model import Instrument, PositionSide, Side
from hbkit.trading.tracker import Ticket

if TYPE_CHECKING:
    from typing import Protocol

    from hbkit.trading.tracker import Tracker

    class Sharer(Protocol):
        """What a trader is to the others."""

        strategy: str
        tracker: Tracker

        def own_exposure(self, instrument: Instrument, leg: PositionSide, side: Side) -> int:
            """Its own position with everything open on a side."""
            ...

        def leave(self, ticket: Ticket) -> None:
            """Send an order that was held."""
            ...

        def change(self, ticket: Ticket, ticks: int | None, units: int) -> None:
            """Send a change that was held."""
            ...


class Sharing:
    """The traders of one instrument, and what of theirs is held back."""

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._traders: list[Sharer] = []
        self._orders: dict[str, tuple[Sharer, Ticket]] = {}
        self._changes: dict[str, tuple[Sharer, Ticket, int | None, int]] = {}

    def join(self, trader: Sharer) -> None:
        """One more strategy trades here."""
        self._traders.append(trader)

    def exposure(self, leg: PositionSide, side: Side) -> int:
        """Signed units that the account could reach on a side."""
        return sum(trader.own_exposure(self._instrument, leg, side) for trader in self._traders)

    def met(self, trader: Sharer, side: Side, ticks: int | None) -> str:
        """Which order of another strategy an order of `trader` would meet, in words; empty for none.

        A stop that waits for its trigger is not one: when it triggers it may meet what rests then.
        """
        for other in self._traders:
            if other is trader:
                continue
            for ticket in other.tracker.of(self._instrument):
                if ticket.request.id in self._orders or ticket.is_idle:
                    continue
                if ticket.request.side is not side and _cross(side, ticks, ticket):
                    return f"{ticket.request.id} of strategy {other.strategy}"
        return ""

    # -- what is held

    def hold(self, trader: Sharer, ticket: Ticket) -> None:
        """Keep an order until it would meet nobody."""
        self._orders[ticket.request.id] = trader, ticket

    def hold_change(self, trader: Sharer, ticket: Ticket, ticks: int | None, units: int) -> None:
        """Keep a change of an order that stands; a later one takes its place."""
        self._changes[ticket.request.id] = trader, ticket, ticks, units

    def is_held(self, order_id: str) -> bool:
        """Whether an order has not left yet."""
        return order_id in self._orders

    def forget(self, order_id: str) -> bool:
        """Hold an order, or a change of it, no longer; True when it was an order."""
        self._changes.pop(order_id, None)
        return self._orders.pop(order_id, None) is not None

    def go_on(self) -> None:
        """An order here ended or moved: send what would meet nobody any more, the oldest first."""
        for order_id, (trader, ticket) in list(self._orders.items()):
            if order_id in self._orders and not self.met(trader, ticket.request.side, ticket.ticks):
                del self._orders[order_id]
                trader.leave(ticket)
        for order_id, (trader, ticket, ticks, units) in list(self._changes.items()):
            if order_id not in self._changes:
                continue
            if ticket.status.is_final or ticket.pending == "cancel":
                del self._changes[order_id]
            elif not ticket.pending and not self.met(trader, ticket.request.side, ticks):
                del self._changes[order_id]
                trader.change(ticket, ticks, units)


def _cross(side: Side, ticks: int | None, ticket: Ticket) -> bool:
    """Whether an order on `side` would trade with a resting or leaving one on the other; None is at any price."""
    prices = (ticket.ticks, ticket.wanted[0])
    if ticks is None or None in prices:
        return True
    known = [price for price in prices if price is not None]
    return ticks >= min(known) if side is Side.BUY else ticks <= max(known)
