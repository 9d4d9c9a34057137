"""Value types and their arithmetic: small, typed, without I/O and without a clock.

Inside hbkit a price is an integer number of ticks, a quantity an integer number of units (the smallest countable piece:
one contract, one satoshi) and money an integer of the settlement currency's minor unit. Floats are what strategies see.
"""

from hbkit.model.balance import Balance, Currency, Wallet
from hbkit.model.book import OrderBook
from hbkit.model.enums import (
    ExecutionKind,
    InstrumentKind,
    Liquidity,
    MarginMode,
    OrderStatus,
    OrderType,
    PositionMode,
    PositionSide,
    Side,
    TimeInForce,
    TriggerBy,
    TriggerKind,
)
from hbkit.model.instrument import Instrument
from hbkit.model.market import Candle, Funding, Mark, Quote, Trade
from hbkit.model.order import Execution, Fill, Order, OrderReport, OrderRequest
from hbkit.model.position import Leg, Legs, Position, PositionModeChange

__all__ = [
    "Balance",
    "Candle",
    "Currency",
    "Execution",
    "ExecutionKind",
    "Fill",
    "Funding",
    "Instrument",
    "InstrumentKind",
    "Leg",
    "Legs",
    "Liquidity",
    "MarginMode",
    "Mark",
    "Order",
    "OrderBook",
    "OrderReport",
    "OrderRequest",
    "OrderStatus",
    "OrderType",
    "Position",
    "PositionMode",
    "PositionModeChange",
    "PositionSide",
    "Quote",
    "Side",
    "TimeInForce",
    "Trade",
    "TriggerBy",
    "TriggerKind",
    "Wallet",
]
