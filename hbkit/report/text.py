"""What a person reads in the terminal when a run ends: the money, what was done, how far to trust it.

Everything from outside passes through `_clean`, so that a tag or a venue's text cannot send codes to the terminal.
"""

from __future__ import annotations

from collections.abc import Iterable

from hbkit.report import together
from hbkit.report.lines import BOLD, DIM, WARN, Page, clean
from hbkit.report.metrics import metrics
from hbkit.report.result import MoneyRow, PositionRow, RunResult
from hbkit.report.wording import known, latency_text, plural, run_span, spoken

NOT_TOLD = "not told"
LINES = (
    ("  Starting balance", "starting_balance"),
    ("+ Transfers", "transfers"),
    ("+ Realized profit", "realized_pnl"),
    ("+ Funding", "funding"),
    ("- Fees", "fees"),
    ("+ Unrealized profit", "unrealized_pnl"),
    ("= Equity", "equity"),
)
"""The money table: how each field of MoneyRow enters, down to the equity they add up to."""


def summary(result: RunResult, *, width: int = 80, colour: bool = False, ascii: bool = False) -> str:
    """The end of a run as text, at most `width` columns where words allow.

    `colour` adds terminal codes; `ascii` keeps to characters that any stream can encode.
    """
    page = Page(width, colour)
    _head(page, result)
    _money(page, result)
    _activity(page, result)
    _trust(page, result)
    return page.text(ascii=ascii)


def _head(page: Page, result: RunResult) -> None:
    seed = "" if "seed" in result.untold else f" · seed {result.seed}"
    page.add(f"{result.name} · {result.mode}{seed}", BOLD)
    page.add(run_span(result), DIM)
    reason = f"stopped: {spoken(result.stop_reason)}" if result.stop_reason else "stopped"
    page.add(f"{plural(result.events, 'event')} · {reason} · exit {result.exit_code}", DIM)


def _money(page: Page, result: RunResult) -> None:
    page.blank()
    if not result.money:
        page.add("No money moved: the run had no account.")
        return
    for rows in _blocks(page, result.moved()):
        _money_block(page, rows)
    for row in result.money:
        if row.gap:
            page.add(f"The {row.currency} lines miss the equity by {row.unit.text(row.gap)}: please report it.", WARN)
    page.blank()
    if result.idle_text():
        page.entry("Not moved", result.idle_text())
    for sheet in metrics(result):
        shown = [("", "net_profit"), ("", "return"), ("largest drawdown ", "max_drawdown_share")]
        parts = [prefix + sheet.figures[key].text for prefix, key in shown if key in sheet.figures]
        page.entry(f"Net {sheet.currency}", " · ".join(parts))
    for name, held in together.accounts(result):
        page.entry("Account", f"{name}: {held}")
    if result.reporting is not None:
        page.entry(f"In {result.reporting.currency}", together.figure(result.reporting))
        page.entries("", together.rates(result.reporting))


def cell(row: MoneyRow, field: str) -> str:
    """A line of the money table; what the source does not tell is no number."""
    return NOT_TOLD if field in row.untold else row.unit.text(getattr(row, field))


def _blocks(page: Page, rows: list[MoneyRow]) -> Iterable[list[MoneyRow]]:
    """As many currencies beside each other as the width takes."""
    block: list[MoneyRow] = []
    used = 20
    for row in rows:
        wide = _column(row)
        if block and used + wide > page.width:
            yield block
            block, used = [], 20
        block.append(row)
        used += wide
    yield block


def _column(row: MoneyRow) -> int:
    cells = [cell(row, field) for _, field in LINES] + [clean(row.currency)]
    return max(len(cell) for cell in cells) + 3


def _money_block(page: Page, rows: list[MoneyRow]) -> None:
    page.blank()
    widths = [_column(row) for row in rows]

    def line(label: str, cells: Iterable[str], code: str = "") -> None:
        text = "".join(f"{cell:>{wide}}" for cell, wide in zip(cells, widths, strict=True))
        page.lines.append(page.paint(f"{label:<20}{text}", code))

    line("", (clean(row.currency) for row in rows), DIM)
    for label, field in LINES:
        if field == "equity":
            page.lines.append(page.paint("─" * (20 + sum(widths)), DIM))
        line(label, (cell(row, field) for row in rows), BOLD if field == "equity" else "")


def _activity(page: Page, result: RunResult) -> None:
    if "fills" in result.untold:
        page.entry("Orders", "orders and fills are not told")
    else:
        page.entry("Orders", _counts(result.orders, result.fills) + f" · {plural(result.rejects, 'reject')}")
    strategies = []
    for row in result.strategies:
        realized = [f"realized {result.money_text(code, minor)} {code}" for code, minor in row.realized_pnl.items()]
        strategies.append(" · ".join([f"{row.name}: {_counts(row.orders, row.fills)}", *realized]))
    if strategies:
        page.entries("Strategies" if len(strategies) > 1 else "Strategy", strategies)
    none = NOT_TOLD if "positions" in result.untold else "flat"
    positions = [_position(row) for row in result.positions] or [none]
    page.entries("Positions" if len(positions) > 1 else "Position", positions)


def _counts(orders: int, fills: int) -> str:
    return f"{plural(orders, 'order')} · {plural(fills, 'fill')}"


def _position(row: PositionRow) -> str:
    price = f" at {row.entry_price}" if known(row.entry_price) else ""
    return f"{row.instrument} {row.side} {row.qty}{price} ({row.exchange})"


def _trust(page: Page, result: RunResult) -> None:
    page.blank()
    if result.fill_model:
        page.entry("Fills", f"{result.fill_model} · latency {latency_text(result.latency_ns)}")
    page.entries("Data", (f"{row.part} {row.origin}: {row.text}" for row in result.provenance))
    page.entries("Warnings" if len(result.warnings) > 1 else "Warning", result.warnings, WARN)
    if result.journal_hash:
        page.entry("Journal hash", result.journal_hash)
    if result.report:
        page.entry("Report", result.report)
