"""An exchange that is not there: the matching engine behind the connector contract, fed with recorded rows.

To everything above it looks like any connector. Rows are handed in through `handler(batch)`; resting orders meet all
rows of a moment before anybody can act on one of them. Who hands in the rows makes the calls of `due` when a moment is
over: fills, the book and the touch are told then, in the order in which a venue tells them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from hbkit.agenda import Scheduler, Turn
from hbkit.clock import Clock, parse_duration
from hbkit.data.candles import CandleBuilder, Resampler
from hbkit.data.source import Batch, Rows, Source, SourceInfo
from hbkit.exchange import Capabilities, Channel, Listener
from hbkit.matching import UNKNOWN_SIZE, Account, Engine, FillModel
from hbkit.model import (
    Candle,
    Execution,
    Funding,
    Instrument,
    Mark,
    Quote,
    Side,
    Trade,
    TriggerBy,
)
from hbkit.simulated.engine import EngineExchange
from hbkit.simulated.history import candle_of

RowHandler = Callable[[int], None]
_SIDES = {1: Side.BUY, -1: Side.SELL, 0: Side.BUY}
OFF_GRID = 1e-3
"""A recorded price further than this part of a tick from the grid is counted as off it."""


class SimulatedExchange(EngineExchange):
    """One account at a simulated venue."""

    def __init__(
        self,
        name: str,
        instruments: Mapping[str, Instrument],
        info: SourceInfo,
        model: FillModel,
        account: Account,
        engine: Engine,
        *,
        clock: Clock,
        scheduler: Scheduler,
        latency: int = 0,
        book_depth: int = 0,
    ) -> None:
        """
        :param book_depth: how many levels a side the venue tells; 0 for all that were recorded.
        """
        super().__init__(name, account, engine, clock=clock, scheduler=scheduler, latency=latency)
        self._book_depth = book_depth
        self.off_grid: dict[str, int] = {}
        """Recorded prices that had to be moved to the tick, per symbol; said in the report."""
        self.due: list[Callable[[], None]] = []
        """Calls that are to be made when the present moment is over."""
        self._is_due = self._is_closing = False
        self._marks_told: dict[Instrument, tuple[float, float]] = {}
        self._instruments = dict(instruments)
        self._info = info
        self._intervals: set[tuple[Instrument, str]] = set()
        self._native_candles: set[tuple[Instrument, str]] = set()
        self._resamplers: dict[tuple[Instrument, str], list[Resampler]] = {}
        self._builders: dict[Instrument, list[CandleBuilder]] = {}
        for symbol, kinds in info.kinds.items():
            if symbol in self._instruments:
                book = bool(kinds & {Rows.LEVEL, Rows.QUOTE})
                instrument = self._instruments[symbol]
                market = engine.add_market(instrument, model, has_book=book)
                market.counts_own_trades = Rows.LEVEL in kinds
                self._markets[instrument] = market

    # -- the contract

    @property
    def capabilities(self) -> Capabilities:
        """What the engine and the data can do."""
        return Capabilities(
            channels=frozenset(self._channels()),
            book_depth=self._book_depth,
            post_only=True,
            reduce_only=any(not instrument.is_spot for instrument in self._markets),
            time_in_force=frozenset({"gtc", "ioc", "fok", "day"}),
            amend=True,
            triggers=True,
            display_qty=True,
            hedge_mode=any(instrument.hedge for instrument in self._markets),
            leverage=True,
        )

    def trigger_prices(self, instrument: Instrument) -> frozenset[TriggerBy]:
        """The index only where it may have been recorded; a mark that was not is the last price."""
        prices = super().trigger_prices(instrument)
        has_index = Rows.MARK in self._info.kinds.get(instrument.symbol, frozenset()) and not instrument.is_spot
        return prices | {TriggerBy.INDEX} if has_index else prices

    def connect(self, listener: Listener) -> None:
        """Begin to tell `listener`."""
        self._listener = listener
        self._expect_ends()
        listener.on_connected(self.name)

    def close(self) -> None:
        """Stop telling."""
        self._listener = None

    def instruments(self) -> Mapping[str, Instrument]:
        """Every instrument, also those without data here."""
        return self._instruments

    def subscribe(self, instrument: Instrument, channel: Channel, interval: str = "") -> None:
        """Ask for a channel; candles come from the data, from smaller ones, or are built from trades."""
        if channel is Channel.CANDLE:
            self._subscribe_candles(instrument, interval)
        self._subscribed.add((instrument, channel))
        self._want(instrument, channel)

    # -- before the first row

    def prime(self, source: Source, start: int) -> None:
        """What stands at `start` from rows before it: the book, and the candles that are open then or close just then.

        Nothing of it is told and no order meets it: it is where the run begins.
        """
        if start <= self._info.start:
            return
        intervals = [parse_duration(interval) for _, interval in self._intervals - self._native_candles]
        # A candle that is built needs the close before it.
        candles = min((start - 1 - (start - 1) % one - one for one in intervals), default=start)
        every = self._info.whole_book_every
        book = start - start % every if every else start
        first = min(candles, book)
        for window in source.windows(first, start) if first < start else ():
            for batch in window:
                instrument = self._instruments.get(batch.symbol)
                if instrument is not None and instrument in self._markets:
                    self._prime(batch.between(book if batch.kind is Rows.LEVEL else candles, start), instrument)
        for shown in self._shown.values():
            shown.touch_all()

    def _prime(self, batch: Batch, instrument: Instrument) -> None:
        if batch.kind is Rows.LEVEL:
            sides, ticks = batch.columns[0].tolist(), self._to_ticks(batch.symbol, instrument, batch.columns[1])
            for side, price, units in zip(sides, ticks, self._to_units(instrument, batch.columns[2]), strict=True):
                self._markets[instrument].level(_SIDES[side], price, units)
        elif batch.kind is Rows.TRADE:
            prices, quantities = batch.columns[1].tolist(), batch.columns[2].tolist()
            for builder in self._builders.get(instrument, ()):
                for ts, price, qty in zip(batch.ts.tolist(), prices, quantities, strict=True):
                    builder.add(ts, price, qty)
        elif batch.kind is Rows.CANDLE:
            for resampler in self._resamplers.get((instrument, batch.interval), ()):
                for row in range(len(batch)):
                    resampler.add(candle_of(batch, instrument, row))

    # -- rows come in

    def handler(self, batch: Batch) -> RowHandler | None:
        """A function that plays row i of `batch`; None when nobody needs its rows."""
        instrument = self._instruments.get(batch.symbol)
        if instrument is None or instrument not in self._markets:
            return None
        return self._MAKERS[batch.kind](self, batch, instrument)

    def _unsettled(self) -> None:
        """Something is to be told when the moment is over."""
        if not self._is_due:
            self._is_due = True
            self.due.append(self._end_moment)

    def _end_moment(self) -> None:
        self._is_due = False
        self._release()
        self.settle()

    def _is_unmarked(self, symbol: str) -> bool:
        """Whether positions are valued at trades and books, for no mark was recorded."""
        return Rows.MARK not in self._info.kinds[symbol]

    def _trades(self, batch: Batch, instrument: Instrument) -> RowHandler:
        market, engine, listener = self._markets[instrument], self._engine, self._listener
        side_column, price_column, qty_column = batch.columns
        ticks = self._to_ticks(batch.symbol, instrument, price_column)
        units = self._to_units(instrument, qty_column)
        ts, sides = batch.ts.tolist(), side_column.tolist()
        prices, quantities = price_column.tolist(), qty_column.tolist()
        tell = (instrument, Channel.TRADE) in self._subscribed and listener is not None
        builders = self._builders.get(instrument, ())
        on_trade = listener.on_trade if listener is not None else None
        unmarked, account, guard = self._is_unmarked(batch.symbol), self._account, self._guard
        safe = guard.safe(instrument)
        # With a book a moment is told as a venue tells it, fills after its trades. Without one a print is all there is.
        tell_fills = self._unsettled if self._has_levels(instrument) else self._drain

        def play(row: int) -> None:
            price_ticks = ticks[row]
            # Strictly between the touches a print changes nothing: this test is what most rows cost.
            if price_ticks <= market.wakes_at_or_below or price_ticks >= market.wakes_at_or_above or market.waiting:
                engine.at(ts[row])
                market.print(price_ticks, units[row], sides[row])
                if engine.out:
                    tell_fills()
                if engine.is_releasing:
                    self._unsettled()
            else:
                market.last = price_ticks
            if unmarked and (
                guard.movements != account.movements or not safe.low_ticks < price_ticks < safe.high_ticks
            ):
                self._watch(instrument)
            for builder in builders:
                builder.add(ts[row], prices[row], quantities[row])
            if tell and on_trade is not None:
                on_trade(Trade(ts[row], instrument, _SIDES[sides[row]], prices[row], quantities[row]))

        return play

    def _quotes(self, batch: Batch, instrument: Instrument) -> RowHandler | None:
        """The whole market where no levels were recorded; where they were, the touch is what the levels say."""
        if self._has_levels(instrument):
            return None
        market, engine, listener = self._markets[instrument], self._engine, self._listener
        tell = (instrument, Channel.QUOTE) in self._subscribed and listener is not None
        bids, asks, bid_sizes, ask_sizes = (column.tolist() for column in batch.columns)
        bid_ticks = self._to_ticks(batch.symbol, instrument, batch.columns[0])
        ask_ticks = self._to_ticks(batch.symbol, instrument, batch.columns[1])
        bid_units = self._to_units(instrument, batch.columns[2])
        unmarked, account, guard = self._is_unmarked(batch.symbol), self._account, self._guard
        safe = guard.safe(instrument)
        ask_units = self._to_units(instrument, batch.columns[3])
        ts = batch.ts.tolist()

        def play(row: int) -> None:
            engine.at(ts[row])
            before = len(engine.out)
            bid = bid_ticks[row] if bids[row] == bids[row] else None
            ask = ask_ticks[row] if asks[row] == asks[row] else None
            market.quote(bid, bid_units[row], ask, ask_units[row])
            self._note_own_trades(before)
            if engine.out or engine.is_releasing:
                self._unsettled()
            if unmarked and (guard.movements != account.movements or not safe.is_endless):
                self._watch(instrument)
            if tell and listener is not None:
                self._end_moment()
                listener.on_quote(Quote(ts[row], instrument, bids[row], asks[row], bid_sizes[row], ask_sizes[row]))

        return play

    def _levels(self, batch: Batch, instrument: Instrument) -> RowHandler:
        market, engine, shown = self._markets[instrument], self._engine, self._shown.get(instrument)
        sides = [_SIDES[side] for side in batch.columns[0].tolist()]
        ticks = self._to_ticks(batch.symbol, instrument, batch.columns[1])
        units = self._to_units(instrument, batch.columns[2])
        ts = batch.ts.tolist()

        def play(row: int) -> None:
            engine.at(ts[row])
            before = len(engine.out)
            market.level(sides[row], ticks[row], units[row])
            self._note_own_trades(before)
            if engine.out or engine.is_releasing:
                self._unsettled()
            if shown is not None:
                shown.stirred = True
                if shown.book_wanted:
                    shown.touched[sides[row], ticks[row]] = None
                if not self._is_due:
                    self._unsettled()

        return play

    def _opens(self, batch: Batch, instrument: Instrument) -> RowHandler | None:
        market, engine = self._markets[instrument], self._engine
        if not self._candles_feed_engine(batch.symbol):
            return None
        ticks = self._to_ticks(batch.symbol, instrument, batch.columns[0])
        ts, counts = batch.ts.tolist(), batch.columns[1].tolist()
        unmarked, account, guard = self._is_unmarked(batch.symbol), self._account, self._guard
        safe = guard.safe(instrument)

        def play(row: int) -> None:
            if not counts[row]:
                return  # nothing trades in this interval: an outage fills no order
            price_ticks = ticks[row]
            if price_ticks <= market.wakes_at_or_below or price_ticks >= market.wakes_at_or_above or market.waiting:
                engine.at(ts[row])
                market.open(price_ticks)
                if engine.out:
                    self._drain()
            else:
                market.last = price_ticks
            if unmarked and (
                guard.movements != account.movements or not safe.low_ticks < price_ticks < safe.high_ticks
            ):
                self._watch(instrument)

        return play

    def _candles(self, batch: Batch, instrument: Instrument) -> RowHandler:
        market, engine, listener = self._markets[instrument], self._engine, self._listener
        feeds_engine = self._candles_feed_engine(batch.symbol) and batch.interval == self._smallest(batch.symbol)
        tell = (instrument, batch.interval) in self._native_candles and listener is not None
        resamplers = self._resamplers.get((instrument, batch.interval), ())
        open_ts, opens, highs, lows, closes, volumes, counts = (column.tolist() for column in batch.columns)
        ts, interval = batch.ts.tolist(), batch.interval
        low_ticks, high_ticks, close_ticks = (
            self._to_ticks(batch.symbol, instrument, batch.columns[column]) for column in (3, 2, 4)
        )

        unmarked, account, guard = self._is_unmarked(batch.symbol), self._account, self._guard
        safe = guard.safe(instrument)

        def play(row: int) -> None:
            if feeds_engine and counts[row]:
                low, high = low_ticks[row], high_ticks[row]
                if low <= market.wakes_at_or_below or high >= market.wakes_at_or_above or market.waiting:
                    engine.at(ts[row])
                    market.candle(open_ts[row], low, high, close_ticks[row])
                    if engine.out:
                        self._drain()
                else:
                    market.last = close_ticks[row]
                if unmarked and (
                    guard.movements != account.movements or not safe.low_ticks < close_ticks[row] < safe.high_ticks
                ):
                    self._watch(instrument)
            if not (tell or resamplers) or listener is None:
                return
            candle = Candle(
                ts[row], open_ts[row], ts[row], instrument, interval,
                opens[row], highs[row], lows[row], closes[row], volumes[row], counts[row],
            )  # fmt: skip
            candle = self._with_own(candle)
            if tell:
                listener.on_candle(candle)
            for resampler in resamplers:
                for larger in resampler.add(candle):
                    listener.on_candle(larger)

        return play

    def _marks(self, batch: Batch, instrument: Instrument) -> RowHandler:
        market, engine, listener = self._markets[instrument], self._engine, self._listener
        prices, indices = (column.tolist() for column in batch.columns)
        ts = batch.ts.tolist()
        tell = (instrument, Channel.MARK) in self._subscribed and listener is not None
        told = self._marks_told
        only_changes, expires = self._has_levels(instrument), instrument.expiry is not None

        def play(row: int) -> None:
            engine.at(ts[row])
            market.marked(prices[row], indices[row])
            self._watch(instrument)
            if expires:
                self._settlements.note(instrument, ts[row], indices[row])
            if engine.out or engine.is_releasing:
                self._unsettled()
            if only_changes and told.get(instrument) == (prices[row], indices[row]):
                return
            told[instrument] = prices[row], indices[row]
            if tell and listener is not None:
                self._end_moment()  # a venue tells the mark after the trades and the book of its moment
                listener.on_mark(Mark(ts[row], instrument, prices[row], indices[row]))

        return play

    def _fundings(self, batch: Batch, instrument: Instrument) -> RowHandler:
        engine, listener = self._engine, self._listener
        rates, next_ts = (column.tolist() for column in batch.columns)
        ts = batch.ts.tolist()

        def play(row: int) -> None:
            engine.at(ts[row])
            engine.fund(instrument, rates[row], ts[row])
            paid = sum(event.fee for event in engine.out if isinstance(event, Execution))
            self._drain()
            self._watch(instrument)
            if listener is not None and (instrument, Channel.FUNDING) in self._subscribed:
                amount, code = instrument.settle.amount(-paid), instrument.settle.code
                listener.on_funding(Funding(ts[row], instrument, rates[row], next_ts[row], amount, code))

        return play

    _MAKERS: dict[Rows, Callable[..., RowHandler | None]] = {  # noqa: RUF012 - filled once, never changed
        Rows.TRADE: _trades,
        Rows.QUOTE: _quotes,
        Rows.LEVEL: _levels,
        Rows.OPEN: _opens,
        Rows.CANDLE: _candles,
        Rows.MARK: _marks,
        Rows.FUNDING: _fundings,
    }

    # -- how it works inside

    def _channels(self) -> Iterable[Channel]:
        kinds = frozenset().union(*self._info.kinds.values())
        pairs = {
            Channel.TRADE: Rows.TRADE,
            Channel.QUOTE: Rows.QUOTE,
            Channel.BOOK: Rows.LEVEL,
            Channel.MARK: Rows.MARK,
            Channel.FUNDING: Rows.FUNDING,
        }
        yield from (channel for channel, rows in pairs.items() if rows in kinds)
        if Rows.LEVEL in kinds and Rows.QUOTE not in kinds:
            yield Channel.QUOTE
        if kinds & {Rows.TRADE, Rows.CANDLE}:
            yield Channel.CANDLE

    def _subscribe_candles(self, instrument: Instrument, interval: str) -> None:
        symbol = instrument.symbol
        native = self._info.intervals.get(symbol, ())
        wanted = parse_duration(interval)
        if (instrument, interval) in self._intervals:
            return  # another strategy asked before: one candle, told once
        self._intervals.add((instrument, interval))
        divisors = [known for known in native if wanted % parse_duration(known) == 0]
        if interval in native:
            self._native_candles.add((instrument, interval))
            self._own.watch(instrument, interval)
        elif divisors:
            source = max(divisors, key=parse_duration)
            self._own.watch(instrument, source)
            resampler = Resampler(instrument, source, interval)
            self._resamplers.setdefault((instrument, source), []).append(resampler)
        elif Rows.TRADE in self._info.kinds.get(symbol, frozenset()):
            previous_close = self._info.open_is_previous_close
            builder = CandleBuilder(instrument, interval, open_is_previous_close=previous_close)
            self._builders.setdefault(instrument, []).append(builder)
            self._close_at_boundary(builder, wanted)

    def _close_at_boundary(self, builder: CandleBuilder, interval: int) -> None:
        """Close candles at their time, trades or not; one that closes as the run begins is the first."""
        begin = self._clock.now()

        def close() -> None:
            now = self._clock.now()
            self._is_closing = True
            for candle in builder.close_until(now):
                if self._listener is not None and candle.ts >= begin:
                    self._listener.on_candle(candle)
            self._is_closing = False
            self._scheduler.at(now - now % interval + interval, close, Turn.CANDLE)

        self._scheduler.at(begin + -begin % interval, close, Turn.CANDLE)

    def _call_soon(self, call: Callable[[], None]) -> None:
        # A candle that is built here closes before the rows of its moment, and is told as one event with them.
        self._scheduler.at(self._clock.now(), call, Turn.REQUEST if self._is_closing else Turn.TIMER)

    def _on_own_trade(self, trade: Trade) -> None:
        for builder in self._builders.get(trade.instrument, ()):
            builder.add(trade.ts, trade.price, trade.qty)

    def _has_levels(self, instrument: Instrument) -> bool:
        return Rows.LEVEL in self._info.kinds[instrument.symbol]

    def _candles_feed_engine(self, symbol: str) -> bool:
        """Candles stand in for the market only where nothing finer was recorded."""
        return not self._info.kinds[symbol] & {Rows.TRADE, Rows.QUOTE, Rows.LEVEL}

    def _smallest(self, symbol: str) -> str:
        return min(self._info.intervals[symbol], key=parse_duration)

    def _to_ticks(self, symbol: str, instrument: Instrument, prices: Any) -> list[int]:
        numerator, denominator = instrument.tick_size.as_integer_ratio()
        steps = np.nan_to_num(prices * denominator / numerator)
        near = np.rint(steps)
        wrong = int(np.count_nonzero(np.abs(steps - near) > OFF_GRID))
        if wrong:
            self.off_grid[symbol] = self.off_grid.get(symbol, 0) + wrong
        ticks: list[int] = near.astype(np.int64).tolist()
        return ticks

    @staticmethod
    def _to_units(instrument: Instrument, quantities: Any) -> list[int]:
        """Whole units; what is not known counts as endless."""
        size = float(instrument.unit_size)
        steps = np.rint(quantities / size)
        steps = np.where(np.isfinite(steps), np.clip(steps, 0, UNKNOWN_SIZE), UNKNOWN_SIZE)
        units: list[int] = steps.astype(np.int64).tolist()
        return units
