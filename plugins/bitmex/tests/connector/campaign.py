"""Whole runs under faults: `python -m plugins.bitmex.tests.connector.campaign --fault lost_reply --seeds 100`.

Each seed is a run of 75 virtual seconds: 35 of orders, the faults among them, and quiet at the end. Prints what a
failing seed ended in, and the line that plays it again with its log.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hbkit_bitmex.simulator import Running
from hbkit_bitmex.simulator.faults import Fault
from hbkit_bitmex.simulator.rest import Rest as VenueRest

from hbkit.chance import Chance
from hbkit.clock import monotonic
from plugins.bitmex.tests.connector.scene import Scene, differences, play, start_of

FIRST, LAST = 6.0, 36.0
"""Seconds between which something goes wrong."""
Storm = Callable[[Running, Chance, float], Awaitable[None]]


def _steady(*faults: Callable[[], Fault]) -> Storm:
    async def storm(running: Running, chance: Chance, seconds: float) -> None:
        del chance
        for fault in faults:
            running.simulator.faults.add(fault())
        await asyncio.sleep(seconds)

    return storm


async def _cuts(running: Running, chance: Chance, seconds: float) -> None:
    """Sockets break again and again, sometimes two in a row before anybody has logged in."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        await asyncio.sleep(min(chance.choice([0.05, 2.0, 5.0, 9.0]), max(0.0, end - loop.time())))
        running.simulator.hub.cut()


async def _mutes(running: Running, chance: Chance, seconds: float) -> None:
    """One private table after the other says nothing for a while."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        table = chance.choice(["order", "execution", "position", "margin", "quote"])
        running.simulator.faults.add(Fault("mute", table=table))
        await asyncio.sleep(min(chance.uniform(1, 12), max(0.0, end - loop.time())))
        running.simulator.faults.clear()


async def _late(running: Running, chance: Chance, seconds: float) -> None:
    """Connections break, and the order behind them arrives all the same, up to a second after it has expired."""
    answer = VenueRest._answer
    under_way: list[asyncio.Task[None]] = []

    async def arrive(arguments: tuple[Any, ...], after: float) -> None:
        await asyncio.sleep(after)
        answer(*arguments)

    def late(rest: VenueRest, request: Any, verb: str, route: str, *more: Any) -> Any:
        if (verb, route) != ("POST", "/order") or chance.random() < 0.6:
            return answer(rest, request, verb, route, *more)
        under_way.append(asyncio.ensure_future(arrive((rest, request, verb, route, *more), chance.uniform(0.2, 11))))
        request.transport.abort()
        return 500, {}, b""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VenueRest, "_answer", late)
        await asyncio.sleep(seconds)
    await asyncio.gather(*under_way)


async def _mix(running: Running, chance: Chance, seconds: float) -> None:
    """Some of everything, at rates of this seed's own."""
    faults = running.simulator.faults
    for name in ("lost_reply", "lost_request", "overload", "bad_gateway"):
        if chance.random() < 0.5:
            faults.add(Fault(name, route=chance.choice(["/order", ""]), chance=chance.uniform(0.05, 0.5)))
    if chance.random() < 0.5:
        faults.add(Fault("delay", seconds=chance.uniform(0.05, 4), chance=chance.uniform(0.05, 0.4)))
    if chance.random() < 0.5:
        faults.add(Fault("duplicate", chance=chance.uniform(0.05, 1)))
    if chance.random() < 0.3:
        faults.add(Fault("mute", table=chance.choice(["order", "execution", "margin"]), chance=chance.uniform(0.1, 1)))
    if chance.random() < 0.6:
        await _cuts(running, chance, seconds)
    else:
        await asyncio.sleep(seconds)


FAULTS: dict[str, Storm] = {
    "none": _steady(),
    "lost_reply": _steady(
        lambda: Fault("lost_reply", route="/order", chance=0.5), lambda: Fault("lost_reply", verb="GET", chance=0.1)
    ),
    "lost_request": _steady(
        lambda: Fault("lost_request", route="/order", chance=0.5), lambda: Fault("lost_request", verb="GET", chance=0.1)
    ),
    "overload": _steady(lambda: Fault("overload", chance=0.5)),
    "cut": _cuts,
    "bad_gateway": _steady(lambda: Fault("bad_gateway", chance=0.4)),
    "late": _late,
    "delay": _steady(lambda: Fault("delay", seconds=1.5, chance=0.5), lambda: Fault("delay", seconds=9, chance=0.05)),
    "duplicate": _steady(lambda: Fault("duplicate")),
    "mute": _mutes,
    "mix": _mix,
}


def one(fault: str, seed: int, folder: Path) -> Scene:
    """The run of one seed; `faults` of what comes back are the differences found."""

    async def weather(running: Running, chance: Chance) -> None:
        await asyncio.sleep(FIRST)
        await FAULTS[fault](running, chance, LAST - FIRST)
        running.simulator.faults.clear()

    draw = Chance(seed).fork(fault)
    scene = play(folder, seed=seed, weather=weather, latency=draw.choice([1, 20, 150]), start=start_of(seed))
    scene.faults = differences(scene, ordered=fault not in ("mute", "mix"))
    return scene


def campaign(fault: str, seeds: range, failures: int, say: Callable[[str], None], *, verbose: bool = False) -> int:
    """Play these seeds; returns how many failed, at most `failures`."""
    failed, started = 0, monotonic()
    orders = fills = 0
    for number, seed in enumerate(seeds, 1):
        with tempfile.TemporaryDirectory() as folder:
            try:
                scene = one(fault, seed, Path(folder))
                found, text = scene.faults, scene.log
                orders += scene.result.orders
                fills += scene.result.fills
            except Exception as error:  # noqa: BLE001 - a run that breaks is a finding, and the next seed goes on
                found, text = [f"{type(error).__name__}: {error}"], "\n".join(getattr(error, "__notes__", ()))
        if found:
            failed += 1
            say(f"--fault {fault} --first {seed} --seeds 1 --verbose\n" + "".join(f"    {one}\n" for one in found[:12]))
            if failed >= failures:
                break
        if verbose:
            say(text)
        if number % 25 == 0 or number == len(seeds):
            rate = number / (monotonic() - started)
            did = f"{failed} failed, {orders} orders, {fills} fills, {rate:.2f} seeds a second"
            say(f"{fault}: {number} seeds, {did}\n")
    return failed


def main() -> int:
    """The command line; 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fault", choices=[*FAULTS, "all"], default="mix")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--failures", type=int, default=5, help="stop after so many")
    parser.add_argument("--verbose", action="store_true", help="print the log of each run")
    chosen = parser.parse_args()
    seeds = range(chosen.first, chosen.first + chosen.seeds)
    names = list(FAULTS) if chosen.fault == "all" else [chosen.fault]
    failed = [campaign(name, seeds, chosen.failures, _say, verbose=chosen.verbose) for name in names]
    return 1 if any(failed) else 0


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
