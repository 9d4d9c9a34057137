"""Trades as executions: cost, fee in whichever currency, and histories that come in pages of every sort."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from hbkit_ccxt.fills import Fills, Owner, all_since

from hbkit import log
from hbkit.clock import WallClock
from hbkit.model import Execution, InstrumentKind, Liquidity, OrderReport, OrderStatus, PositionSide, Side
from hbkit.net.virtual import run_virtual
from hbkit.testing.fake import COIN

SPOT = replace(COIN, unified="COIN/USD", kind=InstrumentKind.SPOT)
OWNER = Owner("c1", PositionSide.NET)
ROW: dict[str, Any] = {
    "id": "t1", "order": "v1", "side": "buy", "price": 100.0, "amount": 0.5, "timestamp": 1000, "takerOrMaker": "taker",
    "fee": {"cost": 0.025, "currency": "USD"}, "info": {},
}  # fmt: skip


def fills(**prices: float) -> Fills:
    return Fills("main", lambda instrument, code: prices.get(code))


def booked(found: Execution | None) -> Execution:
    assert found is not None
    return found


def test_a_trade_is_an_execution_in_whole_units() -> None:
    # 0.5 coins are 500 units; at 100 USD they cost 50 USD, of 10,000 minor units each; the fee is 0.025 USD.
    one = booked(fills().execution(ROW, COIN, OWNER))
    assert (one.id, one.order_id, one.units, one.cost, one.fee) == ("t1", "c1", 500, 500_000, 250)
    assert (one.ts, one.liquidity) == (1_000_000_000, Liquidity.TAKER)


def test_a_rebate_is_negative_and_several_fees_are_added_up() -> None:
    row = {**ROW, "fees": [{"cost": -0.01, "currency": "USD"}, {"cost": 0.005, "currency": "USD"}]}
    assert booked(fills().execution(row, COIN, OWNER)).fee == -50


def test_without_a_fee_the_instruments_rate_is_booked_and_said_once() -> None:
    # Takers pay 0.05 percent of 50 USD: 0.025 USD; makers get 0.01 percent: 0.005 USD.
    said = StringIO()
    log.configure(level="warning", stream=said, clock=WallClock())
    try:
        several = fills()
        assert booked(several.execution({**ROW, "fee": None}, COIN, OWNER)).fee == 250
        made = {**ROW, "id": "t2", "fee": {"cost": None, "currency": None}, "takerOrMaker": "maker"}
        assert booked(several.execution(made, COIN, OWNER)).fee == -50
    finally:
        log.close()
    assert said.getvalue().count("tells no fee") == 1


def test_a_fee_in_the_coin_that_was_bought_is_booked_at_the_trades_price() -> None:
    # 0.0005 coins at 100 USD are 0.05 USD.
    row = {**ROW, "fee": {"cost": 0.0005, "currency": "COIN"}}
    assert booked(fills().execution(row, SPOT, OWNER)).fee == 500


def test_a_fee_in_a_third_currency_is_booked_at_its_price_or_at_the_rate() -> None:
    # 0.0001 BNB at 600 USD are 0.06 USD; without a price the taker's rate of 0.05 percent of 50 USD is taken.
    row = {**ROW, "fee": {"cost": 0.0001, "currency": "BNB"}}
    assert booked(fills(BNB=600.0).execution(row, COIN, OWNER)).fee == 600
    assert booked(fills().execution(row, COIN, OWNER)).fee == 250


def test_a_trade_that_lacks_what_a_booking_needs_is_not_invented() -> None:
    assert fills().execution({**ROW, "price": None}, COIN, OWNER) is None


def test_an_execution_is_new_once() -> None:
    several = fills()
    one = booked(several.execution(ROW, COIN, OWNER))
    assert [several.is_new(one), several.is_new(one)] == [True, False]


def order(filled: int) -> OrderReport:
    return OrderReport(
        9, "c1", "v1", COIN, Side.BUY, PositionSide.NET, OrderStatus.PARTIALLY_FILLED, 1000, filled, 1000
    )


def test_the_parts_of_an_order_have_the_prices_that_its_mean_leaves() -> None:
    # 200 units at 100; then a mean of 101 over 500: the other 300 were at (500 * 101 - 200 * 100) / 300 = 101.666...
    several = fills()
    first = booked(several.difference(0, order(200), {"average": 100.0}, None))
    second = booked(several.difference(200, order(500), {"average": 101.0}, None))
    assert (first.id, first.units, first.price) == ("v1#200", 200, 100.0)
    assert (second.units, round(second.price, 6)) == (300, 101.666667)
    assert first.cost + second.cost == pytest.approx(COIN.signed_cost(500, 101.0), abs=1)
    assert several.difference(500, order(500), {"average": 101.0}, None) is None


def test_a_part_whose_price_comes_later_is_booked_then() -> None:
    several = fills()
    assert several.difference(0, order(200), {}, None) is None
    assert not several.is_booked(order(200))
    assert booked(several.difference(0, order(200), {"average": 100.0}, None)).units == 200
    assert several.is_booked(order(200))


# -- history

TRADES = [{"id": f"{number}", "symbol": "COIN", "timestamp": 1000 + number // 3} for number in range(100)]
"""Three a millisecond."""


def pages(kind: str, asked: list[Any]) -> Any:
    """A venue that gives at most ten: the first since a moment, the last, or the first of a window of 12 ms."""

    async def page(start: int, limit: int, until: int | None) -> list[dict[str, Any]]:
        asked.append((start, until))
        end = until if until is not None else (start + 12 if kind == "window" else 10**9)
        rows = [row for row in TRADES if start <= row["timestamp"] <= end]
        return [dict(row) for row in (rows[-limit:] if kind == "newest" else rows[:limit])]

    return page


@pytest.mark.parametrize("kind", ["oldest", "newest", "window"])
@pytest.mark.parametrize("since", [0, 1010])
def test_every_trade_comes_once_from_whichever_end_a_venue_counts(kind: str, since: int) -> None:
    asked: list[Any] = []
    window = 12_000_000 if kind == "window" else None

    async def main(loop: Any) -> list[dict[str, Any]]:
        start = max(since, 990) * 1_000_000
        return await all_since(pages(kind, asked), start, 1_040_000_000, limit=10, window=window)

    found = [int(row["id"]) for row in run_virtual(main)]
    # From 1010 on: the 30th and later, for each millisecond has three.
    assert found == list(range(30 if since else 0, 100))
    assert len(asked) < 40
