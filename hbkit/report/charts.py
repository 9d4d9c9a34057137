"""Which charts a run is drawn as: prices with its fills, then per currency equity, drawdown, and fees with funding."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate

from hbkit.report.chart import Chart, Line, Marker, figures, marker_title, window
from hbkit.report.result import FillRow, MoneyRow, PriceSeries, RunResult
from hbkit.report.trips import is_trade, number
from hbkit.report.wording import count

MARKER_LIMIT = 2_000
"""Fills drawn per instrument; beyond that they hide each other and slow the page down."""


def charts(result: RunResult) -> str:
    """All charts below each other, over one span of time; a sentence where there is nothing to draw."""
    fill_times = [row.ts for row in result.fill_rows]
    span = window(result.equity_series.ts, fill_times, *(series.ts for series in result.prices))
    if span is None:
        return '<p class="none">The run saw no prices and has no course of the equity.</p>'
    drawn = [_price(result, series) for series in _price_series(result)]
    drawn.extend(_together(result))
    for row in result.moved():
        drawn.extend(_money_charts(result, row, span))
    return "\n".join(figures(drawn, span)) + "\n<p><small>All times are UTC.</small></p>"


def _price_series(result: RunResult) -> Iterable[PriceSeries]:
    """The series there are, and an empty one for each instrument that has fills only."""
    yield from result.prices
    have = {(series.exchange, series.instrument) for series in result.prices}
    for row in result.fill_rows:
        if (row.exchange, row.instrument) not in have:
            have.add((row.exchange, row.instrument))
            yield PriceSeries(exchange=row.exchange, instrument=row.instrument, ts=[], price=[])


def _price(result: RunResult, series: PriceSeries) -> Chart:
    here = (series.exchange, series.instrument)
    fits = [row for row in result.instruments if row.symbol == series.instrument]
    # A result of an earlier hbkit says no exchange here.
    instrument = next((row for row in fits if series.exchange in ("", row.exchange)), None)
    fills = [row for row in result.fill_rows if (row.exchange, row.instrument) == here and _has_price(row)]
    name = f"{series.exchange} {series.instrument}" if result.several else series.instrument
    shown = _evenly(fills, MARKER_LIMIT)
    sides = {row.side for row in shown}
    note = ""
    if len(shown) < len(fills):
        note = f"{count(len(shown))} of {count(len(fills))} fills are drawn, evenly picked; the figures count them all."
    return Chart(
        title=f"{name}, price and fills" if shown else f"{name}, price",
        unit=instrument.quote if instrument else "",
        lines=[Line("price", series.ts, series.price)],
        markers=[_marker(row) for row in shown],
        height=320,
        decimals=len(instrument.tick.partition(".")[2]) if instrument else _decimals(series.price),
        legend=[(side, f"{side} fill") for side in ("buy", "sell") if side in sides],
        note=note,
    )


def _decimals(prices: Sequence[float | None]) -> int:
    """How many decimals the first prices of an unknown instrument have, 12 at most."""
    texts = (f"{price:.12f}".rstrip("0") for price in prices[:500] if price is not None)
    return max((len(text.partition(".")[2]) for text in texts), default=2)


def _has_price(row: FillRow) -> bool:
    return is_trade(row) and bool(row.price) and math.isfinite(float(row.price))


def _evenly(rows: Sequence[FillRow], limit: int) -> Sequence[FillRow]:
    if len(rows) <= limit:
        return rows
    return [rows[index * len(rows) // limit] for index in range(limit)]


def _marker(row: FillRow) -> Marker:
    realized = f"realized {row.realized} {row.fee_currency}" if row.realized else ""
    title = marker_title(
        row.ts,
        f"{row.side} {row.qty} {row.instrument} at {row.price}",
        f"{row.liquidity}, fee {row.fee} {row.fee_currency}",
        realized,
        row.kind if row.kind != "trade" else "",
        f"order {row.order_id}" if row.order_id else "",
    )
    return Marker(row.ts, float(row.price), "buy" if row.side == "buy" else "sell", title)


def _together(result: RunResult) -> Iterable[Chart]:
    """The equity of everything in the reporting currency."""
    one = result.reporting
    if one is not None and len(one.ts) == len(one.minor) and any(value is not None for value in one.minor):
        values = [None if value is None else one.unit.amount(value) for value in one.minor]
        line = Line("equity", one.ts, values)
        yield Chart("Equity of everything", one.currency, [line], decimals=one.scale)


def _money_charts(result: RunResult, row: MoneyRow, span: tuple[int, int]) -> Iterable[Chart]:
    ts, minor = result.equity_series.ts, result.equity_series.minor.get(row.currency, [])
    if ts and len(ts) == len(minor):
        equity = Line("equity", ts, [row.unit.amount(value) for value in minor])
        yield Chart("Equity", row.currency, [equity], decimals=row.scale)
        earned = result.equity_series.earned(row.currency)
        under = [row.unit.amount(value - peak) for value, peak in zip(earned, accumulate(earned, max), strict=True)]
        fall = Line("drawdown", ts, under, look="fall", area=True)
        yield Chart(
            "Drawdown, below the highest equity so far" + (", transfers left out" if earned is not minor else ""),
            row.currency,
            [fall],
            height=150,
            decimals=row.scale,
            from_zero=True,
        )
    costs = _costs(result, row, span)
    if costs:
        yield Chart(
            "Fees paid and funding received, summed up",
            row.currency,
            costs,
            height=150,
            decimals=row.scale,
            from_zero=True,
            legend=[(line.look, line.name) for line in costs],
        )


def _costs(result: RunResult, row: MoneyRow, span: tuple[int, int]) -> list[Line]:
    """Fees and funding as they added up; a line for what there was none of is left out."""
    rows = [fill for fill in result.fill_rows if fill.fee_currency == row.currency]
    lines = []
    for name, look, wanted, sign in (("fees", "first", True, 1), ("funding", "second", False, -1)):
        moved = [(fill.ts, sign * number(fill.fee)) for fill in rows if is_trade(fill) is wanted]
        if moved:
            sums = [float(value) for value in accumulate(amount for _, amount in moved)]
            times = [span[0], *(ts for ts, _ in moved), span[1]]
            lines.append(Line(name, times, [0.0, *sums, sums[-1]], look=look, steps=True))
    return lines
