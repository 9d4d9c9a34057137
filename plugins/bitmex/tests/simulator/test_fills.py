"""What a match looks like on every table, in which order, and to both sides of it (protocol 12.3, 17.1, 18.11)."""

import asyncio

from hbkit.clock import parse_time

PRIVATE = ("order", "execution", "position", "margin", "wallet")


async def settle():
    await asyncio.sleep(0.000_001)


def test_a_taker_fill_is_told_table_by_table_in_the_order_of_the_protocol(at_the_desk):
    async def story(desk):
        socket = await desk.socket(*PRIVATE, "trade:XBTUSD", "orderBookL2:XBTUSD", "quote:XBTUSD", "instrument:XBTUSD")
        before = len(socket.frames)
        row = await desk.place(side="Buy", orderQty=1000, ordType="Market")
        told = [frame["table"] for frame in socket.frames[before:]]  # before the answer came
        return row, told, socket.frames[before:]

    row, told, frames = at_the_desk(story)
    assert told == ["trade", "execution", "order", "position", "margin", "orderBookL2", "quote", "instrument"]
    by_table = {frame["table"]: frame for frame in frames}
    trade = by_table["trade"]["data"][0]
    new, fill = by_table["execution"]["data"]
    assert (new["execType"], new["ordStatus"], new["leavesQty"], new["cumQty"]) == ("New", "New", 1000, 0)
    assert not {"lastQty", "lastPx", "lastLiquidityInd", "execCost", "execComm", "trdMatchID"} & set(new)
    assert (fill["execType"], fill["ordStatus"], fill["lastQty"]) == ("Trade", "Filled", 1000)
    assert fill["lastLiquidityInd"] == "RemovedLiquidity"
    assert (fill["trdMatchID"], fill["lastPx"]) == (trade["trdMatchID"], trade["price"])
    assert (trade["side"], trade["size"], trade["grossValue"]) == ("Buy", 1000, -fill["execCost"])
    assert fill["execComm"] == trade["grossValue"] // 2000
    assert by_table["order"] == {"table": "order", "action": "insert", "data": [row]}
    assert row["ordStatus"] == "Filled"
    assert by_table["position"]["data"][0]["currentQty"] == 1000
    assert by_table["margin"]["data"][0]["realisedPnl"] == -fill["execComm"]
    assert by_table["orderBookL2"]["data"][0]["size"] % 100 >= 0


def test_two_accounts_trade_with_each_other(at_the_desk):
    async def story(desk):
        maker = await desk.socket(*PRIVATE, "trade:XBTUSD", "orderBookL2:XBTUSD")
        taker = await desk.socket(*PRIVATE, key="other")
        bid, ask = await desk.touch()
        # Inside the spread: nobody else stands at this price.
        price = round((bid + ask) / 2 - 0.05, 1)
        resting = await desk.place(side="Buy", orderQty=300, price=price, clOrdID="maker")
        await settle()
        marks = len(maker.frames), len(taker.frames)
        row = await desk.place(key="other", side="Sell", orderQty=100, price=price, clOrdID="taker")
        await settle()
        return price, resting, row, maker.frames[marks[0] :], taker.frames[marks[1] :]

    price, resting, row, maker, taker = at_the_desk(story)
    assert (row["ordStatus"], row["avgPx"], row["account"]) == ("Filled", price, 100002)
    trade = next(frame["data"][0] for frame in maker if frame["table"] == "trade")
    assert (trade["side"], trade["size"], trade["price"]) == ("Sell", 100, price)
    own = next(frame["data"] for frame in maker if frame["table"] == "execution")
    other = next(frame["data"] for frame in taker if frame["table"] == "execution")
    assert [fill["execType"] for fill in own] == ["Trade"]
    assert [fill["execType"] for fill in other] == ["New", "Trade"]
    assert own[0]["lastLiquidityInd"] == "AddedLiquidity"
    assert own[0]["trdMatchID"] == other[1]["trdMatchID"] == trade["trdMatchID"]
    assert own[0]["execCost"] == -other[1]["execCost"] < 0
    assert len({fill["execID"] for fill in (*own, *other)}) == 3
    update = next(frame for frame in maker if frame["table"] == "order")
    assert update["action"] == "update"
    assert update["data"] == [
        {
            "orderID": resting["orderID"], "clOrdID": "maker", "account": 100001, "symbol": "XBTUSD",
            "ordStatus": "PartiallyFilled", "leavesQty": 200, "cumQty": 100, "avgPx": price,
            "timestamp": "2019-05-28T00:00:00.000Z",
        }
    ]  # fmt: skip
    level = next(frame for frame in maker if frame["table"] == "orderBookL2")
    assert (level["action"], level["data"][0]["size"]) == ("update", 200)
    accounts = {row["account"] for frame in taker for row in frame["data"]}
    assert accounts == {100002}


