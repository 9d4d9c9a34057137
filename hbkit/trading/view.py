"""One market as a strategy sees it: what happened there, what is held there, and the calls that act there."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hbkit.data.candles import CandleSeries
from hbkit.errors import StrategyError
from hbkit.exchange import Exchange
from hbkit.model import (
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
from hbkit.trading.trader import QuoteLevel, Trader, Wish
from hbkit.trading.triggers import Trigger

Floats = npt.NDArray[np.float64]


class MarketView:
    """The names of a strategy, for one instrument: `self.market("XBT_USDT").buy(0.01)`.

    Prices are in the quote currency, quantities in the instrument's unit of qty.
    """

    def __init__(self, instrument: Instrument, exchange: Exchange, trader: Trader, intervals: Sequence[str]) -> None:
        self.instrument = instrument
        self.last_trade: Trade | None = None
        """The newest public trade."""
        self.last_quote: Quote | None = None
        """The newest best bid and ask."""
        self.book = OrderBook(instrument)
        """The order book; empty until its first snapshot."""
        self.mark_price: float | None = None
        """The price positions are valued at."""
        self._exchange = exchange
        self._trader = trader
        self._series = {interval: CandleSeries() for interval in intervals}

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

    def closes(self, n: int, interval: str | None = None) -> Floats:
        """The last `n` closes (fewer at the beginning), oldest first, of the first interval listed or of `interval`."""
        return self._of(interval).closes(n)

    def candles(self, n: int, interval: str | None = None) -> list[Candle]:
        """The last `n` candles (fewer at the beginning), oldest first."""
        return self._of(interval).last(n)

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

    def set_leverage(self, leverage: float, *, position_side: PositionSide = PositionSide.NET) -> None:
        """Ask for a leverage; 0 means cross margin at the instrument's own rate."""
        if not 0 <= leverage < math.inf:
            raise StrategyError(f"set_leverage({leverage!r}): the leverage must be a finite number, 0 for cross margin")
        self._exchange.set_leverage(self.instrument, leverage, position_side)

    # -- told by the router

    def remember(self, candle: Candle) -> bool:
        """Keep a closed candle; False for an interval that this strategy did not ask for."""
        series = self._series.get(candle.interval)
        if series is None:
            return False
        series.append(candle)
        return True

    def _of(self, interval: str | None) -> CandleSeries:
        if interval is None:
            interval = next(iter(self._series))
        if interval not in self._series:
            known = ", ".join(self._series)
            raise StrategyError(f'no candles of "{interval}" for {self.instrument}; the config lists {known}')
        return self._series[interval]
