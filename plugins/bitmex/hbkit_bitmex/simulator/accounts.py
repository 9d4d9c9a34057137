"""An account at the venue: the engine's account, and what its session has earned.

The margin rules are the engine's (`hbkit.matching.margin`); what stands here is what rows tell and the engine does not
need: sessions, the wallet's history, and the timers of an account.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from hbkit.matching import Account
from hbkit.matching.account import Reference
from hbkit.model import Currency, Instrument, PositionMode, PositionSide

Row = dict[str, Any]
LegKey = tuple[Instrument, PositionSide]
FundingRate = Callable[[Instrument], Fraction]
LEGS = (PositionSide.LONG, PositionSide.SHORT)


@dataclass
class LegSession:
    """What a position did since the last session close (18.7.6)."""

    realized_seen: int = 0
    realized: int = 0
    previous: int = 0
    cost: int = 0
    fees: int = 0
    paid: int = 0
    """Fees of the position that is open now: what its break-even price must earn back."""
    opening: int = 0
    opened_cost: int = 0
    told_at: int = 0
    """When a change of the mark alone was last told, on the wall clock."""

    def add(self, other: LegSession) -> None:
        """Take over what another leg did: two of them became one position."""
        for name in ("realized_seen", "realized", "previous", "cost", "fees", "paid", "opening", "opened_cost"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass
class MoneySession:
    """What a currency earned since the last session close; `balance` = settled amount + `realized`."""

    realized: int = 0
    previous: int = 0
    fees: int = 0


class VenueAccount(Account):
    """One user: `number` is the account id of every row."""

    def __init__(
        self, number: int, balances: Mapping[Currency, int], reference: Reference, funding_rate: FundingRate
    ) -> None:
        super().__init__(str(number), balances, reference, funding_rate=funding_rate)
        self.number = number
        self._began_with = dict(balances)
        self.deposited = dict(self.cash)
        self.withdrawn: dict[str, int] = {}
        self.legs_session: dict[LegKey, LegSession] = {}
        self.money: dict[str, MoneySession] = {code: MoneySession() for code in self.cash}
        self.transactions: list[Row] = []
        self.cancel_at: int | None = None
        """When the dead man's switch fires, on the wall clock."""
        self.margining_mode = ""
        """What `/user/marginingMode` was told, in its own words; it changes nothing (10.7)."""
        self.liquidating: set[LegKey] = set()
        """Positions that are being taken over in this very step."""

    def forget(self) -> None:
        """As it was in the beginning; whoever holds it keeps it."""
        new = VenueAccount(self.number, self._began_with, self._reference, self._funding_rate)
        vars(self).update(vars(new))

    def move(self, currency: Currency, amount: int) -> None:
        """Money comes in from outside, or goes out."""
        self._move(currency, amount)
        self.movements += 1

    # -- the session

    def session(self, key: LegKey) -> LegSession:
        """One leg's session, made when first asked for."""
        return self.legs_session.setdefault(key, LegSession())

    def book_trade(self, instrument: Instrument, side: PositionSide, cost: int, fee: int) -> None:
        """The engine booked a fill of a contract: take over what it realized."""
        session, leg = self.session((instrument, side)), self.leg(instrument, side)
        earned = leg.realized - session.realized_seen
        session.realized_seen = leg.realized
        session.cost += cost
        session.fees += fee
        session.paid = session.paid + fee if leg.units else 0
        self.earn(instrument, side, earned - fee, fee)

    def earn(self, instrument: Instrument, side: PositionSide, amount: int, fee: int) -> None:
        """Profit, fee or funding of a contract goes to the session's realised profit (10.6)."""
        self.session((instrument, side)).realized += amount
        money = self.money.setdefault(instrument.settle.code, MoneySession())
        money.realized += amount
        money.fees += fee

    def close_session(self) -> dict[Instrument, int]:
        """12:00 UTC: realised profit becomes settled money; returns what was settled per instrument."""
        settled: dict[Instrument, int] = {}
        for (instrument, _), session in self.legs_session.items():
            settled[instrument] = settled.get(instrument, 0) + session.realized
        for money in self.money.values():
            money.previous, money.realized, money.fees = money.realized, 0, 0
        for (instrument, side), session in self.legs_session.items():
            leg = self.leg(instrument, side)
            session.previous, session.realized = session.realized, 0
            session.opening, session.cost, session.fees = leg.units, leg.cost, 0
        return {instrument: amount for instrument, amount in settled.items() if amount}

    def settled(self, code: str) -> int:
        """The wallet's `amount`."""
        money = self.money.get(code)
        return self.cash.get(code, 0) - (money.realized if money is not None else 0)

    # -- the position mode

    def follow_mode(self, mode: PositionMode) -> str:
        """Switch, sessions and all; returns the reason when it is refused, else the empty text (13.3)."""
        before = dict(self.cash)
        held = {(leg.instrument, side): leg.units for side, leg in self.legs()}
        reason = self.switch_mode(mode)
        if reason:
            return reason
        sessions, self.legs_session = self.legs_session, {}
        for (instrument, side), session in sessions.items():
            if instrument.is_spot or not instrument.hedge:
                self.legs_session[instrument, side] = session
            elif mode is PositionMode.HEDGE:
                units = held.get((instrument, side), 0)
                if not units:
                    session.realized_seen = 0  # a flat position is forgotten, what it earned is not
                if units or session.realized or session.previous:
                    self.legs_session[instrument, LEGS[units < 0]] = session
            else:
                self.session((instrument, PositionSide.NET)).add(session)
        for (instrument, side), session in self.legs_session.items():
            # Legs that netted earned something without a fill.
            earned = self.leg(instrument, side).realized - session.realized_seen
            session.realized_seen += earned
            session.realized += earned
        for code, cash in self.cash.items():
            self.money.setdefault(code, MoneySession()).realized += cash - before.get(code, 0)
        return ""
