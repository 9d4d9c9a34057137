"""What a switch of the position mode by hand is for: where nothing that is traded has legs, nothing is asked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from hbkit.config import load_config
from hbkit.errors import ExchangeError
from hbkit.exchange import no_legs
from hbkit.model import Instrument, PositionMode
from hbkit.run.plan import ExchangePlan
from hbkit.run.visit import served


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
