"""The simulator over TCP: in process on port 0, and as a process of its own with its ready line."""

import asyncio
import os
import re
import signal
import subprocess
import sys

import aiohttp
import pytest
from click.testing import CliRunner
from hbkit_bitmex.simulator import Options, serve
from hbkit_bitmex.simulator.command import command

from hbkit.chance import Chance
from hbkit.clock import SECOND, WallClock
from hbkit.errors import UsageError
from plugins.bitmex.tests.simulator.killing import rounds

READY = re.compile(r"ready rest=(http://127\.0\.0\.1:\d+/api/v1) ws=(ws://127\.0\.0\.1:\d+/realtime)\n")


async def test_over_tcp_on_a_port_of_the_systems_choice():
    running = await serve(Options(history=60 * SECOND, speed=60), clock=WallClock(), chance=Chance(1))
    try:
        assert READY.fullmatch(running.ready_line + "\n")
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{running.rest}/orderBook/L2?symbol=XBTUSD") as answer:
                assert answer.status == 200
                assert len(await answer.json()) == 50
            async with session.ws_connect(f"{running.websocket}?subscribe=trade:XBTUSD") as socket:
                welcome, ack, partial, delta = [await socket.receive_json(timeout=10) for _ in range(4)]
        assert welcome["limit"] == {"remaining": 719}
        assert ack["subscribe"] == "trade:XBTUSD"
        assert partial["action"] == "partial"
        assert delta["action"] == "insert"
    finally:
        await running.close()


async def test_a_client_that_does_not_read_is_cut_and_nobody_waits_for_it():
    topics = [
        f"{table}:{symbol}" for table in ("orderBookL2", "trade", "instrument") for symbol in ("XBTUSD", "XBTUSDT")
    ]
    running = await serve(Options(history=60 * SECOND), clock=WallClock(), chance=Chance(1))
    client = None
    try:
        async with aiohttp.ClientSession(base_url=running.rest.removesuffix("/api/v1")) as session:
            slow = await session.ws_connect("/realtime")
            await slow.send_json({"op": "subscribe", "args": topics})
            quick = await session.ws_connect("/realtime")
            await quick.send_json({"op": "subscribe", "args": ["tradeBin1m:XBTUSD"]})
            await asyncio.sleep(0.1)
            client = next(iter(running.simulator.hub.clients))
            for _ in range(120):
                async with session.post("/control/clock", json={"advance": 60}) as answer:
                    assert answer.status == 200
                if client.closing is not None:
                    break
            assert client.closing == (1008, b"slow consumer")
            for _ in range(4):
                await quick.receive_json(timeout=1)
            while (message := await slow.receive(timeout=10)).type is aiohttp.WSMsgType.TEXT:
                pass
            assert slow.close_code == 1008, message
            await quick.close()
    finally:
        await running.close()


async def test_a_taken_port_is_an_error_and_nothing_is_left_behind():
    first = await serve(Options(history=60 * SECOND), clock=WallClock(), chance=Chance(1))
    port = int(first.rest.split(":")[2].split("/")[0])
    try:
        with pytest.raises(UsageError, match=rf"cannot listen at 127\.0\.0\.1:{port} .*in use.*--port"):
            await serve(Options(history=60 * SECOND, port=port), clock=WallClock(), chance=Chance(1))
    finally:
        await first.close()
    await asyncio.sleep(0)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_process_says_where_it_listens_and_ends_cleanly(stop):
    code = "from hbkit_bitmex.simulator.command import main, Options; main(Options(speed=10))"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert READY.fullmatch(process.stdout.readline())
        process.send_signal(stop)
        assert process.wait(timeout=10) == 0
        assert process.stdout.read() == ""
        assert process.stderr.read() == ""


async def test_what_was_answered_before_a_kill_is_there_after_it(tmp_path):
    told = await rounds(1, 1, tmp_path)
    assert told.rows
    assert told.executions


def test_a_malformed_account_is_refused_without_showing_it():
    result = CliRunner().invoke(command, ["--account", "only-a-secret"])
    assert result.exit_code == 2
    assert "write --account KEY:SECRET" in result.output
    assert "only-a-secret" not in result.output
