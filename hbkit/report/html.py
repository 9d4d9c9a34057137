"""One self-contained HTML page of a run: it loads nothing, is readable without script, on paper and on a phone.

    (folder / "report.html").write_text(page(result), encoding="utf-8")

Every text of the result is escaped here, also inside of pictures and attributes; only extra sections bring HTML of
their own and answer for it themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from types import MappingProxyType

from hbkit.report import together
from hbkit.report.charts import charts
from hbkit.report.look import SCRIPT, SHAPES, STYLE
from hbkit.report.metrics import DEFINITIONS, Metrics, metrics
from hbkit.report.result import ExtraTable, FillRow, OrderRow, RunResult
from hbkit.report.text import LINES, cell
from hbkit.report.wording import count, known, latency_text, moment_text, plural, run_span, spoken

ROW_LIMIT = 2_000
"""Rows of a table; more would make the page slow, and the journal has them all."""
NO_SECTIONS: Mapping[str, str] = MappingProxyType({})
_NOT_KEPT = "The result holds only their number; the rows stand in the journal."
_RARE = frozenset({"Exchange", "Leg", "Trigger", "Reason", "Tag"})
"""Columns that only some runs have anything to say in."""
_NUMBERS = frozenset({"Trigger", "Price", "Qty", "Filled", "Fee", "Realized"})
_SIDES = {"buy": "▲ buy", "sell": "▼ sell"}


def page(result: RunResult, extra_sections: Mapping[str, str] = NO_SECTIONS) -> str:
    """The whole page; `extra_sections` maps a title to HTML that its maker has escaped."""
    sheets = metrics(result)
    sections = [
        _section("Course", charts(result)),
        _section("Money", _money(result)),
        _section("Figures", _figures(sheets)),
        *(_section(table.title, _extra(table)) for table in result.tables),
        _section("Strategies", _strategies(result)) if result.strategies else "",
        _section("Positions at the end", _positions(result)),
        _section("Orders", _orders(result)),
        _section("Fills", _fills(result)),
        _section("How these fills were made", _making(result)),
        _section("Instruments", _instruments(result)) if result.instruments else "",
        *(_section(title, body) for title, body in extra_sections.items()),
        _section("Config", f"<pre>{escape(result.config_text)}</pre>") if result.config_text else "",
    ]
    title = escape(f"{result.name}: {result.mode} run {result.run_id}")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{SHAPES}\n"
        f"{_header(result, sheets)}\n<main>\n{''.join(sections)}</main>\n{_footer(result)}\n"
        f"<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def _section(title: str, body: str) -> str:
    return f"<section>\n<h2>{escape(title)}</h2>\n{body}\n</section>\n"


def _none(text: str) -> str:
    return f'<p class="none">{escape(text)}</p>'


# -- the head ----------------------------------------------------------------------------------------------------------


def _header(result: RunResult, sheets: Sequence[Metrics]) -> str:
    stop = f"stopped: {spoken(result.stop_reason)}, exit {result.exit_code}"
    seed = [] if "seed" in result.untold else [f"seed {result.seed}"]
    facts = [f"{result.mode} run", *seed, plural(result.events, "event"), stop]
    rejects = plural(result.rejects, "reject") if result.rejects else "no rejects"
    orders = ("Orders", count(result.orders), f"{plural(result.fills, 'fill')}, {rejects}")
    groups = [_currency_tiles(result, sheet) for sheet in sheets] or [[]]
    if "fills" not in result.untold:
        groups[0].append(orders)
    warnings = "".join(f"<p>{escape(warning)}</p>" for warning in [*_gap_warnings(result), *result.warnings])
    return (
        f"<header>\n<h1>{escape(result.name)}</h1>\n<p>{escape(run_span(result))}</p>\n"
        f"<p>{escape(' · '.join(facts))}</p>\n"
        f"{''.join(map(_tiles, groups))}\n"
        + (f'<div class="warnings" role="note">{warnings}</div>\n' if warnings else "")
        + "</header>"
    )


def _tiles(group: Sequence[tuple[str, str, str]]) -> str:
    """A row of figures, each with its name above it and a note below."""
    boxes = "".join(
        f"<div><dt>{escape(name)}</dt><dd><b>{escape(figure)}</b><span>{escape(note)}</span></dd></div>"
        for name, figure, note in group
    )
    return f'<dl class="verdict">{boxes}</dl>'


def _currency_tiles(result: RunResult, sheet: Metrics) -> list[tuple[str, str, str]]:
    """The verdict on one currency: what it earned, how deep it fell, what it cost."""
    row = next(row for row in result.money if row.currency == sheet.currency)
    given = {key: figure.text for key, figure in sheet.figures.items()}
    code = sheet.currency
    tiles = [(f"Net profit, {code}", given["net_profit"], given.get("return", ""))]
    if "max_drawdown" in given:
        amount = given["max_drawdown"].partition(",")[0]
        # With transfers the largest fall in percent and the largest in money may be two.
        note = f"in money {amount} {code}" if row.transfers else f"{amount} {code}"
        tiles.append((f"Largest drawdown, {code}", given.get("max_drawdown_share", amount), note))
    if "fees" in row.untold:
        return tiles
    share = f"{given['fee_share']} of the gross profit" if "fee_share" in given and row.fees > 0 else ""
    name = "Fees received" if row.fees < 0 else "Fees paid"
    tiles.append((f"{name}, {code}", row.unit.text(abs(row.fees)), share))
    return tiles


def _gap_warnings(result: RunResult) -> Iterable[str]:
    for row in result.money:
        if row.gap:
            yield f"The {row.currency} lines of the money table miss the equity by {row.unit.text(row.gap)}."


# -- tables ------------------------------------------------------------------------------------------------------------


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[int], kind: str = "wide") -> str:
    """A table of plain texts; `numbers` are the columns that stand to the right."""
    right = set(numbers)

    def cells(tag: str, texts: Sequence[str]) -> str:
        return "".join(f"<{tag}{_cell_class(text, i in right)}>{escape(text)}</{tag}>" for i, text in enumerate(texts))

    body = "".join(f"<tr>{cells('td', row)}</tr>\n" for row in rows)
    head = f"<thead><tr>{cells('th', heads)}</tr></thead>"
    return f'<div class="{kind}" tabindex="0"><table>{head}\n<tbody>{body}</tbody></table></div>'


def _table_of_filled(heads: Sequence[str], rows: list[list[str]]) -> str:
    """A table that scrolls, without those of its rarer columns that are empty in every row."""
    shown = [at for at, head in enumerate(heads) if head not in _RARE or any(row[at] for row in rows)]
    numbers = [at for at, column in enumerate(shown) if heads[column] in _NUMBERS]
    return _table([heads[at] for at in shown], ([row[at] for at in shown] for row in rows), numbers, "scroll")


def _where(row: OrderRow | FillRow, result: RunResult) -> str:
    """The exchange, where there are several."""
    return row.exchange if result.several else ""


def _leg(row: OrderRow | FillRow) -> str:
    """The leg in hedge mode, nothing in one-way mode."""
    return "" if row.position_side == "net" else row.position_side


def _cell_class(text: str, is_number: bool) -> str:
    if is_number:
        return ' class="number"'
    side = next((side for side, shown in _SIDES.items() if shown == text), "")
    return f' class="{side}"' if side else ""


def _capped(noun: str, shown: int, result: RunResult) -> str:
    """The sentence under a table that does not hold everything."""
    left = shown - ROW_LIMIT
    if left <= 0:
        return ""
    where = f" ({result.journal})" if result.journal else ""
    verb = "is" if left == 1 else "are"
    text = (
        f"The first {ROW_LIMIT:,} of {shown:,} {noun} are shown; {left:,} {verb} left out here and stand in the journal"
    )
    return f'<p class="soft">{escape(text + where)}.</p>'


def _extra(table: ExtraTable) -> str:
    """A table that the result brought along, as far as the page takes it."""
    if not table.rows:
        return _none(table.note)
    body = _table(table.heads, table.rows[:ROW_LIMIT], table.numbers, "scroll")
    left = len(table.rows) - ROW_LIMIT
    notes = [table.note, f"The first {ROW_LIMIT:,} of {len(table.rows):,} rows are shown." if left > 0 else ""]
    return body + "".join(f"<p><small>{escape(note)}</small></p>" for note in notes if note)


def _nothing(result: RunResult, what: str, counted: int, none: str) -> str:
    """Why a table has no rows: not kept, not told, or there was nothing."""
    if what in result.untold:
        return f"The files do not tell of {what}."
    return _NOT_KEPT if counted else none


def _orders(result: RunResult) -> str:
    if not result.order_rows:
        return _none(_nothing(result, "orders", result.orders, "No orders were sent."))
    heads = (
        "Sent, UTC", "Ended", "Exchange", "Instrument", "Leg", "Side", "Type", "Trigger", "Price", "Qty", "Filled",
        "Status", "Reason", "Tag", "Strategy", "Order",
    )  # fmt: skip
    table = _table_of_filled(heads, [_order_cells(row, result) for row in result.order_rows[:ROW_LIMIT]])
    return table + _capped("orders", len(result.order_rows), result)


def _order_cells(row: OrderRow, result: RunResult) -> list[str]:
    sent = moment_text(row.ts)
    ended = "" if row.ended_ts is None else moment_text(row.ended_ts)
    ended = ended[11:] if ended[:10] == sent[:10] else ended
    return [
        sent, ended or "open", _where(row, result), row.instrument, _leg(row), _SIDES.get(row.side, row.side), row.type,
        row.trigger_price, row.price or "market", row.qty, row.filled, spoken(row.status), row.reason,
        row.tag, row.strategy, row.id,
    ]  # fmt: skip


def _fills(result: RunResult) -> str:
    if not result.fill_rows:
        return _none(_nothing(result, "fills", result.fills, "There were no fills."))
    heads = (
        "Time, UTC", "Exchange", "Instrument", "Leg", "Side", "Price", "Qty", "Fee", "Realized", "Currency",
        "Liquidity", "Kind", "Strategy", "Order",
    )  # fmt: skip
    table = _table_of_filled(heads, [_fill_cells(row, result) for row in result.fill_rows[:ROW_LIMIT]])
    return table + _capped("fills", len(result.fill_rows), result)


def _fill_cells(row: FillRow, result: RunResult) -> list[str]:
    return [
        moment_text(row.ts), _where(row, result), row.instrument, _leg(row), _SIDES.get(row.side, row.side), row.price,
        row.qty, row.fee, row.realized, row.fee_currency, row.liquidity, row.kind, row.strategy, row.order_id,
    ]  # fmt: skip


def _strategies(result: RunResult) -> str:
    codes = [row.currency for row in result.money]
    rows = [
        [row.name, count(row.orders), count(row.fills)]
        + [result.money_text(code, row.realized_pnl.get(code, 0)) for code in codes]
        for row in result.strategies
    ]
    heads = ["Strategy", "Orders", "Fills", *(f"Realized, {code}" for code in codes)]
    return _table(heads, rows, range(1, len(heads)))


def _positions(result: RunResult) -> str:
    if not result.positions:
        return _none(_nothing(result, "positions", 0, "Every position is flat."))
    rows = [
        [row.exchange, row.instrument, row.side, row.qty, row.entry_price if known(row.entry_price) else "—"]
        for row in result.positions
    ]
    return _table(("Exchange", "Instrument", "Side", "Qty", "Entry price"), rows, (3, 4))


def _instruments(result: RunResult) -> str:
    heads = ("Exchange", "Instrument", "Kind", "Unit of quantity", "Tick", "Lot", "Maker fee", "Taker fee")
    rows = [
        [row.exchange, row.symbol, row.kind, row.unit, row.tick, row.lot, row.maker_fee, row.taker_fee]
        for row in result.instruments
    ]
    return _table(heads, rows, range(4, 8))


# -- money and figures -------------------------------------------------------------------------------------------------


def _money(result: RunResult) -> str:
    if not result.money:
        return _none("No money moved: the run had no account.")
    rows = [
        _money_line(label, [cell(row, field) for row in result.moved()], is_sum=field == "equity")
        for label, field in LINES
    ]
    heads = "".join(f'<th class="number">{escape(row.currency)}</th>' for row in result.moved())
    note = "The lines add up to the equity. Profit is gross of fees and funding; fees are positive when paid."
    if any(row.untold for row in result.money):
        note = "The lines add up to the equity. What is not told is inside of the other lines, or in none."
    if any(result.identity_gaps().values()):
        note = "The lines do not add up to the equity: this is a fault, please report it with the journal."
    return (
        f'<div class="wide"><table><thead><tr><th></th><th></th>{heads}</tr></thead>\n'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
        f"<p><small>{note}</small></p>{_together(result)}"
    )


def _together(result: RunResult) -> str:
    """Each account by itself, and everything in the reporting currency."""
    parts = []
    held = list(together.accounts(result))
    if held:
        parts.append(_table(("Account", "Equity"), held, ()))
    if result.reporting is not None:
        lines = [together.figure(result.reporting), *together.rates(result.reporting)]
        items = "".join(f"<dd>{escape(line)}</dd>" for line in lines)
        parts.append(f'<dl class="facts"><dt>Everything in {escape(result.reporting.currency)}</dt>{items}</dl>')
    return "".join(parts)


def _money_line(label: str, texts: Sequence[str], *, is_sum: bool) -> str:
    cells = "".join(f'<td class="number">{escape(text)}</td>' for text in texts)
    sign, name = label[:1].replace("-", "−"), label[2:]
    look = ' class="sum"' if is_sum else ""
    return f'<tr{look}><td class="sign">{sign}</td><th scope="row">{escape(name)}</th>{cells}</tr>\n'


def _figures(sheets: Sequence[Metrics]) -> str:
    if not sheets:
        return _none("There are no figures without an account.")
    rows = []
    for key, (name, formula) in DEFINITIONS.items():
        if any(key in sheet.figures for sheet in sheets):
            texts = [sheet.figures[key].text if key in sheet.figures else "—" for sheet in sheets]
            cells = "".join(f"<td>{escape(text)}</td>" for text in texts)
            how = f'<td class="formula">{escape(_typeset(formula))}</td>'
            rows.append(f'<tr><th scope="row">{escape(name)}</th>{cells}{how}</tr>\n')
    heads = "".join(f"<th>{escape(sheet.currency)}</th>" for sheet in sheets)
    return (
        f'<div class="wide"><table><thead><tr><th></th>{heads}<th class="formula">Formula</th></tr></thead>\n'
        f"<tbody>{''.join(rows)}</tbody></table></div>{''.join(map(_left_out, sheets))}"
    )


def _mid_sentence(name: str) -> str:
    return name[:1].lower() + name[1:]


def _typeset(formula: str) -> str:
    return formula.replace(" - ", " − ").replace(" * ", " × ")


def _left_out(sheet: Metrics) -> str:
    """Which figures are not given and why, as one sentence per currency."""
    reasons: dict[str, list[str]] = {}
    for key, reason in sheet.absent.items():
        reasons.setdefault(reason, []).append(_mid_sentence(DEFINITIONS[key][0]))
    if not reasons:
        return ""
    parts = "; ".join(f"{', '.join(names)} ({reason})" for reason, names in reasons.items())
    return f"<p><small>Not given for {escape(sheet.currency)}: {escape(parts)}.</small></p>"


# -- trust -------------------------------------------------------------------------------------------------------------


def _making(result: RunResult) -> str:
    model = result.fill_model or "by the venue itself"
    facts = [("Fill model", escape(model)), ("Latency", escape(latency_text(result.latency_ns)))]
    facts += [
        (row.part, f'<span class="origin">{escape(row.origin)}</span> {escape(row.text)}') for row in result.provenance
    ]
    items = "".join(f"<dt>{escape(name)}</dt><dd>{body}</dd>" for name, body in facts)
    return f'<dl class="facts">{items}</dl>'


def _footer(result: RunResult) -> str:
    versions = [
        f"hbkit {result.hbkit_version}" if result.hbkit_version else "",
        f"Python {result.python_version}" if result.python_version else "",
        f"run {result.run_id}",
        f"journal {result.journal}" if result.journal else "",
        f"journal hash {result.journal_hash}" if result.journal_hash else "",
    ]
    return f"<footer><p>{escape(' · '.join(part for part in versions if part))}</p></footer>"
