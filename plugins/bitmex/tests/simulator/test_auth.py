"""Signatures byte for byte, and every refusal with its status and text."""

import asyncio
import hashlib
import hmac

import aiohttp
import pytest
from hbkit_bitmex.simulator import Options
from hbkit_bitmex.simulator.auth import signature

from hbkit.clock import SECOND

OFFICIAL = "chNOOS4KvNXR_Xq4k4c9qsfoKWvnDecLATCRlcBwyKDYnWgO"
ORDER = '{"symbol":"XBTM15","price":219.0,"clOrdID":"mm_bitmex_1a/oemUeQ4CAJZgP3fjHsA","orderQty":98}'
FILTERED = "/api/v1/instrument?filter=%7B%22symbol%22%3A+%22XBTM15%22%7D"


@pytest.mark.parametrize(
    ("secret", "verb", "target", "expires", "body", "expected"),
    [
        (OFFICIAL, "GET", "/api/v1/instrument", "1518064236", "",
         "c7682d435d0cfe87c16098df34ef2eb5a549d4c5a3c2b1f0f77b8af73423bf00"),
        (OFFICIAL, "GET", FILTERED, "1518064237", "",
         "e2f422547eecb5b3cb29ade2127e21b858b235b386bfa45e1c1756eb3383919f"),
        (OFFICIAL, "POST", "/api/v1/order", "1518064238", ORDER,
         "1749cd2ccae4aa49048ae09f0b95110cee706e0944e6a14ad0b3a8cb45bd336b"),
        ("secret", "GET", "/api/v1/order", "1518064236", "",
         "05b241833763473e08eff9bc87f8850ae402c50daeccc7f3afdc998b4e937122"),
        ("secret", "POST", "/api/v1/order", "1518064238", '{"symbol":"XBTUSD"}',
         "37a90d9a89f8dc9d6e2edf88dc8609e8ee7810b9e3f42e66d2d41f83ab64b01e"),
        (OFFICIAL, "GET", "/realtime", "1518064236", "",
         "6d459dc02866d35a2b965edeecc68063d488e296b77982235fc6eca24b934945"),
    ],
    ids=["GET", "GET with a filter", "POST", "cli GET", "cli POST", "socket"],
)  # fmt: skip
def test_official_vectors(secret, verb, target, expires, body, expected):
    assert signature(secret, verb, target, expires, body.encode()) == expected


def test_no_secret_is_shown_by_what_holds_it(at_the_desk):
    async def story(desk):
        keys = desk.running.simulator.keys
        return [repr(key) for account in desk.running.simulator.venue.accounts.values() for key in keys.of(account)]

    shown = at_the_desk(story)
    assert len(shown) == 2
    assert "-secret" not in "".join(shown)
    assert "hidden" not in repr(Options(accounts=(("key", "hidden"),)))


def test_the_raw_target_is_signed_and_not_a_tidied_one(at_the_desk):
    async def story(desk):
        target = "/api/v1/order?filter=%7B%22open%22%3A+true%7D&count=%31"
        answer = await desk.raw("GET", target, headers=desk.sign("GET", target))
        return answer.status, answer.body

    assert at_the_desk(story) == (200, [])


@pytest.mark.parametrize(
    ("change", "status", "text"),
    [
        ({"api-key": "nobody"}, 401, "Invalid API Key."),
        ({"api-signature": "0" * 64}, 401, "Signature not valid."),
        ({"api-signature": "é"}, 401, "Signature not valid."),
        ({"api-signature": None}, 401, "Authorization Required"),
        ({"api-key": None, "api-expires": None, "api-signature": None}, 401, "Authorization Required"),
        ({"api-expires": None, "api-nonce": "1559001600"}, 401, "Authorization Required"),
        (
            {"api-expires": "12"},
            401,
            "This request has expired - `expires` is in the past. Current time: 1559001600",
        ),
    ],
    ids=["key", "signature", "signature, not ASCII", "two headers", "none", "the old nonce", "expired"],
)
def test_refused_logins(at_the_desk, change, status, text):
    async def story(desk):
        headers = {**desk.sign("GET", "/api/v1/order"), **change}
        return await desk.raw("GET", "/api/v1/order", headers={k: v for k, v in headers.items() if v is not None})

    answer = at_the_desk(story)
    assert (answer.status, answer.body) == (status, {"error": {"message": text, "name": "HTTPError"}})


