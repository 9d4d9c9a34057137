"""The BitMEX connector: one class for spot and derivatives, against the venue, its testnet or its simulator.

Acting methods return at once and send from tasks of their own; what became of an order comes from its answer, from the
socket, or from a look-up, whichever is first: the tracker applies evidence in any order. A lost answer is reported with
the moment its request expires, and settled by whoever reconciles.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, NoReturn

import msgspec

from hbkit.clock import SECOND, iso, parse_duration
from hbkit.errors import AuthenticationError, ConfigError, ExchangeError, HbkitError, WireError
from hbkit.exchange import Capabilities, Channel, Connection, Exchange, Holding, Listener
from hbkit.log import get_logger
from hbkit.model import (
    Candle,
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
from hbkit_bitmex.capabilities import CONTRACTS, SPOT
from hbkit_bitmex.instruments import currencies
from hbkit_bitmex.rest import DuplicateOrder, NotAccepted, Rest
from hbkit_bitmex.rows import BinRow, ExecutionRow, InstrumentRow, MarginRow, OrderRow, PositionRow, UserRow
from hbkit_bitmex.stream import Stream
from hbkit_bitmex.words import known

READY_SECONDS = 20.0
"""How long the login and the first partials may take."""
_RETRIES = 5
_PAGE = 500
_BIN_PAGE = 1000
_REPORTS_KEPT = 10_000
_ALL = "all"
_BEATS = 4
"""Heartbeats within the dead man's time."""


