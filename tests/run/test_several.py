"""Two exchanges in one run: nothing of one is taken for the other's, and what befalls one leaves the other alone."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from hbkit.data.journal import read_rows
from hbkit.errors import ExchangeError, StrategyError, Unsupported
from hbkit.exchange import Channel
from hbkit.model import Fill, Instrument, Order, Quote, Side, Trade
from hbkit.trading.strategy import Strategy
from tests.several import Place, Placed, Town, in_town


class Both(Strategy):
    """Bids at the first, offers at the second, and writes down what it hears."""

    def on_start(self) -> None:
        self.heard: list[Any] = []
        self.first, self.second = (self.market(one) for one in self.instruments)

    def on_connected(self, exchange: str) -> None:
        self.heard.append(("up", exchange))

    def on_disconnected(self, exchange: str) -> None:
        self.heard.append(("down", exchange))

    def on_quote(self, quote: Quote) -> None:
        self.heard.append((quote.instrument.exchange, quote.bid))
        if quote.instrument.exchange == "alpha":
            self.first.quote(bids=[(quote.bid - 1, 1)])
        else:
            self.second.quote(asks=[(quote.ask + 1, 2)])

    def on_trade(self, trade: Trade) -> None:
        self.heard.append(("trade", trade.instrument.exchange, trade.price))

    def on_fill(self, fill: Fill) -> None:
        self.heard.append(("fill", fill.instrument.exchange, fill.side.value, fill.qty))

    def on_order(self, order: Order) -> None:
        if order.status in ("rejected", "unknown"):
            self.heard.append((order.status.value, order.instrument.exchange, order.reason))


def test_one_symbol_on_two_exchanges_never_mixes(tmp_path: Path) -> None:
    async def script(town: Town) -> None:
        town.move("alpha", 100, 101)
        town.move("beta", 200, 201)
        await asyncio.sleep(1)
        town.take("alpha", Side.SELL, 98.9, 1)  # beyond our bid of 99.0, which fills
        town.take("beta", Side.BUY, 202.1, 1)  # beyond our offer of 202.0, half of which fills at least
        await asyncio.sleep(1)

    async def test(town: Town) -> None:
        result = await town.play(Both, script, seconds=6)
        strategy = town.run.hosts[0].strategy
        assert (result.exit_code, result.rejects, result.warnings) == (0, 0, [])
        heard = strategy.heard
        assert ("alpha", 100.0) in heard
        assert ("beta", 200.0) in heard
        assert ("alpha", 200.0) not in heard
        assert ("trade", "alpha", 98.9) in heard
        assert ("trade", "beta", 98.9) not in heard
        # A bid at the one and an offer at the other: 1 coin long at 99, up to 2 coins short at 202.
        assert town.held("alpha") == 1
        assert town.held("beta") < 0
        assert strategy.first.position.qty == 1
        assert strategy.second.position.qty == town.held("beta")
        rows = {(row.exchange, row.instrument): (row.qty, row.entry_price) for row in result.positions}
        assert rows["alpha", "COIN"] == ("1", "99")
        assert rows["beta", "COIN"][1] == "202"
        assert {(row.exchange, row.side) for row in result.fill_rows} == {("alpha", "buy"), ("beta", "sell")}
        assert {(row.exchange, row.side) for row in result.order_rows} == {("alpha", "buy"), ("beta", "sell")}
        # The journal knows which.
        kept = read_rows(Path(result.journal), "executions", result.run_id)
        assert {(row[7], row[9]) for row in kept} == {("alpha", "buy"), ("beta", "sell")}
        # So do the charts: prices about 100 and about 200 are two lines.
        lines = {(one.exchange, one.instrument): one.price[-1] for one in result.prices}
        assert lines == {("alpha", "COIN"): 98.9, ("beta", "COIN"): 202.1}
        assert town.open_orders("alpha") == town.open_orders("beta") == []
        page = Path(result.report).read_text()
        assert "alpha COIN" in page
        assert "beta COIN" in page

    in_town(tmp_path, test)
