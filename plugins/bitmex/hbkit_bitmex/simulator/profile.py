"""The user behind a key: its keys, what it traded, how much it quoted, and its preferences (protocol 4.7)."""

from __future__ import annotations

import json
from typing import Any

from hbkit.clock import DAY, iso
from hbkit.model import PositionMode
from hbkit_bitmex.simulator import parameters as read
from hbkit_bitmex.simulator.accounts import VenueAccount
from hbkit_bitmex.simulator.parameters import Parameters
from hbkit_bitmex.simulator.query import answer
from hbkit_bitmex.simulator.reading import BALANCE_MOVERS
from hbkit_bitmex.simulator.refusals import bad_request
from hbkit_bitmex.simulator.routes import Call
from hbkit_bitmex.simulator.statistics import traded_usd
from hbkit_bitmex.simulator.times import moment
from hbkit_bitmex.simulator.venue import Venue

Row = dict[str, Any]
WEEK = 7
CREATED = "2026-01-01T00:00:00.000Z"
"""When every user and key was made, if one asks."""
QUOTING = frozenset({"New", "Replaced"})
"""Execution types of what is counted as a quote."""


def user(call: Call) -> Row:
    """The user; `positionMode` stands here (Simulator rule of 4.7)."""
    account = call.account
    fills = [row["timestamp"] for row in call.venue.executions[account.number] if row["execType"] == "Trade"]
    return {
        "id": account.number,
        "username": call.login.name,
        "accountName": "",
        "email": f"{account.number}@simulator.invalid",
        "created": CREATED,
        "lastUpdated": CREATED,
        "preferences": call.services.preferences.get(account.number, {}),
        "TFAEnabled": "",
        "affiliateID": "",
        "country": "",
        **({"firstTradeTimestamp": fills[0]} if fills else {}),
        "isUser": True,
        "isElite": False,
        "typ": "User",
        "positionMode": "MultiWay" if account.mode is PositionMode.HEDGE else "OneWay",
    }


def save_preferences(call: Call) -> Row:
    """Settings of a client, kept as they are: added to those that are there, or instead of them."""
    refusal = bad_request("prefs is invalid")
    value = read.given(call.sent, "prefs")
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        raise refusal from None
    if not isinstance(found, dict):
        raise refusal
    kept = call.services.preferences
    before = {} if read.boolean(call.sent, "overwrite", False, refusal) else kept.get(call.account.number, {})
    kept[call.account.number] = {**before, **found}
    return user(call)


def log_out(call: Call) -> None:
    """Nothing to be done: a key is checked with every call."""
    del call


def api_keys(call: Call) -> list[Row]:
    """The account's keys; secrets are never shown, `nonce` is there because readers demand it."""
    rows = [
        {
            "id": key.name,
            "secret": "",
            "name": key.name,
            "nonce": 0,
            "cidr": key.cidrs[0] if key.cidrs else "0.0.0.0/0",
            "cidrs": list(key.cidrs) or ["0.0.0.0/0"],
            "permissions": sorted(key.permissions),
            "enabled": key.enabled,
            "userId": key.account.number,
            "created": CREATED,
        }
        for key in call.services.keys.of(call.account)
    ]
    return rows[::-1] if read.boolean(call.sent, "reverse", False, bad_request("reverse is invalid")) else rows


def commission(venue: Venue, sent: Parameters) -> Row:
    """The account's own fees per symbol."""
    del sent
    return {
        symbol: {
            "maxFee": row["takerFee"],
            "makerFee": row["makerFee"],
            "takerFee": row["takerFee"],
            "settlementFee": 0,
        }
        for symbol, row in ((symbol, market.ticker.row) for symbol, market in venue.markets.items())
    }


def trading_volume(venue: Venue, account: VenueAccount, sent: Parameters) -> list[Row]:
    """Dollars a day over the last thirty days."""
    del sent
    contracts, spot = traded_usd(venue.executions[account.number], venue.ts)
    return [{"advUsd": contracts + spot, "advUsdSpot": spot, "advUsdContract": contracts}]


