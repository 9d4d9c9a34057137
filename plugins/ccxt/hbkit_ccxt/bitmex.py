"""What ccxt leaves out of BitMEX: the table of best prices, which tells each change of them once and whole.

Best prices taken from the book come in up to three frames a step (deletes, updates, inserts), with states between them
that never were. Tables and rows: the project's BitMEX protocol reference, sections 7.5 and 7.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_TABLE = "quote"


def completed(base: Any) -> type:
    """ccxt's class for BitMEX with `watch_bids_asks`, and with the book of 25 levels in place of the whole one."""

    class Bitmex(base):  # type: ignore[misc]
        """See above."""

        def describe(self) -> Any:
            more = {"has": {"watchBidsAsks": True}, "options": {"watchOrderBookLevel": "orderBookL2_25"}}
            return self.deep_extend(super().describe(), more)

        async def watch_bids_asks(self, symbols: Sequence[str], params: Any = None) -> dict[str, Any]:
            """The next change of the best prices of one of the markets, as a ticker under its symbol."""
            if self.markets is None:
                await self.load_markets()
            topics = [f"{_TABLE}:{self.market(symbol)['id']}" for symbol in symbols]
            names = [f"{_TABLE}:{self.symbol(symbol)}" for symbol in symbols]
            request = {"op": "subscribe", "args": topics, **(params or {})}
            ticker = await self.watch_multiple(self.urls["api"]["ws"], names, request, topics)
            return {ticker["symbol"]: ticker}

        def handle_message(self, client: Any, message: Any) -> None:
            if isinstance(message, dict) and message.get("table") == _TABLE:
                for row in message.get("data") or ():
                    self._hear_quote(client, row)
            else:
                super().handle_message(client, message)

        def _hear_quote(self, client: Any, row: dict[str, Any]) -> None:
            symbol = self.safe_symbol(row.get("symbol"))
            stamp = row.get("timestamp")
            told = {"symbol": symbol, "timestamp": self.parse8601(stamp), "datetime": stamp, "info": row}
            for side in ("bid", "ask"):
                size = self.safe_string(row, f"{side}Size")
                told[side] = self.safe_number(row, f"{side}Price")
                told[f"{side}Volume"] = None if size is None else self.convertFromRawQuantity(symbol, size)
            self.bidsasks[symbol] = told
            client.resolve(told, f"{_TABLE}:{symbol}")

    Bitmex.__name__ = Bitmex.__qualname__ = base.__name__
    return Bitmex
