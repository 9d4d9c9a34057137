"""An account at the venue: the engine's account with BitMEX's margin rules, and what its session has earned.

Cross positions lock their maintenance margin (protocol 10.5), isolated ones their own margin with its profit (10.4).
Liquidation is not built yet: a position below its maintenance margin stays open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from hbkit.matching import Account
from hbkit.matching.account import Reference
from hbkit.model import Currency, Instrument, Leg, PositionSide
from hbkit_bitmex.simulator.numbers import ceil

Row = dict[str, Any]
LegKey = tuple[Instrument, PositionSide]
FundingRate = Callable[[Instrument], Fraction]


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


@dataclass
class MoneySession:
    """What a currency earned since the last session close; `balance` = settled amount + `realized`."""

    realized: int = 0
    previous: int = 0
    fees: int = 0


@dataclass(frozen=True)
class Isolated:
    """The parts of an isolated position's margin (10.4)."""

    initial: int
    commission: int

    @property
    def margin(self) -> int:
        """What is set aside."""
        return self.initial + self.commission


class VenueAccount(Account):
    """One user: `number` is the account id of every row."""

    def __init__(
        self, number: int, balances: Mapping[Currency, int], reference: Reference, funding_rate: FundingRate
    ) -> None:
        super().__init__(str(number), balances, reference)
        self.number = number
        self.deposited = dict(self.cash)
        self.legs_session: dict[LegKey, LegSession] = {}
        self.money: dict[str, MoneySession] = {code: MoneySession() for code in self.cash}
        self.isolated: dict[Instrument, Fraction] = {}
        """Leverage of the instruments that are in isolated mode."""
        self.leverages: dict[Instrument, Fraction] = {}
        """Leverage that was asked for while in cross mode."""
        self.transactions: list[Row] = []
        self.cancel_at: int | None = None
        """When the dead man's switch fires, on the wall clock."""
        self.told_at = 0
        """When a change of the mark was last told, on the wall clock."""
        self._funding_rate = funding_rate

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

    def close_session(self) -> dict[str, int]:
        """12:00 UTC: realised profit becomes settled money; returns what was settled per currency."""
        settled = {code: money.realized for code, money in self.money.items() if money.realized}
        for money in self.money.values():
            money.previous, money.realized, money.fees = money.realized, 0, 0
        for (instrument, side), session in self.legs_session.items():
            leg = self.leg(instrument, side)
            session.previous, session.realized = session.realized, 0
            session.opening, session.cost, session.fees = leg.units, leg.cost, 0
        return settled

    def settled(self, code: str) -> int:
        """The wallet's `amount`."""
        money = self.money.get(code)
        return self.cash.get(code, 0) - (money.realized if money is not None else 0)

    # -- margin

    def maintenance(self, leg: Leg) -> int:
        """What a position takes from the available margin."""
        if not leg.units or leg.instrument.is_spot:
            return 0
        isolated = self.isolated_margin(leg)
        if isolated is None:
            return self.maintenance_needed(leg)
        price = self._reference(leg.instrument)
        return isolated.margin + (leg.unrealized(price) if price is not None else 0)

    def isolated_margin(self, leg: Leg) -> Isolated | None:
        """The parts of its margin, None in cross mode."""
        leverage = self.isolated.get(leg.instrument)
        if leverage is None or not leg.units:
            return None
        cost = abs(leg.cost)
        initial = ceil(cost / leverage)
        return Isolated(initial, ceil(Fraction(leg.instrument.taker_fee) * (cost + initial)))

    def maintenance_needed(self, leg: Leg) -> int:
        """posMaint: the rate on the cost, the exit fee in isolated mode, and the next funding if this side pays it."""
        if not leg.units:
            return 0
        rate = self._funding_rate(leg.instrument)
        term = max(Fraction(0), rate if leg.units > 0 else -rate)
        isolated = self.isolated_margin(leg)
        fee = isolated.commission if isolated is not None else 0
        return ceil((Fraction(leg.instrument.maint_margin) + term) * abs(leg.cost) + fee)

    def choose_leverage(self, instrument: Instrument, leverage: Fraction) -> None:
        """0 is cross; anything else isolates the position at that leverage (4.7)."""
        if leverage:
            self.isolated[instrument] = leverage
        else:
            self.isolated.pop(instrument, None)
        self._apply(instrument)

    def choose_cross_leverage(self, instrument: Instrument, leverage: Fraction) -> None:
        """The leverage that order margin is reckoned with while in cross mode; 0 for the instrument's own."""
        self.leverages[instrument] = leverage
        self._apply(instrument)

    def _apply(self, instrument: Instrument) -> None:
        self.set_leverage(instrument, float(self.isolated.get(instrument, self.leverages.get(instrument, Fraction(0)))))

    def order_margins(self, code: str) -> int:
        """The margin row's `initMargin`: what open orders have set aside."""
        positions = sum(self.maintenance(leg) for _, leg in self.legs() if leg.instrument.settle.code == code)
        return self.locked(code) - positions
