"""Plays a tape into the venue: rows of one moment together, shifted by whole minutes so that the tape begins now.

What lies before the beginning is played without telling anybody: it is the history that clients can ask for. When the
tape ends it starts again, shifted once more: the book is cleared first, and prices jump to where the tape began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from hbkit.clock import MINUTE, iso
from hbkit.data.source import Batch, Rows, Source, SourceInfo
from hbkit.data.timeline import Timeline, Window
from hbkit.errors import ConfigError
from hbkit.model import Side
from hbkit_bitmex.simulator.public import PublicMarket
from hbkit_bitmex.simulator.step import Update
from hbkit_bitmex.simulator.venue import Venue

Play = Callable[[int], None]
Rates = Callable[[int], list[float]]
SHOWN = 10 * MINUTE
"""How much of the history is kept as single trades; what is older is in candles only."""
_SIDES = {1: Side.BUY, -1: Side.SELL, 0: Side.BUY}


def _floor(ts: int) -> int:
    return ts // MINUTE * MINUTE


class Feed:
    """Rows of the sources as steps of the venue; `next_ts` is when the next one is due, in market time."""

    def __init__(
        self, venue: Venue, source: Source, rates: Rates, *, now: int, history: int, start: int | None = None
    ) -> None:
        """
        :param rates: the funding rates that the tape paid from a moment of it on.
        :param start: which moment of the tape is now, a whole minute; what lies before it is history.
        """
        info = source.info()
        self._venue = venue
        self._source = source
        self._quotes_are_book = {symbol: Rows.LEVEL not in kinds for symbol, kinds in info.kinds.items()}
        self._first = _floor(info.start)
        self._length = _floor(info.end + MINUTE) - self._first
        past = min(_floor(history), _floor(self._length // 3)) if start is None else self._past(start, info)
        self._shift = _floor(now) - self._first - past
        self.provenance = info.provenance
        self.restarts = 0
        self.next_ts = 0
        self._row_ts = 0
        self._minute = self._first + self._shift + MINUTE
        self._plays: list[Play | None] = []
        self._windows: Iterator[Window] = iter(())
        self._window = Window([], [], [], [])
        self._at = 0
        self.tape_start, self.shift = self._first, self._shift
        """Where the tape begins, and how far its first round is moved."""
        self._play_candles(now)
        self._play_history(_floor(now), now, rates(_floor(now) - self._shift))

    def _past(self, start: int, info: SourceInfo) -> int:
        """How much of the tape lies before `start`. Raises ConfigError for a moment that it cannot begin at."""
        if start % MINUTE:
            mend = f"write a whole minute, {iso(_floor(start))}"
        elif not self._first <= start < self._first + self._length:
            mend = f"the tape {info.name} covers {iso(info.start)}..{iso(info.end)}"
        else:
            return start - self._first
        raise ConfigError(f"the simulator cannot start at {iso(start)}: {mend}", code="HB503")

    # -- the past

    def _play_history(self, begin: int, now: int, rates: list[float]) -> None:
        """Everything before `now`; the book and the marks only from `begin`, where a minute opens with every level."""
        venue = self._venue
        for market in venue.markets.values():
            if not market.instrument.is_spot:
                market.ticker.schedule(begin, list(rates))
        while self._row_ts < begin:
            self._lean()
        venue.begin(begin, now)
        for market in venue.markets.values():
            market.close_bins(begin)
        self._minute = begin + MINUTE
        self._tell_next()
        while self.next_ts <= now:
            self.step(now)
        venue.begin(now, now)
        venue.finish()

    def _play_candles(self, now: int) -> None:
        """The oldest part: trades go into candles, and nothing else is kept of them."""
        end = max(self._first, _floor(now) - self._shift - SHOWN)
        for window in self._source.windows(self._first, end):
            for batch in window:
                market = self._venue.markets.get(batch.symbol)
                if market is not None and batch.kind is Rows.TRADE:
                    _into_candles(market, batch, self._shift)
        self._minute = end + self._shift  # the first row from here on closes what is still open
        self._open(end)

    def _lean(self) -> None:
        """One row of the newer part: trades go into candles and into the list of trades."""
        window, at = self._window, self._at
        batch = window.batches[window.batch[at]]
        ts = self._row_ts
        if ts >= self._minute:
            for market in self._venue.markets.values():
                market.close_bins(ts)
            self._minute = _floor(ts) + MINUTE
        if batch.kind is Rows.TRADE:
            self._lean_trade(batch, window.row[at], ts)
        self._move_on()

    def _lean_trade(self, batch: Batch, row: int, ts: int) -> None:
        market = self._venue.markets.get(batch.symbol)
        if market is None:
            return
        instrument = market.instrument
        side, price, qty = (column[row] for column in batch.columns)
        ticks, units = instrument.ticks(float(price)), round(float(qty) / float(instrument.unit_size))
        self._venue.begin(ts, ts)
        market.trade(ts, self._venue.stamp, _SIDES[int(side)], ticks, units, self._venue.new_id())

    # -- steps

    def step(self, wall: int) -> list[Update]:
        """Play everything of the next moment; what it changed."""
        ts = self.next_ts
        venue = self._venue
        venue.begin(ts, wall)
        if ts >= self._minute:
            venue.minute(ts)
            self._minute += MINUTE
        while self._row_ts == ts:
            play = self._plays[self._window.batch[self._at]]
            if play is not None:
                play(self._window.row[self._at])
            self._move_on()
        self._tell_next()
        return venue.finish()

    def _tell_next(self) -> None:
        self.next_ts = min(self._row_ts, self._minute)

    def _move_on(self) -> None:
        """To the next row, over the ends of windows and of the tape."""
        self._at += 1
        while self._at >= len(self._window):
            window = next(self._windows, None)
            if window is None:
                self._restart()
                continue
            self._take(window)
        self._row_ts = self._window.ts[self._at] + self._shift

    def _open(self, start: int) -> None:
        self._windows = Timeline([self._source], start, self._first + self._length).windows()
        self._window, self._at = Window([], [], [], []), -1
        self._move_on()

    def _take(self, window: Window) -> None:
        self._window, self._at = window, 0
        self._plays = [self._player(batch) for batch in window.batches]

    def _restart(self) -> None:
        """The tape again, later; its first minute brings the whole book, so the old one has to go first."""
        self.restarts += 1
        self._shift += self._length
        for market in self._venue.markets.values():
            for side in Side:
                for ticks in list(market.market.book.prices(side)):
                    self._venue.level(market, side, ticks, 0)
        self._windows = Timeline([self._source], self._first, self._first + self._length).windows()
        self._window, self._at = Window([], [], [], []), 0

    # -- rows

    def _player(self, batch: Batch) -> Play | None:
        """A function that plays row i of a batch; None for kinds that say nothing here (candles are made of trades)."""
        market = self._venue.markets.get(batch.symbol)
        if market is None:
            return None
        if batch.kind is Rows.TRADE:
            return self._trades(batch, market)
        if batch.kind is Rows.LEVEL:
            return self._levels(batch, market)
        if batch.kind is Rows.QUOTE and self._quotes_are_book[batch.symbol]:
            return self._outside_quotes(batch, market)
        return self._marks(batch, market) if batch.kind is Rows.MARK else None

    def _trades(self, batch: Batch, market: PublicMarket) -> Play:
        venue = self._venue
        sides = batch.columns[0].tolist()
        ticks, units = _ticks(market, batch, 1), _units(market, batch, 2)

        def play(row: int) -> None:
            venue.print(market, _SIDES[sides[row]], ticks[row], units[row])

        return play

    def _levels(self, batch: Batch, market: PublicMarket) -> Play:
        venue = self._venue
        sides = batch.columns[0].tolist()
        ticks, units = _ticks(market, batch, 1), _units(market, batch, 2)

        def play(row: int) -> None:
            venue.level(market, _SIDES[sides[row]], ticks[row], units[row])

        return play

    def _outside_quotes(self, batch: Batch, market: PublicMarket) -> Play:
        venue = self._venue
        bids, asks = _ticks(market, batch, 0), _ticks(market, batch, 1)
        bid_units, ask_units = _units(market, batch, 2), _units(market, batch, 3)

        def play(row: int) -> None:
            venue.outside_quote(market, bids[row], bid_units[row], asks[row], ask_units[row])

        return play

    def _marks(self, batch: Batch, market: PublicMarket) -> Play:
        venue = self._venue
        prices, known = batch.columns
        indices = np.where(np.isnan(known), prices, known).tolist()

        def play(row: int) -> None:
            venue.index(market, indices[row])

        return play


def _into_candles(market: PublicMarket, batch: Batch, shift: int) -> None:
    value_at = market.instrument.value_at
    minute = 0
    for ts, ticks, units in zip(batch.ts.tolist(), _ticks(market, batch, 1), _units(market, batch, 2), strict=True):
        at = ts + shift
        if at >= minute:
            market.close_bins(at)
            minute = _floor(at) + MINUTE
        market.bins.add(at, ticks, units, value_at(units, ticks))


def _ticks(market: PublicMarket, batch: Batch, column: int) -> list[int]:
    tick = market.instrument.tick_size.as_integer_ratio()
    steps: list[int] = np.rint(batch.columns[column] * tick[1] / tick[0]).astype(np.int64).tolist()
    return steps


def _units(market: PublicMarket, batch: Batch, column: int) -> list[int]:
    """Whole units; a size that nobody recorded counts as a lot."""
    units = np.rint(batch.columns[column] / float(market.instrument.unit_size))
    whole: list[int] = np.where(np.isfinite(units), units, market.instrument.lot_units).astype(np.int64).tolist()
    return whole
