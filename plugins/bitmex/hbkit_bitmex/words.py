"""BitMEX's words and times: closed lists that stay open, and what an empty column means.

Columns may be absent, `null` or `""`, which all mean the same (0.3 of the project's BitMEX protocol reference); `known`
makes one thing of them. An unknown word (`ordStatus: "Parked"`) becomes a member named UNKNOWN that keeps its text.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

T = TypeVar("T")


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
