"""Two runs side by side: what both did alike, the first place where they part, and what differed before that.

Orders are paired by their sequence in a lane (one strategy, one market, one leg), fills by the order that they belong
to. Markets are known by their unified symbols and quantities are counted in the underlying where contract sizes differ,
so that runs at two exchanges can be compared. Nothing is guessed: what is said rests on rows of the two runs.

    found = compare(course_of(a, rows_a), course_of(b, rows_b))
    found.same, found.first, why(found)  # hbkit.report.reasons
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import median

import msgspec

from hbkit.clock import parse_time
from hbkit.report.course import Course, Key, Lane, OrderCourse
from hbkit.report.pairing import (
    RANK,
    Difference,
    Gap,
    Measure,
    OrderPair,
    as_it_is,
    earliest,
    equal,
    fill_gaps,
    fills_in_step,
    plain,
    signature,
    sized,
)
from hbkit.report.result import FillRow, MoneyRow, ProvenanceRow, RunResult
from hbkit.report.wording import latency_text

STEP = 1_000_000
"""The tolerance for times, ns, unless another is asked for: wires tell times in milliseconds."""
_SAMPLE = 1_000


class Late(msgspec.Struct, frozen=True):
    """Something both did, at times that are further apart than the tolerance."""

    ts: int
    key: Key
    number: int
    what: str
    lag: int
    """ns by which B did it later; negative for earlier."""


class Payment(msgspec.Struct, frozen=True):
    """A fee, a funding or another payment that differs; amounts as text, empty where there was none."""

    ts: int
    key: Key
    number: int
    kind: str
    a: str
    b: str


@dataclass
class LanePair:
    """A lane of both runs, with what was counted in it."""

    key: Key
    a: Lane | None
    b: Lane | None
    alike: int = 0
    """Orders that went the same way in both, paired by their sequence."""
    fills: int = 0
    """Fills that are the same in both, of whichever orders, before the first that is not."""
    common: int = 0
    """Orders of the same side, price and quantity in both, at whatever place."""

    def count(self, of: Callable[[Lane], int]) -> tuple[int, int]:
        """A figure of both."""
        return (of(self.a) if self.a else 0, of(self.b) if self.b else 0)


class MoneyPair(msgspec.Struct, frozen=True):
    """One currency of both runs; a row is None where the run did not have the currency."""

    currency: str
    a: MoneyRow | None
    b: MoneyRow | None

    def amounts(self, line: str) -> tuple[Decimal, Decimal]:
        """A line of the money table in both."""
        return _amount(self.a, line), _amount(self.b, line)

    def untold(self, line: str) -> tuple[bool, bool]:
        """Whether a run does not tell this line, as an imported one may not."""
        return tuple(row is not None and line in row.untold for row in (self.a, self.b))  # type: ignore[return-value]

    @property
    def is_same(self) -> bool:
        """Whether every line that both tell is the same."""
        return all(any(self.untold(line)) or a == b for line in MONEY_LINES for a, b in [self.amounts(line)])

    @property
    def is_idle(self) -> bool:
        """True where it is the same and neither run moved it."""
        return self.is_same and all(row is None or row.is_idle for row in (self.a, self.b))


MONEY_LINES = ("starting_balance", "transfers", "realized_pnl", "funding", "fees", "unrealized_pnl", "equity")


@dataclass
class Comparison:
    """What two runs have in common and where they part."""

    a: RunResult
    b: RunResult
    tolerance: int
    """ns by which times may differ."""
    shift: int = 0
    """ns to add to a time of B to have it on the clock of A; 0 where both ran on the same market time."""
    lanes: list[LanePair] = field(default_factory=list)
    start: list[Gap] = field(default_factory=list)
    """What was different before the first order: mode, seed, versions, code, parameters, fees, balances, data."""
    config: list[Gap] = field(default_factory=list)
    """Values of the config that differ, by their paths."""
    differences: list[Difference] = field(default_factory=list)
    """Everything that was not done alike, in the order of time."""
    timed: int = 0
    """How many times were compared."""
    late: list[Late] = field(default_factory=list)
    fees: list[Payment] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    money: list[MoneyPair] = field(default_factory=list)
    positions: list[Gap] = field(default_factory=list)
    """Positions at the end that differ."""
    notes: list[str] = field(default_factory=list)
    """How the comparison was made, where that is not as usual."""
    fills_alike: bool = True
    """Whether the fills are the same in their sequence, or order by order."""
    has_journal: tuple[bool, bool] = (True, True)

    @property
    def first(self) -> Difference | None:
        """Where the runs part."""
        return self.differences[0] if self.differences else None

    @property
    def alike(self) -> dict[str, bool]:
        """Aspect by aspect, whether the runs are the same."""
        return {
            "orders": all(one.kind in ("filled", "forced") for one in self.differences),
            "fills": self.fills_alike,
            "times": not self.late,
            "fees": not self.fees,
            "payments": not self.payments,
            "money": all(pair.is_same for pair in self.money),
            "positions": not self.positions,
        }

    @property
    def same(self) -> bool:
        """True where every aspect is."""
        return all(self.alike.values())


def compare(a: Course, b: Course, tolerance: int = STEP) -> Comparison:
    """Hold two runs side by side.

    :param tolerance: ns by which times may differ.
    """
    return _Comparer(a, b, tolerance).compare()


class _Comparer:
    def __init__(self, a: Course, b: Course, tolerance: int) -> None:
        self._a, self._b = a, b
        self._found = Comparison(a.result, b.result, tolerance, has_journal=(a.has_journal, b.has_journal))
        self._strategies = _partners(
            [row.name for row in a.result.strategies], [row.name for row in b.result.strategies]
        )
        # A currency that both call the same keeps its name.
        shared = {row.currency for row in a.result.money} & {row.currency for row in b.result.money}
        self._currencies = tuple(_unified_currencies(run, shared) for run in (a.result, b.result))

    def compare(self) -> Comparison:
        found = self._found
        for name_b, name_a in self._strategies.items():
            if name_b != name_a:
                found.notes.append(f"strategy {name_a} of A is compared with {name_b} of B")
        found.lanes = list(self._lane_pairs())
        found.shift = self._shift()
        for pair in found.lanes:
            self._compare_lane(pair)
        found.differences.sort(key=lambda one: (one.ts, RANK[one.kind]))
        found.late.sort(key=lambda one: one.ts)
        self._compare_money()
        self._compare_positions()
        found.start = list(self._start())
        found.config = list(_gaps(self._a.result.told, self._config_of_b()))
        for name, course in (("A", self._a), ("B", self._b)):
            if not course.has_journal:
                found.notes.append(
                    f"{name} has no journal: orders are compared as they ended, not with every amend on the way"
                )
        return found

    # -- what belongs together

    def _lane_pairs(self) -> Iterator[LanePair]:
        partners = dict(self._lane_partners())
        for key, lane in self._a.lanes.items():
            yield LanePair(key, lane, self._b.lanes.get(partners[key]) if key in partners else None)
        taken = set(partners.values())
        for key, lane in self._b.lanes.items():
            if key not in taken:
                yield LanePair(key, None, lane)

    def _lane_partners(self) -> Iterator[tuple[Key, Key]]:
        """Lanes of A with their lanes of B: the same names, else the only market that is left of a strategy."""
        for strategy in dict.fromkeys(key.strategy for key in self._b.lanes):
            name_a = self._strategies.get(strategy, strategy)
            markets_a = list(dict.fromkeys(key.market for key in self._a.lanes if key.strategy == name_a))
            markets_b = list(dict.fromkeys(key.market for key in self._b.lanes if key.strategy == strategy))
            for market_b, market_a in _partners(markets_a, markets_b).items():
                legs_b = [key for key in self._b.lanes if (key.strategy, key.market) == (strategy, market_b)]
                for key in legs_b:
                    theirs = Key(name_a, market_a, key.leg)
                    if theirs in self._a.lanes:
                        if market_a != market_b:
                            self._found.notes.append(f"{market_a} of A is compared with {market_b} of B")
                        yield theirs, key

    def _shift(self) -> int:
        """Runs over the same data have one time; others are counted from their starts, where that fits better."""
        try:
            shift = parse_time(self._a.result.started) - parse_time(self._b.result.started)
        except ValueError:
            return 0
        lags = [
            one.ts - other.ts
            for pair in self._found.lanes
            if pair.a is not None and pair.b is not None
            for one, other in zip(pair.a.orders[:_SAMPLE], pair.b.orders[:_SAMPLE], strict=False)
        ]
        if not shift or not lags or median(map(abs, lags)) <= median(abs(lag - shift) for lag in lags):
            return 0
        self._found.notes.append("times are counted from the start of each run, and shown in those of A")
        return shift

    # -- a lane

    def _compare_lane(self, pair: LanePair) -> None:
        lane_a, lane_b = pair.a, pair.b
        orders_a = lane_a.orders if lane_a is not None else []
        orders_b = lane_b.orders if lane_b is not None else []
        measures = self._measures(pair)
        for at in range(max(len(orders_a), len(orders_b))):
            one = orders_a[at] if at < len(orders_a) else None
            other = orders_b[at] if at < len(orders_b) else None
            if one is None or other is None:
                self._only(pair, at + 1, one, other)
                continue
            difference = OrderPair(pair.key, at + 1, one, other, measures, self._found.shift).first()
            if difference is None:
                pair.alike += 1
                self._compare_details(pair, at + 1, one, other)
            else:
                self._found.differences.append(difference)
        keys = [
            Counter(signature(order, measure) for order in orders)
            for orders, measure in ((orders_a, measures[0]), (orders_b, measures[1]))
        ]
        pair.common = (keys[0] & keys[1]).total()
        self._compare_forced(pair, measures)
        self._compare_fills(pair, measures)
        self._compare_payments(pair)

    def _only(self, pair: LanePair, number: int, one: OrderCourse | None, other: OrderCourse | None) -> None:
        there = one or other
        assert there is not None
        ts = there.ts if one is not None else there.ts + self._found.shift
        self._found.differences.append(Difference(kind="only", ts=ts, key=pair.key, number=number, a=one, b=other))

    def _measures(self, pair: LanePair) -> tuple[Measure, Measure]:
        """How quantities are counted: as they are where a 1 is the same in both, else in what a contract is of."""
        if pair.a is None or pair.b is None:
            return as_it_is, as_it_is
        a, b = pair.a.market, pair.b.market
        if not (a.contract_size and b.contract_size):
            return as_it_is, as_it_is
        if (a.contract_size, pair.a.is_inverse) == (b.contract_size, pair.b.is_inverse):
            return as_it_is, as_it_is
        in_base = pair.a.is_inverse != pair.b.is_inverse
        counted = "the base currency" if in_base or not pair.a.is_inverse else "the quote currency"
        self._found.notes.append(
            f"a quantity of 1 in {pair.key.market} is 1 {a.unit} in A and 1 {b.unit} in B: quantities are compared in "
            f"{counted}"
        )
        return (
            sized(a.contract_size, by_price=in_base and pair.a.is_inverse),
            sized(b.contract_size, by_price=in_base and pair.b.is_inverse),
        )

    def _compare_details(self, pair: LanePair, number: int, one: OrderCourse, other: OrderCourse) -> None:
        """Times and fees of an order that went the same way in both."""
        self._time(pair, number, "placed", one.ts, other.ts)
        for what, there in zip(one.asked, other.asked, strict=True):
            self._time(pair, number, what.kind, what.ts, there.ts)
        for fill, same in zip(one.fills, other.fills, strict=True):
            self._time(pair, number, "fill", fill.ts, same.ts)
            self._compare_fee(pair, number, fill, same)
        if one.ended_ts is not None and other.ended_ts is not None:
            self._time(pair, number, "end", one.ended_ts, other.ended_ts)

    def _time(self, pair: LanePair, number: int, what: str, a: int, b: int) -> None:
        self._found.timed += 1
        lag = b + self._found.shift - a
        if abs(lag) > self._found.tolerance:
            self._found.late.append(Late(min(a, a + lag), pair.key, number, what, lag))

    def _compare_fee(self, pair: LanePair, number: int, one: FillRow, other: FillRow) -> None:
        texts = [self._paid(row, side) for side, row in enumerate((one, other))]
        if texts[0] != texts[1]:
            shown = [f"{text} {row.liquidity}".strip() for (text, _), row in zip(texts, (one, other), strict=True)]
            self._found.fees.append(Payment(one.ts, pair.key, number, "fee", shown[0], shown[1]))

    def _paid(self, row: FillRow, side: int) -> tuple[str, str]:
        """Amount with its currency under the name that both runs know, and whether it was paid as a maker."""
        code = self._currencies[side].get(row.fee_currency, row.fee_currency)
        return f"{plain(row.fee)} {code}", row.liquidity

    def _compare_forced(self, pair: LanePair, measures: tuple[Measure, Measure]) -> None:
        forced_a = pair.a.forced if pair.a is not None else []
        forced_b = pair.b.forced if pair.b is not None else []
        for at in range(max(len(forced_a), len(forced_b))):
            one = forced_a[at] if at < len(forced_a) else None
            other = forced_b[at] if at < len(forced_b) else None
            gaps = fill_gaps(one, other, measures)
            if gaps:
                ts = earliest(one.ts if one else None, other.ts + self._found.shift if other else None)
                self._found.differences.append(
                    Difference(
                        kind="forced", ts=ts, key=pair.key, number=0, part=at + 1, did_a=one, did_b=other, gaps=gaps
                    )
                )
            elif one is not None and other is not None:
                self._time(pair, 0, one.kind, one.ts, other.ts)
                self._compare_fee(pair, 0, one, other)

    def _compare_fills(self, pair: LanePair, measures: tuple[Measure, Measure]) -> None:
        """The fills as they came, of whichever orders: an imported run may not know all of its orders."""
        fills_a = pair.a.fills if pair.a is not None else []
        fills_b = pair.b.fills if pair.b is not None else []
        pair.fills = fills_in_step(fills_a, fills_b, measures)
        if pair.fills == len(fills_a) == len(fills_b):
            return
        if len(fills_a) == len(fills_b) and not any(one.key == pair.key for one in self._found.differences):
            pair.fills = len(fills_a)  # of two orders, in one moment, told in another order
            return
        self._found.fills_alike = False

    def _compare_payments(self, pair: LanePair) -> None:
        payments_a = pair.a.payments if pair.a is not None else []
        payments_b = pair.b.payments if pair.b is not None else []
        for at in range(max(len(payments_a), len(payments_b))):
            one = payments_a[at] if at < len(payments_a) else None
            other = payments_b[at] if at < len(payments_b) else None
            texts = [
                "" if row is None else f"{row.kind} {self._paid(row, side)[0]}" for side, row in enumerate((one, other))
            ]
            if texts[0] != texts[1]:
                ts = earliest(one.ts if one else None, other.ts + self._found.shift if other else None)
                kind = (one or other).kind  # type: ignore[union-attr]
                self._found.payments.append(Payment(ts, pair.key, at + 1, kind, texts[0], texts[1]))
            elif one is not None and other is not None:
                self._time(pair, 0, one.kind, one.ts, other.ts)

    # -- the ends and the beginnings

    def _compare_money(self) -> None:
        rows_a, rows_b = (
            {names.get(row.currency, row.currency): row for row in result.money}
            for names, result in zip(self._currencies, (self._a.result, self._b.result), strict=True)
        )
        self._found.money = [MoneyPair(code, rows_a.get(code), rows_b.get(code)) for code in {**rows_a, **rows_b}]

    def _compare_positions(self) -> None:
        ends_a, ends_b = _positions(self._a), _positions(self._b)
        for name in {**ends_a, **ends_b}:
            a, b = ends_a.get(name, ("0", "")), ends_b.get(name, ("0", ""))
            if not all(equal(one, other) for one, other in zip(a, b, strict=True)):
                self._found.positions.append(Gap(name, *(_position_text(*one) for one in (a, b))))

    def _start(self) -> Iterator[Gap]:
        a, b = self._a.result, self._b.result
        facts_a, facts_b = _facts(a), _facts(b)
        yield from _gaps(facts_a, facts_b)
        yield from _data_gaps(a, b)
        named_b = {self._strategies.get(row.name, row.name): row for row in b.strategies}
        told = {gap.name for gap in _gaps(a.told, self._config_of_b())}
        for row in a.strategies:
            other = named_b.get(row.name)
            if other is None:
                continue
            yield from _gaps({f"{row.name}: code": row.code}, {f"{row.name}: code": other.code})
            for gap in _gaps(row.params, other.params):
                if f"strategies.{row.name}.params.{gap.name}" not in told:
                    yield Gap(f"{row.name}: {gap.name}", gap.a, gap.b)
        for pair in self._found.lanes:
            if pair.a is not None and pair.b is not None:
                yield from _gaps(_market_facts(pair.a), _market_facts(pair.b))
        for money in self._found.money:
            start_a, start_b = money.amounts("starting_balance")
            if start_a != start_b:
                yield Gap(f"starting balance {money.currency}", f"{start_a:f}", f"{start_b:f}")

    def _config_of_b(self) -> dict[str, str]:
        """The config of B under the strategies' names of A, so that a strategy that bears another is compared too."""
        values = {}
        for path, text in self._b.result.told.items():
            parts = path.split(".")
            if len(parts) > 2 and parts[0] == "strategies":
                parts[1] = self._strategies.get(parts[1], parts[1])
            values[".".join(parts)] = text
        return values


