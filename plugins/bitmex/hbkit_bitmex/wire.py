"""Rows of BitMEX as values of hbkit: the one place where the exchange's words and units become ours.

Each function takes a row of `rows.py` (of a table that knows updates: the merged row, see `tables.py`) and the
instrument it speaks of, and returns None where the row does not say enough to be that value; nothing raises on what
the exchange sends. Sections and traps named here are those of the project's BitMEX protocol reference.

Quantities are units as they stand: contracts, and minor base units on spot (2.3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from msgspec import UNSET, Struct, UnsetType

from hbkit.model.balance import Currency, Wallet
from hbkit.model.enums import ExecutionKind, Liquidity, OrderStatus, PositionSide, Side
from hbkit.model.instrument import Instrument
from hbkit.model.market import Candle, Funding, Mark, Quote, Trade
from hbkit.model.order import Execution, OrderReport
from hbkit.model.position import Position
from hbkit_bitmex.rows import (
    BinRow,
    ExecutionRow,
    FundingRow,
    InstrumentRow,
    MarginRow,
    OrderRow,
    PositionRow,
    QuoteRow,
    TradeRow,
    WalletRow,
)
from hbkit_bitmex.words import (
    BookSide,
    ExecType,
    LiquidityInd,
    OrdStatus,
    OrdType,
    Strategy,
    known,
    nanoseconds,
)

NIL_GUID: Final = "00000000-0000-0000-0000-000000000000"
"""The order id of system rows: liquidations and fundings belong to no order (8.2, 10.9)."""

PRIMARY: Final = "Primary"
"""The pool whose rows make the public market; others (2026) are separate liquidity (7.6)."""

_TIMESPAN_ORIGIN: Final = nanoseconds(datetime(2000, 1, 1, tzinfo=UTC))

# -- public rows


def trade(row: TradeRow, instrument: Instrument) -> Trade | None:
    """A public trade; None for the prints of an index, which have size 0 or are only referential (8.6)."""
    side = _side(row.side)
    if side is None or not row.size or row.price is None or row.trdType == "Referential":
        return None
    return Trade(nanoseconds(row.timestamp), instrument, side, row.price, instrument.qty(row.size))


def quote(row: QuoteRow, instrument: Instrument) -> Quote | None:
    """The best bid and ask; an empty side is `nan` (8.6). None for the quote of another pool."""
    if row.pool and row.pool != PRIMARY:
        return None
    return Quote(
        nanoseconds(row.timestamp),
        instrument,
        _or_nan(row.bidPrice),
        _or_nan(row.askPrice),
        math.nan if row.bidSize is None else instrument.qty(row.bidSize),
        math.nan if row.askSize is None else instrument.qty(row.askSize),
    )


def candle(row: BinRow, instrument: Instrument, interval: str, length: int) -> Candle | None:
    """A candle of `interval`, `length` ns long.

    A bin is stamped at its end and opens with the close before, which may lie outside of its range (trap 6); it is
    handed on as it stands. A bin without a trade has no prices of its own and repeats the close before.
    """
    close_time = nanoseconds(row.timestamp)
    if not close_time or row.open is None or row.high is None or row.low is None or row.close is None:
        return None
    return Candle(
        ts=close_time,
        open_time=close_time - length,
        close_time=close_time,
        instrument=instrument,
        interval=interval,
        open=row.open,
        high=row.high,
        low=row.low,
        close=row.close,
        volume=instrument.qty(row.volume or 0),
        trades=-1 if row.trades is None else row.trades,
    )


def mark(row: InstrumentRow, instrument: Instrument) -> Mark | None:
    """Mark price and index of a merged row; None on spot, which has neither (trap 29)."""
    price = known(row.markPrice)
    if not price:
        return None
    return Mark(nanoseconds(row.timestamp), instrument, price, _or_nan(known(row.indicativeSettlePrice)))


def funding(row: FundingRow, instrument: Instrument) -> Funding | None:
    """A funding that took place; what it moved on the account is told by executions: `amount` is 0 here."""
    ts = nanoseconds(row.timestamp)
    if not ts or row.fundingRate is None:
        return None
    # A timespan is a date counted from 2000-01-01 (2.4); contracts differ, ETHXBT of 2016 paid daily.
    span = nanoseconds(row.fundingInterval)
    interval = span - _TIMESPAN_ORIGIN if span > _TIMESPAN_ORIGIN else instrument.funding_interval
    return Funding(ts, instrument, row.fundingRate, ts + interval, 0.0, instrument.settle.code)


# -- orders

_STATUS: Final[Mapping[str, OrderStatus]] = {
    OrdStatus.PENDING_NEW: OrderStatus.OPEN,
    OrdStatus.NEW: OrderStatus.OPEN,
    OrdStatus.PARTIALLY_FILLED: OrderStatus.PARTIALLY_FILLED,
    OrdStatus.PENDING_REPLACE: OrderStatus.OPEN,
    OrdStatus.PENDING_CANCEL: OrderStatus.OPEN,
    OrdStatus.UNTRIGGERED: OrderStatus.OPEN,
    OrdStatus.TRIGGERED: OrderStatus.OPEN,
    OrdStatus.FILLED: OrderStatus.FILLED,
    OrdStatus.CANCELED: OrderStatus.CANCELED,
    OrdStatus.STOPPED: OrderStatus.CANCELED,
    OrdStatus.REJECTED: OrderStatus.REJECTED,
    OrdStatus.EXPIRED: OrderStatus.EXPIRED,
    OrdStatus.DONE_FOR_DAY: OrderStatus.EXPIRED,
}
"""12.1; a word that is not listed says nothing certain and becomes UNKNOWN."""

_WITHOUT_PRICE: Final = frozenset({OrdType.MARKET, OrdType.STOP, OrdType.MARKET_IF_TOUCHED})
"""Types whose rows may carry a price that nobody asked for: the engine's, in rows up to 2023 (11.1)."""


