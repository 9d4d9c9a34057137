"""Why two runs part where they part, as far as their rows prove it: sentences about the first difference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation

from hbkit.clock import SECOND, parse_time
from hbkit.report.comparison import Comparison, Late, Payment
from hbkit.report.course import Asked, OrderCourse
from hbkit.report.pairing import Difference, Gap, equal
from hbkit.report.result import RunResult
from hbkit.report.wording import plural

NAMED = 8
"""Most names in one sentence."""


def why(found: Comparison) -> list[str]:
    """What each run has at the first difference, what differed before it, what differed at the start.

    Empty where there is no difference.
    """
    first = found.first
    return [] if first is None else [*_what(found, first), *_before(found, first), _start(found)]


def _before(found: Comparison, first: Difference) -> Iterator[str]:
    tolerance = seconds_text(found.tolerance)
    late = next((one for one in found.late if one.ts <= first.ts), None)
    if late is not None:
        way = "later" if late.lag > 0 else "earlier"
        yield (
            f"before that, times differ by more than {tolerance}: first the {late_text(late)}, "
            f"{seconds_text(abs(late.lag))} {way} in B"
        )
    elif found.timed:
        yield f"until then no order, fill or answer came at another time, within {tolerance}"
    paid = min((one for one in (*found.fees, *found.payments) if one.ts <= first.ts), key=_ts, default=None)
    if paid is not None:
        yield f"before that, money differs: first a {paid.kind}, {paid.a or 'none'} in A and {paid.b or 'none'} in B"


def _start(found: Comparison) -> str:
    names = list(dict.fromkeys(gap.name for gap in (*found.start, *found.config)))
    if not names:
        return "the runs started alike: mode, seed, config, code, versions, balances and fees are the same"
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"the runs did not start alike, they differ in {', '.join(names[:NAMED])}{more}"


def _ts(one: Payment) -> int:
    return one.ts


def _what(found: Comparison, first: Difference) -> Iterator[str]:
    """What the two runs have at the place of the first difference."""
    if first.kind == "only":
        with_it, without = ("A", "B") if first.b is None else ("B", "A")
        ended = _ended_before(found.b if without == "B" else found.a, found.shift if without == "B" else 0, first.ts)
        yield ended.format(without) if ended else f"{without} placed no such order, and none after it in this market"
        order = first.a or first.b
        if order is not None and order.is_refused:
            yield f"it was refused in {with_it}: {order.reason or 'no reason given'}"
    elif first.kind == "placed":
        yield f"what the strategy asked for differs in {_names(first.gaps)}{_apart(found, first)}"
    elif first.kind == "refused":
        name, order = ("A", first.a) if first.a is not None and first.a.is_refused else ("B", first.b)
        assert order is not None
        yield f"{name} refused it: {order.reason or 'no reason given'}"
    elif first.kind == "asked":
        yield _asked_text(first)
    elif first.kind in ("filled", "forced"):
        yield from _fill_texts(found, first)
    elif first.kind == "ended":
        for name, order in (("A", first.a), ("B", first.b)):
            if order is not None:
                yield f"in {name} the order {_fate(order)}"


def _apart(found: Comparison, first: Difference) -> str:
    """By how much B placed its order later or earlier, where that matters."""
    if first.a is None or first.b is None:
        return ""
    lag = first.b.ts + found.shift - first.a.ts
    if abs(lag) <= found.tolerance:
        return ""
    return f", {seconds_text(abs(lag))} {'later' if lag > 0 else 'earlier'} in B"


def _asked_text(first: Difference) -> str:
    did_a, did_b = first.did_a, first.did_b
    if isinstance(did_a, Asked) and isinstance(did_b, Asked):
        if did_a.kind == did_b.kind and did_a.answered != did_b.answered:
            name, one = ("A", did_a) if did_a.answered else ("B", did_b)
            return f"{name} refused the {one.kind}: {one.refused or 'no reason given'}"
        return "the strategy asked for another change of the order"
    name = "A" if isinstance(did_a, Asked) else "B"
    return f"only the strategy in {name} asked for this change"


def _fill_texts(found: Comparison, first: Difference) -> Iterator[str]:
    a, b = first.a, first.b
    if a is not None and b is not None and _same_in_sum(a, b):
        yield f"the order filled the same in sum, in {plural(len(a.fills), 'part')} in A and in {len(b.fills):,} in B"
        return
    for name, fill, order in (("A", first.did_a, a), ("B", first.did_b, b)):
        if fill is None:
            yield f"{name} has no such event" if order is None else f"in {name} the order {_fate(order)}"
    if first.did_a is not None and first.did_b is not None:
        yield f"the fill has another {_names(first.gaps)}"
    model_a, model_b = (run.fill_model or "the venue" for run in (found.a, found.b))
    if model_a != model_b:
        yield f"fills were decided by {model_a} in A, by {model_b} in B"


def _fate(order: OrderCourse) -> str:
    if not order.status:
        return "was never answered"
    filled = f"with {order.filled} of {order.qty} filled"
    if order.ended_ts is None:
        return f"stood to the end, {filled}"
    reason = f" ({order.reason})" if order.reason else ""
    return f"ended as {order.status}, {filled}{reason}"


def _ended_before(result: RunResult, shift: int, ts: int) -> str:
    """A sentence with a place for the run's name, where it had ended by then; else the empty text."""
    try:
        over = parse_time(result.stopped) + shift <= ts
    except ValueError:
        return ""
    return f"{{}} had ended by then: {result.stop_reason}" if over else ""


def _names(gaps: Iterable[Gap]) -> str:
    return ", ".join(gap.name.replace("_", " ") for gap in gaps)


def late_text(one: Late) -> str:
    """What came late: `fill of order 12 (BTC/USD:BTC)`."""
    what = {"placed": "placing", "fill": "fill", "end": "end"}.get(one.what, one.what)
    return f"{what} of order {one.number} ({one.key.market})" if one.number else f"{what} in {one.key.market}"


def seconds_text(ns: int) -> str:
    """`0.001 s`."""
    return f"{ns / SECOND:.9f}".rstrip("0").rstrip(".") + " s"


def _same_in_sum(a: OrderCourse, b: OrderCourse) -> bool:
    parts = len(a.fills), len(b.fills)
    return all(parts) and parts[0] != parts[1] and equal(a.filled, b.filled) and equal(_traded(a), _traded(b))


def _traded(order: OrderCourse) -> str:
    """The sum of price times quantity over the fills."""
    try:
        return f"{sum((Decimal(fill.price) * Decimal(fill.qty) for fill in order.fills), Decimal(0)):f}"
    except InvalidOperation:
        return ""
