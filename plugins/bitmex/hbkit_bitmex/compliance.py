"""BitMEX's simulator as the venue of hbkit's connector contract: `hbkit compliance bitmex_perpetual` plays it.

The market is XBTUSD, or XBT_USDT for spot, on a tape on which nothing happens; whatever moves, the cases move.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import replace
from typing import Any, ClassVar

import aiohttp
import numpy as np
from aiohttp import web

from hbkit.chance import Chance
from hbkit.clock import DAY, MINUTE, Clock
from hbkit.data.source import Batch, Rows, SourceInfo
from hbkit.exchange import Address, Holding
from hbkit.log import Secret
from hbkit.model import Execution, Instrument, Liquidity, OrderReport, OrderStatus, PositionMode, PositionSide, Side
from hbkit.net.virtual import VirtualLoop
from hbkit.testing.contract import ConnectorContract, NotStaged, Venue
from hbkit_bitmex import instruments
from hbkit_bitmex.exchange import BitmexExchange
from hbkit_bitmex.simulator import Options, Running, serve
from hbkit_bitmex.simulator.faults import Fault
from hbkit_bitmex.simulator.hub import Client
from hbkit_bitmex.simulator.orders import VenueOrder
from hbkit_bitmex.simulator.wire import encode

PATH = "contract"
FOR_EVER = 1e6
PAST = 2 * MINUTE
DEEP = 10_000
"""Lots on each level of the book at the start."""
TABLE = "orderBookL2_25"
NO_LEVEL = 1
"""An id that the simulator gives to no level: they count from 2^36."""
ACCOUNT = ("contract-key", "contract-secret")
VERBS = {"submit": "POST", "amend": "PUT", "cancel": "DELETE"}
STATUS = {
    "New": OrderStatus.OPEN,
    "PartiallyFilled": OrderStatus.PARTIALLY_FILLED,
    "Filled": OrderStatus.FILLED,
    "Canceled": OrderStatus.CANCELED,
    "Rejected": OrderStatus.REJECTED,
}
LEGS = {"OneWay": PositionSide.NET, "Long": PositionSide.LONG, "Short": PositionSide.SHORT}


class QuietTape:
    """Two trades a symbol, two days apart: the first gives a price, and before the second no case lasts."""

    def __init__(self, start: int, prices: Mapping[str, float]) -> None:
        self._start = start
        self._prices = prices

    def info(self) -> SourceInfo:
        """Each with a book."""
        kinds = {symbol: frozenset({Rows.TRADE, Rows.LEVEL}) for symbol in self._prices}
        return SourceInfo("quiet", kinds, self._start, self._start + 2 * DAY)

    def windows(self, start: int, end: int) -> Iterator[Sequence[Batch]]:
        """One window."""
        ts = np.array([self._start, self._start + 2 * DAY], np.int64)
        columns = {
            symbol: (np.ones(2, np.int64), np.full(2, price), np.ones(2)) for symbol, price in self._prices.items()
        }
        yield [Batch(symbol, Rows.TRADE, ts, column).between(start, end) for symbol, column in columns.items()]


class BitmexVenue(Venue):
    """The handle: the simulator's parts, and for the truth its own rows."""

    def __init__(self, running: Running, clock: Clock, name: str, prices: Mapping[str, float]) -> None:
        found = {one.symbol: replace(one, exchange=name) for one in instruments.load()}
        self.instrument: Instrument = found[next(iter(prices))]
        self.instruments = {symbol: one for symbol, one in found.items() if one.is_spot == self.instrument.is_spot}
        self.address = Address(running.rest, running.websocket)
        self.key, self.secret = ACCOUNT[0], Secret(ACCOUNT[1])
        self.clock = clock
        self._running = running
        self._parts = running.simulator
        self._venue = running.simulator.venue
        self._account = list(self._venue.accounts.values())[-1]
        self._market = self._venue.markets[self.instrument.symbol]
        self._early = False
        for symbol, price in prices.items():
            self.market(symbol)._stock(price)
        self._greet()

    def market(self, symbol: str) -> BitmexVenue:
        """The same venue, seen from another market."""
        if symbol not in self._venue.markets:
            raise NotStaged(f"{symbol} is not on the tape")
        other = copy(self)
        other.instrument = self.instruments[symbol]
        other._market = self._venue.markets[symbol]
        return other

    def _stock(self, price: float) -> None:
        middle, one = self.instrument.ticks(price), self.instrument
        for away in range(10, 15):
            self.level(Side.BUY, middle - away, DEEP * one.lot_units)
            self.level(Side.SELL, middle + away, DEEP * one.lot_units)
        if not one.is_spot:
            self.mark(price)

    def connector(self) -> aiohttp.BaseConnector:
        """To the simulator's path."""
        return aiohttp.UnixConnector(path=PATH, keepalive_timeout=FOR_EVER)

    # -- the market

    def level(self, side: Side, ticks: int, units: int) -> None:
        """As from the tape."""
        self._parts.drive.act(lambda: self._venue.level(self._market, side, ticks, units))

    def quote(self, bid: int, ask: int, units: int) -> None:
        """In one step, so that it is told as one."""
        old = [(side, ticks) for side in Side for ticks in self.book(side)]
        new = [(side, ticks) for away in range(5) for side, ticks in ((Side.BUY, bid - away), (Side.SELL, ask + away))]

        def move() -> None:
            for level in old:
                self._venue.level(self._market, *level, 0)
            for level in new:
                self._venue.level(self._market, *level, units)

        self._parts.drive.act(move)

    def trade(self, side: Side, ticks: int, units: int) -> None:
        """As from the tape."""
        self._parts.drive.act(lambda: self._venue.print(self._market, side, ticks, units))

    def book(self, side: Side) -> dict[int, int]:
        """Outside sizes; what orders of the account took from a level is gone until it changes."""
        market = self._market.market
        found = {ticks: market.available(side, ticks) for ticks in market.book.prices(side)}
        return {ticks: units for ticks, units in found.items() if units}

    def mark(self, price: float) -> None:
        """The index, at a funding rate of 0."""
        self._market.ticker.rates = [0.0]
        self._parts.drive.act(lambda: self._venue.index(self._market, price))

    def fund(self, rate: float) -> None:
        """At this moment, whatever the hour; the next one is at its time again, and pays nothing."""
        ticker = self._market.ticker

        def pay() -> None:
            ticker.schedule(self._venue.ts, [rate, 0.0])
            ticker.funding_at = self._venue.ts
            self._venue.clearing.fund(self._market)

        self._parts.drive.act(pay)

    def shown(self, side: Side, ticks: int) -> int:
        """As published."""
        return self._market.board.book.size(side, ticks)

    # -- the truth

    def orders(self) -> list[OrderReport]:
        """As the venue keeps them."""
        return [_report(order) for order in self._venue.orders_of[self._account.number]]

    def executions(self) -> list[Execution]:
        """Its trades."""
        rows = self._venue.executions[self._account.number]
        return [_execution(row, self.instruments[row["symbol"]]) for row in rows if row["execType"] == "Trade"]

    def positions(self) -> list[Holding]:
        """Its legs; what spot bought is money."""
        legs = [(side, leg) for side, leg in self._account.legs() if leg.units and not leg.instrument.is_spot]
        return [Holding(leg.instrument, side, leg.units, leg.cost) for side, leg in legs]

    @property
    def connections(self) -> int:
        """Of both sorts."""
        return self._running.connections

    @property
    def too_fast(self) -> int:
        """Answered with 429."""
        return self._parts.limits.turned_down

    @property
    def mode(self) -> PositionMode:
        """The account's."""
        return self._account.mode

    def leverage(self, side: PositionSide = PositionSide.NET) -> float:
        """In the margin mode in force; both legs have the same in the cases."""
        terms = self._account.terms(self._market.instrument, side)
        return float((terms.leverage if terms.isolated else terms.cross_leverage) or 0)

    def set_mode(self, mode: PositionMode) -> None:
        """`GET /user` shows it; the simulator has no message that tells of the change."""
        self._account.switch_mode(mode)

    # -- what goes wrong

    def cut(self) -> None:
        """Every socket."""
        self._parts.hub.cut()

    def lose_reply(self, request: str) -> None:
        """`lost_reply`."""
        self._parts.faults.add(Fault("lost_reply", verb=VERBS[request], route="/order", count=1))

    def lose_request(self, request: str) -> None:
        """`lost_request`."""
        self._parts.faults.add(Fault("lost_request", verb=VERBS[request], route="/order", count=1))

    def late_reply(self, request: str, seconds: float) -> None:
        """`late_reply`."""
        self._parts.faults.add(Fault("late_reply", verb=VERBS[request], route="/order", seconds=seconds, count=1))

    def repeat(self) -> None:
        """`duplicate`, of the account's tables."""
        for table in ("order", "execution", "position", "margin"):
            self._parts.faults.add(Fault("duplicate", table=table))

    def early_update(self) -> None:
        """Ahead of each partial of the book."""
        self._early = True

    def cross(self) -> None:
        """An insert that a broken feed might send."""
        price = self.instrument.price(min(self.book(Side.SELL)) + 1)
        for client in self._parts.hub.clients:
            if any(topic.startswith(TABLE) for topic in client.topics):
                client.send(self._book_frame("insert", price))

    def _greet(self) -> None:
        """Sockets that connect from now on hear what `early_update` asks for."""
        connect = self._parts.hub.connect

        def greeted(socket: web.WebSocketResponse, request: web.Request) -> Client:
            client = connect(socket, request)
            send = client.send

            def early(frame: bytes) -> None:
                if self._early and TABLE.encode() in frame and b'"partial"' in frame:
                    send(self._book_frame("update", self.instrument.price(self._market.market.last or 1)))
                send(frame)

            client.send = early  # type: ignore[method-assign]
            return client

        self._parts.hub.connect = greeted  # type: ignore[method-assign]

    def _book_frame(self, action: str, price: float) -> bytes:
        row = {"symbol": self.instrument.symbol, "id": NO_LEVEL, "side": "Buy", "size": 100, "price": price}
        return encode({"table": TABLE, "action": action, "data": [row]})


