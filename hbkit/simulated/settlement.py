"""Dated contracts end: at their expiry, at the mean of their index over the half hour before (protocol 18.7.5)."""

from __future__ import annotations

import math
from collections import deque

from hbkit.clock import MINUTE, SECOND
from hbkit.matching import Account, Engine
from hbkit.model import Instrument

WINDOW = 30 * MINUTE


class Settlements:
    """The index of contracts that are about to end, one sample a second, and what becomes of what is held."""

    def __init__(self, engine: Engine, account: Account) -> None:
        self._engine = engine
        self._account = account
        self._samples: dict[Instrument, deque[tuple[int, float]]] = {}

    def note(self, instrument: Instrument, ts: int, index: float) -> None:
        """An index value; those of the last half hour count, the last one of each second."""
        expiry = instrument.expiry
        if expiry is None or not 0 <= expiry - ts <= WINDOW or math.isnan(index):
            return
        kept, second = self._samples.setdefault(instrument, deque()), ts // SECOND
        if kept and kept[-1][0] == second:
            kept.pop()
        kept.append((second, index))

    def settle(self, instrument: Instrument, ts: int) -> float | None:
        """The contract ends; returns the price, None where none is known: then nothing is settled."""
        price = self._price(instrument)
        if price is None or instrument not in self._engine.markets:
            return None
        for side in self._account.sides(instrument):
            self._engine.settle(self._account, instrument, side, price, ts)
        self._engine.close_market(instrument)
        return price

    def _price(self, instrument: Instrument) -> float | None:
        kept = [value for _, value in self._samples.pop(instrument, ())]
        return sum(kept) / len(kept) if kept else self._engine.reference_price(instrument)
