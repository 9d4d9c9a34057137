"""The connector's order desk: what is under way for each order, and what was heard of it last.

The requests of one order leave one at a time. A new order is sent once: where its answer is lost it stays unknown
until a look-up finds it, or finds nothing after the last moment at which the venue could still have taken it. A
cancel is repeated until it is answered, which does no harm; what a venue provably turned away, for coming too fast,
is sent again under the same id.

Where a venue cannot change an order, an amend is a cancel and a new order under the same id of ours. The place in the
queue is lost; what fills before the cancel has arrived is taken off what is placed anew; if the new order is refused,
the old one is gone all the same, and is reported as gone.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from hbkit.chance import Chance
from hbkit.clock import SECOND
from hbkit.errors import ExchangeError, OrderRejected, RateLimited, Unsupported, WireError
from hbkit.log import get_logger
from hbkit.model import Instrument, OrderReport, OrderRequest, OrderStatus, OrderType, PositionSide, TimeInForce
from hbkit.net.http import may_have_arrived
from hbkit_ccxt.errors import DuplicateOrder, OrderNotFound
from hbkit_ccxt.fills import Owner, named
from hbkit_ccxt.ids import Ids
from hbkit_ccxt.lookup import Lookup
from hbkit_ccxt.numbers import sent, units
from hbkit_ccxt.reports import Row, order_report, update_stamp
from hbkit_ccxt.requests import Terms, at_once, buys_by_cost, features_of, order_call, trigger_params

LOST_SECONDS = 60
"""After so long a request that was not answered can no longer be taken.

