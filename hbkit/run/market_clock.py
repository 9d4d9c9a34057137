"""Where a simulator's market stands: its clock may run faster, begin elsewhere, and be pushed forward by hand."""

from __future__ import annotations

import aiohttp

from hbkit.clock import ShiftedClock
from hbkit.errors import ExchangeError

CLOCK_ROUTE = "/control/clock"
_SECONDS = 10.0


async def read_clock(http: aiohttp.ClientSession, base: str, clock: ShiftedClock) -> float:
    """Set `clock` to that of the simulator at `base`; returns its speed. Raises ExchangeError when there is none."""
    try:
        async with http.get(base + CLOCK_ROUTE, timeout=aiohttp.ClientTimeout(total=_SECONDS)) as answer:
            told = await answer.json()
        now, speed = int(told["now"]), float(told["speed"])
    except (aiohttp.ClientError, OSError, ValueError, KeyError, TypeError) as error:
        raise ExchangeError(
            f"no simulator at {base} ({type(error).__name__}); start one (`hbkit simulator`), or name none and hbkit "
            "starts its own",
            code="HB432",
        ) from None
    clock.set(now, speed)
    return speed
