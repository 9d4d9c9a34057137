"""Recorded tapes of XBTUSD as data sources: what was recorded, and around it what had to be derived or synthesised.

A tape tells which is which in its provenance lines, and a report prints them. Whole minutes are made from (seed,
minute) and then cut, so that rows never depend on where a replay begins or ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from hbkit.clock import HOUR, MINUTE, SECOND
from hbkit.data.source import Batch, Floats, Ints, Provenance, Rows, SourceInfo
from hbkit.errors import DataError, did_you_mean
from hbkit_bitmex import recording, synthesis
from hbkit_bitmex.provenance import PROVENANCE
from hbkit_bitmex.recording import TICK, Prints, Quotes, Recording
from hbkit_bitmex.synthesis import Bar

SYMBOL = "XBTUSD"
ERA = "2026-05-03"
WINDOW = 10 * MINUTE
MARK_STEP = 5 * SECOND
FUNDING_INTERVAL = 8 * HOUR


def open_tape(name: str, seed: int) -> Tape:
    """The tape of that name, its synthesised parts drawn from `seed`. Raises DataError for an unknown name."""
    if name not in PROVENANCE:
        raise DataError(f'there is no tape "{name}"; {did_you_mean(name, PROVENANCE, what="tapes")}')
    return Tape(name, recording.read(name), seed, PROVENANCE[name])


class Tape:
    """A recording, completed: a `Source` of trades, quotes, levels, candles, marks and fundings of XBTUSD."""

    def __init__(self, name: str, recorded: Recording, seed: int, provenance: Sequence[Provenance] = ()) -> None:
        self._name = name
        self._provenance = provenance
        self._recorded = recorded
        self._seed = seed
        self._quotes = recorded.quotes or derived_quotes(recorded.prints)
        self._start = int(self._quotes.ts[0])
        self._end = int(recorded.candles.ts[-1])

    def info(self) -> SourceInfo:
        """What is on the tape."""
        kinds = {Rows.TRADE, Rows.QUOTE, Rows.LEVEL, Rows.CANDLE, Rows.MARK}
        if len(self._fundings):
            kinds.add(Rows.FUNDING)
        return SourceInfo(
            name=self._name,
            kinds={SYMBOL: frozenset(kinds)},
            start=self._start,
            end=self._end,
            intervals={SYMBOL: ("1m",)},
            sizes_known=True,
            era=ERA,
            rows=self._rows_about(),
            provenance=self._provenance,
            whole_book_every=MINUTE,
            open_is_previous_close=True,
        )

    def funding_rates(self, start: int) -> list[float]:
        """The rates paid from `start` on, the one after the tape's end included."""
        fundings = self._recorded.fundings
        rates: list[float] = fundings.rate[fundings.ts >= start].tolist()
        return rates

    def windows(self, start: int, end: int) -> Iterator[Sequence[Batch]]:
        """Rows with start <= ts < end, made ten minutes at a time when they are asked for.

        Each minute opens with every level of the book: a replay that begins within a minute has, until the next one,
        only the levels that changed since.
        """
        first, last = max(start, self._start), min(end, self._end + 1)
        for window in range(first // WINDOW * WINDOW, last, WINDOW):
            batches = [batch.between(first, last) for batch in self._window(window)]
            if filled := [batch for batch in batches if len(batch)]:
                yield filled

    def _rows_about(self) -> int:
        """Exact but for the book, of which about 80 rows a minute tell changes, after the whole book at its start."""
        candles = self._recorded.candles
        levels = len(candles) * (2 * synthesis.DEPTH + 80)
        marks = (self._end - self._start) // MARK_STEP
        prints = self._recorded.prints
        trades = len(prints.ts) if prints is not None else int(candles.trades.sum())
        return trades + len(self._quotes.ts) + levels + marks + len(candles) + len(self._fundings)

    # -- one window ----------------------------------------------------------------------------------------------

    def _window(self, start: int) -> list[Batch]:
        """Every row of the ten minutes from `start`, one batch a kind."""
        end = start + WINDOW
        candles = self._recorded.candles
        minutes = range(max(start, candles.start), min(end, self._end), MINUTE)
        return [
            *self._book(minutes),
            self._trades(minutes).between(start, end),
            self._marks(start, end),
            self._candles.between(start, end),
            self._fundings.between(start, end),
        ]

    def _book(self, minutes: range) -> list[Batch]:
        """Levels, and the quotes with the sizes that the levels have at the touch; nothing without a minute."""
        made = [synthesis.book_minute(self._seed, minute, self._quotes) for minute in minutes]
        if not made:
            return []
        changes = [minute.changes for minute in made]
        levels = Batch(
            SYMBOL,
            Rows.LEVEL,
            np.concatenate([change.ts for change in changes]),
            (
                np.concatenate([change.side for change in changes]),
                _prices(np.concatenate([change.price for change in changes])),
                np.concatenate([change.qty for change in changes]).astype(np.float64),
            ),
        )
        bid_qty = np.concatenate([minute.bid_qty for minute in made]).astype(np.float64)
        ask_qty = np.concatenate([minute.ask_qty for minute in made]).astype(np.float64)
        rows = slice(made[0].first_quote, made[0].first_quote + len(bid_qty))
        known = self._quotes
        quotes = Batch(
            SYMBOL,
            Rows.QUOTE,
            known.ts[rows],
            (_prices(known.bid[rows]), _prices(known.ask[rows]), bid_qty, ask_qty),
        )
        return [levels, quotes]

    def _trades(self, minutes: range) -> Batch:
        """The recorded prints, or those synthesised for each minute."""
        recorded = self._recorded.prints
        made = [synthesis.prints(self._seed, self._bar(m), self._quotes) for m in minutes] if recorded is None else []
        prints = [recorded] if recorded is not None else (made or [synthesis.NO_PRINTS])
        return Batch(
            SYMBOL,
            Rows.TRADE,
            np.concatenate([part.ts for part in prints]),
            (
                np.concatenate([part.side for part in prints]),
                _prices(np.concatenate([part.price for part in prints])),
                np.concatenate([part.qty for part in prints]).astype(np.float64),
            ),
        )

    def _bar(self, minute: int) -> Bar:
        """The recorded candle of the minute that begins at `minute`."""
        candles = self._recorded.candles
        row = (minute - candles.start) // MINUTE
        return Bar(
            start=minute,
            open=int(candles.open[row]),
            high=int(candles.high[row]),
            low=int(candles.low[row]),
            close=int(candles.close[row]),
            volume=int(candles.volume[row]),
            trades=int(candles.trades[row]),
        )

    def _marks(self, start: int, end: int) -> Batch:
        """Index and mark every five seconds, and once with the first quote."""
        ts = np.arange(start, end, MARK_STEP, dtype=np.int64)
        if start <= self._start < end:
            ts = np.union1d(ts, np.array([self._start]))
        ts = ts[(ts >= self._start) & (ts < self._end)]
        quote = self._quotes.at(ts)
        index = _prices(self._quotes.bid[quote] + self._quotes.ask[quote]) / 2
        return Batch(SYMBOL, Rows.MARK, ts, (self.marks(ts, index), index))

    def marks(self, ts: Ints, index: Floats) -> Floats:
        """The marks of a perpetual with these fundings where its index stands so.

        `mark = index * (1 + rate * time to funding / interval)` is the exchange's own formula (protocol 10.9), with
        the rate that will be paid next. At the moment of funding itself nothing is left to run: mark = index.
        """
        fundings = self._recorded.fundings
        following = np.searchsorted(fundings.ts, ts)
        basis = index * fundings.rate[following] * ((fundings.ts[following] - ts) / FUNDING_INTERVAL)
        marks: Floats = np.round(index + basis, 2)
        return marks

    @cached_property
    def _candles(self) -> Batch:
        """The recorded candles; their stamp is their end, the moment from which they are known (protocol 4.4)."""
        candles = self._recorded.candles
        prices = (_prices(column) for column in (candles.open, candles.high, candles.low, candles.close))
        volume = candles.volume.astype(np.float64)
        columns = (candles.ts - MINUTE, *prices, volume, candles.trades)
        return Batch(SYMBOL, Rows.CANDLE, candles.ts, columns, "1m")

    @cached_property
    def _fundings(self) -> Batch:
        """The fundings that were paid while the tape runs."""
        fundings = self._recorded.fundings
        following = np.append(fundings.ts[1:], 0)
        every = Batch(SYMBOL, Rows.FUNDING, fundings.ts, (fundings.rate, following))
        return every.between(self._start, self._end + 1)


def _prices(ticks: Ints) -> Floats:
    """Ticks as prices."""
    return ticks.astype(np.float64) * TICK


def derived_quotes(prints: Prints | None) -> Quotes:
    """Quotes told from prints: the last buy is the ask, the last sell the bid, kept at least a tick apart.

    Of prints at one time the last state holds; a quote that did not change is not repeated.
    """
    if prints is None:
        raise ValueError("a recording without quotes needs prints")
    bid = ask = 0
    state: dict[int, tuple[int, int]] = {}
    for ts, side, price in zip(prints.ts.tolist(), prints.side.tolist(), prints.price.tolist(), strict=True):
        if side > 0:
            ask, bid = price, min(bid or price - 1, price - 1)
        else:
            bid, ask = price, max(ask, price + 1)
        state[ts] = (bid, ask)
    ts = np.array(list(state), dtype=np.int64)
    table = np.array(list(state.values()), dtype=np.int64)
    moved = np.any(np.diff(table, axis=0, prepend=0) != 0, axis=1)
    return Quotes(ts[moved], table[moved, 0], table[moved, 1])
