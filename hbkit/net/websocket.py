"""One websocket that stays up: connects again after every loss, and hands each frame to a plain function.

    socket = Socket("wss://venue.example/realtime", clock=clock, chance=chance, on_frame=on_frame, on_up=hello)
    async with asyncio.TaskGroup() as group:
        group.create_task(socket.run())          # until socket.stop(), or `async with socket:` does both

`on_frame` runs on the reader's own stack, with the frame's bytes: no queue and no task lies between the wire and it.
`on_up` may return an awaitable, to log in and subscribe; it runs beside the reader, so that it can wait for answers.
Each `on_up` is followed by one `on_down`. A silent server is asked by a ping and given up when that stays unanswered.
"""

from __future__ import annotations

import asyncio
import inspect
import socket as sockets
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias, cast

import aiohttp

from hbkit.chance import Chance
from hbkit.clock import Clock
from hbkit.errors import AuthenticationError, Disconnected, HbkitError, WireError
from hbkit.log import get_logger
from hbkit.net.http import ConnectorFactory, WireFailure, reason_of, send_once, verified
from hbkit.net.limits import RateBudget, WindowBucket

#: Where to connect, asked anew before each connect: the URL, with the headers of the handshake where it needs some.
Address = str | Callable[[], "str | tuple[str, Mapping[str, str]]"]
OnFrame = Callable[[bytes], None]
OnUp = Callable[[], Awaitable[None] | None]

MAX_FRAME = 64 * 1024 * 1024
CONNECTS_PER_HOUR = 60

_JITTER = 0.25
_GOOD_SECONDS = 60.0
_SHOWN = 500
_CLOSE_SECONDS = 2.0

_Wire: TypeAlias = "aiohttp.ClientWebSocketResponse[Any]"
_TEXT, _BINARY = aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY
_PING, _PONG = aiohttp.WSMsgType.PING, aiohttp.WSMsgType.PONG


