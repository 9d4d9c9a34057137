"""A set of ids that forgets its oldest, so that weeks of executions do not fill the memory."""

from __future__ import annotations

from collections.abc import Hashable

KEPT = 200_000
"""Far more than a minute of executions, which is how far back repeats are asked for."""


class Seen:
    """Which ids have been there before."""

    def __init__(self, keep: int = KEPT) -> None:
        self._keep = keep
        self._ids: dict[Hashable, None] = {}

    def is_new(self, key: Hashable) -> bool:
        """True the first time; the id is remembered."""
        if key in self._ids:
            return False
        self._ids[key] = None
        if len(self._ids) > self._keep:
            del self._ids[next(iter(self._ids))]
        return True
