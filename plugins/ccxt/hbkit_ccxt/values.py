"""What ccxt tells of a market, as hbkit's values: trades, best prices, books, candles, marks, fundings.

ccxt's times are milliseconds, its quantities are in the unit of instruments here (contracts, or base currency), and
what a venue left out is None. Nothing is made up for it: a value that lacks what it cannot do without is None here too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hbkit.model import Candle, Funding, Instrument, Mark, OrderBook, Quote, Side, Trade

Row = Mapping[str, Any]
MILLISECOND: Final = 1_000_000

_SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL}


def time_of(row: Row, now: int) -> int:
    """When something happened, ns; `now` where the venue does not say."""
    told = row.get("timestamp")
    return now if told is None else int(told) * MILLISECOND


def number(value: Any) -> float:
    """A number as a float; `nan` for what is not there."""
    if value is None or value == "":
        return math.nan
    return float(value)


def trade(row: Row, instrument: Instrument) -> Trade | None:
    """A public trade; None without its time, its price, its quantity or the taker's side."""
    side = _SIDES.get(row.get("side") or "")
    price, qty = number(row.get("price")), number(row.get("amount"))
    if side is None or row.get("timestamp") is None or not price > 0 or not qty > 0:
        return None
    return Trade(int(row["timestamp"]) * MILLISECOND, instrument, side, price, qty)


def trade_key(row: Row) -> tuple[Any, ...]:
    """What tells a public trade from every other one: its id, or all of it where it has none."""
    told = row.get("id")
    if told is not None and told != "":
        return (str(told),)
    return (row.get("timestamp"), row.get("side"), row.get("price"), row.get("amount"))


def quote(row: Row, instrument: Instrument, now: int) -> Quote | None:
    """Best bid and ask of a ticker; None where it tells neither. A side that is empty or of unknown size is `nan`."""
    bid, ask = number(row.get("bid")), number(row.get("ask"))
    bid, ask = bid if bid > 0 else math.nan, ask if ask > 0 else math.nan
    if math.isnan(bid) and math.isnan(ask):
        return None
    sizes = (number(row.get("bidVolume")), number(row.get("askVolume")))
    bid_qty, ask_qty = (size if size > 0 else math.nan for size in sizes)
    return Quote(time_of(row, now), instrument, bid, ask, bid_qty, ask_qty)


def top(book: OrderBook) -> Quote | None:
    """Best bid and ask of a book; None for an empty one."""
    instrument, bid, ask = book.instrument, book.best_bid_ticks, book.best_ask_ticks
    if bid is None and ask is None:
        return None
    return Quote(
        book.ts,
        instrument,
        math.nan if bid is None else instrument.price(bid),
        math.nan if ask is None else instrument.price(ask),
        math.nan if bid is None else instrument.qty(book.size(Side.BUY, bid)),
        math.nan if ask is None else instrument.qty(book.size(Side.SELL, ask)),
    )


def levels(row: Row, instrument: Instrument, depth: int) -> tuple[dict[int, int], dict[int, int]]:
    """The best `depth` bids and asks as units by ticks; levels that share a tick are one."""
    return _side(row.get("bids"), instrument, depth), _side(row.get("asks"), instrument, depth)


def _side(told: Sequence[Sequence[Any]] | None, instrument: Instrument, depth: int) -> dict[int, int]:
    found: dict[int, int] = {}
    for level in (told or ())[:depth]:
        price, qty = number(level[0]), number(level[1])
        if not (price > 0 and qty > 0):
            continue
        ticks = instrument.ticks(price)
        # The nearest: a venue tells what is there, and a piece less than half a unit is nothing that could be traded.
        found[ticks] = found.get(ticks, 0) + round(qty / instrument.qty(1))
    return {ticks: units for ticks, units in found.items() if units > 0}


def is_crossed(bids: Mapping[int, int], asks: Mapping[int, int]) -> bool:
    """Whether the best bid is at or above the best ask."""
    return bool(bids) and bool(asks) and max(bids) >= min(asks)


def fill(book: OrderBook, bids: Mapping[int, int], asks: Mapping[int, int], ts: int) -> bool:
    """Let a book hold exactly these levels; returns whether anything changed."""
    changed = False
    for side, wanted in ((Side.BUY, bids), (Side.SELL, asks)):
        for ticks in [one for one in book.prices(side) if one not in wanted]:
            book.set(side, ticks, 0)
            changed = True
        for ticks, units in wanted.items():
            if book.size(side, ticks) != units:
                book.set(side, ticks, units)
                changed = True
    if changed:
        book.ts = ts
    return changed


def candle(row: Sequence[Any], instrument: Instrument, interval: str, length: int) -> Candle | None:
    """A row of time, open, high, low, close and volume; None where a price is missing.

    ccxt does not tell how many trades there were: 0 where nothing was traded, else -1. Where it was taught to (BitMEX),
    the number stands behind the volume.

    :param length: of the interval, ns.
    """
    if len(row) < 5 or row[0] is None:
        return None
    first, high, low, last = (number(one) for one in row[1:5])
    if not (first > 0 and high > 0 and low > 0 and last > 0):
        return None
    opened = int(row[0]) * MILLISECOND
    told = number(row[5]) if len(row) > 5 else math.nan
    volume = 0.0 if math.isnan(told) else told
    trades = int(row[6]) if len(row) > 6 and row[6] is not None else 0 if told == 0 else -1
    end = opened + length
    return Candle(end, opened, end, instrument, interval, first, high, low, last, volume, trades)


def empty(after: Candle) -> Candle:
    """The candle after one, of an interval in which nothing was traded."""
    length, price = after.close_time - after.open_time, after.close
    end = after.close_time + length
    return Candle(
        end, after.close_time, end, after.instrument, after.interval, price, price, price, price, 0.0, 0
    )  # fmt: skip


def mark(row: Row, instrument: Instrument, now: int) -> Mark | None:
    """The mark price of a ticker or a funding rate, with the index beside it; None without one."""
    price, index = number(row.get("markPrice")), number(row.get("indexPrice"))
    if not price > 0:
        return None
    return Mark(time_of(row, now), instrument, price, index if index > 0 else math.nan)


def funding(row: Row, instrument: Instrument, next_time: int, amount: float) -> Funding | None:
    """A row of the history of funding rates; None without its time or its rate."""
    rate = number(row.get("fundingRate"))
    if row.get("timestamp") is None or math.isnan(rate):
        return None
    ts = int(row["timestamp"]) * MILLISECOND
    return Funding(ts, instrument, rate, next_time, amount, instrument.settle.code)
