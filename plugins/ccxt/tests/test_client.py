"""One ccxt object from a Connection: its time, its network, its tasks, and what it may say when something fails."""

from __future__ import annotations

import asyncio
import base64
import gc
import hashlib
import hmac
import logging
import traceback
import warnings

import aiohttp
import ccxt.pro
import pytest
from aiohttp import web
from hbkit_ccxt import client as clients
from hbkit_ccxt import errors
from hbkit_ccxt.client import Client
from hbkit_ccxt.errors import DuplicateOrder

from hbkit.chance import Chance
from hbkit.clock import MINUTE, SECOND, WallClock, parse_time
from hbkit.errors import AuthenticationError, ConfigError, ExchangeError, RateLimited, WireError
from hbkit.exchange import SimulatorOptions
from hbkit.log import Secret
from hbkit.net.http import RequestDisconnected, RequestTimeout
from hbkit.net.virtual import run_virtual

KEY, SECRET = "planted-api-key-77", "planted-secret-0123456789abcdef"
START = parse_time("2019-05-28")
BTC = "BTC/USD:BTC"

needs_bitmex = pytest.mark.skipif("bitmex" not in ccxt.exchanges, reason="this ccxt has no bitmex: 4.5.83 was the last")


def simulator(path, clock, **options):
    hosted = pytest.importorskip("hbkit_bitmex.simulator").hosted
    return hosted(SimulatorOptions(**options), clock, Chance(1), path)


def bitmex(connection, clock, path, address, **more):
    keys = {"api_key": "demo", "api_secret": Secret("demo-secret")}
    there = {"rest_url": address.rest, "ws_url": address.websocket}
    return Client("bitmex", connection(clock, path, **{**keys, **there, **more}))


# -- on a virtual loop


@needs_bitmex
def test_an_order_goes_to_the_simulator_and_back_in_virtual_time(connection):
    async def main(loop):
        async with simulator("bitmex", loop.clock) as address:
            client = bitmex(connection, loop.clock, "bitmex", address)
            await client.load()
            market = client.api.markets[BTC]
            placed = await client.call("create_order", BTC, "limit", "buy", 100, 8000.0, clOrdID="bot-1")
            book = await client.call("watch_order_book", BTC)
            trades = [(await client.call("watch_trades", BTC))[-1]["timestamp"] for _ in range(3)]
            with pytest.raises(DuplicateOrder, match="Duplicate clOrdID"):
                await client.call("create_order", BTC, "limit", "buy", 100, 8000.0, clOrdID="bot-1")
            await client.call("cancel_order", placed["id"])
            frames, now = client.frames, client.api.milliseconds()
            await client.close()
        return market["id"], placed["clientOrderId"], book["bids"][0][0], trades, frames, now, loop.time()

    first, second = run_virtual(main), run_virtual(main)
    assert first == second
    symbol, order_id, bid, trades, _, now, seconds = first
    assert (symbol, order_id) == ("XBTUSD", "bot-1")
    assert 8000 < bid < 10_000
    assert trades == sorted(trades)
    # ccxt's time is the loop's, which began on 2019-05-28.
    assert now == START // 1_000_000 + round(seconds * 1000)


@needs_bitmex
def test_requests_are_signed_by_the_clock_that_was_handed_in(connection):
    class Late:
        def __init__(self, clock):
            self.clock = clock

        def now(self):
            return self.clock.now() - MINUTE

    async def main(loop):
        async with simulator("bitmex", loop.clock) as address:
            client = bitmex(connection, Late(loop.clock), "bitmex", address)
            # A minute behind: refused as expired, and sent again by the time that the refusal's Date header told.
            await client.call("fetch_markets")
            behind = client.server.offset
            balance = await client.call("fetch_balance")
            await client.close()
            return behind, balance["BTC"]["total"]

    behind, total = run_virtual(main)
    assert abs(behind - MINUTE) <= SECOND
    assert total == 1


@needs_bitmex
def test_closing_while_everything_is_on_its_way_leaves_nothing(connection):
    async def main(loop):
        async with simulator("bitmex", loop.clock) as address:
            client = bitmex(connection, loop.clock, "bitmex", address)
            await client.load()
            names = ("watch_order_book", "watch_trades", "watch_orders")
            watches = [loop.create_task(client.call(name, BTC)) for name in names]
            for _ in range(5):
                await asyncio.sleep(0)
            await client.close()
            return await asyncio.gather(*watches, return_exceptions=True)

    # What is left would be LeakedTasks.
    assert [type(one) for one in run_virtual(main)] == [RequestDisconnected] * 3


