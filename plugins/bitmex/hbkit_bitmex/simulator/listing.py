"""The instrument rows: what stands still comes from the packaged rows, what moves is kept here and told as changes."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from hbkit.clock import DAY, HOUR, MINUTE, iso
from hbkit.model import Instrument
from hbkit_bitmex.simulator.bins import Bin
from hbkit_bitmex.simulator.numbers import Number, notionals, number, plain

Row = dict[str, Any]

MOVING = frozenset(
    {
        "askPrice", "bidPrice", "midPrice", "impactAskPrice", "impactBidPrice", "impactMidPrice", "fairBasis",
        "fairBasisRate", "fairPrice", "markPrice", "indicativeSettlePrice", "foreignNotional24h", "homeNotional24h",
        "volume24h", "turnover24h", "volume", "turnover", "totalVolume", "totalTurnover", "vwap", "highPrice",
        "lowPrice", "lastPrice", "lastPriceProtected", "lastTickDirection", "lastChangePcnt", "prevPrice24h",
        "prevClosePrice", "fundingRate", "indicativeFundingRate", "fundingTimestamp", "openingTimestamp",
        "closingTimestamp", "timestamp", "hasLiquidity",
    }
)  # fmt: skip
"""Columns of the packaged rows that were true at the moment of their recording only."""

FUNDING_HOURS = 8 * HOUR
FUNDING_OFFSET = 4 * HOUR
"""Fundings at 04:00, 12:00 and 20:00 UTC (protocol 10.9)."""
FUNDING_INTERVAL_TEXT = "2000-01-01T08:00:00.000Z"


def static_row(recorded: Row) -> Row:
    """What of a recorded row still holds."""
    return {column: plain(value) for column, value in recorded.items() if column not in MOVING}


def next_funding(ts: int) -> int:
    """The first funding time after `ts`."""
    return (ts - FUNDING_OFFSET) // FUNDING_HOURS * FUNDING_HOURS + FUNDING_HOURS + FUNDING_OFFSET


class Listing:
    """One row of `/instrument`; `changes` are collected until the step is published."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.changes: Row = {}

    def set(self, **columns: Any) -> None:
        """New values; those that are the same are no change."""
        for column, value in columns.items():
            if self.row.get(column) != value:
                self.row[column] = self.changes[column] = value

    def collect(self, stamp: str) -> Row | None:
        """The update row of this step, None when nothing changed."""
        if not self.changes:
            return None
        changes, self.changes = self.changes, {}
        self.row["timestamp"] = stamp
        return {"symbol": self.row["symbol"], **changes, "timestamp": stamp}


