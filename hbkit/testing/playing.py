"""Runs a strategy for a test: the live run as it is, in virtual time, at FakeVenue or at the venue of a plugin's suite.

What a plugin brings for the connector contract (`ExchangeSpec.contract`) is a venue that can be moved by hand, so it
serves strategies too: `run_strategy(..., exchange="bitmex_perpetual", instruments=["XBTUSD"])`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from io import StringIO
from operator import methodcaller
from pathlib import Path
from typing import Any

from hbkit import log
from hbkit.background import Background, Beside, InlineBackground, Main, TaskBeside
from hbkit.clock import Clock
from hbkit.config import load_config
from hbkit.errors import ExchangeError, HbkitError
from hbkit.exchange import Address, ExchangeSpec, SimulatorOptions
from hbkit.hookspecs import hookimpl
from hbkit.log import Secret
from hbkit.net.virtual import VirtualLoop
from hbkit.plugins import Plugins
from hbkit.run import make_plan
from hbkit.run.find import snake_case
from hbkit.run.live import LiveRun
from hbkit.run.plan import Plan
from hbkit.testing.contract import ConnectorContract, Venue
from hbkit.testing.fake.capabilities import CAPABILITIES
from hbkit.testing.fake.venue import COIN, FakeVenue
from hbkit.testing.fixtures import Scripts
from hbkit.testing.ran import Ran
from hbkit.testing.scripts import LEAD, Script
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
HIDDEN = methodcaller("errisinstance", HbkitError)
"""For pytest: where a test asked for something wrong, our own frames say nothing."""
_NOWHERE = Address("http://nowhere", "ws://nowhere")
"""Stands in a config that is only looked at."""


class VenueGround:
    """Ground on which there is one venue, and the way to it is the venue's own."""

    def __init__(self, loop: VirtualLoop, venue: Venue) -> None:
        self.clock: Clock = loop.clock
        self._venue = venue

    def background(self) -> Background:
        """The caller."""
        return InlineBackground()

    def beside(self, main: Main, name: str) -> Beside:
        """A task of the virtual loop."""
        return TaskBeside(main, name)

    def connector(self) -> Any:
        """The way."""
        return self._venue.connector()

    def simulator(
        self, spec: ExchangeSpec, options: SimulatorOptions, on_end: Callable[[str], None], latency: int
    ) -> AbstractAsyncContextManager[Address]:
        """None is needed."""
        raise NotImplementedError(f"{spec.name} has no simulator here")


class Guest:
    """Offers the exchange, and the strategy where it was handed in as a class; hears when trading begins."""

    def __init__(self, strategies: Mapping[str, type[Strategy]]) -> None:
        self._strategies = strategies
        self.began = asyncio.Event()

    @hookimpl
    def hbkit_exchanges(self) -> Mapping[str, ExchangeSpec]:
        """One."""
        return {FAKE: SPEC}

    @hookimpl
    def hbkit_strategies(self) -> Mapping[str, type[Strategy]]:
        """One, or none."""
        return self._strategies

    @hookimpl
    def hbkit_session_started(self) -> None:
        """The market may move."""
        self.began.set()


@dataclass(frozen=True)
class Wish:
    """What a test asks for."""

    use: str
    exchange: str
    instruments: Sequence[str]
    params: Mapping[str, Any]
    position_mode: str
    seconds: float
    more: Mapping[str, Any]
    """Further blocks of the config."""

    def plan(self, folder: Path, plugins: Plugins, address: Address, key: str, secret: Secret) -> Plan:
        """The plan of a run at this address. Raises ConfigError with everything that is wrong."""
        __tracebackhide__ = HIDDEN
        modes = plugins.exchange(self.exchange).modes
        block = {
            "mode": "testnet" if "testnet" in modes else "live",
            "api_key": key,
            "api_secret": "${SECRET}",
            "rest_url": address.rest,
            "ws_url": address.websocket,
            "position_mode": self.position_mode,
        }
        strategy = {
            "use": self.use,
            "exchange": self.exchange,
            "instruments": list(self.instruments),
            "params": dict(self.params),
        }
        config = {
            "run": {"name": "test", "seed": 1, "dir": str(folder / "runs")},
            "state": {"dir": str(folder / "state")},
            "exchanges": {self.exchange: block},
            "strategies": [strategy],
            **self.more,
        }
        path = folder / "test.yaml"
        path.write_text(json.dumps(config), encoding="utf-8")
        loaded = load_config(path, overrides=[f"run.duration={self.seconds}s"], environ={"SECRET": secret.reveal()})
        return make_plan(loaded, plugins)


