"""The strategy of the candle workload: buy when the fast average crosses above the slow one, sell when below."""

from hbkit import Candle, Param, Strategy


class Crossing(Strategy):
    """Long or flat; acts on the crossing, not on the level."""

    fast: int = Param(20, ge=1)
    slow: int = Param(50, ge=2)
    qty: float = Param(1_000_000, gt=0)

    def on_start(self) -> None:
        self.before: float | None = None

    def on_candle(self, candle: Candle) -> None:
        closes = self.closes(self.slow)
        if len(closes) < self.slow:
            return
        difference = closes[-self.fast :].mean() - closes.mean()
        before, self.before = self.before, difference
        if before is None:
            return
        if before <= 0 < difference and self.position.qty == 0:
            self.buy(self.qty)
        elif before >= 0 > difference and self.position.qty > 0:
            self.sell(self.qty)
