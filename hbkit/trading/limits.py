"""What an exchange takes no order below or above: least quantity, least and largest value; said before the wire.

Exchanges refuse such orders, or cancel them at once. What only reduces a position is left to the exchange: most take
that whatever its size, and nothing may stand between a user and the way out.
"""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

from hbkit.model import Instrument
from hbkit.model.instrument import plain


def limit_refusal(instrument: Instrument, units: int, price: float | None) -> str:
    """Why an order of `units` at `price` would not be taken, the empty text if it may be.

    :param price: its limit or trigger; of an order without one the present price; None where that is not known, which
        leaves the value unchecked.
    """
    least, qty = instrument.min_qty, instrument.unit_size * units
    if least is not None and qty < least:
        counted = f" ({instrument.unit_text})" if not instrument.is_spot else f" {instrument.base}"
        return f"quantity {plain(qty)} is below the minimum {plain(least)}{counted} of {instrument}"
    if price is None or price <= 0 or (instrument.min_cost is None and instrument.max_cost is None):
        return ""
    code = instrument.settle.code
    worth = Decimal(instrument.value(units, price)).scaleb(-instrument.settle.scale)
    order = f"{plain(qty)} at {price:.10g} is worth {plain(worth)} {code}"
    if instrument.min_cost is not None and worth < instrument.min_cost:
        enough = _enough(instrument, price, instrument.min_cost)
        return f"{order}, below the minimum of {plain(instrument.min_cost)} {code} of {instrument}; {enough} is enough"
    if instrument.max_cost is not None and worth > instrument.max_cost:
        return f"{order}, above the maximum of {plain(instrument.max_cost)} {code} of {instrument}"
    return ""


def least_qty(instrument: Instrument, price: float | None = None) -> Decimal:
    """The least quantity that an order may have, in whole lots, by quantity and, at `price`, by value."""
    least = max(instrument.lot_size, instrument.min_qty or Decimal(0))
    if price is not None and price > 0 and instrument.min_cost is not None:
        per_lot = Decimal(instrument.value(instrument.lot_units, price)).scaleb(-instrument.settle.scale)
        if per_lot > 0:
            least = max(least, instrument.min_cost / per_lot * instrument.lot_size)
    return math.ceil(Fraction(least) / Fraction(instrument.lot_size)) * instrument.lot_size


def _enough(instrument: Instrument, price: float, cost: Decimal) -> str:
    """The least quantity whose value, rounded as the exchange rounds it, is no less than `cost`."""
    units = int(least_qty(instrument, price) / instrument.unit_size)
    while Decimal(instrument.value(units, price)).scaleb(-instrument.settle.scale) < cost:
        units += instrument.lot_units
    return instrument.qty_text(units)
