"""What happens to the whole venue on request: sockets that break or go deaf, halts, a restart; and the plan of a file.

Faults that hit single requests and frames are looked up where these go by (`faults`); all of them begin and end here,
so that one that ends by itself (`for`) or is called off (`DELETE /control/faults`) undoes what it did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from heapq import heapify, heappop, heappush
from typing import Any

from hbkit_bitmex.simulator.drive import Drive
from hbkit_bitmex.simulator.faults import Fault, Faults, Misuse, PlannedFault
from hbkit_bitmex.simulator.halts import Halts
from hbkit_bitmex.simulator.hub import SERVICE_RESTART, Client, Hub
from hbkit_bitmex.simulator.venue import Venue


class Incidents:
    """Begins and ends the faults of one simulator."""

    def __init__(self, venue: Venue, drive: Drive, hub: Hub, faults: Faults) -> None:
        self._venue = venue
        self._drive = drive
        self._hub = hub
        self._faults = faults
        self._halts = Halts(venue)
        self._deaf: dict[Fault, list[Client]] = {}
        self._timers: set[asyncio.TimerHandle] = set()

    # -- begin and end

    def begin(self, fault: Fault) -> Any:
        """Let it happen, or switch it on; the answer of the control route. Raises Misuse for an unknown symbol."""
        if fault.fault == "cut":
            return {"cut": self._hub.cut(fault.account)}
        if fault.fault == "restart":
            return self._restart(fault)
        if fault.fault == "halt":
            self._halt(fault)
        elif fault.fault == "half_open":
            self._deaf[fault] = self._hub.deafen(fault.account)
        self._faults.add(fault)
        if fault.last is not None:
            self._later(fault.last, lambda: self.end(fault))
        return self._faults.rows()

    def end(self, fault: Fault) -> None:
        """Call it off; nothing where it has ended already."""
        if fault not in self._faults:
            return
        self._faults.remove(fault)
        if fault.fault == "halt":
            self._drive.intervene(lambda: self._halts.end(fault))
        for client in self._deaf.pop(fault, ()):
            client.abort()

    def clear(self) -> None:
        """Call all of them off; a restart goes its way."""
        for fault in self._faults.active():
            self.end(fault)

    def stop(self) -> None:
        """The simulator ends: nothing happens any more."""
        for timer in self._timers:
            timer.cancel()

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        def fire() -> None:
            self._timers.discard(timer)
            call()

        timer = asyncio.get_running_loop().call_later(seconds, fire)
        self._timers.add(timer)

    # -- the large ones

    def _halt(self, fault: Fault) -> None:
        known = {symbol.upper(): symbol for symbol in self._venue.markets}
        if fault.symbol and fault.symbol.upper() not in known:
            raise Misuse("symbol", f'there is no market "{fault.symbol[:40]}"; write one such as XBTUSD')
        symbols = [known[fault.symbol.upper()]] if fault.symbol else list(known.values())
        self._drive.intervene(lambda: self._halts.begin(fault, symbols), symbols if fault.symbol else ())

    def _restart(self, fault: Fault) -> Any:
        """Away, and back. What trades elsewhere meanwhile meets nobody here, and triggers nothing."""
        if self._faults.is_away:
            return {"restart": fault.seconds, "memory": fault.memory, "away": True}
        self._faults.is_away = True
        self._drive.intervene(lambda: self._halts.begin(fault, self._venue.markets))
        for client in list(self._hub.clients):
            if client.is_deaf:
                client.abort()
            else:
                client.close(SERVICE_RESTART)
        self._later(fault.seconds, lambda: self._return(fault))
        return {"restart": fault.seconds, "memory": fault.memory}

    def _return(self, fault: Fault) -> None:
        def back() -> None:
            if not fault.memory:
                self._venue.forget()
            self._halts.end(fault)

        self._drive.intervene(back)
        self._faults.is_away = False

    # -- a plan

    async def run(self, plan: Sequence[PlannedFault]) -> None:
        """Everything in a plan at its time, in the order in which it was written."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        due = [(planned.at, number, planned) for number, planned in enumerate(plan)]
        heapify(due)
        while due:
            at, number, planned = heappop(due)
            await asyncio.sleep(begun + at - loop.time())
            self.begin(replace(planned.fault))
            if planned.every is not None:
                heappush(due, (at + planned.every, number, planned))
