"""Rows of an account's files as typed lines: movements of the wallet and executions, every fault with its place.

All faults of all files are told at once. Columns are those of `/user/walletHistory` (8.5 of the project's BitMEX
protocol reference) and `/execution` (8.2), and the fewer ones that BitMEX's own pages exported; a column that nobody
knows is named and kept. Money is read as the integers that it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any

from hbkit.errors import DataError, Fault, did_you_mean, nearest
from hbkit.model import Currency
from hbkit_bitmex.archive.files import HistoryFile, Row
from hbkit_bitmex.archive.moments import Times, is_ambiguous, off_session, order_of
from hbkit_bitmex.instruments import currencies
from hbkit_bitmex.rows import ExecutionRow
from hbkit_bitmex.wire import NIL_GUID
from hbkit_bitmex.words import BookSide, ExecType, LiquidityInd, OrdStatus, OrdType, Strategy

WALLET = "wallet history"
EXECUTIONS = "executions"
MOST_FAULTS = 25
"""Faults shown of one import; the rest is counted."""

WALLET_COLUMNS = frozenset({
    "timestamp", "transactTime", "transactType", "transactStatus", "currency", "network", "amount", "fee",
    "walletBalance", "marginBalance", "orderID", "transactID", "address", "account", "tx", "text", "memo",
})  # fmt: skip
EXECUTION_COLUMNS = frozenset({
    "execID", "orderID", "clOrdID", "clOrdLinkID", "account", "symbol", "strategy", "side", "lastQty", "lastPx",
    "lastLiquidityInd", "orderQty", "price", "displayQty", "stopPx", "pegOffsetValue", "pegPriceType",
    "currency", "settlCurrency", "execType", "ordType", "timeInForce", "execInst", "contingencyType",
    "ordStatus", "triggered", "workingIndicator", "ordRejReason", "leavesQty", "cumQty", "avgPx", "commission",
    "brokerCommission", "feeType", "tradePublishIndicator", "text", "trdMatchID", "execCost", "execComm",
    "brokerExecComm", "homeNotional", "foreignNotional", "transactTime", "timestamp", "realisedPnl", "trdType",
    "tradePool", "pool", "underlyingLastPx", "lastMkt", "simpleOrderQty", "simpleLeavesQty", "simpleCumQty",
    "exDestination", "multiLegReportingType", "targetAccountId",
})  # fmt: skip
_OTHER_FILES = (
    ("availableMargin", "a snapshot of the margin"),
    ("currentQty", "a snapshot of positions"),
    ("ordStatus", "an order history; the fills and their money are in the execution or trade history"),
    ("trdMatchID", "public trades"),
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Movement:
    """A row of a wallet history: `amount` is signed, in minor units, and holds the fee of a withdrawal."""

    row: Row
    ts: int
    """When it was booked: `timestamp`, else `transactTime`; 0 for the pseudo rows of open profit, which have none."""
    transacted: int
    kind: str
    status: str
    currency: Currency
    amount: int
    fee: int
    balance: int | None
    symbol: str
    """The instrument, where the row is about one: `address` of settled and of open profit."""
    id: str
    account: str

    @property
    def counts(self) -> bool:
        """False for what never was booked: canceled, or still under way when the file was made."""
        return self.status in ("", "Completed", "Confirmed")


@dataclass(frozen=True)
class ExecutionLine:
    """A row of an execution or trade history."""

    row: Row
    ts: int
    values: ExecutionRow
    settle: Currency | None
    """The currency of cost and fee where the row names it."""
    id: str
    account: str


@dataclass
class Sheet:
    """The rows of one file, read."""

    file: HistoryFile
    kind: str
    movements: list[Movement] = field(default_factory=list)
    executions: list[ExecutionLine] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What is odd about it, and has not kept it from being read."""


@dataclass(frozen=True)
class Choices:
    """What the user said where files cannot tell."""

    zone: tzinfo | None = None
    order: str = ""
    currency: str = ""
    account: str = ""


def sheets(files: Iterable[HistoryFile], choices: Choices) -> list[Sheet]:
    """All files read. Raises DataError with every fault that there is."""
    faults: list[Fault] = []
    read = [_Reader(file, choices, faults).sheet() for file in files]
    if not faults:
        _one_account(read, faults)
    if faults:
        faults.sort(key=lambda fault: (fault.file or "", fault.line or 0))
        left = len(faults) - MOST_FAULTS
        more = [Fault("HB511", f"and {left:,} more of the kind; mend these first")] if left > 0 else []
        raise DataError(faults[:MOST_FAULTS] + more)
    return read


def _one_account(read: list[Sheet], faults: list[Fault]) -> None:
    """Rows of two accounts add up to nothing."""
    first: Movement | ExecutionLine | None = None
    for sheet in read:
        lines: list[Movement | ExecutionLine] = [*sheet.movements, *sheet.executions]
        for line in lines:
            if not line.account:
                continue
            first = first or line
            if line.account != first.account:
                message = (
                    f"account {line.account}, but {first.row.place} is of account {first.account}; import one "
                    "account at a "
                    f"time: --account {first.account} takes its rows only"
                )
                faults.append(Fault("HB513", message, line.row.file, line.row.line))
                return


