"""The markets that nobody recorded: they sleep until somebody asks, and wake up where they would have been.

A market is awake while somebody is subscribed to it, has an order or a position in it, or asked for it in the last ten
minutes. Prices, sizes and prints are functions of the seed and of time, so what happens in one market depends neither
on when it was woken nor on what else is watched; its ids are its own.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Collection
from typing import Any

from hbkit.chance import Chance
from hbkit.clock import DAY, MINUTE, SECOND, iso
from hbkit.model import InstrumentKind, Side
from hbkit_bitmex.simulator.depth import Depth
from hbkit_bitmex.simulator.numbers import notionals, number
from hbkit_bitmex.simulator.paths import Style, mixed, normal, state_of, uniform
from hbkit_bitmex.simulator.played import Played
from hbkit_bitmex.simulator.public import PublicMarket
from hbkit_bitmex.simulator.venue import Venue
from hbkit_bitmex.simulator.worth import Leader, Worth

Row = dict[str, Any]

NEVER = 2**63 - 1
SPREAD = 0.0001
"""Between bid and ask, as a fraction of the price, a tick at least."""
PACE = 0.15
"""Prints per second."""
PRINT_DOLLARS = 1_500.0
PRINT_SPREAD = 1.6
SAMPLES = 3
"""Prints a minute of the history that is made up when a market wakes."""
SHOWN = 10 * MINUTE
"""How much of it is kept as single trades."""
ROWS_KEPT = 1_000
"""Trades and quotes of each such market; there are many of them."""
DROWSY = 10 * MINUTE
MILLISECOND = 1_000_000


class Sleeper:
    """One such market."""

    def __init__(self, market: PublicMarket, row: Row, seed: int, style: Style, expiry: int | None) -> None:
        self.market = market
        self.row = row
        self.expiry = expiry
        self.style = style
        self.depth = Depth(market.instrument, seed, style)
        self.state = state_of(seed, f"prints/{market.symbol}")
        self.offset = self.state % 1000 * MILLISECOND
        """Markets beat each second, but not all at once."""
        self.since = 0
        """Until when it has been played."""
        self.asked = 0
        self.is_awake = False

    def touch(self, fair: float) -> tuple[int, int]:
        """Best bid and ask around a price, in ticks."""
        tick = float(self.market.instrument.tick_size)
        middle = fair / tick
        wide = max(1, round(middle * SPREAD * self.style.spread))
        bid = max(1, math.floor(middle - wide / 2 + 0.5))
        return bid, bid + wide


class Backdrop:
    """All of them; `next_ts` is when the next one beats, in market time."""

    def __init__(self, venue: Venue, worth: Worth, style: Style, chance: Chance, history: int, played: Collection[str]):
        self._venue = venue
        self._worth = worth
        self._chance = chance
        self._history = history
        self._sleepers: dict[str, Sleeper] = {}
        for symbol, market in venue.markets.items():
            if symbol not in played:
                expiry = market.instrument.expiry
                self._sleepers[symbol] = Sleeper(market, venue.recorded[symbol], chance.seed_value, style, expiry)
                market.keep(ROWS_KEPT)
                market.is_asleep = True
        self._names = {symbol.upper(): symbol for symbol in self._sleepers}
        for index in {one.market.index: None for one in self._sleepers.values() if one.market.index is not None}:
            index.keep(ROWS_KEPT)
        self._beats: list[tuple[int, str]] = []
        self._fresh_at = -1
        self.watched: Callable[[], Collection[str]] = tuple
        """Symbols that somebody is subscribed to."""

    def __getstate__(self) -> dict[str, Any]:
        """For a copy: who listens belongs to the process, not to the market."""
        return {**vars(self), "watched": tuple}

    def attend(self, name: str) -> None:
        """A client named this market in some way."""
        if (symbol := self._names.get(name.upper())) is not None:
            self.wake(symbol)

    @property
    def next_ts(self) -> int:
        """When the next market beats."""
        return self._beats[0][0] if self._beats else NEVER

    @property
    def awake(self) -> list[str]:
        """Symbols of those that are awake."""
        return sorted(symbol for symbol, one in self._sleepers.items() if one.is_awake)

    # -- waking and sleeping

    def wake(self, symbol: str) -> None:
        """Somebody wants to know of this market: play what it missed; nothing for one that is played anyhow."""
        one = self._sleepers.get(symbol)
        if one is None:
            return
        ts = one.asked = self._venue.ts
        if one.is_awake:
            return
        one.is_awake = True
        beat = (ts - one.offset) // SECOND * SECOND + one.offset
        self._catch_up(one, beat)
        self._set(one, beat)
        heapq.heappush(self._beats, (beat + SECOND, symbol))

    def wake_all(self) -> None:
        """Somebody listens to a table without a filter."""
        for symbol in self._sleepers:
            self.wake(symbol)

    def minute(self, ts: int) -> None:
        """Let those sleep in which nobody is interested any longer."""
        idle = [one for one in self._sleepers.values() if one.is_awake and one.asked < ts - DROWSY]
        if not idle:
            return
        wanted = set(self.watched())
        for account in self._venue.accounts.values():
            wanted |= {order.request.instrument.symbol for order in account.orders.values()}
            wanted |= {leg.instrument.symbol for _, leg in account.legs() if leg.units}
        wanted |= {order.instrument.symbol for order in self._venue.standing()}
        for one in idle:
            if one.market.symbol not in wanted:
                one.is_awake = False
                one.market.is_asleep = True
                self._beats = [beat for beat in self._beats if beat[1] != one.market.symbol]
        heapq.heapify(self._beats)

    def _catch_up(self, one: Sleeper, beat: int) -> None:
        """Trades and candles from where it was left, a day at most; sizes and quotes of that time are not kept."""
        market = one.market
        market.is_asleep = False
        start = max(one.since or beat - max(self._history, MINUTE), beat - DAY)
        step = MINUTE // SAMPLES
        for ts in range(-(-start // step) * step, beat, step):
            market.close_bins(ts)
            if uniform(mixed(one.state, ts // step)) > 0.8 * min(1.0, one.style.pace):
                continue  # nobody traded
            index, fair = self._fair(one, ts)
            buys = bool(mixed(one.state, ts + 1) & 1)
            ticks = one.touch(fair)[buys]
            units = self._print_units(one, ts, index)
            if ts < beat - SHOWN:
                market.bins.add(ts, ticks, units, market.instrument.value_at(units, ticks))
            else:
                market.trade(ts, iso(ts), Side.BUY if buys else Side.SELL, ticks, units, self._id(one, ts, 0))
        market.close_bins(beat)

    # -- beats

    def step(self, ts: int) -> None:
        """Everything that is due at `ts`."""
        while self._beats and self._beats[0][0] <= ts:
            beat, symbol = self._beats[0]
            heapq.heapreplace(self._beats, (beat + SECOND, symbol))
            one = self._sleepers[symbol]
            if not one.market.is_halted:
                self._prints(one, beat)
            self._set(one, beat)

    def _fair(self, one: Sleeper, ts: int) -> tuple[float, float]:
        index = self._worth.index(one.row, ts)
        return index, self._worth.fair(one.row, ts, index, one.expiry)

    def _prints(self, one: Sleeper, ts: int) -> None:
        """Who traded since the last beat, at the touch as it stood."""
        book = one.market.market.book
        bits = mixed(one.state, ts)
        count = int(PACE * one.style.pace + uniform(bits))
        for n in range(count):
            buys = bool(mixed(bits, n) & 1)
            ticks = book.best_ask_ticks if buys else book.best_bid_ticks
            if ticks is not None:
                units = self._print_units(one, ts + n, self._worth.index(one.row, ts))
                side = Side.BUY if buys else Side.SELL
                self._venue.print(one.market, side, ticks, units, self._id(one, ts, n))

    def _print_units(self, one: Sleeper, ts: int, price: float) -> int:
        lots = PRINT_DOLLARS / self._worth.lot(one.row, one.market.instrument, price, ts)
        lots *= math.exp(PRINT_SPREAD * normal(mixed(one.state, -ts)))
        return max(1, round(lots)) * one.market.instrument.lot_units

    def _set(self, one: Sleeper, ts: int) -> None:
        """Index, mark and book as they are at `ts`."""
        venue, market = self._venue, one.market
        one.since = ts
        index, fair = self._fair(one, ts)
        self._index(one, ts, index, fair)
        bid, ask = one.touch(fair)
        dollars = self._worth.lot(one.row, market.instrument, index, ts)
        venue.book(market, one.depth.around(bid, ask, ts, dollars))

    def _index(self, one: Sleeper, ts: int, index: float, fair: float) -> None:
        if not one.market.instrument.is_spot or one.market.index is not None:
            is_future = one.expiry is not None
            if one.market.instrument.kind is InstrumentKind.QUANTO:
                # 17.2: it moves with the settlement currency's price.
                settle = one.market.instrument.settle
                dollars = self._worth.at(settle.code, ts) / self._worth.at(one.row["quoteCurrency"], ts)
                one.market.ticker.set(quoteToSettleMultiplier=math.floor(10**settle.scale / dollars + 0.5))
            self._venue.index(one.market, index, fair if is_future else None, self._id(one, ts, 1000))

    def _id(self, one: Sleeper, ts: int, n: int) -> str:
        return self._chance.named_guid(f"{one.market.symbol}/{ts}/{n}")

    # -- those that sleep

    def refresh(self) -> None:
        """Bring the instrument rows of sleeping markets up to date, at most once a second."""
        ts = self._venue.ts
        if ts // SECOND == self._fresh_at:
            return
        self._fresh_at = ts // SECOND
        for one in self._sleepers.values():
            if not one.is_awake:
                self._show(one, ts)

    def _show(self, one: Sleeper, ts: int) -> None:
        market = one.market
        ticker, instrument = market.ticker, market.instrument
        index, fair = self._fair(one, ts)
        self._index(one, ts, index, fair)
        self._venue.touch(market)
        bid, ask = (number(instrument.price(ticks)) for ticks in one.touch(fair))
        ticker.quoted(bid, ask)
        if "lastPrice" not in ticker.row or not ticker.has_traded:
            ticker.set(lastPrice=bid, lastPriceProtected=bid, lastTickDirection="ZeroPlusTick", lastChangePcnt=0)
            estimated(one, ticker, index, bid)


def estimated(one: Sleeper, ticker: Any, index: float, last: float) -> None:
    """The day's figures of a market that was never awake: the recorded volume, at today's price."""
    instrument, volume = ticker.instrument, int(one.row.get("volume24h") or 0)
    turnover = instrument.value(volume, index) if volume else 0
    home, foreign = notionals(instrument, volume, turnover, ticker.row.get("quoteToSettleMultiplier"))
    ticker.set(
        volume24h=volume, turnover24h=turnover, homeNotional24h=home, foreignNotional24h=foreign, volume=0, turnover=0,
        totalVolume=0, totalTurnover=0, vwap=last, highPrice=last, lowPrice=last, prevPrice24h=last,
    )  # fmt: skip
    if instrument.is_spot:
        ticker.set(markPrice=last)


def leader(venue: Venue, played: Played) -> Leader | None:
    """Bitcoin's price where a dollar market of it is played: the middle of its outside book, or a minute's close."""
    found = next((symbol for symbol in ("XBTUSD", "XBTUSDT", "XBT_USDT") if symbol in played.symbols), None)
    return BitcoinPrice(venue, venue.markets[found]).at if found is not None else None


class BitcoinPrice:
    """What a played market says of bitcoin's price; accounts cannot move it, for their orders do not count."""

    def __init__(self, venue: Venue, market: PublicMarket) -> None:
        self._venue = venue
        self._market = market

    def at(self, ts: int) -> float | None:
        """Now, or the close of a minute that is past; None where nothing is known yet."""
        market, middle = self._market, self._market.market.book.mid
        if ts < self._venue.ts - MINUTE or middle is None:
            closed = market.bins.closed["1m"]
            if closed:
                at = min(len(closed) - 1, max(0, (ts - closed[0].end) // MINUTE))
                return market.instrument.price(closed[at].close)
        return middle
