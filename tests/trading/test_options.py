"""The typed options of an order are those that the market's own calls take."""

import inspect

import pytest

from hbkit.trading.options import OrderOptions
from hbkit.trading.view import MarketView


@pytest.mark.parametrize("call", [MarketView.buy, MarketView.sell], ids=["buy", "sell"])
def test_strategy_and_market_take_the_same(call: object) -> None:
    taken = inspect.signature(call).parameters  # type: ignore[arg-type]
    assert {name for name, one in taken.items() if one.kind is one.KEYWORD_ONLY} == set(OrderOptions.__annotations__)
