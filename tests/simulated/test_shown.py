"""What is told of a book: as many levels as the venue tells, whatever comes and goes."""

import random
from decimal import Decimal

import pytest

from hbkit.clock import SECOND
from hbkit.matching import Engine, Queue
from hbkit.model import Currency, Instrument, InstrumentKind, Side
from hbkit.simulated.shown import ECHOES, Shown

ABC = Instrument(
    exchange="venue", symbol="ABC", unified="ABC/USD:USD", kind=InstrumentKind.LINEAR, base="ABC", quote="USD",
    settle=Currency("USD", 2), tick_size=Decimal(1), lot_size=Decimal(1), unit_size=Decimal(1), multiplier=Decimal(100),
    maker_fee=Decimal(0), taker_fee=Decimal(0),
)  # fmt: skip


@pytest.mark.parametrize("depth", [0, 1, 2, 5])
def test_the_best_levels_of_the_whole_are_told_and_only_when_one_of_them_changed(depth: int) -> None:
    chance = random.Random(depth)
    market = Engine(str).add_market(ABC, Queue(), has_book=True)
    shown = Shown(market, depth)
    shown.want_book()
    seen: set[bool] = set()
    for step in range(3_000):
        for _ in range(chance.randint(1, 5)):
            side = chance.choice(list(Side))
            ticks = chance.randint(1, 12) + (20 if side is Side.SELL else 0)
            market.level(side, ticks, chance.choice((0, 0, 1, 2, 3)))
            shown.touch(side, ticks)
        before = shown.book.bids(99), shown.book.asks(99)
        changed = shown.follow(step)
        after = shown.book.bids(99), shown.book.asks(99)
        assert after == (market.book.bids(depth or 99), market.book.asks(depth or 99))
        assert changed is (before != after)
        seen.add(changed)
    assert seen == {True, False}


def test_echoes_are_as_many_as_a_venue_lets_one_act() -> None:
    shown = Shown(Engine(str).add_market(ABC, Queue(), has_book=True))
    assert sum(shown.may_echo(SECOND) for _ in range(500)) == ECHOES
    # One more each half second; what is over of 0.6 s counts for the next.
    assert [shown.may_echo(SECOND + at * SECOND // 10) for at in (3, 6, 9, 10, 11)] == [False, True, False, True, False]
