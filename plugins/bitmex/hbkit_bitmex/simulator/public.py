"""One symbol in public: its trades, candles, book, quote and instrument row, and what of it changed in this step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hbkit.clock import DAY, MINUTE, SECOND
from hbkit.matching import Market
from hbkit.model import Instrument, Side
from hbkit_bitmex.simulator.bins import Bins
from hbkit_bitmex.simulator.board import Board
from hbkit_bitmex.simulator.history import History
from hbkit_bitmex.simulator.listing import Listing, Ticker
from hbkit_bitmex.simulator.numbers import notionals, number
from hbkit_bitmex.simulator.packed import PackedRows
from hbkit_bitmex.simulator.quotebins import QuoteBins
from hbkit_bitmex.simulator.retention import QUOTES_KEPT, TRADES_KEPT

Row = dict[str, Any]

TYPICAL_DIGITS = 2
_UP = frozenset({"PlusTick", "ZeroPlusTick"})


class PublicMarket:
    """The engine's market of a symbol and everything that is told of it."""

    def __init__(self, instrument: Instrument, market: Market, recorded: Row, new_id: Callable[[], int]) -> None:
        self.instrument = instrument
        self.symbol = instrument.symbol
        self.market = market
        self.board = Board(market, new_id)
        self.bins = Bins(instrument)
        self.quote_bins = QuoteBins()
        self.ticker = Ticker(instrument, recorded)
        self.trades = PackedRows(TRADES_KEPT)
        self.quotes = PackedRows(QUOTES_KEPT)
        self.index: Index | None = None
        self.digits = self.ticker.digits
        self.is_asleep = False
        """Nobody plays it for now: it has no candles of its own, and none are told."""
        self.is_halted = False
        """Trading is stopped: nothing of what is played reaches the book, the index goes on."""
        self.held: dict[tuple[Side, int], int] = {}
        """Levels that changed meanwhile, as they are now."""
        self.held_mark: tuple[float, float] | None = None
        """The mark and the index as they are now, where they moved meanwhile."""
        self._top: tuple[int | None, int, int | None, int] = (None, 0, None, 0)
        self._last_ticks: int | None = None
        self._direction = "PlusTick"

    def trade(self, ts: int, stamp: str, side: Side, ticks: int, units: int, match_id: str) -> Row:
        """A public trade, of the tape or between accounts."""
        value = self.instrument.value_at(units, ticks)
        last = self._last_ticks
        if last is not None:
            if ticks == last:
                self._direction = "ZeroPlusTick" if self._direction in _UP else "ZeroMinusTick"
            else:
                self._direction = "PlusTick" if ticks > last else "MinusTick"
        self._last_ticks = ticks
        self.bins.add(ts, ticks, units, value)
        price = self.board.price(ticks)
        home, foreign = notionals(self.instrument, units, value, self.ticker.row.get("quoteToSettleMultiplier"))
        row: Row = {
            "timestamp": stamp,
            "symbol": self.symbol,
            "side": "Buy" if side is Side.BUY else "Sell",
            "size": units,
            "price": price,
            "tickDirection": self._direction,
            "trdMatchID": match_id,
            "grossValue": value,
            "homeNotional": home,
            "foreignNotional": foreign,
            "trdType": "Regular",
        }
        self.trades.append(row)
        self.ticker.traded(price, self._direction, units, value)
        return row

    def keep(self, rows: int) -> None:
        """Remember this many of trades and quotes each."""
        self.trades.keep(rows)
        self.quotes.keep(rows)

    def precede(self, past: History) -> None:
        """Candles from before the tape, and the 24 h figures that begin with them."""
        self.bins.precede(past)
        self.ticker.day_before(past.last(DAY // MINUTE))

    def close_bins(self, ts: int) -> dict[str, list[Row]]:
        """A minute ends: rows of the bins that closed, by table."""
        ended = self.bins.close_until(ts)
        self.ticker.minutes_closed(ended.get("1m", ()))
        quotes = {f"quoteBin{size}": rows for size, rows in self.quote_bins.close(ts).items()}
        return {f"tradeBin{size}": [self.bins.row(which) for which in bins] for size, bins in ended.items()} | quotes

    def quote(self, stamp: str) -> Row | None:
        """A quote row if the touch changed since the last one."""
        top = self.board.top()
        if top == self._top:
            return None
        self._top = top
        bid, bid_size, ask, ask_size = top
        row: Row = {"timestamp": stamp, "symbol": self.symbol}
        if bid is not None:
            row |= {"bidSize": bid_size, "bidPrice": self.board.price(bid)}
        if ask is not None:
            row |= {"askPrice": self.board.price(ask), "askSize": ask_size}
        self.quotes.append(row)
        self.quote_bins.add(row)
        self.ticker.quoted(row.get("bidPrice"), row.get("askPrice"))
        return row


class Index:
    """The index behind a perpetual: its row, and a Referential trade per change, at most one a second (17.2)."""

    def __init__(self, listing: Listing, digits: int = TYPICAL_DIGITS) -> None:
        self.listing = listing
        self._digits = digits
        self.symbol: str = listing.row["symbol"]
        self.trades = PackedRows(QUOTES_KEPT)
        self._told = 0

    def keep(self, rows: int) -> None:
        """Remember this many of its trades."""
        self.trades.keep(rows)

    def set(self, ts: int, stamp: str, value: float, match_id: str) -> Row | None:
        """A new value; the trade row if one is due."""
        price = number(round(value, self._digits))
        before = self.listing.row.get("lastPrice")
        self.listing.set(lastPrice=price, markPrice=price)
        if price == before or ts < self._told + SECOND:
            return None
        self._told = ts
        # 8.6: size 0 and trdType Referential; side and direction are there because readers demand them.
        row: Row = {
            "timestamp": stamp,
            "symbol": self.symbol,
            "side": "Buy",
            "size": 0,
            "price": price,
            "tickDirection": "MinusTick" if before is not None and price < before else "PlusTick",
            "trdMatchID": match_id,
            "trdType": "Referential",
        }
        self.trades.append(row)
        return row
