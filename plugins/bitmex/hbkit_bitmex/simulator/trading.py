"""Orders placed, amended and cancelled: what the write routes do, with the texts of protocol 4.6, 12 and 18.2."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from hbkit.clock import iso
from hbkit.model import Side
from hbkit_bitmex.simulator import parameters as read
from hbkit_bitmex.simulator.accounts import VenueAccount
from hbkit_bitmex.simulator.admission import (
    MARKET_KINDS,
    TRAILING,
    admit,
    afford,
    check_client_id,
    check_lot,
    check_offset,
    check_open,
    check_price,
    check_stop,
    engine_request,
    find_leg,
    find_market,
    pegged_price,
    trigger_by,
)
from hbkit_bitmex.simulator.orders import TRIGGER_KINDS, VenueOrder
from hbkit_bitmex.simulator.parameters import Parameters
from hbkit_bitmex.simulator.query import matcher
from hbkit_bitmex.simulator.refusals import Refusal, bad_request, insufficient, invalid
from hbkit_bitmex.simulator.rows import NIL
from hbkit_bitmex.simulator.venue import CANCELED_BY_USER, Venue

Row = dict[str, Any]
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
IDS_MAX = 500
MILLISECOND = 1_000_000
UNCHANGED = "Invalid amend: orderQty, leavesQty, price, stopPx unchanged"


def place(venue: Venue, account: VenueAccount, sent: Parameters) -> Row:
    """POST /order: the row after the engine acted."""
    order = admit(venue, account, sent)
    _enter(venue, account, order)
    return order.row()


def place_many(venue: Venue, account: VenueAccount, sent: Parameters) -> list[Row]:
    """POST /order/bulk: all are tested against the state before the call, and none enters if one is refused (4.8).

    Together they may need more than each did: what the orders before have used up is a Rejected row.
    """
    orders = [admit(venue, account, one) for one in _many(sent)]
    named = [order.client_id for order in orders if order.client_id]
    if len(named) > len(set(named)):
        raise invalid("Duplicate clOrdID")
    for order in orders:
        try:
            afford(venue, account, order)
        except Refusal as refusal:
            venue.reject(order, refusal.message)
        else:
            _enter(venue, account, order)
    return [order.row() for order in orders]


def _many(sent: Parameters) -> list[Parameters]:
    """The member `orders` of a bulk call."""
    orders = sent.get("orders")
    if isinstance(orders, str):
        orders = read.read("", b'{"orders":' + orders.encode() + b"}").get("orders")
    if not isinstance(orders, list) or not orders or not all(isinstance(one, dict) for one in orders):
        raise bad_request("orders is invalid")
    if len(orders) > IDS_MAX:
        raise bad_request("orders is invalid")
    return orders


def close_position(venue: Venue, account: VenueAccount, sent: Parameters) -> Row:
    """POST /order/closePosition: every other order of the symbol goes first, stops too (18.4.8)."""
    market = find_market(venue, sent)
    leg = find_leg(account, market.instrument, sent)
    if leg is None:
        raise invalid("Invalid strategy")
    units = account.leg(market.instrument, leg).units
    side = "Sell" if units > 0 else "Buy"
    if not units:
        raise invalid(f"Order had execInst of Close and side of {side} but current position is 0")
    price = read.given(sent, "price")
    wanted = {**sent, "side": side, "execInst": "Close", "ordType": "Market" if price is None else "Limit"}
    wanted.pop("orderQty", None)
    order = admit(venue, account, wanted)
    for other in venue.open_orders(account):
        if other.instrument is market.instrument and other.is_open:
            venue.cancel(other, f"Canceled: Order had execInst of Close\n{other.origin}")
    _enter(venue, account, order)
    return order.row()


def _enter(venue: Venue, account: VenueAccount, order: VenueOrder) -> None:
    if order.has("Close") and not order.waits:
        venue.make_room(account, order, order.qty)
    venue.enter(order)
    _let_in(venue, account, order)


def _let_in(venue: Venue, account: VenueAccount, order: VenueOrder) -> None:
    venue.entering = order
    venue.engine.submit(account, engine_request(order), venue.ts)
    venue.drain()
    venue.entering = None


# -- amend


def amend(venue: Venue, account: VenueAccount, sent: Parameters) -> Row:
    """PUT /order: on a failure the old order stays untouched."""
    return _change(venue, account, _plan(venue, account, sent))


def amend_many(venue: Venue, account: VenueAccount, sent: Parameters) -> list[Row]:
    """PUT /order/bulk: as `place_many`; of an order that an earlier row of the call ended nothing is changed."""
    plans = [_plan(venue, account, one) for one in _many(sent)]
    return [_change(venue, account, plan) if plan.order.is_open else plan.order.row() for plan in plans]


@dataclass(frozen=True)
class _Plan:
    """What an order is to become."""

    order: VenueOrder
    qty: int
    ticks: int | None
    stop: int | None
    offset: int | None
    client_id: str
    note: str
    changed: tuple[str, ...]
    """The columns of price and quantity that are not what they were."""
    named: tuple[str, ...]


def _plan(venue: Venue, account: VenueAccount, sent: Parameters) -> _Plan:
    """An amend that may happen; raises Refusal."""
    order = _to_amend(venue, account, sent)
    if not order.is_open:
        raise invalid("Invalid ordStatus")
    check_open(venue.markets[order.instrument.symbol])
    qty, ticks = _new_quantity(order, sent), _new_price(order, sent)
    offset = _new_offset(order, sent)
    stop = _new_stop(order, sent)
    if offset != order.offset and offset is not None:
        if order.peg == TRAILING:
            stop = venue.engine.trailing_trigger(order.instrument, trigger_by(order), offset)
        else:
            ticks = pegged_price(venue.markets[order.instrument.symbol], order.side, order.peg, offset)
    client_id = _new_client_id(venue, account, order, sent)
    note = read.text(sent, "text") or order.note
    pairs = (
        ("orderQty", qty, order.qty),
        ("price", ticks, order.ticks),
        ("stopPx", stop, order.stop_ticks),
        ("pegOffsetValue", offset, order.offset),
    )
    changed = tuple(name for name, new, old in pairs if new != old)
    if not changed and client_id == order.client_id and note == order.note:
        raise invalid(UNCHANGED)
    if changed:
        check_lot(order.instrument, qty, whole=qty == order.qty)
        if order.display is not None and order.display > qty:
            raise invalid("Invalid displayQty")
        short = venue.engine.amend_shortage(account, order.order_id, ticks, qty)
        if short is not None:
            raise insufficient(short[0], venue.minor[short[1].code])
    named = changed + (("clOrdID",) if read.given(sent, "clOrdID") is not None else ())
    return _Plan(order, qty, ticks, stop, offset, client_id, note, changed, named)


def _change(venue: Venue, account: VenueAccount, plan: _Plan) -> Row:
    order = plan.order
    venue.touch_order(order)  # its old level
    order.qty, order.ticks, order.client_id, order.note = plan.qty, plan.ticks, plan.client_id, plan.note
    order.stop_ticks, moved = plan.stop, plan.offset != order.offset
    order.offset = plan.offset
    order.leaves = plan.qty - order.filled
    order.text = f"Amended {' '.join(plan.named)}\n{order.origin}" if plan.named else order.origin
    venue.tell(order, "Replaced")
    trails = moved and order.peg == TRAILING
    if trails or set(plan.changed) - {"pegOffsetValue"}:
        venue.entering = order
        venue.engine.amend(
            account,
            order.order_id,
            venue.ts,
            ticks=plan.ticks,
            units=plan.qty,
            trigger_ticks=plan.stop if "stopPx" in plan.changed and not trails else None,
            trail_ticks=plan.offset if trails else None,
        )
        venue.drain()
        venue.entering = None
    return order.row()


def _new_stop(order: VenueOrder, sent: Parameters) -> int | None:
    """18.2.13; of a trailing order it is the engine's to set (18.3.9)."""
    refusal = invalid("Invalid stopPx for ordType")
    price = read.decimal(sent, "stopPx", refusal)
    if price is None or order.peg == TRAILING:
        return order.stop_ticks
    if order.kind not in TRIGGER_KINDS:
        raise refusal
    stop = check_stop(order.instrument, price)
    if order.triggered and stop != order.stop_ticks:
        raise invalid("Invalid triggered")
    return stop


