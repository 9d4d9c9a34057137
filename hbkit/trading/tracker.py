"""What is known of the strategy's own orders, moved by evidence only: reports and executions, in any order, repeated.

An order leaves UNKNOWN only on positive evidence; a final status stays final; executions are a set keyed by their id.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from hbkit.model import Execution, Instrument, Order, OrderReport, OrderRequest, OrderStatus, PositionSide
from hbkit.model.order import can_move

_ENDED_KEPT = 1_000
"""Ended orders that are remembered: a fill may be told after the order's last report."""


class Ticket:
    """One order of ours; mutable, owned by the tracker. `pending` is the request that is in flight, if any."""

    __slots__ = (
        "exchange_id",
        "filled",
        "group",
        "pending",
        "reason",
        "reported_filled",
        "request",
        "status",
        "tag",
        "ticks",
        "units",
    )

    def __init__(self, request: OrderRequest, tag: str, group: str) -> None:
        self.request = request
        self.tag = tag
        self.group = group
        """Which call owns the order: "quote", "target" or the empty text."""
        self.exchange_id = ""
        self.ticks = request.ticks
        self.units = request.units
        self.filled = 0
        self.reported_filled = 0
        self.status = OrderStatus.PENDING
        self.reason = ""
        self.pending = "submit"

    @property
    def leaves(self) -> int:
        """Units that may still fill, UNKNOWN counted as if the order stood."""
        return 0 if self.status.is_final else max(0, self.units - max(self.filled, self.reported_filled))

    def value(self) -> Order:
        """The order as strategies see it."""
        request = self.request
        instrument = request.instrument
        return Order(
            id=request.id,
            exchange_id=self.exchange_id,
            instrument=instrument,
            side=request.side,
            position_side=request.position_side,
            qty=instrument.qty(self.units),
            filled=instrument.qty(max(self.filled, self.reported_filled)),
            price=None if self.ticks is None else instrument.price(self.ticks),
            status=self.status,
            reason=self.reason,
            tag=self.tag,
        )


class Tracker:
    """All orders of one strategy by client order id."""

    def __init__(self) -> None:
        self.open: dict[str, Ticket] = {}
        self._ended: OrderedDict[str, Ticket] = OrderedDict()
        self._seen: set[str] = set()

    def add(self, ticket: Ticket) -> None:
        """Begin to track an order, before its request leaves."""
        self.open[ticket.request.id] = ticket

    def find(self, order_id: str) -> Ticket | None:
        """An order by our id, open or ended not long ago."""
        return self.open.get(order_id) or self._ended.get(order_id)

    def of(self, instrument: Instrument, side: PositionSide | None = None) -> Iterator[Ticket]:
        """Open orders of an instrument, of one leg if `side` is given, oldest first."""
        for ticket in self.open.values():
            request = ticket.request
            if request.instrument is instrument and (side is None or request.position_side is side):
                yield ticket

    def report(self, report: OrderReport) -> Ticket | None:
        """Apply what the exchange says; returns the order if that is news."""
        ticket = self.find(report.id)
        if ticket is None:
            return None
        before = (ticket.status, ticket.ticks, ticket.units, ticket.reason)
        answered = ticket.pending
        ticket.exchange_id = report.exchange_id or ticket.exchange_id
        ticket.pending = ""
        if ticket.status.is_final and not can_move(ticket.status, report.status):
            return None
        if report.reason:
            ticket.reason = report.reason
        ticket.reported_filled = max(ticket.reported_filled, report.filled_units)
        ticket.ticks, ticket.units = report.ticks, report.units
        if can_move(ticket.status, report.status):
            ticket.status = report.status
        self._settle(ticket)
        changed = (ticket.status, ticket.ticks, ticket.units, ticket.reason) != before
        return ticket if changed or (answered and report.refused) else None

    def execution(self, execution: Execution) -> tuple[Ticket | None, bool]:
        """Apply a fill; returns the order and whether the fill is new."""
        if execution.id in self._seen:
            return None, False
        self._seen.add(execution.id)
        ticket = self.find(execution.order_id)
        if ticket is None:
            return None, True
        ticket.filled += execution.units
        if ticket.pending == "submit":
            ticket.pending = ""
        status = OrderStatus.FILLED if ticket.filled >= ticket.units else OrderStatus.PARTIALLY_FILLED
        if can_move(ticket.status, status):
            ticket.status = status
        self._settle(ticket)
        return ticket, True

    def refuse(self, ticket: Ticket, reason: str) -> None:
        """End an order that never left."""
        ticket.status = OrderStatus.REJECTED
        ticket.reason = reason
        ticket.pending = ""

    def _settle(self, ticket: Ticket) -> None:
        order_id = ticket.request.id
        if ticket.status.is_final and self.open.pop(order_id, None) is not None:
            self._ended[order_id] = ticket
            if len(self._ended) > _ENDED_KEPT:
                self._ended.popitem(last=False)
