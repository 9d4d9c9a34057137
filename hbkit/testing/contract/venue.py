"""The venue behind a connector, as the contract suite handles it: it moves the market, breaks things, tells the truth.

An author fills this in once, over the venue's simulator or a venue of their own in memory. Everything is done at once,
by plain calls; the news of it is then on its way to the connector. Prices are ticks, quantities units of `instrument`.
What a handle cannot do raises NotStaged, which leaves the cases that need it open.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from hbkit.clock import Clock
from hbkit.exchange import Address, Holding
from hbkit.log import Secret
from hbkit.model import Execution, Instrument, OrderReport, PositionMode, PositionSide, Side
from hbkit.testing.contract.case import NotStaged


class Venue(ABC):
    """One account and one market that nobody else trades in.

    When it is handed over, the book has levels of at least 1,000 lots on both sides, at least ten ticks apart, and the
    account can pay for some hundred lots.
    """

    instruments: Mapping[str, Instrument]
    """What the connector is handed."""
    instrument: Instrument
    """The market of the cases."""
    address: Address
    key: str
    secret: Secret
    clock: Clock
    """The venue's own."""

    @abstractmethod
    def connector(self) -> Any:
        """What `Connection.connector` is to make: an aiohttp.UnixConnector to the venue's path on this loop."""

    # -- the market

    def market(self, symbol: str) -> Venue:
        """The handle on another market of the same account; every case is content with one."""
        if symbol != self.instrument.symbol:
            raise NotStaged(f"the handle stages {self.instrument} alone, not {symbol}")
        return self

    @abstractmethod
    def level(self, side: Side, ticks: int, units: int) -> None:
        """An outside level has a new size; 0 takes it away."""

    @abstractmethod
    def trade(self, side: Side, ticks: int, units: int) -> None:
        """Somebody takes: told as a print, and filled by orders of the account that stand there alone."""

    @abstractmethod
    def book(self, side: Side) -> dict[int, int]:
        """Units by ticks, orders of the account left out."""

    def quote(self, bid: int, ask: int, units: int) -> None:
        """The whole outside book moves: five levels of this size on each side, from these best prices on."""
        wanted = {Side.BUY: range(bid, bid - 5, -1), Side.SELL: range(ask, ask + 5)}
        gone = [(side, ticks) for side in Side for ticks in self.book(side) if ticks not in wanted[side]]
        # What would be crossed by the new levels goes before they come, the rest of the old ones after them.
        crossed = [one for one in gone if (one[1] <= bid if one[0] is Side.SELL else one[1] >= ask)]
        for side, ticks in crossed:
            self.level(side, ticks, 0)
        for side, levels in wanted.items():
            for ticks in levels:
                self.level(side, ticks, units)
        for side, ticks in gone:
            if (side, ticks) not in crossed:
                self.level(side, ticks, 0)

    def mark(self, price: float) -> None:
        """The mark price moves."""
        raise NotStaged(f"the handle moves no mark to {price}")

    def fund(self, rate: float) -> None:
        """A funding takes place now, at this rate: longs pay shorts where it is above 0."""
        raise NotStaged(f"the handle has no funding at {rate}")

    def shown(self, side: Side, ticks: int) -> int:
        """Units that the market sees at a price, orders of the account among them."""
        raise NotStaged(f"the handle does not say what the market sees at {ticks} ticks of {side}")

    # -- the truth

    @abstractmethod
    def orders(self) -> list[OrderReport]:
        """Every order of the account that the venue ever took, as it stands, oldest first."""

    @abstractmethod
    def executions(self) -> list[Execution]:
        """Every trade of the account, oldest first; fundings are left out."""

    @abstractmethod
    def positions(self) -> list[Holding]:
        """What the account holds; `cost` is not compared."""

    @property
    @abstractmethod
    def connections(self) -> int:
        """How many connections are open, of either sort."""

    @property
    def too_fast(self) -> int:
        """How many requests were refused for coming too fast."""
        raise NotStaged("the handle does not count refused requests")

    @property
    def mode(self) -> PositionMode:
        """The account's position mode."""
        return PositionMode.ONE_WAY

    def set_mode(self, mode: PositionMode) -> None:
        """The account's mode is changed by somebody else."""
        raise NotStaged(f"the handle does not switch to {mode}")

    def leverage(self, side: PositionSide = PositionSide.NET) -> float:
        """The leverage in force, of a leg where there are legs; 0 for cross margin."""
        raise NotStaged(f"the handle does not tell the leverage of {side}")

    # -- what goes wrong

    @abstractmethod
    def cut(self) -> None:
        """Every socket breaks at once, without a goodbye."""

    def lose_reply(self, request: str) -> None:
        """The next request of a sort (`submit`, `amend` or `cancel`) is done, its answer is lost."""
        raise NotStaged(f"the handle loses no reply of a {request}")

    def lose_request(self, request: str) -> None:
        """The next request of a sort never arrives."""
        raise NotStaged(f"the handle loses no {request}")

    def late_reply(self, request: str, seconds: float) -> None:
        """The next request of a sort is done at once, its answer comes later than the news of the stream."""
        raise NotStaged(f"the handle makes no answer to a {request} {seconds:g} s late")

    def repeat(self) -> None:
        """From now on every message about the account comes twice."""
        raise NotStaged("the handle repeats no message")

    def early_update(self) -> None:
        """From now on whoever asks for the book is sent an update of it before its snapshot."""
        raise NotStaged("the handle sends no update before a snapshot")

    def cross(self) -> None:
        """Send one message after which the book would be crossed; the venue's own book is not."""
        raise NotStaged("the handle sends no crossed book")
