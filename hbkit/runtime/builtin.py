"""What hbkit itself offers, through the same hooks as any guest."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hbkit.hookspecs import hookimpl
from hbkit.matching import BUILT_IN, FillModel


@hookimpl
def hbkit_fill_models() -> Mapping[str, Callable[[], FillModel]]:
    """The three fill models of the matching engine."""
    return BUILT_IN
