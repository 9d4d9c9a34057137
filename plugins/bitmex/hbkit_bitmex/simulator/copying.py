"""The whole venue as bytes and back: pickle, held to hbkit's own classes and plain containers.

A state file is data of this program; nothing that it could name runs anything but the making of these classes.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from types import MethodType
from typing import Any

from hbkit_bitmex.simulator.around import Around
from hbkit_bitmex.simulator.backdrop import Backdrop
from hbkit_bitmex.simulator.venue import Venue

Parts = tuple[Venue, Backdrop, Mapping[str, Around]]
PLAIN = frozenset(
    {
        ("builtins", "int"), ("builtins", "tuple"), ("builtins", "list"), ("builtins", "dict"), ("builtins", "set"),
        ("builtins", "frozenset"), ("builtins", "complex"), ("builtins", "object"), ("collections", "deque"),
        ("collections", "defaultdict"), ("collections", "OrderedDict"), ("decimal", "Decimal"),
        ("fractions", "Fraction"), ("functools", "partial"), ("datetime", "timedelta"),
    }
)  # fmt: skip
OURS = ("hbkit.", "hbkit_bitmex.")


def to_bytes(parts: Parts) -> bytes:
    """All of it as one: what belongs together stays one object."""
    stream = io.BytesIO()
    _Pickler(stream, pickle.HIGHEST_PROTOCOL).dump(parts)
    return stream.getvalue()


def from_bytes(data: bytes) -> Parts:
    """What was copied. Raises pickle.UnpicklingError for anything else."""
    found: Parts = _Unpickler(io.BytesIO(data)).load()
    return found


def method(owner: Any, name: str) -> Any:
    """A method of one of our objects."""
    if not _is_ours(type(owner).__module__) or name.startswith("__"):
        raise pickle.UnpicklingError(f"no method of ours: {name}")
    found = getattr(owner, name)
    if not isinstance(found, MethodType):
        raise pickle.UnpicklingError(f"no method of ours: {name}")
    return found


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        """Bound methods by our own function, not by `getattr`, which could reach anything."""
        if isinstance(obj, MethodType):
            return method, (obj.__self__, obj.__name__)
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Classes of ours, plain containers, and the one function that binds methods."""
        if (module, name) in PLAIN or (module, name) == (__name__, method.__name__):
            return super().find_class(module, name)
        if _is_ours(module):
            found = super().find_class(module, name)
            if isinstance(found, type) or (module, name) in FUNCTIONS:
                return found
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a state file")


FUNCTIONS = frozenset({("hbkit_bitmex.simulator.around", "_lot_dollars")})
"""What a partial of ours may hold."""


def _is_ours(module: str) -> bool:
    return module.startswith(OURS)
