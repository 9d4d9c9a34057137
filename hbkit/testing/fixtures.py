"""The types of the pytest fixtures, for tests that are checked by a type checker.

from hbkit.testing import Market, RunStrategy

async def test_quotes(run_strategy: RunStrategy, market: Market) -> None: ...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from hbkit.testing.ran import Ran
from hbkit.testing.scripts import Script
from hbkit.trading.strategy import Strategy

Scripts = str | Sequence[float] | Script
"""A script by name, as text, as numbers, or as `market(...)` makes it."""


class RunStrategy(Protocol):
    """The fixture `run_strategy`."""

    async def __call__(
        self,
        use: str | type[Strategy],
        *,
        script: Scripts | Mapping[str, Scripts] = "calm",
        params: Mapping[str, Any] | None = None,
        exchange: str = "fake",
        instruments: Sequence[str] = ("COIN",),
        position_mode: str = "one_way",
        seconds: float | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> Ran:
        """Run a strategy by name, file or class; see `hbkit.testing.playing.run_strategy`."""


class Market(Protocol):
    """The fixture `market`."""

    def __call__(self, *prices: float, every: float = 1.0) -> Script:
        """A price every so many seconds."""
