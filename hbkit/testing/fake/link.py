"""The requests of FakeExchange: signed by the venue's clock, within the budget, sent once; a lost answer stays lost."""

from __future__ import annotations

from typing import Any

from hbkit.clock import SECOND
from hbkit.errors import AuthenticationError, OrderRejected, WireError
from hbkit.exchange import Connection
from hbkit.net.http import ServerClock
from hbkit.net.limits import LoopClock, RateBudget, WindowBucket
from hbkit.testing.fake.rows import Row, sign
from hbkit.testing.fake.venue import FakeVenue, Lost, Refused, Stream

LIFE = 5 * SECOND
"""A request expires so long after it was signed: short, so that a lost one is soon proved lost."""


class LostAnswer(WireError):
    """No answer; `expires` is when the request can no longer be accepted, ns on the venue's clock."""

    def __init__(self, expires: int) -> None:
        super().__init__("the connection broke before the answer; it may have arrived")
        self.expires = expires


class Link:
    """One account's way to the venue."""

    def __init__(self, connection: Connection) -> None:
        self.clock = ServerClock(connection.clock)
        self.budget = RateBudget({"second": WindowBucket(10, 1.0, LoopClock())}, clock=LoopClock())
        self._connection = connection
        self._venue: FakeVenue = connection.connector()

    async def read_clock(self) -> None:
        """Ask for the venue's time, which needs no signature: one by a clock that is off would be refused."""
        sent = self._connection.clock.now()
        self.clock.sample(await self._venue.ask("time", {}), sent, self._connection.clock.now())

    async def dial(self) -> Stream:
        """A stream. Raises Lost or Refused."""
        return await self._venue.dial(*self._signed("stream"))

    async def ask(self, verb: str, sent: Row, *, urgent: bool = False) -> Any:
        """An answer. Raises LostAnswer, AuthenticationError, or OrderRejected with the venue's words.

        Asked again where it came too fast for the venue: an earlier run may have used up what a new one counts on.
        """
        while True:
            await self.budget.take(urgent=urgent)
            expires, signature = self._signed(verb)
            try:
                return await self._venue.ask(verb, sent, expires, signature)
            except Lost:
                raise LostAnswer(expires) from None
            except Refused as refused:
                if refused.word == "key":
                    raise AuthenticationError(f"the venue refused the key ({refused})") from None
                if refused.word != "fast":
                    raise OrderRejected(str(refused)) from None
                self.budget.pause(1.0)

    def _signed(self, verb: str) -> tuple[int, str]:
        expires = self.clock.now() + LIFE
        return expires, sign(self._connection.api_secret, verb, expires)
