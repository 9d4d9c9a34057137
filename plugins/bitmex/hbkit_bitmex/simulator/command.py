"""`hbkit simulator bitmex`: the exchange's simulator as a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence

import click

from hbkit.chance import Chance
from hbkit.clock import WallClock, parse_duration, parse_time
from hbkit_bitmex.names import DEFAULT_TAPE
from hbkit_bitmex.simulator.accountfile import read_accounts
from hbkit_bitmex.simulator.faultfile import read_faults
from hbkit_bitmex.simulator.options import Options
from hbkit_bitmex.simulator.server import serve
from hbkit_bitmex.simulator.shapes import Shape


@click.command("bitmex", short_help="BitMEX on this machine.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen; anything but loopback is yours.")
@click.option("--port", default=0, show_default=True, help="0 lets the system choose.")
@click.option(
    "--speed", type=click.FloatRange(0, 10_000), default=1.0, show_default=True, help="Market per wall second."
)
@click.option("--seed", default=1, show_default=True, help="Seed of everything that is drawn.")
@click.option(
    "--data",
    multiple=True,
    metavar="PATH",
    help=f"PATH or SYMBOL=PATH of candles, quotes or trades; a tape's name (default {DEFAULT_TAPE}); synthetic:STYLE.",
)
@click.option("--start", metavar="TIME", help="Where on the tape to begin: 2019-05-29T06:00:00Z (whole minutes).")
@click.option("--latency", metavar="TIME", default="0s", help="What an order needs on its way here: 50ms.")
@click.option(
    "--account", "accounts", multiple=True, metavar="KEY:SECRET|@FILE", help="A further account, or a file of them."
)
@click.option("--faults", metavar="FILE", help="What is to go wrong when: a list in YAML or JSON.")
@click.option("--bulk-orders", is_flag=True, help="Serve /order/bulk, which the exchange took away, for older clients.")
@click.option(
    "--row-shape", type=click.Choice([shape.value for shape in Shape]), default="sparse", show_default=True,
    help="full: empty columns too, as old clients expect them.",
)  # fmt: skip
@click.option("--state", metavar="FILE", help="Keep everything in this file: the next start goes on where it stands.")
@click.option("--owned", is_flag=True, hidden=True, help="Read accounts from stdin, and end when it ends.")
def command(
    host: str,
    port: int,
    speed: float,
    seed: int,
    data: Sequence[str],
    start: str | None,
    latency: str,
    accounts: Sequence[str],
    faults: str | None,
    bulk_orders: bool,
    row_shape: str,
    state: str | None,
    owned: bool,
) -> int:
    """Serve BitMEX's REST and WebSocket protocol from a recorded tape until interrupted."""
    files = [text[1:] for text in accounts if text.startswith("@")]
    texts = [text for text in accounts if not text.startswith("@")] + (_accounts_of_owner() if owned else [])
    main(
        Options(
            host=host,
            port=port,
            speed=speed,
            seed=seed,
            data=tuple(data) or (DEFAULT_TAPE,),
            start=None if start is None else moment(start),
            latency=duration(latency),
            accounts=tuple(pair(text) for text in texts),
            bulk_orders=bulk_orders,
            row_shape=Shape(row_shape),
            state=state,
            faults=read_faults(faults) if faults is not None else (),
            planned=tuple(plan for file in files for plan in read_accounts(file, os.environ)),
        ),
        owned=owned,
    )
    return 0


def moment(text: str) -> int:
    """A time of the tape. Raises BadParameter with the accepted form."""
    try:
        return parse_time(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--start") from None


def duration(text: str) -> int:
    """How long something takes. Raises BadParameter with the accepted form."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--latency") from None


def _accounts_of_owner() -> list[str]:
    """What the program that started this one hands over, a line each up to an empty one: no argument list shows it."""
    lines = []
    while line := sys.stdin.readline().strip():
        lines.append(line)
    return lines


def pair(text: str) -> tuple[str, str]:
    """KEY:SECRET; the secret may contain colons. Raises BadParameter, which names no secret."""
    key, colon, secret = text.partition(":")
    if not (key and colon and secret):
        raise click.BadParameter("write --account KEY:SECRET", param_hint="--account")
    return key, secret


def main(options: Options, *, owned: bool = False) -> None:
    """Run until SIGINT or SIGTERM, or until the owner is gone; the first line of stdout says where it listens."""
    asyncio.run(_run(options, owned))


async def _run(options: Options, owned: bool) -> None:
    running = await serve(options, clock=WallClock(), chance=Chance(options.seed))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if owned:
        # The pipe ends with the program that holds its other end, however that ends.
        loop.add_reader(sys.stdin.fileno(), stop.set)
    click.echo(running.ready_line)
    stopped, failed = asyncio.ensure_future(stop.wait()), asyncio.ensure_future(running.failed())
    try:
        done, _ = await asyncio.wait({stopped, failed}, return_when=asyncio.FIRST_COMPLETED)
        if failed in done:
            await failed
    finally:
        stopped.cancel()
        failed.cancel()
        await asyncio.gather(stopped, failed, return_exceptions=True)
        await running.close()
