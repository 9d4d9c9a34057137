"""Brings what hbkit believes into line with what an exchange knows: at the start, after a gap, and for lost answers.

One routine for all three. Absence of an answer never becomes a fact: an order of unknown fate stays UNKNOWN, counted as
exposure, until the exchange shows it, or until its request has expired on the exchange's clock and a look-up among
orders and executions finds nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import msgspec

from hbkit.clock import SECOND
from hbkit.errors import ExchangeError
from hbkit.exchange import Exchange
from hbkit.log import get_logger
from hbkit.model import OrderReport, OrderStatus
from hbkit.runtime.router import Router

EXPIRY_MARGIN = 5 * SECOND
"""Beyond a request's expiry, for what the exchange's clock and ours disagree about."""
OVERLAP = 60 * SECOND
"""Executions are asked for from this long before the last one known: they are a set, so repeats do no harm."""
_LOOK_SECONDS = 1.0


class Reconciler:
    """The truth about one exchange's orders and executions."""

    def __init__(self, exchange: Exchange, router: Router, open_ids: Callable[[], Iterable[str]], since: int) -> None:
        """
        :param open_ids: the ids of our orders at this exchange that are not known to have ended.
        :param since: executions are asked for from a minute before this, ns.
        """
        self._exchange = exchange
        self._router = router
        self._open_ids = open_ids
        self._since = since
        self._lost: dict[str, OrderReport] = {}
        self._wake = asyncio.Event()
        self._log = get_logger("reconcile")

    @property
    def is_settled(self) -> bool:
        """True when no request of ours has an unknown fate."""
        return not self._lost

    def lost(self, report: OrderReport) -> None:
        """An answer was lost: look the order up until evidence settles it."""
        self._lost[report.id] = report
        self._wake.set()

    async def whole(self) -> None:
        """Executions first, then open orders, then every order of ours that is no longer among them."""
        await self.catch_up()
        standing = {report.id: report for report in await self._exchange.open_orders()}
        for report in standing.values():
            self._router.on_order(report)
        for order_id in list(self._open_ids()):
            if order_id not in standing and order_id not in self._lost:
                found = await self._exchange.find(order_id)
                if found is not None:
                    self._router.on_order(found)

    async def catch_up(self) -> None:
        """Apply every execution that the exchange booked since the last one known."""
        for execution in await self._exchange.executions_since(self._since - OVERLAP):
            self._router.on_fill(execution)
            self._since = max(self._since, execution.ts)

    async def run(self) -> None:
        """Settle lost requests as they come; runs until it is cancelled."""
        while True:
            await self._wake.wait()
            for order_id in list(self._lost):
                try:
                    await self._settle(order_id)
                except ExchangeError as error:
                    self._log.info("cannot look up", order=order_id, reason=error.message)
            if self._lost:
                await asyncio.sleep(_LOOK_SECONDS)
            else:
                self._wake.clear()

    async def _settle(self, order_id: str) -> None:
        lost = self._lost[order_id]
        # Read before asking: an absence proves something only if the request had expired when it was looked for.
        expired = self._exchange.server_now() > lost.expires + EXPIRY_MARGIN
        found = await self._exchange.find(order_id)
        if found is not None:
            await self.catch_up()
            self._router.on_order(found)
        if self._lost[order_id] is not lost:
            return  # another answer of the same order was lost meanwhile
        if lost.lost == "submit":
            if found is None and expired:
                self._log.warning("never arrived", order=order_id)
                self._router.on_order(self._never_arrived(lost))
            settled = found is not None or expired
        else:
            # The order stands; whether the change still comes is known when it has ended or the request has expired.
            settled = expired or (found is not None and found.status.is_final)
            if settled and found is not None:
                self._router.on_order(msgspec.structs.replace(found, refused=lost.lost, reason=_NO_CHANGE))
        if settled:
            del self._lost[order_id]

    def _never_arrived(self, lost: OrderReport) -> OrderReport:
        return msgspec.structs.replace(
            lost,
            ts=self._exchange.server_now(),
            status=OrderStatus.NEVER_ARRIVED,
            reason="the request expired and the exchange has no such order",
            lost="",
        )


_NO_CHANGE = "the answer was lost; this is how the order stands now that the request has expired"
