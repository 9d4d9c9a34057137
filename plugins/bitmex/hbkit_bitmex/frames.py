"""What arrives on a BitMEX socket, as typed values: one decode per frame, and no frame that makes it raise.

`decode` tells data frames from the rest by their first bytes and reads them once, straight into the Structs of
`rows.py`. What cannot be read at all becomes `Unreadable`: whoever keeps that table asks for it again. Sections are
those of the project's BitMEX protocol reference.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

import msgspec
from msgspec import Struct

from hbkit.clock import DAY, HOUR, MINUTE
from hbkit_bitmex.rows import (
    BinRow,
    Book10Row,
    BookRow,
    ExecutionRow,
    FundingRow,
    InstrumentRow,
    LiquidationRow,
    MarginRow,
    OrderRow,
    PositionRow,
    QuoteRow,
    TradeRow,
    TransactRow,
    WalletRow,
)
from hbkit_bitmex.words import Action, Moment, nanoseconds

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

    `table` is empty where not even that could be read. Its text stays with whoever reads frames.
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
            frame: Table = _DATA.decode(raw)
            return frame
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
        frame: Table = msgspec.convert(plain(message), Table, strict=False)
    except (msgspec.ValidationError, RecursionError) as error:
        return Unreadable(table, str(error))
    return frame


def plain(value: Any) -> Any:
    """The value with `""` as null and whole floats as integers, at any depth."""
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [plain(member) for member in value]
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
