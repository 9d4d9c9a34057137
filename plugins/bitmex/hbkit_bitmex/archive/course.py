"""The money of each currency over time: every movement with its moment, so that days, curves and totals are one sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hbkit.report.result import EquitySeries
from hbkit.runtime.record import Recorder
from hbkit_bitmex.archive.sessions import Books
from hbkit_bitmex.archive.trades import Trades
from hbkit_bitmex.archive.wallet import TRADING

_PAID = "paid "
"""Before the code of a currency: the line of what was paid into it, kept beside its equity."""


@dataclass(frozen=True)
class Move:
    """One movement; the fields add up to what it did to the balance, in minor units."""

    ts: int
    transfer: int = 0
    realized: int = 0
    funding: int = 0
    fee: int = 0

    @property
    def amount(self) -> int:
        """What it did to the balance."""
        return self.transfer + self.realized + self.funding - self.fee


def moves(mine: Books, trades: Trades) -> list[Move]:
    """All of a currency in order; they add up from its start to its equity without open profit."""
    found = [Move(one.ts, realized=one.amount) for one in mine.settled]
    for booked in mine.booked:
        done = booked.execution
        if booked.is_funding:
            found.append(Move(booked.line.ts, funding=-done.fee))
        else:
            found.append(Move(booked.line.ts, realized=booked.realized, fee=done.fee))
    for netted in trades.netted:
        if netted.instrument.settle == mine.currency:
            found.append(Move(netted.line.ts, realized=netted.net))
    found += _spot(mine, trades)
    if mine.purse is not None:
        found += [Move(one.ts, transfer=one.amount) for one in mine.purse.movements if one.kind not in TRADING]
        found += [Move(gap.last.ts, transfer=gap.amount) for gap in mine.purse.gaps]
        if not mine.booked:
            found += [Move(one.ts, funding=one.amount) for one in mine.purse.movements if one.kind == "Funding"]
    return sorted(found, key=lambda move: move.ts)


def _spot(mine: Books, trades: Trades) -> list[Move]:
    """What changed hands on spot, less what `realized` and `fee` of its fills already say of the quote currency."""
    purse = mine.purse
    found = []
    if purse is not None:
        found += [Move(one.ts, transfer=one.amount) for one in purse.movements if one.kind == "SpotTrade"]
    for booked in trades.booked:
        done = booked.execution
        if not done.instrument.is_spot:
            continue
        told = purse is not None and purse.since <= booked.line.ts <= purse.until
        amount = 0
        if done.instrument.settle == mine.currency:
            amount = (0 if told else -done.cost - done.fee) - booked.net
        elif done.instrument.base == mine.currency.code and not told:
            amount = done.instrument.base_minor(done.units) * done.side.sign
        if amount:
            found.append(Move(booked.line.ts, transfer=amount))
    return found


def equity(courses: Sequence[tuple[Books, Sequence[Move]]], start: int, end: int) -> EquitySeries:
    """The balance of every currency after each movement; the last point holds open profit where it is told."""
    steps = sorted(
        ((move.ts, mine.currency.code, move) for mine, course in courses for move in course), key=lambda step: step[0]
    )
    now = {mine.currency.code: mine.start for mine, _ in courses}
    paid = {_PAID + code: 0 for code in now}
    recorder = Recorder()
    recorder.sample(start, {**now, **paid}, {})
    for ts, code, move in steps:
        now[code] += move.amount
        paid[_PAID + code] += move.transfer
        recorder.sample(ts, {**now, **paid}, {})
    for mine, _ in courses:
        now[mine.currency.code] += mine.unrealized or 0
    recorder.sample(end, {**now, **paid}, {})
    series = recorder.equity_series()
    # A currency that was paid in and never touched again has no course.
    still = {mine.currency.code for mine, course in courses if len(course) <= 1 and not mine.unrealized}
    shown = [code for code in now if code not in still]
    return EquitySeries(
        ts=series.ts,
        minor={code: series.minor[code] for code in shown},
        paid={code: series.minor[_PAID + code] for code in shown if any(series.minor[_PAID + code])},
    )
