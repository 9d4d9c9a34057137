"""Making a market at one exchange and hedging each fill at another, after Hummingbot's cross-exchange market making."""

from hbkit import Fill, Order, Param, Quote, Side, Strategy

SECOND = 1_000_000_000
Levels = list[tuple[float, float]]


class CrossExchangeMm(Strategy):
    """Quote the first instrument around the second one's touch, and take there at once what was filled here.

    What the hedge should hold follows from what the maker holds, so a fill in part, a lost answer or a restart needs
    nothing special; what is below the hedge's smallest order is carried until it makes one. Sizes are in coins; each
    market's own unit (coins, contracts of a coin, contracts of dollars) is reckoned here.

    It risks the time between a fill and its hedge: the touch moves, is thinner than it looked, or the hedge is refused
    or out of reach. Then no more is quoted than `max_unhedged` has room for, and the hedge is tried again every second;
    what is held without one is not sold off. Where the maker cannot amend orders, a quote that is being replaced may
    fill once more. What fills while the run stops is hedged by the next start. Each side needs money of its own, and
    the two prices are compared as they are: USD and USDT count as one.
    """

    margin_bps: float = Param(5, ge=-100, le=1000, doc="profit wanted beyond the maker's and the taker's fee")
    requote_bps: float = Param(1, ge=0, le=100, doc="leave a quote alone while it is this close to where it should be")
    coins: float = Param(0.02, gt=0, doc="size of each quote, in coins")
    max_unhedged: float = Param(0.04, gt=0, doc="coins that may ever be without a hedge, those of a quote included")
    max_held: float = Param(0.2, gt=0, doc="coins held at the maker, either way")
    stale: float = Param(10, gt=0, doc="seconds without a quote of the hedge's market after which nothing is quoted")

    def on_start(self) -> None:
        self.maker, self.hedge = (self.market(one) for one in self.instruments)
        self.away: set[str] = set()
        self.heard = 0
        self.shown: dict[Side, float] = {}
        self.every(1, self.look)

    def on_quote(self, quote: Quote) -> None:
        if quote.instrument == self.hedge.instrument:
            self.heard = self.now
        self.requote()

    def on_fill(self, fill: Fill) -> None:
        self.look()

    def on_order(self, order: Order) -> None:
        if order.status == "rejected":
            self.log.warning("refused", exchange=order.instrument.exchange, side=order.side, reason=order.reason)

    def on_disconnected(self, exchange: str) -> None:
        self.away.add(exchange)
        self.requote()

    def on_connected(self, exchange: str) -> None:
        self.away.discard(exchange)
        self.look()

    def look(self) -> None:
        """Hedge first, then quote what may still be quoted."""
        if abs(self.lacking()) >= self.hedge.least_qty and self.hedge.instrument.exchange not in self.away:
            self.hedge.target_position(self.wanted())  # counts what is in flight and what is UNKNOWN
        self.requote()

    def wanted(self) -> float:
        """What the hedge should hold, in its unit; contracts of dollars are sold for as much as the coins have cost."""
        held = self.maker.position
        coins = self.maker.instrument.to_base(held.qty, held.entry_price)
        return -self.hedge.instrument.from_base(coins, held.entry_price)

    def lacking(self) -> float:
        """What the hedge has yet to buy, or below zero to sell; an order in flight has bought nothing yet."""
        return self.wanted() - self.hedge.position.qty

    def coming(self, side: Side) -> float:
        """What hedges in flight, or of unknown fate, may yet fill on a side."""
        return sum(order.remaining for order in self.hedge.orders if order.side is side)

    def requote(self) -> None:
        touch, own = self.hedge.last_quote, self.maker.last_quote
        fresh = touch is not None and touch.mid > 0 and self.now - self.heard <= self.stale * SECOND
        if touch is None or own is None or self.away or not fresh:
            self.shown.clear()
            self.maker.quote()
            return
        there, here = self.hedge.instrument, self.maker.instrument
        fees = float(here.maker_fee + there.taker_fee)
        share = fees + self.margin_bps / 10_000
        # What is on its way may fill or not: each side counts with what would make it worse.
        long = there.to_base(self.coming(Side.BUY) - self.lacking(), touch.mid)
        short = there.to_base(self.coming(Side.SELL) + self.lacking(), touch.mid)
        held = here.to_base(self.maker.position.qty, touch.mid)
        bid, ask = self.near(Side.BUY, touch.bid * (1 - share)), self.near(Side.SELL, touch.ask * (1 + share))
        bids = self.level(min(bid, own.ask - here.tick), long, held, there.to_base(touch.bid_qty, bid))
        asks = self.level(max(ask, own.bid + here.tick), short, -held, there.to_base(touch.ask_qty, ask))
        self.maker.quote(bids, asks)

    def near(self, side: Side, price: float) -> float:
        """The price, or the one that is quoted already where that is close enough."""
        before = self.shown.get(side, 0.0)
        self.shown[side] = before if abs(before - price) <= price * self.requote_bps / 10_000 else price
        return self.shown[side]

    def level(self, price: float, unhedged: float, held: float, offered: float) -> Levels:
        """One quote, as large as its size, the limits and the hedge's touch allow; none where that is too little."""
        coins = min(self.coins, self.max_unhedged - unhedged, self.max_held - held)
        qty = self.maker.instrument.from_base(min(coins, offered), price)  # a size that is not told is no limit
        return [(price, qty)] if qty >= self.maker.least_qty else []
