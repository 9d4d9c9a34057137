"""The instruments of an exchange of ccxt: asked of the exchange, kept in a file, read from there again.

ccxt knows no exchange's markets before it has asked for them. What was told is kept as rows (markets.py) with its date
and the ccxt that read it, so that `check` and the next start need no network. The file holds nothing of an account.

BitMEX has closed: the markets of its simulator are made without asking anybody, by ccxt's own reader, from the rows
that the simulator serves.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from hbkit.clock import DAY, HOUR, iso, parse_time
from hbkit.errors import ExchangeError
from hbkit.exchange import ListingRequest
from hbkit.model import Instrument
from hbkit_ccxt import venues
from hbkit_ccxt.markets import instruments, rows

FORMAT: Final = 1
"""Of the file; one of another format is asked for anew."""
TIMEOUT_SECONDS: Final = 20.0


def listed(request: ListingRequest) -> list[Instrument]:
    """The instruments of `ccxt:<id>`. Raises ExchangeError with the mend where they are neither kept nor told."""
    venue = request.name.removeprefix(venues.PREFIX)
    if venue == "bitmex" and request.feed in ("simulator", "data"):
        return instruments(_of_simulator(request.era))
    kept = _Kept.read(_file(request))
    if kept is None and request.feed == "data":
        # Any list will do for recorded data: that of the venue itself is the likeliest to be there.
        kept = _Kept.read(request.folder / f"{request.name.replace(':', '+')}.live.json")
    if kept is not None and not _is_stale(kept, request):
        return instruments(kept.rows)
    if not request.may_ask:
        if kept is not None:
            request.warn(f"{request.name}: its instruments are those of {iso(kept.told)}; {_mend(request)} asks anew")
            return instruments(kept.rows)
        raise ExchangeError(
            f"{request.name} has to be asked for its instruments, none are kept, and nothing is to be sent now; "
            f"{_mend(request)} once while online",
            code="HB443",
        )
    return instruments(_asked(request, venue, kept))


def _asked(request: ListingRequest, venue: str, kept: _Kept | None) -> list[dict[str, Any]]:
    try:
        told, left_out = ask(venue, request.feed, request.rest_url)
    except ExchangeError as error:
        if kept is None or request.max_age == 0:
            raise
        age = request.clock.now() - kept.told
        request.warn(f"{error.message}; the instruments are those that were kept {_age(age)} ago ({iso(kept.told)})")
        return kept.rows
    if not told:
        why = ", ".join(f"{count} {reason}" for reason, count in left_out.most_common(3)) or "it told none"
        raise ExchangeError(
            f"{request.name} has nothing that hbkit can trade: {why}; choose another exchange", code="HB443"
        )
    _Kept(told, request.clock.now()).write(_file(request), request)
    return told


def ask(venue: str, feed: str, rest_url: str = "") -> tuple[list[dict[str, Any]], Counter[str]]:
    """The rows of a venue, and how many markets were left out for what. Raises ExchangeError with the mend.

    A plain function over ccxt's plain class, so that it may be called where a loop runs.
    """
    import ccxt

    from hbkit_ccxt.errors import text_of
    from hbkit_ccxt.sandbox import has_sandbox
    from hbkit_ccxt.specs import plain_object
    from hbkit_ccxt.urls import redirect

    api = plain_object(venue)
    if feed == "testnet":
        if not has_sandbox(api) and not rest_url:
            raise ExchangeError(
                f"{venues.PREFIX}{venue} has no sandbox; mode: paper trades on its market without money", code="HB431"
            )
        if has_sandbox(api):
            api.set_sandbox_mode(True)
    redirect(api, rest_url, "")
    api.timeout = round(TIMEOUT_SECONDS * 1000)
    # A handful of requests, once a day: ccxt's pace would put whole seconds between them.
    api.enableRateLimit = False
    where = rest_url or f"{venue}{' testnet' if feed == 'testnet' else ''}"
    reason = ""
    try:
        api.load_markets()
    except ccxt.BaseError as error:
        reason = f"{type(error).__name__}: {text_of(venue, error)}"
    except Exception as error:  # noqa: BLE001 - ccxt raises what its parsers meet in an answer that they do not know
        reason = f"an answer that ccxt {ccxt.__version__} cannot read ({type(error).__name__})"
    finally:
        if api.session is not None:
            api.session.close()
    if reason:
        raise ExchangeError(
            f"{venues.PREFIX}{venue} did not tell its instruments ({where}: {reason}); try again, or mend the network "
            "or rest_url",
            code="HB432",
        )
    return rows(api)


# -- what is kept


class _Kept:
    """Rows that were told, and when."""

    def __init__(self, found: list[dict[str, Any]], told: int) -> None:
        self.rows = found
        self.told = told

    @classmethod
    def read(cls, file: Path) -> _Kept | None:
        """What a file holds; None for one that is not there, is broken, or was written by another version."""
        try:
            held = json.loads(file.read_text(encoding="utf-8"))
            if held["format"] != FORMAT:
                return None
            found = held["markets"]
            instruments(found)
            return cls(found, parse_time(held["told"]))
        except (OSError, ValueError, KeyError, TypeError, ArithmeticError):
            return None

    def write(self, file: Path, request: ListingRequest) -> None:
        """Keep them; a run goes on without where that cannot be done."""
        held: Mapping[str, Any] = {
            "format": FORMAT,
            "exchange": request.name,
            "feed": request.feed,
            "told": iso(self.told),
            "ccxt": venues.version(),
            "markets": self.rows,
        }
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            fresh = file.with_suffix(".new")
            fresh.write_text(json.dumps(held, indent=0, ensure_ascii=False), encoding="utf-8")
            fresh.replace(file)
        except OSError as error:
            request.warn(
                f"the instruments of {request.name} could not be kept in {file} ({error.strerror}); go on without"
            )


def _file(request: ListingRequest) -> Path:
    # A host of the user's own lists its own instruments: they must not stand in for the venue's.
    host = "".join(one if one.isalnum() or one in ".-" else "_" for one in request.rest_url.partition("://")[2])
    return request.folder / f"{request.file_stem}{'@' + host if host else ''}.json"


def _is_stale(kept: _Kept, request: ListingRequest) -> bool:
    return request.max_age is not None and request.clock.now() - kept.told >= request.max_age


def _mend(request: ListingRequest) -> str:
    # By hand the venue itself is asked; its sandbox is asked for a config.
    words = "check CONFIG --connect" if request.feed == "testnet" else f"instruments {request.name}"
    return f"run `hbkit {words}`"


def _age(ns: int) -> str:
    return f"{ns // DAY} days" if ns >= 2 * DAY else f"{max(1, ns // HOUR)} hours"


# -- BitMEX's simulator


def _of_simulator(era: str | None) -> list[dict[str, Any]]:
    """The markets of hbkit-bitmex's simulator, as ccxt reads its rows."""
    try:
        from hbkit_bitmex.instruments import assets
        from hbkit_bitmex.instruments import rows as bitmex_rows
    except ImportError:
        raise ExchangeError(
            "BitMEX closed, and its simulator is not installed; "
            'python -m pip install "hbkit-ccxt[bitmex]" brings it, with the last ccxt that has BitMEX',
            code="HB437",
        ) from None
    from hbkit_ccxt.specs import plain_object

    api = plain_object("bitmex")
    # Currencies first: ccxt finds the code of `XBt` among them.
    currencies = api.parse_currencies(_over_the_wire(assets()))
    api.set_markets([], currencies)
    markets = [one for one in api.parse_markets(_over_the_wire(bitmex_rows(era))) if one["type"]]
    api.set_markets(markets, currencies)
    found, _ = rows(api)
    return found


def _over_the_wire(held: list[dict[str, Any]]) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(json.dumps(held, default=float))
    return told
