"""A client that answers by a script: for what no simulator does on demand, such as silence while pings are answered."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from hbkit.chance import Chance


class Listener:
    """Keeps what was told, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda value: self.told.append((name, value))

    def all(self, name: str) -> list[Any]:
        """What was told by one callback."""
        return [value for told, value in self.told if told == name]


class Script:
    """Stands where a `Client` does; `answers` has a function or a value per method, `streams` a queue per watch."""

    def __init__(self, loop: Any, has: dict[str, Any], answers: dict[str, Any], features: Any = None) -> None:
        self.venue = "okx"
        self.chance = Chance(1)
        self.loop = loop
        self._has = has
        self.answers = answers
        self.streams: dict[str, asyncio.Queue[Any]] = {}
        self.asked: list[tuple[Any, ...]] = []
        self.reconnects = 0
        socket = SimpleNamespace(isConnected=True)
        self.api = SimpleNamespace(markets={}, features=features or {}, clients={"ws": socket}, has=has, timeframes={})

    def has(self, name: str) -> Any:
        """As ccxt says."""
        return self._has.get(name, False)

    def market_now(self) -> int:
        """The loop's clock."""
        now: int = self.loop.clock.now()
        return now

    def stream(self, method: str) -> asyncio.Queue[Any]:
        """What a watch tells next; an exception is raised there."""
        return self.streams.setdefault(method, asyncio.Queue())

    async def call(self, method: str, *args: Any) -> Any:
        """One call."""
        self.asked.append((method, *args))
        told = await self.stream(method).get() if method.startswith("watch_") else self.answers[method]
        found = told(*args) if callable(told) else told
        if isinstance(found, Exception):
            raise found
        return found

    async def reconnect(self) -> None:
        """Every watch fails once."""
        self.reconnects += 1
