"""A strategy that does on both legs of a contract what moves money: market orders, stops, amends, closing, funding."""

from __future__ import annotations

from hbkit import Funding, Order, Quote
from plugins.bitmex.tests.connector.churn import Churn


class Legs(Churn):
    """Holds a long and a short leg, each with a stop that is drawn towards the market until it fires, and again."""

    def on_start(self) -> None:
        super().on_start()
        self.paid: list[Funding] = []
        self.fired = 0
        self.stops: dict[str, Order] = {}

    def on_funding(self, funding: Funding) -> None:
        self.paid.append(funding)

    def on_order(self, order: Order) -> None:
        super().on_order(order)
        stop = next((leg for leg, one in self.stops.items() if one.id == order.id), None)
        if stop is None:
            return
        self.stops[stop] = order
        if order.status.value in ("filled", "canceled", "rejected"):
            self.fired += order.status.value == "filled"
            del self.stops[stop]

    def step(self) -> None:
        quote = self.last_quote
        if self.quiet or quote is None or not quote.bid < quote.ask:
            return
        for leg, held in (("long", self.long.qty), ("short", abs(self.short.qty))):
            if held < {"long": 900, "short": 300}[leg]:
                self.more(leg, quote)
            elif leg not in self.stops:
                self.protect(leg, held, quote)
            else:
                self.draw_in(leg, quote)

    def more(self, leg: str, quote: Quote) -> None:
        open_it = self.buy if leg == "long" else self.sell
        open_it(100 * self.random.randint(1, 3), position_side=leg)
        resting = (quote.bid, quote.ask)[leg == "short"]
        for order in self.orders:
            if order.position_side == leg and order.price is not None:
                self.amend(order, price=resting)
                return
        open_it(100, resting, position_side=leg)

    def protect(self, leg: str, held: float, quote: Quote) -> None:
        close_it = self.sell if leg == "long" else self.buy
        away = -4.0 if leg == "long" else 4.0
        self.stops[leg] = close_it(
            held - 100, trigger_price=quote.mid + away, trigger_by="last", trigger_kind="stop", position_side=leg,
            reduce_only=True,
        )  # fmt: skip

    def draw_in(self, leg: str, quote: Quote) -> None:
        order = self.stops[leg]
        if order.status.value == "untriggered":
            step = 0.5 if leg == "long" else -0.5
            self.amend(order, trigger_price=(order.trigger_price or quote.mid) + step)
