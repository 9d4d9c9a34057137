"""Runs a strategy for a test: the live run as it is, on a virtual loop, against FakeVenue through FakeExchange."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from io import StringIO
from pathlib import Path
from typing import Any

from hbkit import log
from hbkit.background import Background, Beside, InlineBackground, Main, TaskBeside
from hbkit.clock import Clock
from hbkit.config import load_config
from hbkit.exchange import Address, ExchangeSpec, SimulatorOptions
from hbkit.hookspecs import hookimpl
from hbkit.net.virtual import VirtualLoop
from hbkit.plugins import Plugins
from hbkit.run import make_plan
from hbkit.run.find import snake_case
from hbkit.run.live import LiveRun
from hbkit.testing.fake.capabilities import CAPABILITIES
from hbkit.testing.fake.venue import COIN, FakeVenue
from hbkit.testing.ran import Ran
from hbkit.testing.scripts import Script
from hbkit.trading.strategy import Strategy

FAKE = "fake"
SPEC = ExchangeSpec(
    name=FAKE,
    title="the exchange of hbkit.testing",
    instruments="hbkit.testing.fake.venue:listing",
    modes=("testnet",),
    capabilities=CAPABILITIES,
    connector="hbkit.testing.fake.exchange:FakeExchange",
    rest_url="memory",
    ws_url="memory",
)


class FakeGround:
    """Ground on which the way to the venue is the venue itself."""

    def __init__(self, loop: VirtualLoop, venue: FakeVenue) -> None:
        self.clock: Clock = loop.clock
        self._venue = venue

    def background(self) -> Background:
        """The caller."""
        return InlineBackground()

    def beside(self, main: Main, name: str) -> Beside:
        """A task of the virtual loop."""
        return TaskBeside(main, name)

    def connector(self) -> Any:
        """The venue."""
        return self._venue

    def simulator(
        self, spec: ExchangeSpec, options: SimulatorOptions, on_end: Callable[[str], None], latency: int
    ) -> AbstractAsyncContextManager[Address]:
        """None is needed."""
        raise NotImplementedError(f"{spec.name} has no simulator here")


class Guest:
    """Offers the exchange, and the strategy where it was handed in as a class."""

    def __init__(self, strategies: Mapping[str, type[Strategy]]) -> None:
        self._strategies = strategies

    @hookimpl
    def hbkit_exchanges(self) -> Mapping[str, ExchangeSpec]:
        """One."""
        return {FAKE: SPEC}

    @hookimpl
    def hbkit_strategies(self) -> Mapping[str, type[Strategy]]:
        """One, or none."""
        return self._strategies


async def run_strategy(
    loop: VirtualLoop,
    venue: FakeVenue,
    folder: Path,
    use: str | type[Strategy],
    *,
    script: str | Sequence[float] | Script = "calm",
    params: Mapping[str, Any] | None = None,
    instruments: Sequence[str] = (COIN.symbol,),
    seconds: float | None = None,
    config: Mapping[str, Any] | None = None,
) -> Ran:
    """Run a strategy for as long as the script takes.

    :param use: a name, a file, `path.py:Class`, or the class itself.
    :param script: see `hbkit.testing.scripts`.
    :param seconds: virtual seconds, where the run is to be shorter or longer than the script.
    :param config: further blocks of the config, such as `{"risk": {"max_position": 5}}`.
    """
    moves = Script.of(script)
    name = use if isinstance(use, str) else snake_case(use.__name__)
    plugins = Plugins()
    plugins.add(Guest({} if isinstance(use, str) else {name: use}), "hbkit.testing")
    path = folder / "test.yaml"
    path.write_text(json.dumps(_config(folder, venue, name, params, instruments, config)), encoding="utf-8")
    length = moves.seconds if seconds is None else seconds
    plan = make_plan(load_config(path, overrides=[f"run.duration={length}s"], environ={}), plugins)
    said = StringIO()
    run = LiveRun(plan, FakeGround(loop, venue))
    log.configure(level="info", stream=said, clock=run.clock)
    market = asyncio.ensure_future(moves.play(venue))
    try:
        result = await run.play()
    finally:
        market.cancel()
        await asyncio.gather(market, return_exceptions=True)
        log.close()
    return Ran(result, run.hosts[0].strategy, said.getvalue())


def _config(
    folder: Path,
    venue: FakeVenue,
    use: str,
    params: Mapping[str, Any] | None,
    instruments: Sequence[str],
    more: Mapping[str, Any] | None,
) -> dict[str, Any]:
    return {
        "run": {"name": "test", "seed": 1, "dir": str(folder / "runs")},
        "state": {"dir": str(folder / "state")},
        "exchanges": {FAKE: {"mode": "testnet", "api_key": venue.key, "api_secret": venue.secret.reveal()}},
        "strategies": [{"use": use, "exchange": FAKE, "instruments": list(instruments), "params": dict(params or {})}],
        **(more or {}),
    }
