"""Each fault on request: that it does what its row in the table says, and that it ends."""

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest
from hbkit_bitmex.simulator.faults import ALL, KINDS, Fault, PlannedFault

from hbkit.clock import SECOND

ORDER = {"symbol": "XBTUSD", "side": "Buy", "orderQty": 100, "price": 8000, "clOrdID": "one"}


EVERYWHERE = {"verb", "route", "chance", "count", "for"}
"""Members that the page explains once."""


async def fault(desk, **sent):
    answer = await desk.raw("POST", "/control/faults", json.dumps(sent))
    assert answer.status == 200, answer.body
    return answer.body


async def clear(desk):
    await desk.raw("DELETE", "/control/faults")


async def refused(desk, **sent):
    answer = await desk.raw("POST", "/control/faults", json.dumps(sent))
    return answer.status, answer.message


# -- requests


def test_rate_limit_answers_429_before_the_venue_is_reached(at_the_desk):
    async def story(desk):
        await fault(desk, fault="rate_limit", verb="POST", route="/order", seconds=7, count=1)
        limited = await desk.call("POST", "/order", ORDER)
        return limited, (await desk.call("GET", "/order")).body, await desk.call("POST", "/order", ORDER)

    limited, rows, again = at_the_desk(story)
    assert (limited.status, limited.message) == (429, "Rate limit exceeded, retry in 7 seconds.")
    assert (limited.headers["retry-after"], limited.headers["x-ratelimit-remaining"]) == ("7", "0")
    assert rows == []
    assert again.status == 200


def test_a_late_reply_comes_after_the_frames(at_the_desk):
    async def story(desk):
        socket = await desk.socket("order")
        await fault(desk, fault="late_reply", verb="POST", seconds=3, count=1)
        before = desk.loop.time()
        request = asyncio.create_task(desk.call("POST", "/order", ORDER))
        await asyncio.sleep(1)
        told = len(socket.of("order", "insert"))
        await request
        return told, desk.loop.time() - before

    told, took = at_the_desk(story)
    assert told == 1
    assert took == pytest.approx(3)


# -- frames


def test_a_frame_is_dropped_and_the_next_is_not(at_the_desk):
    async def story(desk):
        await fault(desk, fault="drop", table="order", count=1)
        socket = await desk.socket("order")
        await desk.place(**ORDER)
        await desk.place(**{**ORDER, "clOrdID": "two"})
        await asyncio.sleep(0.001)
        return socket

    socket = at_the_desk(story)
    assert len(socket.of("order", "partial")) == 1  # a partial is no single frame: `mute` is for that
    assert [row["clOrdID"] for row in socket.rows("order", "insert")] == ["two"]


def test_a_muted_table_ends_with_its_time(at_the_desk):
    async def story(desk):
        await fault(desk, fault="mute", table="order", **{"for": "2s"})
        socket = await desk.socket("order", "execution")
        await desk.place(**ORDER)
        await asyncio.sleep(2.1)
        await desk.place(**{**ORDER, "clOrdID": "two"})
        await asyncio.sleep(0.001)
        return socket, (await desk.raw("GET", "/control/faults")).body

    socket, left = at_the_desk(story)
    assert socket.of("order", "partial") == []
    assert [row["clOrdID"] for row in socket.rows("order", "insert")] == ["two"]
    assert len(socket.rows("execution", "insert")) == 2
    assert left == []


def test_reordered_frames_change_places(at_the_desk):
    async def story(desk):
        socket = await desk.socket("order")
        await fault(desk, fault="reorder", table="order", count=1)
        for name in ("one", "two", "three"):
            await desk.place(**{**ORDER, "clOrdID": name})
        await asyncio.sleep(0.001)
        await fault(desk, fault="reorder", table="order", count=1, seconds=5)
        await desk.place(**{**ORDER, "clOrdID": "four"})
        await asyncio.sleep(4.9)
        before = len(socket.rows("order", "insert"))
        await asyncio.sleep(0.2)
        return socket, before

    socket, before = at_the_desk(story)
    assert [row["clOrdID"] for row in socket.rows("order", "insert")] == ["two", "one", "three", "four"]
    assert before == 3  # nothing followed the fourth, so it waits out its time


