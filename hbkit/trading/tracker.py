"""What is known of the strategy's own orders, moved by evidence only: reports and executions, in any order, repeated.

An order leaves UNKNOWN only on positive evidence; a final status stays final; executions are a set keyed by their id.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from hbkit.model import Execution, Instrument, Order, OrderReport, OrderRequest, OrderStatus, PositionSide
from hbkit.model.order import can_move
from hbkit.trading.seen import Seen

Level = tuple[int, int]
"""Ticks and units that rest or should rest."""
NOTHING: Level = (0, 0)
"""The goal of an order that should not rest any more."""

_ENDED_KEPT = 1_000
"""Ended orders that are remembered: a fill may be told after the order's last report."""


class Ticket:
    """One order of ours; mutable, owned by the tracker. `pending` is the request that is in flight, if any."""

    __slots__ = (
        "exchange_id",
        "filled",
        "goal",
        "group",
        "pending",
        "reason",
        "reduces",
        "reported_filled",
        "reported_ts",
        "request",
        "status",
        "tag",
        "ticks",
        "trigger",
        "triggered",
        "units",
        "wanted",
        "wanted_trigger",
    )

    def __init__(self, request: OrderRequest, tag: str, group: str) -> None:
        self.request = request
        self.tag = tag
        self.group = group
        """Which call owns the order: "quote", "target" or the empty text."""
        self.exchange_id = ""
        self.ticks = request.ticks
        self.units = request.units
        self.trigger = request.trigger_ticks
        """Where it fires; that of a trailing order is moved by the exchange."""
        self.triggered = False
        self.wanted_trigger: int | None = None
        """The trigger that an amend in flight asks for."""
        self.filled = 0
        self.reported_filled = 0
        self.status = OrderStatus.PENDING
        self.reason = ""
        self.reported_ts = 0
        """Time of the newest report: an older one that comes late says nothing of price, quantity and reason."""
        self.reduces = request.reduce_only
        """Whether it may only close; where an account is shared the trader sees to that, and not the exchange."""
        self.pending = "submit"
        self.wanted = request.ticks, request.units
        """Ticks and units once every request in flight is done."""
        self.goal: Level | None = None
        """Where the order goes once it is answered; it was in flight when it was wanted there."""

    @property
    def done(self) -> int:
        """Units that filled, by executions or by reports, whichever knows more."""
        return max(self.filled, self.reported_filled)

    @property
    def unbooked(self) -> int:
        """Signed units that reports say have filled and whose executions are still on their way."""
        return max(0, self.reported_filled - self.filled) * self.request.side.sign

    @property
    def leaves(self) -> int:
        """Units that may still fill: UNKNOWN counts as if the order stood, an amend in flight as the larger of both."""
        if self.status.is_final:
            return 0
        units = max(self.units, self.wanted[1]) if self.pending == "amend" else self.units
        return max(0, units - self.done)

    @property
    def is_idle(self) -> bool:
        """True as long as the order waits for its trigger, as far as is known."""
        return self.request.waits and not self.triggered

    def asked(self, kind: str, ticks: int | None, units: int, trigger: int | None = None) -> None:
        """A request leaves for this order."""
        self.pending = kind
        self.wanted = ticks, units
        self.wanted_trigger = trigger

    def answered(self) -> None:
        """Nothing is in flight any more."""
        self.pending = ""
        self.wanted = self.ticks, self.units
        self.wanted_trigger = None

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
            filled=instrument.qty(self.done),
            price=None if self.ticks is None else instrument.price(self.ticks),
            status=self.status,
            reason=self.reason,
            tag=self.tag,
            trigger_price=None if self.trigger is None else instrument.price(self.trigger),
        )


