"""Connections to what stands in for a venue: BitMEX's simulator, or a small server that a test writes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from hbkit.chance import Chance
from hbkit.exchange import Connection
from hbkit.log import Secret

KEY, SECRET = "planted-api-key-77", "planted-secret-0123456789abcdef"


@pytest.fixture
def connection() -> Callable[..., Connection]:
    """Makes a Connection by path: on a virtual loop in memory, on a real one over a socket of that name."""

    def make(clock: Any, path: str, **more: Any) -> Connection:
        values: dict[str, Any] = {
            "name": "main",
            "instruments": {},
            "rest_url": "http://venue",
            "ws_url": "ws://venue",
            "api_key": KEY,
            "api_secret": Secret(SECRET),
            "clock": clock,
            "market_clock": clock,
            "chance": Chance(1),
            "connector": lambda: aiohttp.UnixConnector(path=path, keepalive_timeout=1e6),
            "on_end": lambda error: None,
        }
        return Connection(**{**values, **more})

    return make


@pytest.fixture
def served() -> Callable[..., Any]:
    """Serves one handler for every route at a path."""

    @asynccontextmanager
    async def serve(path: str, handler: Any) -> AsyncIterator[None]:
        app = web.Application()

        async def answer(request: web.Request) -> web.StreamResponse:
            return await handler(request)  # type: ignore[no-any-return]

        app.router.add_route("*", "/{any:.*}", answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await runner.setup()
        await web.UnixSite(runner, path).start()
        try:
            yield
        finally:
            await runner.cleanup()

    return serve
