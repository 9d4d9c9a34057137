"""Rows become values: times, ticks, units, money and words come out as they went in, to the unit."""

from __future__ import annotations

import json
import math
from pathlib import Path

import msgspec
import pytest
from hbkit_bitmex import wire
from hbkit_bitmex.instruments import currencies, load
from hbkit_bitmex.rows import (
    BinRow,
    ExecutionRow,
    FundingRow,
    InstrumentRow,
    MarginRow,
    OrderRow,
    PositionRow,
    QuoteRow,
    TradeRow,
    WalletRow,
)
from hbkit_bitmex.words import ExecType, OrdStatus

from hbkit.clock import HOUR, MINUTE, parse_time
from hbkit.model.balance import Wallet
from hbkit.model.enums import ExecutionKind, Liquidity, OrderStatus, PositionSide, Side
from hbkit.model.market import Candle, Funding, Quote, Trade

PAYLOADS = Path(__file__).parent / "payloads"
NEWEST = {instrument.symbol: instrument for instrument in load()}
XBTUSD, XBTUSDT, XBT_USDT = NEWEST["XBTUSD"], NEWEST["XBTUSDT"], NEWEST["XBT_USDT"]
NOW = "2025-11-14T07:10:26.748Z"
TS = parse_time(NOW)


def row(kind, source=None, **columns):
    """A row of `kind` from a payload file, from columns, or from both."""
    found = json.loads((PAYLOADS / f"{source}.json").read_text(encoding="utf-8")) if source else {}
    found = found.get("data", found) if isinstance(found, dict) else found
    return msgspec.convert({**(found[0] if isinstance(found, list) else found), **columns}, kind)


# -- public rows


def test_a_trade():
    assert wire.trade(row(TradeRow, "nautilus_ws_trade"), XBTUSD) == Trade(
        parse_time("2024-11-24T08:15:38.704Z"), XBTUSD, Side.SELL, 98570.9, 100.0
    )


def test_a_spot_trade_is_in_base_currency():
    made = wire.trade(row(TradeRow, timestamp=NOW, side="Buy", size=10000, price=37000), XBT_USDT)
    assert made.qty == 0.0001


@pytest.mark.parametrize("columns", [{"size": 0}, {"side": ""}, {"trdType": "Referential"}, {"price": None}])
def test_prints_of_an_index_are_no_trades(columns):
    assert wire.trade(row(TradeRow, "nautilus_ws_trade", **columns), XBTUSD) is None


def test_a_quote_without_a_side():
    columns = {"timestamp": NOW, "bidPrice": 6369.5, "bidSize": 966094}
    made = wire.quote(row(QuoteRow, **columns), XBTUSD)
    assert (made.ts, made.bid, made.bid_qty) == (TS, 6369.5, 966094.0)
    assert math.isnan(made.ask)
    assert math.isnan(made.ask_qty)
    assert wire.quote(row(QuoteRow, **columns, pool="Secondary"), XBTUSD) is None
    assert isinstance(wire.quote(row(QuoteRow, **columns, pool="Primary"), XBTUSD), Quote)


def test_a_candle_is_stamped_at_its_end():
    end = parse_time("2020-02-03T01:13:00.000Z")
    assert wire.candle(row(BinRow, "ccxt_ws_tradebin1m_partial"), XBTUSD, "1m", MINUTE) == Candle(
        end, end - MINUTE, end, XBTUSD, "1m", 9395.0, 9395.5, 9394.5, 9395.0, 839204.0, 221
    )


def test_a_candle_without_a_trade_and_one_without_prices():
    empty = wire.candle(row(BinRow, "ccxt_http_trade_bucketed_zero_volume"), XBTUSD, "1m", MINUTE)
    assert empty.is_empty
    assert (empty.volume, empty.close) == (0.0, 237.45)
    assert wire.candle(row(BinRow, timestamp=NOW), XBTUSD, "1m", MINUTE) is None


def test_mark_and_index():
    made = wire.mark(row(InstrumentRow, "nautilus_ws_instrument"), XBTUSD)
    assert (made.price, made.index) == (95125.7, 95126.0)
    assert wire.mark(row(InstrumentRow, "nautilus_ws_instrument_index_update"), XBTUSD) is None


def test_funding_intervals_are_dates_from_2000():
    ts = parse_time("2024-05-06T12:00:00.000Z")
    assert wire.funding(row(FundingRow, "roq_funding"), XBTUSDT) == Funding(
        ts, XBTUSDT, 0.0001, ts + 8 * HOUR, 0.0, "USDT"
    )
    daily = wire.funding(row(FundingRow, "ccxt_http_funding"), XBTUSD)
    assert daily.next_time - daily.ts == 24 * HOUR
    silent = wire.funding(row(FundingRow, timestamp=NOW, fundingRate=0.0), XBTUSD)
    assert silent.next_time - silent.ts == 8 * HOUR


