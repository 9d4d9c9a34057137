"""The venue's own books: what it took in fees, what its insurance fund paid and earned, and what rounding left over.

Double entry. Every movement of an account's money has its other side here, so that accounts and house together hold
what was paid in, to the minor unit, whatever happens. Outside liquidity is no account: what it gains or loses against
the accounts stands in `outside`, as the cost of what it traded, and in its own fundings.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

from hbkit.matching import Account
from hbkit.model import Execution, Instrument


class HouseBooks:
    """Minor units per currency code; positive is what the house has."""

    def __init__(self) -> None:
        self.fees: dict[str, int] = defaultdict(int)
        self.insurance: dict[str, int] = defaultdict(int)
        """What takeovers left below zero (paid), and what positions that were taken over were worth above their price
        (earned)."""
        self.outside: dict[str, int] = defaultdict(int)
        """Of the liquidity that is no account: cost of its trades, and its part of fundings."""
        self.rounding: dict[str, int] = defaultdict(int)
        """What truncated fundings leave: the one account that rounding is booked to."""
        self.held: dict[Instrument, int] = defaultdict(int)
        """Units that the outside holds against the accounts."""

    def booked(self, execution: Execution) -> None:
        """The other side of a fill; where two accounts met, both come here, and the outside is left with nothing."""
        instrument = execution.instrument
        code = instrument.settle.code
        self.fees[code] += execution.fee
        if not instrument.is_spot:
            self.outside[code] += execution.cost
            self.held[instrument] -= execution.units * execution.side.sign
            return
        # On spot whole assets change hands.
        self.outside[code] += execution.cost
        self.outside[instrument.base] -= instrument.base_minor(execution.units) * execution.side.sign

    def took_over(self, execution: Execution, mark: float) -> None:
        """A position was taken over; it goes on to the outside at the mark, and the difference is the fund's."""
        instrument = execution.instrument
        code = instrument.settle.code
        worth = instrument.signed_cost(execution.units * execution.side.sign, mark)
        self.fees[code] += execution.fee
        self.insurance[code] += execution.cost - worth
        self.outside[code] += worth
        self.held[instrument] -= execution.units * execution.side.sign

    def insured(self, execution: Execution) -> None:
        """The fund made a balance good; `fee` is what was paid, negative."""
        self.insurance[execution.instrument.settle.code] += execution.fee

    def funded(self, instrument: Instrument, payments: Iterable[int], price: float, rate: float) -> None:
        """A funding: the outside pays or receives on what it holds, truncated as everybody's; the rest is rounding."""
        code, units = instrument.settle.code, self.held[instrument]
        total = sum(payments)
        exact = Decimal(repr(rate))
        pays = instrument.fee(instrument.value(abs(units), price), exact if units > 0 else -exact) if units else 0
        self.outside[code] -= pays
        self.rounding[code] += total + pays

    @property
    def codes(self) -> set[str]:
        """Currencies in which anything was booked."""
        return {*self.fees, *self.insurance, *self.outside, *self.rounding}

    def total(self, code: str) -> int:
        """Everything the house has of a currency."""
        return self.fees[code] + self.insurance[code] + self.outside[code] + self.rounding[code]

    def row(self, code: str) -> dict[str, int]:
        """The same, account by account."""
        return {
            "fees": self.fees[code],
            "insurance": self.insurance[code],
            "outside": self.outside[code],
            "rounding": self.rounding[code],
        }


def claim(account: Account, code: str) -> int:
    """What an account holds of a currency when its open contracts are put at nothing: cash less what they cost."""
    cost = sum(
        leg.cost for _, leg in account.legs() if leg.instrument.settle.code == code and not leg.instrument.is_spot
    )
    return account.cash.get(code, 0) - cost
