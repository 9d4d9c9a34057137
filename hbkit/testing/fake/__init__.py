"""A small connector and the venue in memory behind it: the model for authors, and the proof that the suite is fair."""

from hbkit.testing.fake.exchange import FakeExchange
from hbkit.testing.fake.venue import COIN, FakeVenue

__all__ = ["COIN", "FakeExchange", "FakeVenue"]
