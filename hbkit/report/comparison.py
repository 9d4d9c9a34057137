"""Two runs side by side: which orders and fills are alike, where they part first, and what proves the reason.

Orders and fills are paired in their sequence, for each strategy, instrument and leg. Instruments are known by their
unified symbols and quantities by what they are worth, so that runs at two exchanges can be held against each other; the
times of a run count from its start. Alike are two sequences when each pair has the same side, price and quantity; times
are told, and may differ.

    compared = compare(RunResult.load(a), RunResult.load(b))
    compared.same, compared.parting
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import zip_longest
from typing import Any, TypeVar

import msgspec

from hbkit.clock import parse_time
from hbkit.model import ExecutionKind
from hbkit.report.result import FillRow, InstrumentRow, OrderRow, RunResult
from hbkit.report.wording import latency_text, span_text, spoken

MONEY = ("starting_balance", "transfers", "realized_pnl", "funding", "fees", "unrealized_pnl", "equity")
_COINS = {"XBT": "BTC"}
"""Two codes of one coin: some exchanges say the one, some the other."""
Row = TypeVar("Row", OrderRow, FillRow)
Key = tuple[str, str, str]
"""Strategy, instrument (unified) and leg."""


class Difference(msgspec.Struct, frozen=True):
    """One thing that is not the same in both; an empty text where a run has it not."""

    what: str
    a: str
    b: str


class Parting(msgspec.Struct, frozen=True, kw_only=True):
    """The first pair that is not alike: `what` is `order` or `fill`, `number` its place in the sequence, from 1.

    `a` and `b` are the two in words, empty where that run has no more of them; `at_a` and `at_b` are ns from its start.
    """

    what: str
    strategy: str
    instrument: str
    side: str
    number: int
    a: str
    b: str
    at_a: int | None
    at_b: int | None
    reasons: list[str]


class Sequences(msgspec.Struct, frozen=True, kw_only=True):
    """How orders, or fills, of the two runs agree."""

    a: int
    b: int
    alike: int
    """Pairs before the first difference, all strategies, instruments and legs together."""
    latest: int | None = None
    """The largest difference between the times of such a pair, ns; None where there is no pair."""
    same: bool


class MoneyPair(msgspec.Struct, frozen=True, kw_only=True):
    """One line of one currency in both runs, and B less A; decimal text, empty where a run has no such currency."""

    currency: str
    line: str
    a: str
    b: str
    difference: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `hbkit compare` has to say."""

    a: str
    b: str
    same: bool
    """Whether orders and fills are the same sequences of side, price and quantity."""
    orders: Sequences
    fills: Sequences
    parting: Parting | None
    """The earliest of the first differences; None where there is none."""
    endings: list[Difference]
    """Orders that are alike and did not end alike."""
    money: list[MoneyPair]
    settings: list[Difference]
    """What the runs were told and what they ran on: where it differs."""
    markets: list[Difference]
    """What the exchanges say of the same instrument, where it differs."""

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the last line of stdout."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


def compare(a: RunResult, b: RunResult) -> Comparison:
    """Hold two results against each other; nothing is looked up elsewhere."""
    sides = _Side(a), _Side(b)
    order_pairs = _paired(*(one.orders for one in sides))
    fill_pairs = _paired(*(one.fills for one in sides))
    settings = list(_settings(a, b))
    markets = list(_markets(*sides))
    orders = _sequences(*sides, order_pairs, _order_face)
    fills = _sequences(*sides, fill_pairs, _fill_face)
    parting = _first(*sides, order_pairs, fill_pairs, settings, markets)
    return Comparison(
        a=a.run_id,
        b=b.run_id,
        same=orders.same and fills.same,
        orders=orders,
        fills=fills,
        parting=parting,
        endings=list(_endings(*sides, order_pairs)),
        money=list(_money(a, b)),
        settings=settings,
        markets=markets,
    )


