"""hbkit: a trading strategy is one small file; everything else is a plugin.

This face only hands names on, each loaded on first use, so that `import hbkit` costs nothing. Nothing inside the
package imports it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hbkit.version import VERSION as __version__

_HOMES: dict[str, str] = {}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("hbkit.version").VERSION
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'hbkit' has no attribute '{name}'")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*_HOMES, "__version__"])
