"""What FakeExchange declares: everything that the contract suite has a case for."""

from __future__ import annotations

from hbkit.exchange import Capabilities, Channel

CAPABILITIES = Capabilities(
    channels=frozenset(Channel),
    candle_intervals=("1m",),
    post_only=True,
    reduce_only=True,
    time_in_force=frozenset({"gtc", "ioc", "fok", "day"}),
    amend=True,
    triggers=True,
    display_qty=True,
    hedge_mode=True,
    leverage=True,
)
