"""What the GET routes answer: rows out of the venue, each list through the common table query (protocol 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hbkit.clock import iso
from hbkit_bitmex.simulator import parameters as read
from hbkit_bitmex.simulator.accounts import VenueAccount
from hbkit_bitmex.simulator.bins import SIZES
from hbkit_bitmex.simulator.options import STARTING_BALANCES
from hbkit_bitmex.simulator.parameters import Parameters
from hbkit_bitmex.simulator.public import Index, PublicMarket
from hbkit_bitmex.simulator.query import answer, answer_of, series
from hbkit_bitmex.simulator.refusals import bad_request
from hbkit_bitmex.simulator.venue import Venue

Row = dict[str, Any]

TRADES_MAX, BINS_MAX = 1_000, 10_000
DEPTH = 25
BALANCE_MOVERS = frozenset({"Trade", "Funding", "Settlement", "Insurance"})
"""Execution types that move money (4.9); a liquidation is a Trade of no order."""


# -- public


def instruments(venue: Venue, sent: Parameters) -> list[Row]:
    """All, alphabetical, paged (4.1.6)."""
    return answer("instrument", venue.instrument_rows(), sent, in_time=False)


def active(venue: Venue, sent: Parameters) -> list[Row]:
    """What is Open."""
    return answer("instrument", venue.instrument_rows(venue.markets), sent, paged=False, in_time=False)


def indices(venue: Venue, sent: Parameters) -> list[Row]:
    """The indices."""
    return answer("instrument", venue.instrument_rows(venue.indices), sent, paged=False, in_time=False)


def active_and_indices(venue: Venue, sent: Parameters) -> list[Row]:
    """Both, the instruments first."""
    return active(venue, sent) + indices(venue, sent)


def book(venue: Venue, sent: Parameters) -> list[Row]:
    """Sells from high to low, then buys; `depth` levels a side, 0 for all (4.5)."""
    symbol = read.text(sent, "symbol")
    if not symbol:
        raise bad_request("symbol is invalid")
    depth = read.integer(sent, "depth", bad_request("depth is invalid"))
    if depth is not None and depth < 0:
        raise bad_request("depth is invalid")
    market = _market(venue, symbol)
    return market.board.snapshot(DEPTH if depth is None else depth) if market is not None else []


def _market(venue: Venue, symbol: str) -> PublicMarket | None:
    wanted = series(symbol).upper()
    return next((market for name, market in venue.markets.items() if name.upper() == wanted), None)


def trades(venue: Venue, sent: Parameters) -> list[Row]:
    """Trades since shortly before the simulator began, indices' referential ones included."""
    wanted = series(read.text(sent, "symbol")).upper()
    sources: dict[str, PublicMarket | Index] = {**venue.markets, **venue.indices}
    lists: list[Sequence[Row]] = [one.trades for name, one in sources.items() if wanted in ("", name.upper())]
    return answer_of("trade", lists, sent, most=TRADES_MAX)


def bucketed(venue: Venue, sent: Parameters) -> list[Row]:
    """Bins, stamped at their end (4.4); `partial` adds the open one."""
    size = read.text(sent, "binSize") or "1m"
    if size not in SIZES:
        raise bad_request("binSize is invalid")
    partial = read.boolean(sent, "partial", False, bad_request("partial is invalid"))
    wanted = series(read.text(sent, "symbol")).upper()
    lists = [
        market.bins.rows(size, partial=partial)
        for name, market in venue.markets.items()
        if wanted in ("", name.upper())
    ]
    return answer_of(f"tradeBin{size}", lists, sent, most=BINS_MAX)


def quotes(venue: Venue, sent: Parameters) -> list[Row]:
    """Quotes since the simulator began."""
    wanted = series(read.text(sent, "symbol")).upper()
    lists: list[Sequence[Row]] = [
        market.quotes for name, market in venue.markets.items() if wanted in ("", name.upper())
    ]
    return answer_of("quote", lists, sent)


def fundings(venue: Venue, sent: Parameters) -> list[Row]:
    """Fundings paid since the simulator began."""
    return answer("funding", venue.fundings, sent)


def quote_bins(venue: Venue, sent: Parameters) -> list[Row]:
    """The touch at the end of each bin since the simulator began; `partial` adds the touch as it stands (4.4)."""
    size = read.text(sent, "binSize") or "1m"
    if size not in SIZES:
        raise bad_request("binSize is invalid")
    partial = read.boolean(sent, "partial", False, bad_request("partial is invalid"))
    wanted = series(read.text(sent, "symbol")).upper()
    lists = [
        market.quote_bins.rows(size, partial=venue.ts if partial else None)
        for name, market in venue.markets.items()
        if wanted in ("", name.upper())
    ]
    return answer_of("quote", lists, sent, most=TRADES_MAX)


def settlements(venue: Venue, sent: Parameters) -> list[Row]:
    """Contracts that were settled since the simulator began."""
    return answer("settlement", venue.clearing.settlements, sent)


