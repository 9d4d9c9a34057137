"""Every figure against numbers worked out by hand, and its absence where it is not defined."""

import math

import pytest

from hbkit.clock import DAY, HOUR, MINUTE
from hbkit.report.metrics import DEFINITIONS, Metrics, daily_returns, drawdown, growth_fall, metrics
from hbkit.report.result import EquitySeries, MoneyRow, RunResult
from hbkit.report.trips import trips


def sheet(result: RunResult) -> Metrics:
    """The figures of the only currency."""
    (only,) = metrics(result)
    return only


def values(result: RunResult) -> dict[str, float]:
    return {key: figure.value for key, figure in sheet(result).figures.items()}


def money(**changes: int) -> list[MoneyRow]:
    return [MoneyRow(**{"currency": "XBT", "scale": 8, "starting_balance": 1000, "equity": 1000, **changes})]


def daily(equity: list[int]) -> EquitySeries:
    return EquitySeries(ts=[day * DAY for day in range(len(equity))], minor={"XBT": equity})


def test_every_figure_is_given_or_absent_with_a_reason(maker):
    for result in (maker(), maker(fill_rows=[], equity_series=EquitySeries()), maker(equity_series=daily([5, 6, 4]))):
        only = sheet(result)
        assert set(only.figures) | set(only.absent) == set(DEFINITIONS)
        assert not set(only.figures) & set(only.absent)
        assert all(math.isfinite(figure.value) for figure in only.figures.values())
        assert all(only.absent.values())


def test_profit_leaves_transfers_out(maker):
    # 1300 - 1000 - 200 = 100 minor units, a tenth of the start.
    found = values(maker(money=money(equity=1300, transfers=200)))
    assert found["net_profit"] == pytest.approx(0.000001)
    assert found["return"] == pytest.approx(0.1)


def test_no_return_on_nothing(maker):
    assert "return" in sheet(maker(money=money(starting_balance=0, equity=5))).absent


def test_drawdown_by_hand():
    # Peak 120 at 1, bottom 90 at 3: 30. Under water from 2 to 4 and from 5 to 6.
    fall = drawdown([0, 1, 2, 3, 4, 5, 6], [100, 120, 110, 90, 130, 125, 126])
    assert (fall.amount, fall.peak, fall.since, fall.until, fall.under) == (30, 120, 1, 3, 3)


def test_a_series_that_only_rises_has_a_drawdown_of_nothing():
    assert drawdown([0, 1], [5, 6]).amount == 0


def test_drawdown_figures(maker):
    # 100,004,000 at 19:00 falls to 100,001,000 at 20:00. Under water: 20:00 to 21:00 of 4 hours.
    only = sheet(maker())
    assert only.figures["max_drawdown"].text == "0.00003000, 2019-05-28 19:00:00 to 20:00:00"
    assert only.figures["max_drawdown_share"].value == pytest.approx(3_000 / 100_004_000)
    assert only.figures["under_water"].text == "25.00 %, 1h"


def test_transfers_leave_no_drawdown(maker):
    only = sheet(maker(money=money(equity=1300, transfers=200)))
    assert only.absent["max_drawdown"] == "transfers moved the equity as well"


def test_transfers_that_are_told_step_by_step_are_left_out_of_falls_and_returns(maker):
    # 100, then 50 more are paid in (150), a loss of 15 (135), 100 paid out (35), a gain of 7 (42).
    series = EquitySeries(ts=[0, DAY, 2 * DAY, 3 * DAY, 4 * DAY], minor={"XBT": [100, 150, 135, 35, 42]},
                          paid={"XBT": [0, 50, 50, -50, -50]})  # fmt: skip
    only = sheet(maker(money=money(equity=42, transfers=-50), equity_series=series))
    assert only.figures["max_drawdown"].text.startswith("0.00000015, 1970-01-02 00:00:00 to")
    # 15 of 150 are a tenth, whatever was paid out afterwards.
    assert only.figures["max_drawdown_share"].value == pytest.approx(0.1)
    assert daily_returns(series.ts, series.minor["XBT"], series.paid["XBT"]) == pytest.approx([0, -0.1, 0, 0.2])
    assert "sharpe" in only.figures
    assert series.earned("XBT") == [100, 100, 85, 85, 92]


def test_growth_out_of_nothing_is_no_growth():
    assert growth_fall([0, 100, 90], [0, 100, 100]) == pytest.approx(0.1)
    assert growth_fall([0, 110, 90], [0, 100, 100]) is None


def test_round_trips_run_from_flat_to_flat(fill):
    rows = [fill(0, "buy", "100"), fill(1, "buy", "50"), fill(2, "sell", "150", realized="0.3"), fill(3, "sell", "10")]
    first, second = trips(rows)
    assert first.closed - first.opened == 2 * MINUTE
    # 0.3 realized less three fees of 0.0000001
    assert first.net == pytest.approx(first.realized - 3 * first.paid / 3)
    assert float(first.net) == pytest.approx(0.3 - 3e-7)
    assert second.closed is None


def test_a_fill_through_zero_ends_a_trip_and_begins_one(fill):
    rows = [
        fill(0, "buy", "100", fee="0"),
        fill(1, "sell", "300", fee="0.00000300", realized="0.00001000"),
        fill(2, "buy", "200", fee="0", realized="-0.00000500"),
    ]
    first, second = trips(rows)
    # A third of the fee closes, two thirds open: 1000 - 100 and -500 - 200.
    assert float(first.net) == pytest.approx(0.00000900)
    assert float(second.net) == pytest.approx(-0.00000700)


