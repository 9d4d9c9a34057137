"""The table of exchanges and what each offers, made of ccxt's own metadata: `python -m hbkit_ccxt.table`.

With `--write docs/exchanges.md` it takes the place of the table on that page, between its two comments. What the table
says is what ccxt declares; whether a venue keeps it is another matter, and the page says what was tried.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, Final

from hbkit.exchange import Channel
from hbkit_ccxt import venues
from hbkit_ccxt.capabilities import capabilities_of
from hbkit_ccxt.credentials import missing, names
from hbkit_ccxt.ids import ids_of
from hbkit_ccxt.markets import has_steps
from hbkit_ccxt.sandbox import has_sandbox

BEGIN: Final = "<!-- exchanges of ccxt {version}: python -m hbkit_ccxt.table --write docs/exchanges.md -->"
END: Final = "<!-- end of the exchanges -->"
_MARKS = re.compile(r"<!-- exchanges of ccxt (\S+):[^\n]*-->\n(.*?)<!-- end of the exchanges -->", re.DOTALL)
HEAD: Final = (
    "exchange", "markets", "trades", "quotes", "book", "candles", "mark", "funding", "tif", "post", "trigger",
    "iceberg", "amend", "own id", "hedge", "leverage", "testnet", "key",
)  # fmt: skip
_KINDS: Final = (("spot", "s"), ("swap", "p"), ("future", "f"))
_KEYS: Final = {"api_key": "k", "api_secret": "s", "api_passphrase": "p", "account": "a"}


def table() -> str:
    """The table as Markdown, a row for each exchange of the installed ccxt."""
    rows = [HEAD, ("---",) * len(HEAD), *(row(venue) for venue in venues.ids())]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def row(venue: str) -> tuple[str, ...]:
    """One exchange."""
    api = _with_sockets(venue)
    can, has = capabilities_of(api), api.has
    held = names(api.requiredCredentials)
    return (
        f"`{venue}`",
        _markets(api),
        _way(can.channels, Channel.TRADE, has.get("watchTrades")),
        _way(can.channels, Channel.QUOTE, has.get("watchBidsAsks") or has.get("watchOrderBook")),
        _way(can.channels, Channel.BOOK, has.get("watchOrderBook")),
        f"{len(can.candle_intervals)}" if can.candle_intervals else "-",
        _way(can.channels, Channel.MARK, has.get("watchMarkPrice")),
        _way(can.channels, Channel.FUNDING, False),
        ", ".join(one for one in ("ioc", "fok") if one in can.time_in_force) or "-",
        _yes(can.post_only),
        _yes(can.triggers),
        _yes(can.display_qty),
        "native" if has.get("editOrder") is True else "made" if can.amend else "-",
        _yes(not ids_of(venue).none),
        _yes(can.hedge_mode),
        _yes(can.leverage),
        _yes(has_sandbox(api)),
        ("".join(_KEYS[field] for field in held) or "-") + ("+" if missing(api.requiredCredentials) else ""),
    )


def write(page: Path) -> None:
    """Put the table in its place on a page. Raises ValueError for a page without that place."""
    text = page.read_text(encoding="utf-8")
    if _MARKS.search(text) is None:
        raise ValueError(f"{page} has no place for the table: {BEGIN} ... {END}")
    fresh = f"{BEGIN.format(version=venues.version())}\n{table()}{END}"
    page.write_text(_MARKS.sub(lambda _: fresh, text), encoding="utf-8")


def written(text: str) -> tuple[str, str]:
    """The release of ccxt and the table that a page has. Raises ValueError for one without."""
    found = _MARKS.search(text)
    if found is None:
        raise ValueError(f"no place for the table: {BEGIN} ... {END}")
    return found[1], found[2]


def main(arguments: list[str]) -> int:
    """The command."""
    if not arguments:
        sys.stdout.write(table())
        return 0
    if len(arguments) != 2 or arguments[0] != "--write":
        sys.stderr.write("python -m hbkit_ccxt.table [--write PAGE]\n")
        return 2
    try:
        write(Path(arguments[1]))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"error[HB001] {error}\n")
        return 2
    return 0


def _with_sockets(venue: str) -> Any:
    import ccxt.async_support
    import ccxt.pro

    return getattr(ccxt.pro if venue in venues.streaming() else ccxt.async_support, venue)()


def _markets(api: Any) -> str:
    if not has_steps(api):
        return "none"
    return "".join(letter for kind, letter in _KINDS if api.has.get(kind)) or "?"


def _way(channels: frozenset[Channel], channel: Channel, is_watched: object) -> str:
    """`w` watched, `a` asked for again and again, `-` neither."""
    if channel not in channels:
        return "-"
    return "w" if is_watched is True else "a"


def _yes(offered: bool) -> str:
    return "yes" if offered else "-"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