@needs_bitmex
def test_reconnecting_makes_every_watch_raise_and_the_next_one_subscribe_anew(connection):
    async def main(loop):
        async with simulator("bitmex", loop.clock) as address:
            client = bitmex(connection, loop.clock, "bitmex", address)
            await client.load()
            await client.call("watch_trades", BTC)
            watch = loop.create_task(client.call("watch_trades", BTC))
            await asyncio.sleep(0)
            assert client.heard() is not None
            await client.reconnect()
            with pytest.raises(RequestDisconnected, match="begin anew"):
                await watch
            again = await client.call("watch_trades", BTC)
            await client.close()
            return len(again)

    assert run_virtual(main) >= 1


@needs_bitmex
def test_a_watch_that_is_cancelled_is_cancelled(connection):
    async def main(loop):
        async with simulator("bitmex", loop.clock) as address:
            client = bitmex(connection, loop.clock, "bitmex", address)
            await client.load()
            watch = loop.create_task(client.call("watch_orders", BTC))
            await asyncio.sleep(1)
            watch.cancel()
            done = await asyncio.gather(watch, return_exceptions=True)
            await client.close()
            return done

    (done,) = run_virtual(main)
    assert isinstance(done, asyncio.CancelledError)


# -- what became of a request


def outcome_of(handler, connection, served, *, verb="create", timeout_at=None, venue="binance"):
    """The error of one order whose request meets `handler`."""

    async def main(loop):
        async with served("venue", handler):
            client = Client(venue, connection(loop.clock, "venue"))
            client.api.set_markets([spot()])
            try:
                await client.call("create_order", "BTC/USDT", "limit", "buy", 1, 100.0, newClientOrderId="bot-1")
            except ExchangeError as error:
                return error, loop.time()
            finally:
                await client.close()

    return run_virtual(main)


def spot():
    return {
        "id": "BTCUSDT",
        "symbol": "BTC/USDT",
        "base": "BTC",
        "quote": "USDT",
        "baseId": "BTC",
        "quoteId": "USDT",
        "spot": True,
        "type": "spot",
        "active": True,
        "contract": False,
        "margin": False,
        "swap": False,
        "future": False,
        "option": False,
        "linear": None,
        "inverse": None,
        "precision": {"amount": 0.001, "price": 0.01},
        "limits": {"amount": {}, "price": {}, "cost": {}},
        "info": {"orderTypes": ["LIMIT"]},
    }


def test_an_answer_that_never_comes_leaves_the_order_unknown(connection, served):
    async def never(request):
        await asyncio.sleep(3600)

    error, seconds = outcome_of(never, connection, served)
    assert isinstance(error, RequestTimeout)
    assert error.sent
    assert seconds == pytest.approx(clients.TIMEOUT_SECONDS, abs=0.1)


def test_a_connection_that_breaks_leaves_the_order_unknown_and_sends_nothing_again(connection, served):
    asked = []

    async def broken(request):
        asked.append(await request.text())
        request.transport.abort()
        return web.Response()

    error, _ = outcome_of(broken, connection, served)
    assert isinstance(error, RequestDisconnected)
    assert error.sent
    assert len(asked) == 1


def test_a_redirect_is_not_followed(connection, served):
    asked = []

    async def elsewhere(request):
        asked.append(request.path)
        return web.Response(status=307, headers={"Location": "http://elsewhere/api"})

    error, _ = outcome_of(elsewhere, connection, served)
    assert isinstance(error, WireError)
    assert "redirect" in error.message
    assert len(asked) == 1


def test_an_order_that_could_not_be_sent_was_not_sent(connection):
    async def main(loop):
        client = Client("binance", connection(loop.clock, "nobody"))
        client.api.set_markets([spot()])
        try:
            await client.call("create_order", "BTC/USDT", "limit", "buy", 1, 100.0)
        except ExchangeError as error:
            return error
        finally:
            await client.close()

    error = run_virtual(main)
    assert isinstance(error, RequestDisconnected)
    assert not error.sent


@pytest.mark.parametrize("text", ['["no", "order"]', "{}", "no JSON", "{", ""])
def test_an_answer_that_cannot_be_read_leaves_the_order_unknown(text, connection, served):
    async def odd(request):
        return web.Response(text=text, content_type="application/json")

    error, _ = outcome_of(odd, connection, served)
    assert isinstance(error, RequestDisconnected)
    assert error.sent


def test_a_venue_that_asks_to_wait_is_left_alone_for_that_long(connection, served):
    asked = []

    async def busy(request):
        asked.append(asyncio.get_running_loop().time())
        return web.json_response({"code": -1003, "msg": "slow down"}, status=429, headers={"Retry-After": "7"})

    async def main(loop):
        async with served("venue", busy):
            client = Client("binance", connection(loop.clock, "venue"))
            found = []
            for _ in range(2):
                try:
                    await client.call("fetch_time")
                except RateLimited as error:
                    found.append(error.retry_after)
            await client.close()
            return found

    assert run_virtual(main) == [7.0, 7.0]
    assert asked[1] - asked[0] >= 7.0


