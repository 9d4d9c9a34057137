"""Frames that reach a client later than they were made, or after the one that followed: what a fault asks for.

Without a fault nothing comes by here. Frames of one table keep their order where they lag, also when the fault is over.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol


class Receiver(Protocol):
    """A client."""

    def send(self, frame: bytes) -> None:
        """Queue a frame."""


class Lateness:
    """The late frames of all clients, by client and table."""

    def __init__(self) -> None:
        self._lagging: dict[tuple[Receiver, str], deque[tuple[float, bytes, asyncio.TimerHandle]]] = {}
        self._held: dict[tuple[Receiver, str], tuple[list[bytes], asyncio.TimerHandle]] = {}

    def __bool__(self) -> bool:
        return bool(self._lagging or self._held)

    def send(self, client: Receiver, table: str, frame: bytes, lag: float) -> None:
        """A frame that comes `lag` seconds late; behind those of its table that are late already."""
        key = client, table
        behind = self._lagging.get(key)
        if not lag and not behind:
            client.send(frame)
            self._follow(key)
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + lag
        if behind:
            due = max(due, behind[-1][0])
        timer = loop.call_at(due, self._arrive, key)
        self._lagging.setdefault(key, deque()).append((due, frame, timer))

    def _arrive(self, key: tuple[Receiver, str]) -> None:
        # Timers of one instant may fire in any order on a real loop; the frames leave in their own.
        behind = self._lagging[key]
        _, frame, _ = behind.popleft()
        if not behind:
            del self._lagging[key]
        key[0].send(frame)
        self._follow(key)

    def hold(self, client: Receiver, table: str, frame: bytes, seconds: float) -> None:
        """A frame that waits for the next one of its table, `seconds` at most."""
        key = client, table
        if key in self._held:
            self._held[key][0].append(frame)
            return
        timer = asyncio.get_running_loop().call_later(seconds, self._follow, key)
        self._held[key] = ([frame], timer)

    def _follow(self, key: tuple[Receiver, str]) -> None:
        """What was held back goes now."""
        held = self._held.pop(key, None)
        if held is None:
            return
        frames, timer = held
        timer.cancel()
        for frame in frames:
            key[0].send(frame)

    def forget(self, client: Receiver) -> None:
        """The client is gone."""
        for key in [key for key in self._lagging if key[0] is client]:
            for _, _, timer in self._lagging.pop(key):
                timer.cancel()
        for key in [key for key in self._held if key[0] is client]:
            self._held.pop(key)[1].cancel()
