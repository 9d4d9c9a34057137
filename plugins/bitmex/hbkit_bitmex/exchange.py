"""The BitMEX connector: one class for spot and derivatives, against the venue, its testnet or its simulator.

Acting methods return at once and send from tasks of their own; what became of an order comes from its answer, from the
socket, or from a look-up, whichever is first: the tracker applies evidence in any order. A lost answer is reported as
UNKNOWN and settled by the reconcile routine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

import msgspec

from hbkit.clock import SECOND, iso
from hbkit.data.candles import Resampler
from hbkit.errors import AuthenticationError, ExchangeError, HbkitError, OrderRejected, RateLimited, WireError
from hbkit.exchange import Capabilities, Channel, Connection, Exchange, Holding, Listener
from hbkit.log import get_logger
from hbkit.model import (
    Currency,
    Execution,
    Instrument,
    OrderReport,
    OrderRequest,
    OrderStatus,
    PositionMode,
    Wallet,
)
from hbkit.net.http import may_have_arrived
from hbkit.net.websocket import Socket
from hbkit_bitmex import bodies, wire
from hbkit_bitmex.capabilities import CONTRACTS
from hbkit_bitmex.instruments import currencies
from hbkit_bitmex.rest import DuplicateOrder, Overloaded, Rest
from hbkit_bitmex.rows import ExecutionRow, MarginRow, OrderRow, PositionRow
from hbkit_bitmex.stream import BINS, Stream
from hbkit_bitmex.words import known

READY_SECONDS = 20.0
"""How long the login and the first partials may take."""
_RETRIES = 5
_PAGE = 500


class UserRow(msgspec.Struct):
    """The account's facts that a connector needs."""

    id: int | None = None
    positionMode: str | None = None


