"""The public order book of one symbol: outside sizes and account orders as one, with opaque ids, and what changed.

`touch` names a level that may have changed; `collect` compares it with what was published last. Protocol 7.6: ids say
nothing of the price, every row carries the price and both times, a delete has no size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hbkit.matching import Market
from hbkit.model import OrderBook, Side
from hbkit_bitmex.simulator.numbers import Number, number

Row = dict[str, Any]
Level = tuple[Side, int]
Changes = tuple[list[Row], list[Row], list[Row]]
"""Deletes, updates, inserts: the order in which they are sent (18.10.12)."""

WINDOW = 25
TEN = 10
NAMES = {Side.BUY: "Buy", Side.SELL: "Sell"}


class Board:
    """What everybody sees of one market."""

    def __init__(self, market: Market, new_id: Callable[[], int]) -> None:
        self._market = market
        self._instrument = market.instrument
        self._new_id = new_id
        self.book = OrderBook(market.instrument)
        self._ids: dict[Level, int] = {}
        self._stamps: dict[Level, str] = {}
        self._touched: dict[Level, None] = {}
        self._prices: dict[int, Number] = {}
        self.window_wanted = False
        self._window: dict[Level, tuple[int, int]] = {}
        """The 25 best levels a side as they were last sent: id and size."""
        self.ten: tuple[list[list[Number]], list[list[Number]]] = ([], [])

    def price(self, ticks: int) -> Number:
        """A price as it is written; remembered, for the same ones come again and again."""
        known = self._prices.get(ticks)
        if known is None:
            known = self._prices[ticks] = number(self._instrument.price(ticks))
        return known

    def touch(self, side: Side, ticks: int) -> None:
        """This level may have changed."""
        self._touched[side, ticks] = None

    def collect(self, stamp: str) -> Changes:
        """Publish: what became of the touched levels."""
        deletes: list[Row] = []
        updates: list[Row] = []
        inserts: list[Row] = []
        inside = self._inside()
        for level in self._touched:
            side, ticks = level
            size = self._market.available(side, ticks) + inside.get(level, 0)
            old = self.book.size(side, ticks)
            if size == old:
                continue
            self.book.set(side, ticks, size)
            if not old:
                self._ids[level] = self._new_id()
            self._stamps[level] = stamp
            if size:
                (updates if old else inserts).append(self._row(level, size, stamp))
            else:
                deletes.append(self._row(level, None, stamp))
                del self._ids[level], self._stamps[level]
        self._touched.clear()
        return deletes, updates, inserts

    def _inside(self) -> dict[Level, int]:
        """What account orders show, per level."""
        sizes: dict[Level, int] = {}
        for orders in (self._market.buys, self._market.sells):
            for order in orders:
                assert order.ticks is not None
                if order.shown:
                    level = (order.request.side, order.ticks)
                    sizes[level] = sizes.get(level, 0) + order.shown
        return sizes

    def _row(self, level: Level, size: int | None, stamp: str) -> Row:
        side, ticks = level
        row: Row = {"symbol": self._instrument.symbol, "id": self._ids[level], "side": NAMES[side]}
        if size is not None:
            row["size"] = size
        row["price"] = self.price(ticks)
        row["timestamp"] = row["transactTime"] = stamp
        return row

    def levels(self, depth: int = 0) -> list[Level]:
        """Asks from high to low, then bids from high to low; the best `depth` a side, all for 0 (protocol 4.5)."""
        asks, bids = self.book.prices(Side.SELL), self.book.prices(Side.BUY)
        asks, bids = asks[:depth] if depth else asks, bids[-depth:] if depth else bids
        return [*((Side.SELL, ticks) for ticks in reversed(asks)), *((Side.BUY, ticks) for ticks in reversed(bids))]

    def snapshot(self, depth: int = 0) -> list[Row]:
        """The rows of a partial or of `/orderBook/L2`."""
        return [self._row(level, self.book.size(*level), self._stamps[level]) for level in self.levels(depth)]

    def top(self) -> tuple[int | None, int, int | None, int]:
        """Best bid, its size, best ask, its size."""
        bid, ask = self.book.best_bid_ticks, self.book.best_ask_ticks
        return (
            bid,
            self.book.size(Side.BUY, bid) if bid is not None else 0,
            ask,
            self.book.size(Side.SELL, ask) if ask is not None else 0,
        )

    # -- the narrow tables

    def start_window(self) -> list[Row]:
        """The partial of `orderBookL2_25`; from now on its changes are collected."""
        if not self.window_wanted:
            self.window_wanted = True
            self._window = self._top_levels()
        return self.snapshot(WINDOW)

    def _top_levels(self) -> dict[Level, tuple[int, int]]:
        return {level: (self._ids[level], self.book.size(*level)) for level in self.levels(WINDOW)}

    def collect_window(self, stamp: str) -> Changes:
        """What changed within the best 25 levels: those that left, changed, came."""
        old, new = self._window, self._top_levels()
        self._window = new
        deletes = [self._narrow(level, old[level][0], None, stamp) for level in old if self._left(level, old, new)]
        updates = [
            self._narrow(level, *new[level], stamp)
            for level in new
            if level in old and old[level] != new[level] and not self._left(level, old, new)
        ]
        inserts = [
            self._narrow(level, *new[level], stamp) for level in new if level not in old or self._left(level, old, new)
        ]
        return deletes, updates, inserts

    @staticmethod
    def _left(level: Level, old: dict[Level, tuple[int, int]], new: dict[Level, tuple[int, int]]) -> bool:
        """True when the level is gone, or came back under another id."""
        return level not in new or (level in old and old[level][0] != new[level][0])

    def _narrow(self, level: Level, number_of: int, size: int | None, stamp: str) -> Row:
        row: Row = {"symbol": self._instrument.symbol, "id": number_of, "side": NAMES[level[0]]}
        if size is not None:
            row["size"] = size
        row["price"] = self.price(level[1])
        row["timestamp"] = row["transactTime"] = stamp
        return row

    def top_ten(self) -> tuple[list[list[Number]], list[list[Number]]]:
        """Bids and asks of `orderBook10`, best first, as pairs of price and size."""
        bids, asks = self.book.prices(Side.BUY)[: -TEN - 1 : -1], self.book.prices(Side.SELL)[:TEN]
        return (
            [[self.price(ticks), self.book.size(Side.BUY, ticks)] for ticks in bids],
            [[self.price(ticks), self.book.size(Side.SELL, ticks)] for ticks in asks],
        )
