"""An order of hbkit in the words of ccxt's `create_order` and `edit_order`, and what a venue does not take.

What a market's `features` do not name is refused here, before the wire: ccxt hands parameters that it does not know
on to the venue, and there they may mean anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from msgspec.structs import replace

from hbkit.errors import Unsupported
from hbkit.model import Instrument, OrderRequest, OrderType, PositionSide, Side, TimeInForce, TriggerBy, TriggerKind
from hbkit_ccxt.numbers import sent

_TIMES: Mapping[TimeInForce, str] = {
    TimeInForce.GTC: "GTC",
    TimeInForce.IOC: "IOC",
    TimeInForce.FOK: "FOK",
    TimeInForce.DAY: "DAY",
}
_RAW_LEGS = frozenset({"xt", "woo"})
"""Venues of which ccxt takes the leg as the venue's own parameter and has no `hedged`."""
_SHOWN = {"bitmex": "displayQty"}
"""How the part of an order that others see is called, where it is not `icebergAmount`."""


BEYOND = Decimal("0.01")
"""How far above the price of now a market order to buy may pay, where it has to be a limit order."""


class Call(NamedTuple):
    """The arguments of `create_order`, and its `params`."""

    symbol: str
    type: str
    side: str
    amount: float | str
    price: float | str | None
    params: dict[str, Any]


class Terms(NamedTuple):
    """What an order is to be, apart from what never changes of it."""

    units: int
    ticks: int | None
    trigger_ticks: int | None


def features_of(api: Any, instrument: Instrument, method: str = "createOrder") -> Mapping[str, Any]:
    """What ccxt declares of a method for the kind of market that an instrument is; empty where it declares nothing.

    `features` goes from spot, swap and future to linear and inverse, and for some venues it is not there at all.
    """
    market = (getattr(api, "markets", None) or {}).get(instrument.unified) or {}
    kind = market.get("type") or ("spot" if instrument.is_spot else "future" if instrument.expiry else "swap")
    found = (getattr(api, "features", None) or {}).get(kind) or {}
    if not instrument.is_spot and method not in found:
        found = found.get("inverse" if instrument.is_inverse else "linear") or {}
    return found.get(method) or {}


def order_call(request: OrderRequest, terms: Terms, api: Any, client_id: Mapping[str, str]) -> Call:
    """The call that places an order. Raises Unsupported with what the venue does not take.

    :param terms: what it is to be now; differs from the request where it was amended.
    :param client_id: the parameter that carries the client order id, or nothing.
    """
    one = request.instrument
    features = features_of(api, one)
    params: dict[str, Any] = dict(client_id)
    if request.time_in_force is not TimeInForce.GTC and request.type is OrderType.LIMIT:
        params["timeInForce"] = _TIMES[request.time_in_force]
    if request.post_only:
        params["postOnly"] = True
    if request.reduce_only:
        params["reduceOnly"] = True
    if request.display_units is not None:
        params[_SHOWN.get(api.id, "icebergAmount")] = sent(one.qty_text(request.display_units))
    params |= leg_params(request, api.id)
    params |= trigger_params(request, terms, features, api.id)
    price = None if terms.ticks is None else sent(one.price_text(terms.ticks))
    return Call(one.unified, request.type.value, request.side.value, sent(one.qty_text(terms.units)), price, params)


def buys_by_cost(request: OrderRequest, api: Any) -> bool:
    """Whether the venue takes a market order to buy as an amount of money, and not of coins."""
    plain = request.type is OrderType.MARKET and not request.waits
    return (
        plain
        and request.instrument.is_spot
        and request.side is Side.BUY
        and bool(features_of(api, request.instrument).get("marketBuyRequiresPrice"))
    )


def at_once(request: OrderRequest, api: Any, price: float | None) -> OrderRequest:
    """A market order to buy as a limit order that ends at once, `BEYOND` above the price of now: so many coins, not so
    much money. Raises Unsupported where there is no price, or no such limit order."""
    one = request.instrument
    if price is None:
        raise Unsupported(f"{api.id} buys {one} for an amount of money only, and no price of it is known yet")
    if not (features_of(api, one).get("timeInForce") or {}).get("IOC"):
        raise Unsupported(f"{api.id} buys {one} at the market for an amount of money only; use a limit order")
    ticks = one.ticks(Decimal(repr(price)) * (1 + BEYOND))
    return replace(request, type=OrderType.LIMIT, ticks=ticks, time_in_force=TimeInForce.IOC)


def leg_params(request: OrderRequest, venue: str) -> dict[str, Any]:
    """Which leg of a hedge an order is for; ccxt tells it by side and by whether the order closes."""
    leg = request.position_side
    if leg is PositionSide.NET:
        return {}
    if venue in _RAW_LEGS:
        return {"positionSide": leg.value.upper()}
    closes = (leg is PositionSide.LONG) is (request.side is Side.SELL)
    return {"hedged": True, "reduceOnly": closes}


def trigger_params(request: OrderRequest, terms: Terms, features: Mapping[str, Any], venue: str) -> dict[str, Any]:
    """Trigger price, the price that it looks at, and from which side; nothing for an order that does not wait."""
    if not request.waits:
        return {}
    if request.within_mark:
        raise Unsupported(f"{venue} has no triggers that count only within the mark")
    if request.trail_ticks is not None:
        if not features.get("trailing"):
            raise Unsupported(f"{venue} has no trailing orders for {request.instrument}")
        params = {"trailingAmount": sent(request.instrument.price_text(abs(request.trail_ticks)))}
        return params | _trigger_by(request, features, venue)
    assert terms.trigger_ticks is not None
    price = sent(request.instrument.price_text(terms.trigger_ticks))
    stops = request.trigger_kind is TriggerKind.STOP
    own = "stopLossPrice" if stops else "takeProfitPrice"
    if features.get("triggerDirection") and features.get("triggerPrice"):
        words = {"triggerPrice": price, "triggerDirection": "ascending" if request.fires_above else "descending"}
    elif features.get("triggerPrice") and stops:
        words = {"triggerPrice": price}
    elif features.get(own) and (not stops or request.reduce_only):
        words = {own: price}
    else:
        kind = "stops that open a position" if stops else "take profits"
        raise Unsupported(f"{venue} has no {kind} for {request.instrument}, as far as ccxt knows")
    return words | _trigger_by(request, features, venue)


def _trigger_by(request: OrderRequest, features: Mapping[str, Any], venue: str) -> dict[str, Any]:
    prices = trigger_prices(features)
    if request.trigger_by is None:
        # The one that positions are valued at, where there is a choice.
        return {"triggerPriceType": "mark"} if TriggerBy.MARK in prices else {}
    if request.trigger_by in prices:
        return {"triggerPriceType": request.trigger_by.value}
    if not prices and request.trigger_by is TriggerBy.LAST:
        return {}
    raise Unsupported(f"{venue} has no triggers that look at the {request.trigger_by} price of {request.instrument}")


def trigger_prices(features: Mapping[str, Any]) -> frozenset[TriggerBy]:
    """The prices that a trigger may name; empty where the venue has one and does not say which."""
    declared = features.get("triggerPriceType") or {}
    return frozenset(by for by in TriggerBy if declared.get(by.value))
