"""Orders as ccxt tells them, whole and in pieces."""

from __future__ import annotations

from typing import Any

import pytest
from hbkit_ccxt.reports import order_report

from hbkit.model import OrderReport, OrderStatus, PositionSide, Side
from hbkit.testing.fake import COIN

NOW = 5_000_000_000
ROW: dict[str, Any] = {
    "id": "v1", "clientOrderId": "c1", "side": "buy", "amount": 0.05, "filled": 0.0, "price": 99.3, "status": "open",
    "type": "limit", "timestamp": 4000, "info": {},
}  # fmt: skip


def report(before: OrderReport | None = None, carried: int = 0, **more: Any) -> OrderReport | None:
    return order_report({**ROW, **more}, COIN, "c1", before, NOW, carried)


def known(**more: Any) -> OrderReport:
    found = report(**more)
    assert found is not None
    return found


def test_a_whole_row_is_the_order_in_ticks_and_units() -> None:
    # A unit is 0.001, a tick 0.1.
    found = known()
    came = (found.side, found.units, found.ticks, found.status, found.exchange_id, found.ts)
    assert came == (Side.BUY, 50, 993, OrderStatus.OPEN, "v1", 4_000_000_000)


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"status": "closed", "filled": 0.05}, OrderStatus.FILLED),
        ({"status": "closed", "filled": 0.02}, OrderStatus.CANCELED),
        ({"status": "canceled", "filled": 0.02}, OrderStatus.CANCELED),
        ({"status": "expired"}, OrderStatus.EXPIRED),
        ({"status": "rejected"}, OrderStatus.REJECTED),
        ({"status": "canceling"}, OrderStatus.OPEN),
        ({"filled": 0.02}, OrderStatus.PARTIALLY_FILLED),
        ({"filled": None, "remaining": 0.04}, OrderStatus.PARTIALLY_FILLED),
        ({"filled": None, "status": "closed"}, OrderStatus.FILLED),
        ({"triggerPrice": 101.0}, OrderStatus.UNTRIGGERED),
        ({"triggerPrice": 101.0, "info": {"triggered": "StopOrderTriggered"}}, OrderStatus.OPEN),
        ({"triggerPrice": 101.0, "filled": 0.01}, OrderStatus.PARTIALLY_FILLED),
    ],
)
def test_a_status_is_what_word_and_quantities_say_together(more: dict[str, Any], status: OrderStatus) -> None:
    assert known(**more).status is status


def test_an_answer_that_is_an_id_says_that_the_order_is_there_and_nothing_else() -> None:
    before = known()
    bare = {name: None for name in ROW if name not in ("id", "info")}
    found = order_report({**bare, "id": "v1", "info": {}}, COIN, "c1", before, NOW)
    assert found is not None
    assert (found.units, found.ticks, found.status, found.ts) == (50, 993, OrderStatus.OPEN, NOW)


def test_of_an_order_that_nobody_knows_a_bare_answer_makes_no_report() -> None:
    assert report(side=None) is None
    assert report(amount=None) is None


def test_a_filled_quantity_never_goes_back() -> None:
    before = known(filled=0.03)
    assert known(before=before, filled=0.01).filled_units == 30


def test_the_price_at_which_a_market_order_traded_is_not_its_price() -> None:
    assert known(type="market").ticks is None


def test_a_generation_counts_what_had_filled_before_it() -> None:
    # 20 units had filled; what was placed anew is 0.05, of which 0.01 has.
    found = known(carried=20, filled=0.01)
    assert (found.units, found.filled_units, found.status) == (70, 30, OrderStatus.PARTIALLY_FILLED)


def test_a_leg_and_a_reason_are_read_from_the_venues_own_fields() -> None:
    found = known(status="canceled", info={"positionSide": "SHORT", "cancelReason": "self trade"})
    assert (found.position_side, found.reason) == (PositionSide.SHORT, "self trade")
