"""One config in replay, on paper and against the simulator in virtual time: what its strategies noted, mode by mode.

    told = play("paper", CONFIG, one=One, two=Two)

`CONFIG` begins every exchange block with `{mode}`; strategies note what they hear with `note(...)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hbkit.cli import live
from hbkit.clock import ManualClock
from hbkit.config import load_config
from hbkit.hookspecs import hookimpl
from hbkit.plugins import Plugins
from hbkit.report.result import RunResult
from hbkit.run import Replay, make_plan
from hbkit.trading.strategy import Strategy

MODES = ("replay", "paper", "simulator")
NOTES: list[tuple[str, ...]] = []


def note(*what: object) -> None:
    """Keep what a strategy heard, as text."""
    NOTES.append(tuple(map(str, what)))


@dataclass(frozen=True)
class Told:
    """A run, and what was noted in it."""

    result: RunResult
    notes: list[tuple[str, ...]]

    def of(self, *first: str) -> list[tuple[str, ...]]:
        """The notes that begin so, without the beginning."""
        return [one[len(first) :] for one in self.notes if one[: len(first)] == first]


class _Guest:
    """Offers the strategies."""

    def __init__(self, strategies: dict[str, type[Strategy]]) -> None:
        self._strategies = strategies

    @hookimpl
    def hbkit_strategies(self) -> dict[str, type[Strategy]]:
        return self._strategies


def play(mode: str, config: str, *guests: object, **strategies: type[Strategy]) -> Told:
    """Run `config` with `{mode}` filled in; the current folder is a test's own."""
    NOTES.clear()
    Path("c.yaml").write_text(config.replace("{mode}", f"mode: {mode}"))
    plugins = Plugins([], [])
    for guest in (_Guest(strategies), *guests):
        plugins.add(guest, type(guest).__name__.lower())
    plan = make_plan(load_config(Path("c.yaml"), environ={}), plugins, None)
    if mode == "replay":
        result = Replay(plan, wall=ManualClock(0)).play()
    else:
        result = live.play(plan, virtual=True, allowed=False, debug=False, no_view=True)
    return Told(result, list(NOTES))
