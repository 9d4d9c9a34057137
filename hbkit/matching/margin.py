"""What a position needs behind it: leverage, cross and isolated margin, risk limits, and the prices that follow.

The rules are BitMEX's as far as its documents and captured rows show them (protocol 10.3 to 10.5, 18.5, 18.6): an
isolated position has its own initial margin and exit fee, a cross one locks its maintenance margin alone. Rates grow
with the risk limit that was chosen, not with the position. Everything here is arithmetic on one leg.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from hbkit.model import Instrument, Leg, PositionSide

LegKey = tuple[Instrument, PositionSide]


@dataclass
class Terms:
    """How the margin of one leg is reckoned; mutable, owned by its account."""

    isolated: bool = False
    leverage: Fraction | None = None
    """Of isolated margin; None for the highest."""
    cross_leverage: Fraction | None = None
    """What orders are reckoned with in cross margin; None for the highest."""
    transferred: int = 0
    """Margin that was added to an isolated position by hand, minor units."""
    risk_limit: int | None = None
    """Of a higher step than the instrument's first, minor units."""

    @property
    def in_force(self) -> Fraction | None:
        """The leverage that counts in the present mode."""
        return self.leverage if self.isolated else self.cross_leverage


@dataclass(frozen=True)
class Isolated:
    """The parts of an isolated position's margin (10.4), minor units."""

    initial: int
    commission: int
    transferred: int = 0

    @property
    def margin(self) -> int:
        """What is set aside."""
        return self.initial + self.commission + self.transferred


@dataclass(frozen=True)
class Refused:
    """Why terms cannot change: `missing` minor units, or none of them and the mark is past the liquidation price."""

    missing: int = 0

    @property
    def would_liquidate(self) -> bool:
        """True where money is not what is missing."""
        return not self.missing


def ceil_of(amount: int, rate: Fraction) -> int:
    """`amount * rate`, the next whole number upwards; in whole numbers, for every order and fill asks for it."""
    return -(-amount * rate.numerator // rate.denominator)


@lru_cache(maxsize=1_024)
def exact(rate: Decimal) -> Fraction:
    """A rate of an instrument as a fraction; there are few."""
    return Fraction(rate)


def steps(instrument: Instrument, terms: Terms) -> int:
    """How many risk steps above the first limit were chosen."""
    if terms.risk_limit is None or not instrument.risk_limit or not instrument.risk_step:
        return 0
    return max(0, terms.risk_limit - instrument.risk_limit) // instrument.risk_step


def risk_limit(instrument: Instrument, terms: Terms) -> int | None:
    """Up to which value position and orders may go; None for no limit."""
    return terms.risk_limit if terms.risk_limit is not None else instrument.risk_limit


def tier_rate(instrument: Instrument, terms: Terms) -> Fraction:
    """The initial rate of the risk limit: base + steps * base maintenance rate (18.6)."""
    rate, count = exact(instrument.init_margin), steps(instrument, terms)
    return rate + count * exact(instrument.maint_margin) if count else rate


def initial_rate(instrument: Instrument, terms: Terms) -> Fraction:
    """The part of a value that has to be there before a position of it may be opened."""
    rate, leverage = tier_rate(instrument, terms), terms.in_force
    return max(rate, 1 / leverage) if leverage else rate


def maintenance_rate(instrument: Instrument, terms: Terms) -> Fraction:
    """The part of a position's cost below which it is taken away."""
    rate, count = exact(instrument.maint_margin), steps(instrument, terms)
    return (1 + count) * rate if count else rate


def isolated_margin(leg: Leg, terms: Terms) -> Isolated | None:
    """What stands behind an isolated position, None in cross mode and where there is no position."""
    if not terms.isolated or not leg.units:
        return None
    cost = abs(leg.cost)
    initial = ceil_of(cost, initial_rate(leg.instrument, terms))
    commission = ceil_of(cost + initial, exact(leg.instrument.taker_fee))
    return Isolated(initial, commission, terms.transferred)


def maintenance_margin(leg: Leg, terms: Terms, funding_rate: Fraction) -> int:
    """posMaint: the rate on the cost, the exit fee in isolated mode, and the next funding if this side pays it."""
    if not leg.units or leg.instrument.is_spot:
        return 0
    rate = maintenance_rate(leg.instrument, terms)
    if funding_rate and (funding_rate > 0) == (leg.units > 0):
        rate += abs(funding_rate)
    isolated = isolated_margin(leg, terms)
    fee = isolated.commission if isolated is not None else 0
    return ceil_of(abs(leg.cost), rate) + fee


def ticks_at(leg: Leg, signed_value: int) -> int | None:
    """The price at which a leg is worth `signed_value`: of a long rounded up to the tick, of a short down (10.4).

    None where no price above zero is.
    """
    # For every kind profit = value - cost in signed money, so a price follows from the value that is wanted.
    if not leg.units or signed_value == 0 or (signed_value > 0) != (leg.cost > 0):
        return None
    instrument = leg.instrument
    unit = abs(Fraction(instrument.multiplier) * Fraction(instrument.unit_size) * leg.units)
    price = unit / abs(signed_value) if instrument.is_inverse else abs(signed_value) / unit
    at = price / Fraction(instrument.tick_size)
    ticks = math.ceil(at) if leg.units > 0 else math.floor(at)
    return ticks if ticks > 0 else None


def bankruptcy_ticks(leg: Leg, terms: Terms) -> int | None:
    """Where an isolated position has lost all that stands behind it but the fee of its exit."""
    isolated = isolated_margin(leg, terms)
    if isolated is None:
        return None
    return ticks_at(leg, leg.cost - isolated.initial - isolated.transferred)


def liquidation_ticks(leg: Leg, terms: Terms, funding_rate: Fraction) -> int | None:
    """The mark at which an isolated position has no more than its maintenance margin left."""
    isolated = isolated_margin(leg, terms)
    if isolated is None:
        return None
    return ticks_at(leg, leg.cost + maintenance_margin(leg, terms, funding_rate) - isolated.margin)


def is_past(leg: Leg, mark: float, ticks: int | None) -> bool:
    """Whether the mark has reached a price that is bad for the holder."""
    if ticks is None:
        return False
    price = leg.instrument.price(ticks)
    return mark <= price if leg.units > 0 else mark >= price
