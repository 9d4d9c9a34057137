"""The base class of every strategy: define the callbacks you need, call what acts, read what is.

    class DipBuyer(Strategy):
        drop: float = Param(1.0, gt=0)

        def on_candle(self, candle: Candle) -> None:
            if candle.close < candle.open * (1 - self.drop / 100):
                self.buy(100)

A callback that is defined is a subscription. Calls that act return at once; what became of them comes back through
`on_order` and `on_fill`. A strategy never sees in which mode it runs.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, MutableMapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Unpack

from hbkit.agenda import Appointment, Scheduler
from hbkit.chance import Chance
from hbkit.clock import SECOND, Clock, parse_time
from hbkit.errors import StrategyError, did_you_mean
from hbkit.model import (
    Balance,
    Candle,
    Fill,
    Funding,
    Instrument,
    Mark,
    Order,
    OrderBook,
    Position,
    PositionMode,
    PositionModeChange,
    PositionSide,
    Quote,
    Side,
    Trade,
)
from hbkit.model.instrument import Number
from hbkit.trading.account import AccountView
from hbkit.trading.indicators import Indicator, Source
from hbkit.trading.options import OrderOptions
from hbkit.trading.params import ParamSpec, collect
from hbkit.trading.trader import QuoteLevel, Trader
from hbkit.trading.view import Floats, MarketView

CALLBACKS = (
    "on_start",
    "on_stop",
    "on_trade",
    "on_quote",
    "on_book",
    "on_candle",
    "on_mark",
    "on_funding",
    "on_liquidation",
    "on_order",
    "on_fill",
    "on_position",
    "on_position_mode",
    "on_balance",
    "on_connected",
    "on_disconnected",
    "on_error",
)
"""Every callback there is; another name that begins with `on_` is taken for a misspelling."""


MOST_WARMUP = 100_000
"""Candles before the beginning: more is a mistake, not a history."""


_SECONDS, _NANOSECONDS = 10**8, 10**17
"""Numbers between the two are dates in seconds, milliseconds or microseconds: as nanoseconds they lie before 1974."""
MOST_AT_ONCE = 10_000
"""Timers that one strategy may ask for at one instant when none of them lies in the future."""


class Log(Protocol):
    """What `self.log` can do: `self.log.info("quoted", bid=7000.5)`."""

    def debug(self, event: str, **values: Any) -> Any:
        """For the developer."""

    def info(self, event: str, **values: Any) -> Any:
        """Worth knowing."""

    def warning(self, event: str, **values: Any) -> Any:
        """Worth a look."""

    def error(self, event: str, **values: Any) -> Any:
        """Needs somebody."""


class Desk:
    """Everything a strategy works with, handed to it before `on_start`."""

    def __init__(
        self,
        *,
        name: str,
        markets: Sequence[MarketView],
        trader: Trader,
        clock: Clock,
        scheduler: Scheduler,
        chance: Chance,
        state: MutableMapping[str, Any],
        log: Log,
        guard: Callable[[str, Callable[[], None]], Callable[[], None]],
    ) -> None:
        self.name = name
        self.markets = list(markets)
        self.trader = trader
        self.clock = clock
        self.scheduler = scheduler
        self.chance = chance
        self.state = state
        self.log = log
        self.guard = guard
        """Wraps a timer, so that what it raises is treated like what a callback raises."""
        self._instant, self._at_once = -1, 0

    def appoint(self, ts: int, call: Callable[[], None]) -> Appointment:
        """Have `call` made at `ts`. Raises StrategyError at the one that is too many without time passing."""
        now = self.clock.now()
        if ts <= now:
            self._at_once = self._at_once + 1 if now == self._instant else 1
            self._instant = now
            if self._at_once > MOST_AT_ONCE:
                raise StrategyError(
                    f"asked for {MOST_AT_ONCE:,} timers that are due at once, at one instant: a timer that asks for "
                    "itself never comes to an end; let time pass, as self.every(1, ...) does",
                    code="HB311",
                )
        return self.scheduler.at(ts, call)

    def market(self, which: Instrument | str | None, exchange: str | None = None) -> MarketView:
        """The view of an instrument, of the first one for None; `exchange` says which where two list one symbol."""
        if which is None:
            return self.markets[0]
        found = [view for view in self.markets if exchange in (None, view.instrument.exchange) and _is(view, which)]
        if len(found) == 1:
            return found[0]
        if found:
            calls = " or ".join(f'self.market("{which}", exchange="{view.instrument.exchange}")' for view in found)
            names = " and ".join(view.instrument.exchange for view in found)
            raise StrategyError(f'"{which}" is on {names}; say which: {calls}', code="HB404")
        raise StrategyError(self._unknown(which, exchange), code="HB401")

    def _unknown(self, which: Instrument | str, exchange: str | None) -> str:
        known = list(dict.fromkeys(view.instrument.exchange for view in self.markets))
        if exchange is not None and exchange not in known:
            return f'strategy "{self.name}" trades nothing on "{exchange}"; {did_you_mean(exchange, known)}'
        there = [view.instrument for view in self.markets if exchange in (None, view.instrument.exchange)]
        names = [name for one in there for name in (one.symbol, one.unified)]
        where = f" on {exchange}" if exchange is not None else ""
        mend = did_you_mean(str(which), names, what="its config lists")
        return f'strategy "{self.name}" has no instrument "{which}"{where}; {mend}'


def _is(view: MarketView, which: Instrument | str) -> bool:
    """Whether that is the view's market: the very instrument, its native symbol, or its unified one."""
    one = view.instrument
    return which == one if isinstance(which, Instrument) else which in (one.symbol, one.unified)


