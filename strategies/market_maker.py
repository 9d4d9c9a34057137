"""Market making near the touch: one bid and one offer around the middle, leaning against the position."""

import math

from hbkit import Param, Quote, Strategy


class MarketMaker(Strategy):
    """Quote `spread_bps` apart around the middle, moved by `skew_bps` for each `qty` that is held."""

    spread_bps: float = Param(8, gt=0, doc="distance between bid and offer")
    skew_bps: float = Param(1, ge=0, doc="shift of both quotes per qty held, against the position")
    requote_bps: float = Param(1, ge=0, doc="leave quotes alone while they are this close to where they should be")
    qty: float = Param(100, gt=0, doc="size of each quote")

    def on_start(self) -> None:
        self.center = 0.0

    def on_quote(self, quote: Quote) -> None:
        if math.isnan(quote.mid):
            return  # one side of the book is empty: no middle to quote around
        held = self.position.qty / self.qty
        center = quote.mid * (1 - held * self.skew_bps / 10_000)
        if abs(center - self.center) < center * self.requote_bps / 10_000 and len(self.orders) == 2:
            return
        self.center = center
        half = center * self.spread_bps / 20_000
        bid = min(center - half, quote.bid)
        ask = max(center + half, quote.ask)
        self.quote(bids=[(bid, self.qty)], asks=[(ask, self.qty)])
