"""What arrives on a BitMEX socket, as typed values: one decode per frame, and no frame that makes it raise.

`decode` tells data frames from the rest by their first bytes and reads them once, straight into Structs of the columns
that a strategy or the ledger needs; other columns are skipped by the decoder. Rules of the whole file, from section 0.3
of the project's BitMEX protocol reference:

* Three generations of row shape exist. Every column may be absent, `null` or `""`, which all mean the same, so each is
  optional here, whatever the documentation promises.
* In an `update` an absent column is unchanged and an explicit `null` is now empty. Rows of tables that know updates
  start as UNSET; `known` makes one thing of UNSET, None and "".
* An unknown word (`ordStatus: "Parked"`) becomes a member named UNKNOWN that keeps its text.

What cannot be read at all becomes `Unreadable`: whoever keeps that table asks for it again.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Final, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from hbkit.clock import DAY, HOUR, MINUTE

T = TypeVar("T")

# -- words


class Word(StrEnum):
    """A closed list of the exchange's words that stays open: an unknown one is a member named UNKNOWN with its text."""

    @classmethod
    def _missing_(cls, value: object) -> Word:
        word = str.__new__(cls, str(value))
        word._name_ = "UNKNOWN"
        word._value_ = str(value)
        return word

    @property
    def is_unknown(self) -> bool:
        """True for a word that is not in the list; an empty text is no word at all."""
        return self._name_ == "UNKNOWN" and self._value_ != ""


class Action(Word):
    """What a data frame does to its table (7.4)."""

    PARTIAL = "partial"
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


class BookSide(Word):
    """A side in public and private rows."""

    BUY = "Buy"
    SELL = "Sell"


class OrdStatus(Word):
    """12.1; the last four stand only in other clients' lists."""

    PENDING_NEW = "PendingNew"
    NEW = "New"
    PARTIALLY_FILLED = "PartiallyFilled"
    PENDING_REPLACE = "PendingReplace"
    PENDING_CANCEL = "PendingCancel"
    FILLED = "Filled"
    CANCELED = "Canceled"
    REJECTED = "Rejected"
    EXPIRED = "Expired"
    DONE_FOR_DAY = "DoneForDay"
    STOPPED = "Stopped"
    UNTRIGGERED = "Untriggered"
    TRIGGERED = "Triggered"


class ExecType(Word):
    """12.2: why there is an execution row; only some of them move money."""

    NEW = "New"
    TRADE = "Trade"
    CANCELED = "Canceled"
    REPLACED = "Replaced"
    REJECTED = "Rejected"
    CANCEL_REJECT = "CancelReject"
    AMEND_REJECT = "AmendReject"
    TRIGGERED = "TriggeredOrActivatedBySystem"
    SUSPENDED = "Suspended"
    RELEASED = "Released"
    EXPIRED = "Expired"
    FUNDING = "Funding"
    SETTLEMENT = "Settlement"
    LIQUIDATION = "Liquidation"
    BANKRUPTCY = "Bankruptcy"
    INSURANCE = "Insurance"
    REBALANCE = "Rebalance"
    TRIAL_FILL = "TrialFill"


class OrdType(Word):
    """11.1."""

    MARKET = "Market"
    LIMIT = "Limit"
    STOP = "Stop"
    STOP_LIMIT = "StopLimit"
    MARKET_IF_TOUCHED = "MarketIfTouched"
    LIMIT_IF_TOUCHED = "LimitIfTouched"
    PEGGED = "Pegged"


class LiquidityInd(Word):
    """8.2: sockets say the long words, one client's REST rows have the short ones."""

    ADDED = "AddedLiquidity"
    REMOVED = "RemovedLiquidity"
    ADDED_SHORT = "Added"
    REMOVED_SHORT = "Removed"


class Strategy(Word):
    """The leg of a hedge that a row belongs to (13.1); rows before 2025 have none."""

    ONE_WAY = "OneWay"
    LONG = "Long"
    SHORT = "Short"


def known(value: T | UnsetType | None) -> T | None:
    """The value of a column, None where it is absent, null or "" (0.3)."""
    return None if value is UNSET or value is None or value == "" else value


def unknown_words(row: Struct) -> list[tuple[str, str]]:
    """Column and text of each word in a row that is not in its list, for one warning each."""
    values = zip(row.__struct_fields__, msgspec.structs.astuple(row), strict=True)
    return [(column, str(value)) for column, value in values if isinstance(value, Word) and value.is_unknown]


# -- times

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Moment = datetime | int | None
"""A time column: ISO text, or a bare 0 where the exchange means none (4.6, `cancelTime`)."""


def nanoseconds(moment: Moment | UnsetType) -> int:
    """A time column as nanoseconds since the epoch, 0 where there is none; a text without zone is UTC."""
    if not isinstance(moment, datetime):
        return 0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MICROSECOND * 1000


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


