"""Currencies and what an account holds of them."""

from decimal import Decimal

import msgspec


class Currency(msgspec.Struct, frozen=True):
    """A currency as its code and the number of decimals of its minor unit: `XBT` 8, `USDT` 6."""

    code: str
    scale: int

    def text(self, minor: int) -> str:
        """Minor units as plain decimal text with all decimals: 1234 of scale 8 is `0.00001234`."""
        digits = f"{abs(minor):0{self.scale + 1}d}"
        whole, rest = (digits[: -self.scale], digits[-self.scale :]) if self.scale else (digits, "")
        sign = "-" if minor < 0 else ""
        return f"{sign}{whole}.{rest}" if rest else f"{sign}{whole}"

    def amount(self, minor: int) -> float:
        """Minor units as a float of whole currency."""
        return float(minor / 10**self.scale)

    def minor(self, amount: Decimal | int | str) -> int:
        """Whole currency as minor units; raises ValueError if it has more decimals than the currency."""
        exact = Decimal(amount).scaleb(self.scale)
        if exact != exact.to_integral_value():
            raise ValueError(f"{amount} {self.code} has more than {self.scale} decimals")
        return int(exact)

    def __str__(self) -> str:
        return self.code


class Wallet(msgspec.Struct, frozen=True):
    """One currency of an account as the exchange books it, all amounts in minor units.

    `balance` is settled money, `equity` adds what open positions are worth, `available` is what new orders may use.
    """

    currency: Currency
    balance: int
    equity: int
    available: int


class Balance(msgspec.Struct, frozen=True):
    """One currency of an account as strategies see it, in whole currency: `total` with open profit, `free` to use."""

    currency: str
    total: float
    free: float
