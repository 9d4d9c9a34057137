"""Leverage and margin mode (protocol 4.7, 18.5): nothing changes when the new margin cannot be paid for."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from hbkit.model import Instrument, PositionSide
from hbkit_bitmex.simulator import parameters as read
from hbkit_bitmex.simulator.accounts import VenueAccount
from hbkit_bitmex.simulator.admission import find_market
from hbkit_bitmex.simulator.parameters import Parameters
from hbkit_bitmex.simulator.refusals import insufficient, invalid
from hbkit_bitmex.simulator.venue import Venue

Row = dict[str, Any]
SMALLEST = Fraction(1, 100)


def set_leverage(venue: Venue, account: VenueAccount, sent: Parameters) -> Row:
    """POST /position/leverage: a number isolates, 0 is cross."""
    instrument = _contract(venue, sent)
    return _change(venue, account, instrument, _leverage(instrument, sent, "leverage"))


def isolate(venue: Venue, account: VenueAccount, sent: Parameters) -> Row:
    """POST /position/isolate: at the leverage it had, else at the highest."""
    instrument = _contract(venue, sent)
    if not read.boolean(sent, "enabled", True, invalid("Invalid enabled")):
        return _change(venue, account, instrument, Fraction(0))
    last = account.isolated.get(instrument, 1 / Fraction(instrument.init_margin))
    return _change(venue, account, instrument, last)


def set_cross_leverage(venue: Venue, account: VenueAccount, sent: Parameters) -> Row:
    """POST /position/crossLeverage: stored, and reckoned with while in cross mode."""
    instrument = _contract(venue, sent)
    account.choose_cross_leverage(instrument, _leverage(instrument, sent, "crossLeverage"))
    return _row(venue, account, instrument)


def _contract(venue: Venue, sent: Parameters) -> Instrument:
    market = find_market(venue, sent)
    if market.instrument.is_spot:
        raise invalid("Invalid symbol")
    return market.instrument


def _leverage(instrument: Instrument, sent: Parameters, name: str) -> Fraction:
    """18.5.3."""
    refusal = invalid("Invalid leverage")
    number = read.decimal(sent, name, refusal)
    if number is None or number < 0:
        raise refusal
    leverage = Fraction(number)
    if leverage and not SMALLEST <= leverage <= 1 / Fraction(instrument.init_margin):
        raise refusal
    return leverage


def _change(venue: Venue, account: VenueAccount, instrument: Instrument, leverage: Fraction) -> Row:
    before = account.isolated.get(instrument, Fraction(0))
    code = instrument.settle.code
    locked = account.locked(code)
    account.choose_leverage(instrument, leverage)
    lacking = account.locked(code) - account.wallet(code).equity
    if lacking > 0:
        more = account.locked(code) - locked
        account.choose_leverage(instrument, before)
        raise insufficient(more, venue.minor[code])
    return _row(venue, account, instrument)


def _row(venue: Venue, account: VenueAccount, instrument: Instrument) -> Row:
    venue.touch_leg(account, instrument, PositionSide.NET)
    return venue.position(account, instrument, PositionSide.NET)
