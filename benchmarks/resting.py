"""The strategy of the trade workload: every 1,000 trades one bid 5.0 below the market, left to rest."""

from hbkit import Strategy, Trade


class Resting(Strategy):
    """One resting order at a time."""

    def on_start(self) -> None:
        self.seen = 0

    def on_trade(self, trade: Trade) -> None:
        self.seen += 1
        if self.seen % 1000 == 0 and not self.orders:
            self.buy(100, trade.price - 5.0)