# -- orders


def test_an_order_of_2021_with_every_column():
    made = wire.order_report(row(OrderRow, "ccxt_http_order_open"), XBTUSD)
    assert made.ts == parse_time("2021-01-02T21:38:49.246Z")
    assert (made.id, made.exchange_id) == ("", "56222c7a-9956-413a-82cf-99f4812c214b")
    assert (made.side, made.position_side, made.status) == (Side.SELL, PositionSide.NET, OrderStatus.OPEN)
    # Tick 0.1: 40000 is 400000 ticks.
    assert (made.units, made.filled_units, made.ticks, made.reason) == (1, 0, 400_000, "")


def test_a_sparse_spot_order_of_2025():
    made = wire.order_report(row(OrderRow, "roq_order_data_item__create_ack"), XBT_USDT)
    assert (made.id, made.units, made.status) == ("OAACO4sn1D8AAQAAAAAA", 1000, OrderStatus.OPEN)
    assert XBT_USDT.price(made.ticks) == 32000.0


def test_a_cancel_tells_why():
    made = wire.order_report(row(OrderRow, "roq_cancel_order_ack"), XBT_USDT)
    assert (made.status, made.reason, made.refused) == (OrderStatus.CANCELED, "Canceled; Canceled via API.", "")


@pytest.mark.parametrize("name", ["ccxt_http_order_spot_market_filled", "ccxt_http_close_position_2026"])
def test_a_market_order_has_no_price_even_where_its_row_has_one(name):
    made = wire.order_report(row(OrderRow, name), XBT_USDT)
    assert (made.status, made.ticks) == (OrderStatus.FILLED, None)
    assert made.filled_units == made.units


@pytest.mark.parametrize("word", OrdStatus)
def test_every_status_is_mapped(word):
    made = wire.order_report(row(OrderRow, "ccxt_http_order_open", ordStatus=word.value), XBTUSD)
    assert made.status is not OrderStatus.UNKNOWN


def test_an_unheard_of_status_is_unknown():
    made = wire.order_report(row(OrderRow, "ccxt_http_order_open", ordStatus="Parked"), XBTUSD)
    assert made.status is OrderStatus.UNKNOWN


@pytest.mark.parametrize("word", ["New", "PendingReplace", "PendingCancel"])
def test_an_open_order_with_fills_is_partially_filled(word):
    made = wire.order_report(row(OrderRow, "nautilus_http_get_orders", ordStatus=word, cumQty=40), XBTUSD)
    assert made.status is OrderStatus.PARTIALLY_FILLED


def test_a_canceled_order_with_fills_stays_canceled():
    made = wire.order_report(row(OrderRow, "roq_cancel_order_ack", cumQty=400), XBT_USDT)
    assert (made.status, made.filled_units) == (OrderStatus.CANCELED, 400)


def test_a_row_without_quantity_needs_the_report_before():
    bare = row(OrderRow, orderID="O1", ordStatus="Canceled", timestamp=NOW)
    assert wire.order_report(bare, XBTUSD) is None
    before = wire.order_report(row(OrderRow, "nautilus_http_get_orders", strategy="Short", cumQty=40), XBTUSD)
    made = wire.order_report(bare, XBTUSD, before)
    assert (made.status, made.units, made.filled_units, made.ticks) == (OrderStatus.CANCELED, 100, 40, 980_000)
    assert (made.id, made.side, made.position_side) == (before.id, Side.BUY, PositionSide.SHORT)


def test_a_cancel_that_was_refused_says_so():
    text = "Unable to cancel order due to existing state: Filled"
    failed = row(OrderRow, "ccxt_http_close_position_2026", error=text)
    made = wire.order_report(failed, XBTUSDT)
    assert (made.status, made.refused, made.reason) == (OrderStatus.FILLED, "cancel", text)
    unknown = row(OrderRow, error="Unable to cancel order", orderID="O9", timestamp=NOW, workingIndicator=False)
    assert wire.order_report(unknown, XBTUSDT) is None
    assert wire.refusal(unknown) == wire.Refusal(TS, "", "O9", "cancel", "Unable to cancel order")


# -- executions


def test_a_cancel_reject_is_never_an_order_report_or_an_execution():
    rejected = row(ExecutionRow, "nautilus_ws_execution_cancel_reject")
    assert wire.execution(rejected, XBTUSD) is None
    assert not wire.is_unbooked(rejected, XBTUSD)
    assert wire.refusal(rejected) == wire.Refusal(
        parse_time("2025-09-05T05:38:28.001Z"),
        "",
        "ece0a2cc-7729-4f4c-bc6c-65d7c723e75b",
        "cancel",
        "Invalid orderID",
    )
    amended = row(ExecutionRow, "nautilus_ws_execution_cancel_reject", execType="AmendReject")
    assert wire.refusal(amended).refused == "amend"


