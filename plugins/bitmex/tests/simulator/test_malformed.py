"""Malformed WebSocket frames: a sample of the campaign, and texts that once broke a socket."""

import asyncio

import pytest
from hbkit_bitmex.simulator.hub import QUEUE_BYTES

from plugins.bitmex.tests.simulator.malformed import KINDS, WIRE, campaign


def test_frames_of_every_kind_neither_break_the_server_nor_stay_in_it():
    findings = campaign(200, seed=3)
    assert findings.broken == []
    assert findings.served
    assert findings.left["clients"] == findings.left["groups"] == 0
    assert findings.left["tasks"] <= 0
    assert {*findings.sent} == {*KINDS, WIRE}


@pytest.mark.parametrize("text", ['{"op":"subscribe","args":["\\ud800"]}', '{"op":"x","args":NaN}', "[" * 100_000])
def test_what_could_not_be_sent_back_is_no_command(at_the_desk, text):
    async def story(desk):
        socket = await desk.socket(key=None)
        await socket.socket.send_str(text)
        await asyncio.sleep(0.001)
        await socket.send(op="subscribe", args="liquidation")
        return socket.errors(), socket.of("liquidation")

    errors, served = at_the_desk(story)
    assert [(error["error"], error["request"]) for error in errors] == [("Unrecognized request", {})]
    assert len(served) == 1


def test_who_does_not_read_is_cut_and_nobody_waits_for_it(at_the_desk):
    async def story(desk):
        hub = desk.running.simulator.hub
        reader = await desk.socket("trade:XBTUSD", key=None)
        lazy = await desk.session.ws_connect("/realtime")
        await asyncio.sleep(0.001)
        (client,) = [one for one in hub.clients if one.topics == {}]
        lazy._reader._protocol.transport.pause_reading()  # its program hangs
        before, began = len(reader.of("trade")), desk.loop.time()
        frame = b"x" * 65_536
        while client.closing is None:
            client.send(frame)
            await asyncio.sleep(0.001)
        filled = desk.loop.time() - began
        await asyncio.sleep(10)
        return client, client in hub.clients, filled, len(reader.of("trade")) - before

    client, there, filled, told = at_the_desk(story)
    assert client.closing == (1008, b"slow consumer")
    assert not there
    # 8 MiB in frames of 64 KiB, one a millisecond, beside what lies in the connection's own buffers.
    assert 0.128 <= filled <= 0.2
    assert QUEUE_BYTES == 128 * 65_536
    assert told > 0


def test_who_reads_too_slowly_for_ten_seconds_is_cut(at_the_desk):
    async def story(desk):
        hub = desk.running.simulator.hub
        lazy = await desk.session.ws_connect("/realtime")
        await asyncio.sleep(0.001)
        (client,) = hub.clients
        lazy._reader._protocol.transport.pause_reading()
        began = desk.loop.time()
        while client.closing is None:
            client.send(b"x" * 65_536)  # four a second: far below 8 MiB in ten seconds
            await asyncio.sleep(0.25)
        took = desk.loop.time() - began
        await asyncio.sleep(5)
        return took, client.closing, len(hub.clients)

    took, closing, left = at_the_desk(story)
    assert 10 <= took <= 13  # what lies in the connection's own buffers waits for nobody
    assert (closing[0], left) == (1008, 0)
