"""An account at our own matching engine, behind the connector contract: requests reach it after the latency.

What moves the market is added by those who know it: recorded rows in replay, a connector's feed on paper. What is told
of it is what a venue tells: trades, then what they did to our orders, then the book with our orders in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from hbkit.agenda import Scheduler, Turn
from hbkit.clock import HOUR, Clock
from hbkit.exchange import Channel, Exchange, Listener, no_legs
from hbkit.log import get_logger
from hbkit.matching import Account, Engine, Market
from hbkit.matching.margin import Refused
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
    TimeInForce,
    Trade,
    TriggerBy,
    Wallet,
)
from hbkit.simulated.guard import Guard
from hbkit.simulated.own import OwnTrades, public
from hbkit.simulated.settlement import Settlements
from hbkit.simulated.shown import Shown
from hbkit.simulated.way import Way, Wish

DAY = 24 * HOUR


class EngineExchange(Exchange):
    """One account at the engine; `name` and the markets are the subclass's to fill in."""

    def __init__(
        self, name: str, account: Account, engine: Engine, *, clock: Clock, scheduler: Scheduler, latency: int = 0
    ) -> None:
        """
        :param latency: what a request needs to reach the engine, ns.
        """
        self.name = name
        self.account = account.name
        self.latency = latency
        self._engine = engine
        self._account = account
        self._clock = clock
        self._scheduler = scheduler
        self._listener: Listener | None = None
        self._markets: dict[Instrument, Market] = {}
        self._subscribed: set[tuple[Instrument, Channel]] = set()
        self._book_depth = 0
        self._shown: dict[Instrument, Shown] = {}
        """The markets whose book or quote somebody wants to hear of."""
        self._own = OwnTrades()
        self._way = Way(
            engine,
            account,
            clock=clock,
            scheduler=scheduler,
            arrival=self._arrival,
            soon=self._call_soon,
            on_arrived=self._arrived,
            on_withdrawn=self._tell_order,
        )
        engine.add_account(account)
        self._guard = Guard(engine, account)
        self._settlements = Settlements(engine, account)
        self._log = get_logger("hbkit")

    # -- what is known

    def wallets(self) -> list[Wallet]:
        """The account's money."""
        return self._account.wallets()

    @property
    def position_mode(self) -> PositionMode:
        """The mode in force."""
        return self._account.mode

    def reference_price(self, instrument: Instrument) -> float | None:
        """Mark, else last trade, else middle."""
        return self._engine.reference_price(instrument)

    def last_price(self, instrument: Instrument) -> float | None:
        """The last print, else the reference price."""
        market = self._markets.get(instrument)
        last = market.last if market is not None else None
        return instrument.price(last) if last is not None else self.reference_price(instrument)

    def present_price(self, instrument: Instrument, by: TriggerBy) -> float | None:
        """What triggers look at now."""
        market = self._markets.get(instrument)
        return market.price_of(by) if market is not None else None

    def instruments(self) -> Mapping[str, Instrument]:
        """Those that have a market here."""
        return {instrument.symbol: instrument for instrument in self._markets}

    # -- acting

    def submit(self, request: OrderRequest) -> None:
        """Reaches the engine after the latency."""
        if request.time_in_force is TimeInForce.DAY:
            arrival = self._arrival()
            self._scheduler.at(arrival - arrival % DAY + DAY, self._end_day)
        self._way.submit(request)

    def amend(
        self,
        order_id: str,
        *,
        ticks: int | None = None,
        units: int | None = None,
        trigger_ticks: int | None = None,
    ) -> None:
        """Reaches the engine after the latency."""
        self._way.amend(order_id, Wish(ticks, units, trigger_ticks))

    def cancel(self, order_id: str) -> None:
        """Reaches the engine after the latency."""
        self._way.cancel(order_id)

    @property
    def is_placing(self) -> bool:
        """Whether an order is on its way; a cancel of it is sent when it has arrived."""
        return self._way.is_placing

    def set_leverage(self, instrument: Instrument, leverage: float, side: PositionSide = PositionSide.NET) -> None:
        """Reaches the engine after the latency; refused where it cannot be paid for."""
        self._terms(instrument, lambda: self._account.set_leverage(instrument, leverage, _one(side)))

    def set_margin_mode(
        self, instrument: Instrument, mode: MarginMode, side: PositionSide = PositionSide.NET
    ) -> None:
        """Reaches the engine after the latency; refused where it cannot be paid for."""
        self._terms(instrument, lambda: self._account.set_margin_mode(instrument, mode, _one(side)))

    def transfer_margin(self, instrument: Instrument, amount: int, side: PositionSide = PositionSide.NET) -> None:
        """Reaches the engine after the latency; refused where there is no isolated position, or not the money."""
        self._terms(instrument, lambda: self._account.transfer_margin(instrument, side, amount))

    def _terms(self, instrument: Instrument, change: Callable[[], Refused | None]) -> None:
        """Change how a position's margin is reckoned; what is refused is said in the log."""

        def act() -> None:
            try:
                refused = change()
            except ValueError as error:
                self._log.warning("margin not changed", instrument=instrument.symbol, reason=str(error))
                return
            if refused is not None:
                currency = instrument.settle
                reason = (
                    "the mark is past the liquidation price that would follow"
                    if refused.would_liquidate
                    else f"needs {currency.text(refused.missing)} {currency} more than is free"
                )
                self._log.warning("margin not changed", instrument=instrument.symbol, reason=reason)
            elif self._listener is not None:
                self._listener.on_balance(self._account.wallet(instrument.settle.code))

        self._scheduler.at(self._arrival(), act, Turn.REQUEST)

    def set_position_mode(self, mode: PositionMode) -> None:
        """Reaches the engine after the latency; refused while orders are open."""
        self._scheduler.at(self._arrival(), partial(self._switch, mode), Turn.REQUEST)

    def _end_day(self) -> None:
        """00:00 UTC: what was good for the day goes."""
        self._engine.end_day(self._clock.now())
        self.settle()

    def _call_soon(self, call: Callable[[], None]) -> None:
        """Call at this instant, when everybody has heard of the present event."""
        self._scheduler.at(self._clock.now(), call)

    def _arrival(self) -> int:
        """When a request that is sent now reaches the engine."""
        return self._clock.now() + self.latency

    def _arrived(self) -> None:
        """A request of ours was acted on."""
        self._note_own_trades(0)
        self.settle(ours=True)

    def _tell_order(self, report: OrderReport) -> None:
        if self._listener is not None:
            self._listener.on_order(report)

    def _switch(self, mode: PositionMode) -> None:
        previous, before = self._account.mode, dict(self._account.cash)
        reason = self._unfit(mode) or self._account.switch_mode(mode)
        if self._listener is not None:
            change = PositionModeChange(
                exchange=self.name,
                account=self.account,
                mode=self._account.mode,
                previous=previous,
                requested=mode,
                origin="strategy",
                reason=reason,
                ts=self._clock.now(),
            )
            self._listener.on_position_mode(change)
            for code, cash in self._account.cash.items():
                if cash != before.get(code):  # legs that netted realized a profit
                    self._listener.on_balance(self._account.wallet(code))

    def _watch(self, instrument: Instrument) -> None:
        """What positions are valued at moved, or money did: have taken over what has too little behind it."""
        before = len(self._engine.out)
        self._guard.moved(instrument, self._clock.now())
        if len(self._engine.out) > before:
            self._drain()

    def _expect_ends(self) -> None:
        """Have dated contracts settled when they end."""
        now = self._clock.now()
        for instrument in self._markets:
            if instrument.expiry is not None and instrument.expiry > now:
                self._scheduler.at(instrument.expiry, partial(self._settle_contract, instrument))

    def _settle_contract(self, instrument: Instrument) -> None:
        price = self._settlements.settle(instrument, self._clock.now())
        if price is not None:
            self._log.info("settled", instrument=instrument.symbol, price=price)
            self._drain()

    def _unfit(self, mode: PositionMode) -> str:
        """Why hedge mode makes no sense here: a contract that is capped, and spot, have no legs."""
        if mode is not PositionMode.HEDGE or any(one.hedge and not one.is_spot for one in self._markets):
            return ""
        return no_legs(self._markets)

    # -- what is told

    def settle(self, *, ours: bool = False) -> None:
        """A step is over: tell what the engine did, then the book and the touch where they changed.

        :param ours: it was a request of ours that arrived, not the market that moved.
        """
        if self._engine.out:
            self._drain()
        for instrument, shown in self._shown.items():
            if shown.stirred and (not ours or shown.may_echo(self._clock.now())):
                shown.stirred = False
                self._show(instrument, shown)

    def _release(self) -> None:
        """A moment is over: what it triggered enters the market, after everything that was recorded for it."""
        if self._engine.is_releasing:
            self._engine.at(self._clock.now())
            first = len(self._engine.out)
            self._engine.release()
            self._note_own_trades(first)

    def _show(self, instrument: Instrument, shown: Shown) -> None:
        ts, listener = self._clock.now(), self._listener
        if listener is None:
            return
        # Both are looked at before either is told: what hears of the book may not act in between.
        book = shown.book_wanted and shown.follow(ts)
        quote = shown.quote(ts) if shown.quote_wanted else None
        if book:
            listener.on_book(shown.book)
        if quote is not None:
            listener.on_quote(quote)

    def _want(self, instrument: Instrument, channel: Channel) -> None:
        """Somebody asked for the book or the touch: they are told once as they stand, then when they change."""
        market = self._markets.get(instrument)
        if market is None or channel not in (Channel.BOOK, Channel.QUOTE) or not self._has_levels(instrument):
            return
        shown = self._shown.setdefault(instrument, Shown(market, self._book_depth))
        if channel is Channel.BOOK:
            shown.want_book()
        else:
            shown.want_quote()

    def _has_levels(self, instrument: Instrument) -> bool:
        """Whether the book is known: then the market is told as a venue shows it, else each event as it comes."""
        raise NotImplementedError

    def _drain(self) -> None:
        """Hand on what the engine did, in its order, then what the account is worth if money moved."""
        events, self._engine.out = self._engine.out, []
        listener = self._listener
        if listener is None:
            return
        moved: dict[str, None] = {}
        traded: dict[Instrument, None] = {}
        for event in events:
            if (shown := self._shown.get(event.instrument)) is not None:
                shown.stirred = True
            if isinstance(event, OrderReport):
                listener.on_order(event)
            else:
                moved[event.instrument.settle.code] = None
                if event.instrument.is_spot:
                    moved[event.instrument.base] = None
                traded |= dict.fromkeys(self._account.backed_by(event.instrument))
                listener.on_fill(event)
        for code in moved:
            listener.on_balance(self._account.wallet(code))
        # A fill may leave too little behind other positions: it takes from what they share, as a sale on spot does.
        for instrument in traded:
            self._watch(instrument)

    def _note_own_trades(self, first: int) -> None:
        """Trades that are in no record: what our orders took, and what a moving book took from them.

        :param first: where in the engine's events the step began that was no recorded trade.
        """
        events = self._engine.out
        if len(events) == first:
            return
        for trade in public([event for event in events[first:] if isinstance(event, Execution)]):
            instrument = trade.instrument
            if not self._has_levels(instrument):
                continue
            self._own.add(trade)
            self._on_own_trade(trade)
            if self._listener is not None and (instrument, Channel.TRADE) in self._subscribed:
                self._listener.on_trade(trade)

    def _on_own_trade(self, trade: Trade) -> None:
        """For who builds candles of trades."""

    def _with_own(self, candle: Candle) -> Candle:
        """A recorded candle, and our own trades of its interval in it; called when it closes, before anything later."""
        if self._own.is_idle:
            return candle
        return self._own.merged(candle, self._markets[candle.instrument].last)


def _one(side: PositionSide) -> PositionSide | None:
    """`NET` stands for every leg there is."""
    return None if side is PositionSide.NET else side
