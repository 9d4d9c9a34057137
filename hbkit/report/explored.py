"""A result as notebooks and scripts hold it: the rows of the run, frames of them, and a picture of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from hbkit.model import Candle
from hbkit.report.card import card
from hbkit.report.frames import Frames
from hbkit.report.result import RunResult


class Result(RunResult, kw_only=True, dict=True):
    """What `hbkit.backtest` returns. `Result.load("runs/<run id>/result.json")` reads that of an earlier run.

    `result.frames.fills` and the like are pandas frames; `fill_rows`, `order_rows` and `money` are the exact rows.
    """

    @classmethod
    def of(cls, result: RunResult, candles: Sequence[Candle]) -> Result:
        """The result of a run, with the candles that its strategies heard."""
        made = cls(**{name: getattr(result, name) for name in result.__struct_fields__})
        made.__dict__["candles"] = list(candles)
        return made

    @property
    def candles(self) -> list[Candle]:
        """The candles that strategies heard, in the order of their closes; empty where a result was loaded."""
        kept: list[Candle] = self.__dict__.get("candles", [])
        return kept

    @property
    def frames(self) -> Frames:
        """pandas frames: fills, orders, equity, prices, candles."""
        return Frames(self, self.candles)

    @property
    def net_profit(self) -> dict[str, Decimal]:
        """Per currency that moved, what the run earned after fees and funding, open profit included."""
        return {row.currency: Decimal(row.unit.text(row.net_profit)) for row in self.moved()}

    def __repr__(self) -> str:
        earned = ", ".join(f"{amount} {code}" for code, amount in self.net_profit.items()) or "no money moved"
        return f"Result({self.run_id}: {self.orders} orders, {self.fills} fills, {earned}, exit {self.exit_code})"

    def _repr_html_(self) -> str:
        return card(self)
