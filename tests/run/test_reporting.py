"""One figure in the reporting currency: worked out by hand, by the prices that the run saw, or not given at all."""

import pytest

PAIR = """
exchanges:
  bitmex: {{mode: replay, balances: {{USDT: 1000}}, replay: {{data: spot.csv}}}}
  bitmex_perpetual: {{mode: replay, balances: {{XBT: 1, ETH: 3}}, replay: {{data: x.csv}}}}
strategies:
  - {{use: one, exchange: bitmex_perpetual, instruments: [XBTUSD, {{exchange: bitmex, symbol: XBT_USDT}}]}}
report: {report}
"""
ONE = """
exchanges:
  bitmex_perpetual: {{mode: replay, balances: {{XBT: 1}}, replay: {{data: x.csv}}}}
strategies: [{{use: one, instruments: [{symbol}]}}]
report: {report}
risk: {risk}
"""
BUY = """
def on_candle(self, candle):
    if len(self.closes(9)) == 1 and candle.instrument == self.instrument: self.buy(2000)
"""
IDLE = "def on_candle(self, candle): pass"
SHORT = """
def on_candle(self, candle):
    if len(self.closes(9)) == 1: self.sell(10_000)
"""
AT = "2021-07-22T00:04:00.000Z"


@pytest.fixture(autouse=True)
def tape(bench):
    # The perpetual goes from 10,000 to 12,500, spot from 10,000 to 12,000.
    bench.candles(10_000, 10_000, 10_000, 12_500)
    bench.candles(10_000, 10_000, 10_000, 12_000, name="spot.csv")
    bench.strategy(BUY)


def test_everything_is_one_figure_at_the_marks_of_the_end(bench):
    done = bench.backtest(config=PAIR.format(report="{currency: USD, at_par: [USDT]}"))
    assert done.code == 0, done.err
    # XBT: 1 - 0.0001 fee (0.05 % of 0.2) + 2,000 / 10,000 - 2,000 / 12,500 = 1.0399, at 12,500 are 12,998.75.
    assert done.json["equity"] == {"ETH": "3.000000000", "USDT": "1000.000000", "XBT": "1.03990000"}
    told = done.json["reporting"]
    assert (told["currency"], told["equity"], told["reason"]) == ("USD", "13998.75", "")
    # It began with 1 XBT at 10,000 and 1,000 USDT.
    assert (told["started"], told["net_profit"]) == ("11000.00", "2998.75")
    assert told["rates"] == [
        {"currency": "USDT", "rate": "1", "pairs": []},
        {
            "currency": "XBT",
            "rate": "12500",
            "pairs": [{"exchange": "bitmex_perpetual", "instrument": "XBTUSD", "price": "12500", "at": AT}],
        },
    ]
    assert (told["at_par"], told["left_out"]) == (["USDT"], {"ETH": "3.000000000"})
    assert [one["exchanges"] for one in done.json["accounts"]] == [["bitmex"], ["bitmex_perpetual"]]
    assert [one["equity"] for one in done.json["accounts"]] == [
        {"USDT": "1000.000000"},
        {"ETH": "3.000000000", "XBT": "1.03990000"},
    ]
    page = (bench.folder / done.json["report"]).read_text()
    assert "Equity of everything" in page
    assert "1 XBT = 12500 USD by bitmex_perpetual XBTUSD 12500 of 2021-07-22 00:04:00" in page
    assert "1 USDT = 1 USD because the config says so (at_par)" in page


def test_a_dollar_coin_is_no_dollar_unless_it_is_said_so(bench):
    # By spot and the perpetual: 1,000 / 12,000 * 12,500 = 1,041.67; with the 12,998.75 that is 14,040.42.
    done = bench.backtest(config=PAIR.format(report="{currency: USD}"))
    told = done.json["reporting"]
    assert told["equity"] == "14040.42"
    (usdt, _) = told["rates"]
    assert usdt["rate"] == "1.04166666667"
    assert [(one["instrument"], one["price"]) for one in usdt["pairs"]] == [("XBT_USDT", "12000"), ("XBTUSD", "12500")]