async def run_strategy(
    loop: VirtualLoop,
    fake: FakeVenue,
    folder: Path,
    use: str | type[Strategy],
    *,
    script: Scripts | Mapping[str, Scripts] = "calm",
    params: Mapping[str, Any] | None = None,
    exchange: str = FAKE,
    instruments: Sequence[str] = (COIN.symbol,),
    position_mode: str = "one_way",
    seconds: float | None = None,
    config: Mapping[str, Any] | None = None,
    on_venue: Callable[[Venue], None] = lambda _: None,
) -> Ran:
    """Run a strategy for as long as the script takes.

    :param use: a name, a file, `path.py:Class`, or the class itself.
    :param script: see `hbkit.testing.scripts`; one for the first instrument, or one for each by its name.
    :param exchange: `fake`, or the name of an installed exchange whose plugin brings a contract suite.
    :param instruments: native or unified symbols.
    :param position_mode: `one_way` or `hedge`: the mode the account is in when the run begins.
    :param seconds: virtual seconds, where the run is to be shorter or longer than the script.
    :param config: further blocks of the config, such as `{"risk": {"max_position": 5}}`.
    :param on_venue: told of the venue before the run begins.
    """
    __tracebackhide__ = HIDDEN
    moves = {name: Script.of(one) for name, one in _by_name(script, instruments).items()}
    name = use if isinstance(use, str) else snake_case(use.__name__)
    length = LEAD + max(one.seconds for one in moves.values()) if seconds is None else seconds
    wish = Wish(name, exchange, instruments, params or {}, position_mode, length, config or {})
    plugins = Plugins()
    guest = Guest({} if isinstance(use, str) else {name: use})
    plugins.add(guest, "hbkit.testing")
    spec = plugins.exchange(exchange)
    if spec is not SPEC and not (spec.contract and {"testnet", "live"} & set(spec.modes)):
        raise ExchangeError(
            f"{spec.name} brings no venue to test at, for that takes a connector and a contract suite; leave exchange "
            f'out to run at "{FAKE}", or name one that has both (hbkit compliance NAME)',
            code="HB439",
        )
    looked_at = wish.plan(folder, plugins, _NOWHERE, fake.key, fake.secret)
    symbols = {text: one.symbol for one in looked_at.strategies[0].markets for text in (one.symbol, one.unified)}
    unknown = [text for text in moves if text not in symbols]
    if unknown:
        raise ValueError(f"a script for {', '.join(unknown)}, but the strategy trades {', '.join(instruments)}")
    async with _venue(loop, fake, spec, list(dict.fromkeys(symbols.values()))) as venue:
        on_venue(venue)
        if position_mode != venue.mode:
            venue.set_mode(type(venue.mode)(position_mode))
        plan = wish.plan(folder, plugins, venue.address, venue.key, venue.secret)
        said = StringIO()
        run = LiveRun(plan, VenueGround(loop, venue))
        log.configure(level="info", stream=said, clock=run.clock)
        markets = [
            asyncio.ensure_future(one.play(venue.market(symbols[text]), guest.began)) for text, one in moves.items()
        ]
        before = venue.connections
        try:
            result = await run.play()
        finally:
            for market in markets:
                market.cancel()
            ended = await asyncio.gather(*markets, return_exceptions=True)
            log.close()
        for error in ended:
            if isinstance(error, Exception):
                raise error
        await loop.settle()
        if venue.connections > before:
            raise AssertionError(f"the run left {venue.connections - before} connections open")
        return Ran(result, run.hosts[0].strategy, said.getvalue(), venue)


def _by_name(script: Scripts | Mapping[str, Scripts], instruments: Sequence[str]) -> Mapping[str, Scripts]:
    return script if isinstance(script, Mapping) else {instruments[0]: script}


@asynccontextmanager
async def _venue(
    loop: VirtualLoop, fake: FakeVenue, spec: ExchangeSpec, symbols: Sequence[str]
) -> AsyncIterator[Venue]:
    """Where the run takes place."""
    if spec is SPEC:
        yield fake
        return
    module, _, name = spec.contract.partition(":")
    suite: type[ConnectorContract] = getattr(import_module(module), name)
    staged: type[ConnectorContract] = type(name, (suite,), {"symbols": tuple(symbols)})
    async with staged().venue(loop) as venue:
        yield venue
