"""What a day settled against what its executions make of it, and the money of the account that follows from both.

BitMEX settles realised profit at 12:00 UTC (18.7.6): a RealisedPNL row holds the profit of the session less its fees
and fundings, of a symbol or of a currency. Where executions are there as well, both must say the same; a difference is
told and stays in the books as settled profit of unknown origin, so that the balance ends where the wallet says it
does. Executions after the last row of the wallet are not settled yet; those before its first row are part of what it
begins with.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from hbkit.clock import DAY, HOUR, iso
from hbkit.model import Currency, ExecutionKind
from hbkit.report.result import MoneyRow
from hbkit_bitmex.archive.cells import Movement
from hbkit_bitmex.archive.files import Row
from hbkit_bitmex.archive.trades import Booked, Trades
from hbkit_bitmex.archive.wallet import TRADING, Purse, Wallet

SESSION = 12 * HOUR
"""When sessions close, after midnight UTC."""


def close_of(ts: int, *, system: bool = False) -> int:
    """When the session closes in which this happened.

    :param system: fundings and settlements of 12:00 itself come before the close, everything else after it.
    """
    since = (ts - SESSION) % DAY
    return ts if since == 0 and system else ts - since + DAY


@dataclass(frozen=True)
class Settled:
    """Profit that the wallet settled and no execution explains; `amount` is net of fees and fundings."""

    ts: int
    currency: Currency
    symbol: str
    amount: int
    row: Row
    has_executions: bool
    """True where the session has executions, which make another sum."""


@dataclass(frozen=True)
class Earned:
    """What a contract earned at a moment, after its fee, and when its session closes."""

    ts: int
    close: int
    symbol: str
    net: int
    row: Row


@dataclass
class Books:
    """One currency of the account: everything that moved it, in minor units."""

    currency: Currency
    purse: Purse | None = None
    start: int = 0
    transfers: int = 0
    unexplained: int = 0
    realized: int = 0
    """Of the executions, gross."""
    fees: int = 0
    funding: int = 0
    settled: list[Settled] = field(default_factory=list)
    """Profit that no execution explains."""
    unsettled: int = 0
    """What executions earned after the last row of the wallet."""
    unrealized: int | None = None
    booked: list[Booked] = field(default_factory=list)
    earned: list[Earned] = field(default_factory=list)
    """What contracts earned, execution by execution, net."""
    is_told: bool = False
    """True where executions tell what trading did, or nothing was traded."""
    is_flat: bool = False
    """True where executions show that no contract is held at the end."""
    spot: int = 0
    """Of the transfers what changed hands on spot markets and is still held, at its cost."""

    @property
    def balance(self) -> int:
        """Settled money at the end."""
        return self.purse.balance if self.purse is not None else 0

    def row(self) -> MoneyRow:
        """The lines of the report's money table."""
        extra = sum(one.amount for one in self.settled)
        untold = [] if self.is_told else ["fees", *([] if self.funding else ["funding"])]
        if self.unrealized is None:
            untold.append("unrealized_pnl")
        realized = self.realized + extra
        transfers = self.transfers + self.unexplained
        open_profit = self.unrealized or 0
        return MoneyRow(
            currency=self.currency.code,
            scale=self.currency.scale,
            starting_balance=self.start,
            transfers=transfers,
            realized_pnl=realized,
            unrealized_pnl=open_profit,
            fees=self.fees,
            funding=self.funding,
            equity=self.start + transfers + realized + self.funding - self.fees + open_profit,
            untold=untold,
        )


def books(wallet: Wallet, trades: Trades) -> list[Books]:
    """Every currency that something happened in."""
    found: dict[str, Books] = {code: Books(purse.currency, purse) for code, purse in wallet.purses.items()}
    for one in trades.booked:
        instrument = one.execution.instrument
        currencies = [instrument.settle, *([instrument.base_currency] if instrument.is_spot else [])]
        for currency in currencies:
            found.setdefault(currency.code, Books(currency))
        mine = found[instrument.settle.code]
        mine.booked.append(one)
        if not instrument.is_spot:
            mine.earned.append(Earned(one.line.ts, _close(one), instrument.symbol, one.net, one.line.row))
    for netted in trades.netted:
        at = netted.line
        earned = Earned(at.ts, close_of(at.ts), netted.instrument.symbol, netted.net, at.row)
        found[netted.instrument.settle.code].earned.append(earned)
    for mine in found.values():
        mine.realized = trades.ledger.realized.get(mine.currency, 0)
        mine.fees = trades.ledger.fees.get(mine.currency, 0)
        mine.funding = trades.ledger.funding.get(mine.currency, 0)
        _fill(mine, trades)
        _open_profit(mine, wallet, trades)
    # What was traded comes first.
    return sorted(found.values(), key=lambda mine: (not (mine.booked or mine.settled), mine.currency.code))