def _new_offset(order: VenueOrder, sent: Parameters) -> int | None:
    """18.2.14."""
    refusal = invalid("Invalid pegOffsetValue for pegPriceType")
    offset = read.decimal(sent, "pegOffsetValue", refusal)
    if offset is None:
        return order.offset
    if not order.peg:
        raise refusal
    if order.triggered:
        raise invalid("Invalid triggered")
    above = order.side is Side.BUY if order.kind.startswith("Stop") else order.side is Side.SELL
    return check_offset(order.instrument, offset, trailing=order.peg == TRAILING, above=above)


def _to_amend(venue: Venue, account: VenueAccount, sent: Parameters) -> VenueOrder:
    """18.2.15: orderID decides; a clOrdID alone names nothing."""
    order_id, original = read.text(sent, "orderID"), read.text(sent, "origClOrdID")
    if order_id:
        order = venue.orders.get(order_id)
        if order is None or order.account != account.number:
            raise invalid("Invalid orderID")
        if original and order.client_id != original:
            raise invalid("Invalid origClOrdID")
        return order
    found = newest(venue, account, original) if original else None
    if found is None:
        raise invalid("Invalid origClOrdID" if original or read.text(sent, "clOrdID") else "Invalid orderID")
    return found


def newest(venue: Venue, account: VenueAccount, client_id: str) -> VenueOrder | None:
    """The open order of that clOrdID, else the newest one."""
    found = [order for order in venue.orders_of[account.number] if order.client_id == client_id]
    return next((order for order in found if order.is_open), found[-1] if found else None)


