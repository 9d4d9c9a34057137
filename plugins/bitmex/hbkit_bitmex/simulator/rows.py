"""Account values as rows: positions, margin, wallet, executions (protocol 8.2 to 8.5, 10.4, 10.5, 18.7)."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from hbkit.clock import iso
from hbkit.model import Execution, Instrument, Leg, Liquidity, PositionSide, Side
from hbkit_bitmex.simulator.accounts import VenueAccount
from hbkit_bitmex.simulator.numbers import Number, notionals, number
from hbkit_bitmex.simulator.orders import STRATEGIES, VenueOrder

Row = dict[str, Any]
NIL = "00000000-0000-0000-0000-000000000000"
ACCOUNT_RISK_LIMIT = 1_000_000_000_000
"""As captured on margin rows [roq, 2024-09]."""


def execution_row(order: VenueOrder, kind: str, exec_id: str) -> Row:
    """An execution that moves no money: the order's columns as they stand now, with an id and a type."""
    return {"execID": exec_id, **order.row(), "execType": kind}


def trade_row(order: VenueOrder, execution: Execution, ticks: int, match_id: str) -> Row:
    """A fill."""
    instrument = execution.instrument
    maker = execution.liquidity is Liquidity.MAKER
    home, foreign = notionals(instrument, execution.units, abs(execution.cost))
    sign = execution.side.sign
    return {
        "execID": execution.id,
        **order.row(),
        "execType": "Trade",
        "lastQty": execution.units,
        "lastPx": number(instrument.price(ticks)),
        "lastLiquidityInd": "AddedLiquidity" if maker else "RemovedLiquidity",
        "commission": number(float(instrument.maker_fee if maker else instrument.taker_fee)),
        "feeType": "Percent",
        "tradePublishIndicator": "PublishTrade",
        "trdMatchID": match_id,
        "trdType": "Regular",
        "execCost": execution.cost,
        "execComm": execution.fee,
        "homeNotional": home * sign,
        "foreignNotional": -foreign * sign,
        "tradePool": "Primary",
    }


def funding_row(account: VenueAccount, execution: Execution, settle: str, match_id: str) -> Row:
    """A funding as an execution of no order (18.7.2)."""
    instrument = execution.instrument
    units, stamp = execution.units, iso(execution.ts)
    long = execution.side is Side.BUY
    price = number(execution.price)
    return {
        "execID": execution.id,
        "orderID": NIL,
        "account": account.number,
        "symbol": instrument.symbol,
        "strategy": STRATEGIES[execution.position_side],
        "currency": instrument.quote,
        "settlCurrency": settle,
        "execType": "Funding",
        "ordType": "Limit",
        "timeInForce": "AtTheClose",
        "ordStatus": "Filled",
        "workingIndicator": False,
        "orderQty": units,
        "lastQty": units,
        "cumQty": units,
        "leavesQty": 0,
        "price": price,
        "lastPx": price,
        "avgPx": price,
        "commission": number(execution.rate if long else -execution.rate),
        "execComm": execution.fee,
        "execCost": instrument.signed_cost(units if long else -units, execution.price),
        "trdMatchID": match_id,
        "text": "Funding",
        "transactTime": stamp,
        "timestamp": stamp,
    }


def position_row(account: VenueAccount, leg: Leg, side: PositionSide, mark: float | None, settle: str, ts: int) -> Row:
    """A full position row; every update is one (8.3)."""
    instrument = leg.instrument
    session = account.session((instrument, side))
    rate = max(account.initial_rate(instrument), Fraction(instrument.init_margin))
    isolated = account.isolated_margin(leg)
    unrealized = leg.unrealized(mark) if mark is not None else 0
    value = leg.cost + unrealized
    maintenance = account.maintenance_needed(leg)
    row: Row = {
        "account": account.number,
        "symbol": instrument.symbol,
        "strategy": STRATEGIES[side],
        "currency": settle,
        "underlying": instrument.base,
        "quoteCurrency": instrument.quote,
        "commission": number(float(max(instrument.maker_fee, instrument.taker_fee))),
        "initMarginReq": number(round(float(rate), 8)),
        "maintMarginReq": number(float(instrument.maint_margin)),
        "riskLimit": instrument.risk_limit or 0,
        "leverage": number(round(float(1 / rate), 8)),
        "crossMargin": instrument not in account.isolated,
        "rebalancedPnl": 0,
        "prevRealisedPnl": session.previous,
        "prevUnrealisedPnl": 0,
        "openingQty": session.opening,
        **_open_orders(account, instrument, side, mark),
        "currentQty": leg.units,
        "currentCost": session.cost,
        "currentComm": session.fees,
        "realisedCost": session.cost - leg.cost,
        "unrealisedCost": leg.cost,
        "isOpen": leg.units != 0,
        "markValue": value,
        "riskValue": abs(value),
        "posState": "",
        "posCost": leg.cost,
        "posCross": 0,
        "posComm": isolated.commission if isolated is not None else 0,
        "posLoss": 0,
        "posMargin": isolated.margin if isolated is not None else maintenance,
        "posMaint": maintenance,
        "posInit": isolated.initial if isolated is not None else 0,
        "initMargin": account.order_margin(instrument, side),
        "maintMargin": account.maintenance(leg),
        "realisedPnl": session.realized,
        "unrealisedPnl": unrealized,
        "unrealisedPnlPcnt": number(round(unrealized / abs(leg.cost), 4)) if leg.cost else 0,
        "unrealisedRoePcnt": number(round(unrealized / abs(leg.cost) / float(rate), 4)) if leg.cost else 0,
        "timestamp": iso(ts),
    }
    if mark is not None:
        row["markPrice"] = number(mark)
    home, foreign = notionals(instrument, abs(leg.units), abs(value))
    sign = 1 if leg.units >= 0 else -1
    row |= {"homeNotional": home * sign, "foreignNotional": -foreign * sign}
    if leg.units:
        row |= _prices(account, leg, maintenance, session.paid)
    return row


