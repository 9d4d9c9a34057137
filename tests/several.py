"""Two venues in memory and one run over both, in virtual time: what the tests of several exchanges stand on.

Each block of the config has a `FakeVenue` of its own, found by its `rest_url`; both list the symbol COIN.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

from hbkit import log
from hbkit.background import Background, Beside, InlineBackground, Main, TaskBeside
from hbkit.clock import Clock
from hbkit.config import load_config
from hbkit.errors import WireError
from hbkit.exchange import Address, Connection, ExchangeSpec, SimulatorOptions
from hbkit.hookspecs import hookimpl
from hbkit.model import Side
from hbkit.net.virtual import VirtualLoop, run_virtual
from hbkit.plugins import Plugins
from hbkit.report.result import RunResult
from hbkit.run import make_plan
from hbkit.run.live import LiveRun
from hbkit.testing.fake import FakeExchange, FakeVenue
from hbkit.testing.fake.rows import Row
from hbkit.testing.fake.venue import Lost, Refused, Stream
from hbkit.testing.playing import SPEC
from hbkit.trading.strategy import Strategy

NAMES = ("alpha", "beta")


class Placed(FakeExchange):
    """A FakeExchange whose way leads to the venue of its own address."""

    def __init__(self, connection: Connection) -> None:
        venues: Mapping[str, Place] = connection.connector()
        super().__init__(replace(connection, connector=lambda: venues[connection.rest_url]))


class Place(FakeVenue):
    """A venue that can be out of reach, and refuse orders."""

    down = False
    refuses = ""
    """Words with which new orders are refused."""

    slow = 0.0
    """Seconds that new orders need on their way."""

    @staticmethod
    def after() -> None:
        """Called whenever something may have filled."""

    async def dial(self, expires: int, signature: str) -> Stream:
        if self.down:
            raise Lost("nobody answers")
        return await super().dial(expires, signature)

    async def ask(self, verb: str, sent: Row, expires: int = 0, signature: str = "") -> Any:
        if self.down:
            if verb == "time":
                raise WireError("nobody answers")
            raise Lost("nobody answers")
        if verb == "submit":
            await asyncio.sleep(self.slow)
        if self.refuses and verb == "submit":
            raise Refused("order", self.refuses)
        return await super().ask(verb, sent, expires, signature)

    def _tell(self) -> None:
        super()._tell()
        self.after()

    def fall(self) -> None:
        """Every stream breaks, and nobody answers."""
        self.down = True
        self.cut()

    def rise(self) -> None:
        """As before."""
        self.down = False


class Guest:
    """Offers the exchange and the strategies; hears when trading begins."""

    def __init__(self, strategies: Mapping[str, type[Strategy]], **changes: Any) -> None:
        self.began = asyncio.Event()
        self._strategies = strategies
        self._spec = replace(SPEC, **{"name": "placed", "connector": f"{__name__}:Placed", **changes})

    @hookimpl
    def hbkit_exchanges(self) -> Mapping[str, ExchangeSpec]:
        return {"placed": self._spec}

    @hookimpl
    def hbkit_strategies(self) -> Mapping[str, type[Strategy]]:
        return self._strategies

    @hookimpl
    def hbkit_session_started(self) -> None:
        self.began.set()


class Ground:
    """The loop, and the way to every venue on it."""

    def __init__(self, loop: VirtualLoop, venues: Mapping[str, Place]) -> None:
        self.clock: Clock = loop.clock
        self._venues = venues

    def background(self) -> Background:
        return InlineBackground()

    def beside(self, main: Main, name: str) -> Beside:
        return TaskBeside(main, name)

    def connector(self) -> Any:
        return self._venues

    def simulator(
        self, spec: ExchangeSpec, options: SimulatorOptions, on_end: Callable[[str], None], latency: int
    ) -> AbstractAsyncContextManager[Address]:
        raise AssertionError("none is needed")


class Town:
    """The venues, and the bots that come and go."""

    def __init__(self, loop: VirtualLoop, folder: Path, names: Sequence[str] = NAMES) -> None:
        self.venues = {name: Place(loop) for name in names}
        self.said = StringIO()
        self.run: LiveRun
        self._ground = Ground(loop, self.venues)
        self._folder = folder

    def __getitem__(self, name: str) -> Place:
        return self.venues[name]

    async def play(
        self,
        use: type[Strategy],
        script: Callable[[Town], Awaitable[None]] | None = None,
        *,
        seconds: float = 10,
        blocks: Mapping[str, Mapping[str, Any]] | None = None,
        instruments: Sequence[Any] | None = None,
        params: Mapping[str, Any] | None = None,
        kill: bool = False,
        changes: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> RunResult:
        """One run; `script` moves the markets once trading has begun, and with `kill` the run is killed at its end.

        :param blocks: further keys of the exchange blocks, by name.
        :param changes: of the plugin's ExchangeSpec.
        """
        guest = Guest({"one": use}, **(changes or {}))
        exchanges = {
            name: {
                "plugin": "placed", "mode": "testnet", "rest_url": name, "ws_url": name, "api_key": "k",
                "api_secret": "${SECRET}", **(blocks or {}).get(name, {}),
            }
            for name in self.venues
        }  # fmt: skip
        strategy = {
            "use": "one", "exchange": next(iter(self.venues)), "params": dict(params or {}),
            "instruments": instruments or [{"exchange": name, "symbol": "COIN"} for name in self.venues],
        }  # fmt: skip
        config = {
            "run": {"name": "test", "dir": str(self._folder / "runs"), "duration": f"{seconds}s"},
            "state": {"dir": str(self._folder / "state"), "on_existing": more.pop("on_existing", "refuse")},
            "exchanges": exchanges, "strategies": [strategy], **more,
        }  # fmt: skip
        path = self._folder / "test.yaml"
        path.write_text(json.dumps(config))
        plugins = Plugins()
        plugins.add(guest, "tests")
        secret = next(iter(self.venues.values())).secret.reveal()
        plan = make_plan(load_config(path, environ={"SECRET": secret}), plugins)
        self.run = LiveRun(plan, self._ground)
        log.configure(level="info", stream=self.said, clock=self.run.clock)
        playing = asyncio.ensure_future(self.run.play())
        moving = asyncio.ensure_future(self._script(script, guest.began))
        try:
            if kill:
                await moving
                playing.cancel()
                await asyncio.gather(playing, return_exceptions=True)
                assert self.run._router is not None
                self.run._router._journal._db.close()  # as the end of a process does
                return None  # type: ignore[return-value]
            result = await playing
            if moving.done():
                moving.result()
            return result
        finally:
            moving.cancel()
            await asyncio.gather(moving, return_exceptions=True)
            log.close()

    async def _script(self, script: Callable[[Town], Awaitable[None]] | None, began: asyncio.Event) -> None:
        await began.wait()
        if script is not None:
            await asyncio.sleep(1)
            await script(self)

    def open_orders(self, name: str) -> list[str]:
        """Ids of the orders that stand at a venue."""
        return [one.id for one in self.venues[name].orders() if not one.status.is_final]

    def held(self, name: str) -> float:
        """Coins held at a venue, signed."""
        return sum(one.instrument.qty(one.units) for one in self.venues[name].positions())

    def move(self, name: str, bid: float, ask: float, coins: float = 100) -> None:
        """The market of a venue stands there, its mark in the middle."""
        venue = self.venues[name]
        one = venue.instrument
        venue.quote(one.ticks(bid), one.ticks(ask), one.units(coins))
        venue.mark((bid + ask) / 2)

    def take(self, name: str, side: Side, price: float, coins: float) -> None:
        """Somebody trades at a venue: resting orders at that price fill."""
        one = self.venues[name].instrument
        self.venues[name].trade(side, one.ticks(price), one.units(coins))

    def close(self) -> None:
        for venue in self.venues.values():
            venue.close()


def in_town(folder: Path, test: Callable[[Town], Awaitable[None]], names: Sequence[str] = NAMES) -> None:
    """Play a test on a virtual loop of its own."""

    async def play(loop: VirtualLoop) -> None:
        town = Town(loop, folder, names)
        try:
            await test(town)
        finally:
            town.close()

    run_virtual(play)
