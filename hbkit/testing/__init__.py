"""Help for authors of strategies and of connectors, shipped with hbkit.

`hbkit.testing.contract` is the connector contract as a suite to subclass, `hbkit.testing.fake` a small connector that
passes it, `hbkit.testing.plugin` the pytest fixtures. Nothing is loaded before it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hbkit.testing.contract import ConnectorContract, Venue
    from hbkit.testing.fake import FakeExchange, FakeVenue
    from hbkit.testing.fixtures import Market, RunStrategy
    from hbkit.testing.ran import Ran

__all__ = ["ConnectorContract", "FakeExchange", "FakeVenue", "Market", "Ran", "RunStrategy", "Venue"]

_HOMES = {
    "ConnectorContract": "contract",
    "FakeExchange": "fake",
    "FakeVenue": "fake",
    "Market": "fixtures",
    "Ran": "ran",
    "RunStrategy": "fixtures",
    "Venue": "contract",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
