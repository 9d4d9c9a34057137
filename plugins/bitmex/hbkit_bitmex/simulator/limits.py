"""Rate limits: token buckets per key and per address, their headers, and the ban of who goes on (protocol 6).

They count on the wall clock: a fast market gives nobody more requests.
"""

from __future__ import annotations

from dataclasses import dataclass

from hbkit.clock import SECOND
from hbkit_bitmex.simulator.refusals import Refusal

KEY_MINUTE, ADDRESS_MINUTE, SECOND_LAYER = 120, 30, 10
CONNECTS_PER_SECOND, CONNECTS_PER_HOUR = 3, 720
BAN_AFTER, BAN_SECONDS = 20, 60


class Bucket:
    """Tokens that come back continuously."""

    def __init__(self, size: int, seconds: float, now: int) -> None:
        self.size = size
        self._per_ns = size / (seconds * SECOND)
        self._tokens = float(size)
        self._at = now

    def fill(self, now: int) -> None:
        """Take account of the time that went by."""
        self._tokens = min(self.size, self._tokens + (now - self._at) * self._per_ns)
        self._at = now

    def has(self) -> bool:
        """Whether a call may be made."""
        return self._tokens >= 1 - 1e-9

    def take(self) -> None:
        """A call is made."""
        self._tokens -= 1

    @property
    def remaining(self) -> int:
        """Whole tokens left."""
        return max(0, int(self._tokens + 1e-9))

    def full_at(self, now: int) -> int:
        """The Unix second at which it is full again."""
        return -int(-(now + (self.size - self._tokens) / self._per_ns) // SECOND)

    def wait_seconds(self) -> int:
        """Whole seconds until the next token, at least one."""
        return max(1, -int(-(1 - self._tokens) / self._per_ns // SECOND))


@dataclass
class _Owner:
    minute: Bucket
    second: Bucket
    refused: int = 0
    banned_until: int = 0


class Limits:
    """Both layers for keys, the first for addresses."""

    def __init__(self, *, on: bool) -> None:
        self._on = on
        self.turned_down = 0
        """Calls over the limit, of everybody."""
        self._owners: dict[str, _Owner] = {}
        self._connects: dict[str, tuple[Bucket, Bucket]] = {}

    def _owner(self, name: str, size: int, now: int) -> _Owner:
        owner = self._owners.get(name)
        if owner is None:
            owner = self._owners[name] = _Owner(Bucket(size, 60, now), Bucket(SECOND_LAYER, 1, now))
        return owner

    def admit(self, key: str | None, address: str, now: int, *, second: bool = False) -> tuple[dict[str, str], bool]:
        """Take a token; the headers of the answer, and False when the call is over the limit (a 429 takes none)."""
        size = KEY_MINUTE if key is not None else ADDRESS_MINUTE
        owner = self._owner(f"key {key}" if key is not None else f"address {address}", size, now)
        if owner.banned_until > now:
            raise Refusal(403, "Forbidden")
        layers = [owner.minute, *((owner.second,) if second else ())]
        for bucket in layers:
            bucket.fill(now)
        short = next((bucket for bucket in layers if not bucket.has()), None) if self._on else None
        if short is None:
            owner.refused = 0
            for bucket in layers:
                if self._on:
                    bucket.take()
            return self._headers(owner, layers, now), True
        owner.refused += 1
        self.turned_down += 1
        if owner.refused > BAN_AFTER:
            owner.banned_until, owner.refused = now + BAN_SECONDS * SECOND, 0
        return {**self._headers(owner, layers, now), "retry-after": str(short.wait_seconds())}, False

    @staticmethod
    def _headers(owner: _Owner, layers: list[Bucket], now: int) -> dict[str, str]:
        headers = {
            "x-ratelimit-limit": str(owner.minute.size),
            "x-ratelimit-remaining": str(owner.minute.remaining),
            "x-ratelimit-reset": str(owner.minute.full_at(now)),
        }
        if owner.second in layers:
            headers["x-ratelimit-remaining-1s"] = str(owner.second.remaining)
        return headers

    def connect(self, address: str, now: int) -> int | None:
        """A new socket: how many more are allowed this hour, None when this one is too much."""
        buckets = self._connects.get(address)
        if buckets is None:
            buckets = Bucket(CONNECTS_PER_SECOND, 1, now), Bucket(CONNECTS_PER_HOUR, 3600, now)
            self._connects[address] = buckets
        for bucket in buckets:
            bucket.fill(now)
        if self._on:
            if not all(bucket.has() for bucket in buckets):
                return None
            for bucket in buckets:
                bucket.take()
        return buckets[1].remaining
