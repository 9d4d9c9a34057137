"""The least and the largest order of an exchange: each limit just below, at and just beyond it, before the wire."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from hbkit.model import Currency, Instrument, InstrumentKind, OrderStatus
from hbkit.trading.limits import least_qty, limit_refusal

# The instrument of conftest: a contract of 1 ABC, lot 10, counted in single contracts, money in cents.
BTC = Currency("BTC", 8)
INVERSE = {"kind": InstrumentKind.INVERSE, "settle": BTC, "multiplier": Decimal(100 * 10**8), "lot_size": Decimal(1)}
"""A contract of 100 USD that is settled in BTC."""


@pytest.mark.parametrize(("units", "goes"), [(20, False), (30, True), (40, True)])
def test_the_least_quantity(instrument: Instrument, units: int, goes: bool) -> None:
    reason = limit_refusal(replace(instrument, min_qty=Decimal(30)), units, 100.0)
    assert reason == ("" if goes else "quantity 20 is below the minimum 30 (contract of 1 ABC) of ABC")


@pytest.mark.parametrize(
    ("units", "price", "reason"),
    [
        # 10 * 99.5 = 995.00 is below 1000; 20 * 99.5 = 1990 is the next lot.
        (10, 99.5, "10 at 99.5 is worth 995 USD, below the minimum of 1000 USD of ABC; 20 is enough"),
        (10, 100.0, ""),
        (20, 99.5, ""),
        (50, 100.0, ""),
        (60, 100.0, "60 at 100 is worth 6000 USD, above the maximum of 5000 USD of ABC"),
        (60, None, ""),  # nobody knows what it is worth: the exchange decides
    ],
)
def test_the_least_and_the_largest_value(instrument: Instrument, units: int, price: float | None, reason: str) -> None:
    market = replace(instrument, min_cost=Decimal(1000), max_cost=Decimal(5000))
    assert limit_refusal(market, units, price) == reason


def test_an_inverse_contract_is_worth_less_as_the_price_rises(instrument: Instrument) -> None:
    market = replace(instrument, **INVERSE, min_cost=Decimal("0.01"))
    # 5 contracts of 100 USD at 50,000 are 0.01 BTC; at 50,000.5 they are 0.0099999.
    assert limit_refusal(market, 5, 50_000.0) == ""
    assert limit_refusal(market, 5, 50_000.5) == (
        "5 at 50000.5 is worth 0.0099999 BTC, below the minimum of 0.01 BTC of ABC; 6 is enough"
    )
    assert market.unit_text == "contract of 100 USD"


def test_what_is_enough_is_enough_after_rounding(instrument: Instrument) -> None:
    """A cent of a third: three lots are worth 0.99, rounded from below, and the fourth has to be said."""
    market = replace(instrument, lot_size=Decimal(1), multiplier=Decimal(33), min_cost=Decimal(1))
    assert limit_refusal(market, 3, 1.0) == "3 at 1 is worth 0.99 USD, below the minimum of 1 USD of ABC; 4 is enough"


def test_the_least_quantity_of_all_that_is_asked(instrument: Instrument) -> None:
    assert least_qty(instrument) == 10
    assert least_qty(replace(instrument, min_qty=Decimal(25))) == 30  # whole lots
    # 1000 / 99.5 = 10.05 contracts: two lots.
    assert least_qty(replace(instrument, min_qty=Decimal(5), min_cost=Decimal(1000)), 99.5) == 20


# -- at the desk, whose market stands at 99.5 / 100.5 and is valued at 100


LIMITED = {"min_qty": Decimal(20), "min_cost": Decimal(2500)}


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ((10, 90), "quantity 10 is below the minimum 20 (contract of 1 ABC) of ABC"),
        ((20, 90), "20 at 90 is worth 1800 USD, below the minimum of 2500 USD of ABC; 30 is enough"),
        ((20,), "20 at 100 is worth 2000 USD, below the minimum of 2500 USD of ABC; 30 is enough"),
    ],
)
def test_what_is_too_small_is_told_and_not_sent(
    make_room: Callable[..., Any], instrument: Instrument, order: Any, reason: str
) -> None:
    room = make_room(market=replace(instrument, **LIMITED))
    refused = room.bot.buy(*order)
    assert (refused.status, refused.reason) == (OrderStatus.REJECTED, reason)
    assert room.exchange.asked == []
    assert room.bot.buy(30, 90).reason == ""


def test_what_only_reduces_goes_out_however_small(make_room: Callable[..., Any], instrument: Instrument) -> None:
    room = make_room(market=replace(instrument, **LIMITED))
    room.bot.buy(30)
    room.wait()
    assert room.bot.sell(10, reduce_only=True).reason == ""
    room.wait()
    room.bot.close_position()
    room.wait()
    assert room.held == 0


def test_an_amend_below_the_least_is_not_sent(make_room: Callable[..., Any], instrument: Instrument) -> None:
    room = make_room(market=replace(instrument, **LIMITED))
    order = room.bot.buy(30, 90)
    room.wait()
    room.bot.amend(order, qty=20)
    room.bot.amend(order, price=80)
    room.wait()
    assert [one[0] for one in room.exchange.asked] == ["submit"]
    assert [one.reason for one in room.bot.heard[-2:]] == [
        "20 at 90 is worth 1800 USD, below the minimum of 2500 USD of ABC; 30 is enough",
        "30 at 80 is worth 2400 USD, below the minimum of 2500 USD of ABC; 40 is enough",
    ]
    assert room.resting() == [("buy", 90.0, 30.0)]


def test_a_quote_that_is_too_small_is_told_once(make_room: Callable[..., Any], instrument: Instrument) -> None:
    room = make_room(market=replace(instrument, **LIMITED))
    for _ in range(3):
        room.bot.quote(bids=[(90, 20)], asks=[(110, 30)])
        room.wait()
    assert room.resting() == [("sell", 110.0, 30.0)]
    assert [one.reason for one in room.bot.heard if one.status is OrderStatus.REJECTED] == [
        "20 at 90 is worth 1800 USD, below the minimum of 2500 USD of ABC; 30 is enough"
    ]
