"""Liquidation: who has too little behind a position, and at which price the venue takes it over.

An isolated position goes when the mark reaches its liquidation price, whole, at its bankruptcy price. Cross positions
of one currency go together when what the account is worth falls below the sum of their maintenance margins: first the
open orders, then, should that not be enough, every position, so that together they lose what the account has left. What
a takeover leaves missing is paid by an insurance fund: no account ends below zero (protocol 10.10, 18.7.7 to 18.7.10).

Who asks, and what is told of it, is the business of the `Taker` that is handed in: a venue has rows to write.
"""

from __future__ import annotations

from typing import Protocol

from hbkit.matching.account import Account
from hbkit.matching.engine import Engine
from hbkit.matching.margin import ticks_at
from hbkit.model import Currency, Instrument, Leg, OrderRequest, PositionSide, Side

REASON = "liquidation"


class Taker(Protocol):
    """Who carries a liquidation out."""

    def cancel(self, account: Account, order_id: str) -> None:
        """Take an open order away."""

    def take_over(self, account: Account, instrument: Instrument, side: PositionSide, ticks: int) -> None:
        """Take a whole position over at a price."""

    def insure(self, account: Account, instrument: Instrument, amount: int) -> None:
        """Pay what is missing after it, in minor units of the settlement currency."""


class EngineTaker:
    """Carries it out in the engine, where nobody needs more than its reports and executions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.ts = 0

    def cancel(self, account: Account, order_id: str) -> None:
        """With a reason that names it."""
        self._engine.cancel(account, order_id, self.ts, REASON)

    def take_over(self, account: Account, instrument: Instrument, side: PositionSide, ticks: int) -> None:
        """An execution of no order."""
        self._engine.take_over(account, instrument, side, ticks, self.ts)

    def insure(self, account: Account, instrument: Instrument, amount: int) -> None:
        """An execution that moves money alone."""
        self._engine.insure(account, instrument, amount, self.ts)


class Liquidator:
    """Tests accounts, and has taken over what has to be."""

    def __init__(self, engine: Engine, taker: Taker) -> None:
        self._engine = engine
        self._taker = taker

    def test(self, account: Account, instrument: Instrument) -> bool:
        """The mark of an instrument moved, or the account's money did; True when something was taken over."""
        taken = False
        for side in account.sides(instrument):
            if account.is_past_liquidation(instrument, side):
                self._isolated(account, instrument, side)
                taken = True
        return self._cross(account, instrument.settle) or taken

    def _isolated(self, account: Account, instrument: Instrument, side: PositionSide) -> None:
        for order_id in [
            order_id
            for order_id, order in account.orders.items()
            if order.request.instrument is instrument and order.request.position_side is side
        ]:
            self._taker.cancel(account, order_id)
        leg = account.leg(instrument, side)
        ticks = account.bankruptcy_ticks(leg, side) or account.liquidation_ticks(leg, side)
        assert ticks is not None
        self._taker.take_over(account, instrument, side, ticks)
        self._make_good(account, instrument)

    # -- cross

    def _cross(self, account: Account, currency: Currency) -> bool:
        if not self._is_short(account, currency):
            return False
        for order_id in [order_id for order_id, order in account.orders.items() if _binds(order.request, currency)]:
            if order_id in account.orders:  # one that only reduces may have gone with another
                self._taker.cancel(account, order_id)
        if not self._is_short(account, currency):
            return False
        rows = self._cross_legs(account, currency)
        needed = sum(account.maintenance_needed(leg, side) for side, leg in rows)
        left = max(0, self._backing(account, currency))
        # All prices are of this moment: the first takeover changes what is left.
        prices = [
            (leg.instrument, side, self._price(leg, left * account.maintenance_needed(leg, side) // needed))
            for side, leg in rows
        ]
        for instrument, side, ticks in prices:
            self._taker.take_over(account, instrument, side, ticks)
        self._make_good(account, prices[-1][0])
        return True

    def room(self, account: Account, currency: Currency) -> int:
        """What the cross positions of a currency may lose until they are taken over."""
        rows = self._cross_legs(account, currency)
        return self._backing(account, currency) - sum(account.maintenance_needed(leg, side) for side, leg in rows)

    def _is_short(self, account: Account, currency: Currency) -> bool:
        return bool(self._cross_legs(account, currency)) and self.room(account, currency) < 0

    def _backing(self, account: Account, currency: Currency) -> int:
        """What the account is worth, less what belongs to isolated positions."""
        code = currency.code
        own = sum(
            account.maintenance(leg, side)
            for side, leg in account.legs()
            if leg.instrument.settle.code == code and account.isolated_margin(leg, side) is not None
        )
        return account.cash.get(code, 0) + account.unrealized(code) - own

    def _cross_legs(self, account: Account, currency: Currency) -> list[tuple[PositionSide, Leg]]:
        """In order of symbol, the long leg first; what has no price at the moment is left alone."""
        rows = [
            (side, leg)
            for side, leg in account.legs()
            if leg.units
            and not leg.instrument.is_spot
            and leg.instrument.settle.code == currency.code
            and account.isolated_margin(leg, side) is None
            and self._engine.reference_price(leg.instrument) is not None
        ]
        return sorted(rows, key=lambda row: (row[1].instrument.symbol, row[0] is PositionSide.SHORT))

    def _price(self, leg: Leg, share: int) -> int:
        """The price whose loss against the mark is `share`, rounded as every price of a takeover (10.4)."""
        mark = self._engine.reference_price(leg.instrument)
        assert mark is not None
        instrument, closing = leg.instrument, Side.SELL if leg.units > 0 else Side.BUY
        ticks = ticks_at(leg, instrument.signed_cost(leg.units, mark) - share) if share else None
        if ticks is not None:
            return ticks
        worthless = share and leg.units > 0 and not instrument.is_inverse
        return 1 if worthless else max(1, instrument.ticks(mark, closing))

    def _make_good(self, account: Account, instrument: Instrument) -> None:
        """18.7.10: what remains is never less than what belongs to the isolated positions."""
        code = instrument.settle.code
        isolated = (
            account.isolated_margin(leg, side)
            for side, leg in account.legs()
            if leg.instrument.settle.code == code
        )
        missing = sum(one.margin for one in isolated if one is not None) - account.cash.get(code, 0)
        # Where other cross positions are still open their money is not lost yet: the next test speaks of them.
        if missing > 0 and not self._cross_legs(account, instrument.settle):
            self._taker.insure(account, instrument, missing)


def _binds(request: OrderRequest, currency: Currency) -> bool:
    """Whether an order is of a contract that settles in a currency, or reserves it on spot."""
    instrument = request.instrument
    sells_base = instrument.is_spot and request.side is Side.SELL
    return currency.code == (instrument.base if sells_base else instrument.settle.code)