# -- reading the rows


def _partners(names_a: Sequence[str], names_b: Sequence[str]) -> dict[str, str]:
    """Names of B with those of A that they are compared with: the same, else the only one that is left on each side."""
    found = {name: name for name in names_b if name in names_a}
    left_a = [name for name in names_a if name not in found]
    left_b = [name for name in names_b if name not in found]
    if len(left_a) == len(left_b) == 1:
        found[left_b[0]] = left_a[0]
    return found


def _gaps(a: dict[str, str], b: dict[str, str]) -> Iterator[Gap]:
    for name in {**a, **b}:
        one, other = a.get(name, ""), b.get(name, "")
        if one != other:
            yield Gap(name, one, other)


def _facts(result: RunResult) -> dict[str, str]:
    """What a run is made of, as far as it is not in the config."""
    return {
        "mode": result.mode,
        "seed": "not told" if "seed" in result.untold else str(result.seed),
        "started": result.started,
        "latency": latency_text(result.latency_ns),
        "fill model": result.fill_model or "the venue's own",
        "hbkit": result.hbkit_version,
        "python": result.python_version,
        "plugins": ", ".join(result.plugin_versions),
    }


def _data_gaps(a: RunResult, b: RunResult) -> Iterator[Gap]:
    """What the data of both were, part by part; parts that only one has make one line."""
    parts_a, parts_b = (
        {row.part: f"{row.origin}: {row.text}" for row in sorted(run.provenance, key=_origin)} for run in (a, b)
    )
    yield from _gaps(
        {f"data: {part}": text for part, text in parts_a.items() if part in parts_b},
        {f"data: {part}": text for part, text in parts_b.items() if part in parts_a},
    )
    only_a, only_b = (", ".join(sorted({*one} - {*other})) for one, other in ((parts_a, parts_b), (parts_b, parts_a)))
    if only_a or only_b:
        yield Gap("data", only_a, only_b)


