"""One currency that two exchanges count in different minor units: sums are of amounts, never of their digits."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from hbkit.clock import ManualClock
from hbkit.config import load_config
from hbkit.exchange import ExchangeSpec
from hbkit.hookspecs import hookimpl
from hbkit.model import Candle, Currency
from hbkit.plugins import Plugins
from hbkit.run import Replay, make_plan
from hbkit.testing.fake import COIN
from hbkit.trading.strategy import Strategy
from tests.workbench import Bench

CONFIG = """
exchanges:
  narrow: {mode: replay, balances: {USD: 1000}, replay: {data: x.csv}}
  wide: {mode: replay, balances: {USD: 1000}, replay: {data: x.csv}}
strategies: [{use: both, instruments: [COIN, {exchange: wide, symbol: COIN}], exchange: narrow}]
run: {name: scales}
"""


def narrow(era=None):
    return [replace(COIN, exchange="narrow", settle=Currency("USD", 2), multiplier=Decimal(100))]


def wide(era=None):
    return [replace(COIN, exchange="wide", settle=Currency("USD", 8), multiplier=Decimal(10**8))]


class Both(Strategy):
    """A round trip at the one, a purchase at the other."""

    def on_candle(self, candle: Candle) -> None:
        here = self.market(candle.instrument)
        known = len(here.closes(9))
        if known == 1:
            here.buy(2)
        if known == 4 and candle.instrument.exchange == "narrow":
            here.sell(2)


class Guest:
    @hookimpl
    def hbkit_exchanges(self) -> Mapping[str, ExchangeSpec]:
        return {name: ExchangeSpec(name, name, f"{__name__}:{name}") for name in ("narrow", "wide")}

    @hookimpl
    def hbkit_strategies(self) -> Mapping[str, type[Strategy]]:
        return {"both": Both}


def test_sums_are_of_amounts(bench: Bench) -> None:
    bench.candles(100, 100, 100, 110, 110)
    plugins = Plugins([], [])
    plugins.add(Guest(), "tests")
    plan = make_plan(load_config(bench.write("c.yaml", CONFIG), environ={}), plugins)
    result = Replay(plan, wall=ManualClock(0)).play()
    # Both buy 2 at 100 and pay 0.05 % of 200, 0.10; narrow sells 2 at 110 and pays 0.11 more. Each earns 20.
    told = result.to_json()
    assert told["starting_balance"] == {"USD": "2000.00000000"}
    assert told["fees"] == {"USD": "0.31000000"}
    assert (told["realized_pnl"], told["unrealized_pnl"]) == ({"USD": "20.00000000"}, {"USD": "20.00000000"})
    assert told["equity"] == {"USD": "2039.69000000"}
    assert [row.gap for row in result.money] == [0]
    assert result.strategies[0].realized_pnl == {"USD": 20 * 10**8}
    assert [one["equity"] for one in told["accounts"]] == [{"USD": "1019.79000000"}, {"USD": "1019.90000000"}]
    assert [row.gap for account in result.accounts for row in account.money] == [0, 0]
    # The course of the equity is in the same unit: it ends where the money table does.
    assert result.equity_series.minor["USD"][-1] == 203_969_000_000
