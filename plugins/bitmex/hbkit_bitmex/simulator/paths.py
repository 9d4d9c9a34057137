"""Price paths that can be asked for any moment: what a market that nobody recorded is worth, drawn from the seed.

A path is a sum of waves of random knots, each four times as slow and twice as high as the one before, which over
seconds to days moves like a random walk. Nothing is remembered from one question to the next, so a market may sleep for
an hour and wake up where it would have been.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

from hbkit.clock import SECOND

_MASK = 2**64 - 1
_PERIODS = tuple(2 * 4**step for step in range(10))
"""Seconds between the knots of each wave: 2 s to 6 days."""
_HEIGHT = 0.00209
"""Of a wave of one second; chosen so that a day apart the path's two values differ by 1 (standard deviation)."""
_UNIFORM = 2.0**-16
JUMP_EVERY = 600
"""Seconds between the moments at which a gapping market may jump."""
JUMP_CHANCE = 0.3
TREND_HOURS = 4


@dataclass(frozen=True)
class Style:
    """How a synthetic market behaves; each number is a factor of the calm one's."""

    volatility: float = 1.0
    trend: float = 0.0
    """How far it drifts in four hours, as a fraction."""
    jump: float = 0.0
    """The largest jump, as a fraction; about two an hour."""
    spread: float = 1.0
    size: float = 1.0
    pace: float = 1.0


STYLES = {
    "calm": Style(),
    "trending": Style(volatility=0.7, trend=0.04),
    "gapping": Style(jump=0.02),
    "thin": Style(spread=8.0, size=0.03, pace=0.1),
}
"""What `--data synthetic:NAME` may name."""


def state_of(seed: int, name: str) -> int:
    """Where the hashes of a named stream begin."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest(), "big")


def mixed(state: int, number: int) -> int:
    """64 bits out of a stream and a number (the finaliser of splitmix64)."""
    bits = ((state ^ (number & _MASK)) + 0x9E3779B97F4A7C15) & _MASK
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & _MASK
    return bits ^ (bits >> 31)


def normal(bits: int) -> float:
    """About normally distributed, from -3.5 to 3.5: the sum of four uniform numbers, alike on every machine."""
    total = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48)
    return (total * _UNIFORM - 2.0) * 1.7320508075688772


def uniform(bits: int) -> float:
    """From 0 to 1."""
    return (bits >> 11) * 2.0**-53


class Path:
    """The logarithm of a price over time; its standard deviation over a day is `daily`."""

    def __init__(self, seed: int, name: str, daily: float, style: Style) -> None:
        self._state = state_of(seed, name)
        self._waves = [
            (period, _HEIGHT * math.sqrt(period) * daily * style.volatility, mixed(self._state, index))
            for index, period in enumerate(_PERIODS)
        ]
        self._style = style
        self._jumps = [0.0]
        self._scale = daily
        self._start = 0.0
        self._start = self.at(0)

    def at(self, ns: int) -> float:
        """How far the logarithm has moved since 0; `ns` may be negative, but jumps begin at 0."""
        seconds = ns / SECOND
        value = -self._start
        for period, height, state in self._waves:
            knot, part = divmod(seconds, period)
            before = normal(mixed(state, int(knot)))
            value += height * (before + (normal(mixed(state, int(knot) + 1)) - before) * part / period)
        if self._style.trend:
            value += self._trend(seconds)
        if self._style.jump and seconds > 0:
            value += self._jumped(int(seconds // JUMP_EVERY))
        return value

    def _trend(self, seconds: float) -> float:
        """Straight lines up or down, each of some hours, so that over weeks a price stays where it is."""
        period = TREND_HOURS * 3600
        knot, part = divmod(seconds, period)
        first, second = (self._style.trend * normal(mixed(self._state, 1000 + int(knot) + step)) for step in (0, 1))
        return first + (second - first) * part / period

    def _jumped(self, count: int) -> float:
        """The sum of all jumps until then."""
        while len(self._jumps) <= count:
            bits = mixed(self._state, 10**6 + len(self._jumps))
            size = (2 * uniform(mixed(bits, 1)) - 1) * self._style.jump if uniform(bits) < JUMP_CHANCE else 0.0
            # Half of where the jumps have led is taken back with each: prices stay within sight of the anchor.
            self._jumps.append(self._jumps[-1] * (0.5 if size else 1.0) + size)
        return self._jumps[count]
