"""Money and positions of venues as they differ: several purses, totals with open profit in them, legs, ledgers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import ccxt
import pytest
from hbkit_ccxt.account import Account
from hbkit_ccxt.ids import ids_of
from hbkit_ccxt.lookup import Lookup

from hbkit.model import InstrumentKind, PositionMode, PositionSide
from hbkit.testing.fake import COIN

SWAP = replace(COIN, symbol="COINUSD", unified="COIN/USD:USD")
needs_bitmex = pytest.mark.skipif("bitmex" not in ccxt.exchanges, reason="this ccxt has no bitmex: 4.5.83 was the last")
SPOT = replace(COIN, symbol="COIN", unified="COIN/USD", kind=InstrumentKind.SPOT)
INVERSE = replace(COIN, symbol="COINUSD_I", unified="COIN/USD:COIN", kind=InstrumentKind.INVERSE)


class Client:
    """A client of a venue of ccxt that answers from a table and notes what it was asked."""

    def __init__(self, venue: str, **answers: Any) -> None:
        self.venue = venue
        self.api = getattr(ccxt, venue)()
        self.asked: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self._answers = answers

    def has(self, name: str) -> Any:
        return self.api.has.get(name)

    def server_now(self) -> int:
        return 1_000_000_000

    async def call(self, method: str, *args: Any, **params: Any) -> Any:
        self.asked.append((method, args, params))
        return self._answers.get(method, [])


def account(client: Client, *markets: Any, traded: bool = True) -> Account:
    instruments = {one.symbol: one for one in markets}
    lookup = Lookup(client, ids_of(client.venue), instruments)
    if traded:
        lookup.traded.update(dict.fromkeys(markets))
    return Account(client, "main", lookup, instruments, lambda work: work.close())


@needs_bitmex
def test_money_is_asked_for_where_the_traded_markets_keep_it() -> None:
    client = Client("binance", fetch_balance={"USD": {"total": 10.0, "free": 4.0}})
    ours = account(client, SWAP, INVERSE, SPOT)
    asyncio.run(ours.refresh())
    asked = [params for method, _, params in client.asked if method == "fetch_balance"]
    assert asked == [{"type": "swap", "subType": "linear"}, {"type": "swap", "subType": "inverse"}, {"type": "spot"}]
    assert not ours.has_one_purse
    assert account(Client("bitmex"), SWAP).has_one_purse


def test_a_total_that_holds_open_profit_is_taken_apart() -> None:
    # 12 USD in all, of which 2.5 are open profit: 9.5 settled, in minor units of a ten-thousandth.
    position = {"symbol": "COIN/USD:USD", "side": "long", "contracts": 0.5, "unrealizedPnl": 2.5, "entryPrice": 95.0}
    client = Client("okx", fetch_balance={"USD": {"total": 12.0, "free": 8.0}}, fetch_positions=[position])
    ours = account(client, SWAP)
    asyncio.run(ours.refresh())
    (wallet,) = ours.wallets()
    assert (wallet.balance, wallet.equity, wallet.available) == (95_000, 120_000, 80_000)


@needs_bitmex
def test_where_rows_tell_settled_money_beside_the_whole_that_is_believed() -> None:
    rows = [{"currency": "USD", "walletBalance": 9_000, "marginBalance": 10_000}]
    client = Client("bitmex", fetch_balance={"info": rows, "USD": {"total": 10.0, "free": 10.0}})
    ours = account(client, SWAP)
    asyncio.run(ours.refresh())
    (wallet,) = ours.wallets()
    assert (wallet.balance, wallet.equity) == (90_000, 100_000)


def test_a_short_is_negative_and_has_a_leg_only_in_hedge_mode() -> None:
    row = {
        "symbol": "COIN/USD:USD",
        "side": "short",
        "contracts": 0.5,
        "entryPrice": 100.0,
        "hedged": False,
        "info": {},
    }
    client = Client("okx", fetch_positions=[row, {**row, "contracts": 0.0}, {**row, "symbol": "OTHER/USD:USD"}])
    ours = account(client, SWAP)
    (held,) = asyncio.run(ours.positions())
    # 500 units at 100 USD: 50 USD of 10,000 minor units each.
    assert (held.side, held.units, held.cost) == (PositionSide.NET, -500, -500_000)
    ours.mode = PositionMode.HEDGE
    (held,) = asyncio.run(ours.positions())
    assert (held.side, held.units) == (PositionSide.SHORT, -500)


def test_transfers_are_what_the_ledger_says_since_the_beginning_each_once() -> None:
    rows = [
        {"id": "1", "type": "transfer", "direction": "in", "amount": 5.0, "currency": "USD", "timestamp": 2000},
        {"id": "2", "type": "withdrawal", "direction": "out", "amount": 2.0, "currency": "USD", "timestamp": 2000},
        {"id": "3", "type": "trade", "direction": "in", "amount": 9.0, "currency": "USD", "timestamp": 2000},
        {"id": "0", "type": "transfer", "direction": "in", "amount": 7.0, "currency": "USD", "timestamp": 500},
    ]
    ours = account(Client("okx", fetch_balance={}, fetch_ledger=rows), SWAP)
    for _ in range(2):
        asyncio.run(ours.refresh())
    # 5 in and 2 out; the first row is of before the beginning.
    assert ours.transfers() == {"USD": 30_000}
