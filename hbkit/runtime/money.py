"""The money of a run, currency by currency: what it began with, what moved, and what the exchange says it is worth.

Books and exchange are reckoned apart and must meet: starting balance + transfers + realized profit + funding - fees +
open profit = equity, to the minor unit. What a spot market bought or sold is carried at the reference price in the
quote currency, so the base currency shows what it began with and the profit stands where it is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from hbkit.exchange import Exchange
from hbkit.model import Currency
from hbkit.report.result import MoneyRow
from hbkit.trading.ledger import Ledger


class Money:
    """Starting balances of all exchanges, and what has become of them."""

    def __init__(self, exchanges: Mapping[str, Exchange], ledgers: Mapping[str, Ledger]) -> None:
        self._exchanges = exchanges
        # Blocks of one account tell the same money: it counts once.
        self._purses = {exchange.purse: exchange for exchange in exchanges.values()}
        self._ledgers = ledgers
        self._currencies: dict[str, Currency] = {}
        self._start: dict[str, int] = {}
        self._peaks: dict[str, int] = {}
        self._paid_before = self._paid()
        for exchange in self._purses.values():
            for wallet in exchange.wallets():
                self._currencies[wallet.currency.code] = wallet.currency
                self._start[wallet.currency.code] = self._start.get(wallet.currency.code, 0) + wallet.balance

    def booked_equity(self) -> dict[str, int]:
        """Equity per currency by the books alone; cheap enough to ask often."""
        equity = dict(self._start)
        for code, amount in self.transfers().items():
            equity[code] = equity.get(code, 0) + amount
        for name, ledger in self._ledgers.items():
            for moved, sign in ((ledger.realized, 1), (ledger.funding, 1), (ledger.fees, -1)):
                for code, amount in moved.items():
                    equity[code] = equity.get(code, 0) + sign * amount
            for code, amount in ledger.unrealized(self._exchanges[name].reference_price).items():
                equity[code] = equity.get(code, 0) + amount
        return equity

    def transfers(self) -> dict[str, int]:
        """What was paid in less what was paid out since the start, in the currencies where that is not nothing."""
        paid = self._paid()
        moved = {code: paid.get(code, 0) - self._paid_before.get(code, 0) for code in (*self._paid_before, *paid)}
        return {code: amount for code, amount in moved.items() if amount}

    def fallen(self, limit: Decimal) -> str:
        """Why the run must end: equity fell by more than `limit` (a part) from its peak, in words; else empty.

        Money that was paid in or out is no profit and no loss.
        """
        transfers = self.transfers()
        for code, booked in self.booked_equity().items():
            equity = booked - transfers.get(code, 0)
            peak = self._peaks[code] = max(equity, self._peaks.get(code, equity))
            if peak > 0 and equity < peak * (1 - limit):
                return f"risk.max_drawdown: {code} fell by {(peak - equity) / peak:.2%} from its peak"
        return ""

    def rows(self, *, open_profit_of_exchange: bool = False) -> list[MoneyRow]:
        """One row per currency, equity as the exchanges book it.

        :param open_profit_of_exchange: take the open profit of contracts from the exchange's own books as well: over a
            network the mark that it valued them at is not the one that was heard last.
        """
        equity = self._exchange_equity()
        codes = sorted({*self._start, *equity})
        transfers = self.transfers()
        totals = {name: self._total(name) for name in ("realized", "fees", "funding")}
        unrealized = self._told_profit() if open_profit_of_exchange else self._unrealized()
        return [
            MoneyRow(
                currency=code,
                scale=self._currencies[code].scale,
                starting_balance=self._start.get(code, 0),
                transfers=transfers.get(code, 0),
                realized_pnl=totals["realized"].get(code, 0),
                unrealized_pnl=unrealized.get(code, 0),
                fees=totals["fees"].get(code, 0),
                funding=totals["funding"].get(code, 0),
                equity=equity.get(code, 0),
            )
            for code in codes
        ]

    def _paid(self) -> dict[str, int]:
        paid: dict[str, int] = {}
        for exchange in self._purses.values():
            for code, amount in exchange.transfers().items():
                paid[code] = paid.get(code, 0) + amount
        return paid

    def _total(self, name: str) -> dict[str, int]:
        total: dict[str, int] = {}
        for ledger in self._ledgers.values():
            for code, amount in getattr(ledger, name).items():
                total[code] = total.get(code, 0) + amount
        return total

    def _unrealized(self) -> dict[str, int]:
        total: dict[str, int] = {}
        for name, ledger in self._ledgers.items():
            for code, amount in ledger.unrealized(self._exchanges[name].reference_price).items():
                total[code] = total.get(code, 0) + amount
        return total

    def _told_profit(self) -> dict[str, int]:
        total: dict[str, int] = {}
        for exchange in self._purses.values():
            for wallet in exchange.wallets():
                total[wallet.currency.code] = total.get(wallet.currency.code, 0) + wallet.equity - wallet.balance
        for name, exchange in self._exchanges.items():
            for _, leg in self._ledgers[name].legs:
                price = exchange.reference_price(leg.instrument) if leg.units and leg.instrument.is_spot else None
                if price is not None:
                    code = leg.instrument.settle.code
                    total[code] = total.get(code, 0) + leg.unrealized(price)
        return total

    def _exchange_equity(self) -> dict[str, int]:
        equity: dict[str, int] = {}
        for exchange in self._purses.values():
            for wallet in exchange.wallets():
                self._currencies.setdefault(wallet.currency.code, wallet.currency)
                equity[wallet.currency.code] = equity.get(wallet.currency.code, 0) + wallet.equity
        for name, exchange in self._exchanges.items():
            for code, amount in self._spot_holdings(name, exchange).items():
                equity[code] = equity.get(code, 0) + amount
        return equity

    def _spot_holdings(self, name: str, exchange: Exchange) -> dict[str, int]:
        """Moves what was bought on spot from the base currency to its value in the quote currency."""
        moved: dict[str, int] = {}
        for _, leg in self._ledgers[name].legs:
            instrument = leg.instrument
            price = exchange.reference_price(instrument) if leg.units and instrument.is_spot else None
            if price is not None:
                moved[instrument.base] = moved.get(instrument.base, 0) - instrument.base_minor(leg.units)
                value = instrument.signed_cost(leg.units, price)
                moved[instrument.settle.code] = moved.get(instrument.settle.code, 0) + value
        return moved
