"""What a run does about orders and positions that stand on the account when it starts and are not its own."""

from __future__ import annotations

from collections.abc import Sequence

from hbkit.errors import ExchangeError
from hbkit.exchange import Exchange, Holding
from hbkit.model import OrderReport
from hbkit.runtime.host import Host
from hbkit.runtime.router import Router


async def meet(exchange: Exchange, router: Router, hosts: Sequence[Host], policy: str) -> None:
    """Look at the account and do what the policy says: refuse, adopt, cancel or ignore.

    `adopt` takes the positions into the books, of the strategy that trades the instrument too, and leaves orders alone;
    `cancel` takes all orders away and adopts the positions. Raises ExchangeError under `refuse` when anything is there.
    """
    orders = await exchange.open_orders()
    holdings = await exchange.positions()
    if not orders and not holdings:
        return
    if policy == "refuse":
        raise ExchangeError(_refusal(exchange.name, orders, holdings), code="HB421")
    if policy == "cancel":
        await exchange.cancel_every_order()
    if policy in ("adopt", "cancel"):
        for holding in holdings:
            _adopt(exchange.name, router, hosts, holding)


def _adopt(exchange: str, router: Router, hosts: Sequence[Host], holding: Holding) -> None:
    ledgers = [router.ledgers[exchange]]
    for host in hosts:
        if any(view.instrument == holding.instrument for view in host.desk.markets):
            ledgers.append(host.trader.ledger)
    for ledger in ledgers:
        leg = ledger.legs.get(holding.instrument, holding.side)
        leg.units, leg.cost = holding.units, holding.cost


def _refusal(name: str, orders: Sequence[OrderReport], holdings: Sequence[Holding]) -> str:
    lines = [f"the account of {name} is not empty:"]
    lines += [_order_line(order) for order in orders]
    lines += [f"  position {one.instrument} {one.side} {one.instrument.qty_text(one.units)}" for one in holdings]
    lines.append("start refused; choose state: {on_existing: adopt}, cancel or ignore (or --on-existing)")
    return "\n".join(lines)


def _order_line(order: OrderReport) -> str:
    instrument = order.instrument
    price = "at the market" if order.ticks is None else f"at {instrument.price_text(order.ticks)}"
    whose = f" ({order.id})" if order.id else ""
    return f"  order {order.side} {instrument.qty_text(order.units - order.filled_units)} {instrument} {price}{whose}"
