"""A channel of highs and lows, after Richard Donchian: in above the one, out below the other, by stop orders."""

from hbkit import Candle, Fill, Param, Strategy


class CandleBreakout(Strategy):
    """Buy above the highest of `entry` candles, and sell below the lowest of `exit` candles.

    Both are stop orders that wait at the exchange, so they work between two candles and while this program is busy.
    One of them stands at a time, moved with each candle and sized by what is held.

    It risks a series of small losses in a market without direction; a gap, in which a stop sells far below its
    trigger; and a stop of this program, which takes its orders with it: a position is then held by nothing until the
    next start.
    """

    entry: int = Param(20, ge=2, le=1000, doc="candles whose highest price is the way in")
    exit: int = Param(10, ge=1, le=1000, doc="candles whose lowest price is the way out")
    qty: float = Param(1000, gt=0, doc="position while long")

    @property
    def warmup(self) -> int:
        return max(self.entry, self.exit)

    def on_start(self) -> None:
        if self.position.qty > 0:
            self.renew()  # held since an earlier run, and nothing stands below it

    def on_candle(self, candle: Candle) -> None:
        self.renew()

    def on_fill(self, fill: Fill) -> None:
        self.renew()

    def renew(self) -> None:
        if len(self.closes(self.warmup)) < self.warmup:
            return
        held = self.position.qty
        if held > 0:
            side, qty, trigger = "sell", held, self.lows(self.exit).min() - self.instrument.tick
        else:
            side, qty, trigger = "buy", self.qty, self.highs(self.entry).max() + self.instrument.tick
        self.cancel_all(side="buy" if side == "sell" else "sell")
        standing = [order for order in self.orders if order.side == side]
        if standing:
            self.amend(standing[0], qty=standing[0].filled + qty, trigger_price=trigger)
        elif held > 0:
            self.sell(qty, trigger_price=trigger, trigger_by="last", trigger_kind="stop", reduce_only=True)
        else:
            self.buy(qty, trigger_price=trigger, trigger_by="last", trigger_kind="stop")
