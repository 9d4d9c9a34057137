"""Draws what was not recorded: the prints of a minute, and how much rests at each price of the book.

Everything is a function of (seed, minute) alone, so that a minute comes out the same wherever a replay begins. Prices
are whole ticks; nothing here knows of files or batches.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from hbkit.chance import Chance
from hbkit.clock import MINUTE
from hbkit.data.source import Floats, Ints
from hbkit_bitmex.recording import MILLISECOND, Prints, Quotes

Hashes = npt.NDArray[np.uint64]

# -- prints --------------------------------------------------------------------------------------------------------

ORDERS_PER_PRINT = 0.26
"""4,891 recorded prints of 2019-05-03 bear 1,263 different times: one taker order prints several times at once."""
QTY_SPREAD = 2.4
"""Logarithmic spread of print sizes; median and upper decile of the same prints are 419 and 9,767 contracts."""
TILT = 0.35
"""How far the share of buys leaves one half in a minute that closes at its high."""


@dataclass(frozen=True)
class Bar:
    """The recorded candle that a minute's prints must add up to; prices in ticks, volume in contracts."""

    start: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    trades: int


_NOTHING = np.empty(0, dtype=np.int64)
NO_PRINTS = Prints(_NOTHING, _NOTHING, _NOTHING, _NOTHING)
"""What a minute without trades has."""


def generator(seed: int, minute: int, part: int) -> np.random.Generator:
    """The random numbers of one part of one minute; nothing global is touched."""
    return Chance(seed).arrays(f"{minute}/{part}")


