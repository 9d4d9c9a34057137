"""Why a start fails at BitMEX, in words that name the host and the mend: no way there, or a key that is refused.

Every way in which it can fail is told apart, because each has another mend: the wrong host, the wrong key, the wrong
secret, a key that is switched off, an address that the key does not allow.
"""

from __future__ import annotations

from hbkit.errors import AuthenticationError, HbkitError, WireError

_MENDS = (
    ("invalid api key", "there is no such key at {host}; look for a piece that was not copied, or for a key of another "
     "network (a testnet key is unknown on the main one, and the other way round)"),
    ("signature not valid", "the key is known, but the secret is not the one that belongs to it"),
    ("key is disabled", "the key is switched off; switch it on, or make another one"),
    ("access denied", "the key allows other addresses than this machine's; see the addresses (CIDR) it is bound to"),
    ("has expired", "the request came too late for {host}; set this machine's clock (timedatectl set-ntp true)"),
    ("restricted", "the account is restricted; the exchange's support knows why"),
)  # fmt: skip


def refused(error: HbkitError, host: str) -> AuthenticationError:
    """The key was refused (HB430): the exchange's words, and what they mean."""
    text = error.message.lower()
    mend = next((mend for words, mend in _MENDS if words in text), None)
    if mend is None:
        return AuthenticationError(error.message)
    return AuthenticationError(f"{error.message.partition(';')[0]}: {mend.format(host=host)}")


def unreachable(error: WireError, host: str, mend: str) -> WireError:
    """Nobody answered (HB432)."""
    return WireError(f"cannot reach {host}: {error.message}; {mend}")
