"""A comparison for people: whether two runs did the same, where they part and why, and what it did to the money."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from hbkit.report.comparison import Comparison, LanePair, Late, MoneyPair
from hbkit.report.course import Asked, Lane, OrderCourse
from hbkit.report.lines import BOLD, DIM, WARN, Page, clean
from hbkit.report.pairing import Difference, Gap
from hbkit.report.reasons import late_text, seconds_text, why
from hbkit.report.result import FillRow, RunResult
from hbkit.report.text import LINES, NOT_TOLD
from hbkit.report.wording import moment_text, plural, run_span, signed, spoken

BEFORE = 5
"""Orders shown before the place where the runs part."""
LISTED = 12
"""Most lines of one list; `--json` has them all."""
_LABELS = {
    "only": "an order that only one of them placed",
    "placed": "an order that was asked for otherwise",
    "refused": "an order that only one of them refused",
    "asked": "an amend or a cancel that differs",
    "filled": "a fill that differs",
    "ended": "an order that ended otherwise",
    "forced": "a liquidation or settlement that differs",
}


def side_by_side(found: Comparison, *, width: int = 80, colour: bool = False, ascii: bool = False) -> str:
    """The comparison as text, at most `width` columns where words allow.

    `colour` adds terminal codes; `ascii` keeps to characters that any stream can encode.
    """
    page = Page(width, colour)
    _head(page, found)
    _counts(page, found)
    if found.first is not None:
        _first(page, found, found.first)
    _details(page, found)
    _money(page, found)
    _gaps(page, "Positions at the end", found.positions)
    _gaps(page, "Different from the start", found.start)
    _gaps(page, "Different in the config", found.config)
    return page.text(ascii=ascii)


def _head(page: Page, found: Comparison) -> None:
    for name, run in (("A", found.a), ("B", found.b)):
        page.lines.append(page.paint(clean(f"{name}  {run.run_id} · {run.mode} · seed {run.seed}"), BOLD))
        page.lines.append(page.paint(f"   {clean(run_span(run))} · {clean(spoken(run.stop_reason))}", DIM))
    page.blank()
    page.add(_verdict(found), BOLD)
    for note in found.notes:
        page.add(f"Note: {note}.", DIM)


def _verdict(found: Comparison) -> str:
    if found.same:
        journal = ", down to the journal's hash" if _same_journal(found.a, found.b) else ""
        return f"The runs are the same{journal}."
    if found.first is not None:
        return f"The runs part at {moment_text(found.first.ts)} UTC: {_LABELS[found.first.kind]}."
    apart = [name for name, alike in found.alike.items() if not alike]
    return f"Orders and fills are the same; {', '.join(apart)} differ."


def _same_journal(a: RunResult, b: RunResult) -> bool:
    return bool(a.journal_hash) and a.journal_hash == b.journal_hash


# -- counts


def _counts(page: Page, found: Comparison) -> None:
    page.blank()
    rows = [("", "A", "B", "alike")]
    for pair in found.lanes:
        if len(found.lanes) > 1:
            rows.append((f"{pair.key.strategy or 'account'}, {_market(pair)}", "", "", ""))
        rows.append(("  Orders", *_both(pair, lambda lane: len(lane.orders)), f"{pair.alike:,}"))
        rows.append(("  Refused", *_both(pair, lambda lane: sum(one.is_refused for one in lane.orders)), ""))
        rows.append(("  Fills", *_both(pair, lambda lane: len(lane.fills)), f"{pair.fills:,}"))
        apart = max(pair.count(lambda lane: len(lane.orders))) > pair.alike
        if apart and pair.a is not None and pair.b is not None:
            rows.append(("  In both, at any place", "", "", f"{pair.common:,}"))
    if not found.lanes:
        page.add("Neither run placed an order.")
        return
    _table(page, rows)


def _both(pair: LanePair, of: Callable[[Lane], int]) -> tuple[str, str]:
    a, b = pair.count(of)
    return f"{a:,}", f"{b:,}"


def _market(pair: LanePair) -> str:
    return pair.key.market if pair.key.leg == "net" else f"{pair.key.market} {pair.key.leg}"


def _table(page: Page, rows: Sequence[tuple[str, ...]]) -> None:
    """The first column to the left, the others to the right; the first row is the heading."""
    widths = [max(len(clean(row[column])) for row in rows) for column in range(len(rows[0]))]
    for index, row in enumerate(rows):
        cells = [
            clean(row[0]).ljust(widths[0]),
            *(clean(cell).rjust(size) for cell, size in zip(row[1:], widths[1:], strict=True)),
        ]
        page.lines.append(page.paint("   ".join(cells).rstrip(), "" if index else DIM))


# -- where they part


def _first(page: Page, found: Comparison, first: Difference) -> None:
    page.blank()
    place = f"order {first.number} of " if first.number else ""
    leg = "" if first.key.leg == "net" else f" {first.key.leg}"
    page.add(f"Where they part: {place}{first.key.strategy or 'the account'}, {first.key.market}{leg}", BOLD)
    pair = next(one for one in found.lanes if one.key == first.key)
    lane = pair.a if pair.a is not None else pair.b
    assert lane is not None
    if first.number:
        begin = max(0, first.number - 1 - BEFORE)
        for at, before in enumerate(lane.orders[begin : first.number - 1], start=begin + 1):
            page.entry(f"  {at:,}", _order_line(before), DIM)
    for name, order, did, shift in (
        ("A", first.a, first.did_a, 0),
        ("B", first.b, first.did_b, found.shift),
    ):
        page.entry(f"  {name}", _side(first, order, did, shift))
    for index, sentence in enumerate(why(found)):
        page.entry("  why" if index == 0 else "", f"{sentence[0].upper()}{sentence[1:]}.")


def _side(first: Difference, order: OrderCourse | None, did: FillRow | Asked | None, shift: int) -> str:
    """What one run has at the place of the first difference."""
    if order is None and did is None:
        return "nothing"
    parts = []
    if order is not None:
        parts.append(_order_line(order, shift))
    if first.kind in ("asked", "filled", "forced"):
        parts.append(_did_text(did, shift) if did is not None else f"no {_part(first)}")
    return "; ".join(parts)


def _part(first: Difference) -> str:
    word = {"filled": "fill", "asked": "change", "forced": "event"}[first.kind]
    return word if first.part == 1 else f"{word} number {first.part}"


def _order_line(order: OrderCourse, shift: int = 0) -> str:
    words = [moment_text(order.ts + shift)[11:], order.side, order.qty, order.type]
    if order.price:
        words += ["at", order.price]
    if order.time_in_force not in ("", "gtc") and order.type != "market":
        words.append(order.time_in_force)
    words += [flag.replace("_", "-") for flag in order.flags.split(",") if flag]
    if order.trigger:
        words.append(f"[{order.trigger}]")
    if order.tag:
        words.append(f'"{order.tag}"')
    return f"{' '.join(words)}: {_fate(order)}"


def _fate(order: OrderCourse) -> str:
    changes = sum(one.kind == "amend" for one in order.asked)
    amended = f", amended {changes} times" if changes > 1 else ", amended" if changes else ""
    if order.is_refused:
        return f"refused ({order.reason or 'no reason given'})"
    if not order.status:
        return f"never answered{amended}"
    filled = "" if order.status == "filled" or order.filled == "0" else f", {order.filled} filled"
    parts = f" in {len(order.fills)} parts" if len(order.fills) > 1 else ""
    return f"{spoken(order.status)}{parts}{filled}{amended}"


def _did_text(did: FillRow | Asked, shift: int) -> str:
    at = moment_text(did.ts + shift)[11:]
    if isinstance(did, FillRow):
        return f"{did.kind if did.kind != 'trade' else 'fill'} at {at}: {did.side} {did.qty} at {did.price}"
    refused = f", refused: {did.refused}" if did.answered else ""
    if did.kind == "cancel":
        return f"cancel at {at}{refused}"
    to = " ".join(filter(None, [did.qty, f"at {did.price}" if did.price else "", did.trigger]))
    return f"amend at {at}: to {to}{refused}"


# -- what else differs


def _details(page: Page, found: Comparison) -> None:
    page.blank()
    more = len(found.differences) - 1
    if more > 0:
        page.entry("After it", f"they differ at {plural(more, 'further place')} of the sequence")
    if found.timed:
        page.entry("Times", _times(found))
    if found.fees:
        first = found.fees[0]
        page.entry(
            "Fees",
            f"{plural(len(found.fees), 'fill')} paid another fee, first at {moment_text(first.ts)}: {first.a} in A, "
            f"{first.b} in B",
        )
    if found.payments:
        first = found.payments[0]
        page.entry(
            "Payments",
            f"{plural(len(found.payments), 'payment')} differ, first at {moment_text(first.ts)}: {first.a or 'none'} "
            f"in A, {first.b or 'none'} in B",
        )


def _times(found: Comparison) -> str:
    tolerance = seconds_text(found.tolerance)
    if not found.late:
        return f"all {found.timed:,} that were compared are within {tolerance}"
    first, largest = found.late[0], max(found.late, key=_lag)
    return (
        f"{len(found.late):,} of {found.timed:,} are apart by more than {tolerance}; first the {late_text(first)} at "
        f"{moment_text(first.ts)} ({_lag_text(first)}), most the {late_text(largest)} ({_lag_text(largest)})"
    )


def _lag(one: Late) -> int:
    return abs(one.lag)


def _lag_text(one: Late) -> str:
    return f"{seconds_text(abs(one.lag))} {'later' if one.lag > 0 else 'earlier'} in B"


def _money(page: Page, found: Comparison) -> None:
    for pair in found.money:
        if pair.is_idle:
            continue
        page.blank()
        rows = [(pair.currency, "A", "B", "B - A")]
        for label, line in LINES:
            a, b = pair.amounts(line)
            if line == "transfers" and not a and not b:
                continue
            texts = [
                NOT_TOLD if untold else f"{amount:f}" for amount, untold in zip((a, b), pair.untold(line), strict=True)
            ]
            apart = "" if NOT_TOLD in texts else signed(f"{b - a:f}") if a != b else "same"
            rows.append((label, texts[0], texts[1], apart))
        _table(page, rows)
        for name, gap in _misses(pair):
            page.add(f"The lines of {name} miss its equity by {gap}: please report it.", WARN)
    idle = [pair.currency for pair in found.money if pair.is_idle]
    if idle:
        page.blank()
        page.entry("Not moved", ", ".join(idle))


def _misses(pair: MoneyPair) -> Iterable[tuple[str, str]]:
    for name, row in (("A", pair.a), ("B", pair.b)):
        if row is not None and row.gap:
            yield name, row.unit.text(row.gap)


def _gaps(page: Page, title: str, gaps: Sequence[Gap]) -> None:
    if not gaps:
        return
    page.blank()
    page.add(title, BOLD)
    for gap in gaps[:LISTED]:
        line = clean(f"  {gap.name}: {gap.a or '(not set)'} -> {gap.b or '(not set)'}")
        if len(line) <= page.width:
            page.lines.append(line)
            continue
        page.add(f"  {gap.name}")
        page.entry("    A", gap.a or "(not set)")
        page.entry("    B", gap.b or "(not set)")
    if len(gaps) > LISTED:
        page.add(f"and {len(gaps) - LISTED} more; --json lists them all", DIM)
