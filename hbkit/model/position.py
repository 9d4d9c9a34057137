"""The arithmetic of a position, one-way or one leg of a hedge, in whole units and minor units of money."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from hbkit.model.enums import PositionMode, PositionSide
from hbkit.model.instrument import Instrument, round_half_away


class Leg:
    """A signed holding and its cost; mutable, owned by whoever keeps the books.

    `cost` follows the sign convention of `hbkit.model.instrument`: unrealized profit = cost at the mark - cost.
    """

    __slots__ = ("cost", "instrument", "realized", "units")

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.units = 0
        self.cost = 0
        self.realized = 0

    def apply(self, units: int, cost: int) -> int:
        """Add a signed fill and return the profit it realizes, gross of fees.

        Closing k of n units takes the share k/n of the cost out (halves away from zero); a fill through zero closes,
        then opens anew at the same price.
        """
        if self.units == 0 or (self.units > 0) == (units > 0):
            self.units += units
            self.cost += cost
            return 0
        closing = min(abs(units), abs(self.units))
        closing_cost = cost if closing == abs(units) else round_half_away(cost * closing, abs(units))
        cost_out = self.cost if closing == abs(self.units) else round_half_away(self.cost * closing, abs(self.units))
        realized = -(cost_out + closing_cost)
        self.units += units
        self.cost += (cost - closing_cost) - cost_out
        self.realized += realized
        return realized

    def unrealized(self, price: float) -> int:
        """Profit in minor units if the leg were valued at `price`."""
        if self.units == 0:
            return 0
        return self.instrument.signed_cost(self.units, price) - self.cost

    @property
    def entry_price(self) -> float:
        """Mean entry price; `nan` when flat."""
        return self.instrument.entry_price(self.units, self.cost)


class Legs:
    """The positions of an account or a strategy: one leg per instrument, or two in hedge mode."""

    def __init__(self) -> None:
        self._legs: dict[tuple[Instrument, PositionSide], Leg] = {}

    def get(self, instrument: Instrument, side: PositionSide = PositionSide.NET) -> Leg:
        """One leg, made when first asked for."""
        leg = self._legs.get((instrument, side))
        if leg is None:
            leg = self._legs[instrument, side] = Leg(instrument)
        return leg

    def __iter__(self) -> Iterator[tuple[PositionSide, Leg]]:
        """Every leg with its side, flat ones too, in order of first touch."""
        return iter([(side, leg) for (_, side), leg in self._legs.items()])

    def rekey(self, mode: PositionMode) -> dict[Instrument, int]:
        """Follow a switch of the position mode; returns the profit it realized.

        To hedge, a position becomes the leg of its sign. Back, the legs net: the smaller one closes against the larger
        at the two entry prices, without a fee (BitMEX protocol notes, hedge mode). Following the mode in force changes
        nothing.
        """
        realized: dict[Instrument, int] = {}
        for instrument in dict.fromkeys(instrument for instrument, _ in self._legs):
            if not instrument.hedge or instrument.is_spot:
                continue
            if mode is PositionMode.HEDGE:
                leg = self._legs.pop((instrument, PositionSide.NET), None)
                if leg is not None and leg.units:
                    side = PositionSide.LONG if leg.units > 0 else PositionSide.SHORT
                    self._legs[instrument, side] = leg
                continue
            realized[instrument] = self._net(instrument)
        return realized

    def _net(self, instrument: Instrument) -> int:
        """Fold both legs into the net one; returns the profit that realizes."""
        legs = [self._legs.pop((instrument, side), None) for side in (PositionSide.LONG, PositionSide.SHORT)]
        net, realized = self.get(instrument), 0
        for leg in legs:
            if leg is not None:
                realized += net.apply(leg.units, leg.cost) if leg.units else 0
                net.realized += leg.realized
        return realized


class Position(msgspec.Struct, frozen=True):
    """A position as strategies see it: `qty` is signed, `entry_price` is `nan` when flat, profit in whole currency."""

    instrument: Instrument
    side: PositionSide
    qty: float
    entry_price: float
    unrealized_pnl: float


class PositionModeChange(msgspec.Struct, frozen=True):
    """The position mode of an account; `mode` is always the one in force, a refusal is `mode != requested`."""

    exchange: str
    account: str
    mode: PositionMode
    previous: PositionMode
    requested: PositionMode
    origin: str
    reason: str
    ts: int

    @property
    def refused(self) -> bool:
        """True when the mode asked for is not the one in force."""
        return self.mode is not self.requested
