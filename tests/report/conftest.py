"""Makes a small result that adds up, for the tests of everything that is drawn from one."""

from collections.abc import Callable
from typing import Any

import pytest

from hbkit.clock import MINUTE, parse_time
from hbkit.report.result import (
    EquitySeries,
    FillRow,
    InstrumentRow,
    MoneyRow,
    OrderRow,
    PositionRow,
    PriceSeries,
    ProvenanceRow,
    RunResult,
    StrategyRow,
)

START = parse_time("2019-05-28T18:00:00Z")


def make_fill(minute: float, side: str, qty: str = "100", **changes: Any) -> FillRow:
    """A maker fill of XBTUSD at 8700 that paid 10 minor units, `minute` minutes into the run."""
    values: dict[str, Any] = {
        "ts": START + round(minute * MINUTE),
        "order_id": "demo-1",
        "strategy": "market_maker",
        "instrument": "XBTUSD",
        "side": side,
        "price": "8700",
        "qty": qty,
        "fee": "0.00000010",
        "fee_currency": "XBT",
        "liquidity": "maker",
        "value": "0.01149400",
    }
    return FillRow(**{**values, **changes})


def make_order(number: int = 1, **changes: Any) -> OrderRow:
    """A limit order that was filled a minute after it was sent."""
    values: dict[str, Any] = {
        "ts": START + number * MINUTE,
        "ended_ts": START + (number + 1) * MINUTE,
        "id": f"demo-{number}",
        "strategy": "market_maker",
        "instrument": "XBTUSD",
        "side": "buy",
        "type": "limit",
        "price": "8700",
        "qty": "100",
        "filled": "100",
        "status": "filled",
        "tag": "quote",
    }
    return OrderRow(**{**values, **changes})


def make_result(**changes: Any) -> RunResult:
    """Four hours of a market maker on XBTUSD.

    100,000,000 starting + 0 transfers + 3,000 realized + 500 funding - 140 fees - 360 unrealized = 100,003,000; the
    fees are 10 + 10 + 120.
    """
    values: dict[str, Any] = {
        "run_id": "20190528-180000-demo",
        "name": "demo",
        "mode": "replay",
        "seed": 7,
        "started": "2019-05-28T18:00:00.000Z",
        "stopped": "2019-05-28T22:00:00.000Z",
        "stop_reason": "end_of_data",
        "exit_code": 0,
        "events": 48_211,
        "orders": 3,
        "fills": 3,
        "rejects": 1,
        "money": [
            MoneyRow(
                currency="XBT",
                scale=8,
                starting_balance=100_000_000,
                realized_pnl=3_000,
                unrealized_pnl=-360,
                fees=140,
                funding=500,
                equity=100_003_000,
            )
        ],
        "positions": [
            PositionRow(exchange="bitmex_perpetual", instrument="XBTUSD", side="net", qty="100", entry_price="8703.5")
        ],
        "strategies": [StrategyRow(name="market_maker", orders=3, fills=3, realized_pnl={"XBT": 3_000})],
        "journal_hash": "sha256:0d3a",
        "report": "runs/20190528-180000-demo/report.html",
        "journal": "state/demo.db",
        "equity_series": EquitySeries(
            ts=[START + hour * 60 * MINUTE for hour in range(5)],
            minor={"XBT": [100_000_000, 100_004_000, 100_001_000, 100_005_000, 100_003_000]},
        ),
        "prices": [
            PriceSeries(
                instrument="XBTUSD",
                ts=[START + hour * 60 * MINUTE for hour in range(5)],
                price=[8700.0, 8710.5, 8695.0, 8720.0, 8703.5],
            )
        ],
        "fill_rows": [
            make_fill(10, "buy"),
            make_fill(40, "sell", realized="0.00003000"),
            make_fill(120, "buy", fee="-0.00000500", kind="funding", price="8695", value=""),
            make_fill(200, "buy", fee="0.00000120", liquidity="taker"),
        ],
        "order_rows": [
            make_order(1),
            make_order(2, side="sell"),
            make_order(3, status="rejected", reason="Overloaded"),
        ],
        "provenance": [
            ProvenanceRow(part="trades", origin="recorded", text="BitMEX, 28 May 2019"),
            ProvenanceRow(part="book sizes", origin="synthesised", text="drawn from the trades"),
        ],
        "fill_model": "queue: a resting order waits behind the size that was there before it",
        "latency_ns": 50_000_000,
        "instruments": [
            InstrumentRow(
                exchange="bitmex_perpetual",
                symbol="XBTUSD",
                kind="inverse",
                unit="contract of 1 USD",
                tick="0.5",
                lot="1",
                maker_fee="-0.00025",
                taker_fee="0.00075",
            )
        ],
        "warnings": ["The book sizes are synthesised: queue positions are a guess."],
        "config_text": "exchanges:\n  bitmex_perpetual: {mode: replay}\n",
        "python_version": "3.11.7",
        "hbkit_version": "0.1.0",
    }
    return RunResult(**{**values, **changes})


@pytest.fixture
def maker() -> Callable[..., RunResult]:
    """`make_result`, for tests that change parts of it."""
    return make_result


@pytest.fixture
def fill() -> Callable[..., FillRow]:
    """`make_fill`."""
    return make_fill


@pytest.fixture
def order() -> Callable[..., OrderRow]:
    """`make_order`."""
    return make_order
