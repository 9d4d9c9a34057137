"""Which market data a strategy needs, read from the strategy itself.

Defining a callback is a subscription; so is reading what only a feed can fill, such as `self.book`. What nobody
defines or reads is neither subscribed nor parsed.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from hbkit.exchange import Channel

BY_CALLBACK = {
    "on_trade": Channel.TRADE,
    "on_quote": Channel.QUOTE,
    "on_book": Channel.BOOK,
    "on_candle": Channel.CANDLE,
    "on_mark": Channel.MARK,
    "on_funding": Channel.FUNDING,
}
BY_READING = {
    "last_trade": Channel.TRADE,
    "last_quote": Channel.QUOTE,
    "book": Channel.BOOK,
    "mark_price": Channel.MARK,
    "closes": Channel.CANDLE,
    "candles": Channel.CANDLE,
}


def needed(cls: type, base: type) -> frozenset[Channel]:
    """The channels that `cls`, a subclass of `base`, asks for."""
    channels = {channel for name, channel in BY_CALLBACK.items() if getattr(cls, name) is not getattr(base, name)}
    for code in _code_of(cls, base):
        channels.update(BY_READING[name] for name in code.co_names if name in BY_READING)
    return frozenset(channels)


def _code_of(cls: type, base: type) -> Iterator[CodeType]:
    """Every function body of the user's classes, nested ones too."""
    for owner in cls.__mro__:
        if owner is base:
            return
        for member in vars(owner).values():
            function = _unwrapped(member)
            if isinstance(function, FunctionType):
                yield from _nested(function.__code__)


def _unwrapped(member: Any) -> Any:
    if isinstance(member, property):
        return member.fget
    return inspect.unwrap(member) if callable(member) else getattr(member, "__func__", member)


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)
