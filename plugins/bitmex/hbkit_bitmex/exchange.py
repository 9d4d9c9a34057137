"""The BitMEX connector: one class for spot and derivatives, against the venue, its testnet or its simulator.

Acting methods return at once, the order desk sends from tasks of their own; what became of an order comes from its
answer, from the socket, or from a look-up, whichever is first: the tracker applies evidence in any order. A lost answer
is reported with the moment its request expires, and settled by whoever reconciles.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import msgspec

from hbkit.clock import SECOND, iso, parse_duration
from hbkit.errors import (
    AuthenticationError,
    ConfigError,
    ExchangeError,
    HbkitError,
    Timeout,
    Unsupported,
    WireError,
)
from hbkit.exchange import Capabilities, Channel, Connection, Exchange, Holding, Listener, no_legs
from hbkit.log import get_logger
from hbkit.model import (
    Candle,
    Execution,
    Instrument,
    MarginMode,
    OrderReport,
    OrderRequest,
    PositionMode,
    PositionModeChange,
    PositionSide,
    TriggerBy,
    Wallet,
)
from hbkit.net.websocket import Socket
from hbkit_bitmex import wire
from hbkit_bitmex.capabilities import CONTRACTS, SPOT
from hbkit_bitmex.diagnosis import refused, unreachable
from hbkit_bitmex.heart import Heart, arm
from hbkit_bitmex.instruments import currencies
from hbkit_bitmex.orders import Change, OrderDesk
from hbkit_bitmex.rest import Rest
from hbkit_bitmex.rows import BinRow, ExecutionRow, InstrumentRow, MarginRow, OrderRow, PositionRow, UserRow, WalletRow
from hbkit_bitmex.shortage import explained
from hbkit_bitmex.stream import Stream
from hbkit_bitmex.terms import TermsDesk, mode_of
from hbkit_bitmex.words import ExecType, Strategy, known

READY_SECONDS = 20.0
"""How long the login and the first partials may take, on each connection."""
LEAVING_SECONDS = 2.0
"""How long what is on its way may take when the connector is shut."""
MODE_SECONDS = 20.0
"""How often the position mode is asked for: three calls of the 120 a minute."""
_PAGE = 500
_BIN_PAGE = 1000
_IDS_AT_ONCE = 50
"""Ids of one look-up: they stand in the address."""
_ALL = "all"


class _FoundRow(OrderRow, gc=False):
    """An order, or an execution that bears the order's state of its moment in the same columns."""

    execType: str | None = None


