"""The figures of a run, per settlement currency, each with the formula it was worked out by.

What is not defined for a run (a win rate without a closed trip, a Sharpe ratio of an hour) is absent with the reason;
it is never shown as 0 or infinite. Fills belong to the currency their fee is counted in.

    for sheet in metrics(result):
        sheet.figures["net_profit"].text, sheet.absent.get("sharpe")
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise

from hbkit.clock import DAY
from hbkit.report.result import FillRow, MoneyRow, RunResult
from hbkit.report.trips import ZERO, Trip, is_trade, number, trips
from hbkit.report.wording import between, percent, signed, span_text

YEAR_DAYS = 365
"""Markets that never close have this many trading days in a year."""

DEFINITIONS: dict[str, tuple[str, str]] = {
    "net_profit": ("Net profit", "equity - starting balance - transfers"),
    "return": ("Return", "net profit / starting balance"),
    "max_drawdown": (
        "Largest drawdown",
        "largest fall of the equity, transfers left out, below its highest value so far",
    ),
    "max_drawdown_share": (
        "Drawdown in percent",
        "the largest drawdown / the highest equity before it; with transfers, of the growth between them",
    ),
    "under_water": ("Time under water", "time with equity below its highest value so far / length of the run"),
    "round_trips": ("Round trips", "stretches from flat to flat, per instrument and leg"),
    "win_rate": ("Win rate", "round trips that earned more than their fees and funding / round trips"),
    "average_win": ("Average win", "mean net profit of the round trips that earned"),
    "average_loss": ("Average loss", "mean net profit of the round trips that lost"),
    "profit_factor": ("Profit factor", "sum of the wins / sum of the losses"),
    "fee_share": ("Fees of gross profit", "fees / realized profit before fees and funding"),
    "maker_share": ("Maker share", "value of the fills that rested in the book / turnover"),
    "turnover": ("Turnover", "sum of the values of all fills, buys and sells"),
    "holding_time": ("Average holding time", "mean time from the first to the last fill of a round trip"),
    "exposure": ("Exposure", "time with any position open / length of the run"),
    "profit_bps": ("Profit per turnover", "net profit / turnover, in basis points"),
    "sharpe": ("Daily Sharpe ratio", "mean / standard deviation (n - 1) of the returns of whole days, * sqrt(365)"),
    "sortino": ("Daily Sortino ratio", "mean / root mean square of the negative ones, over all days, * sqrt(365)"),
}
"""Every figure: its key, its name for people and its formula."""


_OF_FILLS = (
    "round_trips", "win_rate", "average_win", "average_loss", "profit_factor", "fee_share", "maker_share", "turnover",
    "holding_time", "exposure", "profit_bps",
)  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """One figure: a plain number (money in whole currency, shares of 1, times in ns), and how to show it."""

    key: str
    value: float
    text: str

    @property
    def name(self) -> str:
        """What people call it."""
        return DEFINITIONS[self.key][0]

    @property
    def formula(self) -> str:
        """How it was worked out."""
        return DEFINITIONS[self.key][1]


@dataclass
class Metrics:
    """The figures of one currency; a key of DEFINITIONS is either in `figures` or, with the reason, in `absent`."""

    currency: str
    figures: dict[str, Figure] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def give(self, key: str, value: float | Decimal, text: str) -> None:
        """State a figure."""
        self.figures[key] = Figure(key, float(value), text)

    def leave_out(self, reason: str, *keys: str) -> None:
        """State why figures are not there."""
        self.absent.update(dict.fromkeys(keys, reason))


def metrics(result: RunResult) -> list[Metrics]:
    """The figures of every currency of the run, in the order of its money table."""
    return [_sheet(result, row) for row in result.moved()]


@dataclass(frozen=True)
class Drawdown:
    """The largest fall of a series: from the peak at `since` to the bottom at `until`; `under` is ns below a peak."""

    amount: int
    peak: int
    since: int
    until: int
    under: int


def drawdown(ts: Sequence[int], equity: Sequence[int]) -> Drawdown:
    """The largest fall of a series that has at least one point; the amount is 0 for one that never falls."""
    peak, peak_ts = equity[0], ts[0]
    amount, top, since, until, under = 0, peak, peak_ts, peak_ts, 0
    for index, value in enumerate(equity):
        if value >= peak:
            peak, peak_ts = value, ts[index]
        elif index + 1 < len(ts):
            under += ts[index + 1] - ts[index]
        if peak - value > amount:
            amount, top, since, until = peak - value, peak, peak_ts, ts[index]
    return Drawdown(amount, top, since, until, under)


def daily_returns(ts: Sequence[int], equity: Sequence[int], paid: Sequence[int] = ()) -> list[float]:
    """Returns of whole days of 24 hours counted from the first point, each from the last value known at its ends.

    A day that is not over at the last point is left out; without a positive value at each start there are none.
    What was paid in or out (`paid`, summed up beside the same times) counts as if it came at the end of its day.
    """
    if not ts:
        return []
    ends, index = [0], 0
    for boundary in range(ts[0] + DAY, ts[-1] + 1, DAY):
        while index + 1 < len(ts) and ts[index + 1] <= boundary:
            index += 1
        ends.append(index)
    if any(equity[at] <= 0 for at in ends[:-1]):
        return []
    return [_grown(equity, paid, earlier, later) - 1 for earlier, later in pairwise(ends)]


def growth_fall(equity: Sequence[int], paid: Sequence[int]) -> float | None:
    """The largest fall of what one unit of money became, each step without what was paid in or out during it.

    None where there was no money to grow from.
    """
    growth = top = 1.0
    fall = 0.0
    for at in range(1, len(equity)):
        if equity[at - 1] <= 0:
            if equity[at] - equity[at - 1] != paid[at] - paid[at - 1]:
                return None
            continue  # nothing was there, and nothing but a transfer came
        growth *= _grown(equity, paid, at - 1, at)
        top = max(top, growth)
        fall = max(fall, 1 - growth / top)
    return fall


def _grown(equity: Sequence[int], paid: Sequence[int], earlier: int, later: int) -> float:
    """By which factor the equity grew by itself between two points."""
    came = paid[later] - paid[earlier] if paid else 0
    return (equity[later] - came) / equity[earlier]


def _sheet(result: RunResult, row: MoneyRow) -> Metrics:
    sheet = Metrics(row.currency)
    fills = [fill for fill in result.fill_rows if fill.fee_currency == row.currency]
    all_trips = trips(fills)
    ts = result.equity_series.ts
    equity = result.equity_series.minor.get(row.currency, [])
    _profit(sheet, row)
    paid = result.equity_series.paid.get(row.currency, [])
    _falls(sheet, row, ts, equity, paid)
    if "fees" in row.untold:
        sheet.leave_out("the fills are not told", *_OF_FILLS)
    else:
        _trips(sheet, row, [trip for trip in all_trips if trip.closed is not None])
        _costs(sheet, row, [fill for fill in fills if is_trade(fill)])
        _exposure(sheet, all_trips, ts)
    _ratios(sheet, row, ts, equity, paid)
    return sheet


def _profit(sheet: Metrics, row: MoneyRow) -> None:
    sheet.give("net_profit", row.unit.amount(row.net_profit), signed(row.unit.text(row.net_profit)))
    if row.starting_balance > 0:
        share = row.net_profit / row.starting_balance
        sheet.give("return", share, percent(share, signed=True))
    else:
        sheet.leave_out("there was no starting balance", "return")


def _series_fault(row: MoneyRow, ts: Sequence[int], equity: Sequence[int], paid: Sequence[int]) -> str:
    """Why the equity series of a currency says nothing of its profits, or the empty text."""
    if len(ts) < 2 or len(ts) != len(equity) or ts[-1] <= ts[0]:
        return "the run has no course of the equity"
    return "transfers moved the equity as well" if row.transfers and len(paid) != len(ts) else ""


def _falls(sheet: Metrics, row: MoneyRow, ts: Sequence[int], equity: Sequence[int], paid: Sequence[int]) -> None:
    fault = _series_fault(row, ts, equity, paid)
    if fault:
        sheet.leave_out(fault, "max_drawdown", "max_drawdown_share", "under_water")
        return
    fall = drawdown(ts, [value - came for value, came in zip(equity, paid, strict=True)] if paid else equity)
    when = f", {between(fall.since, fall.until)}" if fall.amount else ""
    sheet.give("max_drawdown", row.unit.amount(fall.amount), row.unit.text(fall.amount) + when)
    share = fall.under / (ts[-1] - ts[0])
    sheet.give("under_water", share, f"{percent(share)}, {span_text(fall.under)}")
    part = growth_fall(equity, paid) if paid else fall.amount / fall.peak if fall.peak > 0 else None
    if part is not None:
        sheet.give("max_drawdown_share", part, percent(part))
    else:
        sheet.leave_out("the equity was not positive", "max_drawdown_share")


def _money(row: MoneyRow, amount: Decimal) -> str:
    return f"{amount:.{row.scale}f}"


def _trips(sheet: Metrics, row: MoneyRow, closed: list[Trip]) -> None:
    sheet.give("round_trips", len(closed), f"{len(closed):,}")
    if not closed:
        sheet.leave_out(
            "no round trip was closed", "win_rate", "average_win", "average_loss", "profit_factor", "holding_time"
        )
        return
    wins = [trip.net for trip in closed if trip.net > 0]
    losses = [trip.net for trip in closed if trip.net < 0]
    sheet.give("win_rate", len(wins) / len(closed), f"{percent(len(wins) / len(closed))}, {len(wins)} of {len(closed)}")
    for key, nets, what in (("average_win", wins, "earned"), ("average_loss", losses, "lost")):
        if nets:
            mean = sum(nets, ZERO) / len(nets)
            sheet.give(key, mean, signed(_money(row, mean)))
        else:
            sheet.leave_out(f"no round trip {what}", key)
    if losses:
        factor = float(sum(wins, ZERO) / -sum(losses, ZERO))
        sheet.give("profit_factor", factor, f"{factor:,.2f}")
    else:
        sheet.leave_out("no round trip lost", "profit_factor")
    held = sum((trip.closed or 0) - trip.opened for trip in closed) // len(closed)
    sheet.give("holding_time", held, span_text(held))


def _costs(sheet: Metrics, row: MoneyRow, fills: list[FillRow]) -> None:
    if row.realized_pnl > 0:
        sheet.give("fee_share", row.fees / row.realized_pnl, percent(row.fees / row.realized_pnl))
    else:
        sheet.leave_out("there was no gross profit", "fee_share")
    turnover = sum((number(fill.value) for fill in fills), ZERO)
    if any(not fill.value for fill in fills):
        sheet.leave_out("the values of the fills are not known", "turnover", "maker_share", "profit_bps")
    elif turnover <= 0:
        sheet.leave_out("nothing was traded", "turnover", "maker_share", "profit_bps")
    else:
        rested = sum((number(fill.value) for fill in fills if fill.liquidity == "maker"), ZERO)
        sheet.give("turnover", turnover, _money(row, turnover))
        sheet.give("maker_share", rested / turnover, percent(float(rested / turnover)))
        bps = float(Decimal(row.net_profit).scaleb(-row.scale) / turnover) * 10_000
        sheet.give("profit_bps", bps, f"{bps:+,.2f} bps")


def _exposure(sheet: Metrics, all_trips: list[Trip], ts: Sequence[int]) -> None:
    if len(ts) < 2 or ts[-1] <= ts[0]:
        sheet.leave_out("the run has no course of the equity", "exposure")
        return
    start, end = ts[0], ts[-1]
    covered, reached = 0, start
    for trip in sorted(all_trips, key=lambda trip: trip.opened):
        until = end if trip.closed is None else min(trip.closed, end)
        covered += max(0, until - max(trip.opened, reached))
        reached = max(reached, until)
    share = covered / (end - start)
    sheet.give("exposure", share, percent(share))


def _ratios(sheet: Metrics, row: MoneyRow, ts: Sequence[int], equity: Sequence[int], paid: Sequence[int]) -> None:
    fault = _series_fault(row, ts, equity, paid)
    if not fault and ts[-1] - ts[0] < 2 * DAY:
        fault = f"needs 2 days, the run has {span_text(ts[-1] - ts[0])}"
    returns = [] if fault else daily_returns(ts, equity, paid)
    if len(returns) < 2:
        sheet.leave_out(fault or "the equity was not positive", "sharpe", "sortino")
        return
    mean = sum(returns) / len(returns)
    spread = math.sqrt(sum((value - mean) ** 2 for value in returns) / (len(returns) - 1))
    falls = math.sqrt(sum(min(value, 0.0) ** 2 for value in returns) / len(returns))
    for key, risk, reason in (
        ("sharpe", spread, "all days returned the same"),
        ("sortino", falls, "no day lost"),
    ):
        if risk > 0:
            ratio = mean / risk * math.sqrt(YEAR_DAYS)
            sheet.give(key, ratio, f"{ratio:,.2f}")
        else:
            sheet.leave_out(reason, key)
