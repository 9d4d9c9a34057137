"""The life of an order over REST: answers, texts, refusals in their order (protocol 4.6, 12, 18.1, 18.2)."""

import asyncio

import pytest

NIL = "00000000-0000-0000-0000-000000000000"


def test_a_resting_order_is_answered_with_its_sparse_row(at_the_desk):
    async def story(desk):
        return await desk.place(side="Buy", orderQty=300, price=8000, clOrdID="a1")

    row = at_the_desk(story)
    assert len(row.pop("orderID")) == 36
    assert row == {
        "clOrdID": "a1", "account": 100001, "symbol": "XBTUSD", "side": "Buy", "orderQty": 300, "price": 8000,
        "currency": "USD", "settlCurrency": "XBt", "ordType": "Limit", "timeInForce": "GoodTillCancel",
        "ordStatus": "New", "workingIndicator": True, "leavesQty": 300, "cumQty": 0, "text": "Submitted via API.",
        "transactTime": "2019-05-28T00:00:00.000Z", "timestamp": "2019-05-28T00:00:00.000Z", "strategy": "OneWay",
        "pool": "Primary",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("order", "status", "text"),
    [
        ({"execInst": "ParticipateDoNotInitiate"}, "Canceled",
         "Canceled: Order had execInst of ParticipateDoNotInitiate\nSubmitted via API."),
        ({"timeInForce": "ImmediateOrCancel", "orderQty": 1_700_000}, "Canceled",
         "Canceled: Order had timeInForce of ImmediateOrCancel\nSubmitted via API."),
        ({"timeInForce": "FillOrKill", "orderQty": 1_700_000}, "Canceled",
         "Canceled: Order had timeInForce of FillOrKill\nSubmitted via API."),
        ({"timeInForce": "FillOrKill"}, "Filled", "Submitted via API."),
        ({"text": "CCXT"}, "Filled", "CCXT\nSubmitted via API."),
    ],
    ids=["post-only", "IOC", "FOK, too much", "FOK", "note"],
)  # fmt: skip
def test_orders_that_would_take(at_the_desk, order, status, text):
    async def story(desk):
        # Enough for more than stands at the best offer.
        _, ask = await desk.touch()
        desk.running.simulator.venue.accounts[100001].cash["XBT"] *= 100
        return await desk.place(side="Buy", price=ask, **{"orderQty": 100, **order})

    row = at_the_desk(story)
    assert (row["ordStatus"], row["text"], row["leavesQty"], row["workingIndicator"]) == (status, text, 0, False)
    if order.get("timeInForce") == "FillOrKill" and status == "Canceled":
        assert row["cumQty"] == 0
        assert "avgPx" not in row


