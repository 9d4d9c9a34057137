"""The control routes: the market's clock, faults and the truth; for this machine alone, wherever the server listens."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Any

from aiohttp import web

from hbkit.clock import SECOND, Clock
from hbkit_bitmex.simulator.drive import Drive
from hbkit_bitmex.simulator.faults import Faults, Misuse, read_fault
from hbkit_bitmex.simulator.feed import Feed
from hbkit_bitmex.simulator.incidents import Incidents
from hbkit_bitmex.simulator.refusals import Refusal, bad_request, not_found
from hbkit_bitmex.simulator.times import http_date
from hbkit_bitmex.simulator.venue import Venue
from hbkit_bitmex.simulator.wire import encode

ADVANCE_MAX = 7 * 86_400
SPEED_MAX = 10_000
Answer = Callable[[web.Request], Awaitable[Any]]


class Control:
    """`/control/*` of one simulator."""

    def __init__(
        self, venue: Venue, drive: Drive, feed: Feed, incidents: Incidents, faults: Faults, clock: Clock
    ) -> None:
        self._venue = venue
        self._drive = drive
        self._feed = feed
        self._incidents = incidents
        self._faults = faults
        self._clock = clock
        self._routes: dict[tuple[str, str], Answer] = {
            ("GET", "/control/clock"): self._read_clock,
            ("POST", "/control/clock"): self._set_clock,
            ("GET", "/control/faults"): self._read_faults,
            ("POST", "/control/faults"): self._add_fault,
            ("DELETE", "/control/faults"): self._clear_faults,
            ("GET", "/control/truth"): self._truth,
        }

    async def handle(self, request: web.Request) -> web.Response:
        """Refusals have the envelope of the venue."""
        headers = {"Content-Type": "application/json; charset=utf-8", "Date": http_date(self._clock.now())}
        try:
            # A browser names the page that sends; no page has any business here, wherever it was loaded.
            if not _is_local(request.remote) or "Origin" in request.headers:
                raise Refusal(403, "Access Denied")
            answer = self._routes.get((request.method, request.path))
            if answer is None:
                raise not_found()
            return web.Response(body=encode(await answer(request)), headers=headers)
        except Refusal as refusal:
            return web.Response(status=refusal.status, body=encode(refusal.body()), headers=headers)

    # -- the clock

    async def _read_clock(self, _request: web.Request) -> Any:
        return {"now": self._drive.clock.now(), "speed": self._drive.clock.speed}

    async def _set_clock(self, request: web.Request) -> Any:
        sent = await _body(request)
        speed = _number(sent, "speed", SPEED_MAX)
        advance = _number(sent, "advance", ADVANCE_MAX)
        if speed is None and advance is None:
            raise bad_request('send {"speed": x} or {"advance": seconds}')
        if speed is not None:
            self._drive.set_speed(speed)
        if advance is not None:
            await self._drive.advance(round(advance * SECOND))
        return await self._read_clock(request)

    # -- faults

    async def _read_faults(self, _request: web.Request) -> Any:
        return self._faults.rows()

    async def _add_fault(self, request: web.Request) -> Any:
        sent = await _body(request)
        try:
            return self._incidents.begin(read_fault(sent))
        except Misuse as misuse:
            raise bad_request(str(misuse)) from None

    async def _clear_faults(self, _request: web.Request) -> Any:
        self._incidents.clear()
        return []

    # -- the truth

    async def _truth(self, _request: web.Request) -> Any:
        """Accounts, orders, executions and ledger as the server knows them."""
        await self._drive.ready()
        venue = self._venue
        house = venue.clearing.house
        return self._drive.act(
            lambda: {
                "now": venue.ts,
                "tape_restarts": self._feed.restarts,
                "data": [f"{line.part}: {line.origin}: {line.text}" for line in self._feed.provenance],
                "house": {venue.minor[code]: house.row(code) for code in sorted(house.codes)},
                "accounts": [
                    {
                        "account": account.number,
                        "margins": [venue.margin(account, code) for code in sorted(account.cash)],
                        "positions": venue.positions(account),
                        "orders": [order.row() for order in venue.orders_of[account.number]],
                        "executions": [*venue.executions[account.number]],
                        "ledger": account.transactions,
                    }
                    for account in venue.accounts.values()
                ],
            }
        )


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        found = json.loads(await request.read() or b"{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise bad_request("Invalid request body")
    return found


def _number(sent: dict[str, Any], name: str, most: float) -> float | None:
    value = sent.get(name)
    if value is None:
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        raise bad_request(f"{name} is a number")
    if not 0 <= value <= most:
        raise bad_request(f"{name} is from 0 to {most:,}")
    return value


def _is_local(remote: str | None) -> bool:
    """Loopback, or a connection without an address (a path, or memory)."""
    if not remote:
        return True
    try:
        return ip_address(remote).is_loopback
    except ValueError:
        return False
