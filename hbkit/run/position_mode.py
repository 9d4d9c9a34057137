"""The position mode of an account, switched by hand: before a run that needs the other one, or after it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from hbkit.config import load_config
from hbkit.errors import ExchangeError, Unsupported
from hbkit.exchange import no_legs
from hbkit.model import Instrument, PositionMode, PositionModeChange
from hbkit.run.plan import ExchangePlan
from hbkit.run.visit import Visit, served


def traded(plan: ExchangePlan, path: Path | None) -> list[Instrument]:
    """What the strategies of a config trade there; nothing where there is no config."""
    if path is None:
        return []
    blocks = load_config(path, environ=os.environ).settings.strategies
    symbols = {symbol for block in blocks for exchange, symbol in block.pairs if exchange == plan.name}
    return [one for one in served(plan) if symbols & {one.symbol, one.unified}]


def check_switch(plan: ExchangePlan, mode: PositionMode, markets: Sequence[Instrument]) -> None:
    """Raises ExchangeError (HB420) where nothing that is traded could have two legs, before anything is sent.

    :param markets: what is traded; none for all that the exchange serves.
    """
    legs = any(one.hedge and not one.is_spot for one in markets or served(plan))
    if mode is PositionMode.HEDGE and not legs:
        raise ExchangeError(f"{plan.name} stays as it is: {no_legs(markets)}", code="HB420")


async def switched(there: Visit, mode: PositionMode) -> PositionModeChange:
    """Ask for `mode` and wait for what comes of it: a refusal carries the exchange's reason.

    Raises ExchangeError where the exchange says nothing to it, Unsupported where it knows one mode alone.
    """
    exchange, now = there.exchange, there.exchange.position_mode
    if now is mode:
        return PositionModeChange(
            exchange=exchange.name, account=exchange.account, mode=now, previous=now, requested=mode, origin="hand",
            reason="", ts=there.clock.now(),
        )  # fmt: skip
    if not exchange.capabilities.hedge_mode:
        raise Unsupported(f"{exchange.name} offers no hedge mode")
    return await there.switch_mode(mode)
