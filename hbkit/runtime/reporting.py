"""One figure for everything: the equity of all currencies in the reporting currency, and by which prices.

A conversion uses what positions are valued at (the mark, else the last trade) of the pairs that the run itself trades,
read while their exchange could be reached. Where a price is missing there is no figure, and it is said why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hbkit.clock import Clock
from hbkit.exchange import Exchange
from hbkit.model import Currency, Instrument
from hbkit.model.routes import Route, Routes, rate
from hbkit.report.result import MoneyRow, PairRow, RateRow, Reporting

FIAT_SCALE = 2
"""Decimals of a reporting currency in which no account of the run holds anything."""


@dataclass(frozen=True)
class Sight:
    """A price, and when it was in force last as far as the run could see."""

    price: float
    ts: int


class Valuation:
    """Values amounts in the reporting currency, at the prices of this moment."""

    def __init__(
        self, routes: Routes, counted: Sequence[str], exchanges: Mapping[str, Exchange], clock: Clock
    ) -> None:
        """
        :param counted: the currencies of the run's markets; another one counts only once the run has changed it.
        """
        self.currency = routes.currency
        self._routes = routes
        self._counted = frozenset(counted)
        self._exchanges = exchanges
        self._clock = clock
        self._seen: dict[Instrument, Sight] = {}
        self._first: tuple[int, float] | None = None

    def look(self) -> None:
        """Read the prices of this moment; of an exchange that is out of reach the last ones stay, with their time."""
        for market in self._routes.pairs:
            exchange = self._exchanges[market.exchange]
            price = exchange.reference_price(market) if exchange.is_up else None
            if price is not None:
                self._seen[market] = Sight(price, self._clock.now())

    def value(self, amounts: Mapping[Currency, int], moved: Iterable[str]) -> float | None:
        """What amounts are worth together; None while that is not known."""
        self.look()
        wanted = self._counted.union(moved)
        total = 0.0
        for currency, minor in amounts.items():
            if not minor or currency.code not in wanted:
                continue
            route = self._routes.of(currency.code)
            worth = rate(route, self._price) if route is not None else None
            if worth is None:
                return None
            total += currency.amount(minor) * worth
        return total

    def begin(self, amounts: Mapping[Currency, int]) -> None:
        """What the run began with, valued as soon as every price is known; once."""
        if self._first is None and (total := self.value(amounts, ())) is not None:
            self._first = self._clock.now(), total

    @property
    def started(self) -> float | None:
        """What the run began with, None while that is not known."""
        return None if self._first is None else self._first[1]

    def row(self, money: Sequence[MoneyRow], ts: Sequence[int], series: Sequence[float | None]) -> Reporting:
        """The figure at the end, with all that it rests on, and its course."""
        self.look()
        wanted = [row for row in money if row.currency in self._counted or row.net_profit]
        held = [row for row in wanted if row.equity or row.transfers]
        lacking = [reason for row in held if (reason := self._lacking(row.currency))]
        unit = self.unit(money)
        equity, transfers = (
            None if lacking else sum(row.unit.amount(getattr(row, name)) * self._rate(row.currency) for row in held)
            for name in ("equity", "transfers")
        )
        first = self._first
        net = None if equity is None or transfers is None or first is None else equity - transfers - first[1]
        return Reporting(
            currency=self.currency,
            scale=unit.scale,
            equity=_minor(unit, equity),
            net_profit=_minor(unit, net),
            started_ts=first[0] if first is not None else None,
            started=_minor(unit, first[1] if first is not None else None),
            reason="; ".join(dict.fromkeys(lacking)),
            rates=[self._rate_row(row.currency) for row in held if not self._lacking(row.currency)],
            at_par=list(self._routes.at_par),
            left_out={row.currency: row.unit.text(row.equity) for row in money if row not in wanted and row.equity},
            ts=list(ts),
            minor=[_minor(unit, value) for value in series],
        )

    def unit(self, money: Sequence[MoneyRow]) -> Currency:
        """The reporting currency with its decimals: those of the account, where one holds it under any name."""
        same = (row.scale for row in money if self._routes.of(row.currency) == ())
        return Currency(self.currency, next(same, FIAT_SCALE))

    def _price(self, market: Instrument) -> float | None:
        sight = self._seen.get(market)
        return sight.price if sight is not None else None

    def _rate(self, code: str) -> float:
        return rate(self._routes.of(code) or (), self._price) or 0.0

    def _lacking(self, code: str) -> str:
        """Why a currency cannot be converted, empty if it can."""
        route = self._routes.of(code)
        if route is None:
            return no_route(code, self.currency)
        missing = [name(market) for market in _markets(route) if not (self._price(market) or 0) > 0]
        return f"{code} cannot be converted to {self.currency}: no price of {missing[0]} was seen" if missing else ""

    def _rate_row(self, code: str) -> RateRow:
        pairs = [
            PairRow(
                exchange=market.exchange, instrument=market.symbol, price=f"{self._seen[market].price:.12g}",
                ts=self._seen[market].ts,
            )
            for market in _markets(self._routes.of(code) or ())
        ]  # fmt: skip
        return RateRow(currency=code, rate=f"{self._rate(code):.12g}", pairs=pairs)


def no_route(code: str, currency: str) -> str:
    """Why there is no figure, and what to do about it."""
    return (
        f"{code} cannot be converted to {currency}: no instrument of this run is a pair that leads there; list one, "
        f"or write report: {{at_par: [{code}]}} to count 1 {code} as 1 {currency}"
    )


def name(market: Instrument) -> str:
    """A pair as it is told: exchange and symbol."""
    return f"{market.exchange} {market.symbol}"


def _markets(route: Route) -> list[Instrument]:
    return [step.instrument for step in route if step.instrument is not None]


def _minor(unit: Currency, amount: float | None) -> int | None:
    return None if amount is None else round(amount * 10**unit.scale)