def test_a_currency_may_be_called_as_the_unified_symbol_does(bench):
    done = bench.backtest(config=PAIR.format(report="{currency: BTC}"))
    told = done.json["reporting"]
    # 1.0399 XBT, and 1,000 USDT at 12,000.
    assert told["equity"] == "1.12323333"
    assert [one["rate"] for one in told["rates"]] == ["8.33333333333e-05", "1"]


def test_the_summary_says_what_it_rests_on(bench):
    bench.write("c.yaml", PAIR.format(report="{currency: USD, at_par: [USDT]}"))
    out = bench.hbkit("backtest", "c.yaml").out
    assert "In USD       equity 13998.75 · net +2998.75 (+27.26 %)" in out
    assert "not counted: 3.000000000 ETH" in out
    assert "Account      bitmex: 1000.000000 USDT" in out


def test_where_no_pair_leads_there_is_no_figure_and_it_is_said(bench):
    bench.strategy(IDLE)
    done = bench.backtest(config=ONE.format(symbol="XBTUSD", report="{currency: EUR}", risk="{}"))
    told = done.json["reporting"]
    assert (done.code, told["equity"], told["net_profit"]) == (0, None, None)
    assert told["reason"] == (
        "XBT cannot be converted to EUR: no instrument of this run is a pair that leads there; list one, or write "
        "report: {at_par: [XBT]} to count 1 XBT as 1 EUR"
    )
    checked = bench.hbkit("check", "c.yaml")
    assert checked.code == 0
    assert "warning[HB115] c.yaml:4:20" in checked.out + checked.err


def test_a_limit_that_could_not_be_watched_is_refused_before_the_start(bench):
    done = bench.backtest(config=ONE.format(symbol="XBTUSD", report="{currency: EUR}", risk="{max_drawdown: 5%}"))
    assert done.code == 2
    assert "error[HB115] c.yaml:4:20" in done.err
    assert "risk.max_drawdown cannot be watched in EUR: XBT cannot be converted" in done.err
    assert bench.left_behind == []


@pytest.mark.parametrize(
    ("report", "code", "reason"),
    [
        # Short 10,000 at 10,000 with 1 XBT: at 12,500 that is 0.8 XBT less fees, and 10,000 dollars still.
        ("{}", 6, "risk.max_drawdown: XBT fell by"),
        ("{currency: USD}", 0, "end of data"),
    ],
    ids=["in-the-coin", "in-dollars"],
)
def test_a_hedge_is_judged_in_the_currency_that_is_reported(bench, report, code, reason):
    bench.strategy(SHORT)
    bench.candles(10_000, 10_000, 10_000, 12_500, 12_500, 12_500)
    done = bench.backtest(config=ONE.format(symbol="XBTUSD", report=report, risk="{max_drawdown: 5%}"))
    assert (done.code, done.json["stop_reason"][: len(reason)]) == (code, reason)


def test_the_price_of_the_coin_counts_in_the_reporting_currency(bench):
    bench.strategy(IDLE)
    bench.candles(10_000, 10_000, 8_000, 8_000)
    done = bench.backtest(config=ONE.format(symbol="XBTUSD", report="{currency: USD}", risk="{max_drawdown: 5%}"))
    assert done.code == 6
    assert done.json["stop_reason"] == "risk.max_drawdown: everything in USD fell by 20.00% from its peak"


def test_at_par_needs_a_currency(bench):
    done = bench.backtest(config=ONE.format(symbol="XBTUSD", report="{at_par: [USDT]}", risk="{}"))
    assert done.code == 2
    assert "report.at_par" in done.err
    assert "report: {currency: USD, at_par: [USDT]}" in done.err
