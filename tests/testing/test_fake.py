"""FakeExchange passes every case of the suite, on the highest level."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hbkit.net.virtual import VirtualLoop
from hbkit.testing import ConnectorContract, FakeExchange, FakeVenue, Venue


class TestFake(ConnectorContract):
    connector = FakeExchange

    @asynccontextmanager
    async def venue(self, loop: VirtualLoop) -> AsyncIterator[Venue]:
        venue = FakeVenue(loop)
        yield venue
        venue.close()
