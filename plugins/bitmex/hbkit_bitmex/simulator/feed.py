"""Plays a tape into the venue: rows of one moment together, shifted by whole minutes so that the tape begins now.

What lies before the beginning is played without telling anybody: it is the history that clients can ask for. When the
tape ends it starts again, shifted once more: the book is cleared first, and prices jump to where the tape began.

Where no levels were recorded they are drawn around the recorded touch, and where no quotes were, the touch around the
last print. What nobody recorded at all plays in the backdrop, at the same times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from hbkit.clock import MINUTE, iso
from hbkit.data.source import Batch, Rows
from hbkit.data.timeline import Timeline, Window
from hbkit.errors import ConfigError
from hbkit.model import Side
from hbkit_bitmex.simulator.around import Around
from hbkit_bitmex.simulator.backdrop import NEVER, Backdrop
from hbkit_bitmex.simulator.listing import FUNDING_HOURS, FUNDING_OFFSET
from hbkit_bitmex.simulator.played import Played
from hbkit_bitmex.simulator.public import PublicMarket
from hbkit_bitmex.simulator.step import Update
from hbkit_bitmex.simulator.venue import Venue

Play = Callable[[int], None]
SHOWN = 10 * MINUTE
EVERY, LOOK = "*", "?"
"""How much of the history is kept as single trades; what is older is in candles only."""
_SIDES = {1: Side.BUY, -1: Side.SELL, 0: Side.BUY}


def _floor(ts: int) -> int:
    return ts // MINUTE * MINUTE


def extent(played: Played) -> tuple[int, int]:
    """Where a round of the tape begins, and how long it is, in whole minutes."""
    first = _floor(played.start)
    return first, _floor(played.end + MINUTE) - first


def shift(played: Played, now: int, history: int, start: int | None) -> int:
    """What is added to the times of the tape's first round. Raises ConfigError for a start that it cannot begin at."""
    first, length = extent(played)
    past = min(_floor(history), _floor(length // 3)) if start is None else _past(played, start)
    return _floor(now) - first - past


def _past(played: Played, start: int) -> int:
    """How much of the tape lies before `start`. Raises ConfigError for a moment that it cannot begin at."""
    if played.source is None:
        raise ConfigError("nothing recorded is played, so there is no start to choose", code="HB503")
    first, length = extent(played)
    if start % MINUTE:
        mend = f"write a whole minute, {iso(_floor(start))}"
    elif not first <= start < first + length:
        mend = f"the tape {played.source.info().name} covers {iso(played.start)}..{iso(played.end)}"
    else:
        return start - first
    raise ConfigError(f"the simulator cannot start at {iso(start)}: {mend}", code="HB503")


class Feed:
    """Rows of the sources as steps of the venue; `next_ts` is when the next one is due, in market time."""

    def __init__(
        self,
        venue: Venue,
        played: Played,
        backdrop: Backdrop,
        around: Mapping[str, Around],
        *,
        now: int,
        history: int,
        start: int | None = None,
        resume: int | None = None,
    ) -> None:
        """
        :param around: per symbol without recorded levels, what draws them.
        :param start: which moment of the tape is now, a whole minute; what lies before it is history.
        :param resume: the venue has been played up to this market time already, by another feed that began at `now`.
        """
        self._venue = venue
        self._played = played
        self._backdrop = backdrop
        self._around = around
        info = played.source.info() if played.source is not None else None
        self._first, self._length = extent(played)
        self._shift = shift(played, now, history, start)
        self.provenance = info.provenance if info is not None else ()
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
        if resume is not None:
            self._resume(resume)
            return
        self._play_candles(now)
        self._play_history(_floor(now), now, played.rates(_floor(now) - self._shift))

    def _resume(self, ts: int) -> None:
        """Go on after the moment `ts`, all of which has been played."""
        while ts >= self._first + self._shift + self._length and self._played.source is not None:
            self.restarts += 1
            self._shift += self._length
        self._minute = _floor(ts) + MINUTE
        self._open(ts + 1 - self._shift)
        self._tell_next()

    # -- the past

    def _play_history(self, begin: int, now: int, rates: list[float]) -> None:
        """Everything before `now`; the book and the marks only from `begin`, where a minute opens with every level."""
        venue = self._venue
        recorded = set(self._played.symbols)
        for symbol, market in venue.markets.items():
            row = venue.recorded[symbol]
            if "fundingInterval" in row:
                market.ticker.schedule(
                    begin, list(rates) if rates and symbol in recorded else [float(row["fundingRate"])]
                )
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
        for window in self._source_windows(self._first, end):
            for batch in window:
                market = self._venue.markets.get(batch.symbol)
                if market is not None and batch.kind is Rows.TRADE:
                    _into_candles(market, batch, self._shift)
        self._minute = end + self._shift  # the first row from here on closes what is still open
        self._open(end)

    def _source_windows(self, start: int, end: int) -> Iterator[Sequence[Batch]]:
        source = self._played.source
        return source.windows(start, end) if source is not None and start < end else iter(())

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
            self._backdrop.minute(ts)
            if ts % FUNDING_HOURS == FUNDING_OFFSET or LOOK in self._backdrop.watched():
                self._backdrop.refresh()
            venue.minute(ts)
            self._minute += MINUTE
        while self._row_ts == ts:
            play = self._plays[self._window.batch[self._at]]
            if play is not None:
                play(self._window.row[self._at])
            self._move_on()
        self._backdrop.step(ts)
        self._tell_next()
        return venue.finish()

    def _tell_next(self) -> None:
        self.next_ts = min(self._row_ts, self._minute, self._backdrop.next_ts)

    @property
    def awake(self) -> list[str]:
        """Markets of the backdrop that are awake."""
        return self._backdrop.awake

    def attend(self, name: str) -> None:
        """A client is interested in this market: it is played from now on. EVERY wakes all; LOOK wakes none."""
        if name == EVERY:
            self._backdrop.wake_all()
        elif name == LOOK:
            self._backdrop.refresh()
        else:
            self._backdrop.attend(name)
        self._tell_next()

    def _move_on(self) -> None:
        """To the next row, over the ends of windows and of the tape."""
        if self._played.source is None:
            self._row_ts = NEVER
            return
        self._at += 1
        while self._at >= len(self._window):
            window = next(self._windows, None)
            if window is None:
                self._restart()
                continue
            self._take(window)
        self._row_ts = self._window.ts[self._at] + self._shift

    def _open(self, start: int) -> None:
        if self._played.source is not None:
            self._windows = Timeline([self._played.source], start, self._first + self._length).windows()
        self._window, self._at = Window([], [], [], []), -1
        self._move_on()

    def _take(self, window: Window) -> None:
        self._window, self._at = window, 0
        self._plays = [self._player(batch) for batch in window.batches]

    def _restart(self) -> None:
        """The tape again, later; its first minute brings the whole book, so the old one has to go first."""
        self.restarts += 1
        self._shift += self._length
        played = set(self._played.symbols)
        for market in [market for symbol, market in self._venue.markets.items() if symbol in played]:
            for side in Side:
                for ticks in list(market.market.book.prices(side)):
                    self._venue.level(market, side, ticks, 0)
        assert self._played.source is not None
        self._windows = Timeline([self._played.source], self._first, self._first + self._length).windows()
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
        if batch.kind is Rows.QUOTE and batch.symbol in self._around:
            return self._quotes(batch, market, self._around[batch.symbol])
        return self._marks(batch, market) if batch.kind is Rows.MARK else None

    def _trades(self, batch: Batch, market: PublicMarket) -> Play:
        venue = self._venue
        sides = batch.columns[0].tolist()
        ticks, units = _ticks(market, batch, 1), _units(market, batch, 2)
        around = self._around.get(batch.symbol)

        def play(row: int) -> None:
            venue.print(market, _SIDES[sides[row]], ticks[row], units[row])

        if around is None or around.has_quotes:
            return play

        def play_and_draw(row: int) -> None:
            play(row)
            around.printed(venue.ts, _SIDES[sides[row]], ticks[row])

        return play_and_draw

    def _levels(self, batch: Batch, market: PublicMarket) -> Play:
        venue = self._venue
        sides = batch.columns[0].tolist()
        ticks, units = _ticks(market, batch, 1), _units(market, batch, 2)

        def play(row: int) -> None:
            venue.level(market, _SIDES[sides[row]], ticks[row], units[row])

        return play

    def _quotes(self, batch: Batch, market: PublicMarket, around: Around) -> Play:
        venue = self._venue
        bids, asks = _ticks(market, batch, 0), _ticks(market, batch, 1)
        bid_units, ask_units = _units(market, batch, 2), _units(market, batch, 3)

        def play(row: int) -> None:
            around.quoted(venue.ts, bids[row], bid_units[row], asks[row], ask_units[row])

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
    """Whole units, of trades and levels a lot at least where there was anything; 0 for a size that nobody recorded."""
    units = np.rint(batch.columns[column] / float(market.instrument.unit_size))
    whole: list[int] = np.where(np.isfinite(units), units, 0).astype(np.int64).tolist()
    return whole
