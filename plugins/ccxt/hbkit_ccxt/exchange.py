"""The connector: one account at one of ccxt's exchanges, spot and contracts.

It puts together what the other files do: `client.py` speaks to ccxt, `feeds.py` tells of the market, `orders.py`
places and follows orders, `fills.py` books trades, `account.py` knows money and positions, `news.py` sees to it that
the account's news comes. A name of ccxt's is an attribute of this module: `hbkit_ccxt.exchange:okx` is the connector
of OKX.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any

from hbkit.clock import MINUTE, SECOND
from hbkit.errors import ConfigError, ExchangeError, HbkitError, Unsupported
from hbkit.exchange import Capabilities, Channel, Connection, Exchange, Holding, Listener
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
)
from hbkit_ccxt.account import Account
from hbkit_ccxt.capabilities import capabilities_of
from hbkit_ccxt.client import Client
from hbkit_ccxt.feeds import Feeds
from hbkit_ccxt.fills import PAGE, Fills, Owner, all_since, by_time, days
from hbkit_ccxt.ids import ids_of
from hbkit_ccxt.lookup import Lookup
from hbkit_ccxt.news import POLL_SECONDS, SLOW_SECONDS, News
from hbkit_ccxt.numbers import exact
from hbkit_ccxt.orders import Change, OrderDesk
from hbkit_ccxt.patience import Patient
from hbkit_ccxt.reports import Row, leg_of
from hbkit_ccxt.requests import features_of, trigger_prices
from hbkit_ccxt.venues import ids

MODE_SECONDS = 20.0
"""How often the position mode is asked for, and fundings where a position is held."""
HELD_SECONDS = 1.5
"""How long a trade waits for the news of its order."""
AFTER_SECONDS = 2.0
"""How long after a connection is there again trades are asked for once more: what filled before a watch began anew."""
_FIRST_LOOK = 10 * MINUTE
_PRICE_LOOKS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds between looks for the price of a fill."""


