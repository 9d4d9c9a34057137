"""Rows become instruments: every row loads, prices and quantities keep to the grid, money comes out to the unit."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest
from hbkit_bitmex.instruments import ERAS, currencies, load, rows

from hbkit.chance import Chance
from hbkit.clock import HOUR, parse_time
from hbkit.errors import ConfigError
from hbkit.model.balance import Currency
from hbkit.model.enums import InstrumentKind, Side

EVERY = [(era, instrument) for era in ERAS for instrument in load(era)]
NEWEST = {instrument.symbol: instrument for instrument in load()}
OLD = {instrument.symbol: instrument for instrument in load("2021-07-22")}


def test_all_rows_of_both_days_are_tradeable_and_load():
    # 2026: 66 + 32 + 9 + 1 contracts and 21 spot rows; 2021: 23 perpetuals, 11 futures. None is left out.
    assert (len(rows("2026-05-03")), len(NEWEST)) == (129, 129)
    assert (len(rows("2021-07-22")), len(OLD)) == (34, 34)
    assert Counter(instrument.info["typ"] for instrument in NEWEST.values()) == {
        "FFWCSX": 66,
        "FFSCSX": 32,
        "IFXXXP": 21,
        "FFCCSX": 9,
        "FFICSX": 1,
    }


@pytest.mark.parametrize("era", ERAS)
def test_unified_names_are_unique(era):
    assert max(Counter(instrument.unified for instrument in load(era)).values()) == 1


def test_an_unknown_era_is_refused_with_the_nearest_one():
    with pytest.raises(ConfigError, match='did you mean "2026-05-03"'):
        load("2026-05-30")


@pytest.mark.parametrize(
    ("symbol", "unified", "kind", "settle"),
    [
        ("XBTUSD", "BTC/USD:BTC", InstrumentKind.INVERSE, Currency("XBT", 8)),
        ("XBTUSDT", "BTC/USDT:USDT", InstrumentKind.LINEAR, Currency("USDT", 6)),
        ("ETHUSD", "ETH/USD:BTC", InstrumentKind.QUANTO, Currency("XBT", 8)),
        ("XBTM26", "BTC/USD:BTC-260626", InstrumentKind.INVERSE, Currency("XBT", 8)),
        ("ETHM26", "ETH/BTC:BTC-260626", InstrumentKind.LINEAR, Currency("XBT", 8)),
        ("EURUSD", "EUR/USD:USDT", InstrumentKind.QUANTO, Currency("USDT", 6)),
        ("P_POWELLK26", "POWELL/USDT:USDT-260529", InstrumentKind.LINEAR, Currency("USDT", 6)),
        ("XBT_USDT", "BTC/USDT", InstrumentKind.SPOT, Currency("USDT", 6)),
        ("ETH_XBT", "ETH/BTC", InstrumentKind.SPOT, Currency("XBT", 8)),
    ],
)
def test_names_kinds_and_settlement_of_known_rows(symbol, unified, kind, settle):
    instrument = NEWEST[symbol]
    assert (instrument.unified, instrument.kind, instrument.settle) == (unified, kind, settle)


def test_the_figures_of_xbtusd():
    instrument = NEWEST["XBTUSD"]
    assert (instrument.base, instrument.quote) == ("XBT", "USD")
    assert (instrument.tick_size, instrument.lot_size, instrument.unit_size) == (Decimal("0.1"), 100, 1)
    assert (instrument.maker_fee, instrument.taker_fee) == (Decimal("0.0005"), Decimal("0.0005"))
    assert (instrument.init_margin, instrument.maint_margin) == (Decimal("0.01"), Decimal("0.005"))
    assert (instrument.risk_limit, instrument.risk_step) == (20_000_000_000, 15_000_000_000)
    assert (instrument.max_qty, instrument.min_price, instrument.max_price) == (10_000_000, Decimal("0.1"), 1_000_000)
    assert (instrument.funding_interval, instrument.expiry) == (8 * HOUR, None)
    assert instrument.hedge
    assert instrument.value_per_lot


def test_spot_counts_in_base_currency():
    # lotSize 1000 satoshi, maxOrderQty 1e10 satoshi.
    instrument = NEWEST["XBT_USDT"]
    assert (instrument.unit_size, instrument.lot_size) == (Decimal("0.00000001"), Decimal("0.00001"))
    assert (instrument.max_qty, instrument.lot_units) == (100, 1000)
    assert not instrument.hedge
    assert not instrument.value_per_lot
    assert instrument.init_margin == 0


def test_hedge_mode_is_for_uncapped_contracts():
    assert not NEWEST["P_POWELLK26"].hedge
    assert sum(not instrument.hedge for instrument in NEWEST.values()) == 22  # 21 spot and the capped prediction


def test_a_future_knows_its_expiry():
    assert NEWEST["XBTM26"].expiry == parse_time("2026-06-26T12:00:00Z")


def test_currency_scales_come_from_the_assets_and_not_from_the_code():
    known = currencies()
    assert known["XBt"] == known["XBT"] == Currency("XBT", 8)
    assert known["USDt"] == Currency("USDT", 6)
    assert known["Gwei"] == Currency("ETH", 9)
    assert known["LAMp"] == Currency("SOL", 9)


def test_a_spot_unit_is_the_minor_unit_of_its_base():
    for instrument in NEWEST.values():
        if instrument.is_spot:
            assert instrument.unit_size == Decimal(1).scaleb(-currencies()[instrument.base].scale)
            assert instrument.base_scale == currencies()[instrument.base].scale


def test_multiplier_of_linear_rows_is_quote_to_settle_over_underlying_to_position():
    """Protocol 9.3; the prediction has neither column."""
    checked = 0
    for era in ERAS:
        for row in rows(era):
            if row["typ"] not in {"IFXXXP", "FFICSX"} and not row["isInverse"] and not row["isQuanto"]:
                assert row["multiplier"] * row["underlyingToPositionMultiplier"] == row["quoteToSettleMultiplier"]
                checked += 1
    assert checked == 75 + 7


def grid_id(value: object) -> str:
    return value if isinstance(value, str) else getattr(value, "symbol", "")


@pytest.mark.parametrize(("era", "instrument"), EVERY, ids=grid_id)
def test_a_thousand_prices_snap_onto_the_grid(era, instrument):
    chance = Chance(1).fork(f"price/{era}/{instrument.symbol}")
    highest = int(instrument.max_price / instrument.tick_size)
    for _ in range(1000):
        ticks = chance.randrange(1, highest)
        price = instrument.price(ticks)
        text = instrument.price_text(ticks)
        assert instrument.ticks(price) == ticks
        assert Decimal(text) == instrument.tick_size * ticks
        assert float(text) == price
        assert set(text) <= set("0123456789.")
        between = price + chance.uniform(0.05, 0.45) * instrument.tick
        assert instrument.ticks(between) == ticks
        assert instrument.ticks(between, Side.BUY) == ticks
        assert instrument.ticks(between, Side.SELL) == ticks + 1


@pytest.mark.parametrize(("era", "instrument"), EVERY, ids=grid_id)
def test_a_thousand_quantities_round_down_to_lots(era, instrument):
    chance = Chance(1).fork(f"qty/{era}/{instrument.symbol}")
    most = int(instrument.max_qty / instrument.lot_size)
    lot = float(instrument.lot_size)
    for _ in range(1000):
        lots = chance.randrange(1, most)
        units = lots * instrument.lot_units
        qty, text = instrument.qty(units), instrument.qty_text(units)
        assert instrument.units(qty) == units
        assert instrument.units(qty + chance.uniform(0.05, 0.95) * lot) == units
        assert Decimal(text) == instrument.lot_size * lots
        assert set(text) <= set("0123456789.")


LOT_OF_ONE = replace(NEWEST["XBTUSD"], lot_size=Decimal(1))
"""XBTUSD before its lot became 100."""


@pytest.mark.parametrize(
    ("instrument", "qty", "price", "value"),
    [
        (NEWEST["XBTUSD"], 24300, "32185.5", 75499857),  # round(1e10 / 32185.5) = 310699, 243 lots
        (NEWEST["XBTUSD"], 900, "32180.5", 2796723),  # 310747 * 9
        (NEWEST["XBTUSD"], 100, "98570.9", 101450),
        (NEWEST["XBTUSD"], 40, "8335", 479920),  # no whole lot: counted by contract, 11998 * 40
        (NEWEST["XBTUSD"], 10000, "50000", 20000000),
        (NEWEST["XBTUSD"], 10000, "52000", 19230800),  # round(192307.69) * 100
        (LOT_OF_ONE, 15000, "9378", 159945000),  # 10663 * 15000
        (LOT_OF_ONE, 40, "8335", 479920),
        (NEWEST["XBTUSDT"], 1000, "50000", 50000000),
        (NEWEST["XBTUSDT"], 1000, "52000", 52000000),
        (NEWEST["ETHUSD"], 100, "3000", 30000000),  # 100 contracts * 100 XBt * 3000
        (NEWEST["ETHUSD"], 100, "3100", 31000000),
        (NEWEST["XBT_USDT"], "0.001", "60000", 60000000),
    ],
)
def test_values_of_the_protocol_come_out_to_the_unit(instrument, qty, price, value):
    """Protocol 10.1 and 10.12; 40 contracts at 8335 are below today's lot and take the contract's own rounding."""
    units = int(Decimal(qty) / instrument.unit_size)
    assert instrument.value(units, Decimal(price)) == value


@pytest.mark.parametrize(
    ("symbol", "value", "rate", "fee"),
    [
        ("XBTUSD", 20000000, "0.0005", 10000),
        ("XBTUSD", 19230800, "0.0005", 9615),  # 9615.4 truncated
        ("XBTUSDT", 50000000, "0.0005", 25000),
        ("XBTUSD", 20000000, "0.0001", 2000),  # funding of 10000 at 50000
        ("XBT_USDT", 60000000, "0.001", 60000),
        ("XBTUSD", 19230800, "-0.00025", -4807),  # a rebate of 4807.7, truncated toward zero too
    ],
)
def test_fees_of_the_protocol_come_out_to_the_unit(symbol, value, rate, fee):
    """Protocol 10.11 and 10.12."""
    assert NEWEST[symbol].fee(value, Decimal(rate)) == fee


@pytest.mark.parametrize(
    ("symbol", "qty", "entry", "leave", "profit"),
    [
        ("XBTUSD", 10000, "50000", "52000", 769200),
        ("XBTUSD", -10000, "50000", "52000", -769200),
        ("XBTUSDT", 1000, "50000", "52000", 2000000),
        ("ETHUSD", 100, "3000", "3100", 1000000),
    ],
)
def test_profits_of_the_protocol_come_out_to_the_unit(symbol, qty, entry, leave, profit):
    """Protocol 10.12: profit = value at the mark - cost, with the sign convention of 10.1."""
    instrument = NEWEST[symbol]
    assert instrument.signed_cost(qty, Decimal(leave)) - instrument.signed_cost(qty, Decimal(entry)) == profit


def test_the_wallet_currency_of_spot_is_quote():
    assert NEWEST["XBT_USDT"].units("0.001") == 100000
    assert NEWEST["XBT_USDT"].settle.text(60000000) == "60.000000"