class _Side:
    """One run, its rows in sequences by key."""

    def __init__(self, result: RunResult) -> None:
        self.result = result
        self.markets: dict[tuple[str, str], InstrumentRow] = {
            (row.exchange, row.symbol): row for row in result.instruments
        }
        self.orders: Mapping[Key, list[OrderRow]] = self._by_key(result.order_rows)
        self.fills: Mapping[Key, list[FillRow]] = self._by_key(
            row for row in result.fill_rows if row.strategy and ExecutionKind(row.kind).moves_position
        )
        self.order_of = {row.id: row for row in result.order_rows}
        self.start, self.stop = _span(result)

    def _by_key(self, rows: Iterable[Row]) -> dict[Key, list[Row]]:
        found: dict[Key, list[Row]] = {}
        for row in rows:
            found.setdefault((row.strategy, self.name(row), row.position_side), []).append(row)
        return found

    def market(self, row: OrderRow | FillRow) -> InstrumentRow | None:
        return self.markets.get((row.exchange, row.instrument))

    def name(self, row: OrderRow | FillRow) -> str:
        """The unified symbol, where the result has one."""
        market = self.market(row)
        return market.unified if market is not None and market.unified else row.instrument

    def qty(self, row: OrderRow | FillRow) -> Decimal:
        """The quantity in base currency, or quote currency where a contract is counted in that."""
        market = self.market(row)
        return Decimal(row.qty) * Decimal(market.contract_size if market is not None else "1")

    def at(self, row: OrderRow | FillRow) -> int:
        """Nanoseconds from the start of the run."""
        return row.ts - self.start


def _span(result: RunResult) -> tuple[int, int]:
    """First and last moment of the run by the market's clock, which is that of its rows, as far as it was sampled."""
    times = result.equity_series.ts
    if times:
        return times[0], times[-1]
    try:
        return parse_time(result.started), parse_time(result.stopped)
    except ValueError:
        rows: list[OrderRow | FillRow] = [*result.order_rows, *result.fill_rows]
        moments = [row.ts for row in rows] or [0]
        return min(moments), max(moments)


# -- pairs

Pairs = dict[Key, list[tuple[Any, Any]]]
Face = Callable[[_Side, Any], tuple[Any, ...]]


def _paired(a: Mapping[Key, Sequence[Row]], b: Mapping[Key, Sequence[Row]]) -> Pairs:
    keys = dict.fromkeys([*a, *b])
    return {key: list(zip_longest(a.get(key, ()), b.get(key, ()))) for key in keys}


def _order_face(side: _Side, row: OrderRow) -> tuple[Any, ...]:
    """What makes an order the same as another: prices are those that it was placed at and that it had last."""
    prices = _number(row.first_price), _number(row.price), _number(row.trigger_price)
    return row.side, row.type, *prices, side.qty(row)


def _fill_face(side: _Side, row: FillRow) -> tuple[Any, ...]:
    return row.side, _number(row.price), side.qty(row)


def _number(text: str) -> Decimal | None:
    return Decimal(text) if text else None


def _split(a: _Side, b: _Side, pairs: Sequence[tuple[Any, Any]], face: Face) -> int:
    """How many pairs stand before the first that is not alike."""
    for number, (one, other) in enumerate(pairs):
        if one is None or other is None or face(a, one) != face(b, other):
            return number
    return len(pairs)


def _sequences(a: _Side, b: _Side, pairs: Pairs, face: Face) -> Sequences:
    alike, latest, same = 0, None, True
    for found in pairs.values():
        number = _split(a, b, found, face)
        alike += number
        same = same and number == len(found)
        gap = max((abs(a.at(one) - b.at(other)) for one, other in found[:number]), default=None)
        latest = gap if latest is None else max(latest, gap or 0)
    counts = [sum(pair[which] is not None for found in pairs.values() for pair in found) for which in (0, 1)]
    return Sequences(a=counts[0], b=counts[1], alike=alike, latest=latest, same=same)


def _endings(a: _Side, b: _Side, pairs: Pairs) -> Iterable[Difference]:
    for (strategy, instrument, _), found in pairs.items():
        for number, (one, other) in enumerate(found[: _split(a, b, found, _order_face)], 1):
            if (one.status, one.reason) != (other.status, other.reason) and one.status != other.status:
                yield Difference(f"order {number} of {strategy} in {instrument}", _end(one), _end(other))