REFUSED = {
    "no symbol": ({"symbol": ""}, "Invalid symbol"),
    "unknown symbol": ({"symbol": "XBTGBP"}, "Invalid symbol"),
    "index": ({"symbol": ".BXBT"}, "Invalid symbol"),
    "bare root": ({"symbol": "XBT"}, "Invalid symbol"),
    "side": ({"side": "buy"}, "Invalid side"),
    "buy of less than nothing": ({"orderQty": -100}, "Invalid side"),
    "type": ({"ordType": "MarketWithLeftOverAsLimit"}, "Unsupported ordType"),
    "life": ({"timeInForce": "AtTheClose"}, "Unsupported timeInForce"),
    "instruction": ({"execInst": "Nothing"}, "Unsupported execInst"),
    "post-only market": (
        {"ordType": "Market", "execInst": "ParticipateDoNotInitiate"},
        "Invalid ordType or timeInForce for execInst",
    ),
    "post-only IOC": (
        {"timeInForce": "ImmediateOrCancel", "execInst": "ParticipateDoNotInitiate"},
        "Invalid ordType or timeInForce for execInst",
    ),
    "trigger reference": ({"execInst": "LastPrice"}, "Invalid ordType or timeInForce for execInst"),
    "reduce-only on spot": (
        {"symbol": "XBT_USDT", "execInst": "ReduceOnly"},
        "Invalid ordType or timeInForce for execInst",
    ),
    "no quantity": ({"orderQty": None}, "Invalid orderQty"),
    "zero": ({"orderQty": 0}, "Invalid orderQty"),
    "fraction": ({"orderQty": 100.5}, "orderQty is invalid"),
    "lot": ({"orderQty": 150}, "Order quantity must be a multiple of lot size: 100"),
    "spot lot": ({"symbol": "XBT_USDT", "orderQty": 1500}, "Order quantity must be a multiple of lot size: 1000"),
    "maximum": ({"orderQty": 10_000_100}, "Invalid orderQty"),
    "no price": ({"ordType": "Limit", "price": None}, "Invalid price"),
    "negative price": ({"price": -1}, "Invalid price"),
    "price above the maximum": ({"price": 1_000_001}, "Invalid price"),
    "price that is none": ({"price": "NaN"}, "Invalid price"),
    "endless price": ({"price": "1e999999999"}, "Invalid price"),
    "tick": ({"price": 8000.05}, "Invalid price tickSize"),
    "stop price": ({"ordType": "Limit", "stopPx": 8000}, "Invalid stopPx for ordType"),
    "long id": ({"clOrdID": "x" * 37}, "Invalid clOrdID"),
    "strategy": ({"strategy": "Long"}, "Invalid strategy"),
    "link": ({"contingencyType": "OneCancelsTheOther"}, "Unsupported contingencyType"),
    "reduce-only, flat": (
        {"execInst": "ReduceOnly"},
        "Order had execInst of ReduceOnly and side of Buy but current position is 0",
    ),
    "close, flat": (
        {"execInst": "Close", "orderQty": None, "side": None, "price": None},
        "Order had execInst of Close and side of Buy but current position is 0",
    ),
    "risk limit": ({"orderQty": 9_000_000, "price": 4000}, "Value of position and orders exceeds position Risk Limit"),
}


