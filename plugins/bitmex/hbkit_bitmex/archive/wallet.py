"""The movements of one account out of several wallet histories: none twice, in the order of their booking, and held
against the balances that stand beside them.

Rows that share a second may share one final `walletBalance`, so whole groups of a second and a currency are checked.
Where balance and amounts part, the difference is a gap: it is told with its place and counted as what it is,
unexplained.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hbkit.clock import DAY, SECOND
from hbkit.model import Currency
from hbkit_bitmex.archive.cells import Movement, Sheet
from hbkit_bitmex.archive.merging import merged

TRADING = frozenset({"RealisedPNL", "Funding", "SpotTrade"})
"""What trading did; everything else that counts was paid in or out, or given."""
TRANSFERS = frozenset({"Deposit", "Withdrawal", "Transfer", "AffiliatePayout", "Conversion"})
LATEST_COMPLETION = 7 * DAY
"""How much later than it was asked for a withdrawal is looked for among the balances."""


@dataclass(frozen=True)
class Gap:
    """Between this group and the one before the balance moved by `amount` more than the rows say."""

    last: Movement
    amount: int


@dataclass
class Purse:
    """The wallet of one currency: its movements in order, what it began with and what it ends with."""

    currency: Currency
    start: int = 0
    balance: int = 0
    movements: list[Movement] = field(default_factory=list)
    balances: list[tuple[int, int]] = field(default_factory=list)
    """Time and balance after each group."""
    gaps: list[Gap] = field(default_factory=list)
    since: int = 0
    until: int = 0
    """What the files cover that speak of this currency: from their first row to their last."""
    is_told: bool = True
    """False where no row has a balance, so that they count from 0."""

    @property
    def unexplained(self) -> int:
        """All gaps together."""
        return sum(gap.amount for gap in self.gaps)


@dataclass
class Wallet:
    """All currencies, and what was left out of them."""

    purses: dict[str, Purse] = field(default_factory=dict)
    open_profit: list[Movement] = field(default_factory=list)
    """The pseudo rows, of each currency those of its newest file."""
    left_out: list[Movement] = field(default_factory=list)
    """Canceled, pending, or of a status that nobody knows: kept, not counted."""
    notes: list[str] = field(default_factory=list)


def wallet(read: Sequence[Sheet]) -> Wallet:
    """The wallet that the sheets tell of. Raises DataError where two rows of one id say different things."""
    told = Wallet()
    kept = _merged([sheet for sheet in read if sheet.movements], told)
    told.open_profit = _open_profit(read)
    counting = [one for one in kept if one.counts]
    told.left_out = [one for one in kept if not one.counts]
    odd = [one for one in told.left_out if one.status not in ("Canceled", "Pending")]
    if odd:
        first, count = odd[0], len(odd)
        told.notes.append(
            f'warning[HB516] {first.row.place} status "{first.status}" is unknown: {count:,} such rows do not count'
        )
    unknown = Counter(one.kind for one in counting if one.kind not in TRADING | TRANSFERS)
    for kind, count in unknown.items():
        first = next(one for one in counting if one.kind == kind)
        told.notes.append(
            f'warning[HB516] {first.row.place} transactType "{kind}" is unknown: {count:,} such rows count as transfers'
        )
    by_currency: dict[str, list[Movement]] = defaultdict(list)
    for one in counting:
        by_currency[one.currency.code].append(one)
    for code, movements in sorted(by_currency.items()):
        purse = told.purses[code] = _purse(movements)
        files = {one.row.file for one in movements}
        spans = [one.ts for sheet in read for one in sheet.movements if one.row.file in files and one.ts]
        purse.since, purse.until = min(spans), max(spans)
        told.notes += _gap_notes(purse)
    return told


def _open_profit(read: Sequence[Sheet]) -> list[Movement]:
    """Open profit has no time: it was so when the file was made. Of each currency the newest file tells it."""
    newest: dict[str, list[Movement]] = {}
    for sheet in sorted(read, key=lambda sheet: max((one.ts for one in sheet.movements), default=0)):
        for code in {one.currency.code for one in sheet.movements}:
            newest[code] = [one for one in sheet.movements if not one.ts and one.currency.code == code]
    return [one for _, rows in sorted(newest.items()) for one in rows]


# -- none twice


def _merged(read: Sequence[Sheet], told: Wallet) -> list[Movement]:
    """Every movement once, the oldest first; what was pending in an older file is booked by a newer one."""
    files = [[one for one in sheet.movements if one.ts] for sheet in read]
    kept, twice = merged(files, _looks, _contradiction, replaces=lambda new, old: new.counts and not old.counts)
    if twice:
        place = twice[0].row.place
        told.notes.append(f"note[HB515] {place}: {len(twice):,} rows are there more than once and count once")
    return kept


def _contradiction(one: Movement, before: Movement) -> str:
    if not (before.counts and one.counts) or (before.amount, before.currency) == (one.amount, one.currency):
        return ""
    return (
        f"transactID {one.id}: {one.amount} {one.currency}, but {before.row.place} says {before.amount} "
        f"{before.currency}; one of the files was changed, leave it out"
    )


def _looks(one: Movement) -> tuple[object, ...]:
    return (one.transacted // SECOND, one.currency, one.kind, one.amount, one.balance, one.counts)


# -- against the balances


@dataclass
class _Group:
    """Movements of one second."""

    movements: list[Movement]

    @property
    def total(self) -> int:
        return sum(one.amount for one in self.movements)

    @property
    def told(self) -> list[int]:
        return [one.balance for one in self.movements if one.balance is not None]

    @property
    def ts(self) -> int:
        return self.movements[-1].ts

    def ends_at(self, balance: int) -> bool:
        """True where this may be the balance after it; also where no row says anything."""
        return not self.told or balance in self.told


def _purse(movements: list[Movement]) -> Purse:
    """One currency, group by group."""
    seconds: dict[int, list[Movement]] = defaultdict(list)
    for one in movements:
        seconds[one.ts // SECOND].append(one)
    groups = [_Group(rows) for rows in seconds.values()]
    purse = Purse(movements[0].currency)
    first = next((group for group in groups if group.told), None)
    purse.is_told = first is not None
    if first is not None:
        at = groups.index(first)
        purse.start = first.told[-1] - sum(group.total for group in groups[: at + 1])
    balance = purse.start
    while groups:
        at = 0 if groups[0].ends_at(balance + groups[0].total) else _fits_later(groups, balance)
        if at:
            groups.insert(at, groups.pop(0))
        group = groups.pop(0)
        balance += group.total
        if not group.ends_at(balance):
            said = min(group.told, key=lambda told: abs(told - balance))
            purse.gaps.append(Gap(group.movements[-1], said - balance))
            balance = said
        purse.movements += group.movements
        purse.balances.append((max(group.ts, purse.balances[-1][0]) if purse.balances else group.ts, balance))
    purse.balance = balance
    return purse


def _fits_later(groups: Sequence[_Group], balance: int) -> int:
    """After how many of the following groups the first one was booked; 0 where it fits nowhere.

    A withdrawal is booked when it is completed, and a file without `timestamp` knows only when it was asked for.
    """
    group = groups[0]
    if any(one.kind in TRADING for one in group.movements):
        return 0
    for at, other in enumerate(groups[1:], 1):
        balance += other.total
        if other.ts - group.ts > LATEST_COMPLETION or not other.ends_at(balance):
            return 0
        if group.ends_at(balance + group.total):
            return at
    return 0


def _gap_notes(purse: Purse) -> Iterable[str]:
    code, unit = purse.currency.code, purse.currency
    if not purse.is_told:
        yield f"warning[HB517] {code}: no row has a walletBalance; balances count from 0 and nothing could be checked"
    for gap in purse.gaps[:5]:
        yield (
            f"warning[HB517] {gap.last.row.place} the balance is {unit.text(gap.last.balance or 0)} {code}, "
            f"{unit.text(abs(gap.amount))} {'more' if gap.amount > 0 else 'less'} than the rows before it make: "
            "rows are "
            "missing there, or the files are of two accounts"
        )
    if len(purse.gaps) > 5:
        yield f"warning[HB517] {len(purse.gaps) - 5:,} more gaps of {code}: see the table of gaps"
