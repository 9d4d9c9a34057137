"""One market as a strategy sees it: what happened there, what is held there, and the calls that act there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hbkit.data.candles import CandleSeries
from hbkit.errors import StrategyError
from hbkit.exchange import Channel, Exchange
from hbkit.model import (
    Balance,
    Candle,
    Instrument,
    Order,
    OrderBook,
    Position,
    PositionMode,
    PositionSide,
    Quote,
    Side,
    TimeInForce,
    Trade,
    TriggerBy,
    TriggerKind,
)
from hbkit.model.instrument import Number
from hbkit.trading.account import AccountView
from hbkit.trading.indicators import Indicator, Source, make
from hbkit.trading.limits import least_qty
from hbkit.trading.shown import ShownBook
from hbkit.trading.trader import QuoteLevel, Trader, Wish
from hbkit.trading.triggers import Trigger

Floats = npt.NDArray[np.float64]
_FED_BY = {
    "last_trade": Channel.TRADE,
    "last_quote": Channel.QUOTE,
    "book": Channel.BOOK,
    "mark_price": Channel.MARK,
}
"""What only a feed can fill."""


class MarketView:
    """The names of a strategy, for one instrument: `self.market("XBT_USDT").buy(0.01)`.

    Prices are in the quote currency, quantities in the instrument's unit of qty.
    """

    last_trade: Trade | None
    """The newest public trade, None before the first."""
    last_quote: Quote | None
    """The newest best bid and ask, None before the first."""
    book: OrderBook
    """The order book; empty until its first snapshot."""
    mark_price: float | None
    """The price positions are valued at, None before the first."""

    def __init__(
        self,
        instrument: Instrument,
        exchange: Exchange,
        trader: Trader,
        intervals: Sequence[str],
        *,
        account: AccountView,
        needs: frozenset[Channel] = frozenset(_FED_BY.values()),
    ) -> None:
        """
        :param needs: what the strategy is subscribed to; what no feed fills is not there to be read.
        """
        self.instrument = instrument
        self.account = account
        """The venue's positions and balances of the whole account that this instrument is traded on."""
        nothing: dict[str, Any] = {"book": OrderBook(instrument)}
        for name, channel in _FED_BY.items():
            if channel in needs:
                setattr(self, name, nothing.get(name))
        self._exchange = exchange
        self._trader = trader
        self._shown: ShownBook | None = None
        self._series = {interval: CandleSeries() for interval in intervals}
        self._first_series = next(iter(self._series.values()), None)
        self._indicators: dict[str, list[Indicator]] = {interval: [] for interval in intervals}

    def __getattr__(self, name: str) -> Any:
        # Reached only for what is not there: what the strategy reads without being subscribed to it.
        if name in _FED_BY:
            raise StrategyError(
                f"{name} of {self.instrument} is never filled: no method of the strategy reads it, so its feed was not "
                f"asked for; define on_{_FED_BY[name].value}, or read self.{name} in a method of the class",
                code="HB305",
            )
        raise AttributeError(f"a market has no {name}")

    def fed(self, name: str) -> Any:
        """`book`, `last_quote` and the like for who only looks on: None where the strategy did not ask for it."""
        return vars(self).get(name)

    # -- reading

    @property
    def position(self) -> Position:
        """The strategy's position (one-way). Raises StrategyError in hedge mode, where there are two."""
        if self.position_mode is PositionMode.HEDGE and self.instrument.hedge and not self.instrument.is_spot:
            raise StrategyError(f"{self.instrument} is in hedge mode: read self.long and self.short, not self.position")
        return self.leg(PositionSide.NET)

    @property
    def long(self) -> Position:
        """The long leg (hedge mode)."""
        return self.leg(PositionSide.LONG)

    @property
    def short(self) -> Position:
        """The short leg (hedge mode); its qty is negative."""
        return self.leg(PositionSide.SHORT)

    @property
    def position_mode(self) -> PositionMode:
        """The account's position mode."""
        return self._exchange.position_mode

    @property
    def orders(self) -> list[Order]:
        """The strategy's open orders here, oldest first."""
        return self._trader.orders(self.instrument)

    @property
    def least_qty(self) -> float:
        """The smallest order that the exchange takes here: a lot, or more where it has a minimum quantity or value."""
        price = self._exchange.reference_price(self.instrument) if self.instrument.min_cost is not None else None
        return float(least_qty(self.instrument, price))

    def held(self) -> list[Position]:
        """The legs that are not flat, in either position mode."""
        return [position for side in PositionSide if (position := self.leg(side)).qty]

    def leg(self, side: PositionSide) -> Position:
        """One leg of the strategy's position as a value."""
        leg = self._trader.ledger.legs.get(self.instrument, side)
        price = self._exchange.reference_price(self.instrument) if leg.units else None
        profit = 0 if price is None else leg.unrealized(price)
        qty, amount = self.instrument.qty(leg.units), self.instrument.settle.amount(profit)
        return Position(self.instrument, side, qty, leg.entry_price, amount)

    def opens(self, n: int, interval: str | None = None) -> Floats:
        """The last `n` opens, as `closes`."""
        return self._of(interval).opens(n)

    def highs(self, n: int, interval: str | None = None) -> Floats:
        """The last `n` highs, as `closes`."""
        return self._of(interval).highs(n)

    def lows(self, n: int, interval: str | None = None) -> Floats:
        """The last `n` lows, as `closes`."""
        return self._of(interval).lows(n)

    def closes(self, n: int, interval: str | None = None) -> Floats:
        """The last `n` closes (fewer at the beginning), oldest first, of the first interval listed or of `interval`.

        A read-only numpy view of float64, contiguous; it keeps what it shows.
        """
        return self._of(interval).closes(n)

    def volumes(self, n: int, interval: str | None = None) -> Floats:
        """The last `n` volumes, as `closes`."""
        return self._of(interval).volumes(n)

    def candles(self, n: int, interval: str | None = None) -> list[Candle]:
        """The last `n` candles (fewer at the beginning), oldest first."""
        return self._of(interval).last(n)

    def indicator(
        self, what: Any, *arguments: Any, interval: str | None = None, source: Source | None = None, **options: Any
    ) -> Indicator:
        """Have an indicator follow the closed candles here: `indicator(EMA, 20)`, `indicator("ATR", 14)`.

        :param what: a class of `talipp.indicators`, its name, or an object of your own with `add(value)`.
        :param interval: the candles it follows; the first interval listed by default.
        :param source: `close` (the default), `open`, `high`, `low`, `volume`, `hl2`, `hlc3`, `ohlc4`, `ohlcv`, or a
            function of the candle. Indicators that take whole candles get them.
        """
        series = self._of(interval)
        made = make(what, arguments, options, source)
        for candle in series.last(len(series)):
            made.update(candle)
        self._indicators[interval or next(iter(self._series))].append(made)
        return made

    def balance(self, currency: str) -> Balance:
        """One currency of the account. Raises StrategyError when the account has none of that name."""
        return self.account.balance(currency)

    # -- acting

    def buy(
        self,
        qty: Number,
        price: Number | None = None,
        *,
        post_only: bool = False,
        reduce_only: bool = False,
        time_in_force: TimeInForce | str | None = None,
        trigger_price: Number | None = None,
        trigger_by: TriggerBy | str | None = None,
        trigger_kind: TriggerKind | str | None = None,
        trail: Number | None = None,
        display_qty: Number | None = None,
        position_side: PositionSide | str | None = None,
        tag: str = "",
    ) -> Order:
        """Buy: a limit order with a price, a market order without. Returns the order as it leaves.

        With `trigger_price` the order waits until the price named by `trigger_by` (mark, last or index) is there: above
        the market it is a stop, below it a take profit (`trigger_kind` says it instead of the market). With `trail` it
        is a stop that follows the market at that distance. `display_qty` is what others see of it at a time.
        """
        trigger = Trigger.of(trigger_price, trigger_by, trigger_kind, trail)
        wish = Wish(
            post_only, reduce_only, time_in_force, position_side, tag, trigger=trigger, display_qty=display_qty
        )
        return self._trader.place(self.instrument, Side.BUY, qty, price, wish)

    def sell(
        self,
        qty: Number,
        price: Number | None = None,
        *,
        post_only: bool = False,
        reduce_only: bool = False,
        time_in_force: TimeInForce | str | None = None,
        trigger_price: Number | None = None,
        trigger_by: TriggerBy | str | None = None,
        trigger_kind: TriggerKind | str | None = None,
        trail: Number | None = None,
        display_qty: Number | None = None,
        position_side: PositionSide | str | None = None,
        tag: str = "",
    ) -> Order:
        """Sell: a limit order with a price, a market order without. Returns the order as it leaves.

        Options as in `buy`; here a trigger below the market is a stop, above it a take profit.
        """
        trigger = Trigger.of(trigger_price, trigger_by, trigger_kind, trail)
        wish = Wish(
            post_only, reduce_only, time_in_force, position_side, tag, trigger=trigger, display_qty=display_qty
        )
        return self._trader.place(self.instrument, Side.SELL, qty, price, wish)

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
        self._trader.amend(order_id, price=price, qty=qty, trigger_price=trigger_price)

    def cancel(self, order: Order | str) -> None:
        """Take an order away; harmless when it has ended."""
        self._trader.cancel(order if isinstance(order, str) else order.id)

    def cancel_all(self, side: Side | str | None = None) -> None:
        """Cancel every open order of the strategy here, of one side if given."""
        self._trader.cancel_all(self.instrument, side)

    def close_position(self, position_side: PositionSide | str | None = None) -> Order | None:
        """Close by a market order that never crosses zero; None when there is nothing to close."""
        return self._trader.close_position(self.instrument, position_side)

    def target_position(
        self, qty: Number, price: Number | None = None, *, position_side: PositionSide | str | None = None
    ) -> list[Order]:
        """Bring the position to `qty` (signed), counting what is in flight; returns the orders that were needed."""
        return self._trader.target_position(self.instrument, qty, price, position_side)

    def quote(
        self,
        bids: Sequence[QuoteLevel] = (),
        asks: Sequence[QuoteLevel] = (),
        *,
        post_only: bool = True,
        position_side: PositionSide | str | None = None,
    ) -> None:
        """State the wanted resting orders as (price, qty) pairs; the fewest requests that lead there are sent."""
        self._trader.quote(self.instrument, bids, asks, post_only=post_only, position_side=position_side)

    def set_position_mode(self, mode: PositionMode | str) -> None:
        """Ask for another position mode of the account; the answer comes through `on_position_mode`."""
        try:
            wanted = PositionMode(str(mode).lower())
        except ValueError:
            raise StrategyError(f'set_position_mode("{mode}"): it is one of {", ".join(PositionMode)}') from None
        if not self._exchange.capabilities.hedge_mode:
            raise StrategyError(f"{self.instrument.exchange} has one position mode only: one_way", code="HB414")
        self._exchange.set_position_mode(wanted)

    def set_leverage(self, leverage: float, *, position_side: PositionSide = PositionSide.NET) -> None:
        """Ask for a leverage; 0 means cross margin at the instrument's own rate."""
        if isinstance(leverage, str) or not 0 <= leverage < math.inf:
            raise StrategyError(f"set_leverage({leverage!r}): the leverage must be a finite number, 0 for cross margin")
        if not self._exchange.capabilities.leverage or self.instrument.is_spot:
            raise StrategyError(f"{self.instrument} of {self.instrument.exchange} has no leverage to set", code="HB414")
        rate = self.instrument.init_margin
        if rate and leverage > (most := float(1 / rate)):
            message = f"set_leverage({leverage:g}): {self.instrument} allows {most:g} at most"
            raise StrategyError(message, code="HB413")
        self._exchange.set_leverage(self.instrument, leverage, position_side)

    # -- told by the router

    def follow(self, book: OrderBook) -> ShownBook:
        """Show the exchange's book, which changed; the same view as long as it is the same book."""
        if self._shown is None or not self._shown.shows(book):
            self.book = self._shown = ShownBook(book)
        return self._shown

    def remember(self, candle: Candle) -> bool:
        """Keep a closed candle, and move what follows it; False for an interval that was not asked for."""
        series = self._series.get(candle.interval)
        if series is None:
            return False
        series.append(candle)
        for indicator in self._indicators[candle.interval]:
            indicator.update(candle)
        return True

    @property
    def intervals(self) -> tuple[str, ...]:
        """The candle intervals that are kept here."""
        return tuple(self._series)

    def known(self, interval: str) -> int:
        """How many candles of an interval are kept."""
        return len(self._series[interval])

    def _of(self, interval: str | None) -> CandleSeries:
        if interval is None and self._first_series is not None:
            return self._first_series
        if interval is None or interval not in self._series:
            if not self._series:
                raise StrategyError(
                    f"no candles of {self.instrument}: no method of the strategy reads them; define on_candle, or list "
                    "candles: [1m] in the config",
                    code="HB305",
                )
            known = ", ".join(self._series)
            raise StrategyError(f'no candles of "{interval}" for {self.instrument}; the config lists {known}')
        return self._series[interval]
