"""What an exchange can do, read from ccxt's `has` and `features`: what ccxt does not declare is not offered.

`features` goes from the kind of market (spot, swap, future) to its payoff (linear, inverse) and to a method. One spec
stands for all of them here, so it offers what any of its markets can; an order that its own market cannot take is
refused by orders.py, by name.

An amend is offered wherever orders can be cancelled and placed: where the venue has none of its own, orders.py makes it
of both, and says what that risks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from hbkit.data.candles import interval_ns
from hbkit.exchange import Capabilities, Channel

BOOK_DEPTH: Final = 25
"""Levels of each side that are told; venues tell from five to thousands, and a sum over all of them costs time."""
_TIMES = {"IOC": "ioc", "FOK": "fok"}


def capabilities_of(api: Any) -> Capabilities:
    """The capabilities of a ccxt object; its markets need not be loaded."""
    orders = list(_declared(api, "createOrder"))
    times = {name for one in orders for name, offered in (one.get("timeInForce") or {}).items() if offered}
    contracts = has_contracts(api)
    return Capabilities(
        channels=frozenset(_channels(api)),
        candle_intervals=intervals(api),
        book_depth=BOOK_DEPTH,
        post_only="PO" in times or _has(api, "createPostOnlyOrder"),
        reduce_only=contracts and _has(api, "createOrder"),
        time_in_force=frozenset({"gtc"} | {_TIMES[name] for name in times & set(_TIMES)}),
        amend=_has(api, "createOrder") and _has(api, "cancelOrder"),
        triggers=any(one.get("triggerPrice") or one.get("stopLossPrice") for one in orders),
        display_qty=any(one.get("iceberg") or one.get("icebergAmount") for one in orders),
        hedge_mode=contracts and _has(api, "setPositionMode"),
        leverage=contracts and _has(api, "setLeverage"),
    )


def has_contracts(api: Any) -> bool:
    """Whether it has perpetuals or futures."""
    return _has(api, "swap") or _has(api, "future")


def intervals(api: Any) -> tuple[str, ...]:
    """Candle intervals in hbkit's words, the shortest first; weeks and months are none of them."""
    if not _has(api, "fetchOHLCV"):
        return ()
    lengths: dict[str, int] = {}
    for name in api.timeframes or {}:
        if name != name.lower():
            continue  # `1M` is a month
        try:
            lengths[name] = interval_ns(name)
        except ValueError:
            continue
    return tuple(sorted(lengths, key=lambda name: lengths[name]))


def page_limit(api: Any, market: Mapping[str, Any]) -> int | None:
    """How many candles ccxt says that one answer holds for this kind of market; None where it does not say."""
    told = _of_market(api, market).get("fetchOHLCV") or {}
    limit = told.get("limit")
    return int(limit) if limit else None


def _channels(api: Any) -> Iterator[Channel]:
    if _has(api, "fetchTrades", "watchTrades"):
        yield Channel.TRADE
    if _has(api, "fetchOrderBook", "watchOrderBook", "watchBidsAsks", "fetchBidsAsks"):
        yield Channel.QUOTE
    if _has(api, "fetchOrderBook", "watchOrderBook"):
        yield Channel.BOOK
    if intervals(api):
        yield Channel.CANDLE
    if has_contracts(api):
        if marks(api):
            yield Channel.MARK
        if _has(api, "fetchFundingRate", "fetchFundingRates", "fetchFundingRateHistory"):
            yield Channel.FUNDING


def marks(api: Any) -> tuple[str, ...]:
    """The methods of ccxt that tell a mark price, the best first."""
    known = ("watchMarkPrice", "fetchMarkPrice", "fetchFundingRate", "fetchFundingRates")
    return tuple(name for name in known if _has(api, name))


def _has(api: Any, *names: str) -> bool:
    """Whether ccxt has any of these methods, its own makeshifts (`emulated`) among them."""
    return any(bool(api.has.get(name)) for name in names)


def _declared(api: Any, method: str) -> Iterator[Mapping[str, Any]]:
    """What `features` says of a method for each kind of market."""
    for found in (api.features or {}).values():
        yield from (one[method] for one in _kinds(found, method))


def _kinds(found: Any, method: str) -> Iterator[Mapping[str, Any]]:
    if not isinstance(found, Mapping):
        return
    if isinstance(found.get(method), Mapping):
        yield found
        return
    for one in found.values():
        yield from _kinds(one, method)


def _of_market(api: Any, market: Mapping[str, Any]) -> Mapping[str, Any]:
    found = (api.features or {}).get(market.get("type")) or {}
    if market.get("contract") and ("linear" in found or "inverse" in found):
        found = found.get("inverse" if market.get("inverse") else "linear") or {}
    return found if isinstance(found, Mapping) else {}