# -- data frames


class Filter(Struct, gc=False):
    """The part of the table that a partial stands for: all of it, one symbol, one account, or both (7.4)."""

    symbol: str | None = None
    account: int | None = None
    currency: str | None = None


class DataFrame(Struct, tag_field="table", tag="", gc=False):
    """Rows of one table. `keys` and `filter` come with a partial only."""

    action: Action | None = None
    keys: list[str] | None = None
    filter: Filter | None = None

    @property
    def table(self) -> str:
        """The table's name at the exchange."""
        return str(self.__struct_config__.tag)


class TradeFrame(DataFrame, tag="trade"):
    """Public trades; one frame can hold many trades of one taker."""

    data: list[TradeRow] | None = None


class QuoteFrame(DataFrame, tag="quote"):
    """Best bids and asks."""

    data: list[QuoteRow] | None = None


class BookFrame(DataFrame, tag="orderBookL2"):
    """Levels of the whole book."""

    data: list[BookRow] | None = None


class Book25Frame(BookFrame, tag="orderBookL2_25"):
    """Levels of the best 25 a side: they come and go by insert and delete as the window moves."""


class Book10Frame(DataFrame, tag="orderBook10"):
    """The best ten levels a side, whole."""

    data: list[Book10Row] | None = None


class BinFrame(DataFrame, tag="tradeBin1m"):
    """Candles of a minute, and base of the other intervals."""

    interval: ClassVar[str] = "1m"
    length: ClassVar[int] = MINUTE
    data: list[BinRow] | None = None


class Bin5mFrame(BinFrame, tag="tradeBin5m"):
    """Candles of five minutes."""

    interval: ClassVar[str] = "5m"
    length: ClassVar[int] = 5 * MINUTE


class Bin1hFrame(BinFrame, tag="tradeBin1h"):
    """Candles of an hour."""

    interval: ClassVar[str] = "1h"
    length: ClassVar[int] = HOUR


class Bin1dFrame(BinFrame, tag="tradeBin1d"):
    """Candles of a day."""

    interval: ClassVar[str] = "1d"
    length: ClassVar[int] = DAY


class FundingFrame(DataFrame, tag="funding"):
    """Fundings that took place."""

    data: list[FundingRow] | None = None


class InstrumentFrame(DataFrame, tag="instrument"):
    """Prices, funding and states of instruments."""

    data: list[InstrumentRow] | None = None


class LiquidationFrame(DataFrame, tag="liquidation"):
    """Orders of the liquidation engine."""

    data: list[LiquidationRow] | None = None


class OrderFrame(DataFrame, tag="order"):
    """Our orders; a partial lists the open ones only (7.4)."""

    data: list[OrderRow] | None = None


class ExecutionFrame(DataFrame, tag="execution"):
    """Our executions; a partial repeats old ones, `execID` tells them (trap 15)."""

    data: list[ExecutionRow] | None = None


class PositionFrame(DataFrame, tag="position"):
    """Our positions."""

    data: list[PositionRow] | None = None


class MarginFrame(DataFrame, tag="margin"):
    """Our money with open profit, by currency."""

    data: list[MarginRow] | None = None


class WalletFrame(DataFrame, tag="wallet"):
    """Our settled money, by currency."""

    data: list[WalletRow] | None = None


class TransactFrame(DataFrame, tag="transact"):
    """Our deposits, withdrawals and bookings."""

    data: list[TransactRow] | None = None


Table = (
    TradeFrame | QuoteFrame | BookFrame | Book25Frame | Book10Frame | BinFrame | Bin5mFrame | Bin1hFrame | Bin1dFrame
    | FundingFrame | InstrumentFrame | LiquidationFrame | OrderFrame | ExecutionFrame | PositionFrame | MarginFrame
    | WalletFrame | TransactFrame
)  # fmt: skip

# -- the other frames


class Welcome(Struct, frozen=True):
    """The first frame (7.1); `remaining` connections are left, -1 where it does not say."""

    ts: int
    version: str
    remaining: int


class Subscribed(Struct, frozen=True):
    """One topic is subscribed; each argument of a command is answered on its own (7.3)."""

    topic: str


class Unsubscribed(Struct, frozen=True):
    """One topic is not sent any more."""

    topic: str


class Authenticated(Struct, frozen=True):
    """The login was accepted."""


class TimerSet(Struct, frozen=True):
    """The answer to `cancelAllAfter`: at `cancel_time` every order goes, 0 when the timer is off."""

    now: int
    cancel_time: int


