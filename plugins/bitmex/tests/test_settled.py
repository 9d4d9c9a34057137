"""Symbols that are gone."""

import pytest
from hbkit_bitmex.settled import settled


@pytest.mark.parametrize(
    ("symbol", "told"),
    {
        # The last Fridays of these months, by the calendar.
        "XBTZ17": "XBTZ17 settled on 2017-12-29; open XBT futures: XBTK26, XBTM26, XBTU26, XBTZ26",
        "XBTH24": "XBTH24 settled on 2024-03-29; open XBT futures: XBTK26, XBTM26, XBTU26, XBTZ26",
        "ETHUSDU21": "ETHUSDU21 settled on 2021-09-24; open ETHUSD futures: ETHUSDM26",
        "LTCU21": "LTCU21 settled on 2021-09-24; there are no LTC futures any more",
        "DEFIMEXUSD": "DEFIMEXUSD is not listed any more; it was on 2021-07-22",
        # Never was, is yet to come, is there, is no symbol.
        "XBTZ12": "",
        "XBTZ30": "",
        "XBTM26": "",
        "XBTUSD": "",
        "FOOZ17": "",
        "": "",
        "../Z17": "",
    }.items(),
)
def test_what_is_known_of_a_symbol_that_is_gone(symbol: str, told: str) -> None:
    assert settled(symbol) == told
