"""Stops, touches, pegs, icebergs: answers, rows, executions at the venue itself (protocol 11, 12.3, 18.1 to 18.4)."""

from __future__ import annotations

from typing import Any

import pytest
from hbkit_bitmex.simulator import trading
from hbkit_bitmex.simulator.refusals import Refusal
from hbkit_bitmex.simulator.venue import Venue

from hbkit.chance import Chance
from hbkit.clock import HOUR, SECOND
from hbkit.model import Side

START = 1_559_001_600 * SECOND
"""2019-05-28T00:00:00Z."""


class Floor:
    """A venue with a book of 100 ticks around 8000, mark and last at 8000, and one account; time is a hand's turn."""

    def __init__(self) -> None:
        self.venue = Venue(Chance(1), ["XBTUSD", "XBT_USDT"])
        self.account = self.venue.add_account()
        self.other = self.venue.add_account()
        self.market = self.venue.markets["XBTUSD"]
        self.ts = START
        self.updates: list[Any] = []
        self.begin()
        for name in ("XBTUSD", "XBT_USDT"):
            tick = self.venue.markets[name].instrument.ticks
            for step in range(1, 6):
                self.venue.level(self.venue.markets[name], Side.BUY, tick(8000 - step), 1_000_000)
                self.venue.level(self.venue.markets[name], Side.SELL, tick(8000 + step), 1_000_000)
        self.venue.index(self.market, 8000.0)
        self.print(8000)
        self.finish()

    def begin(self, later: int = 0) -> None:
        self.ts += later
        self.venue.begin(self.ts, self.ts)

    def finish(self) -> None:
        self.updates += self.venue.finish()

    def print(self, price: float) -> None:
        self.venue.print(self.market, Side.BUY, self.market.instrument.ticks(price), 100)

    def last(self, price: float, later: int = SECOND // 10) -> None:
        """A trade of the tape, as a step of its own."""
        self.begin(later)
        self.print(price)
        self.finish()

    def mark(self, price: float, later: int = SECOND // 10) -> None:
        self.begin(later)
        self.venue.index(self.market, price)
        self.finish()

    def place(self, account: Any = None, **order: Any) -> Any:
        self.begin(SECOND // 100)
        wanted = {"symbol": "XBTUSD", "side": "Sell", "orderQty": 100, **order}
        row = trading.place(self.venue, account or self.account, wanted)
        self.finish()
        return row

    def refused(self, **order: Any) -> tuple[int, str, str]:
        with pytest.raises(Refusal) as refusal:
            self.place(**order)
        return refusal.value.status, refusal.value.name, refusal.value.message

    def amend(self, **change: Any) -> Any:
        self.begin(SECOND // 100)
        row = trading.amend(self.venue, self.account, change)
        self.finish()
        return row

    def row(self, order_id: str) -> Any:
        return self.venue.orders[order_id].row()

    def told(self, order_id: str) -> list[str]:
        """The execution types of an order."""
        rows = self.venue.executions[self.account.number]
        return [row["execType"] for row in rows if row.get("orderID") == order_id]

    def long(self, qty: int = 100) -> None:
        self.place(side="Buy", orderQty=qty, ordType="Market")


@pytest.fixture
def floor() -> Floor:
    return Floor()


BELOW = {"stopPx": 7990, "execInst": "LastPrice"}
ABOVE = {"stopPx": 8010, "execInst": "LastPrice"}


@pytest.mark.parametrize(
    ("order", "fires"),
    [
        ({"ordType": "Stop", **BELOW}, 7990),
        ({"ordType": "Stop", "side": "Buy", **ABOVE}, 8010),
        ({"ordType": "MarketIfTouched", **ABOVE}, 8010),
        ({"ordType": "MarketIfTouched", "side": "Buy", **BELOW}, 7990),
        ({"ordType": "StopLimit", "price": 7990, **BELOW}, 7990),
        ({"ordType": "LimitIfTouched", "price": 7999, **ABOVE}, 8010),
        ({**BELOW}, 7990),
        ({"price": 7990, **BELOW}, 7990),
    ],
    ids=["Stop sell", "Stop buy", "MIT sell", "MIT buy", "StopLimit", "LIT", "stopPx alone", "stopPx and price"],
)
def test_a_trigger_waits_and_fires_and_every_step_is_told(floor: Floor, order: Any, fires: float) -> None:
    row = floor.place(**order)
    assert (row["ordStatus"], row["workingIndicator"], row["leavesQty"]) == ("New", False, 100)
    assert "triggered" not in row
    assert row["ordType"] == order.get("ordType", "StopLimit" if "price" in order else "Stop")
    floor.updates.clear()
    floor.last(fires)
    after = floor.row(row["orderID"])
    assert (after["ordStatus"], after["triggered"]) == ("Filled", "StopOrderTriggered")
    assert after["stopPx"] == order["stopPx"]
    assert floor.told(row["orderID"]) == ["New", "TriggeredOrActivatedBySystem", "Trade"]
    (update,) = [one for update in floor.updates if update.table == "order" for one in update.rows]
    assert {"triggered", "ordStatus", "leavesQty", "cumQty"} <= update.keys()


def test_by_default_the_mark_decides_and_on_spot_the_last_price(floor: Floor) -> None:
    contract = floor.place(ordType="Stop", stopPx=7990)
    spot = floor.place(symbol="XBT_USDT", side="Buy", orderQty=1000, ordType="Stop", stopPx=8010, execInst="MarkPrice")
    floor.last(7990)
    assert floor.row(contract["orderID"])["workingIndicator"] is False
    floor.mark(7989)
    assert floor.told(contract["orderID"])[1] == "TriggeredOrActivatedBySystem"
    floor.begin(SECOND)
    market = floor.venue.markets["XBT_USDT"]
    floor.venue.print(market, Side.BUY, market.instrument.ticks(8010), 1000)
    floor.finish()
    assert floor.row(spot["orderID"])["ordStatus"] == "Filled"


def test_a_stop_past_its_trigger_fires_in_the_same_step(floor: Floor) -> None:
    row = floor.place(ordType="Stop", stopPx=8010, execInst="LastPrice")
    assert (row["ordStatus"], row["triggered"], row["avgPx"]) == ("Filled", "StopOrderTriggered", 7999)
    assert row["text"] == "Triggered: Order stopPx reached\nSubmitted via API."
    assert floor.told(row["orderID"]) == ["New", "TriggeredOrActivatedBySystem", "Trade"]


def test_a_trigger_without_the_money_is_rejected_with_the_text_of_a_refusal(floor: Floor) -> None:
    floor.account.cash["XBT"] = 1000
    row = floor.place(side="Buy", orderQty=100_000, ordType="Stop", **ABOVE)
    assert row["ordStatus"] == "New"
    floor.last(8010)
    after = floor.row(row["orderID"])
    assert after["ordStatus"] == "Rejected"
    assert after["ordRejReason"].startswith("Account has insufficient Available Balance, ")
    assert floor.told(row["orderID"]) == ["New", "TriggeredOrActivatedBySystem", "Rejected"]


def test_close_stops_take_the_position_as_it_is_then(floor: Floor) -> None:
    flat = floor.place(orderQty=None, ordType="Stop", stopPx=7995, execInst="Close,LastPrice")
    assert (flat["orderQty"], flat["leavesQty"]) == (0, 0)
    floor.last(7995)
    assert floor.row(flat["orderID"])["text"] == "Canceled: Order had execInst of Close\nSubmitted via API."
    floor.long(300)
    resting = floor.place(price=8020, orderQty=300, execInst="ReduceOnly")
    closing = floor.place(orderQty=None, ordType="Stop", stopPx=7990, execInst="Close,LastPrice")
    floor.last(7990)
    after = floor.row(closing["orderID"])
    assert (after["ordStatus"], after["orderQty"], after["cumQty"]) == ("Filled", 300, 300)
    assert floor.row(resting["orderID"])["text"].startswith("Canceled: Order had execInst of Close")


def test_last_within_mark_ignores_a_last_price_far_from_it(floor: Floor) -> None:
    row = floor.place(ordType="Stop", stopPx=7900, execInst="LastPrice,LastWithinMark")
    floor.last(7500)  # 0.95 * 8000 = 7600
    assert floor.row(row["orderID"])["workingIndicator"] is False
    floor.last(7700)
    assert "TriggeredOrActivatedBySystem" in floor.told(row["orderID"])


# -- pegs


def test_a_trailing_stop_follows_on_full_seconds(floor: Floor) -> None:
    peg = {"pegPriceType": "TrailingStopPeg", "pegOffsetValue": -20}
    row = floor.place(ordType="Stop", execInst="LastPrice", stopPx=1, **peg)
    assert (row["ordType"], row["stopPx"], row["pegOffsetValue"]) == ("Stop", 7980, -20)
    floor.last(8008)  # 0.1 percent of 8000 is 8: not more than that
    floor.last(8008, SECOND)
    assert floor.row(row["orderID"])["stopPx"] == 7980
    floor.last(8100, SECOND)
    floor.last(8050, SECOND)
    assert floor.row(row["orderID"])["stopPx"] == 8080
    assert floor.told(row["orderID"]) == ["New", "Replaced", "TriggeredOrActivatedBySystem", "Trade"]


def test_the_offset_of_a_trailing_stop_can_be_amended(floor: Floor) -> None:
    row = floor.place(ordType="Pegged", pegPriceType="TrailingStopPeg", pegOffsetValue=-20, execInst="Fixed,LastPrice")
    assert row["ordType"] == "Stop"
    after = floor.amend(orderID=row["orderID"], pegOffsetValue=-30)
    assert (after["stopPx"], after["pegOffsetValue"]) == (7970, -30)
    assert after["text"] == "Amended stopPx pegOffsetValue\nSubmitted via API."


@pytest.mark.parametrize(
    ("order", "price"),
    [
        ({"pegPriceType": "PrimaryPeg", "pegOffsetValue": 0}, 8001),
        ({"pegPriceType": "PrimaryPeg", "pegOffsetValue": 2.5}, 8003.5),
        ({"pegPriceType": "MarketPeg", "pegOffsetValue": 5}, 8004),
    ],
    ids=str,
)
def test_a_pegged_order_gets_its_price_once(floor: Floor, order: Any, price: float) -> None:
    row = floor.place(ordType="Pegged", execInst="Fixed", **order)
    assert (row["ordType"], row["price"], row["ordStatus"]) == ("Pegged", price, "New")
    floor.begin(SECOND)
    floor.venue.level(floor.market, Side.SELL, floor.market.instrument.ticks(8001), 0)
    floor.finish()
    assert floor.row(row["orderID"])["price"] == price


def test_a_post_only_peg_to_the_far_touch_is_canceled(floor: Floor) -> None:
    row = floor.place(
        ordType="Pegged", pegPriceType="MarketPeg", pegOffsetValue=0, execInst="Fixed,ParticipateDoNotInitiate"
    )
    assert row["text"] == "Canceled: Order had execInst of ParticipateDoNotInitiate\nSubmitted via API."


# -- icebergs, days, expiry


def test_the_public_book_shows_the_displayed_part(floor: Floor) -> None:
    floor.place(price=8000.5, orderQty=500, displayQty=200)
    floor.place(price=8000, orderQty=500, displayQty=0)
    levels = {row["price"]: row["size"] for row in floor.market.board.snapshot() if row["side"] == "Sell"}
    assert levels[8000.5] == 200
    assert 8000 not in levels
    floor.place(floor.other, side="Buy", price=8000.5, orderQty=600, timeInForce="ImmediateOrCancel")
    levels = {row["price"]: row["size"] for row in floor.market.board.snapshot() if row["side"] == "Sell"}
    # 500 of what is hidden at 8000, then 100 of the shown 200.
    assert levels[8000.5] == 100


@pytest.mark.parametrize("word", ["ReduceOnly", "Close"])
def test_an_iceberg_that_may_only_reduce_shows_no_more_than_is_held(floor: Floor, word: str) -> None:
    floor.place(floor.other, side="Buy", price=8000, orderQty=200)
    floor.place(side="Sell", price=8000, orderQty=200)
    row = floor.place(side="Buy", price=7999, orderQty=900, displayQty=300, execInst=word)
    assert (row["orderQty"], row["displayQty"]) == (200, 200)  # it fitted what was sent, and there are 200 to close


def test_orders_end_with_their_day_and_at_their_expiry(floor: Floor) -> None:
    day = floor.place(price=8100, timeInForce="Day")
    stop = floor.place(ordType="Stop", timeInForce="Day", **BELOW)
    short = floor.place(price=8100, expiryTime="2019-05-28T00:01:00.000Z")
    floor.last(8000, 61 * SECOND)
    assert floor.row(short["orderID"])["text"] == "Canceled: Order expired\nSubmitted via API."
    floor.begin(24 * HOUR - (floor.ts - START))
    floor.venue.minute(floor.ts)
    floor.finish()
    for row in (day, stop):
        assert floor.row(row["orderID"])["text"] == "Canceled: Order had timeInForce of Day\nSubmitted via API."


# -- refusals, in the order of 18.1

TRAIL = {"ordType": "Stop", "pegPriceType": "TrailingStopPeg"}
COMBINATION = "Invalid ordType or timeInForce for execInst"


@pytest.mark.parametrize(
    ("order", "text"),
    [
        ({"ordType": "Stop"}, "Invalid stopPx for ordType"),
        ({"price": 8100, "stopPx": 8000, "ordType": "Limit"}, "Invalid stopPx for ordType"),
        ({"ordType": "Stop", "stopPx": 7990.33}, "Invalid stopPx tickSize"),
        ({"ordType": "Stop", "stopPx": 0}, "Invalid stopPx for ordType"),
        ({"ordType": "StopLimit", "stopPx": 7990}, "Invalid price"),
        ({"ordType": "Stop", "stopPx": 7990, "execInst": "MarkPrice,LastPrice"}, COMBINATION),
        ({"ordType": "Stop", "stopPx": 7990, "execInst": "ParticipateDoNotInitiate"}, COMBINATION),
        ({"ordType": "Stop", "stopPx": 7990, "execInst": "LastWithinMark"}, COMBINATION),
        ({"price": 8100, "execInst": "LastPrice"}, COMBINATION),
        ({"price": 8100, "execInst": "AllOrNone"}, "Invalid displayQty for execInst"),
        ({"price": 8100, "execInst": "AllOrNone", "displayQty": 0}, "Unsupported execInst"),
        ({"price": 8100, "displayQty": 200}, "Invalid displayQty"),
        ({"price": 8100, "displayQty": 50}, "Invalid displayQty"),
        ({"price": 8100, "displayQty": -100}, "Invalid displayQty"),
        ({"ordType": "Pegged", "pegPriceType": "PrimaryPeg", "pegOffsetValue": 0}, COMBINATION),
        ({"ordType": "Pegged", "pegPriceType": "LastPeg", "execInst": "Fixed"}, "Unsupported pegPriceType"),
        ({"ordType": "Pegged", "pegPriceType": "MidPricePeg", "execInst": "Fixed"}, "Unsupported pegPriceType"),
        ({"ordType": "Pegged", "execInst": "Fixed"}, "Invalid pegPriceType for ordType"),
        ({"price": 8100, "pegPriceType": "PrimaryPeg"}, "Invalid pegPriceType for ordType"),
        ({**TRAIL, "pegOffsetValue": 20}, "Invalid pegOffsetValue for pegPriceType"),
        ({**TRAIL, "pegOffsetValue": 0}, "Invalid pegOffsetValue for pegPriceType"),
        ({**TRAIL}, "Invalid pegOffsetValue for pegPriceType"),
        ({**TRAIL, "pegOffsetValue": -20.33}, "Invalid pegOffsetValue tickSize"),
        ({"price": 8100, "pegOffsetValue": 1}, "Invalid pegOffsetValue for pegPriceType"),
        ({"price": 8100, "contingencyType": "OneCancelsTheOther"}, "Unsupported contingencyType"),
        ({"price": 8100, "expiryTime": "2019-05-27T00:00:00.000Z"}, "Invalid expiryTime"),
        ({"symbol": "XBT_USDT", "orderQty": 1000, "stopPx": 7990, "execInst": "IndexPrice"}, COMBINATION),
    ],
    ids=str,
)
def test_what_is_refused(floor: Floor, order: Any, text: str) -> None:
    before = len(floor.venue.orders)
    assert floor.refused(**order) == (400, "ValidationError", text)
    assert len(floor.venue.orders) == before


def test_the_eleventh_untriggered_stop_of_a_symbol_is_one_too_many(floor: Floor) -> None:
    for _ in range(10):
        floor.place(ordType="Stop", **BELOW)
    assert floor.refused(ordType="Stop", **BELOW)[2] == "Too many open orders"
    floor.place(price=8100)


# -- amend


def test_a_trigger_is_amended_until_it_fires(floor: Floor) -> None:
    row = floor.place(ordType="StopLimit", price=8050, **BELOW)
    after = floor.amend(orderID=row["orderID"], stopPx=7980, orderQty=200)
    assert (after["stopPx"], after["orderQty"], after["text"]) == (
        7980, 200, "Amended orderQty stopPx\nSubmitted via API.",
    )  # fmt: skip
    after = floor.amend(orderID=row["orderID"], stopPx=8000)
    assert (after["triggered"], after["ordStatus"], after["workingIndicator"]) == ("StopOrderTriggered", "New", True)
    refused = ({"stopPx": 7900}, "Invalid triggered"), ({"pegOffsetValue": 5}, "Invalid pegOffsetValue for")
    for change, text in refused:
        with pytest.raises(Refusal, match=text):
            floor.amend(orderID=row["orderID"], **change)
    limit = floor.place(price=8100)
    with pytest.raises(Refusal, match="Invalid stopPx for ordType"):
        floor.amend(orderID=limit["orderID"], stopPx=7900)
    stop = floor.place(ordType="Stop", **BELOW)
    with pytest.raises(Refusal, match="Invalid price"):
        floor.amend(orderID=stop["orderID"], price=7900)


# -- several at once


def test_close_position_takes_everything_else_of_the_symbol_away(floor: Floor) -> None:
    floor.long(300)
    others = [floor.place(side="Buy", price=7990), floor.place(ordType="Stop", **BELOW)]
    floor.begin(1)
    row = trading.close_position(floor.venue, floor.account, {"symbol": "XBTUSD"})
    floor.finish()
    assert (row["ordType"], row["execInst"], row["orderQty"], row["ordStatus"]) == ("Market", "Close", 300, "Filled")
    assert {floor.row(one["orderID"])["ordStatus"] for one in others} == {"Canceled"}
    with pytest.raises(Refusal, match="Order had execInst of Close and side of Buy but current position is 0"):
        trading.close_position(floor.venue, floor.account, {"symbol": "XBTUSD"})


def test_bulk_orders_are_all_tested_before_one_enters(floor: Floor) -> None:
    order = {"symbol": "XBTUSD", "side": "Buy", "orderQty": 100, "price": 7990}
    floor.begin(1)
    for bad, text in (({**order, "orderQty": 150}, "multiple of lot size"), ({**order, "clOrdID": "a"}, "Duplicate")):
        with pytest.raises(Refusal, match=text):
            trading.place_many(floor.venue, floor.account, {"orders": [{**order, "clOrdID": "a"}, bad]})
        assert not floor.venue.open_orders(floor.account)
    rows = trading.place_many(floor.venue, floor.account, {"orders": [order, {**order, "price": 7980}]})
    assert [row["ordStatus"] for row in rows] == ["New", "New"]
    change = [{"orderID": row["orderID"], "price": 7970} for row in rows]
    assert [row["price"] for row in trading.amend_many(floor.venue, floor.account, {"orders": change})] == [7970, 7970]
    with pytest.raises(Refusal, match="orders is invalid"):
        trading.place_many(floor.venue, floor.account, {"orders": "[1]"})


def test_what_bulk_orders_need_together_and_cannot_pay_is_rejected(floor: Floor) -> None:
    # 10 XBT of balance at 1 percent: about 8,000,000 USD of XBTUSD; two of 5,000,000 are more.
    available = floor.account.wallet("XBT").available
    qty = int(available * 8000 * 0.6 / 0.0105 / 1e8) // 100 * 100
    orders = [{"symbol": "XBTUSD", "side": "Buy", "orderQty": qty, "price": 7990} for _ in range(2)]
    floor.begin(1)
    rows = trading.place_many(floor.venue, floor.account, {"orders": orders})
    assert [row["ordStatus"] for row in rows] == ["New", "Rejected"]
    assert "insufficient" in rows[1]["ordRejReason"]
