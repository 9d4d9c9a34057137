"""Account values as rows: positions, margin, wallet, executions (protocol 8.2 to 8.5, 10.4, 10.5, 18.7)."""

from __future__ import annotations

from typing import Any

from hbkit.clock import iso
from hbkit.matching import margin
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


def takeover_row(account: VenueAccount, execution: Execution, settle: str, match_id: str) -> Row:
    """A liquidation: the shape of the captured one, a Trade of no order that the public does not see (18.7.8)."""
    instrument = execution.instrument
    home, foreign = notionals(instrument, execution.units, abs(execution.cost))
    sign = execution.side.sign
    return {
        **_system(account, execution, settle, match_id, "Trade", "ImmediateOrCancel", "Liquidation"),
        "side": "Buy" if sign > 0 else "Sell",
        "lastLiquidityInd": "RemovedLiquidity",
        "commission": number(float(instrument.taker_fee)),
        "tradePublishIndicator": "DoNotPublishTrade",
        "homeNotional": home * sign,
        "foreignNotional": -foreign * sign,
    }


def settlement_row(account: VenueAccount, execution: Execution, settle: str, match_id: str) -> Row:
    """A dated contract ended: as a funding's row, with the closing side (18.7.5)."""
    return {
        **_system(account, execution, settle, match_id, "Settlement", "AtTheClose", "Settlement"),
        "side": "Buy" if execution.side is Side.BUY else "Sell",
        "commission": 0,
    }


def insurance_row(account: VenueAccount, execution: Execution, settle: str) -> Row:
    """The insurance fund paid: `execComm` is negative, for it came in; type of 12.2, the row itself is our choice."""
    stamp = iso(execution.ts)
    return {
        "execID": execution.id,
        "orderID": NIL,
        "account": account.number,
        "symbol": execution.instrument.symbol,
        "currency": execution.instrument.quote,
        "settlCurrency": settle,
        "execType": "Insurance",
        "ordStatus": "Filled",
        "workingIndicator": False,
        "lastQty": 0,
        "leavesQty": 0,
        "execComm": execution.fee,
        "execCost": 0,
        "text": "Insurance",
        "transactTime": stamp,
        "timestamp": stamp,
    }


def _system(
    account: VenueAccount, execution: Execution, settle: str, match_id: str, kind: str, life: str, text: str
) -> Row:
    """What every execution has that belongs to no order and moves a position."""
    instrument, units, stamp = execution.instrument, execution.units, iso(execution.ts)
    price = number(execution.price)
    return {
        "execID": execution.id,
        "orderID": NIL,
        "account": account.number,
        "symbol": instrument.symbol,
        "strategy": STRATEGIES[execution.position_side],
        "currency": instrument.quote,
        "settlCurrency": settle,
        "execType": kind,
        "ordType": "Limit",
        "timeInForce": life,
        "ordStatus": "Filled",
        "workingIndicator": False,
        "orderQty": units,
        "lastQty": units,
        "cumQty": units,
        "leavesQty": 0,
        "price": price,
        "lastPx": price,
        "avgPx": price,
        "execComm": execution.fee,
        "execCost": execution.cost,
        "trdMatchID": match_id,
        "text": text,
        "transactTime": stamp,
        "timestamp": stamp,
    }


def liquidation_order(execution: Execution, order_id: str) -> Row:
    """The order of the liquidation engine, as the public table shows it (8.6)."""
    return {
        "orderID": order_id,
        "symbol": execution.instrument.symbol,
        "side": "Buy" if execution.side is Side.BUY else "Sell",
        "price": number(execution.price),
        "leavesQty": execution.units,
    }


def position_row(account: VenueAccount, leg: Leg, side: PositionSide, mark: float | None, settle: str, ts: int) -> Row:
    """A full position row; every update is one (8.3)."""
    instrument = leg.instrument
    session = account.session((instrument, side))
    terms = account.terms(instrument, side)
    rate = account.initial_rate(instrument, side)
    isolated = account.isolated_margin(leg, side)
    unrealized = leg.unrealized(mark) if mark is not None else 0
    value = leg.cost + unrealized
    maintenance = account.maintenance_needed(leg, side)
    row: Row = {
        "account": account.number,
        "symbol": instrument.symbol,
        "strategy": STRATEGIES[side],
        "currency": settle,
        "underlying": instrument.base,
        "quoteCurrency": instrument.quote,
        "commission": number(float(max(instrument.maker_fee, instrument.taker_fee))),
        "initMarginReq": number(round(float(rate), 8)),
        "maintMarginReq": number(round(float(margin.maintenance_rate(instrument, terms)), 8)),
        "riskLimit": account.risk_limit(instrument, side) or 0,
        "leverage": number(round(float(1 / rate), 8)),
        "crossMargin": not terms.isolated,
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
        # What the risk limit bounds: captured as value at the mark and the uncovered orders' (row of 2026-05-03).
        "riskValue": account.risk_value(instrument, side) if leg.units else account.order_value(instrument, side),
        "posState": "Liquidation" if (instrument, side) in account.liquidating else "",
        "posCost": leg.cost,
        "posCross": 0,
        "posComm": isolated.commission if isolated is not None else 0,
        "posLoss": 0,
        "posMargin": isolated.margin if isolated is not None else maintenance,
        "posMaint": maintenance,
        "posInit": isolated.initial if isolated is not None else 0,
        "initMargin": account.order_margin(instrument, side),
        "maintMargin": account.maintenance(leg, side),
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
        row |= _prices(account, leg, side, session.paid)
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


def _prices(account: VenueAccount, leg: Leg, side: PositionSide, paid: int) -> Row:
    """Entry, break-even and, of isolated positions, bankruptcy and liquidation price.

    10.4: of a long they are rounded up to the tick, of a short down; in cross mode there is none (0).
    """
    instrument = leg.instrument
    entry = number(round(leg.entry_price, 4))
    liquidation = _at(instrument, account.liquidation_ticks(leg, side))
    return {
        "avgEntryPrice": entry,
        "avgCostPrice": entry,
        "breakEvenPrice": _at(instrument, margin.ticks_at(leg, leg.cost + paid)),
        "marginCallPrice": liquidation,
        "liquidationPrice": liquidation,
        "bankruptPrice": _at(instrument, account.bankruptcy_ticks(leg, side)),
        "deleveragePercentile": 1,
    }


def _at(instrument: Instrument, ticks: int | None) -> Number:
    """A price, 0 where there is none."""
    return 0 if ticks is None else number(instrument.price(ticks))


def margin_row(account: VenueAccount, code: str, minor: str, mark_value: int, ts: int) -> Row:
    """One currency's margin with the identities of 8.4; `mark_value` is the gross value of its positions."""
    wallet = account.wallet(code)
    session = account.money.get(code)
    initial, maintenance = account.order_margins(code), account.position_margins(code)
    uncovered = account.order_cost(code)
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
        # Captured on an account with a position and orders (2026-05-03): the uncovered orders' value, and the sum.
        "grossOpenCost": uncovered,
        "grossOpenPremium": 0,
        "grossExecCost": 0,
        "grossMarkValue": mark_value,
        "riskValue": mark_value + uncovered,
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
        "withdrawn": account.withdrawn.get(code, 0),
        "transferIn": 0,
        "transferOut": 0,
        "amount": account.settled(code),
        "pendingCredit": 0,
        "pendingDebit": 0,
        "confirmedDebit": 0,
        "timestamp": iso(ts),
    }