def insurance(venue: Venue, sent: Parameters) -> list[Row]:
    """What the insurance fund holds now, per currency; it begins with nothing."""
    now = {"timestamp": venue.stamp, "walletBalance": 0}
    rows: dict[str, Row] = {code: {"currency": code, **now} for code in STARTING_BALANCES}
    rows |= {row["currency"]: row for row in venue.clearing.insurance_rows()}
    return answer("insurance", list(rows.values()), sent)


def liquidations(venue: Venue, sent: Parameters) -> list[Row]:
    """Liquidations since the simulator began; each was over within its step."""
    rows = answer("liquidation", venue.clearing.liquidations, sent)
    return [{column: value for column, value in row.items() if column != "timestamp"} for row in rows]


# -- private


def orders(venue: Venue, account: VenueAccount, sent: Parameters) -> list[Row]:
    """Orders by time of entry; time bounds act on that too (4.1.3)."""
    # Between steps the row that was published last is the row: it need not be made again.
    rows = [
        {**order.last_row(), "_entered": iso(order.entered_ts)} for order in venue.orders_of[account.number]
    ]
    found = answer("order", rows, sent, stamp="_entered")
    return [{column: value for column, value in row.items() if column != "_entered"} for row in found]


def executions(venue: Venue, account: VenueAccount, sent: Parameters) -> list[Row]:
    """Every execution row."""
    return answer("execution", venue.executions[account.number], sent)


def trade_history(venue: Venue, account: VenueAccount, sent: Parameters) -> list[Row]:
    """Only what moves a balance (4.9)."""
    rows = [row for row in venue.executions[account.number] if row["execType"] in BALANCE_MOVERS]
    return answer("execution", rows, sent)


def positions(venue: Venue, account: VenueAccount, sent: Parameters) -> list[Row]:
    """Every position row, not paged unless a count is sent."""
    return answer("position", venue.positions(account), sent, paged="count" in sent, in_time=False)


def currency_codes(venue: Venue, sent: Parameters) -> tuple[list[str], bool]:
    """Major codes asked for, and whether an array is wanted: exactly matched first, then without case (4.7)."""
    wanted = read.text(sent, "currency") or "XBt"
    majors = {minor: major for major, minor in venue.minor.items() if minor in STARTING_BALANCES}
    if wanted.lower() == "all":
        return [majors[minor] for minor in STARTING_BALANCES], True
    if wanted in majors:
        return [majors[wanted]], False
    folded = {minor.lower(): major for minor, major in majors.items()}
    if wanted.lower() not in folded:
        raise bad_request("Invalid currency")
    return [folded[wanted.lower()]], False


def margin(venue: Venue, account: VenueAccount, sent: Parameters) -> Row | list[Row]:
    """One object, or an array for `all`."""
    codes, several = currency_codes(venue, sent)
    rows = [venue.margin(account, code) for code in codes]
    return rows if several else rows[0]


def wallet(venue: Venue, account: VenueAccount, sent: Parameters) -> Row | list[Row]:
    """One object, or an array for `all`."""
    codes, several = currency_codes(venue, sent)
    rows = [venue.wallet(account, code) for code in codes]
    return rows if several else rows[0]


def wallet_history(venue: Venue, account: VenueAccount, sent: Parameters) -> list[Row]:
    """Newest first by default; begins with a pseudo row per open position (4.7)."""
    codes, _ = currency_codes(venue, sent)
    minor = {venue.minor[code] for code in codes}
    rows = [row for row in (*account.transactions, *venue.clearing.pending_profit(account)) if row["currency"] in minor]
    return answer(
        "transact",
        rows,
        {**sent, "currency": None},
        most=BINS_MAX,
        default=BINS_MAX,
        reverse=True,
        stamp="transactTime",
        in_time=False,
    )


def wallet_summary(venue: Venue, account: VenueAccount, sent: Parameters) -> list[Row]:
    """The wallet's history summed by type, symbol of the profit included, and a Total per currency."""
    codes, _ = currency_codes(venue, sent)
    rows: list[Row] = []
    for code in codes:
        minor = venue.minor[code]
        sums: dict[tuple[str, str], list[int]] = {}
        mine = [row for row in account.transactions if row["currency"] == minor]
        for row in mine:
            symbol = row["address"] if row["transactType"] == "RealisedPNL" else ""
            found = sums.setdefault((row["transactType"], symbol), [0, 0])
            found[0] += row["amount"]
            found[1] += row["fee"]
        base = {"account": account.number, "currency": minor, "pendingDebit": 0, "realisedPnl": 0, "marginBalance": 0}
        rows += [
            {**base, "transactType": kind, "symbol": symbol, "amount": amount, "walletBalance": 0, "unrealisedPnl": 0}
            for (kind, symbol), (amount, _) in sums.items()
        ]
        money = venue.margin(account, code)
        rows.append(
            {
                **base,
                "transactType": "Total",
                "symbol": "",
                "amount": sum(row["amount"] for row in mine),
                "walletBalance": money["walletBalance"],
                "realisedPnl": money["realisedPnl"],
                "unrealisedPnl": money["unrealisedPnl"],
                "marginBalance": money["marginBalance"],
            }
        )
    return rows