class BitmexExchange(Exchange):
    """One account at BitMEX; without a key it only listens."""

    def __init__(self, connection: Connection) -> None:
        self.name = connection.name
        self._connection = connection
        self._instruments = connection.instruments
        self._chance = connection.chance
        self._listener: Listener | None = None
        self._rest = Rest(connection, self._on_end)
        self._currencies = currencies()
        self._wallets: dict[str, Wallet] = {}
        self._desk = OrderDesk(
            self._rest,
            connection.instruments,
            connection.chance,
            self._tell_order,
            self._do,
            lambda text: explained(text, self._currencies, self._wallets),
        )
        self._transfers: dict[str, int] = {}
        self._mode = PositionMode.ONE_WAY
        self._terms = TermsDesk(self._rest, self.name, self._do, self._is_isolated)
        self._traded: dict[Instrument, None] = {}
        """What somebody has subscribed to: where none of it has legs, hedge mode is refused."""
        self._switching = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._sought: dict[str, asyncio.Future[OrderReport | None]] = {}
        self._socket: Socket | None = None
        self._stream: Stream | None = None
        self._runner: asyncio.Task[None] | None = None
        self._company: set[BitmexExchange] = connection.shared.once("company", set)
        """The open connections of this account."""
        self._leaving = asyncio.Event()
        self._opened: asyncio.Future[None] | None = None
        """Done when the account is known for the first time, or when it is certain that it never will be."""
        self._ready: asyncio.Future[None] | None = None
        """The same for the present connection."""
        self._told_up = False
        self._log = get_logger("bitmex")

    # -- life

    @property
    def capabilities(self) -> Capabilities:
        """What this connector does today."""
        return SPOT if all(one.is_spot for one in self._instruments.values()) else CONTRACTS

    async def open(self, listener: Listener) -> None:
        """Read the clock and the account, compare the instruments, log in, wait for the account's tables."""
        self._listener = listener
        await self._first_words()
        self._opened = asyncio.get_running_loop().create_future()
        self._stream = Stream(self._connection, listener, self, self._command, self._login_expiry)
        self._socket = Socket(
            self._connection.ws_url,
            connector_factory=self._connection.connector,
            clock=self._connection.clock,
            chance=self._chance.fork("socket"),
            name=self.name,
            on_frame=self._stream.frame,
            on_up=self._on_up,
            on_down=self._on_down,
            on_end=self._on_end,
            give_up_after=self._connection.patience,
        )
        self._runner = self._own(asyncio.create_task(self._socket.run(), name=f"{self.name} socket"))
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._opened
        except TimeoutError:
            raise ExchangeError(
                f"{self.name}: the socket told nothing of the account within {READY_SECONDS:g} s", code="HB432"
            ) from None
        self._company.add(self)
        if self._connection.dead_man_switch:
            seconds = self._connection.dead_man_switch / SECOND
            self._connection.shared.once("heart", lambda: Heart(self._connection, seconds))
        if self._connection.api_key and self.capabilities.hedge_mode:
            self._do(self._watch_mode())

    async def shut(self) -> None:
        """End every task, close every socket; the dead man's switch is taken away after the heartbeat has ended."""
        self._leaving.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)
        if self in self._company and len(self._company) == 1:
            await self._stop_heart()
        self._company.discard(self)
        for task in list(self._tasks):
            task.cancel()
        if self._socket is not None:
            await self._socket.close()
        owned = [task for task in (self._runner, *self._tasks) if task is not None]
        await asyncio.gather(*owned, return_exceptions=True)
        await self._rest.close()
        self._listener = None

    async def _stop_heart(self) -> None:
        """The last connection of the account takes the switch away, unless orders of its own still stand."""
        heart: Heart | None = self._connection.shared.once("heart", _no_heart)
        if heart is None:
            return
        standing = [order for one in self._company for order in one._desk.standing]
        if not await heart.stop(disarm=not standing) or standing:
            self._log.warning(
                "the dead man's switch stays armed: the exchange cancels every order of the account when it runs out",
                exchange=self.name,
                standing=standing,
            )

    async def _first_words(self) -> None:
        """Clock, instruments and account; what fails here is told with the host and the mend."""
        host = urlsplit(self._connection.rest_url).netloc
        try:
            await self._rest.read_time()
        except WireError as error:
            raise unreachable(error, host, "offline? mode: simulator needs no network") from error
        try:
            await self._check_instruments()
            if self._connection.api_key:
                await self._read_account()
        except AuthenticationError as error:
            raise refused(error, host) from error

    async def _read_account(self) -> None:
        user = await self._rest.get("/user", UserRow)
        self.account = str(known(user.id) or "")
        self._mode = mode_of(user)
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

    def transfers(self) -> dict[str, int]:
        """What was paid in less what was paid out, as the wallet table tells it."""
        return dict(self._transfers)

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

    def present_price(self, instrument: Instrument, by: TriggerBy) -> float | None:
        """What triggers look at (11.1), as far as the stream has told; nothing stands in for what it has not."""
        return self._stream.present_price(instrument, by) if self._stream is not None else None

    def trigger_prices(self, instrument: Instrument) -> frozenset[TriggerBy]:
        """Spot triggers look at the last price alone (18.3.13)."""
        return frozenset({TriggerBy.LAST}) if instrument.is_spot else frozenset(TriggerBy)

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
            **({"unreadable frames": str(self._stream.unreadable)} if self._stream and self._stream.unreadable else {}),
        }

    # -- questions

    async def refresh(self) -> None:
        """Read the money of all currencies."""
        for row in await self._rest.get("/user/margin", list[MarginRow], currency=_ALL):
            wallet = wire.wallet(row, self._currencies)
            if wallet is not None:
                self._wallets[wallet.currency.code] = wallet
        for paid in await self._rest.get("/user/wallet", list[WalletRow], currency=_ALL):
            self.on_wallet_row(paid)

    async def listed(self) -> list[str]:
        """What takes orders now; indices are rows of the same table, their symbols begin with a dot."""
        rows = await self._rest.get("/instrument/active", list[InstrumentRow])
        return [symbol for row in rows if (symbol := known(row.symbol)) and not symbol.startswith(".")]

    async def open_orders(self) -> list[OrderReport]:
        """Every open order of the account, page by page."""
        rows = await self._rest.pages("/order", OrderRow, _PAGE, filter='{"open":true}', reverse="true")
        return [report for row in rows if (report := self._desk.report(row)) is not None]

    async def executions_since(self, ts: int) -> list[Execution]:
        """Every booked execution from `ts` on, oldest first, page by page."""
        rows = await self._rest.pages("/execution/tradeHistory", ExecutionRow, _PAGE, startTime=iso(max(0, ts)))
        found = [execution for row in rows if (execution := self._execution(row)) is not None]
        return sorted(found, key=lambda execution: execution.ts)

    async def find(self, order_id: str) -> OrderReport | None:
        """An order by our id among orders, then among executions; those of one moment are asked for in one call."""
        if not self._sought:
            self._do(self._search())
        if order_id not in self._sought:
            self._sought[order_id] = asyncio.get_running_loop().create_future()
        return await asyncio.shield(self._sought[order_id])

    async def _search(self) -> None:
        await asyncio.sleep(0)
        sought, self._sought = self._sought, {}
        ids = list(sought)
        try:
            for at in range(0, len(ids), _IDS_AT_ONCE):
                found = await self._look_up(ids[at : at + _IDS_AT_ONCE])
                for order_id in ids[at : at + _IDS_AT_ONCE]:
                    sought[order_id].set_result(found.get(order_id))
        except ExchangeError as error:
            for future in sought.values():
                if not future.done():
                    future.set_exception(error)
        finally:
            for future in sought.values():
                future.cancel()

    async def _look_up(self, ids: list[str]) -> dict[str, OrderReport]:
        """The newest state of each, also where a client id was used twice."""
        found: dict[str, OrderReport] = {}
        for path in ("/order", "/execution"):
            missing = [order_id for order_id in ids if order_id not in found]
            if not missing:
                break
            condition = msgspec.json.encode({"clOrdID": missing}).decode()
            for row in await self._rest.get(path, list[_FoundRow], filter=condition, count=_PAGE, reverse="true"):
                if row.execType in (ExecType.CANCEL_REJECT, ExecType.AMEND_REJECT):
                    continue  # its status of Rejected speaks of the request, not of the order (trap 17)
                if known(row.clOrdID) not in found and (report := self._desk.report(row)) is not None:
                    found[report.id] = report
        return found

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
        await self._desk.cancel_every_order()

    # -- acting

    def subscribe(self, instrument: Instrument, channel: Channel, interval: str = "") -> None:
        """Ask for a channel; mark and trades come along, for positions are valued at them."""
        assert self._stream is not None
        if channel not in self.capabilities.channels:
            raise Unsupported(f"{self.name} tells no {channel} of {instrument}")
        self._traded[instrument] = None
        if not instrument.is_spot:
            self._stream.subscribe(instrument, Channel.MARK)
        self._stream.subscribe(instrument, Channel.TRADE)
        if channel is Channel.CANDLE:
            self._stream.subscribe_candles(instrument, interval)
        elif not (instrument.is_spot and channel in (Channel.MARK, Channel.FUNDING)):
            self._stream.subscribe(instrument, channel)

    def submit(self, request: OrderRequest) -> None:
        """Place an order; one that asks for what is not declared is turned down here."""
        if lacking := self.capabilities.lacking(request):
            self._desk.turn_down(request, f"{self.name} does not offer {lacking}")
        else:
            self._desk.submit(request)

    def amend(
        self,
        order_id: str,
        *,
        ticks: int | None = None,
        units: int | None = None,
        trigger_ticks: int | None = None,
    ) -> None:
        """Change an order."""
        self._desk.amend(order_id, Change(ticks, units, trigger_ticks))

    def cancel(self, order_id: str) -> None:
        """Take an order away, by our id or by the exchange's."""
        self._desk.cancel(order_id)

    # -- modes and margin

    async def prepare(
        self,
        instruments: Sequence[Instrument],
        *,
        position_mode: PositionMode | None,
        margin_mode: MarginMode | None,
        leverage: Decimal | None,
    ) -> None:
        """What the config asks for; the mode was read at the login."""
        if position_mode is not None:
            self._mode = await self._terms.mode_at_start(instruments, self._mode, position_mode, self._count_orders)
        await self._terms.margin_at_start(instruments, margin_mode, leverage)

    async def _count_orders(self) -> int:
        return len(await self.open_orders())

    def set_position_mode(self, mode: PositionMode) -> None:
        """POST /user/positionMode; what comes of it is told by `on_position_mode`."""
        if not self.capabilities.hedge_mode:
            raise Unsupported(f"{self.name} offers no hedge mode")
        self._do(self._switch(mode))

    async def _switch(self, mode: PositionMode) -> None:
        previous, reason = self._mode, ""
        traded = list(self._traded)
        self._switching += 1
        try:
            if mode is PositionMode.HEDGE and traded and not any(one.hedge and not one.is_spot for one in traded):
                reason = no_legs(traded)
            elif mode is not previous:
                self._mode = await self._terms.switch(mode)
        except ExchangeError as error:
            reason = error.message
        finally:
            self._switching -= 1
        self._tell_mode(previous, mode, "strategy", reason)

    def _tell_mode(self, previous: PositionMode, requested: PositionMode, origin: str, reason: str) -> None:
        if self._listener is not None:
            change = PositionModeChange(
                exchange=self.name,
                account=self.account,
                mode=self._mode,
                previous=previous,
                requested=requested,
                origin=origin,
                reason=reason,
                ts=self._connection.market_clock.now(),
            )
            self._listener.on_position_mode(change)

    def on_new_legs(self, legs: set[Strategy]) -> None:
        """A leg in one-way mode, or a whole position in hedge mode: somebody may have switched the account."""
        odd = legs - {Strategy.ONE_WAY} if self._mode is PositionMode.ONE_WAY else legs & {Strategy.ONE_WAY}
        if odd and self._is_open and not self._switching:
            self._do(self._look_at_mode())

    async def _watch_mode(self) -> None:
        """No table tells the mode of an account that is flat: it is asked for now and then."""
        while not self._leaving.is_set():
            try:
                async with asyncio.timeout(MODE_SECONDS):
                    await self._leaving.wait()
            except TimeoutError:
                if self.is_up and not self._switching:
                    await self._look_at_mode()

    async def _look_at_mode(self) -> None:
        try:
            found = await self._terms.read_mode()
        except ExchangeError as error:
            self._log.debug("the position mode could not be read", exchange=self.name, reason=error.message)
            return
        if self._switching:
            return  # what was read may be of before the switch
        previous, self._mode = self._mode, found
        if found is not previous:
            self._tell_mode(previous, found, "exchange", "")

    def set_leverage(self, instrument: Instrument, leverage: float, side: PositionSide = PositionSide.NET) -> None:
        """POST /position/leverage where the position is isolated, else /position/crossLeverage."""
        self._terms.set_leverage(instrument, leverage, side)

    def set_margin_mode(self, instrument: Instrument, mode: MarginMode, side: PositionSide = PositionSide.NET) -> None:
        """POST /position/isolate."""
        self._terms.set_margin_mode(instrument, mode, side)

    def transfer_margin(self, instrument: Instrument, amount: int, side: PositionSide = PositionSide.NET) -> None:
        """POST /position/transferMargin."""
        self._terms.transfer_margin(instrument, amount, side)

    def set_risk_limit(self, instrument: Instrument, limit: int, side: PositionSide = PositionSide.NET) -> None:
        """POST /position/riskLimit."""
        self._terms.set_risk_limit(instrument, limit, side)

    def _is_isolated(self, instrument: Instrument, side: PositionSide) -> bool:
        """What the position rows say; a leg without a row is in cross margin, the exchange's default."""
        if self._stream is None:
            return False
        rows = [row for row in self._stream.positions.rows if known(row.symbol) == instrument.symbol]
        fitting = [row for row in rows if side is PositionSide.NET or wire.leg(row) is side]
        return any(known(row.crossMargin) is False for row in fitting)

    def keep_alive(self, seconds: float) -> None:
        """POST /order/cancelAllAfter, in milliseconds; 0 takes the timer away (trap 22)."""
        self._do(self._arm(seconds))

    async def _arm(self, seconds: float) -> None:
        try:
            await arm(self._rest, seconds)
        except ExchangeError as error:
            self._log.warning("the dead man's switch was not set", seconds=seconds, reason=error.message)

    # -- what the stream tells

    def on_order_row(self, row: OrderRow) -> None:
        """An order as it stands."""
        self._desk.hear(row)

    def on_execution_row(self, row: ExecutionRow) -> None:
        """An execution; refused amends and cancels come this way too."""
        refusal = wire.refusal(row)
        if refusal is not None:
            self._desk.refused(refusal.id, refusal.refused, refusal.reason)
            return
        instrument = self._instruments.get(row.symbol or "")
        execution = wire.execution(row, instrument) if instrument is not None else None
        if execution is not None and self._listener is not None:
            self._listener.on_fill(execution)
        elif instrument is not None and wire.is_unbooked(row, instrument):
            self._log.warning("an execution that cannot be booked", kind=row.execType, instrument=row.symbol)

    def on_wallet_row(self, row: WalletRow) -> None:
        """What was paid into and out of one currency."""
        paid = wire.transfers(row, self._currencies)
        if paid is not None:
            self._transfers[paid[0].code] = paid[1]

    def on_margin_row(self, row: MarginRow) -> None:
        """One currency of the account."""
        wallet = wire.wallet(row, self._currencies)
        if wallet is not None:
            self._wallets[wallet.currency.code] = wallet
            if self._listener is not None and self._is_open:
                self._listener.on_balance(wallet)

    def on_ready(self) -> None:
        """The account is known: for the first time, or again after a gap."""
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(None)
        if self._opened is not None and not self._opened.done():
            self._opened.set_result(None)
        self._told_up = True
        if self._listener is not None:
            self._listener.on_connected(self.name)

    def on_login_refused(self, status: int, text: str) -> None:
        """The key was refused, or the exchange has no time now."""
        if self._ready is None or self._ready.done():
            return
        if status == 429 or status >= 500:
            self._ready.set_exception(WireError(f"the login has to wait ({text})"))
        else:
            self._ready.set_exception(
                AuthenticationError(
                    f"BitMEX refused the key {self._rest.key_hint} ({text}); check api_key, api_secret and the host"
                )
            )

    # -- inside

    @property
    def _is_open(self) -> bool:
        return self._opened is not None and self._opened.done()

    def _do(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._own(asyncio.get_running_loop().create_task(work))
        self._tasks.add(task)
        return task

    def _own(self, task: asyncio.Task[None]) -> asyncio.Task[None]:
        """A task whose failure ends the run, with a word on why."""
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._log.error(f"{self.name} failed", exc_info=error)
            self._on_end(error if isinstance(error, HbkitError) else HbkitError(f"{type(error).__name__}: {error}"))

    def _login_expiry(self) -> int:
        return self._rest.expiry() // SECOND

    def _command(self, raw: bytes, seconds: float = 0.0) -> None:
        self._do(self._say(raw, seconds))

    async def _say(self, raw: bytes, seconds: float) -> None:
        try:
            if seconds:
                await asyncio.sleep(seconds)
            if self._socket is not None:
                await self._socket.send(raw)
        except WireError as error:
            self._log.debug("not sent", reason=error.message)  # the next connection subscribes to everything anew

    async def _on_up(self) -> None:
        """Log in, and hang up on a venue that lets us in and then tells nothing."""
        assert self._stream is not None
        self._ready = asyncio.get_running_loop().create_future()
        self._stream.up()
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._ready
        except TimeoutError:
            raise Timeout(f"nothing was told of the account within {READY_SECONDS:g} s") from None

    def _on_down(self, reason: str) -> None:
        if self._stream is not None:
            self._stream.down()
        told, self._told_up = self._told_up, False
        if told and self._listener is not None and not self._leaving.is_set():
            self._log.warning("disconnected", exchange=self.name, reason=reason)
            self._listener.on_disconnected(self.name)

    def _on_end(self, error: HbkitError) -> None:
        if self._opened is not None and not self._opened.done():
            self._opened.set_exception(error)
        elif self._is_open and not self._leaving.is_set():
            self._connection.on_end(error)

    def _tell_order(self, report: OrderReport) -> None:
        if self._listener is not None:
            self._listener.on_order(report)

    def _execution(self, row: ExecutionRow) -> Execution | None:
        instrument = self._instruments.get(row.symbol or "")
        return wire.execution(row, instrument) if instrument is not None else None


def _no_heart() -> None:
    """For an account whose switch nobody wanted."""
