"""The venue's own view of an account: positions and balances of everybody who trades on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hbkit.errors import StrategyError
from hbkit.exchange import Exchange
from hbkit.model import Balance, Position


class AccountView:
    """`self.account`, and `self.market(...).account` for another exchange's."""

    def __init__(self, exchange: Exchange, positions: Callable[[], Iterator[Position]]) -> None:
        self._exchange = exchange
        self._positions = positions

    @property
    def balances(self) -> dict[str, Balance]:
        """Per currency: total with open profit, and what is free."""
        return {
            wallet.currency.code: Balance(
                wallet.currency.code,
                wallet.currency.amount(wallet.equity),
                wallet.currency.amount(wallet.available),
            )
            for wallet in self._exchange.wallets()
        }

    def balance(self, currency: str) -> Balance:
        """One currency. Raises StrategyError when the account has none of that name."""
        balances = self.balances
        if currency not in balances:
            raise StrategyError(f'the account has no currency "{currency}"; it has {", ".join(balances)}')
        return balances[currency]

    @property
    def positions(self) -> list[Position]:
        """Every leg that is not flat."""
        return list(self._positions())
