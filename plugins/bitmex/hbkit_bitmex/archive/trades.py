"""The executions of one account out of several histories: none twice, booked in order, and looked at for holes.

Positions count from flat. Two things in the rows show where executions are missing, and both are told, never mended: a
funding names the position it was paid on, and an order how much of it had filled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from hbkit.clock import iso
from hbkit.model import Execution, ExecutionKind, Instrument, PositionMode, PositionSide
from hbkit.report.result import OrderRow
from hbkit.trading.ledger import Ledger
from hbkit_bitmex.archive.cells import ExecutionLine, Sheet
from hbkit_bitmex.archive.markets import Markets
from hbkit_bitmex.archive.merging import merged
from hbkit_bitmex.rows import ExecutionRow
from hbkit_bitmex.wire import NIL_GUID, execution, is_unbooked, leg_of
from hbkit_bitmex.words import BookSide, ExecType, OrdStatus, OrdType

_FINAL = frozenset(
    {OrdStatus.FILLED, OrdStatus.CANCELED, OrdStatus.REJECTED, OrdStatus.EXPIRED, OrdStatus.DONE_FOR_DAY}
)
_SIDES = {"Buy": "buy", "Sell": "sell"}
_STATUS = {
    OrdStatus.FILLED: "filled", OrdStatus.CANCELED: "canceled", OrdStatus.REJECTED: "rejected",
    OrdStatus.EXPIRED: "expired", OrdStatus.PARTIALLY_FILLED: "partially_filled",
}  # fmt: skip
_WITHOUT_PRICE = frozenset({OrdType.MARKET, OrdType.STOP, OrdType.MARKET_IF_TOUCHED})


@dataclass(frozen=True)
class Booked:
    """An execution and what it did, in minor units of its settlement currency."""

    line: ExecutionLine
    execution: Execution
    realized: int

    @property
    def is_funding(self) -> bool:
        """A payment on a position, not a fill."""
        return self.execution.kind is ExecutionKind.FUNDING

    @property
    def net(self) -> int:
        """What it earned after its fee; of a funding what was received."""
        return self.realized - self.execution.fee


@dataclass(frozen=True)
class Netted:
    """Profit that a switch out of hedge mode realized: two legs became one, without an execution."""

    line: ExecutionLine
    """The first execution in the new mode."""
    instrument: Instrument
    net: int


@dataclass
class Trades:
    """All executions, booked."""

    booked: list[Booked] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)
    netted: list[Netted] = field(default_factory=list)
    instruments: list[Instrument] = field(default_factory=list)
    orders: list[OrderRow] = field(default_factory=list)
    unbooked: list[ExecutionLine] = field(default_factory=list)
    """Rows that moved money, or may have, in a way that nobody knows how to book."""
    rows: int = 0
    rejects: int = 0
    notes: list[str] = field(default_factory=list)


def trades(read: Sequence[Sheet], currency: str) -> Trades:
    """What the executions of the sheets make. Raises DataError where two rows of one id say different things."""
    told = Trades()
    lines = _merged([sheet for sheet in read if sheet.executions], told)
    told.rows = len(lines)
    markets = Markets(lines, currency)
    mode = PositionMode.ONE_WAY
    holes: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        market = markets.of(line)
        booked = execution(_with_side(line.values, market, told.ledger), market)
        if booked is None:
            if is_unbooked(line.values, market):
                told.unbooked.append(line)
            continue
        if booked.kind is not ExecutionKind.INSURANCE and not market.is_spot:
            hedge = booked.position_side is not PositionSide.NET
            if hedge is not (mode is PositionMode.HEDGE):
                mode = PositionMode.HEDGE if hedge else PositionMode.ONE_WAY
                told.netted += _rekeyed(told.ledger, mode, line)
        if booked.kind is ExecutionKind.FUNDING:
            held = told.ledger.legs.get(market, booked.position_side).units
            if held != booked.units * booked.side.sign:
                holes[market.symbol].append(
                    f"{line.row.place} funding was paid on {booked.units * booked.side.sign} {market.symbol} at "
                    f"{iso(line.ts)[:16]}, the executions make {held}"
                )
        told.booked.append(Booked(line, booked, told.ledger.apply(booked)))
    told.instruments = markets.all()
    told.notes += _hole_notes(holes)
    told.notes += _guessed_notes(markets)
    if told.unbooked:
        words = ", ".join(sorted({str(one.values.execType) for one in told.unbooked}))
        told.notes.append(
            f"warning[HB518] {told.unbooked[0].row.place} {len(told.unbooked):,} executions could not be booked "
            f"({words}): "
            "kept in fills-and-funding.csv, in no figure"
        )
    told.orders = _orders(lines, markets, told)
    return told


def _with_side(row: ExecutionRow, market: Instrument, ledger: Ledger) -> ExecutionRow:
    """A settlement ends the position: where its row names no side, the position that it ends tells it."""
    if row.execType != ExecType.SETTLEMENT or row.side is not None:
        return row
    held = ledger.legs.get(market, leg_of(row.strategy)).units
    if not held or abs(held) != abs(row.lastQty or 0):
        return row  # executions are missing; the row stays unbooked and is told
    return msgspec.structs.replace(row, side=BookSide.SELL if held > 0 else BookSide.BUY)


def _rekeyed(ledger: Ledger, mode: PositionMode, line: ExecutionLine) -> list[Netted]:
    """Follow a switch of the position mode."""
    realized = ledger.legs.rekey(mode)
    for market, amount in realized.items():
        ledger.realized[market.settle] += amount
    # Late executions are put in their place by the ledger; here they come in order.
    return [Netted(line, market, amount) for market, amount in realized.items() if amount]


def _hole_notes(holes: dict[str, list[str]]) -> Iterable[str]:
    for found in holes.values():
        more = f" ({len(found):,} times)" if len(found) > 1 else ""
        yield f"warning[HB518] {found[0]}: executions are missing before it{more}"


def _guessed_notes(markets: Markets) -> Iterable[str]:
    if markets.guessed:
        names = ", ".join(dict.fromkeys(markets.guessed))
        yield (
            f"note[HB518] {names}: in none of the packaged instrument rows; booked from what their executions say, "
            "the entry "
            "price of an open position is close, not exact"
        )


# -- none twice


def _merged(read: Sequence[Sheet], told: Trades) -> list[ExecutionLine]:
    """Every execution once, the oldest first."""
    kept, twice = merged([sheet.executions for sheet in read], _looks, _contradiction)
    if twice:
        place = twice[0].row.place
        told.notes.append(f"note[HB515] {place}: {len(twice):,} executions are there more than once and count once")
    return kept


def _contradiction(one: ExecutionLine, before: ExecutionLine) -> str:
    if _looks(one) == _looks(before):
        return ""
    return f"execID {one.id} is not the same in {before.row.place}; one of the files was changed, leave it out"


def _looks(one: ExecutionLine) -> tuple[object, ...]:
    """What makes two rows of one execution equal; seconds, because a browser's file knows no more."""
    row = one.values
    moment = one.ts // 1_000_000_000
    return (
        moment,
        row.symbol,
        row.execType,
        row.side,
        row.lastQty,
        row.lastPx,
        row.execCost,
        row.execComm,
        row.orderID,
    )


