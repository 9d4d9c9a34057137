"""The comparison for people: the verdict first, nothing wider than the terminal, nothing that could steer it."""

from hbkit.clock import SECOND
from hbkit.report.comparison import compare
from hbkit.report.result import MoneyRow, StrategyRow
from hbkit.report.sidebyside import LISTED, side_by_side
from tests.report.conftest import START
from tests.report.test_comparison import fill, order, refused, run


def test_the_verdict_comes_first_and_says_in_what_runs_differ():
    one = run(order(1, fills=[fill(2)]))
    assert "The runs are the same, down to the journal's hash." in side_by_side(compare(one, one))
    assert "The runs are the same.\n" in side_by_side(compare(one, run(order(1, fills=[fill(2)]), journal_hash="")))
    paid = run(order(1, fills=[fill(2, fee="1")]))
    told = side_by_side(compare(one, paid))
    assert "Orders and fills are the same; fees differ." in told
    told = " ".join(told.split())
    assert "1 fill paid another fee, first at 2019-05-28 18:00:02: 0.0000001 XBT maker in A, 1 XBT maker in B" in told


def test_where_they_part_stands_with_the_orders_before_it():
    before = [order(at, fills=[fill(at + 1)]) for at in range(1, 15, 2)]
    a = run(*before, order(20, price="8710", time_in_force="ioc", flags="post_only", tag="x"))
    told = side_by_side(compare(a, run(*before, refused(20)))).splitlines()
    assert "The runs part at 2019-05-28 18:00:20 UTC: an order that was asked for otherwise." in told
    at = told.index("Where they part: order 8 of maker, BTC/USD:BTC")
    # Five of the seven before it.
    assert [line.split()[0] for line in told[at + 1 : at + 8]] == ["3", "4", "5", "6", "7", "A", "B"]
    assert told[at + 6] == '  A          18:00:20 buy 100 limit at 8710 ioc post-only "x": open'
    assert told[at + 7] == "  B          18:00:20 buy 100 limit at 8700: refused (risk.max_position is 100)"


def test_each_line_fits_the_terminal():
    long = {f"exchanges.some_long_name.replay.data.{n}": "a path " * 20 for n in range(LISTED + 3)}
    a = run(order(1, fills=[fill(2)]), payments=[fill(8, kind="funding")])
    b = run(order(1, fills=[fill(2.5, price="8699")]), refused(3, "why not " * 20), told=long)
    told = side_by_side(compare(a, b), width=80)
    assert max(map(len, told.splitlines())) <= 80
    assert "and 3 more; --json lists them all" in told


def test_money_shows_both_and_the_difference():
    rows = [
        [MoneyRow(currency="XBT", scale=2, starting_balance=100, realized_pnl=profit, equity=100 + profit)]
        for profit in (30, 5)
    ]
    told = side_by_side(compare(run(order(1), money=rows[0]), run(order(1), money=rows[1])))
    assert "+ Realized profit     0.30   0.05   -0.25" in told
    assert "= Equity              1.30   1.05   -0.25" in told
    assert "  Starting balance    1.00   1.00    same" in told


def test_nothing_from_outside_steers_the_terminal_and_ascii_stays_ascii():
    evil = "\x1b[2J\u2028é"
    a = run(order(1, tag=evil), strategies=[StrategyRow(name=evil)], mode=evil, told={evil: evil})
    b = run(refused(1, evil), strategy=evil)
    told = side_by_side(compare(a, b), ascii=True)
    assert "\x1b" not in told
    assert told.isascii()
    assert "\x1b[1m" in side_by_side(compare(a, b), colour=True)


def test_runs_without_orders_say_so():
    assert "Neither run placed an order." in side_by_side(compare(run(), run()))


def test_an_end_of_one_order_is_told_of_both():
    a = run(order(1, status="canceled", ended_ts=START + 2 * SECOND, reason="by hand"))
    told = side_by_side(compare(a, run(order(1, status="expired", ended_ts=START + 3 * SECOND))))
    assert "In A the order ended as canceled, with 0 of 100 filled (by hand)." in told
