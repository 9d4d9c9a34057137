"""Signatures for BitMEX: what a request or a login must carry so that the exchange knows the key.

Pure functions of key, secret and the exact text that is sent; who calls them reads the clock, serialises the body once
and sends those very bytes. Section 3 of the project's BitMEX protocol reference says what is signed.
"""

from __future__ import annotations

import hashlib
import hmac

REALTIME = "/realtime"
"""The target that a WebSocket login signs, whatever path is connected to, `/realtimePlatform` too (3.3)."""


def signature(secret: str, verb: str, target: str, expires: int, body: str | bytes = b"") -> str:
    """The lower-case hex text of HMAC-SHA256 over verb, target, expiry and body.

    `target` is the raw request target (`/api/v1/order?symbol=XBTUSD`), percent-encoded exactly as it is sent: the
    exchange signs what it receives, without decoding or sorting. `expires` is in Unix seconds. The secret is used as
    plain text, not base64-decoded (3.1).
    """
    raw = body.encode() if isinstance(body, str) else body
    message = f"{verb.upper()}{target}{expires}".encode() + raw
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def headers(key: str, secret: str, verb: str, target: str, expires: int, body: str | bytes = b"") -> dict[str, str]:
    """The three headers of a private call."""
    return {
        "api-key": key,
        "api-expires": str(expires),
        "api-signature": signature(secret, verb, target, expires, body),
    }


def realtime_signature(secret: str, expires: int) -> str:
    """The signature of a WebSocket login: always that of `GET /realtime` without query and body."""
    return signature(secret, "GET", REALTIME, expires)
