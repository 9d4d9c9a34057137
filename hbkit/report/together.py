"""All currencies as one figure, and each account by itself: how a terminal and a page word them."""

from __future__ import annotations

from collections.abc import Iterator

from hbkit.report.metrics import drawdown
from hbkit.report.result import AccountRow, Reporting, RunResult
from hbkit.report.wording import between, moment_text, percent, signed


def figure(reporting: Reporting) -> str:
    """The equity of everything and what became of it, or why there is none."""
    if reporting.equity is None:
        return f"no figure: {reporting.reason}"
    parts = [f"equity {reporting.unit.text(reporting.equity)}"]
    if reporting.net_profit is not None:
        share = f" ({percent(reporting.net_profit / reporting.started, signed=True)})" if reporting.started else ""
        parts.append(f"net {signed(reporting.unit.text(reporting.net_profit))}{share}")
    fell = fall(reporting)
    return " · ".join([*parts, *([f"largest drawdown {fell}"] if fell else [])])


def fall(reporting: Reporting) -> str:
    """How far everything fell below its highest value so far; empty where the run has no course of it."""
    points = [(ts, one) for ts, one in zip(reporting.ts, reporting.minor, strict=True) if one is not None]
    if len(points) < 2:
        return ""
    fell = drawdown([ts for ts, _ in points], [value for _, value in points])
    if not fell.amount:
        return reporting.unit.text(0)
    share = f" ({percent(fell.amount / fell.peak)})" if fell.peak > 0 else ""
    return f"{reporting.unit.text(fell.amount)}{share}, {between(fell.since, fell.until)}"


def rates(reporting: Reporting) -> Iterator[str]:
    """By what each currency was converted: the pairs, their prices and their times."""
    for row in reporting.rates:
        by = ", ".join(
            f"{one.exchange} {one.instrument} {one.price} of {moment_text(one.ts)}" for one in row.pairs
        )
        if by:
            yield f"1 {row.currency} = {row.rate} {reporting.currency} by {by}"
        elif row.currency in reporting.at_par:
            yield f"1 {row.currency} = 1 {reporting.currency} because the config says so (at_par)"
    if reporting.left_out:
        held = ", ".join(f"{text} {code}" for code, text in reporting.left_out.items())
        yield f"not counted: {held}, which no market of this run trades"


def accounts(result: RunResult) -> Iterator[tuple[str, str]]:
    """Each account's name and what is on it, where there is more than one."""
    for account in result.accounts if len(result.accounts) > 1 else ():
        yield ", ".join(account.exchanges), _account(account)


def _account(account: AccountRow) -> str:
    """Its equity and its profit in every currency that moved on it, and the others by what there is."""
    moved = [row for row in account.money if not row.is_idle]
    parts = [
        f"{row.unit.text(row.equity)} {row.currency}, net {signed(row.unit.text(row.net_profit))}" for row in moved
    ]
    parts += [f"{row.unit.text(row.equity)} {row.currency}" for row in account.money if row.is_idle and row.equity]
    return " · ".join(parts) or "nothing"
