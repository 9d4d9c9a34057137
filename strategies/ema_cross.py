"""Two averages that cross, after freqtrade's AverageStrategy: in when the fast one rises above the slow, else out."""

from hbkit import Candle, Param, Strategy


class EmaCross(Strategy):
    """Hold `qty` from a crossing upwards until one downwards, or until profit or loss reach their limit."""

    fast: int = Param(8, ge=2, doc="candles in the fast average")
    slow: int = Param(21, ge=2, doc="candles in the slow average")
    take_profit: float = Param(50, gt=0, doc="profit in percent of the entry price at which the position is closed")
    stop_loss: float = Param(20, gt=0, doc="loss in percent of the entry price at which the position is closed")
    qty: float = Param(1000, gt=0, doc="position while long")

    def on_start(self) -> None:
        self.averages = self.indicator("EMA", self.fast), self.indicator("EMA", self.slow)

    def on_candle(self, candle: Candle) -> None:
        fast, slow = self.averages
        if slow[-2] is None or not candle.volume:
            return
        gain = 100 * (candle.close / self.position.entry_price - 1)  # flat has no entry price: nan, beyond no limit
        if fast[-2] <= slow[-2] and fast[-1] > slow[-1]:
            self.target_position(self.qty)
        elif (fast[-2] >= slow[-2] and fast[-1] < slow[-1]) or gain >= self.take_profit or gain <= -self.stop_loss:
            self.target_position(0)
