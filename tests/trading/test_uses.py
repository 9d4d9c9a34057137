"""Which sorts of orders a strategy uses: read from its calls, with its parameters, without running it."""

from typing import Any

import pytest

from hbkit import Param, Strategy, TimeInForce
from hbkit.trading.uses import used


class Plain(Strategy):
    def on_trade(self, trade: Any) -> None:
        self.buy(1, 100, post_only=False, trigger_price=None)
        self.cancel_all()
        self.log.info("post_only=True")  # a text is no call of an order


class Quoter(Strategy):
    def on_trade(self, trade: Any) -> None:
        self.quote(bids=[(1, 1)])


class Taker(Strategy):
    def on_trade(self, trade: Any) -> None:
        self.quote(bids=[(1, 1)], post_only=False)


class Stopper(Strategy):
    maker: bool = Param(True)
    tif: str = Param("fok")

    def on_trade(self, trade: Any) -> None:
        self.market("X").sell(1, trigger_price=trade.price * 0.9, reduce_only=True)
        self.buy(1, 100, post_only=self.maker, time_in_force=self.tif)
        self.buy(1, 100, time_in_force=TimeInForce.IOC, display_qty=5)
        self._later()

    def _later(self) -> None:
        self.amend("x", price=1)
        self.set_leverage(3)
        self.set_position_mode("hedge")


class Unsure(Strategy):
    def on_trade(self, trade: Any) -> None:
        flag = trade.price > 5
        self.buy(1, 100, post_only=flag, reduce_only=flag)
        self.sell(1, 100, reduce_only=True)


def beside(strategy: Strategy) -> None:
    strategy.buy(1, display_qty=2)


class Helped(Quoter):
    def on_quote(self, quote: Any) -> None:
        beside(self)


@pytest.mark.parametrize(
    ("cls", "values", "found"),
    [
        (Plain, {}, {}),
        (Quoter, {}, {"post_only": True}),
        (Taker, {}, {}),
        (
            Stopper,
            {"maker": True, "tif": "fok"},
            {"triggers": True, "reduce_only": True, "post_only": True, "time_in_force fok": True,
             "time_in_force ioc": True, "display_qty": True, "amend": True, "leverage": True, "hedge_mode": True},
        ),
        (Stopper, {"maker": False, "tif": "gtc"}, {"time_in_force gtc": True}),
        (Unsure, {}, {"post_only": False, "reduce_only": True}),
        (Helped, {}, {"post_only": True, "display_qty": True}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)  # fmt: skip
def test_what_orders_need(cls: type, values: dict[str, Any], found: dict[str, bool]) -> None:
    told = used(cls, Strategy, values)
    if values.get("maker") is False:
        assert "post_only" not in told
        assert found.items() <= told.items()
    else:
        assert told == found
