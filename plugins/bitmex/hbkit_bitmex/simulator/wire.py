"""JSON: one encoder for every row and frame, and the reader of commands."""

from __future__ import annotations

from typing import Any

import msgspec

_encoder = msgspec.json.Encoder()


def encode(value: Any) -> bytes:
    """Compact JSON."""
    return _encoder.encode(value)


def decode(text: str) -> Any:
    """A command of a client; None for what is no JSON, or could not be sent back.

    The encoder's own reader: what it takes (no NaN, no half of a surrogate pair, no endless nesting) it can write.
    """
    try:
        found = msgspec.json.decode(text)
        _encoder.encode(found)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None
    return found
