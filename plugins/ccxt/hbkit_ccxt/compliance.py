"""BitMEX through ccxt as the venue of hbkit's connector contract: `hbkit compliance ccxt:bitmex` plays it.

The venue is BitMEX's simulator as in `hbkit_bitmex.compliance`, the instruments are those that ccxt makes of its rows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from typing import ClassVar

from hbkit_bitmex.compliance import BitmexContract, BitmexVenue

from hbkit.exchange import Connection, Exchange, ListingRequest
from hbkit.model import Instrument
from hbkit.net.virtual import VirtualLoop
from hbkit.testing.contract import Venue
from hbkit_ccxt.exchange import connector_of
from hbkit_ccxt.listing import listed

NAME = "ccxt:bitmex"


class CcxtBitmexContract(BitmexContract):
    """The suite over a perpetual."""

    connector: Callable[[Connection], Exchange] = connector_of("bitmex")  # type: ignore[assignment]
    exchange: ClassVar[str] = NAME
    symbols: ClassVar[Sequence[str]] = ("XBTUSD",)

    @asynccontextmanager
    async def venue(self, loop: VirtualLoop) -> AsyncIterator[Venue]:
        """The simulator, told of and traded with the instruments that this connector has."""
        async with super().venue(loop) as venue:
            assert isinstance(venue, BitmexVenue)
            ours = _instruments()
            venue.instruments = {symbol: ours[symbol] for symbol in venue.instruments if symbol in ours}
            venue.instrument = ours[venue.instrument.symbol]
            yield venue


@cache
def _instruments() -> Mapping[str, Instrument]:
    request = ListingRequest(NAME, "simulator", may_ask=False)
    return {one.symbol: replace(one, exchange=NAME) for one in listed(request)}
