"""A whole run against the simulator in virtual time, and the comparison of what both sides know in the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from hbkit_bitmex.simulator import Options, Running, serve
from hbkit_bitmex.simulator.venue import Venue

from hbkit import log
from hbkit.chance import Chance
from hbkit.clock import MINUTE, SECOND, parse_time
from hbkit.config import load_config
from hbkit.exchange import Address, ExchangeSpec, SimulatorOptions
from hbkit.net.virtual import DEFAULT_START, VirtualLoop, run_virtual
from hbkit.plugins import Plugins
from hbkit.report.result import RunResult
from hbkit.run import make_plan
from hbkit.run.ground import VirtualGround
from hbkit.run.live import LiveRun

FOR_EVER = 1e6
TAPE = parse_time("2019-05-28T18:24:00Z")
"""The first whole minute of the recorded day."""
SILENCE = 30
"""Seconds without a trade that the recorded market never has."""
CHURN = Path(__file__).with_name("churn.py")
CONFIG = """
run: {{name: scene, seed: {seed}, duration: {duration}s, dir: {folder}/runs}}
state: {{dir: {folder}/state}}
exchanges:
  bitmex_perpetual: {{mode: simulator, latency: {latency}ms{more}}}
strategies:
  - {{use: "{use}", instruments: [XBTUSD], params: {params}}}
"""

Weather = Callable[[Running, Chance], Awaitable[None]]
"""What happens to the simulator while the run goes on."""


class Ground(VirtualGround):
    """Virtual ground that keeps its simulator, and what the weather does to it."""

    def __init__(self, loop: VirtualLoop, chance: Chance, weather: Weather | None, **options: Any) -> None:
        super().__init__(loop, chance)
        self.running: Running
        self._weather = weather
        self._options = options

    @asynccontextmanager
    async def simulator(
        self, spec: ExchangeSpec, options: SimulatorOptions, on_end: Callable[[str], None], latency: int
    ) -> AsyncIterator[Address]:
        self._path = spec.simulator
        self._loop.set_latency(latency / SECOND, spec.simulator)
        chosen = {
            "history": 2 * MINUTE, "seed": options.seed, "speed": options.speed, "start": options.start,
            "accounts": tuple((key, secret.reveal()) for key, secret in options.accounts), **self._options,
        }  # fmt: skip
        chance = self._chance.fork("simulator")
        self.running = await serve(
            Options(path=self._path, keep_alive=FOR_EVER, **chosen), clock=self.clock, chance=chance
        )
        weather = None
        if self._weather is not None:
            weather = asyncio.ensure_future(self._weather(self.running, self._chance.fork("weather")))
        try:
            yield Address(self.running.rest, self.running.websocket)
        finally:
            if weather is not None:
                weather.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await weather
            await self.running.close()


@dataclass
class Scene:
    """A run that is over, and the venue it ran against."""

    result: RunResult
    run: LiveRun
    venue: Venue
    log: str
    faults: list[str] = field(default_factory=list)

    @property
    def strategy(self) -> Any:
        """The only one."""
        return self.run.hosts[0].strategy

    def lines(self, word: str) -> list[str]:
        """Lines of the log with this word in it."""
        return [line for line in self.log.splitlines() if word in line]


def play(
    folder: Path,
    *,
    seed: int = 1,
    weather: Weather | None = None,
    use: str = f"{CHURN}:Churn",
    params: str = "{}",
    duration: float = 75,
    latency: int = 20,
    more: str = "",
    level: str = "info",
    environ: dict[str, str] | None = None,
    ground: Callable[..., Ground] = Ground,
    sets: tuple[str, ...] = (),
    begin: int = DEFAULT_START,
    **options: Any,
) -> Scene:
    """One run from config to result, in `folder`, which begins at `begin` of the market's clock."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "scene.yaml"
    path.write_text(
        CONFIG.format(
            folder=folder, seed=seed, duration=duration, use=use, params=params, latency=latency, more=more
        )
    )  # fmt: skip
    config = load_config(path, environ=environ or {}, overrides=sets)
    plan = make_plan(config, Plugins(block=config.settings.plugins.block))
    said = StringIO()
    made: list[tuple[LiveRun, Ground]] = []

    async def main(loop: VirtualLoop) -> RunResult:
        stage = ground(loop, Chance(seed), weather, **options)
        run = LiveRun(plan, stage)
        made.append((run, stage))
        log.configure(level=level, stream=said, clock=run.clock, file=run.folder / "run.log")
        try:
            return await run.play()
        finally:
            log.close()

    try:
        result = run_virtual(main, start=begin)
    except BaseException as error:
        error.add_note(said.getvalue()[-20_000:])
        raise
    run, stage = made[0]
    return Scene(result, run, stage.running.simulator.venue, said.getvalue())


