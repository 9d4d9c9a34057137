"""What hbkit makes of ccxt's own recorded answers: instruments, trades, candles, books, fundings, orders, fills.

Skipped with the reason where the files are not there (static.py fetches them). Each answer goes the way it goes in a
run: ccxt reads it, then ours reads what ccxt made of it; what comes out is held against the numbers that ccxt's
repository has beside the answer. The end of the file proves on answers written here that the way is whole.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hbkit_ccxt import values
from hbkit_ccxt.account import Account
from hbkit_ccxt.fills import Fills, Owner
from hbkit_ccxt.ids import ids_of
from hbkit_ccxt.lookup import Lookup
from hbkit_ccxt.markets import exact, instruments, rows
from hbkit_ccxt.reports import order_report

from hbkit.data.candles import interval_ns
from hbkit.model import Instrument, PositionSide
from hbkit.net.virtual import run_virtual
from plugins.ccxt.tests import static
from plugins.ccxt.tests.script import Script
from plugins.ccxt.tests.static import VENUES, Case, api_of, asked, cases

PLACE = static.folder()
here = pytest.mark.skipif(PLACE is None, reason=static.why_not())

PUBLIC = ("fetchTrades", "fetchOHLCV", "fetchOrderBook", "fetchFundingRate", "fetchFundingRateHistory", "fetchTicker")
ORDERS = (
    "fetchOrder", "fetchOpenOrders", "fetchClosedOrders", "fetchCanceledOrders", "fetchOrders", "createOrder",
    "cancelOrder", "editOrder",
)  # fmt: skip
FILLS = ("fetchMyTrades", "fetchOrderTrades")
POSITIONS = ("fetchPositions", "fetchPosition")
PLAYED = (*PUBLIC, *ORDERS, *FILLS, *POSITIONS)


def played() -> list[Case]:
    return [] if PLACE is None else [one for venue in VENUES for one in cases(venue, PLACE) if one.method in PLAYED]


def known(case: Case, place: Path) -> dict[str, Instrument]:
    """The instruments of an exchange by their unified symbols."""
    return {one.unified: one for one in instruments(rows(api_of(case.venue, place))[0])}


def listed(told: Any) -> list[Any]:
    return told if isinstance(told, list) else [told]


def same(ours: float | None, theirs: Any) -> bool:
    """A number of ours is the one that stands beside the answer."""
    wanted = exact(theirs)
    if wanted is None:
        return ours is None or math.isnan(ours)
    return ours is not None and Decimal(repr(float(ours))) == Decimal(repr(float(wanted)))


# -- what is checked of each kind of answer


def check(case: Case, told: Any, markets: dict[str, Instrument]) -> int:
    """Hold what ours makes of an answer against what stands beside it; returns how many values were held against it."""
    if case.method == "fetchOHLCV":
        return check_candles(case, told, markets)
    if case.method == "fetchOrderBook":
        return check_book(case, told, markets)
    found, wanted = listed(told), listed(case.parsed)
    assert len(found) == len(wanted)
    checks = {"fetchTrades": check_trade, "fetchFundingRate": check_rate, "fetchFundingRateHistory": check_rate,
              "fetchTicker": check_ticker}  # fmt: skip
    one_check = checks.get(case.method) or (
        check_order if case.method in ORDERS else check_fill if case.method in FILLS else check_position
    )
    return sum(
        one_check(row, beside or {}, markets[row["symbol"]])
        for row, beside in zip(found, wanted, strict=True)
        if row and row.get("symbol") in markets
    )


def check_trade(row: Any, beside: Any, market: Instrument) -> int:
    trade = values.trade(row, market)
    if trade is None:
        assert beside.get("side") is None or not beside.get("amount") or beside.get("timestamp") is None
        return 0
    assert trade.ts == beside["timestamp"] * 1_000_000
    assert trade.side.value == beside["side"]
    assert same(trade.price, beside["price"])
    assert same(trade.qty, beside["amount"])
    return 1


def check_candles(case: Case, told: Any, markets: dict[str, Instrument]) -> int:
    market = markets.get(case.input[0])
    interval = case.input[1] if len(case.input) > 1 else "1m"
    if market is None or interval != interval.lower():
        return 0
    length = interval_ns(interval)
    for row, beside in zip(told, case.parsed, strict=True):
        one = values.candle(row, market, interval, length)
        assert one is not None
        assert one.open_time == beside[0] * 1_000_000
        assert all(map(same, (one.open, one.high, one.low, one.close), beside[1:5]))
        assert same(one.volume, beside[5] or 0)
    return len(told)


def check_book(case: Case, told: Any, markets: dict[str, Instrument]) -> int:
    market = markets.get(case.input[0])
    if market is None:
        return 0
    for side, levels in zip(("bids", "asks"), values.levels(told, market, 10_000), strict=True):
        wanted = Counter[int]()
        for price, qty, *_ in case.parsed[side]:
            wanted[market.ticks(Decimal(repr(price)))] += round(qty / market.qty(1))
        assert levels == {ticks: units for ticks, units in wanted.items() if units}
    return 1


def check_rate(row: Any, beside: Any, market: Instrument) -> int:
    funding = values.funding(row, market, 0, 0.0)
    if funding is not None:
        assert same(funding.rate, beside["fundingRate"])
        assert funding.ts == beside["timestamp"] * 1_000_000
    mark = values.mark(row, market, 0)
    if mark is not None:
        assert same(mark.price, beside["markPrice"])
        assert same(mark.index, beside["indexPrice"])
    return int(funding is not None or mark is not None)


def check_ticker(row: Any, beside: Any, market: Instrument) -> int:
    quote = values.quote(row, market, 0)
    if quote is None:
        return 0
    for ours, name in (
        (quote.bid, "bid"),
        (quote.ask, "ask"),
        (quote.bid_qty, "bidVolume"),
        (quote.ask_qty, "askVolume"),
    ):
        assert same(ours, beside[name] or None)
    return 1


def check_order(row: Any, beside: Any, market: Instrument) -> int:
    report = order_report(row, market, "ours", None, 0)
    if report is None:
        # Too little is said to know it without what was known before: an id alone, as many answers to a new order are.
        assert beside.get("amount") is None or beside.get("side") is None or beside.get("status") is None
        return 0
    assert report.exchange_id == str(beside["id"])
    assert report.side.value == beside["side"]
    if beside.get("amount") is not None:
        assert same(market.qty(report.units), beside["amount"])
    if beside.get("filled") is not None:
        assert same(market.qty(report.filled_units), beside["filled"])
    if beside.get("price") and report.ticks is not None:
        assert abs(market.price(report.ticks) - float(beside["price"])) <= market.tick
    ended = {"closed", "canceled", "expired", "rejected"}
    if beside.get("status") in ended | {"open"}:
        assert report.status.is_final is (beside["status"] in ended)
    return 1


def check_fill(row: Any, beside: Any, market: Instrument) -> int:
    execution = Fills("main", lambda instrument, code: None).execution(row, market, Owner("", PositionSide.NET))
    if execution is None:
        return 0
    assert execution.ts == beside["timestamp"] * 1_000_000
    assert same(execution.price, beside["price"])
    assert same(market.qty(execution.units), beside["amount"])
    assert execution.side.value == beside["side"]
    if beside.get("takerOrMaker"):
        assert execution.liquidity.value == beside["takerOrMaker"]
    return 1


def check_position(row: Any, beside: Any, market: Instrument) -> int:
    async def held(loop: Any) -> list[Any]:
        client = Script(loop, {"fetchPositions": True}, {"fetch_positions": [row]})
        client.api.options = {}
        markets = {market.symbol: market}
        account = Account(client, "main", Lookup(client, ids_of("okx"), markets), markets, lambda work: None)
        return await account.positions()

    found = run_virtual(held)
    if not beside.get("contracts"):
        assert found == []
        return 0
    (holding,) = found
    assert same(abs(market.qty(holding.units)), beside["contracts"])
    assert (holding.units < 0) is (beside["side"] == "short")
    if beside.get("entryPrice"):
        # A cost is whole minor units: the price comes back to within one of them.
        mean = market.entry_price(holding.units, holding.cost)
        assert abs(mean / float(beside["entryPrice"]) - 1) < 1e-6
    return 1


# -- ccxt's files


@here
@pytest.mark.parametrize("venue", VENUES)
def test_the_recorded_markets_become_instruments(venue):
    assert PLACE is not None
    api = api_of(venue, PLACE)
    if not api.markets:
        pytest.skip(f"{PLACE} has no markets of {venue}")
    found, left_out = rows(api)
    made = {one.unified: one for one in instruments(found)}
    assert len(made) + left_out.total() == len(api.markets)
    assert len({one.symbol for one in made.values()}) == len(made)
    for unified, one in made.items():
        market = api.markets[unified]
        assert same(float(one.tick_size), market["precision"]["price"])
        assert market["precision"]["amount"] is None or same(float(one.lot_size), market["precision"]["amount"])
        assert one.unit_text
        if market["contract"]:
            assert same(one.contract_size, market["contractSize"])
            assert (one.is_inverse, one.settle.code) == (bool(market["inverse"]), market["settle"])
        assert same(float(one.maker_fee), market["maker"] or 0)


@here
@pytest.mark.parametrize("case", played(), ids=str)
def test_a_recorded_answer_is_read_to_the_last_digit(case):
    assert PLACE is not None
    check(case, asked(case, PLACE), known(case, PLACE))


@here
def test_enough_of_them_is_played():
    assert PLACE is not None
    counts = Counter(case.venue for case in played())
    assert set(counts) <= set(VENUES)
    assert counts.total() > 50


# -- that the way is whole, on answers written here


MARKET = {
    "id": "XXBTZUSD", "symbol": "BTC/USD", "base": "BTC", "quote": "USD", "baseId": "XXBT", "quoteId": "ZUSD",
    "altname": "XBTUSD", "wsId": "XBT/USD", "type": "spot", "spot": True, "contract": False, "active": True,
    "maker": 0.0016, "taker": 0.0026, "precision": {"amount": 1e-8, "price": 0.1},
    "limits": {"amount": {"min": 0.0001}}, "info": {},
}  # fmt: skip
PRINT = ["60000.10000", "0.00500000", 1700000000.5, "b", "l", "", 7]
CANDLE = [1700000040, "60000.1", "60010.0", "59990.0", "60005.5", "60001.0", "1.25", 12]
HELD = {
    "options": {},
    "methods": {
        "fetchTrades": [{
            "description": "a print", "input": ["BTC/USD"],
            "httpResponse": {"error": [], "result": {"XXBTZUSD": [PRINT], "last": "1"}},
            "parsedResponse": [{"timestamp": 1700000000500, "side": "buy", "price": 60000.1, "amount": 0.005}],
        }],
        "fetchOHLCV": [{
            "description": "a minute", "input": ["BTC/USD", "1m"],
            "httpResponse": {"error": [], "result": {"XXBTZUSD": [CANDLE], "last": 1700000040}},
            "parsedResponse": [[1700000040000, 60000.1, 60010.0, 59990.0, 60005.5, 1.25]],
        }],
        "fetchOrderBook": [{
            "description": "a book", "input": ["BTC/USD"],
            "httpResponse": {"error": [], "result": {"XXBTZUSD": {
                "bids": [["60000.1", "0.5", 1700000000]], "asks": [["60000.2", "0.25", 1700000000]]}}},
            "parsedResponse": {"bids": [[60000.1, 0.5]], "asks": [[60000.2, 0.25]]},
        }],
        "fetchOpenOrders": [{
            "description": "an order", "input": [],
            "httpResponse": {"error": [], "result": {"open": {"OAAAAA-BBBBB-CCCCCC": {
                "status": "open", "opentm": 1700000000.5, "vol": "0.01000000", "vol_exec": "0.00400000",
                "cost": "0", "fee": "0", "price": "60000.0", "oflags": "fciq",
                "descr": {"pair": "XXBTZUSD", "type": "sell", "ordertype": "limit", "price": "61000.5",
                "order": "sell 0.01000000 XBTUSD @ limit 61000.5"},
            }}}},
            "parsedResponse": [{
                "id": "OAAAAA-BBBBB-CCCCCC", "side": "sell", "amount": 0.01, "filled": 0.004, "price": 61000.5,
                "status": "open"}],
        }],
        "fetchMyTrades": [{
            "description": "a fill", "input": ["BTC/USD"],
            "httpResponse": {"error": [], "result": {"count": 1, "trades": {"TAAAAA-BBBBB-CCCCCC": {
                "ordertxid": "OAAAAA-BBBBB-CCCCCC", "pair": "XXBTZUSD", "time": 1700000001.25, "type": "sell",
                "ordertype": "limit", "price": "61000.5", "cost": "244.002", "fee": "0.39", "vol": "0.004",
                "maker": True, "misc": ""}}}},
            "parsedResponse": [{
                "timestamp": 1700000001250, "price": 61000.5, "amount": 0.004, "side": "sell",
                "takerOrMaker": "maker"}],
        }],
        "fetchBalance": [{"description": "none of ours", "disabledPY": True, "httpResponse": {}, "parsedResponse": {}}],
    },
}  # fmt: skip


FUTURE = {
    **MARKET, "id": "LTCUSDTM", "symbol": "LTC/USDT:USDT", "base": "LTC", "quote": "USDT", "settle": "USDT",
    "type": "swap", "spot": False, "swap": True, "contract": True, "linear": True, "inverse": False,
    "contractSize": 0.1, "precision": {"amount": 1, "price": 0.01},
}  # fmt: skip
SHORT = {
    "id": "1", "symbol": "LTCUSDTM", "currentQty": -3, "avgEntryPrice": 72.5, "markPrice": 72.6, "realLeverage": 1,
    "crossMode": False, "currentTimestamp": 1700137680000, "unrealisedPnl": -0.03, "isOpen": True,
    "settleCurrency": "USDT",
}  # fmt: skip
HELD_THERE = {
    "methods": {
        "fetchPositions": [{
            "description": "a short one", "input": [["LTC/USDT:USDT"]],
            "httpResponse": {"code": "200000", "data": [SHORT]},
            "parsedResponse": [{"contracts": 3, "side": "short", "entryPrice": 72.5}],
        }],
    },
}  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Path:
    files = {
        "markets/kraken": {"BTC/USD": MARKET}, "response/kraken": HELD,
        "markets/kucoinfutures": {"LTC/USDT:USDT": FUTURE}, "response/kucoinfutures": HELD_THERE,
    }  # fmt: skip
    for name, held in files.items():
        file = tmp_path / f"{name}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(held))
    return tmp_path


def test_answers_written_here_are_read_and_held_against_what_stands_beside_them(place):
    found = list(cases("kraken", place))
    assert [one.method for one in found] == [
        "fetchTrades", "fetchOHLCV", "fetchOrderBook", "fetchOpenOrders", "fetchMyTrades",
    ]  # fmt: skip
    assert [check(one, asked(one, place), known(one, place)) for one in found] == [1, 1, 1, 1, 1]
    (position,) = cases("kucoinfutures", place)
    assert check(position, asked(position, place), known(position, place)) == 1


@pytest.mark.parametrize(
    ("method", "path", "wrong"),
    [
        ("fetchTrades", (0, "price"), 60000.2),
        ("fetchTrades", (0, "side"), "sell"),
        ("fetchOHLCV", (0, 4), 60005.6),
        ("fetchOrderBook", ("asks", 0, 1), 0.26),
        ("fetchOpenOrders", (0, "filled"), 0.005),
        ("fetchOpenOrders", (0, "status"), "closed"),
        ("fetchMyTrades", (0, "takerOrMaker"), "taker"),
        ("fetchPositions", (0, "side"), "long"),
        ("fetchPositions", (0, "contracts"), 4),
        ("fetchPositions", (0, "entryPrice"), 72.51),
    ],
)
def test_a_number_that_differs_is_found(place, method, path, wrong):
    (case,) = [one for venue in VENUES for one in cases(venue, place) if one.method == method]
    node = case.parsed
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = wrong
    with pytest.raises(AssertionError):
        check(case, asked(case, place), known(case, place))


def test_nothing_is_asked_of_anybody(place):
    with pytest.raises(AssertionError, match="nothing is to be asked here"):
        api_of("kraken", place).fetch_trades("BTC/USD")


def test_the_command_says_how_it_is_called_and_what_it_could_not_read(capsys, monkeypatch, tmp_path):
    assert static.main([]) == 2
    assert "--into FOLDER" in capsys.readouterr().err
    monkeypatch.setattr(static, "SOURCE", "http://127.0.0.1:1/{release}/{kind}/{venue}.json")
    assert static.main(["--into", str(tmp_path / "here")]) == 4
    assert "ccxt's repository could not be read (URLError" in capsys.readouterr().err
