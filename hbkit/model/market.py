"""What the market does: the immutable values that callbacks receive. Prices and quantities are floats, `ts` is ns."""

from __future__ import annotations

import msgspec

from hbkit.model.enums import Side
from hbkit.model.instrument import Instrument


class Trade(msgspec.Struct, frozen=True, gc=False):
    """A public trade; `side` is the taker's."""

    ts: int
    instrument: Instrument
    side: Side
    price: float
    qty: float


class Quote(msgspec.Struct, frozen=True, gc=False):
    """The best bid and ask; a side that is empty or of unknown size is `nan`."""

    ts: int
    instrument: Instrument
    bid: float
    ask: float
    bid_qty: float
    ask_qty: float

    @property
    def mid(self) -> float:
        """Half way between bid and ask."""
        return (self.bid + self.ask) / 2


class Candle(msgspec.Struct, frozen=True, gc=False):
    """One interval of trading; `ts` is `close_time`, the moment from which it is known.

    `trades` is 0 for an interval in which nothing traded: its prices are then the close before. It is -1 where the
    source does not tell.
    """

    ts: int
    open_time: int
    close_time: int
    instrument: Instrument
    interval: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int

    @property
    def is_empty(self) -> bool:
        """True for an interval without a trade: an outage or a thin market, never an invented volume."""
        return self.trades == 0


class Mark(msgspec.Struct, frozen=True, gc=False):
    """The price at which positions are valued, and the index behind it (`nan` where there is none)."""

    ts: int
    instrument: Instrument
    price: float
    index: float


class Funding(msgspec.Struct, frozen=True, gc=False):
    """A funding: the rate paid at `ts`, and what it moved on this account (positive received, 0 when flat)."""

    ts: int
    instrument: Instrument
    rate: float
    next_time: int
    amount: float
    currency: str
