"""Numbers as BitMEX writes them: whole ones without a fraction, minor units as integers, decimals without noise."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

from hbkit.model import Instrument, InstrumentKind

Number = int | float


def number(value: float) -> Number:
    """A float as it goes over the wire: `8700`, not `8700.0`."""
    whole = int(value)
    return whole if whole == value else value


def plain(value: Any) -> Any:
    """A cell of a recorded row, its Decimal as a number."""
    return number(float(value)) if isinstance(value, Decimal) else value


def ceil(value: Fraction) -> int:
    """The next whole number upwards."""
    return -(-value.numerator // value.denominator)


def notionals(instrument: Instrument, units: int, value: int) -> tuple[Number, Number]:
    """Home and foreign notional of an unsigned quantity (protocol 10.1): base units, quote units."""
    if instrument.is_spot:
        return number(units / 10**instrument.base_scale), number(value / 10**instrument.settle.scale)
    if instrument.kind is InstrumentKind.INVERSE:
        return number(value / 10**instrument.settle.scale), units
    per_coin = float(instrument.info["underlyingToPositionMultiplier"])
    return number(units / per_coin), number(value / 10**instrument.settle.scale)
