"""Plays a flow on the engine and on the reference side by side, and says where they first part.

`check(flow)` returns the empty text, or what went wrong; `shrink(flow)` drops events for as long as it still does.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction

import msgspec

from hbkit.matching import BUILT_IN, Account, Engine, EngineOrder
from hbkit.model import (
    Execution,
    ExecutionKind,
    OrderReport,
    OrderRequest,
    OrderStatus,
    OrderType,
    PositionMode,
    PositionSide,
    Side,
    TimeInForce,
    TriggerBy,
    TriggerKind,
)
from hbkit.model.order import can_move
from tests.matching.flows import USDT, XBT, Flow
from tests.matching.reference import RefAccount, Reference, RefMarket

SIDES = {1: Side.BUY, -1: Side.SELL}


class Parted(Exception):
    """Engine and reference disagree, or an invariant is broken."""


class Play:
    """One flow on both engines, event by event."""

    def __init__(self, flow: Flow) -> None:
        setting = flow.setting
        self.flow = flow
        self.reference = Reference()
        counter = itertools.count()
        self.engine = Engine(lambda: str(next(counter)))
        self.markets = [
            self.engine.add_market(instrument, BUILT_IN[setting.model](), has_book=feed in ("levels", "quotes"))
            for instrument, feed in zip(setting.instruments, setting.feeds, strict=True)
        ]
        for market in self.markets:
            symbol = market.instrument.symbol
            other = RefMarket(market.instrument, setting.model, market.has_book)
            market.counts_own_trades = other.counts_own_trades = setting.own_trades and market.has_book
            self.reference.markets[symbol] = other
        self.accounts: list[Account] = []
        for number, balances in enumerate(setting.balances):
            money = {XBT: balances["XBT"], USDT: balances["USDT"]}
            mode, name = setting.modes[number], f"account {number}"
            self.accounts.append(
                Account(name, money, self.engine.reference_price, mode=mode, leverage=setting.leverage)
            )
            self.engine.add_account(self.accounts[-1])
            self.reference.accounts[name] = RefAccount(name, dict(balances), mode, setting.leverage)
        self.executions: list[Execution] = []
        self.reports: dict[str, OrderReport] = {}
        self.nothing_may_happen = False
        self.candle_opened = [0 for _ in self.markets]
        self.reference_seen = self.before_event = 0

    def run(self) -> None:
        """Play it all; raises Parted at the first difference."""
        for ts, event in self.flow.events:
            before = self._positions()
            self.engine.at(ts)
            self.reference.at(ts)
            self.before_event = len(self.engine.out)  # a second that began may have moved triggers
            getattr(self, "_" + event[0])(ts, *event[1:])
            self.engine.release()
            self.reference.release()
            self._compare(before)
        self._check_money()

    # -- events

    def _level(self, ts: int, number: int, sign: int, ticks: int, units: int) -> None:
        market = self._at(ts, number)
        market.level(SIDES[sign], ticks, units)
        self.reference.level(market.instrument.symbol, sign, ticks, units)

    def _quote(self, ts: int, number: int, bid: int | None, bid_units: int, ask: int | None, ask_units: int) -> None:
        market = self._at(ts, number)
        market.quote(bid, bid_units, ask, ask_units)
        self.reference.quote(market.instrument.symbol, bid, bid_units, ask, ask_units)

    def _print(self, ts: int, number: int, ticks: int, units: int, taker: int) -> None:
        market = self._at(ts, number)
        self._outside_the_horizon(number, ticks, ticks)
        market.print(ticks, units, taker)
        self.reference.print(market.instrument.symbol, ticks, units, taker)

    def _open(self, ts: int, number: int, ticks: int) -> None:
        market = self._at(ts, number)
        self._outside_the_horizon(number, ticks, ticks)
        market.open(ticks)
        self.reference.open(market.instrument.symbol, ticks)
        self.candle_opened[number] = ts

    def _candle(self, ts: int, number: int, low: int, high: int, close: int) -> None:
        market = self._at(ts, number)
        self._outside_the_horizon(number, low, high)
        market.candle(self.candle_opened[number], low, high, close)
        self.reference.candle(market.instrument.symbol, self.candle_opened[number], low, high, close)
        self.candle_opened[number] = ts

    def _mark(self, ts: int, number: int, price: float, index: float | None) -> None:
        market = self._at(ts, number)
        market.marked(price, index)
        self.reference.mark(market.instrument.symbol, price, index)

    def _fund(self, ts: int, number: int, rate: float) -> None:
        market = self._at(ts, number)
        if market.instrument.is_spot:
            return
        self.engine.fund(market.instrument, rate, ts)
        self.reference.fund(market.instrument.symbol, rate)

    def _mode(self, ts: int, number: int, word: str) -> None:
        mode = PositionMode(word)
        done = not self.accounts[number].switch_mode(mode)
        if done != self.reference.switch_mode(self._other(number), mode):
            raise Parted(f"switch to {mode}: engine {'did' if done else 'refused'}, reference did not agree")

    def _submit(
        self, ts: int, account: int, number: int, order: int, sign: int, leg: str, units: int, ticks: int | None,
        tif: str, post_only: bool, reduce_only: bool, is_market: bool, display: int | None,
        trigger: tuple[str, str, int | None, int | None] | None,
    ) -> None:  # fmt: skip
        request = OrderRequest(
            id=f"o{order}",
            instrument=self.markets[number].instrument,
            side=SIDES[sign],
            position_side=PositionSide(leg),
            type=OrderType.MARKET if is_market else OrderType.LIMIT,
            units=units,
            ticks=ticks,
            time_in_force=TimeInForce(tif),
            post_only=post_only,
            reduce_only=reduce_only,
            display_units=display,
        )
        if trigger is not None:
            kind, by, at, trail = trigger
            request = msgspec.structs.replace(
                request, trigger_kind=TriggerKind(kind), trigger_by=TriggerBy(by) if by else None, trigger_ticks=at,
                trail_ticks=trail,
            )  # fmt: skip
        self.engine.submit(self.accounts[account], request, ts)
        self.reference.submit(self._other(account), request, ts)

    def _amend(
        self, ts: int, account: int, order: int, ticks: int | None, units: int | None, trigger: int | None
    ) -> None:
        self.engine.amend(self.accounts[account], f"o{order}", ts, ticks=ticks, units=units, trigger_ticks=trigger)
        self.reference.amend(self._other(account), f"o{order}", ts, ticks, units, trigger)

    def _cancel(self, ts: int, account: int, order: int) -> None:
        self.engine.cancel(self.accounts[account], f"o{order}", ts)
        self.reference.cancel(self._other(account), f"o{order}")

    def _at(self, ts: int, number: int):  # type: ignore[no-untyped-def]
        self.engine.at(ts)
        return self.markets[number]

    def _other(self, number: int) -> RefAccount:
        return self.reference.accounts[f"account {number}"]

    def _outside_the_horizon(self, number: int, low: int, high: int) -> None:
        """Remember what `horizon()` promises of a trade between the touches; `_compare` holds it to that."""
        horizon = self.engine.horizon()[self.markets[number].instrument]
        below, above = max(horizon.buy_touch, horizon.trigger_below), min(horizon.sell_touch, horizon.trigger_above)
        self.nothing_may_happen = below < low and high < above

    # -- the same on both sides?

    def _compare(self, before: dict[tuple[str, str, PositionSide], int]) -> None:
        events, self.engine.out = self.engine.out, []
        promised, self.nothing_may_happen = self.nothing_may_happen, False
        if promised and events[self.before_event :]:
            raise Parted("something happened between the touches of horizon()")
        trades = [event for event in events if isinstance(event, Execution) and event.kind is ExecutionKind.TRADE]
        ours = [
            (execution.order_id, execution.instrument.ticks(execution.price), execution.units,
             execution.liquidity.value, execution.fee, execution.cost)
            for execution in trades
        ]  # fmt: skip
        theirs = [fill[1:] for fill in self.reference.fills[self.reference_seen :]]
        self.reference_seen = len(self.reference.fills)
        if ours != theirs:
            raise Parted(f"fills (order, ticks, units, liquidity, fee, cost)\n  engine    {ours}\n  reference {theirs}")
        refused = [(event.refused, event.id) for event in events if isinstance(event, OrderReport) and event.refused]
        expected = [(what, order_id) for what, _, order_id in self.reference.refused]
        self.reference.refused.clear()
        if refused != expected:
            reasons = [event.reason for event in events if isinstance(event, OrderReport) and event.refused]
            raise Parted(f"refusals\n  engine    {refused} {reasons}\n  reference {expected}")
        self._check_reports([event for event in events if isinstance(event, OrderReport) and event.exchange_id])
        self.executions += [event for event in events if isinstance(event, Execution)]
        self._compare_orders()
        self._compare_accounts()
        self._check_reduce_only(before, trades)

    def _check_reports(self, reports: list[OrderReport]) -> None:
        """An order goes from status to status by legal moves alone, and what it filled never shrinks."""
        for report in reports:
            before = self.reports.get(report.exchange_id)
            status = before.status if before is not None else OrderStatus.PENDING
            filled = before.filled_units if before is not None else 0
            if report.status is not status and not can_move(status, report.status):
                raise Parted(f"{report.id} went from {status} to {report.status}")
            if not filled <= report.filled_units <= report.units:
                raise Parted(f"{report.id} of {report.units}: filled {filled}, then {report.filled_units}")
            self.reports[report.exchange_id] = report

    def _compare_orders(self) -> None:
        ours = [self._order_row(order) for account in self.accounts for order in account.orders.values()]
        theirs = [
            (
                order.owner.name,
                order.request.id,
                order.status.value,
                order.ticks,
                order.units,
                order.filled,
                order.trigger,
            )
            for account in self.reference.accounts.values()
            for order in account.orders
        ]
        if sorted(map(str, ours)) != sorted(map(str, theirs)):
            raise Parted(f"open orders\n  engine    {sorted(map(str, ours))}\n  reference {sorted(map(str, theirs))}")
        standing = {id(order) for market in self.markets for order in market.orders()}
        listed = {id(order) for account in self.accounts for order in account.orders.values()}
        if standing != listed:
            raise Parted("orders in the market are not the orders of the accounts")

    @staticmethod
    def _order_row(order: EngineOrder) -> tuple[object, ...]:
        if not 0 <= order.filled < order.units and not (order.status == "untriggered" and order.units == 0):
            raise Parted(f"{order.request.id} filled {order.filled} of {order.units} and still open")
        return (
            order.account, order.request.id, order.status.value, order.ticks, order.units, order.filled, order.trigger,
        )  # fmt: skip

    def _compare_accounts(self) -> None:
        for account in self.accounts:
            other = self.reference.accounts[account.name]
            cash = {code: account.cash.get(code, 0) for code in ("USDT", "XBT")}
            if cash != {code: other.cash.get(code, 0) for code in cash}:
                raise Parted(f"cash of {account.name}\n  engine    {cash}\n  reference {other.cash}")
            free = {code: account.wallet(code).available for code in ("USDT", "XBT")}
            theirs = {code: self.reference.free(other, code) for code in free}
            if free != theirs:
                raise Parted(f"free money of {account.name}\n  engine    {free}\n  reference {theirs}")
            legs = {(leg.instrument.symbol, side): [leg.units, leg.cost] for side, leg in account.legs() if leg.units}
            if legs != {key: leg for key, leg in other.legs.items() if leg[0]}:
                raise Parted(f"positions of {account.name}\n  engine    {legs}\n  reference {other.legs}")

    # -- what must always hold

    def _positions(self) -> dict[tuple[str, str, PositionSide], int]:
        return {
            (account.name, leg.instrument.symbol, side): leg.units
            for account in self.accounts
            for side, leg in account.legs()
        }

    def _check_reduce_only(self, positions: dict[tuple[str, str, PositionSide], int], trades: list[Execution]) -> None:
        """Walk the fills of one step: what may only reduce never takes a leg away from zero nor past it."""
        fills = self.reference.fills[self.reference_seen - len(trades) :]
        owners = [str(fill[0]) for fill in fills]
        for owner, execution in zip(owners, trades, strict=True):
            key = (owner, execution.instrument.symbol, execution.position_side)
            signed = execution.units * execution.side.sign
            held = positions.get(key, 0)
            positions[key] = held + signed
            order = self._request(owner, execution.order_id)
            closing = {PositionSide.LONG: Side.SELL, PositionSide.SHORT: Side.BUY}.get(execution.position_side)
            if (order.reduce_only or execution.side is closing) and not abs(held + signed) == abs(held) - abs(signed):
                raise Parted(f"{execution.order_id} may only reduce but took {key} from {held} to {held + signed}")
            if execution.position_side is PositionSide.LONG and held + signed < 0:
                raise Parted(f"the long leg of {owner} went to {held + signed}")
            if execution.position_side is PositionSide.SHORT and held + signed > 0:
                raise Parted(f"the short leg of {owner} went to {held + signed}")

    def _request(self, owner: str, order_id: str) -> OrderRequest:
        found = [o for o in self.reference.all_orders if o.owner.name == owner and o.request.id == order_id]
        return found[-1].request

    def _check_money(self) -> None:
        """Nothing is lost: what accounts have, less what positions cost, is what they paid in and what others paid.

        Of a leg, cost = sum of its executions' costs + what it realized, to the unit and whatever was rounded, because
        a close takes as much out of the cost as it books. Hence for derivatives, over all accounts,

            cash - cost of legs + fees - funding = deposits - costs of all executions

        and the costs of executions between accounts cancel, so that the last term is what the outside paid. Spot pays
        cost instead of booking profit: quote cash + fees = deposits - costs, base cash = deposits + units.
        """
        for code in ("XBT", "USDT"):
            deposits = sum(balances[code] for balances in self.flow.setting.balances)
            cash = sum(account.cash.get(code, 0) for account in self.accounts)
            fees = sum(account.fees[code] for account in self.accounts)
            funding = sum(account.funding[code] for account in self.accounts)
            legs = sum(
                leg.cost
                for account in self.accounts
                for _, leg in account.legs()
                if leg.instrument.settle.code == code and not leg.instrument.is_spot
            )
            outside = sum(
                cost
                for symbol, cost in self.reference.outside_cost.items()
                if self.reference.markets[symbol].instrument.settle.code == code
            )
            bought = sum(
                int(-units * Fraction(self.reference.markets[symbol].instrument.unit_size) * 10**8)
                for symbol, units in self.reference.outside_units.items()
                if self.reference.markets[symbol].instrument.is_spot and code == "XBT"
            )
            if cash - legs + fees - funding != deposits + outside + bought:
                raise Parted(f"{code}: {cash=} {legs=} {fees=} {funding=} {deposits=} {outside=} {bought=}")
            self._check_identities(code)
        self._check_units()
        spot_only = all(market.instrument.is_spot for market in self.markets)
        if spot_only and any(amount < 0 for account in self.accounts for amount in account.cash.values()):
            raise Parted("a spot wallet is below zero")

    def _check_identities(self, code: str) -> None:
        """Per account and currency: start + realized + funding - fees = cash, as long as no spot was traded."""
        if any(execution.instrument.is_spot for execution in self.executions):
            return
        for account, balances in zip(self.accounts, self.flow.setting.balances, strict=True):
            expected = balances[code] + account.realized[code] + account.funding[code] - account.fees[code]
            if account.cash.get(code, 0) != expected:
                raise Parted(f"{account.name}: cash {account.cash.get(code, 0)} {code}, identity says {expected}")

    def _check_units(self) -> None:
        """Per market: what accounts hold, and what the outside gave, is nothing; positions are sums of executions."""
        for market in self.markets:
            symbol = market.instrument.symbol
            traded = sum(
                execution.units * execution.side.sign
                for execution in self.executions
                if execution.instrument is market.instrument and execution.kind is ExecutionKind.TRADE
            )
            held = sum(
                leg.units for account in self.accounts for _, leg in account.legs() if leg.instrument.symbol == symbol
            )
            if not traded == held == -self.reference.outside_units.get(symbol, 0):
                raise Parted(f"{symbol}: executions {traded}, positions {held}")


def check(flow: Flow) -> str:
    """What is wrong with the play of `flow`; the empty text when nothing is."""
    try:
        Play(flow).run()
    except Exception as error:  # noqa: BLE001 - whatever breaks is the finding
        return f"{type(error).__name__}: {error}"
    return ""


def shrink(flow: Flow, fails: Callable[[Flow], str] = check) -> Flow:
    """The flow with events dropped for as long as it still fails: first by halves, at last one by one."""
    events = list(flow.events)
    size = max(1, len(events) // 2)
    while True:
        at, dropped = 0, False
        while at < len(events):
            shorter = Flow(flow.seed, flow.setting, tuple(events[:at] + events[at + size :]))
            if fails(shorter):
                events, dropped = list(shorter.events), True
            else:
                at += size
        if size == 1 and not dropped:
            return Flow(flow.seed, flow.setting, tuple(events))
        size = max(1, size // 2)


def finding(flow: Flow) -> str:
    """A failing flow, made short, with what goes wrong in it."""
    short = shrink(flow)
    return f"{short.text()}\n{check(short)}\nagain: python -m tests.matching.campaign --flows 1 --seed {flow.seed}"
