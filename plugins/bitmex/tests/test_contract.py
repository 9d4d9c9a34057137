"""BitMEX's connector against its simulator, case by case; what it does not pass stands in `BitmexContract.known`."""

from hbkit_bitmex.compliance import BitmexContract


class TestBitmex(BitmexContract):
    """C01 and on."""
