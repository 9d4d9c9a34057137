"""The venue's clearing: what moves money beside the matching of orders.

Fundings, session closes, liquidations, settlements of dated contracts, switches of the position mode, and the wallet's
history that sums to the balance (protocol 10.10, 13, 18.7). It acts on the accounts and says through the `Teller` what
is to be told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from hbkit.clock import MINUTE, iso
from hbkit.matching import Account, Engine
from hbkit.matching.liquidation import Liquidator
from hbkit.model import Currency, Execution, Instrument, PositionMode, PositionSide
from hbkit_bitmex.simulator.accounts import VenueAccount
from hbkit_bitmex.simulator.house import HouseBooks
from hbkit_bitmex.simulator.listing import FUNDING_INTERVAL_TEXT
from hbkit_bitmex.simulator.numbers import number
from hbkit_bitmex.simulator.orders import STRATEGIES, VenueOrder
from hbkit_bitmex.simulator.public import PublicMarket
from hbkit_bitmex.simulator.retention import FUNDINGS_KEPT, trim
from hbkit_bitmex.simulator.rows import (
    NIL,
    funding_row,
    insurance_row,
    liquidation_order,
    settlement_row,
    takeover_row,
)

Row = dict[str, Any]
LIQUIDATED = "Canceled: Liquidation"
SETTLED = "Canceled: Settlement"
SETTLEMENT_WINDOW = 30 * MINUTE
OPEN_ORDERS = "Cannot change position mode with open orders"
ISOLATED = "Cannot change position mode with isolated positions"


class Teller(Protocol):
    """Who writes down what clearing did: the venue."""

    engine: Engine
    accounts: dict[int, VenueAccount]
    markets: dict[str, PublicMarket]
    minor: dict[str, str]
    currencies: dict[str, Currency]
    ts: int

    def new_id(self) -> str:
        """A guid."""

    def publish(self, table: str, action: str, row: Row, account: int | None = None) -> None:
        """A row of this step."""

    def tell_execution(self, account: VenueAccount, row: Row) -> None:
        """An execution row, kept and told."""

    def touch_leg(self, account: VenueAccount, instrument: Instrument, side: PositionSide) -> None:
        """A position and its margin are to be told again."""

    def touch_money(self, account: VenueAccount, code: str, *, wallet: bool = False) -> None:
        """A currency's margin, and its wallet, are to be told again."""

    def cancel(self, order: VenueOrder, text: str) -> None:
        """Take an open order away with this text."""

    def open_orders(self, account: VenueAccount) -> list[VenueOrder]:
        """In the order of entry."""

    def flush_leg(self, account: VenueAccount, instrument: Instrument, side: PositionSide) -> None:
        """Tell a position at once, as it stands in the middle of the step."""

    def forget_legs(self, account: VenueAccount, instrument: Instrument) -> list[Row]:
        """The position rows of an instrument are no more; returns their keys."""


