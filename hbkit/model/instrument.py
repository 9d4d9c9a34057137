"""What can be traded, and the arithmetic of its grid and its payoff, written here once.

A price is an integer number of ticks, a quantity an integer number of units. A unit is the smallest piece the venue
counts (one contract, one satoshi); a lot holds `lot_units` of them. Values are integers of the settlement currency's
minor unit:

    linear, quanto, spot    value = qty * multiplier * price
    inverse                 value = qty * multiplier / price

where `multiplier` is in minor units per unit of quantity (and price). The signed cost of a long is positive for the
first three and negative for inverse, so that for every kind: profit = value at the mark - cost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cached_property

from hbkit.clock import HOUR
from hbkit.model.balance import Currency
from hbkit.model.enums import InstrumentKind, Side

ON_GRID = 1e-6
"""What lies within this part of a step is on the grid: float noise such as 88094.20000000001 is no intention."""

Number = int | float | str | Decimal


def round_half_away(numerator: int, denominator: int) -> int:
    """The quotient rounded to the nearest integer, halves away from zero; `denominator` is positive."""
    quotient = (2 * abs(numerator) + denominator) // (2 * denominator)
    return quotient if numerator >= 0 else -quotient


@dataclass(frozen=True, eq=False, repr=False)
class Instrument:
    """A market of one exchange.

    It compares equal to another instrument of the same exchange and symbol, and to its own native symbol as text, so
    `trade.instrument == "XBTUSD"` reads as it should.
    """

    exchange: str
    """Name of the exchange block in the config."""
    symbol: str
    """The venue's own name."""
    unified: str
    """`BTC/USD:BTC` (base, quote, settlement) or `BTC/USDT` for spot."""
    kind: InstrumentKind
    base: str
    quote: str
    settle: Currency
    """The currency in which value, profit and fees are counted; the quote currency for spot."""
    tick_size: Decimal
    lot_size: Decimal
    """Step and minimum of a quantity, in the unit that users write (contracts; base currency for spot)."""
    unit_size: Decimal
    """Quantity of one unit."""
    multiplier: Decimal
    """Minor units of settlement per 1 of quantity (and price)."""
    maker_fee: Decimal
    taker_fee: Decimal
    value_per_lot: bool = False
    """True where the venue rounds the value of one lot and multiplies (BitMEX); else the whole value is rounded."""
    max_qty: Decimal | None = None
    min_qty: Decimal | None = None
    """The least quantity of an order where that is more than a lot."""
    min_cost: Decimal | None = None
    """The least value of an order, in the settlement currency (spot: in quote)."""
    max_cost: Decimal | None = None
    """The largest value of an order, as `min_cost`."""
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    init_margin: Decimal = Decimal(0)
    maint_margin: Decimal = Decimal(0)
    risk_limit: int | None = None
    risk_step: int | None = None
    base_scale: int = 8
    """Decimals of the base currency's minor unit; matters for spot."""
    funding_interval: int = 8 * HOUR
    expiry: int | None = None
    hedge: bool = True
    """Whether hedge mode applies to it."""
    info: dict[str, str] = field(default_factory=dict, repr=False)
    """Facts of the venue that hbkit only hands on."""

    def __hash__(self) -> int:
        return hash(self.symbol)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if isinstance(other, Instrument):
            return self.symbol == other.symbol and self.exchange == other.exchange
        return isinstance(other, str) and self.symbol == other

    def __str__(self) -> str:
        return self.symbol

    def __repr__(self) -> str:
        # Short: it stands in every event that somebody logs.
        return f"Instrument({self.symbol}, {self.exchange})"

    @property
    def is_spot(self) -> bool:
        """True where whole assets change hands: no position, margin or funding."""
        return self.kind is InstrumentKind.SPOT

    @property
    def is_inverse(self) -> bool:
        """True where value falls as the price rises."""
        return self.kind is InstrumentKind.INVERSE

    @cached_property
    def base_currency(self) -> Currency:
        """The base as a currency (spot)."""
        return Currency(self.base, self.base_scale)

    @cached_property
    def lot_units(self) -> int:
        """Units in a lot."""
        return int(self.lot_size / self.unit_size)

    @property
    def contract_size(self) -> float:
        """What a quantity of 1 is: so much of the base currency (1 for spot); of an inverse one, of the quote currency.

        A quanto contract has no size of its own: it is so much of the settlement currency per 1 of the quote currency.
        """
        return float(abs(self.multiplier).scaleb(-self.settle.scale))

    @property
    def unit_text(self) -> str:
        """What a quantity of 1 is, in words, for checks and reports."""
        if self.is_spot:
            return self.base
        size = plain(abs(self.multiplier).scaleb(-self.settle.scale))
        if self.is_inverse:
            return f"contract of {size} {self.quote}"
        if self.kind is InstrumentKind.QUANTO:
            return f"contract of {size} {self.settle.code} per 1 {self.quote}"
        return f"contract of {size} {self.base}"

    @property
    def least_text(self) -> str:
        """What an order has to have at least, in words: `0.001`, `1 and 5 USDT`; quantity first, then value."""
        least = plain(max(self.lot_size, self.min_qty or self.lot_size))
        if self.min_cost is None:
            return least
        return f"{least} and {plain(self.min_cost)} {self.settle.code}"

    # -- the grid

    @cached_property
    def _tick(self) -> tuple[int, int]:
        return self.tick_size.as_integer_ratio()

    @cached_property
    def _unit(self) -> tuple[int, int]:
        return self.unit_size.as_integer_ratio()

    @cached_property
    def tick(self) -> float:
        """The tick as a float."""
        return float(self.tick_size)

    def price(self, ticks: int) -> float:
        """The float nearest to the exact price of `ticks`."""
        numerator, denominator = self._tick
        return ticks * numerator / denominator

    def qty(self, units: int) -> float:
        """The float nearest to the exact quantity of `units`."""
        numerator, denominator = self._unit
        return units * numerator / denominator

    def price_text(self, ticks: int) -> str:
        """Exact decimal text without exponent, as it goes over a wire."""
        return plain(self.tick_size * ticks)

    def qty_text(self, units: int) -> str:
        """Exact decimal text without exponent, as it goes over a wire."""
        return plain(self.unit_size * units)

    def ticks(self, price: Number, side: Side | None = None) -> int:
        """Ticks of a price: on the grid as it is, else passively (a bid down, an offer up), nearest without a side.

        Raises ValueError for what is no finite number.
        """
        steps = _steps(price, self._tick, "price")
        near = round(steps)
        if side is None or abs(steps - near) <= ON_GRID:
            return near
        return math.floor(steps) if side is Side.BUY else math.ceil(steps)

    def units(self, qty: Number) -> int:
        """Units of a quantity, rounded down to whole lots. Raises ValueError for what is no finite number."""
        lots = _steps(qty, self.lot_size.as_integer_ratio(), "quantity")
        near = round(lots)
        whole = near if abs(lots - near) <= ON_GRID else math.floor(lots)
        return whole * self.lot_units

    def is_on_tick(self, price: Number) -> bool:
        """True where `price` lies within a millionth of a tick of the grid."""
        steps = _steps(price, self._tick, "price")
        return abs(steps - round(steps)) <= ON_GRID

    # -- the same in coins, to compare markets that count differently

    def to_base(self, qty: float, price: float) -> float:
        """A quantity in the base currency; of an inverse contract at `price`. Raises ValueError for a quanto one."""
        if self.kind is InstrumentKind.QUANTO:
            raise ValueError(f"{self}: a quanto contract is no quantity of {self.base}")
        worth = qty * self.contract_size
        return worth / price if self.is_inverse and qty else worth

    def from_base(self, amount: float, price: float) -> float:
        """So much of the base currency as a quantity, not rounded; of an inverse contract at `price`.

        Raises ValueError for a quanto contract.
        """
        if self.kind is InstrumentKind.QUANTO:
            raise ValueError(f"{self}: a quanto contract is no quantity of {self.base}")
        worth = amount * price if self.is_inverse and amount else amount
        return worth / self.contract_size

    # -- the payoff

    @cached_property
    def _unit_value(self) -> tuple[int, int]:
        """Minor units per unit at price 1, as an exact fraction."""
        exact = Fraction(self.multiplier) * Fraction(self.unit_size)
        return abs(exact.numerator), exact.denominator

    def value(self, units: int, price: Decimal | float) -> int:
        """The unsigned value of `units` (unsigned) at `price`, in minor units, rounded as the venue does."""
        exact = price if isinstance(price, Decimal) else Decimal(repr(float(price)))
        return self._value(units, *exact.as_integer_ratio())

    def value_at(self, units: int, ticks: int) -> int:
        """`value` at a price on the grid."""
        numerator, denominator = self._tick
        return self._value(units, ticks * numerator, denominator)

    def _value(self, units: int, price_num: int, price_den: int) -> int:
        num, den = self._unit_value
        if self.is_inverse:
            num, den = num * price_den, den * price_num
        else:
            num, den = num * price_num, den * price_den
        if den < 0 or (num and den == 0):
            raise ValueError(f"{self.symbol}: no value at a price of {price_num / price_den}")
        if not self.value_per_lot:
            return round_half_away(num * units, den)
        lots, rest = divmod(units, self.lot_units)
        if rest:
            # Older trades were counted in lots of one contract; their value is rounded per contract.
            return round_half_away(num, den) * units
        return round_half_away(num * self.lot_units, den) * lots

    @property
    def cost_sign(self) -> int:
        """+1 where the cost of a long is positive, -1 for inverse."""
        return -1 if self.is_inverse else 1

    def signed_cost(self, units: int, price: Decimal | float) -> int:
        """Cost of a signed position at `price`, with the sign convention of this file."""
        value = self.value(abs(units), price)
        return self.cost_sign * (value if units >= 0 else -value)

    def base_minor(self, units: int) -> int:
        """Units as the base currency's minor units: what changes hands on a spot market."""
        exact = self.unit_size * units * 10**self.base_scale
        if exact != exact.to_integral_value():
            raise ValueError(f"{self}: {units} units are no whole number of minor {self.base}")
        return int(exact)

    def fee(self, value: int, rate: Decimal) -> int:
        """`value * rate` truncated toward zero, positive when paid."""
        numerator, denominator = rate.as_integer_ratio()
        quotient = value * abs(numerator) // denominator
        return quotient if numerator >= 0 else -quotient

    def entry_price(self, units: int, cost: int) -> float:
        """The mean price of a position from its cost; `nan` when flat.

        Costs are rounded: where a price on the grid would have cost exactly that, it is the one meant.
        """
        if units == 0 or cost == 0:
            return math.nan
        num, den = self._unit_value
        exact = Fraction(num * abs(units), den * abs(cost))
        mean = float(exact if self.is_inverse else 1 / exact)
        ticks = self.ticks(mean)
        return self.price(ticks) if ticks > 0 and self.value_at(abs(units), ticks) == abs(cost) else mean


def plain(number: Decimal) -> str:
    """Plain decimal text: no exponent, no idle zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _steps(number: Number, step: tuple[int, int], what: str) -> float:
    """How many steps `number` is, as a float; exact for Decimal, int and text."""
    if isinstance(number, float):
        if not math.isfinite(number):
            raise ValueError(f"{what} is {number}")
        return number * step[1] / step[0]
    exact = Decimal(number)
    if not exact.is_finite():
        raise ValueError(f"{what} is {number}")
    return float(Fraction(exact) * step[1] / step[0])