def _origin(row: ProvenanceRow) -> tuple[str, str, str]:
    return row.part, row.origin, row.text


def _market_facts(lane: Lane) -> dict[str, str]:
    row, name = lane.market, lane.key.market
    return {
        f"{name}: tick": row.tick,
        f"{name}: lot": row.lot,
        f"{name}: unit": row.unit,
        f"{name}: maker fee": plain(row.maker_fee),
        f"{name}: taker fee": plain(row.taker_fee),
    }


def _unified_currencies(result: RunResult, shared: set[str]) -> dict[str, str]:
    """Codes of settlement currencies with their names in unified symbols: `XBT` is the BTC of `BTC/USD:BTC`.

    :param shared: codes that both runs know, which are left as they are.
    """
    found: dict[str, str] = {}
    for row in result.instruments:
        if row.settle and row.unified and row.settle not in shared:
            settled = row.unified.partition(":")[2].partition("-")[0] or row.unified.partition("/")[2]
            found.setdefault(row.settle, settled or row.settle)
    # Two codes under one name could not be told apart any more.
    return {code: name for code, name in found.items() if list(found.values()).count(name) == 1}


def _positions(course: Course) -> dict[str, tuple[str, str]]:
    """Quantity and entry price of each position at the end."""
    markets = {(row.exchange, row.symbol): row.unified for row in course.result.instruments}
    return {
        f"{markets.get((row.exchange, row.instrument)) or row.instrument} {row.side}": (row.qty, row.entry_price)
        for row in course.result.positions
    }


def _position_text(qty: str, entry: str) -> str:
    return f"{qty} at {entry}" if entry else "none"


def _amount(row: MoneyRow | None, line: str) -> Decimal:
    return Decimal(0) if row is None else Decimal(row.unit.text(getattr(row, line)))
