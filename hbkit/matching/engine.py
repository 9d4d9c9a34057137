"""The matching engine: accounts and markets together; orders and market events go in, reports and executions come out.

Pure and synchronous: no I/O, no clock, no randomness. Time is an argument of every call; what happened is appended to
`out` in the order in which it happened and is taken from there by the owner once the step is over, so that nothing that
hears of a fill can act in the middle of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from hbkit.clock import SECOND
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
    TriggerBy,
)

Event = OrderReport | Execution

TRAIL_STEP = Fraction(1, 1000)
"""A trailing trigger stays where it is until the price has moved away by more than this part of itself."""
_DONE_KEPT = 10_000
"""How many finished orders are remembered, so that a late cancel is answered with what became of the order."""


class Horizon(NamedTuple):
    """What can matter next in one market, prices in ticks.

    A trade strictly between the touches meets no resting order, one strictly between the triggers reaches none. The
    marks are the nearest triggers that look at the mark or the index; None where there is none on that side.
    """

    buy_touch: int
    sell_touch: int
    trigger_below: int = -UNKNOWN_SIZE
    trigger_above: int = UNKNOWN_SIZE
    mark_below: int | None = None
    mark_above: int | None = None


class Engine:
    """All markets and accounts of one venue."""

    def __init__(self, new_id: Callable[[], str], refuse_triggered: Callable[[EngineOrder], str] | None = None) -> None:
        """
        :param refuse_triggered: why an order whose trigger was reached cannot be let in, for a venue with tests of its
            own; the engine's own test is the one of a new order.
        """
        self.out: list[Event] = []
        self.markets: dict[Instrument, Market] = {}
        self._accounts: dict[str, Account] = {}
        self._new_id = new_id
        self._done: dict[tuple[str, str], EngineOrder] = {}
        self._ts = 0
        self._entries = 0
        self._reached: list[EngineOrder] = []
        self._trailing: dict[EngineOrder, None] = {}
        self._next_second = 0
        self._refuse_triggered = refuse_triggered if refuse_triggered is not None else self._money_refusal

    # -- markets

    def add_market(self, instrument: Instrument, model: FillModel, *, has_book: bool) -> Market:
        """Open a market; its events are then fed to the Market that is returned, after `at(ts)`."""
        market = Market(
            instrument,
            model,
            self._on_fill,
            self._on_missed,
            self._on_met,
            self._reached.append,
            self.release,
            has_book=has_book,
        )
        self.markets[instrument] = market
        return market

    def add_account(self, account: Account) -> None:
        """Open the venue to an account; its name is what orders are booked by."""
        self._accounts[account.name] = account

    def at(self, ts: int) -> None:
        """Set the time of what follows; a full second that began since moves the triggers that trail."""
        if self._trailing and ts >= self._next_second:
            self._trail(ts)
        self._ts = ts

    def release(self) -> None:
        """A moment is over: orders whose trigger was reached are let in, oldest first, each matched whole.

        What that does to the prices may reach further triggers; they follow.
        """
        while self._reached:
            order = min(self._reached, key=lambda order: order.entered)
            self._reached.remove(order)
            if order.status is OrderStatus.UNTRIGGERED:
                self._let_in(order)

    @property
    def is_releasing(self) -> bool:
        """Whether an order waits to be let in."""
        return bool(self._reached)

    def end_day(self, ts: int) -> None:
        """00:00 UTC: orders that were good for the day are taken away."""
        self.at(ts)
        for account in self._accounts.values():
            for order in [o for o in account.orders.values() if o.request.time_in_force is TimeInForce.DAY]:
                self._end(order, "the day of its time in force is over")

    def reference_price(self, instrument: Instrument) -> float | None:
        """The price positions in `instrument` are valued at now."""
        market = self.markets.get(instrument)
        return market.reference if market is not None else None

    def horizon(self) -> dict[Instrument, Horizon]:
        """For each market the prices that can change anything next."""
        return {
            instrument: Horizon(*market.touches, *market.trigger_touches, *market.mark_touches)
            for instrument, market in self.markets.items()
        }

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
        if not account.leg(instrument, side).units:
            return None
        units = account.leg(instrument, side).units
        self.at(ts)
        value = instrument.value_at(abs(units), ticks)
        rate, kind = instrument.taker_fee, ExecutionKind.LIQUIDATION
        execution = self._close_leg(account, instrument, side, instrument.price(ticks), value, rate, kind, ts)
        self._hold_leg(account, instrument, side)
        return execution

    def settle(self, account: Account, instrument: Instrument, side: PositionSide, price: float, ts: int) -> None:
        """A dated contract ends: its open orders go, what is held is closed at the settlement price, free of fee."""
        self.at(ts)
        for order in [one for one in account.orders.values() if one.request.instrument is instrument]:
            if account.orders.get(order.request.id) is order and order.request.position_side is side:
                self._end(order, f"{instrument} has settled")
        leg = account.leg(instrument, side)
        if leg.units:
            value = instrument.value(abs(leg.units), price)
            self._close_leg(account, instrument, side, price, value, Decimal(0), ExecutionKind.SETTLEMENT, ts)

    def close_market(self, instrument: Instrument) -> None:
        """Nothing trades there any more; new orders are refused."""
        self.markets.pop(instrument, None)

    def insure(self, account: Account, instrument: Instrument, amount: int, ts: int) -> None:
        """An insurance fund pays what a takeover in `instrument` left missing: no position moves, a fee comes back."""
        account.insure(instrument.settle, amount)
        execution = Execution(
            ts=ts,
            id=self._new_id(),
            order_id="",
            instrument=instrument,
            side=Side.BUY,
            position_side=PositionSide.NET,
            price=0.0,
            units=0,
            cost=0,
            fee=-amount,
            liquidity=Liquidity.TAKER,
            kind=ExecutionKind.INSURANCE,
        )
        self.out.append(execution)

    def _close_leg(
        self,
        account: Account,
        instrument: Instrument,
        side: PositionSide,
        price: float,
        value: int,
        rate: Decimal,
        kind: ExecutionKind,
        ts: int,
    ) -> Execution:
        """Close a whole leg beside the market, at a value that is known; the execution is in `out` as well."""
        units = -account.leg(instrument, side).units
        sign = 1 if units > 0 else -1
        cost, fee = instrument.cost_sign * value * sign, instrument.fee(value, rate)
        account.fill(instrument, side, units, cost, fee)
        execution = Execution(
            ts=ts,
            id=self._new_id(),
            order_id="",
            instrument=instrument,
            side=Side.BUY if units > 0 else Side.SELL,
            position_side=side,
            price=price,
            units=abs(units),
            cost=cost,
            fee=fee,
            liquidity=Liquidity.TAKER,
            kind=kind,
        )
        self.out.append(execution)
        return execution

    # -- requests

    def submit(self, account: Account, request: OrderRequest, ts: int) -> None:
        """A new order arrives."""
        self.at(ts)
        order = EngineOrder(account.name, request, "", ts)
        refusal = self._refusal(order)
        if refusal:
            order.status = OrderStatus.REJECTED
            self._report(order, refusal, refused="submit")
            return
        order.exchange_id = self._new_id()
        self._entries += 1
        order.entered = self._entries
        if request.waits:
            self._hold(order)
        else:
            self._cut_to_position(order)
            self._enter(order)
        self.release()

    def amend(
        self,
        account: Account,
        order_id: str,
        ts: int,
        *,
        ticks: int | None,
        units: int | None,
        trigger_ticks: int | None = None,
        trail_ticks: int | None = None,
    ) -> None:
        """Change an open order. A lower quantity keeps its place; a new price or a higher quantity loses it.

        Before its trigger is reached an order has no place to lose. A trigger that is set to where the price is fires
        at once; `trail_ticks` sets a trailing one anew, at that distance from the present price.
        """
        self._amend(account, order_id, ts, ticks, units, trigger_ticks, trail_ticks)
        self.release()

    def _amend(
        self,
        account: Account,
        order_id: str,
        ts: int,
        ticks: int | None,
        units: int | None,
        trigger: int | None,
        trail: int | None,
    ) -> None:
        self.at(ts)
        order = account.orders.get(order_id)
        if order is None:
            self._late(account, order_id, "amend")
            return
        new_ticks = order.ticks if ticks is None else ticks
        new_units = order.units if units is None else units
        refusal = self._trigger_refusal(order, trigger, trail)
        refusal = refusal or self._amend_refusal(
            order, new_ticks, new_units, changed=trigger not in (None, order.trigger) or trail is not None
        )
        if refusal:
            self._report(order, refusal, refused="amend")
            return
        if order.status is OrderStatus.UNTRIGGERED:
            order.ticks, order.units, order.is_reached = new_ticks, new_units, False
            order.trigger = order.trigger if trigger is None else trigger
            if trail is not None:
                order.trail = trail
                self._peg(order)
            self._watch(order)
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
        self.at(ts)
        order = account.orders.get(order_id)
        if order is None:
            self._late(account, order_id, "cancel")
            return
        self._end(order, reason)

    def shortage(self, account: Account, request: OrderRequest) -> tuple[int, Currency] | None:
        """What is missing for a new order, and in which currency; None when it can be paid for. Nothing changes."""
        order = EngineOrder(account.name, request, "", self._ts)
        free = self._reduces(order) or request.waits
        return None if free else account.shortage(order, self.markets[request.instrument].walk)

    def exceeds_risk_limit(self, account: Account, request: OrderRequest) -> bool:
        """Whether a new order would raise position and orders above the leg's risk limit. Nothing changes."""
        order = EngineOrder(account.name, request, "", self._ts)
        return not self._reduces(order) and account.exceeds_risk_limit(order, self.markets[request.instrument].walk)

    def amend_shortage(
        self, account: Account, order_id: str, ticks: int | None, units: int
    ) -> tuple[int, Currency] | None:
        """The same for an open order that is to have another price or quantity."""
        order = account.orders[order_id]
        if self._reduces(order) or order.status is OrderStatus.UNTRIGGERED:
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
        # Before the trigger nobody knows what the position will be; without a quantity the order takes all of it then.
        whole = request.reduce_only and request.units in ((0, abs(leg.units)) if request.waits else (abs(leg.units),))
        if (request.units <= 0 and not (whole and request.waits)) or (
            request.units % instrument.lot_units and not whole
        ):
            return f"quantity {instrument.qty_text(request.units)} is not a multiple of lot {instrument.lot_size}"
        if instrument.max_qty is not None and instrument.unit_size * request.units > instrument.max_qty:
            return f"quantity {instrument.qty_text(request.units)} is above the maximum {instrument.max_qty}"
        if refusal := self._display_refusal(order):
            return refusal
        if request.waits:
            return self._price_refusal(order) or self._trigger_refusal(
                order, request.trigger_ticks, request.trail_ticks
            )
        if self._reduces(order) and leg.units * order.side >= 0:
            return f"reduce-only {request.side} but the position is {instrument.qty_text(leg.units)}"
        return self._price_refusal(order) or self._risk_refusal(order) or self._money_refusal(order)

    def _display_refusal(self, order: EngineOrder) -> str:
        display, instrument = order.display, order.request.instrument
        if display is not None and (display < 0 or display % instrument.lot_units or display > order.units):
            return f"display quantity {instrument.qty_text(display)} is not in whole lots up to the quantity"
        return ""

    def _trigger_refusal(self, order: EngineOrder, trigger: int | None, trail: int | None) -> str:
        """Why an order may not have this trigger or this distance (None for leaving it as it is)."""
        if trigger is None and trail is None:
            return ""
        request = order.request
        if not request.waits:
            return "the order has no trigger"
        if order.triggered:
            return "the order is triggered already"
        if trail is not None and (request.trail_ticks is None or trail == 0 or (trail > 0) != request.fires_above):
            return f"a trailing {request.side} {request.trigger_kind} cannot follow at a distance of {trail} ticks"
        if trail is None and request.trail_ticks is not None:
            return "the trigger of a trailing order follows the price"
        if trigger is not None and trail is None and trigger <= 0:
            return "a trigger price must be above 0"
        return ""

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

    def _risk_refusal(self, order: EngineOrder, replaced: EngineOrder | None = None) -> str:
        """Position and orders may not grow beyond the risk limit; what only reduces always may."""
        instrument, account = order.request.instrument, self._owner(order)
        walk = self.markets[instrument].walk
        if self._reduces(order) or not account.exceeds_risk_limit(order, walk, replaced):
            return ""
        limit = account.risk_limit(instrument, order.request.position_side) or 0
        return f"position and orders would exceed the risk limit of {instrument.settle.text(limit)} {instrument.settle}"

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

    def _amend_refusal(self, order: EngineOrder, ticks: int | None, units: int, *, changed: bool = False) -> str:
        """
        :param changed: something else is to change already.
        """
        instrument = order.request.instrument
        if units <= order.filled and not (units == order.units == 0):
            return f"quantity must stay above the {instrument.qty_text(order.filled)} that filled"
        if units % instrument.lot_units:
            return f"quantity {instrument.qty_text(units)} is not a multiple of lot {instrument.lot_size}"
        if order.is_market and ticks is not None:
            return "a market order has no price"
        if ticks == order.ticks and units == order.units and not changed:
            return "nothing to change"
        if order.display is not None and order.display > units:
            return f"quantity {instrument.qty_text(units)} is below the display quantity"
        other = copy(order)
        other.ticks, other.units = ticks, units
        refusal = self._price_refusal(other)
        if refusal or order.status is OrderStatus.UNTRIGGERED:
            return refusal
        return self._risk_refusal(other, order) or self._money_refusal(other, order)

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
            order.units = min(order.units or abs(leg.units), order.filled + abs(leg.units))

    # -- triggers

    def _hold(self, order: EngineOrder) -> None:
        """Keep an order until its trigger is reached; it needs no money until then."""
        order.status = OrderStatus.UNTRIGGERED
        self._owner(order).orders[order.request.id] = order
        if order.trail is not None:
            order.trigger = None
            self._peg(order)
            if not self._trailing:
                self._next_second = self._ts - self._ts % SECOND + SECOND
            self._trailing[order] = None
        self._watch(order)

    def _watch(self, order: EngineOrder) -> None:
        """An order has a new trigger: tell, unless it is reached at once and the news of that are next."""
        self.markets[order.request.instrument].hold(order)
        if not order.is_reached:
            self._report(order, "")

    def _peg(self, order: EngineOrder) -> bool:
        """Set a trailing trigger by the price as it is, rounded away from it; False where no price is known."""
        by = order.request.trigger_by or TriggerBy.MARK
        trigger = None if order.trail is None else self.trailing_trigger(order.request.instrument, by, order.trail)
        if trigger is None:
            return False
        order.trigger, order.trailed_from = trigger, self.markets[order.request.instrument].price_of(by)
        return True

    def trailing_trigger(self, instrument: Instrument, by: TriggerBy, trail: int) -> int | None:
        """Where a trigger that follows at `trail` ticks would be set now; None while the price is not known."""
        price = self.markets[instrument].price_of(by)
        if price is None:
            return None
        exact = Fraction(repr(price)) / Fraction(instrument.tick_size) + trail
        # One tick at least: a price of nothing could never be reached.
        return max(1, math.ceil(exact) if trail > 0 else math.floor(exact))

    def _trail(self, ts: int) -> None:
        """A full second began: triggers follow the price that moved away from them, by more than a thousandth."""
        self._ts = ts - ts % SECOND
        self._next_second = self._ts + SECOND
        for order in list(self._trailing):
            if order.status is not OrderStatus.UNTRIGGERED:
                del self._trailing[order]
                continue
            market, last = self.markets[order.request.instrument], order.trailed_from
            price = market.price_of(order.request.trigger_by or TriggerBy.MARK)
            if price is None or order.is_reached or order.trail is None:
                continue
            if (last is None or _moved(last, price, order.trail)) and self._peg(order):
                market.hold(order)
                self._report(order, "")

    def _let_in(self, order: EngineOrder) -> None:
        """The trigger was reached: from now on the order is what it would have been without one."""
        account, instrument = self._owner(order), order.request.instrument
        self.markets[instrument].remove(order)
        self._trailing.pop(order, None)
        order.status, order.triggered, order.arrived = OrderStatus.OPEN, True, self._ts
        idle = self._reduces(order) and account.leg(instrument, order.request.position_side).units * order.side >= 0
        if not idle:
            self._cut_to_position(order)
        self._report(order, "")
        if idle:
            self._end(order, "reduce-only order: nothing is left to reduce")
            return
        del account.orders[order.request.id]
        if refusal := self._refuse_triggered(order):
            order.status = OrderStatus.REJECTED
            self._forget(order)
            self._report(order, refusal)
        elif order.released_at is not None:
            self._trade_in_candle(order, order.released_at)
        else:
            self._enter(order)

    def _trade_in_candle(self, order: EngineOrder, ticks: int) -> None:
        """A candle triggered it: it trades at the price that the candle allows, or rests."""
        market = self.markets[order.request.instrument]
        self._owner(order).orders[order.request.id] = order
        if order.reaches(ticks):
            if order.request.post_only:
                self._end(order, "post-only order would have taken liquidity")
            elif self._on_met(order, ticks):
                market.take_at(order, ticks)
        elif order.is_immediate:
            self._end(order, "immediate order: the candle that triggered it did not reach its price")
        else:
            market.rest(order)
            self._open(order)
            self._hold_reduce_only(order)

    # -- in the market

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
            if order.request.instrument is instrument
            and order.request.position_side is side
            and order.status is not OrderStatus.UNTRIGGERED  # it is held to the position once it is triggered
            and self._reduces(order)
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
            trigger_ticks=order.trigger,
            triggered=order.triggered,
        )
        self.out.append(report)


def _moved(last: float, price: float, trail: int) -> bool:
    """Whether the price went far enough away from a trailing trigger; exact, as the price is written."""
    before, after = Fraction(repr(last)), Fraction(repr(price))
    return (before - after if trail > 0 else after - before) > before * TRAIL_STEP