class Socket:
    """One reconnecting websocket; see the top of this file.

    `connects` limits how often it connects and can be shared by all sockets to one venue. With `give_up_after` it ends
    when it has been down for that many seconds: `on_end` gets the Disconnected, without `on_end` `run` raises it. So it
    does with an AuthenticationError out of `on_up`: asking again with the same key would end in a ban.
    """

    def __init__(
        self,
        address: Address,
        *,
        clock: Clock,
        chance: Chance,
        on_frame: OnFrame,
        on_up: OnUp | None = None,
        on_down: Callable[[str], None] | None = None,
        on_end: Callable[[HbkitError], None] | None = None,
        name: str = "socket",
        connector_factory: ConnectorFactory = aiohttp.TCPConnector,
        ping_after: float = 5.0,
        dead_after: float = 10.0,
        connect_timeout: float = 10.0,
        first_delay: float = 1.0,
        longest_delay: float = 60.0,
        give_up_after: float | None = None,
        connects: RateBudget | None = None,
        tls: ssl.SSLContext | None = None,
        max_frame: int = MAX_FRAME,
    ) -> None:
        if not 0 < ping_after < dead_after:
            raise ValueError(f"a ping must come before the end: 0 < {ping_after} < {dead_after} does not hold")
        self._address = address
        self._on_frame = on_frame
        self._on_up = on_up
        self._on_down = on_down
        self._on_end = on_end
        self._connector_factory = connector_factory
        self._ping_after = ping_after
        self._dead_after = dead_after
        self._connect_timeout = connect_timeout
        self._backoff = Backoff(chance, first_delay, longest_delay)
        self._give_up_after = give_up_after
        self._connects = connects or RateBudget(
            {"connects": WindowBucket(CONNECTS_PER_HOUR, 3600.0, clock)}, clock=clock, reserve=0.0
        )
        self._tls = tls
        self._max_frame = max_frame
        self._log = get_logger("net.websocket").bind(socket=name)
        self._name = name
        self._wire: _Wire | None = None
        self._heard = 0.0
        self._life: asyncio.Timeout | None = None
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self._cancels = 0
        self._ended: asyncio.Event | None = None
        self._told: set[tuple[type[BaseException], str, int]] = set()
        self.connected = 0
        """How many connects have succeeded."""
        self.failed_frames = 0
        """How many frames `on_frame` has raised on."""

    # -- what the owner calls

    @property
    def up(self) -> bool:
        """Whether there is a connection now."""
        return self._wire is not None

    async def run(self) -> None:
        """Stay connected until `stop()`."""
        if self._life is not None:
            raise RuntimeError(f"{self._name} is running already")
        self._ended = asyncio.Event()
        self._cancels = _cancels()
        failure: HbkitError | None = None
        try:
            async with asyncio.timeout(None) as self._life:
                if not self._stopping:
                    failure = await self._stay_connected()
        except TimeoutError:
            # The way in which `stop()` reaches into whatever is awaited at the moment; no other timeout comes here.
            if not self._stopping:
                raise
        finally:
            self._life = None
            self._ended.set()
        if failure is not None:
            self._end(failure)

    def stop(self) -> None:
        """Close the connection and let `run` return, soon; callable from every callback."""
        if not self._stopping:
            self._stopping = True
            if self._life is not None:
                self._life.reschedule(asyncio.get_running_loop().time())

    async def close(self) -> None:
        """Stop, and wait until `run` has closed the connection."""
        self.stop()
        if self._ended is not None:
            await self._ended.wait()

    async def send(self, data: bytes | str) -> None:
        """Send one text frame; Disconnected if there is no connection, or if it breaks on the way."""
        if self._wire is None:
            raise Disconnected(f"{self._name} is not connected; nothing was sent")
        try:
            await self._wire.send_frame(data.encode() if isinstance(data, str) else data, _TEXT)
            return
        except (aiohttp.ClientError, OSError) as error:
            reason = reason_of(error)
        raise Disconnected(f"{self._name}: {reason}; the frame may have been lost")

    async def __aenter__(self) -> Socket:
        self._task = asyncio.create_task(self.run(), name=self._name)
        # One step, so that `run` has begun when the block does.
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None, "set by __aenter__"
        self.stop()
        await self._task

    # -- from one connection to the next

    async def _stay_connected(self) -> HbkitError | None:
        """Returns the reason for which it gave up."""
        down_since = asyncio.get_running_loop().time()
        async with self._session() as session:
            while not self._stopping:
                try:
                    async with asyncio.timeout(self._seconds_left(down_since)):
                        wire = await self._connect(session)
                except TimeoutError:
                    return self._gave_up(down_since)
                if wire is not None:
                    self._log.info("connected", connects=self.connected)
                    failure = await self._hold(wire)
                    if failure is not None:
                        return failure
                    # A TaskGroup that ends with errors of its own forgets, before 3.13, that it was cancelled as well.
                    if _cancels() > self._cancels:
                        raise asyncio.CancelledError
                    down_since = asyncio.get_running_loop().time()
                if self._seconds_left(down_since) == 0:
                    return self._gave_up(down_since)
                await self._pause(down_since)
        return None

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=self._connector_factory(),
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(send_once, refuse_redirects),
            trust_env=False,
        )

    def _seconds_left(self, down_since: float) -> float | None:
        if self._give_up_after is None:
            return None
        return max(0.0, down_since + self._give_up_after - asyncio.get_running_loop().time())

    async def _pause(self, down_since: float) -> None:
        seconds = self._backoff.next()
        left = self._seconds_left(down_since)
        await asyncio.sleep(seconds if left is None else min(seconds, left))

    def _gave_up(self, down_since: float) -> Disconnected:
        seconds = asyncio.get_running_loop().time() - down_since
        return Disconnected(f"{self._name} could not be connected for {seconds:.0f} s and gave up; is the network up?")

    def _end(self, failure: HbkitError) -> None:
        if self._on_end is None:
            raise failure
        self._on_end(failure)

    async def _connect(self, session: aiohttp.ClientSession) -> _Wire | None:
        """A new connection, or None and one line in the log."""
        await self._connects.take()
        try:
            return await self._shake_hands(session)
        except TimeoutError:
            reason = f"no connection within {self._connect_timeout:g} s"
        except WireFailure as error:
            reason = error.reason
        except (aiohttp.ClientError, OSError) as error:
            # Words of ours: the text of a failed handshake can hold the headers that were sent.
            reason = reason_of(error)
        self._log.warning("no connection", reason=reason)
        return None

    async def _shake_hands(self, session: aiohttp.ClientSession) -> _Wire:
        address = self._address if isinstance(self._address, str) else self._address()
        url, headers = (address, {}) if isinstance(address, str) else address
        options: dict[str, Any] = {}
        if url.startswith(("wss:", "https:")):
            self._tls = options["ssl"] = verified(self._tls)
        async with asyncio.timeout(self._connect_timeout):
            wire = await session.ws_connect(
                url,
                headers=headers,
                # Pings are answered below, and pongs are heard there: both are signs of life.
                autoping=False,
                decode_text=False,
                max_msg_size=self._max_frame,
                timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_SECONDS),
                **options,
            )
        self.connected += 1
        return cast("_Wire", wire)

    # -- one connection

    async def _hold(self, wire: _Wire) -> HbkitError | None:
        """Read until the connection is lost; returns an error after which there must be no other."""
        loop = asyncio.get_running_loop()
        self._wire, self._heard = wire, loop.time()
        started, reason, failure = loop.time(), "stopped", None
        try:
            async with asyncio.TaskGroup() as group:
                self._greet(group)
                group.create_task(self._watch(wire), name=f"{self._name} watch")
                raise _Lost(await self._read(wire))
        except* _Lost as lost:
            reason = str(_first(lost))
        except* AuthenticationError as refused:
            reason, failure = "refused", cast("AuthenticationError", _first(refused))
        except* WireError as lost:
            reason = cast("WireError", _first(lost)).message
        except* Exception as failed:  # noqa: BLE001 - the owner's `on_up` failed: told, and tried again later
            reason = "on_up failed"
            self._log.error(reason, exc_info=_first(failed))
        finally:
            self._wire = None
            self._tell_down(reason)
            await self._close(wire, reason)
        if loop.time() - started >= _GOOD_SECONDS:
            self._backoff.reset()
        return failure

    def _greet(self, group: asyncio.TaskGroup) -> None:
        answer = self._on_up() if self._on_up is not None else None
        if inspect.isawaitable(answer):
            group.create_task(_await(answer), name=f"{self._name} on_up")

    async def _read(self, wire: _Wire) -> str:
        """Hand on frames until there are no more; returns why. The one loop of this file that must be fast."""
        receive, on_frame, now = wire.receive, self._on_frame, asyncio.get_running_loop().time
        while not self._stopping:
            message = await receive()
            kind = message.type
            self._heard = now()
            if kind is _TEXT or kind is _BINARY:
                try:
                    on_frame(message.data)
                except Exception as error:  # noqa: BLE001 - one frame that cannot be used must not cost the connection
                    self._frame_failed(error, message.data)
            elif kind is _PING:
                await _answer(wire, message.data)
            elif kind is not _PONG:
                return _why(wire, message)
        return "stopped"

    async def _watch(self, wire: _Wire) -> None:
        """Ping a silent server; raise _Lost when it stays silent."""
        loop = asyncio.get_running_loop()
        while True:
            heard = self._heard
            await asyncio.sleep(heard + self._ping_after - loop.time())
            if self._heard == heard:
                # From the ping on, not from the last frame: this process may itself have been busy for long.
                end = loop.time() + self._dead_after - self._ping_after
                await self._ping(wire, end)
                await asyncio.sleep(end - loop.time())
                if self._heard == heard:
                    raise _Lost(f"silent for {self._dead_after:g} s")

    async def _ping(self, wire: _Wire, end: float) -> None:
        # A server that does not read lets the send wait for room: no longer than it has left to live.
        try:
            async with asyncio.timeout_at(end):
                await wire.ping()
        except TimeoutError:
            return
        except (aiohttp.ClientError, OSError) as error:
            raise _Lost(reason_of(error)) from None

    def _tell_down(self, reason: str) -> None:
        self._log.info("disconnected", reason=reason)
        if self._on_down is not None:
            try:
                self._on_down(reason)
            except Exception as error:  # noqa: BLE001 - the owner's code must not keep the socket from coming back
                self._log.error("on_down failed", exc_info=error)

    async def _close(self, wire: _Wire, reason: str) -> None:
        dead = reason.startswith("silent")
        raw = wire.get_extra_info("socket")
        try:
            async with asyncio.timeout(0.0 if dead else _CLOSE_SECONDS):
                await wire.close()
        except TimeoutError:
            dead = True
        if dead and raw is not None:
            # What was not sent would keep the socket open for as long as the kernel tries.
            try:
                raw.shutdown(sockets.SHUT_RDWR)
            except OSError:
                return

    def _frame_failed(self, error: Exception, data: bytes) -> None:
        self.failed_frames += 1
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = ("", 0) if trace is None else (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
        fault = (type(error), *place)
        # The same fault on each of a thousand frames a second would fill the disk; the count goes on.
        if fault not in self._told:
            self._told.add(fault)
            text = bytes(data[:_SHOWN]).decode("utf-8", "replace")
            self._log.error("a frame could not be used", frame=text, size=len(data), exc_info=error)


class Backoff:
    """The wait before each new try: doubling, up to a longest, shortened by chance so that clients do not march."""

    def __init__(self, chance: Chance, first: float = 1.0, longest: float = 60.0) -> None:
        self._chance = chance
        self._first = first
        self._longest = longest
        self._step = first

    def next(self) -> float:
        """Seconds to wait now; the next time twice as long."""
        seconds = self._step * (1 - _JITTER * self._chance.random())
        self._step = min(self._longest, 2 * self._step)
        return seconds

    def reset(self) -> None:
        """Begin anew: the last connection was a good one."""
        self._step = self._first


class _Lost(Exception):
    """The connection ended, and why."""


async def refuse_redirects(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keeps the headers of a handshake from going to another host: aiohttp would follow redirects by itself."""
    answer = await handler(request)
    if 300 <= answer.status < 400:
        answer.close()
        raise WireFailure(f"the server answers {answer.status}, a redirect, which is not followed", sent=True)
    return answer


async def _answer(wire: _Wire, ping: bytes) -> None:
    try:
        await wire.pong(ping)
    except (aiohttp.ClientError, OSError) as error:
        raise _Lost(reason_of(error)) from None


def _cancels() -> int:
    """How often the running task has been asked to end."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


async def _await(awaitable: Awaitable[None]) -> None:
    await awaitable


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _why(wire: _Wire, message: aiohttp.WSMessage) -> str:
    if message.type is aiohttp.WSMsgType.ERROR:
        return f"bad frame ({type(message.data).__name__}, code {wire.close_code})"
    if wire.close_code in {None, aiohttp.WSCloseCode.ABNORMAL_CLOSURE}:
        return "the connection broke off"
    return f"closed by the server (code {int(wire.close_code or 0)})"
