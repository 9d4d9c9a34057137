"""The connector alone against the simulator in virtual time: a listener that writes down, and a hand on the venue."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import aiohttp
import pytest
from hbkit_bitmex.exchange import BitmexExchange
from hbkit_bitmex.instruments import load
from hbkit_bitmex.simulator import Options, Running, serve
from hbkit_bitmex.simulator.faults import Fault
from hbkit_bitmex.simulator.orders import VenueOrder
from hbkit_bitmex.simulator.rest import Rest as VenueRest
from yarl import URL

from hbkit.chance import Chance
from hbkit.clock import MINUTE, SECOND, Clock
from hbkit.errors import HbkitError
from hbkit.exchange import Connection
from hbkit.log import Secret
from hbkit.model import Instrument, OrderReport, OrderRequest, OrderType, PositionSide, Side, TimeInForce
from hbkit.net.virtual import DEFAULT_START, VirtualLoop, run_virtual
from plugins.bitmex.tests.connector.scene import TAPE

PATH = "venue"
SECRETS = {"demo": "demo-secret", "other": "other-secret"}


class Ear:
    """A listener that writes down everything, in order."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.heard: list[tuple[str, Any]] = []
        self.at: list[float] = []
        self._loop = loop

    def __getattr__(self, name: str) -> Callable[..., None]:
        if not name.startswith("on_"):
            raise AttributeError(name)

        def write(event: Any) -> None:
            self.heard.append((name, event))
            self.at.append(self._loop.time())

        return write

    def of(self, *names: str) -> list[Any]:
        """The events of these callbacks."""
        return [event for name, event in self.heard if name in names]

    def orders(self, order_id: str) -> list[OrderReport]:
        """News of one order."""
        return [report for report in self.of("on_order") if report.id == order_id]

    def last(self, order_id: str) -> OrderReport:
        """The newest of them."""
        return self.orders(order_id)[-1]


