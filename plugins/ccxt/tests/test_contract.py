"""The contract of every connector over venues of ccxt's kind: with streams, by asking, without amends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar

from hbkit_ccxt.exchange import connector_of

from hbkit.net.virtual import VirtualLoop
from hbkit.testing import ConnectorContract
from hbkit.testing.contract import Venue
from plugins.ccxt.tests.fake.served import ServedVenue
from plugins.ccxt.tests.fake.venue import register

register()


class Served(ConnectorContract):
    """What the venues have in common."""

    __test__ = False
    dark: ClassVar[float] = 0.0

    @asynccontextmanager
    async def venue(self, loop: VirtualLoop) -> AsyncIterator[Venue]:
        async with ServedVenue(loop, dark=self.dark).served() as venue:
            yield venue


class TestStreams(Served):
    """A venue that streams everything and amends."""

    __test__ = True
    connector = connector_of("hbkitfake")


class TestPolled(Served):
    """A venue that is asked, again and again."""

    __test__ = True
    connector = connector_of("hbkitpolled")
    dark = 5.0
    known: ClassVar = {
        "C48": "the case gives news a second, and who asks does so every two",
        "C62": "the case gives news a second, and who asks does so every two",
    }


class TestFixed(Served):
    """A venue that changes no orders."""

    __test__ = True
    connector = connector_of("hbkitfixed")
    known: ClassVar = {"C27": "a replacement that is refused leaves nothing: the order it was to replace is gone"}
