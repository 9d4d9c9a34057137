"""A strategy that trades a spot market, a linear and an inverse perpetual of one account by the clock."""

from __future__ import annotations

from hbkit import Quote, Strategy


class ThreeMarkets(Strategy):
    """Buys and sells in turns, so that positions grow, shrink and change sides."""

    def on_start(self) -> None:
        self.turn = 0
        self.every(2, self.step)

    def on_quote(self, quote: Quote) -> None:
        """Subscribed, so that the markets are played."""

    def step(self) -> None:
        self.turn += 1
        spot, linear, inverse = (self.market(symbol) for symbol in ("XBT_USDT", "XBTUSDT", "XBTUSD"))
        if self.turn % 7 < 4:
            spot.buy(0.01 * (self.turn % 3 + 1))
        elif self.turn % 7 < 6:
            spot.sell(0.013)
        if self.turn % 5 == 0:
            linear.buy(10_000)
        elif self.turn % 5 == 3:
            linear.sell(7_000)
        if self.turn % 4 == 0:
            inverse.sell(300)
        elif self.turn % 6 == 1:
            inverse.buy(200)
