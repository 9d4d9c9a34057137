"""The grid and the payoff, with the captured trades of the BitMEX notes (10.1, 10.11, 10.12)."""

import math
from dataclasses import replace
from decimal import Decimal

import pytest

from hbkit.model import Instrument, Side
from hbkit.model.instrument import round_half_away
from tests.matching.flows import ETHUSD, ODD_LINEAR, XBT_USDT, XBTUSD, XBTUSDT

LOT_ONE = replace(XBTUSD, symbol="XBTUSD2018", lot_size=Decimal(1))


@pytest.mark.parametrize(
    ("instrument", "units", "price", "value"),
    [
        # round(1e10 / 32185.5) = 310699, 243 lots.
        (XBTUSD, 24_300, "32185.5", 75_499_857),
        (XBTUSD, 900, "32180.5", 2_796_723),
        (XBTUSD, 100, "98570.9", 101_450),
        # In the days of lots of one contract: round(1e8 / 9378) = 10663, and 11998 at 8335.
        (LOT_ONE, 15_000, "9378", 159_945_000),
        (LOT_ONE, 40, "8335", 479_920),
        # No multiple of the lot: counted by the contract as well.
        (XBTUSD, 40, "8335", 479_920),
        (XBTUSD, 10_000, "50000", 20_000_000),
        (XBTUSD, 10_000, "52000", 19_230_800),
        (XBTUSDT, 1000, "50000", 50_000_000),
        (ETHUSD, 100, "3000", 30_000_000),
        # 100000 satoshi at 60000 are 60 USDT.
        (XBT_USDT, 100_000, "60000", 60_000_000),
        # 5 * 0.37 * 12.3 = 22.755: the whole value is rounded, not that of a lot.
        (ODD_LINEAR, 5, "12.3", 23),
        # 10 * 0.01 * 60000.5 = 6000.05 and 100 * 0.01 * 60000.5 = 60000.5: halves go away from zero.
        (XBT_USDT, 10, "60000.5", 6000),
        (XBT_USDT, 100, "60000.5", 60_001),
        (XBTUSD, 0, "50000", 0),
    ],
)
def test_value(instrument: Instrument, units: int, price: str, value: int) -> None:
    assert instrument.value(units, Decimal(price)) == value
    assert instrument.value(units, float(price)) == value


@pytest.mark.parametrize(
    ("instrument", "size"),
    [
        # A contract of a dollar, of a millionth of a bitcoin, a bitcoin, and 100 satoshi per dollar of ether.
        (XBTUSD, 1), (XBTUSDT, 1e-6), (XBT_USDT, 1), (ETHUSD, 1e-6),
    ],
    ids=str,
)  # fmt: skip
def test_contract_size_is_what_a_quantity_of_one_is(instrument: Instrument, size: float) -> None:
    assert instrument.contract_size == size


@pytest.mark.parametrize(
    ("instrument", "qty", "price", "coins"),
    [
        # 500 dollars at 50,000, 20,000 millionths of a coin, coins themselves, and nothing; only dollars need a price.
        (XBTUSD, 500, 50_000, 0.01), (XBTUSDT, -20_000, math.nan, -0.02), (XBT_USDT, 0.5, math.nan, 0.5),
        (XBTUSD, 0, math.nan, 0),
    ],
)  # fmt: skip
def test_a_quantity_in_coins_and_back(instrument: Instrument, qty: float, price: float, coins: float) -> None:
    assert instrument.to_base(qty, price) == pytest.approx(coins, rel=1e-12)
    assert instrument.from_base(coins, price) == pytest.approx(qty, rel=1e-12)


def test_a_quanto_contract_is_no_quantity_of_a_coin() -> None:
    for turn in (ETHUSD.to_base, ETHUSD.from_base):
        with pytest.raises(ValueError, match="a quanto contract is no quantity of ETH"):
            turn(1, 3000)


def test_value_on_the_grid_is_the_value_at_the_price() -> None:
    assert XBTUSD.value_at(24_300, 64_371) == XBTUSD.value(24_300, Decimal("32185.5"))


def test_inverse_has_no_value_at_a_price_of_nothing() -> None:
    with pytest.raises(ValueError, match="no value at a price of"):
        XBTUSD.value(100, 0.0)


@pytest.mark.parametrize(
    ("numerator", "denominator", "rounded"), [(5, 2, 3), (-5, 2, -3), (7, 3, 2), (-7, 3, -2), (0, 9, 0), (4, 4, 1)]
)
def test_halves_are_rounded_away_from_zero(numerator: int, denominator: int, rounded: int) -> None:
    assert round_half_away(numerator, denominator) == rounded


@pytest.mark.parametrize(
    ("instrument", "units", "cost"),
    [(XBTUSD, 100, -200_000), (XBTUSD, -100, 200_000), (XBTUSDT, 100, 5_000_000), (XBTUSDT, -100, -5_000_000)],
)
def test_cost_of_a_long_is_negative_for_inverse_alone(instrument: Instrument, units: int, cost: int) -> None:
    assert instrument.signed_cost(units, 50_000.0) == cost


