"""BitMEX on this machine: a server that speaks its REST and WebSocket protocol, fed by tapes, matched by the engine."""

from hbkit_bitmex.simulator.options import Options
from hbkit_bitmex.simulator.server import Running, Simulator, build_app, hosted, serve

__all__ = ["Options", "Running", "Simulator", "build_app", "hosted", "serve"]
