"""Plays basana's RSI sample over a candle file and prints its fills; run by hand, with basana and talipp installed.

    python play_basana.py CANDLES.csv.gz STOP_PERCENT SPREAD_PERCENT    in a checkout of gbeced/basana
"""

from __future__ import annotations

import asyncio
import csv
import datetime
import gzip
import logging
import sys
from decimal import Decimal

sys.path.insert(0, ".")

import basana as bs
import basana.backtesting.exchange as backtesting
from samples.backtesting.position_manager import PositionManager
from samples.strategies import rsi

MINUTE = datetime.timedelta(minutes=1)
PAIR = bs.Pair("BTC", "USD")


def bars(path: str) -> list[bs.BarEvent]:
    events = []
    with gzip.open(path, "rt") as file:
        for row in csv.DictReader(file):
            end = datetime.datetime.fromisoformat(row["timestamp"])
            first, high, low, last = (Decimal(row[name]) for name in ("open", "high", "low", "close"))
            volume = Decimal(row["volume"])
            bar = bs.Bar(end - MINUTE, PAIR, first, max(high, first), min(low, first), last, volume, MINUTE)
            events.append(bs.BarEvent(end, bar))
    return events


async def main(path: str, stop: str, spread: str) -> None:
    dispatcher = bs.backtesting_dispatcher()
    money = {"BTC": Decimal(0), "USD": Decimal(100_000)}
    exchange = backtesting.Exchange(
        dispatcher, initial_balances=money, immediate_order_processing=True, bid_ask_spread=Decimal(spread)
    )
    exchange.set_symbol_precision("BTC", 8)
    exchange.set_symbol_precision("USD", 2)
    strategy = rsi.Strategy(dispatcher, 7, 30, 70)
    manager = PositionManager(
        exchange, position_amount=Decimal(1000), quote_symbol="USD", stop_loss_pct=Decimal(stop),
        borrowing_disabled=True,
    )
    exchange.subscribe_to_bar_events(PAIR, strategy.on_bar_event)
    strategy.subscribe_to_trading_signals(manager.on_trading_signal)
    exchange.subscribe_to_bar_events(PAIR, manager.on_bar_event)
    exchange.subscribe_to_order_events(manager.on_order_event)
    told = set()

    async def on_order(event: backtesting.OrderEvent) -> None:
        order = event.order
        if order.amount_filled and not order.is_open and order.id not in told:
            told.add(order.id)
            side = order.operation.name.lower()
            sys.stdout.write(f"{event.when.isoformat()},{side},{order.amount_filled},{order.fill_price}\n")

    exchange.subscribe_to_order_events(on_order)
    exchange.add_bar_source(bs.FifoQueueEventSource(events=bars(path)))
    sys.stdout.write("ts,side,qty,price\n")
    await dispatcher.run()


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asyncio.run(main(*sys.argv[1:]))
