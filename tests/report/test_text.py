"""The end of a run in the terminal: it adds up before the reader's eyes, fits, and sends nothing strange."""

import re
from decimal import Decimal

import pytest

from hbkit.report.result import MoneyRow, StrategyRow
from hbkit.report.text import summary

AMOUNT = re.compile(r"^([ +=-]) \S.*?(-?\d+\.\d+)$")


def test_the_money_lines_add_up_to_the_equity(maker):
    lines = [match.groups() for line in summary(maker()).splitlines() if (match := AMOUNT.match(line))]
    amounts = [Decimal(amount) * (-1 if sign == "-" else 1) for sign, amount in lines]
    assert len(amounts) == 7
    assert sum(amounts[:-1]) == amounts[-1] == Decimal("1.00003000")


def test_decimals_stand_below_each_other(maker):
    dots = {len(line) - len(line.split(".")[-1]) for line in summary(maker()).splitlines() if AMOUNT.match(line)}
    assert len(dots) == 1


def test_it_says_what_a_reader_asks_first(maker):
    text = summary(maker())
    for part in (
        "demo · replay · seed 7",
        "2019-05-28 18:00:00 to 22:00:00 UTC (4h)",
        "48,211 events · stopped: end of data · exit 0",
        "+0.00003000 · +0.0030 %",
        "market_maker: 3 orders · 3 fills · realized 0.00003000 XBT",
        "XBTUSD net 100 at 8703.5 (bitmex_perpetual)",
        "latency 50 ms",
        "book sizes synthesised: drawn from the trades",
        "Warning      The book sizes are synthesised",
        "runs/20190528-180000-demo/report.html",
    ):
        assert part in text


@pytest.mark.parametrize("width", [50, 80, 120])
def test_it_keeps_to_the_width(maker, width):
    usdt = MoneyRow(currency="USDT", scale=6, starting_balance=10**12, equity=10**12)
    result = maker(money=[*maker().money, usdt, MoneyRow(currency="ETH", scale=9, starting_balance=1, equity=1)])
    assert max(map(len, summary(result, width=width).splitlines())) <= width


def test_ascii_is_ascii(maker):
    text = summary(maker(name="naïve", warnings=["schön · weit"]), ascii=True)
    assert text.isascii()
    assert "na?ve | replay" in text


def test_colour_only_when_asked(maker):
    assert "\x1b" not in summary(maker())
    plain = re.sub(r"\x1b\[\d+m", "", summary(maker(), colour=True))
    assert plain == summary(maker())


def test_nothing_from_outside_reaches_the_terminal_as_a_code(maker):
    evil = "\x1b[31mred\r\nfake line\x07"
    text = summary(maker(name=evil, warnings=[evil], strategies=[StrategyRow(name=evil)], fill_model=evil))
    assert not {"\x1b", "\r", "\x07"} & set(text)
    assert not any(line.startswith("fake") for line in text.splitlines())


def test_a_gap_is_said(maker):
    row = MoneyRow(currency="XBT", scale=8, starting_balance=10, equity=7)
    assert "The XBT lines miss the equity by 0.00000003" in summary(maker(money=[row]))


def test_a_run_without_anything_is_still_a_text(maker):
    text = summary(
        maker(
            money=[], positions=[], strategies=[], provenance=[], warnings=[], fill_model="", fill_rows=[], started="?"
        )
    )
    assert "No money moved" in text
    assert "flat" in text
