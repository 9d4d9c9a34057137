"""Two orders side by side: in what they differ, and from when on.

Prices and quantities are decimal text, compared as numbers; quantities through a `Measure`, because a contract is not
the same at every exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation

import msgspec

from hbkit.report.course import Asked, Key, OrderCourse
from hbkit.report.result import FillRow

RANK = {"filled": 0, "forced": 0, "ended": 1, "refused": 2, "asked": 3, "placed": 4, "only": 4}
"""At one moment: what the market did, then what was answered, then what was asked for."""
Measure = Callable[[str, str], "Decimal | str"]
"""From a quantity and its price, as text, to a number that can be compared across the two runs."""


class Gap(msgspec.Struct, frozen=True):
    """One thing that stands otherwise in the two runs; the empty text where it is not there."""

    name: str
    a: str
    b: str


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One place where the runs did not do the same; times are on the clock of A.

    `kind` is one of: `only` (the other run has no such order), `placed` (asked for otherwise), `refused` (turned down
    in one run), `asked` (an amend or a cancel differs), `filled` (a fill differs), `ended` (the order ended
    otherwise), `forced` (a liquidation or settlement differs).
    """

    kind: str
    ts: int
    key: Key
    number: int
    """Which order of the lane, from 1; 0 where it is about none."""
    part: int = 0
    """Which amend, cancel or fill of the order, from 1."""
    a: OrderCourse | None = None
    b: OrderCourse | None = None
    did_a: FillRow | Asked | None = None
    did_b: FillRow | Asked | None = None
    gaps: tuple[Gap, ...] = ()


class OrderPair:
    """Two orders of the same place in their sequence."""

    def __init__(
        self, key: Key, number: int, a: OrderCourse, b: OrderCourse, measures: tuple[Measure, Measure], shift: int
    ) -> None:
        self._key, self._number = key, number
        self._a, self._b = a, b
        self._measures = measures
        self._shift = shift

    def first(self) -> Difference | None:
        """Where they part first; None where both went the same way."""
        a, b = self._a, self._b
        gaps = self._placed_gaps()
        if gaps:
            return self._difference("placed", a.ts, b.ts, gaps=gaps)
        if a.is_refused != b.is_refused:
            refused = _reason_text(a), _reason_text(b)
            times = (a.ended_ts or a.ts, None) if a.is_refused else (None, b.ended_ts or b.ts)
            return self._difference("refused", *times, gaps=(Gap("refused", *refused),))
        found = [one for one in (self._asked(), self._filled(), self._ended()) if one is not None]
        return min(found, key=lambda one: (one.ts, RANK[one.kind]), default=None)

    def _difference(
        self,
        kind: str,
        ts_a: int | None,
        ts_b: int | None,
        *,
        part: int = 0,
        did: tuple[FillRow | Asked | None, FillRow | Asked | None] = (None, None),
        gaps: tuple[Gap, ...] = (),
    ) -> Difference:
        ts = earliest(ts_a, None if ts_b is None else ts_b + self._shift)
        return Difference(
            kind=kind,
            ts=ts,
            key=self._key,
            number=self._number,
            part=part,
            a=self._a,
            b=self._b,
            did_a=did[0],
            did_b=did[1],
            gaps=gaps,
        )

    def _placed_gaps(self) -> tuple[Gap, ...]:
        a, b = self._a, self._b
        gaps = [Gap(name, getattr(a, name), getattr(b, name)) for name in ("side", "type", "tag")]
        gaps = [gap for gap in gaps if gap.a != gap.b]
        if not equal(a.price, b.price):
            gaps.append(Gap("price", a.price, b.price))
        if not self._same_qty(a.qty, a.price, b.qty, b.price):
            gaps.append(Gap("qty", a.qty, b.qty))
        if a.time_in_force and b.time_in_force:  # else one of them is not known from a journal
            names = ("time_in_force", "flags", "trigger", "display_qty")
            gaps += [
                Gap(name, one, other) for name in names if not equal(one := getattr(a, name), other := getattr(b, name))
            ]
        return tuple(gaps)

    def _same_qty(self, qty_a: str, price_a: str, qty_b: str, price_b: str) -> bool:
        if qty_a == qty_b and self._measures[0] is self._measures[1]:
            return True
        return self._measures[0](qty_a, price_a) == self._measures[1](qty_b, price_b)

    def _asked(self) -> Difference | None:
        asked_a, asked_b = self._a.asked, self._b.asked
        for at in range(max(len(asked_a), len(asked_b))):
            one = asked_a[at] if at < len(asked_a) else None
            other = asked_b[at] if at < len(asked_b) else None
            gaps = self._asked_gaps(one, other)
            if gaps:
                times = (one.ts if one else None, other.ts if other else None)
                return self._difference("asked", *times, part=at + 1, did=(one, other), gaps=gaps)
        return None

    def _asked_gaps(self, one: Asked | None, other: Asked | None) -> tuple[Gap, ...]:
        if one is None or other is None or one.kind != other.kind:
            return (Gap("asked", one.kind if one else "", other.kind if other else ""),)
        gaps = [
            Gap(name, a, b)
            for name in ("price", "trigger")
            if not equal(a := getattr(one, name), b := getattr(other, name))
        ]
        if not self._same_qty(one.qty, one.price, other.qty, other.price):
            gaps.append(Gap("qty", one.qty, other.qty))
        # Whether a cancel was still in time shows in how the order ended.
        if one.kind == "amend" and one.answered != other.answered:
            gaps.append(Gap("refused", one.refused, other.refused))
        return tuple(gaps)

    def _filled(self) -> Difference | None:
        fills_a, fills_b = self._a.fills, self._b.fills
        for at in range(max(len(fills_a), len(fills_b))):
            one = fills_a[at] if at < len(fills_a) else None
            other = fills_b[at] if at < len(fills_b) else None
            gaps = fill_gaps(one, other, self._measures)
            if gaps:
                times = (one.ts if one else None, other.ts if other else None)
                return self._difference("filled", *times, part=at + 1, did=(one, other), gaps=gaps)
        return None

    def _ended(self) -> Difference | None:
        a, b = self._a, self._b
        gaps = [] if a.status == b.status else [Gap("status", a.status, b.status)]
        if not self._same_qty(a.filled, a.price, b.filled, b.price):
            gaps.append(Gap("filled", a.filled, b.filled))
        if not gaps:
            return None
        times = a.ended_ts, b.ended_ts
        if times == (None, None):
            times = a.ts, b.ts
        return self._difference("ended", *times, gaps=tuple(gaps))