@pytest.mark.parametrize(
    ("value", "rate", "fee"),
    [
        (20_000_000, "0.0005", 10_000),
        # 19,230,800 * 0.0005 = 9615.4; 310694 * -0.00025 = -77.67: truncated toward zero both ways.
        (19_230_800, "0.0005", 9615),
        (310_694, "-0.00025", -77),
        (1999, "0.0005", 0),
        (1999, "-0.0005", 0),
        (60_000_000, "0.001", 60_000),
    ],
)
def test_fee_is_truncated_toward_zero(value: int, rate: str, fee: int) -> None:
    assert XBTUSD.fee(value, Decimal(rate)) == fee


@pytest.mark.parametrize(
    ("instrument", "units", "cost", "price"),
    [
        (XBTUSD, 10_000, -20_000_000, 50_000.0),
        (XBTUSD, -10_000, 20_000_000, 50_000.0),
        # 10000 at 50000 and 10000 at 25000 cost 60,000,000: the harmonic mean.
        (XBTUSD, 20_000, -60_000_000, 100_000 / 3),
        (XBTUSDT, 1000, 50_000_000, 50_000.0),
        (ETHUSD, -100, -30_000_000, 3000.0),
    ],
)
def test_entry_price_is_the_mean_from_the_cost(instrument: Instrument, units: int, cost: int, price: float) -> None:
    assert instrument.entry_price(units, cost) == pytest.approx(price, rel=1e-12)


def test_flat_has_no_entry_price() -> None:
    assert math.isnan(XBTUSD.entry_price(0, 0))


# -- the grid


@pytest.mark.parametrize(
    ("price", "side", "ticks"),
    [
        (50_000.0, None, 100_000),
        (50_000.24, None, 100_000),
        (50_000.4, Side.BUY, 100_000),
        (50_000.1, Side.SELL, 100_001),
        # Float noise of a millionth of a tick is on the grid for both sides.
        (50_000.5000000001, Side.SELL, 100_001),
        (50_000.4999999999, Side.BUY, 100_001),
        ("50000.5", Side.BUY, 100_001),
        (Decimal("50000.75"), Side.BUY, 100_001),
        (50_000, Side.SELL, 100_000),
    ],
)
def test_price_goes_to_the_grid_passively(price: float | str | Decimal, side: Side | None, ticks: int) -> None:
    assert XBTUSD.ticks(price, side) == ticks


@pytest.mark.parametrize(("qty", "units"), [(100, 100), (199.0, 100), ("250", 200), (99.99999999, 100), (0.0, 0)])
def test_quantity_is_rounded_down_to_whole_lots(qty: float | str, units: int) -> None:
    assert XBTUSD.units(qty) == units


def test_spot_counts_in_units_below_the_lot() -> None:
    assert XBT_USDT.lot_units == 10
    assert XBT_USDT.units(0.00000125) == 120
    assert XBT_USDT.qty_text(120) == "0.0000012"
    assert XBT_USDT.base_minor(120) == 120


@pytest.mark.parametrize("number", [math.nan, math.inf, "nan", Decimal("-Infinity")])
def test_what_is_no_number_is_refused(number: float | str | Decimal) -> None:
    with pytest.raises(ValueError, match=r"price is|quantity is"):
        XBTUSD.ticks(number)
    with pytest.raises(ValueError, match=r"price is|quantity is"):
        XBTUSD.units(number)


@pytest.mark.parametrize(("price", "on"), [(50_000.5, True), (50_000.3, False), (88_094.50000000001, True)])
def test_is_on_tick(price: float, on: bool) -> None:
    assert XBTUSD.is_on_tick(price) is on


def test_text_is_plain_and_exact() -> None:
    tiny = replace(XBTUSDT, tick_size=Decimal("0.00001"))
    assert tiny.price_text(1) == "0.00001"
    assert XBTUSD.price_text(100_001) == "50000.5"
    assert XBTUSD.price_text(200_000_000) == "100000000"
    assert XBTUSD.qty_text(2000) == "2000"


def test_price_of_ticks_is_the_nearest_float() -> None:
    tenth = replace(XBTUSD, tick_size=Decimal("0.1"))
    assert tenth.price(880_942) == 88_094.2


def test_an_instrument_equals_its_symbol_and_its_like() -> None:
    assert XBTUSD == "XBTUSD"
    assert replace(XBTUSD, lot_size=Decimal(1)) == XBTUSD
    assert replace(XBTUSD, exchange="elsewhere") != XBTUSD
    assert {XBTUSD: 1}["XBTUSD"] == 1  # type: ignore[index]


@pytest.mark.parametrize("price", ["9800", "8756.5"])
def test_entry_price_is_the_price_that_was_paid_where_rounding_hides_it(price: str) -> None:
    # 100 contracts at 9800 cost 1020408 satoshi, of which the mean alone would be 9800.0016.
    cost = -XBTUSD.value(100, Decimal(price))
    assert XBTUSD.entry_price(100, cost) == float(price)
