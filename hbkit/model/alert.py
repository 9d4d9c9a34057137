"""Something that happened in a run and that a person wants to hear of, also when nobody looks at the screen."""

from __future__ import annotations

import msgspec


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One message; `ts` is the market's time in ns."""

    ts: int
    kind: str
    """`started`, `stopped`, `failed` (a strategy raised), `vetoed` (a plugin refused an order) or `risk` (a limit)."""
    level: str
    """info, warning or error."""
    run_id: str
    text: str
    """One line for people."""
    strategy: str = ""
    """Whose it is; empty for the run as a whole."""
