"""What a run stands on: the machine's clock, its network and processes, or one loop on which all of it is virtual.

In virtual time the exchange's simulator runs in the same process and is reached by path; what the run is made of is the
same in both.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any, Protocol

import aiohttp

from hbkit.background import (
    Background,
    Beside,
    InlineBackground,
    Main,
    TaskBeside,
    ThreadBackground,
    ThreadBeside,
)
from hbkit.chance import Chance
from hbkit.clock import Clock, WallClock, duration_text, iso
from hbkit.errors import ExchangeError
from hbkit.exchange import Address, ExchangeSpec, SimulatorOptions
from hbkit.net.virtual import VirtualLoop

READY_SECONDS = 30.0
_FOR_EVER = 1e6
_READY = re.compile(r"ready rest=(?P<rest>\S+) ws=(?P<ws>\S+)")


class Ground(Protocol):
    """The world outside a run."""

    clock: Clock

    def background(self) -> Background:
        """Where the journal's writes go."""

    def beside(self, main: Main, name: str) -> Beside:
        """Run a coroutine that the main line must not hold up."""

    def connector(self) -> aiohttp.BaseConnector:
        """A new aiohttp connector."""

    def simulator(
        self, spec: ExchangeSpec, options: SimulatorOptions, on_end: Callable[[str], None], latency: int
    ) -> AbstractAsyncContextManager[Address]:
        """Start the exchange's own simulator; `on_end` hears why it ended by itself.

        :param latency: what placing, amending and cancelling need on their way to it, ns.
        """


class RealGround:
    """This machine: its clock, TCP, child processes and a writer thread."""

    def __init__(self) -> None:
        self.clock: Clock = WallClock()

    def background(self) -> Background:
        """A thread."""
        return ThreadBackground()

    def beside(self, main: Main, name: str) -> Beside:
        """A loop on a thread of its own."""
        return ThreadBeside(main, name)

    def connector(self) -> aiohttp.BaseConnector:
        """TCP."""
        return aiohttp.TCPConnector()

    @contextlib.asynccontextmanager
    async def simulator(
        self, spec: ExchangeSpec, options: SimulatorOptions, on_end: Callable[[str], None], latency: int
    ) -> AsyncIterator[Address]:
        """A child process, so that a strategy that blocks does not stop its market.

        Raises ExchangeError with what it printed when it does not get ready.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hbkit", "simulator", spec.simulator, *_flags(replace(options, latency=latency)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # Its own group: a Ctrl-C on the terminal is for the run, which then ends its simulator.
            start_new_session=True,
        )  # fmt: skip
        tasks: list[asyncio.Task[Any]] = []
        try:
            address = await _ready(process, spec.simulator, options)
            said: list[str] = []
            # Nobody else reads what it prints from here on, and a full pipe would stop it.
            tasks = [asyncio.create_task(_keep_last(process.stderr, said)), asyncio.create_task(process.wait())]
            tasks[1].add_done_callback(lambda done: None if done.cancelled() else on_end(_why(done.result(), said)))
            yield address
        finally:
            if len(tasks) > 1:
                tasks[1].cancel()
            await _end(process)
            await asyncio.gather(*tasks, return_exceptions=True)


class VirtualGround:
    """A virtual loop: time is counted, the simulator lives in this process, nothing touches a socket."""

    def __init__(self, loop: VirtualLoop, chance: Chance) -> None:
        self.clock: Clock = loop.clock
        self._loop = loop
        self._chance = chance
        self._path = ""

    def background(self) -> Background:
        """The caller."""
        return InlineBackground()

    def beside(self, main: Main, name: str) -> Beside:
        """A task of the virtual loop."""
        return TaskBeside(main, name)

    def connector(self) -> aiohttp.BaseConnector:
        """To the simulator's path."""
        # The pool reckons ages by the real clock: one that never expires is the same in every run.
        return aiohttp.UnixConnector(path=self._path, keepalive_timeout=_FOR_EVER)

    @contextlib.asynccontextmanager
    async def simulator(
        self, spec: ExchangeSpec, options: SimulatorOptions, on_end: Callable[[str], None], latency: int
    ) -> AsyncIterator[Address]:
        """On this loop."""
        del on_end
        options = replace(options, latency=latency)
        self._path = spec.simulator
        module, _, name = spec.simulator_factory.partition(":")
        serve: Callable[..., AbstractAsyncContextManager[Address]] = getattr(import_module(module), name)
        async with serve(options, self.clock, self._chance.fork("simulator"), self._path) as address:
            yield address


def _flags(options: SimulatorOptions) -> list[str]:
    """The command line; secrets do not stand there, where every user of the machine could read them."""
    flags = ["--speed", repr(options.speed), "--seed", str(options.seed)]
    for data in options.data:
        flags += ["--data", data]
    if options.start is not None:
        flags += ["--start", iso(options.start)]
    if options.state is not None:
        flags += ["--state", options.state]
    if options.latency:
        flags += ["--latency", duration_text(options.latency)]
    return [*flags, "--owned"]


async def _ready(process: asyncio.subprocess.Process, word: str, options: SimulatorOptions) -> Address:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        # An empty line ends the list; the pipe stays open, and its end tells the child that this program is gone.
        process.stdin.write("".join(f"{key}:{secret.reveal()}\n" for key, secret in options.accounts).encode() + b"\n")
        await process.stdin.drain()
    try:
        async with asyncio.timeout(READY_SECONDS):
            line = (await process.stdout.readline()).decode(errors="replace")
            found = _READY.search(line)
            if found is not None:
                return Address(found["rest"], found["ws"])
            said = (await process.stderr.read()).decode(errors="replace").strip() or line.strip()
    except TimeoutError:
        said = f"it was not ready within {READY_SECONDS:g} s"
    raise ExchangeError(f"the simulator of {word} did not start: {said or 'it said nothing'}", code="HB435")


async def _keep_last(stream: asyncio.StreamReader | None, lines: list[str], keep: int = 5) -> None:
    assert stream is not None
    async for line in stream:
        lines.append(line.decode(errors="replace").rstrip())
        del lines[:-keep]


def _why(code: int | None, said: Sequence[str]) -> str:
    last = f": {said[-1]}" if said else ""
    return f"the simulator's process ended with code {code}{last}"


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(5):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def virtual(chance: Chance) -> Callable[[VirtualLoop], VirtualGround]:
    """Makes the ground of a run on a given virtual loop."""
    return partial(VirtualGround, chance=chance)