class Clearing:
    """Everything between accounts and house."""

    def __init__(self, venue: Teller) -> None:
        self._venue = venue
        self._liquidator = Liquidator(venue.engine, self)
        self._samples: dict[str, deque[tuple[int, float]]] = {}
        """Index values of dated contracts, one a second, of the last half hour before they end (18.7.5)."""
        self._tested: dict[tuple[int, Instrument], tuple[int, float]] = {}
        self._testing = False
        self.house = HouseBooks()
        self.fundings: list[Row] = []
        self.settlements: list[Row] = []
        self.liquidations: list[Row] = []
        """What the liquidation engine has in the market at this moment: nothing between steps."""

    def forget(self) -> None:
        """No account is what it was; the fundings and settlements of the markets stay."""
        self.house = HouseBooks()
        self._tested.clear()
        self.liquidations.clear()

    # -- the wallet

    def note_deposits(self) -> None:
        """The starting balances as deposits in each wallet's history."""
        for account in self._venue.accounts.values():
            self.note_deposit(account)

    def note_deposit(self, account: VenueAccount) -> None:
        """The same of one account, which came later."""
        for code, amount in account.deposited.items():
            self.transact(account, code, "Deposit", amount)

    def pay_in(self, account: VenueAccount, code: str, amount: int) -> None:
        """Money comes into an account from outside."""
        account.move(self._currency(account, code), amount)
        account.deposited[code] = account.deposited.get(code, 0) + amount
        self.transact(account, code, "Deposit", amount)
        self._venue.touch_money(account, code, wallet=True)

    def pay_out(self, account: VenueAccount, code: str, amount: int, fee: int = 0) -> None:
        """Money leaves an account; the row's amount holds the network's fee, as in a real account's rows."""
        account.move(self._currency(account, code), -amount - fee)
        account.withdrawn[code] = account.withdrawn.get(code, 0) + amount + fee
        self.transact(account, code, "Withdrawal", -amount - fee, fee)
        self._venue.touch_money(account, code, wallet=True)

    def _currency(self, account: VenueAccount, code: str) -> Currency:
        return account.currencies.get(code) or self._venue.currencies[code]

    def transact(
        self, account: VenueAccount, code: str, kind: str, amount: int, fee: int = 0, reference: str = ""
    ) -> None:
        """A row of the wallet's history: `amount` is signed and holds the fee, as in a real account's rows, so that the
        amounts of a currency sum to its balance.
        """
        before = account.transactions
        balance = next((row["walletBalance"] for row in reversed(before) if row["currency"] == self._minor(code)), 0)
        stamp = iso(self._venue.ts)
        row: Row = {
            "transactID": self._venue.new_id(),
            "account": account.number,
            "currency": self._minor(code),
            "transactType": kind,
            "amount": amount,
            "fee": fee,
            "transactStatus": "Completed",
            "address": reference,
            "tx": "",
            "text": "",
            "transactTime": stamp,
            "timestamp": stamp,
            "walletBalance": balance + amount,
        }
        account.transactions.append(row)
        self._venue.publish("transact", "insert", row, account.number)

    def pending_profit(self, account: VenueAccount) -> list[Row]:
        """The pseudo rows of `/user/walletHistory`, one per open position (4.7)."""
        rows = []
        for _, leg in account.legs():
            price = self._venue.engine.reference_price(leg.instrument)
            if leg.units and not leg.instrument.is_spot and price is not None:
                rows.append(
                    {
                        "transactID": NIL,
                        "account": account.number,
                        "currency": self._minor(leg.instrument.settle.code),
                        "transactType": "UnrealisedPNL",
                        "amount": leg.unrealized(price),
                        "fee": 0,
                        "transactStatus": "Pending",
                        "address": leg.instrument.symbol,
                        "tx": "",
                        "text": "",
                        "transactTime": None,
                        "timestamp": None,
                        "walletBalance": account.cash.get(leg.instrument.settle.code, 0),
                    }
                )
        return rows

    def _minor(self, code: str) -> str:
        return self._venue.minor[code]

    # -- fills

    def book(self, account: VenueAccount, event: Execution, reference: str) -> None:
        """An order of the account filled."""
        instrument = event.instrument
        self.house.booked(event)
        if not instrument.is_spot:
            account.book_trade(instrument, event.position_side, event.cost, event.fee)
            return
        # 18.8.5: both amounts move at once, two SpotTrade transactions; the trading fee is in the amount, as it is in
        # that of a RealisedPNL row.
        base = instrument.base_minor(event.units) * event.side.sign
        for code, amount in ((instrument.base, base), (instrument.settle.code, -event.cost - event.fee)):
            self.transact(account, code, "SpotTrade", amount, 0, reference)
            self._venue.touch_money(account, code, wallet=True)

    # -- funding and sessions

    def fund(self, market: PublicMarket) -> None:
        """Protocol 18.7.1 to 18.7.3: the mark is the index, payments leg by leg, then the next rate."""
        venue, ticker, instrument = self._venue, market.ticker, market.instrument
        if ticker.index is not None:
            market.market.mark = ticker.marked(ticker.funding_at, ticker.index)
        payments = []
        for account in venue.accounts.values():
            venue.engine.fund_account(account, instrument, ticker.rate, venue.ts)
            for event in self._events():
                account.earn(instrument, event.position_side, -event.fee, 0)
                payments.append(event.fee)
                venue.tell_execution(
                    account, funding_row(account, event, self._minor(instrument.settle.code), venue.new_id())
                )
                venue.touch_leg(account, instrument, event.position_side)
        price = venue.engine.reference_price(instrument)
        if price is not None:
            self.house.funded(instrument, payments, price, ticker.rate)
        row = {
            "timestamp": iso(ticker.funding_at),
            "symbol": market.symbol,
            "fundingInterval": FUNDING_INTERVAL_TEXT,
            "fundingRate": ticker.row["fundingRate"],
            "fundingRateDaily": round(ticker.rate * 3, 10),
        }
        self.fundings.append(row)
        trim(self.fundings, FUNDINGS_KEPT)
        venue.publish("funding", "insert", row)
        ticker.paid(venue.ts)

    def close_session(self) -> None:
        """12:00 UTC: what was earned becomes settled money (18.7.6).

        A RealisedPNL row per symbol, which stands in `address`: so it is in a real account's history, and what 18.7.6
        asks for wherever one symbol of a currency was traded.
        """
        venue = self._venue
        for account in venue.accounts.values():
            for instrument, amount in sorted(account.close_session().items(), key=lambda row: row[0].symbol):
                self.transact(account, instrument.settle.code, "RealisedPNL", amount, 0, instrument.symbol)
            for code in account.money:
                venue.touch_money(account, code, wallet=True)
            for side, leg in account.legs():
                venue.touch_leg(account, leg.instrument, side)

    def _events(self) -> list[Execution]:
        """What the engine did beside orders, taken out of it."""
        engine = self._venue.engine
        events, engine.out = engine.out, []
        return [event for event in events if isinstance(event, Execution)]

    # -- liquidation

    def test(self, instrument: Instrument) -> None:
        """The mark moved: take over what has too little behind it. What was tested at this mark is not tested again."""
        if self._testing:
            return
        mark = self._venue.engine.reference_price(instrument)
        for account in self._venue.accounts.values():
            if mark is None or not account.is_exposed(instrument.settle.code):
                continue
            state = account.movements, mark
            if self._tested.get((account.number, instrument)) == state:
                continue
            self._testing = True
            try:
                self._liquidator.test(account, instrument)
            finally:
                self._testing = False
            self._tested[account.number, instrument] = account.movements, mark

    def test_all(self) -> None:
        """After fundings and settlements: every contract that somebody holds."""
        held = {
            leg.instrument: None
            for account in self._venue.accounts.values()
            for _, leg in account.legs()
            if leg.units and not leg.instrument.is_spot
        }
        for instrument in held:
            self.test(instrument)

    # the Taker of the liquidator

    def cancel(self, account: Account, order_id: str) -> None:
        """18.7.7: orders first."""
        order = self._order(account, order_id)
        self._venue.cancel(order, f"{LIQUIDATED}\n{order.origin}")

    def _order(self, account: Account, order_id: str) -> VenueOrder:
        found = self._venue.open_orders(self._owner(account))
        return next(order for order in found if order.order_id == order_id)

    def _owner(self, account: Account) -> VenueAccount:
        return self._venue.accounts[int(account.name)]

    def take_over(self, account: Account, instrument: Instrument, side: PositionSide, ticks: int) -> None:
        """18.7.7, 18.7.8: the row says Liquidation, the order shows for this step, the position is gone."""
        venue, owner = self._venue, self._owner(account)
        mark = venue.engine.reference_price(instrument)
        assert mark is not None
        owner.liquidating.add((instrument, side))
        venue.flush_leg(owner, instrument, side)
        venue.engine.take_over(account, instrument, side, ticks, venue.ts)
        owner.liquidating.discard((instrument, side))
        for event in self._events():
            order = liquidation_order(event, venue.new_id())
            venue.publish("liquidation", "insert", order)
            venue.publish("liquidation", "delete", {"orderID": order["orderID"], "symbol": order["symbol"]})
            self.liquidations.append({**order, "timestamp": iso(venue.ts)})
            self.house.took_over(event, mark)
            owner.book_trade(instrument, side, event.cost, event.fee)
            row = takeover_row(owner, event, self._minor(instrument.settle.code), venue.new_id())
            venue.tell_execution(owner, row)
        venue.touch_leg(owner, instrument, side)

    def insure(self, account: Account, instrument: Instrument, amount: int) -> None:
        """18.7.10: the realised profit is raised, the fund pays."""
        venue, owner = self._venue, self._owner(account)
        venue.engine.insure(account, instrument, amount, venue.ts)
        for event in self._events():
            self.house.insured(event)
            owner.earn(instrument, owner.sides(instrument)[0], amount, -amount)
            venue.tell_execution(owner, insurance_row(owner, event, self._minor(instrument.settle.code)))
        venue.touch_money(owner, instrument.settle.code)

    # -- settlement

    def sample(self, market: PublicMarket) -> None:
        """An index value of a contract that ends within the half hour: at most one a second counts."""
        expiry = market.instrument.expiry
        if expiry is None or market.ticker.index is None or not 0 <= expiry - self._venue.ts <= SETTLEMENT_WINDOW:
            return
        kept = self._samples.setdefault(market.symbol, deque())
        second = self._venue.ts // 1_000_000_000
        if kept and kept[-1][0] == second:
            kept.pop()
        kept.append((second, market.ticker.index))

    def is_due(self, market: PublicMarket) -> bool:
        """Whether a dated contract has come to its end."""
        expiry = market.instrument.expiry
        return expiry is not None and self._venue.ts >= expiry and market.ticker.row["state"] == "Open"

    def settle(self, market: PublicMarket) -> None:
        """18.7.5: orders go, positions close at the mean of the index over the last half hour, nothing trades after."""
        venue, instrument = self._venue, market.instrument
        price = self._settlement_price(market)
        market.ticker.set(state="Settled")
        if price is None:
            return
        code = self._minor(instrument.settle.code)
        market.ticker.set(settledPrice=number(price))
        for account in venue.accounts.values():
            for order in venue.open_orders(account):
                if order.instrument is instrument and order.is_open:
                    venue.cancel(order, f"{SETTLED}\n{order.origin}")
            for side, leg in list(account.legs()):
                if leg.instrument is not instrument or not leg.units:
                    continue
                venue.engine.settle(account, instrument, side, price, venue.ts)
                for event in self._events():
                    self.house.booked(event)
                    account.book_trade(instrument, side, event.cost, event.fee)
                    venue.tell_execution(account, settlement_row(account, event, code, venue.new_id()))
                venue.touch_leg(account, instrument, side)
        row = {
            "timestamp": iso(venue.ts),
            "symbol": market.symbol,
            "settlementType": "Settlement",
            "settledPrice": number(price),
        }
        self.settlements.append(row)
        venue.publish("settlement", "insert", row)

    def _settlement_price(self, market: PublicMarket) -> float | None:
        kept = [value for _, value in self._samples.pop(market.symbol, ())]
        if not kept:
            return market.ticker.index if market.ticker.index is not None else market.market.reference
        return round(sum(kept) / len(kept), 2)

    # -- the position mode

    def switch_mode(self, account: VenueAccount, mode: PositionMode) -> str:
        """13.3: the old rows go, the new ones come; returns the venue's text when it is refused."""
        venue = self._venue
        if mode is account.mode:
            return ""
        if account.orders:
            return OPEN_ORDERS
        if any(account.isolated_margin(leg, side) is not None for side, leg in account.legs()):
            return ISOLATED
        known = {leg.instrument: None for _, leg in account.legs() if leg.instrument.hedge}
        gone = [row for instrument in known for row in venue.forget_legs(account, instrument)]
        reason = account.follow_mode(mode)
        assert not reason, reason
        for row in gone:
            venue.publish("position", "delete", row, account.number)
        shown = {row["symbol"] for row in gone}
        for instrument, side in self._legs_after(account):
            if instrument.symbol in shown:
                venue.touch_leg(account, instrument, side)
        for code in account.money:
            venue.touch_money(account, code)
        return ""

    def _legs_after(self, account: VenueAccount) -> Iterator[tuple[Instrument, PositionSide]]:
        for (instrument, side), _ in list(account.legs_session.items()):
            if instrument.hedge and side in account.sides(instrument):
                yield instrument, side

    # -- what the house has

    def insurance_rows(self) -> list[Row]:
        """Rows of `/insurance`: the fund's balance per currency, as it stands."""
        stamp = iso(self._venue.ts)
        return [
            {"currency": self._minor(code), "timestamp": stamp, "walletBalance": amount}
            for code, amount in sorted(self.house.insurance.items())
        ]


def position_keys(account: VenueAccount, instrument: Instrument, side: PositionSide, settle: str) -> Mapping[str, Any]:
    """The columns that name a position row (7.5)."""
    return {
        "account": account.number,
        "symbol": instrument.symbol,
        "strategy": STRATEGIES[side],
        "currency": settle,
    }
