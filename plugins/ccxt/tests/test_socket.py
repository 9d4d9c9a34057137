"""A socket of ccxt's that does not stop in silence: against a small server on a virtual loop."""

from __future__ import annotations

import asyncio
import json

import ccxt.pro
import pytest
from aiohttp import WSMsgType, web
from hbkit_ccxt import socket as sockets
from hbkit_ccxt.client import Client

from hbkit.net.http import RequestDisconnected, RequestTimeout
from hbkit.net.virtual import run_virtual

SYMBOL = "BTC/USDT"
MARKET = {
    "id": "BTC-USDT",
    "symbol": SYMBOL,
    "base": "BTC",
    "quote": "USDT",
    "type": "spot",
    "spot": True,
    "precision": {"amount": 1e-8, "price": 0.1},
    "limits": {"amount": {}, "price": {}, "cost": {}},
}


def trade(number):
    row = {"instId": "BTC-USDT", "tradeId": str(number), "px": "100", "sz": "1", "side": "buy", "ts": "1559001600000"}
    return json.dumps({"arg": {"channel": "trades", "instId": "BTC-USDT"}, "data": [row]})


class Okx:
    """What OKX's public socket does with trades; each test says what follows the subscription."""

    def __init__(self, then):
        self.then = then
        self.texts: list[str] = []
        self.connects = 0

    async def __call__(self, request):
        self.connects += 1
        wire = web.WebSocketResponse(autoping=False)
        await wire.prepare(request)
        async for message in wire:
            if message.type is WSMsgType.TEXT:
                self.texts.append(message.data)
                if "subscribe" in message.data:
                    await self.then(wire, self.connects)
        return wire


def played(connection, served, server, program):
    async def main(loop):
        async with served("venue", server):
            client = Client("okx", connection(loop.clock, "venue"))
            client.api.set_markets([MARKET])
            try:
                return await program(client, loop)
            finally:
                await client.close()

    return run_virtual(main)


async def _told(client, count):
    ids = []
    while len(ids) < count:
        ids += [int(one["id"]) for one in await client.call("watch_trades", SYMBOL)]
    return ids


def test_bursts_of_thousands_of_frames_arrive_whole(connection, served):
    """aiohttp holds back above 128 KiB unread and adds 128 bytes to each frame: ccxt 4.5.83 on its own stops here."""

    async def burst(wire, _):
        for number in range(5000):
            await wire.send_str(trade(number))

    async def program(client, loop):
        async with asyncio.timeout(60):
            return await _told(client, 5000)

    assert played(connection, served, Okx(burst), program) == list(range(5000))


def test_two_frames_of_one_moment_both_reach_who_watches_books(connection, served):
    """ccxt hands on one value per name: without a turn between, the second would take the place of the first."""

    async def two(wire, _):
        for bid in (100, 101):
            row = {"bids": [[str(bid), "1", "0", "1"]], "asks": [["102", "1", "0", "1"]], "ts": "1559001600000"}
            arg = {"channel": "books5", "instId": "BTC-USDT"}
            await wire.send_str(json.dumps({"arg": arg, "action": "snapshot", "data": [row]}))

    async def program(client, loop):
        client.api.options["watchOrderBook"] = {"depth": "books5"}
        seen = []
        async with asyncio.timeout(5):
            while len(seen) < 2:
                seen.append((await client.call("watch_order_book", SYMBOL))["bids"][0][0])
        return seen

    assert played(connection, served, Okx(two), program) == [100.0, 101.0]


def test_a_peer_that_is_silent_is_given_up(connection, served):
    async def nothing(wire, _):
        await wire.send_str(trade(1))

    async def program(client, loop):
        await client.call("watch_trades", SYMBOL)
        with pytest.raises(RequestTimeout, match="silent for 20 s") as caught:
            await client.call("watch_trades", SYMBOL)
        assert "venue" not in caught.value.message
        return loop.time()

    server = Okx(nothing)
    assert played(connection, served, server, program) == pytest.approx(
        sockets.QUIET_SECONDS + sockets.DEAD_SECONDS, abs=0.5
    )
    # Asked in the words that OKX wants.
    assert server.texts[1:] == ["ping"]


def test_a_quiet_peer_that_answers_pings_is_kept(connection, served):
    class Answers(Okx):
        async def __call__(self, request):
            wire = web.WebSocketResponse()
            await wire.prepare(request)
            async for message in wire:
                self.texts.append(message.data)
                if message.data == "ping":
                    await wire.send_str("pong")
                elif len(self.texts) == 1:
                    asyncio.get_running_loop().call_later(300, lambda: asyncio.ensure_future(wire.send_str(trade(1))))
            return wire

    async def program(client, loop):
        await client.call("watch_trades", SYMBOL)
        return loop.time()

    assert played(connection, served, Answers(None), program) == pytest.approx(300, abs=1)


def test_a_ping_that_is_nearly_due_does_not_come_round_for_ever(connection, served):
    """Heard at 0.274 s the next ping is due at 10.274000000000001 s, which no whole nanosecond reaches."""
    assert round(0.274 + sockets.QUIET_SECONDS, 9) < 0.274 + sockets.QUIET_SECONDS

    class Chatty(Okx):
        async def __call__(self, request):
            wire = web.WebSocketResponse()
            await wire.prepare(request)
            talk = asyncio.ensure_future(self.talk(wire))
            async for message in wire:
                if message.data == "ping":
                    await wire.send_str("pong")
            talk.cancel()
            return wire

        async def talk(self, wire):
            for number, at in enumerate((0.274, 15)):
                await asyncio.sleep(at - asyncio.get_running_loop().time())
                await wire.send_str(trade(number))

    async def program(client, loop):
        return await _told(client, 2), loop.time()

    assert played(connection, served, Chatty(None), program) == ([0, 1], 15)


def test_a_frame_that_ccxt_cannot_use_ends_the_connection_and_the_next_watch_begins_anew(connection, served):
    async def odd(wire, connects):
        await wire.send_str(trade(1) if connects == 2 else '{"arg": {"channel": "trades"}, "data": [7]}')

    async def program(client, loop):
        with pytest.raises(RequestDisconnected, match="could not be used"):
            await client.call("watch_trades", SYMBOL)
        return await _told(client, 1)

    server = Okx(odd)
    assert played(connection, served, server, program) == [1]
    assert server.connects == 2


def test_a_server_that_closes_makes_the_watch_raise(connection, served):
    async def bye(wire, connects):
        if connects == 1:
            await wire.close()
        else:
            await wire.send_str(trade(1))

    async def program(client, loop):
        with pytest.raises(RequestDisconnected, match="closed"):
            await client.call("watch_trades", SYMBOL)
        return await _told(client, 1)

    assert played(connection, served, Okx(bye), program) == [1]


def test_a_connection_that_cannot_be_made_makes_the_watch_raise(connection):
    async def main(loop):
        client = Client("okx", connection(loop.clock, "nobody"))
        client.api.set_markets([MARKET])
        with pytest.raises(RequestDisconnected, match="no connection"):
            await client.call("watch_trades", SYMBOL)
        first = loop.time()
        with pytest.raises(RequestDisconnected, match="no connection"):
            await client.call("watch_trades", SYMBOL)
        await client.close()
        return loop.time() - first

    # Not again and again at full speed.
    assert run_virtual(main) >= 0.1


def test_every_exchange_with_sockets_lets_its_client_be_adopted(connection):
    """A venue whose class makes its own kind of client would be read as it likes; there is none."""
    own = [name for name in ccxt.pro.exchanges if "client" in vars(getattr(ccxt.pro, name))]
    assert own == []
