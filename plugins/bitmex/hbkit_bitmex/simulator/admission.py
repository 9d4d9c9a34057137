"""Whether a new order may come in: the checks of protocol 18.1 in their order, the first failure answers.

Built so far: Limit and Market with ParticipateDoNotInitiate, ReduceOnly and Close, GoodTillCancel, ImmediateOrCancel,
FillOrKill and Day. Other types of section 11 are refused as unsupported until they are built.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from hbkit.model import Instrument, OrderRequest, OrderType, PositionSide, Side, TimeInForce
from hbkit_bitmex.simulator import parameters as read
from hbkit_bitmex.simulator.accounts import LEGS, VenueAccount
from hbkit_bitmex.simulator.orders import STRATEGIES, VenueOrder
from hbkit_bitmex.simulator.parameters import Parameters
from hbkit_bitmex.simulator.public import PublicMarket
from hbkit_bitmex.simulator.refusals import insufficient, invalid
from hbkit_bitmex.simulator.venue import Venue

KINDS = frozenset({"Limit", "Market"})
LIVES = {
    "GoodTillCancel": TimeInForce.GTC,
    "ImmediateOrCancel": TimeInForce.IOC,
    "FillOrKill": TimeInForce.FOK,
    "Day": TimeInForce.DAY,
}
INSTRUCTIONS = frozenset({"ParticipateDoNotInitiate", "ReduceOnly", "Close"})
TRIGGERS = frozenset({"MarkPrice", "LastPrice", "IndexPrice"})
OPEN_ORDERS_MAX = 200
CLIENT_ID_MAX = 36
RISK_LIMIT = "Value of position and orders exceeds position Risk Limit"


@dataclass
class Ticket:
    """What was asked for, read and checked piece by piece."""

    market: PublicMarket
    side: Side
    kind: str
    time_in_force: str
    instructions: tuple[str, ...]
    qty: int | None
    ticks: int | None
    client_id: str
    link_id: str
    note: str
    leg: PositionSide = PositionSide.NET

    @property
    def instrument(self) -> Instrument:
        """Of what."""
        return self.market.instrument

    @property
    def closes(self) -> bool:
        """Close or ReduceOnly."""
        return "Close" in self.instructions or "ReduceOnly" in self.instructions

    @property
    def reduces(self) -> bool:
        """The same, and whatever trades against a leg: it behaves as ReduceOnly, flag or not (13.2)."""
        against = Side.SELL if self.leg is PositionSide.LONG else Side.BUY
        return self.closes or (self.leg is not PositionSide.NET and self.side is against)


def admit(venue: Venue, account: VenueAccount, sent: Parameters) -> VenueOrder:
    """The order that may enter; raises Refusal."""
    market = find_market(venue, sent)
    side, sized = _side(sent)
    ticket = Ticket(
        market=market,
        side=side if side is not None else Side.BUY,
        kind=_kind(sent),
        time_in_force="",
        instructions=(),
        qty=None,
        ticks=None,
        client_id="",
        link_id=read.text(sent, "clOrdLinkID"),
        note=read.text(sent, "text"),
    )
    _life(sent, ticket)
    _combination(ticket)
    leg = _leg(account, market.instrument, sent)
    ticket.leg = leg if leg is not None else PositionSide.NET
    position = account.leg(market.instrument, ticket.leg).units
    if side is None and sized is None and "Close" in ticket.instructions:
        ticket.side = Side.SELL if position > 0 else Side.BUY  # 18.4.6: the closing side
    ticket.qty = _quantity(ticket, sized, position)
    ticket.ticks = _price(ticket, sent)
    _client_id(venue, account, ticket, sent)
    if leg is None:
        raise invalid("Invalid strategy")
    if read.given(sent, "contingencyType") is not None:
        raise invalid("Unsupported contingencyType")
    cut = _closing(ticket, position)
    order = _order(venue, account, ticket)
    if cut:
        order.text = f"Amended orderQty\n{order.origin}"
    afford(venue, account, order)
    return order


def find_market(venue: Venue, sent: Parameters) -> PublicMarket:
    """18.1.3, 18.1.4: the case of a known symbol is ignored; indices are not traded."""
    name = read.text(sent, "symbol")
    known = {symbol.upper(): market for symbol, market in venue.markets.items()}
    if name.upper() not in known:
        raise invalid("Invalid symbol")
    return known[name.upper()]


def _side(sent: Parameters) -> tuple[Side | None, Decimal | None]:
    """18.1.5: a sell may be written as a negative quantity."""
    word = read.text(sent, "side")
    qty = read.decimal(sent, "orderQty", invalid("orderQty is invalid"))
    if word not in ("", "Buy", "Sell") or (word == "Buy" and qty is not None and qty < 0):
        raise invalid("Invalid side")
    if qty is not None and qty < 0:
        return Side.SELL, -qty
    return ({"Buy": Side.BUY, "Sell": Side.SELL}[word] if word else None), qty


def _kind(sent: Parameters) -> str:
    """4.6: without a type it follows from the prices that were sent."""
    kind = read.text(sent, "ordType")
    price, trigger = read.given(sent, "price"), read.given(sent, "stopPx")
    if not kind:
        kind = ("StopLimit" if trigger is not None else "Limit") if price is not None else ""
        kind = kind or ("Stop" if trigger is not None else "Pegged" if read.given(sent, "pegPriceType") else "Market")
    if kind not in KINDS:
        raise invalid("Unsupported ordType")
    return kind


def _life(sent: Parameters, ticket: Ticket) -> None:
    """18.1.6, and of 18.1.7: a market order is always stored as ImmediateOrCancel, unless it is to fill or kill."""
    life = read.text(sent, "timeInForce") or "GoodTillCancel"
    if life not in LIVES:
        raise invalid("Unsupported timeInForce")
    words = read.many(sent, "execInst", invalid("Unsupported execInst"))
    if any(word not in INSTRUCTIONS | TRIGGERS for word in words):
        raise invalid("Unsupported execInst")
    if read.given(sent, "pegPriceType") is not None:
        raise invalid("Unsupported pegPriceType")
    if read.given(sent, "stopPx") is not None:
        raise invalid("Invalid stopPx for ordType")
    if read.given(sent, "displayQty") is not None:
        raise invalid("Invalid displayQty")
    if ticket.kind == "Market" and life != "FillOrKill":
        life = "ImmediateOrCancel"
    ticket.time_in_force, ticket.instructions = life, tuple(words)


def _combination(ticket: Ticket) -> None:
    """18.1.7."""
    words = set(ticket.instructions)
    refusal = invalid("Invalid ordType or timeInForce for execInst")
    immediate = ticket.kind == "Market" or ticket.time_in_force in ("ImmediateOrCancel", "FillOrKill")
    if "ParticipateDoNotInitiate" in words and immediate:
        raise refusal
    if ticket.instrument.is_spot and words & {"Close", "ReduceOnly", "IndexPrice"}:
        raise refusal
    if words & TRIGGERS:
        # A trigger reference on a type without trigger is ignored on `Close` Market only.
        if not ("Close" in words and ticket.kind == "Market"):
            raise refusal
        ticket.instructions = tuple(word for word in ticket.instructions if word not in TRIGGERS)


def _quantity(ticket: Ticket, qty: Decimal | None, position: int) -> int:
    """18.1.8 to 18.1.11; never rounded."""
    if qty is None:
        if "Close" not in ticket.instructions:
            raise invalid("Invalid orderQty")
        return abs(position)
    if qty == 0:
        raise invalid("Invalid orderQty")
    if qty != qty.to_integral_value():
        raise invalid("orderQty is invalid")
    units = int(qty)
    check_lot(ticket.instrument, units, whole=ticket.reduces and units == abs(position))
    return units


def check_lot(instrument: Instrument, units: int, *, whole: bool) -> None:
    """Lot and maximum, in the venue's units (contracts, satoshi); `whole` lets a whole position pass."""
    if units % instrument.lot_units and not whole:
        raise invalid(f"Order quantity must be a multiple of lot size: {instrument.lot_units}")
    if instrument.max_qty is not None and instrument.unit_size * units > instrument.max_qty:
        raise invalid("Invalid orderQty")


