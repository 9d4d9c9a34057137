"""Who listens to what: groups of sockets per table and filter, each update encoded once per group, not once per client.

A slow consumer is closed (18.10.14): nothing is dropped or merged for it, and nobody waits for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from aiohttp import WSMsgType, web

from hbkit.clock import SECOND, Clock
from hbkit_bitmex.simulator.columns import BY_CURRENCY, CLASSES, PRIVATE
from hbkit_bitmex.simulator.faults import Faults
from hbkit_bitmex.simulator.lateness import Lateness
from hbkit_bitmex.simulator.shapes import Shape, framed
from hbkit_bitmex.simulator.step import Update
from hbkit_bitmex.simulator.wire import encode

Row = dict[str, Any]
Keep = Callable[[Row], bool]

QUEUE_BYTES = 8 * 1024 * 1024
QUEUE_AGE = 10 * SECOND
FLUSH_SECONDS = 1.0
POLICY_VIOLATION = 1008
SERVICE_RESTART = 1012
ABNORMAL = 1006
CLOSE_SECONDS = 2.0
"""How long a client is given to answer a close frame."""


class Client:
    """One socket: what waits to be written, and to whom it belongs."""

    def __init__(
        self, socket: web.WebSocketResponse, transport: asyncio.BaseTransport | None, address: str, clock: Clock
    ) -> None:
        self.socket = socket
        self.address = address
        self._transport = transport
        self.account: int | None = None
        self.shape = Shape.SPARSE
        """How rows are sent to it, from its next subscription on."""
        self.is_platform = False
        """Whether it came to `/realtimePlatform`, which has tables of its own."""
        self.topics: dict[str, Group] = {}
        self.errors = 0
        self.heard = clock.now()
        """When anything came from it last, a pong too."""
        self.is_late = False
        """True for one that was waited for in vain and has not caught up since."""
        self._clock = clock
        self._queue: deque[tuple[int, bytes]] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._pump: asyncio.Task[None] | None = None
        self.is_deaf = False
        """Half open: what is sent either way arrives nowhere (a fault)."""
        self.closing: tuple[int, bytes] | None = None

    def send(self, frame: bytes) -> None:
        """Queue a frame; a client that does not read is cut."""
        if self.closing is not None or self.is_deaf:
            return
        now = self._clock.now()
        self._queue.append((now, frame))
        self._bytes += len(frame)
        if self._bytes > QUEUE_BYTES or now - self._queue[0][0] > QUEUE_AGE:
            self._give_up()
            return
        self._idle.clear()
        self._wake.set()

    def _give_up(self) -> None:
        """A slow consumer: its backlog goes, and the write that waits for it is not waited for any longer."""
        self._queue.clear()
        self.close(POLICY_VIOLATION, b"slow consumer")
        if self._pump is not None:
            self._pump.cancel()

    def close(self, code: int, reason: bytes = b"") -> None:
        """Close after what is queued is written."""
        self.closing = (code, reason)
        self._wake.set()

    async def write(self) -> None:
        """Write what is queued, for as long as the socket lives; owned by the socket's handler."""
        self._pump = asyncio.create_task(self._write_queue())
        try:
            await asyncio.gather(self._pump, return_exceptions=True)
        finally:
            self._pump.cancel()
            self._idle.set()
        if self.closing is None or self.closing[0] == ABNORMAL:
            return
        code, reason = self.closing
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.socket.close(code=code, message=reason)
        except (TimeoutError, ConnectionError):
            self.abort()

    async def _write_queue(self) -> None:
        """Until there is a reason to close and nothing is left."""
        try:
            while self._queue or self.closing is None:
                while self._queue:
                    _, frame = self._queue.popleft()
                    self._bytes -= len(frame)
                    await self.socket.send_frame(frame, WSMsgType.TEXT)
                self._idle.set()
                self.is_late = False
                if self.closing is None:
                    await self._wake.wait()
                    self._wake.clear()
        except ConnectionError:
            self.closing = (ABNORMAL, b"")

    def deafen(self) -> None:
        """Nothing is read from it and nothing written to it any more, but its connection stays."""
        self.is_deaf = True
        self._queue.clear()
        self._bytes = 0
        self._idle.set()
        if isinstance(self._transport, asyncio.Transport):
            self._transport.pause_reading()

    def abort(self) -> None:
        """Drop the connection without a close frame, as a broken line does."""
        self.closing = (ABNORMAL, b"")
        self._queue.clear()
        self._wake.set()
        if isinstance(self._transport, asyncio.Transport):
            self._transport.abort()

    async def written(self) -> None:
        """Until nothing waits."""
        await self._idle.wait()


