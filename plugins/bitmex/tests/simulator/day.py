"""Memory over a simulated day: `python -m plugins.bitmex.tests.simulator.day --hours 24`.

A simulator on a virtual loop at high speed, three sockets (the public tables of XBTUSD, those of a market that nobody
recorded, an account's tables) and an account that places, amends, fills and cancels a few orders a minute. Each hour
prints the process's resident memory, Python's objects, and how long the lists are that a venue keeps.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import hashlib
import hmac
import json
import sys
from pathlib import Path
from typing import Any

import aiohttp
from hbkit_bitmex.simulator import Options, Running, serve

from hbkit.chance import Chance
from hbkit.clock import SECOND, cpu_seconds, iso
from hbkit.net.virtual import VirtualLoop, run_virtual

SPEED = 60.0
HOUR_SECONDS = 3600
TABLES = ("trade", "quote", "orderBookL2_25", "instrument", "tradeBin1m", "quoteBin1m")
PRIVATE = ("order", "execution", "position", "margin", "wallet", "transact")


def resident() -> int:
    """Bytes of this process in memory."""
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * 4096


def kept(running: Running) -> dict[str, int]:
    """How many rows the venue holds, list by list."""
    simulator = running.simulator
    venue = simulator.venue
    markets = venue.markets.values()
    return {
        "orders": len(venue.orders),
        "executions": sum(len(rows) for rows in venue.executions.values()),
        "transactions": sum(len(account.transactions) for account in venue.accounts.values()),
        "trades": sum(len(market.trades) for market in markets),
        "quotes": sum(len(market.quotes) for market in markets),
        "bins": sum(len(bins) for market in markets for bins in market.bins.closed.values()),
        "quote bins": sum(len(market.quote_bins.rows(size)) for market in markets for size in market.bins.closed),
        "fundings": len(venue.fundings),
        "prices": sum(len(market.board._prices) for market in markets),
        "levels": sum(len(market.board._ids) for market in markets),
        "done": len(venue.engine._done),
        "clients": len(simulator.hub.clients),
    }


async def _read(socket: aiohttp.ClientWebSocketResponse) -> None:
    async for _ in socket:
        pass


async def _call(session: aiohttp.ClientSession, loop: VirtualLoop, verb: str, route: str, body: Any) -> Any:
    target, text = f"/api/v1{route}", json.dumps(body)
    at = str(loop.clock.now() // SECOND + 10)
    sign = hmac.new(b"demo-secret", f"{verb}{target}{at}{text}".encode(), hashlib.sha256).hexdigest()
    headers = {"api-key": "demo", "api-expires": at, "api-signature": sign, "Content-Type": "application/json"}
    async with session.request(verb, target, data=text, headers=headers) as answer:
        return await answer.json()


async def _minute(session: aiohttp.ClientSession, loop: VirtualLoop, number: int) -> None:
    """An order that rests, moves and goes, one that fills, one that fills back."""
    rest = {"symbol": "XBTUSD", "side": "Buy", "orderQty": 100, "price": 5000, "clOrdID": f"rest-{number}"}
    placed = await _call(session, loop, "POST", "/order", rest)
    await _call(session, loop, "PUT", "/order", {"orderID": placed["orderID"], "price": 5001})
    await _call(session, loop, "DELETE", "/order", {"orderID": placed["orderID"]})
    for side in ("Buy", "Sell"):
        await _call(session, loop, "POST", "/order", {"symbol": "XBTUSD", "side": side, "orderQty": 100})


async def _day(loop: VirtualLoop, hours: int, orders: int) -> list[dict[str, Any]]:
    rows = []
    options = Options(path="venue", limits=False, speed=SPEED, keep_alive=1e6)
    running = await serve(options, clock=loop.clock, chance=Chance(1))
    connector = aiohttp.UnixConnector(path="venue")
    async with aiohttp.ClientSession("http://venue", connector=connector) as session:
        at = loop.clock.now() // SECOND + 10
        sign = hmac.new(b"demo-secret", f"GET/realtime{at}".encode(), hashlib.sha256).hexdigest()
        sockets = [await session.ws_connect("/realtime") for _ in range(3)]
        for socket, symbol in zip(sockets, ("XBTUSD", "ETHUSD"), strict=False):
            await socket.send_json({"op": "subscribe", "args": [f"{table}:{symbol}" for table in TABLES]})
        await sockets[2].send_json({"op": "authKeyExpires", "args": ["demo", at, sign]})
        await sockets[2].send_json({"op": "subscribe", "args": list(PRIVATE)})
        readers = [asyncio.create_task(_read(socket)) for socket in sockets]
        for minute in range(hours * 60 + 1):
            if minute % 60 == 0:
                gc.collect()
                row = {"market": iso(running.simulator.drive.clock.now()), "rss": resident()}
                rows.append(row | {"objects": len(gc.get_objects()), "cpu": cpu_seconds()} | kept(running))
                sys.stdout.write(text(row := rows[-1]) + "\n")
                sys.stdout.flush()
            if minute % max(1, 5 // orders) == 0:
                await _minute(session, loop, minute)
            await asyncio.sleep(60 / SPEED)
        for socket in sockets:
            await socket.close()
        await asyncio.gather(*readers)
    await running.close()
    return rows


def text(row: dict[str, Any]) -> str:
    """One hour."""
    lists = ", ".join(f"{name} {row[name]:,}" for name in [*row][4:])
    head = f"{row['market'][:16]}  {row['rss'] / 1e6:7.1f} MB  {row['objects']:>9,} objects  {row['cpu']:6.1f} s"
    return f"{head}  {lists}"


def day(hours: int, orders: int = 5) -> list[dict[str, Any]]:
    """The figures of each hour."""
    return run_virtual(lambda loop: _day(loop, hours, orders))


def main() -> int:
    """Run a day and say whether memory is flat from the sixth hour on."""
    parser = argparse.ArgumentParser(description="Memory of the simulator over a day of its market.")
    parser.add_argument("--hours", type=int, default=24)
    chosen = parser.parse_args()
    rows = day(chosen.hours)
    if len(rows) > 6:
        grown = rows[-1]["rss"] - rows[6]["rss"]
        sys.stdout.write(f"grown by {grown / 1e6:.1f} MB in the last {len(rows) - 7} hours\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
