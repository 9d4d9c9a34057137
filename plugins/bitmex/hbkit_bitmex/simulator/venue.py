"""The venue: markets, accounts, orders and executions on the engine; pure, without sockets and without a clock.

Whoever drives it calls `begin(ts, wall)`, then market events or requests, then `finish()`, which hands out what the
step changed as rows per table. Requests are in `trading`, what REST reads is in `reading`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import msgspec

from hbkit.chance import Chance
from hbkit.clock import HOUR, SECOND, iso, parse_time
from hbkit.errors import HbkitError
from hbkit.matching import BUILT_IN, Engine, EngineOrder
from hbkit.model import (
    Currency,
    Execution,
    ExecutionKind,
    Instrument,
    Liquidity,
    OrderReport,
    OrderStatus,
    PositionSide,
    Side,
)
from hbkit_bitmex import instruments
from hbkit_bitmex.simulator.accounts import LegKey, VenueAccount
from hbkit_bitmex.simulator.clearing import Clearing, position_keys
from hbkit_bitmex.simulator.listing import Listing, index_listing
from hbkit_bitmex.simulator.options import FIRST_ACCOUNT, STARTING_BALANCES
from hbkit_bitmex.simulator.orders import SUBMITTED, VenueOrder
from hbkit_bitmex.simulator.packed import PackedRows
from hbkit_bitmex.simulator.public import Index, PublicMarket
from hbkit_bitmex.simulator.refusals import insufficient
from hbkit_bitmex.simulator.retention import EXECUTIONS_KEPT, ORDERS_KEPT
from hbkit_bitmex.simulator.rows import (
    execution_row,
    margin_row,
    position_row,
    trade_row,
    wallet_row,
)
from hbkit_bitmex.simulator.step import Step, Update

Row = dict[str, Any]

LIFE = ("expiry", "settle", "timestamp")
"""Columns that are moved with the market's time."""
RISK_LIMIT = "Value of position and orders exceeds position Risk Limit"
SESSION_HOUR = 12 * HOUR
DAY_HOURS = 24 * HOUR
CANCELED_BY_USER = "Canceled\nCanceled via API."
CANCELED_BY_TIMER = "Canceled\nCanceled by cancelAllAfter."