class SkewedClock:
    """The machine's clock, off by some seconds."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self.off = round(seconds * SECOND)

    def now(self) -> int:
        """Wrong."""
        return self._clock.now() + self.off


class Stage:
    """A simulator, and connectors to it."""

    def __init__(self, loop: VirtualLoop, running: Running) -> None:
        self.loop = loop
        self.running = running
        self.ended: list[HbkitError] = []
        self.instruments: dict[str, Instrument] = {
            one.symbol: one for one in load() if one.symbol in ("XBTUSD", "XBTUSDT")
        }
        self.XBTUSD = self.instruments["XBTUSD"]
        self.opened: list[BitmexExchange] = []
        self.answers: list[tuple[str, str, int]] = []
        """Verb, route and status of everything that the venue answered."""
        self._numbers = count(1)

    def connector(self, *, key: str = "demo", secret: str | None = None, skew: float = 0.0, **changes: Any) -> Any:
        """A connector that is not open yet."""
        clock: Clock = SkewedClock(self.loop.clock, skew) if skew else self.loop.clock
        fields: dict[str, Any] = {
            "name": "bitmex", "instruments": self.instruments, "rest_url": self.running.rest,
            "ws_url": self.running.websocket, "api_key": key,
            "api_secret": Secret(SECRETS.get(key, "") if secret is None else secret), "clock": clock,
            "market_clock": clock, "chance": Chance(7),
            "connector": lambda: aiohttp.UnixConnector(path=PATH, keepalive_timeout=1e6), "on_end": self.ended.append,
        }  # fmt: skip
        exchange = BitmexExchange(Connection(**{**fields, **changes}))
        self.opened.append(exchange)
        return exchange

    async def open(self, **changes: Any) -> tuple[BitmexExchange, Ear]:
        """A connector that is open, and its listener."""
        exchange, ear = self.connector(**changes), Ear(self.loop)
        await exchange.open(ear)
        return exchange, ear

    # -- the venue

    @property
    def faults(self) -> Any:
        """What goes wrong."""
        return self.running.simulator.faults

    def fault(self, fault: str, **members: Any) -> None:
        """Switch one on."""
        self.faults.add(Fault(fault, **members))

    @property
    def venue(self) -> Any:
        """The truth."""
        return self.running.simulator.venue

    def theirs(self, order_id: str = "") -> list[VenueOrder]:
        """The demo account's orders as the venue has them."""
        account = next(iter(self.venue.accounts))
        return [order for order in self.venue.orders_of[account] if order_id in ("", order.client_id)]

    def touch(self) -> tuple[int, int]:
        """Best bid and ask of XBTUSD in ticks."""
        board = self.venue.markets["XBTUSD"].market
        bid, ask = board.best(Side.BUY), board.best(Side.SELL)
        return bid, ask

    async def call(self, verb: str, route: str, body: Any = None, *, key: str = "demo") -> Any:
        """A signed request of somebody else with the same key."""
        target = f"/api/v1{route}"
        text = json.dumps(body) if body is not None else ""
        at = str(self.loop.clock.now() // SECOND + 10)
        digest = hmac.new(SECRETS[key].encode(), f"{verb}{target}{at}{text}".encode(), hashlib.sha256)
        headers = {"api-key": key, "api-expires": at, "api-signature": digest.hexdigest()}
        if text:
            headers["Content-Type"] = "application/json"
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(path=PATH)) as session:
            url = URL(f"http://simulator{target}", encoded=True)
            async with session.request(verb, url, data=text or None, headers=headers) as answer:
                return json.loads(await answer.text())

    # -- orders

    def request(self, *, away: int = 100, side: Side = Side.BUY, units: int = 100, **changes: Any) -> OrderRequest:
        """A limit order `away` ticks behind the best price of its side; behind is away from a trade."""
        bid, ask = self.touch()
        fields: dict[str, Any] = {
            "id": f"o-{next(self._numbers)}", "instrument": self.XBTUSD, "side": side,
            "position_side": PositionSide.NET, "type": OrderType.LIMIT, "units": units,
            "ticks": bid - away if side is Side.BUY else ask + away,
            "time_in_force": TimeInForce.GTC,
        }  # fmt: skip
        return OrderRequest(**{**fields, **changes})

    def market(self, side: Side = Side.BUY, units: int = 100) -> OrderRequest:
        """A market order."""
        return self.request(side=side, units=units, type=OrderType.MARKET, ticks=None, time_in_force=TimeInForce.IOC)


Story = Callable[[Stage], Awaitable[Any]]


def run(story: Story, *, latency: float = 0.005, shut: bool = True, **options: Any) -> Any:
    """Play a story on a virtual loop; a task that is left over is an error of its own."""
    chosen = {"path": PATH, "history": 2 * MINUTE, "start": TAPE + 3 * MINUTE, "keep_alive": 1e6, **options}

    async def main(loop: VirtualLoop) -> Any:
        loop.set_latency(latency, PATH)
        accounts = (("other", SECRETS["other"]),)
        running = await serve(Options(**{"accounts": accounts, **chosen}), clock=loop.clock, chance=Chance(1))
        stage = Stage(loop, running)
        with _noting(stage.answers):
            try:
                return await story(stage)
            finally:
                if shut:
                    for exchange in stage.opened:
                        await exchange.shut()
                await running.close()

    return run_virtual(main, start=DEFAULT_START)


@contextmanager
def _noting(seen: list[tuple[str, str, int]]) -> Iterator[None]:
    """What the venue answers is noted on its way out."""
    answer = VenueRest._answer

    def note(self: VenueRest, request: Any, verb: str, route: str, *rest: Any) -> Any:
        found = answer(self, request, verb, route, *rest)
        seen.append((verb, route, found[0]))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VenueRest, "_answer", note)
        yield


async def until(condition: Callable[[], Any], seconds: float = 30.0) -> None:
    """Wait until it holds; fails when it does not in time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.005)
