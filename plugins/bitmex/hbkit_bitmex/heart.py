"""Keeps the exchange's dead man's switch armed while the program lives, beside it, so that a strategy that blocks for a
while does not have its orders taken away; and takes the switch away as the last request of a clean end.

A program that does nothing any more for `PATIENCE` seconds counts as dead, whatever its process says: then the beats
end, and the exchange cancels every order of the account.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, Final

from hbkit.background import Beside
from hbkit.errors import AuthenticationError, ExchangeError
from hbkit.exchange import Connection, Shared
from hbkit.log import get_logger
from hbkit_bitmex import bodies
from hbkit_bitmex.rest import Rest

BEATS: Final = 4
"""Within the switch's time."""
PATIENCE: Final = 30.0
LEAVING_SECONDS: Final = 3.0


class Heart:
    """One account's switch; `seconds` is the time after which the exchange cancels."""

    def __init__(self, connection: Connection, seconds: float) -> None:
        # Budgets and clocks belong to the loop that uses them; the account's are told of these calls by its headers.
        self._connection = replace(connection, shared=Shared())
        self._seconds = seconds
        self._owner = asyncio.get_running_loop()
        self._seen = self._owner.time()
        self._leave = asyncio.Event()
        self._disarms = False
        self._log = get_logger("bitmex")
        self._beside: Beside = connection.beside(self._beat, f"{connection.name} heart")

    async def stop(self, *, disarm: bool) -> bool:
        """No more beats; a beat that is on its way is waited for, since one that came after the end would set it again.

        Returns whether the switch is as it was wanted.
        """
        self._disarms = disarm
        self._beside.call(self._leave.set)
        try:
            async with asyncio.timeout(LEAVING_SECONDS):
                await asyncio.shield(self._beside.ended())
        except TimeoutError:
            self._beside.cancel()
            await self._beside.ended()
            return False
        return not self._disarms or self._disarmed

    _disarmed = False

    async def _beat(self) -> None:
        rest = Rest(self._connection, _ignore, tries=1)
        loop = asyncio.get_running_loop()
        try:
            while not self._leave.is_set():
                self._owner.call_soon_threadsafe(self._look)
                if loop.time() - self._seen <= PATIENCE:
                    await self._set(rest, self._seconds)
                else:
                    self._log.error(
                        "the program does nothing any more: the dead man's switch is left to run out",
                        exchange=self._connection.name, seconds=round(loop.time() - self._seen),
                    )  # fmt: skip
                try:
                    async with asyncio.timeout(self._seconds / BEATS):
                        await self._leave.wait()
                except TimeoutError:
                    continue
            if self._disarms:
                self._disarmed = await self._set(rest, 0)
        finally:
            await rest.close()

    def _look(self) -> None:
        """Runs on the program's own loop: it is alive."""
        self._seen = self._owner.time()

    async def _set(self, rest: Rest, seconds: float) -> bool:
        try:
            await arm(rest, seconds)
        except ExchangeError as error:
            self._log.warning("the dead man's switch was not set", seconds=seconds, reason=error.message)
            return False
        return True


async def arm(rest: Rest, seconds: float) -> None:
    """Have the exchange cancel every order of the account after `seconds`, 0 for never (POST /order/cancelAllAfter)."""
    body = bodies.encode(bodies.timer_body(round(seconds * 1000)))
    await rest.send("POST", "/order/cancelAllAfter", body, dict[str, Any], urgent=True)


def _ignore(error: AuthenticationError) -> None:
    """A key that is refused is the connector's to tell; it asks far more often."""
    del error
