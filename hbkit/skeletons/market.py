"""Where the config of a skeleton trades: an exchange and one of its instruments, as the caller has chosen them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Market:
    """One instrument of one installed exchange."""

    exchange: str
    """The plugin's name."""
    symbol: str
    qty: str
    """A small quantity of it, as decimal text: one lot, in its unit of qty."""
    distribution: str
    """What has to be installed for it."""
