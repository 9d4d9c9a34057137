"""Looking an order up at a venue: by its id, among open and ended orders, and among the account's trades.

Which of these a venue offers differs; what it does not offer proves nothing. An order is absent only when every
question that the venue answers was answered and none of the answers holds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hbkit.clock import SECOND
from hbkit.errors import OrderRejected, Unsupported
from hbkit.model import Instrument, OrderRequest
from hbkit_ccxt.fills import named
from hbkit_ccxt.ids import Ids, Name
from hbkit_ccxt.numbers import ticks, units
from hbkit_ccxt.reports import MILLISECOND, Row
from hbkit_ccxt.requests import features_of

EARLIER = 60 * SECOND
"""How long before an order was sent its traces are looked for: for what the clocks disagree about."""
_FEW = 10
"""Markets up to which each is asked for where nobody has said which are traded."""

Found = dict[str, Any]


class Lookup:
    """Questions about orders."""

    def __init__(self, client: Any, ids: Ids, instruments: Mapping[str, Instrument]) -> None:
        self._client = client
        self._ids = ids
        self._instruments = instruments
        self.traded: dict[Instrument, None] = {}
        """Markets that somebody trades in or listens to."""

    def has(self, name: str) -> bool:
        """Whether ccxt offers it here, by whatever means."""
        return bool(self._client.has(name))

    # -- which markets

    def questions(self, method: str) -> list[tuple[str | None, dict[str, Any]]]:
        """What a question about the whole account is asked for: symbols, or kinds of markets where none is known.

        Venues with several kinds of markets answer a question without a symbol for one kind alone.
        """
        known = list(self.traded) or (list(self._instruments.values()) if len(self._instruments) <= _FEW else [])
        if known:
            return [(one.unified, {}) for one in known]
        kinds = {self._kind(one): one for one in self._instruments.values()}
        if "defaultType" not in (self._client.api.options or {}):
            return [(None, {})]
        return [
            (None, {"type": kind[0], **({"subType": kind[1]} if kind[1] else {})})
            for kind, one in sorted(kinds.items())
            if not features_of(self._client.api, one, method).get("symbolRequired")
        ]

    def _kind(self, one: Instrument) -> tuple[str, str]:
        if one.is_spot:
            return "spot", ""
        return ("future" if one.expiry else "swap"), ("inverse" if one.is_inverse else "linear")

    def aside(self, instrument: Instrument) -> dict[str, Any]:
        """The parameter with which orders that wait for a trigger are named, where the venue keeps them apart."""
        apart = features_of(self._client.api, instrument, "fetchOpenOrders").get("trigger")
        return {"trigger": True} if apart else {}

    # -- orders

    async def open_rows(self, *, waiting: bool) -> list[Found]:
        """Every open order; with `waiting` also those that a venue keeps apart until their trigger is reached."""
        found: dict[str, Found] = {}
        for symbol, params in self.questions("fetchOpenOrders"):
            for row in await self._client.call("fetch_open_orders", symbol, **params):
                found[str(row.get("id"))] = row
            one = self._by_unified(symbol) if symbol else None
            if waiting and one is not None and (aside := self.aside(one)):
                for row in await self._client.call("fetch_open_orders", symbol, **params, **aside):
                    found.setdefault(str(row.get("id")), row)
        return list(found.values())

    async def by_exchange_id(self, exchange_id: str, instrument: Instrument, *, waits: bool = False) -> Found | None:
        """The order of the venue's own id; None where it knows it no more or cannot be asked for it."""
        aside = self.aside(instrument) if waits else {}
        for name, method in (
            ("fetchOrder", "fetch_order"),
            ("fetchOpenOrder", "fetch_open_order"),
            ("fetchClosedOrder", "fetch_closed_order"),
        ):
            for params in [aside, {}] if aside else [{}]:
                if not self.has(name):
                    continue
                try:
                    row = await self._client.call(method, exchange_id, instrument.unified, **params)
                except (OrderRejected, Unsupported):
                    continue  # it is looked for elsewhere
                if row and str(row.get("id") or exchange_id) == exchange_id:
                    return {**row, "id": exchange_id}
        return next((row for row in await self.all_rows(instrument, 0) if str(row.get("id")) == exchange_id), None)

    async def all_rows(self, instrument: Instrument, since: int) -> list[Found]:
        """Open orders and those that ended since a moment, ns (0 for what the venue gives by itself)."""
        symbol, start = instrument.unified, (since // MILLISECOND or None)
        rows: list[Found] = []
        if self.has("fetchOpenOrders"):
            rows += await self._client.call("fetch_open_orders", symbol)
            if aside := self.aside(instrument):
                rows += await self._client.call("fetch_open_orders", symbol, **aside)
        for name, method in (
            ("fetchOrders", "fetch_orders"),
            ("fetchCanceledAndClosedOrders", "fetch_canceled_and_closed_orders"),
        ):
            if self._client.has(name) is True:
                return rows + await self._ended(method, symbol, start)
        for name, method in (
            ("fetchClosedOrders", "fetch_closed_orders"),
            ("fetchCanceledOrders", "fetch_canceled_orders"),
        ):
            if self.has(name):
                rows += await self._ended(method, symbol, start)
        return rows

    async def _ended(self, method: str, symbol: str, start: int | None) -> list[Found]:
        found: list[Found] = await self._client.call(method, symbol, start)
        return found

    async def by_client_id(
        self, order_id: str, instrument: Instrument, since: int, request: OrderRequest | None, known: Iterable[str]
    ) -> Found | None:
        """The order of one of our ids, its latest generation; None when every question was answered without it.

        :param since: when it was placed, ns; 0 where that is not known.
        :param known: the venue's ids of orders that are known to be others.
        """
        start = max(0, since - EARLIER) if since else 0
        quick = await self._quick(order_id, instrument)
        if quick is not None and (self._client.has("editOrder") is True or quick.get("status") in ("open", "closed")):
            return quick
        rows = await self.all_rows(instrument, start)
        best = self._latest(order_id, rows)
        if best is None and self._ids.none and request is not None:
            best = _alike(request, rows, start, set(known))
        if best is not None:
            return best
        return quick or await self._among_trades(order_id, instrument, start, request)

    async def _quick(self, order_id: str, instrument: Instrument) -> Found | None:
        """By the client id itself; what venues say that cannot do it says nothing."""
        if self._ids.none or not self.has("fetchOrder"):
            return None
        text = self._ids.write(order_id)
        try:
            row: Found = await self._client.call("fetch_order", "", instrument.unified, **{self._ids.param: text})
        except (OrderRejected, Unsupported):
            return None
        return row if row and self.name_of(row).order_id == order_id else None

    def _latest(self, order_id: str, rows: Iterable[Found]) -> Found | None:
        names = [(self.name_of(row), row) for row in rows]
        ours = [(name.generation, row) for name, row in names if name.order_id == order_id]
        return max(ours, key=lambda one: one[0])[1] if ours else None

    async def _among_trades(
        self, order_id: str, instrument: Instrument, since: int, request: OrderRequest | None
    ) -> Found | None:
        """An order that is in no list any more, from trades that name it."""
        if not self.has("fetchMyTrades") or self._ids.none or not since:
            return None
        text = self._ids.write(order_id)
        rows = await self._client.call("fetch_my_trades", instrument.unified, since // MILLISECOND)
        ours = [row for row in rows if row.get("clientOrderId") == text or named(row, text)]
        if not ours:
            return None
        filled = sum(units(instrument, row.get("amount")) or 0 for row in ours)
        first = ours[0]
        return {
            "id": first.get("order"),
            "clientOrderId": text,
            "symbol": instrument.unified,
            "side": first.get("side"),
            "amount": instrument.qty_text(request.units if request else filled),
            "filled": instrument.qty_text(filled),
            "status": "closed",
            "timestamp": ours[-1].get("timestamp"),
            "info": {},
        }

    async def filled(self, exchange_id: str, instrument: Instrument, since: int) -> int:
        """Units that the account's trades say have filled of an order; 0 where there is no history of them."""
        if not self.has("fetchMyTrades"):
            return 0
        start = max(0, since - EARLIER) // MILLISECOND
        rows = await self._client.call("fetch_my_trades", instrument.unified, start)
        ours = {str(row.get("id")): row for row in rows if str(row.get("order")) == exchange_id}
        return sum(units(instrument, row.get("amount")) or 0 for row in ours.values())

    def name_of(self, row: Row) -> Name:
        """What the client order id of a row says; nothing where it has none."""
        text = row.get("clientOrderId")
        if not text and self._ids.param != "clientOrderId":
            info = row.get("info")
            text = info.get(self._ids.param) if isinstance(info, Mapping) else None
        return self._ids.read(str(text) if text else None)

    def _by_unified(self, symbol: str) -> Instrument | None:
        return next((one for one in self._instruments.values() if one.unified == symbol), None)


def _alike(request: OrderRequest, rows: Iterable[Found], since: int, known: set[str]) -> Found | None:
    """On a venue without client ids: an order that nobody knows, younger than the request, and the same in all else."""
    one = request.instrument
    for row in rows:
        same = (row.get("side"), units(one, row.get("amount"))) == (request.side.value, request.units)
        price = request.ticks is None or ticks(one, row.get("price")) == request.ticks
        young = (row.get("timestamp") or 0) * MILLISECOND >= since
        if same and price and young and str(row.get("id")) not in known:
            return row
    return None
