"""BitMEX's simulator against the floor: a bare aiohttp WebSocket server that sends frames which were encoded before.

Both serve in a process of their own over loopback, and their CPU seconds are read there at the last frame.
The simulator plays the recorded day of XBTUSD as fast as it can to 1 and to 100 sockets that are subscribed to trades,
quotes, the best 25 levels and the instrument; the floor sends as many frames of the same sizes. The ratio is that of
the frames per CPU second. The clients run elsewhere and only throw away what they read.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import statistics
from multiprocessing.connection import Connection
from typing import Any

import aiohttp
from aiohttp import WSMsgType, web
from hbkit_bitmex.simulator import Options, serve
from hbkit_bitmex.simulator.hub import Client

from hbkit.chance import Chance
from hbkit.clock import SECOND, WallClock, cpu_seconds

TOPICS = ("trade:XBTUSD", "quote:XBTUSD", "orderBookL2_25:XBTUSD", "instrument:XBTUSD")
SOCKETS = (1, 100)
CHUNK_SECONDS = 10


def measure(rows: int, repeat: int) -> dict[str, Any]:
    """Frames per CPU second of both, medians of `repeat`, and their ratio; `rows` is about how many frames are sent."""
    found = {}
    for sockets in SOCKETS:
        ours, floors = [], []
        for _ in range(repeat):
            mine = _in_a_process(_simulator, sockets, rows)
            ours.append(mine)
            floors.append(_in_a_process(_floor, sockets, mine["sizes"]))
        rate = statistics.median(one["frames"] / one["cpu_s"] for one in ours)
        floor = statistics.median(one["frames"] / one["cpu_s"] for one in floors)
        found[str(sockets)] = {
            "frames": ours[0]["frames"],
            "bytes_a_frame": sum(ours[0]["sizes"]) / len(ours[0]["sizes"]),
            "frames_per_cpu_s": rate,
            "floor_frames_per_cpu_s": floor,
            "ratio": floor / rate,
        }
    return found


def text(result: dict[str, Any]) -> str:
    """The figures for people."""
    lines = ["sockets  frames     bytes   frames / CPU s   floor    floor / simulator"]
    for sockets, row in result.items():
        lines.append(
            f"{sockets:<7}  {row['frames']:<9,}  {row['bytes_a_frame']:<6.0f}  {row['frames_per_cpu_s']:<15,.0f}  "
            f"{row['floor_frames_per_cpu_s']:<7,.0f}  {row['ratio']:.2f}"
        )
    return "\n".join(lines)


def _in_a_process(server: Any, sockets: int, work: Any) -> dict[str, Any]:
    """Start the server, connect, let it work; what it counted."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_run, args=(server, there, work))
    process.start()
    try:
        url = here.recv()
        asyncio.run(_clients(url, sockets, here))
        counted: dict[str, Any] = here.recv()
        return counted
    finally:
        process.join()


def _run(server: Any, pipe: Connection, work: Any) -> None:
    asyncio.run(server(pipe, work))


async def _clients(url: str, sockets: int, pipe: Connection) -> None:
    """Connect and subscribe all, say that they are there, read until the server closes."""

    async def read(socket: aiohttp.ClientWebSocketResponse) -> None:
        async for _ in socket:
            pass

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        opened = [await session.ws_connect(url, max_msg_size=0) for _ in range(sockets)]
        for socket in opened:
            await socket.send_str(json.dumps({"op": "subscribe", "args": list(TOPICS)}))
        await asyncio.sleep(1.0)
        pipe.send("go")
        await asyncio.gather(*(read(socket) for socket in opened))


async def _told(pipe: Connection) -> None:
    """Until the other side says that it is ready."""
    await asyncio.to_thread(pipe.recv)


async def _simulator(pipe: Connection, rows: int) -> None:
    running = await serve(Options(limits=False, speed=0.0), clock=WallClock(), chance=Chance(1))
    pipe.send(running.websocket)
    await _told(pipe)
    simulator = running.simulator
    clients = list(simulator.hub.clients)
    sizes: list[int] = []
    send = Client.send

    def counted(self: Client, frame: bytes) -> None:
        if self is clients[0]:
            sizes.append(len(frame))
        send(self, frame)

    # The market is pushed in small pieces, so that nobody is ever late; the count of sizes is paid by the simulator.
    Client.send = counted  # type: ignore[method-assign]
    began = cpu_seconds()
    while len(sizes) * len(clients) < rows:
        await simulator.drive.advance(CHUNK_SECONDS * SECOND)
    spent = cpu_seconds() - began
    await running.close()
    pipe.send({"frames": len(sizes) * len(clients), "cpu_s": spent, "sizes": sizes})


async def _floor(pipe: Connection, sizes: list[int]) -> None:
    """Frames of these sizes, made before, to everybody; one write each, as they come."""
    opened: list[web.WebSocketResponse] = []
    done = asyncio.Event()

    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        await socket.receive()
        opened.append(socket)
        await done.wait()
        await socket.close()
        return socket

    app = web.Application()
    app.router.add_get("/realtime", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    pipe.send(f"ws://127.0.0.1:{runner.addresses[0][1]}/realtime")
    await _told(pipe)
    frames = [b"x" * size for size in sizes]
    began = cpu_seconds()
    for frame in frames:
        for socket in opened:
            await socket.send_frame(frame, WSMsgType.TEXT)
    spent = cpu_seconds() - began
    done.set()
    count = len(frames) * len(opened)
    await runner.cleanup()
    pipe.send({"frames": count, "cpu_s": spent, "sizes": []})
