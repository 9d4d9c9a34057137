"""Every price and quantity is rounded to what the exchange takes; `grid.py` plays all instruments at length."""

from __future__ import annotations

import pytest
from hbkit_bitmex.instruments import load

from hbkit.model import Instrument, OrderStatus, Side
from plugins.bitmex.tests.connector.grid import everything, misfits
from plugins.bitmex.tests.connector.stage import Stage, run, until

SAMPLE = {
    ("2026-05-03", one)
    for one in ("XBTUSD", "XBTUSDT", "ETHUSD", "PEPEUSD", "ADAM26", "P_POWELLK26", "XBT_USDT", "BONK_USDT")
} | {("2021-07-22", one) for one in ("TRXU21", "XBTEUR", "LINKUSDT")}
"""Inverse, linear, quanto, a price of 0.000000001, a dated contract, a prediction, spot; of 2021 a tick of 1E-10."""


def test_all_instruments_of_both_eras_load() -> None:
    assert [len(load(era)) for era in ("2026-05-03", "2021-07-22")] == [129, 34]
    assert len({(era, one.symbol) for era, one in everything()}) == 163


@pytest.mark.parametrize(("era", "symbol"), sorted(SAMPLE))
def test_a_thousand_prices_and_quantities_of_a_few_instruments_fit(era: str, symbol: str) -> None:
    (instrument,) = [one for one in load(era) if one.symbol == symbol]
    assert misfits(instrument, 1000) == []


def test_a_dozen_of_all_the_others_fit() -> None:
    assert [one for era, each in everything() if (era, each.symbol) not in SAMPLE for one in misfits(each, 12, 7)] == []


@pytest.mark.parametrize(
    ("name", "spoilt", "said"),
    [
        ("price_text", lambda self, ticks: repr(ticks * float(self.tick_size)), "on the wire"),
        ("ticks", lambda self, price, side=None: round(float(price) / float(self.tick_size)), "no passive rounding"),
        ("units", lambda self, qty: max(1, round(float(qty) / float(self.unit_size))), "no rounding down to a lot"),
    ],
    ids=["exponent", "nearest", "lot"],
)
def test_the_search_finds_what_does_not_fit(
    monkeypatch: pytest.MonkeyPatch, name: str, spoilt: object, said: str
) -> None:
    instrument = next(one for one in load() if one.symbol == "PEPEUSDT")
    monkeypatch.setattr(Instrument, name, spoilt)
    assert any(said in one for one in misfits(instrument, 200))


def test_odd_orders_are_taken_over_the_wire_as_they_were_rounded() -> None:
    """A bid at a third of the mark, off the grid, for one and a half lots; then, amended, two lots at another price.

    APE_USDT is bought by an account that never had any.
    """

    async def story(stage: Stage) -> list[str]:
        wanted = {symbol for era, symbol in SAMPLE if era == "2026-05-03"} | {"APE_USDT"}
        markets = {one.symbol: one for one in load() if one.symbol in wanted}
        exchange, ear = await stage.open(instruments=markets)
        rows = await stage.call("GET", "/instrument/active")
        marks = {row["symbol"]: row["markPrice"] or row["lastPrice"] for row in rows}
        sent = []
        for symbol, one in markets.items():
            third = marks[symbol] / 3.000001
            units = one.units(float(one.lot_size) * 1.5)
            order = stage.request(instrument=one, ticks=one.ticks(third, Side.BUY), units=units)
            sent.append((order.id, one))
            exchange.submit(order)
        await until(lambda: all(ear.orders(name) for name, _ in sent), 600)
        assert {ear.last(name).status for name, _ in sent} == {OrderStatus.OPEN}
        amended = {name: (one.ticks(marks[one.symbol] / 2.5, Side.BUY), 2 * one.lot_units) for name, one in sent}
        for name, (ticks, units) in amended.items():
            exchange.amend(name, ticks=ticks, units=units)
        await until(lambda: {name: (ear.last(name).ticks, ear.last(name).units) for name in amended} == amended, 600)
        assert {order.client_id: (order.ticks, order.qty) for order in stage.theirs()} == amended
        return [report.reason for report in ear.of("on_order") if report.reason]

    assert run(story, limits=False) == []
