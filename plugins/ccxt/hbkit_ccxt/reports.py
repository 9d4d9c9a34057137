"""An order as ccxt tells it, in hbkit's words.

ccxt fills in what the venue said and leaves out the rest: an answer to a new order is often an id and nothing else.
What is left out is taken from what was known before; what is known from nowhere is not invented.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hbkit.model import Instrument, OrderReport, OrderStatus, PositionSide, Side
from hbkit_ccxt.numbers import exact, ticks, units

Row = Mapping[str, Any]
MILLISECOND = 1_000_000

_STATUS: Mapping[str, OrderStatus] = {
    "open": OrderStatus.OPEN,
    "closed": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "canceling": OrderStatus.OPEN,
    "expired": OrderStatus.EXPIRED,
    "rejected": OrderStatus.REJECTED,
}
"""The unified words; any other says nothing certain."""
_REASONS = ("rejectReason", "ordRejReason", "cancelReason", "rejectMsg", "reason", "failReason", "text", "error", "why")
"""Fields of venues that say in words why an order ended."""
_LEGS = ("positionSide", "posSide", "position_side", "leg", "holdSide", "strategy")
_LEG_WORDS = {"long": PositionSide.LONG, "short": PositionSide.SHORT}
_FIRED = ("triggered", "fired", "workingIndicator", "isTriggered")
_NO = frozenset({None, "", False, "false", "False", "NotTriggered", "0"})


def info_of(row: Row) -> Row:
    """The venue's own fields; an empty mapping where ccxt handed something else on."""
    info = row.get("info")
    return info if isinstance(info, Mapping) else {}


def stamp(row: Row) -> int:
    """When the venue last changed an order or booked a trade, ns; 0 where it does not say.

    A first `timestamp` says when the order was made, which orders nothing; it counts only where it is all there is.
    """
    for name in ("lastUpdateTimestamp", "lastTradeTimestamp", "timestamp"):
        if (value := exact(row.get(name))) is not None:
            return int(value * MILLISECOND)
    return 0


def update_stamp(row: Row) -> int:
    """When the venue says that the order changed last, ns; 0 where it does not."""
    value = exact(row.get("lastUpdateTimestamp"))
    return 0 if value is None else int(value * MILLISECOND)


def order_report(
    row: Row, instrument: Instrument, order_id: str, before: OrderReport | None, now: int, carried: int = 0
) -> OrderReport | None:
    """What a row says of an order; None where side or quantity are known from nowhere.

    :param now: the venue's time, for rows without one.
    :param carried: units that had filled before this generation of the order was placed.
    """
    side = _side(row.get("side")) or (before.side if before else None)
    amount = units(instrument, row.get("amount"))
    whole = amount + carried if amount else (before.units if before else None)
    if side is None or whole is None:
        return None
    filled = _filled(row, instrument, whole, before, carried)
    trigger = trigger_of(row, instrument)
    triggered = is_triggered(row, filled - carried) or (before is not None and before.triggered)
    waits = (trigger is not None or (before is not None and before.trigger_ticks is not None)) and not triggered
    status = _status(row, whole, filled, waits, before)
    return OrderReport(
        ts=max(stamp(row) or now, before.ts if before else 0),
        id=order_id,
        exchange_id=str(row.get("id") or "") or (before.exchange_id if before else ""),
        instrument=instrument,
        side=side,
        position_side=leg_of(row) or (before.position_side if before else PositionSide.NET),
        status=status,
        units=whole,
        filled_units=filled,
        ticks=_ticks(row, instrument, before),
        reason=reason_of(row) if status.is_final and status is not OrderStatus.FILLED else "",
        trigger_ticks=trigger if trigger is not None else (before.trigger_ticks if before else None),
        triggered=triggered,
    )


def trigger_of(row: Row, instrument: Instrument) -> int | None:
    """The trigger price, by whichever of its names."""
    for name in ("triggerPrice", "stopLossPrice", "takeProfitPrice", "stopPrice"):
        if (found := ticks(instrument, row.get(name))) is not None:
            return found
    return None


def is_triggered(row: Row, filled: int) -> bool:
    """Whether a trigger was reached: what fills was; else the venue's own field tells, where it has one."""
    info = info_of(row)
    return filled > 0 or any(_flag(info.get(name)) for name in _FIRED)


def reason_of(row: Row) -> str:
    """Why an order ended, in the venue's words, on one line; empty where it gives none."""
    info = info_of(row)
    for name in _REASONS:
        if isinstance(said := info.get(name), str) and said.strip():
            return "; ".join(said.split("\n"))
    return ""


def leg_of(row: Row) -> PositionSide | None:
    """The leg that an order or a position is for; None where the venue does not say."""
    info = info_of(row)
    for name in _LEGS:
        word = row.get(name) or info.get(name)
        if isinstance(word, str):
            return _LEG_WORDS.get(word.lower(), PositionSide.NET)
    return None


def _flag(value: Any) -> bool:
    try:
        return value not in _NO
    except TypeError:
        return False


def _side(word: Any) -> Side | None:
    return Side(word) if word in ("buy", "sell") else None


def _filled(row: Row, instrument: Instrument, whole: int, before: OrderReport | None, carried: int) -> int:
    """`filled`, else what `remaining` leaves; a number that fell is an older one."""
    told = units(instrument, row.get("filled"))
    if told is None:
        remaining = units(instrument, row.get("remaining"))
        if remaining is not None and row.get("status") in ("open", "closed"):
            told = max(0, whole - carried - remaining)
        elif row.get("status") == "closed":
            told = whole - carried
    known = before.filled_units if before else 0
    return known if told is None else max(known, told + carried)


def _ticks(row: Row, instrument: Instrument, before: OrderReport | None) -> int | None:
    if before is not None and before.ticks is None:
        return None  # placed without a price: what a venue tells as one is the price at which it traded
    if str(row.get("type") or "").lower().replace("_", "") in _WITHOUT_PRICE:
        return None
    found = ticks(instrument, row.get("price"))
    return found if found is not None else (before.ticks if before else None)


_WITHOUT_PRICE = frozenset({"market", "stopmarket", "takeprofitmarket", "marketiftouched"})


def _status(row: Row, whole: int, filled: int, waits: bool, before: OrderReport | None) -> OrderStatus:
    status = _STATUS.get(str(row.get("status") or ""))
    if status is None:
        status = OrderStatus.OPEN if before is None or before.status in _NOT_HEARD_OF else before.status
    if status is OrderStatus.FILLED and filled < whole:
        # "closed" is what is over: what an immediate order did not find is gone.
        return OrderStatus.CANCELED
    if status.is_final:
        return status
    if filled:
        return OrderStatus.PARTIALLY_FILLED if filled < whole else OrderStatus.FILLED
    return OrderStatus.UNTRIGGERED if waits else OrderStatus.OPEN


_NOT_HEARD_OF = frozenset({OrderStatus.PENDING, OrderStatus.UNKNOWN, OrderStatus.NEVER_ARRIVED})