class _Wrong(ValueError):
    """A cell that cannot be read: the message names column, cause and mend."""


class _Reader:
    """Reads the rows of one file, and collects what is wrong with them."""

    def __init__(self, file: HistoryFile, choices: Choices, faults: list[Fault]) -> None:
        self._file = file
        self._choices = choices
        self._faults = faults
        self._times = Times(choices.zone)
        self._ambiguous: list[Row] = []
        faults += file.broken

    def sheet(self) -> Sheet:
        """The file as typed lines; its faults are with the others."""
        kind = self._kind()
        sheet = Sheet(self._file, kind)
        if not kind:
            return sheet
        known = WALLET_COLUMNS if kind == WALLET else EXECUTION_COLUMNS
        cells = [row.cells.get(name) for row in self._file.rows for name in ("transactTime", "timestamp")]
        written = [cell for cell in cells if cell is not None]
        self._times = Times(self._choices.zone, self._choices.order or order_of(written))
        for row in self._file.rows:
            if self._choices.account and str(row.cells.get("account", self._choices.account)) != self._choices.account:
                continue
            try:
                if kind == WALLET:
                    sheet.movements.append(self._movement(row))
                else:
                    sheet.executions.append(self._execution(row))
            except _Wrong as wrong:
                self._faults.append(Fault("HB512", str(wrong), row.file, row.line))
        sheet.notes += self._unknown_columns(known)
        sheet.notes += self._odd_times(sheet)
        return sheet

    # -- the file

    def _kind(self) -> str:
        names = set(self._file.columns)
        if not names:
            self._fault("an empty list: the account has no such rows; leave the file out")
            return ""
        if "transactType" in names:
            return self._demand(WALLET, names, "amount")
        if "execType" in names:
            return self._demand(EXECUTIONS, names, "symbol", "lastQty", "lastPx")
        for column, what in _OTHER_FILES:
            if column in names:
                self._fault(f"this is {what}; export the wallet history or the trade history")
                return ""
        close = nearest("transactType", names) or nearest("execType", names)
        meant = f'; column "{close}" looks like one of them' if close else ""
        self._fault(
            "neither a wallet history (it has a column transactType) nor an execution history (execType): "
            f"columns {', '.join(self._file.columns[:8])}{meant}"
        )
        return ""

    def _demand(self, kind: str, names: set[str], *columns: str) -> str:
        left = [column for column in columns if column not in names]
        if not names & {"timestamp", "transactTime"}:
            left.append("transactTime")
        for column in left:
            close = nearest(column, names)
            meant = f'; is it the column "{close}"? rename it' if close else "; export it with this column"
            self._fault(f"{kind} without the column {column}{meant}")
        return "" if left else kind

    def _fault(self, message: str) -> None:
        self._faults.append(Fault("HB511", message, self._file.name, 1))

    def _unknown_columns(self, known: frozenset[str]) -> Iterator[str]:
        unknown = [name for name in self._file.columns if name not in known]
        if unknown:
            names = ", ".join(f'"{name}"' for name in unknown)
            yield f"warning[HB516] {self._file.name}:1 unknown columns {names}: kept in the CSV files, used for nothing"

    def _odd_times(self, sheet: Sheet) -> Iterator[str]:
        shift = off_session(one.transacted for one in sheet.movements if one.kind == "RealisedPNL")
        if shift is not None:
            yield (
                f"warning[HB516] {self._file.name}: most settled profit stands at {(12 + shift) % 24:02d}:00, and "
                "BitMEX "
                f"settled at 12:00 UTC; if the times are those of UTC{shift:+d}, import again with --zone"
            )
        if self._ambiguous:
            count = len(self._ambiguous)
            more = f" and {count - 1:,} more" if count > 1 else ""
            yield (
                f"warning[HB516] {self._ambiguous[0].place}{more}: in the hour that is there twice when summer time "
                "ends; the first of the two was taken"
            )

    # -- a row

    def _movement(self, row: Row) -> Movement:
        kind = str(row.cells.get("transactType", ""))
        if not kind:
            raise _Wrong("no transactType; fill it in or remove the line")
        # The pseudo rows of open profit have no time (4.7), and pages wrote something in its place.
        has_time = kind != "UnrealisedPNL"
        transacted = self._time(row, "transactTime") if has_time else 0
        ts = (self._time(row, "timestamp") if has_time else 0) or transacted
        if not ts and has_time:
            raise _Wrong(f"a {kind} without a time; fill in transactTime or remove the line")
        amount = self._whole(row, "amount")
        if amount is None:
            raise _Wrong("no amount; fill it in or remove the line")
        nameless = str(row.cells.get("transactID", ""))
        is_about_symbol = kind in ("RealisedPNL", "UnrealisedPNL", "Funding")
        return Movement(
            row=row,
            ts=ts,
            transacted=transacted or ts,
            kind=kind,
            status=str(row.cells.get("transactStatus", "")),
            currency=self._currency(row, str(row.cells.get("currency", "") or self._choices.currency)),
            amount=amount,
            fee=self._whole(row, "fee") or 0,
            balance=self._whole(row, "walletBalance"),
            symbol=str(row.cells.get("address", "")) if is_about_symbol else "",
            id="" if nameless == NIL_GUID else nameless,
            account=str(row.cells.get("account", "")),
        )

    def _execution(self, row: Row) -> ExecutionLine:
        cells = row.cells
        ts = self._time(row, "transactTime") or self._time(row, "timestamp")
        if not ts:
            raise _Wrong("an execution without a time; fill in transactTime or remove the line")
        for column in ("execType", "symbol"):
            if column not in cells:
                raise _Wrong(f"no {column}; fill it in or remove the line")
        settle = str(cells.get("settlCurrency", ""))
        identity = str(cells.get("execID", ""))
        values = ExecutionRow(
            execID=identity or row.place,
            orderID=str(cells.get("orderID", "")) or None,
            clOrdID=str(cells.get("clOrdID", "")) or None,
            symbol=str(cells["symbol"]),
            side=self._side(row),
            strategy=Strategy(str(cells.get("strategy", ""))),
            execType=ExecType(str(cells["execType"])),
            ordType=OrdType(str(cells.get("ordType", ""))),
            ordStatus=OrdStatus(str(cells.get("ordStatus", ""))),
            orderQty=self._whole(row, "orderQty"),
            price=self._real(row, "price"),
            stopPx=self._real(row, "stopPx"),
            leavesQty=self._whole(row, "leavesQty"),
            cumQty=self._whole(row, "cumQty"),
            avgPx=self._real(row, "avgPx"),
            lastQty=self._whole(row, "lastQty"),
            lastPx=self._real(row, "lastPx"),
            lastLiquidityInd=LiquidityInd(str(cells.get("lastLiquidityInd", ""))),
            commission=self._real(row, "commission"),
            execCost=self._whole(row, "execCost"),
            execComm=self._whole(row, "execComm"),
            settlCurrency=settle or None,
            trdMatchID=str(cells.get("trdMatchID", "")) or None,
            ordRejReason=str(cells.get("ordRejReason", "")) or None,
            text=str(cells.get("text", "")) or None,
            transactTime=_EPOCH + timedelta(microseconds=ts // 1000),
        )
        return ExecutionLine(
            row=row,
            ts=ts,
            values=values,
            settle=self._currency(row, settle) if settle else None,
            id=identity,
            account=str(cells.get("account", "")),
        )

    # -- a cell

    def _time(self, row: Row, column: str) -> int:
        cell = row.cells.get(column)
        if cell is None:
            return 0
        try:
            ts = self._times.ts(cell)
        except ValueError as error:
            raise _Wrong(f"{column}: {error}") from None
        if is_ambiguous(ts, self._times.zone) and not str(cell).endswith("Z"):
            self._ambiguous.append(row)
        return ts

    def _whole(self, row: Row, column: str) -> int | None:
        cell = row.cells.get(column)
        if cell is None:
            return None
        number = _decimal(cell, column)
        if number != number.to_integral_value():
            raise _Wrong(f'{column} "{cell}" is no whole number; BitMEX counts minor units (satoshi) and contracts')
        return int(number)

    def _real(self, row: Row, column: str) -> float | None:
        cell = row.cells.get(column)
        if cell is None:
            return None
        number = float(_decimal(cell, column))
        return number if math.isfinite(number) else None

    def _side(self, row: Row) -> BookSide | None:
        word = str(row.cells.get("side", ""))
        if word not in ("", "Buy", "Sell"):
            raise _Wrong(f'side "{word}" is neither Buy nor Sell')
        return BookSide(word) if word else None

    def _currency(self, row: Row, code: str) -> Currency:
        """The currency of a minor code, matched exactly, then without case (2.2); a scale is never guessed."""
        if not code:
            raise _Wrong(
                "the file has no column currency; say which it was, in BitMEX's code of the minor unit: --currency XBt"
            )
        known = currencies()
        found = known.get(code) or next((one for name, one in known.items() if name.lower() == code.lower()), None)
        if found is None:
            raise _Wrong(
                f'currency "{code}" is not one that BitMEX had; {did_you_mean(code, known, what="currencies")}'
            )
        return found


def _decimal(cell: Any, column: str) -> Decimal:
    if isinstance(cell, bool) or not isinstance(cell, (str, int, Decimal)):
        raise _Wrong(f"{column} {cell!r} is not a number")
    try:
        number = Decimal(cell)
    except InvalidOperation:
        raise _Wrong(f'{column} "{cell}" is not a number; write it without blanks, units and separators') from None
    if not number.is_finite():
        raise _Wrong(f"{column} {cell} is not a number")
    return number
