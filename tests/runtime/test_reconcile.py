"""Lost answers settled by evidence alone: what an exchange shows, or what it does not show once a request has expired.

The exchange answers from a list; router, trader and tracker are the real ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hbkit.background import InlineBackground
from hbkit.clock import SECOND
from hbkit.data.journal import Journal
from hbkit.errors import Disconnected
from hbkit.exchange import Capabilities, Exchange, Listener
from hbkit.model import (
    Execution,
    Instrument,
    Liquidity,
    OrderReport,
    OrderRequest,
    OrderStatus,
    PositionMode,
    PositionSide,
    Side,
)
from hbkit.net.virtual import VirtualLoop, run_virtual
from hbkit.runtime.host import Host
from hbkit.runtime.reconcile import CHECK_SECONDS, Reconciler
from hbkit.runtime.record import Recorder
from hbkit.runtime.router import Router
from hbkit.trading.risk import RiskGate, RiskLimits
from hbkit.trading.trader import Trader, Wish
from tests.trading.conftest import Bot, make_instrument

TTL = 10 * SECOND
"""How long a request can be accepted."""
PROVEN = 15.0
"""Seconds after which its absence is proof: the time to live, and the margin for the clocks."""
UNKNOWN = OrderStatus.UNKNOWN


class Script(Exchange):
    """An exchange that answers questions from lists, and writes down what it was asked."""

    def __init__(self, loop: VirtualLoop, instrument: Instrument) -> None:
        self.name = "venue"
        self.loop = loop
        self.instrument = instrument
        self.asked: list[tuple[float, str]] = []
        self.orders: dict[str, OrderReport] = {}
        """What it shows among its orders."""
        self.booked: list[Execution] = []
        self.broken = 0
        """How many of the next questions fail."""

    def _ask(self, what: str) -> None:
        self.asked.append((self.loop.time(), what))
        if self.broken:
            self.broken -= 1
            raise Disconnected("no answer")

    def looks(self, order_id: str) -> list[float]:
        """When it was asked for this order."""
        return [when for when, what in self.asked if what == order_id]

    def server_now(self) -> int:
        return self.loop.clock.now()

    async def find(self, order_id: str) -> OrderReport | None:
        self._ask(order_id)
        return self.orders.get(order_id)

    async def open_orders(self) -> list[OrderReport]:
        self._ask("open orders")
        return [report for report in self.orders.values() if not report.status.is_final]

    async def executions_since(self, ts: int) -> list[Execution]:
        self._ask("executions")
        return [one for one in self.booked if one.ts >= ts]

    # what nobody asks here

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(amend=True)

    @property
    def position_mode(self) -> PositionMode:
        return PositionMode.ONE_WAY

    def connect(self, listener: Listener) -> None: ...

    def close(self) -> None: ...

    def instruments(self) -> Mapping[str, Instrument]:
        return {self.instrument.symbol: self.instrument}

    def wallets(self) -> list[Any]:
        return []

    def reference_price(self, instrument: Instrument) -> float | None:
        return None

    def subscribe(self, *_: Any) -> None: ...

    def submit(self, request: OrderRequest) -> None: ...

    def amend(self, order_id: str, **_: Any) -> None: ...

    def cancel(self, order_id: str) -> None: ...


class Case:
    """One strategy with an order desk, a script for an exchange, and the reconciler between them."""

    def __init__(self, loop: VirtualLoop, folder: Path) -> None:
        self.loop = loop
        self.instrument = make_instrument()
        self.exchange = Script(loop, self.instrument)
        self.journal = Journal(folder / "bot.db", "run", InlineBackground())
        self.router = Router({"venue": self.exchange}, self.journal, Recorder(), lambda change: None)
        self.trader = Trader(
            "bot", {"venue": self.exchange}, journal=self.journal, clock=loop.clock, risk=RiskGate(RiskLimits()),
            prefix="b-", veto=None, tell_refusal=lambda order: None, blind=self.router.blind,
        )  # fmt: skip
        self.bot = Bot()
        self.host = Host(self.bot, self.trader, keep_going=False, on_failed=lambda host: None)
        self.router.seat(self.host, [], frozenset(), "b-")
        self.reconciler = Reconciler(
            self.exchange, self.router, lambda: list(self.trader.tracker.open), loop.clock.now()
        )  # fmt: skip
        self.router.on_lost = self.reconciler.lost

    def place(self, qty: float = 10, price: float = 100) -> str:
        """An order on its way."""
        return self.trader.place(self.instrument, Side.BUY, qty, price, Wish()).id

    def report(self, order_id: str, status: OrderStatus = OrderStatus.OPEN, **changes: Any) -> OrderReport:
        """What the exchange says of an order of 10 at 100."""
        fields: dict[str, Any] = {
            "ts": self.loop.clock.now(), "id": order_id, "exchange_id": f"x-{order_id}", "instrument": self.instrument,
            "side": Side.BUY, "position_side": PositionSide.NET, "status": status, "units": 10, "filled_units": 0,
            "ticks": 200,
        }  # fmt: skip
        return OrderReport(**{**fields, **changes})

    def lose(self, order_id: str, request: str = "submit", status: OrderStatus = UNKNOWN) -> None:
        """The answer to a request is lost."""
        expires = self.loop.clock.now() + TTL
        self.router.on_order(self.report(order_id, status, lost=request, expires=expires))

    def stand(self, order_id: str, status: OrderStatus = OrderStatus.OPEN, **changes: Any) -> None:
        """From now on the exchange shows the order."""
        self.exchange.orders[order_id] = self.report(order_id, status, **changes)

    def fill(self, order_id: str, number: int, units: int = 10) -> Execution:
        """The exchange books a fill."""
        execution = Execution(
            ts=self.loop.clock.now(), id=f"e{number}", order_id=order_id, instrument=self.instrument, side=Side.BUY,
            position_side=PositionSide.NET, price=100.0, units=units, cost=units * 10_000, fee=0,
            liquidity=Liquidity.MAKER,
        )  # fmt: skip
        self.exchange.booked.append(execution)
        return execution

    def status(self, order_id: str) -> OrderStatus:
        """As the strategy sees it."""
        ticket = self.trader.tracker.find(order_id)
        assert ticket is not None
        return ticket.status

    def pending(self, order_id: str) -> str:
        """The request that is in flight."""
        ticket = self.trader.tracker.find(order_id)
        assert ticket is not None
        return ticket.pending

    @property
    def exposure(self) -> int:
        """What would be held if everything filled that may."""
        held = self.trader.ledger.legs.get(self.instrument).units
        return held + sum(ticket.leaves for ticket in self.trader.tracker.open.values())


Story = Callable[[Case], Awaitable[None]]


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Callable[[Story], None]]:
    def run(story: Story) -> None:
        async def main(loop: VirtualLoop) -> None:
            case = Case(loop, tmp_path)
            task = asyncio.create_task(case.reconciler.run())
            try:
                await story(case)
                assert not task.done(), "the reconciler has ended"
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                case.journal.close("", "")

        run_virtual(main)

    return run


# -- an order whose answer was lost


def test_an_order_that_is_found_is_taken_up_at_once(play: Callable[[Story], None]) -> None:
    async def story(case: Case) -> None:
        order_id = case.place()
        case.stand(order_id)
        case.lose(order_id)
        assert case.status(order_id) is UNKNOWN
        await asyncio.sleep(0.01)
        assert case.status(order_id) is OrderStatus.OPEN
        assert case.reconciler.is_settled

    play(story)


def test_an_order_that_is_found_late_is_taken_up_then(play: Callable[[Story], None]) -> None:
    async def story(case: Case) -> None:
        order_id = case.place()
        case.lose(order_id)
        await asyncio.sleep(9.5)
        assert case.status(order_id) is UNKNOWN
        assert case.exposure == 10
        case.stand(order_id)
        await asyncio.sleep(PROVEN - 9.5 + 1)
        assert case.status(order_id) is OrderStatus.OPEN

    play(story)


def test_an_order_known_by_an_execution_alone_counts_as_filled_once(play: Callable[[Story], None]) -> None:
    async def story(case: Case) -> None:
        order_id = case.place()
        case.fill(order_id, 1)
        case.stand(order_id, OrderStatus.FILLED, filled_units=10)
        case.lose(order_id)
        await asyncio.sleep(0.01)
        assert case.status(order_id) is OrderStatus.FILLED
        assert [fill.id for fill in case.bot.filled] == ["e1"]
        await case.reconciler.whole()
        assert [fill.id for fill in case.bot.filled] == ["e1"]
        # The fill is told before the order that it ended.
        assert case.exposure == 10

    play(story)


def test_absence_is_no_proof_before_the_request_has_expired(play: Callable[[Story], None]) -> None:
    async def story(case: Case) -> None:
        order_id = case.place()
        case.lose(order_id)
        await asyncio.sleep(PROVEN - 0.05)
        assert case.status(order_id) is UNKNOWN
        assert case.exposure == 10
        await asyncio.sleep(1)
        assert case.status(order_id) is OrderStatus.NEVER_ARRIVED
        assert case.exposure == 0
        assert case.reconciler.is_settled
        last = case.exchange.looks(order_id)[-1]
        assert last > PROVEN, "the look that decides is one after the expiry"

    play(story)


def test_an_exchange_that_cannot_be_asked_proves_nothing(play: Callable[[Story], None]) -> None:
    async def story(case: Case) -> None:
        order_id = case.place()
        case.exchange.broken = 1_000_000
        case.lose(order_id)
        await asyncio.sleep(300)
        assert case.status(order_id) is UNKNOWN
        assert not case.reconciler.is_settled
        case.exchange.broken = 0
        await asyncio.sleep(10)
        assert case.status(order_id) is OrderStatus.NEVER_ARRIVED

    play(story)


def test_an_order_that_was_written_off_and_turns_up_is_adopted(play: Callable[[Story], None]) -> None:
    async def story(case: Case) -> None:
        order_id = case.place()
        case.lose(order_id)
        await asyncio.sleep(PROVEN + 1)
        assert case.status(order_id) is OrderStatus.NEVER_ARRIVED
        case.stand(order_id)
        case.reconciler.comparing = True
        await asyncio.sleep(CHECK_SECONDS + 1)
        assert case.status(order_id) is OrderStatus.OPEN
        assert case.exposure == 10
        assert [order.status.value for order in case.bot.heard] == ["unknown", "never_arrived", "open"]

    play(story)


def test_a_fill_of_an_order_that_was_written_off_counts(play: Callable[[Story], None]) -> None:
    async def story(case: Case) -> None:
        order_id = case.place()
        case.lose(order_id)
        await asyncio.sleep(PROVEN + 1)
        case.fill(order_id, 1)
        await case.reconciler.catch_up()
        assert case.status(order_id) is OrderStatus.FILLED
        assert case.exposure == 10

    play(story)


def test_many_lost_orders_are_few_questions(play: Callable[[Story], None]) -> None:
    async def story(case: Case) -> None:
        ids = [case.place() for _ in range(20)]
        for order_id in ids:
            case.lose(order_id)
        await asyncio.sleep(PROVEN + 1)
        assert {case.status(order_id) for order_id in ids} == {OrderStatus.NEVER_ARRIVED}
        for order_id in ids:
            # At once, after 1, 3, 7 seconds and when it has expired.
            assert len(case.exchange.looks(order_id)) == 5

    play(story)


# -- an amend or a cancel whose answer was lost


def test_a_lost_amend_that_was_done_shows_as_done(play: Callable[[Story], None]) -> None:
    async def story(case: Case) -> None:
        order_id = case.place()
        case.router.on_order(case.report(order_id))
        case.trader.amend(order_id, price=101)
        case.lose(order_id, "amend", OrderStatus.OPEN)
        case.stand(order_id, ticks=202, ts=case.loop.clock.now() + 1)
        await asyncio.sleep(0.01)
        assert case.pending(order_id) == ""
        assert case.bot.heard[-1].price == 101
        assert not case.reconciler.is_settled, "it may still change until the request has expired"
        await asyncio.sleep(PROVEN + 1)
        assert case.reconciler.is_settled
        assert case.bot.heard[-1].price == 101

    play(story)


def test_a_lost_amend_that_never_came_is_refused_when_it_has_expired(play: Callable[[Story], None]) -> None:
    async def story(case: Case) -> None:
        order_id = case.place()
        case.router.on_order(case.report(order_id))
        case.stand(order_id)
        case.trader.amend(order_id, qty=30)
        assert case.exposure == 30
        case.lose(order_id, "amend", OrderStatus.OPEN)
        await asyncio.sleep(PROVEN - 0.1)
        assert case.pending(order_id) == "amend"
        assert case.exposure == 30, "the larger quantity counts while it may still come"
        await asyncio.sleep(1)
        assert case.pending(order_id) == ""
        assert case.exposure == 10
        assert case.trader.refused == 1

    play(story)


@pytest.mark.parametrize("status", [OrderStatus.CANCELED, OrderStatus.FILLED])
def test_a_lost_cancel_is_settled_by_the_end_of_the_order(play: Callable[[Story], None], status: OrderStatus) -> None:
    async def story(case: Case) -> None:
        order_id = case.place()
        case.router.on_order(case.report(order_id))
        case.trader.cancel(order_id)
        case.lose(order_id, "cancel", OrderStatus.OPEN)
        if status is OrderStatus.FILLED:
            case.fill(order_id, 1)
        case.stand(order_id, status, filled_units=10 if status is OrderStatus.FILLED else 0)
        await asyncio.sleep(0.01)
        assert case.status(order_id) is status
        assert case.reconciler.is_settled
        assert len(case.bot.filled) == (status is OrderStatus.FILLED)

    play(story)


def test_a_lost_cancel_that_never_came_leaves_the_order_standing(play: Callable[[Story], None]) -> None:
    async def story(case: Case) -> None:
        order_id = case.place()
        case.router.on_order(case.report(order_id))
        case.stand(order_id)
        case.trader.cancel(order_id)
        case.lose(order_id, "cancel", OrderStatus.OPEN)
        await asyncio.sleep(PROVEN + 1)
        assert (case.status(order_id), case.pending(order_id)) == (OrderStatus.OPEN, "")
        assert "the answer was lost" in case.bot.heard[-1].reason
        case.trader.cancel(order_id)
        assert case.pending(order_id) == "cancel", "it can be asked for again"

    play(story)


@pytest.mark.parametrize("arrived", [True, False])
def test_order_and_cancel_both_lost_are_settled_as_one(play: Callable[[Story], None], arrived: bool) -> None:
    async def story(case: Case) -> None:
        order_id = case.place()
        case.lose(order_id)
        await asyncio.sleep(2)
        case.trader.cancel(order_id)
        case.lose(order_id, "cancel", OrderStatus.PENDING)
        if arrived:
            await asyncio.sleep(3)
            case.stand(order_id, OrderStatus.CANCELED)
        await asyncio.sleep(PROVEN + 3)
        assert case.status(order_id) is (OrderStatus.CANCELED if arrived else OrderStatus.NEVER_ARRIVED)
        assert case.reconciler.is_settled

    play(story)


def test_a_lost_request_for_an_order_that_cannot_be_found_is_answered_all_the_same(
    play: Callable[[Story], None],
) -> None:
    async def story(case: Case) -> None:
        order_id = case.place()
        case.router.on_order(case.report(order_id))
        case.trader.cancel(order_id)
        case.lose(order_id, "cancel", OrderStatus.OPEN)
        await asyncio.sleep(PROVEN + 1)
        assert case.pending(order_id) == ""
        assert case.reconciler.is_settled

    play(story)


# -- the whole account


def test_after_a_gap_an_order_that_stands_no_more_is_asked_for(play: Callable[[Story], None]) -> None:
    async def story(case: Case) -> None:
        gone, stays = case.place(), case.place()
        for order_id in (gone, stays):
            case.router.on_order(case.report(order_id))
        case.stand(stays)
        case.stand(gone, OrderStatus.CANCELED)
        await case.reconciler.whole()
        assert case.status(gone) is OrderStatus.CANCELED
        assert case.status(stays) is OrderStatus.OPEN
        assert not case.exchange.looks(stays)

    play(story)


def test_fills_of_a_gap_are_booked_once_and_in_the_exchange_order(play: Callable[[Story], None]) -> None:
    async def story(case: Case) -> None:
        order_id = case.place(qty=30)
        case.router.on_order(case.report(order_id, units=30))
        fills = [case.fill(order_id, number) for number in range(3)]
        case.router.on_fill(fills[0])
        await case.reconciler.whole()
        await case.reconciler.whole()
        assert [fill.id for fill in case.bot.filled] == ["e0", "e1", "e2"]
        assert case.status(order_id) is OrderStatus.FILLED

    play(story)


def test_what_was_booked_before_an_account_without_a_past_began_is_not_ours(play: Callable[[Story], None]) -> None:
    async def story(case: Case) -> None:
        case.fill("stranger", 1)
        await asyncio.sleep(10)
        case.reconciler.begin(case.loop.clock.now())
        case.fill("stranger", 2)
        assert await case.reconciler.catch_up() == "e2"
        assert case.router.ledgers["venue"].legs.get(case.instrument).units == 10

    play(story)


def test_the_books_are_compared_now_and_then_once_they_agree_and_not_in_the_dark(play: Callable[[Story], None]) -> None:
    async def story(case: Case) -> None:
        await asyncio.sleep(3 * CHECK_SECONDS)
        assert not case.exchange.asked
        case.reconciler.comparing = True
        await asyncio.sleep(CHECK_SECONDS)
        assert len(case.exchange.asked) == 2
        case.router.blind.add("venue")
        await asyncio.sleep(5 * CHECK_SECONDS)
        assert len(case.exchange.asked) == 2

    play(story)


def test_an_error_of_ours_is_not_swallowed(tmp_path: Path) -> None:
    async def main(loop: VirtualLoop) -> None:
        case = Case(loop, tmp_path)
        order_id = case.place()
        case.exchange.orders[order_id] = msgspec.structs.replace(case.report(order_id), instrument=None)
        case.exchange.executions_since = None  # type: ignore[assignment, method-assign]
        case.lose(order_id)
        with pytest.raises(TypeError):
            await case.reconciler.run()
        case.journal.close("", "")

    run_virtual(main)