def _fill(mine: Books, trades: Trades) -> None:
    """Start, transfers and settled profit of a currency."""
    purse = mine.purse
    traded = [one for one in purse.movements if one.kind in TRADING] if purse is not None else []
    mine.is_told = bool(mine.booked) or not any(one.kind != "SpotTrade" or not trades.booked for one in traded)
    spot = sum(_spot_moves(one, mine.currency) for one in trades.booked)
    spot_earned = sum(one.net for one in mine.booked if one.execution.instrument.is_spot)
    if purse is None:
        # Only executions tell of it: what is held counts from nothing.
        mine.spot = mine.transfers = spot - spot_earned
        mine.unsettled = sum(one.net for one in mine.earned)
        return
    mine.unexplained = purse.unexplained
    mine.transfers = sum(one.amount for one in purse.movements if one.kind not in TRADING)
    told_spot = sum(one.amount for one in purse.movements if one.kind == "SpotTrade")
    late = sum(_spot_moves(one, mine.currency) for one in trades.booked if one.line.ts > purse.until)
    early = sum(_spot_moves(one, mine.currency) for one in trades.booked if one.line.ts < purse.since)
    mine.spot = told_spot + late + early - spot_earned
    mine.transfers += mine.spot
    before = sum(one.net for one in mine.earned if one.close < purse.since)
    mine.start = purse.start - before - early
    mine.unsettled = sum(one.net for one in mine.earned if one.close > purse.until) + late
    settled = [one for one in mine.earned if purse.since <= one.close <= purse.until]
    rows = [one for one in purse.movements if one.kind in ("RealisedPNL", "Funding")]
    if not mine.booked:
        # Nothing else tells of it: fundings of the wallet are fundings.
        mine.funding = sum(one.amount for one in rows if one.kind == "Funding")
        rows = [one for one in rows if one.kind != "Funding"]
    mine.settled = list(_unexplained(mine.currency, rows, settled))


def _close(one: Booked) -> int:
    kind = one.execution.kind
    return close_of(one.line.ts, system=kind in (ExecutionKind.FUNDING, ExecutionKind.SETTLEMENT))


def _spot_moves(one: Booked, currency: Currency) -> int:
    """What a fill on a spot market moved in a currency: two wallets change (10.8)."""
    done = one.execution
    instrument = done.instrument
    if not instrument.is_spot:
        return 0
    if instrument.settle == currency:
        return -done.cost - done.fee
    return instrument.base_minor(done.units) * done.side.sign if instrument.base == currency.code else 0


def _unexplained(currency: Currency, rows: Sequence[Movement], earned: Sequence[Earned]) -> Iterator[Settled]:
    """Session by session what the wallet settled less what the executions make, where that is not nothing."""
    by_symbol = bool(rows) and all(one.symbol for one in rows)
    told: dict[tuple[int, str], int] = defaultdict(int)
    made: dict[tuple[int, str], int] = defaultdict(int)
    places: dict[tuple[int, str], Row] = {}
    for row in rows:
        key = (close_of(row.transacted, system=True), row.symbol if by_symbol else "")
        told[key] += row.amount
        places.setdefault(key, row.row)
    for one in earned:
        key = (one.close, one.symbol if by_symbol else "")
        made[key] += one.net
        places.setdefault(key, one.row)
    for key in sorted({*told, *made}):
        amount = told.get(key, 0) - made.get(key, 0)
        if amount:
            yield Settled(key[0], currency, key[1], amount, places[key], key in made)


def _open_profit(mine: Books, wallet: Wallet, trades: Trades) -> None:
    """Told by pseudo rows of the wallet; nothing where executions show that no position is open; else unknown."""
    rows = [one for one in wallet.open_profit if one.currency == mine.currency]
    held = [leg for _, leg in trades.ledger.legs if leg.units and leg.instrument.settle == mine.currency]
    contracts = [leg for leg in held if not leg.instrument.is_spot]
    mine.is_flat = bool(trades.booked) and mine.is_told and not contracts
    if rows:
        mine.unrealized = sum(one.amount for one in rows)
    elif mine.is_flat:
        mine.unrealized = 0


def notes(found: Sequence[Books], wallet: Wallet) -> Iterator[str]:
    """What the reader has to know of the money."""
    for mine in found:
        code, unit = mine.currency.code, mine.currency
        if mine.purse is None:
            yield (
                f"note[HB519] {code}: no wallet history, so balances count from 0 and deposits and withdrawals are "
                "not told"
            )
        elif not mine.is_told:
            yield (
                f"note[HB519] {code}: no executions, so fills are not told, and fees and fundings are inside of the "
                "realized "
                "profit"
            )
        if mine.unrealized is None:
            yield f"note[HB519] {code}: the files tell nothing of open profit; the equity is the settled balance"
        elif any(one.currency == unit for one in wallet.open_profit):
            yield f"note[HB519] {code}: open profit as it stood when the file was made, in rows without a time"
        if mine.spot:
            yield (
                f"note[HB519] {code}: what changed hands on spot stands among the transfers; no price is told to value "
                "it at"
            )
        if mine.booked and mine.settled:
            yield from _settled_notes(mine)
        if mine.purse is not None and mine.booked:
            early = [one for one in mine.earned if one.close < mine.purse.since]
            if early:
                yield (
                    f"warning[HB519] {code}: executions begin {iso(early[0].ts)[:10]}, the wallet history "
                    f"{iso(mine.purse.since)[:10]}: the starting balance follows from the first balance, deposits and "
                    "withdrawals before it are not told"
                )


def _settled_notes(mine: Books) -> Iterable[str]:
    unit, code = mine.currency, mine.currency.code
    alone = [one for one in mine.settled if not one.has_executions]
    other = [one for one in mine.settled if one.has_executions]
    if alone:
        yield (
            f"warning[HB518] {alone[0].row.place} {len(alone):,} times profit of {code} was settled without execution "
            f"({unit.text(sum(one.amount for one in alone))} {code}, {iso(alone[0].ts)[:10]} to "
            f"{iso(alone[-1].ts)[:10]}): "
            "counted as it stands, net of fees and fundings"
        )
    if other:
        first = other[0]
        what = first.symbol or code
        yield (
            f"warning[HB518] {first.row.place} the session of {what} to {iso(first.ts)[:16]} settled "
            f"{unit.text(abs(first.amount))} {code} {'more' if first.amount > 0 else 'less'} than its executions make; "
            f"{len(other):,} such sessions, {unit.text(sum(one.amount for one in other))} {code} together: "
            "executions are missing"
        )
