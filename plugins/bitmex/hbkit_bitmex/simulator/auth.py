"""Who is asking: keys, and the signature over verb, raw path, expires and raw body (protocol 3)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from hbkit.clock import SECOND
from hbkit_bitmex.simulator.accounts import VenueAccount
from hbkit_bitmex.simulator.refusals import Refusal
from hbkit_bitmex.simulator.shapes import Shape

HEADERS = ("api-key", "api-expires", "api-signature")
WEBSOCKET_PATH = "/realtime"
"""What a socket's login signs, whatever its URL is (3.3)."""


@dataclass(frozen=True)
class Key:
    """An API key of an account."""

    name: str
    secret: str = field(repr=False)
    account: VenueAccount
    permissions: frozenset[str] = frozenset({"order"})
    """`order`, `orderCancel`, `withdraw` (3.2); none of them for a key that only reads."""
    enabled: bool = True
    cidrs: tuple[str, ...] = ()
    """Networks from which it may be used; everywhere where there are none."""
    shape: Shape = Shape.SPARSE
    """How rows are sent to whoever uses it."""

    def may_come_from(self, address: str) -> bool:
        """Whether it may be used there; a connection without an address (a path, or memory) comes from here."""
        if not self.cidrs:
            return True
        try:
            found = ip_address(address or "127.0.0.1")
        except ValueError:
            return False
        return any(found in ip_network(cidr, strict=False) for cidr in self.cidrs)


def signature(secret: str, verb: str, target: str, expires: str, body: bytes) -> str:
    """Lower-case hex of HMAC-SHA256 over the request as it was sent."""
    # A target may hold bytes that are no UTF-8; they are signed as they came.
    message = f"{verb}{target}{expires}".encode(errors="surrogateescape") + body
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


class Keys:
    """All keys that the venue knows."""

    def __init__(self) -> None:
        self._keys: dict[str, Key] = {}

    def add(self, key: Key) -> None:
        """Make it known."""
        self._keys[key.name] = key

    def of(self, account: VenueAccount) -> list[Key]:
        """The keys of an account."""
        return [key for key in self._keys.values() if key.account is account]

    def accounts(self) -> dict[str, int]:
        """The number of each key's account, by the key's name."""
        return {name: key.account.number for name, key in self._keys.items()}

    def check(self, name: str, expires: str, sent: str, verb: str, target: str, body: bytes, now: int) -> Key:
        """The key that signed this; tested in the order of 18.9.3: key, disabled, expiry, signature."""
        key = self._keys.get(name)
        if key is None:
            raise Refusal(401, "Invalid API Key.")
        if not key.enabled:
            raise Refusal(403, "This key is disabled.")
        seconds = now // SECOND
        # ASCII digits alone: int() would read other scripts and underscores. No upper bound exists (3.1).
        if not (expires.isascii() and expires.isdigit()) or len(expires) > 30 or int(expires) < seconds:
            raise Refusal(401, f"This request has expired - `expires` is in the past. Current time: {seconds}")
        expected = signature(key.secret, verb, target, expires, body)
        if not hmac.compare_digest(expected.encode(), sent.encode(errors="surrogateescape")):
            raise Refusal(401, "Signature not valid.")
        return key

    def from_headers(self, headers: Mapping[str, str], verb: str, target: str, body: bytes, now: int) -> Key | None:
        """None without any of the three headers; one or two of them are no login (18.9.2)."""
        sent = [headers.get(name) for name in HEADERS]
        if not any(value is not None for value in sent):
            return None
        name, expires, given = sent
        if name is None or expires is None or given is None:
            raise Refusal(401, "Authorization Required")
        return self.check(name, expires, given, verb, target, body, now)
