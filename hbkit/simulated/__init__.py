"""Exchanges of our own: the matching engine behind the connector contract, for replay and for paper."""

from hbkit.simulated.paper import PaperExchange
from hbkit.simulated.recorded import RowHandler, SimulatedExchange

__all__ = ["PaperExchange", "RowHandler", "SimulatedExchange"]
