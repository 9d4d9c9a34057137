"""Orders placed, amended and cancelled: what the write routes do, with the texts of protocol 4.6, 12 and 18.2."""

from __future__ import annotations

import re
from typing import Any

from hbkit.clock import iso
from hbkit_bitmex.simulator import parameters as read
from hbkit_bitmex.simulator.accounts import VenueAccount
from hbkit_bitmex.simulator.admission import (
    admit,
    check_client_id,
    check_lot,
    check_price,
    engine_request,
    find_market,
)
from hbkit_bitmex.simulator.orders import VenueOrder
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
    if order.has("Close"):
        _make_room(venue, account, order)
    venue.enter(order)
    _let_in(venue, account, order)
    return order.row()


def _let_in(venue: Venue, account: VenueAccount, order: VenueOrder) -> None:
    venue.entering = order
    venue.engine.submit(account, engine_request(order), venue.ts)
    venue.drain()
    venue.entering = None


def _make_room(venue: Venue, account: VenueAccount, closing: VenueOrder) -> None:
    """18.4.4: others of the side go when together with the Close they exceed the position."""
    others = [
        order
        for order in venue.open_orders(account)
        if order.instrument is closing.instrument
        and order.side is closing.side
        and order.position_side is closing.position_side
    ]
    position = abs(account.leg(closing.instrument, closing.position_side).units)
    if sum(order.leaves for order in others) + closing.qty > position:
        for order in others:
            venue.cancel(order, f"Canceled: Order had execInst of Close\n{order.origin}")


# -- amend


def amend(venue: Venue, account: VenueAccount, sent: Parameters) -> Row:
    """PUT /order: on a failure the old order stays untouched."""
    order = _to_amend(venue, account, sent)
    if not order.is_open:
        raise invalid("Invalid ordStatus")
    qty, ticks = _new_quantity(order, sent), _new_price(order, sent)
    client_id = _new_client_id(venue, account, order, sent)
    note = read.text(sent, "text") or order.note
    changed = [name for name, new, old in (("orderQty", qty, order.qty), ("price", ticks, order.ticks)) if new != old]
    if not changed and client_id == order.client_id and note == order.note:
        raise invalid(UNCHANGED)
    if changed:
        check_lot(order.instrument, qty, whole=qty == order.qty)
        short = venue.engine.amend_shortage(account, order.order_id, ticks, qty)
        if short is not None:
            raise insufficient(short[0], venue.minor[short[1].code])
    venue.touch_order(order)  # its old level
    order.qty, order.ticks, order.client_id, order.note = qty, ticks, client_id, note
    order.leaves = qty - order.filled
    named = changed + (["clOrdID"] if read.given(sent, "clOrdID") is not None else [])
    order.text = f"Amended {' '.join(named)}\n{order.origin}" if named else order.origin
    venue.tell(order, "Replaced")
    if changed:
        venue.entering = order
        venue.engine.amend(account, order.order_id, venue.ts, ticks=ticks, units=qty)
        venue.drain()
        venue.entering = None
    return order.row()


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
    if read.given(sent, "stopPx") is not None:
        raise invalid("Invalid stopPx for ordType")
    if read.given(sent, "pegOffsetValue") is not None:
        raise invalid("Invalid pegOffsetValue for pegPriceType")
    price = read.decimal(sent, "price", invalid("Invalid price"))
    if price is None:
        return order.ticks
    if order.ticks is None:
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


def arm_cancel_all(account: VenueAccount, timeout: Any, wall: int) -> Row:
    """18.2.21: milliseconds on the wall clock; each call replaces the timer, 0 disarms."""
    refusal: Refusal = bad_request("timeout is invalid")
    number = read.decimal({"timeout": timeout}, "timeout", refusal)
    # ccxt divides by 1000 and so sends fractions of what was meant as a whole number.
    if number is None or number < 0 or number != number.to_integral_value() or number > 10**12:
        raise refusal
    account.cancel_at = wall + int(number) * MILLISECOND if number else None
    return {"now": iso(wall), "cancelTime": iso(account.cancel_at) if account.cancel_at is not None else 0}
