"""Malformed WebSocket frames: `python -m plugins.bitmex.tests.simulator.malformed --frames 10000 --seed 1`.

Sockets on a virtual loop send whatever a seed draws: broken frames, bytes, text, JSON, commands, until they are
closed. Nothing may raise in the server, and when all are gone nothing of them may be left: no client, no group, no
task, no memory. At the end a sound client has to be served. Prints each exception with the frame before it.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gc
import json
import logging
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import WSMsgType
from hbkit_bitmex.simulator import Options, Running, serve

from hbkit.chance import Chance
from hbkit.clock import SECOND
from hbkit.net.virtual import VirtualLoop, run_virtual

FRAMES_A_SOCKET = 40
HUGE = 1024 * 1024
TABLES = ("trade", "order", "orderBookL2", "instrument", "quote", "margin", "tradeBin1m", "account", "chat", "wallet")
WORDS = ("", "*", ":", "XBTUSD", "XBt", "\x00", "ä", "\ud800", "SPOT", ".BXBT", "a" * 5000, "../..", "trade:trade:x")


def _value(chance: Chance, depth: int = 0) -> Any:
    """Anything that JSON can say, and some of what it cannot."""
    pick = chance.choice(range(12 if depth < 4 else 9))
    simple = (
        None, True, 0, -1, 2**63, 1e308, float("nan"), float("inf"), chance.choice(WORDS),
    )  # fmt: skip
    if pick < 9:
        return simple[pick]
    if pick == 9:
        return [_value(chance, depth + 1) for _ in range(chance.choice((0, 1, 3)))]
    if pick == 10:
        return {str(chance.choice(WORDS)): _value(chance, depth + 1) for _ in range(chance.choice((0, 1, 2)))}
    return "".join(chr(chance.choice(range(32, 0xD7FF))) for _ in range(20))


def _bytes(chance: Chance, count: int) -> bytes:
    return chance.getrandbits(8 * count).to_bytes(count, "big")


def _topic(chance: Chance) -> str:
    return f"{chance.choice(TABLES)}{chance.choice(('', ':'))}{chance.choice(WORDS)}"


def _deep(chance: Chance) -> str:
    depth = chance.choice((10, 300, 900, 2_000, 100_000))
    opening, closing = chance.choice((("[", "]"), ('{"a":', "}")))
    inner = opening * depth + "1" + closing * depth
    return inner if chance.random() < 0.5 else f'{{"op":"subscribe","args":{inner}}}'


Draw = Callable[[Chance], tuple[bytes, WSMsgType]]


def _text(make: Callable[[Chance], str]) -> Draw:
    return lambda chance: (make(chance).encode(errors="surrogatepass"), WSMsgType.TEXT)


def _command(op: str, args: Callable[[Chance], Any]) -> Draw:
    return _text(lambda chance: json.dumps({"op": op, "args": args(chance)}))


KINDS: dict[str, Draw] = {
    "random bytes": lambda chance: (_bytes(chance, chance.choice((1, 7, 200, 3_000))), WSMsgType.BINARY),
    "broken UTF-8": lambda chance: (b'{"op":"subscribe","args":["' + _bytes(chance, 9) + b'\xff"]}', WSMsgType.TEXT),
    "random text": _text(lambda chance: str(_value(chance, 4))),
    "half a document": _text(lambda chance: json.dumps({"op": "subscribe", "args": [_topic(chance)]})[:-3]),
    "a huge frame": lambda chance: (b" " * (HUGE + chance.choice((-2, 0, 1, HUGE))), WSMsgType.TEXT),
    "deep JSON": _text(_deep),
    "a number of many digits": _text(lambda chance: '{"op":"subscribe","args":' + "9" * 6_000 + "}"),
    "any JSON": _text(lambda chance: json.dumps(_value(chance))),
    "an unknown op": _command("order", _value),
    "an op of another type": _text(lambda chance: json.dumps({"op": _value(chance), "args": _value(chance)})),
    "args of another type": _command("subscribe", _value),
    "topics of other types": _command("subscribe", lambda chance: [_value(chance) for _ in range(5)]),
    "nonsense topics": _command("subscribe", lambda chance: [_topic(chance) for _ in range(3)]),
    "a thousand subscriptions": _command("subscribe", lambda chance: [f"trade:{n}" for n in range(1000)]),
    "a thousand times the same": _command("subscribe", lambda chance: ["liquidation"] * 1000),
    "unsubscribed": _command("unsubscribe", lambda chance: [_topic(chance), _value(chance)]),
    "a strange login": _command("authKeyExpires", lambda chance: [_value(chance) for _ in range(3)]),
    "a login of words": _command("authKeyExpires", lambda chance: ["demo", 2**40, chance.choice(WORDS)]),
    "a strange timer": _command("cancelAllAfter", _value),
    "a long ping": lambda chance: (_bytes(chance, 125), WSMsgType.PING),
    "a pong unasked": lambda chance: (_bytes(chance, 3), WSMsgType.PONG),
}
WIRE = "bytes that are no frames"


@dataclass
class Findings:
    """What came of it."""

    sent: Counter[str] = field(default_factory=Counter)
    sockets: int = 0
    closed: Counter[int] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    left: dict[str, int] = field(default_factory=dict)
    """What of the sockets is still there."""
    grown: int = 0
    """Bytes allocated by Python since the first tenth of the frames."""
    served: bool = False


class _Listener(logging.Handler):
    """aiohttp logs what a handler raised, and goes on."""

    def __init__(self, findings: Findings) -> None:
        super().__init__(logging.ERROR)
        self._findings = findings
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else record.getMessage()
        self._findings.broken.append(f"{type(error).__name__}: {str(error)[:200]} after {self.last}")


class _Raw(asyncio.Protocol):
    """A connection that sends bytes of its own."""

    def __init__(self) -> None:
        self.lost = asyncio.get_running_loop().create_future()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_result(None)


async def _wire(loop: VirtualLoop, chance: Chance) -> None:
    """A proper handshake, then bytes: reserved opcodes, no mask, wrong lengths, half a frame."""
    transport, protocol = await loop.create_unix_connection(_Raw, "venue")
    key = base64.b64encode(_bytes(chance, 16)).decode()
    transport.write(
        f"GET /realtime HTTP/1.1\r\nHost: venue\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    await asyncio.sleep(0.001)
    transport.write(
        chance.choice(
            (
                _bytes(chance, 64),
                b"\x83\x80\x00\x00\x00\x00",  # a reserved opcode
                b"\x81\x05hello",  # no mask
                b"\xc1\x80\x00\x00\x00\x00",  # a reserved bit
                b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00",  # more bytes than there are
                b"\x89\xfe\x01\x00\x00\x00\x00\x00",  # a control frame of 256 bytes
                b"\x00\x80\x00\x00\x00\x00",  # goes on with what never began
                b"\x88\x81\x00\x00\x00\x00\x01",  # a close of one byte
                b"\x81\xfe\x00\x10\x00\x00\x00\x00half",
            )
        )
    )
    await asyncio.sleep(0.001)
    transport.abort()
    await protocol.lost


async def _one_socket(session: aiohttp.ClientSession, chance: Chance, most: int, findings: Findings, say: Any) -> None:
    async with session.ws_connect("/realtime", max_msg_size=0) as socket:
        if chance.random() < 0.2:
            await socket.send_json({"op": "subscribe", "args": ["trade", "quote", "liquidation"]})
        for _ in range(most):
            kind = chance.choice(tuple(KINDS))
            data, opcode = KINDS[kind](chance)
            findings.sent[kind] += 1
            say(f"{kind}: {data[:80]!r}")
            try:
                await socket.send_frame(data, opcode)
            except (ConnectionError, aiohttp.ClientError):
                break
            await _read_all(socket)
            if socket.closed:
                break
    findings.closed[socket.close_code or 0] += 1


async def _read_all(socket: aiohttp.ClientWebSocketResponse) -> None:
    """Everything that comes within a millisecond."""
    try:
        while (await socket.receive(timeout=0.001)).type is WSMsgType.TEXT:
            pass
    except TimeoutError:
        pass


async def _campaign(loop: VirtualLoop, total: int, seed: int) -> Findings:
    findings, chance = Findings(), Chance(seed)
    listener = _Listener(findings)
    logger = logging.getLogger("aiohttp.server")
    logger.addHandler(listener)
    loop.set_exception_handler(
        lambda _, context: findings.broken.append(f"{context.get('message')}: {context.get('exception')!r}")
    )

    def say(frame: str) -> None:
        listener.last = frame

    options = Options(path="venue", history=120 * SECOND, limits=False, speed=0.0)  # what grows is not the market
    running = await serve(options, clock=loop.clock, chance=Chance(seed))
    try:
        async with aiohttp.ClientSession("http://venue", connector=aiohttp.UnixConnector(path="venue")) as session:
            tasks, base = len(asyncio.all_tasks(loop)), 0
            while findings.sent.total() < total:
                findings.sockets += 1
                if chance.random() < 0.2:
                    findings.sent[WIRE] += 1
                    say(WIRE)
                    await _wire(loop, chance)
                else:
                    most = min(FRAMES_A_SOCKET, total - findings.sent.total())
                    await _one_socket(session, chance, most, findings, say)
                if not base and findings.sent.total() >= total // 10 and tracemalloc.is_tracing():
                    base = await _allocated()
            await asyncio.sleep(5)
            hub = running.simulator.hub
            findings.left = {
                "clients": len(hub.clients),
                "groups": sum(len(groups) for groups in hub._groups.values()),
                "tasks": len(asyncio.all_tasks(loop)) - tasks,
                "timers": sum(not timer.cancelled() for timer in loop._scheduled),
            }
            findings.grown = await _allocated() - base if base else 0
            findings.served = await _is_served(session, running)
    finally:
        logger.removeHandler(listener)
        await running.close()
    return findings


async def _allocated() -> int:
    await asyncio.sleep(5)
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def _is_served(session: aiohttp.ClientSession, running: Running) -> bool:
    """A sound client gets welcome, ack and partial, and the market lives."""
    async with session.ws_connect("/realtime") as socket:
        await socket.send_json({"op": "subscribe", "args": ["trade:XBTUSD"]})
        frames = [await socket.receive_json() for _ in range(3)]
    return "info" in frames[0] and frames[2]["action"] == "partial" and not running._task.done()


def campaign(total: int, seed: int) -> Findings:
    """Send that many."""
    return run_virtual(lambda loop: _campaign(loop, total, seed))


def main() -> int:
    """Run a campaign and say what came of it."""
    parser = argparse.ArgumentParser(description="Malformed frames against the simulator's sockets.")
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    tracemalloc.start()
    findings = campaign(chosen.frames, chosen.seed)
    for line in findings.broken:
        sys.stdout.write(f"{line}\n")
    counts = ", ".join(f"{kind} {count}" for kind, count in sorted(findings.sent.items()))
    codes = ", ".join(f"{code}: {count}" for code, count in sorted(findings.closed.items()))
    sys.stdout.write(f"{findings.sent.total()} frames on {findings.sockets} sockets: {counts}\nclosed with {codes}\n")
    sys.stdout.write(f"left behind: {findings.left}; grown by {findings.grown:,} bytes; served: {findings.served}\n")
    return 1 if findings.broken or not findings.served else 0


if __name__ == "__main__":
    sys.exit(main())
