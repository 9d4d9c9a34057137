"""The one matching engine: pure, synchronous, time comes in as an argument."""

from hbkit.matching.account import Account
from hbkit.matching.engine import Engine, Horizon
from hbkit.matching.fills import BUILT_IN, FillModel, Queue, Through, Touch
from hbkit.matching.market import Market
from hbkit.matching.order import UNKNOWN_SIZE, EngineOrder

__all__ = [
    "BUILT_IN",
    "UNKNOWN_SIZE",
    "Account",
    "Engine",
    "EngineOrder",
    "FillModel",
    "Horizon",
    "Market",
    "Queue",
    "Through",
    "Touch",
]
