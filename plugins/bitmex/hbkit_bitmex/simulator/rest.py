"""The REST side: routes, login, limits, envelopes and headers around the venue (protocol 3 to 6, 18.9)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from hbkit.chance import Chance
from hbkit.clock import Clock
from hbkit_bitmex.simulator import leverage, parameters, reading, trading
from hbkit_bitmex.simulator.accounts import VenueAccount
from hbkit_bitmex.simulator.auth import Key, Keys
from hbkit_bitmex.simulator.drive import Drive
from hbkit_bitmex.simulator.faults import Faults
from hbkit_bitmex.simulator.limits import Limits
from hbkit_bitmex.simulator.parameters import Parameters
from hbkit_bitmex.simulator.refusals import Refusal, not_found
from hbkit_bitmex.simulator.times import http_date
from hbkit_bitmex.simulator.venue import Venue
from hbkit_bitmex.simulator.wire import encode

PREFIX = "/api/v1"
NOWHERE = "?"
VERSION = "2.0.0"
JSON = "application/json; charset=utf-8"
OVERLOADED = "The system is currently overloaded. Please try again later."
BODY_MAX = 1024 * 1024


@dataclass(frozen=True)
class Call:
    """One request, read and admitted; `key` is None on a public call without login."""

    verb: str
    route: str
    sent: Parameters
    key: Key | None
    wall: int


Handler = Callable[[Call], Any]


class Rest:
    """All routes of one simulator."""

    def __init__(
        self, venue: Venue, drive: Drive, keys: Keys, limits: Limits, faults: Faults, clock: Clock, chance: Chance
    ) -> None:
        self._venue = venue
        self._drive = drive
        self._keys = keys
        self._limits = limits
        self._faults = faults
        self._clock = clock
        self._chance = chance
        self._public: dict[tuple[str, str], Handler] = self._public_routes()
        self._private: dict[tuple[str, str], tuple[str, Handler]] = self._private_routes()

    def _public_routes(self) -> dict[tuple[str, str], Handler]:
        venue = self._venue
        tables: dict[str, Callable[[Venue, Parameters], Any]] = {
            "/instrument": reading.instruments,
            "/instrument/active": reading.active,
            "/instrument/indices": reading.indices,
            "/instrument/activeAndIndices": reading.active_and_indices,
            "/orderBook/L2": reading.book,
            "/trade": reading.trades,
            "/trade/bucketed": reading.bucketed,
            "/quote": reading.quotes,
            "/funding": reading.fundings,
            "/stats": reading.stats,
            "/wallet/assets": reading.assets,
        }
        routes: dict[tuple[str, str], Handler] = {("GET", route): _table(venue, rows) for route, rows in tables.items()}
        # Some ask for the root with, some without a slash (section 1).
        return {**routes, ("GET", ""): _root, ("GET", "/"): _root}

    def _private_routes(self) -> dict[tuple[str, str], tuple[str, Handler]]:
        """Per route the permission that is needed (empty for reading), and what answers."""
        venue = self._venue
        tables: dict[tuple[str, str], tuple[str, Callable[[Venue, VenueAccount, Parameters], Any]]] = {
            ("GET", "/order"): ("", reading.orders),
            ("POST", "/order"): ("order", trading.place),
            ("PUT", "/order"): ("order", trading.amend),
            ("DELETE", "/order"): ("orderCancel", trading.cancel),
            ("DELETE", "/order/all"): ("orderCancel", trading.cancel_all),
            ("GET", "/execution"): ("", reading.executions),
            ("GET", "/execution/tradeHistory"): ("", reading.trade_history),
            ("GET", "/position"): ("", reading.positions),
            ("POST", "/position/leverage"): ("order", leverage.set_leverage),
            ("POST", "/position/isolate"): ("order", leverage.isolate),
            ("POST", "/position/crossLeverage"): ("order", leverage.set_cross_leverage),
            ("GET", "/user/margin"): ("", reading.margin),
            ("GET", "/user/wallet"): ("", reading.wallet),
            ("GET", "/user/walletHistory"): ("", reading.wallet_history),
        }
        routes: dict[tuple[str, str], tuple[str, Handler]] = {
            where: (permission, _own(venue, act)) for where, (permission, act) in tables.items()
        }
        routes["POST", "/order/cancelAllAfter"] = ("orderCancel", self._cancel_all_after)
        routes["GET", "/user"] = ("", lambda call: reading.user(venue, _key(call)))
        routes["GET", "/user/commission"] = ("", lambda call: reading.commission(venue, call.sent))
        routes["GET", "/apiKey"] = ("", lambda call: reading.api_keys(self._keys.of(_key(call).account)))
        return routes

    def _cancel_all_after(self, call: Call) -> Any:
        account = _key(call).account
        row = trading.arm_cancel_all(account, call.sent.get("timeout"), call.wall)
        self._drive.watch(account)
        return row

    # -- one request

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Everything below `/api/v1`, and whatever nobody knows."""
        target = request.raw_path
        path, _, query = target.partition("?")
        # What does not lie below the prefix is no route of ours, however it is called.
        route = path[len(PREFIX) :] if path.startswith(PREFIX) else NOWHERE
        body = await request.read()
        verb = request.method
        if self._faults and await self._lost_before(verb, route):
            return _break(request)
        await self._drive.ready()
        status, headers, answer = self._answer(request, verb, route, target, query, body)
        if verb != "GET":
            await asyncio.sleep(0)  # 17.1: the sockets' frames come first; now their writers have written
        if (late := self._faults.on_request("late_reply", verb, route)) is not None:
            await asyncio.sleep(late.seconds)
        if self._faults:
            return self._after(request, verb, route, status, headers, answer)
        return web.Response(status=status, headers=headers, body=answer)

    def _answer(
        self, request: web.Request, verb: str, route: str, target: str, query: str, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        wall = self._clock.now()
        headers = {
            "Content-Type": JSON,
            "Date": http_date(wall),
            "Server": "hbkit",
            "x-request-id": self._chance.guid(),
        }
        address = request.remote or ""
        key: Key | None = None
        try:
            try:
                key = self._login(request, verb, route, target, body, wall)
            except Refusal:
                # 18.9.4: a failed login takes from the address.
                limit, _ = self._limits.admit(None, address, verb, route, wall)
                headers.update(limit)
                raise
            limit, admitted = self._limits.admit(key.name if key is not None else None, address, verb, route, wall)
            headers.update(limit)
            if not admitted:
                raise Refusal(429, f"Rate limit exceeded, retry in {limit['retry-after']} seconds.")
            if key is not None:
                headers["X-User-ID"] = str(key.account.number)
            return 200, headers, encode(self._act(verb, route, query, body, key, wall))
        except Refusal as refusal:
            return refusal.status, headers, encode(refusal.body())

    def _login(self, request: web.Request, verb: str, route: str, target: str, body: bytes, wall: int) -> Key | None:
        """Signed calls are verified on public routes too (3.1); private ones need a key with the permission."""
        key = self._keys.from_headers(request.headers, verb, target, body, wall)
        private = self._private.get((verb, route))
        if private is None:
            return key
        if key is None:
            raise Refusal(401, "Authorization Required")
        permission, _ = private
        # `order` allows everything about orders, cancelling too (3.2).
        if permission and permission not in key.permissions and "order" not in key.permissions:
            raise Refusal(403, "Access Denied")
        return key

    def _act(self, verb: str, route: str, query: str, body: bytes, key: Key | None, wall: int) -> Any:
        where = (verb, route)
        handler = self._private[where][1] if where in self._private else self._public.get(where)
        if handler is None:
            raise not_found()
        sent = parameters.read(query, body)
        if self._faults and _sheddable(verb, route, sent) and self._faults.on_request("overload", verb, route):
            raise Refusal(503, OVERLOADED)
        call = Call(verb, route, sent, key, wall)
        return self._drive.act(lambda: handler(call))

    # -- faults

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


def _table(venue: Venue, rows: Callable[[Venue, Parameters], Any]) -> Handler:
    """A public route as a handler."""
    return lambda call: rows(venue, call.sent)


def _own(venue: Venue, act: Callable[[Venue, VenueAccount, Parameters], Any]) -> Handler:
    """A route of the account that is logged in."""
    return lambda call: act(venue, _key(call).account, call.sent)


def _root(call: Call) -> Any:
    return {"name": "BitMEX API", "version": VERSION, "timestamp": call.wall // 1_000_000}


def _key(call: Call) -> Key:
    assert call.key is not None
    return call.key


def _sheddable(verb: str, route: str, sent: Parameters) -> bool:
    """5.2: order and position writes, not cancels, not a Close without quantity."""
    if verb not in ("POST", "PUT") or not route.startswith(("/order", "/position")) or route.endswith("After"):
        return False
    return not ("Close" in parameters.text(sent, "execInst") and parameters.given(sent, "orderQty") is None)


def _break(request: web.Request) -> web.Response:
    """Break the connection; the response is for the server's own loop alone and reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
