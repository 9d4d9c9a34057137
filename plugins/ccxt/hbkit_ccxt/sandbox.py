"""Which venues have a sandbox that ccxt can switch to; where there is none, ccxt's switch would not say so."""

from __future__ import annotations

from typing import Any


def has_sandbox(api: Any) -> bool:
    """Whether the venue has a sandbox that ccxt can switch to.

    ccxt switches to `urls["test"]`, or in a way of the venue's own; where there is neither, its switch would leave the
    object without any address instead of refusing.
    """
    import ccxt

    return bool(api.urls.get("test")) or type(api).set_sandbox_mode is not ccxt.Exchange.set_sandbox_mode
