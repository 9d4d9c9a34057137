"""The matching engine: accounts and markets together; orders and market events go in, reports and executions come out.

Pure and synchronous: no I/O, no clock, no randomness. Time is an argument of every call; what happened is appended to
`out` in the order in which it happened and is taken from there by the owner once the step is over, so that nothing that
hears of a fill can act in the middle of it.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from decimal import Decimal
from typing import NamedTuple

from hbkit.matching.account import Account
from hbkit.matching.fills import FillModel
from hbkit.matching.market import Market
from hbkit.matching.order import UNKNOWN_SIZE, EngineOrder
from hbkit.model import (
    Currency,
    Execution,
    ExecutionKind,
    Instrument,
    Liquidity,
    OrderReport,
    OrderRequest,
    OrderStatus,
    PositionSide,
    Side,
    TimeInForce,
)

Event = OrderReport | Execution

_DONE_KEPT = 10_000
"""How many finished orders are remembered, so that a late cancel is answered with what became of the order."""


class Horizon(NamedTuple):
    """What can matter next in one market: a trade strictly between the two prices (in ticks) changes nothing."""

    buy_touch: int
    sell_touch: int


class Engine:
    """All markets and accounts of one venue."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self.out: list[Event] = []
        self.markets: dict[Instrument, Market] = {}
        self._accounts: dict[str, Account] = {}
        self._new_id = new_id
        self._done: dict[tuple[str, str], EngineOrder] = {}
        self._ts = 0

    # -- markets

    def add_market(self, instrument: Instrument, model: FillModel, *, has_book: bool) -> Market:
        """Open a market; its events are then fed to the Market that is returned, after `at(ts)`."""
        market = Market(instrument, model, self._on_fill, self._on_missed, self._on_met, has_book=has_book)
        self.markets[instrument] = market
        return market

    def add_account(self, account: Account) -> None:
        """Open the venue to an account; its name is what orders are booked by."""
        self._accounts[account.name] = account

    def at(self, ts: int) -> None:
        """Set the time of what follows."""
        self._ts = ts

    def reference_price(self, instrument: Instrument) -> float | None:
        """The price positions in `instrument` are valued at now."""
        market = self.markets.get(instrument)
        return market.reference if market is not None else None

    def horizon(self) -> dict[Instrument, Horizon]:
        """For each market the prices that can change anything next."""
        return {instrument: Horizon(*market.touches) for instrument, market in self.markets.items()}

    def fund(self, instrument: Instrument, rate: float, ts: int) -> None:
        """A funding at `ts`: longs pay shorts when the rate is positive, on the value at the mark, truncated."""
        for account in self._accounts.values():
            self.fund_account(account, instrument, rate, ts)

    def fund_account(self, account: Account, instrument: Instrument, rate: float, ts: int) -> None:
        """The part of a funding that one account pays or receives, each leg by itself."""
        price = self.reference_price(instrument)
        if price is None:
            return
        exact = Decimal(repr(rate))
        for side, leg in account.legs():
            if leg.instrument is not instrument or not leg.units:
                continue
            value = instrument.value(abs(leg.units), price)
            payment = instrument.fee(value, exact if leg.units > 0 else -exact)
            if payment == 0:
                continue
            account.pay_funding(instrument, payment)
            execution = Execution(
                ts=ts,
                id=self._new_id(),
                order_id="",
                instrument=instrument,
                side=Side.BUY if leg.units > 0 else Side.SELL,
                position_side=side,
                price=price,
                units=abs(leg.units),
                cost=0,
                fee=payment,
                liquidity=Liquidity.TAKER,
                kind=ExecutionKind.FUNDING,
                rate=rate,
            )
            self.out.append(execution)

    def take_over(
        self, account: Account, instrument: Instrument, side: PositionSide, ticks: int, ts: int
    ) -> Execution | None:
        """The venue takes a whole position over at a price it names: an execution of no order, beside the market.

        No order, no public trade and no queue is involved; the taker fee is charged. What could only reduce the
        position is taken away. Returns the execution, which is in `out` as well; None where there is no position.
        """
        leg = account.leg(instrument, side)
        units = -leg.units
        if not units:
            return None
        self._ts = ts
        value = instrument.value_at(abs(units), ticks)
        sign = 1 if units > 0 else -1
        cost, fee = instrument.cost_sign * value * sign, instrument.fee(value, instrument.taker_fee)
        account.fill(instrument, side, units, cost, fee)
        execution = Execution(
            ts=ts,
            id=self._new_id(),
            order_id="",
            instrument=instrument,
            side=Side.BUY if units > 0 else Side.SELL,
            position_side=side,
            price=instrument.price(ticks),
            units=abs(units),
            cost=cost,
            fee=fee,
            liquidity=Liquidity.TAKER,
            kind=ExecutionKind.LIQUIDATION,
        )
        self.out.append(execution)
        self._hold_leg(account, instrument, side)
        return execution

    # -- requests

    def submit(self, account: Account, request: OrderRequest, ts: int) -> None:
        """A new order arrives."""
        self._ts = ts
        order = EngineOrder(account.name, request, "", ts)
        refusal = self._refusal(order)
        if refusal:
            order.status = OrderStatus.REJECTED
            self._report(order, refusal, refused="submit")
            return
        order.exchange_id = self._new_id()
        self._cut_to_position(order)
        self._enter(order)

    def amend(self, account: Account, order_id: str, ts: int, *, ticks: int | None, units: int | None) -> None:
        """Change an open order. A lower quantity keeps its place; a new price or a higher quantity loses it."""
        self._ts = ts
        order = account.orders.get(order_id)
        if order is None:
            self._late(account, order_id, "amend")
            return
        new_ticks = order.ticks if ticks is None else ticks
        new_units = order.units if units is None else units
        refusal = self._amend_refusal(order, new_ticks, new_units)
        if refusal:
            self._report(order, refusal, refused="amend")
            return
        keeps_place = new_ticks == order.ticks and new_units <= order.units
        if keeps_place:
            order.units = new_units
            self._report(order, "")
            return
        market = self.markets[order.request.instrument]
        market.remove(order)
        del account.orders[order_id]
        order.ticks, order.units, order.arrived, order.sequence = new_ticks, new_units, ts, UNKNOWN_SIZE
        self._cut_to_position(order)
        self._enter(order)

    def cancel(self, account: Account, order_id: str, ts: int, reason: str = "") -> None:
        """Take an open order away; `reason` is what its report says, of a cancel that its owner did not ask for."""
        self._ts = ts
        order = account.orders.get(order_id)
        if order is None:
            self._late(account, order_id, "cancel")
            return
        self._end(order, reason)

    def shortage(self, account: Account, request: OrderRequest) -> tuple[int, Currency] | None:
        """What is missing for a new order, and in which currency; None when it can be paid for. Nothing changes."""
        order = EngineOrder(account.name, request, "", self._ts)
        return None if self._reduces(order) else account.shortage(order, self.markets[request.instrument].walk)

    def amend_shortage(
        self, account: Account, order_id: str, ticks: int | None, units: int
    ) -> tuple[int, Currency] | None:
        """The same for an open order that is to have another price or quantity."""
        order = account.orders[order_id]
        if self._reduces(order):
            return None
        old = order.ticks, order.units
        order.ticks, order.units = ticks, units
        del account.orders[order_id]
        try:
            return account.shortage(order, self.markets[order.request.instrument].walk)
        finally:
            account.orders[order_id] = order
            order.ticks, order.units = old

    # -- arrival

    def _refusal(self, order: EngineOrder) -> str:
        """Why an order cannot be taken, the empty text if it can."""
        request, account = order.request, self._owner(order)
        instrument = request.instrument
        leg = account.leg(instrument, request.position_side)
        if instrument not in self.markets:
            return f"{instrument} is not traded here"
        if request.id in account.orders:
            return "duplicate client order id"
        if account.hedged(instrument) == (request.position_side is PositionSide.NET):
            return f"position side {request.position_side} does not fit the position mode {account.mode}"
        whole = request.reduce_only and request.units == abs(leg.units)
        if request.units <= 0 or (request.units % instrument.lot_units and not whole):
            return f"quantity {instrument.qty_text(request.units)} is not a multiple of lot {instrument.lot_size}"
        if instrument.max_qty is not None and instrument.unit_size * request.units > instrument.max_qty:
            return f"quantity {instrument.qty_text(request.units)} is above the maximum {instrument.max_qty}"
        if self._reduces(order) and leg.units * order.side >= 0:
            return f"reduce-only {request.side} but the position is {instrument.qty_text(leg.units)}"
        return self._price_refusal(order) or self._money_refusal(order)

    def _owner(self, order: EngineOrder) -> Account:
        return self._accounts[order.account]

    def _price_refusal(self, order: EngineOrder) -> str:
        instrument = order.request.instrument
        if order.is_market:
            return ""
        if order.ticks is None or order.ticks <= 0:
            return "a limit order needs a price above 0"
        price = instrument.tick_size * order.ticks
        if instrument.max_price is not None and price > instrument.max_price:
            return f"price {price} is above the maximum {instrument.max_price}"
        return ""

    def _money_refusal(self, order: EngineOrder, replaced: EngineOrder | None = None) -> str:
        """Balance test; an order that only reduces needs nothing, except on spot, where it pays like any other."""
        if self._reduces(order) and not order.request.instrument.is_spot:
            return ""
        short = self._owner(order).shortage(order, self.markets[order.request.instrument].walk, replaced)
        if short is None:
            return ""
        needed, currency = short
        free = self._owner(order).wallet(currency.code).available
        return f"needs {currency.text(needed)} {currency}, free {currency.text(free)} {currency}"

    def _amend_refusal(self, order: EngineOrder, ticks: int | None, units: int) -> str:
        instrument = order.request.instrument
        if units <= order.filled:
            return f"quantity must stay above the {instrument.qty_text(order.filled)} that filled"
        if units % instrument.lot_units:
            return f"quantity {instrument.qty_text(units)} is not a multiple of lot {instrument.lot_size}"
        if order.is_market and ticks is not None:
            return "a market order has no price"
        if ticks == order.ticks and units == order.units:
            return "nothing to change"
        changed = copy(order)
        changed.ticks, changed.units = ticks, units
        return self._price_refusal(changed) or self._money_refusal(changed, order)

    def _reduces(self, order: EngineOrder) -> bool:
        """True for reduce-only orders, and for orders on the closing side of a hedge leg, which never cross zero.

        Reduce-only on the opening side of a leg has nothing to reduce, and is refused for that.
        """
        side = order.request.position_side
        if order.request.reduce_only or side is PositionSide.NET:
            return order.request.reduce_only
        return (side is PositionSide.LONG) == (order.request.side is Side.SELL)

    def _cut_to_position(self, order: EngineOrder) -> None:
        if self._reduces(order):
            leg = self._owner(order).leg(order.request.instrument, order.request.position_side)
            order.units = min(order.units, order.filled + abs(leg.units))

    def _enter(self, order: EngineOrder) -> None:
        """Let an accepted order trade, then rest, wait or end."""
        market = self.markets[order.request.instrument]
        self._owner(order).orders[order.request.id] = order
        takes = order.is_market or market.would_take(order)
        if takes and order.request.post_only:
            self._end(order, "post-only order would have taken liquidity")
        elif not market.has_book and (takes or order.is_immediate):
            market.wait(order)
            self._open(order)
        else:
            self._take_then_rest(order, market, takes=takes)

    def _take_then_rest(self, order: EngineOrder, market: Market, *, takes: bool) -> None:
        if order.request.time_in_force is TimeInForce.FOK and market.fillable_now(order) < order.leaves:
            self._end(order, "fill-or-kill could not fill whole")
            return
        if takes:
            market.take(order)
        if not order.leaves:
            return
        if order.is_immediate:
            self._end(order, "immediate order: the rest found nothing to trade with")
            return
        market.rest(order)
        self._open(order)
        self._hold_reduce_only(order)

    def _on_missed(self, order: EngineOrder) -> None:
        """The print an order waited for did not reach it, or was too small for a fill-or-kill."""
        if order.request.time_in_force is TimeInForce.FOK:
            self._end(order, "fill-or-kill could not fill whole")
            return
        if order.is_immediate:
            self._end(order, "immediate order: the next print did not reach its price")
            return
        self.markets[order.request.instrument].rest(order)
        self._hold_reduce_only(order)

    def _on_met(self, order: EngineOrder, ticks: int) -> bool:
        """The print an order waited for reaches it: test the balance anew, for its price was not known before."""
        exempt = self._reduces(order) and not order.request.instrument.is_spot
        if exempt or self._owner(order).can_pay(order, ticks):
            return True
        self._end(order, "the next print is dearer than the account can pay")
        return False

    # -- what happens to orders

    def _on_fill(self, order: EngineOrder, units: int, ticks: int, liquidity: Liquidity) -> None:
        request, account = order.request, self._owner(order)
        instrument = request.instrument
        value = instrument.value_at(units, ticks)
        rate = instrument.maker_fee if liquidity is Liquidity.MAKER else instrument.taker_fee
        fee = instrument.fee(value, rate)
        cost = instrument.cost_sign * value * order.side
        order.filled += units
        done = order.filled >= order.units
        order.status = OrderStatus.FILLED if done else OrderStatus.PARTIALLY_FILLED
        if done:
            self._forget(order)
        account.fill(instrument, request.position_side, units * order.side, cost, fee)
        execution = Execution(
            ts=self._ts,
            id=self._new_id(),
            order_id=request.id,
            instrument=instrument,
            side=request.side,
            position_side=request.position_side,
            price=instrument.price(ticks),
            units=units,
            cost=cost,
            fee=fee,
            liquidity=liquidity,
        )
        self.out.append(execution)
        self._report(order, "")
        self._hold_reduce_only(order)

    def _hold_reduce_only(self, cause: EngineOrder) -> None:
        self._hold_leg(self._owner(cause), cause.request.instrument, cause.request.position_side)

    def _hold_leg(self, account: Account, instrument: Instrument, side: PositionSide) -> None:
        """After a change of a leg its reduce-only orders may not exceed the position: the least aggressive give way."""
        orders = [
            order
            for order in account.orders.values()
            if order.request.instrument is instrument and order.request.position_side is side and self._reduces(order)
        ]
        if not orders:
            return
        position = account.leg(instrument, side).units
        left = abs(position)
        for order in sorted(orders, key=lambda order: order.eagerness):
            keep = min(order.leaves, left) if order.side * position < 0 else 0
            left -= keep
            if keep == 0:
                self._end(order, "reduce-only order: nothing is left to reduce")
            elif keep < order.leaves:
                order.units = order.filled + keep
                self._report(order, "reduce-only order cut to the position")

    def _open(self, order: EngineOrder) -> None:
        order.status = OrderStatus.PARTIALLY_FILLED if order.filled else OrderStatus.OPEN
        self._report(order, "")

    def _end(self, order: EngineOrder, reason: str) -> None:
        self.markets[order.request.instrument].remove(order)
        order.status = OrderStatus.CANCELED
        self._forget(order)
        self._report(order, reason)

    def _forget(self, order: EngineOrder) -> None:
        self._owner(order).orders.pop(order.request.id, None)
        self._done[order.account, order.request.id] = order
        if len(self._done) > _DONE_KEPT:
            del self._done[next(iter(self._done))]

    def _late(self, account: Account, order_id: str, what: str) -> None:
        """Say what became of the order; an id that was never taken gets no answer, for there is no order to report."""
        order = self._done.get((account.name, order_id))
        if order is not None:
            self._report(order, f"order is already {order.status}", refused=what)

    def _report(self, order: EngineOrder, reason: str, refused: str = "") -> None:
        request = order.request
        report = OrderReport(
            ts=self._ts,
            id=request.id,
            exchange_id=order.exchange_id,
            instrument=request.instrument,
            side=request.side,
            position_side=request.position_side,
            status=order.status,
            units=order.units,
            filled_units=order.filled,
            ticks=order.ticks,
            reason=reason,
            refused=refused,
        )
        self.out.append(report)
