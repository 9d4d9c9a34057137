"""Buying weakness, after basana's RSI sample: in when the RSI falls below a level, out when it rises above another."""

from hbkit import Candle, Param, Strategy


class RsiReversal(Strategy):
    """Hold `qty` from a fall of the RSI below `oversold` to a rise above `overbought`, or to too large a loss."""

    period: int = Param(7, ge=2, doc="candles in the RSI")
    oversold: float = Param(30, gt=0, lt=100, doc="level whose crossing from above is a signal to buy")
    overbought: float = Param(70, gt=0, lt=100, doc="level whose crossing from below is a signal to close")
    stop_loss: float = Param(6, gt=0, doc="loss in percent of the entry price at which the position is closed")
    qty: float = Param(1000, gt=0, doc="position while long")

    def on_start(self) -> None:
        self.rsi = self.indicator("RSI", self.period)

    def on_candle(self, candle: Candle) -> None:
        if candle.close <= self.position.entry_price * (1 - self.stop_loss / 100):
            self.target_position(0)  # flat has no entry price: nan, of which nothing is below
        if self.rsi[-2] is None:
            return
        if self.rsi[-2] >= self.oversold > self.rsi[-1]:
            self.target_position(self.qty)
        elif self.rsi[-2] <= self.overbought < self.rsi[-1]:
            self.target_position(0)
