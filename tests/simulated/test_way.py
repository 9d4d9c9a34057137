"""What is under way for an order, and in which order it leaves."""

from collections.abc import Callable
from decimal import Decimal
from itertools import count

from hbkit.agenda import Agenda
from hbkit.clock import ManualClock
from hbkit.matching import Account, Engine, Queue
from hbkit.model import (
    Currency,
    Instrument,
    InstrumentKind,
    OrderReport,
    OrderRequest,
    OrderStatus,
    OrderType,
    PositionSide,
    Side,
    TimeInForce,
)
from hbkit.simulated.way import WITHDRAWN, Way, Wish

USD = Currency("USD", 2)
ABC = Instrument(
    exchange="venue", symbol="ABC", unified="ABC/USD:USD", kind=InstrumentKind.LINEAR, base="ABC", quote="USD",
    settle=USD, tick_size=Decimal(1), lot_size=Decimal(1), unit_size=Decimal(1), multiplier=Decimal(100),
    maker_fee=Decimal(0), taker_fee=Decimal(0),
)  # fmt: skip
LATE = 50


class Room:
    """A book of 90 to 110, and the requests of one account with a latency of 50."""

    def __init__(self) -> None:
        self.clock = ManualClock(0)
        self.agenda = Agenda(self.clock)
        ids = count(1)
        self.engine = Engine(lambda: f"x{next(ids)}")
        market = self.engine.add_market(ABC, Queue(), has_book=True)
        for side, ticks in ((Side.BUY, 90), (Side.SELL, 110)):
            market.level(side, ticks, 100)
        self.account = Account("venue", {USD: 100_000_00}, self.engine.reference_price)
        self.engine.add_account(self.account)
        self.told: list[tuple[int, str, str, int | None]] = []
        self.react: Callable[[OrderReport], object] = lambda report: None
        self.steps = 0
        self.way = Way(
            self.engine,
            self.account,
            clock=self.clock,
            scheduler=self.agenda,
            arrival=lambda: self.clock.ts + LATE,
            soon=lambda call: self.agenda.at(self.clock.ts, call),
            on_arrived=self.arrived,
            on_withdrawn=self.tell,
        )

    def arrived(self) -> None:
        self.steps += 1
        events, self.engine.out = self.engine.out, []
        for event in events:
            if isinstance(event, OrderReport):
                self.tell(event)

    def tell(self, report: OrderReport) -> None:
        self.told.append((self.clock.ts, report.id, report.refused or report.status.value, report.ticks))
        self.react(report)

    def submit(self, order_id: str, ticks: int = 91) -> None:
        self.way.submit(
            OrderRequest(
                id=order_id, instrument=ABC, side=Side.BUY, position_side=PositionSide.NET, type=OrderType.LIMIT,
                units=1, ticks=ticks, time_in_force=TimeInForce.GTC,
            )
        )  # fmt: skip

    def at(self, ts: int, *calls: Callable[[], object]) -> None:
        for call in calls:
            self.agenda.at(ts, lambda call=call: call() and None)  # type: ignore[misc]

    def play(self) -> list[tuple[int, str, str, int | None]]:
        self.agenda.run_until(10_000)
        return self.told


def test_what_is_asked_of_an_order_under_way_leaves_when_it_is_answered() -> None:
    room = Room()
    room.at(0, lambda: room.submit("a"), lambda: room.submit("b"))
    room.at(10, lambda: room.way.amend("a", Wish(92, None)), lambda: room.way.cancel("b"))
    told = room.play()
    assert told[:2] == [(50, "a", "open", 91), (50, "b", "open", 91)]
    assert told[2:] == [(100, "a", "open", 92), (100, "b", "canceled", 91)]


def test_of_changes_that_wait_only_the_last_is_sent() -> None:
    room = Room()
    room.at(0, lambda: room.submit("a"))
    for ts, ticks in ((100, 92), (110, 93), (120, 94)):
        room.at(ts, lambda ticks=ticks: room.way.amend("a", Wish(ticks, None)))  # type: ignore[misc]
    assert room.play() == [(50, "a", "open", 91), (150, "a", "open", 92), (200, "a", "open", 94)]


def test_changes_of_one_moment_are_one_change() -> None:
    room = Room()
    room.at(0, lambda: room.submit("a"))
    room.at(100, lambda: [room.way.amend("a", Wish(ticks, None)) for ticks in (92, 93)])
    assert room.play() == [(50, "a", "open", 91), (150, "a", "open", 93)]


def test_a_refused_change_is_not_told_where_a_later_one_follows() -> None:
    room = Room()
    room.at(0, lambda: room.submit("a"))
    room.at(100, lambda: room.way.amend("a", Wish(91, None)))  # nothing to change
    room.at(110, lambda: room.way.amend("a", Wish(93, None)))
    assert room.play() == [(50, "a", "open", 91), (200, "a", "open", 93)]
    room.at(20_000, lambda: room.way.amend("a", Wish(93, None)))
    room.agenda.run_until(30_000)
    assert room.told[-1] == (20_050, "a", "amend", 93)


def test_an_order_that_is_taken_away_in_its_own_moment_never_leaves() -> None:
    room = Room()
    reasons: list[str] = []
    room.react = lambda report: reasons.append(report.reason)
    room.at(0, lambda: [room.submit("a"), room.way.amend("a", Wish(92, None)), room.way.cancel("a")])
    assert room.play() == [(0, "a", "canceled", 91)]
    assert (reasons, room.steps) == ([WITHDRAWN], 0)


def test_cancels_of_one_moment_are_one_request_and_keep_their_place_among_the_others() -> None:
    room = Room()
    room.at(0, *(lambda name=name: room.submit(name) for name in "abcd"))  # type: ignore[misc]
    room.at(100, lambda: [room.way.cancel("a"), room.way.cancel("b"), room.submit("e"), room.way.cancel("c")])
    room.at(101, lambda: room.way.cancel("d"))
    told = room.play()[4:]
    assert [what[:3] for what in told] == [
        (150, "a", "canceled"), (150, "b", "canceled"), (150, "e", "open"), (150, "c", "canceled"),
        (151, "d", "canceled"),
    ]  # fmt: skip
    assert room.steps == 4 + 4


def test_a_cancel_in_answer_to_a_cancel_is_not_lost() -> None:
    room = Room()
    room.at(0, *(lambda name=name: room.submit(name) for name in "ab"))  # type: ignore[misc]
    room.at(100, lambda: room.way.cancel("a"))
    room.react = lambda report: report.status is OrderStatus.CANCELED and report.id == "a" and room.way.cancel("b")
    assert [what[:3] for what in room.play()[2:]] == [(150, "a", "canceled"), (200, "b", "canceled")]
    assert not room.way.is_placing


def test_what_waited_leaves_before_what_is_asked_for_in_answer_to_the_news() -> None:
    room = Room()
    room.at(0, lambda: room.submit("a"))
    room.at(10, lambda: room.way.amend("a", Wish(92, None)))
    room.react = lambda report: report.ticks == 91 and room.way.cancel("a")
    assert room.play() == [(50, "a", "open", 91), (100, "a", "open", 92), (100, "a", "canceled", 92)]
