"""One case on its stage: the loop, the venue, the connector under test and everything that it has told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NoReturn

from hbkit.chance import Chance
from hbkit.clock import SECOND, ShiftedClock
from hbkit.errors import HbkitError
from hbkit.exchange import Capabilities, Connection, Exchange, Listener
from hbkit.log import Secret
from hbkit.model import (
    Candle,
    Execution,
    Funding,
    Instrument,
    Mark,
    OrderBook,
    OrderReport,
    OrderRequest,
    OrderStatus,
    OrderType,
    PositionModeChange,
    PositionSide,
    Quote,
    Side,
    Trade,
    Wallet,
)
from hbkit.model.order import can_move
from hbkit.net.virtual import VirtualLoop
from hbkit.testing.contract.case import Broken
from hbkit.testing.contract.venue import Venue

Levels = dict[Side, dict[int, int]]
PATIENCE = 30.0
"""Virtual seconds within which a connector reacts to anything."""
_STEP = 0.02


@dataclass
class Heard(Listener):
    """A listener that keeps everything; books as copies, because the connector's own changes."""

    trades: list[Trade] = field(default_factory=list)
    quotes: list[Quote] = field(default_factory=list)
    books: list[Levels] = field(default_factory=list)
    candles: list[Candle] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    fundings: list[Funding] = field(default_factory=list)
    reports: list[OrderReport] = field(default_factory=list)
    fills: list[Execution] = field(default_factory=list)
    wallets: list[Wallet] = field(default_factory=list)
    modes: list[PositionModeChange] = field(default_factory=list)
    ups: int = 0
    downs: int = 0
    told: int = 0
    """How many calls there were at all."""

    def on_trade(self, trade: Trade) -> None:
        self._keep(self.trades, trade)

    def on_quote(self, quote: Quote) -> None:
        self._keep(self.quotes, quote)

    def on_book(self, book: OrderBook) -> None:
        self._keep(self.books, levels(book))

    def on_candle(self, candle: Candle) -> None:
        self._keep(self.candles, candle)

    def on_mark(self, mark: Mark) -> None:
        self._keep(self.marks, mark)

    def on_funding(self, funding: Funding) -> None:
        self._keep(self.fundings, funding)

    def on_order(self, report: OrderReport) -> None:
        self._keep(self.reports, report)

    def on_fill(self, execution: Execution) -> None:
        self._keep(self.fills, execution)

    def on_balance(self, wallet: Wallet) -> None:
        self._keep(self.wallets, wallet)

    def on_position_mode(self, change: PositionModeChange) -> None:
        self._keep(self.modes, change)

    def on_connected(self, exchange: str) -> None:
        del exchange
        self.told += 1
        self.ups += 1

    def on_disconnected(self, exchange: str) -> None:
        del exchange
        self.told += 1
        self.downs += 1

    def _keep(self, where: list[Any], value: object) -> None:
        self.told += 1
        where.append(value)

    # -- what follows from it

    def of(self, order_id: str) -> list[OrderReport]:
        """All news of an order."""
        return [report for report in self.reports if report.id == order_id]

    def status(self, order_id: str) -> OrderStatus:
        """Where an order stands: news in any order, each taken only where an order can move."""
        status = OrderStatus.PENDING
        for report in self.of(order_id):
            if can_move(status, report.status):
                status = report.status
        return status

    def filled(self, order_id: str) -> dict[str, int]:
        """Units by execution id: what was told twice under one id counts once."""
        return {fill.id: fill.units for fill in self.fills if fill.order_id == order_id}


