"""Money of a replay, worked out by hand for each kind of instrument, and the identity that must hold to the unit."""

from decimal import Decimal

import pytest

from tests.workbench import gap, pay

ROUND_TRIP = """
qty: float = Param(100)

def on_start(self):
    self.seen = 0

def on_candle(self, candle):
    self.seen += 1
    if self.seen == 1:
        self.buy(self.qty)
    if self.seen == 3:
        self.sell(self.qty)
"""


def config(exchange, symbol, qty, more=""):
    return f"""
    exchanges: {{{exchange}: {{mode: replay, replay: {{data: x.csv}}{more}}}}}
    strategies: [{{use: one, instruments: [{symbol}], params: {{qty: {qty}}}}}]
    """


@pytest.mark.parametrize(
    ("exchange", "symbol", "qty", "prices", "code", "realized", "fees"),
    [
        # 100 USD: worth 0.01 XBT at 10,000 and 0.008 at 12,500; 0.05 % of both as fees.
        ("bitmex_perpetual", "XBTUSD", 100, (10_000, 12_500), "XBT", "0.00200000", "0.00000900"),
        # 1,000 contracts of 0.000001 BTC: 10 USDT and 12.5 USDT.
        ("bitmex_perpetual", "XBTUSDT", 1000, (10_000, 12_500), "USDT", "2.500000", "0.011250"),
        # 10 contracts of 100 satoshi per dollar: 200,000 and 250,000 satoshi.
        ("bitmex_perpetual", "ETHUSD", 10, (200, 250), "XBT", "0.00050000", "0.00000225"),
        # 0.01 XBT: 100 USDT and 125 USDT.
        ("bitmex", "XBT_USDT", 0.01, (10_000, 12_500), "USDT", "25.000000", "0.112500"),
    ],
    ids=["inverse", "linear", "quanto", "spot"],
)
def test_a_round_trip_comes_out_as_worked_out_by_hand(
    bench, exchange, symbol, qty, prices, code, realized, fees
):
    first, last = prices
    bench.candles(first, first, last, last, last)
    bench.strategy(ROUND_TRIP)
    done = bench.backtest(config=config(exchange, symbol, qty))
    assert done.code == 0, done.err
    assert done.json["realized_pnl"][code] == realized
    assert done.json["fees"][code] == fees
    assert done.json["positions"] == []
    assert pay(done, "equity", code) == pay(done, "starting_balance", code) + Decimal(realized) - Decimal(fees)
    assert [gap(done, one) for one in done.json["equity"]] == [0] * len(done.json["equity"])
    assert done.json["strategies"] == [
        {"name": "one", "orders": 2, "fills": 2, "realized_pnl": {code: realized}}
    ]


@pytest.mark.parametrize(
    ("exchange", "symbol", "qty", "prices", "code", "open_profit", "position"),
    [
        ("bitmex_perpetual", "XBTUSD", 100, (10_000, 12_500), "XBT", "0.00200000", "100"),
        ("bitmex_perpetual", "XBTUSDT", 1000, (10_000, 12_500), "USDT", "2.500000", "1000"),
        ("bitmex_perpetual", "ETHUSD", 10, (200, 250), "XBT", "0.00050000", "10"),
        ("bitmex", "XBT_USDT", 0.01, (10_000, 12_500), "USDT", "25.000000", "0.01"),
    ],
    ids=["inverse", "linear", "quanto", "spot"],
)
def test_what_is_held_at_the_end_counts_as_open_profit(
    bench, exchange, symbol, qty, prices, code, open_profit, position
):
    first, last = prices
    bench.candles(first, first, last)
    bench.strategy(ROUND_TRIP)
    done = bench.backtest(config=config(exchange, symbol, qty))
    assert done.code == 0, done.err
    assert done.json["unrealized_pnl"][code] == open_profit
    (held,) = done.json["positions"]
    assert (held["exchange"], held["instrument"], held["side"]) == (exchange, symbol, "long")
    assert (held["qty"], Decimal(held["entry_price"])) == (position, first)
    assert not any(gap(done, one) for one in done.json["equity"])


def test_a_short_that_turned_long_keeps_the_identity_at_odd_prices(bench):
    bench.candles(10_000.5, 9_876.5, 10_123, 9_998.5, 10_321.5, 10_017)
    bench.strategy("""
    def on_candle(self, candle):
        self.sell(300) if self.position.qty >= 0 else self.buy(700)
    """)
    done = bench.backtest()
    assert done.json["fills"] == 5
    assert gap(done, "XBT") == 0
    assert pay(done, "fees") > 0


def test_funding_that_is_received_counts_for_the_account(bench):
    """A short of 100 USD at 10,000 holds 0.01 XBT; a rate of 0.01 % pays it 100 satoshi."""
    bench.candles(*[10_000] * 10)
    bench.write("f.csv", """
    timestamp,fundingRate
    2021-07-22T00:05:30Z,0.0001
    """)
    bench.strategy("""
    def on_candle(self, candle):
        if not self.position.qty:
            self.sell(100)

    def on_funding(self, funding):
        self.log.info("funded", amount=f"{funding.amount:.8f}", rate=funding.rate)
    """)
    done = bench.backtest(config="""
    exchanges: {bitmex_perpetual: {mode: replay, replay: {data: {XBTUSD: [x.csv, f.csv]}}}}
    strategies: [{use: one, instruments: [XBTUSD]}]
    """)
    assert done.code == 0, done.err
    assert done.json["funding"]["XBT"] == "0.00000100"
    assert "amount=0.00000100" in done.err
    assert gap(done, "XBT") == 0


def test_balances_are_those_of_the_config(bench):
    bench.candles(10_000, 10_000)
    bench.strategy("def on_candle(self, candle): pass")
    done = bench.backtest(config=config("bitmex_perpetual", "XBTUSD", 100, ", balances: {XBT: 2.5}").replace(
        ", params: {qty: 100}", ""))  # fmt: skip
    assert done.json["starting_balance"] == {"XBT": "2.50000000"}
    assert done.json["transfers"] == {"XBT": "0.00000000"}
