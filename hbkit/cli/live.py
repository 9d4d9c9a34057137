"""Plays a run on an event loop, real or virtual: signals, log and view around it."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from hbkit import log
from hbkit.chance import Chance
from hbkit.cli.output import is_plain
from hbkit.errors import UsageError
from hbkit.net.virtual import DEFAULT_START, VirtualLoop, run_virtual
from hbkit.run.ground import Ground, RealGround, VirtualGround
from hbkit.run.live import LiveRun

if TYPE_CHECKING:
    from hbkit.report.result import RunResult
    from hbkit.run.plan import Plan

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def play(plan: Plan, *, virtual: bool, allowed: bool, debug: bool, no_view: bool) -> RunResult:
    """Run to the end.

    :param allowed: `--live` was given: real money may be traded with.
    """
    if any(one.mode == "replay" for one in plan.exchanges.values()):
        raise UsageError("mode replay has a clock of its own: a config replays all of its exchanges or none")
    if not virtual:
        _ask_for_live(plan, allowed)
        return asyncio.run(_real(plan, debug=debug, no_view=no_view))
    outside = [name for name, one in plan.exchanges.items() if one.feed != "simulator" or one.settings.simulator.url]
    if outside:
        raise UsageError(f"--virtual needs a simulator of its own; {', '.join(outside)} lies outside of this process")
    seed = plan.config.settings.run.seed

    async def on(loop: VirtualLoop) -> RunResult:
        return await _play(LiveRun(plan, VirtualGround(loop, Chance(seed))), plan, debug=debug, no_view=True)

    return run_virtual(on, start=_beginning(plan))


def _beginning(plan: Plan) -> int:
    """The virtual clock begins where the simulator begins on its tape: times are then those of a replay of it."""
    starts = (one.settings.simulator.start for one in plan.exchanges.values())
    return next((start for start in starts if start is not None), DEFAULT_START)


async def _real(plan: Plan, *, debug: bool, no_view: bool) -> RunResult:
    ground: Ground = RealGround()
    return await _play(LiveRun(plan, ground), plan, debug=debug, no_view=no_view)


async def _play(run: LiveRun, plan: Plan, *, debug: bool, no_view: bool) -> RunResult:
    level = "debug" if debug else plan.config.settings.log.level
    plain = no_view or is_plain()
    log.configure(
        level=level if plain or debug else "warning", stream=sys.stderr, clock=run.clock, file=run.folder / "run.log"
    )
    try:
        with _signals(run):
            if plain:
                return await run.play()
            from hbkit.cli.view import watch

            with watch(run):
                return await run.play()
    finally:
        log.close()


@contextmanager
def _signals(run: LiveRun) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the run in order; a second Ctrl-C ends the program."""
    task = asyncio.current_task()

    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _stop(run, task, "interrupted", 130)

    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, lambda *_: _stop(run, task, "terminated", 0))
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _stop(run: LiveRun, task: asyncio.Task[object] | None, reason: str, exit_code: int) -> None:
    """From a signal handler: the loop has to be woken, and before there is a session there is nothing to end in order."""
    loop = asyncio.get_running_loop() if task is None else task.get_loop()
    if run.money is not None:
        loop.call_soon_threadsafe(run.stop, reason, exit_code)
    elif task is not None:
        loop.call_soon_threadsafe(task.cancel)


def _ask_for_live(plan: Plan, allowed: bool) -> None:
    """Real money needs a word more than a config: `--live`, or a typed yes."""
    hosts = {
        urlsplit(one.settings.rest_url or one.spec.rest_url).hostname or ""
        for one in plan.exchanges.values()
        if one.mode == "live" and not (one.spec.closed_on and one.settings.rest_url is None)
    } - set(_LOOPBACK)
    if not hosts or allowed:
        return
    names = ", ".join(sorted(hosts))
    if not sys.stdin.isatty():
        raise UsageError(f"mode live trades with real money at {names}; say so with --live")
    if click.prompt(f"This trades with real money at {names}. Type yes to go on", default="no") != "yes":
        raise UsageError("nothing was started")