ccxt sets no common expiry. The windows in which venues accept a signed request are 5 s on most and 60 s at most
(Binance's `recvWindow` goes up to 60,000 ms); where there is none, a request that is still on its way after a minute is
past every gateway's own timeout.
"""
FORGOTTEN_SECONDS = 60
"""For so long an order that a venue does not list may be one that it does not list yet."""
EXPIRY_MARGIN = 5 * SECOND
KEPT = 10_000
STASHED = 1_000
_TRIES = 5
_LOOKS = (0.3, 0.7, 1.5, 3.0, 6.0)
"""Seconds between looks at an order that should have ended and is not told as ended."""
_NEVER_SEEN = frozenset({OrderStatus.PENDING, OrderStatus.UNKNOWN, OrderStatus.NEVER_ARRIVED})
_VENUE_REPLACES = frozenset(
    {"alpaca", "bequant", "bitstamp", "coinbaseexchange", "fmfwio", "foxbit", "hitbtc", "ndax", "upbit"}
)
"""Venues whose ccxt `edit_order` itself cancels and places, under a client order id that is not ours."""
_SPOT_REPLACES = frozenset({"binance", "binanceus", "bitget", "bingx", "poloniex"})
"""The same for their spot markets."""


class Change(NamedTuple):
    """What an order is to have; None for what stays."""

    ticks: int | None
    units: int | None
    trigger_ticks: int | None = None


class Standing:
    """One order of the account."""

    __slots__ = (
        "carried",
        "exchange_id",
        "expires",
        "generation",
        "lock",
        "looking",
        "past",
        "placed",
        "replacing",
        "report",
        "request",
        "stamp",
        "unwanted",
        "vanishing",
    )

    def __init__(self, report: OrderReport, request: OrderRequest | None = None) -> None:
        self.report = report
        self.request = request
        self.exchange_id = report.exchange_id
        self.generation = 0
        self.carried = 0
        """Units that had filled before the present generation was placed."""
        self.past: dict[str, OrderStatus] = {}
        """The venue's ids of earlier generations."""
        self.placed = 0
        """When the request left first, ns on the venue's clock; 0 for an order that was not placed here."""
        self.expires = 0
        """When a replacement whose answer was lost can no longer be taken, ns; 0 when there is none."""
        self.stamp = 0
        self.lock = asyncio.Lock()
        self.looking = False
        self.replacing = False
        """Its cancel is the first half of an amend: that it was taken away is no news."""
        self.unwanted = False
        """It was to go before anybody knew whether it is there: should it turn up, it goes then."""
        self.vanishing: dict[str, Any] | None = None
        """The last row of a generation that is being replaced."""

    @property
    def waits(self) -> bool:
        """Whether it stands beside the book until a trigger is reached."""
        return self.report.trigger_ticks is not None and not self.report.triggered


class OrderDesk:
    """The orders of one account, ours and those of others that were heard of."""

    def __init__(
        self,
        client: Any,
        name: str,
        ids: Ids,
        lookup: Lookup,
        instruments: Mapping[str, Instrument],
        chance: Chance,
        *,
        now: Callable[[], int],
        price: Callable[[Instrument], float | None],
        tell: Callable[[OrderReport], None],
        grown: Callable[[OrderReport, int, Row, OrderRequest | None], None],
        start: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        """
        :param now: the venue's clock, ns.
        :param price: what a market stands at now.
        :param tell: hears the news.
        :param grown: hears of a filled quantity that has grown, with what it was before and the row that says so.
        :param start: begins a task and owns it.
        """
        self._client = client
        self._name = name
        self._ids = ids
        self._lookup = lookup
        self._chance = chance
        self._now = now
        self._price = price
        self._tell = tell
        self._grown = grown
        self._start = start
        self._by_unified = {one.unified: one for one in instruments.values()}
        self._orders: OrderedDict[str, Standing] = OrderedDict()
        self._theirs: dict[str, str] = {}
        """Our id by the venue's."""
        self._stash: OrderedDict[str, list[Row]] = OrderedDict()
        """News of orders of which only the venue's id is known yet."""
        self._wishes: dict[str, Change] = {}
        self._told_of_replacing = False
        self._sought: dict[str, asyncio.Future[OrderReport | None]] = {}
        self._log = get_logger("ccxt")

    # -- what is known

    @property
    def standing(self) -> list[Standing]:
        """Orders that may still fill, as far as is known."""
        return [one for one in self._orders.values() if not one.report.status.is_final]

    def owner(self, exchange_id: str) -> Owner | None:
        """Whose order a trade belongs to; None while nobody knows the venue's id."""
        order_id = self._theirs.get(exchange_id)
        if order_id is None:
            return None
        order = self._orders.get(order_id)
        if order is None:
            return Owner(order_id, PositionSide.NET)
        return Owner(order.report.id, order.report.position_side, order.request)

    def owner_by_id(self, order_id: str) -> Owner | None:
        """The same by our id."""
        order = self._orders.get(order_id)
        return None if order is None else Owner(order.report.id, order.report.position_side, order.request)

    def owner_named(self, row: Row, exchange_id: str) -> Owner | None:
        """The same for a trade that names one of our ids in the venue's own fields, where an answer was lost."""
        if self._ids.none:
            return None
        for order in self.standing:
            if (
                order.placed
                and not order.exchange_id
                and any(named(row, text) for text in self._client_id(order).values())
            ):
                self._learn(order, exchange_id)
                return self.owner(exchange_id)
        return None

    def learn(self, row: Row) -> None:
        """An order that was looked up for its trades' sake; nothing is told of it."""
        self._take(row)

    @property
    def in_flight(self) -> bool:
        """Whether an order was sent whose id at the venue is not known yet."""
        return any(one.placed and not one.exchange_id for one in self.standing)

    def amends_natively(self, instrument: Instrument) -> bool:
        """Whether the venue itself changes orders, without taking them out of its book."""
        venue = self._client.venue
        replaces = venue in _VENUE_REPLACES or (instrument.is_spot and venue in _SPOT_REPLACES)
        return self._client.has("editOrder") is True and not replaces

    # -- acting

    def submit(self, request: OrderRequest) -> None:
        """Place an order."""
        order = Standing(_blank(request, self._now()), request)
        self._orders[request.id] = order
        try:
            sent_as = request
            if buys_by_cost(request, self._client.api):
                sent_as = at_once(request, self._client.api, self._price(request.instrument))
            terms = Terms(sent_as.units, sent_as.ticks, sent_as.trigger_ticks)
            call = order_call(sent_as, terms, self._client.api, self._client_id(order))
        except Unsupported as error:
            self._end_soon(order, OrderStatus.REJECTED, error.message, "submit")
            return
        self._start(self._place(order, call))

    def turn_down(self, request: OrderRequest, reason: str) -> None:
        """An order that is not sent at all; told soon, and not from inside the call that placed it."""
        order = self._orders[request.id] = Standing(_blank(request, self._now()), request)
        self._end_soon(order, OrderStatus.REJECTED, reason, "submit")

    def amend(self, order_id: str, change: Change) -> None:
        """Change an order; of several changes that wait for each other only the last is sent."""
        waiting = order_id in self._wishes
        self._wishes[order_id] = change
        if not waiting:
            self._start(self._change(order_id))

    def cancel(self, order_id: str) -> None:
        """Take an order away, by our id or by the venue's."""
        order = self._orders.get(order_id) or self._orders.get(self._theirs.get(order_id, ""))
        if order is None:
            self._start(self._cancel_stranger(order_id))
            return
        self._start(self._take_away(order))

    async def cancel_every_order(self) -> None:
        """All of the account, also those of others: with one call a market where the venue has one."""
        if self._client.has("cancelAllOrders") is True:
            for symbol, params in self._lookup.questions("cancelAllOrders"):
                await self._insist("cancel_all_orders", symbol, **params)
                one = self._by_unified.get(symbol or "")
                if (
                    one is not None
                    and any(order.waits for order in self.standing)
                    and (aside := self._lookup.aside(one))
                ):
                    await self._insist("cancel_all_orders", symbol, **params, **aside)
        else:
            for report in await self.open_orders():
                self.cancel(report.id or report.exchange_id)
        for order in self.standing:
            if order.exchange_id:
                self._look_soon(order)

    # -- placing

    def _client_id(self, order: Standing) -> dict[str, str]:
        if self._ids.none:
            return {}
        return {self._ids.param: self._ids.write(order.report.id, order.generation, order.carried)}

    async def _place(self, order: Standing, call: Any) -> None:
        async with order.lock:
            order.placed = self._now()
            try:
                row = await self._send(call)
            except DuplicateOrder as error:
                # Ours alone bears this id: the first try arrived, its answer was lost.
                self._lost(order, "submit", f"the exchange has an order of this id ({error.message})")
                self._look_soon(order)
            except WireError as error:
                if may_have_arrived(error):
                    self._lost(order, "submit", error.message)
                else:
                    self._end(order, OrderStatus.REJECTED, error.message, "submit")
            except ExchangeError as error:
                self._end(order, OrderStatus.REJECTED, error.message, "submit")
            else:
                self._answered(order, row)

    def _answered(self, order: Standing, row: Row) -> None:
        """The venue has the order; its answer may be no more than an id."""
        self._learn(order, str(row.get("id") or ""))
        self.hear(row, order)
        request = order.request
        ends_soon = (
            request is not None
            and not request.waits
            and (request.type is OrderType.MARKET or request.time_in_force in (TimeInForce.IOC, TimeInForce.FOK))
        )
        if ends_soon and not order.report.status.is_final:
            self._look_soon(order)

    async def _send(self, call: Any) -> Row:
        """Place, and once more where the venue turned the request away for coming too fast."""
        for attempt in range(_TRIES):
            try:
                row: Row = await self._client.call(
                    "create_order", call.symbol, call.type, call.side, call.amount, call.price, **call.params
                )
                return row or {}
            except RateLimited as error:
                if attempt == _TRIES - 1:
                    raise
                await self._pause(error)
        raise AssertionError("unreachable")

    async def _pause(self, error: ExchangeError) -> None:
        # Together with others is how it got there.
        await asyncio.sleep(max(0.5, getattr(error, "retry_after", 0.0)) + self._chance.random())

    # -- changing

    async def _change(self, order_id: str) -> None:
        try:
            wish = None
            while (latest := self._wishes[order_id]) is not wish:
                wish = latest
                order = self._orders.get(order_id)
                if order is None:
                    self._log.error("an amend of an order that nobody knows", order=order_id)
                    return
                async with order.lock:
                    wish = self._wishes[order_id]
                    await self._change_once(order, wish)
        finally:
            del self._wishes[order_id]

    async def _change_once(self, order: Standing, wish: Change) -> None:
        report = order.report
        if report.status.is_final or not order.exchange_id:
            why = f"the order is {report.status}" if report.status.is_final else "the exchange's id is not known yet"
            self._refused(order, "amend", why)
            return
        terms = Terms(
            report.units if wish.units is None else wish.units,
            report.ticks if wish.ticks is None else wish.ticks,
            report.trigger_ticks if wish.trigger_ticks is None else wish.trigger_ticks,
        )
        if terms == Terms(report.units, report.ticks, report.trigger_ticks):
            self._tell(report)
        elif self.amends_natively(report.instrument):
            await self._edit(order, terms)
        else:
            await self._replace(order, terms)

    async def _edit(self, order: Standing, terms: Terms) -> None:
        """The venue's own amend; where it gives the order another id, it is the same order to us."""
        one, report = order.report.instrument, order.report
        params = self._trigger(order, terms)
        try:
            row = await self._insist_once(
                "edit_order",
                order.exchange_id,
                one.unified,
                "market" if terms.ticks is None else "limit",
                report.side.value,
                sent(one.qty_text(terms.units - order.carried)),
                None if terms.ticks is None else sent(one.price_text(terms.ticks)),
                **params,
            )
        except ExchangeError as error:
            if isinstance(error, WireError) and may_have_arrived(error):
                self._lost(order, "amend", error.message)
            else:
                self._refused(order, "amend", error.message)
                if isinstance(error, OrderNotFound):
                    self._look_soon(order)
            return
        self._settle_terms(order, terms, row)

    def _trigger(self, order: Standing, terms: Terms) -> dict[str, Any]:
        if not order.waits:
            return {}
        if order.request is None:
            assert terms.trigger_ticks is not None
            return {"triggerPrice": sent(order.report.instrument.price_text(terms.trigger_ticks))}
        features = features_of(self._client.api, order.report.instrument)
        return trigger_params(order.request, terms, features, self._client.venue) | self._aside(order)

    def _settle_terms(self, order: Standing, terms: Terms, row: Row) -> None:
        """The answer says what the order is now; what it leaves out is what was asked for."""
        one = order.report.instrument
        exchange_id = str(row.get("id") or "")
        if exchange_id and exchange_id != order.exchange_id:
            order.past[order.exchange_id] = order.report.status
            self._learn(order, exchange_id)
        asked = {
            "amount": one.qty_text(terms.units - order.carried),
            "price": None if terms.ticks is None else one.price_text(terms.ticks),
            "triggerPrice": None if terms.trigger_ticks is None else one.price_text(terms.trigger_ticks),
        }
        self.hear({**row, **{name: value for name, value in asked.items() if row.get(name) is None}}, order)

    async def _replace(self, order: Standing, terms: Terms) -> None:
        """Cancel, learn what had filled, place what is left."""
        if not self._told_of_replacing:
            self._told_of_replacing = True
            self._log.warning(
                "the exchange cannot change orders: an amend cancels and places anew, which gives up the place in the "
                "queue, and where the new order is refused the old one is gone",
                exchange=self._name,
            )
        one = order.report.instrument
        if (why := self._too_small(order, terms)) != "":
            self._refused(order, "amend", why)
            return
        order.replacing, order.vanishing = True, None
        try:
            last = await self._remove(order)
        except ExchangeError as error:
            order.replacing = False
            if isinstance(error, WireError) and may_have_arrived(error):
                self._lost(order, "amend", error.message)
            else:
                self._refused(order, "amend", error.message)
            self._look_soon(order)
            return
        filled = order.carried + (units(one, last.get("filled")) or 0)
        order.replacing = False
        if last.get("status") == "closed" or filled >= terms.units:
            # It filled before it could be taken away, or as far as it was to be.
            self.hear(last, order)
            self._refused(order, "amend", "the order had filled before it could be changed")
            return
        if filled > order.report.filled_units:
            before = order.report.filled_units
            order.report = msgspec.structs.replace(
                order.report, filled_units=filled, status=OrderStatus.PARTIALLY_FILLED, ts=self._now()
            )
            self._grown(order.report, before, last, order.request)
        await self._place_again(order, terms, filled)

    def _too_small(self, order: Standing, terms: Terms) -> str:
        """Why what would be left cannot be placed; it has to be known before the cancel."""
        one = order.report.instrument
        left = terms.units - order.report.filled_units
        if left <= 0:
            return "so much has filled already"
        least = getattr(one, "min_qty", None)
        if least is not None and one.unit_size * left < least:
            return f"what is left, {one.qty_text(left)}, is below the exchange's minimum of {least:f}"
        return ""

    async def _remove(self, order: Standing) -> dict[str, Any]:
        """Cancel a generation for good; its last row, with what had filled. Raises where that cannot be known."""
        one = order.report.instrument
        row = await self._insist("cancel_order", order.exchange_id, one.unified, **self._aside(order))
        for pause in (0.0, *_LOOKS):
            if _is_over(row):
                return dict(row)
            if order.vanishing is not None and _is_over(order.vanishing):
                return order.vanishing
            await asyncio.sleep(pause)
            row = await self._lookup.by_exchange_id(order.exchange_id, one, waits=order.waits) or {}
        raise OrderRejected("the cancel was answered, but not how much had filled: nothing was placed in its stead")

    async def _place_again(self, order: Standing, terms: Terms, filled: int) -> None:
        request = order.request or _as_request(order.report)
        order.past[order.exchange_id] = OrderStatus.CANCELED
        order.exchange_id, order.generation, order.carried = "", order.generation + 1, filled
        order.stamp = 0
        try:
            left = Terms(terms.units - filled, terms.ticks, terms.trigger_ticks)
            row = await self._send(order_call(request, left, self._client.api, self._client_id(order)))
        except DuplicateOrder as error:
            self._lost_replacement(order, terms, error.message)
        except ExchangeError as error:
            if isinstance(error, WireError) and may_have_arrived(error):
                self._lost_replacement(order, terms, error.message)
            else:
                why = f"the order was taken away to be changed, and its replacement was refused ({error.message})"
                self._end(order, OrderStatus.CANCELED, why, "amend")
        else:
            self._learn(order, str(row.get("id") or ""))
            self._settle_terms(order, terms, {**row, "id": order.exchange_id})

    def _lost_replacement(self, order: Standing, terms: Terms, reason: str) -> None:
        order.expires = self._now() + LOST_SECONDS * SECOND
        self._lost(order, "amend", reason, expires=order.expires)

    # -- taking away

    async def _take_away(self, order: Standing) -> None:
        async with order.lock:
            if order.report.status is OrderStatus.UNKNOWN and not order.exchange_id:
                await self._find_first(order)
            if not order.exchange_id and not order.report.status.is_final:
                # Whether it is there is not known: it goes when it turns up.
                order.unwanted = True
                return
            await self._cancel_now(order)

    async def _find_first(self, order: Standing) -> None:
        try:
            report = await self._search(order.report.id)
        except ExchangeError as error:
            self._log.info("an order cannot be looked up", order=order.report.id, reason=error.message)
            return
        if report is not None:
            self._tell(report)

    async def _cancel_now(self, order: Standing) -> None:
        one = order.report.instrument
        try:
            row = await self._insist("cancel_order", order.exchange_id, one.unified, **self._aside(order))
        except ExchangeError as error:
            if isinstance(error, WireError) and may_have_arrived(error):
                self._lost(order, "cancel", error.message)
            else:
                self._refused(order, "cancel", error.message)
            if not order.report.status.is_final:
                self._look_soon(order)
            return
        # Answers of a cancel are often no more than an id, or say "open" for what is about to end.
        if isinstance(row, Mapping) and _is_over(row):
            self.hear({**row, "id": order.exchange_id}, order)
        if not order.report.status.is_final:
            self._look_soon(order)

    async def _cancel_stranger(self, exchange_id: str) -> None:
        """By an id of the venue of which nothing was heard here, or by one of ours of an earlier run."""
        for report in await self.open_orders():
            if exchange_id in (report.id, report.exchange_id):
                await self._take_away(self._orders[self._theirs[report.exchange_id]])
                return
        self._log.warning(
            "a cancel of an order that the exchange does not list", exchange=self._name, order=exchange_id
        )

    async def _insist(self, method: str, *arguments: Any, **params: Any) -> Any:
        """A request that may be repeated: sent again after whatever the wire did."""
        for attempt in range(_TRIES):
            try:
                return await self._client.call(method, *arguments, **params)
            except (WireError, RateLimited) as error:
                if attempt == _TRIES - 1:
                    raise
                await self._pause(error)
        raise AssertionError("unreachable")

    async def _insist_once(self, method: str, *arguments: Any, **params: Any) -> Any:
        """A request that may not be repeated, but where the venue turned it away."""
        for attempt in range(_TRIES):
            try:
                return await self._client.call(method, *arguments, **params) or {}
            except RateLimited as error:
                if attempt == _TRIES - 1:
                    raise
                await self._pause(error)
        raise AssertionError("unreachable")

    def _aside(self, order: Standing) -> dict[str, Any]:
        return self._lookup.aside(order.report.instrument) if order.waits else {}

    # -- what is heard

    def hear(self, row: Row, order: Standing | None = None) -> None:
        """An order as it stands, in whatever order news comes."""
        report = self._take(row, order)
        if report is not None:
            self._tell(report)

    def _take(self, row: Row, order: Standing | None = None) -> OrderReport | None:
        """Apply a row; the report where it is news."""
        exchange_id = str(row.get("id") or "")
        instrument = self._by_unified.get(str(row.get("symbol") or "")) or (order.report.instrument if order else None)
        if instrument is None:
            return None
        order = order or self._order_of(row, exchange_id)
        if order is None:
            name = self._lookup.name_of(row)
            if not name.order_id and self.in_flight:
                self._stash.setdefault(exchange_id, []).append(row)
                while len(self._stash) > STASHED:
                    self._stash.popitem(last=False)
                return None
            return self._adopt(row, instrument, name)
        if self._is_past(order, row, exchange_id):
            return None
        if exchange_id and not order.exchange_id:
            self._learn(order, exchange_id)
        return self._apply(order, row)

    def _order_of(self, row: Row, exchange_id: str) -> Standing | None:
        order_id = self._theirs.get(exchange_id) or self._lookup.name_of(row).order_id
        return self._orders.get(order_id) if order_id else None

    def _is_past(self, order: Standing, row: Row, exchange_id: str) -> bool:
        """True for news of a generation that has been replaced, or is being."""
        if exchange_id in order.past:
            return True
        name = self._lookup.name_of(row)
        if name.order_id == order.report.id and name.generation < order.generation:
            order.past[exchange_id] = OrderStatus.CANCELED
            self._theirs.setdefault(exchange_id, order.report.id)
            return True
        if name.order_id == order.report.id and name.generation > order.generation:
            # Placed by an earlier run, or before a restart: the later one is the order.
            if order.exchange_id and order.exchange_id != exchange_id:
                order.past[order.exchange_id] = OrderStatus.CANCELED
            order.generation, order.carried, order.stamp = name.generation, name.carried, 0
            self._learn(order, exchange_id)
        elif exchange_id and order.exchange_id and exchange_id != order.exchange_id:
            # A trigger that fired is another order at some venues, under the same client id.
            if update_stamp(row) < order.stamp or order.report.status.is_final:
                return True
            order.past[order.exchange_id] = order.report.status
            self._learn(order, exchange_id)
        if order.replacing and _is_over(row):
            order.vanishing = dict(row)
            return True
        return False

    def _adopt(self, row: Row, instrument: Instrument, name: Any) -> OrderReport | None:
        """An order of an earlier run, or of somebody else: one without an id of ours is known by the venue's."""
        report = order_report(row, instrument, name.order_id, None, self._now(), name.carried)
        if report is None:
            return None
        key = name.order_id or f"{report.exchange_id}"
        order = self._orders[key] = Standing(report)
        order.generation, order.carried, order.stamp = name.generation, name.carried, update_stamp(row)
        self._theirs[report.exchange_id] = key
        self._forget()
        return report

    def _apply(self, order: Standing, row: Row) -> OrderReport | None:
        before = order.report
        told = update_stamp(row)
        report = order_report(row, before.instrument, before.id, before, self._now(), order.carried)
        if report is None or (before.status.is_final and before.status is not OrderStatus.NEVER_ARRIVED):
            return None
        old = bool(told and order.stamp and told < order.stamp) or self._is_behind(order, row)
        if old and not report.status.is_final:
            return None
        if before.status not in _NEVER_SEEN and not report.status.is_final and _same(before, report):
            order.stamp = max(order.stamp, told)
            return before if before.lost else None
        order.stamp = max(order.stamp, told)
        order.expires = 0
        order.report = msgspec.structs.replace(report, refused="", lost="", expires=0)
        if report.filled_units > before.filled_units:
            self._grown(report, before.filled_units, row, order.request)
        if order.unwanted and not report.status.is_final:
            order.unwanted = False
            self._start(self._take_away(order))
        self._forget()
        return order.report

    def _is_behind(self, order: Standing, row: Row) -> bool:
        """A row that knows of less filled than was told already is an older one."""
        filled = units(order.report.instrument, row.get("filled"))
        return filled is not None and filled + order.carried < order.report.filled_units

    def _learn(self, order: Standing, exchange_id: str) -> None:
        """The venue's id of an order, and the news that had to wait for it."""
        if not exchange_id or order.exchange_id == exchange_id:
            return
        order.exchange_id = exchange_id
        order.report = msgspec.structs.replace(order.report, exchange_id=exchange_id)
        self._theirs[exchange_id] = order.report.id or exchange_id
        for row in self._stash.pop(exchange_id, ()):
            self.hear(row, order)

    # -- questions

    async def open_orders(self) -> list[OrderReport]:
        """Every open order of the account."""
        waiting = not self._orders or any(order.waits for order in self.standing)
        rows = await self._lookup.open_rows(waiting=waiting)
        found: dict[str, OrderReport] = {}
        for row in rows:
            self._take(row)
            order = self._order_of(row, str(row.get("id") or "")) or self._orders.get(str(row.get("id") or ""))
            if order is not None and not order.report.status.is_final and str(row.get("id")) not in order.past:
                found[order.exchange_id or order.report.id] = order.report
        return list(found.values())

    async def find(self, order_id: str) -> OrderReport | None:
        """An order by our id, where it stands; None when the venue provably has not seen it."""
        order = self._orders.get(order_id)
        if order is not None and not order.exchange_id and order.past and order.expires:
            return await self._find_replacement(order)
        return await self._search(order_id)

    async def _search(self, order_id: str) -> OrderReport | None:
        order = self._orders.get(order_id)
        if order is not None and order.exchange_id:
            row = await self._lookup.by_exchange_id(order.exchange_id, order.report.instrument, waits=order.waits)
            if row is None:
                row = await self._forgotten(order)
            if row is not None:
                self._take(row, order)
            # The venue has told of it, so it is there or was, even where it forgets what has ended.
            return order.report if row is not None or order.report.status not in _NEVER_SEEN else None
        for instrument in self._candidates(order):
            row = await self._lookup.by_client_id(
                order_id, instrument, order.placed if order else 0, order.request if order else None, self._theirs
            )
            if row is not None:
                self._take(row, order)
                found = self._orders.get(order_id)
                return found.report if found is not None else None
        return None

    async def _forgotten(self, order: Standing) -> dict[str, Any] | None:
        """What became of an order that the venue had and does not list any more: it has ended, as its trades say.

        Only after a while: some venues list an order later than they answer it.
        """
        report = order.report
        known_since = max(order.placed, report.ts)
        if report.status.is_final or report.status in _NEVER_SEEN or not self._lookup.has("fetchOpenOrders"):
            return None
        if self._now() - known_since < FORGOTTEN_SECONDS * SECOND:
            return None
        filled = await self._lookup.filled(order.exchange_id, report.instrument, order.placed or known_since)
        filled = max(report.filled_units - order.carried, filled)
        whole = report.units - order.carried
        return {
            "id": order.exchange_id,
            "status": "closed" if filled >= whole else "canceled",
            "filled": report.instrument.qty_text(filled),
            "info": {"reason": "the exchange lists it no more"},
        }

    def _candidates(self, order: Standing | None) -> Iterable[Instrument]:
        if order is not None:
            return [order.report.instrument]
        return [
            self._by_unified[symbol] for symbol, _ in self._lookup.questions("fetchOrder") if symbol in self._by_unified
        ]

    async def _find_replacement(self, order: Standing) -> OrderReport:
        """The second half of an amend whose answer was lost: it stands, or the order is gone."""
        late = self._now() > order.expires + EXPIRY_MARGIN
        text = self._client_id(order)
        rows = await self._lookup.all_rows(order.report.instrument, max(0, order.placed - 60 * SECOND))
        for row in rows:
            name = self._lookup.name_of(row)
            if text and (name.order_id, name.generation) == (order.report.id, order.generation):
                self._take(row, order)
                return order.report
        if late:
            order.expires = 0
            why = "the order was taken away to be changed, and its replacement never arrived"
            order.report = msgspec.structs.replace(
                order.report, status=OrderStatus.CANCELED, reason=why, ts=self._now(), lost="", expires=0
            )
        return order.report

    # -- looking again

    def _look_soon(self, order: Standing) -> None:
        """Look an order up until it is known to have ended: nobody else may tell."""
        if not order.looking:
            order.looking = True
            self._start(self._look(order))

    async def _look(self, order: Standing) -> None:
        try:
            for pause in _LOOKS:
                await asyncio.sleep(pause)
                if order.report.status.is_final:
                    return
                try:
                    report = await self._search(order.report.id or order.exchange_id)
                except ExchangeError as error:
                    self._log.debug("an order cannot be looked up", order=order.report.id, reason=error.message)
                    continue
                if report is not None:
                    self._tell(report)
        finally:
            order.looking = False

    async def poll(self) -> None:
        """For venues that tell nothing by themselves: open orders, and what became of those no longer among them."""
        expected = [order for order in self.standing if order.exchange_id and not order.replacing]
        if not expected:
            return
        asked = {id(order): order.exchange_id for order in expected}
        for row in await self._lookup.open_rows(waiting=any(order.waits for order in expected)):
            known = self._theirs.get(str(row.get("id") or ""))
            order = self._orders.get(known or "")
            if order is not None:
                asked.pop(id(order), None)
            if order is not None or self._lookup.name_of(row).order_id:
                self.hear(row)
        for order in expected:
            same = asked.get(id(order)) == order.exchange_id
            if same and not order.report.status.is_final and not order.lock.locked():
                before = order.report
                report = await self._search(before.id or order.exchange_id)
                if report is not None and report is not before:
                    self._tell(report)

    # -- inside

    def _refused(self, order: Standing, request: str, reason: str) -> None:
        """An amend or a cancel was turned down: the order stands where it stood."""
        self._tell(msgspec.structs.replace(order.report, refused=request, reason=reason))

    def _end_soon(self, order: Standing, status: OrderStatus, reason: str, refused: str) -> None:
        asyncio.get_running_loop().call_soon(self._end, order, status, reason, refused)

    def _end(self, order: Standing, status: OrderStatus, reason: str, refused: str) -> None:
        """An order that the venue never had, or has no more."""
        order.report = msgspec.structs.replace(
            order.report, status=status, reason=reason, refused=refused, ts=max(self._now(), order.report.ts)
        )
        self._tell(order.report)
        self._forget()

    def _lost(self, order: Standing, request: str, reason: str, expires: int = 0) -> None:
        """No answer: what was asked may have happened, or may still, until evidence tells."""
        present = order.report
        if present.status.is_final or (request == "submit" and present.status is not OrderStatus.PENDING):
            return  # the stream told already that it arrived
        now = self._now()
        status = OrderStatus.UNKNOWN if request == "submit" else present.status
        order.report = msgspec.structs.replace(present, status=status, ts=max(now, present.ts))
        self._tell(
            msgspec.structs.replace(
                order.report, reason=reason, lost=request, expires=expires or now + LOST_SECONDS * SECOND
            )
        )

    def _forget(self) -> None:
        """The oldest that have ended; those that may still fill are kept however many there are."""
        while len(self._orders) > KEPT:
            key = next((key for key, order in self._orders.items() if order.report.status.is_final), None)
            if key is None:
                return
            order = self._orders.pop(key)
            for exchange_id in (order.exchange_id, *order.past):
                self._theirs.pop(exchange_id, None)


def _is_over(row: Row) -> bool:
    """Whether a row says that an order has ended, and how much of it had filled."""
    return row.get("status") in ("canceled", "closed", "expired", "rejected") and row.get("filled") is not None


def _same(before: OrderReport, after: OrderReport) -> bool:
    """Whether a report says nothing that was not known."""
    return (
        before.status, before.units, before.filled_units, before.ticks, before.trigger_ticks, before.triggered,
        before.exchange_id,
    ) == (
        after.status, after.units, after.filled_units, after.ticks, after.trigger_ticks, after.triggered,
        after.exchange_id,
    )  # fmt: skip


def _as_request(report: OrderReport) -> OrderRequest:
    """An order of an earlier run as far as its report tells: what else it was asked to be is not known any more."""
    return OrderRequest(
        id=report.id,
        instrument=report.instrument,
        side=report.side,
        position_side=report.position_side,
        type=OrderType.MARKET if report.ticks is None else OrderType.LIMIT,
        units=report.units,
        ticks=report.ticks,
        trigger_ticks=None if report.triggered else report.trigger_ticks,
    )


def _blank(request: OrderRequest, ts: int) -> OrderReport:
    return OrderReport(
        ts=ts,
        id=request.id,
        exchange_id="",
        instrument=request.instrument,
        side=request.side,
        position_side=request.position_side,
        status=OrderStatus.PENDING,
        units=request.units,
        filled_units=0,
        ticks=request.ticks,
        trigger_ticks=request.trigger_ticks,
    )
