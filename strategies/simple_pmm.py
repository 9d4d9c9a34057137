"""The smallest market maker, after Hummingbot's simple_pmm: bid and offer around the price, renewed by the clock."""

from hbkit import Param, Quote, Strategy

SECOND = 1_000_000_000


class SimplePmm(Strategy):
    """Quote `qty` on both sides, `bid_spread` and `ask_spread` away from the price, anew every `refresh` seconds."""

    bid_spread: float = Param(0.001, gt=0, lt=1, doc="distance of the bid, as a fraction of the price")
    ask_spread: float = Param(0.001, gt=0, doc="distance of the offer, as a fraction of the price")
    refresh: float = Param(15, gt=0, doc="seconds between two quotes")
    source: str = Param("mid", choices=("mid", "last"), doc="the middle of the book, or the last trade")
    qty: float = Param(100, gt=0, doc="size of each quote")

    def on_start(self) -> None:
        self.due = 0.0

    def on_quote(self, quote: Quote) -> None:
        last = self.last_trade
        price = last.price if self.source == "last" and last else quote.mid
        if quote.ts >= self.due and price > 0:  # nan while a side of the book is empty
            self.due = quote.ts + self.refresh * SECOND
            self.quote([(price * (1 - self.bid_spread), self.qty)], [(price * (1 + self.ask_spread), self.qty)])
