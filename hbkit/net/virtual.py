"""The event loop of virtual time: its clock is counted, not measured, and its connections live in memory.

The seam is the loop, not our clients: an unchanged program (aiohttp client, server, WebSocket, `asyncio.timeout`,
`asyncio.sleep`) runs on it with the same order of events every time, as fast as the machine can. When nothing is ready
the clock jumps to the next timer; when there is no timer either, nothing can ever happen again, and that is an error
which names the tasks that wait.

    def test_ten_minutes() -> None:
        async def main(loop: VirtualLoop) -> int:
            await asyncio.sleep(600)
            return loop.clock.now()

        run_virtual(main, start=parse_time("2019-05-28"))

Programs reach each other by path: `web.UnixSite(runner, "venue")` and `aiohttp.UnixConnector(path="venue")`. The path
is a name on this loop; no file and no socket is made. aiohttp itself still reads the real clock in places that do not
decide the order of events here: its Date header, cookies' expiry, and the age of pooled connections.
"""

from __future__ import annotations

import asyncio
import contextvars
import errno
import inspect
import math
import os
from asyncio.base_events import BaseEventLoop
from collections.abc import Awaitable, Callable, Coroutine
from heapq import heappush
from typing import Any, TypeVar, TypeVarTuple

from hbkit.clock import SECOND
from hbkit.errors import HbkitError
from hbkit.net.memory import MemoryServer, ProtocolFactory, connect

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
ProtocolT = TypeVar("ProtocolT", bound=asyncio.BaseProtocol)

#: 2019-05-28T00:00:00Z, an ordinary day: a run that names no start begins on it, never on today's date.
DEFAULT_START = 1_559_001_600 * SECOND

# Timers closer together than this count as due together; asyncio's own figure for a clock of nanoseconds.
_RESOLUTION = 1e-9
_ASYNCIO = os.path.dirname(asyncio.__file__)


class Deadlock(HbkitError):
    """Nothing is ready, nothing is scheduled: the tasks named in the message wait for what can never come."""

    code = "HB910"


class LeakedTasks(HbkitError):
    """The program ended and left tasks running that nobody owns."""

    code = "HB911"


class VirtualClock:
    """The loop's time as nanoseconds since the epoch: an `hbkit.clock.Clock`."""

    __slots__ = ("_loop", "start")

    def __init__(self, loop: VirtualLoop, start: int) -> None:
        self._loop = loop
        self.start = start

    def now(self) -> int:
        """Where the loop's clock stands."""
        return self.start + round(self._loop.time() * SECOND)


