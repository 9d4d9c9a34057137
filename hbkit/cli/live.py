"""Plays a run on an event loop, real or virtual: signals, log and view around it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import urlsplit

import click

from hbkit import log
from hbkit.chance import Chance
from hbkit.cli.output import say
from hbkit.cli.unblocked import Unblocked
from hbkit.cli.watching import watched_loop
from hbkit.errors import UsageError
from hbkit.net.virtual import DEFAULT_START, VirtualLoop, run_virtual
from hbkit.run.ground import RealGround, VirtualGround
from hbkit.run.live import LiveRun

if TYPE_CHECKING:
    from hbkit.report.result import RunResult
    from hbkit.run.plan import Plan

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def play(plan: Plan, *, virtual: bool, allowed: bool, debug: bool, no_view: bool) -> RunResult:
    """Run to the end.

    :param allowed: `--live` was given: real money may be traded with.
    """
    if not virtual:
        _ask_for_live(plan, allowed)
        return asyncio.run(_real(plan, debug=debug, no_view=no_view))
    outside = [name for name, one in plan.exchanges.items() if one.feed != "simulator" or one.settings.simulator.url]
    if outside:
        raise UsageError(f"--virtual needs a simulator of its own; {', '.join(outside)} lies outside of this process")
    seed = plan.config.settings.run.seed

    async def on(loop: VirtualLoop) -> RunResult:
        return await _play(LiveRun(plan, VirtualGround(loop, Chance(seed))), plan, sys.stderr, debug=debug)

    return run_virtual(on, start=_beginning(plan))


def _beginning(plan: Plan) -> int:
    """The virtual clock begins where the simulator begins on its tape: times are then those of a replay of it."""
    starts = (one.settings.simulator.start for one in plan.exchanges.values())
    return next((start for start in starts if start is not None), DEFAULT_START)


async def _real(plan: Plan, *, debug: bool, no_view: bool) -> RunResult:
    run = LiveRun(plan, RealGround())
    async with watched_loop(run.strategies):
        return await _shown(run, plan, debug=debug, no_view=no_view)


async def _shown(run: LiveRun, plan: Plan, *, debug: bool, no_view: bool) -> RunResult:
    if not no_view and not debug and _can_draw():
        return await _watched(run, plan)
    stream = _unblocked(sys.stderr)
    try:
        return await _play(run, plan, stream or sys.stderr, debug=debug)
    finally:
        if stream is not None:
            await stream.close()


async def _watched(run: LiveRun, plan: Plan) -> RunResult:
    """With the view; its picture shows warnings, and what it showed last is said again when it is gone."""
    from hbkit.cli.screen import Warnings
    from hbkit.cli.view import teller, watch
    from hbkit.run.news import LOGGER

    warnings = Warnings(teller(run), passed_over=(LOGGER,))
    try:
        async with watch(run):
            return await _play(run, plan, warnings, debug=False)
    finally:
        for line in warnings.kept:
            say(line, err=True)


async def _play(run: LiveRun, plan: Plan, stream: Any, *, debug: bool) -> RunResult:
    level = "debug" if debug else plan.config.settings.log.level
    log.configure(level=level, stream=stream, clock=run.clock, file=run.folder / "run.log")
    try:
        with _signals(run):
            return await run.play()
    except asyncio.CancelledError:
        # Only `_stop` cancels, before there is anything to end in order.
        raise KeyboardInterrupt from None
    finally:
        log.close()


def _can_draw() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb")


def _unblocked(stream: TextIO) -> Unblocked | None:
    """The stream, written to by a thread; None where it has no file (in a test)."""
    try:
        return Unblocked(stream)
    except (OSError, ValueError):
        return None


@contextmanager
def _signals(run: LiveRun) -> Iterator[None]:
    """Ctrl-C, SIGTERM and a terminal that is closed end the run in order; a second Ctrl-C ends the program."""
    task = asyncio.current_task()

    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _stop(run, task, "interrupted", 130)

    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, lambda *_: _stop(run, task, "terminated", 0))
    if previous[signal.SIGHUP] is not signal.SIG_IGN:  # as nohup leaves it: then the run outlives its terminal
        signal.signal(signal.SIGHUP, lambda *_: _stop(run, task, "terminal closed", 0))
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _stop(run: LiveRun, task: asyncio.Task[object] | None, reason: str, exit_code: int) -> None:
    """From a signal handler: the loop has to be woken; before there is a session there is nothing to end in order."""
    loop = asyncio.get_running_loop() if task is None else task.get_loop()
    if run.money is not None:
        loop.call_soon_threadsafe(run.stop, reason, exit_code)
    elif task is not None:
        loop.call_soon_threadsafe(task.cancel)


def _ask_for_live(plan: Plan, allowed: bool) -> None:
    """Real money needs a word more than a config: `--live`, or a typed yes."""
    hosts = {
        urlsplit(one.settings.rest_url or one.spec.rest_url).hostname or one.host
        for one in plan.exchanges.values()
        if one.mode == "live" and not one.is_closed
    } - set(LOOPBACK)
    if not hosts or allowed:
        return
    names = ", ".join(sorted(hosts))
    if not sys.stdin.isatty():
        raise UsageError(f"mode live trades with real money at {names}; say so with --live")
    if click.prompt(f"This trades with real money at {names}. Type yes to go on", default="no") != "yes":
        raise UsageError("nothing was started")