def test_a_bad_signature_is_refused_on_a_public_route_too(at_the_desk):
    async def story(desk):
        headers = {**desk.sign("GET", "/api/v1/trade"), "api-signature": "0" * 64}
        bad = await desk.raw("GET", "/api/v1/trade", headers=headers)
        good = await desk.call("GET", "/trade?count=1")
        return bad.status, good.status, good.headers["x-ratelimit-limit"], good.headers["X-User-ID"]

    assert at_the_desk(story) == (401, 200, "120", "100001")


@pytest.mark.parametrize("scale", [1, 1000], ids=["seconds", "milliseconds as ccxt.pro sends"])
def test_socket_login_by_command(at_the_desk, scale):
    async def story(desk):
        socket = await desk.socket(key=None)
        at = (desk.loop.clock.now() // SECOND + 10) * scale
        sign = hmac.new(b"demo-secret", f"GET/realtime{at}".encode(), hashlib.sha256).hexdigest()
        await socket.send(op="authKeyExpires", args=["demo", at, sign])
        await socket.send(op="authKeyExpires", args=["demo", at, sign])
        return at, sign, socket.frames[1:]

    at, sign, frames = at_the_desk(story)
    request = {"op": "authKeyExpires", "args": ["demo", at, sign]}
    assert frames == [
        {"success": True, "request": request},
        {"status": 400, "error": "Already authenticated", "meta": {}, "request": request},
    ]


@pytest.mark.parametrize(
    ("args", "status", "error"),
    [
        (["demo", 4_000_000_000, "0" * 64], 401, "Signature not valid."),
        (["nobody", 4_000_000_000, "0" * 64], 401, "Invalid API Key."),
        (["demo", "4000000000", "0" * 64], 400, "Invalid expires"),
    ],
    ids=["signature", "key", "text"],
)
def test_a_refused_socket_login_leaves_the_socket_open(at_the_desk, args, status, error):
    async def story(desk):
        socket = await desk.socket(key=None)
        await socket.send(op="authKeyExpires", args=args)
        await socket.socket.send_str("ping")
        await asyncio.sleep(0.001)
        return socket.frames[1:]

    request = {"op": "authKeyExpires", "args": args}
    assert at_the_desk(story) == [{"status": status, "error": error, "meta": {}, "request": request}, "pong"]


def test_socket_login_by_headers_or_query_and_subscription_by_url(at_the_desk):
    async def story(desk):
        headers = desk.sign("GET", "/realtime")
        query = "&".join(f"{name}={value}" for name, value in headers.items())
        frames = []
        for url, sent in (("/realtime?subscribe=margin,order:XBTUSD", headers), (f"/realtime?{query}", {})):
            async with desk.session.ws_connect(url, headers=sent) as socket:
                frames.append([(await socket.receive_json()) for _ in range(5 if "margin" in url else 1)])
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await desk.session.ws_connect("/realtime", headers={**headers, "api-signature": "0"})
        return frames, refused.value.status

    (first, second), status = at_the_desk(story)
    request = {"op": "subscribe", "args": ["margin", "order:XBTUSD"]}
    assert set(first[0]) == {
        "info", "version", "timestamp", "docs", "heartbeatEnabled", "limit", "appName",
    }  # fmt: skip
    assert first[1] == {"success": True, "subscribe": "margin", "request": request}
    assert (first[2]["table"], first[2]["filter"]) == ("margin", {"account": 100001})
    assert first[3]["subscribe"] == "order:XBTUSD"
    assert first[4]["filter"] == {"account": 100001, "symbol": "XBTUSD"}
    assert first[4]["data"] == []
    assert second[0]["info"] == "Welcome to the BitMEX Realtime API."
    assert status == 401