class Ticker(Listing):
    """The row of a tradeable instrument, kept from its trades, quotes and marks."""

    def __init__(self, instrument: Instrument, recorded: Row) -> None:
        super().__init__({**static_row(recorded), "hasLiquidity": True})
        self.instrument = instrument
        self.digits = max(
            0, -int(Decimal(recorded.get("minTick", instrument.tick_size)).normalize().as_tuple().exponent)
        )
        """Of index, mark and basis: those of `minTick`, which is finer than the tick (9.2)."""
        self.has_traded = False
        self._minutes: deque[Bin] = deque(maxlen=DAY // MINUTE)
        self._day_volume = self._day_turnover = 0
        self._session_volume = self._session_turnover = 0
        self.rates: list[float] = []
        """Rates still to be paid, the next one first; the last one stands for all that follow."""
        self.funding_at = 0
        self.index: float | None = None
        self.mark: float | None = None

    @property
    def rate(self) -> float:
        """What will be paid next."""
        return self.rates[0] if self.rates else 0.0

    # -- trades

    def traded(self, price: Number, direction: str, units: int, value: int) -> None:
        """The last trade; sums over the session are told at the end of the step."""
        self.has_traded = True
        self._session_volume += units
        self._session_turnover += value
        self.set(
            lastPrice=price,
            lastPriceProtected=price,
            lastTickDirection=direction,
            lastChangePcnt=self._change(price),
            volume=self._session_volume,
            totalVolume=self.row.get("prevTotalVolume", 0) + self._session_volume,
            turnover=self._session_turnover,
            totalTurnover=self.row.get("prevTotalTurnover", 0) + self._session_turnover,
        )
        if self.instrument.is_spot:
            self.set(markPrice=price)

    def minutes_closed(self, ended: Sequence[Bin]) -> None:
        """The 24 h figures move once a minute (here; the venue's own pace is not known)."""
        if not ended:
            return
        for which in ended:
            if len(self._minutes) == self._minutes.maxlen:
                gone = self._minutes[0]
                self._day_volume -= gone.volume
                self._day_turnover -= gone.turnover
            self._keep_session(which.end)
            self._minutes.append(which)
            self._day_volume += which.volume
            self._day_turnover += which.turnover
        self._show_day()

    def day_before(self, minutes: list[Bin]) -> None:
        """What of the last 24 h lies before the first minute that was told."""
        room = DAY // MINUTE - len(self._minutes)
        if not room or not minutes:
            return
        older = minutes[-room:]
        self._minutes.extendleft(reversed(older))
        self._day_volume += sum(minute.volume for minute in older)
        self._day_turnover += sum(minute.turnover for minute in older)
        self._show_day()

    def _show_day(self) -> None:
        home, foreign = notionals(
            self.instrument, self._day_volume, self._day_turnover, self.row.get("quoteToSettleMultiplier")
        )
        price = self.instrument.price
        self.set(
            volume24h=self._day_volume,
            turnover24h=self._day_turnover,
            homeNotional24h=home,
            foreignNotional24h=foreign,
            vwap=number(round(foreign / home, 4)) if home else number(price(self._minutes[-1].close)),
            highPrice=number(price(max(minute.high for minute in self._minutes))),
            lowPrice=number(price(min(minute.low for minute in self._minutes))),
            prevPrice24h=number(price(self._minutes[0].open)),
            lastChangePcnt=self._change(self.row.get("lastPrice", price(self._minutes[-1].close))),
        )

    def _change(self, price: Number) -> Number:
        """Against the price of a day ago."""
        before = self.instrument.price(self._minutes[0].open) if self._minutes else price
        return number(round(price / before - 1, 4))

    def _keep_session(self, minute_end: int) -> None:
        """A session lasts an hour; total = previous + session (9.2).

        That it is an hour show the rows of 2026-05-03: opened 05:00, closing 06:00, and two minutes' volume in between.
        """
        opened = (minute_end - 1) // HOUR * HOUR
        if "openingTimestamp" not in self.row:
            self._open_session(opened)
        if minute_end == opened + HOUR:
            row = self.row
            self.set(
                prevTotalVolume=row.get("totalVolume", 0),
                prevTotalTurnover=row.get("totalTurnover", 0),
                prevClosePrice=row.get("markPrice", row.get("lastPrice")),
                volume=0,
                turnover=0,
            )
            self._session_volume = self._session_turnover = 0
            self._open_session(minute_end)

    def _open_session(self, opened: int) -> None:
        self.set(openingTimestamp=iso(opened), closingTimestamp=iso(opened + HOUR))

    # -- quotes and marks

    def quoted(self, bid: Number | None, ask: Number | None) -> None:
        """The touch; impact prices are the touch, for no depth is known beyond 25 levels."""
        middle = number((bid + ask) / 2) if bid is not None and ask is not None else None
        self.set(
            bidPrice=bid, askPrice=ask, midPrice=middle,
            impactBidPrice=bid, impactAskPrice=ask, impactMidPrice=middle,
        )  # fmt: skip

    def marked(self, ts: int, index: float, fair: float | None = None) -> float:
        """An index; returns the mark: index + index * rate * time to funding / interval (protocol 10.9).

        :param fair: what a dated future is worth; its mark is that.
        """
        digits, expiry = self.digits, self.instrument.expiry
        left = max(0, self.funding_at - ts)
        basis = round(index * self.rate * left / FUNDING_HOURS if fair is None else fair - index, digits)
        yearly = float(Decimal(repr(self.rate)) * 3 * 365)
        if fair is not None and expiry is not None and expiry > ts:
            yearly = round(basis / index * 365 * DAY / (expiry - ts), 5)
        mark = round(index + basis, digits)
        self.index, self.mark = index, mark
        self.set(
            indicativeSettlePrice=number(round(index, digits)),
            fairBasis=number(basis),
            fairBasisRate=number(yearly),
            fairPrice=number(mark),
            markPrice=number(mark),
            # Nobody recorded the open interest of the tape's day: that of the instrument row, at the present mark.
            openValue=self.instrument.value(self.row.get("openInterest", 0), mark),
        )
        return mark

    # -- funding

    def schedule(self, ts: int, rates: list[float]) -> None:
        """Begin: the first rate of `rates` is paid at the next funding time."""
        self.rates = rates or [0.0001]
        self.funding_at = next_funding(ts)
        self._show_funding()

    def paid(self, ts: int) -> None:
        """After a funding the estimate is the rate (18.7.3)."""
        if len(self.rates) > 1:
            del self.rates[0]
        self.funding_at = next_funding(ts)
        self._show_funding()

    def _show_funding(self) -> None:
        following = self.rates[1] if len(self.rates) > 1 else self.rates[0]
        self.set(
            fundingRate=number(self.rate),
            indicativeFundingRate=number(following),
            fundingTimestamp=iso(self.funding_at),
        )


def index_listing(symbol: str, behind: Mapping[str, Any]) -> Listing:
    """The row of the index behind an instrument (17.2): not tradeable, last price = mark = index."""
    is_share = behind["typ"] == "FFSCSX"
    return Listing(
        {
            "symbol": symbol,
            "rootSymbol": behind["rootSymbol"],
            "state": "Unlisted",
            "typ": "MRSXXX" if is_share else "MRCXXX",
            "underlying": behind["underlying"],
            "quoteCurrency": behind["quoteCurrency"],
            "reference": "BMEX",
            "referenceSymbol": symbol,
            "tickSize": plain(behind.get("minTick", Decimal("0.01"))),
            "multiplier": 1,
            "isQuanto": False,
            "isInverse": False,
            "instantPnl": False,
            "hasLiquidity": False,
            "markMethod": "LastPrice",
            "volume24h": 0,
            "turnover24h": 0,
            "openInterest": 0,
            "openValue": 0,
        }
    )
