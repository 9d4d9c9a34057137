"""What was traded, over days and months, per symbol and per root (protocol 4.3): made from the daily bins."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from hbkit.clock import DAY, iso
from hbkit_bitmex.simulator.parameters import Parameters
from hbkit_bitmex.simulator.public import PublicMarket
from hbkit_bitmex.simulator.query import answer
from hbkit_bitmex.simulator.venue import Venue

Row = dict[str, Any]
MONTH, YEAR = 30, 365
TOTAL = "Total"
_COUNTED = ("volume24h", "turnover24h", "openInterest", "openValue")


def stats(venue: Venue, sent: Parameters) -> list[Row]:
    """Per root and settlement currency, and a Total per currency (4.7)."""
    del sent
    rows = _by_root(venue, {"currency": ""}, _COUNTED, lambda market: [{**market.ticker.row, "currency": ""}])
    return sorted(rows, key=lambda row: (row["currency"], row["rootSymbol"] == TOTAL))


def history(venue: Venue, sent: Parameters) -> list[Row]:
    """Volume and turnover of each day, the oldest first."""
    del sent

    def days(market: PublicMarket) -> list[Row]:
        rows = market.bins.rows("1d", partial=True)
        return [{"date": row["timestamp"], "volume": row["volume"], "turnover": row["turnover"]} for row in rows]

    rows = _by_root(venue, {"date": "", "currency": ""}, ("volume", "turnover"), days)
    return sorted(rows, key=lambda row: (row["date"], row["currency"], row["rootSymbol"] == TOTAL))


def history_usd(venue: Venue, sent: Parameters) -> list[Row]:
    """Turnover in whole US dollars per root, and all together; a USDT is counted as a dollar."""
    del sent
    sums: dict[str, Row] = {}
    for market in venue.markets.values():
        for root in (market.ticker.row["rootSymbol"], TOTAL):
            row = sums.setdefault(root, {"rootSymbol": root, "currency": "USD", **dict.fromkeys(_dollars(market), 0)})
            for column, dollars in _dollars(market).items():
                row[column] += dollars
    return sorted(sums.values(), key=lambda row: row["rootSymbol"] == TOTAL)


def usd_volume(venue: Venue, sent: Parameters) -> list[Row]:
    """Turnover in whole US dollars per symbol."""
    rows = [{"symbol": symbol, "currency": "USD", **_dollars(market)} for symbol, market in venue.markets.items()]
    return answer("usdVolume", rows, sent, paged=False, in_time=False)


def _dollars(market: PublicMarket) -> Row:
    """The last day to the minute, longer times in whole UTC days."""
    days = market.bins.rows("1d", partial=True)
    sums = [sum(row["foreignNotional"] for row in days[-count:]) for count in (MONTH, YEAR)]
    whole = sum(row["foreignNotional"] for row in days)
    day = market.ticker.row.get("foreignNotional24h", 0)
    return {
        column: round(dollars)
        for column, dollars in zip(
            ("turnover24h", "turnover30d", "turnover365d", "turnover"), (day, *sums, whole), strict=True
        )
    }


def _by_root(
    venue: Venue, names: Row, counted: tuple[str, ...], rows_of: Callable[[PublicMarket], list[Row]]
) -> list[Row]:
    """Rows of all contracts added up per root and settlement currency; `names` says what else tells rows apart."""
    sums: dict[tuple[Any, ...], Row] = {}
    for market in venue.markets.values():
        if market.instrument.is_spot:
            continue
        code = venue.minor[market.instrument.settle.code]
        for part in rows_of(market):
            for root in (market.ticker.row["rootSymbol"], TOTAL):
                named = {**{name: part.get(name, "") for name in names}, "rootSymbol": root, "currency": code}
                row = sums.setdefault(tuple(named.values()), {**named, **dict.fromkeys(counted, 0)})
                for column in counted:
                    row[column] += part.get(column, 0)
    return list(sums.values())


def traded_usd(rows: Iterable[Row], now: int) -> tuple[float, float]:
    """What an account traded per day of the last thirty, in dollars: contracts, spot."""
    since = iso(now - MONTH * DAY)
    fills = [row for row in rows if row["execType"] == "Trade" and row["timestamp"] >= since]
    spot = sum(abs(row["foreignNotional"]) for row in fills if "settlCurrency" not in row)
    contracts = sum(abs(row["foreignNotional"]) for row in fills if "settlCurrency" in row)
    return contracts / MONTH, spot / MONTH
