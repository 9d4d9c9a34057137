"""A comparison as one object for programs: what `hbkit compare --json` prints.

Times are ISO 8601 UTC, prices, quantities and money decimal text, empty where a run does not tell them. Of differences
and late times the first `MOST` are listed; their numbers are always whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from hbkit.clock import SECOND, iso
from hbkit.report.comparison import MONEY_LINES, Comparison, LanePair, Late, MoneyPair, Payment
from hbkit.report.course import Asked, Key, OrderCourse
from hbkit.report.pairing import Difference, Gap
from hbkit.report.reasons import why
from hbkit.report.result import FillRow, RunResult

MOST = 1_000
"""Differences in one list."""


def as_json(found: Comparison) -> dict[str, Any]:
    """The object; `same` says whether the runs are alike in every aspect, `alike` in which."""
    return {
        "a": _run(found.a, found),
        "b": _run(found.b, found),
        "same": found.same,
        "alike": found.alike,
        "same_journal": bool(found.a.journal_hash) and found.a.journal_hash == found.b.journal_hash,
        "tolerance": _seconds(found.tolerance),
        "shift": _seconds(found.shift),
        "first": None if found.first is None else _difference(found.first),
        "why": why(found),
        "lanes": [_lane(pair) for pair in found.lanes],
        "differences": [_difference(one) for one in found.differences[:MOST]],
        "differences_total": len(found.differences),
        "times_compared": found.timed,
        "late": [_late(one) for one in found.late[:MOST]],
        "late_total": len(found.late),
        "fees": [_payment(one) for one in found.fees[:MOST]],
        "fees_total": len(found.fees),
        "payments": [_payment(one) for one in found.payments[:MOST]],
        "payments_total": len(found.payments),
        "money": {pair.currency: _money(pair) for pair in found.money},
        "positions": _gaps(found.positions),
        "start": _gaps(found.start),
        "config": _gaps(found.config),
        "notes": found.notes,
    }


def _run(result: RunResult, found: Comparison) -> dict[str, Any]:
    known = msgspec.structs.asdict(result)
    names = ("run_id", "name", "mode", "seed", "started", "stopped", "stop_reason", "exit_code", "events", "orders")
    more = ("fills", "rejects", "journal", "journal_hash", "hbkit_version", "python_version")
    has_journal = found.has_journal[0 if result is found.a else 1]
    return {**{name: known[name] for name in (*names, *more)}, "has_journal": has_journal}


def _lane(pair: LanePair) -> dict[str, Any]:
    counts = {
        "orders": pair.count(lambda lane: len(lane.orders)),
        "refused": pair.count(lambda lane: sum(order.is_refused for order in lane.orders)),
        "fills": pair.count(lambda lane: len(lane.fills)),
    }
    symbols = ["" if lane is None else f"{lane.market.symbol} ({lane.market.exchange})" for lane in (pair.a, pair.b)]
    return {
        **_key(pair.key),
        "symbols": {"a": symbols[0], "b": symbols[1]},
        **{name: {"a": a, "b": b} for name, (a, b) in counts.items()},
        "orders_alike": pair.alike,
        "fills_alike": pair.fills,
        "orders_in_both": pair.common,
    }


def _key(key: Key) -> dict[str, str]:
    return {"strategy": key.strategy, "market": key.market, "leg": key.leg}


def _difference(one: Difference) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "ts": iso(one.ts),
        **_key(one.key),
        "order": one.number,
        "part": one.part,
        "gaps": _gaps(one.gaps),
        "a": _order(one.a),
        "b": _order(one.b),
        "did_a": _did(one.did_a),
        "did_b": _did(one.did_b),
    }


def _order(order: OrderCourse | None) -> dict[str, Any] | None:
    if order is None:
        return None
    return {
        **msgspec.structs.asdict(order),
        "ts": iso(order.ts),
        "ended_ts": None if order.ended_ts is None else iso(order.ended_ts),
        "asked": [_did(one) for one in order.asked],
        "fills": [_did(one) for one in order.fills],
    }


def _did(one: FillRow | Asked | None) -> dict[str, Any] | None:
    return None if one is None else {**msgspec.structs.asdict(one), "ts": iso(one.ts)}


def _late(one: Late) -> dict[str, Any]:
    return {"ts": iso(one.ts), **_key(one.key), "order": one.number, "what": one.what, "lag": _seconds(one.lag)}


def _payment(one: Payment) -> dict[str, Any]:
    return {"ts": iso(one.ts), **_key(one.key), "order": one.number, "kind": one.kind, "a": one.a, "b": one.b}


def _money(pair: MoneyPair) -> dict[str, dict[str, str]]:
    lines = {}
    for line in MONEY_LINES:
        a, b = pair.amounts(line)
        texts = ["" if untold else f"{amount:f}" for amount, untold in zip((a, b), pair.untold(line), strict=True)]
        lines[line] = {"a": texts[0], "b": texts[1], "difference": f"{b - a:f}" if all(texts) else ""}
    return lines


def _gaps(gaps: Iterable[Gap]) -> list[dict[str, str]]:
    return [{"name": gap.name, "a": gap.a, "b": gap.b} for gap in gaps]


def _seconds(ns: int) -> str:
    text = f"{abs(ns) // SECOND}.{abs(ns) % SECOND:09d}".rstrip("0").rstrip(".")
    return f"-{text}" if ns < 0 else text
