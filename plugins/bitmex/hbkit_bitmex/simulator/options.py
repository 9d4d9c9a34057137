"""What one can choose when a simulator is started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hbkit.clock import HOUR
from hbkit_bitmex.simulator.faults import PlannedFault
from hbkit_bitmex.simulator.shapes import Shape

DEFAULT_ACCOUNTS = (("demo", "demo-secret"),)
"""The account that every simulator knows."""
FIRST_ACCOUNT = 100_001
KEEP_ALIVE_SECONDS = 90.0
"""As the exchange kept idle connections (section 1)."""
STARTING_BALANCES = {"XBt": 100_000_000, "USDt": 10_000_000_000, "Gwei": 10_000_000_000}
"""Protocol 17.3, in minor units."""


@dataclass(frozen=True)
class PlannedKey:
    """A key of such an account; without permissions it reads."""

    name: str
    secret: str = field(repr=False)
    permissions: frozenset[str] = frozenset()
    cidrs: tuple[str, ...] = ()
    enabled: bool = True
    row_shape: Shape | None = None
    """None for that of the simulator."""


@dataclass(frozen=True)
class PlannedAccount:
    """An account that is described in full; balances in minor units by minor code, None for the usual ones."""

    keys: tuple[PlannedKey, ...]
    balances: Mapping[str, int] | None = None


@dataclass(frozen=True)
class Options:
    """All defaults are those of the command line."""

    host: str = "127.0.0.1"
    port: int = 0
    """0 lets the system choose."""
    path: str | None = None
    """Listen at this path (a name on a virtual loop) instead of on host and port."""
    speed: float = 1.0
    """Seconds of the market per second of the wall."""
    seed: int = 1
    data: tuple[str, ...] = ("bitmex-2019-05-29",)
    """Tapes to play, by name."""
    accounts: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Key and secret of further accounts; `demo` is always there."""
    planned: tuple[PlannedAccount, ...] = ()
    """Accounts with balances and permissions of their own."""
    faults: tuple[PlannedFault, ...] = ()
    """What goes wrong when."""
    bulk_orders: bool = False
    """Whether `/order/bulk` is served, which the exchange took away (protocol 4.8)."""
    row_shape: Shape = Shape.SPARSE
    """How rows are sent to everybody whose key says nothing else (protocol 0.3)."""
    limits: bool = True
    """Whether requests are counted (protocol 6)."""
    history: int = 2 * HOUR
    """How much of the tape is past when the simulator starts: what `/trade/bucketed` can answer at once."""

    start: int | None = None
    """Where on the tape it begins, ns, in whole minutes; what lies before is the history."""
    latency: int = 0
    """What placing, amending and cancelling need on their way here, ns; all else, and every answer, takes no time."""
    state: str | None = None
    """The file in which everything outlives the process; None to keep it in memory."""
    keep_alive: float = KEEP_ALIVE_SECONDS
    """How long an idle connection is kept, in seconds."""

    @property
    def all_accounts(self) -> tuple[tuple[str, str], ...]:
        """Every key with its secret; a key named twice has the last secret."""
        return tuple(dict((*DEFAULT_ACCOUNTS, *self.accounts)).items())
