"""What hbkit sends to BitMEX: order requests as JSON bodies, and the commands of a socket.

Numbers are JSON numbers with the exact decimal text of the instrument's grid: no exponent, no float on the way. A body
is serialised once, here; the same bytes are signed and sent. Sections are those of the project's BitMEX protocol
reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from hbkit.model.enums import OrderType, PositionSide, Side, TimeInForce, TriggerBy, TriggerKind
from hbkit.model.instrument import Instrument
from hbkit.model.order import OrderRequest

MAX_ID_LENGTH: Final = 36
"""Characters of a `clOrdID` (11.7)."""

Body = dict[str, object]

_SIDE: Final = {Side.BUY: "Buy", Side.SELL: "Sell"}
_TIME_IN_FORCE: Final = {
    TimeInForce.GTC: "GoodTillCancel",
    TimeInForce.IOC: "ImmediateOrCancel",
    TimeInForce.FOK: "FillOrKill",
    TimeInForce.DAY: "Day",
}
_TRIGGER: Final = {TriggerBy.MARK: "MarkPrice", TriggerBy.LAST: "LastPrice", TriggerBy.INDEX: "IndexPrice"}
_STRATEGY: Final = {PositionSide.LONG: "Long", PositionSide.SHORT: "Short"}
_TYPES: Final = {
    (OrderType.LIMIT, False, False): "Limit",
    (OrderType.MARKET, False, False): "Market",
    (OrderType.LIMIT, True, False): "StopLimit",
    (OrderType.MARKET, True, False): "Stop",
    (OrderType.LIMIT, True, True): "LimitIfTouched",
    (OrderType.MARKET, True, True): "MarketIfTouched",
}


def encode(body: Body) -> bytes:
    """The bytes of a body or a command, to be signed and sent as they are."""
    return msgspec.json.encode(body)


def order_body(request: OrderRequest) -> Body:
    """The body of POST /order: a trigger order is a stop, or the type that is its mirror image (11.1).

    A trailing one is a stop with a peg; its `stopPx` is the exchange's to set (11.5). Raises ValueError for an id that
    the exchange would refuse.
    """
    if not 0 < len(request.id) <= MAX_ID_LENGTH:
        raise ValueError(f'the order id "{request.id}" must have 1 to {MAX_ID_LENGTH} characters')
    instrument = request.instrument
    touched = request.waits and request.trigger_kind is TriggerKind.TAKE_PROFIT
    body: Body = {
        "symbol": instrument.symbol,
        "side": _SIDE[request.side],
        "orderQty": request.units,
        "ordType": _TYPES[request.type, request.waits, touched],
        "clOrdID": request.id,
    }
    if request.ticks is not None and request.type is OrderType.LIMIT:
        body["price"] = _price(instrument, request.ticks)
    if request.trail_ticks is not None:
        body["pegPriceType"] = "TrailingStopPeg"
        body["pegOffsetValue"] = _price(instrument, request.trail_ticks)
    elif request.trigger_ticks is not None:
        body["stopPx"] = _price(instrument, request.trigger_ticks)
    if request.display_units is not None:
        body["displayQty"] = request.display_units
    if request.type is OrderType.LIMIT or request.time_in_force is not TimeInForce.GTC:
        # A market order cannot rest; without the field it comes back as ImmediateOrCancel (11.1).
        body["timeInForce"] = _TIME_IN_FORCE[request.time_in_force]
    if instructions := _instructions(request):
        body["execInst"] = ",".join(instructions)
    if request.position_side is not PositionSide.NET:
        # 13.1: left out in one-way mode, which accounts of before 2025 understand as well.
        body["strategy"] = _STRATEGY[request.position_side]
    return body


def amend_body(
    instrument: Instrument,
    *,
    id: str = "",
    exchange_id: str = "",
    ticks: int | None = None,
    units: int | None = None,
    trigger_ticks: int | None = None,
) -> Body:
    """The body of PUT /order. `units` is the new total, filled part included (trap 33).

    The exchange's id is preferred: a client id may be used again after its order has ended (trap 18). Raises
    ValueError without an id, or when nothing is to change: the exchange refuses both.
    """
    if not (id or exchange_id):
        raise ValueError("an amend needs the order's id")
    if ticks is None and units is None and trigger_ticks is None:
        raise ValueError("an amend needs something to change")
    body: Body = {"orderID": exchange_id} if exchange_id else {"origClOrdID": id}
    if units is not None:
        body["orderQty"] = units
    if ticks is not None:
        body["price"] = _price(instrument, ticks)
    if trigger_ticks is not None:
        body["stopPx"] = _price(instrument, trigger_ticks)
    return body


def cancel_body(*, ids: Sequence[str] = (), exchange_ids: Sequence[str] = ()) -> Body:
    """The body of DELETE /order, by one sort of id: the exchange refuses both at once (4.6). Raises ValueError then."""
    if bool(ids) == bool(exchange_ids):
        raise ValueError("a cancel needs client ids or exchange ids, not both")
    return {"orderID": list(exchange_ids)} if exchange_ids else {"clOrdID": list(ids)}


def cancel_all_body(instrument: Instrument | None = None) -> Body:
    """The body of DELETE /order/all."""
    return {} if instrument is None else {"symbol": instrument.symbol}


def timer_body(milliseconds: int) -> Body:
    """The body of POST /order/cancelAllAfter; 0 takes the timer away. Milliseconds, not seconds (trap 22)."""
    return {"timeout": milliseconds}


# -- commands of a socket


def subscribe(topics: Sequence[str]) -> Body:
    """Ask for topics (`trade:XBTUSD`); each is answered on its own (7.3)."""
    return {"op": "subscribe", "args": list(topics)}


def unsubscribe(topics: Sequence[str]) -> Body:
    """Give topics back, under the names they were asked for."""
    return {"op": "unsubscribe", "args": list(topics)}


def login(key: str, expires: int, signature: str) -> Body:
    """Log in on an open socket; `expires` goes as a number, a text is refused (3.3)."""
    return {"op": "authKeyExpires", "args": [key, expires, signature]}


def timer(milliseconds: int) -> Body:
    """The dead man's switch over the socket (7.2)."""
    return {"op": "cancelAllAfter", "args": milliseconds}


# -- parts


def _price(instrument: Instrument, ticks: int) -> msgspec.Raw:
    return msgspec.Raw(instrument.price_text(ticks).encode())


def _instructions(request: OrderRequest) -> list[str]:
    """11.3. A trigger always names its price: sources disagree about the default (11.1); spot has no mark."""
    found = []
    if request.post_only:
        found.append("ParticipateDoNotInitiate")
    if request.reduce_only:
        found.append("ReduceOnly")
    if request.waits:
        default = TriggerBy.LAST if request.instrument.is_spot else TriggerBy.MARK
        found.append(_TRIGGER[request.trigger_by or default])
    return found
