"""Wiring: from a config to a run and its result. A mode is a different object handed in here; nothing below asks."""

from hbkit.run.plan import Plan, make_plan
from hbkit.run.replay import Replay

__all__ = ["Plan", "Replay", "make_plan"]
