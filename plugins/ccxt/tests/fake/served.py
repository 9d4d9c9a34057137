"""FakeVenue behind an HTTP server and a WebSocket in memory, because ccxt brings its own way to a venue.

What goes wrong on the wire goes wrong here: a request or an answer that is lost is a connection that breaks, a cut
breaks every connection that is open.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import Any

import aiohttp
from aiohttp import WSMsgType, web
from msgspec.structs import replace

from hbkit.clock import SECOND
from hbkit.exchange import Address
from hbkit.model import Execution, OrderReport
from hbkit.net.virtual import VirtualLoop
from hbkit.testing.fake import COIN, FakeVenue
from hbkit.testing.fake.rows import Row, fill_row, order_row
from hbkit.testing.fake.venue import Lost, Refused, Stream

PATH = "fakeccxt"
STATUS = {"key": 401, "stale": 400, "fast": 429, "order": 400, "duplicate": 409, "busy": 503}


class ServedVenue(FakeVenue):
    """The handle; what FakeVenue's wire does not tell, and ccxt asks for, is added."""

    def __init__(self, loop: VirtualLoop, *, dark: float = 0.0, tells_fees: bool = True) -> None:
        """
        :param dark: seconds for which nobody gets through after a cut: who only asks would not notice it otherwise.
        """
        super().__init__(loop)
        self.address = Address("http://fake", "ws://fake/stream")
        self._dark, self._dark_until = dark, 0.0
        self._tells_fees = tells_fees
        self._pumps: set[asyncio.Task[None]] = set()
        self.busy = 0
        """So many of the next requests that act are turned away as too many."""

    def connector(self) -> Any:
        """To the server's path."""
        return aiohttp.UnixConnector(path=PATH, keepalive_timeout=1e6)

    def cut(self) -> None:
        """Every socket, and for a while everything else."""
        super().cut()
        self._dark_until = self._loop.time() + self._dark

    @property
    def is_dark(self) -> bool:
        """Whether nobody gets through."""
        return self._loop.time() < self._dark_until

    # -- the truth, where an amend is a cancel and a new order

    def orders(self) -> list[OrderReport]:
        """As FakeVenue tells them; an order that was replaced is the last of those that took its place."""
        found: dict[str, OrderReport] = {}
        for one in super().orders():
            order_id, carried = _generation(one.id)
            units, filled = one.units + carried, one.filled_units + carried
            found[order_id] = replace(one, id=order_id, units=units, filled_units=filled)
        return list(found.values())

    def executions(self) -> list[Execution]:
        """The same for what was traded."""
        return [replace(one, order_id=_generation(one.order_id)[0]) for one in super().executions()]

    # -- more than FakeVenue tells

    def _do_order(self, sent: Row) -> Row:
        cid = self._known(sent["id"])
        return order_row(self._orders[cid])

    def _do_ended(self, sent: Row) -> list[Row]:
        del sent
        return [order_row(one) for one in self._orders.values() if one.status.is_final]

    def _do_fills(self, sent: Row) -> list[Row]:
        return [self.named(fill_row(one)) for one in self._fills if one.ts >= sent["since"]]

    def named(self, row: Row) -> Row:
        """A fill with the venue's id of its order, which FakeVenue leaves out."""
        order = self._orders.get(row["cid"])
        more = {"oid": order.exchange_id if order is not None else ""}
        return {**row, **more} if self._tells_fees else {**row, **more, "fee": None}

    def _price(self, row: Any) -> None:
        """The mean price of an order's fills."""
        if isinstance(row, dict) and "state" in row:
            done = [one for one in self._fills if one.order_id == row["cid"]]
            units = sum(one.units for one in done)
            row["avg"] = sum(one.price * one.units for one in done) / units if units else None

    def _do_book(self, sent: Row) -> Row:
        del sent
        return {"all": [self._level(*one) for one in self._levels()], "ts": self.clock.now()}

    def _do_ticker(self, sent: Row) -> Row:
        del sent
        last = self._market.last
        px = None if last is None else COIN.price_text(last)
        return {"top": [self._level(*one) for one in self._top()], "last": px, "ts": self.clock.now()}

    # -- the server

    async def _ask(self, request: web.Request) -> web.StreamResponse:
        sent = json.loads(await request.text() or "{}")
        verb = request.match_info["verb"]
        if self.is_dark:
            return self._broken(request)
        if self.busy and verb in ("submit", "amend", "cancel"):
            self.busy -= 1
            return _refusal("fast", "too many requests")
        try:
            expires, signature = int(request.headers.get("x-expires", 0)), request.headers.get("x-signature", "")
            answer = await self.ask(verb, sent, expires, signature)
        except Lost:
            return self._broken(request)
        except Refused as refused:
            return _refusal(refused.word, str(refused))
        for row in answer if isinstance(answer, list) else [answer]:
            self._price(row)
        return web.json_response({"answer": answer})

    async def _date(self, request: web.Request, response: web.StreamResponse) -> None:
        """By the venue's clock; aiohttp would take the machine's."""
        del request
        response.headers["Date"] = formatdate(self.clock.now() // SECOND, usegmt=True)

    @staticmethod
    def _broken(request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        if self.is_dark:
            return self._broken(request)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        login = json.loads((await socket.receive()).data)
        try:
            stream = await self.dial(int(login["expires"]), login["signature"])
        except Refused as refused:
            await socket.send_json({"type": "refused", "word": refused.word, "text": str(refused)})
            await socket.close()
            return socket
        await socket.send_json({"type": "welcome"})
        pump = asyncio.get_running_loop().create_task(self._pump(stream, socket, request))
        self._pumps.add(pump)
        pump.add_done_callback(self._pumps.discard)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT and (topic := json.loads(message.data).get("topic")):
                    stream.subscribe(topic)
        finally:
            stream.close()
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)
        return socket

    async def _pump(self, stream: Stream, socket: web.WebSocketResponse, request: web.Request) -> None:
        try:
            while True:
                row = await stream.read()
                self._price(row)
                await socket.send_json(self.named(row) if row["type"] == "fill" else row)
        except (Lost, ConnectionError):
            if request.transport is not None:
                request.transport.abort()

    @asynccontextmanager
    async def served(self) -> AsyncIterator[ServedVenue]:
        """Listen, until the end."""
        app = web.Application()
        app.on_response_prepare.append(self._date)
        app.router.add_post("/{verb}", self._ask)
        app.router.add_get("/stream", self._listen)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.UnixSite(runner, PATH).start()
        try:
            yield self
        finally:
            self.close()
            await runner.cleanup()


def _generation(name: str) -> tuple[str, int]:
    """Our id, and the units that had filled before, of `c1_2_30`."""
    order_id, _, rest = name.partition("_")
    return order_id, int(rest.partition("_")[2] or 0)


def _refusal(word: str, text: str) -> web.Response:
    return web.json_response({"error": word, "text": text}, status=STATUS.get(word, 400))
