"""Which exchanges the installed ccxt has: read from the names of its files, because importing it takes half a second.

ccxt keeps one file per exchange at the top of its package, and nothing else there.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version as installed_version
from importlib.util import find_spec
from pathlib import Path

PREFIX = "ccxt:"
"""What stands before an id of ccxt in the name that users write: `ccxt:okx`."""


def version() -> str:
    """The version of the installed ccxt: `4.5.83`."""
    return installed_version("ccxt")


@cache
def ids() -> tuple[str, ...]:
    """Every id of the installed ccxt, in order of the alphabet: `binance`, `okx`, ..."""
    return tuple(sorted(path.stem for path in _folder().glob("*.py") if path.stem != "__init__"))


@cache
def streaming() -> frozenset[str]:
    """The ids that ccxt reaches over WebSocket too; the others are asked again and again."""
    return frozenset(path.stem for path in (_folder() / "pro").glob("*.py") if path.stem != "__init__")


def _folder() -> Path:
    """The package of ccxt; `find_spec` of a package at the top imports nothing."""
    spec = find_spec("ccxt")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError('ccxt is not installed; python -m pip install "hbkit-ccxt"', name="ccxt")
    return Path(spec.origin).parent