def start_of(seed: int) -> int:
    """Another stretch of the recorded day's first hour for each seed; what lies before it is played too, and costs."""
    return TAPE + MINUTE * (3 + seed * 7 % 40)


# -- the comparison


def differences(scene: Scene, *, ordered: bool = True) -> list[str]:
    """Everything in which the program and the venue disagree, in words; empty when both tell the same story.

    :param ordered: the fills of an order must be told in the venue's order, which nobody can do for a frame that the
        venue keeps to itself.
    """
    found: list[str] = []
    host = scene.run.hosts[0]
    (account,) = scene.venue.accounts.values()
    theirs = scene.venue.orders_of[account.number]
    ours = {row.id: row for row in scene.result.order_rows}

    copies = Counter(order.client_id for order in theirs)
    found += [f"{name}: {count} exchange orders for one intent" for name, count in copies.items() if count > 1]
    found += [f"{order.client_id}: an order nobody asked for" for order in theirs if order.client_id not in ours]
    for order in theirs:
        row = ours.get(order.client_id)
        if row is None:
            continue
        if row.status != order.status.lower():
            found.append(f"{row.id}: {row.status} here ({row.reason}), {order.status} there")
        if float(row.filled) != float(order.instrument.qty(order.filled)):
            found.append(f"{row.id}: {row.filled} filled here, {order.filled} there")
        if order.is_open:
            found.append(f"{row.id}: stands at the exchange after the stop")
    known = {order.client_id for order in theirs}
    for row in ours.values():
        if row.id not in known and row.status not in ("rejected", "never_arrived", "canceled"):
            found.append(f"{row.id}: {row.status} here, nothing there")
        if row.status in ("pending", "unknown"):
            found.append(f"{row.id}: left {row.status}")
    if host.trader.tracker.open:
        found.append(f"open here: {sorted(host.trader.tracker.open)}")

    trades = [row for row in scene.venue.executions[account.number] if row["execType"] == "Trade"]
    heard = host.strategy.heard
    found += [f"execution {name}: told {count} times" for name, count in Counter(heard).items() if count > 1]
    silent = {row["execID"] for row in trades} - set(heard)
    found += [f"execution {row['execID']} of {row['clOrdID']}: never told" for row in trades if row["execID"] in silent]
    found += [f"execution {name}: the exchange has none" for name in set(heard) - {row["execID"] for row in trades}]
    for name in sorted({row["clOrdID"] for row in trades}) if ordered and not silent else ():
        booked = [row["execID"] for row in trades if row["clOrdID"] == name]
        if [fill for fill in heard if fill in booked] != booked:
            found.append(f"{name}: fills told in another order")
    fills = [row for row in scene.result.fill_rows if row.kind == "trade"]
    if len(fills) != len(trades):
        found.append(f"{len(fills)} fills booked, {len(trades)} at the exchange")

    books = {(leg.instrument.symbol, side.value): leg for side, leg in scene.run.hosts[0].trader.ledger.legs}
    for side, leg in account.legs():
        if leg.instrument.is_spot:
            continue
        mine = books.get((leg.instrument.symbol, side.value))
        if (mine.units if mine else 0) != leg.units:
            found.append(f"position {leg.instrument} {side}: {mine.units if mine else 0} here, {leg.units} there")
        if mine is not None and mine.units and mine.cost != leg.cost:
            found.append(f"cost {leg.instrument} {side}: {mine.cost} here, {leg.cost} there")
    for row in scene.result.money:
        truth = scene.venue.margin(account, row.currency)
        balance = row.starting_balance + row.realized_pnl + row.funding - row.fees
        if balance != truth["walletBalance"]:
            found.append(f"wallet {row.currency}: {balance} here, {truth['walletBalance']} there")
        if row.gap:
            found.append(f"equity {row.currency}: the books miss it by {row.gap}")
    strategy = host.strategy
    if strategy.ups != strategy.downs + 1:
        found.append(f"told {strategy.ups} times that it is there, {strategy.downs} times that it is gone")
    silence = (strategy.stopped_at - strategy.traded_at) / SECOND
    if silence > SILENCE:
        found.append(f"no trade was heard in the last {silence:.0f} s")
    if scene.result.exit_code:
        found.append(f"ended with {scene.result.exit_code}: {scene.result.stop_reason}")
    found += [f"log: {line}" for line in scene.lines("level=error")]
    return found