class BitmexContract(ConnectorContract):
    """The suite for the connector of this package, over a perpetual."""

    connector = BitmexExchange
    exchange: ClassVar[str] = "bitmex_perpetual"
    symbols: ClassVar[Sequence[str]] = ("XBTUSD",)

    @asynccontextmanager
    async def venue(self, loop: VirtualLoop) -> AsyncIterator[Venue]:
        """A simulator of its own for each case."""
        start = loop.clock.now() // MINUTE * MINUTE - PAST
        options = Options(path=PATH, keep_alive=FOR_EVER, start=start + PAST, accounts=(ACCOUNT,))
        prices = {row["symbol"]: float(row["lastPrice"]) for row in instruments.rows() if row["symbol"] in self.symbols}
        prices = {symbol: prices[symbol] for symbol in self.symbols}
        running = await serve(options, clock=loop.clock, chance=Chance(1), source=QuietTape(start, prices))
        try:
            yield BitmexVenue(running, loop.clock, self.exchange, prices)
        finally:
            await running.close()


class BitmexSpotContract(BitmexContract):
    """The same over spot."""

    exchange = "bitmex"
    symbols = ("XBT_USDT",)


def _report(order: VenueOrder) -> OrderReport:
    return OrderReport(
        ts=order.ts,
        id=order.client_id,
        exchange_id=order.order_id,
        instrument=order.instrument,
        side=order.side,
        position_side=order.position_side,
        status=STATUS[order.status],
        units=order.qty,
        filled_units=order.filled,
        ticks=order.ticks,
        reason=order.text,
    )


def _execution(row: dict[str, Any], instrument: Instrument) -> Execution:
    return Execution(
        ts=0,
        id=row["execID"],
        order_id=row.get("clOrdID", ""),
        instrument=instrument,
        side=Side(row["side"].lower()),
        position_side=LEGS[row["strategy"]],
        price=float(row["lastPx"]),
        units=row["lastQty"],
        cost=row["execCost"],
        fee=row["execComm"],
        liquidity=Liquidity.MAKER if row["lastLiquidityInd"] == "AddedLiquidity" else Liquidity.TAKER,
    )
