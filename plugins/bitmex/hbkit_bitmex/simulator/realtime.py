"""The WebSocket side: welcome, commands, subscriptions with their partials (protocol 7, 18.10)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from aiohttp import WSMsgType, web

from hbkit.chance import Chance
from hbkit.clock import SECOND, Clock, iso
from hbkit_bitmex.simulator import trading
from hbkit_bitmex.simulator.accounts import VenueAccount
from hbkit_bitmex.simulator.auth import HEADERS, WEBSOCKET_PATH, Key, Keys
from hbkit_bitmex.simulator.columns import (
    BY_CURRENCY,
    CLASSES,
    KEYS,
    PLATFORM,
    PLATFORM_TYPES,
    PRIVATE,
    REQUIRES_LOGIN,
    TYPES,
)
from hbkit_bitmex.simulator.drive import Drive
from hbkit_bitmex.simulator.faults import Faults
from hbkit_bitmex.simulator.feed import EVERY, LOOK
from hbkit_bitmex.simulator.hub import POLICY_VIOLATION, Client, Hub, Keep, column_of
from hbkit_bitmex.simulator.limits import Limits
from hbkit_bitmex.simulator.options import STARTING_BALANCES
from hbkit_bitmex.simulator.reference import announcements
from hbkit_bitmex.simulator.refusals import AWAY, Refusal
from hbkit_bitmex.simulator.shapes import Shape, framed, types
from hbkit_bitmex.simulator.state import Request
from hbkit_bitmex.simulator.times import http_date
from hbkit_bitmex.simulator.venue import Venue
from hbkit_bitmex.simulator.wire import decode, encode

Row = dict[str, Any]

DOCS = "https://www.bitmex.com/app/wsAPI"
PING_SECONDS = 20.0
SILENCE = 60 * SECOND
UNEXPECTED_CONDITION = 1011
ERRORS_MAX = 20
PLATFORM_PATH = "/realtimePlatform"
MESSAGE_MAX = 1024 * 1024
EXECUTIONS_SHOWN = 200
GONE = ("Settled", "Expired", "Unlisted")
"""States of instruments that nobody can subscribe to (18.10.1)."""
LOCKED_NOTES = {
    "notes": "Account-locked tables include the following: "
    "account,affiliate,execution,margin,order,position,privateNotifications,transact,wallet"
}


class Complaint(Exception):
    """An error frame."""

    def __init__(self, status: int, error: str, meta: dict[str, str] | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.meta = meta or {}


class Realtime:
    """All sockets of one simulator."""

    def __init__(
        self, venue: Venue, drive: Drive, hub: Hub, keys: Keys, limits: Limits, faults: Faults, clock: Clock,
        chance: Chance, shape: Shape,
    ) -> None:  # fmt: skip
        self._venue = venue
        self._drive = drive
        self._hub = hub
        self._keys = keys
        self._limits = limits
        self._faults = faults
        self._clock = clock
        self._shape = shape
        self._name = f"ws-feedhandler-{chance.short_id(10)}-{chance.short_id(5)}"
        self._commands: dict[str, Callable[[Client, dict[str, Any]], None]] = {
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "authKeyExpires": self._authenticate,
            "cancelAllAfter": self._cancel_all_after,
        }

    # -- one socket

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """`/realtime`: upgrade, welcome, then commands until it ends."""
        wall = self._clock.now()
        shown = self._shown(wall)
        try:
            if self._faults.is_away:
                raise Refusal(503, AWAY)
            key = self._login_at_upgrade(request, shown)
        except Refusal as refusal:
            return _refused(refusal, shown)
        remaining = self._limits.connect(request.remote or "", wall)
        if remaining is None:
            return _refused(Refusal(429, "Rate limit exceeded, retry in 1 seconds."), shown)
        socket = web.WebSocketResponse(autoping=False, max_msg_size=MESSAGE_MAX, compress=False)
        socket.headers["Date"] = http_date(shown)
        await socket.prepare(request)
        client = self._hub.connect(socket, request)
        client.account = key.account.number if key is not None else None
        client.shape = key.shape if key is not None else self._shape
        client.is_platform = request.path == PLATFORM_PATH
        client.send(encode(self._welcome(remaining)))
        if first := request.query.get("subscribe"):
            self._receive(client, json.dumps({"op": "subscribe", "args": first.split(",")}))
        writer, pinger = asyncio.create_task(client.write()), asyncio.create_task(self._ping(client))
        try:
            async for message in socket:
                if client.is_deaf:
                    continue
                client.heard = self._clock.now()
                if message.type is WSMsgType.TEXT:
                    await self._drive.ready()
                    self._receive(client, message.data)
                elif message.type is WSMsgType.PING:
                    await socket.pong(message.data)
        finally:
            pinger.cancel()
            self._hub.disconnect(client)
            if client.closing is None:
                client.close(1000)
            writer.cancel()
            await asyncio.gather(writer, pinger, return_exceptions=True)
        return socket

    async def _ping(self, client: Client) -> None:
        """A control ping every 20 s (17.1); who answers none for 60 s is closed with 1011 (18.10.15).

        aiohttp's own heartbeat would give a client ten seconds, and a program that computes for longer is no dead one.
        """
        while client.closing is None:
            await asyncio.sleep(PING_SECONDS)
            if client.is_deaf:
                continue
            if self._clock.now() - client.heard > SILENCE:
                client.close(UNEXPECTED_CONDITION, b"no answer to pings")
                return
            await client.socket.ping()

    def _shown(self, wall: int) -> int:
        """What the venue's clock shows, which a fault may put wrong."""
        return wall + self._faults.skew if self._faults else wall

    def _login_at_upgrade(self, request: web.Request, wall: int) -> Key | None:
        """Ways 1 and 2 of 3.3: the query or the headers; the signed text is always `GET/realtime` + expires."""
        given = request.query if any(name in request.query for name in HEADERS) else request.headers
        return self._keys.from_headers(given, "GET", WEBSOCKET_PATH, b"", wall)

    def _welcome(self, remaining: int) -> Row:
        return {
            "info": "Welcome to the BitMEX Realtime API.",
            "version": "2.0.0",
            "timestamp": iso(self._shown(self._clock.now())),
            "docs": DOCS,
            "heartbeatEnabled": False,
            "limit": {"remaining": remaining},
            "appName": self._name,
        }

    def _receive(self, client: Client, text: str) -> None:
        """One frame of a client."""
        if text == "ping":
            client.send(b"pong")
            return
        if text == "help":
            client.send(encode({"info": "See the docs.", "docs": DOCS, "subscribe": sorted(TYPES)}))
            return
        command = decode(text)
        act = self._commands.get(str(command.get("op"))) if isinstance(command, dict) else None
        if act is None:
            self._complain(client, Complaint(400, "Unrecognized request"), {})
            return
        try:
            act(client, command)
        except Complaint as complaint:
            self._complain(client, complaint, command)
        except Refusal as refusal:
            self._complain(client, Complaint(refusal.status, refusal.message), command)

    def _complain(self, client: Client, complaint: Complaint, request: dict[str, Any]) -> None:
        client.send(
            encode(
                {
                    "status": complaint.status,
                    "error": complaint.error,
                    "meta": complaint.meta,
                    "request": request,
                }
            )
        )
        client.errors += 1
        if client.errors >= ERRORS_MAX:
            client.close(POLICY_VIOLATION, b"too many errors")

    # -- commands

    def _authenticate(self, client: Client, command: dict[str, Any]) -> None:
        """Way 3 of 3.3; E must be a JSON number, seconds or (ccxt.pro) milliseconds."""
        if client.account is not None:
            raise Complaint(400, "Already authenticated")
        args = command.get("args")
        if not isinstance(args, list) or len(args) != 3:
            raise Complaint(400, "Invalid args")
        name, expires, sent = args
        if not isinstance(expires, int) or isinstance(expires, bool):
            raise Complaint(400, "Invalid expires")
        now = self._shown(self._clock.now())
        try:
            key = self._keys.check(str(name), str(expires), str(sent), "GET", WEBSOCKET_PATH, b"", now)
        except Refusal as refusal:
            raise Complaint(refusal.status, refusal.message) from None
        client.account, client.shape = key.account.number, key.shape
        client.send(encode({"success": True, "request": command}))

    def _cancel_all_after(self, client: Client, command: dict[str, Any]) -> None:
        account = self._account(client)
        if account is None:
            raise Complaint(401, "Authorization Required")
        timeout = command.get("args")
        if isinstance(timeout, list):
            timeout = timeout[0] if timeout else None
        wall = self._clock.now()
        written = Request(wall, account.number, "POST", "/order/cancelAllAfter", "", json.dumps({"timeout": timeout}))
        try:
            skew = self._shown(wall) - wall
            row = self._drive.act(lambda: trading.arm_cancel_all(account, timeout, wall, skew), (), written)
        except Refusal as refusal:
            raise Complaint(refusal.status, refusal.message) from None
        self._drive.watch(account)
        client.send(encode({**row, "request": command}))

    def _account(self, client: Client) -> VenueAccount | None:
        return self._venue.accounts[client.account] if client.account is not None else None

    def _each(self, client: Client, command: dict[str, Any], act: Callable[[str], None]) -> None:
        """Argument by argument; a failed one is named alone in its error frame, the others go through (7.3)."""
        args = command.get("args")
        names = args if isinstance(args, list) else [args]
        for name in names:
            try:
                if not isinstance(name, str):
                    raise Complaint(400, "Unrecognized request")
                act(name)
            except Complaint as complaint:
                self._complain(client, complaint, {**command, "args": [name]})

    def _subscribe(self, client: Client, command: dict[str, Any]) -> None:
        self._drive.act(lambda: None)  # what is due comes before the partial, for those who are subscribed already

        def subscribe(name: str) -> None:
            table, wanted = self._topic(client, name)
            if table not in PRIVATE:
                self._drive.act(lambda: None, [_market_of(table, wanted)])
            if name in client.topics:
                # Repeating a subscription is answered by this text alone; match on its middle (7.3).
                known = f"You are already subscribed to this topic:{name}."
                raise Complaint(400, f"{known} Please see the documentation at {DOCS}.")
            client.send(encode({"success": True, "subscribe": name, "request": command}))
            keep = _keep(table, wanted)
            late = self._hub.partial_lag(table)
            if late is not None:
                asyncio.get_running_loop().call_later(late, self._send_late, client, name, table, wanted, keep)
            elif not self._hub.is_mute(table):
                client.send(encode(self._partial(client, table, wanted, keep)))
            self._hub.join(client, name, table, wanted, keep)

        self._each(client, command, subscribe)

    def _send_late(self, client: Client, name: str, table: str, wanted: str, keep: Keep | None) -> None:
        """A partial that a fault kept back, as things stand by now."""
        if name in client.topics and client.closing is None:
            client.send(encode(self._partial(client, table, wanted, keep)))

    def _unsubscribe(self, client: Client, command: dict[str, Any]) -> None:
        def unsubscribe(name: str) -> None:
            if name not in client.topics:
                raise Complaint(400, "Not subscribed")
            self._hub.leave(client, name)
            client.send(encode({"success": True, "unsubscribe": name, "request": command}))

        self._each(client, command, unsubscribe)

    # -- topics

    def _topic(self, client: Client, name: str) -> tuple[str, str]:
        """Table and filter of a topic; `*` is no filter."""
        table, _, wanted = name.partition(":")
        wanted = "" if wanted == "*" else wanted
        if client.is_platform is (table in TYPES) and (table in TYPES or table in PLATFORM):
            raise Complaint(
                400, f"Topic {table} is not available on this endpoint. Please see the documentation at {DOCS}."
            )
        if table in REQUIRES_LOGIN and client.account is None and table != "account":
            text = "User requested an account-locked subscription but no authorization was provided."
            raise Complaint(401, text, LOCKED_NOTES)
        if table in PLATFORM:
            return table, ""
        if table not in TYPES:
            raise Complaint(400, f"Unknown table: {table}")
        if wanted and not self._knows(table, wanted):
            raise Complaint(400, "Unknown or expired symbol.")
        return table, wanted

    def _knows(self, table: str, wanted: str) -> bool:
        if table in BY_CURRENCY:
            return wanted in STARTING_BALANCES
        if table == "instrument" and wanted in CLASSES:
            return True
        # Indices have rows on these tables only (18.10.1); bins of indices are not made.
        with_indices = table in ("instrument", "trade")
        market = self._venue.markets.get(wanted)
        if market is not None:
            return market.ticker.row["state"] not in GONE
        return with_indices and wanted in self._venue.indices

    def _partial(self, client: Client, table: str, wanted: str, keep: Keep | None) -> Row:
        rows = self._rows(client, table, wanted)
        if keep is not None:
            rows = [row for row in rows if keep(row)]
        named: Row = {}
        if table in PRIVATE:
            named["account"] = client.account
        if wanted and wanted not in CLASSES:
            named[column_of(table)] = wanted
        return {
            "table": table,
            "action": "partial",
            "keys": ["id"] if table in PLATFORM else list(KEYS.get(table, ())),
            "types": PLATFORM_TYPES[table] if table in PLATFORM else types(table, client.shape),
            "filter": named,
            "data": framed(table, "partial", rows, client.shape),
        }

    def _rows(self, client: Client, table: str, wanted: str) -> list[Row]:
        """What a partial holds (18.10.9)."""
        account = self._account(client)
        if table in PLATFORM:
            return self._platform_rows(table)
        if table in PRIVATE:
            assert account is not None
            return self._private_rows(account, table)
        venue = self._venue
        markets = [market for symbol, market in venue.markets.items() if wanted in ("", symbol)]
        match table:
            case "instrument":
                return venue.instrument_rows()
            case "orderBookL2":
                return [row for market in markets for row in market.board.snapshot()]
            case "orderBookL2_25":
                return [row for market in markets for row in market.board.start_window()]
            case "orderBook10":
                return [venue.fresh_ten(market) for market in markets]
            case "trade":
                lists = [market.trades for market in markets]
                lists += [index.trades for symbol, index in venue.indices.items() if wanted in ("", symbol)]
                return [rows[-1] for rows in lists if rows]
            case "quote":
                return [market.quotes[-1] for market in markets if market.quotes]
            case "funding":
                last = {row["symbol"]: row for row in venue.fundings}
                return list(last.values())
            case "settlement":
                return list({row["symbol"]: row for row in venue.clearing.settlements}.values())
            case "insurance":
                return venue.clearing.insurance_rows()
            case "liquidation":
                return []
        if table.startswith("quoteBin"):
            bins = [market.quote_bins.rows(table.removeprefix("quoteBin")) for market in markets]
            return [rows[-1] for rows in bins if rows]
        size = table.removeprefix("tradeBin")
        return [market.bins.row(market.bins.closed[size][-1]) for market in markets if market.bins.closed[size]]

    def _platform_rows(self, table: str) -> list[Row]:
        """What the other socket tells: where one is, and who is connected; nobody chats, nothing is notified."""
        if table == "announcement":
            return announcements(self._venue, {})
        if table == "connected":
            users = len({client.account for client in self._hub.clients if client.account is not None})
            return [{"id": 1, "users": users, "bots": len(self._hub.clients) - users}]
        return []

    def _private_rows(self, account: VenueAccount, table: str) -> list[Row]:
        venue = self._venue
        majors = {minor: code for code, minor in venue.minor.items()}
        # Bitcoin first: old clients know one currency and take the first row for it (B.4, B.5).
        codes = [majors[minor] for minor in STARTING_BALANCES]
        match table:
            case "order":
                return [order.row() for order in venue.open_orders(account)]
            case "execution":
                return venue.executions[account.number][-EXECUTIONS_SHOWN:]
            case "position":
                return venue.positions(account)
            case "margin":
                return [venue.margin(account, code) for code in codes]
            case "transact" | "affiliate":
                return []
        return [venue.wallet(account, code) for code in codes]


def _market_of(table: str, wanted: str) -> str:
    """Which market a topic is about: with all instruments nobody has to be woken, with all trades everybody."""
    if wanted and wanted not in CLASSES:
        return wanted
    return EVERY if table.startswith(("trade", "quote", "orderBook")) else LOOK


def _keep(table: str, wanted: str) -> Keep | None:
    """The test a topic's filter is; None for everything."""
    if not wanted:
        return None
    if table == "instrument" and wanted in CLASSES:
        return CLASSES[wanted]
    column = column_of(table)
    return lambda row: row.get(column) == wanted


def _refused(refusal: Refusal, wall: int) -> web.Response:
    """An upgrade that does not happen: the REST error body."""
    headers = {"Date": http_date(wall), "Content-Type": "application/json; charset=utf-8"}
    return web.Response(status=refusal.status, body=encode(refusal.body()), headers=headers)