class _NoDesk:
    """Stands where a strategy's desk will be, until the run hands it over."""

    def __get__(self, strategy: Strategy | None, cls: type[Strategy]) -> _NoDesk:
        if strategy is None:
            return self
        raise StrategyError(
            "in __init__ there is no market, no parameter and no clock yet; do it in on_start", code="HB305"
        )


class Strategy:
    """Base of all strategies. Parameters are declared with `Param`; times are nanoseconds since the epoch."""

    params: ClassVar[dict[str, ParamSpec]] = {}
    """The declared parameters by name."""

    if TYPE_CHECKING:
        _desk: Desk

        @property
        def warmup(self) -> int:
            """Candles of each interval and instrument known before on_start: an attribute, a property or a Param."""
            # To a type checker a property, which any of the three may override.
    else:
        _desk = _NoDesk()
        warmup: int = 0

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.params = collect(cls)

    # -- callbacks, in the order of a run

    def on_start(self) -> Any:
        """Before any market data; may be `async def` where the mode has a network."""

    def on_stop(self) -> Any:
        """After the last event, before the strategy's orders are cancelled; may be `async def`."""

    def on_trade(self, trade: Trade) -> None:
        """A public trade."""

    def on_quote(self, quote: Quote) -> None:
        """The best bid or ask changed."""

    def on_book(self, book: OrderBook) -> None:
        """The order book changed; never crossed."""

    def on_candle(self, candle: Candle) -> None:
        """A candle closed (1m unless the config lists `candles`)."""

    def on_mark(self, mark: Mark) -> None:
        """The mark price or the index changed."""

    def on_funding(self, funding: Funding) -> None:
        """A funding took place; `amount` is what this account received."""

    def on_liquidation(self, fill: Fill) -> None:
        """The venue liquidated a position of ours."""

    def on_order(self, order: Order) -> None:
        """An order of this strategy changed its status, price or quantity, or a request for it was refused."""

    def on_fill(self, fill: Fill) -> None:
        """An order of this strategy filled, wholly or in part."""

    def on_position(self, position: Position) -> None:
        """The strategy's position changed; in hedge mode once per leg."""

    def on_position_mode(self, change: PositionModeChange) -> None:
        """The account's position mode: once after on_start, and at each change or refused change."""

    def on_balance(self, balance: Balance) -> None:
        """One currency of the account changed."""

    def on_connected(self, exchange: str) -> None:
        """An exchange is ready, for the first time or again."""

    def on_disconnected(self, exchange: str) -> None:
        """An exchange is out of reach."""

    def on_error(self, error: Exception) -> None:
        """A callback of this strategy raised; with `on_error: continue` the run goes on after this."""

    # -- reading; all of these speak of the first instrument

    def market(self, which: Instrument | str, exchange: str | None = None) -> MarketView:
        """The same names for another instrument: `self.market("XBT_USDT").buy(0.01)`.

        Where two exchanges list the symbol, `exchange` says which: `self.market("BTC/USDT", exchange="okx")`.
        """
        return self._desk.market(which, exchange)

    @property
    def name(self) -> str:
        """The strategy's name in the config."""
        return self._desk.name

    @property
    def instrument(self) -> Instrument:
        """The first instrument."""
        return self._desk.markets[0].instrument

    @property
    def instruments(self) -> list[Instrument]:
        """All instruments, in the order of the config."""
        return [view.instrument for view in self._desk.markets]

    @property
    def book(self) -> OrderBook:
        """The order book."""
        return self._desk.markets[0].book

    @property
    def last_quote(self) -> Quote | None:
        """The newest best bid and ask, None before the first."""
        return self._desk.markets[0].last_quote

    @property
    def last_trade(self) -> Trade | None:
        """The newest public trade, None before the first."""
        return self._desk.markets[0].last_trade

    @property
    def mark_price(self) -> float | None:
        """The price positions are valued at, None before the first."""
        return self._desk.markets[0].mark_price

    @property
    def position(self) -> Position:
        """The strategy's position (one-way mode)."""
        return self._desk.markets[0].position

    @property
    def long(self) -> Position:
        """The long leg (hedge mode)."""
        return self._desk.markets[0].long

    @property
    def short(self) -> Position:
        """The short leg (hedge mode)."""
        return self._desk.markets[0].short

    @property
    def position_mode(self) -> PositionMode:
        """The account's position mode."""
        return self._desk.markets[0].position_mode

    @property
    def orders(self) -> list[Order]:
        """The strategy's open orders of every instrument, oldest first."""
        return [order for view in self._desk.markets for order in view.orders]

    def balance(self, currency: str) -> Balance:
        """One currency of the account. Raises StrategyError when the account has none of that name."""
        return self._desk.markets[0].balance(currency)

    def opens(self, n: int, interval: str | None = None) -> Floats:
        """The last `n` opens, as `closes`."""
        return self._desk.markets[0].opens(n, interval)

    def highs(self, n: int, interval: str | None = None) -> Floats:
        """The last `n` highs, as `closes`."""
        return self._desk.markets[0].highs(n, interval)

    def lows(self, n: int, interval: str | None = None) -> Floats:
        """The last `n` lows, as `closes`."""
        return self._desk.markets[0].lows(n, interval)

    def volumes(self, n: int, interval: str | None = None) -> Floats:
        """The last `n` volumes, as `closes`."""
        return self._desk.markets[0].volumes(n, interval)

    def closes(self, n: int, interval: str | None = None) -> Floats:
        """The last `n` closes (fewer at the beginning), oldest first: a numpy view, not to be changed."""
        return self._desk.markets[0].closes(n, interval)

    def candles(self, n: int, interval: str | None = None) -> list[Candle]:
        """The last `n` candles (fewer at the beginning), oldest first."""
        return self._desk.markets[0].candles(n, interval)

    def indicator(
        self,
        what: Any,
        *arguments: Any,
        instrument: Any = None,
        interval: str | None = None,
        source: Source | None = None,
        **options: Any,
    ) -> Indicator:
        """An indicator that follows the closed candles: `self.ema = self.indicator(EMA, 20)` in on_start.

        It knows every candle that the strategy knows, `warmup` among them, and is moved before `on_candle`; other
        options as in `MarketView.indicator`.
        """
        view = self._desk.market(instrument)
        return view.indicator(what, *arguments, interval=interval, source=source, **options)

    @property
    def now(self) -> int:
        """The time, ns since the epoch; the same clock in all modes."""
        return self._desk.clock.now()

    @property
    def random(self) -> Chance:
        """A generator seeded by the run, the same draws in a run with the same seed."""
        return self._desk.chance

    @property
    def state(self) -> MutableMapping[str, Any]:
        """A mapping that is kept over restarts; values are what JSON can hold."""
        return self._desk.state

    @property
    def account(self) -> AccountView:
        """The venue's positions and balances of the whole account; of the first instrument's exchange."""
        return self._desk.markets[0].account

    @property
    def log(self) -> Log:
        """The strategy's logger."""
        return self._desk.log

    # -- acting

    def buy(
        self,
        qty: Number,
        price: Number | None = None,
        *,
        instrument: Instrument | str | None = None,
        **options: Unpack[OrderOptions],
    ) -> Order:
        """Buy the first instrument or `instrument`; options as in `MarketView.buy`."""
        return self._desk.market(instrument).buy(qty, price, **options)

    def sell(
        self,
        qty: Number,
        price: Number | None = None,
        *,
        instrument: Instrument | str | None = None,
        **options: Unpack[OrderOptions],
    ) -> Order:
        """Sell the first instrument or `instrument`; options as in `MarketView.sell`."""
        return self._desk.market(instrument).sell(qty, price, **options)

    def amend(
        self,
        order: Order | str,
        *,
        price: Number | None = None,
        qty: Number | None = None,
        trigger_price: Number | None = None,
    ) -> None:
        """Change price, total quantity or trigger of an open order."""
        order_id = order if isinstance(order, str) else order.id
        self._desk.trader.amend(order_id, price=price, qty=qty, trigger_price=trigger_price)

    def cancel(self, order: Order | str) -> None:
        """Take an order away; harmless when it has ended."""
        self._desk.trader.cancel(order if isinstance(order, str) else order.id)

    def cancel_all(self, instrument: Instrument | str | None = None, side: Side | str | None = None) -> None:
        """Cancel the strategy's open orders, of one instrument or side if given."""
        which = None if instrument is None else self._desk.market(instrument).instrument
        self._desk.trader.cancel_all(which, side)

    def close_position(
        self, *, instrument: Instrument | str | None = None, position_side: PositionSide | str | None = None
    ) -> Order | None:
        """Close by a market order that never crosses zero; None when there is nothing to close."""
        return self._desk.market(instrument).close_position(position_side)

    def target_position(
        self,
        qty: Number,
        price: Number | None = None,
        *,
        instrument: Instrument | str | None = None,
        position_side: PositionSide | str | None = None,
    ) -> list[Order]:
        """Bring the position to `qty` (signed), counting what is in flight: at the market, or resting at `price`."""
        return self._desk.market(instrument).target_position(qty, price, position_side=position_side)

    def quote(
        self,
        bids: Sequence[QuoteLevel] = (),
        asks: Sequence[QuoteLevel] = (),
        *,
        instrument: Instrument | str | None = None,
        post_only: bool = True,
        position_side: PositionSide | str | None = None,
    ) -> None:
        """State the wanted resting orders as (price, qty) pairs; only the differences are sent."""
        self._desk.market(instrument).quote(bids, asks, post_only=post_only, position_side=position_side)

    def set_position_mode(self, mode: PositionMode | str) -> None:
        """Ask for another position mode; the answer comes through `on_position_mode`."""
        self._desk.markets[0].set_position_mode(mode)

    def set_leverage(self, leverage: float, *, instrument: Instrument | str | None = None) -> None:
        """Ask for a leverage; 0 means cross margin at the instrument's own rate."""
        self._desk.market(instrument).set_leverage(leverage)

    def every(self, seconds: float, call: Callable[[], None]) -> Appointment:
        """Call again and again; the first time after `seconds`. Keep the appointment to cancel it."""
        is_number = isinstance(seconds, int | float | Decimal) and math.isfinite(seconds)
        step = round(seconds * SECOND) if is_number else 0
        if step <= 0:
            raise StrategyError(f"every({seconds!r}): the interval must be a finite number above 0, in seconds")
        _check_timer(f"every({seconds!r})", call)
        appointment = Appointment(call)
        guarded = self._desk.guard("timer", call)

        def again() -> None:
            if appointment.call is not None:
                self._desk.scheduler.at(self._desk.clock.now() + step, again)
                guarded()

        self._desk.scheduler.at(self._desk.clock.now() + step, again)
        return appointment

    def at(self, time: int | str, call: Callable[[], None]) -> Appointment:
        """Call once at a time: ns since the epoch or ISO 8601 text; at once if it has passed."""
        try:
            ts = parse_time(time) if isinstance(time, str) else int(time)
        except (TypeError, ValueError, OverflowError) as error:
            raise StrategyError(f"at({time!r}): {error}") from None
        if _SECONDS <= ts < _NANOSECONDS <= self.now:
            raise StrategyError(f"at({time!r}): times are nanoseconds since the epoch, as self.now; or write ISO text")
        _check_timer(f"at({time!r})", call)
        return self._desk.appoint(ts, self._desk.guard("timer", call))


def _check_timer(what: str, call: object) -> None:
    """Raises StrategyError for what cannot be called back."""
    if not callable(call):
        raise StrategyError(f"{what}: {call!r} is no function; hand over self.renew itself, without calling it")
    if inspect.iscoroutinefunction(call):
        name = getattr(call, "__name__", "the function")
        raise StrategyError(f"{what}: {name} is async; a timer calls a plain function: write def {name}(self)")


def set_params(strategy: Strategy, values: dict[str, Any]) -> None:
    """Give a strategy the values of its parameters."""
    for name, value in values.items():
        setattr(strategy, name, value)


def hand_over(strategy: Strategy, desk: Desk) -> None:
    """Give a strategy its desk."""
    strategy._desk = desk  # private to keep the strategy's own names free


def warmup_of(strategy: Strategy) -> int:
    """How many candles a strategy wants to know before it begins. Raises StrategyError for no such number."""
    wanted: object = strategy.warmup
    if isinstance(wanted, bool) or not isinstance(wanted, int) or not 0 <= wanted <= MOST_WARMUP:
        raise StrategyError(
            f"{type(strategy).__name__}.warmup must be a whole number from 0 to {MOST_WARMUP:,}, got {wanted!r}",
            code="HB305",
        )
    return wanted
