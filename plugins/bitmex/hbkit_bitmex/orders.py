"""The connector's order desk: what is under way for each order, and what was heard of it last.

Nothing is sent for an order before its POST is answered or the socket has told of it, for the exchange would not know
it; an order that is taken away before it has left never leaves. A cancel is repeated until it is answered, which does
no harm; an order and an amend are sent again only where the engine provably was not reached. What is lost is reported
with the moment at which it expires.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from hbkit.chance import Chance
from hbkit.clock import SECOND
from hbkit.errors import ExchangeError, WireError
from hbkit.log import get_logger
from hbkit.model import Instrument, OrderReport, OrderRequest, OrderStatus
from hbkit.net.http import may_have_arrived
from hbkit_bitmex import bodies, wire
from hbkit_bitmex.rest import DuplicateOrder, NotAccepted, Rest
from hbkit_bitmex.rows import OrderRow
from hbkit_bitmex.words import known

REPORTS_KEPT = 10_000
EXPIRY_MARGIN = 5 * SECOND
"""Beyond a request's expiry, for what the exchange's clock and ours disagree about."""
_TRIES = 5
_BATCH = 100
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NEVER_SEEN = frozenset({OrderStatus.PENDING, OrderStatus.UNKNOWN})

Errors = tuple[type[ExchangeError], ...]


class Change(NamedTuple):
    """What an order is to have; None for what stays."""

    ticks: int | None
    units: int | None
    trigger_ticks: int | None = None


class _Errand:
    """A request under way; `expires` is when the exchange can no longer take it, 0 as long as it has not left."""

    __slots__ = ("answered", "expires", "task")

    def __init__(self) -> None:
        self.answered = asyncio.Event()
        self.expires = 0
        self.task: asyncio.Task[None] | None = None

    def leave(self, expires: int) -> None:
        self.expires = expires


class OrderDesk:
    """The orders of one account, ours and those of others that were heard of."""

    def __init__(
        self,
        rest: Rest,
        instruments: Mapping[str, Instrument],
        chance: Chance,
        tell: Callable[[OrderReport], None],
        start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        explain: Callable[[str], str] = str,
    ) -> None:
        """
        :param tell: hears the news.
        :param start: begins a task and owns it.
        :param explain: makes more of the words of a refusal.
        """
        self._rest = rest
        self._instruments = instruments
        self._chance = chance
        self._tell = tell
        self._start = start
        self._explain = explain
        self._reports: dict[str, OrderReport] = {}
        self._posts: dict[str, _Errand] = {}
        self._amends: dict[str, Change] = {}
        self._cancels: list[str] = []
        self._unwanted: dict[str, None] = {}
        """Orders that the exchange did not know when they were to go: should one turn up, it goes then."""
        self._ours: dict[str, int] = {}
        """Orders placed here that have not ended, and when a lost one could be taken at the latest."""
        self._log = get_logger("bitmex")

    @property
    def standing(self) -> list[str]:
        """Orders that were placed here and, as far as is known, may still fill."""
        now = self._rest.server.now()
        return [order_id for order_id, until in self._ours.items() if not until or now <= until + EXPIRY_MARGIN]

    # -- acting

    def submit(self, request: OrderRequest) -> None:
        """Place an order, after the cancels that were asked for before it."""
        self._send_cancels()
        errand = self._posts[request.id] = _Errand()
        self._reports.setdefault(request.id, _blank(request, self._rest.server.now()))
        self._ours[request.id] = 0
        errand.task = self._start(self._place(request, errand))

    def turn_down(self, request: OrderRequest, reason: str) -> None:
        """An order that is not sent at all; told soon, and not from inside the call that placed it."""
        self._reports.setdefault(request.id, _blank(request, self._rest.server.now()))
        asyncio.get_running_loop().call_soon(self._end, request.id, OrderStatus.REJECTED, reason, "submit")

    def amend(self, order_id: str, change: Change) -> None:
        """Change an order; of several changes that wait for each other only the last is sent."""
        self._send_cancels()
        waiting = order_id in self._amends
        self._amends[order_id] = change
        if not waiting:
            self._start(self._change(order_id))

    def cancel(self, order_id: str) -> None:
        """Take an order away; those of one moment go in one call."""
        errand = self._posts.get(order_id)
        if errand is None or self._is_known(order_id):
            self._queue_cancel(order_id)
        elif errand.expires:
            self._start(self._cancel_later(order_id, errand))
        else:
            self._withdraw(order_id, errand)

    def _withdraw(self, order_id: str, errand: _Errand) -> None:
        """The order waits for the rate limit, or for an overloaded exchange: it never leaves."""
        del self._posts[order_id]
        if errand.task is not None:
            errand.task.cancel()
        errand.answered.set()
        # Told soon, and not from inside the call that took it away.
        asyncio.get_running_loop().call_soon(self._end, order_id, OrderStatus.CANCELED, _WITHDRAWN, "")

    async def _place(self, request: OrderRequest, errand: _Errand) -> None:
        try:
            body = bodies.encode(bodies.order_body(request))
            row = await self._insist("POST", "/order", body, OrderRow, errand, NotAccepted)
        except DuplicateOrder:
            # Ours alone bears this id: the first try arrived, its answer was lost.
            self._lost(request.id, "submit", "the exchange has an order of this id", errand)
        except WireError as error:
            if may_have_arrived(error):
                self._lost(request.id, "submit", error.message, errand)
            else:
                self._end(request.id, OrderStatus.REJECTED, error.message, "submit")
        except ExchangeError as error:
            self._end(request.id, OrderStatus.REJECTED, self._explain(error.message), "submit")
        else:
            self.hear(row)
        finally:
            if self._posts.get(request.id) is errand:
                del self._posts[request.id]
            errand.answered.set()

    async def _change(self, order_id: str) -> None:
        post = self._posts.get(order_id)
        if post is not None and not self._is_known(order_id):
            await post.answered.wait()
        try:
            sent = None
            while (wish := self._amends[order_id]) is not sent:
                sent = wish
                await self._change_once(order_id, wish)
        finally:
            del self._amends[order_id]

    async def _change_once(self, order_id: str, wish: Change) -> None:
        before = self._reports.get(order_id)
        if before is None:
            self._log.error("an amend of an order that nobody knows", order=order_id)
            return
        errand = _Errand()
        body = bodies.encode(bodies.amend_body(before.instrument, id=order_id, **wish._asdict()))
        try:
            row = await self._insist("PUT", "/order", body, OrderRow, errand, NotAccepted)
        except ExchangeError as error:
            if self._amends[order_id] is not wish:
                return  # a later change is about to leave: its answer counts
            if isinstance(error, WireError) and may_have_arrived(error):
                self._lost(order_id, "amend", error.message, errand)
            else:
                self.refused(order_id, "amend", self._explain(error.message))
        else:
            self.hear(row)

    def _is_known(self, order_id: str) -> bool:
        """Whether the exchange has told of the order: the socket may be faster than the answer."""
        report = self._reports.get(order_id)
        return report is not None and report.status not in _NEVER_SEEN

    async def _cancel_later(self, order_id: str, errand: _Errand) -> None:
        await errand.answered.wait()
        self._queue_cancel(order_id)

    def _queue_cancel(self, order_id: str) -> None:
        if not self._cancels:
            asyncio.get_running_loop().call_soon(self._send_cancels)
        self._cancels.append(order_id)

    def _send_cancels(self) -> None:
        queued, self._cancels = list(dict.fromkeys(self._cancels)), []
        # The exchange takes one sort of id at a time.
        for theirs in (False, True):
            ids = [order_id for order_id in queued if _is_theirs(order_id) is theirs]
            for at in range(0, len(ids), _BATCH):
                self._start(self._take_away(ids[at : at + _BATCH], theirs=theirs))

    async def _take_away(self, ids: Sequence[str], *, theirs: bool) -> None:
        errand = _Errand()
        body = bodies.encode(bodies.cancel_body(exchange_ids=ids) if theirs else bodies.cancel_body(ids=ids))
        try:
            rows = await self._insist(
                "DELETE", "/order", body, list[OrderRow], errand, (WireError, *NotAccepted), urgent=True
            )
        except ExchangeError as error:
            for order_id in ids:
                if isinstance(error, WireError) and may_have_arrived(error):
                    self._lost(order_id, "cancel", error.message, errand)
                else:
                    self.refused(order_id, "cancel", error.message)
            return
        answered: set[str | None] = set()
        for row in rows:
            order_id = known(row.clOrdID) or ""
            answered.update((order_id, known(row.orderID)))
            if not self._is_awaited(order_id, row):
                self.hear(row)
        for order_id in ids:
            if order_id not in answered:
                self.refused(order_id, "cancel", "the exchange does not know the order")

    def _is_awaited(self, order_id: str, row: OrderRow) -> bool:
        """True where the exchange does not know the order, and whether it has arrived is not known here either."""
        before = self._reports.get(order_id)
        unknown_there = known(row.error) is not None and known(row.ordStatus) is None
        if not unknown_there or before is None or before.status not in _NEVER_SEEN:
            return False
        self._unwanted[order_id] = None
        return True

    async def cancel_every_order(self) -> None:
        """DELETE /order/all: one call whatever their number."""
        body = bodies.encode(bodies.cancel_all_body())
        again = (WireError, *NotAccepted)
        for row in await self._insist("DELETE", "/order/all", body, list[OrderRow], _Errand(), again, urgent=True):
            self.hear(row)

    async def _insist(
        self,
        verb: str,
        path: str,
        body: bytes,
        kind: type[Any],
        errand: _Errand,
        again: Errors,
        *,
        urgent: bool = False,
    ) -> Any:
        """Send, and once more after each of the errors in `again`."""
        for attempt in range(_TRIES):
            try:
                return await self._rest.send(verb, path, body, kind, urgent=urgent, leaving=errand.leave)
            except again:
                if attempt == _TRIES - 1:
                    raise
                errand.expires = 0
                # Half a second at least is what the exchange asks for (5.2); together with others is how it got there.
                await asyncio.sleep(0.5 + 1.5 * self._chance.random())
        raise AssertionError("unreachable")

    # -- what is heard

    def hear(self, row: OrderRow) -> None:
        """An order as it stands."""
        report = self.report(row)
        if report is not None:
            self._tell(report)

    def report(self, row: OrderRow) -> OrderReport | None:
        """The row in hbkit's words, with what was known before where it says nothing; None where that is too little."""
        before = self._reports.get(known(row.clOrdID) or "")
        if before is not None and before.exchange_id and known(row.orderID) not in (None, wire.NIL_GUID):
            # A client id may be used again once its order has ended (trap 18): the older one says nothing of this.
            before = before if before.exchange_id == known(row.orderID) else None
        instrument = self._instruments.get(known(row.symbol) or "") or (before.instrument if before else None)
        report = wire.order_report(row, instrument, before) if instrument is not None else None
        if report is not None and report.id:
            self._keep(report, before)
        return report

    def refused(self, order_id: str, request: str, reason: str) -> None:
        """An amend or a cancel was turned down: the order stands where it stood."""
        before = self._reports.get(order_id)
        if before is not None:
            self._tell(msgspec.structs.replace(before, refused=request, reason=reason))

    # -- inside

    def _keep(self, report: OrderReport, before: OrderReport | None) -> None:
        """The newest word on an order, for what later rows leave out; the oldest ended ones are forgotten."""
        if before is not None and (before.status.is_final or report.ts < before.ts) and before.exchange_id:
            return  # the answer of a request can come after later news of the socket
        self._reports.pop(report.id, None)
        self._reports[report.id] = msgspec.structs.replace(report, refused="", reason="")
        post = self._posts.get(report.id)
        if post is not None and report.status not in _NEVER_SEEN:
            post.answered.set()
        if report.status.is_final:
            self._ours.pop(report.id, None)
            self._unwanted.pop(report.id, None)
        elif report.id in self._ours and report.status not in _NEVER_SEEN:
            self._ours[report.id] = 0
        if report.id in self._unwanted and not report.status.is_final and report.status not in _NEVER_SEEN:
            del self._unwanted[report.id]
            self._queue_cancel(report.id)
        if len(self._reports) > REPORTS_KEPT:
            ended = next((key for key, one in self._reports.items() if one.status.is_final), None)
            if ended is not None:
                del self._reports[ended]

    def _end(self, order_id: str, status: OrderStatus, reason: str, refused: str) -> None:
        """An order that the exchange never had."""
        report = msgspec.structs.replace(self._reports[order_id], status=status, reason=reason, refused=refused)
        self._keep(report, None)
        self._tell(report)

    def _lost(self, order_id: str, request: str, reason: str, errand: _Errand) -> None:
        """No answer: what was asked may have happened, or may still, until evidence tells."""
        present = self._reports.get(order_id)
        if present is None or present.status.is_final:
            return
        if request == "submit" and present.status is not OrderStatus.PENDING:
            return  # the socket told already that it arrived
        status = OrderStatus.UNKNOWN if request == "submit" else present.status
        expires = errand.expires or self._rest.expiry()
        if request == "submit":
            self._ours[order_id] = expires
        self._tell(
            msgspec.structs.replace(
                present, status=status, reason=reason, lost=request, expires=expires, ts=self._rest.server.now()
            )
        )


_WITHDRAWN = "taken away before it was sent"


def _is_theirs(order_id: str) -> bool:
    """Whether it is an id of the exchange, a guid, which none of ours ever is."""
    return _GUID.fullmatch(order_id) is not None


def _blank(request: OrderRequest, ts: int) -> OrderReport:
    return OrderReport(
        ts=ts,
        id=request.id,
        exchange_id="",
        instrument=request.instrument,
        side=request.side,
        position_side=request.position_side,
        status=OrderStatus.PENDING,
        units=request.units,
        filled_units=0,
        ticks=request.ticks,
        trigger_ticks=request.trigger_ticks,
    )
