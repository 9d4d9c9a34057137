"""The whole venue as bytes and back: pickle, held to named classes of the venue and to plain containers.

Reading can do nothing but make these objects: no function but `method` below can be named, no module is imported for
a file's sake, and a class counts only where it is defined, not where somebody imported it. What never changes stays
out: the candles from before a tape are named, and made again.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import BuiltinMethodType, MethodType
from typing import Any

from hbkit_bitmex.simulator.around import Around
from hbkit_bitmex.simulator.backdrop import Backdrop
from hbkit_bitmex.simulator.history import History
from hbkit_bitmex.simulator.venue import Venue

PROTOCOL = 5
"""Known to every Python that hbkit runs on."""
PLAIN = frozenset(
    {
        ("builtins", "set"), ("builtins", "frozenset"), ("builtins", "int"), ("builtins", "tuple"),
        ("builtins", "list"), ("builtins", "dict"), ("collections", "deque"), ("collections", "defaultdict"),
        ("decimal", "Decimal"), ("fractions", "Fraction"),
    }
)  # fmt: skip
OURS = frozenset(
    {
        "hbkit.chance", "hbkit.matching.account", "hbkit.matching.engine", "hbkit.matching.fills",
        "hbkit.matching.liquidation", "hbkit.matching.margin", "hbkit.matching.market", "hbkit.matching.order",
        "hbkit.model.balance", "hbkit.model.book", "hbkit.model.enums", "hbkit.model.instrument",
        "hbkit.model.order", "hbkit.model.position", "hbkit_bitmex.simulator.accounts",
        "hbkit_bitmex.simulator.around", "hbkit_bitmex.simulator.backdrop", "hbkit_bitmex.simulator.bins",
        "hbkit_bitmex.simulator.board",
        "hbkit_bitmex.simulator.clearing", "hbkit_bitmex.simulator.depth", "hbkit_bitmex.simulator.house",
        "hbkit_bitmex.simulator.listing", "hbkit_bitmex.simulator.orders", "hbkit_bitmex.simulator.packed",
        "hbkit_bitmex.simulator.paths",
        "hbkit_bitmex.simulator.public", "hbkit_bitmex.simulator.quotebins", "hbkit_bitmex.simulator.step",
        "hbkit_bitmex.simulator.venue", "hbkit_bitmex.simulator.worth",
    }
)  # fmt: skip
"""The modules whose classes a copy may hold."""


@dataclass
class World:
    """Everything that the venue remembers."""

    venue: Venue
    backdrop: Backdrop
    around: Mapping[str, Around]
    preferences: dict[int, dict[str, Any]] = field(default_factory=dict)
    """What clients stored, by account."""
    watched: tuple[str, ...] = ()
    """What sockets listened to when that was last asked."""


def to_bytes(world: World) -> bytes:
    """All of it as one: what belongs together stays one object."""
    stream = io.BytesIO()
    parts = world.venue, world.backdrop, dict(world.around), world.preferences, world.watched
    _Pickler(stream, _pasts(world.venue)).dump(parts)
    return stream.getvalue()


def _pasts(venue: Venue) -> dict[int, str]:
    """The symbol of each past, by the object's identity."""
    found = ((market.bins.past, symbol) for symbol, market in venue.markets.items())
    return {id(past): symbol for past, symbol in found if past is not None}


def from_bytes(data: bytes, before: Callable[[str], History]) -> World:
    """What was copied.

    :param before: the candles of a symbol from before the tape.

    Raises pickle.UnpicklingError, or what its opcodes raise, for anything else.
    """
    parts = _Unpickler(data, before).load()
    if not isinstance(parts, tuple) or len(parts) != 5 or not isinstance(parts[0], Venue):
        raise pickle.UnpicklingError("this is no copy of a venue")
    return World(*parts)


def method(owner: Any, name: str) -> Any:
    """A method of one of our objects, or a list's `append`; `getattr` itself could reach anything."""
    if type(owner) is list and name == "append":
        return owner.append
    found = getattr(type(owner), name, None) if type(owner).__module__ in OURS and name[:2] != "__" else None
    if not callable(found):
        raise pickle.UnpicklingError(f"{name} has no place in a state file")
    return MethodType(found, owner)


def past(symbol: str) -> History:
    """Stands for the candles of a symbol from before the tape; who reads a copy makes them."""
    raise pickle.UnpicklingError(f"nobody knows what was before {symbol}")


class _Pickler(pickle.Pickler):
    def __init__(self, stream: io.BytesIO, pasts: Mapping[int, str]) -> None:
        super().__init__(stream, PROTOCOL)
        self._pasts = pasts

    def reducer_override(self, obj: Any) -> Any:
        """Bound methods and members of enums by what `_Unpickler` lets in; Python's own ways need `getattr`."""
        if isinstance(obj, History):
            return past, (self._pasts[id(obj)],)
        if isinstance(obj, MethodType) or (isinstance(obj, BuiltinMethodType) and type(obj.__self__) is list):
            return method, (obj.__self__, obj.__name__)
        if isinstance(obj, Enum):
            return type(obj), (obj.value,)
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, before: Callable[[str], History]) -> None:
        super().__init__(io.BytesIO(data))
        self._before = before

    def find_class(self, module: str, name: str) -> Any:
        """Plain containers, classes where they are defined, and the two functions of this module."""
        if (module, name) in PLAIN:
            return super().find_class(module, name)
        if (module, name) == (__name__, method.__name__):
            return method
        if (module, name) == (__name__, past.__name__):
            return self._before
        if module in OURS:
            found = super().find_class(module, name)
            if isinstance(found, type) and (found.__module__, found.__qualname__) == (module, name):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a state file")