def test_lagging_frames_keep_their_order_when_the_fault_ends(at_the_desk):
    async def story(desk):
        socket = await desk.socket("order", "execution")
        await fault(desk, fault="lag", table="order", seconds=2, count=1)
        await desk.place(**ORDER)
        await desk.place(**{**ORDER, "clOrdID": "two"})
        await asyncio.sleep(1)
        early = len(socket.rows("order", "insert")), len(socket.rows("execution", "insert"))
        await asyncio.sleep(1.1)
        return early, [row["clOrdID"] for row in socket.rows("order", "insert")]

    early, names = at_the_desk(story)
    assert early == (0, 2)
    assert names == ["one", "two"]


def test_what_changes_comes_before_a_late_partial(at_the_desk):
    async def story(desk):
        await fault(desk, fault="late_partial", table="order", seconds=2, count=1)
        socket = await desk.socket("order")
        await desk.place(**ORDER)
        await asyncio.sleep(2.1)
        return socket

    socket = at_the_desk(story)
    assert [frame["action"] for frame in socket.of("order")] == ["insert", "partial"]
    assert [row["clOrdID"] for row in socket.rows("order", "partial")] == ["one"]


def test_chances_are_drawn_from_the_seed(at_the_desk):
    async def story(desk):
        socket = await desk.socket("order")
        await fault(desk, fault="drop", table="order", chance=0.5)
        for number in range(20):
            await desk.place(**{**ORDER, "clOrdID": str(number)})
        await asyncio.sleep(0.001)
        return [row["clOrdID"] for row in socket.rows("order", "insert")]

    first, second, other = at_the_desk(story), at_the_desk(story), at_the_desk(story, seed=2)
    assert first == second != other
    assert 0 < len(first) < 20


# -- sockets


def test_cut_takes_the_sockets_of_one_account(at_the_desk):
    async def story(desk):
        mine, other = await desk.socket("order"), await desk.socket("order", key="other")
        answer = await fault(desk, fault="cut", account=100001)
        await asyncio.sleep(0.001)
        return answer, mine.socket.close_code, other.socket.close_code

    assert at_the_desk(story) == ({"cut": 1}, 1006, None)


def test_a_half_open_socket_says_nothing_answers_nothing_and_breaks_in_the_end(at_the_desk):
    async def story(desk):
        deaf = await desk.socket("trade", "order")
        await fault(desk, fault="half_open", **{"for": 90})
        frames = len(deaf.frames)
        sound = await desk.socket("order")  # who connects now is served
        await deaf.send(op="subscribe", args=["quote"])
        await deaf.socket.send_str("ping")
        await deaf.socket.ping()
        row = await desk.place(**ORDER)
        await asyncio.sleep(80)
        silent = len(deaf.frames) - frames, deaf.socket.close_code
        await asyncio.sleep(11)
        return silent, deaf.socket.close_code, row, sound.rows("order", "insert")

    silent, code, row, told = at_the_desk(story)
    assert silent == (0, None)  # not closed for silence either: 60 s are long over
    assert code == 1006
    assert [one["orderID"] for one in told] == [row["orderID"]]


def test_a_half_open_socket_is_called_off_by_breaking_it(at_the_desk):
    async def story(desk):
        deaf = await desk.socket("trade")
        await fault(desk, fault="half_open")
        await clear(desk)
        await asyncio.sleep(0.001)
        return deaf.socket.close_code, len(desk.running.simulator.hub.clients)

    assert at_the_desk(story) == (1006, 0)


# -- the clock


