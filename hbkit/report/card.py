"""A result as a small piece of HTML: what a notebook shows of it."""

from __future__ import annotations

from html import escape

from hbkit.report.result import MoneyRow, RunResult
from hbkit.report.text import LINES
from hbkit.report.wording import plural, run_span, spoken

WARNINGS = 3
"""How many are shown; the report has them all."""


def card(result: RunResult) -> str:
    """Name, span, the money of each currency that moved, counts, warnings and where the report is; all escaped."""
    stop = f"{result.mode} · seed {result.seed} · stopped: {spoken(result.stop_reason)}, exit {result.exit_code}"
    counts = f"{plural(result.orders, 'order')} · {plural(result.fills, 'fill')} · {plural(result.rejects, 'reject')}"
    parts = [f"<strong>{escape(result.name)}</strong> {escape(run_span(result))}", escape(stop)]
    body = "<br>".join([*parts, escape(counts)])
    warned = "".join(f"<li>{escape(text)}</li>" for text in result.warnings[:WARNINGS])
    more = len(result.warnings) - WARNINGS
    left = f"<li>and {more} more in the report</li>" if more > 0 else ""
    report = f"<p><code>{escape(result.report)}</code></p>" if result.report else ""
    return f"<div><p>{body}</p>{_money(result.moved())}{f'<ul>{warned}{left}</ul>' if warned else ''}{report}</div>"


def _money(rows: list[MoneyRow]) -> str:
    if not rows:
        return ""
    heads = "".join(f"<th>{escape(row.currency)}</th>" for row in rows)
    lines = "".join(
        f"<tr><th>{escape(label)}</th>"
        + "".join(f"<td>{escape(row.unit.text(getattr(row, field)))}</td>" for row in rows)
        + "</tr>"
        for label, field in LINES
    )
    return f"<table><thead><tr><th></th>{heads}</tr></thead><tbody>{lines}</tbody></table>"
