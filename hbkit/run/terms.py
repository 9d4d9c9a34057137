"""Position mode, margin mode and leverage of an exchange block: what is wrong with them before anything is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from hbkit.config.settings import Exchange as ExchangeSettings
from hbkit.exchange import no_legs
from hbkit.model import Instrument

Found = tuple[str, str, tuple[str, ...]]
"""Code, message, and the keys below the block."""


def check_terms(block: ExchangeSettings, markets: Sequence[Instrument]) -> Iterator[Found]:
    """What the instruments that are traded there do not allow; yields each fault with the key it is about."""
    contracts = [market for market in markets if not market.is_spot]
    if block.position_mode == "hedge" and markets and not any(market.hedge for market in contracts):
        if contracts:
            yield "HB420", f"{no_legs(contracts)}; leave position_mode out", ("position_mode",)
        else:
            message = f"position_mode is for perpetuals; {markets[0].symbol} is spot"
            yield "HB403", message, ("position_mode",)
    margin = block.margin
    for name, value in (("mode", margin.mode), ("leverage", margin.leverage)):
        if value is not None and markets and not contracts:
            yield "HB403", f"margin is for perpetuals; {markets[0].symbol} is spot", ("margin", name)
    if margin.leverage is None:
        return
    for market in contracts:
        most = 1 / Fraction(market.init_margin) if market.init_margin else None
        if most is not None and margin.leverage > most:
            message = f"leverage {margin.leverage:f} > {float(most):g} allowed for {market.symbol}"
            yield "HB413", message, ("margin", "leverage")
