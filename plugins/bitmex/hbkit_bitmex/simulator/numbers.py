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


def notionals(instrument: Instrument, units: int, value: int, per_quote: float | None = None) -> tuple[Number, Number]:
    """Home and foreign notional of an unsigned quantity (protocol 10.1): base units, quote units.

    :param per_quote: of quanto contracts: settlement units per quote unit now, else that of the recorded row. The rows
        of 2026-05-03 agree: 58,002 contracts of ETHUSD at 100 XBt were 4,550.6 ETH with 1,274.6 XBt to the dollar.
    """
    if instrument.is_spot:
        return number(units / 10**instrument.base_scale), number(value / 10**instrument.settle.scale)
    if instrument.kind is InstrumentKind.INVERSE:
        return number(value / 10**instrument.settle.scale), units
    if instrument.kind is InstrumentKind.QUANTO:
        rate = per_quote or float(instrument.info["quoteToSettleMultiplier"])
        return number(units * float(instrument.multiplier) / rate), number(value / rate)
    # Predictions have no such column: a contract is a contract.
    per_coin = float(instrument.info.get("underlyingToPositionMultiplier", 1))
    return number(units / per_coin), number(value / 10**instrument.settle.scale)