def test_the_time_of_the_venue_is_what_ccxt_signs_by(connection, served):
    """Its clock is 90 s ahead; ccxt's own correction would count that twice."""
    signed = []

    async def ahead(request):
        now = START // 1_000_000 + round(asyncio.get_running_loop().time() * 1000) + 90_000
        if request.path.endswith("/time"):
            return web.json_response({"serverTime": now})
        signed.append(int(request.query["timestamp"]) - now)
        return web.json_response({"balances": []})

    async def main(loop):
        async with served("venue", ahead):
            client = Client("binance", connection(loop.clock, "venue"))
            client.api.set_markets([spot()])
            await client.read_time()
            await client.call("fetch_balance")
            await client.close()
            return client.server_now() - loop.clock.now()

    assert run_virtual(main) == 90 * SECOND
    assert signed == [0]


# -- secrets


def everything_in(error):
    """All texts that somebody could print of an error."""
    seen = [error, error.__cause__, error.__context__, *error.args]
    assert error.__cause__ is None
    assert error.__context__ is None
    trace = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "\n".join([*(repr(one) for one in seen), *(str(one) for one in seen), *trace.format()])


def forms(secret):
    raw = secret.encode()
    return [secret, base64.b64encode(raw).decode(), raw.hex()]


@pytest.mark.parametrize("case", ["refused", "echo", "html", "broken", "late", "unreadable", "redirect"])
def test_no_key_and_no_signature_in_anything_that_is_raised_or_logged(case, connection, served, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    signatures = []

    async def fails(request):
        signed = (await request.text()).partition("&signature=")[0]
        signatures.append(hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256))
        said = f"{request.url} {dict(request.headers)} {await request.text()}"
        match case:
            case "refused":
                return web.json_response({"code": -2015, "msg": f"Invalid API-key {KEY}, IP"}, status=401)
            case "echo":
                return web.json_response({"code": -1100, "msg": said}, status=400)
            case "html":
                return web.Response(text=f"<html>{said}</html>", status=502)
            case "broken":
                request.transport.abort()
            case "late":
                await asyncio.sleep(3600)
            case "unreadable":
                return web.json_response([said])
            case "redirect":
                return web.Response(status=302, headers={"Location": str(request.url)})
        return web.Response()

    error, _ = outcome_of(fails, connection, served)
    (signature,) = (one.hexdigest() for one in signatures)
    text = everything_in(error) + caplog.text + "".join(capsys.readouterr())
    for secret in [*forms(KEY), *forms(SECRET), signature]:
        assert secret not in text
    if case == "refused":
        assert isinstance(error, AuthenticationError)


def test_a_client_shows_no_key(connection):
    client = Client("okx", connection(WallClock(), "x"))
    for text in (repr(client), str(client), repr(client.api), str(client.api)):
        assert KEY not in text
        assert SECRET not in text


@pytest.mark.parametrize(
    ("venue", "held"),
    [
        ("okx", {"apiKey": KEY, "secret": SECRET, "password": "planted-phrase"}),
        ("hyperliquid", {"walletAddress": KEY, "privateKey": SECRET}),
    ],
)
def test_each_part_of_a_key_has_the_name_that_the_venue_gives_it(venue, held, connection):
    client = Client(venue, connection(WallClock(), "x", api_passphrase=Secret("planted-phrase")))
    assert {name: getattr(client.api, name) for name in held} == held
    client.api.check_required_credentials()


# -- what there is


def test_an_exchange_that_ccxt_does_not_have_is_refused_with_the_nearest(connection):
    with pytest.raises(ConfigError, match='no exchange "binanse"; did you mean "binance"'):
        Client("binanse", connection(WallClock(), "x"))


def test_a_sandbox_that_does_not_exist_is_refused_with_the_way_out(connection):
    with pytest.raises(ConfigError, match=r"kraken has no sandbox.*mode: paper"):
        Client("kraken", connection(WallClock(), "x", rest_url="", ws_url=""), feed="testnet")


def test_the_sandbox_is_where_ccxt_says(connection):
    client = Client("binance", connection(WallClock(), "x", rest_url="", ws_url=""), feed="testnet")
    assert client.api.urls["api"]["public"] == "https://testnet.binance.vision/api/v3"


def test_has_tells_emulated_from_native(connection):
    client = Client("okx", connection(WallClock(), "x"))
    assert client.has("watchTrades") is True
    assert client.has("noSuchMethod") is False


# -- on a real loop


@needs_bitmex
async def test_nothing_is_left_open_on_a_real_loop(connection, tmp_path):
    path = str(tmp_path / "venue")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with simulator(path, WallClock()) as address:
            before = asyncio.all_tasks()
            client = bitmex(connection, WallClock(), path, address, connector=lambda: aiohttp.UnixConnector(path=path))
            await client.load()
            await client.call("watch_order_book", BTC)
            await client.close()
            await client.close()
            assert asyncio.all_tasks() <= before
            del client
            gc.collect()


def test_a_refusal_is_an_hbkit_error():
    assert issubclass(errors.Refusal, ExchangeError)
