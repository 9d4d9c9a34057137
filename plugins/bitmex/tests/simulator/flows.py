"""Random order flows against a venue without a server, and what must hold after each of them.

A flow is a fresh venue with three accounts of little money and some forty steps: orders, amends, cancels, leverage,
margin moved by hand, switches of the position mode, marks that jump, fundings, session closes. Accounts meet each other
and the outside. It draws from its seed alone.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hbkit_bitmex.simulator import leverage, modes, trading
from hbkit_bitmex.simulator.accounts import VenueAccount
from hbkit_bitmex.simulator.house import claim
from hbkit_bitmex.simulator.public import PublicMarket
from hbkit_bitmex.simulator.refusals import Refusal
from hbkit_bitmex.simulator.venue import Venue

from hbkit.chance import Chance
from hbkit.clock import SECOND
from hbkit.model import PositionSide, Side

START = 1_559_001_600 * SECOND
"""2019-05-28T00:00:00Z."""
SYMBOLS = ("XBTUSD", "XBTUSDT", "ETHUSD", "XBT_USDT")
"""Inverse, linear, quanto and spot."""
DATED = ("XBTM26", "XBTUSDTM26", "ETHUSDM26")
"""Contracts that end: inverse, linear, quanto."""
PRICES = {
    "XBTUSD": 8000.0, "XBTUSDT": 8000.0, "ETHUSD": 260.0, "XBT_USDT": 8000.0,
    "XBTM26": 8000.0, "XBTUSDTM26": 8000.0, "ETHUSDM26": 260.0,
}  # fmt: skip
LOTS = {
    "XBTUSD": 1000, "XBTUSDT": 10_000, "ETHUSD": 10, "XBT_USDT": 1_000_000,
    "XBTM26": 1000, "XBTUSDTM26": 10_000, "ETHUSDM26": 10,
}  # fmt: skip
MONEY = {"XBT": 20_000_000, "USDT": 2_000_000_000}
"""So little that positions at high leverage go down with a jump of the mark."""
CODES = ("XBT", "USDT", "ETH")
STEPS = 40
MOVING = frozenset({"Trade", "Settlement"})
"""Execution types that change a position."""
LEGS = {PositionSide.NET: "OneWay", PositionSide.LONG: "Long", PositionSide.SHORT: "Short"}


class Flow:
    """One flow; `play` runs it and raises AssertionError with its seed where something does not hold."""

    symbols: tuple[str, ...] = SYMBOLS

    def __init__(self, seed: int, steps: int = STEPS) -> None:
        self.chance = Chance(seed)
        self.steps = steps
        self.venue = Venue(Chance(1), list(self.symbols))
        self.accounts = [self.venue.add_account() for _ in range(3)]
        for account in self.accounts:
            account.cash |= MONEY
            account.deposited = dict(account.cash)
        self.venue.begin(START, START)
        self.venue.clearing.note_deposits()
        self.deposits = {code: sum(account.deposited.get(code, 0) for account in self.accounts) for code in CODES}
        self.prices = dict(PRICES)
        self.fundings = 0
        for market in self.venue.markets.values():
            market.ticker.schedule(START, [0.0001])
            self.book(market)
            if not market.instrument.is_spot:
                self.venue.index(market, self.prices[market.symbol])
        self.venue.finish()

    def acts(self) -> list[tuple[float, Callable[[], Any]]]:
        """What may happen, each with the sum of the chances up to it."""
        return [
            (0.50, self.place), (0.58, self.cancel), (0.64, self.amend), (0.72, self.set_terms), (0.76, self.switch),
            (0.93, self.move), (0.96, self.fund), (0.98, self.close_session), (1.0, self.print),
        ]  # fmt: skip

    def play(self) -> None:
        """All steps, checked at the end."""
        acts = self.acts()
        for _ in range(self.steps):
            self.venue.begin(self.venue.ts + SECOND, self.venue.ts + SECOND)
            dice = self.chance.random()
            act = next(act for limit, act in acts if dice < limit)
            with suppress(Refusal):
                act()
            self.venue.finish()
        self.check()

    # -- what happens

    def market(self) -> PublicMarket:
        return self.venue.markets[self.chance.choice(self.symbols)]

    def book(self, market: PublicMarket) -> None:
        """A thin book around the price: accounts meet the outside, and each other in between."""
        middle = market.instrument.ticks(self.prices[market.symbol])
        step = max(1, middle // 2000)
        for side in Side:
            for ticks in list(market.market.book.prices(side)):
                self.venue.level(market, side, ticks, 0)
            for away in (2, 3):
                units = LOTS[market.symbol] * 20
                self.venue.level(market, side, middle - side.sign * away * step, units)

    def place(self) -> None:
        market, account = self.market(), self.chance.choice(self.accounts)
        instrument = market.instrument
        middle = instrument.ticks(self.prices[market.symbol])
        step = max(1, middle // 2000)
        order: dict[str, Any] = {
            "symbol": market.symbol,
            "side": self.chance.choice(["Buy", "Sell"]),
            "orderQty": LOTS[market.symbol] * self.chance.randrange(1, 30),
            "timeInForce": self.chance.choice(["GoodTillCancel", "GoodTillCancel", "ImmediateOrCancel"]),
        }
        if self.chance.random() < 0.8:
            order["price"] = instrument.price(middle + step * self.chance.randrange(-4, 5))
        if self.chance.random() < 0.3:
            order["execInst"] = self.chance.choice(["ParticipateDoNotInitiate", "ReduceOnly", "Close"])
        if account.hedged(instrument):
            order["strategy"] = self.chance.choice(["Long", "Short"])
        self.refine(order, market, middle, step)
        trading.place(self.venue, account, order)

    def refine(self, order: dict[str, Any], market: PublicMarket, middle: int, step: int) -> None:
        """What else is asked of an order; nothing here."""

    def own(self) -> tuple[VenueAccount, str] | None:
        found = [(account, name) for account in self.accounts for name in account.orders]
        return self.chance.choice(found) if found else None

    def cancel(self) -> None:
        if (one := self.own()) is not None:
            trading.cancel(self.venue, one[0], {"orderID": one[1]})

    def amend(self) -> None:
        if (one := self.own()) is not None:
            order = self.venue.orders[one[1]]
            units = LOTS[order.instrument.symbol] * self.chance.randrange(1, 30)
            trading.amend(self.venue, one[0], {"orderID": one[1], "orderQty": units})

    def set_terms(self) -> None:
        account, market = self.chance.choice(self.accounts), self.market()
        sent: dict[str, Any] = {"symbol": market.symbol}
        kind = self.chance.random()
        if kind < 0.6:
            leverage.set_leverage(self.venue, account, {**sent, "leverage": self.chance.choice([0, 5, 25, 100])})
        elif kind < 0.8:
            amount = self.chance.randrange(-2_000_000, 2_000_000)
            leg = self.chance.choice(account.sides(market.instrument))
            leverage.transfer_margin(self.venue, account, {**sent, "amount": amount, "strategy": LEGS[leg]})
        else:
            leverage.isolate(self.venue, account, {**sent, "enabled": self.chance.random() < 0.7})

    def switch(self) -> None:
        account = self.chance.choice(self.accounts)
        if self.chance.random() < 0.5:
            trading.cancel_all(self.venue, account, {})
        mode = {"positionMode": "MultiWay"} if self.chance.random() < 0.6 else {}
        modes.set_position_mode(self.venue, account, mode)

    def move(self) -> None:
        """The market moves, now and then by a jump that no margin stands."""
        market = self.market()
        far = 0.15 if self.chance.random() < 0.2 else 0.01
        self.prices[market.symbol] *= 1 + far * (2 * self.chance.random() - 1)
        self.book(market)
        if not market.instrument.is_spot:
            self.venue.index(market, round(self.prices[market.symbol], 2))

    def print(self) -> None:
        market = self.market()
        ticks = market.instrument.ticks(self.prices[market.symbol])
        self.venue.print(market, self.chance.choice(list(Side)), ticks, LOTS[market.symbol] * 5)

    def fund(self) -> None:
        market = self.market()
        if not market.instrument.is_spot:
            market.ticker.rates = [self.chance.choice([-0.0013, 0.0001, 0.0007])]
            self.venue.clearing.fund(market)
            self.venue.clearing.test_all()
            self.fundings += 1

    def close_session(self) -> None:
        self.venue.clearing.close_session()

    # -- what must hold

    def check(self) -> None:
        """Raises AssertionError."""
        house = self.venue.clearing.house
        for code in CODES:
            held = sum(claim(account, code) for account in self.accounts)
            assert held + house.total(code) == self.deposits[code], f"{code}: money came or went"
            # One truncation per leg and one of the outside: six legs and that one.
            assert abs(house.rounding[code]) <= 7 * self.fundings, f"{code}: rounding of {house.rounding[code]}"
        for account in self.accounts:
            self._check_positions(account)
            self._check_wallet(account)
            self._check_bankruptcy(account)

    def _check_positions(self, account: VenueAccount) -> None:
        rows = [row for row in self.venue.executions[account.number] if row["execType"] in MOVING]
        for market in self.venue.markets.values():
            signed = sum(
                row["lastQty"] * (1 if row["side"] == "Buy" else -1) for row in rows if row["symbol"] == market.symbol
            )
            held = sum(leg.units for _, leg in account.legs() if leg.instrument is market.instrument)
            assert held == signed, f"{market.symbol}: holds {held}, executions say {signed}"
            for side, leg in account.legs():
                if leg.instrument is market.instrument and side is not PositionSide.NET:
                    assert leg.units * (1 if side is PositionSide.LONG else -1) >= 0, f"{side} crossed zero"

    def _check_wallet(self, account: VenueAccount) -> None:
        for code in CODES:
            minor = self.venue.minor[code]
            rows = [row for row in account.transactions if row["currency"] == minor]
            settled = account.settled(code)
            assert sum(row["amount"] for row in rows) == settled, f"{code}: history does not sum to {settled}"
            assert not rows or rows[-1]["walletBalance"] == settled

    def _check_bankruptcy(self, account: VenueAccount) -> None:
        for code in ("XBT", "USDT"):
            legs = [(side, leg) for side, leg in account.legs() if leg.instrument.settle.code == code]
            cross = [leg for side, leg in legs if account.isolated_margin(leg, side) is None and _is_open(leg)]
            equity = account.cash.get(code, 0) + account.unrealized(code)
            own = sum(account.maintenance(leg, side) for side, leg in legs if account.isolated_margin(leg, side))
            if cross:
                needed = sum(
                    account.maintenance_needed(leg, side)
                    for side, leg in legs
                    if account.isolated_margin(leg, side) is None and _is_open(leg)
                )
                assert equity - own >= needed, f"{code}: cross positions with {equity - own} of {needed}"
            for side, leg in legs:
                assert not account.is_past_liquidation(leg.instrument, side), f"{leg.instrument} should be gone"


def _is_open(leg: Any) -> bool:
    return bool(leg.units) and not leg.instrument.is_spot


class WideFlow(Flow):
    """A flow with all sorts of orders as well: stops, trailing ones, icebergs, risk limits, and contracts that end."""

    symbols = (*SYMBOLS, *DATED)

    def acts(self) -> list[tuple[float, Callable[[], Any]]]:
        """As before, with less of the same."""
        narrow = [(0.9 * limit, act) for limit, act in super().acts()]
        return [*narrow, (0.93, self.set_risk_limit), (0.95, self.settle), (1.0, self.pass_time)]

    def refine(self, order: dict[str, Any], market: PublicMarket, middle: int, step: int) -> None:
        """A trigger, a trailing one, or a part that is shown."""
        kind = self.chance.random()
        instrument = market.instrument
        trigger = instrument.price(middle + step * self.chance.randrange(-8, 9))
        by = self.chance.choice(["MarkPrice", "LastPrice", "IndexPrice"])
        if kind < 0.25:
            touched = self.chance.random() < 0.5
            limit, market_type = ("LimitIfTouched", "MarketIfTouched") if touched else ("StopLimit", "Stop")
            order["ordType"] = limit if "price" in order else market_type
            order["stopPx"] = trigger
            order["execInst"] = ",".join(filter(None, [order.get("execInst"), by]))
        elif kind < 0.35:
            order.pop("price", None)
            away = instrument.price(step * self.chance.randrange(1, 9))
            order |= {"ordType": "Stop", "pegPriceType": "TrailingStopPeg"}
            order["pegOffsetValue"] = away if order["side"] == "Buy" else -away
            order["execInst"] = by
        if self.chance.random() < 0.15:
            order["displayQty"] = LOTS[market.symbol] * self.chance.randrange(0, 3)

    def set_risk_limit(self) -> None:
        account, market = self.chance.choice(self.accounts), self.market()
        base, step = market.instrument.risk_limit, market.instrument.risk_step
        if base and step:
            sent = {"symbol": market.symbol, "riskLimit": base + step * self.chance.randrange(0, 6)}
            leverage.set_risk_limit(self.venue, account, sent)

    def settle(self) -> None:
        market = self.venue.markets[self.chance.choice(DATED)]
        if market.ticker.row["state"] == "Open":
            self.venue.clearing.settle(market)

    def pass_time(self) -> None:
        """Trailing triggers move with the seconds."""
        ts = self.venue.ts + 60 * SECOND
        self.venue.begin(ts, ts)
