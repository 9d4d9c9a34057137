"""`hbkit run CONFIG`: the main job; on stop it cancels its own orders and writes the report."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hbkit.cli.output import is_ascii, is_plain, print_json, say, width
from hbkit.clock import WallClock, iso, monotonic
from hbkit.config import MODES, load_config

if TYPE_CHECKING:
    from hbkit.report.result import RunResult
    from hbkit.run import Plan

POLICIES = ("refuse", "adopt", "cancel", "ignore")
Option = Callable[[Callable[..., Any]], Callable[..., Any]]


def run_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The flags that `run` and `backtest` share."""
    options: list[Option] = [
        click.option("--for", "duration", metavar="TIME", help="Stop after this long: 60s, 5m, 2h."),
        click.option("--set", "overrides", metavar="PATH=VALUE", multiple=True, help="Override a value of the config."),
        click.option("--seed", type=int, help="Seed of everything that is drawn."),
        click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object on the last line."),
        click.option("--no-view", is_flag=True, help="Plain lines, nothing is redrawn."),
        click.option("--debug", is_flag=True, help="Log everything; show tracebacks."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


@click.command("run", short_help="Run a config: the main job.")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--mode", type=click.Choice(MODES), help="In place of the mode of every exchange block.")
@click.option("--virtual", is_flag=True, help="Program and simulator in one process, on a clock that is counted.")
@click.option("--live", is_flag=True, help="Yes, trade with real money (mode live on a host that is not this machine).")
@click.option("--on-existing", type=click.Choice(POLICIES), help="What to do about orders and positions found there.")
@run_options
def command(
    config: Path, mode: str | None, virtual: bool, live: bool, on_existing: str | None, **options: Any
) -> int:
    """Run CONFIG until its data, its duration or its user ends it; then write the report."""
    more = [] if on_existing is None else [f"state.on_existing={on_existing}"]
    return execute(config, mode, more, virtual=virtual, live=live, **options)


def execute(
    path: Path,
    mode: str | None,
    more: list[str],
    *,
    duration: str | None,
    overrides: tuple[str, ...],
    seed: int | None,
    as_json: bool,
    no_view: bool,
    debug: bool,
    virtual: bool = False,
    live: bool = False,
) -> int:
    """Load, check, play, show; returns the exit code. `more` are overrides that stand for flags of a command."""
    sets = [*overrides, *more]
    if duration is not None:
        sets.append(f"run.duration={duration}")
    if seed is not None:
        sets.append(f"run.seed={seed}")
    config = load_config(path, overrides=sets, environ=os.environ)

    from hbkit.plugins import Plugins
    from hbkit.report.text import summary
    from hbkit.run import make_plan

    plan = make_plan(config, Plugins(block=config.settings.plugins.block), mode)
    if {one.mode for one in plan.exchanges.values()} == {"replay"}:
        result = _replay(plan, debug=debug, no_view=no_view)
    else:
        from hbkit.cli import live as on_a_loop
        from hbkit.cli.connect import password_of
        from hbkit.config.keystore import KeyStore, default_folder
        from hbkit.run.keys import take_kept_keys

        take_kept_keys(plan.exchanges.values(), KeyStore(default_folder(os.environ)), password_of(os.environ))
        result = on_a_loop.play(plan, virtual=virtual, allowed=live, debug=debug, no_view=no_view or as_json)
    say(summary(result, width=width(), colour=not is_plain(), ascii=is_ascii()))
    if as_json:
        print_json(result.to_json())
    return result.exit_code


def _replay(plan: Plan, *, debug: bool, no_view: bool) -> RunResult:
    from hbkit import log
    from hbkit.cli.watching import watched_replay
    from hbkit.run import Replay

    run = Replay(plan, wall=WallClock())
    level = "debug" if debug else plan.config.settings.log.level
    log.configure(level=level, stream=sys.stderr, clock=run.clock, file=run.folder / "run.log")
    try:
        watched = watched_replay(run.strategies, run.clock.now)
        with _signals(run), watched, _progress(no_view or is_plain()) as progress:
            return run.play(progress)
    finally:
        log.close()


@contextmanager
def _signals(run: Any) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the run after the present event; a second Ctrl-C ends the program."""

    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        run.stop("interrupted", 130)

    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, lambda *_: run.stop("terminated", 0))
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def _progress(plain: bool) -> Iterator[Callable[[float, int, int], None] | None]:
    """A line on stderr that is redrawn while a long replay goes on; none without a terminal."""
    if plain or not sys.stderr.isatty():
        yield None
        return
    began = monotonic()
    drawn = 0.0

    def show(done: float, ts: int, fills: int) -> None:
        nonlocal drawn
        now = monotonic()
        if now - began < 1 or now - drawn < 0.1:
            return
        drawn = now
        bar = "#" * round(done * 24)
        say(f"\r[{bar:<24}] {done:4.0%}  {iso(ts)[:16].replace('T', ' ')}  {fills:,} fills ", nl=False, err=True)

    yield show
    if drawn:
        say("\r" + " " * 78 + "\r", nl=False, err=True)