def _new_quantity(order: VenueOrder, sent: Parameters) -> int:
    """18.2.8 to 18.2.10: orderQty is the new total, leavesQty the new rest."""
    total = read.decimal(sent, "orderQty", invalid("orderQty is invalid"))
    rest = read.decimal(sent, "leavesQty", invalid("Invalid leavesQty"))
    if total is not None and rest is not None:
        raise invalid("Invalid leavesQty")
    if rest is not None:
        if rest <= 0 or rest % order.instrument.lot_units:
            raise invalid("Invalid leavesQty")
        return order.filled + int(rest)
    if total is None:
        return order.qty
    # The old market maker sends signed quantities with each amend (2.3).
    total = abs(total)
    if total != total.to_integral_value():
        raise invalid("orderQty is invalid")
    if total <= order.filled:
        raise invalid("Invalid orderQty")
    return int(total)


def _new_price(order: VenueOrder, sent: Parameters) -> int | None:
    price = read.decimal(sent, "price", invalid("Invalid price"))
    if price is None:
        return order.ticks
    if order.ticks is None or order.kind in MARKET_KINDS:
        raise invalid("Invalid price")
    return check_price(order.instrument, price)


def _new_client_id(venue: Venue, account: VenueAccount, order: VenueOrder, sent: Parameters) -> str:
    wanted = read.text(sent, "clOrdID")
    if not wanted or wanted == order.client_id:
        return order.client_id
    check_client_id(venue, account, wanted)
    return wanted


# -- cancel


def cancel(venue: Venue, account: VenueAccount, sent: Parameters) -> list[Row]:
    """DELETE /order: always an array; what could not be cancelled says so in its row."""
    refusal = invalid("Invalid orderID")
    order_ids, client_ids = read.many(sent, "orderID", refusal), read.many(sent, "clOrdID", refusal)
    if bool(order_ids) == bool(client_ids) or len(order_ids) + len(client_ids) > IDS_MAX:
        raise refusal
    if any(not _GUID.fullmatch(order_id) for order_id in order_ids):
        raise refusal
    note = read.text(sent, "text")
    return [
        *(_cancel_one(venue, account, venue.orders.get(name), {"orderID": name}, note) for name in order_ids),
        *(
            _cancel_one(venue, account, newest(venue, account, name), {"clOrdID": name, "orderID": NIL}, note)
            for name in client_ids
        ),
    ]


def _cancel_one(venue: Venue, account: VenueAccount, order: VenueOrder | None, named: Row, note: str) -> Row:
    if order is None or order.account != account.number:
        stamp = iso(venue.ts)
        return {
            "account": account.number,
            "error": "Unable to cancel order: Not found or not owned by user",
            **named,
            "timestamp": stamp,
            "transactTime": stamp,
            "workingIndicator": False,
        }
    if not order.is_open:
        return {**order.row(), "error": f"Unable to cancel order due to existing state: {order.status}"}
    venue.cancel(order, f"Canceled: {note}\n{CANCELED_BY_USER}" if note else CANCELED_BY_USER)
    return order.row()


def cancel_all(venue: Venue, account: VenueAccount, sent: Parameters) -> list[Row]:
    """DELETE /order/all: the cancelled orders in order of entry, possibly none."""
    wanted = find_market(venue, sent).symbol if read.given(sent, "symbol") is not None else None
    fits = matcher("order", sent)
    note = read.text(sent, "text")
    rows = []
    for order in venue.open_orders(account):
        if wanted in (None, order.instrument.symbol) and fits(order.row()) and order.is_open:
            venue.cancel(order, f"Canceled: {note}\n{CANCELED_BY_USER}" if note else CANCELED_BY_USER)
            rows.append(order.row())
    return rows


def arm_cancel_all(account: VenueAccount, timeout: Any, wall: int, skew: int = 0) -> Row:
    """18.2.21: milliseconds on the wall clock; each call replaces the timer, 0 disarms."""
    refusal: Refusal = bad_request("timeout is invalid")
    number = read.decimal({"timeout": timeout}, "timeout", refusal)
    # ccxt divides by 1000 and so sends fractions of what was meant as a whole number.
    if number is None or number < 0 or number != number.to_integral_value() or number > 10**12:
        raise refusal
    account.cancel_at = wall + int(number) * MILLISECOND if number else None
    at = account.cancel_at
    return {"now": iso(wall + skew), "cancelTime": iso(at + skew) if at is not None else 0}
