"""The closed lists of words; each value is what configs, journals and reports show."""

from enum import StrEnum


class Side(StrEnum):
    """Which way an order or a trade goes; of a trade it is the taker's side."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> "Side":
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class PositionSide(StrEnum):
    """The leg an order or a position belongs to; NET is the only one in one-way mode."""

    NET = "net"
    LONG = "long"
    SHORT = "short"


class PositionMode(StrEnum):
    """One position per instrument, or a long and a short leg beside each other."""

    ONE_WAY = "one_way"
    HEDGE = "hedge"


class MarginMode(StrEnum):
    """Whether a position shares the account's margin or has its own."""

    CROSS = "cross"
    ISOLATED = "isolated"


class InstrumentKind(StrEnum):
    """How a contract pays off; see `hbkit.model.instrument`."""

    SPOT = "spot"
    LINEAR = "linear"
    INVERSE = "inverse"
    QUANTO = "quanto"


class OrderType(StrEnum):
    """What an order does when it arrives."""

    LIMIT = "limit"
    MARKET = "market"


class TimeInForce(StrEnum):
    """How long an order lives."""

    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    DAY = "day"


class TriggerBy(StrEnum):
    """The price that releases a trigger order."""

    MARK = "mark"
    LAST = "last"
    INDEX = "index"


class TriggerKind(StrEnum):
    """Which way a trigger order waits: a stop for the price to run on, a take profit for it to come back.

    A buy stop and a sell take profit fire when the price is at the trigger or above, the other two at it or below.
    """

    STOP = "stop"
    TAKE_PROFIT = "take_profit"


class OrderStatus(StrEnum):
    """Where an order stands, as far as evidence goes; UNKNOWN means that it may or may not be at the exchange.

    UNTRIGGERED is at the exchange and waits for its trigger price: it is in no book and cannot fill yet.
    """

    PENDING = "pending"
    UNTRIGGERED = "untriggered"
    OPEN = "open"
    PARTIALLY_FILLED = "partially_filled"
    UNKNOWN = "unknown"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    NEVER_ARRIVED = "never_arrived"

    @property
    def is_final(self) -> bool:
        """True when nothing more can happen to the order."""
        return self in _FINAL


_FINAL = frozenset(
    {
        OrderStatus.FILLED,
        OrderStatus.CANCELED,
        OrderStatus.REJECTED,
        OrderStatus.EXPIRED,
        OrderStatus.NEVER_ARRIVED,
    }
)


class Liquidity(StrEnum):
    """Whether a fill rested in the book or took from it."""

    MAKER = "maker"
    TAKER = "taker"


class ExecutionKind(StrEnum):
    """Why money moved."""

    TRADE = "trade"
    FUNDING = "funding"
    LIQUIDATION = "liquidation"
    SETTLEMENT = "settlement"
    INSURANCE = "insurance"
    """An insurance fund made a balance good that a liquidation had left below zero; a negative fee."""

    @property
    def moves_position(self) -> bool:
        """False for what moves money alone."""
        return self not in (ExecutionKind.FUNDING, ExecutionKind.INSURANCE)
