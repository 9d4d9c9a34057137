"""Values for engine tests."""

import pytest

from tests.matching.venue import Venue


@pytest.fixture
def venue() -> Venue:
    """XBTUSD (lot 100, tick 0.5) with a book: bids 99 and 98 (in ticks of 0.5, far from any real price), asks 101, 102.

    The prices are small so that they can be read; what money they are worth does not matter to a queue.
    """
    venue = Venue(xbt=10**15)
    venue.book({99: 500, 98: 700}, {101: 400, 102: 600})
    return venue
