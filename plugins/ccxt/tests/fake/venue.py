"""An exchange of ccxt's kind over its own base class: requests signed, sent and thrown at by ccxt's own code.

It is registered under ids that ccxt does not have, one for each sort of venue that the connector meets: with streams,
without, without amends, and so on.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

import ccxt
import ccxt.pro
import pytest
from ccxt.async_support.base.exchange import Exchange
from ccxt.async_support.base.ws.cache import ArrayCache, ArrayCacheBySymbolById, ArrayCacheByTimestamp
from ccxt.base.decimal_to_precision import TICK_SIZE

from hbkit.log import Secret
from hbkit.testing.fake.rows import sign

SYMBOL = "COIN/USD:USD"
LIFE = 5_000_000_000
Row = dict[str, Any]
_STATES = {
    "open": "open", "partially_filled": "open", "untriggered": "open", "pending": "open", "filled": "closed",
    "canceled": "canceled", "rejected": "rejected", "expired": "expired",
}  # fmt: skip
_ERRORS = {
    "key": ccxt.AuthenticationError, "stale": ccxt.InvalidNonce, "fast": ccxt.RateLimitExceeded,
    "duplicate": ccxt.DuplicateOrderId, "order": ccxt.InvalidOrder,
}  # fmt: skip
_FEATURES = {
    "sandbox": False,
    "createOrder": {
        "triggerPrice": True, "triggerDirection": True,
        "triggerPriceType": {"last": True, "mark": True, "index": False},
        "timeInForce": {"IOC": True, "FOK": True, "PO": True, "GTD": False, "GTC": True}, "hedged": True,
        "icebergAmount": True, "iceberg": True, "trailing": False, "stopLossPrice": False, "takeProfitPrice": False,
        "symbolRequired": True,
    },
    "fetchMyTrades": {"limit": 50, "daysBack": None, "untilDays": None, "symbolRequired": True},
    "fetchOrder": {"trigger": False, "symbolRequired": True},
    "fetchOpenOrders": {"limit": None, "trigger": False, "symbolRequired": True},
    "fetchClosedOrders": {"limit": None, "trigger": False, "symbolRequired": True},
    "fetchOHLCV": {"limit": 500},
}  # fmt: skip


class hbkitfake(Exchange):
    """Everything that the venue has."""

    stamped = True
    """Whether orders say when they were changed last."""

    def describe(self) -> Row:
        """As every exchange of ccxt's does."""
        own = {
            "id": type(self).__name__,
            "name": "Fake",
            "rateLimit": 125,
            "pro": True,
            "precisionMode": TICK_SIZE,
            "urls": {"api": {"rest": "http://fake.example", "ws": "ws://fake.example/stream"}},
            "has": {
                "spot": False, "swap": True, "future": False, "CORS": None, "margin": False, "option": False,
                "createOrder": True, "editOrder": True, "cancelOrder": True, "cancelAllOrders": True,
                "createPostOnlyOrder": True, "createReduceOnlyOrder": True, "createTriggerOrder": True,
                "createStopOrder": True, "fetchOrder": True, "fetchOpenOrders": True, "fetchClosedOrders": True,
                "fetchMyTrades": True, "fetchBalance": True, "fetchPositions": True, "fetchMarkets": True,
                "fetchPositionMode": True, "setPositionMode": True, "setLeverage": True, "setMarginMode": True,
                "fetchFundingHistory": True, "fetchFundingRate": True, "fetchOHLCV": True, "fetchTime": True,
                "fetchOrderBook": True, "fetchTicker": True, "fetchTrades": False, "fetchCurrencies": False,
                "watchOrders": True, "watchMyTrades": True, "watchBalance": True, "watchTrades": True,
                "watchOrderBook": True, "watchTicker": True, "watchBidsAsks": True, "watchOHLCV": True,
                "watchMarkPrice": True, "ws": True,
            },
            "timeframes": {"1m": "1m"},
            "features": {
                "spot": None, "swap": {"linear": _FEATURES, "inverse": None},
                "future": {"linear": None, "inverse": None},
            },
            "requiredCredentials": {"apiKey": True, "secret": True},
        }  # fmt: skip
        return self.deep_extend(super().describe(), own)

    # -- the way there

    def sign(
        self,
        path: Any,
        api: Any = "private",
        method: Any = "POST",
        params: Any = None,
        headers: Any = None,
        body: Any = None,
    ) -> Row:
        """Over the name of the request and the time at which it expires."""
        expires = self.milliseconds() * 1_000_000 + LIFE
        headers = {
            "content-type": "application/json",
            "x-expires": str(expires),
            "x-signature": sign(Secret(self.secret), path, expires),
        }
        return {
            "url": f"{self.urls['api']['rest']}/{path}",
            "method": method,
            "body": json.dumps(params or {}),
            "headers": headers,
        }

    def handle_errors(
        self, code: int, reason: str, url: str, method: str, headers: Row, body: str, response: Any, *rest: Any
    ) -> None:
        """The venue's word says which error it is."""
        if isinstance(response, dict) and "error" in response:
            if "no such order" in response["text"]:
                raise ccxt.OrderNotFound(f"{self.id} {body}")
            raise _ERRORS.get(response["error"], ccxt.ExchangeError)(f"{self.id} {response['text']}")

    async def _ask(self, verb: str, params: Row | None = None) -> Any:
        return (await self.request(verb, "private", "POST", params or {}))["answer"]

    # -- markets

    async def fetch_time(self, params: Any = None) -> int:
        return int(await self._ask("time") // 1_000_000)

    async def fetch_markets(self, params: Any = None) -> list[Row]:
        return [
            {
                "id": "COIN", "symbol": SYMBOL, "base": "COIN", "quote": "USD", "settle": "USD", "baseId": "COIN",
                "quoteId": "USD", "settleId": "USD", "type": "swap", "spot": False, "margin": False, "swap": True,
                "future": False, "option": False, "active": True, "contract": True, "linear": True, "inverse": False,
                "quanto": False, "taker": 0.0005, "maker": -0.0001, "contractSize": 1.0, "expiry": None,
                "precision": {"amount": 0.01, "price": 0.1},
                "limits": {"amount": {"min": 0.01, "max": None}, "price": {}, "cost": {}, "leverage": {}}, "info": {},
            }
        ]  # fmt: skip

    async def fetch_ohlcv(
        self, symbol: str, timeframe: str = "1m", since: Any = None, limit: Any = None, params: Any = None
    ) -> list[Any]:
        now = self.milliseconds()
        count = limit or 500
        start = since if since is not None else now - count * 60_000
        end = min(now, start + count * 60_000)
        rows = await self._ask("candles", {"start": start * 1_000_000, "end": end * 1_000_000})
        return [_ohlcv(row) for row in rows][:count]

    async def fetch_order_book(self, symbol: str, limit: Any = None, params: Any = None) -> Row:
        row = await self._ask("book")
        bids = [[float(one["px"]), float(one["qty"])] for one in row["all"] if one["side"] == "buy"]
        asks = [[float(one["px"]), float(one["qty"])] for one in row["all"] if one["side"] == "sell"]
        return self.parse_order_book({"bids": bids, "asks": asks}, symbol, row["ts"] // 1_000_000)

    async def fetch_ticker(self, symbol: str, params: Any = None) -> Row:
        return self._ticker(await self._ask("ticker"))

    async def fetch_funding_rate(self, symbol: str, params: Any = None) -> Row:
        return {"symbol": symbol, "fundingRate": 0.0, "timestamp": self.milliseconds(), "info": {}}

    def _ticker(self, row: Row) -> Row:
        top = {one["side"]: one for one in row["top"]}
        bid, ask = top.get("buy", {}), top.get("sell", {})
        return {
            "symbol": SYMBOL, "timestamp": row["ts"] // 1_000_000, "datetime": None, "bid": _number(bid.get("px")),
            "bidVolume": _number(bid.get("qty")), "ask": _number(ask.get("px")), "askVolume": _number(ask.get("qty")),
            "last": _number(row.get("last")), "close": _number(row.get("last")), "info": row,
        }  # fmt: skip

    # -- orders

    async def create_order(
        self, symbol: str, type: str, side: str, amount: Any, price: Any = None, params: Any = None
    ) -> Row:
        params = params or {}
        hedged = params.get("hedged", False)
        closes = bool(params.get("reduceOnly"))
        leg = "net" if not hedged else ("long" if (side == "buy") != closes else "short")
        if type == "market":
            price = None
        sent = {
            "cid": params["clientOrderId"],
            "side": side,
            "leg": leg,
            "life": params.get("timeInForce", "GTC").lower(),
            "post": params.get("postOnly", False),
            "reduce": closes and not hedged,
            "show": self._amount(params.get("icebergAmount")),
            "by": params.get("triggerPriceType", "mark"),
            "when": "rises" if params.get("triggerDirection") == "ascending" else "falls",
            "px": self._price(price),
            "stop": self._price(params.get("triggerPrice")),
            "qty": self._amount(amount),
        }
        return self._answer(await self._ask("submit", sent))

    async def edit_order(
        self, id: str, symbol: str, type: str, side: str, amount: Any = None, price: Any = None, params: Any = None
    ) -> Row:
        params = params or {}
        sent = {
            "cid": id,
            "px": self._price(price),
            "qty": self._amount(amount),
            "stop": self._price(params.get("triggerPrice")),
        }
        return self._answer(await self._ask("amend", sent))

    async def cancel_order(self, id: str, symbol: Any = None, params: Any = None) -> Row:
        return self._answer(await self._ask("cancel", {"id": id}))

    async def cancel_all_orders(self, symbol: Any = None, params: Any = None) -> list[Row]:
        return [self._order(row) for row in await self._ask("cancel_all")]

    async def fetch_order(self, id: str, symbol: Any = None, params: Any = None) -> Row:
        params = params or {}
        return self._order(await self._ask("order", {"id": id or params.get("clientOrderId", "")}))

    async def fetch_open_orders(
        self, symbol: Any = None, since: Any = None, limit: Any = None, params: Any = None
    ) -> list[Row]:
        return [self._order(row) for row in await self._ask("orders")]

    async def fetch_closed_orders(
        self, symbol: Any = None, since: Any = None, limit: Any = None, params: Any = None
    ) -> list[Row]:
        return [self._order(row) for row in await self._ask("ended")]

    async def fetch_my_trades(
        self, symbol: Any = None, since: Any = None, limit: Any = None, params: Any = None
    ) -> list[Row]:
        rows = await self._ask("fills", {"since": (since or 0) * 1_000_000})
        return [self._trade(row) for row in rows if row["kind"] == "trade"][: limit or 50]

    async def fetch_funding_history(
        self, symbol: Any = None, since: Any = None, limit: Any = None, params: Any = None
    ) -> list[Row]:
        rows = await self._ask("fills", {"since": (since or 0) * 1_000_000})
        return [
            {
                "id": row["id"], "symbol": SYMBOL, "code": "USD", "timestamp": row["ts"] // 1_000_000,
                "amount": -float(row["fee"]), "info": row,
            }
            for row in rows if row["kind"] == "funding"
        ]  # fmt: skip

    def _answer(self, row: Row) -> Row:
        return self._order(row)

    def _price(self, price: Any) -> str | None:
        return None if price is None else self.price_to_precision(SYMBOL, price)

    def _amount(self, amount: Any) -> str | None:
        return None if amount is None else self.amount_to_precision(SYMBOL, amount)

    def _order(self, row: Row) -> Row:
        return self.safe_order(
            {
                "id": row["oid"], "clientOrderId": row["cid"], "symbol": SYMBOL, "side": row["side"],
                "type": "market" if row["px"] is None else "limit", "status": _STATES.get(row["state"]),
                "price": row["px"], "amount": row["qty"], "filled": row["done"], "triggerPrice": row["stop"],
                "timestamp": None, "info": row,
                "lastUpdateTimestamp": row["ts"] // 1_000_000 if self.stamped else None,
            },
            self.market(SYMBOL),
        )  # fmt: skip

    def _trade(self, row: Row) -> Row:
        return self.safe_trade(
            {
                "id": row["id"], "order": row["oid"], "symbol": SYMBOL, "side": row["side"], "price": row["px"],
                "amount": row["qty"], "timestamp": row["ts"] // 1_000_000,
                "takerOrMaker": "maker" if row["role"] == "made" else "taker",
                "fee": None if row["fee"] is None else {"cost": row["fee"], "currency": "USD"}, "info": row,
            },
            self.market(SYMBOL),
        )  # fmt: skip

    # -- the account

    async def fetch_balance(self, params: Any = None) -> Row:
        return self._balance((await self._ask("account"))["money"])

    def _balance(self, row: Row) -> Row:
        # Minor units of which a dollar has 10,000.
        total, free = row["cash"] / 10_000, row["free"] / 10_000
        return self.safe_balance({"info": row, "USD": {"total": str(total), "free": str(free)}})

    async def fetch_positions(self, symbols: Any = None, params: Any = None) -> list[Row]:
        return [
            {
                "symbol": SYMBOL, "side": row["way"], "contracts": float(row["qty"]), "hedged": row["leg"] != "net",
                "entryPrice": None, "unrealizedPnl": None, "info": row,
            }
            for row in await self._ask("positions")
        ]  # fmt: skip

    async def fetch_position_mode(self, symbol: Any = None, params: Any = None) -> Row:
        return {"hedged": (await self._ask("account"))["mode"] == "hedge", "info": {}}

    async def set_position_mode(self, hedged: bool, symbol: Any = None, params: Any = None) -> Any:
        return await self._ask("mode", {"mode": "hedge" if hedged else "one_way"})

    async def set_leverage(self, leverage: Any, symbol: Any = None, params: Any = None) -> Any:
        return await self._ask("leverage", {"times": f"{leverage:g}"})

    async def set_margin_mode(self, marginMode: str, symbol: Any = None, params: Any = None) -> Any:
        return await self._ask("leverage", {"times": "0"}) if marginMode == "cross" else None

    # -- the stream

    async def _watch(self, name: str, topic: str = "") -> Any:
        await self.load_markets()
        url = self.urls["api"]["ws"]
        socket = self.client(url)
        welcome = socket.future("welcome")
        if "welcome" not in socket.subscriptions:
            expires = self.milliseconds() * 1_000_000 + LIFE
            login = {"expires": expires, "signature": sign(Secret(self.secret), "stream", expires)}
            self.watch(url, "welcome", login, "welcome")
        if not getattr(socket, "welcomed", False):
            await welcome
        return await self.watch(url, name, {"topic": topic} if topic else None, topic or name)

    def handle_message(self, client: Any, message: Row) -> None:
        kind = message["type"]
        if kind == "welcome":
            client.welcomed = True
            client.resolve(True, "welcome")
        elif kind == "refused":
            client.reject(_ERRORS.get(message["word"], ccxt.ExchangeError)(message["text"]))
        else:
            getattr(self, f"_hear_{kind}", lambda *_: None)(client, message)

    def _cached(self, name: str, make: Any) -> Any:
        if self.__dict__.get(name) is None or name not in self.__dict__:
            setattr(self, name, make(1000))
        return getattr(self, name)

    def _hear_order(self, client: Any, row: Row) -> None:
        cache = self._cached("orders", ArrayCacheBySymbolById)
        cache.append(self._order(row))
        client.resolve(cache, "order")

    def _hear_fill(self, client: Any, row: Row) -> None:
        if row["kind"] == "trade":
            cache = self._cached("myTrades", ArrayCacheBySymbolById)
            cache.append(self._trade(row))
            client.resolve(cache, "fill")

    def _hear_money(self, client: Any, row: Row) -> None:
        client.resolve(self._balance(row), "money")

    def _hear_trade(self, client: Any, row: Row) -> None:
        trade = self.safe_trade(
            {
                "id": None, "symbol": SYMBOL, "side": row["took"], "price": row["px"], "amount": row["qty"],
                "timestamp": row["ts"] // 1_000_000, "info": row,
            },
            self.market(SYMBOL),
        )  # fmt: skip
        cache = self.trades.setdefault(SYMBOL, ArrayCache(1000))
        cache.append(trade)
        client.resolve(cache, "trade")

    def _hear_quote(self, client: Any, row: Row) -> None:
        client.resolve(self._ticker(row), "quote")

    def _hear_mark(self, client: Any, row: Row) -> None:
        client.resolve(
            {"symbol": SYMBOL, "timestamp": row["ts"] // 1_000_000, "markPrice": float(row["px"]), "info": row}, "mark"
        )

    def _hear_book(self, client: Any, row: Row) -> None:
        if "all" in row:
            self.orderbooks[SYMBOL] = self.order_book({}, 1000)
        book = self.orderbooks.get(SYMBOL)
        if book is None:
            return
        for one in row.get("all", [row]):
            book["bids" if one["side"] == "buy" else "asks"].store(float(one["px"]), float(one["qty"]))
        book["symbol"] = SYMBOL
        book["timestamp"] = row["ts"] // 1_000_000
        client.resolve(book, "book")

    def _hear_candle(self, client: Any, row: Row) -> None:
        cache = self.ohlcvs.setdefault(SYMBOL, {}).setdefault("1m", ArrayCacheByTimestamp(1000))
        cache.append(_ohlcv(row))
        client.resolve(cache, "candle")

    async def watch_orders(
        self, symbol: Any = None, since: Any = None, limit: Any = None, params: Any = None
    ) -> list[Row]:
        found = await self._watch("order")
        return self.filter_by_symbol_since_limit(found, symbol, since, found.getLimit(symbol, limit), True)

    async def watch_my_trades(
        self, symbol: Any = None, since: Any = None, limit: Any = None, params: Any = None
    ) -> list[Row]:
        found = await self._watch("fill")
        return self.filter_by_symbol_since_limit(found, symbol, since, found.getLimit(symbol, limit), True)

    async def watch_balance(self, params: Any = None) -> Row:
        return await self._watch("money")

    async def watch_trades(self, symbol: str, since: Any = None, limit: Any = None, params: Any = None) -> list[Row]:
        found = await self._watch("trade", "trade")
        return self.filter_by_since_limit(found, since, found.getLimit(symbol, limit), "timestamp", True)

    async def watch_ticker(self, symbol: str, params: Any = None) -> Row:
        return await self._watch("quote", "quote")

    async def watch_bids_asks(self, symbols: Any = None, params: Any = None) -> Row:
        return {SYMBOL: await self._watch("quote", "quote")}

    async def watch_mark_price(self, symbol: str, params: Any = None) -> Row:
        return await self._watch("mark", "mark")

    async def watch_order_book(self, symbol: str, limit: Any = None, params: Any = None) -> Row:
        return (await self._watch("book", "book")).limit()

    async def watch_ohlcv(
        self, symbol: str, timeframe: str = "1m", since: Any = None, limit: Any = None, params: Any = None
    ) -> list[Any]:
        found = await self._watch("candle", "candle")
        return self.filter_by_since_limit(found, since, found.getLimit(symbol, limit), 0, True)


class hbkitpolled(hbkitfake):
    """A venue that tells nothing by itself, and does not say when an order was changed last."""

    stamped = False
    own: ClassVar[Row] = {
        "watchOrders": False, "watchMyTrades": False, "watchBalance": False, "watchTrades": False,
        "watchOrderBook": False, "watchTicker": False, "watchBidsAsks": False, "watchOHLCV": False,
        "watchMarkPrice": False,
    }  # fmt: skip

    def describe(self) -> Row:
        return self.deep_extend(super().describe(), {"has": self.own})


class hbkitfixed(hbkitfake):
    """A venue that changes no orders, and answers with no more than an id."""

    stamped = False

    def describe(self) -> Row:
        return self.deep_extend(super().describe(), {"has": {"editOrder": "emulated"}})

    def _answer(self, row: Row) -> Row:
        return self.safe_order({"id": row["oid"], "info": {}}, self.market(SYMBOL))


class hbkituntold(hbkitfake):
    """A venue that has no history of trades: fills are told in orders alone."""

    def describe(self) -> Row:
        return self.deep_extend(super().describe(), {"has": {"fetchMyTrades": False, "watchMyTrades": False}})

    def _order(self, row: Row) -> Row:
        return {**super()._order(row), "average": row["avg"]}


class hbkitforgetful(hbkitpolled):
    """A venue that forgets an order as soon as it has ended."""

    def describe(self) -> Row:
        return self.deep_extend(super().describe(), {"has": {"fetchClosedOrders": False}})

    async def fetch_order(self, id: str, symbol: Any = None, params: Any = None) -> Row:
        found = await super().fetch_order(id, symbol, params)
        if found["status"] != "open":
            raise ccxt.OrderNotFound(f"{self.id} no such order")
        return found


def register(patch: pytest.MonkeyPatch) -> None:
    """Make them known to ccxt for a while, under ids that it does not have."""
    own = {one.__name__: one for one in (hbkitfake, hbkitpolled, hbkitfixed, hbkituntold, hbkitforgetful)}
    for module in (ccxt.pro, ccxt.async_support):
        patch.setattr(module, "exchanges", [*module.exchanges, *own])
        for name, one in own.items():
            patch.setattr(module, name, one, raising=False)


def _ohlcv(row: Row) -> list[Any]:
    return [row["open"] // 1_000_000, *(float(row[name]) for name in "ohlcv")]


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)
