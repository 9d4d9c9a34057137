"""ccxt's markets as instruments: grids, units, payoffs and limits to the last digit, and symbols of one meaning."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace

import ccxt
import pytest
from hbkit_ccxt.markets import exact, instruments, rows

from hbkit.clock import HOUR
from hbkit.model import Instrument, InstrumentKind, Side

PLAIN = ccxt.Exchange()


def market(**values):
    """A market as ccxt has them, with what a test says of it."""
    told = {
        "id": "BTCUSDT", "symbol": "BTC/USDT", "base": "BTC", "quote": "USDT", "type": "spot", "spot": True,
        "contract": False, "active": True, "maker": 0.0002, "taker": 0.0005,
        "precision": {"amount": 0.00001, "price": 0.01},
    }  # fmt: skip
    return PLAIN.safe_market_structure({**told, **values})


def swap(**values):
    told = {
        "id": "BTC-USDT-SWAP", "symbol": "BTC/USDT:USDT", "settle": "USDT", "type": "swap", "spot": False, "swap": True,
        "contract": True, "linear": True, "inverse": False, "contractSize": 0.01,
        "precision": {"amount": 1.0, "price": 0.1},
    }  # fmt: skip
    return market(**{**told, **values})


def api(*markets, mode=ccxt.TICK_SIZE, venue="okx", **has):
    known = {one["symbol"]: one for one in markets}
    return SimpleNamespace(
        id=venue, markets=known, precisionMode=mode, has={"setPositionMode": True, **has}, currencies={}
    )


def made(*markets, **values) -> list[Instrument]:
    return instruments(rows(api(*markets, **values))[0])


def test_a_spot_market_counts_base_currency_on_the_venues_grid():
    limits = {
        "amount": {"min": 0.0001, "max": 9000.0},
        "price": {"min": 0.01, "max": 1e6},
        "cost": {"min": 5.0, "max": 9e6},
    }
    (one,) = made(market(limits=limits))
    assert (one.symbol, one.unified, one.kind) == ("BTCUSDT", "BTC/USDT", InstrumentKind.SPOT)
    assert (one.tick_size, one.lot_size, one.unit_size) == (Decimal("0.01"), Decimal("0.00001"), Decimal("0.00001"))
    assert (one.min_qty, one.max_qty, one.min_cost, one.max_cost) == (Decimal("0.0001"), 9000, 5, 9_000_000)
    assert (one.min_price, one.max_price) == (Decimal("0.01"), 1_000_000)
    assert (one.maker_fee, one.taker_fee) == (Decimal("0.0002"), Decimal("0.0005"))
    assert (one.unit_text, one.init_margin, one.hedge) == ("BTC", 0, False)
    # 0.12345 BTC at 50,000.01 USDT are 6,172.5012345 USDT, and 12,345,000 satoshi change hands.
    units = one.units("0.12345")
    assert one.settle.text(one.value(units, Decimal("50000.01"))) == "6172.50123450"
    assert one.base_minor(units) == 12_345_000


def test_a_linear_contract_is_so_much_of_the_base_currency():
    (one,) = made(swap(limits={"amount": {"min": 1.0}, "leverage": {"max": 125.0}}))
    assert (one.kind, one.unit_text) == (InstrumentKind.LINEAR, "contract of 0.01 BTC")
    # 3 contracts of 0.01 BTC at 60,000.1 USDT: 1,800.003 USDT.
    assert one.settle.text(one.value(one.units(3), Decimal("60000.1"))) == "1800.00300000"
    # The least quantity is a lot: nothing that has to be said. The largest leverage needs no more than its margin.
    assert one.min_qty is None
    assert (one.init_margin, one.maint_margin) == (Decimal("0.008"), Decimal("0.004"))
    assert 1 / one.init_margin >= 125
    assert (one.hedge, one.expiry, one.funding_interval) == (True, None, 8 * HOUR)


def test_an_inverse_contract_is_so_much_of_the_quote_currency():
    inverse = swap(id="BTC-USD-SWAP", symbol="BTC/USD:BTC", quote="USD", settle="BTC", linear=False, inverse=True,
                   contractSize=100.0, limits={"cost": {"min": 1.0}})  # fmt: skip
    (one,) = made(inverse)
    assert (one.kind, one.unit_text, one.settle.code) == (InstrumentKind.INVERSE, "contract of 100 USD", "BTC")
    # 5 contracts of 100 USD at 50,000: 0.01 BTC.
    assert one.settle.text(one.value(5, 50_000.0)) == "0.01000000"
    assert one.signed_cost(5, 50_000.0) == -1_000_000
    # ccxt's cost of an inverse contract has no certain currency.
    assert one.min_cost is None


def test_a_contract_on_dollars_that_is_settled_in_a_dollar_coin_is_linear_and_one_in_coins_of_a_third_kind_is_quanto():
    usdc = swap(id="BTC", symbol="BTC/USD:USDC", quote="USD", settle="USDC")
    quanto = swap(id="ETHUSDQ", symbol="ETH/USD:BTC", base="ETH", quote="USD", settle="BTC", linear=False,
                  contractSize=0.000001)  # fmt: skip
    first, second = made(usdc, quanto)
    assert (first.unified, first.kind) == ("BTC/USD:USDC", InstrumentKind.LINEAR)
    assert (second.kind, second.unit_text) == (InstrumentKind.QUANTO, "contract of 0.000001 BTC per 1 USD")
    # 10 contracts of 0.000001 BTC per dollar at 2,000 dollars: 0.02 BTC.
    assert second.settle.text(second.value(10, 2000.0)) == "0.02000000"


def test_a_dated_future_has_its_day_and_a_perpetual_none_even_where_ccxt_tells_one():
    dated = swap(id="BTC-240628", symbol="BTC/USDT:USDT-240628", type="future", swap=False, future=True,
                 expiry=1719561600000)  # fmt: skip
    perpetual = swap(expiry=1719561600000)
    first, second = made(dated, perpetual)
    assert (first.unified, first.expiry) == ("BTC/USDT:USDT", None)
    assert (second.unified, second.expiry) == ("BTC/USDT:USDT-240628", 1_719_561_600_000_000_000)


def test_a_precision_may_be_a_number_of_decimals_or_of_zeros():
    (one,) = made(market(precision={"amount": 3, "price": -1}), mode=ccxt.DECIMAL_PLACES)
    assert (one.tick_size, one.lot_size) == (Decimal(10), Decimal("0.001"))


def test_the_least_quantity_stands_in_for_a_step_that_is_not_told():
    (one,) = made(market(precision={"price": 0.5}, limits={"amount": {"min": 0.25}}))
    assert (one.lot_size, one.min_qty) == (Decimal("0.25"), None)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1e-8, "0.00000001"),
        (0.1 + 0.2, "0.3"),  # 0.30000000000000004
        (1.1 * 3, "3.3"),  # 3.3000000000000003
        (123456789.12345678, "123456789.123457"),  # 15 digits are sure
        ("0.000100", "0.000100"),
        (5, "5"),
        (1e21, "1000000000000000000000"),
    ],
)
def test_a_number_is_the_one_that_the_venue_wrote(value, number):
    assert exact(value) == Decimal(number)


@pytest.mark.parametrize("value", [None, "", float("nan"), float("inf"), True])
def test_what_is_no_number_is_none(value):
    assert exact(value) is None


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (market(active=False), "not active"),
        (market(type="option", spot=False, option=True), "of type option"),
        (market(type="index", spot=False), "of type index"),
        (market(precision={"amount": 1.0}), "without a step of the price"),
        (market(precision={"price": 1.0}), "without a step of the quantity"),
        (swap(contractSize=None), "without a contract size"),
        (market(base=None), "nameless"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_traded_is_left_out_and_counted(fault, reason):
    found, left_out = rows(api(fault))
    assert (found, dict(left_out)) == ([], {reason: 1})


def test_prices_of_significant_digits_have_no_tick():
    assert dict(rows(api(market(), mode=ccxt.SIGNIFICANT_DIGITS))[1]) == {"priced to a number of significant digits": 1}


def test_a_market_of_which_it_is_not_said_whether_it_is_active_is_there():
    assert len(made(market(active=None))) == 1


def test_spot_gives_way_where_a_contract_has_the_same_id():
    contract = swap(id="BTCUSDT")
    assert [(one.symbol, one.unified) for one in made(market(), contract)] == [
        ("BTC/USDT", "BTC/USDT"), ("BTCUSDT", "BTC/USDT:USDT"),
    ]  # fmt: skip


def test_contracts_that_share_an_id_are_called_by_their_unified_symbols():
    usdt, usdc = swap(id="BTC"), swap(id="BTC", symbol="BTC/USDC:USDC", quote="USDC", settle="USDC")
    assert {one.symbol for one in made(usdt, usdc)} == {"BTC/USDT:USDT", "BTC/USDC:USDC"}


def test_an_id_that_is_a_number_or_another_ones_unified_symbol_is_no_name():
    number = swap(id="17")
    taken = swap(id="ETH/USDT", symbol="SOL/USDT:USDT", base="SOL")
    other = market(id="ETHUSDT", symbol="ETH/USDT", base="ETH")
    assert {one.unified: one.symbol for one in made(number, taken, other)} == {
        "BTC/USDT:USDT": "BTC/USDT:USDT", "SOL/USDT:USDT": "SOL/USDT:USDT", "ETH/USDT": "ETHUSDT",
    }  # fmt: skip


def test_a_currency_has_as_many_decimals_in_every_instrument():
    fine = market(id="PEPEUSDT", symbol="PEPE/USDT", base="PEPE", precision={"amount": 1e-10, "price": 1e-8})
    coarse = market(
        id="PEPEBTC", symbol="PEPE/BTC", base="PEPE", quote="BTC", precision={"amount": 1.0, "price": 1e-12}
    )
    first, second = made(fine, coarse)
    assert {first.base_currency.scale, second.base_currency.scale} == {10}
    assert {first.settle.scale, second.settle.scale} == {8}


def test_what_ccxt_does_not_tell_of_fees_and_margin_is_said():
    (one,) = made(swap(maker=None, taker=None))
    assert (one.maker_fee, one.info["fees"]) == (0, "not told, reckoned as none")
    assert (one.init_margin, one.maint_margin) == (Decimal("0.1"), Decimal("0.05"))
    assert one.info["margin"].startswith("not told: 10 %")


def test_a_price_in_between_goes_to_the_passive_side_and_as_text_without_an_exponent():
    (one,) = made(market(precision={"amount": 1e-8, "price": 1e-8}))
    assert one.price_text(one.ticks(0.000000014, Side.BUY)) == "0.00000001"
    assert one.qty_text(one.units("0.00000003")) == "0.00000003"


def test_an_hourly_venue_funds_every_hour():
    (one,) = made(swap(), venue="hyperliquid")
    assert one.funding_interval == HOUR


@pytest.mark.skipif("bitmex" not in ccxt.exchanges, reason="this ccxt has no bitmex: 4.5.83 was the last")
def test_bitmexs_markets_through_ccxt_are_those_of_hbkit_bitmex():
    theirs = pytest.importorskip("hbkit_bitmex.instruments")
    from hbkit_ccxt.listing import listed

    from hbkit.exchange import ListingRequest

    names = ("kind", "unified", "tick_size", "lot_size", "unit_size", "multiplier", "maker_fee", "taker_fee", "max_qty",
             "min_price", "max_price", "init_margin", "maint_margin", "risk_limit", "risk_step", "value_per_lot",
             "expiry", "hedge", "funding_interval", "base_scale")  # fmt: skip
    ours = {one.symbol: one for one in listed(ListingRequest("ccxt:bitmex", "simulator"))}
    native = {one.symbol: one for one in theirs.load()}
    assert len(native) == 129
    assert set(ours) == set(native)
    differing = [
        (symbol, name)
        for symbol, one in ours.items()
        for name in names
        if getattr(one, name) != getattr(native[symbol], name)
    ]
    assert differing == []
    assert {one.settle.scale for one in ours.values()} == {one.settle.scale for one in native.values()}