def quote_fill_ratio(venue: Venue, account: VenueAccount, sent: Parameters) -> list[Row]:
    """Orders placed or amended, and how many fills there were, for each of the last seven days."""
    del sent
    rows: list[Row] = []
    counts = [_quotes_and_fills(venue, account, venue.ts // DAY - back) for back in range(2 * WEEK - 1, -1, -1)]
    for place in range(WEEK, 2 * WEEK):
        week = counts[place - WEEK + 1 : place + 1]
        quotes, fills = (sum(day[which] for day in week) / WEEK for which in (0, 1))
        rows.append(
            {
                "date": iso((venue.ts // DAY - (2 * WEEK - 1 - place)) * DAY),
                "account": account.number,
                "quoteCount": counts[place][0],
                "dealtCount": counts[place][1],
                "quotesMavg7": quotes,
                "dealtMavg7": fills,
                "quoteFillRatioMavg7": fills / quotes if quotes else 0,
            }
        )
    return rows


def _quotes_and_fills(venue: Venue, account: VenueAccount, day: int) -> tuple[int, int]:
    since, until = iso(day * DAY), iso((day + 1) * DAY)
    kinds = [row["execType"] for row in venue.executions[account.number] if since <= row["timestamp"] < until]
    return sum(kind in QUOTING for kind in kinds), kinds.count("Trade")


def quote_value_ratio(venue: Venue, account: VenueAccount, sent: Parameters) -> list[Row]:
    """Per symbol: bitcoin traded since the simulator began, for each order placed or amended."""
    del sent
    rows: dict[str, Row] = {}
    for one in venue.executions[account.number]:
        if one["execType"] not in QUOTING | {"Trade"} or "symbol" not in one:
            continue
        row = rows.setdefault(
            one["symbol"],
            {
                "timestamp": venue.stamp,
                "account": account.number,
                "symbol": one["symbol"],
                "quoteCount": 0,
                "volumeXBT": 0.0,
                "QVR": 0.0,
                "id": len(rows) + 1,
            },
        )
        if one["execType"] == "Trade":
            row["volumeXBT"] += abs(one["homeNotional"])
        else:
            row["quoteCount"] += 1
    for row in rows.values():
        row["QVR"] = row["volumeXBT"] / row["quoteCount"] if row["quoteCount"] else 0
    return list(rows.values())


def execution_history(venue: Venue, account: VenueAccount, sent: Parameters) -> list[Row]:
    """What moved the balance in one symbol, on the UTC day of a moment; both are required."""
    symbol, text = read.text(sent, "symbol"), read.text(sent, "timestamp")
    if not symbol:
        raise bad_request("symbol is invalid")
    try:
        day = moment(text) // DAY
        since, until = iso(day * DAY), iso((day + 1) * DAY)
    except (ValueError, OverflowError):
        raise bad_request("timestamp is invalid") from None
    rows = [
        row
        for row in venue.executions[account.number]
        if row["execType"] in BALANCE_MOVERS and since <= row["timestamp"] < until
    ]
    return answer("execution", rows, {"symbol": symbol}, paged=False)


def user_events(venue: Venue, account: VenueAccount, sent: Parameters) -> Row:
    """What happened to the user: its account was made."""
    read.integer(sent, "count", bad_request("count is invalid"))
    first = read.integer(sent, "startId", bad_request("startId is invalid"))
    del venue
    events: list[Row] = [
        {
            "id": 1,
            "type": "apiKeyCreated",
            "status": "success",
            "userId": account.number,
            "createdById": account.number,
            "ip": "127.0.0.1",
            "eventMeta": {},
            "created": CREATED,
        }
    ]
    return {"userEvents": [event for event in events if first is None or event["id"] <= first]}
