"""Puts a simulator together and serves it: REST, sockets and control on one port, or on one path of a virtual loop.

running = await serve(Options(speed=10), clock=WallClock(), chance=Chance(1))
print(running.rest, running.websocket)
await running.close()
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from hbkit.chance import Chance
from hbkit.clock import SECOND, Clock
from hbkit.data.source import Source
from hbkit.errors import UsageError
from hbkit.exchange import Address, SimulatorOptions
from hbkit_bitmex.names import DEFAULT_TAPE
from hbkit_bitmex.simulator.auth import Keys
from hbkit_bitmex.simulator.control import Control
from hbkit_bitmex.simulator.drive import Drive
from hbkit_bitmex.simulator.faults import Faults
from hbkit_bitmex.simulator.feed import Feed
from hbkit_bitmex.simulator.hub import SERVICE_RESTART, Hub
from hbkit_bitmex.simulator.incidents import Incidents
from hbkit_bitmex.simulator.limits import Limits
from hbkit_bitmex.simulator.options import Options
from hbkit_bitmex.simulator.realtime import Realtime
from hbkit_bitmex.simulator.rest import BODY_MAX, Rest
from hbkit_bitmex.simulator.routes import PREFIX
from hbkit_bitmex.simulator.venue import Venue
from hbkit_bitmex.simulator.world import open_world

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
FOR_EVER = 1e6
"""Seconds; aiohttp wants a number."""


@dataclass(frozen=True)
class Simulator:
    """The parts of one simulator, for those who want to look inside."""

    venue: Venue
    feed: Feed
    drive: Drive
    hub: Hub
    keys: Keys
    limits: Limits
    faults: Faults
    incidents: Incidents
    app: web.Application


def build_app(options: Options, *, clock: Clock, chance: Chance, source: Source | None = None) -> Simulator:
    """Everything but the listening; `source` plays instead of the tape that the options name."""
    opened = open_world(options, clock.now(), chance, source)
    world, feed, keeper = opened.world, opened.feed, opened.keeper
    venue, backdrop, keys = world.venue, world.backdrop, opened.keys
    faults = Faults(chance.fork("faults"))
    hub = Hub(clock, faults)
    backdrop.watched = hub.watched if keeper is None else keeper.watched(hub.watched, clock.now)
    drive = Drive(venue, feed, hub, clock, options.speed, keeper)
    limits = Limits(on=options.limits)
    requests = chance.fork("requests")
    rest = Rest(venue, drive, keys, limits, faults, clock, requests, options, world.preferences)
    realtime = Realtime(venue, drive, hub, keys, limits, faults, clock, chance.fork("sockets"), options.row_shape)
    incidents = Incidents(venue, drive, hub, faults)
    control = Control(venue, drive, feed, incidents, faults, clock)
    app = web.Application(client_max_size=BODY_MAX, middlewares=_delays(options.latency))
    app.router.add_get("/realtime", realtime.handle)
    app.router.add_get("/realtimePlatform", realtime.handle)
    app.router.add_route("*", "/control/{tail:.*}", control.handle)
    app.router.add_route("*", "/{tail:.*}", rest.handle)
    return Simulator(venue, feed, drive, hub, keys, limits, faults, incidents, app)


def _delays(latency: int) -> list[Any]:
    """Keeps whatever changes an order on its way for a while; nothing else, and no answer."""

    @web.middleware
    async def on_its_way(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method != "GET" and request.path.startswith(f"{PREFIX}/order"):
            await asyncio.sleep(latency / SECOND)
        return await handler(request)

    return [on_its_way] if latency else []


class Running:
    """A simulator that serves."""

    def __init__(
        self,
        simulator: Simulator,
        runner: web.AppRunner,
        task: asyncio.Task[None],
        plan: asyncio.Task[None],
        base: str,
    ) -> None:
        self.simulator = simulator
        self.rest = f"{base}/api/v1"
        self.websocket = f"{base.replace('http', 'ws', 1)}/realtime"
        self._runner = runner
        self._task = task
        self._plan = plan

    @property
    def connections(self) -> int:
        """How many are open, requests and sockets together."""
        server = self._runner.server
        return len(server.connections) if server is not None else 0

    @property
    def ready_line(self) -> str:
        """The first line of stdout of a simulator process."""
        return f"ready rest={self.rest} ws={self.websocket}"

    async def close(self) -> None:
        """Stop the market, close sockets with 1012 (18.10.16), stop listening."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._plan.cancel()
        await asyncio.gather(self._plan, return_exceptions=True)
        self.simulator.incidents.stop()
        for client in list(self.simulator.hub.clients):
            if client.is_deaf:
                client.abort()
            else:
                client.close(SERVICE_RESTART)
        await self.simulator.hub.flush()
        await self._runner.cleanup()
        self.simulator.drive.leave()

    async def failed(self) -> None:
        """Returns or raises when the market's task ends by itself, which it never should."""
        await asyncio.shield(self._task)


@asynccontextmanager
async def hosted(options: SimulatorOptions, clock: Clock, chance: Chance, path: str) -> AsyncIterator[Address]:
    """Serve on the running loop at a path, for a run whose time is virtual."""
    running = await serve(
        Options(
            path=path,
            speed=options.speed,
            seed=options.seed,
            start=options.start,
            data=options.data or (DEFAULT_TAPE,),
            state=options.state,
            accounts=tuple((key, secret.reveal()) for key, secret in options.accounts),
            latency=options.latency,
            # aiohttp reckons the age of idle connections by the real clock, which would decide who reconnects.
            keep_alive=FOR_EVER,
        ),
        clock=clock,
        chance=chance,
    )
    try:
        yield Address(running.rest, running.websocket)
    finally:
        await running.close()


async def serve(options: Options, *, clock: Clock, chance: Chance, source: Source | None = None) -> Running:
    """Build and listen, on the loop that runs: TCP (port 0 lets the system choose), or a path."""
    simulator = build_app(options, clock=clock, chance=chance, source=source)
    # Without handler_cancellation a handler would run on after its client has gone, owned by nobody.
    runner = web.AppRunner(
        simulator.app,
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=1.0,
        keepalive_timeout=options.keep_alive,
    )
    await runner.setup()
    try:
        base = await _listen(runner, options)
    except BaseException:
        await runner.cleanup()
        simulator.drive.leave()
        raise
    market = asyncio.create_task(simulator.drive.run(), name="market")
    plan = asyncio.create_task(simulator.incidents.run(options.faults), name="faults")
    return Running(simulator, runner, market, plan, base)


async def _listen(runner: web.AppRunner, options: Options) -> str:
    if options.path is not None:
        await web.UnixSite(runner, options.path).start()
        return "http://simulator"
    try:
        await web.TCPSite(runner, options.host, options.port).start()
    except OSError as error:
        where = f"{options.host}:{options.port}"
        raise UsageError(
            f"the simulator cannot listen at {where} ({os.strerror(error.errno or 0)}); choose another --port, or 0 to "
            "let the system choose",
            code="HB435",
        ) from None
    host = f"[{options.host}]" if ":" in options.host else options.host
    return f"http://{host}:{runner.addresses[0][1]}"
