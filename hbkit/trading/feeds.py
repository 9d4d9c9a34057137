"""Which market data a strategy needs, read from the strategy itself.

Defining a callback is a subscription; so is reading what only a feed can fill, such as `self.book`. What nobody
defines or reads is neither subscribed nor parsed.
"""

from __future__ import annotations

import dis
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
    "opens": Channel.CANDLE,
    "highs": Channel.CANDLE,
    "lows": Channel.CANDLE,
    "closes": Channel.CANDLE,
    "volumes": Channel.CANDLE,
    "indicator": Channel.CANDLE,
    "candles": Channel.CANDLE,
}
_READS = frozenset({"LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR"})


def needed(cls: type, base: type) -> frozenset[Channel]:
    """The channels that `cls`, a subclass of `base`, asks for."""
    channels = {channel for name, channel in BY_CALLBACK.items() if getattr(cls, name) is not getattr(base, name)}
    for code in code_of(cls, base):
        channels.update(BY_READING[name] for name in _attributes_read(code) if name in BY_READING)
    return frozenset(channels)


def code_of(cls: type, base: type) -> Iterator[CodeType]:
    """Every function body of the user's classes, nested ones too, and of what they call in their files."""
    seen: set[CodeType] = set()
    for owner in cls.__mro__:
        if owner in base.__mro__:
            continue
        for member in vars(owner).values():
            for function in _functions(member):
                yield from _reached(function, seen)


def _reached(function: FunctionType, seen: set[CodeType]) -> Iterator[CodeType]:
    """The body of a function, and of each function of the same file whose name stands in it."""
    for code in _nested(function.__code__):
        if code in seen:
            continue
        seen.add(code)
        yield code
        for name in code.co_names:
            for other in _functions(function.__globals__.get(name)):
                if other.__code__.co_filename == code.co_filename:
                    yield from _reached(other, seen)


def _functions(member: Any) -> Iterator[FunctionType]:
    """The functions behind a method, a property (cached or not), a class or static method, a partial method."""
    parts = [member, *(getattr(member, name, None) for name in ("fget", "fset", "func", "__func__"))]
    for part in parts:
        function = inspect.unwrap(part) if callable(part) else None
        if isinstance(function, FunctionType):
            yield function


def _attributes_read(code: CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname in _READS:
            yield instruction.argval


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)