class Refusal(Struct, frozen=True):
    """An amend or a cancel that was turned down; the order itself stands where it stood, or has ended meanwhile.

    Its row has no symbol, side or quantity and an `ordStatus` of Rejected that does not speak of the order (12.2,
    trap 17), which is why it is a type of its own and never an `OrderReport`.
    """

    ts: int
    id: str
    exchange_id: str
    refused: str
    """`amend` or `cancel`, as in `OrderReport.refused`."""
    reason: str


def order_report(row: OrderRow, instrument: Instrument, before: OrderReport | None = None) -> OrderReport | None:
    """What a row says of an order; `before` fills in what the row leaves out.

    Answers to a cancel may lack status, quantities or side (12.5). None where side or quantity stay unknown: a report
    with an invented quantity would be worse than none.
    """
    side = _side(known(row.side)) or (before.side if before else None)
    units = known(row.orderQty)
    if units is None and before is not None:
        units = before.units
    if side is None or units is None:
        return None
    error = known(row.error) or ""
    filled = _filled(row, units, before)
    return OrderReport(
        ts=nanoseconds(known(row.timestamp)) or nanoseconds(known(row.transactTime)),
        id=known(row.clOrdID) or (before.id if before else ""),
        exchange_id=_exchange_id(row.orderID) or (before.exchange_id if before else ""),
        instrument=instrument,
        side=side,
        position_side=_leg(known(row.strategy), before),
        status=_status(row, filled, before),
        units=units,
        filled_units=filled,
        ticks=_ticks(row, instrument, before),
        reason=error or _reason(row),
        refused="cancel" if error else "",
        trigger_ticks=_trigger_ticks(row, instrument, before),
        triggered=_is_triggered(row, before),
    )


def is_finished(row: OrderRow) -> bool:
    """True for an order that has ended, as far as its row's status tells."""
    return _STATUS.get(known(row.ordStatus) or "", OrderStatus.UNKNOWN).is_final


