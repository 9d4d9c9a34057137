"""Symbols: which instrument is meant, and what comes closest where none is."""

from decimal import Decimal
from typing import Any

import pytest

from hbkit.model import Currency, Instrument, InstrumentKind
from hbkit.model.symbols import Unified, is_known, meant, nearest_market, parse_unified


def market(unified: str, symbol: str = "") -> Instrument:
    parts = parse_unified(unified)
    assert parts is not None
    kind = InstrumentKind.SPOT if parts.is_spot else InstrumentKind.LINEAR
    fields: dict[str, Any] = {"settle": Currency(parts.settle or parts.quote, 8), "base": parts.base}
    one = Decimal(1)
    return Instrument(
        "x", symbol or unified.replace("/", ""), unified, kind, quote=parts.quote, tick_size=one, lot_size=one,
        unit_size=one, multiplier=one, maker_fee=one, taker_fee=one, **fields,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("BTC/USDT", Unified("BTC", "USDT")),
        ("BTC/USDT:USDT", Unified("BTC", "USDT", "USDT")),
        ("BTC/USD:BTC", Unified("BTC", "USD", "BTC")),
        ("BTC/USD:BTC-240628", Unified("BTC", "USD", "BTC", "240628")),
        ("1000PEPE/USDT:USDT", Unified("1000PEPE", "USDT", "USDT")),
        ("XBT/USD:XBT", Unified("BTC", "USD", "BTC")),
        ("XBTUSD", None),
        ("XBT_USDT", None),
        ("BTC-USDT-SWAP", None),
        ("BTC/USD:BTC-240628-50000-C", None),  # an option
        ("", None),
    ],
)
def test_a_unified_symbol_in_its_parts(text: str, parts: Unified | None) -> None:
    assert parse_unified(text) == parts


def test_a_native_symbol_goes_before_a_unified_one_and_two_of_one_name_are_both_told() -> None:
    swap, spot = market("BTC/USDT:USDT", "BTCUSDT"), market("BTC/USDT", "BTC/USDT")
    twins = [market("ETH/USDT:USDT", "ETHUSDT"), market("ETH/USDT:USDT", "ETHPERP")]
    every = [swap, spot, *twins]
    assert meant("BTCUSDT", every) == [swap]
    assert meant("BTC/USDT", every) == [spot]
    assert meant("ETH/USDT:USDT", every) == twins
    assert meant("ETHPERP", every) == twins[1:]
    assert meant("DOGE/USDT", every) == []


@pytest.mark.parametrize(
    ("wanted", "there", "near"),
    [
        # A perpetual stays one before it keeps its currency; then dollars of any kind, then inverse or not.
        ("BTC/USD:BTC", ["BTC/USD", "BTC/USDT:USDT", "ETH/USD:ETH"], "BTC/USDT:USDT"),
        ("BTC/USD:BTC", ["BTC/USDT:USDT", "BTC/USD:BTC-240628", "BTC/EUR:BTC"], "BTC/USDT:USDT"),
        ("BTC/USD:BTC", ["BTC/USDT:USDT", "BTC/USDT:BTC", "BTC/USD:USD"], "BTC/USDT:BTC"),
        ("BTC/USDT:USDT", ["BTC/USDC:USDC", "BTC/USD:BTC"], "BTC/USDC:USDC"),
        ("BTC/USD:BTC-240628", ["BTC/USD:BTC", "BTC/USD:BTC-240927", "BTC/USD:BTC-240705"], "BTC/USD:BTC-240705"),
        ("BTC/USD:BTC", ["BTC/USD", "BTC/EUR"], "BTC/USD"),
        ("BTC/EUR", ["BTC/USDC", "BTC/USD", "BTC/USDT", "BTC/GBP"], "BTC/GBP"),
        ("BTC/USD:BTC", ["ETH/USD:ETH"], None),
    ],
)
def test_what_comes_closest(wanted: str, there: list[str], near: str | None) -> None:
    parts = parse_unified(wanted)
    assert parts is not None
    found = nearest_market(parts, [market(one) for one in there])
    assert (found.unified if found else None) == near
    again = nearest_market(parts, [market(one) for one in reversed(there)])
    assert again == found  # whatever the order of the list


def test_a_currency_that_nobody_trades_is_a_slip_of_the_finger() -> None:
    there = [market("BTC/EUR"), market("BTC/USDT:USDT")]
    assert is_known(Unified("DOGE", "EUR"), there)
    assert is_known(Unified("BTC", "USD", "BTC"), there)  # dollars are known everywhere
    assert not is_known(Unified("BTC", "UDS", "BTC"), there)