def test_a_skewed_clock_shows_and_decides(at_the_desk):
    async def story(desk):
        await fault(desk, fault="clock_skew", seconds=30)
        now = desk.loop.clock.now() // SECOND
        root = await desk.raw("GET", "/api/v1/")
        fresh = desk.sign("GET", "/api/v1/order", expires=now + 20)
        expired = await desk.raw("GET", "/api/v1/order", headers=fresh)
        late = desk.sign("GET", "/api/v1/order", expires=now + 40)
        taken = await desk.raw("GET", "/api/v1/order", headers=late)
        socket = await desk.socket("order")  # signs 10 s ahead, which is 20 s ago over there
        timer = await desk.raw(
            "POST", "/api/v1/order/cancelAllAfter", "timeout=5000",
            desk.sign("POST", "/api/v1/order/cancelAllAfter", "timeout=5000", expires=now + 40),
        )  # fmt: skip
        await clear(desk)
        await desk.place(**ORDER)
        await asyncio.sleep(6)
        return now, root, expired, taken, socket, timer, (await desk.call("GET", "/order")).body

    now, root, expired, taken, socket, timer, rows = at_the_desk(story)
    assert root.body["timestamp"] // 1000 == now + 30
    assert root.headers["Date"] == "Tue, 28 May 2019 00:00:30 GMT"  # the loop began at midnight
    assert (expired.status, taken.status) == (401, 200)
    assert expired.message.endswith(f"Current time: {now + 30}")
    assert socket.frames[0]["timestamp"].startswith("2019-05-28T00:00:30")
    assert socket.errors()[0]["status"] == 401
    assert timer.body["cancelTime"].startswith("2019-05-28T00:00:35")
    # However the clock is shown, five seconds are five seconds.
    assert rows[0]["text"].endswith("Canceled by cancelAllAfter.")


