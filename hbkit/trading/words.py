"""The words that a strategy may write instead of an enum, read in one way."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from hbkit.errors import StrategyError

_Word = TypeVar("_Word", bound=StrEnum)


def choice(enum: type[_Word], value: _Word | str | None, default: _Word, what: str) -> _Word:
    """The word that `value` is, whatever its case; `default` for None. Raises StrategyError that names them all."""
    if value is None:
        return default
    try:
        return enum(str(value).lower())
    except ValueError:
        known = ", ".join(str(word) for word in enum)
        raise StrategyError(f'{what} is "{value}"; it is one of {known}') from None