class Tracker:
    """All orders of one strategy by client order id."""

    def __init__(self) -> None:
        self.open: dict[str, Ticket] = {}
        self._ended: OrderedDict[str, Ticket] = OrderedDict()
        self._unbooked: dict[str, Ticket] = {}
        self._seen = Seen()

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

    def unbooked(self, instrument: Instrument, side: PositionSide) -> int:
        """Signed units of a leg that have filled although no execution moved the position yet."""
        return sum(
            ticket.unbooked
            for ticket in self._unbooked.values()
            if ticket.request.instrument is instrument and ticket.request.position_side is side
        )

    def report(self, report: OrderReport) -> Ticket | None:
        """Apply what the exchange says; returns the order if that is news."""
        ticket = self.find(report.id)
        if ticket is None:
            return None
        ticket.exchange_id = report.exchange_id or ticket.exchange_id
        ticket.reported_filled = max(ticket.reported_filled, report.filled_units)
        self._book(ticket)
        if ticket.status.is_final and not can_move(ticket.status, report.status):
            return None
        before = (ticket.status, ticket.ticks, ticket.units, ticket.reason, ticket.trigger)
        refused = bool(report.refused) and ticket.pending == report.refused
        if report.ts >= ticket.reported_ts and report.status is not OrderStatus.UNKNOWN:
            ticket.reported_ts = report.ts
            ticket.ticks, ticket.units, ticket.reason = report.ticks, report.units, report.reason
            ticket.trigger = ticket.trigger if report.trigger_ticks is None else report.trigger_ticks
        ticket.triggered = ticket.triggered or report.triggered or report.filled_units > 0
        if can_move(ticket.status, report.status):
            ticket.status = report.status
        if refused or _is_answer(ticket):
            ticket.answered()
        self._settle(ticket)
        changed = (ticket.status, ticket.ticks, ticket.units, ticket.reason, ticket.trigger) != before
        return ticket if changed or refused else None

    def execution(self, execution: Execution) -> tuple[Ticket | None, bool]:
        """Apply a fill; returns the order and whether the fill is new."""
        if not self._seen.is_new((execution.instrument, execution.id)):  # venues number executions per instrument
            return None, False
        ticket = self.find(execution.order_id)
        if ticket is None:
            return None, True
        ticket.filled += execution.units
        ticket.triggered = True
        self._book(ticket)
        if ticket.pending == "submit":
            ticket.answered()
        if can_move(ticket.status, OrderStatus.PARTIALLY_FILLED):
            ticket.status = OrderStatus.PARTIALLY_FILLED
        self._settle(ticket)
        return ticket, True

    def refuse(self, ticket: Ticket, reason: str) -> None:
        """End an order that never left."""
        ticket.status = OrderStatus.REJECTED
        ticket.reason = reason
        ticket.pending = ""

    def withdraw(self, ticket: Ticket, reason: str) -> None:
        """End an order that was held and never left."""
        ticket.status, ticket.reason = OrderStatus.CANCELED, reason
        self._settle(ticket)

    def _book(self, ticket: Ticket) -> None:
        if ticket.unbooked:
            self._unbooked[ticket.request.id] = ticket
        else:
            self._unbooked.pop(ticket.request.id, None)

    def _settle(self, ticket: Ticket) -> None:
        order_id = ticket.request.id
        # With an amend in flight the exchange may know of a larger quantity than we do: its report decides.
        if ticket.filled >= ticket.units and ticket.pending != "amend" and can_move(ticket.status, OrderStatus.FILLED):
            ticket.status = OrderStatus.FILLED
        if not ticket.status.is_final:
            if self._ended.pop(order_id, None) is not None:
                self.open[order_id] = ticket  # written off, and there it is after all
            return
        ticket.answered()
        if self.open.pop(order_id, None) is not None:
            self._ended[order_id] = ticket
            if len(self._ended) > _ENDED_KEPT:
                self._ended.popitem(last=False)


def _is_answer(ticket: Ticket) -> bool:
    """Whether what is in flight, if anything, is seen to be done; a cancel is answered by the end of the order."""
    if ticket.pending == "amend":
        return (ticket.ticks, ticket.units) == ticket.wanted and ticket.wanted_trigger in (None, ticket.trigger)
    return ticket.pending != "cancel"