class CcxtExchange(Exchange):
    """One account; without a key it only listens."""

    venue = ""
    """ccxt's id."""

    def __init__(self, connection: Connection) -> None:
        self.name = connection.name
        self._connection = connection
        self._instruments = connection.instruments
        self._by_unified = {one.unified: one for one in connection.instruments.values()}
        self._line = Client(self.venue, connection, feed=getattr(connection, "feed", "live"))
        self._client = Patient(self._line)
        self._listener: Listener | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._leaving = False
        self._down: set[str] = set()
        """Which halves, the account and the market, are out of reach."""
        self._told_up = False
        self._asked_mode: PositionMode | None = None
        self._followed: set[Instrument] = set()
        """Markets whose news of the account is listened to."""
        self._held: list[tuple[Row, Instrument]] = []
        """Trades whose order is not known yet."""
        ids_ = ids_of(self.venue)
        self._lookup = Lookup(self._client, ids_, self._instruments)
        self._account = Account(self._client, self.name, self._lookup, self._instruments, self._do)
        self._fills = Fills(self.name, self._price_of)
        self._desk = OrderDesk(
            self._client,
            self.name,
            ids_,
            self._lookup,
            self._instruments,
            connection.chance.fork("orders"),
            now=self._client.server_now,
            price=self.reference_price,
            tell=self._tell_order,
            grown=self._on_grown,
            start=self._do,
        )
        self._news = News(
            self._client,
            self.name,
            connection.chance.fork("news"),
            probe=self._read_account,
            on_down=lambda reason: self._on_down("account", reason),
            on_up=self._on_account_up,
            on_end=self._on_end,
            start=self._do,
        )
        self._feeds: Feeds | None = None
        self._heart: asyncio.Task[None] | None = None
        self._log = get_logger("ccxt")

    # -- life

    @property
    def capabilities(self) -> Capabilities:
        """What ccxt declares of the venue, and what an amend by cancel and replace adds to it."""
        return capabilities_of(self._client.api)

    async def open(self, listener: Listener) -> None:
        """Clock and markets first, then the account, whose answer proves the key; then the watches."""
        if self._connection.dead_man_switch and self._client.has("cancelAllOrdersAfter") is not True:
            raise ConfigError(
                f"{self.name} has no dead man's switch, as far as ccxt knows; leave dead_man_switch out", code="HB110"
            )
        self._listener = listener
        await self._client.load()
        self._feeds = Feeds(
            self._line,
            listener,
            self._instruments,
            lambda *reason: self._on_down("market", str(reason[0]) if reason else "the market's watch broke"),
            lambda *_: self._on_up("market"),
        )
        if self._connection.api_key:
            await self._read_account()
            self._follow_account()
            await self._news.ready()
            self._do(self._after_a_gap())
        self._told_up = True
        listener.on_connected(self.name)

    async def shut(self) -> None:
        """Nothing is told from here on; when this returns every task and socket has ended."""
        self._leaving = True
        if self._heart is not None:
            # First the heartbeat ends, or it would arm the switch again.
            self._heart.cancel()
            await asyncio.gather(self._heart, return_exceptions=True)
            await self._disarm()
        self._listener = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._feeds is not None:
            await self._feeds.close()
        await self._line.close()

    async def _read_account(self) -> None:
        for wallet in await self._account.refresh():
            self._tell("on_balance", wallet)
        await self._look_at_mode()

    def _follow_account(self) -> None:
        """Begin to listen to the account, by watches or by questions, whichever the venue has."""
        for instrument in list(self._lookup.traded) or [self._instruments[key] for key in list(self._instruments)[:10]]:
            if self._lookup.traded or len(self._instruments) <= 10:
                self._follow(instrument)
        # Which purse a watch tells of is settled when it begins, before anybody has said what is traded.
        if self._client.has("watchBalance") is True and self._account.has_one_purse:
            self._news.watch("watch_balance", None, self._hear_balance, self._ask_balance)
        else:
            self._ask_balance()
        self._news.ask("terms", self._look_at_terms, MODE_SECONDS)
        if self._connection.dead_man_switch:
            self._heart = self._do(self._beat(self._connection.dead_man_switch / SECOND))

    def _follow(self, instrument: Instrument) -> bool:
        """The account's news of one market; whether that is new."""
        if instrument in self._followed:
            return False
        self._followed.add(instrument)
        symbol = instrument.unified
        if self._client.has("watchOrders") is True:
            self._news.watch("watch_orders", symbol, self._hear_orders, self._ask_orders)
        else:
            self._ask_orders()
        if self._tells_trades and self._client.has("watchMyTrades") is True:
            self._news.watch("watch_my_trades", symbol, self._hear_trades, self._ask_trades)
        elif self._tells_trades:
            self._ask_trades()
        return True

    @property
    def _tells_trades(self) -> bool:
        """Whether there is a history of the account's trades; without one, fills are made of what orders say."""
        return bool(self._client.has("fetchMyTrades"))

    def _ask_orders(self) -> None:
        self._news.ask("orders", self._desk.poll, POLL_SECONDS)

    def _ask_trades(self) -> None:
        self._news.ask("trades", self._poll_trades, SLOW_SECONDS)

    def _ask_balance(self) -> None:
        self._news.ask("balance", self.refresh, SLOW_SECONDS)

    # -- up and down

    @property
    def is_up(self) -> bool:
        """Whether account and market are within reach."""
        return self._told_up and not self._down

    def _on_down(self, half: str, reason: str) -> None:
        first = not self._down
        self._down.add(half)
        if first and self._told_up and not self._leaving:
            self._told_up = False
            self._log.warning("disconnected", exchange=self.name, reason=reason)
            self._tell("on_disconnected", self.name)

    def _on_up(self, half: str) -> None:
        self._down.discard(half)
        if not self._down and not self._told_up and not self._leaving:
            self._told_up = True
            self._tell("on_connected", self.name)

    def _on_account_up(self) -> None:
        self._on_up("account")
        self._do(self._after_a_gap())

    async def _after_a_gap(self) -> None:
        """What filled between the first answer and the moment at which every watch had begun: ccxt does not tell it."""
        await asyncio.sleep(AFTER_SECONDS)
        try:
            if self._tells_trades:
                await self._poll_trades()
            await self._desk.poll()
        except ExchangeError as error:
            self._log.debug("not asked after a gap", exchange=self.name, reason=error.message)

    def _on_end(self, error: HbkitError) -> None:
        if not self._leaving:
            self._connection.on_end(error)

    # -- what is known

    @property
    def events(self) -> int:  # type: ignore[override]
        """Frames of the sockets."""
        return self._line.frames

    @property
    def purse(self) -> str:
        """The account: the key at the venue."""
        return f"ccxt:{self.venue}#{self._connection.api_key or self.name}"

    def instruments(self) -> Mapping[str, Instrument]:
        """As handed in."""
        return self._instruments

    def wallets(self) -> list[Any]:
        """As told last."""
        return self._account.wallets()

    def transfers(self) -> Mapping[str, int]:
        """As the venue's ledger tells, where it has one."""
        return self._account.transfers()

    @property
    def position_mode(self) -> PositionMode:
        """The account's."""
        return self._account.mode

    def reference_price(self, instrument: Instrument) -> float | None:
        """What the feed says."""
        return self._feeds.reference_price(instrument) if self._feeds is not None else None

    def last_price(self, instrument: Instrument) -> float | None:
        """What the feed says."""
        return self._feeds.last_price(instrument) if self._feeds is not None else None

    def trigger_prices(self, instrument: Instrument) -> frozenset[TriggerBy]:
        """Those that ccxt names; a venue that names none looks at the last one."""
        return trigger_prices(features_of(self._client.api, instrument)) or frozenset({TriggerBy.LAST})

    def server_now(self) -> int:
        """The venue's clock."""
        return self._client.server_now()

    def health(self) -> dict[str, str]:
        """How far the clock is off, and how often the account had to be connected anew."""
        off = (self._client.server_now() - self._connection.clock.now()) / SECOND
        return {"clock": f"{off:+.3f} s", "reconnects": str(self._news.reconnects)}

    # -- questions

    async def refresh(self) -> None:
        """Ask for the account's money; what has changed is told."""
        for wallet in await self._account.refresh():
            self._tell("on_balance", wallet)

    async def listed(self) -> list[str]:
        """Native symbols of the markets that are active now."""
        markets = await self._client.call("fetch_markets")
        active = {row.get("symbol") for row in markets if row.get("active") is not False}
        return [one.symbol for one in self._instruments.values() if one.unified in active]

    async def open_orders(self) -> list[OrderReport]:
        """Every open order of the account, market by market where the venue wants one."""
        return await self._desk.open_orders()

    async def find(self, order_id: str) -> OrderReport | None:
        """An order by our id."""
        return await self._desk.find(order_id)

    async def positions(self) -> list[Holding]:
        """Every position that is not flat."""
        return await self._account.positions()

    async def candles(self, instrument: Instrument, interval: str, start: int, end: int) -> list[Candle]:
        """As the venue keeps them."""
        assert self._feeds is not None
        return await self._feeds.candles(instrument, interval, start, end)

    async def executions_since(self, ts: int) -> list[Execution]:
        """Every trade and funding since a moment, oldest first, market by market, page by page."""
        if not self._tells_trades:
            await self._desk.poll()
            return [one for one in self._fills.made if one.ts >= ts]
        found: list[Execution] = []
        for symbol, params in self._lookup.questions("fetchMyTrades"):
            rows = await self._trade_rows(symbol, params, ts)
            await self._know_owners(rows, ts)
            for row in rows:
                instrument = self._by_unified.get(str(row.get("symbol") or symbol or ""))
                if instrument is not None:
                    execution = self._fills.execution(row, instrument, self._owner(row) or _NOBODY)
                    if execution is not None and execution.ts >= ts:
                        found.append(execution)
        return by_time([*found, *(one for one in await self._fundings(ts) if one.ts >= ts)])

    async def _trade_rows(self, symbol: str | None, params: Mapping[str, Any], ts: int) -> list[dict[str, Any]]:
        one = self._by_unified.get(symbol or "") or next(iter(self._instruments.values()))
        features = features_of(self._client.api, one, "fetchMyTrades")
        limit = exact(features.get("limit"))

        async def page(start: int, count: int, until: int | None) -> list[dict[str, Any]]:
            more: dict[str, Any] = {} if until is None else {"until": until}
            rows: list[dict[str, Any]] = await self._client.call(
                "fetch_my_trades", symbol, start, count, **params, **more
            )
            return rows

        return await all_since(
            page,
            ts,
            self._client.server_now(),
            limit=int(limit) if limit else PAGE,
            window=days(features.get("untilDays")),
        )

    async def _know_owners(self, rows: Sequence[Row], since: int) -> None:
        """Learn whose orders trades belong to: by one list a market, then one by one."""
        unknown = {str(row.get("order")): row for row in rows if row.get("order") and self._owner(row) is None}
        for instrument in {
            self._by_unified[str(row["symbol"])] for row in unknown.values() if row.get("symbol") in self._by_unified
        }:
            for order in await self._lookup.all_rows(instrument, max(0, since - _FIRST_LOOK)):
                if str(order.get("id")) in unknown:
                    self._desk.learn(order)
        for exchange_id, row in unknown.items():
            one = self._by_unified.get(str(row.get("symbol") or ""))
            if one is not None and self._desk.owner(exchange_id) is None:
                found = await self._lookup.by_exchange_id(exchange_id, one)
                if found is not None:
                    self._desk.learn(found)

    def _owner(self, row: Row) -> Owner | None:
        exchange_id = str(row.get("order") or "")
        owner = self._desk.owner(exchange_id) if exchange_id else _NOBODY
        if owner is None and (name := self._lookup.name_of(row)).order_id:
            owner = self._desk.owner_by_id(name.order_id)
        return owner or self._desk.owner_named(row, exchange_id)

    # -- acting

    def subscribe(self, instrument: Instrument, channel: Channel, interval: str = "") -> None:
        """Ask for a channel; the account's news of the market comes along."""
        assert self._feeds is not None
        if channel not in self.capabilities.channels:
            raise Unsupported(f"{self.name} tells no {channel} of {instrument}")
        self._trade_in(instrument)
        self._feeds.subscribe(instrument, channel, interval)

    def _trade_in(self, instrument: Instrument) -> None:
        if instrument not in self._lookup.traded:
            self._lookup.traded[instrument] = None
            if self._connection.api_key and self._listener is not None and self._follow(instrument):
                self._do(self._after_a_gap())

    def submit(self, request: OrderRequest) -> None:
        """Place an order; one that asks for what is not declared is turned down here."""
        self._trade_in(request.instrument)
        if lacking := self.capabilities.lacking(request):
            self._desk.turn_down(request, f"{self.name} does not offer {lacking}")
        elif reason := self._wrong_leg(request):
            self._desk.turn_down(request, reason)
        else:
            self._desk.submit(request)

    def _wrong_leg(self, request: OrderRequest) -> str:
        hedged, named = self._account.mode is PositionMode.HEDGE, request.position_side is not PositionSide.NET
        if request.instrument.is_spot or hedged is named:
            return ""
        return f"the account is in {self._account.mode} mode: an order {'names a leg' if hedged else 'names no leg'}"

    def amend(
        self,
        order_id: str,
        *,
        ticks: int | None = None,
        units: int | None = None,
        trigger_ticks: int | None = None,
    ) -> None:
        """Change an order, by the venue's own means or by cancel and replace."""
        self._desk.amend(order_id, Change(ticks, units, trigger_ticks))

    def cancel(self, order_id: str) -> None:
        """Take an order away, by our id or by the venue's."""
        self._desk.cancel(order_id)

    async def cancel_every_order(self) -> None:
        """All open orders of the markets that are traded."""
        await self._desk.cancel_every_order()

    # -- the dead man's switch

    def keep_alive(self, seconds: float) -> None:
        """cancelAllOrdersAfter; 0 calls it off."""
        if self._client.has("cancelAllOrdersAfter") is not True:
            raise Unsupported(f"{self.name} has no dead man's switch, as far as ccxt knows")
        self._do(self._arm(seconds))

    async def _arm(self, seconds: float) -> None:
        try:
            await self._client.call("cancel_all_orders_after", round(seconds * 1000))
        except ExchangeError as error:
            self._log.warning("the dead man's switch was not set", seconds=seconds, reason=error.message)

    async def _beat(self, seconds: float) -> None:
        while True:
            await self._arm(seconds)
            await asyncio.sleep(seconds / 4)

    async def _disarm(self) -> None:
        standing = [one.report.id for one in self._desk.standing]
        if not standing:
            await self._arm(0)
        else:
            self._log.warning("the dead man's switch stays armed", exchange=self.name, standing=standing)

    # -- modes and margin

    async def prepare(
        self,
        instruments: Sequence[Instrument],
        *,
        position_mode: PositionMode | None,
        margin_mode: MarginMode | None,
        leverage: Decimal | None,
    ) -> None:
        """What the config asks for; from here on the account's news of these markets comes."""
        for one in instruments:
            self._trade_in(one)

        async def count() -> int:
            return len(await self.open_orders())

        await self._account.prepare(instruments, position_mode, margin_mode, leverage, count)

    def set_position_mode(self, mode: PositionMode) -> None:
        """What comes of it is told by `on_position_mode`."""
        if not self.capabilities.hedge_mode:
            raise Unsupported(f"{self.name} offers no hedge mode")
        self._do(self._switch(mode))

    async def _switch(self, mode: PositionMode) -> None:
        previous, reason = self._account.mode, ""
        self._asked_mode = mode
        try:
            if mode is not previous:
                await self._account.switch_mode(mode)
        except ExchangeError as error:
            reason = error.message
        finally:
            self._asked_mode = None
        self._tell_mode(previous, mode, "strategy", reason)

    async def _look_at_mode(self) -> None:
        """The mode of an account is told by nobody: it is asked for now and then."""
        if not self._client.has("fetchPositionMode") or self._asked_mode is not None:
            return
        previous = self._account.mode
        found = await self._account.read_mode()
        if self._asked_mode is None and found is not previous:
            self._account.mode = found
            if self._told_up:
                self._tell_mode(previous, found, "exchange", "")

    def _tell_mode(self, previous: PositionMode, requested: PositionMode, origin: str, reason: str) -> None:
        mode, ts = self._account.mode, self._connection.market_clock.now()
        change = PositionModeChange(self.name, self.account, mode, previous, requested, origin, reason, ts)
        self._tell("on_position_mode", change)

    def set_leverage(self, instrument: Instrument, leverage: float, side: PositionSide = PositionSide.NET) -> None:
        """In the margin mode in force; 0 is cross margin."""
        if not self.capabilities.leverage:
            raise Unsupported(f"{self.name} sets no leverage, as far as ccxt knows")
        self._account.set_leverage(instrument, leverage, side)

    def set_margin_mode(self, instrument: Instrument, mode: MarginMode, side: PositionSide = PositionSide.NET) -> None:
        """Cross or isolated."""
        self._account.set_margin_mode(instrument, mode, side)

    def transfer_margin(self, instrument: Instrument, amount: int, side: PositionSide = PositionSide.NET) -> None:
        """Of an isolated position."""
        self._account.transfer_margin(instrument, amount, side)

    # -- what is heard

    def _hear_orders(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._desk.hear(row)
        self._place_held()

    def _hear_balance(self, row: Row) -> None:
        for wallet in self._account.hear(row):
            self._tell("on_balance", wallet)

    def _hear_trades(self, rows: Sequence[Row]) -> None:
        for row in rows:
            instrument = self._by_unified.get(str(row.get("symbol") or ""))
            if instrument is None:
                continue
            owner = self._owner(row)
            if owner is None:
                if not self._held:
                    self._do(self._wait_for_owners())
                self._held.append((row, instrument))
            else:
                self._book(row, instrument, owner)

    def _place_held(self) -> None:
        held, self._held = self._held, []
        for row, instrument in held:
            owner = self._owner(row)
            if owner is None:
                self._held.append((row, instrument))
            else:
                self._book(row, instrument, owner)

    async def _wait_for_owners(self) -> None:
        """A trade can be told before the answer to its order: it waits a moment, and then its order is asked for."""
        await asyncio.sleep(HELD_SECONDS)
        while self._desk.in_flight and self._held:
            self._place_held()
            await asyncio.sleep(HELD_SECONDS)
        try:
            await self._know_owners([row for row, _ in self._held], self._client.server_now())
        except ExchangeError as error:
            self._log.info("the order of a trade cannot be looked up", exchange=self.name, reason=error.message)
        self._place_held()
        held, self._held = self._held, []
        for row, instrument in held:
            self._book(row, instrument, _NOBODY)

    def _book(self, row: Row, instrument: Instrument, owner: Owner) -> None:
        execution = self._fills.execution(row, instrument, owner)
        if execution is not None and self._fills.is_new(execution):
            self._tell("on_fill", execution)
            self._news.poke("balance")

    def _on_grown(self, report: OrderReport, before: int, row: Row, request: OrderRequest | None) -> None:
        """An order's filled quantity has grown: its trades are on their way, or have to be asked for, or made."""
        if self._tells_trades:
            self._news.poke("trades")
        elif (made := self._fills.difference(before, report, row, request)) is not None:
            self._tell("on_fill", made)
        else:
            self._do(self._ask_for_a_price(report, request))
        self._news.poke("balance")

    async def _ask_for_a_price(self, report: OrderReport, request: OrderRequest | None) -> None:
        """A venue that tells no trades may tell first how much of an order has filled, and later at which price."""
        for pause in _PRICE_LOOKS:
            await asyncio.sleep(pause)
            if self._fills.is_booked(report):
                return
            try:
                row = await self._lookup.by_exchange_id(report.exchange_id, report.instrument)
            except ExchangeError:
                continue  # it is out of reach, and asked again
            if row is not None and (made := self._fills.difference(0, report, row, request)) is not None:
                self._tell("on_fill", made)
                return
        self._log.error("a fill without a price cannot be booked", exchange=self.name, order=report.id)

    async def _poll_trades(self) -> None:
        """Trades since shortly before the last look."""
        since = self._client.server_now() - MINUTE
        for symbol, params in self._lookup.questions("fetchMyTrades"):
            rows = await self._trade_rows(symbol, params, since)
            self._hear_trades(rows)

    async def _look_at_terms(self) -> None:
        await self._look_at_mode()
        for execution in await self._fundings(self._client.server_now() - 10 * MINUTE):
            if self._fills.is_new(execution):
                self._tell("on_fill", execution)

    async def _fundings(self, since: int) -> list[Execution]:
        """What fundings paid, as far as the venue keeps a history of them."""
        if self._client.has("fetchFundingHistory") is not True:
            return []
        found = []
        for symbol, params in self._lookup.questions("fetchFundingHistory"):
            one = self._by_unified.get(symbol or "")
            if one is not None and one.is_spot:
                continue
            rows = await self._client.call("fetch_funding_history", symbol, since // 1_000_000, **params)
            if rows and self._client.has("fetchPositions"):
                await self._account.positions()
            for row in rows:
                instrument = self._by_unified.get(str(row.get("symbol") or symbol or ""))
                if instrument is not None and (paid := self._paid(row, instrument)) is not None:
                    found.append(paid)
        return found

    def _paid(self, row: Row, instrument: Instrument) -> Execution | None:
        """A funding with the position it was paid on: the one of now, for its history does not say."""
        legs = {side: units for (market, side), units in self._account.held.items() if market == instrument}
        side = leg_of(row) or next(iter(legs), PositionSide.NET)
        return self._fills.funding(row, instrument, legs.get(side, 0), side if side in legs else PositionSide.NET)

    def _price_of(self, instrument: Instrument, code: str) -> float | None:
        """What 1 of a currency is worth in an instrument's settlement currency, by a market between the two."""
        for one in self._instruments.values():
            if one.is_spot and one.base == code and one.settle.code == instrument.settle.code:
                return self.last_price(one)
        return None

    # -- inside

    def _tell_order(self, report: OrderReport) -> None:
        self._tell("on_order", report)
        if self._held:
            self._place_held()
        if report.filled_units == 0 and not report.status.is_final:
            self._news.poke("orders")

    def _tell(self, what: str, value: object) -> None:
        if self._listener is not None:
            getattr(self._listener, what)(value)

    def _do(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task whose failure ends the run, with a word on why."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._log.error(f"{self.name} failed", exc_info=error)
            self._on_end(error if isinstance(error, HbkitError) else HbkitError(f"{type(error).__name__}: {error}"))


_NOBODY = Owner("", PositionSide.NET)
"""Of trades that belong to no order of ours."""


@cache
def connector_of(venue: str) -> type[CcxtExchange]:
    """The connector of one of ccxt's exchanges."""
    return type(f"Ccxt_{venue}", (CcxtExchange,), {"venue": venue, "__module__": __name__})


def __getattr__(name: str) -> type[CcxtExchange]:
    if name.startswith("_") or name not in ids():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return connector_of(name)
