"""Brings what hbkit believes into line with what an exchange knows: at the start, after a gap, and for lost answers.

One routine for all three. Absence of an answer never becomes a fact: an order of unknown fate stays UNKNOWN, counted as
exposure, until the exchange shows it, or until its request has expired on the exchange's clock and a look-up among
orders and executions finds nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hbkit.clock import SECOND
from hbkit.errors import WireError
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

    def __init__(self, exchange: Exchange, router: Router, open_ids: Callable[[], list[str]], since: int) -> None:
        """
        :param open_ids: the ids of our orders at this exchange that are not known to have ended.
        :param since: time of the last execution that is known, ns.
        """
        self._exchange = exchange
        self._router = router
        self._open_ids = open_ids
        self._since = since
        self._unknown: dict[str, OrderReport] = {}
        self._wake = asyncio.Event()
        self._log = get_logger("reconcile")

    def heard(self, ts: int) -> None:
        """An execution of that time was applied."""
        self._since = max(self._since, ts)

    def unknown(self, report: OrderReport) -> None:
        """An answer was lost: look the order up until evidence settles it."""
        self._unknown[report.id] = report
        self._wake.set()

    async def whole(self) -> None:
        """Executions first, then open orders, then every order of ours that is no longer among them."""
        await self._catch_up()
        standing = {report.id: report for report in await self._exchange.open_orders()}
        for report in standing.values():
            self._router.on_order(report)
        for order_id in self._open_ids():
            if order_id not in standing and order_id not in self._unknown:
                found = await self._exchange.find(order_id)
                if found is not None:
                    self._router.on_order(found)

    async def run(self) -> None:
        """Settle unknown orders as they come; runs until it is cancelled."""
        while True:
            await self._wake.wait()
            for order_id in list(self._unknown):
                try:
                    await self._settle(order_id)
                except WireError as error:
                    self._log.info("cannot look up", order=order_id, reason=error.message)
            if self._unknown:
                await asyncio.sleep(_LOOK_SECONDS)
            else:
                self._wake.clear()

    async def _settle(self, order_id: str) -> None:
        lost = self._unknown[order_id]
        # Read before asking: an absence proves something only if the request had expired when it was looked for.
        expired = self._exchange.server_now() > lost.expires + EXPIRY_MARGIN
        found = await self._exchange.find(order_id)
        if found is not None:
            await self._catch_up()
            self._router.on_order(found)
        elif expired:
            self._router.on_order(_never_arrived(lost, self._exchange.server_now()))
        else:
            return
        del self._unknown[order_id]

    async def _catch_up(self) -> None:
        for execution in await self._exchange.executions_since(self._since - OVERLAP):
            self._router.on_fill(execution)
            self.heard(execution.ts)


def _never_arrived(lost: OrderReport, ts: int) -> OrderReport:
    return OrderReport(
        ts=ts,
        id=lost.id,
        exchange_id="",
        instrument=lost.instrument,
        side=lost.side,
        position_side=lost.position_side,
        status=OrderStatus.NEVER_ARRIVED,
        units=lost.units,
        filled_units=0,
        ticks=lost.ticks,
        reason="the request expired and the exchange has no such order",
    )
