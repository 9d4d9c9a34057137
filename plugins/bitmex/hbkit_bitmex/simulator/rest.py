"""The REST side: login, limits, envelopes and headers around the routes (protocol 3 to 6, 18.9)."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

from aiohttp import web

from hbkit.chance import Chance
from hbkit.clock import Clock
from hbkit_bitmex.simulator import forms, parameters, shapes
from hbkit_bitmex.simulator.auth import Key, Keys
from hbkit_bitmex.simulator.drive import Drive
from hbkit_bitmex.simulator.endpoints import BULK, ENDPOINTS
from hbkit_bitmex.simulator.faults import Faults
from hbkit_bitmex.simulator.feed import LOOK
from hbkit_bitmex.simulator.limits import Limits
from hbkit_bitmex.simulator.options import Options
from hbkit_bitmex.simulator.parameters import Parameters
from hbkit_bitmex.simulator.query import series
from hbkit_bitmex.simulator.refusals import AWAY, Refusal, bad_request
from hbkit_bitmex.simulator.routes import Call, Route, Routes, Services, below
from hbkit_bitmex.simulator.state import Request
from hbkit_bitmex.simulator.times import http_date
from hbkit_bitmex.simulator.venue import Venue
from hbkit_bitmex.simulator.wire import encode

OVERLOADED = "The system is currently overloaded. Please try again later."
BODY_MAX = 1_000_000


class Rest:
    """All routes of one simulator."""

    def __init__(
        self, venue: Venue, drive: Drive, keys: Keys, limits: Limits, faults: Faults, clock: Clock, chance: Chance,
        options: Options, preferences: dict[int, dict[str, Any]],
    ) -> None:  # fmt: skip
        self._drive = drive
        self._keys = keys
        self._limits = limits
        self._faults = faults
        self._clock = clock
        self._chance = chance
        self._routes = Routes((*ENDPOINTS, *BULK) if options.bulk_orders else ENDPOINTS)
        self._shape = options.row_shape
        self._services = Services(venue, keys, drive.watch, preferences, self._routes)

    # -- one request

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Everything below `/api/v1`, and whatever nobody knows."""
        target = request.raw_path
        path, _, query = target.partition("?")
        route = below(path)
        verb = request.method
        body = await _body(request)
        if self._faults and await self._lost_before(verb, route):
            return _break(request)
        if self._faults.is_away:
            return self._away()
        await self._drive.ready()
        status, headers, answer = self._answer(request, verb, route, target, query, body)
        answer, how = forms.packed(answer, request.headers)
        headers.update(how)
        if verb != "GET":
            await asyncio.sleep(0)  # 17.1: the sockets' frames come first; now their writers have written
        if (late := self._faults.on_request("late_reply", verb, route)) is not None:
            await asyncio.sleep(late.seconds)
        if self._faults:
            return self._after(request, verb, route, status, headers, answer)
        return web.Response(status=status, headers=headers, body=answer)

    def _answer(
        self, request: web.Request, verb: str, route: str, target: str, query: str, body: bytes | None
    ) -> tuple[int, dict[str, str], bytes]:
        wall = self._clock.now()
        skew = self._faults.skew if self._faults else 0
        headers = {
            "Content-Type": forms.JSON,
            "Date": http_date(wall + skew),
            "Server": "hbkit",
            "X-Powered-By": "Profit",  # as recorded
            "x-request-id": self._chance.guid(),
        }
        address = request.remote or ""
        found = self._routes.find(verb, route)
        second = found is not None and found.second
        key: Key | None = None
        try:
            try:
                key = self._login(request, found, verb, target, body or b"", wall + skew)
            except Refusal:
                # 18.9.4: a failed login takes from the address.
                limit, _ = self._limits.admit(None, address, wall, second=second)
                headers.update(limit)
                raise
            limit, admitted = self._limits.admit(key.name if key is not None else None, address, wall, second=second)
            headers.update(limit)
            if not admitted:
                raise Refusal(429, f"Rate limit exceeded, retry in {limit['retry-after']} seconds.")
            if key is not None:
                headers["X-User-ID"] = str(key.account.number)
            if self._faults and (limited := self._faults.on_request("rate_limit", verb, route)) is not None:
                headers |= {"retry-after": str(max(1, math.ceil(limited.seconds))), "x-ratelimit-remaining": "0"}
                raise Refusal(429, f"Rate limit exceeded, retry in {headers['retry-after']} seconds.")
            if body is None:
                raise Refusal(413, "request entity too large", "PayloadTooLargeError")
            headers["Content-Type"], answer = self._act(verb, route, query, body, key, wall, skew)
            return 200, headers, answer
        except Refusal as refusal:
            return refusal.status, headers, encode(refusal.body())

    def _login(
        self, request: web.Request, route: Route | None, verb: str, target: str, body: bytes, wall: int
    ) -> Key | None:
        """Signed calls are verified on public routes too (3.1); private ones need a key with the permission."""
        key = self._keys.from_headers(request.headers, verb, target, body, wall)
        if key is not None and not key.may_come_from(request.remote or ""):
            raise Refusal(403, "Access Denied")
        if route is None or route.needs is None:
            return key
        if key is None:
            raise Refusal(401, "Authorization Required")
        if not route.admits(key):
            raise Refusal(403, "Access Denied")
        return key

    def _act(
        self, verb: str, path: str, query: str, body: bytes, key: Key | None, wall: int, skew: int
    ) -> tuple[str, bytes]:
        route = self._routes.need(verb, path)
        sent = parameters.read(query, body)
        if self._faults and _sheddable(route, sent) and self._faults.on_request("overload", verb, path):
            raise Refusal(503, OVERLOADED)
        form, chosen = forms.wanted(sent), _chosen(route, sent)
        account = key.account.number if key is not None else None
        written = Request(wall, account, verb, route.path, query, body.decode()) if verb != "GET" else None
        call = Call(self._services, sent, key, wall, skew)
        answer = self._drive.act(lambda: route.act(call), _named(path, sent), written)
        shape = key.shape if key is not None else self._shape
        return forms.written(shapes.answered(route.model, answer, shape, chosen), form, route.model)

    # -- faults

    def _away(self) -> web.Response:
        """The venue restarts; nothing was reached."""
        headers = {"Content-Type": forms.JSON, "Date": http_date(self._clock.now() + self._faults.skew)}
        return web.Response(status=503, headers=headers, body=encode(Refusal(503, AWAY).body()))

    async def _lost_before(self, verb: str, route: str) -> bool:
        """Delay the request where that is asked for; True when it is to be lost."""
        if (fault := self._faults.on_request("delay", verb, route)) is not None:
            await asyncio.sleep(fault.seconds)
        return self._faults.on_request("lost_request", verb, route) is not None

    def _after(
        self, request: web.Request, verb: str, route: str, status: int, headers: dict[str, str], answer: bytes
    ) -> web.Response:
        if self._faults.on_request("lost_reply", verb, route):
            return _break(request)
        if self._faults.on_request("bad_gateway", verb, route):
            page = b"<html><head><title>502 Bad Gateway</title></head></html>"
            return web.Response(status=502, headers={**headers, "Content-Type": "text/html"}, body=page)
        return web.Response(status=status, headers=headers, body=answer)