# -- where they part, and why


def _first(
    a: _Side, b: _Side, orders: Pairs, fills: Pairs, settings: Sequence[Difference], markets: Sequence[Difference]
) -> Parting | None:
    found: list[tuple[int, int, Parting]] = []
    for what, pairs, face in (("order", orders, _order_face), ("fill", fills, _fill_face)):
        for (strategy, instrument, leg), rows in pairs.items():
            number = _split(a, b, rows, face)
            if number == len(rows):
                continue
            one, other = rows[number]
            moments = [side.at(row) for side, row in ((a, one), (b, other)) if row is not None]
            words = _order_words if what == "order" else _fill_words
            reasons = _order_reasons(a, b, one, other) if what == "order" else _fill_reasons(a, b, one, other)
            parting = Parting(
                what=what, strategy=strategy, instrument=instrument, side=leg, number=number + 1,
                a=words(one), b=words(other),
                at_a=None if one is None else a.at(one), at_b=None if other is None else b.at(other),
                reasons=reasons,
            )  # fmt: skip
            found.append((min(moments), 0 if what == "fill" else 1, parting))
    if not found:
        return None
    parting = min(found, key=lambda one: one[:2])[2]
    return msgspec.structs.replace(parting, reasons=[*parting.reasons, *_conditions(a, b, settings, markets)])


def _order_reasons(a: _Side, b: _Side, one: OrderRow | None, other: OrderRow | None) -> list[str]:
    if one is None or other is None:
        row, name, away = (one, "A", b) if one is not None else (other, "B", a)
        assert row is not None
        lacks = "B" if name == "A" else "A"
        said = [f"{lacks} sent no such order: its strategy decided otherwise, on the market and the fills it had seen"]
        if row.status == "rejected":
            said.append(f"{name} did not get it either: rejected, {row.reason or 'no reason given'}")
        return [*said, *_ended_before(away, lacks, (a if name == "A" else b).at(row))]
    said = []
    for name, row in (("A", one), ("B", other)):
        if row.status == "rejected":
            said.append(f"in {name} it was rejected: {row.reason or 'no reason given'}")
    if one.side != other.side or one.type != other.type:
        said.append("the strategy decided otherwise, on the market and the fills it had seen")
    elif _number(one.first_price) != _number(other.first_price):
        said.append("the strategy wanted another price: it saw another market")
    elif _number(one.price) != _number(other.price) or _number(one.trigger_price) != _number(other.trigger_price):
        said.append("it was moved to another price afterwards: the strategy saw another market, or the order was gone")
    else:
        said.append("the strategy wanted another quantity: its position, or its parameters, were not the same")
    return said


def _fill_reasons(a: _Side, b: _Side, one: FillRow | None, other: FillRow | None) -> list[str]:
    if one is not None and other is not None:
        said = []
        if one.liquidity != other.liquidity:
            said.append(f"A was filled as {one.liquidity}, B as {other.liquidity}")
        if _number(one.price) != _number(other.price):
            said.append("the market gave another price")
        elif a.qty(one) != b.qty(other):
            said.append("the market gave another quantity: an order was filled in other parts")
        return said
    row, has, lacks, name = (one, a, b, "B") if one is not None else (other, b, a, "A")
    assert row is not None
    said = []
    order = has.order_of.get(row.order_id)
    twin = _twin(has, lacks, order) if order is not None else None
    if twin is None:
        said.append(f"{name} has no order in the place of the one that was filled")
    else:
        said.append(f"in {name} the order in the place of the one that was filled is {_end(twin)}")
    return [*said, *_ended_before(lacks, name, has.at(row))]


def _twin(has: _Side, lacks: _Side, order: OrderRow) -> OrderRow | None:
    """The order of the other run that has the same place in its sequence."""
    key = (order.strategy, has.name(order), order.position_side)
    place = next(number for number, row in enumerate(has.orders[key]) if row.id == order.id)
    others = lacks.orders.get(key, [])
    return others[place] if place < len(others) else None


