"""What hbkit learns of ccxt at start: the names of its exchanges, read from the installed ccxt without importing it."""

from __future__ import annotations

from collections.abc import Mapping

from hbkit import ExchangeSpec, hookimpl
from hbkit_ccxt.specs import bridge


@hookimpl
def hbkit_exchanges() -> Mapping[str, ExchangeSpec]:
    """Every exchange of the installed ccxt as `ccxt:<id>`; ccxt is imported when one of them is looked at."""
    return bridge()