class BitmexExchange(Exchange):
    """One account at BitMEX; without a key it only listens."""

    def __init__(self, connection: Connection) -> None:
        self.name = connection.name
        self._connection = connection
        self._instruments = connection.instruments
        self._chance = connection.chance
        self._listener: Listener | None = None
        self._rest = Rest(connection)
        self._currencies = currencies()
        self._wallets: dict[str, Wallet] = {}
        self._reports: dict[str, OrderReport] = {}
        self._mode = PositionMode.ONE_WAY
        self._tasks: set[asyncio.Task[None]] = set()
        self._cancels: list[str] = []
        self._socket: Socket | None = None
        self._stream: Stream | None = None
        self._runner: asyncio.Task[None] | None = None
        self._heart: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[None] | None = None
        self._log = get_logger("bitmex")

    # -- life

    @property
    def capabilities(self) -> Capabilities:
        """What this connector does today."""
        return SPOT if all(one.is_spot for one in self._instruments.values()) else CONTRACTS

    def connect(self, listener: Listener) -> NoReturn:
        """A connector with a network is opened, not connected."""
        raise RuntimeError("await open() instead")

    def close(self) -> NoReturn:
        """See `shut`."""
        raise RuntimeError("await shut() instead")

    async def open(self, listener: Listener) -> None:
        """Read the clock and the account, compare the instruments, log in, wait for the account's tables."""
        self._listener = listener
        await self._rest.read_time()
        await self._check_instruments()
        if self._connection.api_key:
            await self._read_account()
        self._ready = asyncio.get_running_loop().create_future()
        self._stream = Stream(self._connection, listener, self, self._command, lambda: self._rest.expiry() // SECOND)
        self._socket = Socket(
            self._connection.ws_url,
            connector_factory=self._connection.connector,
            clock=self._connection.clock,
            chance=self._chance.fork("socket"),
            name=self.name,
            on_frame=self._stream.frame,
            on_up=self._stream.up,
            on_down=self._on_down,
            on_end=self._on_end,
            give_up_after=self._connection.patience,
        )
        self._runner = asyncio.create_task(self._socket.run(), name=f"{self.name} socket")
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._ready
        except TimeoutError:
            raise ExchangeError(
                f"{self.name}: the socket told nothing of the account within {READY_SECONDS:g} s", code="HB432"
            ) from None
        if self._connection.dead_man_switch:
            self._heart = asyncio.create_task(
                self._beat(self._connection.dead_man_switch / SECOND), name=f"{self.name} heartbeat"
            )

    async def shut(self) -> None:
        """End every task, close every socket; the dead man's switch is taken away after the heartbeat has ended."""
        if self._heart is not None:
            self._heart.cancel()
            await asyncio.gather(self._heart, return_exceptions=True)
            if self.is_up:
                self.keep_alive(0)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)
        for task in list(self._tasks):
            task.cancel()
        if self._socket is not None:
            await self._socket.close()
        await asyncio.gather(*([self._runner] if self._runner else []), *self._tasks, return_exceptions=True)
        await self._rest.close()
        self._listener = None

    async def _read_account(self) -> None:
        user = await self._rest.get("/user", UserRow)
        self.account = str(known(user.id) or "")
        self._mode = PositionMode.HEDGE if known(user.positionMode) == "MultiWay" else PositionMode.ONE_WAY
        await self.refresh()

    async def _check_instruments(self) -> None:
        """The grid that orders are rounded to must be the exchange's own of today.

        Instruments that the exchange does not list now are not compared: an order for one is refused there.
        """
        for row in await self._rest.get("/instrument/active", list[InstrumentRow]):
            ours = self._instruments.get(known(row.symbol) or "")
            tick, lot = known(row.tickSize), known(row.lotSize)
            if ours is None or not tick or not lot:
                continue
            if abs(float(ours.tick_size) - tick) > tick * 1e-9 or ours.lot_units != lot:
                raise ConfigError(
                    f"{self.name}: {ours.symbol} has tick {tick:g} and lot {lot:g} at the exchange, the plugin knows "
                    f"{ours.tick_size} and {ours.lot_units}; upgrade hbkit-bitmex",
                    code="HB402",
                )

    async def _beat(self, seconds: float) -> None:
        while True:
            self.keep_alive(seconds)
            await asyncio.sleep(seconds / _BEATS)

    # -- what is known

    @property
    def events(self) -> int:  # type: ignore[override]
        """Frames of the socket."""
        return self._stream.frames if self._stream is not None else 0

    @property
    def is_up(self) -> bool:
        """Whether the socket is connected."""
        return self._socket is not None and self._socket.up

    @property
    def purse(self) -> str:
        """The account at its host."""
        return f"{self._connection.rest_url}#{self.account}"

    def instruments(self) -> Mapping[str, Instrument]:
        """Those that this name serves."""
        return self._instruments

    def wallets(self) -> list[Wallet]:
        """The account's money, as it was told last."""
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
        """Calls left in the minute and the second, how far this machine's clock is off, and reconnects."""
        minute, second = self._rest.left()
        again = max(0, self._socket.connected - 1) if self._socket is not None else 0
        return {
            "calls left": f"{minute:.0f}/min {second:.0f}/s",
            "clock": f"{self._rest.server.offset / SECOND:+.3f} s",
            "reconnects": str(again),
        }

    # -- questions

    async def refresh(self) -> None:
        """Read the money of all currencies."""
        for row in await self._rest.get("/user/margin", list[MarginRow], currency=_ALL):
            wallet = wire.wallet(row, self._currencies)
            if wallet is not None:
                self._wallets[wallet.currency.code] = wallet

    async def listed(self) -> list[str]:
        """What takes orders now; indices are rows of the same table, their symbols begin with a dot."""
        rows = await self._rest.get("/instrument/active", list[InstrumentRow])
        return [symbol for row in rows if (symbol := known(row.symbol)) and not symbol.startswith(".")]

    async def open_orders(self) -> list[OrderReport]:
        """Every open order of the account, page by page."""
        rows = await self._rest.pages("/order", OrderRow, _PAGE, filter='{"open":true}', reverse="true")
        return [report for row in rows if (report := self._report(row)) is not None]

    async def executions_since(self, ts: int) -> list[Execution]:
        """Every booked execution from `ts` on, oldest first, page by page."""
        rows = await self._rest.pages("/execution/tradeHistory", ExecutionRow, _PAGE, startTime=iso(max(0, ts)))
        found = [execution for row in rows if (execution := self._execution(row)) is not None]
        return sorted(found, key=lambda execution: execution.ts)

    async def find(self, order_id: str) -> OrderReport | None:
        """An order by our id among orders, then among executions; the newest one where the id was used twice."""
        condition = msgspec.json.encode({"clOrdID": order_id}).decode()
        for path in ("/order", "/execution"):
            # An execution row bears the order's state of its moment, in the same columns.
            rows = await self._rest.get(path, list[OrderRow], filter=condition, count=1, reverse="true")
            if rows and (report := self._report(rows[0])) is not None:
                return report
        return None

    async def positions(self) -> list[Holding]:
        """Every position that is not flat."""
        found = []
        for row in await self._rest.get("/position", list[PositionRow]):
            instrument = self._instruments.get(known(row.symbol) or "")
            value = wire.position(row, instrument) if instrument is not None else None
            units = known(row.currentQty)
            if instrument is not None and value is not None and units:
                found.append(Holding(instrument, value.side, units, known(row.unrealisedCost) or 0))
        return found

    async def candles(self, instrument: Instrument, interval: str, start: int, end: int) -> list[Candle]:
        """GET /trade/bucketed, page by page; the exchange's stamp is a bin's end (trap 6)."""
        length = parse_duration(interval)
        rows = await self._rest.pages(
            "/trade/bucketed",
            BinRow,
            _BIN_PAGE,
            symbol=instrument.symbol,
            binSize=interval,
            partial="false",
            startTime=iso(start + length),
            endTime=iso(end),
        )
        return [one for row in rows if (one := wire.candle(row, instrument, interval, length)) is not None]

    async def cancel_every_order(self) -> None:
        """DELETE /order/all: one call whatever their number."""
        body = bodies.encode(bodies.cancel_all_body())
        for row in await self._insist("DELETE", "/order/all", body, list[OrderRow], urgent=True):
            self.on_order_row(row)

    # -- acting

    def subscribe(self, instrument: Instrument, channel: Channel, interval: str = "") -> None:
        """Ask for a channel; mark and trades come along, for positions are valued at them."""
        assert self._stream is not None
        if not instrument.is_spot:
            self._stream.subscribe(instrument, Channel.MARK)
        self._stream.subscribe(instrument, Channel.TRADE)
        if channel is Channel.CANDLE:
            self._stream.subscribe_candles(instrument, interval)
        elif not (instrument.is_spot and channel in (Channel.MARK, Channel.FUNDING)):
            self._stream.subscribe(instrument, channel)

    def submit(self, request: OrderRequest) -> None:
        """Place an order, after the cancels that were asked for before it."""
        self._send_cancels()
        self._do(self._place(request))

    def amend(self, order_id: str, *, ticks: int | None = None, units: int | None = None) -> None:
        """Change an order, after the cancels that were asked for before it."""
        self._send_cancels()
        self._do(self._change(order_id, ticks, units))

    def cancel(self, order_id: str) -> None:
        """Take an order away; those of one moment go in one call."""
        if not self._cancels:
            asyncio.get_running_loop().call_soon(self._send_cancels)
        self._cancels.append(order_id)

    def keep_alive(self, seconds: float) -> None:
        """POST /order/cancelAllAfter, in milliseconds; 0 takes the timer away (trap 22)."""
        self._do(self._arm(seconds))

    async def _arm(self, seconds: float) -> None:
        try:
            body = bodies.encode(bodies.timer_body(round(seconds * 1000)))
            await self._rest.send("POST", "/order/cancelAllAfter", body, dict[str, Any], urgent=True)
        except ExchangeError as error:
            self._log.warning("the dead man's switch was not set", reason=error.message)

    async def _place(self, request: OrderRequest) -> None:
        body = bodies.encode(bodies.order_body(request))
        blank = _blank(request, self.server_now())
        self._reports.setdefault(request.id, blank)
        try:
            row = await self._insist("POST", "/order", body, OrderRow)
        except DuplicateOrder:
            # Ours alone bears this id: the first try arrived, its answer was lost.
            self._lost(request.id, "submit", "the exchange has an order of this id")
        except WireError as error:
            if may_have_arrived(error):
                self._lost(request.id, "submit", error.message)
            else:
                self._reject(blank, error.message)
        except ExchangeError as error:
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
            self._lost_or_refused(order_id, "amend", error)
        except ExchangeError as error:
            self._refused(order_id, "amend", error.message)
        else:
            self.on_order_row(row)

    def _send_cancels(self) -> None:
        ids, self._cancels = self._cancels, []
        if ids:
            self._do(self._take_away(ids))

    async def _take_away(self, ids: list[str]) -> None:
        body = bodies.encode(bodies.cancel_body(ids=ids))
        try:
            rows = await self._insist("DELETE", "/order", body, list[OrderRow], urgent=True)
        except WireError as error:
            for order_id in ids:
                self._lost_or_refused(order_id, "cancel", error)
        except ExchangeError as error:
            for order_id in ids:
                self._refused(order_id, "cancel", error.message)
        else:
            for row in rows:
                self.on_order_row(row)
            for order_id in set(ids) - {known(row.clOrdID) for row in rows}:
                self._refused(order_id, "cancel", "the exchange does not know the order")

    async def _insist(self, verb: str, path: str, body: bytes, kind: type[Any], *, urgent: bool = False) -> Any:
        """Send, and again while the engine was provably not reached: overloaded, or over the limit."""
        for attempt in range(_RETRIES):
            try:
                return await self._rest.send(verb, path, body, kind, urgent=urgent)
            except NotAccepted:
                if attempt == _RETRIES - 1:
                    raise
                await asyncio.sleep(0.5 + 1.5 * self._chance.random())
        raise AssertionError("unreachable")

    # -- what the stream tells

    def on_order_row(self, row: OrderRow) -> None:
        """An order as it stands."""
        report = self._report(row)
        if report is not None and self._listener is not None:
            self._listener.on_order(report)

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
            if self._listener is not None and self._is_ready:
                self._listener.on_balance(wallet)

    def on_ready(self) -> None:
        """The account is known: for the first time, or again after a gap."""
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(None)
        if self._listener is not None:
            self._listener.on_connected(self.name)

    def on_login_refused(self, text: str) -> None:
        """The key was refused: there is nothing to wait for."""
        self._on_end(AuthenticationError(f"BitMEX refused the key {self._rest.key_hint} ({text})"))

    # -- inside

    @property
    def _is_ready(self) -> bool:
        return self._ready is not None and self._ready.done()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            fault = error if isinstance(error, HbkitError) else HbkitError(f"{type(error).__name__}: {error}")
            self._connection.on_end(fault)

    def _command(self, raw: bytes) -> None:
        self._do(self._say(raw))

    async def _say(self, raw: bytes) -> None:
        try:
            if self._socket is not None:
                await self._socket.send(raw)
        except WireError as error:
            self._log.debug("not sent", reason=error.message)  # the next connection subscribes to everything anew

    def _on_down(self, reason: str) -> None:
        if self._listener is not None and self._is_ready:
            self._log.warning("disconnected", exchange=self.name, reason=reason)
            self._listener.on_disconnected(self.name)

    def _on_end(self, error: HbkitError) -> None:
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(error)
        else:
            self._connection.on_end(error)

    def _report(self, row: OrderRow) -> OrderReport | None:
        before = self._reports.get(known(row.clOrdID) or "")
        instrument = self._instruments.get(known(row.symbol) or "") or (before.instrument if before else None)
        report = wire.order_report(row, instrument, before) if instrument is not None else None
        if report is not None and report.id:
            self._keep(report)
        return report

    def _keep(self, report: OrderReport) -> None:
        """The newest word on an order, for what later rows leave out; the oldest ended ones are forgotten."""
        self._reports.pop(report.id, None)
        self._reports[report.id] = msgspec.structs.replace(report, refused="", reason="")
        if len(self._reports) > _REPORTS_KEPT:
            ended = next((key for key, one in self._reports.items() if one.status.is_final), None)
            if ended is not None:
                del self._reports[ended]

    def _execution(self, row: ExecutionRow) -> Execution | None:
        instrument = self._instruments.get(row.symbol or "")
        return wire.execution(row, instrument) if instrument is not None else None

    def _reject(self, blank: OrderReport, reason: str) -> None:
        report = msgspec.structs.replace(blank, status=OrderStatus.REJECTED, reason=reason, refused="submit")
        self._keep(report)
        if self._listener is not None:
            self._listener.on_order(report)

    def _lost_or_refused(self, order_id: str, request: str, error: WireError) -> None:
        if may_have_arrived(error):
            self._lost(order_id, request, error.message)
        else:
            self._refused(order_id, request, error.message)

    def _lost(self, order_id: str, request: str, reason: str) -> None:
        """No answer: what was asked may have happened, or may still, until evidence tells."""
        present = self._reports.get(order_id)
        if present is None or self._listener is None or present.status.is_final:
            return
        if request == "submit" and present.status is not OrderStatus.PENDING:
            return  # the socket told already that it arrived
        status = OrderStatus.UNKNOWN if request == "submit" else present.status
        report = msgspec.structs.replace(
            present, status=status, reason=reason, lost=request, expires=self._rest.expiry(), ts=self.server_now()
        )
        self._listener.on_order(report)

    def _refused(self, order_id: str, request: str, reason: str) -> None:
        """An amend or a cancel was turned down: the order stands where it stood."""
        before = self._reports.get(order_id)
        if before is not None and self._listener is not None:
            self._listener.on_order(msgspec.structs.replace(before, refused=request, reason=reason))


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