def test_an_order_may_match_its_own_account(at_the_desk):
    async def story(desk):
        bid, ask = await desk.touch()
        price = round((bid + ask) / 2 - 0.05, 1)
        await desk.place(side="Buy", orderQty=100, price=price)
        await desk.place(side="Sell", orderQty=100, price=price)
        rows = (await desk.call("GET", "/execution/tradeHistory")).body
        return rows, (await desk.call("GET", "/position")).body[0]["currentQty"]

    rows, position = at_the_desk(story)
    assert position == 0
    assert len({row["trdMatchID"] for row in rows}) == 1
    assert sorted(row["lastLiquidityInd"] for row in rows) == ["AddedLiquidity", "RemovedLiquidity"]


def test_a_resting_order_is_filled_by_the_tape_and_shares_its_match_id(at_the_desk):
    async def story(desk):
        socket = await desk.socket("execution", "trade:XBTUSD")
        bid, ask = await desk.touch()
        await desk.place(side="Buy", orderQty=100, price=round((bid + ask) / 2 - 0.05, 1))
        await desk.place(side="Sell", orderQty=100, price=round((bid + ask) / 2 + 0.05, 1))
        await asyncio.sleep(120)
        return socket.rows("execution"), {row["trdMatchID"]: row for row in socket.rows("trade")}

    executions, trades = at_the_desk(story)
    fills = [row for row in executions if row["execType"] == "Trade"]
    assert len(fills) == 2
    for fill in fills:
        assert fill["lastLiquidityInd"] == "AddedLiquidity"
        assert trades[fill["trdMatchID"]]["symbol"] == "XBTUSD"


def test_a_spot_fill_moves_two_wallets_and_writes_two_transactions(at_the_desk):
    async def story(desk):
        socket = await desk.socket("wallet", "margin", "position", "execution")
        row = await desk.place(symbol="XBT_USDT", side="Buy", orderQty=100_000, ordType="Market")
        await settle()
        history = (await desk.call("GET", "/user/walletHistory?currency=all")).body
        return row, socket, history

    row, socket, history = at_the_desk(story)
    assert "settlCurrency" not in row
    fill = socket.rows("execution")[-1]
    value = 100_000 * row["avgPx"] // 100  # satoshi at a price in micro-USDt
    assert (fill["execCost"], fill["execComm"]) == (value, value // 2000)
    assert (fill["homeNotional"], fill["foreignNotional"]) == (0.001, -value / 1e6)
    assert socket.rows("position") == []
    amounts = {row["currency"]: row["amount"] for row in socket.rows("wallet", "update")}
    assert amounts == {"XBt": 100_100_000, "USDt": 10_000_000_000 - value - value // 2000}
    spot = [row for row in history if row["transactType"] == "SpotTrade"]
    assert {(row["currency"], row["amount"]) for row in spot} == {("XBt", 100_000), ("USDt", -value - value // 2000)}


def test_wallet_history_sums_to_the_balance(at_the_desk):
    async def story(desk):
        for side in ("Buy", "Sell", "Sell"):
            await desk.place(side=side, orderQty=1000, ordType="Market")
            await desk.place(symbol="XBT_USDT", side=side, orderQty=100_000, ordType="Market")
        await asyncio.sleep(90)  # over 12:00, the session's close
        return (
            (await desk.call("GET", "/user/walletHistory?currency=all")).body,
            (await desk.call("GET", "/user/wallet?currency=all")).body,
        )

    history, wallets = at_the_desk(story, start=parse_time("2019-05-28T11:59:00Z"))
    for wallet in wallets:
        rows = [r for r in history if r["currency"] == wallet["currency"] and r["transactType"] != "UnrealisedPNL"]
        assert sum(row["amount"] for row in rows) == wallet["amount"], wallet["currency"]
    assert {"Deposit", "SpotTrade", "RealisedPNL"} <= {row["transactType"] for row in history}
