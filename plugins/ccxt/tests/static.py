"""ccxt's own recorded answers (its static tests), read from a folder that is fetched and never committed.

    python -m plugins.ccxt.tests.static --into ccxt-static     # of the release that is installed
    export HBKIT_CCXT_STATIC=ccxt-static

The folder holds `markets/<id>.json` (the markets of an exchange, as ccxt parsed them) and `response/<id>.json` (answers
of the exchange beside what ccxt makes of each), as ccxt's repository has them under `ts/src/test/static`; a checkout's
folder of that name does as well. ccxt publishes them in no package.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ccxt

VENUES = ("binance", "okx", "bybit", "kraken", "kucoinfutures", "hyperliquid")
VARIABLE = "HBKIT_CCXT_STATIC"
SOURCE = "https://raw.githubusercontent.com/ccxt/ccxt/v{release}/ts/src/test/static/{kind}/{venue}.json"
_KINDS = ("markets", "response")
_MAYBE = {"kucoinfutures": "kucoin"}
"""Where a release keeps the answers of an exchange with those of its sister."""


@dataclass(frozen=True)
class Case:
    """One recorded answer."""

    venue: str
    method: str
    """ccxt's name, `fetchTrades`."""
    description: str
    input: tuple[Any, ...]
    answer: Any
    """What the exchange said."""
    parsed: Any
    """What ccxt makes of it."""
    options: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.venue} {self.method} {self.description}"


def folder() -> Path | None:
    """Where the files are, by the environment or beside the project; None where they are not."""
    root = Path(__file__).parents[3]
    places = (
        [Path(os.environ[VARIABLE])]
        if os.environ.get(VARIABLE)
        else [root / "ccxt-static", root.parent / "ccxt-static"]
    )
    return next((place for place in places if (place / "response").is_dir()), None)


def why_not() -> str:
    """Why there is nothing to play."""
    mend = f"python -m plugins.ccxt.tests.static --into ccxt-static, then {VARIABLE}=ccxt-static"
    return f"ccxt's recorded answers are not here; {mend}"


def cases(venue: str, place: Path) -> Iterator[Case]:
    """Every recorded answer of an exchange."""
    held = _read(place / "response" / f"{venue}.json")
    for method, found in (held.get("methods") or {}).items():
        for one in found:
            if one.get("disabled") or one.get("disabledPY") or "httpResponse" not in one:
                continue
            options = {**(held.get("options") or {}), **(one.get("options") or {})}
            described = str(one.get("description") or "")
            yield Case(
                venue,
                method,
                described,
                tuple(one.get("input") or ()),
                one["httpResponse"],
                one.get("parsedResponse"),
                options,
            )


def api_of(venue: str, place: Path, options: dict[str, Any] | None = None) -> Any:
    """ccxt's plain object with the recorded markets; it cannot reach anything."""
    markets = _read(place / "markets" / f"{venue}.json")
    made = getattr(ccxt, venue)(
        {
            "enableRateLimit": False,
            "options": options or {},
            "apiKey": "key",
            "secret": "c2VjcmV0",
            "password": "password",
            "uid": "uid",
            "walletAddress": "0x" + "a" * 40,
            "privateKey": "0x" + "b" * 64,
        }
    )
    made.set_markets(markets)
    made.fetch = _unreachable
    return made


def asked(case: Case, place: Path) -> Any:
    """What ccxt makes of a recorded answer, now."""
    api = api_of(case.venue, place, case.options)
    api.fetch = lambda *request: case.answer
    method = getattr(api, api.un_camel_case(case.method))
    return method(*case.input)


def fetch(into: Path, release: str) -> int:
    """Bring the files of a release; returns how many came."""
    came = 0
    for kind in _KINDS:
        (into / kind).mkdir(parents=True, exist_ok=True)
        for venue in VENUES:
            for name in (venue, _MAYBE.get(venue)):
                if name is None:
                    continue
                try:
                    with urllib.request.urlopen(
                        SOURCE.format(release=release, kind=kind, venue=name), timeout=30
                    ) as answer:
                        text = answer.read()
                except urllib.error.HTTPError as error:
                    if error.code == 404:
                        continue
                    raise
                json.loads(text)
                (into / kind / f"{venue}.json").write_bytes(text)
                came += 1
                break
    return came


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    held: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return held


def _unreachable(*request: Any) -> Any:
    raise AssertionError(f"nothing is to be asked here: {request[0]}")


def main(arguments: list[str]) -> int:
    """The command."""
    if len(arguments) not in (2, 4) or arguments[0] != "--into" or arguments[2:3] not in ([], ["--release"]):
        sys.stderr.write("python -m plugins.ccxt.tests.static --into FOLDER [--release 4.5.83]\n")
        return 2
    release = arguments[3] if len(arguments) == 4 else ccxt.__version__
    try:
        came = fetch(Path(arguments[1]), release)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"error: ccxt's repository could not be read ({type(error).__name__}: {error})\n")
        return 4
    sys.stdout.write(
        f"{came} files of ccxt {release} are in {arguments[1]}; {VARIABLE}={arguments[1]} lets the tests find them\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
