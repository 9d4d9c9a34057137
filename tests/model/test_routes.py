"""The ways between currencies: shortest, by whose price, and which codes are one currency."""

from dataclasses import replace
from typing import Any

import pytest

from hbkit.model import Currency, Instrument, InstrumentKind
from hbkit.model.routes import Routes, rate
from hbkit.testing.fake import COIN


def pair(symbol: str, unified: str, base: str, quote: str, settle: str, **more: Any) -> Instrument:
    kind = InstrumentKind.SPOT if ":" not in unified else InstrumentKind.LINEAR
    return replace(
        COIN, symbol=symbol, unified=unified, base=base, quote=quote, settle=Currency(settle, 8), kind=kind, **more
    )


XBTUSD = pair("XBTUSD", "BTC/USD:BTC", "XBT", "USD", "XBT")
DATED = pair("XBTM24", "BTC/USD:BTC-240628", "XBT", "USD", "XBT", expiry=1)
SPOT = pair("BTC-USDT", "BTC/USDT", "BTC", "USDT", "USDT")
ETH = pair("ETH-USDT", "ETH/USDT", "ETH", "USDT", "USDT")
PRICES = {"XBTUSD": 10_000.0, "XBTM24": 10_500.0, "BTC-USDT": 10_100.0, "ETH-USDT": 505.0}


def by(routes: Routes, code: str) -> tuple[list[str], float | None]:
    route = routes.of(code)
    assert route is not None
    used = [step.instrument.symbol for step in route if step.instrument is not None]
    return used, rate(route, lambda market: PRICES[market.symbol])


@pytest.mark.parametrize(
    ("code", "used", "worth"),
    [
        ("USD", [], 1.0),
        ("XBT", ["XBTUSD"], 10_000.0),
        ("BTC", ["XBTUSD"], 10_000.0),  # the unified symbol calls XBT so
        ("USDT", ["BTC-USDT", "XBTUSD"], 10_000 / 10_100),
        ("ETH", ["ETH-USDT", "BTC-USDT", "XBTUSD"], 505 / 10_100 * 10_000),
    ],
)
def test_the_shortest_way_and_what_it_is_worth(code: str, used: list[str], worth: float) -> None:
    assert by(Routes("USD", [DATED, XBTUSD, SPOT, ETH]), code) == (used, pytest.approx(worth, rel=1e-12))


def test_the_way_back_divides() -> None:
    assert by(Routes("BTC", [XBTUSD]), "USD") == (["XBTUSD"], pytest.approx(1 / 10_000, rel=1e-12))


def test_at_par_is_shorter_than_any_pair_and_needs_no_price() -> None:
    routes = Routes("USD", [SPOT, XBTUSD], ["USDT"])
    assert by(routes, "USDT") == ([], 1.0)
    assert by(routes, "BTC") == (["XBTUSD"], 10_000.0)


def test_of_two_ways_as_short_the_first_one_listed() -> None:
    other = replace(XBTUSD, exchange="other")
    (step,) = Routes("USD", [other, XBTUSD]).of("XBT") or ()
    assert step.instrument is other


def test_a_price_of_another_day_comes_last() -> None:
    assert by(Routes("USD", [DATED]), "XBT") == (["XBTM24"], 10_500.0)
    assert by(Routes("USD", [DATED, XBTUSD]), "XBT") == (["XBTUSD"], 10_000.0)


def test_without_a_pair_or_a_price_there_is_nothing() -> None:
    assert Routes("EUR", [XBTUSD, SPOT]).of("XBT") is None
    route = Routes("USD", [XBTUSD]).of("XBT") or ()
    assert [rate(route, lambda _, seen=seen: seen) for seen in (None, 0.0, float("nan"))] == [None, None, None]