def refusal(row: ExecutionRow | OrderRow) -> Refusal | None:
    """The refused amend or cancel that a row tells of, None for every other row.

    It comes as an execution row of type CancelReject or AmendReject, or as a row of the answer to DELETE with a column
    `error` (4.6).
    """
    if isinstance(row, OrderRow):
        refused, reason = ("cancel" if known(row.error) else ""), known(row.error)
    else:
        refused = _REFUSED.get(row.execType or "", "")
        reason = row.ordRejReason or row.text
    if not refused:
        return None
    return Refusal(
        ts=nanoseconds(known(row.timestamp)) or nanoseconds(known(row.transactTime)),
        id=known(row.clOrdID) or "",
        exchange_id=_exchange_id(row.orderID),
        refused=refused,
        reason=reason or "",
    )


_REFUSED: Final[Mapping[str, str]] = {ExecType.CANCEL_REJECT: "cancel", ExecType.AMEND_REJECT: "amend"}


_WITH_TRIGGER: Final = frozenset(
    {OrdType.STOP, OrdType.STOP_LIMIT, OrdType.MARKET_IF_TOUCHED, OrdType.LIMIT_IF_TOUCHED}
)


def _status(row: OrderRow, filled: int, before: OrderReport | None) -> OrderStatus:
    word = known(row.ordStatus)
    if word is None:
        if before is not None and before.status is OrderStatus.UNTRIGGERED and _is_triggered(row, before):
            return OrderStatus.OPEN
        return before.status if before else OrderStatus.UNKNOWN
    status = _STATUS.get(word, OrderStatus.UNKNOWN)
    if status is OrderStatus.OPEN and filled:
        return OrderStatus.PARTIALLY_FILLED  # a replace or a cancel under way hides that part of the order is filled
    if status is OrderStatus.OPEN and _has_trigger(row, before) and not _is_triggered(row, before):
        return OrderStatus.UNTRIGGERED  # its ordStatus is New as well (11.1)
    return status


def _has_trigger(row: OrderRow, before: OrderReport | None) -> bool:
    kind = known(row.ordType)
    return kind in _WITH_TRIGGER if kind is not None else before is not None and before.trigger_ticks is not None


def _is_triggered(row: OrderRow, before: OrderReport | None) -> bool:
    """The column `triggered` has a word in it then; for rows without it the indicator of a working order tells."""
    if known(row.triggered) or (before is not None and before.triggered) or known(row.cumQty):
        return True
    return known(row.workingIndicator) is True and _has_trigger(row, before)


def _trigger_ticks(row: OrderRow, instrument: Instrument, before: OrderReport | None) -> int | None:
    price = known(row.stopPx)
    if price is None:
        return before.trigger_ticks if before and row.stopPx is UNSET else None
    return instrument.ticks(price)


def _filled(row: OrderRow, units: int, before: OrderReport | None) -> int:
    """`cumQty`, else what follows from `leavesQty` while the order is open; a canceled order leaves 0 either way."""
    filled = known(row.cumQty)
    if filled is not None:
        return filled
    status = known(row.ordStatus)
    if status is OrdStatus.FILLED:
        return units
    leaves = known(row.leavesQty)
    if status in {OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED} and leaves:
        return max(units - leaves, 0)
    return before.filled_units if before else 0


def _ticks(row: OrderRow, instrument: Instrument, before: OrderReport | None) -> int | None:
    if known(row.ordType) in _WITHOUT_PRICE:
        return None
    price = known(row.price)
    if price is None:
        return before.ticks if before and row.price is UNSET else None
    return instrument.ticks(price)


def _reason(row: OrderRow) -> str:
    """Why an order ended: the text of a row that is canceled, rejected or expired, on one line.

    `text` is for people; nothing is decided by it (12.4).
    """
    if not is_finished(row) or known(row.ordStatus) is OrdStatus.FILLED:
        return ""
    return "; ".join((known(row.ordRejReason) or known(row.text) or "").splitlines())


# -- executions

_KINDS: Final[Mapping[str, ExecutionKind]] = {
    ExecType.TRADE: ExecutionKind.TRADE,
    ExecType.FUNDING: ExecutionKind.FUNDING,
    ExecType.SETTLEMENT: ExecutionKind.SETTLEMENT,
    ExecType.LIQUIDATION: ExecutionKind.LIQUIDATION,
    ExecType.BANKRUPTCY: ExecutionKind.LIQUIDATION,
    ExecType.INSURANCE: ExecutionKind.INSURANCE,
}
"""12.2: the types that move position or money and whose booking is known."""

