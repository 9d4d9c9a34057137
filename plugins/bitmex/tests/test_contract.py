"""BitMEX's connector against its simulator, case by case; what it does not pass stands in `known` of its suite."""

from hbkit_bitmex.compliance import BitmexContract, BitmexSpotContract


class TestBitmexPerpetual(BitmexContract):
    """C01 and on."""


class TestBitmexSpot(BitmexSpotContract):
    """The same, less what spot has none of."""
