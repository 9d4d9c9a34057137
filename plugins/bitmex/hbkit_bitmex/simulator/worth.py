"""What every listed instrument is worth at a moment: one path per asset, so that spot, perpetual, future, index agree.

A price is what the base is worth in dollars over what the quote is worth in dollars, and for a dated future the basis
of its row on top. Bitcoin follows the recorded market where one is played; the other coins follow bitcoin, each with a
path of its own around it, on the level that their recorded price had to bitcoin's. Shares, metals, currencies and
stable coins keep their recorded level.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hbkit.clock import DAY, parse_time
from hbkit.model import Instrument, InstrumentKind
from hbkit_bitmex.simulator.numbers import notionals
from hbkit_bitmex.simulator.paths import Path, Style

Row = Mapping[str, Any]
Leader = Callable[[int], float | None]
"""The dollar price of bitcoin at a market time, None where it is not known."""

BITCOIN = "XBT"
TETHER = 1 / 1.0001
"""Dollars per USDT: the indices .BXBT and .BXBTT of the recorded rows were 78,176.66 and 78,184.59."""
STILL = frozenset({"RLUSD", "XAUT"})
"""Coins whose price does not follow bitcoin's."""
DAILY = {"coin": 0.02, "share": 0.01, "currency": 0.004, "stable": 0.0004, "prediction": 0.15, "bitcoin": 0.025}
"""How far a price moves in a day; of coins: against bitcoin."""
BASIS_MAX = 0.1
WRONG = 0.2
"""A recorded index that is further from the last price than this fraction is taken to be an outage of the index."""
YEAR = 365 * DAY
ERA = "2026-05-03T00:00:00Z"
WEEK = 7 * DAY


def moved_by(now: int) -> int:
    """By how much expiries of the recorded rows are moved, ns: whole weeks, so that the rows' day is about `now`."""
    return (now - parse_time(ERA)) // WEEK * WEEK


class Worth:
    """Prices of all assets; `at` and `of` take market time."""

    def __init__(self, rows: Iterable[Row], seed: int, style: Style, origin: int, leader: Leader | None) -> None:
        """
        :param origin: the market time at which the paths begin.
        :param leader: bitcoin's recorded price, None where its path is drawn too.
        """
        self._origin = origin
        self._leader = leader
        self._anchors: dict[str, float] = {"USD": 1.0, "USDT": TETHER, "XXX": 1.0}
        self._groups: dict[str, str] = {}
        self._basis: dict[str, float] = {}
        self._anchor(sorted(rows, key=_preference))
        self._paths = {asset: Path(seed, f"path/{asset}", DAILY[group], style) for asset, group in self._groups.items()}

    def _anchor(self, rows: list[Row]) -> None:
        for row in rows:
            base, quote, price = _base(row), row["quoteCurrency"], recorded_price(row)
            if base not in self._anchors and quote in self._anchors:
                self._anchors[base] = price * self._anchors[quote]
                self._groups[base] = _group(row, base)
            elif quote not in self._anchors and base in self._anchors:
                self._anchors[quote] = self._anchors[base] / price
                self._groups[quote] = _group(row, quote)
            if "expiry" in row and row["typ"] == "FFCCSX":
                self._basis[row["symbol"]] = _annual_basis(row)

    def at(self, asset: str, ts: int) -> float:
        """Dollars."""
        if asset not in self._groups:
            return self._anchors[asset]
        anchor, group = self._anchors[asset], self._groups[asset]
        moved = math.exp(self._paths[asset].at(ts - self._origin))
        if group == "bitcoin":
            known = self._leader(ts) if self._leader is not None else None
            return known if known is not None else anchor * moved
        if group == "prediction":
            # Odds move, so that the price stays between 0 and 100.
            odds = anchor / (100 - anchor) * moved
            return 100 * odds / (1 + odds)
        if group == "coin":
            return anchor * moved * self.at(BITCOIN, ts) / self._anchors[BITCOIN]
        return anchor * moved

    def index(self, row: Row, ts: int) -> float:
        """The index behind an instrument, in its quote currency."""
        return self.at(_base(row), ts) / self.at(row["quoteCurrency"], ts)

    def fair(self, row: Row, ts: int, index: float, expiry: int | None) -> float:
        """What it is worth: of a dated future the index and its basis, of all else the index."""
        basis = self._basis.get(row["symbol"])
        if basis is None or expiry is None:
            return index
        return index * (1 + basis * max(0, expiry - ts) / YEAR)

    def lot(self, row: Row, instrument: Instrument, price: float, ts: int) -> float:
        """Dollars that a lot is worth at a price."""
        if instrument.kind is InstrumentKind.QUANTO:
            # In bitcoin whatever the price is quoted in: minor units per contract and unit of price.
            return _never_nothing(
                price * float(instrument.multiplier) * instrument.lot_units * 1e-8 * self.at(BITCOIN, ts)
            )
        home, foreign = notionals(instrument, instrument.lot_units, instrument.value(instrument.lot_units, price))
        return _never_nothing(
            float(foreign if instrument.is_inverse else home * price) * self.at(row["quoteCurrency"], ts)
        )


def _never_nothing(dollars: float) -> float:
    return max(1e-9, dollars)


def recorded_price(row: Row) -> float:
    """The index that was recorded, or the last price where there is none or it was out of order."""
    last = float(row.get("lastPrice") or row["markPrice"])
    index = float(row.get("indicativeSettlePrice") or last)
    return last if abs(index / last - 1) > WRONG else index


def _base(row: Row) -> str:
    return str(row["rootSymbol"] if row["typ"] == "FFICSX" else row["underlying"])


def _preference(row: Row) -> tuple[bool, bool, bool]:
    """Dollar prices first, perpetuals before spot, and dated futures last, whose prices hold a basis."""
    return "expiry" in row, row["quoteCurrency"] not in ("USD", "USDT"), row["typ"] == "IFXXXP"


def _group(row: Row, asset: str) -> str:
    if asset == BITCOIN:
        return "bitcoin"
    if row["typ"] == "FFICSX":
        return "prediction"
    if asset in STILL:
        return "share" if asset == "XAUT" else "stable"
    if row["typ"] == "FFSCSX":
        return "currency" if {"USD"} & {row["underlying"], row["quoteCurrency"]} else "share"
    return "currency" if asset == "EUR" else "coin"


def _annual_basis(row: Row) -> float:
    """What the mark stood above the index, a year's worth; clipped, for thin futures are marked by anything."""
    index, mark = float(row["indicativeSettlePrice"]), float(row["markPrice"])
    left = parse_time(row["expiry"]) - parse_time(row["timestamp"])
    return max(-BASIS_MAX, min(BASIS_MAX, (mark / index - 1) * YEAR / left))
