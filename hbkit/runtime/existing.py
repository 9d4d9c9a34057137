"""What a run finds on an account that outlives it: its own orders and positions of an earlier run, and those of others.

What the bot knows of itself comes from its state file: executions, and the orders that were asked for. The exchange
then says what stands. Positions that the books explain are simply taken up; for orders that stand, and for positions
that the books do not explain, the policy decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hbkit.data.journal import Journal
from hbkit.errors import ExchangeError
from hbkit.exchange import Exchange, Holding
from hbkit.log import get_logger
from hbkit.model import (
    Execution,
    ExecutionKind,
    Instrument,
    Liquidity,
    OrderReport,
    OrderRequest,
    OrderType,
    PositionSide,
    Side,
    TimeInForce,
    TriggerBy,
    TriggerKind,
)
from hbkit.runtime.host import Host
from hbkit.runtime.router import Router

_GROUPS = ("quote", "target")


@dataclass
class Found:
    """What stands on one account at the start of a run."""

    orders: list[OrderReport]
    holdings: list[Holding]
    """Positions that the books do not explain."""

    def __bool__(self) -> bool:
        return bool(self.orders or self.holdings)


@dataclass
class Past:
    """What a state file knows of one account."""

    rows: int = 0
    """Executions in the file, also those that are not of this account: a block that was on paper before."""
    last: int = 0
    """Time of the last one that was booked, ns; 0 for none."""


def restore(
    journal: Journal, router: Router, exchanges: Mapping[str, Exchange], leave_out: Mapping[str, int]
) -> dict[str, Past]:
    """Book the executions of earlier runs, each at its own exchange; returns what there was, exchange by exchange.

    :param exchanges: those whose accounts are as the earlier run left them.
    :param leave_out: how many executions at the beginning of the file are of another account of that name.
    """
    past = {name: Past() for name in exchanges}
    for row in journal.executions():
        (ts, id_, order_id, strategy, kind, exchange, symbol, side, leg, price, qty, cost, fee, _, liquidity) = row
        known = past.setdefault(exchange, Past())
        known.rows += 1
        if exchange not in exchanges or known.rows <= leave_out.get(exchange, 0):
            continue
        instrument = exchanges[exchange].instruments().get(symbol)
        if instrument is None:
            continue  # of an instrument that this config has no more
        execution = Execution(
            ts=ts, id=id_, order_id=order_id, instrument=instrument, side=Side(side), position_side=PositionSide(leg),
            price=float(price), units=instrument.units(qty), cost=cost, fee=fee, liquidity=Liquidity(liquidity),
            kind=ExecutionKind(kind),
        )  # fmt: skip
        router.restore(execution, strategy)
        known.last = max(known.last, ts)
    return past


async def look(exchange: Exchange, router: Router) -> Found:
    """What stands on the account of `exchange`."""
    orders = await exchange.open_orders()
    books = router.ledgers[exchange.name].legs
    held = {(one.instrument, one.side): one for one in await exchange.positions()}
    for side, leg in books:
        if leg.units and (leg.instrument, side) not in held:
            held[leg.instrument, side] = Holding(leg.instrument, side, 0, 0)
    strange = [one for one in held.values() if books.get(one.instrument, one.side).units != one.units]
    return Found(orders, strange)


async def meet(
    found: Found, exchange: Exchange, router: Router, hosts: Sequence[Host], journal: Journal, policy: str
) -> None:
    """Do what the policy says: refuse, adopt, cancel or ignore.

    `adopt` goes on with the bot's own orders and takes positions into the books of the strategy that trades the
    instrument; orders of others are left alone. `cancel` takes all orders away and adopts the positions. Whatever the
    policy, the account's own books follow the exchange. Raises ExchangeError under `refuse`.
    """
    asked = journal.submits(order.id for order in found.orders if order.id)
    if policy == "refuse":
        raise ExchangeError(_refusal(exchange.name, found, asked), code="HB421")
    log = get_logger("hbkit")
    if policy == "cancel" and found.orders:
        await exchange.cancel_every_order()
        log.info("cancelled what stood on the account", exchange=exchange.name, orders=len(found.orders))
    if policy == "adopt":
        own = [order for order in found.orders if order.id in asked and _adopt_order(order, asked[order.id], hosts)]
        if found.orders:
            log.info("adopted", exchange=exchange.name, orders=len(own), left_alone=len(found.orders) - len(own))
    for holding in found.holdings:
        _adopt_position(router, exchange.name, hosts if policy != "ignore" else (), holding)


def _adopt_order(report: OrderReport, asked: Mapping[str, Any], hosts: Sequence[Host]) -> bool:
    """Put an order of an earlier run back on its strategy's desk; False when that strategy is not in this run."""
    host = next((host for host in hosts if host.name == asked["strategy"]), None)
    if host is None:
        return False
    flags = str(asked["flags"]).split(",")
    request = OrderRequest(
        id=report.id,
        instrument=report.instrument,
        side=report.side,
        position_side=report.position_side,
        type=OrderType(asked["type"]),
        units=report.units,
        ticks=report.ticks,
        time_in_force=TimeInForce(asked["time_in_force"]),
        post_only="post_only" in flags,
        reduce_only="reduce_only" in flags,
        **_trigger(report, asked),
    )
    host.trader.adopt(request, str(asked["tag"]), next((one for one in _GROUPS if one in flags), ""), report)
    return True


