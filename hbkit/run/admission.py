"""What an exchange must agree to before a run trades on it: the time, and that its markets are there at all."""

from __future__ import annotations

from collections.abc import Sequence

from hbkit.clock import SECOND, Clock, iso
from hbkit.errors import ExchangeError, nearest
from hbkit.exchange import Exchange
from hbkit.model import Instrument

MOST_SKEW_SECONDS = 30
"""A machine whose clock is further off has more wrong with it than signatures; hbkit signs by the exchange's clock."""
_NAMED = 12
"""Markets that a message names."""


def check_clock(exchange: Exchange, clock: Clock) -> None:
    """Raises ExchangeError (HB431) where this machine's clock is far from the exchange's."""
    ahead = round((exchange.server_now() - clock.now()) / SECOND)
    if abs(ahead) > MOST_SKEW_SECONDS:
        way = "behind" if ahead > 0 else "ahead of"
        raise ExchangeError(
            f"this machine's clock is {abs(ahead)} s {way} {exchange.name}'s; set it (timedatectl set-ntp true)",
            code="HB431",
        )


async def check_markets(exchange: Exchange, markets: Sequence[Instrument], now: int) -> None:
    """Raises ExchangeError for what is traded and not listed there now: settled (HB402), or not there (HB401)."""
    listed = await exchange.listed()
    for market in markets:
        if market.symbol in listed:
            continue
        known = [symbol for symbol in exchange.instruments() if symbol in listed]
        alike = [symbol for symbol in known if exchange.instruments()[symbol].base == market.base] or known
        close = nearest(market.symbol, alike)
        others = ", ".join([*([close] if close else []), *(one for one in alike if one != close)][:_NAMED]) or "nothing"
        if market.expiry is not None and market.expiry <= now:
            message, code = f"{market.symbol} settled on {iso(market.expiry)[:10]}", "HB402"
        else:
            message, code = f"{market.symbol} is not listed at {exchange.name} now", "HB401"
        raise ExchangeError(f"{message}; listed there: {others}", code=code)