class Refused(Struct, frozen=True):
    """A command was refused.

    `topics` are the command's arguments; those of a login are key and signature and are left out, so that no log and
    no traceback can ever show them.
    """

    status: int
    text: str
    retry_after: float
    op: str
    topics: tuple[str, ...]

    @property
    def is_duplicate(self) -> bool:
        """True when the topic was subscribed before: a success, really (trap 32)."""
        return "already subscribed to this topic" in self.text


class Pong(Struct, frozen=True):
    """The answer to a text `ping`."""


class Ignored(Struct, frozen=True):
    """A frame of a table, or of a kind, that hbkit has no use for."""

    what: str


class Unreadable(Struct, frozen=True):
    """A frame that breaks the rules of its table, which cannot be trusted until it was sent whole again.

    `table` is empty where not even that could be read. The frame's content is not kept: it may hold anything.
    """

    table: str
    reason: str


Control = Welcome | Subscribed | Unsubscribed | Authenticated | TimerSet | Refused | Pong | Ignored | Unreadable
Frame = Table | Control

# -- decoding

TABLES: Final = frozenset(str(kind.__struct_config__.tag) for kind in Table.__args__)
"""Names of the tables that are read."""

_DATA_PREFIX: Final = b'{"table"'
_DATA: Final = msgspec.json.Decoder(Table)
_ANY: Final = msgspec.json.Decoder()


def decode(raw: bytes) -> Frame:
    """A frame as a typed value; never raises, whatever arrives.

    Every data frame of every capture begins with its table (2018 to 2025), which costs one comparison to see; one that
    does not is still read, more slowly.
    """
    if raw.startswith(_DATA_PREFIX):
        try:
            return _DATA.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
    return _patient(raw)


def _patient(raw: bytes) -> Frame:
    """Anything but a plain data frame: the rare kinds, and data that only a forgiving reader can take."""
    if raw == b"pong":
        return Pong()
    try:
        message = _ANY.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Unreadable("", f"not JSON: {error}")
    if not isinstance(message, dict):
        return Unreadable("", "not a JSON object")
    if "table" in message:
        return _patient_data(message)
    return _control(message)


def _patient_data(message: dict[str, Any]) -> Frame:
    """Data with `""` for a number, `1.0` for a whole one, or digits as text (2.3, 0.3)."""
    table = message["table"]
    if not isinstance(table, str):
        return Unreadable("", "a data frame without the name of its table")
    if table not in TABLES:
        return Ignored(table)
    try:
        frame: Table = msgspec.convert(_plain(message), Table, strict=False)
    except (msgspec.ValidationError, RecursionError) as error:
        return Unreadable(table, str(error))
    return frame


def _plain(value: Any) -> Any:
    """The value with `""` as null and whole floats as integers, at any depth."""
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return None if value == "" else value


def _control(message: dict[str, Any]) -> Frame:
    """Welcome, acknowledgement, refusal or timer, told apart by the members that only they have (7.1, 7.3)."""
    if message.get("error") or _whole(message.get("status")) >= 400:
        return _refused(message)
    if "cancelTime" in message:
        return TimerSet(_time(message.get("now")), _time(message["cancelTime"]))
    if message.get("subscribe"):
        return Subscribed(str(message["subscribe"]))
    if message.get("unsubscribe"):
        return Unsubscribed(str(message["unsubscribe"]))
    if message.get("success") and _op(message).startswith("authKey"):
        return Authenticated()
    if "info" in message or "version" in message:
        limit = message.get("limit")
        remaining = limit.get("remaining") if isinstance(limit, dict) else None
        return Welcome(
            _time(message.get("timestamp")), str(message.get("version") or ""), _whole(remaining, otherwise=-1)
        )
    return Ignored("a frame of an unknown kind")


def _refused(message: dict[str, Any]) -> Refused:
    meta = message.get("meta")
    retry_after = meta.get("retryAfter") if isinstance(meta, dict) else None
    request = message.get("request")
    arguments = request.get("args") if isinstance(request, dict) else None
    op = _op(message)
    # `args` is one text where one text was sent (7.3); those of a login are secrets.
    named = [arguments] if isinstance(arguments, str) else arguments if isinstance(arguments, list) else []
    return Refused(
        status=_whole(message.get("status")),
        text=str(message.get("error") or ""),
        retry_after=float(retry_after) if isinstance(retry_after, (int, float)) else 0.0,
        op=op,
        topics=tuple(str(name) for name in named) if op in {"subscribe", "unsubscribe"} else (),
    )


def _op(message: dict[str, Any]) -> str:
    request = message.get("request")
    return str(request.get("op") or "") if isinstance(request, dict) else ""


def _whole(value: object, otherwise: int = 0) -> int:
    return int(value) if isinstance(value, (int, float)) else otherwise


def _time(value: object) -> int:
    try:
        return nanoseconds(msgspec.convert(value, Moment))
    except msgspec.ValidationError:
        return 0
