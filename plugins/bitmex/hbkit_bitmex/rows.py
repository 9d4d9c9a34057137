"""The rows of BitMEX's tables, with the columns that a strategy or the ledger needs; the decoder skips the rest.

Three generations of row shape exist (0.3 of the project's BitMEX protocol reference), so every column is optional here,
whatever the documentation promises. In an `update` an absent column is unchanged and an explicit `null` is now empty:
columns of tables that know updates start as UNSET, and `known` makes one thing of UNSET, None and "".
"""

from __future__ import annotations

from datetime import datetime

from msgspec import UNSET, Struct, UnsetType

from hbkit_bitmex.words import BookSide, ExecType, LiquidityInd, Moment, OrdStatus, OrdType, Strategy

# -- rows of tables that are only added to, or sent whole


class TradeRow(Struct, gc=False):
    """A public trade; `side` is the taker's, rows of indices have none and a size of 0 (8.6)."""

    timestamp: Moment = None
    symbol: str | None = None
    side: BookSide | None = None
    size: int | None = None
    price: float | None = None
    trdMatchID: str | None = None
    trdType: str | None = None
    pool: str | None = None


class QuoteRow(Struct, gc=False):
    """The best bid and ask; an empty side is left out."""

    timestamp: Moment = None
    symbol: str | None = None
    bidSize: int | None = None
    bidPrice: float | None = None
    askPrice: float | None = None
    askSize: int | None = None
    pool: str | None = None


class BookRow(Struct, gc=False):
    """One level of `orderBookL2`; `size` is absent on delete, `price` on update and delete until 2023-04 (7.6)."""

    symbol: str | None = None
    id: int | None = None
    side: BookSide | None = None
    size: int | None = None
    price: float | None = None
    timestamp: Moment = None
    pool: str | None = None


class Book10Row(Struct, gc=False):
    """The best ten levels of both sides as pairs of price and size, whole in each push (7.5)."""

    symbol: str | None = None
    bids: list[list[float]] | None = None
    asks: list[list[float]] | None = None
    timestamp: Moment = None


class BinRow(Struct, gc=False):
    """A candle; `timestamp` is its end and `open` is the close before (4.4)."""

    timestamp: Moment = None
    symbol: str | None = None
    open: float | None = None
    high: float | None = None
    low: float | None = None
    close: float | None = None
    trades: int | None = None
    volume: int | None = None


class FundingRow(Struct, gc=False):
    """A funding that took place; `fundingInterval` is a date counted from 2000-01-01 (2.4)."""

    timestamp: Moment = None
    symbol: str | None = None
    fundingInterval: Moment = None
    fundingRate: float | None = None


class ExecutionRow(Struct, gc=False):
    """A row of `execution`; the columns of the fill are there only where money moved (8.2)."""

    execID: str | None = None
    orderID: str | None = None
    clOrdID: str | None = None
    account: int | None = None
    symbol: str | None = None
    side: BookSide | None = None
    strategy: Strategy | None = None
    execType: ExecType | None = None
    ordType: OrdType | None = None
    ordStatus: OrdStatus | None = None
    orderQty: int | None = None
    price: float | None = None
    stopPx: float | None = None
    leavesQty: int | None = None
    cumQty: int | None = None
    avgPx: float | None = None
    lastQty: int | None = None
    lastPx: float | None = None
    lastLiquidityInd: LiquidityInd | None = None
    commission: float | None = None
    execCost: int | None = None
    execComm: int | None = None
    settlCurrency: str | None = None
    trdMatchID: str | None = None
    ordRejReason: str | None = None
    text: str | None = None
    transactTime: Moment = None
    timestamp: Moment = None


class TransactRow(Struct, gc=False):
    """A deposit, a withdrawal, a transfer or realized profit (8.5); amounts in minor units."""

    transactID: str | None = None
    account: int | None = None
    currency: str | None = None
    transactType: str | None = None
    transactStatus: str | None = None
    amount: int | None = None
    fee: int | None = None
    walletBalance: int | None = None
    address: str | None = None
    transactTime: Moment = None
    timestamp: Moment = None


# -- rows of tables that know updates

Text = str | UnsetType | None
Whole = int | UnsetType | None
Real = float | UnsetType | None
Flag = bool | UnsetType | None
Time = datetime | int | UnsetType | None


class InstrumentRow(Struct, gc=False):
    """What a bot reads of an instrument while it trades; the grid and the payoff come from `instruments.py`."""

    symbol: Text = UNSET
    state: Text = UNSET
    typ: Text = UNSET
    tickSize: Real = UNSET
    lotSize: Real = UNSET
    lastPrice: Real = UNSET
    bidPrice: Real = UNSET
    midPrice: Real = UNSET
    askPrice: Real = UNSET
    markPrice: Real = UNSET
    fairPrice: Real = UNSET
    indicativeSettlePrice: Real = UNSET
    limitDownPrice: Real = UNSET
    limitUpPrice: Real = UNSET
    fundingRate: Real = UNSET
    indicativeFundingRate: Real = UNSET
    fundingTimestamp: Time = UNSET
    fundingInterval: Time = UNSET
    openInterest: Real = UNSET
    volume24h: Real = UNSET
    settledPrice: Real = UNSET
    timestamp: Time = UNSET


