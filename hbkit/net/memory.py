"""Stream connections that live in memory: what a socket pair is to an event loop, without a socket.

Each direction is a line of chunks. A chunk arrives one latency after it was written, in the order of writing, as a
callback of the loop, so that a program over these connections has one possible order of events and no other.

What follows the operating system, because clients tell these cases apart: `close()` sends what was written and then an
end of file; `abort()` drops what has not arrived and resets the other side; writing to a side that is gone resets the
writer; a paused reader holds the chunks back and so fills the writer's buffer.
"""

from __future__ import annotations

import asyncio
import errno
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

HIGH_WATER = 64 * 1024

Buffer = bytes | bytearray | memoryview
ProtocolFactory = Callable[[], asyncio.BaseProtocol]


class MemoryTransport(asyncio.Transport):
    """One end of a connection; `connect` makes the two ends and ties them together."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        latency: Callable[[], float],
        on_lost: Callable[[MemoryTransport], None],
        extra: dict[str, Any],
    ) -> None:
        super().__init__(extra)
        self._loop = loop
        self._latency = latency
        self._on_lost = on_lost
        self._peer: MemoryTransport | None = None
        self._protocol: Any = None
        # On the way to us, then arrived and not yet read; None is the end of file.
        self._wire: deque[bytes | None] = deque()
        self._inbox: deque[bytes | None] = deque()
        self._last_arrival = 0.0
        self._unread = 0
        self._high, self._low = HIGH_WATER, HIGH_WATER // 4
        self._writer_paused = self._reader_paused = False
        self._closing = self._gone = self._wrote_eof = False

    # -- life

    def start(self, protocol: asyncio.BaseProtocol) -> None:
        """Tell the protocol that it is connected; bytes follow only after that."""
        self._protocol = protocol
        self._loop.call_soon(self._made)

    def _made(self) -> None:
        self._protocol.connection_made(self)
        self._feed()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand what arrives from now on to `protocol`."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who is told of what arrives."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def is_closing(self) -> bool:
        """True from `close()` or `abort()` on."""
        return self._closing

    def close(self) -> None:
        """Send what was written, then the end of file; nothing is read any more."""
        if self._closing:
            return
        self._send_eof()
        if any(self._inbox):
            # As a socket does that is closed with unread bytes in it: the writer must not wait for a reader.
            self._after_latency(self._other(), self._other()._reset)
        self._lose(None)

    def abort(self) -> None:
        """Cut: what has not arrived is lost, the other side sees a reset."""
        self._cut(None)

    def _cut(self, error: BaseException | None) -> None:
        if self._closing:
            return
        peer = self._other()
        peer._wire.clear()
        self._after_latency(peer, peer._reset)
        self._lose(error)

    def _reset(self) -> None:
        if not self._closing:
            self._lose(ConnectionResetError(errno.ECONNRESET, "the other side is gone"))

    def _lose(self, error: BaseException | None) -> None:
        self._closing = True
        self._inbox.clear()
        self._loop.call_soon(self._lost, error)

    def _lost(self, error: BaseException | None) -> None:
        try:
            self._protocol.connection_lost(error)
        finally:
            self._gone = True
            self._on_lost(self)

    def _other(self) -> MemoryTransport:
        assert self._peer is not None, "connect() ties both ends"
        return self._peer

    # -- writing

    def write(self, data: Buffer) -> None:
        """Send `data`; it arrives one latency later. After `close()` it is dropped, as a socket does."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data must be bytes-like, not {type(data).__name__}")
        if self._wrote_eof and not self._closing:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._closing or not data:
            return
        # A copy: the caller may change its bytearray before the bytes arrive.
        self._send(bytes(data))
        peer = self._other()
        if peer._unread > self._high and not self._writer_paused:
            self._writer_paused = True
            self._protocol.pause_writing()

    def writelines(self, list_of_data: Iterable[Buffer]) -> None:
        """Send the parts as one chunk."""
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        """True: one direction can end before the other."""
        return True

    def write_eof(self) -> None:
        """End this direction; the other one stays open."""
        if not self._closing:
            self._send_eof()

    def _send_eof(self) -> None:
        if not self._wrote_eof:
            self._wrote_eof = True
            self._send(None)

    def _send(self, chunk: bytes | None) -> None:
        peer = self._other()
        peer._wire.append(chunk)
        peer._unread += len(chunk or b"")
        self._after_latency(peer, peer._arrive)

    def _after_latency(self, peer: MemoryTransport, callback: Callable[[], None]) -> None:
        """Never earlier than what was sent before, also when the latency has become smaller meanwhile."""
        now = self._loop.time()
        due = max(now + self._latency(), peer._last_arrival)
        peer._last_arrival = due
        if due > now:
            self._loop.call_at(due, callback)
        else:
            self._loop.call_soon(callback)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Above `high` unread bytes the writer is asked to pause, at `low` to go on."""
        if high is None:
            high = HIGH_WATER if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._high, self._low = high, low

    def get_write_buffer_size(self) -> int:
        """Bytes written here that the other side has not read."""
        return self._other()._unread

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """(low, high), in asyncio's order."""
        return self._low, self._high

    def _drained(self) -> None:
        """The other side has read: let our writer go on when little enough is left."""
        if self._writer_paused and self.get_write_buffer_size() <= self._low and not self._closing:
            self._writer_paused = False
            self._protocol.resume_writing()

    # -- reading

    def is_reading(self) -> bool:
        """False while paused or closing."""
        return not self._reader_paused and not self._closing

    def pause_reading(self) -> None:
        """Hold back what arrives."""
        self._reader_paused = True

    def resume_reading(self) -> None:
        """Hand on what was held back, soon."""
        if self._reader_paused:
            self._reader_paused = False
            self._loop.call_soon(self._feed)

    def _arrive(self) -> None:
        # Every write schedules one arrival, so the oldest chunk is the one that is due; an abort empties the line.
        if not self._wire:
            return
        chunk = self._wire.popleft()
        if self._closing:
            self._unread -= len(chunk or b"")
            if chunk is not None:
                self._after_latency(self._other(), self._other()._reset)
            return
        self._inbox.append(chunk)
        self._feed()

    def _feed(self) -> None:
        while self._inbox and self.is_reading():
            chunk = self._inbox.popleft()
            try:
                self._hand_on(chunk)
            except Exception as error:  # noqa: BLE001 - a protocol that fails ends its connection, not the loop
                self._fail(error)
                return

    def _hand_on(self, chunk: bytes | None) -> None:
        if chunk is None:
            if not self._protocol.eof_received():
                self.close()
            return
        self._unread -= len(chunk)
        self._other()._drained()
        self._protocol.data_received(chunk)

    def _fail(self, error: Exception) -> None:
        self._loop.call_exception_handler(
            {
                "message": "Fatal error: a protocol failed on what it received.",
                "exception": error,
                "transport": self,
                "protocol": self._protocol,
            }
        )
        self._cut(error)


