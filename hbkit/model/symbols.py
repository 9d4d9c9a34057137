"""Symbols that mean an instrument: its native one, or the unified one that works at every exchange.

    BTC/USDT             spot
    BTC/USDT:USDT        perpetual, settled in USDT
    BTC/USD:BTC          perpetual, settled in BTC: an inverse contract
    BTC/USD:BTC-240628   future that expires on 2024-06-28

An exchange that does not have what is asked for may have something like it: the same asset, in another currency.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from hbkit.model.instrument import Instrument

_UNIFIED = re.compile(r"([^/:\s]+)/([^/:\s]+?)(?::([^/:\s-]+)(?:-(\d{6}))?)?")
_DOLLARS = frozenset({"USD", "USDT", "USDC", "USDE", "FDUSD", "BUSD", "DAI"})
_ALIASES = {"XBT": "BTC"}
"""Codes that some venue has for what all others call otherwise."""


class Unified(NamedTuple):
    """A unified symbol in its parts; `settle` is empty for spot, `expiry` (`240628`) for what does not end."""

    base: str
    quote: str
    settle: str = ""
    expiry: str = ""

    @property
    def is_spot(self) -> bool:
        """True where whole assets change hands."""
        return not self.settle

    @property
    def is_inverse(self) -> bool:
        """True for a contract that is settled in what it is on."""
        return self.settle == self.base


def parse_unified(text: str) -> Unified | None:
    """The parts of a unified symbol, None for a text that is none."""
    found = _UNIFIED.fullmatch(text)
    if found is None:
        return None
    base, quote, settle = (common_code(part or "") for part in found.group(1, 2, 3))
    return Unified(base, quote, settle, found.group(4) or "")


def meant(symbol: str, instruments: Iterable[Instrument]) -> list[Instrument]:
    """The instruments that a symbol means: the one whose native symbol it is, else all of that unified one."""
    native, unified = [], []
    for one in instruments:
        if one.symbol == symbol:
            native.append(one)
        elif one.unified == symbol:
            unified.append(one)
    return native or unified


def nearest_market(wanted: Unified, instruments: Iterable[Instrument]) -> Instrument | None:
    """What comes closest to a symbol that is not there, on the same asset; None where there is nothing on it.

    In this order it is to be alike: spot or a contract, ending or not, against dollars of some kind or not, settled in
    the asset itself or not, the quote currency, the settlement currency, the day on which it ends.
    """
    found = [(_distance(wanted, parts), one.symbol, one) for one in instruments
             if (parts := parse_unified(one.unified)) is not None and parts.base == wanted.base]  # fmt: skip
    return min(found)[2] if found else None


def is_known(wanted: Unified, instruments: Iterable[Instrument]) -> bool:
    """Whether the currencies of a symbol are some that are traded there, or dollars; else it is misspelt."""
    known = set(_DOLLARS)
    for one in instruments:
        known.update(parse_unified(one.unified) or ())
    return {wanted.quote, wanted.settle} <= known | {""}


def _distance(wanted: Unified, other: Unified) -> tuple[object, ...]:
    return (
        wanted.is_spot != other.is_spot,
        bool(wanted.expiry) != bool(other.expiry),
        (wanted.quote in _DOLLARS) != (other.quote in _DOLLARS),
        wanted.is_inverse != other.is_inverse,
        wanted.quote != other.quote,
        _rank(other.quote),
        wanted.settle != other.settle,
        _rank(other.settle),
        abs(int(wanted.expiry or 0) - int(other.expiry or 0)),
    )


def _rank(code: str) -> int:
    """Of dollars that are all another kind, the most traded first."""
    return {"USDT": 0, "USD": 1, "USDC": 2}.get(code, 3)


def common_code(code: str) -> str:
    """The code that the rest of the world uses: `BTC` for `XBT`."""
    return _ALIASES.get(code, code)
