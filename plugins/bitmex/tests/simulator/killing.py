"""Kills a simulator in the middle of a burst of orders: `python -m plugins.bitmex.tests.simulator.killing --rounds 20`.

Each round starts the process on the same state file, sends orders from several hands at once, ends the process with
SIGKILL at a drawn moment, starts it again, and holds what clients were told against what is there: every row of an
answer, every execution of the socket, and of what nobody answered the whole or nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
import sys
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from typing import Any

import aiohttp

from hbkit.chance import Chance

HANDS = 6
PROGRAM = """
import sys
from hbkit_bitmex.simulator.command import main
from hbkit_bitmex.simulator.options import Options
main(Options(state=sys.argv[1], limits=False, history=60_000_000_000, speed=20))
"""
SAME = ("orderID", "side", "orderQty", "price", "ordType", "account")
"""What no later fill changes."""
GONE = (aiohttp.ClientError, ConnectionError, asyncio.TimeoutError)


@dataclass
class Told:
    """What clients know."""

    sent: set[str] = field(default_factory=set)
    rows: dict[str, Any] = field(default_factory=dict)
    """The row of each answered order by its clOrdID."""
    executions: dict[str, Any] = field(default_factory=dict)


@asynccontextmanager
async def process(state: Path) -> Any:
    """A simulator on the file, and where it listens; killed at the end."""
    found = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, str(state), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        assert found.stdout is not None
        assert found.stderr is not None
        line = (await found.stdout.readline()).decode()
        if not line.startswith("ready"):
            raise AssertionError((await found.stderr.read()).decode())
        yield found, line.split()[1].removeprefix("rest=").removesuffix("/api/v1")
    finally:
        if found.returncode is None:
            found.kill()
            await found.wait()


def signed(verb: str, target: str, body: str = "") -> dict[str, str]:
    """The headers of `demo`."""
    expires = str(int(time()) + 60)
    digest = hmac.new(b"demo-secret", f"{verb}{target}{expires}{body}".encode(), hashlib.sha256).hexdigest()
    headers = {"api-key": "demo", "api-expires": expires, "api-signature": digest}
    return {**headers, "Content-Type": "application/json"} if body else headers


async def get(session: aiohttp.ClientSession, route: str) -> Any:
    target = f"/api/v1{route}"
    async with session.get(target, headers=signed("GET", target)) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def hand(session: aiohttp.ClientSession, chance: Chance, told: Told, touch: tuple[float, float]) -> None:
    """Places orders until nobody answers any longer: some fill at once, some rest, some are reduced."""
    bid, ask = touch
    while True:
        name = chance.short_id(12)
        side = chance.choice(["Buy", "Sell"])
        price = chance.choice([bid - 20, bid, ask, ask + 20])
        order = {"symbol": "XBTUSD", "side": side, "orderQty": 100 * chance.randrange(1, 9), "price": price,
                 "clOrdID": name}  # fmt: skip
        body = json.dumps(order)
        told.sent.add(name)
        async with session.post("/api/v1/order", data=body, headers=signed("POST", "/api/v1/order", body)) as answer:
            row = await answer.json()
            assert answer.status == 200, row
            told.rows[name] = row


async def listen(session: aiohttp.ClientSession, told: Told) -> None:
    """Every execution that is told."""
    async with session.ws_connect("/realtime", headers=signed("GET", "/realtime")) as socket:
        await socket.send_json({"op": "subscribe", "args": ["execution"]})
        async for message in socket:
            frame = json.loads(message.data)
            told.executions |= {row["execID"]: row for row in frame.get("data", ()) if frame["action"] == "insert"}


async def one_round(state: Path, chance: Chance, told: Told) -> None:
    """Start, look, trade, kill."""
    async with process(state) as (running, base), aiohttp.ClientSession(base) as session:
        await check(session, told)
        book = await get(session, "/orderBook/L2?symbol=XBTUSD&depth=1")
        touch = book[1]["price"], book[0]["price"]
        tasks = [asyncio.create_task(listen(session, told))]
        tasks += [asyncio.create_task(hand(session, chance.fork(str(n)), told, touch)) for n in range(HANDS)]
        await asyncio.sleep(0.05 + chance.random() * 0.4)
        running.kill()
        await running.wait()
        for done in await asyncio.gather(*tasks, return_exceptions=True):
            if done is not None and not isinstance(done, GONE):
                raise done


async def check(session: aiohttp.ClientSession, told: Told) -> None:
    """What was told is there, and what was not is there whole or not at all."""
    async with session.get("/control/truth") as answer:
        (account,) = (await answer.json())["accounts"]
    orders = {row["clOrdID"]: row for row in account["orders"]}
    executions = {row["execID"]: row for row in account["executions"]}
    assert len(orders) == len(account["orders"])
    for name, row in told.rows.items():
        found = orders[name]
        assert {key: found[key] for key in SAME} == {key: row[key] for key in SAME}
        assert found["cumQty"] >= row["cumQty"], (found, row)
    for name, row in told.executions.items():
        assert executions[name] == row
    assert set(orders) <= told.sent
    traded: dict[str, int] = {}
    kinds: dict[str, list[str]] = {}
    for row in account["executions"]:
        if "clOrdID" in row:
            kinds.setdefault(row["clOrdID"], []).append(row["execType"])
            if row["execType"] == "Trade":
                traded[row["clOrdID"]] = traded.get(row["clOrdID"], 0) + row["lastQty"]
    for name, row in orders.items():
        assert kinds[name].count("New") == 1
        assert traded.get(name, 0) == row["cumQty"]
    (position,) = [row for row in account["positions"] if row["symbol"] == "XBTUSD"] or [{"currentQty": 0}]
    sign = {"Buy": 1, "Sell": -1}
    assert position["currentQty"] == sum(sign[orders[name]["side"]] * qty for name, qty in traded.items())


async def rounds(count: int, seed: int, folder: Path) -> Told:
    """All of them on one file, with a last look."""
    chance, told, state = Chance(seed), Told(), folder / "venue.db"
    for number in range(count):
        await one_round(state, chance.fork(str(number)), told)
    async with process(state) as (_, base), aiohttp.ClientSession(base) as session:
        await check(session, told)
    return told


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = asyncio.run(rounds(chosen.rounds, chosen.seed, Path(folder)))
    sys.stdout.write(
        f"{chosen.rounds} kills: {len(told.sent)} orders sent, {len(told.rows)} answered, "
        f"{len(told.executions)} executions told; all of them were there\n"
    )


if __name__ == "__main__":
    main()