_IDLE: Final = frozenset(
    {
        ExecType.NEW,
        ExecType.CANCELED,
        ExecType.REPLACED,
        ExecType.REJECTED,
        ExecType.CANCEL_REJECT,
        ExecType.AMEND_REJECT,
        ExecType.TRIGGERED,
        ExecType.SUSPENDED,
        ExecType.RELEASED,
        ExecType.EXPIRED,
    }
)
"""12.2: the types that only tell of the order's life."""

_MAKER: Final = frozenset({LiquidityInd.ADDED, LiquidityInd.ADDED_SHORT})


def execution(row: ExecutionRow, instrument: Instrument) -> Execution | None:
    """The movement that a row books; None for a row that moves nothing, and for one that `is_unbooked`."""
    kind = _kind(row)
    if kind is ExecutionKind.INSURANCE:
        return _insurance(row, instrument)
    units, price = row.lastQty, row.lastPx
    if kind is None or not row.execID or not units or price is None:
        return None
    side = _side(row.side)
    if kind is ExecutionKind.FUNDING:
        side = side or _held_side(row, instrument)
    if side is None:
        return None
    cost = _cost(row, instrument, side, abs(units), price)
    return Execution(
        ts=nanoseconds(row.transactTime) or nanoseconds(row.timestamp),
        id=row.execID,
        order_id=row.clOrdID or "",
        instrument=instrument,
        side=side,
        position_side=_leg(row.strategy, None),
        price=price,
        units=abs(units),
        # A funding moves money, never the position: its `execCost` is the position's value (18.7), not a cost.
        cost=0 if kind is ExecutionKind.FUNDING else cost,
        fee=_fee(row, instrument, cost),
        liquidity=Liquidity.MAKER if row.lastLiquidityInd in _MAKER else Liquidity.TAKER,
        kind=kind,
        rate=_rate(row, side) if kind is ExecutionKind.FUNDING else row.commission or 0.0,
    )


def _insurance(row: ExecutionRow, instrument: Instrument) -> Execution | None:
    """What an insurance fund paid after a liquidation: money alone, `execComm` is negative for it came in."""
    if not row.execID or not row.execComm:
        return None
    return Execution(
        ts=nanoseconds(row.transactTime) or nanoseconds(row.timestamp),
        id=row.execID,
        order_id="",
        instrument=instrument,
        side=Side.BUY,
        position_side=PositionSide.NET,
        price=0.0,
        units=0,
        cost=0,
        fee=row.execComm,
        liquidity=Liquidity.TAKER,
        kind=ExecutionKind.INSURANCE,
    )


def is_unbooked(row: ExecutionRow, instrument: Instrument) -> bool:
    """True for a row that moves money, or may, and that `execution` cannot book: ask the exchange for its balances.

    Rebalance, TrialFill, types that nobody knows, and rows that lack what a booking needs.
    """
    return row.execType not in _IDLE and execution(row, instrument) is None


def _kind(row: ExecutionRow) -> ExecutionKind | None:
    """A takeover by the liquidation engine comes as a Trade without an order, with its name in `text` (10.10)."""
    kind = _KINDS.get(row.execType or "")
    if kind is ExecutionKind.TRADE and not _exchange_id(row.orderID) and (row.text or "").startswith("Liquidation"):
        return ExecutionKind.LIQUIDATION
    return kind


def _held_side(row: ExecutionRow, instrument: Instrument) -> Side:
    """The side of the position a funding was paid on: its row has none, the sign of the position's value tells (18.7).

    Where the row does not tell either it is a long: the payment is right all the same, and must not go missing.
    """
    if row.strategy is Strategy.SHORT:
        return Side.SELL
    short = row.strategy is not Strategy.LONG and (row.execCost or 0) * instrument.cost_sign < 0
    return Side.SELL if short else Side.BUY


def _rate(row: ExecutionRow, side: Side) -> float:
    """The funding rate; `commission` is the rate for a long and its opposite for a short (18.7)."""
    return (row.commission or 0.0) * side.sign


