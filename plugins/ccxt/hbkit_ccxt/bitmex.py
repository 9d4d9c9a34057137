"""BitMEX as ccxt 4.5.83 has it, with what it leaves out and what it gets wrong put right.

Sections are those of the project's BitMEX protocol reference.

* Best prices have a table of their own (7.5), which tells each change once and whole; ccxt has only the book, which
  comes in up to three frames a step, with states between them that never were. Rows of a book that come before its
  first whole state (7.4) are left aside; ccxt fails on them.
* An execution is known by `execID`, its price is `lastPx`, its fee is in minor units and its side of the book is
  `lastLiquidityInd` (8.4, 9.3); ccxt takes the match, the order's average price, the fee as if it were whole coins, and
  a maker for who paid no fee.
* The quantities of an inverse contract's order are contracts, as those of the others; ccxt divides them by the price.
* Conditions (8.2) go into one `execInst`, which ccxt's own would be replaced by; words are BitMEX's; no broker stands
  in an order's text.
* The dead man's switch takes milliseconds (5.6); ccxt divides them by a thousand, and orders would be gone at once.
* What fundings paid is among the executions (10.3), each funding in a table of its own, the number of trades in a
  candle, and the position mode of the account in its row of `/user` (13.1); ccxt has none of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

_QUOTES: Final = "quote"
_FUNDING: Final = "funding"
_HEDGED: Final = "MultiWay"
_BOOKS: Final = ("orderBookL2", "orderBookL2_25")
_TIMES: Final = {"IOC": "ImmediateOrCancel", "FOK": "FillOrKill", "GTC": "GoodTillCancel", "DAY": "Day"}
_PRICES: Final = {"mark": "MarkPrice", "last": "LastPrice", "index": "IndexPrice"}
_LIQUIDITY: Final = {"AddedLiquidity": "maker", "RemovedLiquidity": "taker"}
_DIRECTIONS: Final = {"ascending": "above", "descending": "below"}
_QUANTITIES: Final = (("amount", "orderQty"), ("filled", "cumQty"), ("remaining", "leavesQty"))
_FUNDINGS: Final = 500


def completed(base: Any) -> type:
    """ccxt's class for BitMEX, put right as above."""

    class Bitmex(base):  # type: ignore[misc]
        """See above."""

        def describe(self) -> Any:
            more = {
                "has": {
                    "watchBidsAsks": True,
                    "fetchFundingHistory": True,
                    "fetchPositionMode": True,
                    "watchFundings": True,
                },
                "options": {"watchOrderBookLevel": "orderBookL2_25"},
            }
            return self.deep_extend(super().describe(), more)

        # -- acting

        async def create_order(
            self, symbol: str, type: str, side: str, amount: Any, price: Any = None, params: Any = None
        ) -> Any:
            words = self._words(dict(params or {}), side)
            return await super().create_order(symbol, type, side, amount, price, words)

        async def edit_order(
            self, id: str, symbol: str, type: str, side: str, amount: Any = None, price: Any = None, params: Any = None
        ) -> Any:
            words = self._words(dict(params or {}), side)
            if (trigger := words.pop("triggerPrice", None)) is not None:
                words["stopPx"] = self.parse_to_numeric(self.price_to_precision(symbol, trigger))
            for name in () if "trailingAmount" in words else ("triggerDirection", "execInst"):
                words.pop(name, None)  # an order keeps those
            number = None if price is None else self.parse_to_numeric(self.price_to_precision(symbol, price))
            return await super().edit_order(id, symbol, type, side, amount, number, words)

        async def cancel_all_orders_after(self, milliseconds: int, params: Any = None) -> Any:
            """All orders of the account go unless this is called again within so many milliseconds; 0 for never."""
            return await self.privatePostOrderCancelAllAfter({"timeout": int(milliseconds), **(params or {})})

        def _words(self, params: dict[str, Any], side: str) -> dict[str, Any]:
            conditions = [
                *(["ParticipateDoNotInitiate"] if params.pop("postOnly", None) else []),
                *(["ReduceOnly"] if params.pop("reduceOnly", None) else []),
            ]
            if (by := params.pop("triggerPriceType", None)) is not None:
                conditions.append(_PRICES[by])
            params.setdefault("text", "")  # else ccxt's broker
            if conditions:
                params["execInst"] = ",".join(conditions)
            if (time := params.get("timeInForce")) in _TIMES:
                params["timeInForce"] = _TIMES[time]
            if "trailingAmount" in params:
                # A stop that follows the price: below it for a sale, above it for a purchase.
                params.setdefault("triggerDirection", "below" if side == "sell" else "above")
            if (direction := params.get("triggerDirection")) in _DIRECTIONS:
                params["triggerDirection"] = _DIRECTIONS[direction]
            return params

        # -- what is told

        def parse_order(self, order: Mapping[str, Any], market: Any = None) -> Any:
            found = super().parse_order(order, market)
            for name, column in _QUANTITIES:
                if (told := self.safe_string(order, column)) is not None:
                    found[name] = self.convertFromRawQuantity(found["symbol"], told)
            found["lastUpdateTimestamp"] = self.parse8601(order.get("timestamp"))
            return found

        def parse_trade(self, trade: Mapping[str, Any], market: Any = None) -> Any:
            found = super().parse_trade(trade, market)
            if trade.get("execID") is None:
                return found  # a public one
            found["id"] = trade["execID"]
            found["clientOrderId"] = trade.get("clOrdID") or None
            found["price"] = self.safe_number(trade, "lastPx")
            found["amount"] = self.convertFromRawQuantity(found["symbol"], self.safe_string(trade, "lastQty"))
            found["takerOrMaker"] = _LIQUIDITY.get(trade.get("lastLiquidityInd") or "")
            found["fee"] = self._fee(trade)
            found["fees"] = [] if found["fee"] is None else [found["fee"]]
            return found

        def _fee(self, trade: Mapping[str, Any]) -> Any:
            minor = self.safe_string(trade, "execComm")
            code = self.safe_currency_code(self.safe_string_2(trade, "settlCurrency", "currency"))
            if minor is None or code is None:
                return None
            whole = self.convert_to_real_amount(code, minor)
            return {"cost": self.parse_number(whole), "currency": code, "rate": self.safe_number(trade, "commission")}

        async def fetch_funding_history(
            self, symbol: Any = None, since: Any = None, limit: Any = None, params: Any = None
        ) -> list[dict[str, Any]]:
            """What fundings paid the account: positive where it received."""
            if self.markets is None:
                await self.load_markets()
            asked = {"filter": self.json({"execType": "Funding"}), "count": min(limit or _FUNDINGS, _FUNDINGS)}
            if symbol is not None:
                asked["symbol"] = self.market(symbol)["id"]
            if since is not None:
                asked["startTime"] = self.iso8601(since)
            rows = await self.privateGetExecutionTradeHistory({**asked, **(params or {})})
            return [paid for row in rows if (paid := self._funding(row)) is not None]

        def _funding(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
            fee = self._fee(row)
            if fee is None or row.get("execType") != "Funding":
                return None
            stamp = row.get("transactTime") or row.get("timestamp")
            return {
                "info": row,
                "id": row["execID"],
                "symbol": self.safe_symbol(row.get("symbol")),
                "code": fee["currency"],
                "timestamp": self.parse8601(stamp),
                "datetime": stamp,
                "amount": -fee["cost"],
            }

        def parse_ohlcv(self, ohlcv: Mapping[str, Any], market: Any = None) -> list[Any]:
            """With the number of trades behind the volume."""
            return [*super().parse_ohlcv(ohlcv, market), self.safe_integer(ohlcv, "trades")]

        async def fetch_position_mode(self, symbol: Any = None, params: Any = None) -> dict[str, Any]:
            """The account's; it is the same for all markets."""
            user = await self.privateGetUser(params or {})
            return {"info": user, "hedged": user.get("positionMode") == _HEDGED}

        # -- the socket

        async def watch_bids_asks(self, symbols: Sequence[str], params: Any = None) -> dict[str, Any]:
            """The next change of the best prices of one of the markets, as a ticker under its symbol."""
            if self.markets is None:
                await self.load_markets()
            topics = [f"{_QUOTES}:{self.market(symbol)['id']}" for symbol in symbols]
            names = [f"{_QUOTES}:{self.symbol(symbol)}" for symbol in symbols]
            request = {"op": "subscribe", "args": topics, **(params or {})}
            ticker = await self.watch_multiple(self.urls["api"]["ws"], names, request, topics)
            return {ticker["symbol"]: ticker}

        async def watch_fundings(self, symbol: str, params: Any = None) -> list[dict[str, Any]]:
            """The next funding of a market, as in the history of funding rates; none of those before."""
            if self.markets is None:
                await self.load_markets()
            topic, name = f"{_FUNDING}:{self.market(symbol)['id']}", f"{_FUNDING}:{self.symbol(symbol)}"
            request = {"op": "subscribe", "args": [topic], **(params or {})}
            told = await self.watch_multiple(self.urls["api"]["ws"], [name], request, [topic])
            return [told]

        def handle_message(self, client: Any, message: Any) -> None:
            table = message.get("table") if isinstance(message, dict) else None
            if table == _QUOTES:
                for row in message.get("data") or ():
                    self._hear_quote(client, row)
            elif table == _FUNDING and message.get("action") == "insert":
                for row in message.get("data") or ():
                    told = self.parse_funding_rate_history(row)
                    client.resolve(told, f"{_FUNDING}:{told['symbol']}")
            elif table in _BOOKS and message.get("action") != "partial":
                rows = [
                    row for row in message.get("data") or () if self.safe_symbol(row.get("symbol")) in self.orderbooks
                ]
                super().handle_message(client, {**message, "data": rows})
            else:
                super().handle_message(client, message)

        def _hear_quote(self, client: Any, row: Mapping[str, Any]) -> None:
            symbol = self.safe_symbol(row.get("symbol"))
            stamp = row.get("timestamp")
            told = {"symbol": symbol, "timestamp": self.parse8601(stamp), "datetime": stamp, "info": row}
            for side in ("bid", "ask"):
                size = self.safe_string(row, f"{side}Size")
                told[side] = self.safe_number(row, f"{side}Price")
                told[f"{side}Volume"] = None if size is None else self.convertFromRawQuantity(symbol, size)
            self.bidsasks[symbol] = told
            client.resolve(told, f"{_QUOTES}:{symbol}")

    Bitmex.__name__ = Bitmex.__qualname__ = base.__name__
    return Bitmex
