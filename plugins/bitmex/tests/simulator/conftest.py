"""A desk at the simulator: a real aiohttp client in virtual time that signs, and sockets that remember."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from hbkit_bitmex.simulator import Options, Running, serve
from hbkit_bitmex.simulator.accounts import VenueAccount
from hbkit_bitmex.simulator.venue import Venue
from yarl import URL

from hbkit.chance import Chance
from hbkit.clock import SECOND
from hbkit.model import Side
from hbkit.net.virtual import VirtualLoop, run_virtual

START = 1_559_001_600 * SECOND
"""Where the virtual loop begins: 2019-05-28T00:00:00Z."""
SECRETS = {"demo": "demo-secret", "other": "other-secret"}


@dataclass
class Answer:
    """Status, headers and body of an answer."""

    status: int
    headers: Any
    body: Any

    @property
    def message(self) -> str:
        """The text of an error envelope."""
        return str(self.body["error"]["message"])


@dataclass
class Socket:
    """A WebSocket that keeps every frame."""

    socket: aiohttp.ClientWebSocketResponse
    frames: list[Any] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    async def read(self) -> None:
        async for message in self.socket:
            self.texts.append(message.data)
            self.frames.append(json.loads(message.data) if message.data.startswith("{") else message.data)

    async def send(self, **command: Any) -> None:
        await self.socket.send_json(command)
        await asyncio.sleep(0.000_001)

    def of(self, table: str, action: str = "") -> list[Any]:
        """The frames of a table."""
        found = [frame for frame in self.frames if isinstance(frame, dict) and frame.get("table") == table]
        return [frame for frame in found if action in ("", frame["action"])]

    def rows(self, table: str, action: str = "") -> list[Any]:
        """Their rows."""
        return [row for frame in self.of(table, action) for row in frame["data"]]

    def errors(self) -> list[Any]:
        """The error frames."""
        return [frame for frame in self.frames if isinstance(frame, dict) and "error" in frame]


class Desk:
    """Somebody who trades at the simulator."""

    def __init__(self, loop: VirtualLoop, running: Running, session: aiohttp.ClientSession) -> None:
        self.loop = loop
        self.running = running
        self.session = session
        self._sockets: list[tuple[Socket, asyncio.Task[None]]] = []

    def sign(self, verb: str, target: str, body: str = "", *, key: str = "demo", expires: int | None = None) -> Any:
        """The three headers."""
        at = str(self.loop.clock.now() // SECOND + 10 if expires is None else expires)
        digest = hmac.new(SECRETS[key].encode(), f"{verb}{target}{at}{body}".encode(), hashlib.sha256)
        return {"api-key": key, "api-expires": at, "api-signature": digest.hexdigest()}

    async def call(self, verb: str, route: str, body: Any = None, *, key: str | None = "demo") -> Answer:
        """A request below /api/v1, signed unless `key` is None."""
        target = f"/api/v1{route}"
        text = json.dumps(body) if body is not None else ""
        headers = self.sign(verb, target, text, key=key) if key is not None else {}
        if text:
            headers["Content-Type"] = "application/json"
        return await self.raw(verb, target, text, headers)

    async def raw(self, verb: str, target: str, body: str = "", headers: Any = None) -> Answer:
        """A request as it is."""
        url = URL(f"http://venue{target}", encoded=True)  # what is signed is what is sent
        async with self.session.request(verb, url, data=body or None, headers=headers) as answer:
            text = await answer.text()
            return Answer(answer.status, answer.headers, json.loads(text) if text[:1] in "{[" else text)

    async def place(self, key: str = "demo", **order: Any) -> Any:
        """A new order that is taken; its row."""
        answer = await self.call("POST", "/order", {"symbol": "XBTUSD", **order}, key=key)
        assert answer.status == 200, answer.body
        return answer.body

    async def socket(self, *topics: str, key: str | None = "demo") -> Socket:
        """A socket, logged in unless `key` is None, with these subscriptions."""
        socket = Socket(await self.session.ws_connect("/realtime"))
        self._sockets.append((socket, asyncio.create_task(socket.read())))
        if key is not None:
            at = self.loop.clock.now() // SECOND + 10
            sign = hmac.new(SECRETS[key].encode(), f"GET/realtime{at}".encode(), hashlib.sha256).hexdigest()
            await socket.send(op="authKeyExpires", args=[key, at, sign])
        if topics:
            await socket.send(op="subscribe", args=list(topics))
        return socket

    async def touch(self, symbol: str = "XBTUSD") -> tuple[float, float]:
        """Best bid and ask."""
        rows = (await self.call("GET", f"/orderBook/L2?symbol={symbol}&depth=1", key=None)).body
        return rows[1]["price"], rows[0]["price"]

    async def leave(self) -> None:
        """Close every socket."""
        for socket, task in self._sockets:
            await socket.socket.close()
            await asyncio.gather(task, return_exceptions=True)


Story = Callable[[Desk], Awaitable[Any]]


@pytest.fixture
def at_the_desk() -> Callable[..., Any]:
    """Runs `async def story(desk)` against a simulator on a virtual loop; options are those of the simulator.

    `start` is what the clock shows then, `tape_start` which moment of the tape that is.
    """

    def run(story: Story, start: int = START, tape_start: int | None = None, **options: Any) -> Any:
        chosen = {"path": "venue", "history": 120 * SECOND, "limits": False, "start": tape_start, **options}
        accounts = (("other", SECRETS["other"]),)

        async def main(loop: VirtualLoop) -> Any:
            chance = Chance(chosen.get("seed", 1))
            async with AsyncExitStack() as stack:
                running = await serve(Options(accounts=accounts, **chosen), clock=loop.clock, chance=chance)
                stack.push_async_callback(running.close)
                connector = aiohttp.UnixConnector(path="venue")
                session = await stack.enter_async_context(aiohttp.ClientSession("http://venue", connector=connector))
                desk = Desk(loop, running, session)
                stack.push_async_callback(desk.leave)
                return await story(desk)

        return run_virtual(main, start=start)

    return run


@dataclass
class Bench:
    """A venue without a server: a book of our own making, and one account."""

    venue: Venue
    account: VenueAccount

    def book(self, symbol: str, bid: float, ask: float, qty: int = 10_000_000) -> None:
        """One level a side."""
        market = self.venue.markets[symbol]
        for side in Side:
            for ticks in list(market.market.book.prices(side)):
                self.venue.level(market, side, ticks, 0)
        self.venue.level(market, Side.BUY, market.instrument.ticks(bid), qty)
        self.venue.level(market, Side.SELL, market.instrument.ticks(ask), qty)

    def mark(self, symbol: str, price: float) -> None:
        """The index, and with it the mark: at a rate of 0.0001 the basis is left out by funding being due now."""
        market = self.venue.markets[symbol]
        market.ticker.funding_at = self.venue.ts
        self.venue.index(market, price)


@pytest.fixture
def bench() -> Bench:
    """Rates of 0.0001 everywhere, nothing in the books."""
    venue = Venue(Chance(1), ["XBTUSD", "XBTUSDT", "XBT_USDT"])
    account = venue.add_account()
    venue.begin(START, START)
    for market in venue.markets.values():
        market.ticker.schedule(START, [0.0001])
    return Bench(venue, account)
