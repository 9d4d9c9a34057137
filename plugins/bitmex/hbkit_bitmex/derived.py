"""Tapes of XBTUSDT and XBT_USDT, derived from a tape of XBTUSD: the same moments, the same bitcoin, another price.

Nothing of the two was recorded on the days of the tapes. The derivation is stated and the same everywhere: the price is
XBTUSD's plus a constant basis, the quantity is the bitcoin that XBTUSD's contracts were worth, in whole lots.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from hbkit.data.source import Batch, Floats, Provenance, Rows, Source, SourceInfo
from hbkit.errors import ConfigError, did_you_mean
from hbkit_bitmex.tapes import SYMBOL, Tape

BASIS: Mapping[str, float] = {"XBTUSDT": 1.0, "XBT_USDT": -1.0}
"""What is added to XBTUSD's price, in whole dollars so that every grid still fits."""
LOT: Mapping[str, float] = {"XBTUSDT": 0.0001, "XBT_USDT": 0.00001}
"""A lot in bitcoin: 100 contracts of 0.000001 XBT, 1,000 satoshi."""
CONTRACTS_PER_COIN: Mapping[str, float] = {"XBTUSDT": 1e6, "XBT_USDT": 1.0}
"""How quantities are written: contracts of the linear perpetual, whole bitcoin of the spot pair."""
SPOT = frozenset({"XBT_USDT"})


def derive(tape: Tape, symbol: str) -> Derived:
    """The tape of `symbol`. Raises ConfigError for one that no derivation is stated for."""
    if symbol not in BASIS:
        raise ConfigError(f'no tape is derived for "{symbol}"; {did_you_mean(symbol, BASIS, what="derived symbols")}')
    return Derived(tape, symbol)


def quantity(symbol: str, contracts: Floats, price: Floats) -> Floats:
    """What XBTUSD's contracts are of `symbol`: whole lots, one at least where there was anything."""
    lots = np.where(contracts > 0, np.maximum(1, np.rint(contracts / price / LOT[symbol])), 0)
    units = lots * round(LOT[symbol] * 1e8)
    qty: Floats = units / (1e8 / CONTRACTS_PER_COIN[symbol])
    return qty


class Derived:
    """A source of trades, quotes, levels and, of the perpetual, marks and fundings."""

    def __init__(self, tape: Tape, symbol: str) -> None:
        self._tape = tape
        self._symbol = symbol
        self._basis = BASIS[symbol]
        kinds = tape.info().kinds[SYMBOL] - {Rows.CANDLE}
        self._kinds = kinds - {Rows.MARK, Rows.FUNDING} if symbol in SPOT else kinds

    def info(self) -> SourceInfo:
        """What is on the tape."""
        base = self._tape.info()
        return replace(
            base,
            name=f"{base.name}/{self._symbol}",
            kinds={self._symbol: self._kinds},
            intervals={},
            provenance=(
                Provenance(
                    self._symbol,
                    "derived",
                    f"from XBTUSD of the same moment: price {self._basis:+g}, quantity = the same bitcoin, whole lots",
                ),
            ),
        )

    def windows(self, start: int, end: int) -> Iterator[Sequence[Batch]]:
        """Rows with start <= ts < end, window by window as the tape beneath has them."""
        for window in self._tape.windows(start, end):
            yield self.of(window)

    def of(self, window: Sequence[Batch]) -> list[Batch]:
        """What is derived from a window of the tape."""
        return [self._from(batch) for batch in window if batch.symbol == SYMBOL and batch.kind in self._kinds]

    def _from(self, batch: Batch) -> Batch:
        columns = batch.columns
        if batch.kind in (Rows.TRADE, Rows.LEVEL):
            side, price, qty = columns
            columns = (side, price + self._basis, self._qty(qty, price))
        elif batch.kind is Rows.QUOTE:
            bid, ask, bid_qty, ask_qty = columns
            sizes = self._qty(bid_qty, bid), self._qty(ask_qty, ask)
            columns = (bid + self._basis, ask + self._basis, *sizes)
        elif batch.kind is Rows.MARK:
            index = columns[1] + self._basis
            columns = (self._tape.marks(batch.ts, index), index)
        return Batch(self._symbol, batch.kind, batch.ts, columns, batch.interval)

    def _qty(self, contracts: Floats, price: Floats) -> Floats:
        return quantity(self._symbol, contracts, price)


class Family:
    """A tape and what is derived from it as one source: the tape beneath is read once."""

    def __init__(self, tape: Tape, symbols: Sequence[str] = tuple(BASIS)) -> None:
        self._tape = tape
        self._derived = [derive(tape, symbol) for symbol in symbols]

    def info(self) -> SourceInfo:
        """What is on all of them."""
        base = self._tape.info()
        infos = [derived.info() for derived in self._derived]
        kinds = {**base.kinds, **{symbol: found for info in infos for symbol, found in info.kinds.items()}}
        provenance = (*base.provenance, *(line for info in infos for line in info.provenance))
        return replace(base, kinds=kinds, provenance=provenance, rows=None)

    def only(self, symbols: Collection[str]) -> Source:
        """What a run of these symbols needs; the whole where none of them is known, so that it can be said what is."""
        wanted = [symbol for symbol in BASIS if symbol in symbols]
        if SYMBOL in symbols:
            return Family(self._tape, wanted) if wanted else self._tape
        if len(wanted) == 1:
            return derive(self._tape, wanted[0])
        return Family(self._tape, wanted or tuple(BASIS))

    def windows(self, start: int, end: int) -> Iterator[Sequence[Batch]]:
        """Each window of the tape with its derivations."""
        for window in self._tape.windows(start, end):
            yield [*window, *(batch for derived in self._derived for batch in derived.of(window))]