class OrderRow(Struct, gc=False):
    """A row of `order` and of the order routes; `error` stands only in answers to DELETE (4.6)."""

    orderID: Text = UNSET
    clOrdID: Text = UNSET
    account: Whole = UNSET
    symbol: Text = UNSET
    side: BookSide | UnsetType | None = UNSET
    strategy: Strategy | UnsetType | None = UNSET
    orderQty: Whole = UNSET
    price: Real = UNSET
    displayQty: Whole = UNSET
    stopPx: Real = UNSET
    settlCurrency: Text = UNSET
    ordType: OrdType | UnsetType | None = UNSET
    timeInForce: Text = UNSET
    execInst: Text = UNSET
    ordStatus: OrdStatus | UnsetType | None = UNSET
    triggered: Text = UNSET
    workingIndicator: Flag = UNSET
    ordRejReason: Text = UNSET
    leavesQty: Whole = UNSET
    cumQty: Whole = UNSET
    avgPx: Real = UNSET
    text: Text = UNSET
    error: Text = UNSET
    transactTime: Time = UNSET
    timestamp: Time = UNSET


class PositionRow(Struct, gc=False):
    """A position, or one leg of a hedge; it stays after the position is closed, with `currentQty` 0 (8.3)."""

    account: Whole = UNSET
    symbol: Text = UNSET
    currency: Text = UNSET
    strategy: Strategy | UnsetType | None = UNSET
    currentQty: Whole = UNSET
    isOpen: Flag = UNSET
    avgEntryPrice: Real = UNSET
    avgCostPrice: Real = UNSET
    breakEvenPrice: Real = UNSET
    markPrice: Real = UNSET
    markValue: Whole = UNSET
    liquidationPrice: Real = UNSET
    bankruptPrice: Real = UNSET
    unrealisedCost: Whole = UNSET
    currentCost: Whole = UNSET
    currentComm: Whole = UNSET
    realisedCost: Whole = UNSET
    posCost: Whole = UNSET
    posMargin: Whole = UNSET
    maintMargin: Whole = UNSET
    initMargin: Whole = UNSET
    realisedPnl: Whole = UNSET
    rebalancedPnl: Whole = UNSET
    prevRealisedPnl: Whole = UNSET
    unrealisedPnl: Whole = UNSET
    leverage: Real = UNSET
    crossMargin: Flag = UNSET
    riskLimit: Whole = UNSET
    commission: Real = UNSET
    deleveragePercentile: Real = UNSET
    posState: Text = UNSET
    openOrderBuyQty: Whole = UNSET
    openOrderSellQty: Whole = UNSET
    timestamp: Time = UNSET


class UserRow(Struct, gc=False):
    """The account's own facts (`/user`) that a connector needs."""

    id: Whole = UNSET
    username: Text = UNSET
    positionMode: Text = UNSET
    """`OneWay` or `MultiWay` (13.1)."""


class MarginRow(Struct, gc=False):
    """One currency of the account, in minor units: `walletBalance` settled, `marginBalance` with open profit (8.4)."""

    account: Whole = UNSET
    currency: Text = UNSET
    amount: Whole = UNSET
    realisedPnl: Whole = UNSET
    unrealisedPnl: Whole = UNSET
    prevRealisedPnl: Whole = UNSET
    walletBalance: Whole = UNSET
    marginBalance: Whole = UNSET
    initMargin: Whole = UNSET
    maintMargin: Whole = UNSET
    excessMargin: Whole = UNSET
    availableMargin: Whole = UNSET
    withdrawableMargin: Whole = UNSET
    grossComm: Whole = UNSET
    riskLimit: Whole = UNSET
    riskValue: Whole = UNSET
    state: Text = UNSET
    timestamp: Time = UNSET


class WalletRow(Struct, gc=False):
    """Settled money of one currency and what moves in and out; it does not follow open profit (8.5)."""

    account: Whole = UNSET
    currency: Text = UNSET
    amount: Whole = UNSET
    deposited: Whole = UNSET
    withdrawn: Whole = UNSET
    transferIn: Whole = UNSET
    transferOut: Whole = UNSET
    pendingCredit: Whole = UNSET
    pendingDebit: Whole = UNSET
    confirmedDebit: Whole = UNSET
    timestamp: Time = UNSET


class LiquidationRow(Struct, gc=False):
    """An order of the liquidation engine."""

    orderID: Text = UNSET
    symbol: Text = UNSET
    side: BookSide | UnsetType | None = UNSET
    price: Real = UNSET
    leavesQty: Whole = UNSET
