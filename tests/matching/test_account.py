"""An account's money, with the numbers of the BitMEX notes (10.1 to 10.12, 18.6, 18.8) worked out by hand."""

from dataclasses import replace
from decimal import Decimal

import pytest

from hbkit.matching import Account
from hbkit.model import PositionMode
from tests.matching.flows import ETHUSD, XBT, XBT_USDT, XBTUSD, XBTUSD_TENTH, XBTUSDT
from tests.matching.venue import LONG, NET, SHORT, Venue

# XBTUSD of 2024: rates 0.01 and 0.005, taker fee 0.0005, tick 0.1.
NOTES = replace(XBTUSD_TENTH, symbol="NOTES", max_qty=None)


def locked(venue: Venue) -> int:
    """What is not free, in XBt, of an account with 10 XBT whose position is worth what it cost."""
    return 1_000_000_000 - venue.a.wallet("XBT").available


# -- order margin (18.6)


def test_buy_of_10000_at_50000_needs_210000() -> None:
    venue = Venue(NOTES)
    venue.buy(10_000, 500_000)
    # 100 lots of 200000 are 20,000,000 XBt, times (0.01 + 0.0005).
    assert locked(venue) == 210_000


def test_added_sell_on_the_smaller_side_needs_nothing() -> None:
    venue = Venue(NOTES)
    venue.buy(10_000, 500_000)
    venue.sell(4000, 600_000)
    # 40 lots of 166667 are 6,666,680, times 0.0105 = 70000.14, up to 70001: less than 210000.
    assert locked(venue) == 210_000


def test_sell_alone_needs_its_own_margin_rounded_up() -> None:
    venue = Venue(NOTES)
    venue.sell(4000, 600_000)
    assert locked(venue) == 70_001


def test_order_that_closes_needs_nothing() -> None:
    venue = Venue(NOTES)
    venue.hold(4000, 500_000)
    venue.market.mark = 50_000.0
    # The position locks 0.005 of 8,000,000.
    assert locked(venue) == 40_000
    venue.sell(4000, 600_000)
    assert locked(venue) == 40_000


def test_only_what_is_beyond_the_position_needs_margin() -> None:
    venue = Venue(NOTES)
    venue.hold(4000, 500_000)
    venue.market.mark = 50_000.0
    venue.sell(5000, 600_000)
    # 1000 beyond: 10 lots of 166667 are 1,666,670, times 0.0105 = 17500.035, up to 17501.
    assert locked(venue) == 40_000 + 17_501


def test_leverage_raises_the_initial_rate() -> None:
    venue = Venue(NOTES)
    venue.a.set_leverage(NOTES, 10)
    venue.buy(10_000, 500_000)
    # 20,000,000 times (0.1 + 0.0005).
    assert locked(venue) == 2_010_000
    venue.a.set_leverage(NOTES, 0)
    assert locked(venue) == 210_000


def test_order_is_taken_with_exactly_its_margin_and_not_with_less() -> None:
    enough, short = Venue(NOTES, xbt=210_000), Venue(NOTES, xbt=209_999)
    enough.buy(10_000, 500_000)
    order = short.buy(10_000, 500_000)
    assert [status for _, status, _ in enough.said()] == ["open"]
    assert short.said() == [(order, "rejected", "needs 0.00210000 XBT, free 0.00209999 XBT")]


def test_marketable_part_counts_at_the_prices_it_would_get() -> None:
    venue = Venue(NOTES, xbt=2_600)
    venue.book({}, {400_000: 100})
    order = venue.buy(100, 500_000)
    # At its limit of 50000 the lot is worth 200000, which would need 2100; at 40000 it is 250000.
    assert venue.said() == [(order, "rejected", "needs 0.00002625 XBT, free 0.00002600 XBT")]


def test_open_loss_is_not_free() -> None:
    venue = Venue(NOTES)
    venue.hold(10_000, 500_000)
    venue.market.mark = 40_000.0
    # Cost -20,000,000; at 40000 the long is worth -25,000,000: a loss of 5,000,000; 100,000 are locked.
    wallet = venue.a.wallet("XBT")
    assert (wallet.balance, wallet.equity, wallet.available) == (1_000_000_000, 995_000_000, 994_900_000)


# -- realized profit (10.12)


@pytest.mark.parametrize(
    ("instrument", "units", "entry", "exit_ticks", "profit"),
    [
        # 10000 at 50000 cost 20,000,000; at 52000 one lot is 192308, 100 of them 19,230,800.
        (NOTES, 10_000, 500_000, 520_000, 769_200),
        (NOTES, -10_000, 500_000, 520_000, -769_200),
        # 1000 contracts are 0.001 XBT: 2000 higher are 2 USDT.
        (XBTUSDT, 1000, 100_000, 104_000, 2_000_000),
        # 100 * 100 XBt * 100 points.
        (ETHUSD, 100, 60_000, 62_000, 1_000_000),
    ],
    ids=["inverse-long", "inverse-short", "linear", "quanto"],
)
def test_closing_realizes_the_difference_of_values(
    instrument: object, units: int, entry: int, exit_ticks: int, profit: int
) -> None:
    venue = Venue(instrument)  # type: ignore[arg-type]
    venue.hold(units, entry)
    venue.hold(-units, exit_ticks)
    assert venue.a.realized[venue.instrument.settle.code] == profit
    start = {"XBT": 1_000_000_000, "USDT": 1_000_000_000_000}[venue.instrument.settle.code]
    assert venue.a.cash[venue.instrument.settle.code] == start + profit


