"""Rate limits: both layers, their headers, 429 and the ban; counted on the wall clock."""

import asyncio

ORDER = {"symbol": "XBTUSD", "side": "Buy", "orderQty": 100, "price": 8000}


def test_headers_count_down_and_come_back(at_the_desk):
    async def story(desk):
        first = await desk.call("GET", "/user")
        second = await desk.call("GET", "/nothing")
        await asyncio.sleep(1)
        third = await desk.call("POST", "/order", ORDER)
        stranger = await desk.call("GET", "/trade", key=None)
        return first.headers, second.headers, third.headers, stranger.headers

    first, second, third, stranger = at_the_desk(story, limits=True, speed=60)
    assert (first["x-ratelimit-limit"], first["x-ratelimit-remaining"]) == ("120", "119")
    assert second["x-ratelimit-remaining"] == "118"
    # Two came back in a second of the wall, whatever the market's speed.
    assert third["x-ratelimit-remaining"] == "119"
    assert third["x-ratelimit-remaining-1s"] == "9"
    assert "x-ratelimit-remaining-1s" not in first
    assert (stranger["x-ratelimit-limit"], stranger["x-ratelimit-remaining"]) == ("30", "29")


def test_the_eleventh_order_of_a_second_is_refused_and_not_placed(at_the_desk):
    async def story(desk):
        answers = [await desk.call("POST", "/order", ORDER) for _ in range(11)]
        rows = (await desk.call("GET", "/order")).body
        await asyncio.sleep(1)
        return answers, rows, await desk.call("POST", "/order", ORDER)

    answers, rows, later = at_the_desk(story, limits=True)
    assert [answer.status for answer in answers] == [200] * 10 + [429]
    refused = answers[-1]
    assert refused.body == {"error": {"message": "Rate limit exceeded, retry in 1 seconds.", "name": "HTTPError"}}
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["x-ratelimit-reset"].isdigit()
    assert refused.headers["x-ratelimit-remaining"] == answers[-2].headers["x-ratelimit-remaining"]
    assert len(rows) == 10
    assert later.status == 200


def test_who_goes_on_while_limited_is_banned(at_the_desk):
    async def story(desk):
        statuses = [(await desk.call("GET", "/trade?count=1", key=None)).status for _ in range(54)]
        await asyncio.sleep(61)
        return statuses, (await desk.call("GET", "/trade?count=1", key=None)).status

    statuses, later = at_the_desk(story, limits=True)
    assert statuses == [200] * 30 + [429] * 21 + [403] * 3
    assert later == 200


def test_failed_logins_count_for_the_address(at_the_desk):
    async def story(desk):
        headers = {**desk.sign("GET", "/api/v1/user"), "api-signature": "0"}
        bad = await desk.raw("GET", "/api/v1/user", headers=headers)
        return bad.headers, (await desk.call("GET", "/user")).headers

    bad, good = at_the_desk(story, limits=True)
    assert bad["x-ratelimit-remaining"] == "29"
    assert good["x-ratelimit-remaining"] == "119"
