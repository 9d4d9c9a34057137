"""Numbers between ccxt and hbkit: ccxt tells floats or text, hbkit counts whole ticks, units and minor units of money.

A float is read by its shortest decimal text, which is the text that the venue sent; so 0.3 is 0.3 and nothing near it.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

from hbkit.model import Currency, Instrument
from hbkit.model.instrument import round_half_away


def exact(value: Any) -> Decimal | None:
    """A number of ccxt as a decimal; None for what is not there or is no finite number."""
    if value is None or value == "":
        return None
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(str(value))
    return number if number.is_finite() else None


def units(instrument: Instrument, value: Any) -> int | None:
    """A quantity as whole units, the nearest: what a venue tells has happened, so it is not rounded down."""
    number = exact(value)
    return None if number is None else _nearest(number, instrument.unit_size)


def ticks(instrument: Instrument, value: Any) -> int | None:
    """A price as whole ticks, the nearest; None also for 0, which many venues tell for a price that is not there."""
    number = exact(value)
    return None if not number else instrument.ticks(number)


def minor(currency: Currency, value: Any) -> int:
    """Money as whole minor units, halves away from zero; nothing is 0."""
    number = exact(value)
    return 0 if number is None else _nearest(number, Decimal(1).scaleb(-currency.scale))


def sent(text: str) -> float | str:
    """Exact decimal text in the form in which ccxt takes it: a float where that loses nothing, else the text itself.

    ccxt's own signature is a float; it writes one by its shortest text, which up to 15 digits is the text it came from.
    """
    number = float(text)
    return number if Decimal(repr(number)) == Decimal(text) else text


def _nearest(number: Decimal, step: Decimal) -> int:
    steps = Fraction(number) / Fraction(step)
    return round_half_away(steps.numerator, steps.denominator)
