"""The run that an account's files make: the same result as any run leaves, with tables of what only such files tell."""

from __future__ import annotations

import hashlib
import platform
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from hbkit.clock import DAY, iso
from hbkit.model import Currency, Instrument, PositionSide
from hbkit.report.result import ExtraTable, FillRow, InstrumentRow, PositionRow, ProvenanceRow, RunResult, StrategyRow
from hbkit.runtime.record import Recorder
from hbkit.version import VERSION
from hbkit_bitmex.archive.cells import Sheet
from hbkit_bitmex.archive.course import Move, equity, moves
from hbkit_bitmex.archive.sessions import Books, books, notes
from hbkit_bitmex.archive.trades import Booked, Trades
from hbkit_bitmex.archive.wallet import Wallet
from hbkit_bitmex.wire import NIL_GUID

MODE = "import"


@dataclass
class Account:
    """Everything that the files tell of one account."""

    sheets: Sequence[Sheet]
    wallet: Wallet
    trades: Trades
    books: list[Books]

    @classmethod
    def of(cls, sheets: Sequence[Sheet], wallet: Wallet, trades: Trades) -> Account:
        """The account, with its wallet and its executions held against each other."""
        return cls(sheets, wallet, trades, books(wallet, trades))

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last moment of it."""
        times = [one.ts for purse in self.wallet.purses.values() for one in purse.movements]
        times += [one.line.ts for one in self.trades.booked] + [one.ts for one in self.trades.unbooked]
        times += [one.ts for one in self.wallet.left_out]
        return (min(times), max(times)) if times else (0, 0)

    @property
    def identity(self) -> str:
        """A hash of what the account did, the same whatever the files are called and however they overlap."""
        facts = [
            f"{one.ts} {one.kind} {one.currency} {one.amount} {one.balance} {one.symbol} {one.id}"
            for purse in self.wallet.purses.values()
            for one in purse.movements
        ]
        facts += [f"{one.kind} {one.currency} {one.amount} {one.symbol}" for one in self.wallet.open_profit]
        for booked in self.trades.booked:
            done = booked.execution
            identity = booked.line.id or booked.line.values.orderID
            facts.append(
                f"{done.ts} {done.kind} {done.instrument} {done.units * done.side.sign} {done.position_side} "
                f"{done.price} "
                f"{done.cost} {done.fee} {identity}"
            )
        return hashlib.sha256("\n".join(sorted(facts)).encode()).hexdigest()


def result(account: Account, name: str, strategy: str = "") -> RunResult:
    """The result; its id follows from what is in the files, so that the same files make the same run.

    :param strategy: whose the account's orders were; empty where nobody says.
    """
    start, end = account.span
    identity = account.identity
    days = f"{iso(start)[:10]}-{iso(end)[:10]}".replace("-", "")
    run_id = f"{name}-{days[:8]}-{days[8:]}-{identity[:8]}"
    courses = [(mine, moves(mine, account.trades)) for mine in account.books]
    has_fills = bool(account.trades.rows)
    return RunResult(
        run_id=run_id,
        name=name,
        mode=MODE,
        seed=0,
        started=iso(start),
        stopped=iso(end),
        stop_reason="end_of_data",
        exit_code=0,
        events=sum(len(sheet.movements) + len(sheet.executions) for sheet in account.sheets),
        orders=len(account.trades.orders),
        fills=sum(booked.execution.kind.moves_position for booked in account.trades.booked),
        rejects=account.trades.rejects,
        money=[mine.row() for mine in account.books],
        positions=list(_positions(account.trades)),
        journal_hash=identity,
        equity_series=equity(courses, start, end),
        strategies=[_strategy(account, strategy)] if strategy and has_fills else [],
        fill_rows=list(_fill_rows(account.trades, strategy)),
        order_rows=[msgspec.structs.replace(row, strategy=strategy) for row in account.trades.orders],
        provenance=[_provenance(sheet) for sheet in account.sheets],
        instruments=[_instrument(one) for one in account.trades.instruments],
        tables=[table for table in _tables(account, courses) if table.rows],
        untold=["seed"] if has_fills else ["seed", "orders", "fills", "positions"],
        warnings=[
            *(note for sheet in account.sheets for note in sheet.notes),
            *account.wallet.notes,
            *account.trades.notes,
            *notes(account.books, account.wallet),
        ],
        python_version=platform.python_version(),
        hbkit_version=VERSION,
    )


def _strategy(account: Account, name: str) -> StrategyRow:
    trades = account.trades
    fills = sum(booked.execution.kind.moves_position for booked in trades.booked)
    realized = {mine.currency.code: mine.realized for mine in account.books if mine.booked}
    return StrategyRow(name=name, orders=len(trades.orders), fills=fills, realized_pnl=realized)


def _fill_rows(trades: Trades, strategy: str) -> Iterator[FillRow]:
    """The booked executions as rows of the report.

    An order of the website has no client id and goes by the exchange's; what belongs to no order is no strategy's.
    """
    recorder = Recorder()
    for booked in trades.booked:
        recorder.execution(None, booked.execution, booked.realized)
    for row, booked in zip(recorder.fills, trades.booked, strict=True):
        identity = row.order_id or (booked.line.values.orderID or "").replace(NIL_GUID, "")
        yield msgspec.structs.replace(row, order_id=identity, strategy=strategy if identity else "")


def _positions(trades: Trades) -> Iterator[PositionRow]:
    for side, leg in trades.ledger.legs:
        if leg.units and not leg.instrument.is_spot:
            held = side if side is not PositionSide.NET else PositionSide.LONG if leg.units > 0 else PositionSide.SHORT
            yield PositionRow(
                exchange=leg.instrument.exchange,
                instrument=leg.instrument.symbol,
                side=held.value,
                qty=leg.instrument.qty_text(leg.units),
                entry_price=f"{leg.entry_price:.12g}",
            )


def _instrument(market: Instrument) -> InstrumentRow:
    return InstrumentRow(
        exchange=market.exchange,
        symbol=market.symbol,
        kind=market.kind.value,
        unit=market.unit_text if market.quote else "contract",
        tick=str(market.tick_size),
        lot=str(market.lot_size),
        maker_fee=str(market.maker_fee) if market.quote else "",
        taker_fee=str(market.taker_fee) if market.quote else "",
        quote=market.quote,
        unified=market.unified if market.quote else "",
        contract_size=f"{market.contract_size:.15g}",
    )


def _provenance(sheet: Sheet) -> ProvenanceRow:
    times = [one.ts for one in sheet.movements if one.ts] + [one.ts for one in sheet.executions]
    span = f", {iso(min(times))[:19]} to {iso(max(times))[:19]} UTC" if times else ""
    rows = len(sheet.movements) + len(sheet.executions)
    return ProvenanceRow(part=sheet.kind, origin="recorded", text=f"{sheet.file.path.name}: {rows:,} rows{span}")


# -- the tables


def _tables(account: Account, courses: Sequence[tuple[Books, Sequence[Move]]]) -> Iterator[ExtraTable]:
    yield _by_instrument(account)
    yield _by_kind(account)
    yield _gaps(account)
    yield _differences(account)
    yield _by_day(courses)


def _by_day(courses: Sequence[tuple[Books, Sequence[Move]]]) -> ExtraTable:
    rows: list[tuple[str, str, list[str]]] = []
    for mine, course in courses:
        unit, untold, balance = mine.currency, mine.row().untold, mine.start
        days: dict[int, list[Move]] = defaultdict(list)
        for move in course:
            days[move.ts // DAY].append(move)
        for day, mine_of_day in days.items():
            balance += sum(move.amount for move in mine_of_day)
            cells = []
            for name, field in (("transfer", ""), ("realized", ""), ("funding", "funding"), ("fee", "fees")):
                total = sum(getattr(move, name) for move in mine_of_day)
                cells.append("" if field in untold else unit.text(total))
            date = iso(day * DAY)[:10]
            rows.append((date, unit.code, [date, unit.code, *cells, unit.text(balance)]))
    rows.sort(key=lambda row: row[:2])
    heads = ["Day, UTC", "Currency", "Transfers", "Realized", "Funding", "Fees", "Balance at its end"]
    shown = [at for at in range(len(heads)) if any(cells[at] for _, _, cells in rows)]
    return ExtraTable(
        title="By day",
        heads=[heads[at] for at in shown],
        rows=[[cells[at] for at in shown] for _, _, cells in rows],
        numbers=list(range(2, len(shown))),
        note="The balance is without open profit: what was settled, and what executions earned since.",
    )


@dataclass
class _Sums:
    fills: int = 0
    bought: int = 0
    sold: int = 0
    realized: int = 0
    funding: int = 0
    fees: int = 0
    settled: int = 0


def _by_instrument(account: Account) -> ExtraTable:
    sums: dict[tuple[str, Currency], _Sums] = defaultdict(_Sums)
    markets = {(one.symbol, one.settle): one for one in account.trades.instruments}
    for booked in account.trades.booked:
        _add(sums[booked.execution.instrument.symbol, booked.execution.instrument.settle], booked)
    for mine in account.books:
        for settled in mine.settled:
            sums[settled.symbol or "not told", settled.currency].settled += settled.amount
    has_fills = bool(account.trades.booked)
    heads = ["Instrument", "Currency"]
    if has_fills:
        heads += ["Fills", "Bought", "Sold", "Realized", "Funding", "Fees"]
    has_settled = any(one.settled for one in sums.values())
    if has_settled or not has_fills:
        heads.append("Settled without executions" if has_fills else "Settled, net")
    rows = []
    for (symbol, currency), one in sorted(sums.items(), key=lambda item: (item[0][0], item[0][1].code)):
        cells = [symbol, currency.code]
        if has_fills:
            market = markets.get((symbol, currency))
            qty = market.qty_text if market is not None else str
            money = [currency.text(amount) for amount in (one.realized, one.funding, one.fees)]
            cells += [f"{one.fills:,}", qty(one.bought), qty(one.sold), *money]
        rows.append([*cells, currency.text(one.settled)][: len(heads)])
    return ExtraTable(title="By instrument", heads=heads, rows=rows, numbers=list(range(2, len(heads))))


def _add(one: _Sums, booked: Booked) -> None:
    done = booked.execution
    if booked.is_funding:
        one.funding -= done.fee
        return
    one.fees += done.fee
    one.realized += booked.realized
    if done.kind.moves_position:
        one.fills += 1
        if done.side.sign > 0:
            one.bought += done.units
        else:
            one.sold += done.units


def _by_kind(account: Account) -> ExtraTable:
    """What the wallet's rows are, those too that do not count."""
    totals: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    units: dict[str, Currency] = {}
    counted = [one for purse in account.wallet.purses.values() for one in purse.movements]
    for one in (*counted, *account.wallet.left_out, *account.wallet.open_profit):
        status = "booked" if one.counts and one.ts else f"not booked: {one.status}" if one.ts else "open profit"
        units[one.currency.code] = one.currency
        total = totals[one.currency.code, one.kind, status]
        for at, amount in enumerate((1, one.amount, one.fee)):
            total[at] += amount
    rows = [
        [code, kind, status, f"{count:,}", units[code].text(amount), units[code].text(fee)]
        for (code, kind, status), (count, amount, fee) in sorted(totals.items())
    ]
    return ExtraTable(
        title="The wallet's rows",
        heads=["Currency", "Kind", "Status", "Rows", "Amount", "Of it fees"],
        rows=rows,
        numbers=[3, 4, 5],
    )


def _gaps(account: Account) -> ExtraTable:
    rows = [
        [
            iso(gap.last.ts)[:19].replace("T", " "), purse.currency.code, purse.currency.text(gap.amount),
            purse.currency.text(gap.last.balance or 0), gap.last.row.short_place,
        ]
        for purse in account.wallet.purses.values()
        for gap in purse.gaps
    ]  # fmt: skip
    return ExtraTable(
        title="Gaps",
        heads=["Time, UTC", "Currency", "Missing", "Balance told", "Place"],
        rows=rows,
        numbers=[2, 3],
        note="Here the balance moved by more than the rows say. The missing amount stands among the transfers.",
    )


def _differences(account: Account) -> ExtraTable:
    rows = [
        [
            iso(one.ts)[:16].replace("T", " "),
            one.symbol,
            one.currency.code,
            one.currency.text(one.amount),
            one.row.short_place,
        ]
        for mine in account.books
        if mine.booked
        for one in mine.settled
    ]
    return ExtraTable(
        title="Settled without executions",
        heads=["Session to, UTC", "Instrument", "Currency", "More than the executions make", "Place"],
        rows=rows,
        numbers=[3],
        note="What the wallet settled beyond what the executions of the session make, or short of it.",
    )
