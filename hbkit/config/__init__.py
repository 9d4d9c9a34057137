"""Configs: strict YAML in, typed settings out, and every fault with its line, column and mend."""

from hbkit.config.load import Config, load_config
from hbkit.config.node import KeyPath, Place, Scalar
from hbkit.config.settings import (
    MODES,
    Exchange,
    InstrumentChoice,
    Log,
    Margin,
    Mode,
    Parameter,
    Plugins,
    Replay,
    Risk,
    Run,
    Settings,
    State,
    Strategy,
    implied_mode,
)
from hbkit.config.shapes import derived_name

__all__ = [
    "MODES",
    "Config",
    "Exchange",
    "InstrumentChoice",
    "KeyPath",
    "Log",
    "Margin",
    "Mode",
    "Parameter",
    "Place",
    "Plugins",
    "Replay",
    "Risk",
    "Run",
    "Scalar",
    "Settings",
    "State",
    "Strategy",
    "derived_name",
    "implied_mode",
    "load_config",
]
