"""Watches what positions are valued at, and has those taken over that have too little behind them.

A test costs some arithmetic and a market moves often, so after each one the guard works out between which prices
nothing can happen: as long as every instrument stays between its own, and no money moves, there is nothing to test.
Who plays recorded trades asks `Safe` itself, in ticks: a call for each of a million rows would be most of their cost.
"""

from __future__ import annotations

import math

from hbkit.matching import Account, Engine
from hbkit.matching.liquidation import EngineTaker, Liquidator
from hbkit.model import Instrument

_NEVER = (-math.inf, math.inf)
_SAFE = 0.9
"""Part of the way to a liquidation that is gone without a test: values are rounded lot by lot."""


class Safe:
    """Between which prices of one instrument nothing can happen, as long as no money moves; endless where none is held.

    `low` and `high` are prices, `low_ticks` and `high_ticks` the same in ticks, rounded towards each other.
    """

    __slots__ = ("_tick", "high", "high_ticks", "low", "low_ticks")

    def __init__(self, instrument: Instrument) -> None:
        self._tick = instrument.tick
        self.set(*_NEVER)

    @property
    def is_endless(self) -> bool:
        """Whether no price matters."""
        return self.low == -math.inf and self.high == math.inf

    def set(self, low: float, high: float) -> None:
        """Both are outside: a price that equals one is to be looked at."""
        self.low, self.high = low, high
        self.low_ticks = low if math.isinf(low) else math.ceil(low / self._tick)
        self.high_ticks = high if math.isinf(high) else math.floor(high / self._tick)


class Guard:
    """Of one account at the engine."""

    def __init__(self, engine: Engine, account: Account) -> None:
        self._engine = engine
        self._account = account
        self._taker = EngineTaker(engine)
        self._liquidator = Liquidator(engine, self._taker)
        self._safe: dict[Instrument, Safe] = {}
        self.movements = 0
        """The account's count at the last test: where it is another one, no bound holds any more."""

    def safe(self, instrument: Instrument) -> Safe:
        """The bounds of an instrument, the same object for good."""
        found = self._safe.get(instrument)
        if found is None:
            found = self._safe[instrument] = Safe(instrument)
        return found

    def moved(self, instrument: Instrument, ts: int) -> None:
        """The price that positions in `instrument` are valued at may have moved."""
        account = self._account
        if self.movements == account.movements:
            safe = self.safe(instrument)
            if safe.is_endless:
                return
            price = self._engine.reference_price(instrument)
            if price is None or safe.low < price < safe.high:
                return
        self._test(ts)

    def _test(self, ts: int) -> None:
        """How far prices may go; what is outside already is tested, everything that is held together with it."""
        account = self._account
        bounds = self._all_bounds()
        if any(self._is_outside(instrument, *one) for instrument, one in bounds.items()):
            self._taker.ts = ts
            self._engine.at(ts)
            for instrument in bounds:
                self._liquidator.test(account, instrument)
            bounds = self._all_bounds()
        for instrument in {**self._safe, **bounds}:
            self.safe(instrument).set(*bounds.get(instrument, _NEVER))
        self.movements = account.movements

    def _all_bounds(self) -> dict[Instrument, tuple[float, float]]:
        return {instrument: self._between(instrument) for instrument in self._held()}

    def _is_outside(self, instrument: Instrument, low: float, high: float) -> bool:
        price = self._engine.reference_price(instrument)
        return price is None or not low < price < high

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