def _cost(row: ExecutionRow, instrument: Instrument, side: Side, units: int, price: float) -> int:
    """`execCost` as booked by the exchange, reckoned only where the row leaves it out."""
    if row.execCost is not None:
        return row.execCost
    return instrument.signed_cost(units * side.sign, price) if price else 0


def _fee(row: ExecutionRow, instrument: Instrument, cost: int) -> int:
    """`execComm` as booked, positive when paid, a rebate negative (trap 13); reckoned where the row leaves it out."""
    if row.execComm is not None or not row.commission:
        return row.execComm or 0
    return instrument.fee(abs(cost), Decimal(repr(row.commission)))


# -- positions and money


def position(row: PositionRow, instrument: Instrument) -> Position | None:
    """A position of the account; None before `currentQty` is known. Its row stays when it is flat (trap 25)."""
    units = known(row.currentQty)
    if units is None:
        return None
    entry = known(row.avgEntryPrice)
    return Position(
        instrument=instrument,
        side=_leg(known(row.strategy), None),
        qty=instrument.qty(units),
        entry_price=entry if units and entry else math.nan,
        unrealized_pnl=instrument.settle.amount(known(row.unrealisedPnl) or 0),
    )


def leg(row: PositionRow) -> PositionSide:
    """The leg a position row is about."""
    return _leg(known(row.strategy), None)


def leg_of(word: Strategy | None) -> PositionSide:
    """The leg that a row's `strategy` names; the net one where it names none."""
    return _leg(word, None)


def wallet(row: MarginRow | WalletRow, currencies: Mapping[str, Currency]) -> Wallet | None:
    """One currency of the account; None for a currency whose scale nobody told us: it is never guessed (2.2).

    A `margin` row knows settled, open and free money. A `wallet` row knows only what is settled; `pendingDebit` is on
    its way out of it (8.5).
    """
    currency = _currency(known(row.currency), currencies)
    if currency is None:
        return None
    if isinstance(row, WalletRow):
        amount = known(row.amount)
        return None if amount is None else Wallet(currency, amount, amount, amount - (known(row.pendingDebit) or 0))
    balance, equity = known(row.walletBalance), known(row.marginBalance)
    if balance is None:
        # 8.4: walletBalance = amount + realisedPnl since the last session close.
        amount = known(row.amount)
        if amount is None:
            return None
        balance = amount + (known(row.realisedPnl) or 0)
    if equity is None:
        equity = balance + (known(row.unrealisedPnl) or 0)
    return Wallet(currency, balance, equity, known(row.availableMargin) or 0)


def transfers(row: WalletRow, currencies: Mapping[str, Currency]) -> tuple[Currency, int] | None:
    """Paid into a currency less paid out of it since the account began, in minor units; trading is not in it (8.5)."""
    currency = _currency(known(row.currency), currencies)
    if currency is None:
        return None
    came = (known(row.deposited) or 0) + (known(row.transferIn) or 0)
    return currency, came - (known(row.withdrawn) or 0) - (known(row.transferOut) or 0)


def _currency(code: str | None, currencies: Mapping[str, Currency]) -> Currency | None:
    """Codes are matched exactly, then without case: `gwei` was seen for `Gwei` (2.2)."""
    if code is None:
        return None
    found = currencies.get(code)
    if found is None:
        found = next((currency for name, currency in currencies.items() if name.lower() == code.lower()), None)
    return found


# -- words


def _side(word: BookSide | None) -> Side | None:
    if word is BookSide.BUY:
        return Side.BUY
    return Side.SELL if word is BookSide.SELL else None


def _leg(word: Strategy | None, before: OrderReport | None) -> PositionSide:
    """`strategy` as a leg; rows before 2025 have none, and neither has one-way mode before it (13.1)."""
    if word is Strategy.LONG:
        return PositionSide.LONG
    if word is Strategy.SHORT:
        return PositionSide.SHORT
    return before.position_side if before and word is None else PositionSide.NET


def _exchange_id(guid: str | UnsetType | None) -> str:
    found = known(guid)
    return found if found and found != NIL_GUID else ""


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