class Stage:
    """What a case works with."""

    def __init__(self, loop: VirtualLoop, venue: Venue, make: Callable[[Connection], Exchange]) -> None:
        self.loop = loop
        self.venue = venue
        self.heard = Heard()
        self.ended: list[HbkitError] = []
        self._make = make
        self._ids = count(1)
        self._runs = count(1)
        self._open: Exchange | None = None
        self.declared: Capabilities = make(self.connection()).capabilities

    # -- the connector's life

    def connection(self, seconds_off: float = 0.0, secret: Secret | None = None) -> Connection:
        """What the connector is handed; the machine's clock may be off by some seconds, the secret may be another."""
        venue, clock = self.venue, self.loop.clock
        return Connection(
            name=venue.instrument.exchange,
            instruments=venue.instruments,
            rest_url=venue.address.rest,
            ws_url=venue.address.websocket,
            api_key=venue.key,
            api_secret=secret or venue.secret,
            clock=ShiftedClock(clock, clock.now() + round(seconds_off * SECOND)) if seconds_off else clock,
            market_clock=venue.clock,
            chance=Chance(next(self._runs)),
            connector=venue.connector,
            on_end=self.ended.append,
        )

    async def open(self, seconds_off: float = 0.0, secret: Secret | None = None) -> Exchange:
        """A connector that is open, and a listener that has heard nothing before."""
        exchange = self._open = self._make(self.connection(seconds_off, secret))
        self.heard = Heard()
        await exchange.open(self.heard)
        return exchange

    @property
    def exchange(self) -> Exchange:
        """The connector that is open."""
        assert self._open is not None
        return self._open

    async def shut(self) -> None:
        """Let the connector go."""
        if self._open is not None:
            exchange, self._open = self._open, None
            await exchange.shut()

    async def strike(self) -> None:
        """The case is over: whatever it left open goes."""
        await self.shut()
        await self.loop.settle()

    async def strike_after(self, failure: BaseException) -> None:
        """The same for a case that failed already: what goes wrong now is a note to it."""
        try:
            await self.strike()
        except Exception as error:  # noqa: BLE001 - of a connector under test anything may come
            failure.add_note(f"shut failed as well: {type(error).__name__}: {error}")

    # -- the market

    @property
    def instrument(self) -> Instrument:
        """The market of the case."""
        return self.venue.instrument

    @property
    def bid(self) -> int:
        """Best outside bid, in ticks."""
        return max(self.venue.book(Side.BUY))

    @property
    def ask(self) -> int:
        """Best outside offer, in ticks."""
        return min(self.venue.book(Side.SELL))

    def lots(self, number: int) -> int:
        """Units of so many lots."""
        return number * self.instrument.lot_units

    # -- orders

    def request(self, side: Side, ticks: int | None, lots: int = 2, **options: Any) -> OrderRequest:
        """An order that was not placed yet; a market order without a price."""
        return OrderRequest(
            id=f"c{next(self._ids)}",
            instrument=self.instrument,
            side=side,
            position_side=options.pop("position_side", PositionSide.NET),
            type=OrderType.MARKET if ticks is None else OrderType.LIMIT,
            units=self.lots(lots),
            ticks=ticks,
            **options,
        )

    async def placed(self, side: Side, ticks: int | None, lots: int = 2, **options: Any) -> OrderRequest:
        """An order that rests."""
        request = self.request(side, ticks, lots, **options)
        self.exchange.submit(request)
        await self.reaches(request, OrderStatus.OPEN)
        return request

    async def taken(self, side: Side, lots: int = 2, **options: Any) -> OrderRequest:
        """A market order that has filled, and whose fill was told."""
        request = self.request(side, None, lots, **options)
        self.exchange.submit(request)
        await self.reaches(request, OrderStatus.FILLED)
        await self.until(
            lambda: sum(self.heard.filled(request.id).values()) == request.units,
            f"fills of {request.id} over {request.units} units",
            lambda: f"{list(self.heard.filled(request.id).values())} units",
            Listener.on_fill,
        )
        return request

    async def reaches(self, request: OrderRequest, status: OrderStatus, seconds: float = PATIENCE) -> None:
        """Wait until an order is told to stand somewhere."""
        await self.until(
            lambda: self.heard.status(request.id) is status,
            f"{words(request)} told as {status} within {seconds:g} s",
            lambda: news(self.heard.of(request.id)),
            Listener.on_order,
            seconds,
        )

    def truth(self, order_id: str) -> list[OrderReport]:
        """The venue's own orders of a client order id; more than one is a double."""
        return [order for order in self.venue.orders() if order.id == order_id]

    # -- judging

    async def until(
        self,
        holds: Callable[[], bool],
        expected: str,
        came: Callable[[], str],
        where: Any,
        seconds: float = PATIENCE,
    ) -> None:
        """Wait for something; Broken when it does not come about in time."""
        __tracebackhide__ = True
        end = self.loop.time() + seconds
        while not holds():
            if self.loop.time() >= end:
                raise Broken(expected, came(), where)
            await asyncio.sleep(_STEP)

    def equal(self, came: object, expected: object, what: str, where: Any) -> None:
        """Broken unless both are the same."""
        __tracebackhide__ = True
        if came != expected:
            raise Broken(f"{what}: {shown(expected)}", shown(came), where)

    def holds(self, condition: bool, expected: str, came: object, where: Any) -> None:
        """Broken unless the condition holds."""
        __tracebackhide__ = True
        if not condition:
            raise Broken(expected, shown(came), where)

    def broken(self, expected: str, came: object, where: Any) -> NoReturn:
        """It does not hold."""
        __tracebackhide__ = True
        raise Broken(expected, shown(came), where)


def levels(book: OrderBook) -> Levels:
    """A book's units by ticks."""
    return {side: {ticks: book.size(side, ticks) for ticks in book.prices(side)} for side in Side}


def words(request: OrderRequest) -> str:
    """An order in words."""
    price = "market" if request.ticks is None else f"at {request.ticks} ticks"
    return f"{request.side} {request.units} units {price} ({request.id})"


def news(reports: list[OrderReport]) -> str:
    """What was told of an order, in words."""
    return "; ".join(report_words(report) for report in reports) or "no report at all"


def report_words(report: OrderReport) -> str:
    """One report in words."""
    more = [f"{name} {value}" for name, value in (("refused", report.refused), ("lost", report.lost)) if value]
    reason = f" ({report.reason})" if report.reason else ""
    return " ".join([f"{report.status} {report.filled_units}/{report.units}", *more]) + reason


def shown(value: object, most: int = 600) -> str:
    """A value for a message, not too long."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= most else f"{text[:most]} ..."
