"""What the BitMEX connector can do today; the venue could do more, and `facts` says so."""

from __future__ import annotations

from hbkit import Capabilities, Channel

CONTRACTS = Capabilities(
    channels=frozenset(Channel),
    book_depth=25,
    candle_intervals=("1m", "5m", "1h", "1d"),
    post_only=True,
    reduce_only=True,
    time_in_force=frozenset({"gtc", "ioc", "fok", "day"}),
    amend=True,
    triggers=True,
    display_qty=True,
    hedge_mode=True,
    leverage=True,
)
SPOT = Capabilities(
    channels=frozenset({Channel.TRADE, Channel.QUOTE, Channel.BOOK, Channel.CANDLE}),
    book_depth=CONTRACTS.book_depth,
    candle_intervals=CONTRACTS.candle_intervals,
    post_only=True,
    time_in_force=CONTRACTS.time_in_force,
    amend=True,
    triggers=True,
    display_qty=True,
)