# -- orders


def _orders(lines: Sequence[ExecutionLine], markets: Markets, told: Trades) -> list[OrderRow]:
    """What the rows say of orders: a trade history knows those that filled, an execution history all of them."""
    by_order: dict[str, list[ExecutionLine]] = defaultdict(list)
    for line in lines:
        identity = line.values.orderID
        if identity and identity != NIL_GUID:
            by_order[identity].append(line)
    orders, short = [], []
    for identity, rows in by_order.items():
        last, market = rows[-1].values, markets.of(rows[-1])
        filled = sum(abs(row.values.lastQty or 0) for row in rows if row.values.execType == ExecType.TRADE)
        known = max((row.values.cumQty or 0 for row in rows), default=0)
        if known > filled:
            short.append((rows[-1], known, filled))
        status = last.ordStatus or OrdStatus("")
        told.rejects += status == OrdStatus.REJECTED
        prices = [row.values.price for row in rows if row.values.price] if last.ordType not in _WITHOUT_PRICE else []
        stop = next((row.values.stopPx for row in reversed(rows) if row.values.stopPx), None)
        qty = next((row.values.orderQty for row in reversed(rows) if row.values.orderQty), known or filled)
        orders.append(
            OrderRow(
                ts=rows[0].ts,
                ended_ts=rows[-1].ts if status in _FINAL or not status else None,
                id=last.clOrdID or identity,
                strategy="",
                exchange=market.exchange,
                instrument=market.symbol,
                side=_SIDES.get(str(next((row.values.side for row in rows if row.values.side), "")), ""),
                type="market" if last.ordType in _WITHOUT_PRICE else "limit",
                price=f"{prices[-1]:.12g}" if prices else "",
                first_price=f"{prices[0]:.12g}" if prices else "",
                qty=market.qty_text(qty),
                filled=market.qty_text(filled),
                status=_STATUS.get(status, str(status).lower() or "told by its fills"),
                reason=last.ordRejReason or "",
                trigger_price="" if stop is None else f"{stop:.12g}",
                position_side=leg_of(last.strategy).value,
            )
        )
    if short:
        line, known, filled = short[0]
        more = f", and {len(short) - 1:,} more orders are short of fills" if len(short) > 1 else ""
        told.notes.append(
            f"warning[HB518] {line.row.place} its order had filled {known}, the executions of it make {filled}: "
            "some are "
            f"missing{more}"
        )
    return sorted(orders, key=lambda order: order.ts)