FILL = {
    "execID": "E2",
    "orderID": "O1",
    "clOrdID": "a1",
    "symbol": "XBTUSD",
    "side": "Buy",
    "execType": "Trade",
    "ordStatus": "PartiallyFilled",
    "lastQty": 100,
    "lastPx": 50000,
    "lastLiquidityInd": "AddedLiquidity",
    "commission": 0.0005,
    "execCost": -200000,
    "execComm": 100,
    "transactTime": NOW,
}


def test_a_fill_to_the_satoshi():
    made = wire.execution(row(ExecutionRow, **FILL), XBTUSD)
    assert (made.ts, made.id, made.order_id, made.side) == (TS, "E2", "a1", Side.BUY)
    assert (made.units, made.price, made.cost, made.fee) == (100, 50000.0, -200000, 100)
    assert (made.liquidity, made.kind, made.position_side) == (Liquidity.MAKER, ExecutionKind.TRADE, PositionSide.NET)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("AddedLiquidity", Liquidity.MAKER),
        ("Added", Liquidity.MAKER),
        ("RemovedLiquidity", Liquidity.TAKER),
        ("Removed", Liquidity.TAKER),
        ("", Liquidity.TAKER),
        (None, Liquidity.TAKER),
    ],
)
def test_liquidity_in_all_its_spellings(word, expected):
    assert wire.execution(row(ExecutionRow, **{**FILL, "lastLiquidityInd": word}), XBTUSD).liquidity is expected


def test_a_rebate_is_a_negative_fee():
    assert wire.execution(row(ExecutionRow, **{**FILL, "execComm": -50}), XBTUSD).fee == -50


def test_what_a_row_leaves_out_is_reckoned_as_the_exchange_does():
    bare = {name: value for name, value in FILL.items() if name not in {"execCost", "execComm"}}
    made = wire.execution(row(ExecutionRow, **bare), XBTUSD)
    # 100 contracts at 50000: one lot of 100 is 200000 satoshi, negative for a long; 0.0005 of it is 100.
    assert (made.cost, made.fee) == (-200000, 100)
    # Spot: 10000 satoshi at 60000 are 6 USDT.
    spot = {**bare, "lastQty": 10000, "lastPx": 60000, "commission": 0.001}
    made = wire.execution(row(ExecutionRow, **spot), XBT_USDT)
    assert (made.cost, made.fee, made.units) == (6_000_000, 6000, 10000)


def test_a_liquidation_comes_as_a_trade_without_an_order():
    made = wire.execution(row(ExecutionRow, "ccxt_ws_execution_insert_liquidation"), XBTUSD)
    assert (made.kind, made.order_id, made.side) == (ExecutionKind.LIQUIDATION, "", Side.SELL)
    assert (made.cost, made.fee, made.units, made.price) == (88155, 66, 1, 1134.37)


def test_an_order_whose_note_says_liquidation_is_still_a_trade():
    assert wire.execution(row(ExecutionRow, **FILL, text="Liquidation"), XBTUSD).kind is ExecutionKind.TRADE


@pytest.mark.parametrize(
    ("instrument", "cost", "side"),
    [(XBTUSD, -20000000, Side.BUY), (XBTUSD, 20000000, Side.SELL), (XBTUSDT, 5, Side.BUY), (XBTUSDT, -5, Side.SELL)],
)
def test_a_funding_moves_money_and_not_the_position(instrument, cost, side):
    # 18.7: neither side nor order; execCost is the signed value, commission the rate for a long, its opposite for a
    # short.
    made = wire.execution(
        row(
            ExecutionRow,
            execID="E9",
            orderID=wire.NIL_GUID,
            execType="Funding",
            lastQty=10000,
            lastPx=50000,
            commission=0.0001 * side.sign,
            execCost=cost,
            execComm=2000 * side.sign,
            transactTime=NOW,
        ),
        instrument,
    )
    assert (made.kind, made.side, made.units, made.cost, made.fee) == (
        ExecutionKind.FUNDING,
        side,
        10000,
        0,
        2000 * side.sign,
    )
    assert made.rate == 0.0001
    assert made.order_id == ""


@pytest.mark.parametrize("word", ExecType)
def test_every_type_is_booked_idle_or_asked_about(word):
    known = row(ExecutionRow, **{**FILL, "execType": word.value})
    booked = wire.execution(known, XBTUSD) is not None
    moves = {"Trade", "Funding", "Settlement", "Liquidation", "Bankruptcy", "Insurance"}
    assert booked == (word.value in moves)
    money = {"Rebalance", "TrialFill"}
    assert wire.is_unbooked(known, XBTUSD) == (word.value in money)


