"""BitMEX's simulator with and without `--state`: signed requests, and the market itself, per CPU second.

Two workloads, each on a virtual loop with an unchanged aiohttp client in the same process. Requests: an order is placed
far from the market and cancelled, the positions are asked for. Market: an hour of the tape is played. The client's
own work counts on both sides, as a bot's would on one machine; copies that fall due count too.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import aiohttp
from hbkit_bitmex.simulator import Options, serve

from hbkit.chance import Chance
from hbkit.clock import SECOND, cpu_seconds
from hbkit.net.virtual import VirtualLoop, run_virtual

START = 1_559_001_600 * SECOND
HOUR = 3600
PER_ROW = 100
"""Rows of the other benchmarks are cheap; a hundredth of them in requests takes as long."""


async def _ask(session: aiohttp.ClientSession, loop: VirtualLoop, verb: str, target: str, body: str = "") -> Any:
    expires = str(loop.clock.now() // SECOND + 60)
    digest = hmac.new(b"demo-secret", f"{verb}{target}{expires}{body}".encode(), hashlib.sha256).hexdigest()
    headers = {"api-key": "demo", "api-expires": expires, "api-signature": digest, "Content-Type": "application/json"}
    async with session.request(verb, target, data=body or None, headers=headers) as answer:
        found = await answer.json()
        if answer.status != 200:
            raise RuntimeError(f"{verb} {target}: {found}")
        return found


async def _requests(session: aiohttp.ClientSession, loop: VirtualLoop, count: int) -> None:
    order = json.dumps({"symbol": "XBTUSD", "side": "Buy", "orderQty": 100, "price": 5000})
    for _ in range(count // 3):
        placed = await _ask(session, loop, "POST", "/api/v1/order", order)
        await _ask(session, loop, "GET", "/api/v1/position")
        await _ask(session, loop, "DELETE", f"/api/v1/order?orderID={placed['orderID']}")


def _run(state: Path | None, count: int) -> tuple[float, float]:
    """CPU seconds of the requests and of the hour."""

    async def main(loop: VirtualLoop) -> tuple[float, float]:
        options = Options(path="venue", limits=False, speed=0.0, state=str(state) if state is not None else None)
        running = await serve(options, clock=loop.clock, chance=Chance(1))
        connector = aiohttp.UnixConnector(path="venue")
        async with aiohttp.ClientSession("http://venue", connector=connector) as session:
            begun = cpu_seconds()
            await _requests(session, loop, count)
            asked = cpu_seconds()
            async with session.post("/control/clock", json={"advance": HOUR}) as answer:
                await answer.read()
            played = cpu_seconds()
        await running.close()
        return asked - begun, played - asked

    return run_virtual(main, start=START)


def measure(rows: int, repeat: int) -> dict[str, Any]:
    """The median of both sides, run in turns."""
    count = max(3, rows // PER_ROW)
    plain, kept = [], []
    for _ in range(repeat):
        plain.append(_run(None, count))
        with tempfile.TemporaryDirectory() as folder:
            kept.append(_run(Path(folder) / "venue.db", count))
    result: dict[str, Any] = {"requests": count}
    for place, name in enumerate(("requests", "market")):
        without = statistics.median(one[place] for one in plain)
        with_state = statistics.median(one[place] for one in kept)
        result[f"{name}_ratio"] = round(with_state / without, 3)
    result["requests_per_cpu_second"] = round(count / statistics.median(one[0] for one in kept))
    return result


def text(result: dict[str, Any]) -> str:
    """One line."""
    return (
        f"state: {result['requests']} requests cost {result['requests_ratio']:.2f} of what they cost without a file "
        f"({result['requests_per_cpu_second']} per CPU second, client included), an hour of market "
        f"{result['market_ratio']:.2f}"
    )
