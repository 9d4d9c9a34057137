"""A client whose questions wait when the venue asks to: an earlier run may have used up what a new one counts on.

Only what changes nothing is asked again; requests that act are repeated, or not, by whoever sent them.
"""

from __future__ import annotations

import asyncio
from typing import Any

from hbkit.errors import RateLimited
from hbkit_ccxt.client import Client

_TRIES = 6
_QUESTIONS = ("fetch_", "load_")


class Patient:
    """What a `Client` offers, with patience."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.venue = client.venue
        self.api = client.api

    def has(self, name: str) -> bool | str:
        """As the client says."""
        return self._client.has(name)

    def server_now(self) -> int:
        """As the client says."""
        return self._client.server_now()

    async def load(self) -> None:
        """The venue's clock and its markets."""
        await self._insist(self._client.load)

    async def call(self, method: str, *args: Any, **params: Any) -> Any:
        """As `Client.call`; a question waits as often as the venue asks to, up to a limit."""
        if not method.startswith(_QUESTIONS):
            return await self._client.call(method, *args, **params)
        return await self._insist(lambda: self._client.call(method, *args, **params))

    async def _insist(self, ask: Any) -> Any:
        for attempt in range(_TRIES):
            try:
                return await ask()
            except RateLimited as error:
                if attempt == _TRIES - 1:
                    raise
                await asyncio.sleep(max(0.5, error.retry_after))
        raise AssertionError("unreachable")
