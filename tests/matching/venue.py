"""A small venue to write engine tests with: one market, named accounts, short calls, fills as plain tuples."""

from __future__ import annotations

import itertools

from hbkit.matching import BUILT_IN, Account, Engine, EngineOrder
from hbkit.model import (
    Execution,
    Instrument,
    OrderReport,
    OrderRequest,
    OrderType,
    PositionMode,
    PositionSide,
    Side,
    TimeInForce,
)
from tests.matching.flows import USDT, XBT, XBTUSD

BID, ASK = Side.BUY, Side.SELL
NET, LONG, SHORT = PositionSide.NET, PositionSide.LONG, PositionSide.SHORT


class Venue:
    """One market; accounts `a` and `b` with 10 XBT and 1,000,000 USDT each."""

    def __init__(
        self,
        instrument: Instrument = XBTUSD,
        *,
        model: str = "queue",
        has_book: bool = True,
        mode: PositionMode = PositionMode.ONE_WAY,
        xbt: int = 1_000_000_000,
        usdt: int = 1_000_000_000_000,
    ) -> None:
        counter = itertools.count(1)
        self.engine = Engine(lambda: f"x{next(counter)}")
        self.instrument = instrument
        self.market = self.engine.add_market(instrument, BUILT_IN[model](), has_book=has_book)
        self.ts = 0
        self.a, self.b = (
            Account(name, {XBT: xbt, USDT: usdt}, self.engine.reference_price, mode=mode) for name in ("a", "b")
        )
        self.engine.add_account(self.a)
        self.engine.add_account(self.b)
        self._ids = itertools.count(1)

    def book(self, bids: dict[int, int], asks: dict[int, int]) -> None:
        """Record levels, best first."""
        for ticks, units in bids.items():
            self.market.level(BID, ticks, units)
        for ticks, units in asks.items():
            self.market.level(ASK, ticks, units)

    def submit(
        self,
        side: Side,
        units: int,
        ticks: int | None = None,
        *,
        account: Account | None = None,
        leg: PositionSide = NET,
        tif: TimeInForce = TimeInForce.GTC,
        post_only: bool = False,
        reduce_only: bool = False,
        order_id: str = "",
    ) -> str:
        """Send an order one nanosecond later; a market order if it has no price. Returns its id."""
        self.ts += 1
        request = OrderRequest(
            id=order_id or f"o{next(self._ids)}",
            instrument=self.instrument,
            side=side,
            position_side=leg,
            type=OrderType.MARKET if ticks is None else OrderType.LIMIT,
            units=units,
            ticks=ticks,
            time_in_force=tif,
            post_only=post_only,
            reduce_only=reduce_only,
        )
        self.engine.submit(account or self.a, request, self.ts)
        return request.id

    def buy(self, units: int, ticks: int | None = None, **words: object) -> str:
        """Submit a buy."""
        return self.submit(Side.BUY, units, ticks, **words)  # type: ignore[arg-type]

    def sell(self, units: int, ticks: int | None = None, **words: object) -> str:
        """Submit a sell."""
        return self.submit(Side.SELL, units, ticks, **words)  # type: ignore[arg-type]

    def amend(self, order_id: str, *, ticks: int | None = None, units: int | None = None) -> None:
        """Amend an order of account a."""
        self.ts += 1
        self.engine.amend(self.a, order_id, self.ts, ticks=ticks, units=units)

    def cancel(self, order_id: str) -> None:
        """Cancel an order of account a."""
        self.ts += 1
        self.engine.cancel(self.a, order_id, self.ts)

    def hold(self, units: int, ticks: int, leg: PositionSide = NET, account: Account | None = None) -> None:
        """Give an account a position of signed `units` at `ticks`, without a trade or a fee."""
        cost = self.instrument.cost_sign * self.instrument.value_at(abs(units), ticks) * (1 if units > 0 else -1)
        (account or self.a).fill(self.instrument, leg, units, cost, 0)

    def order(self, order_id: str) -> EngineOrder:
        """An open order of account a or b."""
        return self.a.orders.get(order_id) or self.b.orders[order_id]

    def events(self) -> list[Execution | OrderReport]:
        """Everything since the last call."""
        events, self.engine.out = self.engine.out, []
        return events

    def fills(self) -> list[tuple[str, int, int, str]]:
        """(order, ticks, units, liquidity) of the executions since the last call."""
        return [
            (event.order_id, self.instrument.ticks(event.price), event.units, event.liquidity.value)
            for event in self.events()
            if isinstance(event, Execution)
        ]

    def said(self) -> list[tuple[str, str, str]]:
        """(order, status, reason) of the reports since the last call."""
        return [
            (event.id, event.status.value, event.reason) for event in self.events() if isinstance(event, OrderReport)
        ]