class Venue:
    """Everything the exchange knows."""

    def __init__(self, chance: Chance, symbols: Sequence[str], moved: int = 0) -> None:
        """:param moved: by how much expiries are later than the recorded rows say, ns."""
        self._ids = chance.fork("ids")
        self._level_ids = chance.fork("levels")
        self._level_id = 1 << 36
        self.engine = Engine(self._ids.guid, self._refuse_triggered)
        self.currencies, self.minor = _currencies()
        self.asset_rows = [row for row in instruments.assets() if row["currency"] in STARTING_BALANCES]
        self.recorded: dict[str, Row] = {row["symbol"]: _moved(row, moved) for row in instruments.rows()}
        """The packaged instrument rows, by symbol."""
        self.markets: dict[str, PublicMarket] = self._open_markets(symbols)
        self.indices: dict[str, Index] = {}
        # Contracts first: their index is what their mark follows; a spot pair only lends its own where there is none.
        for market in sorted(self.markets.values(), key=lambda market: market.instrument.is_spot):
            row = self.recorded[market.symbol]
            if (name := row.get("referenceSymbol")) and name not in self.indices:
                self.indices[name] = market.index = Index(index_listing(name, row), market.digits)
        self.accounts: dict[int, VenueAccount] = {}
        self.orders: dict[str, VenueOrder] = {}
        self.orders_of: dict[int, list[VenueOrder]] = {}
        self.executions: dict[int, PackedRows] = {}
        self.clearing = Clearing(self)
        self.ts = 0
        self.wall = 0
        self.stamp = ""
        self._step = Step()
        self._touched: dict[PublicMarket, None] = {}
        self._to_test: dict[Instrument, None] = {}
        """Contracts whose backing changed in this step."""
        self._dirty_orders: dict[VenueOrder, None] = {}
        self._dirty_legs: dict[tuple[VenueAccount, LegKey], None] = {}
        self._dirty_margins: dict[tuple[VenueAccount, str], None] = {}
        self._dirty_wallets: dict[tuple[VenueAccount, str], None] = {}
        self._known_legs: dict[tuple[VenueAccount, LegKey], None] = {}
        self._print_match: str | None = None
        self._cancel_text: str | None = None
        self._next_expiry = 0
        self._entries = 0
        self.entering: VenueOrder | None = None
        """The order that is being placed or amended: only then can post-only end it."""
        self._ten_at: dict[PublicMarket, int] = {}

    def _open_markets(self, symbols: Sequence[str]) -> dict[str, PublicMarket]:
        recorded = self.recorded
        markets = {}
        for symbol in symbols:
            if symbol not in recorded:
                raise HbkitError(f"the simulator has no instrument row for {symbol}")
            instrument = instruments.instrument(recorded[symbol])
            market = self.engine.add_market(instrument, BUILT_IN["queue"](), has_book=True)
            market.counts_own_trades = True
            market.last_is_mark = instrument.is_spot  # a contract's trigger waits for its mark (18.3.3, 18.3.13)
            markets[symbol] = PublicMarket(instrument, market, recorded[symbol], self._new_level_id)
        return markets

    def _new_level_id(self) -> int:
        """Opaque, never used twice, below 2^53 for as long as a simulator lives (7.6)."""
        self._level_id += 1 + self._level_ids.getrandbits(12)
        return self._level_id

    def new_id(self) -> str:
        """A guid from the venue's own stream."""
        return self._ids.guid()

    # -- accounts

    def add_account(self, minor: Mapping[str, int] = STARTING_BALANCES) -> VenueAccount:
        """A user with these balances by minor code (those of 17.3), known by the next account number."""
        number = FIRST_ACCOUNT + len(self.accounts)
        balances = {self.currencies[code]: amount for code, amount in minor.items()}
        account = VenueAccount(number, balances, self.engine.reference_price, self._rate)
        self.engine.add_account(account)
        self.accounts[number] = account
        self.orders_of[number] = []
        self.executions[number] = PackedRows(EXECUTIONS_KEPT)
        return account

    def forget(self) -> None:
        """A restart without memory (18.7.11): no order, position or execution; balances as in the beginning.

        The markets stay as they are, and no id is ever given twice.
        """
        for order in self.standing():
            self.engine.cancel(self.accounts[order.account], order.order_id, self.ts)
            if order.ticks is not None:
                market = self.markets[order.instrument.symbol]
                market.board.touch(order.side, order.ticks)
                self._touched[market] = None
        self.engine.out.clear()
        self.orders.clear()
        for account in self.accounts.values():
            account.forget()
            self.orders_of[account.number].clear()
            self.executions[account.number].clear()
        for kept in (self._known_legs, self._dirty_orders, self._dirty_legs, self._dirty_margins, self._dirty_wallets):
            kept.clear()
        self._to_test.clear()
        self._next_expiry = 0
        self.clearing.forget()
        self.clearing.note_deposits()

    def _rate(self, instrument: Instrument) -> Fraction:
        return Fraction(repr(self.markets[instrument.symbol].ticker.rate))

    @property
    def fundings(self) -> list[Row]:
        """What was paid since the simulator began."""
        return self.clearing.fundings

    # -- a step

    def begin(self, ts: int, wall: int) -> None:
        """What follows happens at `ts` of the market; `wall` is what the admission's clock shows."""
        if ts != self.ts:
            self.ts = ts
            self.stamp = iso(ts)
        self.wall = wall
        self.engine.at(ts)
        if 0 < self._next_expiry <= ts:
            self._expire()

    def finish(self) -> list[Update]:
        """The step is over: what it changed, table by table."""
        # A fill may leave too little behind other positions: it takes from what they share, as a sale on spot does.
        while self._to_test:
            self.clearing.test(self._to_test.popitem()[0])
        self.release()
        step = self._step
        for order in self._dirty_orders:
            if (told := order.published()) is not None:
                step.add("order", told[0], told[1], order.account)
        self._dirty_orders.clear()
        self._publish_money(step)
        for market in self._touched:
            self._publish_market(step, market)
        self._touched.clear()
        return step.take()

    def _publish_money(self, step: Step) -> None:
        for account, (instrument, side) in self._dirty_legs:
            if not instrument.is_spot:
                self._publish_leg(step, account, instrument, side)
        for account, code in self._dirty_margins:
            step.add("margin", "update", self.margin(account, code), account.number)
        for account, code in self._dirty_wallets:
            step.add("wallet", "update", self.wallet(account, code), account.number)
        self._dirty_legs.clear()
        self._dirty_margins.clear()
        self._dirty_wallets.clear()

    def _publish_leg(self, step: Step, account: VenueAccount, instrument: Instrument, side: PositionSide) -> None:
        key = account, (instrument, side)
        action = "update" if key in self._known_legs else "insert"
        self._known_legs[key] = None
        step.add("position", action, self.position(account, instrument, side), account.number)

    def _publish_market(self, step: Step, market: PublicMarket) -> None:
        board = market.board
        changes = board.collect(self.stamp)
        if any(changes):
            step.extend("orderBookL2", changes)
            if board.window_wanted:
                step.extend("orderBookL2_25", board.collect_window(self.stamp))
            if (quote := market.quote(self.stamp)) is not None:
                step.add("quote", "insert", quote)
            self._publish_ten(step, market)
        for listing in (market.ticker, *((market.index.listing,) if market.index is not None else ())):
            if (row := listing.collect(self.stamp)) is not None:
                step.add("instrument", "update", row)

    def _publish_ten(self, step: Step, market: PublicMarket) -> None:
        """18.10.13: at most every 100 ms, and only if the ten levels changed."""
        if self.wall - self._ten_at.get(market, 0) < SECOND // 10:
            return
        ten = market.board.top_ten()
        if ten != market.board.ten:
            market.board.ten = ten
            self._ten_at[market] = self.wall
            step.add("orderBook10", "update", self.ten_row(market))

    def ten_row(self, market: PublicMarket) -> Row:
        """The whole ten levels, as each push holds them."""
        bids, asks = market.board.ten
        return {"symbol": market.symbol, "bids": bids, "asks": asks, "timestamp": self.stamp}

    def fresh_ten(self, market: PublicMarket) -> Row:
        """The ten levels as they stand, for a partial."""
        market.board.ten = market.board.top_ten()
        return self.ten_row(market)

    def forget_wall(self) -> None:
        """What was told at which time of the wall; another process has another clock."""
        self._ten_at.clear()

    # -- the market

    def touch(self, market: PublicMarket) -> None:
        """Its instrument row is to be told again."""
        self._touched[market] = None

    def level(self, market: PublicMarket, side: Side, ticks: int, units: int) -> None:
        """A level of the tape has a new size; while the market is halted that waits."""
        if market.is_halted:
            market.held[side, ticks] = units
            return
        market.market.level(side, ticks, units)
        market.board.touch(side, ticks)
        self._touched[market] = None
        if self.engine.out:
            self.drain()

    def outside_quote(self, market: PublicMarket, bid: int | None, bid_units: int, ask: int | None, units: int) -> None:
        """A tape without levels: its best bid and ask are the whole book."""
        for side in Side:
            for known in market.market.book.prices(side):
                market.board.touch(side, known)
        market.market.quote(bid, bid_units, ask, units)
        for side, ticks in ((Side.BUY, bid), (Side.SELL, ask)):
            if ticks is not None:
                market.board.touch(side, ticks)
        self._touched[market] = None
        if self.engine.out:
            self.drain()

    def book(self, market: PublicMarket, levels: Mapping[tuple[Side, int], int]) -> None:
        """The whole outside book, as units by side and ticks: what went away first, so that it never stands crossed."""
        known = market.market.book
        if market.is_halted:
            gone = {(side, ticks): 0 for side in Side for ticks in known.prices(side)}
            market.held = {**gone, **levels}
            return
        for side in Side:
            for ticks in [ticks for ticks in known.prices(side) if (side, ticks) not in levels]:
                self.level(market, side, ticks, 0)
        for (side, ticks), units in levels.items():
            if known.size(side, ticks) != units:
                self.level(market, side, ticks, units)

    def reopen(self, market: PublicMarket) -> None:
        """A halt is over: the book is as it would be by now, and what rests across it fills; then the mark."""
        market.is_halted = False
        held, market.held = market.held, {}
        market.ticker.set(state="Open")
        self._touched[market] = None
        for (side, ticks), units in sorted(held.items(), key=lambda level: level[1] > 0):
            self.level(market, side, ticks, units)
        mark, market.held_mark = market.held_mark, None
        if mark is not None:
            market.market.marked(*mark)
            self._mark_moved(market)

    def print(self, market: PublicMarket, side: Side, ticks: int, units: int, match_id: str | None = None) -> None:
        """A trade of the tape: told, and met by resting orders, which share its match id."""
        if market.is_halted:
            return
        match_id = match_id or self._ids.guid()
        self._step.add("trade", "insert", market.trade(self.ts, self.stamp, side, ticks, units, match_id))
        self._touched[market] = None
        market.market.print(ticks, units, side.sign)
        if self.engine.out:
            self._print_match = match_id
            self.drain()
            self._print_match = None

    def index(self, market: PublicMarket, value: float, fair: float | None = None, match_id: str | None = None) -> None:
        """The index moved, and the mark with it.

        :param fair: the fair price where that is no matter of funding: of a dated future.
        :param match_id: of the index's trade.
        """
        self._touched[market] = None
        if not market.instrument.is_spot:
            mark = market.ticker.marked(self.ts, value, fair)
            if market.is_halted:
                market.held_mark = mark, value
            else:
                market.market.marked(mark, value)
        if market.index is not None:
            row = market.index.set(self.ts, self.stamp, value, match_id or self._ids.guid())
            if row is not None:
                self._step.add("trade", "insert", row)
        self._mark_moved(market)

    def _mark_moved(self, market: PublicMarket) -> None:
        """8.3: what the mark alone changes is told at most once a second and row; then the liquidation test."""
        instrument = market.instrument
        for account in self.accounts.values():
            for side, leg in account.legs():
                if not leg.units or leg.instrument is not instrument:
                    continue
                session = account.session((instrument, side))
                if self.wall - session.told_at >= SECOND:
                    session.told_at = self.wall
                    self.touch_leg(account, instrument, side)
        self.clearing.sample(market)
        self.clearing.test(instrument)

    def minute(self, ts: int) -> None:
        """A minute's boundary: bins end, and whatever is due at this time of day."""
        for market in self.markets.values():
            if not market.is_asleep:
                for table, rows in market.close_bins(ts).items():
                    for row in rows:
                        self._step.add(table, "insert", row)
                self._touched[market] = None
            if 0 < market.ticker.funding_at <= ts:
                self.clearing.fund(market)
        for market in self.markets.values():
            if self.clearing.is_due(market):
                self.clearing.settle(market)
        if ts % DAY_HOURS == SESSION_HOUR:
            self.clearing.close_session()
        if ts % DAY_HOURS == 0:
            self._end_day_orders()

    def _end_day_orders(self) -> None:
        for account in self.accounts.values():
            for order in self.open_orders(account):
                if order.time_in_force == "Day":
                    self.cancel(order, f"Canceled: Order had timeInForce of Day\n{order.origin}")

    def _expire(self) -> None:
        """18.1.24: orders whose time is over."""
        waiting = [(account, order) for account in self.accounts.values() for order in self.open_orders(account)]
        for _, order in waiting:
            if 0 < order.expires <= self.ts:
                self.cancel(order, f"Canceled: Order expired\n{order.origin}")
        self._next_expiry = min((order.expires for _, order in waiting if order.expires > self.ts), default=0)

    def release(self) -> None:
        """The end of a step: what was triggered in it is let in, and what that triggers (18.3.4, 18.7)."""
        while self.engine.is_releasing:
            self.engine.release()
            self.drain()
        if self.engine.out:
            self.drain()

    def _refuse_triggered(self, inside: EngineOrder) -> str:
        """18.3.5: why an order that was triggered is rejected; risk limit, then balance, as for a new one."""
        order, account = self.orders[inside.request.id], self.accounts[int(inside.account)]
        if order.has("Close"):
            self.make_room(account, order, inside.units)
        request = msgspec.structs.replace(
            inside.request, units=inside.units, ticks=inside.ticks, trigger_ticks=None, trail_ticks=None
        )
        if self.engine.exceeds_risk_limit(account, request):
            return RISK_LIMIT
        short = self.engine.shortage(account, request)
        return insufficient(short[0], self.minor[short[1].code]).message if short is not None else ""

    def make_room(self, account: VenueAccount, closing: VenueOrder, units: int) -> None:
        """18.4.4: others of the side go when together with the Close they exceed the position; stops stay."""
        others = [
            order
            for order in self.open_orders(account)
            if order.instrument is closing.instrument
            and order.side is closing.side
            and order.position_side is closing.position_side
            and order is not closing
            and not order.waits
        ]
        position = abs(account.leg(closing.instrument, closing.position_side).units)
        if sum(order.leaves for order in others) + units > position:
            for order in others:
                self.cancel(order, f"Canceled: Order had execInst of Close\n{order.origin}")

    # -- orders

    def standing(self) -> list[VenueOrder]:
        """Every order of anybody that may still act."""
        return [order for order in self.orders.values() if order.is_open]

    def open_orders(self, account: VenueAccount) -> list[VenueOrder]:
        """In the order of entry."""
        found = [self.orders[order_id] for order_id in account.orders]
        return sorted(found, key=lambda order: order.entered)

    def cancel(self, order: VenueOrder, text: str) -> None:
        """Take an open order away with this text."""
        self._cancel_text = text
        self.engine.cancel(self.accounts[order.account], order.order_id, self.ts)
        self.drain()
        self._cancel_text = None

    def cancel_all_after(self, account: VenueAccount) -> None:
        """The dead man's switch fires: every open order, then it is disarmed (18.2.21)."""
        account.cancel_at = None
        for order in self.open_orders(account):
            self.cancel(order, CANCELED_BY_TIMER)

    def enter(self, order: VenueOrder) -> None:
        """Remember a new order and tell that it is new; the engine gets it next."""
        self._entries += 1
        order.entered = self._entries
        order.entered_ts = order.ts = self.ts
        order.leaves = order.qty
        if order.expires:
            self._next_expiry = min(self._next_expiry or order.expires, order.expires)
        self.orders[order.order_id] = order
        self.orders_of[order.account].append(order)
        self._drop_old_orders(self.orders_of[order.account])
        self.tell(order, "New")

    def _drop_old_orders(self, orders: list[VenueOrder]) -> None:
        """Those that are done, oldest first, where there are too many."""
        if len(orders) <= ORDERS_KEPT + ORDERS_KEPT // 10:
            return
        done = [order for order in orders if not order.is_open]
        gone = set(done[: len(done) - ORDERS_KEPT]) if len(done) > ORDERS_KEPT else set()
        orders[:] = [order for order in orders if order not in gone]
        for order in gone:
            del self.orders[order.order_id]
            self._dirty_orders.pop(order, None)

    def reject(self, order: VenueOrder, reason: str) -> None:
        """An order that was admitted and cannot be let in after all: the late refusal of 12.3."""
        self.enter(order)
        order.status, order.leaves, order.reject_reason = "Rejected", 0, reason
        self.tell(order, "Rejected")

    def tell(self, order: VenueOrder, kind: str) -> None:
        """An execution that moves no money."""
        order.ts = self.ts
        self.tell_execution(self.accounts[order.account], execution_row(order, kind, self._ids.guid()))
        self.touch_order(order)

    def publish(self, table: str, action: str, row: Row, account: int | None = None) -> None:
        """A row of this step."""
        self._step.add(table, action, row, account)

    def tell_execution(self, account: VenueAccount, row: Row) -> None:
        """An execution row, kept and told."""
        self.executions[account.number].append(row)
        self._step.add("execution", "insert", row, account.number)

    def touch_order(self, order: VenueOrder) -> None:
        """The order, what it locks and its level are to be told again."""
        self._dirty_orders[order] = None
        market = self.markets[order.instrument.symbol]
        if order.ticks is not None:
            market.board.touch(order.side, order.ticks)
            self._touched[market] = None
        self.touch_leg(self.accounts[order.account], order.instrument, order.position_side)

    def touch_leg(self, account: VenueAccount, instrument: Instrument, side: PositionSide) -> None:
        """A position and its margin are to be told again."""
        self._dirty_legs[account, (instrument, side)] = None
        self._dirty_margins[account, instrument.settle.code] = None
        if instrument.is_spot and instrument.base in account.currencies:
            # Of a coin that the account never had there is nothing to tell before the first fill.
            self._dirty_margins[account, instrument.base] = None

    def touch_money(self, account: VenueAccount, code: str, *, wallet: bool = False) -> None:
        """A currency's margin, and its wallet, are to be told again."""
        self._dirty_margins[account, code] = None
        if wallet:
            self._dirty_wallets[account, code] = None

    def flush_leg(self, account: VenueAccount, instrument: Instrument, side: PositionSide) -> None:
        """Tell a position at once, as it stands in the middle of the step."""
        self._publish_leg(self._step, account, instrument, side)

    def forget_legs(self, account: VenueAccount, instrument: Instrument) -> list[Row]:
        """The position rows of an instrument are no more; returns their keys."""
        settle = self.minor[instrument.settle.code]
        known = [key for key in self._known_legs if key[0] is account and key[1][0] is instrument]
        for key in known:
            del self._known_legs[key]
            self._dirty_legs.pop(key, None)
        return [dict(position_keys(account, instrument, side, settle)) for _, (_, side) in known]

    # -- what the engine did

    def drain(self) -> None:
        """Take over the engine's events, in their order."""
        events, self.engine.out = self.engine.out, []
        taker_match: str | None = None
        for event in events:
            order = self.orders[event.order_id if isinstance(event, Execution) else event.id]
            if isinstance(event, OrderReport):
                self._reported(order, event)
                continue
            if event.kind is not ExecutionKind.TRADE:
                continue
            taker_match = self._filled(order, event, taker_match)

    def _filled(self, order: VenueOrder, event: Execution, taker_match: str | None) -> str | None:
        """One side of a match; returns the match id that the other side, which follows, shares."""
        market = self.markets[order.instrument.symbol]
        ticks = order.instrument.ticks(event.price)
        maker = event.liquidity is Liquidity.MAKER
        match_id = (taker_match or self._print_match) if maker else None
        if match_id is None:
            match_id = self._ids.guid()
            taker = order.side.opposite if maker else order.side
            row = market.trade(self.ts, self.stamp, taker, ticks, event.units, match_id)
            self._step.add("trade", "insert", row)
            market.market.traded(ticks)
        order.add_fill(ticks, event.units)
        self._to_test |= dict.fromkeys(self.accounts[order.account].backed_by(order.instrument))
        order.ts = self.ts
        account = self.accounts[order.account]
        self.clearing.book(account, event, order.order_id)
        self.tell_execution(account, trade_row(order, event, ticks, match_id))
        market.board.touch(order.side if maker else order.side.opposite, ticks)
        self._touched[market] = None
        self.touch_order(order)
        return None if maker else match_id

    def _reported(self, order: VenueOrder, report: OrderReport) -> None:
        if report.refused:
            raise HbkitError(f"the engine refused what admission let through: {report.reason}")
        if report.triggered and not order.triggered:
            order.triggered = True
            order.text = f"Triggered: Order stopPx reached\n{order.origin}"
            order.stop_ticks = report.trigger_ticks
            if not order.qty:
                order.qty = order.leaves = report.units  # 18.3.7: a Close without quantity
            self.tell(order, "TriggeredOrActivatedBySystem")
        if report.status is OrderStatus.REJECTED and order.is_open:
            order.status, order.leaves, order.reject_reason = "Rejected", 0, report.reason
            self.tell(order, "Rejected")
        elif report.trigger_ticks != order.stop_ticks and order.waits:
            moved, order.stop_ticks = order.stop_ticks is not None, report.trigger_ticks
            if moved and self.entering is not order:
                self.tell(order, "Replaced")  # 18.3.10
            else:
                self.touch_order(order)
        elif report.status is OrderStatus.CANCELED and order.is_open:
            order.status, order.leaves = "Canceled", 0
            order.text = self._cancel_text or _why_canceled(
                order, entering=self.entering is order, reason=report.reason
            )
            self.tell(order, "Canceled")
        elif report.units != order.qty and order.is_open:
            # 18.4.2: a reduce-only order that stands for more than what is left is amended down.
            order.qty = report.units
            order.leaves = order.qty - order.filled
            order.text = f"Amended orderQty\n{order.origin}"
            self.tell(order, "Replaced")
        else:
            self.touch_order(order)

    # -- rows

    def position(self, account: VenueAccount, instrument: Instrument, side: PositionSide) -> Row:
        """A position's full row."""
        leg, mark = account.leg(instrument, side), self.engine.reference_price(instrument)
        return position_row(account, leg, side, mark, self.minor[instrument.settle.code], self.ts)

    def positions(self, account: VenueAccount) -> list[Row]:
        """Every row there is: traded, with open orders, or with a leverage."""
        return [self.position(owner, *leg) for owner, leg in self._known_legs if owner is account]

    def margin(self, account: VenueAccount, code: str) -> Row:
        """One currency's margin row."""
        value = 0
        for _, leg in account.legs():
            price = self.engine.reference_price(leg.instrument)
            if leg.units and leg.instrument.settle.code == code and not leg.instrument.is_spot and price is not None:
                value += leg.instrument.value(abs(leg.units), price)
        return margin_row(account, code, self.minor[code], value, self.ts)

    def wallet(self, account: VenueAccount, code: str) -> Row:
        """One currency's wallet row."""
        return wallet_row(account, code, self.minor[code], self.ts)

    def instrument_rows(self, symbols: Iterable[str] | None = None) -> list[Row]:
        """Rows of `/instrument` in alphabetical order."""
        return [dict(listing.row) for symbol, listing in sorted(self.listings().items()) if _within(symbol, symbols)]

    def listings(self) -> dict[str, Listing]:
        """Every instrument and index."""
        return {
            **{symbol: market.ticker for symbol, market in self.markets.items()},
            **{symbol: index.listing for symbol, index in self.indices.items()},
        }


