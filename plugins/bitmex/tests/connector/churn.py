"""A strategy that does everything an order desk can do, at random: the load under which faults are tried."""

from __future__ import annotations

from hbkit import Fill, Order, Param, Quote, Strategy, Trade


class Churn(Strategy):
    """Places, amends and cancels for `busy` seconds, then takes everything away and only listens."""

    busy: float = Param(35.0, gt=0, doc="seconds of activity")
    every_seconds: float = Param(0.45, gt=0, doc="pause between two steps")

    def on_start(self) -> None:
        self.heard: list[str] = []
        self.news: list[Order] = []
        self.ups = self.downs = 0
        self.quiet = False
        self.traded_at = self.stopped_at = 0
        self.every(self.every_seconds, self.step)
        self.at(self.now + round(self.busy * 1e9), self.rest)

    def on_quote(self, quote: Quote) -> None:
        self.touch = quote

    def on_trade(self, trade: Trade) -> None:
        self.traded_at = self.now

    def on_fill(self, fill: Fill) -> None:
        self.heard.append(fill.id)

    def on_order(self, order: Order) -> None:
        self.news.append(order)

    def on_connected(self, exchange: str) -> None:
        self.ups += 1

    def on_disconnected(self, exchange: str) -> None:
        self.downs += 1

    def on_stop(self) -> None:
        self.stopped_at = self.now

    def rest(self) -> None:
        self.quiet = True
        self.cancel_all()

    def step(self) -> None:
        quote = self.last_quote
        if self.quiet or quote is None or not quote.bid < quote.ask:
            # What turned up late, after everything was taken away, goes as well.
            if self.quiet:
                self.cancel_all()
            return
        dice, standing = self.random.random(), self.orders
        tick = float(self.instrument.tick_size)
        if dice < 0.5 or not standing:
            self.place(quote, tick)
        elif dice < 0.7:
            order = self.random.choice(standing)
            if order.price is not None:
                price = order.price + tick * self.random.randint(-3, 3)
                qty = order.qty + 100 * self.random.randint(0, 1)
                self.amend(order, price=price, qty=qty)
        elif dice < 0.95:
            self.cancel(self.random.choice(standing))
        else:
            self.cancel_all()

    def place(self, quote: Quote, tick: float) -> None:
        qty = 100 * self.random.randint(1, 3)
        buys = self.position.qty < 0 if abs(self.position.qty) >= 1000 else self.random.random() < 0.5
        near = quote.bid if buys else quote.ask
        away = tick * self.random.choice([-1, 0, 0, 0, 1, 2, 10]) * (-1 if buys else 1)
        act = self.buy if buys else self.sell
        kind = self.random.random()
        if kind < 0.15:
            act(qty)
        elif kind < 0.3:
            act(qty, quote.ask if buys else quote.bid)
        else:
            order = act(qty, near + away, post_only=kind < 0.6)
            if kind > 0.9:
                # Sent at once after the order itself: one of them may overtake the other.
                self.cancel(order) if kind > 0.95 else self.amend(order, price=near + away + tick * (-1 if buys else 1))