class MemoryServer(asyncio.AbstractServer):
    """Listens at one path; `forget` takes it off the loop's list."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, path: str, factory: ProtocolFactory, forget: Callable[[str], None]
    ) -> None:
        self.path = path
        self._loop = loop
        self._factory = factory
        self._forget = forget
        self._serving = False
        self._closed = False
        # A dict, not a set: closing the clients then has one order.
        self._clients: dict[MemoryTransport, None] = {}
        self._waiters: list[asyncio.Future[None]] = []
        self._forever: asyncio.Future[None] | None = None

    @property
    def sockets(self) -> tuple[()]:
        """None: there is no socket."""
        return ()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop that it lives on."""
        return self._loop

    def is_serving(self) -> bool:
        """True between the start and `close()`."""
        return self._serving

    def accept(self, transport: MemoryTransport) -> None:
        """Take a new connection."""
        self._clients[transport] = None
        transport.start(self._factory())

    def lose(self, transport: MemoryTransport) -> None:
        """A connection has ended."""
        self._clients.pop(transport, None)
        self._wake()

    def close(self) -> None:
        """Take no new connections; those that exist stay. The path is free at once."""
        if self._closed:
            return
        self._closed = True
        self._serving = False
        self._forget(self.path)
        if self._forever is not None and not self._forever.done():
            self._forever.cancel()
        self._wake()

    def close_clients(self) -> None:
        """Close every connection."""
        for transport in list(self._clients):
            transport.close()

    def abort_clients(self) -> None:
        """Cut every connection."""
        for transport in list(self._clients):
            transport.abort()

    async def start_serving(self) -> None:
        """Accept connections from now on."""
        if self._closed:
            raise RuntimeError(f"the server at {self.path} is closed")
        self._serving = True

    async def serve_forever(self) -> None:
        """Serve until cancelled or closed."""
        await self.start_serving()
        self._forever = self._loop.create_future()
        try:
            await self._forever
        finally:
            self._forever = None
            self.close()
            await self.wait_closed()

    async def wait_closed(self) -> None:
        """Wait until it is closed and the last connection has ended."""
        if self._closed and not self._clients:
            return
        waiter = self._loop.create_future()
        self._waiters.append(waiter)
        await waiter

    def _wake(self) -> None:
        if not self._closed or self._clients:
            return
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()


def connect(server: MemoryServer, protocol: asyncio.BaseProtocol, latency: Callable[[], float]) -> MemoryTransport:
    """A new connection to `server`; returns the client's end."""
    loop = server.get_loop()
    names = {"peername": "", "sockname": server.path}
    theirs = MemoryTransport(loop, latency, server.lose, names)
    ours = MemoryTransport(loop, latency, lambda _: None, {"peername": server.path, "sockname": ""})
    ours._peer, theirs._peer = theirs, ours
    server.accept(theirs)
    ours.start(protocol)
    return ours
