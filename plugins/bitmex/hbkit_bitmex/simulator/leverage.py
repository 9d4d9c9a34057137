"""Leverage, margin mode and risk limit (protocol 4.7, 18.5): nothing changes when the new margin cannot be paid for.

In hedge mode a route without `strategy` acts on both legs and answers with the long one (13.3).
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from hbkit.matching import margin
from hbkit.matching.margin import Refused, Terms
from hbkit.model import Instrument, PositionSide
from hbkit_bitmex.simulator import parameters as read
from hbkit_bitmex.simulator.accounts import VenueAccount
from hbkit_bitmex.simulator.admission import find_market
from hbkit_bitmex.simulator.orders import STRATEGIES
from hbkit_bitmex.simulator.parameters import Parameters
from hbkit_bitmex.simulator.refusals import Refusal, insufficient, invalid
from hbkit_bitmex.simulator.venue import RISK_LIMIT, Venue

Row = dict[str, Any]
SMALLEST = Fraction(1, 100)
RISK_STEPS_MAX = 10
LIQUIDATES = "Executing at order price would lead to immediate liquidation"


def set_leverage(venue: Venue, account: VenueAccount, sent: Parameters) -> Row:
    """POST /position/leverage: a number isolates, 0 is cross."""
    instrument, sides = _legs(venue, account, sent)
    leverage = _leverage(account, instrument, sides, sent, "leverage")

    def change(terms: Terms) -> None:
        terms.isolated = leverage > 0
        if leverage:
            terms.leverage = leverage
        else:
            terms.transferred = 0

    return _change(venue, account, instrument, sides, change)


def isolate(venue: Venue, account: VenueAccount, sent: Parameters) -> Row:
    """POST /position/isolate: at the leverage it had, else at the highest."""
    instrument, sides = _legs(venue, account, sent)
    enabled = read.boolean(sent, "enabled", True, invalid("Invalid enabled"))

    def change(terms: Terms) -> None:
        terms.isolated = enabled
        if not enabled:
            terms.transferred = 0

    return _change(venue, account, instrument, sides, change)


def set_cross_leverage(venue: Venue, account: VenueAccount, sent: Parameters) -> Row:
    """POST /position/crossLeverage: stored, and reckoned with while in cross mode."""
    instrument, sides = _legs(venue, account, sent)
    leverage = _leverage(account, instrument, sides, sent, "crossLeverage")

    def change(terms: Terms) -> None:
        terms.cross_leverage = leverage or None

    return _change(venue, account, instrument, sides, change)


def set_risk_limit(venue: Venue, account: VenueAccount, sent: Parameters) -> Row:
    """POST /position/riskLimit: rounded up to a step (18.5.9)."""
    instrument, sides = _legs(venue, account, sent)
    refusal = invalid("Invalid riskLimit")
    wanted = read.decimal(sent, "riskLimit", refusal)
    base, step = instrument.risk_limit, instrument.risk_step
    if wanted is None or wanted <= 0 or wanted != wanted.to_integral_value() or not base or not step:
        raise refusal
    count = max(0, -(-(int(wanted) - base) // step))
    if count > RISK_STEPS_MAX:
        raise refusal
    limit = base + count * step
    if any(account.risk_value(instrument, side) > limit for side in sides):
        raise invalid(RISK_LIMIT)

    def change(terms: Terms) -> None:
        terms.risk_limit = limit if count else None

    return _change(venue, account, instrument, sides, change)


def transfer_margin(venue: Venue, account: VenueAccount, sent: Parameters) -> Row:
    """POST /position/transferMargin: to and from an isolated position, whose leg has to be named in hedge mode."""
    instrument, sides = _legs(venue, account, sent)
    if len(sides) > 1:
        raise invalid("Invalid strategy")
    refusal = invalid("Invalid amount")
    amount = read.decimal(sent, "amount", refusal)
    if amount is None or amount != amount.to_integral_value() or abs(amount) > 10**18:
        raise refusal
    side = sides[0]
    terms, leg = account.terms(instrument, side), account.leg(instrument, side)
    if account.isolated_margin(leg, side) is None or terms.transferred + amount < 0:
        raise refusal

    def change(terms: Terms) -> None:
        terms.transferred += int(amount)

    return _change(venue, account, instrument, sides, change)


def strategy_legs(account: VenueAccount, instrument: Instrument, sent: Parameters) -> tuple[PositionSide, ...]:
    """The legs that `strategy` names: without it all there are (13.3)."""
    word = read.text(sent, "strategy")
    sides = account.sides(instrument)
    if not word:
        return sides
    found = tuple(side for side in sides if STRATEGIES[side] == word)
    if not found:
        raise invalid("Invalid strategy")
    return found


def _legs(venue: Venue, account: VenueAccount, sent: Parameters) -> tuple[Instrument, tuple[PositionSide, ...]]:
    instrument = find_market(venue, sent).instrument
    if instrument.is_spot:
        raise invalid("Invalid symbol")
    return instrument, strategy_legs(account, instrument, sent)


def _leverage(
    account: VenueAccount, instrument: Instrument, sides: tuple[PositionSide, ...], sent: Parameters, name: str
) -> Fraction:
    """18.5.3: the highest is that of the present risk limit."""
    refusal: Refusal = invalid("Invalid leverage")
    number = read.decimal(sent, name, refusal)
    if number is None or number < 0:
        raise refusal
    leverage = Fraction(number)
    lowest = max(margin.tier_rate(instrument, account.terms(instrument, side)) for side in sides)
    if leverage and not SMALLEST <= leverage <= 1 / lowest:
        raise refusal
    return leverage


def _change(
    venue: Venue,
    account: VenueAccount,
    instrument: Instrument,
    sides: tuple[PositionSide, ...],
    change: Callable[[Terms], None],
) -> Row:
    refused = account.change_terms(instrument, sides, change)
    if refused is not None:
        raise _refusal(venue, instrument, refused)
    for side in sides:
        venue.touch_leg(account, instrument, side)
    return venue.position(account, instrument, sides[0])


def _refusal(venue: Venue, instrument: Instrument, refused: Refused) -> Refusal:
    if refused.would_liquidate:
        return invalid(LIQUIDATES)
    return insufficient(refused.missing, venue.minor[instrument.settle.code])