def test_funding_belongs_to_the_trip_it_was_paid_on(fill):
    paid = fill(1, "buy", fee="0.00000050", kind="funding")
    rows = [paid, fill(0, "buy", fee="0"), paid, fill(2, "sell", fee="0", realized="0.00000100")]
    (only,) = trips(rows)
    assert float(only.net) == pytest.approx(0.00000050)


def test_legs_of_a_hedge_are_trips_of_their_own(fill):
    rows = [fill(0, "buy", position_side="long"), fill(1, "sell", position_side="short")]
    assert len(trips(rows)) == 2


def test_trip_figures(maker, fill):
    rows = []
    # Nets of +30, +10, -20 and 0 minor units without fees; each trip lasts 2 of every 10 minutes.
    for index, realized in enumerate(("0.00000030", "0.00000010", "-0.00000020", "0")):
        rows += [
            fill(10 * index, "buy", fee="0"),
            fill(10 * index + 2, "sell", fee="0", realized=realized, liquidity="taker"),
        ]
    found = values(maker(fill_rows=rows))
    assert found["round_trips"] == 4
    assert found["win_rate"] == 0.5
    assert found["average_win"] == pytest.approx(20e-8)
    assert found["average_loss"] == pytest.approx(-20e-8)
    assert found["profit_factor"] == pytest.approx(2.0)
    assert found["holding_time"] == 2 * MINUTE
    # 4 * 2 of 240 minutes
    assert found["exposure"] == pytest.approx(8 / 240)
    # 8 fills of 1,149,400
    assert found["turnover"] == pytest.approx(0.091952)
    assert found["maker_share"] == 0.5
    # 3,000 of 9,195,200
    assert found["profit_bps"] == pytest.approx(3_000 / 9_195_200 * 10_000)


def test_an_open_trip_is_exposure_to_the_end_and_overlaps_count_once(maker, fill):
    rows = [
        fill(0, "buy"),
        fill(60, "sell"),
        fill(30, "buy", instrument="ETHUSD"),
        fill(90, "sell", instrument="ETHUSD"),
    ]
    # 0 to 90 of 240 minutes
    assert values(maker(fill_rows=rows))["exposure"] == pytest.approx(90 / 240)
    assert values(maker(fill_rows=[fill(180, "buy")]))["exposure"] == pytest.approx(60 / 240)


def test_without_a_loss_there_is_no_profit_factor(maker):
    # The maker's only closed trip realized 3,000 and paid 20.
    only = sheet(maker())
    assert only.figures["average_win"].text == "+0.00002980"
    assert only.absent["profit_factor"] == only.absent["average_loss"] == "no round trip lost"


def test_fee_share(maker):
    # 140 of 3,000
    assert values(maker())["fee_share"] == pytest.approx(140 / 3_000)
    assert "fee_share" in sheet(maker(money=money())).absent


def test_unknown_values_leave_turnover_out(maker, fill):
    assert "not known" in sheet(maker(fill_rows=[fill(0, "buy", value="")])).absent["turnover"]


def test_fills_count_for_the_currency_of_their_fee(maker):
    both = [*maker().money, MoneyRow(currency="USDT", scale=6, starting_balance=0, realized_pnl=5, equity=5)]
    xbt, usdt = metrics(maker(money=both))
    assert xbt.figures["round_trips"].value == 1
    assert usdt.figures["round_trips"].value == 0


def test_daily_returns_are_of_whole_days_from_the_first_point():
    # +10 %, -10 %; the half day at the end is left out.
    ts = [0, DAY // 2, DAY, 2 * DAY - HOUR, 2 * DAY + DAY // 2]
    assert daily_returns(ts, [100, 105, 110, 99, 500]) == pytest.approx([0.1, -0.1])


def test_daily_ratios_by_hand(maker):
    # Returns +10 %, -10 %, +20 %: mean 0.2/3; squares off the mean 0.0011, 0.0278, 0.0178, sum 0.046667, / 2.
    found = values(maker(equity_series=daily([1000, 1100, 990, 1188])))
    mean = 0.2 / 3
    assert found["sharpe"] == pytest.approx(mean / math.sqrt(0.14 / 3 / 2) * math.sqrt(365))
    # The only loss: sqrt(0.01 / 3)
    assert found["sortino"] == pytest.approx(mean / math.sqrt(0.01 / 3) * math.sqrt(365))


@pytest.mark.parametrize(
    ("equity", "sharpe", "sortino"),
    [
        ([1000, 1100], "needs 2 days, the run has 1d", "needs 2 days, the run has 1d"),
        ([1000, 1000, 1000], "all days returned the same", "no day lost"),
        ([0, 1000, 1000], "the equity was not positive", "the equity was not positive"),
    ],
    ids=["short", "constant", "from nothing"],
)
def test_daily_ratios_are_absent_with_the_reason(maker, equity, sharpe, sortino):
    only = sheet(maker(equity_series=daily(equity)))
    assert (only.absent["sharpe"], only.absent["sortino"]) == (sharpe, sortino)
