"""Spot against perpetual: hold the coin, be short as much of it in a perpetual, and collect what its longs pay."""

from hbkit import Fill, Funding, Order, Param, Strategy


class FundingCarry(Strategy):
    """Buy `qty` of the first instrument, spot, and sell as much of the second, a linear perpetual, while funding pays.

    The perpetual follows what the spot market has really filled, so a fill in part is hedged in part. Both sides are
    looked at again every `check` seconds, which takes up whatever a lost connection or a restart left undone.

    It risks a few seconds with one side only; the distance between the two prices at the exit; four taker fees, which a
    rate has to earn back; and the short's margin: a large rise liquidates it while the profit lies in the coin. A side
    that is refused ends the carry until the next funding.
    """

    enter: float = Param(0.0005, doc="funding rate from which the carry is entered, 0.0005 is 0.05 % for each interval")
    leave: float = Param(0.0001, doc="funding rate below which it is left")
    qty: float = Param(0.1, gt=0, doc="coins to hold, a whole number of lots of the perpetual")
    check: float = Param(10, ge=1, doc="seconds between two looks at both sides")

    def on_start(self) -> None:
        self.spot, self.perpetual = (self.market(instrument) for instrument in self.instruments)
        self.every(self.check, self.rebalance)

    def on_funding(self, funding: Funding) -> None:
        if funding.rate >= self.enter:
            self.state["coins"] = self.qty
        elif funding.rate < self.leave:
            self.state["coins"] = 0
        self.log.info("funding", rate=funding.rate, received=funding.amount, coins=self.state.get("coins", 0))
        self.rebalance()

    def on_fill(self, fill: Fill) -> None:
        self.rebalance()

    def on_order(self, order: Order) -> None:
        if order.status == "rejected":
            self.log.warning("refused, the carry ends", instrument=order.instrument.symbol, reason=order.reason)
            self.state["coins"] = 0

    def rebalance(self) -> None:
        self.spot.target_position(self.state.get("coins", 0))
        self.perpetual.target_position(-self.spot.position.qty / self.perpetual.instrument.contract_size)
