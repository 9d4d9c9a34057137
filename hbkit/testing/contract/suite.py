"""All cases in one class, and how one of them is played."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import ClassVar
from unittest import SkipTest

from hbkit.exchange import Connection, Exchange
from hbkit.net.virtual import VirtualLoop, run_virtual
from hbkit.testing.contract.case import Broken, Case, NotDeclared
from hbkit.testing.contract.data import DataCases
from hbkit.testing.contract.faults import FaultCases
from hbkit.testing.contract.legs import LegCases
from hbkit.testing.contract.score import State, outcome
from hbkit.testing.contract.special import SpecialCases
from hbkit.testing.contract.stage import Stage
from hbkit.testing.contract.trading import TradingCases
from hbkit.testing.contract.triggers import TriggerCases
from hbkit.testing.contract.venue import Venue


class ConnectorContract(DataCases, TradingCases, SpecialCases, TriggerCases, LegCases, FaultCases):
    """Subclass it with the two things that are yours: the connector, and the venue behind it."""

    connector: Callable[[Connection], Exchange]
    """Makes the connector; its class does."""
    symbols: ClassVar[Sequence[str]] = ()
    """Markets to stage, the first one for the cases; a venue that has only one leaves it empty."""
    known: ClassVar[Mapping[str, str]] = {}
    """Cases that do not pass yet, by number, with the reason: shown as failed, and expected to."""

    def venue(self, loop: VirtualLoop) -> AbstractAsyncContextManager[Venue]:
        """The venue on this loop, from its first moment to its last."""
        raise NotImplementedError(f"{type(self).__name__} has to say what its venue is on {loop}")

    def check(self, found: Case) -> None:
        """Play one case for pytest: one that is known to fail is skipped with its reason, and may not pass unseen."""
        __tracebackhide__ = True
        reason = self.known.get(found.number)
        if reason is None:
            self.play(found)
            return
        result = outcome(self, found)
        if result.state is not State.FAILED:
            raise AssertionError(f"{found.number} is {result.state}; take it out of `known`")
        raise SkipTest(f"known to fail: {reason}")

    def play(self, found: Case) -> None:
        """Play one case; raises Broken, NotDeclared, NotStaged, or what the connector raised."""
        __tracebackhide__ = True
        run_virtual(lambda loop: self._main(found, loop))

    async def _main(self, found: Case, loop: VirtualLoop) -> None:
        __tracebackhide__ = True
        async with self.venue(loop) as venue:
            stage = Stage(loop, venue, type(self).connector)
            missing = found.missing(stage.declared, venue.instrument)
            if missing:
                raise NotDeclared(missing)
            try:
                async with asyncio.timeout(found.seconds):
                    await found.body(self, stage)
            except TimeoutError as late:
                await stage.strike_after(late)
                raise Broken(f"an end within {found.seconds:g} s", "it hangs", found.where) from late
            except BaseException as failure:
                await stage.strike_after(failure)
                raise
            await stage.strike()
