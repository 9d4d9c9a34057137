"""What everybody sees of a market with our orders in it: outside sizes less what was taken, and our resting orders.

A venue shows a trader its own orders in the book, and its own size at the touch. A strategy that looks at the book of a
replay has to see the same, or it would act there as it never could at the venue.
"""

from __future__ import annotations

import math

from hbkit.clock import SECOND
from hbkit.matching import UNKNOWN_SIZE, Market
from hbkit.model import Instrument, OrderBook, Quote, Side

Level = tuple[Side, int]
ECHOES = 120
ECHO_EVERY = SECOND // 2
"""What our own requests change is told at once this often, then twice a second, else with the market's next change.

That is as often as a venue lets a trader act (BitMEX: 120 requests a minute). A strategy that answers each quote, its
own among them, would otherwise call itself without end where nothing else limits it.
"""
_NOTHING: tuple[int | None, int] = (None, 0)


class Shown:
    """One market as it was told last; `stirred` says that it may have changed since."""

    __slots__ = (
        "_ask", "_bid", "_depth", "_echoes", "_looked_at", "_market", "_refilled", "_whole",
        "book", "book_wanted", "quote_wanted", "stirred", "touched",
    )  # fmt: skip

    def __init__(self, market: Market, depth: int = 0) -> None:
        """
        :param depth: how many levels a side the venue tells; 0 for all.
        """
        self.book = OrderBook(market.instrument)
        """As it was told last; kept only where somebody wants it."""
        self.book_wanted = self.quote_wanted = self.stirred = False
        self._market = market
        self._depth = depth
        self._whole = OrderBook(market.instrument) if depth else self.book
        self.touched: dict[Level, None] = {}
        """Recorded levels that have another size since."""
        self._looked_at: dict[Level, None] = {}
        """Where we stood or had taken: looked at again, for it may be that we no longer do."""
        self._bid = self._ask = _NOTHING
        self._echoes = ECHOES
        self._refilled = 0

    def may_echo(self, ts: int) -> bool:
        """Whether a change that is ours alone is told at once, and counted as told."""
        self._echoes = min(ECHOES, self._echoes + (ts - self._refilled) // ECHO_EVERY)
        self._refilled = ts - (ts - self._refilled) % ECHO_EVERY
        if not self._echoes:
            return False
        self._echoes -= 1
        return True

    def want_book(self) -> None:
        """Keep the whole book from now on, and tell it as it stands."""
        self.book_wanted = True
        self.book.clear()
        self._whole.clear()
        self.touch_all()

    def touch_all(self) -> None:
        """The whole book may be another."""
        for side in Side:
            for ticks in self._market.book.prices(side):
                self.touch(side, ticks)
        self.stirred = True

    def want_quote(self) -> None:
        """Tell the touch from now on, also if it stays as it is."""
        self.quote_wanted = self.stirred = True
        self._bid = self._ask = _NOTHING

    def touch(self, side: Side, ticks: int) -> None:
        """A recorded level has a new size."""
        self.stirred = True
        if self.book_wanted:
            self.touched[side, ticks] = None

    def follow(self, ts: int) -> bool:
        """Bring `book` up to date; True when it has changed and may be shown."""
        market, whole = self._market, self._whole
        inside = market.inside()
        touched, self.touched = self.touched, {}
        if inside or self._looked_at or market.dents:
            touched.update(self._looked_at)
            self._looked_at = dict.fromkeys((*inside, *market.dents))
            touched.update(self._looked_at)
        changes = []
        for level in touched:
            side, ticks = level
            units = market.available(side, ticks) + inside.get(level, 0)
            if units != whole.size(side, ticks):
                whole.set(side, ticks, units)
                changes.append((side, ticks, units))
        self.book.ts = ts
        changed = bool(changes) if whole is self.book else self._cut(changes)
        return changed and not whole.is_crossed

    def _cut(self, changes: list[tuple[Side, int, int]]) -> bool:
        """Bring the part that is told into line with the whole; True when it changed.

        What comes and goes without having changed itself stands at the far end: pushed out, or let in again.
        """
        changed = False
        for side in Side:
            sign, prices, told = side.sign, self._whole.prices(side), self.book.prices(side)
            count = min(self._depth, len(prices))
            if not count:
                changed = changed or bool(told)
                self.book.clear(side)
                continue
            last = prices[-count] if side is Side.BUY else prices[count - 1]
            for where, ticks, units in changes:
                if where is side and (ticks - last) * sign >= 0 and units != self.book.size(side, ticks):
                    self.book.set(side, ticks, units)
                    changed = True
            while told and ((told[0] if side is Side.BUY else told[-1]) - last) * sign < 0:
                self.book.set(side, told[0] if side is Side.BUY else told[-1], 0)
                changed = True
            at = -count if side is Side.BUY else count - 1
            while len(told) < count:
                units = self._whole.size(side, prices[at])
                if not self.book.size(side, prices[at]):
                    self.book.set(side, prices[at], units)
                    changed = True
                at += sign
        return changed

    def quote(self, ts: int) -> Quote | None:
        """The touch, if it is not what was told last."""
        bid, ask = self._best(Side.BUY), self._best(Side.SELL)
        if bid == self._bid and ask == self._ask:
            return None
        self._bid, self._ask = bid, ask
        instrument = self._market.instrument
        (bid_price, bid_qty), (ask_price, ask_qty) = _told(instrument, *bid), _told(instrument, *ask)
        return Quote(ts, instrument, bid_price, ask_price, bid_qty, ask_qty)

    def _best(self, side: Side) -> tuple[int | None, int]:
        market = self._market
        ticks = market.best_shown(side)
        if ticks is None:
            return _NOTHING
        return ticks, market.available(side, ticks) + market.inside_at(side, ticks)


def _told(instrument: Instrument, ticks: int | None, units: int) -> tuple[float, float]:
    """Price and quantity as strategies see them; what is not there or not known is `nan`."""
    if ticks is None:
        return math.nan, math.nan
    return instrument.price(ticks), instrument.qty(units) if units < UNKNOWN_SIZE else math.nan
