"""Work beside the main line: a thread in real runs, a plain call in replay and virtual time.

Journal writes and heartbeats go through a `Background` that is handed in, so that the same program can run without a
single thread when its time is virtual. Threads are started in this file alone.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import queue
import sys
import threading
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, Protocol

Job = Callable[[], None]
Lock = threading.Lock
"""For what a job and the main line both touch."""


class Background(Protocol):
    """Runs jobs in the order they were handed in."""

    def run(self, job: Job) -> None:
        """Do `job`, soon; never blocks the caller for long."""
        ...

    def flush(self) -> None:
        """Return when every job handed in so far is done; raises what a job raised."""
        ...

    def close(self) -> None:
        """Flush and stop."""
        ...


class InlineBackground:
    """Does each job at once, in the caller: replay and virtual time."""

    def run(self, job: Job) -> None:
        """Do `job` now."""
        job()

    def flush(self) -> None:
        """Nothing is ever left over."""

    def close(self) -> None:
        """Nothing to stop."""


class Repeating:
    """A thread that does the same job again and again, beside whatever the main line is stuck in."""

    def __init__(self, job: Job, seconds: float, name: str = "hbkit-watch") -> None:
        self._ended = threading.Event()
        self._job = job
        self._seconds = seconds
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it; the job is not begun again."""
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._ended.wait(self._seconds):
            self._job()


def this_thread() -> Callable[[], FrameType | None]:
    """Where the calling thread is, to be asked from another one."""
    ident = threading.get_ident()
    return lambda: sys._current_frames().get(ident)


class ThreadBackground:
    """One worker thread, jobs in order. A job that raises is not swallowed: the error surfaces at the next call."""

    def __init__(self, name: str = "hbkit-background") -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._error: BaseException | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def run(self, job: Job) -> None:
        """Queue `job`; raises what an earlier job raised, or RuntimeError after `close`."""
        self._raise()
        if self._closed:
            raise RuntimeError("this background is closed: nobody would do the job")
        self._jobs.put(job)

    def flush(self) -> None:
        """Wait until the queue is empty; raises what a job raised."""
        if not self._closed:
            done = threading.Event()
            self._jobs.put(done.set)
            done.wait()
        self._raise()

    def close(self) -> None:
        """Finish the queue and end the thread; raises what a job raised. A second time does nothing."""
        self._closed = True
        self._jobs.put(None)
        self._thread.join()
        self._raise()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception as error:  # noqa: BLE001 - kept and raised in the owner's thread
                self._error = self._error or error  # the first is the cause, the rest may follow from it

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error


Main = Callable[[], Coroutine[Any, Any, None]]


class Beside(Protocol):
    """A coroutine that goes on beside the main line, whatever holds that one up."""

    def call(self, job: Job) -> None:
        """Do `job` where the coroutine runs, soon; nothing happens when it has ended."""
        ...

    def cancel(self) -> None:
        """Cancel the coroutine."""
        ...

    async def ended(self) -> None:
        """Return when it has ended; raises what it raised, but not that it was cancelled."""
        ...


class TaskBeside:
    """A task on the running loop: in virtual time everything is on one line."""

    def __init__(self, main: Main, name: str) -> None:
        self._task = asyncio.get_running_loop().create_task(main(), name=name)

    def call(self, job: Job) -> None:
        """Do `job` now."""
        if not self._task.done():
            job()

    def cancel(self) -> None:
        """Cancel the task."""
        self._task.cancel()

    async def ended(self) -> None:
        """Wait for the task."""
        await asyncio.wait({self._task})
        if not self._task.cancelled() and (error := self._task.exception()) is not None:
            raise error


class ThreadBeside:
    """An event loop on a thread of its own."""

    def __init__(self, main: Main, name: str) -> None:
        self._main = main
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._ended: concurrent.futures.Future[None] = concurrent.futures.Future()
        # A daemon: a program that is ended by force is not held up by it.
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def call(self, job: Job) -> None:
        """Have the loop do `job`."""
        try:
            self._loop.call_soon_threadsafe(job)
        except RuntimeError:  # its loop is closed: the coroutine has ended
            return

    def cancel(self) -> None:
        """Have the loop cancel the coroutine."""
        self.call(self._cancel)

    async def ended(self) -> None:
        """Wait for the thread's coroutine."""
        await asyncio.wrap_future(self._ended)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            try:
                runner.run(self._as_task())
            except BaseException as error:  # noqa: BLE001 - kept and raised in the owner's thread
                self._finish(None if isinstance(error, asyncio.CancelledError) else error)
                return
        self._finish(None)

    async def _as_task(self) -> None:
        self._task = asyncio.current_task()
        await self._main()

    def _finish(self, error: BaseException | None) -> None:
        if error is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(error)