@pytest.mark.parametrize(("change", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_orders(at_the_desk, change, text):
    async def story(desk):
        socket = await desk.socket("order", "execution")
        before = len(socket.frames)
        order = {"symbol": "XBTUSD", "side": "Buy", "orderQty": 100, "price": 8000, **change}
        answer = await desk.call("POST", "/order", {k: v for k, v in order.items() if v is not None})
        await asyncio.sleep(0.001)
        return answer, len(socket.frames) - before

    answer, frames = at_the_desk(story)
    assert (answer.status, answer.body) == (400, {"error": {"message": text, "name": "ValidationError"}})
    assert frames == 0


def test_an_order_that_cannot_be_paid_for_says_what_it_needs(at_the_desk):
    async def story(desk):
        # 1,000,000 contracts at 8000: one lot 1250000, 10,000 lots, at 0.01 + 0.0005 of it.
        return await desk.call(
            "POST", "/order", {"symbol": "XBTUSD", "side": "Buy", "orderQty": 1_000_000, "price": 8000}
        )

    answer = at_the_desk(story)
    assert answer.status == 400
    assert answer.body == {
        "error": {
            "message": "Account has insufficient Available Balance, 131250000 XBt required",
            "name": "CodedHTTPError",
            "details": "19000",
        }
    }


@pytest.mark.parametrize("body", ["{", "[1]", '{"a": NaN}', "\x00{"], ids=["cut", "array", "NaN", "binary"])
def test_a_body_that_is_no_request(at_the_desk, body):
    async def story(desk):
        return await desk.raw("POST", "/api/v1/order", body, desk.sign("POST", "/api/v1/order", body))

    answer = at_the_desk(story)
    assert answer.status == 400
    assert answer.message in ("Invalid request body", "Invalid symbol")


def test_numbers_may_come_as_text_in_a_form_or_in_the_query_and_off_the_grid_by_noise(at_the_desk):
    async def story(desk):
        form = "symbol=xbtusd&side=Buy&orderQty=100&price=8000.20000000001"
        headers = desk.sign("POST", "/api/v1/order", form)
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        first = await desk.raw("POST", "/api/v1/order", form, headers)
        second = await desk.call("POST", "/order?symbol=XBTUSD&orderQty=-200&price=9500.1")
        return first.body, second.body

    first, second = at_the_desk(story)
    assert (first["symbol"], first["orderQty"], first["price"]) == ("XBTUSD", 100, 8000.2)
    assert (second["side"], second["orderQty"], second["price"]) == ("Sell", 200, 9500.1)


def test_amend_and_cancel_with_their_texts(at_the_desk):
    async def story(desk):
        row = await desk.place(side="Buy", orderQty=300, price=8000, clOrdID="a1")
        order = {"orderID": row["orderID"]}
        amended = await desk.call("PUT", "/order", {"origClOrdID": "a1", "orderQty": 200, "price": 8001})
        same = await desk.call("PUT", "/order", {**order, "price": 8001})
        rest = await desk.call("PUT", "/order", {**order, "leavesQty": 100})
        both = await desk.call("PUT", "/order", {**order, "leavesQty": 100, "orderQty": 100})
        first = await desk.call("DELETE", "/order", {"clOrdID": "a1"})
        again = await desk.call("DELETE", "/order", order)
        late = await desk.call("PUT", "/order", {**order, "price": 8002})
        return amended.body, same.message, rest.body, both.message, first.body, again.body, late.message

    amended, same, rest, both, first, again, late = at_the_desk(story)
    assert (amended["orderQty"], amended["leavesQty"], amended["price"]) == (200, 200, 8001)
    assert amended["text"] == "Amended orderQty price\nSubmitted via API."
    assert same == "Invalid amend: orderQty, leavesQty, price, stopPx unchanged"
    assert (rest["orderQty"], rest["leavesQty"], rest["text"]) == (100, 100, "Amended orderQty\nSubmitted via API.")
    assert both == "Invalid leavesQty"
    assert (first[0]["ordStatus"], first[0]["text"]) == ("Canceled", "Canceled\nCanceled via API.")
    assert (first[0]["leavesQty"], first[0]["workingIndicator"]) == (0, False)
    assert again[0]["error"] == "Unable to cancel order due to existing state: Canceled"
    assert late == "Invalid ordStatus"


def test_cancels_of_what_is_not_there(at_the_desk):
    async def story(desk):
        foreign = await desk.place(key="other", side="Buy", orderQty=100, price=8000)
        cancel = [
            {"orderID": foreign["orderID"]},
            {"clOrdID": "never"},
            {"orderID": "no guid"},
            {},
            {"orderID": NIL, "clOrdID": "x"},
        ]
        return foreign, [await desk.call("DELETE", "/order", body) for body in cancel]

    foreign, answers = at_the_desk(story)
    row = answers[0].body[0]
    assert row["error"] == "Unable to cancel order: Not found or not owned by user"
    assert (row["orderID"], row["account"], row["workingIndicator"]) == (foreign["orderID"], 100001, False)
    assert (answers[1].body[0]["clOrdID"], answers[1].body[0]["orderID"]) == ("never", NIL)
    assert [(answer.status, answer.message) for answer in answers[2:]] == [(400, "Invalid orderID")] * 3


def test_client_ids_are_unique_among_open_orders_only(at_the_desk):
    async def story(desk):
        order = {"symbol": "XBTUSD", "side": "Buy", "orderQty": 100, "price": 8000, "clOrdID": "same"}
        first = await desk.call("POST", "/order", order)
        second = await desk.call("POST", "/order", order)
        await desk.call("DELETE", "/order", {"clOrdID": "same"})
        third = await desk.call("POST", "/order", order)
        found = await desk.call("GET", "/order?filter=%7B%22clOrdID%22%3A%22same%22%7D")
        opened = await desk.call("GET", "/order?filter=%7B%22open%22%3Atrue%7D")
        return first, second, third, found, opened

    first, second, third, found, opened = at_the_desk(story)
    assert second.message == "Duplicate clOrdID"
    assert [row["orderID"] for row in found.body] == [first.body["orderID"], third.body["orderID"]]
    assert [row["orderID"] for row in opened.body] == [third.body["orderID"]]


def test_cancel_all_takes_one_symbol_or_a_side_or_everything(at_the_desk):
    async def story(desk):
        await desk.place(side="Buy", orderQty=100, price=8000, clOrdID="1")
        await desk.place(side="Sell", orderQty=100, price=9500, clOrdID="2")
        await desk.place(symbol="XBTUSDT", side="Buy", orderQty=100, price=8000, clOrdID="3")
        found = []
        for body in ({"symbol": "XBTUSD", "filter": {"side": "Sell"}}, {"symbol": "XBTUSDT"}, None, None):
            found.append([row["clOrdID"] for row in (await desk.call("DELETE", "/order/all", body)).body])
        unknown = await desk.call("DELETE", "/order/all", {"symbol": "NO"})
        return found, unknown.message

    assert at_the_desk(story) == ([["2"], ["3"], ["1"], []], "Invalid symbol")


def test_cancel_all_after_fires_once_on_the_wall_clock(at_the_desk):
    async def story(desk):
        socket = await desk.socket("order")
        await desk.place(side="Buy", orderQty=100, price=8000)
        armed = await desk.call("POST", "/order/cancelAllAfter", {"timeout": 1000})
        await asyncio.sleep(0.9)
        again = await desk.call("POST", "/order/cancelAllAfter", {"timeout": 1000})
        await asyncio.sleep(0.95)
        alive = len(socket.of("order", "update"))
        await asyncio.sleep(0.1)
        gone = socket.rows("order", "update")
        await desk.place(side="Buy", orderQty=100, price=8000)
        await asyncio.sleep(2)
        disarmed = await desk.call("POST", "/order/cancelAllAfter", {"timeout": 0})
        wrong = await desk.call("POST", "/order/cancelAllAfter", {"timeout": 0.5})
        return armed.body, again.body, alive, gone, len(socket.of("order", "update")), disarmed.body, wrong

    # Ten times as fast: the market's clock must not matter.
    armed, again, alive, gone, updates, disarmed, wrong = at_the_desk(story, speed=10)
    assert armed == {"now": "2019-05-28T00:00:00.000Z", "cancelTime": "2019-05-28T00:00:01.000Z"}
    assert again["cancelTime"] == "2019-05-28T00:00:01.900Z"
    assert (alive, updates) == (0, 1)
    assert (gone[0]["ordStatus"], gone[0]["text"]) == ("Canceled", "Canceled\nCanceled by cancelAllAfter.")
    assert disarmed["cancelTime"] == 0
    assert (wrong.status, wrong.message) == (400, "timeout is invalid")


def test_reduce_only_is_cut_to_the_position_and_goes_with_it(at_the_desk):
    async def story(desk):
        await desk.place(side="Buy", orderQty=300, ordType="Market")
        cut = await desk.place(side="Sell", orderQty=500, price=9500, execInst="ReduceOnly")
        closed = await desk.place(execInst="Close")
        rows = (await desk.call("GET", "/order")).body
        return cut, closed, rows

    cut, closed, rows = at_the_desk(story)
    assert (cut["orderQty"], cut["text"]) == (300, "Amended orderQty\nSubmitted via API.")
    assert (closed["ordType"], closed["side"], closed["orderQty"], closed["ordStatus"]) == (
        "Market", "Sell", 300, "Filled",
    )  # fmt: skip
    # 18.4.4: together they exceed the position, so the Close takes the other away first.
    assert [row["ordStatus"] for row in rows] == ["Filled", "Canceled", "Filled"]
    assert rows[1]["text"].startswith("Canceled: Order had execInst of Close")


def test_an_unknown_route_and_a_wrong_verb(at_the_desk):
    async def story(desk):
        return [
            await desk.call("GET", "/nothing", key=None),
            await desk.call("PATCH", "/trade", key=None),
            await desk.raw("GET", "/trade"),
            await desk.raw("GET", "/api/v1trade"),
        ]

    for answer in at_the_desk(story):
        assert (answer.status, answer.body) == (404, {"error": {"message": "Not Found", "name": "HTTPError"}})
        assert "x-ratelimit-limit" in answer.headers


def test_the_root_with_and_without_slash(at_the_desk):
    async def story(desk):
        return [(await desk.raw("GET", f"/api/v1{slash}")).body for slash in ("", "/")]

    assert at_the_desk(story) == [{"name": "BitMEX API", "version": "2.0.0", "timestamp": 1559001600000}] * 2