def prints(seed: int, bar: Bar, quotes: Quotes) -> Prints:
    """The prints of a minute: as many as the candle counts, with its volume, high, low and close, at recorded quotes.

    Taker orders fall at random moments; a buy prints at the ask of its moment, a sell at the bid, clipped into the
    candle's range. High and low are put where the quotes come nearest to them, the close is the last print.
    """
    count = bar.trades
    if count == 0:
        return NO_PRINTS
    chance = generator(seed, bar.start // MINUTE, 0)
    orders = min(count, max(3, round(count * ORDERS_PER_PRINT)))
    # Every order prints at least once; which order the other prints belong to is left to chance.
    order = np.sort(np.concatenate([np.arange(orders), chance.integers(0, orders, count - orders)]))
    times = np.sort(_moments(chance, bar, quotes, orders))
    side = np.where(chance.random(orders) < _share_of_buys(bar), 1, -1)
    quote = quotes.at(times)
    bid, ask = quotes.bid[quote], quotes.ask[quote]
    forced = _forced(chance, bar, bid, ask)
    for index, (_, direction) in forced.items():
        side[index] = direction
    price = np.clip(np.where(side > 0, ask, bid), bar.low, bar.high)[order]
    last_print = np.searchsorted(order, np.arange(orders), side="right") - 1
    for index, (level, _) in forced.items():
        price[last_print[index]] = level
    return Prints(times[order], side[order], price, quantities(chance, count, bar.volume))


def _moments(chance: np.random.Generator, bar: Bar, quotes: Quotes, count: int) -> Ints:
    """Times on the exchange's ms grid inside the minute, never before the first quote of the tape."""
    first = max(bar.start, int(quotes.ts[0])) // MILLISECOND
    milliseconds: Ints = chance.integers(first, (bar.start + MINUTE) // MILLISECOND, count)
    return milliseconds * MILLISECOND


def _share_of_buys(bar: Bar) -> float:
    """Half, tilted by where the candle closed."""
    return 0.5 + TILT * min(1.0, max(-1.0, (bar.close - bar.open) / max(1, bar.high - bar.low)))


def _forced(chance: np.random.Generator, bar: Bar, bid: Ints, ask: Ints) -> dict[int, tuple[int, int]]:
    """Orders whose last print is settled beforehand: index to (price, side) for high, low and close."""
    final = len(bid) - 1
    forced = {final: (bar.close, 1 if 2 * bar.close >= bid[final] + ask[final] else -1)}
    for level in (bar.high, bar.low):
        if len(forced) > final or (final < 2 and level == bar.close):
            continue  # a minute of one or two prints: the close stands for high or low too
        distance = np.minimum(np.abs(ask - level), np.abs(bid - level)) + chance.random(len(bid)) / 2
        distance[list(forced)] = np.inf
        best = int(np.argmin(distance))
        forced[best] = (level, 1 if abs(int(ask[best]) - level) <= abs(int(bid[best]) - level) else -1)
    return forced


def quantities(chance: np.random.Generator, count: int, volume: int) -> Ints:
    """`count` whole numbers of at least 1 that sum to `volume`, many small and a few large."""
    weights = np.exp(QTY_SPREAD * chance.standard_normal(count))
    spare = volume - count
    extra = np.floor(spare * (weights / weights.sum())).astype(np.int64)
    # What flooring left over goes out one by one; float noise cannot make it negative by more than a print or two.
    extra[int(np.argmax(extra))] += min(0, spare - int(extra.sum()))
    rest = spare - int(extra.sum())
    extra += rest // count
    extra[: rest % count] += 1
    shares: Ints = extra + 1
    return shares


# -- the book ------------------------------------------------------------------------------------------------------

DEPTH = 25
"""Levels a side."""
MEDIAN_QTY = 400_000.0
"""Contracts at a typical level of XBTUSD near the touch in 2019; assumed, no book of that day is recorded."""
LEVEL_SPREAD, SLOW_SPREAD, QUICK_SPREAD = 0.7, 0.3, 0.4
"""Logarithmic spreads: between levels, of a level over minutes, and at a change within a minute."""
SLOW_MINUTES = 8
"""Over how many minutes a level's size drifts."""
CHANGES_PER_MINUTE = 24
"""How often, on average, somebody adds to or takes from a level near the touch between quotes."""
BID, ASK = 0, 1

_BITS = 12
_NORMAL = np.array([NormalDist().inv_cdf((step + 0.5) / 2**_BITS) for step in range(2**_BITS)])
"""Quantiles of the normal distribution: a hash picks one, the same on every machine."""


@dataclass(frozen=True)
class Changes:
    """What became of the book: at `ts` the level (side, price) has `qty`, 0 when it is gone."""

    ts: Ints
    side: Ints
    price: Ints
    qty: Ints


@dataclass(frozen=True)
class BookMinute:
    """The changes of one minute, and the sizes at the touch when each quote of that minute came."""

    changes: Changes
    first_quote: int
    bid_qty: Ints
    ask_qty: Ints


def book_minute(seed: int, start: int, quotes: Quotes) -> BookMinute:
    """The book of the minute from `start`: it opens with every level's new size, then follows the recorded quotes."""
    first, last = (int(index) for index in np.searchsorted(quotes.ts, (start, start + MINUTE)))
    chance = generator(seed, start // MINUTE, 1)
    opening = max(start, int(quotes.ts[0]))
    moments, sides, depths = _quick_changes(chance, opening, start + MINUTE)
    ts = np.unique(np.concatenate([np.array([opening]), quotes.ts[first:last], moments]))
    quote = quotes.at(ts)
    prices = _window(quotes.bid[quote], quotes.ask[quote])
    event = np.searchsorted(ts, moments)
    touched = prices[event, sides, depths]
    sizes = _sizes(seed, start // MINUTE, prices, _versions(prices, event, sides, touched))
    at_quote = np.searchsorted(ts, quotes.ts[first:last])
    return BookMinute(
        _differences(ts, prices, sizes, _window_before(quotes, opening)),
        first,
        sizes[at_quote, BID, 0],
        sizes[at_quote, ASK, 0],
    )


def _quick_changes(chance: np.random.Generator, start: int, end: int) -> tuple[Ints, Ints, Ints]:
    """When somebody changes a level between quotes: time, side (0 bid, 1 ask) and distance from the touch in levels."""
    count = int(chance.poisson(CHANGES_PER_MINUTE * (end - start) / MINUTE))
    moments = np.sort(chance.integers(start // MILLISECOND, end // MILLISECOND, count)) * MILLISECOND
    return moments, chance.integers(0, 2, count), np.minimum(chance.geometric(0.5, count) - 1, DEPTH - 1)


def _window(bid: Ints, ask: Ints) -> Ints:
    """Prices of the levels as (event, side, distance from the touch)."""
    steps = np.arange(DEPTH)
    return np.stack([bid[:, None] - steps, ask[:, None] + steps], axis=1)


def _window_before(quotes: Quotes, ts: int) -> Ints | None:
    """The levels that stood just before `ts`; None at the beginning of the tape."""
    index = int(np.searchsorted(quotes.ts, ts)) - 1
    if index < 0:
        return None
    return _window(quotes.bid[index : index + 1], quotes.ask[index : index + 1])


def _versions(prices: Ints, event: Ints, sides: Ints, touched: Ints) -> Ints:
    """How many of this minute's quick changes, counted over all levels, had passed when each level last changed."""
    number = np.arange(1, len(event) + 1)
    begun = np.arange(len(prices))[:, None] >= event
    versions = np.zeros_like(prices)
    for side in (BID, ASK):
        hits = (prices[:, side, :, None] == touched) & (begun & (sides == side))[:, None, :]
        versions[:, side] = np.max(np.where(hits, number, 0), axis=-1, initial=0)
    return versions


def _sizes(seed: int, minute: int, prices: Ints, versions: Ints) -> Ints:
    """Contracts at each level: its own habit, a drift over minutes, and the last quick change of this minute."""
    levels, place = np.unique(prices * 2 + np.array([0, 1])[:, None], return_inverse=True)
    level = _mix(_mix(np.array([seed & (2**64 - 1)], dtype=np.uint64), np.zeros(1, np.int64)), levels)
    drift = np.zeros(len(levels))
    for back in range(SLOW_MINUTES):
        drift += _normal(_mix(level, np.array([minute - back])))
    steady = LEVEL_SPREAD * _normal(level) + (SLOW_SPREAD / SLOW_MINUTES**0.5) * drift
    place = place.reshape(prices.shape)
    quick = _normal(_mix(_mix(level[place], np.array([minute])), versions + 1))
    exponent = steady[place] + QUICK_SPREAD * np.where(versions > 0, quick, 0.0)
    qty: Ints = np.maximum(1, np.rint(MEDIAN_QTY * np.exp(exponent))).astype(np.int64)
    return qty


def _mix(state: Hashes, number: Ints) -> Hashes:
    """The state stirred with a number (the finaliser of splitmix64); arrays wrap around in silence, as is wanted."""
    mixed = (state ^ number.astype(np.uint64)) + np.array(0x9E3779B97F4A7C15, dtype=np.uint64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.array(0xBF58476D1CE4E5B9, dtype=np.uint64)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.array(0x94D049BB133111EB, dtype=np.uint64)
    stirred: Hashes = mixed ^ (mixed >> np.uint64(31))
    return stirred


def _normal(hashes: Hashes) -> Floats:
    """A normally distributed number for each hash."""
    drawn: Floats = _NORMAL[hashes >> np.uint64(64 - _BITS)]
    return drawn


def _differences(ts: Ints, prices: Ints, sizes: Ints, before: Ints | None) -> Changes:
    """What changed from event to event: levels that left the window first, then those that came or changed.

    Deletes come first so that a book never stands crossed on the way. The first event tells every level, for all sizes
    are drawn anew at a minute's start: a replay that begins there has the whole book at once.
    """
    old_prices = prices[:-1] if before is None else np.concatenate([before, prices[:-1]])
    new_prices = prices[1:] if before is None else prices
    gone = _outside(old_prices, new_prices)
    came = _outside(prices[1:], prices[:-1])
    # A level's size one event earlier: its place in the earlier window is shifted by what the touch moved.
    shift = np.abs(prices[1:] - prices[:-1, :, :1])
    earlier = np.take_along_axis(sizes[:-1], np.minimum(shift, DEPTH - 1), axis=2)
    told = np.concatenate([np.ones((1, 2, DEPTH), dtype=bool), came | (earlier != sizes[1:])])
    gone_event, gone_side, gone_level = np.nonzero(gone)
    told_event, told_side, told_level = np.nonzero(told)
    event = np.concatenate([gone_event + (1 if before is None else 0), told_event])
    rank = np.concatenate([np.zeros(len(gone_event), np.int64), np.ones(len(told_event), np.int64)])
    side = np.concatenate([gone_side, told_side])
    price = np.concatenate([old_prices[gone_event, gone_side, gone_level], prices[told_event, told_side, told_level]])
    qty = np.concatenate([np.zeros(len(gone_event), np.int64), sizes[told_event, told_side, told_level]])
    order = np.lexsort((rank, event))
    return Changes(ts[event[order]], 1 - 2 * side[order], price[order], qty[order])


def _outside(these: Ints, window: Ints) -> npt.NDArray[np.bool_]:
    """Which of `these` levels are not in `window`, event by event."""
    lowest, highest = window.min(axis=2, keepdims=True), window.max(axis=2, keepdims=True)
    found: npt.NDArray[np.bool_] = (these < lowest) | (these > highest)
    return found
