"""Triggers and hidden quantity as a strategy writes them: what they mean, and what they can not mean.

Which way a trigger fires is never a guess. Who says `trigger_kind` gets it. Without it the trigger has to lie on one
side of every price that is known, of the last trade as of the mark: beyond the market in the order's own direction it
is a stop, on the other side a take profit. Between them, or where the price it looks at is not known, it is refused.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from hbkit.errors import StrategyError
from hbkit.exchange import Exchange
from hbkit.model import Instrument, Side, TriggerBy, TriggerKind
from hbkit.model.instrument import Number
from hbkit.trading.words import choice


class Resolved(NamedTuple):
    """The members of an OrderRequest that a trigger fills in."""

    trigger_ticks: int | None
    trigger_by: TriggerBy
    trigger_kind: TriggerKind
    trail_ticks: int | None


class Trigger(NamedTuple):
    """As a strategy names it: a price, or a distance that follows the market."""

    price: Number | None = None
    by: TriggerBy | str | None = None
    kind: TriggerKind | str | None = None
    trail: Number | None = None

    @classmethod
    def of(
        cls,
        price: Number | None,
        by: TriggerBy | str | None,
        kind: TriggerKind | str | None,
        trail: Number | None,
    ) -> Trigger | None:
        """The trigger of an order, None for an order without one."""
        return None if price is by is kind is trail is None else cls(price, by, kind, trail)

    def check(self, call: str, instrument: Instrument) -> None:
        """Raise StrategyError for what can mean nothing, whatever the market does."""
        if self.price is None and self.trail is None:
            raise StrategyError(f"{call} of {instrument}: trigger_by and trigger_kind go with trigger_price or trail")
        if self.price is not None and self.trail is not None:
            raise StrategyError(f"{call} of {instrument}: trail sets the trigger, leave trigger_price out")
        choice(TriggerBy, self.by, TriggerBy.MARK, "trigger_by")
        kind = choice(TriggerKind, self.kind, TriggerKind.STOP, "trigger_kind")
        if self.trail is not None and kind is not TriggerKind.STOP:
            raise StrategyError(f"{call} of {instrument}: only a stop can trail; leave trigger_kind out")
        if self.price is not None:
            trigger_ticks(call, instrument, self.price, above=True)
        if self.trail is not None:
            trigger_ticks(call, instrument, self.trail, above=True, what="trail")

    def resolve(self, instrument: Instrument, side: Side, exchange: Exchange) -> tuple[Resolved | None, str]:
        """What the order asks for, and why that cannot be said, the empty text where it can."""
        by = choice(TriggerBy, self.by, TriggerBy.LAST if instrument.is_spot else TriggerBy.MARK, "trigger_by")
        offered = exchange.trigger_prices(instrument)
        if by not in offered:
            known = ", ".join(sorted(offered))
            return None, f"{instrument} has no {by} price to trigger by; it has {known}"
        if self.trail is not None:
            distance = trigger_ticks(f"{side}", instrument, self.trail, above=True, what="trail")
            return Resolved(None, by, TriggerKind.STOP, distance * side.sign), ""
        assert self.price is not None
        if self.kind is None:
            kind, reason = self._kind_by_market(instrument, side, exchange, by)
            if kind is None:
                return None, reason
        else:
            kind = choice(TriggerKind, self.kind, TriggerKind.STOP, "trigger_kind")
        above = (side is Side.BUY) == (kind is TriggerKind.STOP)
        return Resolved(trigger_ticks(f"{side}", instrument, self.price, above=above), by, kind, None), ""

    def _kind_by_market(
        self, instrument: Instrument, side: Side, exchange: Exchange, by: TriggerBy
    ) -> tuple[TriggerKind | None, str]:
        say = 'say trigger_kind="stop" or trigger_kind="take_profit"'
        present = exchange.present_price(instrument, by)
        if present is None:
            return None, f"the {by} price of {instrument} is not known yet, so the trigger has no side: {say}"
        wanted = Decimal(str(self.price))
        known = [present]
        for other in (TriggerBy.MARK, TriggerBy.LAST):
            if other in exchange.trigger_prices(instrument):
                price = exchange.present_price(instrument, other)
                known += [price] if price is not None else []
        signs = {(wanted > Decimal(repr(price))) - (wanted < Decimal(repr(price))) for price in known}
        if len(signs) > 1 or 0 in signs:
            low, high = min(known), max(known)
            where = f"{low:g}" if low == high else f"{low:g} to {high:g}"
            return None, f"trigger_price {self.price} lies where the market is ({where}): {say}"
        is_stop = (1 in signs) == (side is Side.BUY)
        return TriggerKind.STOP if is_stop else TriggerKind.TAKE_PROFIT, ""


def trigger_ticks(
    call: str, instrument: Instrument, price: Number, *, above: bool, what: str = "trigger_price"
) -> int:
    """A trigger on the grid, rounded so that it never fires before the price that was asked for.

    :param above: whether it is reached from below.
    """
    try:
        ticks, positive = instrument.ticks(price, Side.SELL if above else Side.BUY), float(price) > 0
    except (ValueError, ArithmeticError, TypeError) as error:
        raise StrategyError(
            f"{call} of {instrument}: {what} is {price!r}: {error}; it must be a finite number", code="HB410"
        ) from None
    if not positive or ticks <= 0:
        raise StrategyError(
            f"{call} of {instrument}: {what} is {price!r}; it must be above 0, one tick is {instrument.tick_size}",
            code="HB410",
        )
    return ticks


def display_units(instrument: Instrument, qty: Number) -> int:
    """The part of an order that is shown, in whole lots; 0 hides all of it. Raises StrategyError."""
    try:
        units, value = instrument.units(qty), float(qty)
    except (ValueError, ArithmeticError, TypeError) as error:
        raise StrategyError(f"display_qty is {qty!r}: {error}; it must be a finite number", code="HB411") from None
    if value < 0 or (value > 0 and units == 0):
        raise StrategyError(
            f"display_qty is {qty!r}; it is 0 to hide the order, or at least one lot of {instrument.lot_size}",
            code="HB411",
        )
    return units
