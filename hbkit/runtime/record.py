"""Keeps, while a run goes on, the rows that its report will show: orders, fills, equity and prices over time."""

from __future__ import annotations

from collections.abc import Mapping

from hbkit.model import Execution, Instrument, Order
from hbkit.report.result import EquitySeries, FillRow, OrderRow, PriceSeries
from hbkit.runtime.host import Host

POINTS = 4_000
"""Most points of a series."""


class Recorder:
    """Rows of orders and executions as they happen; samples of equity and prices when told."""

    def __init__(self) -> None:
        self.fills: list[FillRow] = []
        self._orders: dict[str, OrderRow] = {}
        self._ts: list[int] = []
        self._gap = 0
        self._equity: dict[str, list[int]] = {}
        self.reported: list[float | None] = []
        """The equity of everything in the reporting currency, beside `equity_series().ts`."""
        self._prices: dict[Instrument, tuple[list[int], list[float | None]]] = {}

    @property
    def orders(self) -> list[OrderRow]:
        """Every order in the order of its first news."""
        return list(self._orders.values())

    def order(self, ts: int, host: Host, order: Order) -> None:
        """News of an order: the first makes its row, later ones change it."""
        known = self._orders.get(order.id)
        instrument = order.instrument
        price = "" if order.price is None else instrument.price_text(instrument.ticks(order.price))
        waits = order.trigger_price
        trigger = "" if waits is None else instrument.price_text(instrument.ticks(waits))
        self._orders[order.id] = OrderRow(
            ts=known.ts if known is not None else ts,
            ended_ts=ts if order.status.is_final else None,
            id=order.id,
            strategy=host.name,
            exchange=instrument.exchange,
            instrument=instrument.symbol,
            side=order.side.value,
            type="market" if order.price is None else "limit",
            price=price,
            qty=f"{order.qty:.12g}",
            filled=f"{order.filled:.12g}",
            status=order.status.value,
            reason=order.reason,
            tag=order.tag,
            position_side=order.position_side.value,
            trigger_price=trigger,
            first_price=known.first_price if known is not None else price,
        )

    def execution(self, host: Host | None, execution: Execution, realized: int) -> None:
        """A movement of position or money."""
        instrument = execution.instrument
        currency = instrument.settle
        trade = execution.kind.moves_position
        row = FillRow(
            ts=execution.ts,
            order_id=execution.order_id,
            strategy=host.name if host is not None else "",
            exchange=instrument.exchange,
            instrument=instrument.symbol,
            side=execution.side.value,
            price=f"{execution.price:.12g}",
            qty=instrument.qty_text(execution.units),
            fee=currency.text(execution.fee),
            fee_currency=currency.code,
            liquidity=execution.liquidity.value if trade else "",
            kind=execution.kind.value,
            realized=currency.text(realized) if trade else "",
            value=currency.text(abs(execution.cost)) if trade else "",
            position_side=execution.position_side.value,
        )
        self.fills.append(row)

    def sample(
        self,
        ts: int,
        equity: Mapping[str, int],
        prices: Mapping[Instrument, float | None],
        reported: float | None = None,
    ) -> None:
        """One point of every series; a second one of the same time takes the place of the first.

        Of a run that goes on for days every second point is given up now and then: the page shows no more, and the
        memory stays as it is. The newest point is always there.
        """
        if self._ts and (self._ts[-1] == ts or (len(self._ts) > 1 and ts - self._ts[-2] < self._gap)):
            self._drop_last()
        self._ts.append(ts)
        self.reported.append(reported)
        for code, minor in equity.items():
            self._equity.setdefault(code, []).append(minor)
        for market, price in prices.items():
            times, values = self._prices.setdefault(market, ([], []))
            times.append(ts)
            values.append(price)
        if len(self._ts) > POINTS:
            self._halve()

    def _halve(self) -> None:
        self._ts, self.reported = self._ts[::2], self.reported[::2]
        for code in self._equity:
            self._equity[code] = self._equity[code][::2]
        self._prices = {one: (times[::2], values[::2]) for one, (times, values) in self._prices.items()}
        self._gap = (self._ts[-1] - self._ts[0]) // (len(self._ts) - 1)

    def equity_series(self) -> EquitySeries:
        """Equity per currency over time."""
        return EquitySeries(ts=self._ts, minor=self._equity)

    def price_series(self) -> list[PriceSeries]:
        """Prices per instrument over time."""
        return [
            PriceSeries(exchange=one.exchange, instrument=one.symbol, ts=ts, price=price)
            for one, (ts, price) in self._prices.items()
        ]

    def _drop_last(self) -> None:
        self._ts.pop()
        self.reported.pop()
        for series in self._equity.values():
            series.pop()
        for times, values in self._prices.values():
            times.pop()
            values.pop()
