"""The words of FakeVenue's wire: orders and fills as it writes them, requests as it reads them and knows the sender."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from hbkit.log import Secret
from hbkit.model import (
    Execution,
    Instrument,
    OrderReport,
    OrderRequest,
    OrderType,
    PositionSide,
    Side,
    TimeInForce,
    TriggerBy,
    TriggerKind,
)

Row = dict[str, Any]


def sign(secret: Secret, verb: str, expires: int) -> str:
    """What proves that a request is the account's."""
    return hmac.new(secret.reveal().encode(), f"{verb}{expires}".encode(), hashlib.sha256).hexdigest()


def order_row(one: OrderReport) -> Row:
    """An order in the venue's words."""
    coin = one.instrument
    return {
        "cid": one.id, "oid": one.exchange_id, "side": one.side.value, "leg": one.position_side.value,
        "state": one.status.value, "qty": coin.qty_text(one.units), "done": coin.qty_text(one.filled_units),
        "px": None if one.ticks is None else coin.price_text(one.ticks), "why": one.reason, "ts": one.ts,
        "stop": None if one.trigger_ticks is None else coin.price_text(one.trigger_ticks), "fired": one.triggered,
    }  # fmt: skip


def fill_row(one: Execution) -> Row:
    """A fill in the venue's words, or a funding: `kind` says which."""
    coin = one.instrument
    return {
        "id": one.id, "cid": one.order_id, "side": one.side.value, "leg": one.position_side.value,
        "kind": one.kind.value, "px": f"{one.price:.10g}", "qty": coin.qty_text(one.units),
        "fee": coin.settle.text(one.fee), "role": "made" if one.liquidity.value == "maker" else "took", "ts": one.ts,
    }  # fmt: skip


def request(sent: Row, coin: Instrument) -> OrderRequest:
    """An order as it was sent; a trigger (`stop`, `by`, `when`) and a size to `show` may be left out."""
    side = Side(sent["side"])
    # The price has to rise to a buy's stop and to fall to its take profit; a sell's are the other way round.
    stops = (sent.get("when") == "rises") == (side is Side.BUY)
    return OrderRequest(
        id=sent["cid"],
        instrument=coin,
        side=side,
        position_side=PositionSide(sent["leg"]),
        type=OrderType.LIMIT if sent["px"] else OrderType.MARKET,
        units=coin.units(sent["qty"]),
        ticks=coin.ticks(sent["px"]) if sent["px"] else None,
        time_in_force=TimeInForce(sent["life"]),
        post_only=sent["post"],
        reduce_only=sent["reduce"],
        trigger_ticks=coin.ticks(sent["stop"]) if sent.get("stop") else None,
        trigger_by=TriggerBy(sent.get("by", "mark")),
        trigger_kind=TriggerKind.STOP if stops else TriggerKind.TAKE_PROFIT,
        display_units=coin.units(sent["show"]) if sent.get("show") else None,
    )
