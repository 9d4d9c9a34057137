"""A comparison of two runs as a person reads it in the terminal."""

from __future__ import annotations

from hbkit.report.comparison import Comparison, Difference, Parting, Sequences
from hbkit.report.lines import BOLD, DIM, WARN, Page
from hbkit.report.wording import count, span_text, spoken

SHOWN = 12
"""Lines of a list; the JSON object has them all."""


def side_by_side(compared: Comparison, *, width: int = 80, colour: bool = False, ascii: bool = False) -> str:
    """The whole comparison, at most `width` columns where words allow."""
    page = Page(width, colour)
    page.add("The same orders and fills." if compared.same else "Not the same.", BOLD)
    page.entry("A", compared.a)
    page.entry("B", compared.b)
    page.blank()
    page.entry("Orders", _counts(compared.orders))
    page.entry("Fills", _counts(compared.fills))
    if compared.parting is not None:
        _parting(page, compared.parting)
    _list(page, "Endings", compared.endings)
    _money(page, compared)
    _list(page, "Told", compared.settings)
    _list(page, "Markets", compared.markets)
    return page.text(ascii=ascii)


def _counts(found: Sequences) -> str:
    counts = count(found.a) if found.a == found.b else f"{count(found.a)} in A, {count(found.b)} in B"
    alike = "all alike" if found.same else f"{count(found.alike)} alike before they part"
    apart = (
        "" if found.latest is None else f"times up to {span_text(found.latest)} apart" if found.latest else "same times"
    )
    if not found.a and not found.b:
        return counts
    return " · ".join(filter(None, [counts, alike, apart]))


def _parting(page: Page, parting: Parting) -> None:
    page.blank()
    leg = f", {parting.side}" if parting.side != "net" else ""
    page.add(
        f"They part at {parting.what} {count(parting.number)} of {parting.strategy} in {parting.instrument}{leg}", WARN
    )
    for name, words, at in (("A", parting.a, parting.at_a), ("B", parting.b, parting.at_b)):
        when = "" if at is None else f"after {span_text(at)}: "
        page.entry(name, f"{when}{words}" if words else f"no {parting.what} {count(parting.number)}")
    page.entries("Why", parting.reasons)


def _list(page: Page, title: str, rows: list[Difference]) -> None:
    if not rows:
        return
    page.blank()
    page.add(title, DIM)
    for row in rows[:SHOWN]:
        page.add(f"{row.what}: {row.a or 'none'} | {row.b or 'none'}")
    if len(rows) > SHOWN:
        page.add(f"and {len(rows) - SHOWN} more; --json has them all")


def _money(page: Page, compared: Comparison) -> None:
    moved = {
        row.currency
        for row in compared.money
        if row.line not in ("starting_balance", "equity") and _moved(row.a, row.b)
    }
    for code in dict.fromkeys(row.currency for row in compared.money):
        rows = [row for row in compared.money if row.currency == code]
        if code not in moved and not any(row.difference.strip("-0.") for row in rows):
            continue
        page.blank()
        cells = [(code, "A", "B", "B - A"), *((spoken(row.line), row.a, row.b, row.difference) for row in rows)]
        widths = [max(len(row[column]) for row in cells) for column in range(4)]
        for row in cells:
            text = "  ".join(
                cell.ljust(size) if column == 0 else cell.rjust(size)
                for column, (cell, size) in enumerate(zip(row, widths, strict=True))
            )
            page.lines.append(page.paint(text, DIM if row[0] == code else ""))


def _moved(*texts: str) -> bool:
    return any(text.strip("-0.") for text in texts)
