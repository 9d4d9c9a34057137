"""What `hbkit exchanges ccxt:<id>` shows: ccxt's own metadata of an exchange, in hbkit's words, and what follows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from hbkit_ccxt import venues
from hbkit_ccxt.capabilities import intervals
from hbkit_ccxt.credentials import missing, names
from hbkit_ccxt.markets import plain

_KINDS = ("spot", "swap", "future")
_WORDS = {"swap": "perpetuals", "future": "futures"}


def facts(venue: str, api: Any) -> Mapping[str, str]:
    """Rows of name and text, for a ccxt object whose markets need not be loaded."""
    found = {
        "through": f"ccxt {venues.version()}, {'REST and WebSocket' if venue in venues.streaming() else 'REST alone'}",
        "instruments": listed(_WORDS.get(kind, kind) for kind in _KINDS if api.has.get(kind)) or "not said by ccxt",
        "site": _text(api.urls.get("www")),
        "API docs": _text(api.urls.get("doc")),
        "fees": _fees(api),
        "countries": listed(api.countries or ()),
        "key": _key(api),
        "sandbox": _sandbox(api),
        "amend": "native" if api.has.get("editOrder") is True else "made of a cancel and a new order",
        "candles": listed(intervals(api)),
        "requests": f"one of cost 1 every {api.rateLimit:g} ms" if api.rateLimit else "",
        "qty counts": "contracts of derivatives, base currency on spot; hbkit instruments has each",
        "verified": "not against the venue itself: docs/exchanges.md says what was",
    }
    return {name: text for name, text in found.items() if text}


def listed(words: Iterable[str]) -> str:
    """Words with commas."""
    return ", ".join(words)


def _text(value: object) -> str:
    """An address, or several."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return listed(one for one in value if isinstance(one, str))
    return ""


def _fees(api: Any) -> str:
    page = _text(api.urls.get("fees"))
    trading = (api.fees or {}).get("trading") or {}
    rates = [trading.get(name) for name in ("maker", "taker")]
    each = "hbkit instruments has each one's own"
    if any(isinstance(rate, bool) or not isinstance(rate, (int, float)) for rate in rates):
        return page or each
    maker, taker = (Decimal(repr(rate)) * 100 for rate in rates)
    told = f"maker {plain(maker)} %, taker {plain(taker)} % by ccxt's defaults; {each}"
    return f"{told}; {page}" if page else told


def _key(api: Any) -> str:
    held = names(api.requiredCredentials)
    if not held:
        return "none"
    told = listed(f"{field} ({name})" if field != name else field for field, name in held.items())
    beyond = missing(api.requiredCredentials)
    return f"{told}; {listed(beyond)} too, which a config cannot hold: paper and replay only" if beyond else told


def _sandbox(api: Any) -> str:
    from hbkit_ccxt.sandbox import has_sandbox

    return "mode: testnet" if has_sandbox(api) else "none; mode: paper trades on its market without money"
