"""The money of a run, currency by currency: what it began with, what moved, and what the exchange says it is worth.

Books and exchange are reckoned apart and must meet: starting balance + transfers + realized profit + funding - fees +
open profit = equity, to the minor unit, on each account and on all of them together. What a spot market bought or sold
is carried at the reference price in the quote currency, so the base currency shows what it began with and the profit
stands where it is counted.

A currency of one code is one currency at all exchanges, counted in the smallest minor unit that one of them has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from hbkit.exchange import Exchange
from hbkit.model import Currency, Leg, Wallet
from hbkit.model.instrument import round_half_away
from hbkit.report.result import AccountRow, MoneyRow
from hbkit.runtime.reporting import Valuation
from hbkit.trading.ledger import Ledger

Amounts = dict[str, int]
"""Minor units per currency code, at the scale of the run."""


class Money:
    """Starting balances of all exchanges, and what has become of them."""

    def __init__(
        self,
        exchanges: Mapping[str, Exchange],
        ledgers: Mapping[str, Ledger],
        valuation: Valuation | None = None,
    ) -> None:
        """
        :param valuation: values everything in the reporting currency, where the config names one.
        """
        self.valuation = valuation
        self._scales = _Scales(exchanges)
        # Blocks of one account tell the same money: it counts once.
        self._accounts = [_Account(blocks, ledgers, self._scales) for blocks in _by_purse(exchanges)]
        self._start = _sum(account.start for account in self._accounts)
        self._peaks: dict[str, Decimal] = {}

    def booked_equity(self) -> Amounts:
        """Equity per currency by the books alone; cheap enough to ask often."""
        return _sum(account.booked_equity() for account in self._accounts)

    def transfers(self) -> Amounts:
        """What was paid in less what was paid out since the start, in the currencies where that is not nothing."""
        return {code: amount for code, amount in _sum(one.transfers() for one in self._accounts).items() if amount}

    def reported(self, equity: Mapping[str, int]) -> float | None:
        """`booked_equity` in the reporting currency; None without one, or while a price is missing."""
        if self.valuation is None:
            return None
        self.valuation.begin({self._scales.currency(code): amount for code, amount in self._start.items()})
        paid = self.transfers()
        moved = [code for code, one in equity.items() if one != self._start.get(code, 0) + paid.get(code, 0)]
        return self.valuation.value({self._scales.currency(code): amount for code, amount in equity.items()}, moved)

    def fallen(self, limit: Decimal) -> str:
        """Why the run must end: equity fell by more than `limit` (a part) from its peak, in words; else empty.

        Looked at in the reporting currency where everything can be valued in it, else in each currency by itself. Money
        that was paid in or out is no profit and no loss.
        """
        transfers = self.transfers()
        booked = self.booked_equity()
        watched = {code: Decimal(amount - transfers.get(code, 0)) for code, amount in booked.items()}
        together, paid = self.reported(booked), self.reported(transfers) if transfers else 0.0
        if together is not None and paid is not None and self.valuation is not None:
            watched = {f"everything in {self.valuation.currency}": Decimal(together - paid)}
        for code, equity in watched.items():
            peak = self._peaks[code] = max(equity, self._peaks.get(code, equity))
            if peak > 0 and equity < peak * (1 - limit):
                return f"risk.max_drawdown: {code} fell by {(peak - equity) / peak:.2%} from its peak"
        return ""

    def rows(self, *, open_profit_of_exchange: bool = False) -> list[MoneyRow]:
        """One row per currency, equity as the exchanges book it.

        :param open_profit_of_exchange: take the open profit of contracts from the exchange's own books as well: over a
            network the mark that it valued them at is not the one that was heard last.
        """
        return self.total(self.accounts(open_profit_of_exchange=open_profit_of_exchange))

    def accounts(self, *, open_profit_of_exchange: bool = False) -> list[AccountRow]:
        """The rows of each account; see `rows`."""
        return [one.row(open_profit_of_exchange=open_profit_of_exchange) for one in self._accounts]

    def total(self, accounts: Iterable[AccountRow]) -> list[MoneyRow]:
        """One row per currency over all accounts."""
        found: dict[str, list[MoneyRow]] = {}
        for account in accounts:
            for row in account.money:
                found.setdefault(row.currency, []).append(row)
        return [_added(found[code]) for code in sorted(found)]

    def by_code(self, moved: Mapping[Currency, int]) -> Amounts:
        """Amounts of a ledger that may know one currency at several exchanges."""
        return self._scales.by_code(moved)


class _Scales:
    """The decimals in which each currency is counted over all exchanges, and what amounts become in them."""

    def __init__(self, exchanges: Mapping[str, Exchange]) -> None:
        self._known: dict[str, int] = {}
        for exchange in exchanges.values():
            for currency in [
                *(wallet.currency for wallet in exchange.wallets()),
                *(market.settle for market in exchange.instruments().values()),
            ]:
                self._known[currency.code] = max(currency.scale, self._known.get(currency.code, 0))

    def currency(self, code: str) -> Currency:
        return Currency(code, self._known[code])

    def minor(self, currency: Currency, minor: int) -> int:
        scale = self._known.setdefault(currency.code, currency.scale)
        if scale >= currency.scale:
            return minor * _ten_to(scale - currency.scale)
        return round_half_away(minor, _ten_to(currency.scale - scale))  # it turned up after the start

    def by_code(self, amounts: Mapping[Currency, int]) -> Amounts:
        return _sum({one.code: self.minor(one, minor)} for one, minor in amounts.items())


class _Account:
    """The money of one account, and the exchange blocks that trade on it."""

    def __init__(
        self, exchanges: Mapping[str, Exchange], ledgers: Mapping[str, Ledger], scales: _Scales
    ) -> None:
        self._exchanges = exchanges
        self._teller = list(exchanges.values())[-1]
        self._ledgers = {name: ledgers[name] for name in exchanges}
        self._scales = scales
        self.start = {wallet.currency.code: scales.minor(wallet.currency, wallet.balance) for wallet in self._wallets()}
        self._settled = {market.settle.code: market.settle for market in self._teller.instruments().values()}
        self._paid_before = self._paid()

    def booked_equity(self) -> Amounts:
        parts = [self.start, self.transfers()]
        for name, ledger in self._ledgers.items():
            parts += [self._scales.by_code(ledger.realized), self._scales.by_code(ledger.funding)]
            parts.append({code: -amount for code, amount in self._scales.by_code(ledger.fees).items()})
            parts.append(self._scales.by_code(ledger.unrealized(self._exchanges[name].reference_price)))
        return _sum(parts)

    def transfers(self) -> Amounts:
        return _sum([self._paid(), {code: -amount for code, amount in self._paid_before.items()}])

    def row(self, *, open_profit_of_exchange: bool) -> AccountRow:
        equity, transfers = self._equity(), self.transfers()
        realized, fees, funding = (
            _sum(self._scales.by_code(getattr(ledger, part)) for ledger in self._ledgers.values())
            for part in ("realized", "fees", "funding")
        )
        unrealized = self._told_profit() if open_profit_of_exchange else self._unrealized()
        codes = sorted({*self.start, *equity})
        money = [
            MoneyRow(
                currency=code,
                scale=self._scales.currency(code).scale,
                starting_balance=self.start.get(code, 0),
                transfers=transfers.get(code, 0),
                realized_pnl=realized.get(code, 0),
                unrealized_pnl=unrealized.get(code, 0),
                fees=fees.get(code, 0),
                funding=funding.get(code, 0),
                equity=equity.get(code, 0),
            )
            for code in codes
        ]
        return AccountRow(exchanges=list(self._exchanges), money=money)

    def _wallets(self) -> Iterable[Wallet]:
        return self._teller.wallets()

    def _paid(self) -> Amounts:
        moved = self._teller.transfers()
        if not moved:
            return {}
        own = self._settled | {wallet.currency.code: wallet.currency for wallet in self._wallets()}
        return {code: self._scales.minor(own[code], amount) for code, amount in moved.items() if code in own}

    def _unrealized(self) -> Amounts:
        return _sum(
            self._scales.by_code(ledger.unrealized(self._exchanges[name].reference_price))
            for name, ledger in self._ledgers.items()
        )

    def _told_profit(self) -> Amounts:
        parts = [
            {one.currency.code: self._scales.minor(one.currency, one.equity - one.balance)} for one in self._wallets()
        ]
        for leg, price in self._spot():
            parts.append({leg.instrument.settle.code: self._scales.minor(leg.instrument.settle, leg.unrealized(price))})
        return _sum(parts)

    def _equity(self) -> Amounts:
        parts = [{one.currency.code: self._scales.minor(one.currency, one.equity)} for one in self._wallets()]
        for leg, price in self._spot():
            # What was bought on spot is moved from the base currency to its value in the quote currency.
            market = leg.instrument
            base, value = market.base_minor(leg.units), market.signed_cost(leg.units, price)
            parts.append({market.base: -self._scales.minor(market.base_currency, base)})
            parts.append({market.settle.code: self._scales.minor(market.settle, value)})
        return _sum(parts)

    def _spot(self) -> Iterable[tuple[Leg, float]]:
        for name, exchange in self._exchanges.items():
            for _, leg in self._ledgers[name].legs:
                price = exchange.reference_price(leg.instrument) if leg.units and leg.instrument.is_spot else None
                if price is not None:
                    yield leg, price


def _by_purse(exchanges: Mapping[str, Exchange]) -> list[dict[str, Exchange]]:
    found: dict[str, dict[str, Exchange]] = {}
    for name, exchange in exchanges.items():
        found.setdefault(exchange.purse, {})[name] = exchange
    return list(found.values())


def _ten_to(exponent: int) -> int:
    return int(10**exponent)


def _sum(parts: Iterable[Mapping[str, int]]) -> Amounts:
    total: Amounts = {}
    for part in parts:
        for code, amount in part.items():
            total[code] = total.get(code, 0) + amount
    return total


def _added(rows: list[MoneyRow]) -> MoneyRow:
    """The rows of one currency as one."""
    first = rows[0]
    names = [name for name in MoneyRow.__struct_fields__ if name not in ("currency", "scale", "untold")]
    totals = {name: sum(getattr(row, name) for row in rows) for name in names}
    return MoneyRow(currency=first.currency, scale=max(row.scale for row in rows), **totals)
