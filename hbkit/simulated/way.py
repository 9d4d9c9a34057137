"""Requests on their way to the engine, sent as a connector over the network has to send them.

Requests may overtake each other there, so nothing is sent for an order before its placement is answered, and of several
changes that wait for each other only the last is. An order that is taken away before it has left never leaves; cancels
of one moment go in one request.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from hbkit.agenda import Appointment, Scheduler, Turn
from hbkit.clock import Clock
from hbkit.matching import Account, Engine
from hbkit.model import OrderReport, OrderRequest, OrderStatus

WITHDRAWN = "taken away before it was sent"


class Wish(NamedTuple):
    """What an order is to have; None for what stays."""

    ticks: int | None
    units: int | None
    trigger_ticks: int | None = None


class _Placement:
    """An order that is under way."""

    __slots__ = ("appointment", "has_left", "is_unwanted", "request")

    def __init__(self, request: OrderRequest) -> None:
        self.request = request
        self.appointment: Appointment | None = None
        self.has_left = False
        self.is_unwanted = False


class Way:
    """The requests of one account; an answer needs no time."""

    def __init__(
        self,
        engine: Engine,
        account: Account,
        *,
        clock: Clock,
        scheduler: Scheduler,
        arrival: Callable[[], int],
        soon: Callable[[Callable[[], None]], object],
        on_arrived: Callable[[], None],
        on_withdrawn: Callable[[OrderReport], None],
    ) -> None:
        """
        :param arrival: when a request that is sent now reaches the engine, ns.
        :param soon: has something called when everybody has heard of the present event.
        :param on_arrived: called when the engine has acted on one.
        """
        self._engine = engine
        self._account = account
        self._clock = clock
        self._scheduler = scheduler
        self._arrival = arrival
        self._call_soon = soon
        self._on_arrived = on_arrived
        self._on_withdrawn = on_withdrawn
        self._placements: dict[str, _Placement] = {}
        self._changes: dict[str, Wish] = {}
        """What an order is to be changed to, as long as a change is under way or waits."""
        self._sent: dict[str, Wish] = {}
        """The changes that are under way; what is asked for before they leave goes with them."""
        self._at_the_door: dict[str, None] = {}
        """Orders with a change that has not left yet."""
        self._cancels: list[str] = []
        self._is_leaving = False

    @property
    def is_placing(self) -> bool:
        """Whether an order is on its way."""
        return bool(self._placements)

    def submit(self, request: OrderRequest) -> None:
        """Place an order."""
        self._cancels = []
        placement = _Placement(request)
        self._placements[request.id] = placement
        placement.appointment = self._send(partial(self._place, request), partial(self._go_on, placement))
        self._soon()

    def amend(self, order_id: str, wish: Wish) -> None:
        """Change an order."""
        self._cancels = []
        waits = order_id in self._changes
        self._changes[order_id] = wish
        if order_id in self._at_the_door:
            self._sent[order_id] = wish
        elif not waits and order_id not in self._placements:
            self._send_change(order_id)

    def cancel(self, order_id: str) -> None:
        """Take an order away."""
        placement = self._placements.get(order_id)
        if placement is None:
            self._send_cancel(order_id)
        elif placement.has_left:
            placement.is_unwanted = True
        else:
            if placement.appointment is not None:
                placement.appointment.cancel()
            del self._placements[order_id]
            self._changes.pop(order_id, None)
            self._call_soon(partial(self._withdraw, placement.request))

    # -- what leaves together

    def _soon(self) -> None:
        """What is asked for in answer to one event leaves together, once everybody has heard of the event."""
        if not self._is_leaving:
            self._is_leaving = True
            self._call_soon(self._leave)

    def _leave(self) -> None:
        self._is_leaving = False
        self._cancels = []
        self._at_the_door.clear()
        for placement in self._placements.values():
            placement.has_left = True

    def _send(self, act: Callable[[int], None], then: Callable[[], None]) -> Appointment:
        def arrive() -> None:
            act(self._clock.now())
            # What waited for this answer leaves before what is asked for in answer to the news.
            then()
            self._on_arrived()

        return self._scheduler.at(self._arrival(), arrive, Turn.REQUEST)

    # -- one order

    def _place(self, request: OrderRequest, ts: int) -> None:
        del self._placements[request.id]
        self._engine.submit(self._account, request, ts)

    def _go_on(self, placement: _Placement) -> None:
        """The placement is answered: send what waited for that."""
        order_id = placement.request.id
        if order_id in self._changes and order_id not in self._sent:
            self._send_change(order_id)
        if placement.is_unwanted:
            self._send_cancel(order_id)

    def _withdraw(self, request: OrderRequest) -> None:
        report = OrderReport(
            ts=self._clock.now(),
            id=request.id,
            exchange_id="",
            instrument=request.instrument,
            side=request.side,
            position_side=request.position_side,
            status=OrderStatus.CANCELED,
            units=request.units,
            filled_units=0,
            ticks=request.ticks,
            reason=WITHDRAWN,
            trigger_ticks=request.trigger_ticks,
        )
        self._on_withdrawn(report)

    def _send_change(self, order_id: str) -> None:
        self._sent[order_id] = self._changes[order_id]
        self._at_the_door[order_id] = None
        self._soon()
        self._send(partial(self._change, order_id), partial(self._changed, order_id))

    def _change(self, order_id: str, ts: int) -> None:
        wish = self._sent[order_id]
        self._engine.amend(self._account, order_id, ts, **wish._asdict())
        if self._changes[order_id] is not wish:
            # A later change is about to leave: its answer counts.
            self._engine.out = [event for event in self._engine.out if not _refuses(event, order_id)]

    def _changed(self, order_id: str) -> None:
        if self._changes[order_id] is self._sent.pop(order_id):
            del self._changes[order_id]
        else:
            self._send_change(order_id)

    def _send_cancel(self, order_id: str) -> None:
        self._soon()
        if self._cancels:
            self._cancels.append(order_id)
        else:
            self._cancels = [order_id]
            self._send(partial(self._take_away, self._cancels), _nothing)

    def _take_away(self, ids: list[str], ts: int) -> None:
        if self._cancels is ids:
            self._cancels = []
        for order_id in ids:
            self._engine.cancel(self._account, order_id, ts)


def _refuses(event: object, order_id: str) -> bool:
    return isinstance(event, OrderReport) and event.id == order_id and event.refused == "amend"


def _nothing() -> None:
    """Nothing waits for the answer to a cancel."""