def test_an_unheard_of_type_and_a_fill_without_price_are_asked_about():
    assert wire.is_unbooked(row(ExecutionRow, **{**FILL, "execType": "Gift"}), XBTUSD)
    assert wire.is_unbooked(row(ExecutionRow, **{**FILL, "lastPx": None}), XBTUSD)
    assert not wire.is_unbooked(row(ExecutionRow, **FILL), XBTUSD)


def test_the_leg_of_a_hedge():
    assert wire.execution(row(ExecutionRow, **FILL, strategy="Short"), XBTUSD).position_side is PositionSide.SHORT
    assert wire.execution(row(ExecutionRow, **FILL, strategy="OneWay"), XBTUSD).position_side is PositionSide.NET


# -- positions and money


def test_a_position():
    made = wire.position(row(PositionRow, "ccxt_http_position_ethusdt_isolated"), NEWEST["ETHUSDT"])
    # 23900 USDt are 0.0239 USDT.
    assert (made.side, made.qty, made.entry_price, made.unrealized_pnl) == (PositionSide.NET, 2000.0, 1963.0, 0.0239)


def test_a_flat_position_has_no_entry_price():
    made = wire.position(row(PositionRow, symbol="XBTUSD", strategy="Long", currentQty=0, avgEntryPrice=5), XBTUSD)
    assert (made.side, made.qty) == (PositionSide.LONG, 0.0)
    assert math.isnan(made.entry_price)
    assert wire.position(row(PositionRow, symbol="XBTUSD"), XBTUSD) is None


def test_money_of_a_margin_row():
    xbt = currencies()["XBt"]
    assert wire.wallet(row(MarginRow, "ccxt_ws_margin_partial"), currencies()) == Wallet(xbt, 263542, 263542, 263542)
    sparse = row(MarginRow, currency="XBt", amount=100, realisedPnl=-7, unrealisedPnl=3, availableMargin=50)
    assert wire.wallet(sparse, currencies()) == Wallet(xbt, 93, 96, 50)


def test_money_of_a_wallet_row():
    xbt = currencies()["XBt"]
    made = wire.wallet(row(WalletRow, "nautilus_ws_wallet", pendingDebit=180), currencies())
    assert made == Wallet(xbt, 100005180, 100005180, 100005000)


@pytest.mark.parametrize(("code", "expected"), [("Gwei", "ETH"), ("gwei", "ETH"), ("LAMp", "SOL"), ("USDt", "USDT")])
def test_currency_codes_come_from_the_list(code, expected):
    assert wire.wallet(row(WalletRow, currency=code, amount=1), currencies()).currency.code == expected


def test_a_currency_that_nobody_listed_is_not_guessed():
    assert wire.wallet(row(WalletRow, currency="NEWt", amount=1), currencies()) is None


# -- triggers (11.1, 12.3)

STOP = {"ordType": "Stop", "stopPx": 50000.5, "price": None, "ordStatus": "New", "cumQty": 0}


@pytest.mark.parametrize("triggered", [None, ""])
def test_an_untriggered_order_is_new_there_and_waits_here(triggered):
    made = wire.order_report(
        row(OrderRow, "ccxt_http_order_open", workingIndicator=False, triggered=triggered, **STOP), XBTUSD
    )
    # 500005 ticks of 0.1.
    assert (made.status, made.trigger_ticks, made.triggered, made.ticks) == ("untriggered", 500005, False, None)


@pytest.mark.parametrize("told", [{"triggered": "StopOrderTriggered"}, {"workingIndicator": True, "triggered": None}])
def test_a_triggered_order_is_open(told):
    fields = {"workingIndicator": False, **STOP, **told}
    made = wire.order_report(row(OrderRow, "ccxt_http_order_open", **fields), XBTUSD)
    assert (made.status, made.triggered) == ("open", True)


def test_an_update_that_tells_of_the_trigger_alone_opens_the_order():
    waiting = wire.order_report(row(OrderRow, "ccxt_http_order_open", workingIndicator=False, **STOP), XBTUSD)
    update = OrderRow(orderID=waiting.exchange_id, triggered="StopOrderTriggered", workingIndicator=True)
    made = wire.order_report(update, XBTUSD, waiting)
    assert (made.status, made.triggered, made.trigger_ticks) == ("open", True, waiting.trigger_ticks)
    moved = wire.order_report(OrderRow(orderID=waiting.exchange_id, stopPx=50010.0), XBTUSD, waiting)
    assert (moved.status, moved.trigger_ticks) == ("untriggered", 500100)