def _named(path: str, sent: Parameters) -> list[str]:
    """The markets that a request is about; `/instrument` and `/stats` look at all without waking them."""
    if path.startswith(("/instrument", "/stats")):
        return [LOOK]
    names = {parameters.text(sent, "symbol")}
    chosen = sent.get("filter")
    if isinstance(chosen, str) and "symbol" in chosen:
        try:
            chosen = json.loads(chosen)
        except (ValueError, RecursionError):
            chosen = None
    if isinstance(chosen, dict):
        found = chosen.get("symbol")
        names |= {str(one) for one in (found if isinstance(found, list) else [found])}
    orders = sent.get("orders")
    if isinstance(orders, list):
        names |= {str(one.get("symbol")) for one in orders if isinstance(one, dict)}
    return sorted({series(name) for name in names if name})


def _chosen(route: Route, sent: Parameters) -> list[str]:
    """The columns that were asked for; of a route that takes no such parameter, none."""
    if not any(parameter.name == "columns" for parameter in route.parameters):
        return []
    return parameters.many(sent, "columns", bad_request("columns are not valid")) or []


def _sheddable(route: Route, sent: Parameters) -> bool:
    """5.2: order and position writes, not cancels, not a Close without quantity."""
    if not route.shed:
        return False
    return not ("Close" in parameters.text(sent, "execInst") and parameters.given(sent, "orderQty") is None)


async def _body(request: web.Request) -> bytes | None:
    """What was sent, None where that is too much."""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        return None


def _break(request: web.Request) -> web.Response:
    """Break the connection; the response is for the server's own loop alone and reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
