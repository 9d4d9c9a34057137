"""What is told about the venue itself: indices, intervals, currencies and networks, announcements, the schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hbkit_bitmex.simulator import parameters as read
from hbkit_bitmex.simulator.columns import PLATFORM, REQUIRES_LOGIN, TYPES
from hbkit_bitmex.simulator.models import MODEL_KEYS, MODELS
from hbkit_bitmex.simulator.parameters import Parameters
from hbkit_bitmex.simulator.query import answer
from hbkit_bitmex.simulator.refusals import bad_request
from hbkit_bitmex.simulator.venue import Venue

Row = dict[str, Any]
INDEX = ".BXBT"
ITSELF = "BMI"
"""The `reference` under which an index stands among its own parts."""
ANNOUNCED = "2026-09-23T04:00:00.000Z"


def active_intervals(venue: Venue, sent: Parameters) -> Row:
    """Series and the symbol each one means now, at the same place in two lists."""
    del sent
    contracts = [market for market in venue.markets.values() if not market.instrument.is_spot]
    return {
        "intervals": [_interval(market.ticker.row) for market in contracts],
        "symbols": [m.symbol for m in contracts],
    }


def _interval(row: Row) -> str:
    """`XBT:perpetual`; a quote other than the root's first one is part of the series' name."""
    series = row["rootSymbol"] if row["symbol"] == f"{row['rootSymbol']}USD" else row["symbol"]
    return f"{series}:{'quarterly' if 'expiry' in row else 'perpetual'}"


def composite_index(venue: Venue, sent: Parameters) -> list[Row]:
    """An index over time. The tape's index has no parts, so each moment has one row: the index itself."""
    wanted = read.text(sent, "symbol") or INDEX
    index = next((index for symbol, index in venue.indices.items() if symbol.upper() == wanted.upper()), None)
    rows: list[Row] = [
        {
            "timestamp": trade["timestamp"],
            "symbol": trade["symbol"],
            "indexSymbol": trade["symbol"],
            "reference": ITSELF,
            "lastPrice": trade["price"],
            "logged": trade["timestamp"],
        }
        for trade in (index.trades if index is not None else ())
    ]
    return answer("compositeIndex", rows, sent)


def assets(venue: Venue, sent: Parameters) -> list[Row]:
    """Every currency that occurs in any row."""
    return answer("assets", venue.asset_rows, sent, paged=False, in_time=False)


def networks(venue: Venue, sent: Parameters) -> list[Row]:
    """The networks of those currencies; explorers and confirmations were not recorded."""
    found: dict[str, Row] = {}
    for asset in venue.asset_rows:
        for network in asset.get("networks", ()):
            name = network["asset"]
            row = {"network": name, "name": name, "currency": asset["currency"], "networkSymbol": name.upper()}
            found.setdefault(name, {**row, "depositConfirmations": 1, "enabled": True})
    return answer("networks", list(found.values()), sent, paged=False, in_time=False)


def announcements(venue: Venue, sent: Parameters) -> list[Row]:
    """The one thing to be told: where one is."""
    del venue
    rows: list[Row] = [
        {
            "id": 1,
            "link": "https://www.bitmex.com/blog/bitmex-closure",
            "title": "This is a simulator",
            "content": "BitMEX closed on 2026-09-23 at 04:00 UTC. What answers here is hbkit's simulator of it.",
            "date": ANNOUNCED,
        }
    ]
    return answer("announcement", rows, sent, paged=False, in_time=False)


def urgent(venue: Venue, sent: Parameters) -> list[Row]:
    """Nothing is."""
    del venue
    return answer("announcement", [], sent, paged=False, in_time=False)


def schema(venue: Venue, sent: Parameters) -> Row:
    """Keys and types of every model, or of one."""
    del venue
    wanted = read.text(sent, "model").lower()
    found: Row = {
        name: {"keys": list(MODEL_KEYS.get(name, ())), "types": dict(types)}
        for name, types in MODELS.items()
        if wanted in ("", name.lower())
    }
    if not found:
        raise bad_request("model is invalid")
    return found


def websocket_help(venue: Venue, sent: Parameters) -> Row:
    """What a socket understands; the members are those of the captured answer of 2020."""
    del venue, sent
    topics: Sequence[str] = sorted({*TYPES, *PLATFORM} - REQUIRES_LOGIN)
    return {
        "info": "See https://www.bitmex.com/app/wsAPI for the protocol.",
        "usage": 'Send {"op": string, "args": Array<string>}',
        "ops": ["authKeyExpires", "cancelAllAfter", "subscribe", "unsubscribe", "ping", "help"],
        "subscribe": 'To subscribe, send {"op": "subscribe", "args": [topic, ...]}.',
        "subscriptionSubjects": {
            "authenticationRequired": sorted(REQUIRES_LOGIN),
            "public": list(topics),
        },
    }