class BitmexExchange(Exchange):
    """One account at BitMEX."""

    def __init__(self, connection: Connection) -> None:
        self.name = connection.name
        self.account = ""
        self._connection = connection
        self._chance = connection.chance
        self._listener: Listener | None = None
        self._rest = Rest(connection)
        self._currencies: Mapping[str, Currency] = currencies()
        self._wallets: dict[str, Wallet] = {}
        self._reports: dict[str, OrderReport] = {}
        self._mode = PositionMode.ONE_WAY
        self._tasks: set[asyncio.Task[None]] = set()
        self._socket: Socket | None = None
        self._stream: Stream | None = None
        self._runner: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[None] | None = None
        self._resamplers: dict[tuple[Instrument, str], list[Resampler]] = {}
        self._log = get_logger("bitmex")

    # -- life

    @property
    def capabilities(self) -> Capabilities:
        """What this connector does today."""
        return CONTRACTS

    def connect(self, listener: Listener) -> None:
        """A connector with a network is opened, not connected."""
        raise RuntimeError("await open() instead")

    def close(self) -> None:
        """See `shut`."""
        raise RuntimeError("await shut() instead")

    async def open(self, listener: Listener) -> None:
        """Read the clock and the account, log in, wait for the account's tables."""
        self._listener = listener
        await self._rest.read_time()
        user = await self._rest.get("/user", UserRow)
        self.account = str(user.id or "")
        self._mode = PositionMode.HEDGE if user.positionMode == "MultiWay" else PositionMode.ONE_WAY
        self._ready = asyncio.get_running_loop().create_future()
        self._stream = Stream(self._connection, listener, self, self._command, lambda: self._rest.expiry() // SECOND)
        self._socket = Socket(
            self._connection.ws_url,
            connector_factory=self._connection.connector,
            clock=self._connection.clock,
            chance=self._chance.fork("socket"),
            on_frame=self._stream.frame,
            on_up=self._stream.up,
            on_down=self._on_down,
            on_end=self._on_end,
        )
        self._runner = asyncio.create_task(self._socket.run(), name=f"{self.name} socket")
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._ready
        except TimeoutError:
            raise ExchangeError(
                f"{self.name}: the socket told nothing of the account within {READY_SECONDS:g} s", code="HB432"
            ) from None

    async def shut(self) -> None:
        """End every task and close every socket."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)
        for task in list(self._tasks):
            task.cancel()
        if self._socket is not None:
            await self._socket.close()
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.gather(self._runner, *self._tasks, return_exceptions=True)
        await self._rest.close()
        self._listener = None

    # -- what is known

    def instruments(self) -> Mapping[str, Instrument]:
        """The instruments of the run."""
        return self._connection.instruments

    def wallets(self) -> list[Wallet]:
        """The account's money, as the margin table told it last."""
        return [self._wallets[code] for code in sorted(self._wallets)]

    @property
    def position_mode(self) -> PositionMode:
        """The account's mode."""
        return self._mode

    def reference_price(self, instrument: Instrument) -> float | None:
        """Mark, else last trade, else the middle of the book."""
        stream = self._stream
        if stream is None:
            return None
        mark = stream.marks.get(instrument.symbol)
        if mark is not None:
            return mark
        book = stream.books.book(instrument.symbol)
        return stream.last.get(instrument.symbol) or (book.mid if book is not None else None)

    def last_price(self, instrument: Instrument) -> float | None:
        """Last trade, else the reference price."""
        last = self._stream.last.get(instrument.symbol) if self._stream is not None else None
        return last if last is not None else self.reference_price(instrument)

    def server_now(self) -> int:
        """The exchange's clock."""
        return self._rest.server.now()

    def health(self) -> dict[str, str]:
        """Calls left in the minute and the second, and how far this machine's clock is off."""
        budget = self._rest.left()
        return {"calls left": f"{budget[0]:.0f}/min {budget[1]:.0f}/s", "clock": f"{self._rest.server.offset / SECOND:+.3f} s"}

    # -- questions

    async def open_orders(self) -> list[OrderReport]:
        """Every open order of the account."""
        rows = await self._rest.get("/order", list[OrderRow], filter='{"open":true}', count=_PAGE, reverse="true")
        return [report for row in rows if (report := self._report(row)) is not None]

    async def executions_since(self, ts: int) -> list[Execution]:
        """Every booked execution from `ts` on, oldest first, page by page."""
        found: list[Execution] = []
        start = 0
        while True:
            rows = await self._rest.get(
                "/execution/tradeHistory", list[ExecutionRow], startTime=iso(max(0, ts)), count=_PAGE, start=start
            )
            for row in rows:
                execution = self._execution(row)
                if execution is not None:
                    found.append(execution)
            if len(rows) < _PAGE:
                return sorted(found, key=lambda execution: execution.ts)
            start += _PAGE

    async def find(self, order_id: str) -> OrderReport | None:
        """An order by our id; the newest one where the id was used twice."""
        condition = msgspec.json.encode({"clOrdID": order_id}).decode()
        rows = await self._rest.get("/order", list[OrderRow], filter=condition, count=1, reverse="true")
        return self._report(rows[0]) if rows else None

    async def positions(self) -> list[Holding]:
        """Every position that is not flat."""
        found = []
        for row in await self._rest.get("/position", list[PositionRow]):
            instrument = self._connection.instruments.get(known(row.symbol) or "")
            value = wire.position(row, instrument) if instrument is not None else None
            units = known(row.currentQty)
            if instrument is not None and value is not None and units:
                found.append(Holding(instrument, value.side, units, known(row.unrealisedCost) or 0))
        return found

    async def cancel_every_order(self) -> None:
        """DELETE /order/all: one call whatever their number."""
        body = bodies.encode(bodies.cancel_all_body())
        for row in await self._insist("DELETE", "/order/all", body, list[OrderRow], urgent=True):
            self.on_order_row(row)

    # -- acting

    def subscribe(self, instrument: Instrument, channel: Channel, interval: str = "") -> None:
        """Ask for a channel; the mark comes along, for positions are valued at it."""
        assert self._stream is not None
        self._stream.subscribe(instrument, Channel.MARK, "")
        self._stream.subscribe(instrument, Channel.TRADE, "")
        self._stream.subscribe(instrument, channel, interval if interval in BINS else "1m")

    def submit(self, request: OrderRequest) -> None:
        """Place an order."""
        self._do(self._place(request))

    def amend(self, order_id: str, *, ticks: int | None = None, units: int | None = None) -> None:
        """Change an order."""
        self._do(self._change(order_id, ticks, units))

    def cancel(self, order_id: str) -> None:
        """Take an order away."""
        self._do(self._take_away(order_id))

    async def _place(self, request: OrderRequest) -> None:
        body = bodies.encode(bodies.order_body(request))
        blank = _blank(request, self.server_now())
        self._reports.setdefault(request.id, blank)
        try:
            row = await self._insist("POST", "/order", body, OrderRow)
        except DuplicateOrder:
            # Ours alone bears this id: the first try arrived, its answer was lost.
            self._lost(blank, "the exchange has an order of this id")
        except (OrderRejected, AuthenticationError, RateLimited, Overloaded) as error:
            self._reject(blank, error.message)
        except WireError as error:
            if may_have_arrived(error):
                self._lost(blank, error.message)
            else:
                self._reject(blank, error.message)
        else:
            self.on_order_row(row)

    async def _change(self, order_id: str, ticks: int | None, units: int | None) -> None:
        before = self._reports.get(order_id)
        if before is None:
            return
        body = bodies.encode(bodies.amend_body(before.instrument, id=order_id, ticks=ticks, units=units))
        try:
            row = await self._insist("PUT", "/order", body, OrderRow)
        except WireError as error:
            self._lost_change(before, "amend", error)
        except ExchangeError as error:
            self._refused(order_id, "amend", error.message)
        else:
            self.on_order_row(row)

    async def _take_away(self, order_id: str) -> None:
        before = self._reports.get(order_id)
        if before is None:
            return
        body = bodies.encode(bodies.cancel_body(ids=[order_id]))
        try:
            rows = await self._insist("DELETE", "/order", body, list[OrderRow], urgent=True)
        except WireError as error:
            self._lost_change(before, "cancel", error)
        except ExchangeError as error:
            self._refused(order_id, "cancel", error.message)
        else:
            for row in rows:
                self.on_order_row(row)

    async def _insist(self, verb: str, path: str, body: bytes, kind: type[Any], *, urgent: bool = False) -> Any:
        """Send, and again while the engine was provably not reached: overloaded, or over the limit."""
        for attempt in range(_RETRIES):
            try:
                return await self._rest.send(verb, path, body, kind, urgent=urgent)
            except (Overloaded, RateLimited):
                if attempt == _RETRIES - 1:
                    raise
                await asyncio.sleep(0.5 + 1.5 * self._chance.random())
        raise AssertionError("unreachable")

    # -- what the stream tells

    def on_order_row(self, row: OrderRow) -> None:
        """An order as it stands."""
        report = self._report(row)
        if report is not None:
            self._tell(report)

    def on_execution_row(self, row: ExecutionRow) -> None:
        """An execution; refused amends and cancels come this way too."""
        refusal = wire.refusal(row)
        if refusal is not None:
            self._refused(refusal.id, refusal.refused, refusal.reason)
            return
        execution = self._execution(row)
        if execution is not None and self._listener is not None:
            self._listener.on_fill(execution)

    def on_margin_row(self, row: MarginRow) -> None:
        """One currency of the account."""
        wallet = wire.wallet(row, self._currencies)
        if wallet is not None:
            self._wallets[wallet.currency.code] = wallet
            if self._listener is not None and self._ready is not None and self._ready.done():
                self._listener.on_balance(wallet)

    def on_position_row(self, row: PositionRow) -> None:
        """Positions are kept from executions; the table is asked when books are compared."""

    def on_ready(self) -> None:
        """The account is known: for the first time, or again after a gap."""
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(None)
        if self._listener is not None:
            self._listener.on_connected(self.name)

    def on_login_refused(self, text: str) -> None:
        """The key was refused: there is nothing to wait for."""
        error = AuthenticationError(f"BitMEX refused the key ending ..{self._connection.api_key[-2:]} ({text})")
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(error)
        else:
            self._connection.on_end(error)

    # -- inside

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            error = task.exception()
            fault = error if isinstance(error, HbkitError) else HbkitError(f"{type(error).__name__}: {error}")
            self._connection.on_end(fault)

    def _command(self, raw: bytes) -> None:
        if self._socket is not None:
            self._do(self._socket.send(raw))

    def _on_down(self, reason: str) -> None:
        self._log.warning("disconnected", reason=reason)
        if self._listener is not None:
            self._listener.on_disconnected(self.name)

    def _on_end(self, error: HbkitError) -> None:
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(error)
        else:
            self._connection.on_end(error)

    def _report(self, row: OrderRow) -> OrderReport | None:
        instrument = self._connection.instruments.get(known(row.symbol) or "")
        before = self._reports.get(known(row.clOrdID) or "")
        if instrument is None and before is not None:
            instrument = before.instrument
        report = wire.order_report(row, instrument, before) if instrument is not None else None
        if report is not None and report.id:
            self._keep(report)
        return report

    def _keep(self, report: OrderReport) -> None:
        self._reports[report.id] = report
        if len(self._reports) > 10_000:
            ended = next((key for key, one in self._reports.items() if one.status.is_final), None)
            if ended is not None:
                del self._reports[ended]

    def _execution(self, row: ExecutionRow) -> Execution | None:
        instrument = self._connection.instruments.get(row.symbol or "")
        return wire.execution(row, instrument) if instrument is not None else None

    def _tell(self, report: OrderReport) -> None:
        if report.id:
            self._keep(report)
        if self._listener is not None:
            self._listener.on_order(report)

    def _reject(self, blank: OrderReport, reason: str) -> None:
        self._tell(msgspec.structs.replace(blank, status=OrderStatus.REJECTED, reason=reason, refused="submit"))

    def _lost(self, blank: OrderReport, reason: str) -> None:
        """No answer: the order may or may not be there, until evidence tells."""
        present = self._reports.get(blank.id, blank)
        if present.status not in (OrderStatus.PENDING, OrderStatus.UNKNOWN):
            return  # the socket told already
        self._tell(
            msgspec.structs.replace(
                blank, status=OrderStatus.UNKNOWN, reason=reason, expires=self._rest.expiry(), ts=self.server_now()
            )
        )

    def _lost_change(self, before: OrderReport, what: str, error: WireError) -> None:
        """An amend or a cancel without an answer: the order is looked up."""
        present = self._reports.get(before.id, before)
        if self._listener is not None and not present.status.is_final:
            self._listener.on_order(
                msgspec.structs.replace(
                    present,
                    status=OrderStatus.UNKNOWN,
                    refused=what,
                    reason=error.message,
                    expires=self._rest.expiry(),
                    ts=self.server_now(),
                )
            )

    def _refused(self, order_id: str, what: str, reason: str) -> None:
        before = self._reports.get(order_id)
        if before is not None and self._listener is not None:
            self._listener.on_order(msgspec.structs.replace(before, refused=what, reason=reason, ts=self.server_now()))


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
    )

