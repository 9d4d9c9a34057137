"""A strategy's whole desk on a simulated exchange: real objects, put together as a replay does, moved by hand."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hbkit.agenda import Agenda
from hbkit.background import InlineBackground
from hbkit.chance import Chance
from hbkit.clock import ManualClock
from hbkit.data.journal import Journal, read_rows
from hbkit.data.source import Batch, Rows, SourceInfo
from hbkit.log import get_logger
from hbkit.matching import Account, Engine
from hbkit.matching.fills import Queue
from hbkit.model import Currency, Fill, Instrument, InstrumentKind, Order, OrderRequest, PositionMode
from hbkit.runtime.host import Host
from hbkit.runtime.record import Recorder
from hbkit.runtime.router import Router
from hbkit.simulated import SimulatedExchange
from hbkit.trading.account import AccountView
from hbkit.trading.risk import RiskGate, RiskLimits
from hbkit.trading.strategy import Desk, Strategy, hand_over
from hbkit.trading.trader import Trader
from hbkit.trading.view import MarketView

USD = Currency("USD", 2)
MONEY = 1_000_000_00
"""A million dollars: no test here is about margin."""


def make_instrument(**changes: Any) -> Instrument:
    """A contract on 1 ABC: tick 0.5, lot 10, counted in single contracts, no fees."""
    fields: dict[str, Any] = {
        "exchange": "venue",
        "symbol": "ABC",
        "unified": "ABC/USD:USD",
        "kind": InstrumentKind.LINEAR,
        "base": "ABC",
        "quote": "USD",
        "settle": USD,
        "tick_size": Decimal("0.5"),
        "lot_size": Decimal(10),
        "unit_size": Decimal(1),
        "multiplier": Decimal(100),
        "maker_fee": Decimal(0),
        "taker_fee": Decimal(0),
    }
    return Instrument(**{**fields, **changes})


class Bot(Strategy):
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[Order] = []
        self.filled: list[Fill] = []
        self.answer: Callable[[Order], object] | None = None

    def on_order(self, order: Order) -> None:
        self.heard.append(order)
        if self.answer is not None:
            self.answer(order)

    def on_fill(self, fill: Fill) -> None:
        self.filled.append(fill)


class RecordingExchange(SimulatedExchange):
    """Writes down what it is asked, and how many intents the journal held at that moment."""

    asked: list[tuple[str, str, int]]
    intents: Callable[[], list[tuple[Any, ...]]]

    def submit(self, request: OrderRequest) -> None:
        self.asked.append(("submit", request.id, len(self.intents())))
        super().submit(request)

    def amend(self, order_id: str, **change: int | None) -> None:
        self.asked.append(("amend", order_id, len(self.intents())))
        super().amend(order_id, **change)

    def cancel(self, order_id: str) -> None:
        self.asked.append(("cancel", order_id, len(self.intents())))
        super().cancel(order_id)


class Room:
    """The desk, the exchange behind it, and the hand that moves both."""

    def __init__(
        self, folder: Path, instrument: Instrument, *, mode: PositionMode, latency: int, **limits: Any
    ) -> None:
        self.instrument = instrument
        self.clock = ManualClock(1)
        self.agenda = Agenda(self.clock)
        folder.mkdir(exist_ok=True)
        self.journal = Journal(folder / "bot.db", "run", InlineBackground())
        ids = count(1)
        engine = Engine(lambda: f"x{next(ids)}")
        self.account = Account("venue", {USD: MONEY}, engine.reference_price, mode=mode)
        info = SourceInfo("by hand", {"ABC": frozenset({Rows.QUOTE, Rows.TRADE})}, 0, 1 << 60)
        self.exchange = RecordingExchange(
            "venue", {"ABC": instrument}, info, Queue(), self.account, engine,
            clock=self.clock, scheduler=self.agenda, latency=latency,
        )  # fmt: skip
        self.exchange.asked = []
        self.exchange.intents = self.intents
        self.router = Router({"venue": self.exchange}, self.journal, Recorder(), lambda change: None)
        self.vetoes: list[str] = []
        self.trader = Trader(
            "bot",
            {"venue": self.exchange},
            journal=self.journal,
            clock=self.clock,
            risk=RiskGate(RiskLimits(**limits)),
            prefix="b-1-",
            veto=lambda request, strategy: self.vetoes[0] if self.vetoes else None,
            tell_refusal=lambda order: self.agenda.at(
                self.clock.ts, lambda: self.router.refused(self.host, order, self.clock.ts)
            ) and None,
        )  # fmt: skip
        self.bot = Bot()
        self.host = Host(self.bot, self.trader, keep_going=True, on_failed=lambda host: None)
        account = AccountView(self.exchange, lambda: iter(()))
        view = MarketView(instrument, self.exchange, self.trader, ["1m"], account=account)
        desk = Desk(
            name="bot", markets=[view], trader=self.trader, clock=self.clock, scheduler=self.agenda,
            chance=Chance(1), state={}, log=get_logger("bot"), guard=self.host.guard,
        )  # fmt: skip
        hand_over(self.bot, desk)
        self.router.seat(self.host, [view], frozenset(), "b-1-")
        self.exchange.connect(self.router.listener("venue"))

    def wait(self, ns: int = 10_000) -> None:
        """Let time pass."""
        until = self.clock.ts + ns
        self.agenda.run_until(until)
        self.clock.set(until)

    def quote(self, bid: float, ask: float, size: float = 1e6) -> None:
        """The market's best bid and ask."""
        self._row(Rows.QUOTE, bid, ask, size, size)

    def trade(self, price: float, qty: float, side: int) -> None:
        """A public trade; `side` is the taker's."""
        self._row(Rows.TRADE, side, price, qty)

    def intents(self) -> list[tuple[Any, ...]]:
        """Rows of the journal: (ts, strategy, kind, order id, ..., qty, price, flags, tag)."""
        return [row[2:] for row in read_rows(self.journal.path, "intents", "run")]

    def kinds(self) -> list[str]:
        """The requests so far, in words."""
        return [row[2] for row in self.intents()]

    def resting(self) -> list[tuple[str, float, float]]:
        """The account's orders as the exchange has them: side, price, what is left."""
        instrument = self.instrument
        orders = self.account.orders.values()
        return sorted(
            (order.request.side.value, instrument.price(order.ticks or 0), instrument.qty(order.leaves))
            for order in orders
        )

    @property
    def held(self) -> float:
        """The position by the strategy's own books."""
        return self.bot.position.qty

    def _row(self, kind: Rows, *values: float) -> None:
        self.agenda.run_until(self.clock.ts)
        columns = tuple(np.array([value], np.int64 if kind is Rows.TRADE and not at else np.float64)
                        for at, value in enumerate(values))  # fmt: skip
        handler = self.exchange.handler(Batch("ABC", kind, np.array([self.clock.ts], np.int64), columns))
        assert handler is not None
        handler(0)
        due, self.exchange.due[:] = self.exchange.due[:], []
        for call in due:
            call()
        self.exchange.settle()


@pytest.fixture
def instrument() -> Instrument:
    return make_instrument()


@pytest.fixture
def make_room(tmp_path: Path, instrument: Instrument) -> Iterator[Callable[..., Room]]:
    """Rooms: `make_room(latency=..., mode=..., max_position=...)`; the market stands at 99.5 / 100.5."""
    rooms: list[Room] = []

    def make(
        *, latency: int = 0, mode: PositionMode = PositionMode.ONE_WAY, market: Instrument = instrument, **limits: Any
    ) -> Room:
        room = Room(tmp_path / str(len(rooms)), market, mode=mode, latency=latency, **limits)
        rooms.append(room)
        room.quote(99.5, 100.5)
        return room

    yield make
    for room in rooms:
        room.journal.close("", "")


@pytest.fixture
def room(make_room: Callable[..., Room]) -> Room:
    return make_room()