class Group:
    """The clients of one table, filter and shape of rows; of one account where the table is private."""

    def __init__(self, table: str, account: int | None, keep: Keep | None, shape: Shape) -> None:
        self.table = table
        self.account = account
        self.keep = keep
        self.shape = shape
        self.clients: dict[Client, None] = {}

    def rows(self, update: Update) -> list[Row]:
        """Those of the update that these clients asked for."""
        if self.account is not None and update.account != self.account:
            return []
        return update.rows if self.keep is None else [row for row in update.rows if self.keep(row)]


class Hub:
    """All sockets."""

    def __init__(self, clock: Clock, faults: Faults) -> None:
        self._clock = clock
        self._faults = faults
        self._groups: dict[str, dict[tuple[int | None, str, Shape], Group]] = {}
        self._lateness = Lateness()
        self.clients: dict[Client, None] = {}

    def connect(self, socket: web.WebSocketResponse, request: web.Request) -> Client:
        """A new socket."""
        client = Client(socket, request.transport, request.remote or "", self._clock)
        self.clients[client] = None
        return client

    def disconnect(self, client: Client) -> None:
        """A socket is gone."""
        self.clients.pop(client, None)
        self._lateness.forget(client)
        for name in list(client.topics):
            self.leave(client, name)

    def join(self, client: Client, name: str, table: str, wanted: str, keep: Keep | None) -> None:
        """`name` is the topic as the client wrote it, `wanted` its filter."""
        account = client.account if table in PRIVATE else None
        groups = self._groups.setdefault(table, {})
        group = groups.get((account, wanted, client.shape))
        if group is None:
            group = groups[account, wanted, client.shape] = Group(table, account, keep, client.shape)
        group.clients[client] = None
        client.topics[name] = group

    def leave(self, client: Client, name: str) -> None:
        """No further row of this topic."""
        group = client.topics.pop(name)
        group.clients.pop(client, None)
        if not group.clients:
            groups = self._groups[group.table]
            for key in [key for key, one in groups.items() if one is group]:
                del groups[key]

    def publish(self, updates: list[Update]) -> None:
        """Queue every update for everybody who asked for it."""
        for update in updates:
            groups = self._groups.get(update.table)
            if groups:
                for group in groups.values():
                    self._send(group, update)

    def is_mute(self, table: str) -> bool:
        """Whether the partial of a table is swallowed by a fault; counts as a frame of it."""
        return bool(self._faults) and self._faults.on_partial("mute", table) is not None

    def partial_lag(self, table: str) -> float | None:
        """How many seconds late the partial of a table comes, by a fault."""
        late = self._faults.on_partial("late_partial", table) if self._faults else None
        return late.seconds if late is not None else None

    def _send(self, group: Group, update: Update) -> None:
        rows = group.rows(update)
        if not rows:
            return
        rows = framed(update.table, update.action, rows, group.shape)
        frame = encode({"table": update.table, "action": update.action, "data": rows})
        if self._faults or self._lateness:
            self._send_faulty(group, update.table, frame)
            return
        for client in group.clients:
            client.send(frame)

    def _send_faulty(self, group: Group, table: str, frame: bytes) -> None:
        """The same where frames may be lost, doubled, late, or come in another order."""
        way = self._faults.way(table)
        for client in group.clients:
            if way.swapped is not None and way.copies:
                self._lateness.hold(client, table, frame, way.swapped)
                continue
            for _ in range(way.copies):
                self._lateness.send(client, table, frame, way.lag)

    def watched(self) -> set[str]:
        """Symbols that somebody is subscribed to, `?` where somebody hears of all instruments."""
        found = set()
        for table, groups in self._groups.items():
            for _, wanted, _ in groups:
                found.add("?" if table == "instrument" and wanted in ("", *CLASSES) else wanted)
        return found

    async def flush(self) -> None:
        """Until everything queued is written; a client that does not read is not waited for longer than a second."""
        waiting = {asyncio.ensure_future(client.written()): client for client in self.clients if not client.is_late}
        if not waiting:
            await asyncio.sleep(0)
            return
        _, late = await asyncio.wait(waiting, timeout=FLUSH_SECONDS)
        for task in late:
            waiting[task].is_late = True
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def deafen(self, account: int | None = None) -> list[Client]:
        """Leave connections half open, all of them or those of an account; which."""
        found = [client for client in self.clients if account is None or client.account == account]
        for client in found:
            client.deafen()
        return found

    def cut(self, account: int | None = None) -> int:
        """Drop connections without a close frame, all of them or those of an account; how many."""
        found = [client for client in self.clients if account is None or client.account == account]
        for client in found:
            client.abort()
        return len(found)


def column_of(table: str) -> str:
    """What a topic's filter compares."""
    return "currency" if table in BY_CURRENCY else "symbol"