class VirtualLoop(BaseEventLoop):
    """An asyncio loop without selector, sockets or threads; `latency` is what a byte needs to the other side."""

    def __init__(self, *, start: int = DEFAULT_START, latency: float = 0.0) -> None:
        super().__init__()
        self._time = 0.0
        self._selector = _TimeJump(self)
        self._clock_resolution = _RESOLUTION
        self._task_count = 0
        self._timer_count = 0
        self._scheduled: list[asyncio.TimerHandle]
        self._servers: dict[str, MemoryServer] = {}
        self._latency = latency
        self._latencies: dict[str, float] = {}
        self._settling: list[asyncio.Future[None]] = []
        self.clock = VirtualClock(self, start)

    # -- time

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._time

    def jump(self, seconds: float) -> None:
        """Move the clock on; called when nothing is ready, with the time until the next timer."""
        # Whole nanoseconds, so that a thousand steps of 0.1 s do not drift away from the clock that programs read.
        self._time = max(self._time, round(self._time + seconds, 9))
        # Far from zero a float's steps are wider than a nanosecond, and a due timer would never look due.
        self._clock_resolution = max(_RESOLUTION, 4 * math.ulp(self._time))

    async def settle(self) -> None:
        """Wait until everything that can happen at this instant has happened; the clock does not move."""
        future: asyncio.Future[None] = self.create_future()
        self._settling.append(future)
        await future

    def wake_settled(self) -> bool:
        """End the waits of `settle()`; True if there were any."""
        waiting = [future for future in self._settling if not future.done()]
        self._settling.clear()
        for future in waiting:
            future.set_result(None)
        return bool(waiting)

    def waiting(self) -> list[asyncio.Task[Any]]:
        """The tasks that are not done, oldest first, without the one that asks."""
        running = asyncio.current_task(self) if self.is_running() else None
        tasks = [task for task in asyncio.all_tasks(self) if task is not running]
        return sorted(tasks, key=lambda task: getattr(task, "number", 0))

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call at a time of this loop; calls of one time come in the order in which they were asked for."""
        self._refuse_closed()
        self._timer_count += 1
        timer = _NumberedTimer(when, callback, args, self, context, number=self._timer_count)
        heappush(self._scheduled, timer)
        timer._scheduled = True  # type: ignore[attr-defined]  # asyncio's own mark, for a timer that is cancelled
        return timer

    # -- tasks

    def create_task(
        self,
        coro: Any,
        *,
        name: object = None,
        context: contextvars.Context | None = None,
        **options: Any,
    ) -> asyncio.Task[Any]:
        """A task with a number of this loop: its name, and its place in a set, are the same in every run."""
        if self.get_task_factory() is not None:
            return super().create_task(coro, name=name, context=context, **options)
        self._refuse_closed()
        self._task_count += 1
        label = f"Task-{self._task_count}" if name is None else str(name)
        return _NumberedTask(coro, number=self._task_count, loop=self, name=label, context=context, **options)

    def run_in_executor(self, executor: Any, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Run `func` here and now: a thread would end at a moment of its own, and no two runs would be alike."""
        self._refuse_closed()
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except StopIteration as error:
            # A future cannot carry StopIteration; the coroutine that awaits it would end instead of fail.
            failure = RuntimeError(f"{func!r} raised StopIteration")
            failure.__cause__ = error
            future.set_exception(failure)
        except Exception as error:  # noqa: BLE001 - carried to whoever awaits the future
            future.set_exception(error)
        return future

    # -- connections

    def set_latency(self, seconds: float, path: str | None = None) -> None:
        """What a byte needs from now on, on all connections or on those of one path."""
        if path is None:
            self._latency = seconds
        else:
            self._latencies[path] = seconds

    def latency(self, path: str) -> float:
        """Seconds that a byte needs at the moment."""
        return self._latencies.get(path, self._latency)

    async def create_unix_connection(
        self,
        protocol_factory: Callable[[], ProtocolT],
        path: str | os.PathLike[str] | None = None,
        *,
        ssl: Any = None,
        sock: Any = None,
        **_timeouts: Any,
    ) -> tuple[asyncio.Transport, ProtocolT]:
        """Connect to the server at `path`; a connect costs one round trip."""
        name = _name(path, ssl, sock)
        await asyncio.sleep(2 * self.latency(name))
        server = self._servers.get(name)
        if server is None or not server.is_serving():
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"nobody listens at {name}")
        protocol = protocol_factory()
        transport = connect(server, protocol, lambda: self.latency(name))
        # One step, so that both sides know of the connection before the caller writes.
        await asyncio.sleep(0)
        return transport, protocol

    async def create_unix_server(  # type: ignore[override]
        self,
        protocol_factory: ProtocolFactory,
        path: str | os.PathLike[str] | None = None,
        *,
        ssl: Any = None,
        sock: Any = None,
        start_serving: bool = True,
        **_options: Any,
    ) -> MemoryServer:
        """Listen at `path`, a name on this loop."""
        name = _name(path, ssl, sock)
        if name in self._servers:
            raise OSError(errno.EADDRINUSE, f"a server already listens at {name}")
        server = MemoryServer(self, name, protocol_factory, self._forget)
        self._servers[name] = server
        if start_serving:
            await server.start_serving()
        return server

    def _forget(self, name: str) -> None:
        self._servers.pop(name, None)

    async def create_connection(self, *_args: Any, **_kwargs: Any) -> Any:
        """There is no network in virtual time."""
        raise _no_network()

    async def create_server(self, *_args: Any, **_kwargs: Any) -> Any:
        """There is no network in virtual time."""
        raise _no_network()

    async def getaddrinfo(self, *_args: Any, **_kwargs: Any) -> Any:
        """There is no network in virtual time."""
        raise _no_network()

    # -- what asyncio.base_events asks of a loop

    def _refuse_closed(self) -> None:
        if self.is_closed():
            raise RuntimeError("Event loop is closed")

    def _process_events(self, event_list: list[Any]) -> None:
        """No selector, no events."""

    def _write_to_self(self) -> None:
        """Nothing ever waits in a selector, so nothing need be woken."""


