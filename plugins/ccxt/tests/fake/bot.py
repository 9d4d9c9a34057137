"""A bot that acts at random while things go wrong, with hbkit's own books: tracker, reconciler, one position.

python -m plugins.ccxt.tests.fake.bot --venue hbkitfixed --seeds 200 --seed 1
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hbkit_ccxt.exchange import connector_of

from hbkit.chance import Chance
from hbkit.exchange import Connection, Listener
from hbkit.model import Execution, OrderReport, OrderRequest, OrderStatus, OrderType, PositionSide, Side, TimeInForce
from hbkit.net.virtual import VirtualLoop, run_virtual
from hbkit.runtime.reconcile import Reconciler
from hbkit.testing.fake import COIN
from hbkit.trading.tracker import Ticket, Tracker
from plugins.ccxt.tests.fake.served import ServedVenue
from plugins.ccxt.tests.fake.venue import register

STEPS = 40
QUIET_SECONDS = 240.0
LOT = COIN.lot_units
VERBS = ("submit", "cancel", "amend")


class Books(Listener):
    """What hbkit believes: real tickets, moved by evidence only; and a position that is the sum of executions."""

    def __init__(self) -> None:
        self.tracker = Tracker()
        self.units = 0
        self.filled: dict[str, Execution] = {}
        self.blind: set[str] = set()
        self.reconciler: Any = None
        self._comparing: asyncio.Task[None] | None = None

    def on_order(self, report: OrderReport) -> None:
        if report.lost and self.reconciler is not None:
            self.reconciler.lost(report)
        self.tracker.report(report)

    def on_fill(self, execution: Execution) -> None:
        _, is_new = self.tracker.execution(execution)
        if is_new:
            assert execution.id not in self.filled, execution
            self.filled[execution.id] = execution
            self.units += execution.units * execution.side.sign

    def on_connected(self, exchange: str) -> None:
        if self.reconciler is not None:
            self._comparing = asyncio.get_running_loop().create_task(self._compare())

    async def _compare(self) -> None:
        while True:
            try:
                await self.reconciler.whole()
            except Exception:  # noqa: BLE001 - out of reach again: as LiveSession does, once more
                await asyncio.sleep(1)
            else:
                return

    def __getattr__(self, name: str) -> Any:
        if name.startswith("on_"):
            return lambda *_: None
        raise AttributeError(name)

    async def end(self) -> None:
        """No comparison goes on."""
        if self._comparing is not None:
            self._comparing.cancel()
            await asyncio.gather(self._comparing, return_exceptions=True)

    @property
    def free(self) -> list[Ticket]:
        """Orders for which nothing is under way."""
        return [one for one in self.tracker.open.values() if not one.pending and one.status is not OrderStatus.UNKNOWN]


class Bot:
    """One account, one venue, one seed."""

    def __init__(self, loop: VirtualLoop, venue: ServedVenue, name: str, seed: int) -> None:
        self.chance = Chance(seed)
        self.venue = venue
        self.books = Books()
        self.exchange = connector_of(name)(
            Connection(
                name="fake",
                instruments=venue.instruments,
                rest_url=venue.address.rest,
                ws_url=venue.address.websocket,
                api_key=venue.key,
                api_secret=venue.secret,
                clock=loop.clock,
                market_clock=venue.clock,
                chance=Chance(seed + 1),
                connector=venue.connector,
                on_end=self._ended,
            )
        )
        self.failures: list[str] = []
        self._has_trades = name != "hbkituntold"
        self._loop = loop
        self._count = 0

    def _ended(self, error: Exception) -> None:
        self.failures.append(f"the connector ended: {error}")

    async def run(self) -> list[str]:
        """Act, let it become quiet, and say what is not as it should be."""
        await self.exchange.open(self.books)
        reconciler = Reconciler(self.exchange, self.books, self._open_ids, self.venue.clock.now())  # type: ignore[arg-type]
        self.books.reconciler = reconciler
        task = self._loop.create_task(reconciler.run())
        reconciler.comparing = True
        for _ in range(STEPS):
            self._step()
            await asyncio.sleep(self.chance.random() * self.chance.choices([0.05, 1.0, 4.0], k=1)[0])
        await asyncio.sleep(QUIET_SECONDS)
        self.failures += self._faults()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await self.books.end()
        await self.exchange.shut()
        return self.failures

    def _open_ids(self) -> Iterator[str]:
        return (key for key, one in self.books.tracker.open.items() if one.pending != "submit")

    # -- what happens

    def _step(self) -> None:
        act = self.chance.choices(
            [self._submit, self._cancel, self._amend, self._trade, self._break], weights=[4, 2, 3, 4, 3], k=1
        )[0]
        act()

    def _pick(self, several: list[Any]) -> Any:
        return self.chance.choices(several, k=1)[0]

    def _submit(self) -> None:
        self._count += 1
        side = self._pick([Side.BUY, Side.SELL])
        takes = self.chance.random() < 0.3
        best = 990 if side is Side.BUY else 1010
        ticks = None if takes else best + side.sign * self._pick([1, 2, 3, 4, 5])
        request = OrderRequest(
            id=f"ab12cd-1-{self._count}",
            instrument=COIN,
            side=side,
            position_side=PositionSide.NET,
            type=OrderType.MARKET if takes else OrderType.LIMIT,
            units=LOT * self._pick([1, 2, 5]),
            ticks=ticks,
            time_in_force=TimeInForce.GTC,
        )
        self.books.tracker.add(Ticket(request, "", ""))
        self.exchange.submit(request)

    def _cancel(self) -> None:
        if free := self.books.free:
            one = self._pick(free)
            one.asked("cancel", one.ticks, one.units)
            self.exchange.cancel(one.request.id)

    def _amend(self) -> None:
        if free := [one for one in self.books.free if one.ticks is not None]:
            one = self._pick(free)
            units, ticks = one.units + LOT * self._pick([0, 1, 3]), one.ticks + self._pick([-1, 0, 1])
            one.asked("amend", ticks, units)
            self.exchange.amend(one.request.id, ticks=ticks, units=units)

    def _trade(self) -> None:
        side = self._pick([Side.BUY, Side.SELL])
        ticks = (990 if side is Side.SELL else 1010) - side.sign * self._pick([1, 2, 3, 4, 5, 6])
        self.venue.trade(side, ticks, LOT * self._pick([1, 3, 10]))

    def _break(self) -> None:
        fault = self._pick(["reply", "request", "late", "cut", "busy"])
        verb = self._pick(list(VERBS))
        if fault == "reply":
            self.venue.lose_reply(verb)
        elif fault == "request":
            self.venue.lose_request(verb)
        elif fault == "late":
            self.venue.late_reply(verb, 3.0 * self.chance.random())
        elif fault == "cut":
            self.venue.cut()
            self._trade()
        else:
            self.venue.busy = self._pick([1, 2, 3])

    # -- what has to hold when it is quiet

    def _faults(self) -> list[str]:
        books, venue = self.books, self.venue
        found: list[str] = []
        there = sum(one.units for one in venue.positions())
        if books.units != there:
            found.append(f"position {books.units}, at the venue {there}")
        told, done = set(books.filled), {one.id for one in venue.executions()}
        if self._has_trades and told != done:
            found.append(f"fills not told {sorted(done - told)}, fills nobody made {sorted(told - done)}")
        made, wanted = _by_order(books.filled.values()), _by_order(venue.executions())
        if made != wanted:
            found.append(f"units by order {made}, at the venue {wanted}")
        unknown = [key for key, one in books.tracker.open.items() if one.status is OrderStatus.UNKNOWN or one.pending]
        if unknown:
            found.append(f"not settled: {unknown}")
        ours = {key: (one.ticks, one.units, one.filled) for key, one in books.tracker.open.items()}
        theirs = {one.id: (one.ticks, one.units, one.filled_units) for one in venue.orders() if not one.status.is_final}
        if ours != theirs:
            found.append(f"open orders {ours}, at the venue {theirs}")
        for one in venue.orders():
            ticket = books.tracker.find(one.id)
            if ticket is not None and ticket.status.is_final and not one.status.is_final:
                found.append(f"{one.id} is {ticket.status} here and {one.status} there")
        return found


def _by_order(executions: Iterable[Execution]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in executions:
        found[one.order_id] = found.get(one.order_id, 0) + one.units
    return found


def play(name: str, seed: int) -> list[str]:
    """One seed; what was wrong at its end."""

    async def main(loop: VirtualLoop) -> list[str]:
        async with ServedVenue(loop, dark=3.0).served() as venue:
            return await Bot(loop, venue, name, seed).run()

    return run_virtual(main)


def main() -> None:
    """Many seeds; those that fail are printed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--venue", default="hbkitfake")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=100)
    options = parser.parse_args()
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        bad = 0
        for seed in range(options.seed, options.seed + options.seeds):
            try:
                found = play(options.venue, seed)
            except Exception as error:  # noqa: BLE001 - a seed that ends badly is what is looked for
                found = [f"{type(error).__name__}: {error}"]
            if found:
                bad += 1
                print(f"--venue {options.venue} --seed {seed} --seeds 1:", *found, sep="\n  ")  # noqa: T201
        print(f"{options.seeds} seeds on {options.venue}, {bad} failed")  # noqa: T201


if __name__ == "__main__":
    main()
