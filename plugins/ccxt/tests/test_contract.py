"""The contract of every connector over venues of ccxt's kind: with streams, by asking, without amends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar

import pytest
from hbkit_ccxt.exchange import connector_of

from hbkit.net.virtual import VirtualLoop
from hbkit.testing import ConnectorContract
from hbkit.testing.contract import Venue
from plugins.ccxt.tests.fake.served import ServedVenue
from plugins.ccxt.tests.fake.venue import register


@pytest.fixture(autouse=True)
def _known_to_ccxt(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)


CANDLES = {
    "C08": "ccxt's candles do not say how many trades they hold",
    "C15": "the case funds at any moment, and ccxt is asked for a funding when one is due",
}
SLOW = {
    "C06": "the case gives the book a fifth of a second, and who asks does so every two seconds",
    "C11": "the case gives the mark two seconds",
    "C16": "the case gives the book a second",
    "C48": "the case gives news a second, and who asks does so every two",
    "C62": "the case gives news a second, and who asks does so every two",
}
REPLACED = {"C27": "a replacement that is refused leaves nothing: the order it was to replace is gone"}


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
    known: ClassVar = CANDLES


class TestPolled(Served):
    """A venue that is asked, again and again."""

    __test__ = True
    connector = connector_of("hbkitpolled")
    dark = 20.0
    known: ClassVar = {**CANDLES, **SLOW}


class TestFixed(Served):
    """A venue that changes no orders."""

    __test__ = True
    connector = connector_of("hbkitfixed")
    known: ClassVar = {**CANDLES, **REPLACED}