def _ended_before(side: _Side, name: str, moment: int) -> list[str]:
    lasted = side.stop - side.start
    if lasted > moment:
        return []
    return [f"{name} had ended by then, after {span_text(lasted)}: {spoken(side.result.stop_reason)}"]


def _conditions(a: _Side, b: _Side, settings: Sequence[Difference], markets: Sequence[Difference]) -> Iterable[str]:
    """What was not the same from the beginning, and may be behind it."""
    balances = [
        f"{row.currency} {row.a or 'none'} and {row.b or 'none'}"
        for row in _money(a.result, b.result)
        if row.line == "starting_balance" and row.a != row.b
    ]
    if balances:
        yield f"they began with other balances: {', '.join(balances)}"
    named = [row.what for row in (*settings, *markets)]
    if named:
        yield f"they were not told the same: {', '.join(named[:6])}{' and more' if len(named) > 6 else ''}"
    elif not balances:
        yield "what they were told is the same: what is left is the market, or the time at which news came"


def _order_words(row: OrderRow | None) -> str:
    if row is None:
        return ""
    price = f" at {row.first_price or row.price}" if row.price else ""
    moved = f", moved to {row.price}" if row.first_price not in ("", row.price) else ""
    trigger = f" from {row.trigger_price}" if row.trigger_price else ""
    return f"{row.side} {row.qty} {row.type}{price}{trigger}{moved}, {_end(row)}"


def _fill_words(row: FillRow | None) -> str:
    return "" if row is None else f"{row.side} {row.qty} at {row.price}, {row.liquidity}, order {row.order_id}"


def _end(row: OrderRow) -> str:
    filled = f", {row.filled} of {row.qty} filled" if row.filled not in ("0", row.qty) else ""
    return f"{spoken(row.status)}{filled}{f' ({row.reason})' if row.reason else ''}"


# -- what else differs


def _money(a: RunResult, b: RunResult) -> Iterable[MoneyPair]:
    rows = [{_COINS.get(row.currency, row.currency): row for row in result.money} for result in (a, b)]
    for code in dict.fromkeys([*rows[0], *rows[1]]):
        one, other = rows[0].get(code), rows[1].get(code)
        names = "/".join(dict.fromkeys(row.currency for row in (one, other) if row is not None))
        for line in MONEY:
            texts = [
                "" if row is None or line in row.untold else row.unit.text(getattr(row, line)) for row in (one, other)
            ]
            values = [Decimal(text or "0") for text in texts]
            yield MoneyPair(currency=names, line=line, a=texts[0], b=texts[1], difference=f"{values[1] - values[0]:f}")


def _settings(a: RunResult, b: RunResult) -> Iterable[Difference]:
    facts = (
        ("mode", a.mode, b.mode),
        ("seed", str(a.seed), str(b.seed)),
        ("fills", a.fill_model, b.fill_model),
        ("latency", latency_text(a.latency_ns), latency_text(b.latency_ns)),
        ("data", _data(a), _data(b)),
        ("hbkit", a.hbkit_version, b.hbkit_version),
        ("Python", a.python_version, b.python_version),
    )
    for what, one, other in facts:
        if one != other:
            yield Difference(what, one, other)
    for path in dict.fromkeys([*a.told, *b.told]):
        one, other = (result.told.get(path, "") for result in (a, b))
        if one != other:
            yield Difference(path, one, other)


def _data(result: RunResult) -> str:
    return "; ".join(f"{row.part}: {row.origin}: {row.text}" for row in result.provenance)


def _markets(a: _Side, b: _Side) -> Iterable[Difference]:
    """Instruments that both traded, as their exchanges describe them."""
    described = [{row.unified or row.symbol: row for row in side.markets.values()} for side in (a, b)]
    for name, one in described[0].items():
        other = described[1].get(name)
        if other is None:
            continue
        for field in ("symbol", "unit", "tick", "lot", "maker_fee", "taker_fee"):
            texts = getattr(one, field), getattr(other, field)
            if not _alike(*texts):
                yield Difference(f"{name} {spoken(field)}", *texts)


def _alike(one: str, other: str) -> bool:
    try:
        return Decimal(one) == Decimal(other)
    except ArithmeticError:
        return one == other
