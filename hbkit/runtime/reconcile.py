"""Brings what hbkit believes into line with what an exchange knows: at the start, after a gap, and for lost answers.

One routine for all three. Absence of an answer never becomes a fact: an order of unknown fate stays UNKNOWN, counted as
exposure, until the exchange shows it, or until its request has expired on the exchange's clock and a look-up among
orders and executions finds nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

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
CHECK_SECONDS = 15.0
"""How often the books are compared while nothing seems wrong: a table that has gone silent shows in no other way."""
_LONGEST_WAIT = 8.0
_SLACK = 0.001
"""A loop calls a timer up to its resolution early."""


@dataclass
class _Case:
    """A request whose answer was lost, and when it is looked up next (by the loop's time)."""

    report: OrderReport
    due: float
    wait: float = 1.0


class Reconciler:
    """The truth about one exchange's orders and executions."""

    def __init__(self, exchange: Exchange, router: Router, open_ids: Callable[[], Iterable[str]], since: int) -> None:
        """
        :param open_ids: the ids of our orders at this exchange that are not known to have ended.
        :param since: executions are asked for from a minute before this, ns.
        """
        self.comparing = False
        """Whether the books are compared now and then: only once they have agreed for the first time."""
        self._exchange = exchange
        self._router = router
        self._open_ids = open_ids
        self._since = since
        self._history = 0
        self._lost: dict[str, _Case] = {}
        self._written_off: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._log = get_logger("reconcile")

    @property
    def is_settled(self) -> bool:
        """True when no request of ours has an unknown fate."""
        return not self._lost

    def begin(self, since: int) -> None:
        """An account without a past of ours: what it did before this moment, ns, is none of our books."""
        self._since = self._history = since

    def lost(self, report: OrderReport) -> None:
        """An answer was lost: look the order up until evidence settles it."""
        known = self._lost.get(report.id)
        if known is not None and known.report.lost == "submit":
            # Whether there is an order at all is the larger question, and the later request the later deadline.
            report = msgspec.structs.replace(known.report, expires=max(known.report.expires, report.expires))
        self._lost[report.id] = _Case(report, asyncio.get_running_loop().time())
        self._wake.set()

    async def whole(self) -> None:
        """Executions first, then open orders, then every order of ours that is no longer among them."""
        await self.catch_up()
        standing = {report.id: report for report in await self._exchange.open_orders()}
        for report in standing.values():
            if report.id in self._written_off:
                del self._written_off[report.id]
                self._log.error("an order that was written off stands at the exchange; it is adopted", order=report.id)
            self._router.on_order(report)
        gone = [order_id for order_id in self._open_ids() if order_id not in standing and order_id not in self._lost]
        for found in (await self._find(gone)).values():
            if found is not None:
                self._router.on_order(found)

    async def catch_up(self) -> str:
        """Apply every execution that the exchange booked since the last one known; returns the id of the newest."""
        told = await self._exchange.executions_since(max(self._history, self._since - OVERLAP))
        for execution in told:
            self._router.on_fill(execution)
            self._since = max(self._since, execution.ts)
        return told[-1].id if told else ""

    async def run(self) -> None:
        """Settle lost requests as they come, and compare the books now and then; runs until it is cancelled."""
        loop = asyncio.get_running_loop()
        compare_at = loop.time() + CHECK_SECONDS
        while True:
            self._wake.clear()
            next_at = min([compare_at, *(case.due for case in self._lost.values())])
            try:
                async with asyncio.timeout_at(next_at):
                    await self._wake.wait()
            except TimeoutError:
                pass  # it is time
            try:
                now = loop.time() + _SLACK
                await self._settle([case for case in self._lost.values() if case.due <= now])
                if compare_at <= now:
                    compare_at = loop.time() + CHECK_SECONDS
                    if self.comparing and self._exchange.name not in self._router.blind:
                        await self.whole()
            except ExchangeError as error:
                self._log.info("the exchange cannot be asked", exchange=self._exchange.name, reason=error.message)

    async def _settle(self, cases: list[_Case]) -> None:
        """One look at each of these; what it leaves open is looked at again, ever more seldom, until it has expired."""
        if not cases:
            return
        now, clock = self._exchange.server_now(), asyncio.get_running_loop().time()
        # Read before asking: an absence proves something only if the request had expired when it was looked for.
        expired = {case.report.id: now > case.report.expires + EXPIRY_MARGIN for case in cases}
        for case in cases:
            until_expired = (case.report.expires + EXPIRY_MARGIN - now) / SECOND + 0.1
            # A look shortly before the one that decides would be one too many.
            wait = until_expired if 0 < until_expired < case.wait + 1 else case.wait
            case.due, case.wait = clock + wait, min(2 * case.wait, _LONGEST_WAIT)
        found = await self._find([case.report.id for case in cases])
        if any(report is not None for report in found.values()):
            await self.catch_up()
        for case in cases:
            self._conclude(case, found[case.report.id], expired[case.report.id])

    async def _find(self, ids: Iterable[str]) -> dict[str, OrderReport | None]:
        """Asked for together, so that an exchange that can may answer all of them at once."""
        wanted = list(ids)
        answers = await asyncio.gather(*map(self._exchange.find, wanted), return_exceptions=True)
        found: dict[str, OrderReport | None] = {}
        for order_id, answer in zip(wanted, answers, strict=True):
            if isinstance(answer, BaseException):
                raise answer
            found[order_id] = answer
        return found

    def _conclude(self, case: _Case, found: OrderReport | None, expired: bool) -> None:
        lost = case.report
        if found is not None:
            self._router.on_order(found)
        if self._lost.get(lost.id) is not case:
            return  # another answer of the same order was lost meanwhile
        if lost.lost == "submit":
            settled = found is not None or expired
            if settled and found is None:
                self._log.warning("never arrived", order=lost.id)
                self._written_off[lost.id] = None
                self._router.on_order(self._never_arrived(lost))
        else:
            # The order stands; whether the change still comes is known when it has ended or the request has expired.
            settled = expired or (found is not None and found.status.is_final)
            if settled:
                present = msgspec.structs.replace(found or lost, refused=lost.lost, reason=_NO_CHANGE, lost="")
                self._router.on_order(present)
        if settled:
            del self._lost[lost.id]

    def _never_arrived(self, lost: OrderReport) -> OrderReport:
        return msgspec.structs.replace(
            lost,
            ts=self._exchange.server_now(),
            status=OrderStatus.NEVER_ARRIVED,
            reason="the request expired and the exchange has no such order",
            lost="",
        )


_NO_CHANGE = "the answer was lost; this is how the order stands now that the request has expired"
