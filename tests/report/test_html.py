"""The page of a run: well formed, complete, inert against what comes from outside, loading nothing."""

import math
import re
from html.parser import HTMLParser

import pytest

from hbkit.clock import SECOND
from hbkit.report.html import ROW_LIMIT, page
from hbkit.report.result import (
    EquitySeries,
    FillRow,
    InstrumentRow,
    MoneyRow,
    OrderRow,
    PositionRow,
    PriceSeries,
    ProvenanceRow,
    StrategyRow,
)

VOID = {"meta", "br", "hr", "img", "input", "link"}
EVIL = "\"'><script>alert(1)</script>"


class Reader(HTMLParser):
    """Checks that tags are balanced and gathers tags, attributes and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def texts(html: str) -> str:
    return " ".join(Reader(html).text)


def test_the_page_is_whole(maker):
    text = texts(page(maker()))
    for part in (
        "demo", "2019-05-28 18:00:00 to 22:00:00 UTC (4h)", "seed 7", "+0.00003000", "XBTUSD, price and fills",
        "Equity", "Drawdown", "Fees paid and funding received", "Starting balance", "Unrealized profit", "Win rate",
        "8703.5",
        "rejected", "Overloaded", "drawn from the trades", "queue: a resting order", "50 ms", "contract of 1 USD",
        "queue positions are a guess", "{mode: replay}", "hbkit 0.1.0", "Python 3.11.7", "sha256:0d3a",
    ):  # fmt: skip
        assert part in text


def test_the_page_loads_nothing(maker):
    html = page(maker())
    assert "http:" not in html
    assert "https:" not in html
    assert "url(" not in html
    assert "@import" not in html
    reader = Reader(html)
    assert not {"link", "img", "iframe", "object", "embed"} & set(reader.tags)
    links = [value for name, value in reader.attributes if name in ("src", "href", "xlink:href")]
    assert all(link in ("#buy", "#sell") for link in links)


def test_what_comes_from_outside_is_inert(maker, fill, order):
    def evil(kind: type, **fixed: object) -> dict[str, object]:
        return {name: EVIL for name, hint in kind.__annotations__.items() if hint == "str"} | fixed

    result = maker(
        **dict.fromkeys(("run_id", "name", "mode", "started", "stopped", "stop_reason", "journal_hash"), EVIL),
        **dict.fromkeys(("report", "journal", "fill_model", "config_text", "python_version", "hbkit_version"), EVIL),
        money=[MoneyRow(currency=EVIL, scale=8, starting_balance=1, equity=2)],
        positions=[PositionRow(**evil(PositionRow))],
        strategies=[StrategyRow(name=EVIL)],
        equity_series=EquitySeries(ts=[1, 2], minor={EVIL: [1, 2]}),
        prices=[PriceSeries(exchange=EVIL, instrument=EVIL, ts=[1], price=[1.0])],
        fill_rows=[FillRow(**evil(FillRow, ts=1, price="1", qty="1", fee="1", realized="1", value="1"))],
        order_rows=[OrderRow(**evil(OrderRow, ts=1))],
        provenance=[ProvenanceRow(**evil(ProvenanceRow))],
        instruments=[InstrumentRow(**evil(InstrumentRow))],
        warnings=[EVIL],
    )
    clean, dirty = Reader(page(maker())), Reader(page(result, {EVIL: "<p>theirs</p>"}))
    assert "<script>alert" not in page(result)
    # The page's own script, and the numbers for the pointer of each of its four charts.
    assert dirty.tags.count("script") == clean.tags.count("script") == 5
    assert {name for name, _ in dirty.attributes} <= {name for name, _ in clean.attributes}


def test_extra_sections_stand_on_the_page_as_they_are(maker):
    html = page(maker(), {"My & part": "<p class='mine'>hello</p>"})
    assert "<h2>My &amp; part</h2>" in html
    assert "<p class='mine'>hello</p>" in html


@pytest.mark.parametrize(
    "changes",
    [
        {"fill_rows": []},
        {"order_rows": []},
        {"money": [], "equity_series": EquitySeries(), "prices": [], "fill_rows": [], "positions": []},
        {"prices": [], "equity_series": EquitySeries()},
        {"prices": [PriceSeries(instrument="XBTUSD", ts=[5], price=[8700.0])], "fill_rows": [],
         "equity_series": EquitySeries(ts=[5], minor={"XBT": [7]})},
        {"prices": [PriceSeries(instrument="XBTUSD", ts=[1, 2, 3], price=[8700.0] * 3)], "fill_rows": []},
        {"prices": [PriceSeries(instrument="XBTUSD", ts=[1, 2, 3, 4], price=[None, 1.0, math.nan, 2.0])]},
        {"prices": [PriceSeries(instrument="XBTUSD", ts=[1, 2], price=[math.nan, None])], "fill_rows": []},
        {"prices": [PriceSeries(instrument="PEPE", ts=[1, 2], price=[1e-9, 2e-9])]},
        {"equity_series": EquitySeries(ts=[1, 2], minor={"XBT": [0, 0]})},
        {"started": "", "stopped": ""},
    ],
    ids=["no fills", "no orders", "nothing", "fills only", "one point", "constant", "gaps", "only gaps", "tiny", "zero",
         "no times"],
)  # fmt: skip
def test_an_unusual_run_still_gives_a_decent_page(maker, changes):
    reader = Reader(page(maker(**changes)))
    drawn = " ".join(value for _, value in reader.attributes)
    assert "nan" not in drawn.lower()
    assert not re.search(r"\binf\b", drawn)
    assert "demo" in " ".join(reader.text)


def test_buys_and_sells_differ_in_shape_and_are_named(maker):
    html = page(maker())
    # Three trades are drawn, the funding is not; one more of each stands in the legend.
    assert html.count('<g class="marker">') == 3
    assert html.count('href="#buy"') == 3
    assert html.count('href="#sell"') == 2
    assert "<title>2019-05-28 18:40:00 UTC · sell 100 XBTUSD at 8700 · maker, fee 0.00000010 XBT" in html


def test_long_tables_say_what_is_left_out_and_where_it_is(maker, order):
    html = page(maker(order_rows=[order(1)] * (ROW_LIMIT + 3)))
    assert html.count("<td>quote</td>") == ROW_LIMIT
    assert (
        "The first 2,000 of 2,003 orders are shown; 3 are left out here and stand in the journal (state/demo.db)."
        in html
    )


def test_too_many_fills_are_drawn_evenly_and_the_page_says_so(maker, fill):
    rows = [fill(minute / 100, "buy") for minute in range(5_000)]
    html = page(maker(fill_rows=rows))
    assert html.count('<g class="marker">') == 2_000
    assert "2,000 of 5,000 fills are drawn" in html


def test_the_page_says_when_money_does_not_add_up(maker):
    assert "miss the equity" not in page(maker())
    row = MoneyRow(currency="XBT", scale=8, starting_balance=10, equity=7)
    assert "The XBT lines of the money table miss the equity by 0.00000003." in texts(page(maker(money=[row])))


def test_figures_that_are_not_given_are_explained(maker):
    assert "daily Sortino ratio (needs 2 days, the run has 4h)" in texts(page(maker()))


def test_a_long_run_makes_a_page_of_bounded_size(maker):
    ts = list(range(0, 200_000 * SECOND, SECOND))
    equity = [100_000_000 + index % 977 for index in range(len(ts))]
    prices = [8_700 + index % 331 / 2 for index in range(len(ts))]
    html = page(
        maker(
            equity_series=EquitySeries(ts=ts, minor={"XBT": equity}),
            prices=[PriceSeries(instrument="XBTUSD", ts=ts, price=prices)],
            fill_rows=[],
        )
    )
    assert len(html) < 400_000


def test_legs_and_triggers_are_shown_where_there_are_any(maker, fill, order):
    plain = page(maker(order_rows=[order()], fill_rows=[fill(1, "buy")]))
    assert "<th>Leg</th>" not in plain
    assert "Trigger</th>" not in plain
    hedged = page(
        maker(
            order_rows=[order(position_side="short", trigger_price="8725.1")],
            fill_rows=[fill(1, "sell", position_side="short")],
        )
    )
    assert hedged.count("<th>Leg</th>") == 2  # orders and fills
    assert hedged.count("<td>short</td>") == 2
    assert '<td class="number">8725.1</td>' in hedged