def test_a_clock_may_be_behind(at_the_desk):
    async def story(desk):
        await fault(desk, fault="clock_skew", seconds=-30)
        past = desk.sign("GET", "/api/v1/order", expires=desk.loop.clock.now() // SECOND - 20)
        return await desk.raw("GET", "/api/v1/order", headers=past)

    assert at_the_desk(story).status == 200


# -- restarts


@pytest.mark.parametrize("memory", [True, False])
def test_the_venue_goes_away_and_comes_back(at_the_desk, memory):
    async def story(desk):
        await desk.place(side="Buy", orderQty=100, ordType="Market")
        first = await desk.place(**ORDER)
        socket = await desk.socket("order", "trade")
        trades = desk.running.simulator.venue.markets["XBTUSD"].trades
        await fault(desk, fault="restart", seconds=5, memory=memory)
        await asyncio.sleep(0.001)
        code, before = socket.socket.close_code, len(trades)
        away = await desk.call("POST", "/order", {**ORDER, "clOrdID": "two"})
        with pytest.raises(aiohttp.WSServerHandshakeError) as upgrade:
            await desk.session.ws_connect("/realtime")
        await asyncio.sleep(4.9)
        meanwhile = len(trades) - before
        await asyncio.sleep(0.2)
        second = await desk.place(**{**ORDER, "clOrdID": "three"})
        back = await desk.socket("order", "position", "margin", "execution", "instrument:XBTUSD")
        history = (await desk.call("GET", "/user/walletHistory")).body
        return code, away, upgrade.value.status, meanwhile, first, second, back, history

    code, away, upgrade, meanwhile, first, second, back, history = at_the_desk(story)
    assert code == 1012
    assert (away.status, away.message) == (503, "Service unavailable")
    assert upgrade == 503
    assert meanwhile == 0
    orders = [row["orderID"] for row in back.rows("order", "partial")]
    assert orders == ([first["orderID"], second["orderID"]] if memory else [second["orderID"]])
    assert first["orderID"] != second["orderID"]
    held = {row["symbol"]: row["currentQty"] for row in back.rows("position", "partial")}
    assert held == {"XBTUSD": 100 if memory else 0}
    # New, Trade and two resting orders; or the last one alone.
    assert len(back.rows("execution", "partial")) == (4 if memory else 1)
    margin = next(row for row in back.rows("margin", "partial") if row["currency"] == "XBt")
    assert (margin["walletBalance"] == 100_000_000) is not memory
    assert [row["transactType"] for row in history if row["transactStatus"] == "Completed"] == ["Deposit"]
    assert back.rows("instrument", "partial")[0]["state"] == "Open"


def test_money_adds_up_after_a_restart_without_memory(at_the_desk):
    async def story(desk):
        await desk.place(side="Buy", orderQty=1000, ordType="Market")
        await fault(desk, fault="restart", seconds=1, memory=False)
        await asyncio.sleep(1.1)
        await desk.place(side="Sell", orderQty=1000, ordType="Market")
        await desk.place(side="Buy", orderQty=1000, ordType="Market")
        return (await desk.raw("GET", "/control/truth")).body

    truth = at_the_desk(story)
    mine = truth["accounts"][0]
    (margin,) = [row for row in mine["margins"] if row["currency"] == "XBt"]
    # Nothing is held, so what the account lost is what the house has.
    assert 100_000_000 - margin["walletBalance"] == sum(truth["house"]["XBt"].values())


# -- lists and words


def test_a_plan_is_carried_out_at_its_times(at_the_desk):
    plan = (
        PlannedFault(Fault("mute", table="order", last=2.0), at=10.0),
        PlannedFault(Fault("cut"), at=20.0, every=10.0),
    )

    async def story(desk):
        begun = desk.loop.time()
        seen = []
        while desk.loop.time() < begun + 45:
            socket = await desk.socket("order")
            while socket.socket.close_code is None and desk.loop.time() < begun + 45:
                seen.append((round(desk.loop.time() - begun), len((await desk.raw("GET", "/control/faults")).body)))
                await asyncio.sleep(0.5)
            seen.append(("cut", round(desk.loop.time() - begun)))
        return seen

    seen = at_the_desk(story, faults=plan)
    muted = {when for when, *rest in seen if rest == [1]}
    assert {10, 11} <= muted <= {10, 11, 12}
    # Seen within half a second of each cut.
    assert [when for word, when in seen if word == "cut"][:3] == [20, 30, 40]


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({"fault": "mutee"}, 'there is no fault "mutee"; did you mean "mute"?'),
        ({"fault": "half_opne"}, 'there is no fault "half_opne"; did you mean "half_open"?'),
        ({}, "name a fault: bad_gateway, clock_skew"),
        ({"fault": "mute", "tabel": "order"}, 'mute takes no "tabel"; did you mean "table"?'),
        ({"fault": "cut", "seconds": 3}, 'cut takes no "seconds"; members of cut: account'),
        ({"fault": "delay"}, "delay needs `seconds`"),
        ({"fault": "drop", "chance": 2}, "chance is from 0 to 1"),
        ({"fault": "drop", "chance": "often"}, "chance is a number"),
        ({"fault": "mute", "for": "soon"}, '"soon" is not a duration; write it as 60s, 5m, 2h or 1d'),
        ({"fault": "halt", "symbol": "NONE"}, 'there is no market "NONE"; write one such as XBTUSD'),
        ({"fault": "restart", "memory": "no"}, "memory is true or false"),
    ],
)
def test_what_cannot_be_meant_is_named(at_the_desk, sent, message):
    status, text = at_the_desk(lambda desk: refused(desk, **sent))
    assert status == 400
    assert text.startswith(message)


def test_each_fault_is_in_the_table_of_the_docs_and_in_a_test_here():
    page = (Path(__file__).parents[4] / "docs" / "bitmex-simulator.md").read_text()
    here = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    for name in ALL:
        row = next((line for line in page.splitlines() if line.startswith(f"| `{name}` |")), "")
        assert row, name
        for member in KINDS[name].members:
            assert f"`{member}`" in (page if member in EVERYWHERE else row), (name, member)
        assert f'"{name}"' in here
