"""Trend following in its plainest form: long while the fast average of closes stands above the slow one."""

from hbkit import Candle, Param, Strategy


class SmaCross(Strategy):
    """Hold `qty` while the fast average is above the slow one, else nothing."""

    fast: int = Param(20, ge=1, doc="candles in the fast average")
    slow: int = Param(50, ge=2, doc="candles in the slow average")
    qty: float = Param(100, gt=0, doc="position while long")

    def on_candle(self, candle: Candle) -> None:
        closes = self.closes(self.slow)
        if len(closes) < self.slow:
            return
        target = self.qty if closes[-self.fast :].mean() > closes.mean() else 0
        self.target_position(target)
