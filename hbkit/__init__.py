"""hbkit: a trading strategy is one small file; everything else is a plugin.

This face only hands names on, each loaded on first use, so that `import hbkit` costs nothing. Nothing inside the
package imports it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hbkit.errors import ConfigError as ConfigError
    from hbkit.errors import DataError as DataError
    from hbkit.errors import ExchangeError as ExchangeError
    from hbkit.errors import HbkitError as HbkitError
    from hbkit.errors import PluginError as PluginError
    from hbkit.errors import StrategyError as StrategyError
    from hbkit.exchange import Capabilities as Capabilities
    from hbkit.exchange import Channel as Channel
    from hbkit.exchange import Exchange as Exchange
    from hbkit.exchange import ExchangeSpec as ExchangeSpec
    from hbkit.hookspecs import hookimpl as hookimpl
    from hbkit.model import Balance as Balance
    from hbkit.model import Candle as Candle
    from hbkit.model import Currency as Currency
    from hbkit.model import Fill as Fill
    from hbkit.model import Funding as Funding
    from hbkit.model import Instrument as Instrument
    from hbkit.model import InstrumentKind as InstrumentKind
    from hbkit.model import Liquidity as Liquidity
    from hbkit.model import Mark as Mark
    from hbkit.model import Order as Order
    from hbkit.model import OrderBook as OrderBook
    from hbkit.model import OrderStatus as OrderStatus
    from hbkit.model import Position as Position
    from hbkit.model import PositionMode as PositionMode
    from hbkit.model import PositionModeChange as PositionModeChange
    from hbkit.model import PositionSide as PositionSide
    from hbkit.model import Quote as Quote
    from hbkit.model import Side as Side
    from hbkit.model import TimeInForce as TimeInForce
    from hbkit.model import Trade as Trade
    from hbkit.notebook import backtest as backtest
    from hbkit.report.explored import Result as Result
    from hbkit.trading.params import Param as Param
    from hbkit.trading.strategy import Strategy as Strategy
    from hbkit.version import VERSION as __version__  # noqa: F401

_MODEL = (
    "Balance", "Candle", "Currency", "Fill", "Funding", "Instrument", "InstrumentKind", "Liquidity", "Mark", "Order",
    "OrderBook", "OrderStatus", "Position", "PositionMode", "PositionModeChange", "PositionSide", "Quote", "Side",
    "TimeInForce", "Trade",
)  # fmt: skip
_ERRORS = ("ConfigError", "DataError", "ExchangeError", "HbkitError", "PluginError", "StrategyError")
_HOMES: dict[str, str] = {
    **dict.fromkeys(_MODEL, "hbkit.model"),
    **dict.fromkeys(_ERRORS, "hbkit.errors"),
    **dict.fromkeys(("Capabilities", "Channel", "Exchange", "ExchangeSpec"), "hbkit.exchange"),
    "backtest": "hbkit.notebook",
    "hookimpl": "hbkit.hookspecs",
    "Param": "hbkit.trading.params",
    "Result": "hbkit.report.explored",
    "Strategy": "hbkit.trading.strategy",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("hbkit.version").VERSION
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'hbkit' has no attribute '{name}'")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*_HOMES, "__version__"])