def signature(order: OrderCourse, measure: Measure) -> tuple[object, ...]:
    return order.side, order.type, number_of(order.price), measure(order.qty, order.price), order.is_refused


def fills_in_step(a: Sequence[FillRow], b: Sequence[FillRow], measures: tuple[Measure, Measure]) -> int:
    """How many fills are the same before the first that is not."""
    pairs = zip(a, b, strict=False)
    return next((at for at, pair in enumerate(pairs) if fill_gaps(*pair, measures)), min(len(a), len(b)))


def fill_gaps(one: FillRow | None, other: FillRow | None, measures: tuple[Measure, Measure]) -> tuple[Gap, ...]:
    if one is None or other is None:
        return (Gap("fill", _fill_text(one), _fill_text(other)),)
    gaps = [Gap(name, getattr(one, name), getattr(other, name)) for name in ("kind", "side")]
    gaps = [gap for gap in gaps if gap.a != gap.b]
    if not equal(one.price, other.price):
        gaps.append(Gap("price", one.price, other.price))
    same_unit = measures[0] is measures[1]
    if not (same_unit and one.qty == other.qty) and measures[0](one.qty, one.price) != measures[1](
        other.qty, other.price
    ):
        gaps.append(Gap("qty", one.qty, other.qty))
    return tuple(gaps)


def _fill_text(row: FillRow | None) -> str:
    return "" if row is None else f"{row.side} {row.qty} at {row.price}"


def _reason_text(order: OrderCourse) -> str:
    return (order.reason or "no reason given") if order.is_refused else ""


def earliest(*times: int | None) -> int:
    return min(ts for ts in times if ts is not None)


def number_of(text: str) -> Decimal | str:
    """A number, or the text itself where it is none."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    return number if number.is_finite() else text


def equal(a: str, b: str) -> bool:
    return a == b or number_of(a) == number_of(b)


def plain(text: str) -> str:
    number = number_of(text)
    return text if isinstance(number, str) else f"{number.normalize():f}"


def as_it_is(qty: str, price: str) -> Decimal | str:
    del price
    return number_of(qty)


def sized(contract_size: str, *, by_price: bool) -> Measure:
    """Quantities in what a contract is of; `by_price`: of an inverse contract, in the base currency."""
    size = Decimal(contract_size)

    def measure(qty: str, price: str) -> Decimal | str:
        number, per = number_of(qty), number_of(price) if by_price else Decimal(1)
        if isinstance(number, str) or isinstance(per, str) or not per:
            return qty
        # Twelve digits: a quotient has no end, and both sides are to be the same where they mean the same.
        return Decimal(f"{number * size / per:.12g}")

    return measure