def _price(ticket: Ticket, sent: Parameters) -> int | None:
    """18.1.12, 18.1.13; the price of a market order is ignored."""
    if ticket.kind == "Market":
        return None
    price = read.decimal(sent, "price", invalid("Invalid price"))
    if price is None:
        raise invalid("Invalid price")
    return check_price(ticket.instrument, price)


def check_price(instrument: Instrument, price: Decimal) -> int:
    """Ticks of a price; float noise such as 88094.20000000001 is on the grid."""
    if price <= 0 or (instrument.max_price is not None and price > instrument.max_price):
        raise invalid("Invalid price")
    if not instrument.is_on_tick(price):
        raise invalid("Invalid price tickSize")
    return instrument.ticks(price)


def _client_id(venue: Venue, account: VenueAccount, ticket: Ticket, sent: Parameters) -> None:
    """18.1.16 to 18.1.19."""
    ticket.client_id = read.text(sent, "clOrdID")
    check_client_id(venue, account, ticket.client_id)
    standing = [order for order in venue.open_orders(account) if order.instrument is ticket.instrument]
    if len(standing) >= OPEN_ORDERS_MAX:
        raise invalid("Too many open orders")


def check_client_id(venue: Venue, account: VenueAccount, client_id: str) -> None:
    """At most 36 characters, and no open order's."""
    if len(client_id) > CLIENT_ID_MAX:
        raise invalid("Invalid clOrdID")
    if client_id and any(order.client_id == client_id for order in venue.open_orders(account)):
        raise invalid("Duplicate clOrdID")


