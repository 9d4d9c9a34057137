"""The smallest market maker: where it quotes, when it renews, and what it does without a price."""

from pathlib import Path
from typing import Any

from hbkit.config import load_config
from hbkit.plugins import Plugins
from hbkit.run import make_plan

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "strategies" / "simple_pmm.py"
SPREADS = {"bid_spread": 0.002, "ask_spread": 0.003, "qty": 1}


async def test_it_quotes_around_the_middle_by_the_clock(run_strategy: Any, market: Any) -> None:
    # The price stands at 100.0, 100.4 after ten seconds, 100.2 after twenty: the second comes before the 15 s are over.
    ran = await run_strategy(str(FILE), script=market(100, 100.4, 100.2, every=10), params=SPREADS)
    # 100.0 * 0.998 = 99.8, 100.0 * 1.003 = 100.3; the offer at 100.3 fills at 100.4 - 0.1, the bid does not.
    # 100.2 * 0.998 = 99.9996, down to 99.9; 100.2 * 1.003 = 100.5006, up to 100.6. Tick 0.1.
    ran.assert_order("buy", 1, 99.9)
    ran.assert_order("sell", 1, 100.6)
    ran.assert_fill("sell", 1, 100.3)
    assert {(row.side, float(row.price)) for row in ran.orders} == {("buy", 99.9), ("sell", 100.3), ("sell", 100.6)}
    ran.assert_clean()


async def test_it_quotes_around_the_last_trade(run_strategy: Any, market: Any) -> None:
    ran = await run_strategy(str(FILE), script=market(100, 100, every=20), params=SPREADS | {"source": "last"})
    # Prints at 99.9 and 100.1 in each step; the second quote comes before its prints, after the 100.1 of the first:
    # 100.1 * 0.998 = 99.8998, down to 99.8; 100.1 * 1.003 = 100.4003, up to 100.5.
    ran.assert_order("buy", 1, 99.8)
    ran.assert_order("sell", 1, 100.5)


async def test_orders_that_stay_where_they_are_are_left_alone(run_strategy: Any, market: Any) -> None:
    ran = await run_strategy(str(FILE), script=market(100, 100, 100, 100, every=20), params=SPREADS)
    assert len(ran.orders) == 2


def test_its_config_is_good() -> None:
    make_plan(load_config(ROOT / "configs" / "simple_pmm.yaml", environ={}), Plugins([], []), None)
