"""ccxt's websocket client, read by one task of its own, on the loop's clock, without a way to stop in silence.

ccxt makes the client, with all that it knows of the venue; `adopt` changes how it is read. Four ways in which the
client as it comes stops without a word, and what is done here:

* It takes frames out of aiohttp's buffer by hand and reckons their size without what aiohttp (3.14.4 and later) adds to
  each, so that after about a thousand frames that came in bursts aiohttp holds the connection back for ever (ccxt
  4.5.83 with its own pin of aiohttp; mended in 4.5.90). Here nothing is taken by hand.
* A handler that raises on a frame ends the reading, and the socket stays. Here it ends the connection: whoever watches
  gets the error, subscribes anew, and takes a new snapshot.
* A read that fails ends the reading in the same way. Here too it ends the connection.
* Pings are timed by the wall clock, and a dead peer is noticed after a minute. Here a peer that was silent for
  QUIET_SECONDS is asked, in the venue's own words where it has some, and given up DEAD_SECONDS later.

Between two frames whoever watches has his turn, so that a second frame does not take the place of the first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, Protocol

import aiohttp
import ccxt
from ccxt.async_support.base.ws.client import Client as CcxtSocket

from hbkit.log import get_logger

QUIET_SECONDS: Final = 10.0
DEAD_SECONDS: Final = 10.0
_SLACK: Final = 1e-6
_CLOSE_SECONDS: Final = 2.0
_TURNS: Final = 3
"""Steps of the loop that a watch needs from its answer to the next question: two through ccxt's race of several."""
_TOLD = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.ERROR)
"""ccxt's own `handle_message` has told everybody."""
_OVER = (aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED)

_log = get_logger("ccxt.socket")


class Owner(Protocol):
    """Whose socket it is."""

    frames: int
    """Counts them for all sockets."""

    def own(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task that somebody ends."""

    def session(self, kind: str) -> aiohttp.ClientSession:
        """The one to connect with, by its kind."""


class Socket(CcxtSocket):  # type: ignore[misc]
    """See the top of this file; made by `adopt` only."""

    dial: asyncio.Task[Any] | None
    owner: Owner
    connecting: bool
    heard: float
    frames: int

    # -- what ccxt calls

    def connect(self, session: Any, backoff_delay: float = 0) -> Any:
        """Dial once; the future is done when it is connected.

        The session of requests is left to them: a handshake over one of its connections would take that away.
        """
        del session
        if not self.connection and not self.connecting:
            self.connecting = True
            self.dial = self.owner.own(self.open(self.owner.session("sockets"), backoff_delay))
        return self.connected

    def future(self, message_hash: str) -> Any:
        """What comes under that name next; a failure that nobody waits for any more is no news."""
        known = self.futures.get(message_hash)
        future = super().future(message_hash)
        if future is not known:
            future.add_done_callback(_heard_of)
        return future

    def receive_loop(self) -> None:
        """Begin to read; ccxt calls it when it is connected."""
        self.heard = self.asyncio_loop.time()
        self.owner.own(self._read(self.connection))

    def on_error(self, error: BaseException) -> None:
        """The connection is no good: tell everybody who waits, and let go of it."""
        if not isinstance(error, ccxt.BaseError):
            error = ccxt.NetworkError(error)
        self.error = error
        self.reject(error)
        self.on_error_callback(self, error)
        if not self.closed():
            self.owner.own(self.aiohttp_close())

    def let_go(self, reason: str) -> None:
        """End the connection, or the try to make one; whoever watches hears why."""
        if self.dial is not None:
            self.dial.cancel()
        self.on_error(ccxt.NetworkError(reason))

    def on_close(self, code: int) -> None:
        """The other side has closed."""
        if not self.error:
            self.reject(ccxt.NetworkError(f"the connection was closed (code {code})"))
        self.on_close_callback(self, code)
        self.owner.own(self.aiohttp_close())

    async def aiohttp_close(self) -> None:
        """Stop the pings, say goodbye, and wait no longer than a moment for the answer."""
        pings = self.ping_looper
        if pings is not None and pings is not asyncio.current_task():
            pings.cancel()
        if not self.closed():
            try:
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await self.connection.close()
            except (TimeoutError, aiohttp.ClientError, OSError) as error:
                _log.debug("not closed in order", reason=type(error).__name__)

    async def ping_loop(self) -> None:
        """Keep the connection alive as the venue wants it, and find out when it is not."""
        loop = self.asyncio_loop
        every = (self.keepAlive or 0) / 1000 or float("inf")
        next_ping, asked, frames = loop.time() + every, None, 0
        while not self.closed():
            due = self.heard + QUIET_SECONDS if asked is None else asked + DEAD_SECONDS
            await asyncio.sleep(max(0.0, min(next_ping, due) - loop.time()))
            # A loop calls a timer up to its resolution early: what is left then would be waited for without end.
            now = loop.time() + _SLACK
            if asked is not None and self.frames > frames:
                asked = None
            elif asked is not None and now >= asked + DEAD_SECONDS:
                self.on_error(ccxt.RequestTimeout(f"silent for {now - self.heard:.0f} s"))
                return
            silent = asked is None and now >= self.heard + QUIET_SECONDS
            if silent or now >= next_ping:
                asked, frames = (now, self.frames) if silent else (asked, frames)
                next_ping = now + every
                await self._ping()

    # -- inside

    async def _ping(self) -> None:
        try:
            # A peer that does not read lets this wait for room.
            async with asyncio.timeout(DEAD_SECONDS):
                await (self.send(self.ping(self)) if self.ping else self.connection.ping())
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            if not self.closed():
                self.on_error(error)

    async def _read(self, connection: Any) -> None:
        loop = self.asyncio_loop
        while not connection.closed:
            try:
                message = await connection.receive()
                self.heard = loop.time()
                self.frames += 1
                self.owner.frames += 1
                self.handle_message(message)
            except Exception as error:  # noqa: BLE001 - whatever it was, what the frame said is lost: begin anew
                _log.error("a frame could not be used: a new connection", socket=_host(self.url), exc_info=error)
                self.on_error(ccxt.BadResponse(f"a frame could not be used ({type(error).__name__})"))
                return
            if message.type in _TOLD:
                return
            if message.type in _OVER:
                break
            for _ in range(_TURNS):
                await asyncio.sleep(0)
        if not self.error:
            self.on_close(aiohttp.WSCloseCode.ABNORMAL_CLOSURE)


def adopt(socket: Any, owner: Owner, throttle: Callable[[float], Awaitable[None]]) -> Socket:
    """Make a Socket of the client that ccxt has just made: it keeps what the venue needs, and is read as above.

    :param throttle: waits until a message may be sent.
    """
    socket.__class__ = Socket
    socket.owner, socket.throttle, socket.dial = owner, throttle, None
    socket.heard, socket.frames = socket.asyncio_loop.time(), 0
    return socket  # type: ignore[no-any-return]


def _heard_of(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()


def _host(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])