def _leg(account: VenueAccount, instrument: Instrument, sent: Parameters) -> PositionSide | None:
    """13.3: the leg that `strategy` names; None where it does not fit the mode. Spot and capped contracts have none."""
    word = read.text(sent, "strategy")
    if not account.hedged(instrument):
        return PositionSide.NET if word in ("", "OneWay") else None
    return next((side for side in LEGS if STRATEGIES[side] == word), None)


def _closing(ticket: Ticket, position: int) -> bool:
    """18.1.22 and 18.4.1: only against a position, and never more than it; True when the quantity was cut."""
    if not ticket.reduces:
        return False
    if position * ticket.side.sign >= 0:
        word = "Close" if "Close" in ticket.instructions else "ReduceOnly"
        side = "Buy" if ticket.side is Side.BUY else "Sell"
        raise invalid(f"Order had execInst of {word} and side of {side} but current position is {position}")
    assert ticket.qty is not None
    cut = ticket.qty > abs(position)
    ticket.qty = min(ticket.qty, abs(position))
    return cut


def _order(venue: Venue, account: VenueAccount, ticket: Ticket) -> VenueOrder:
    instrument = ticket.instrument
    assert ticket.qty is not None
    order = VenueOrder(
        order_id=venue.new_id(),
        account=account.number,
        instrument=instrument,
        currency=instrument.quote,
        # A spot order has no settlement currency (8.1).
        settle="" if instrument.is_spot else venue.minor[instrument.settle.code],
        side=ticket.side,
        position_side=ticket.leg,
        kind=ticket.kind,
        time_in_force=ticket.time_in_force,
        qty=ticket.qty,
        ticks=ticket.ticks,
        instructions=ticket.instructions,
        client_id=ticket.client_id,
        link_id=ticket.link_id,
        note=ticket.note,
    )
    order.text = order.origin
    return order


def engine_request(order: VenueOrder) -> OrderRequest:
    """The order in the engine's words; its id there is the orderID."""
    return OrderRequest(
        id=order.order_id,
        instrument=order.instrument,
        side=order.side,
        position_side=order.position_side,
        type=OrderType.MARKET if order.kind == "Market" else OrderType.LIMIT,
        units=order.qty,
        ticks=order.ticks,
        time_in_force=LIVES[order.time_in_force],
        post_only=order.has("ParticipateDoNotInitiate"),
        reduce_only=order.has("ReduceOnly") or order.has("Close"),
    )


def afford(venue: Venue, account: VenueAccount, order: VenueOrder) -> None:
    """18.1.23: risk limit, then balance."""
    if order.has("ReduceOnly") or order.has("Close"):
        return
    request = engine_request(order)
    if venue.engine.exceeds_risk_limit(account, request):
        raise invalid(RISK_LIMIT)
    short = venue.engine.shortage(account, request)
    if short is not None:
        raise insufficient(short[0], venue.minor[short[1].code])
