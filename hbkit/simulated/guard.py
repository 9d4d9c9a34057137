"""Watches what positions are valued at, and has those taken over that have too little behind them.

A test costs some arithmetic and a market moves often, so after each one the guard works out between which prices
nothing can happen: as long as every instrument stays between its own, and no money moves, there is nothing to test.
"""

from __future__ import annotations

import math

from hbkit.matching import Account, Engine
from hbkit.matching.liquidation import EngineTaker, Liquidator
from hbkit.model import Instrument

_NEVER = (-math.inf, math.inf)
_SAFE = 0.9
"""Part of the way to a liquidation that is gone without a test: values are rounded lot by lot."""


class Guard:
    """Of one account at the engine."""

    def __init__(self, engine: Engine, account: Account) -> None:
        self._engine = engine
        self._account = account
        self._taker = EngineTaker(engine)
        self._liquidator = Liquidator(engine, self._taker)
        self._bounds: dict[Instrument, tuple[float, float]] = {}
        self._movements = -1

    def moved(self, instrument: Instrument, ts: int) -> None:
        """The price that positions in `instrument` are valued at may have moved."""
        account = self._account
        if self._movements == account.movements:
            low, high = self._bounds.get(instrument, _NEVER)
            if low == -math.inf and high == math.inf:
                return
            price = self._engine.reference_price(instrument)
            if price is None or low < price < high:
                return
        self._test(ts)

    def _test(self, ts: int) -> None:
        """Everything that is held, then how far prices may go until the next time."""
        account = self._account
        self._taker.ts = ts
        self._engine.at(ts)
        for instrument in self._held():
            self._liquidator.test(account, instrument)
        self._bounds = {instrument: self._between(instrument) for instrument in self._held()}
        self._movements = account.movements

    def _held(self) -> list[Instrument]:
        legs = (leg for _, leg in self._account.legs() if leg.units and not leg.instrument.is_spot)
        return list(dict.fromkeys(leg.instrument for leg in legs))

    def _between(self, instrument: Instrument) -> tuple[float, float]:
        price = self._engine.reference_price(instrument)
        if price is None:
            return _unknown()
        account, low, high = self._account, -math.inf, math.inf
        cross = 0
        for side, leg in account.legs():
            if leg.instrument is not instrument or not leg.units:
                continue
            if account.isolated_margin(leg, side) is None:
                cross += abs(leg.units)
                continue
            ticks = account.liquidation_ticks(leg, side)
            if ticks is not None and leg.units > 0:
                low = max(low, instrument.price(ticks))
            elif ticks is not None:
                high = min(high, instrument.price(ticks))
        if cross:
            room = self._liquidator.room(account, instrument.settle) * _SAFE
            shares = len([one for one in self._held() if one.settle.code == instrument.settle.code])
            down, up = _reach(instrument, cross, price, room / shares)
            low, high = max(low, down), min(high, up)
        return low, high


def _unknown() -> tuple[float, float]:
    """Bounds that every price is outside of: what has none yet is looked at as soon as it has one."""
    return math.inf, -math.inf


def _reach(instrument: Instrument, units: int, price: float, room: float) -> tuple[float, float]:
    """How far a price may go until so many units have lost `room`, in either direction."""
    if room <= 0:
        return _unknown()
    unit = abs(float(instrument.multiplier * instrument.unit_size)) * units
    if not instrument.is_inverse:
        return price - room / unit, price + room / unit
    now, step = 1 / price, room / unit
    return 1 / (now + step), 1 / (now - step) if now > step else math.inf