class _TimeJump:
    """Stands where a loop has its selector: where others wait, it moves the clock."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        """`timeout` is 0 when something is ready, None when nothing is scheduled."""
        if timeout == 0 or self._loop.wake_settled():
            return []
        if timeout is None:
            raise Deadlock(_deadlock_text(self._loop))
        self._loop.jump(timeout)
        return []


class _NumberedTimer(asyncio.TimerHandle):
    """A timer that goes after those of the same time that are older: asyncio's own heap leaves that open."""

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context | None,
        *,
        number: int,
    ) -> None:
        super().__init__(when, callback, args, loop, context)
        self.number = number

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, _NumberedTimer):
            return NotImplemented
        return (self.when(), self.number) < (other.when(), other.number)


class _NumberedTask(asyncio.Task[Any]):
    """A task whose hash is its number.

    asyncio keeps tasks in sets and cancels them in the order of the set; by address in memory that order would differ
    between two runs of one seed.
    """

    def __init__(self, coro: Any, *, number: int, **options: Any) -> None:
        # Before the base class, which puts the new task into a set.
        self.number = number
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        return self.number


def run_virtual(
    main: Callable[[VirtualLoop], Awaitable[T]] | Coroutine[Any, Any, T],
    *,
    start: int = DEFAULT_START,
    latency: float = 0.0,
) -> T:
    """Run `main` to its end on a new virtual loop, cancel what is left and close the loop.

    A task that still waits when `main` has returned and everything at that instant is done is a leak: LeakedTasks.
    """
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(start=start, latency=latency)) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        result = runner.run(_coroutine(main, loop))
        runner.run(loop.settle())
        leaked = loop.waiting()
        if leaked:
            raise LeakedTasks(f"left running at the end: {_tasks_text(leaked)}; await or cancel them before returning")
    return result


def _coroutine(
    main: Callable[[VirtualLoop], Awaitable[T]] | Coroutine[Any, Any, T], loop: VirtualLoop
) -> Coroutine[Any, Any, T]:
    """`main` itself where possible, so that a deadlock names it and not a wrapper."""
    if asyncio.iscoroutine(main):
        return main
    assert callable(main)
    if inspect.iscoroutinefunction(main):
        coroutine: Coroutine[Any, Any, T] = main(loop)
        return coroutine
    return _call(main, loop)


async def _call(main: Callable[[VirtualLoop], Awaitable[T]], loop: VirtualLoop) -> T:
    return await main(loop)


def _name(path: str | os.PathLike[str] | None, ssl: Any, sock: Any) -> str:
    if path is None or sock is not None:
        raise ValueError("a connection in virtual time needs a path and takes no socket")
    if ssl:
        raise ValueError("a connection in virtual time is never encrypted; leave out ssl")
    return os.fspath(path)


def _no_network() -> NotImplementedError:
    return NotImplementedError(
        "virtual time has no network; connect by path: aiohttp.UnixConnector(path=...), web.UnixSite(runner, ...)"
    )


def _deadlock_text(loop: VirtualLoop) -> str:
    tasks = loop.waiting()
    waiting = _tasks_text(tasks) if tasks else "no task is left, and the awaited future is not done"
    return f"deadlock at virtual {loop.time():.3f} s, nothing can happen any more: {waiting}"


def _tasks_text(tasks: list[asyncio.Task[Any]]) -> str:
    return "; ".join(f"{task.get_name()} {_place(task)}" for task in tasks)


def _place(task: asyncio.Task[Any]) -> str:
    """Where a task waits, as deep as the code is not asyncio's own: `(read_frames at stream.py:41)`."""
    awaitable: Any = task.get_coro()
    name = getattr(awaitable, "__qualname__", type(awaitable).__name__)
    place = ""
    while awaitable is not None:
        frame = getattr(awaitable, "cr_frame", None)
        if frame is not None and os.path.dirname(frame.f_code.co_filename) != _ASYNCIO:
            place = f" at {os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
        awaitable = getattr(awaitable, "cr_await", None)
    return f"({name}{place})"
