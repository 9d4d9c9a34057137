"""A connector, to be read by whoever writes one: it passes every case of the contract suite.

What stands here is what any connector has to do, whatever its venue: keep a stream up and tell of a gap, hold a book
back until it is whole, and never make a fact of an answer that was lost. `link.py` signs and sends, `wire.py`
translates the venue's words, `tasks.py` owns what runs; the venue itself is `venue.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from hbkit.data.larger import Larger
from hbkit.errors import ExchangeError, Unsupported
from hbkit.exchange import Channel, Connection, Exchange, Holding, Listener
from hbkit.log import get_logger
from hbkit.model import (
    Candle,
    Execution,
    Instrument,
    OrderBook,
    OrderReport,
    OrderRequest,
    OrderStatus,
    PositionMode,
    PositionModeChange,
    PositionSide,
    Wallet,
)
from hbkit.net.websocket import Backoff
from hbkit.testing.fake.capabilities import CAPABILITIES
from hbkit.testing.fake.link import Link, LostAnswer
from hbkit.testing.fake.rows import Row
from hbkit.testing.fake.tasks import Tasks
from hbkit.testing.fake.venue import Lost, Refused, Stream
from hbkit.testing.fake.wire import Wire


class FakeExchange(Exchange):
    """One account at the venue in memory."""

    capabilities = CAPABILITIES
    link: type[Link] = Link
    wire: type[Wire] = Wire
    position_mode = PositionMode.ONE_WAY

    def __init__(self, connection: Connection) -> None:
        self.name = connection.name
        self._connection = connection
        self._link = self.link(connection)
        self._wire = self.wire(next(iter(connection.instruments.values())))
        self._candles = Larger(self._wire.instrument, self.capabilities.candle_intervals)
        self._backoff = Backoff(connection.chance, first=0.5, longest=10.0)
        self._log = get_logger("fake")
        self._listener: Listener | None = None
        self._stream: Stream | None = None
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks = Tasks(self.name)
        self._topics: dict[Channel, None] = {}
        self._book: OrderBook | None = None
        self._orders: dict[str, OrderReport] = {}
        self._wallet: Wallet | None = None
        self._wanted_mode: PositionMode | None = None
        self._reference: float | None = None

    # -- life

    async def open(self, listener: Listener) -> None:
        """The clock first, for by it everything else is signed."""
        self._listener = listener
        await self._link.read_clock()
        await self._read_account()
        self._tasks.start("stream", self._run())
        await self._ready

    async def shut(self) -> None:
        """Nothing is told from here on."""
        self._listener = None
        await self._tasks.end()

    async def _run(self) -> None:
        """One stream after the other, with a growing pause between them."""
        while True:
            try:
                await self._follow()
            except (Lost, Refused, ExchangeError) as error:
                self._log.info("disconnected", exchange=self.name, reason=str(error))
            finally:
                stream, self._stream, self._book = self._stream, None, None
                if stream is not None:
                    stream.close()
                    self._tell("on_disconnected", self.name)
            await asyncio.sleep(self._backoff.next())

    async def _follow(self) -> None:
        self._stream = stream = await self._link.dial()
        await self._read_account()
        for channel in self._topics:
            stream.subscribe(channel.value)
        self._backoff.reset()
        if not self._ready.done():
            self._ready.set_result(None)
        self._tell("on_connected", self.name)
        while True:
            row = await stream.read()
            self.events += 1
            getattr(self, f"_hear_{row['type']}")(row)

    async def _read_account(self) -> None:
        row = await self._link.ask("account", {})
        self.account = row["id"]
        self._hear_mode({"mode": row["mode"], "ts": self.server_now()})
        self._hear_money(row["money"])

    # -- what is known, and questions

    @property
    def is_up(self) -> bool:
        """Whether there is a stream."""
        return self._stream is not None

    def instruments(self) -> Mapping[str, Instrument]:
        """As handed in."""
        return self._connection.instruments

    def wallets(self) -> list[Wallet]:
        """As told last."""
        return [self._wallet] if self._wallet is not None else []

    def reference_price(self, instrument: Instrument) -> float | None:
        """Mark or last trade, whichever is newer, else the middle of the book."""
        return self._reference or (self._book.mid if self._book is not None else None)

    def server_now(self) -> int:
        """The machine's clock, and how far it is off."""
        return self._link.clock.now()

    async def refresh(self) -> None:
        """Ask for the account."""
        await self._read_account()

    async def open_orders(self) -> list[OrderReport]:
        """All of the account's; those of an earlier run are remembered from here on."""
        found = [self._wire.report(row) for row in await self._link.ask("orders", {})]
        self._orders |= {report.id: report for report in found}
        return found

    async def executions_since(self, ts: int) -> list[Execution]:
        """Oldest first, as the venue keeps them."""
        return [self._wire.execution(row) for row in await self._link.ask("fills", {"since": ts})]

    async def find(self, order_id: str) -> OrderReport | None:
        """Among all orders that ever were."""
        rows = await self._link.ask("orders", {"cid": order_id})
        return next((self._wire.report(row) for row in rows if row["cid"] == order_id), None)

    async def positions(self) -> list[Holding]:
        """Both legs in hedge mode."""
        return [self._wire.holding(row) for row in await self._link.ask("positions", {})]

    async def candles(self, instrument: Instrument, interval: str, start: int, end: int) -> list[Candle]:
        """As the venue keeps them."""
        return [self._wire.candle(row) for row in await self._link.ask("candles", {"start": start, "end": end})]

    # -- acting

    def subscribe(self, instrument: Instrument, channel: Channel, interval: str = "") -> None:
        """Asked for now, and again on each new stream."""
        if channel not in self.capabilities.channels:
            raise Unsupported(f"{self.name} tells no {channel} of {instrument}")
        if channel is Channel.CANDLE:
            self._candles.want(interval)
        self._topics[channel] = None
        if self._stream is not None:
            self._stream.subscribe(channel.value)

    def submit(self, request: OrderRequest) -> None:
        """A task of its own sends it."""
        if lacking := self.capabilities.lacking(request):
            raise Unsupported(f"no {lacking} at {self.name}")
        self._orders[request.id] = self._wire.blank(request, self.server_now())
        self._tasks.start("submit", self._send("submit", request.id, self._wire.order_body(request)))

    def amend(
        self, order_id: str, *, ticks: int | None = None, units: int | None = None, trigger_ticks: int | None = None
    ) -> None:
        """Price, total quantity, trigger, or all of them."""
        body = {"cid": order_id, **self._wire.change(ticks, units, trigger_ticks)}
        self._tasks.start("amend", self._send("amend", order_id, body))

    def cancel(self, order_id: str) -> None:
        """By our id, or by the venue's for an order that is none of ours."""
        self._tasks.start("cancel", self._send("cancel", order_id, {"id": order_id}))

    async def cancel_every_order(self) -> None:
        """In one request."""
        for row in await self._link.ask("cancel_all", {}, urgent=True):
            self._hear_order(row)

    async def _send(self, verb: str, order_id: str, body: Row) -> None:
        """The answer is news like any other. A lost one is told as lost, and no more is said than that."""
        try:
            self._hear_order(await self._link.ask(verb, body, urgent=verb == "cancel"))
        except LostAnswer as lost:
            self._tell_order(order_id, OrderStatus.UNKNOWN, lost=verb, expires=lost.expires, reason=lost.message)
        except ExchangeError as error:
            self._tell_order(order_id, OrderStatus.REJECTED, refused=verb, reason=error.message)

    def _tell_order(self, order_id: str, if_new: OrderStatus, **changes: Any) -> None:
        """What is known of an order, and what became of a request; only a new order's status follows from that."""
        before = self._orders.get(order_id)
        if before is not None:
            status = if_new if before.status is OrderStatus.PENDING else before.status
            self._tell("on_order", msgspec.structs.replace(before, ts=self.server_now(), status=status, **changes))

    def set_position_mode(self, mode: PositionMode) -> None:
        """The venue's own message tells of the change; a refusal is told here."""
        self._tasks.start("position mode", self._switch(mode))

    async def _switch(self, mode: PositionMode) -> None:
        self._wanted_mode = mode
        try:
            await self._link.ask("mode", {"mode": mode.value})
            await self._read_account()
        except ExchangeError as error:
            self._tell_mode(self.position_mode, error.message, self.server_now())
        finally:
            self._wanted_mode = None

    def set_leverage(self, instrument: Instrument, leverage: float, side: PositionSide = PositionSide.NET) -> None:
        """One for both legs."""
        self._tasks.start("leverage", self._link.ask("leverage", {"times": f"{leverage:g}"}))

    # -- what the venue tells

    def _tell(self, what: str, value: object) -> None:
        if self._listener is not None:
            getattr(self._listener, what)(value)

    def _hear_trade(self, row: Row) -> None:
        self._reference = float(row["px"])
        self._tell("on_trade", self._wire.trade(row))

    def _hear_quote(self, row: Row) -> None:
        self._tell("on_quote", self._wire.quote(row))

    def _hear_book(self, row: Row) -> None:
        """A snapshot begins the book; a crossed one is a fault of the wire: it is begun anew, and nobody sees it."""
        if "all" in row:
            self._book = OrderBook(self._wire.instrument)
        if self._book is None:
            return
        for level in row.get("all", [row]):
            self._book.set(*self._wire.level(level))
        if not self._book.is_crossed:
            self._book.ts = row["ts"]
            self._tell("on_book", self._book)
        elif self._stream is not None:
            self._book = None
            self._stream.subscribe(Channel.BOOK.value)

    def _hear_candle(self, row: Row) -> None:
        for candle in self._candles.add(self._wire.candle(row)):
            self._tell("on_candle", candle)

    def _hear_mark(self, row: Row) -> None:
        self._reference = float(row["px"])
        self._tell("on_mark", self._wire.mark(row))

    def _hear_order(self, row: Row) -> None:
        """An answer can come after later news: what is older than what is known says nothing."""
        report, before = self._wire.report(row), self._orders.get(row["cid"])
        if before is not None and (before.status.is_final or (before.exchange_id and report.ts < before.ts)):
            return
        self._orders[report.id] = report
        self._tell("on_order", report)

    def _hear_funding(self, row: Row) -> None:
        self._tell("on_funding", self._wire.funding(row))

    def _hear_fill(self, row: Row) -> None:
        self._tell("on_fill", self._wire.execution(row))

    def _hear_money(self, row: Row) -> None:
        self._wallet = self._wire.wallet(row)
        self._tell("on_balance", self._wallet)

    def _hear_mode(self, row: Row) -> None:
        if row["mode"] != self.position_mode:
            self._tell_mode(PositionMode(row["mode"]), "", row["ts"])

    def _tell_mode(self, mode: PositionMode, reason: str, ts: int) -> None:
        previous, self.position_mode, asked = self.position_mode, mode, self._wanted_mode or mode
        origin = "exchange" if self._wanted_mode is None else "strategy"
        change = PositionModeChange(self.name, self.account, mode, previous, asked, origin, reason, ts)
        self._tell("on_position_mode", change)