def _open_orders(account: VenueAccount, instrument: Instrument, side: PositionSide, mark: float | None) -> Row:
    """Resting quantity and value a side, and how much worse than the mark it is."""
    row: Row = {}
    gross = 0
    for name, sign in (("Buy", 1), ("Sell", -1)):
        qty = cost = premium = 0
        for order in account.orders.values():
            request = order.request
            if request.instrument is not instrument or request.position_side is not side or order.side != sign:
                continue
            if order.ticks is None:
                continue
            price = instrument.price(order.ticks)
            signed = instrument.signed_cost(order.leaves * sign, price)
            qty += order.leaves
            cost += signed
            if mark is not None:
                premium += max(0, signed - instrument.signed_cost(order.leaves * sign, mark))
        gross += premium
        row |= {f"openOrder{name}Qty": qty, f"openOrder{name}Cost": cost, f"openOrder{name}Premium": premium}
    return {**row, "grossOpenPremium": gross}


def _prices(account: VenueAccount, leg: Leg, maintenance: int, paid: int) -> Row:
    """Entry, break-even and, of isolated positions, bankruptcy and liquidation price.

    10.4: of a long they are rounded up to the tick, of a short down; in cross mode there is none (0).
    """
    entry = number(round(leg.entry_price, 4))
    row: Row = {
        "avgEntryPrice": entry,
        "avgCostPrice": entry,
        "breakEvenPrice": _at_cost(leg, leg.cost + paid),
        "marginCallPrice": 0,
        "liquidationPrice": 0,
        "bankruptPrice": 0,
        "deleveragePercentile": 1,
    }
    isolated = account.isolated_margin(leg)
    if isolated is not None:
        liquidation = _at_cost(leg, leg.cost + maintenance - isolated.margin)
        row |= {
            "marginCallPrice": liquidation,
            "liquidationPrice": liquidation,
            "bankruptPrice": _at_cost(leg, leg.cost - isolated.initial),
        }
    return row


def _at_cost(leg: Leg, signed_value: int) -> Number:
    """The price at which the position is worth `signed_value`, rounded against its holder."""
    instrument = leg.instrument
    # For every kind profit = value - cost in signed money, so a price follows from the value that is wanted.
    if signed_value == 0 or (signed_value > 0) != (leg.cost > 0):
        return 0
    unit = Fraction(instrument.multiplier) * Fraction(instrument.unit_size) * abs(leg.units)
    price = unit / abs(signed_value) if instrument.is_inverse else abs(signed_value) / unit
    steps = price / Fraction(instrument.tick_size)
    ticks = math.ceil(steps) if leg.units > 0 else math.floor(steps)
    return number(instrument.price(ticks))


def margin_row(account: VenueAccount, code: str, minor: str, mark_value: int, ts: int) -> Row:
    """One currency's margin with the identities of 8.4; `mark_value` is the gross value of its positions."""
    wallet = account.wallet(code)
    session = account.money.get(code)
    initial = account.order_margins(code)
    maintenance = account.locked(code) - initial
    unrealized = wallet.equity - wallet.balance
    excess = wallet.equity - maintenance - initial
    available = max(0, excess)
    withdrawable = min(available, max(0, wallet.balance - maintenance - initial))
    return {
        "account": account.number,
        "currency": minor,
        "riskLimit": ACCOUNT_RISK_LIMIT,
        "amount": account.settled(code),
        "prevRealisedPnl": session.previous if session is not None else 0,
        "grossComm": session.fees if session is not None else 0,
        "grossOpenCost": 0,
        "grossOpenPremium": 0,
        "grossExecCost": 0,
        "grossMarkValue": mark_value,
        "riskValue": mark_value,
        "initMargin": initial,
        "maintMargin": maintenance,
        "targetExcessMargin": 0,
        "realisedPnl": session.realized if session is not None else 0,
        "unrealisedPnl": unrealized,
        "walletBalance": wallet.balance,
        "marginBalance": wallet.equity,
        "marginLeverage": number(round(mark_value / wallet.equity, 8)) if wallet.equity > 0 else 0,
        "marginUsedPcnt": number(round((initial + maintenance) / wallet.equity, 4)) if wallet.equity > 0 else 0,
        "excessMargin": excess,
        "availableMargin": available,
        "withdrawableMargin": withdrawable,
        "foreignMarginBalance": 0,
        "foreignRequirement": 0,
        "timestamp": iso(ts),
    }


def wallet_row(account: VenueAccount, code: str, minor: str, ts: int) -> Row:
    """One currency's settled money (8.5); pending amounts never move with orders."""
    return {
        "account": account.number,
        "currency": minor,
        "deposited": account.deposited.get(code, 0),
        "withdrawn": 0,
        "transferIn": 0,
        "transferOut": 0,
        "amount": account.settled(code),
        "pendingCredit": 0,
        "pendingDebit": 0,
        "confirmedDebit": 0,
        "timestamp": iso(ts),
    }