def test_fees_and_profit_are_booked_apart() -> None:
    venue = Venue(NOTES)
    venue.book({}, {500_000: 10_000})
    venue.buy(10_000)
    # 20,000,000 * 0.0005.
    assert (venue.a.fees["XBT"], venue.a.realized["XBT"]) == (10_000, 0)
    assert venue.a.cash["XBT"] == 1_000_000_000 - 10_000


# -- spot (10.8, 18.8)


def test_spot_buy_reserves_the_amount_and_the_fee() -> None:
    spot = replace(XBT_USDT, symbol="SPOT", max_qty=None)
    venue = Venue(spot, usdt=50_000_000_000)
    venue.buy(100_000_000, 400_000)
    # 1 XBT at 40000 with 0.1 percent needs 40,040 USDT.
    assert venue.a.wallet("USDT").available == 50_000_000_000 - 40_040_000_000


def test_spot_sell_reserves_the_base() -> None:
    venue = Venue(XBT_USDT, xbt=500)
    venue.sell(100, 600_000)
    assert venue.a.wallet("XBT").available == 400


def test_spot_sell_beyond_the_base_is_rejected() -> None:
    venue = Venue(XBT_USDT, xbt=90)
    order = venue.sell(100, 600_000)
    assert venue.said() == [(order, "rejected", "needs 0.00000100 XBT, free 0.00000090 XBT")]


def test_spot_fill_moves_both_wallets_and_takes_the_fee_in_quote() -> None:
    spot = replace(XBT_USDT, symbol="SPOT", max_qty=None)
    venue = Venue(spot, xbt=0, usdt=100_000_000)
    venue.book({}, {600_000: 100_000})
    venue.buy(100_000)
    # 0.001 XBT for 60 USDT, fee 0.06 USDT.
    assert (venue.a.cash["XBT"], venue.a.cash["USDT"]) == (100_000, 100_000_000 - 60_000_000 - 60_000)


def test_spot_holding_locks_no_margin_and_has_no_open_profit() -> None:
    venue = Venue(XBT_USDT)
    venue.hold(100, 600_000)
    venue.market.mark = 70_000.0
    assert venue.a.unrealized("USDT") == 0
    assert venue.a.locked("USDT") == 0


# -- position modes (13)


def test_switch_is_refused_while_orders_are_open(venue: Venue) -> None:
    venue.buy(100, 99)
    assert venue.a.switch_mode(PositionMode.HEDGE) == "1 open order"
    assert venue.a.mode is PositionMode.ONE_WAY


@pytest.mark.parametrize(("units", "side"), [(300, LONG), (-300, SHORT)])
def test_switch_to_hedge_makes_the_position_the_leg_of_its_sign(units: int, side: object) -> None:
    venue = Venue()
    venue.hold(units, 64_371)
    assert venue.a.switch_mode(PositionMode.HEDGE) == ""
    assert {leg_side: leg.units for leg_side, leg in venue.a.legs()} == {side: units}


def test_switch_back_nets_the_legs_at_their_entry_prices() -> None:
    venue = Venue(NOTES, mode=PositionMode.HEDGE)
    venue.hold(10_000, 500_000, LONG)
    venue.hold(-4000, 520_000, SHORT)
    assert venue.a.switch_mode(PositionMode.ONE_WAY) == ""
    net = venue.a.leg(NOTES, NET)
    # 4000 bought at 50000 cost 8,000,000, sold at 52000 40 * 192308 = 7,692,320: a profit of 307,680, no fee.
    assert venue.a.realized["XBT"] == 307_680
    assert venue.a.cash["XBT"] == 1_000_307_680
    assert (net.units, net.cost, venue.a.fees["XBT"]) == (6000, -12_000_000, 0)
    assert net.entry_price == 50_000.0


def test_switch_to_the_mode_in_force_changes_nothing() -> None:
    venue = Venue()
    venue.hold(300, 64_371)
    assert venue.a.switch_mode(PositionMode.ONE_WAY) == ""
    assert venue.a.leg(XBTUSD, NET).units == 300


# -- wallets


def test_currencies_of_instruments_appear_when_traded() -> None:
    account = Account("c", {XBT: 5}, lambda _: None, leverage=Decimal(3))
    assert [wallet.currency.code for wallet in account.wallets()] == ["XBT"]
    account.leg(XBTUSDT, NET)
    assert [wallet.currency.code for wallet in account.wallets()] == ["USDT", "XBT"]


def test_position_without_a_price_counts_at_its_cost() -> None:
    venue = Venue(NOTES)
    venue.hold(10_000, 500_000)
    assert venue.a.wallet("XBT").equity == 1_000_000_000
