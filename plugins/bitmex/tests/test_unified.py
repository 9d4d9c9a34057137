"""Unified symbols of every packaged instrument, against the way in which ccxt reads the same rows."""

import json
from typing import Any

import pytest
from hbkit_bitmex import instruments

from hbkit.model.symbols import meant

DATED = {"XBTM26": "BTC/USD:BTC-260626", "ETHUSDM26": "ETH/USD:BTC-260626", "XBTZ21": "BTC/USD:BTC-211231"}


@pytest.mark.parametrize("era", instruments.ERAS)
def test_unified_symbols_are_unique_and_lead_back(era: str) -> None:
    listed = instruments.load(era)
    for one in listed:
        assert meant(one.unified, listed) == [one]
        assert meant(one.symbol, listed) == [one]


def test_futures_bear_their_day() -> None:
    every = {one.symbol: one.unified for era in instruments.ERAS for one in instruments.load(era)}
    assert {symbol: every[symbol] for symbol in DATED} == DATED


@pytest.fixture(scope="module")
def reader() -> Any:
    """ccxt's reader of BitMEX's rows; releases after 4.5.83 have none."""
    ccxt = pytest.importorskip("ccxt", reason="ccxt is not installed")
    if not hasattr(ccxt, "bitmex"):
        pytest.skip(f"ccxt {ccxt.__version__} has no bitmex any more; 4.5.83 is the last that has")
    return ccxt.bitmex()


@pytest.mark.parametrize("era", instruments.ERAS)
def test_unified_symbols_and_payoffs_are_those_of_ccxt(reader: Any, era: str) -> None:
    """Contract sizes are not compared: without its currencies ccxt gives them in minor units."""
    ours = {one.symbol: one for one in instruments.load(era)}
    rows = [row for row in instruments.rows(era) if row["symbol"] in ours]
    assert len(rows) == len(ours)
    for row in rows:
        market = reader.parse_market(json.loads(json.dumps(row, default=float)))
        mine = ours[row["symbol"]]
        assert (mine.unified, mine.is_spot) == (market["symbol"], market["spot"])
        if not mine.is_spot:
            assert (mine.is_inverse, mine.kind.value == "quanto") == (market["inverse"], market["quanto"]), mine