def _moved(row: Row, by: int) -> Row:
    """A recorded row whose life ends later."""
    if not by:
        return row
    return {**row, **{column: iso(parse_time(row[column]) + by) for column in LIFE if column in row}}


def _within(symbol: str, wanted: Iterable[str] | None) -> bool:
    return wanted is None or symbol in wanted


def _why_canceled(order: VenueOrder, *, entering: bool, reason: str = "") -> str:
    """12.4: the engine ended it, and its own instructions say why."""
    if order.has("ParticipateDoNotInitiate") and (entering or reason.startswith("post-only")):
        reason = "Order had execInst of ParticipateDoNotInitiate"
    elif order.time_in_force in ("ImmediateOrCancel", "FillOrKill") and not reason.startswith("reduce-only"):
        reason = f"Order had timeInForce of {order.time_in_force}"
    else:
        reason = f"Order had execInst of {'Close' if order.has('Close') else 'ReduceOnly'}"
    return f"Canceled: {reason}\n{order.origin}"


def _currencies() -> tuple[dict[str, Currency], dict[str, str]]:
    """Currency by minor code, and minor code by major."""
    minor = {row["majorCurrency"]: row["currency"] for row in instruments.assets()}
    return {code: currency for code, currency in instruments.currencies().items() if code in minor.values()}, minor


__all__ = ["CANCELED_BY_USER", "SUBMITTED", "Venue"]
