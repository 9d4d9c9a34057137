"""Runs from Python: `hbkit.backtest("configs/replay.yaml", params={"fast": 10})` in a script, a loop or a notebook.

What the command line prints comes back as a value; what it would refuse is raised. A replay needs no event loop, so it
runs where one is running already, as in Jupyter.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

from hbkit import log
from hbkit.clock import WallClock
from hbkit.config import Config, load_config
from hbkit.config.load import load_mapping
from hbkit.config.mapping import text_of
from hbkit.errors import UsageError, did_you_mean
from hbkit.plugins import Plugins
from hbkit.report.explored import Result
from hbkit.run import Replay, make_plan

Time = str | date | datetime


def backtest(
    config: str | os.PathLike[str] | Mapping[str, Any],
    *,
    params: Mapping[str, Any] | None = None,
    from_: Time | None = None,
    to: Time | None = None,
    set: Mapping[str, Any] | Sequence[str] = (),
    seed: int | None = None,
    log_level: str = "warning",
) -> Result:
    """Run a config over recorded data, as `hbkit backtest` does, and return its result.

    :param config: a file, or the same as a mapping: `{"exchanges": ..., "strategies": [...]}`.
    :param params: parameters of the only strategy, or of several by their names: `{"maker": {"qty": 1}}`.
    :param from_, to: the span of the data, `to` not included: text as in a config, or a date.
    :param set: further values by path: `{"risk.max_position": 500}`, or `["risk.max_position=500"]`.
    :param seed: of everything that is drawn.
    :param log_level: what is told on stderr meanwhile; the run's own log has all from the config's level up.

    Raises ConfigError with all faults, DataError, or StrategyError where a strategy stopped the run; the run up to
    there is in its folder. Ctrl-C ends the run in order, with its report, and is raised after that.
    """
    overrides = _overrides(set)
    if seed is not None:
        overrides.append(f"run.seed={text_of(seed, flow=True)}")
    loaded = _load(config, overrides)
    for name in loaded.settings.exchanges:
        overrides += [f"exchanges.{name}.replay.from={_moment(from_)}"] if from_ is not None else []
        overrides += [f"exchanges.{name}.replay.to={_moment(to)}"] if to is not None else []
    overrides += _params(loaded, params or {})
    loaded = _load(config, overrides)
    plan = make_plan(loaded, Plugins(block=loaded.settings.plugins.block), "replay")
    run = Replay(plan, wall=WallClock())
    run.keep_candles()
    log.configure(level=log_level, stream=sys.stderr, clock=run.clock, file=run.folder / "run.log")
    try:
        with _interruptible(run):
            result = run.play()
    finally:
        log.close()
    if run.failure is not None and result.exit_code == run.failure.exit_code:
        run.failure.add_note(f"the run up to there: {result.report}")
        raise run.failure
    return Result.of(result, run.candles())


def _load(config: str | os.PathLike[str] | Mapping[str, Any], overrides: Sequence[str]) -> Config:
    if isinstance(config, Mapping):
        return load_mapping(config, overrides=overrides, environ=os.environ)
    return load_config(os.fspath(config), overrides=overrides, environ=os.environ)


def _overrides(given: Mapping[str, Any] | Sequence[str]) -> list[str]:
    if isinstance(given, str):
        return [given]
    if isinstance(given, Mapping):
        return [f"{path}={text_of(value, flow=True)}" for path, value in given.items()]
    return list(given)


def _params(config: Config, params: Mapping[str, Any]) -> list[str]:
    """Parameters as overrides; a strategy's name is looked for first."""
    names = [strategy.name for strategy in config.settings.strategies]
    if params and all(isinstance(value, Mapping) for value in params.values()):
        unknown = next((name for name in params if name not in names), None)
        if unknown is not None:
            raise UsageError(f'params: no strategy "{unknown}"; {did_you_mean(unknown, names, what="strategies")}')
        chosen = {names.index(name): value for name, value in params.items()}
    elif params and len(names) > 1:
        example = f'params={{"{names[0]}": {{...}}}}'
        raise UsageError(f"params: the config has {len(names)} strategies; say whose they are: {example}")
    else:
        chosen = {0: params} if params else {}
    return [
        f"strategies.{at}.params.{name}={text_of(value, flow=True)}"
        for at, values in chosen.items()
        for name, value in values.items()
    ]


def _moment(time: Time) -> str:
    return time if isinstance(time, str) else time.isoformat()


@contextmanager
def _interruptible(run: Replay) -> Iterator[None]:
    """Ctrl-C ends the run after the present event; what runs around it hears of the Ctrl-C once the report is there."""
    before = signal.getsignal(signal.SIGINT)
    interrupted = False

    def interrupt(*_: object) -> None:
        nonlocal interrupted
        interrupted = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        run.stop("interrupted", 130)

    try:
        signal.signal(signal.SIGINT, interrupt)
    except ValueError:  # not the main thread, which is the one that hears of it
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupted:
        raise KeyboardInterrupt