def _trigger(report: OrderReport, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What an order was asked for besides, where it was: a file of an earlier hbkit knows nothing of it."""
    instrument = report.instrument
    found: dict[str, Any] = {}
    if asked["display_qty"]:
        found["display_units"] = instrument.units(asked["display_qty"])
    if asked["trigger_by"]:
        found |= {
            "trigger_ticks": report.trigger_ticks,
            "trigger_by": TriggerBy(asked["trigger_by"]),
            "trigger_kind": TriggerKind(asked["trigger_kind"]),
        }
    if asked["trail"]:
        found["trail_ticks"] = instrument.ticks(asked["trail"])
    return found


def _adopt_position(router: Router, exchange: str, hosts: Iterable[Host], holding: Holding) -> None:
    ledgers = [router.ledgers[exchange]]
    # Of a position that several strategies share nobody knows whose the rest is: it stays with the account.
    ledgers += [
        host.trader.ledger
        for host in hosts
        if _trades(host, holding.instrument) and not host.trader.shares(holding.instrument)
    ]
    for ledger in ledgers:
        leg = ledger.legs.get(holding.instrument, holding.side)
        leg.units, leg.cost = holding.units, holding.cost


def _trades(host: Host, instrument: Instrument) -> bool:
    return any(view.instrument == instrument for view in host.desk.markets)


def _refusal(name: str, found: Found, asked: Mapping[str, Any]) -> str:
    lines = [f"the account of {name} is not empty:"]
    lines += [_order_line(order, order.id in asked) for order in found.orders]
    lines += [f"  position {one.instrument} {one.side} {one.instrument.qty_text(one.units)}" for one in found.holdings]
    lines.append(
        "start refused; choose --on-existing adopt (go on with the bot's own orders, take the positions over), "
        "cancel (take all orders away, take the positions over) or ignore, or set state: {on_existing: ...}"
    )
    return "\n".join(lines)


def _order_line(order: OrderReport, own: bool) -> str:
    instrument = order.instrument
    price = "at the market" if order.ticks is None else f"at {instrument.price_text(order.ticks)}"
    if order.trigger_ticks is not None and not order.triggered:
        price += f", triggered at {instrument.price_text(order.trigger_ticks)}"
    whose = "this bot's, of an earlier run" if own else "not this bot's"
    left = instrument.qty_text(order.units - order.filled_units)
    return f"  order {order.side} {left} {instrument} {price} ({order.id or order.exchange_id}, {whose})"
