"""Whether a new order may come in: the checks of protocol 18.1 in their order, the first failure answers.

A pegged order's price is set here, once (11.5). What waits for a trigger is tested against position and money when it
is triggered (18.1.22), by `triggered_refusal`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from hbkit.clock import parse_time
from hbkit.model import (
    Instrument,
    OrderRequest,
    OrderType,
    PositionSide,
    Side,
    TimeInForce,
    TriggerBy,
    TriggerKind,
)
from hbkit_bitmex.simulator import parameters as read
from hbkit_bitmex.simulator.accounts import LEGS, VenueAccount
from hbkit_bitmex.simulator.orders import STRATEGIES, TRIGGER_KINDS, VenueOrder
from hbkit_bitmex.simulator.parameters import Parameters
from hbkit_bitmex.simulator.public import PublicMarket
from hbkit_bitmex.simulator.refusals import insufficient, invalid
from hbkit_bitmex.simulator.venue import RISK_LIMIT, Venue

KINDS = frozenset({"Limit", "Market", "Pegged"}) | TRIGGER_KINDS
MARKET_KINDS = frozenset({"Market", "Stop", "MarketIfTouched"})
PRIMARY, FAR, TRAILING = "PrimaryPeg", "MarketPeg", "TrailingStopPeg"
LIVES = {
    "GoodTillCancel": TimeInForce.GTC,
    "ImmediateOrCancel": TimeInForce.IOC,
    "FillOrKill": TimeInForce.FOK,
    "Day": TimeInForce.DAY,
}
INSTRUCTIONS = frozenset(
    {"ParticipateDoNotInitiate", "ReduceOnly", "Close", "Fixed", "LastWithinMark", "AllOrNone"}
)
TRIGGERS = {"MarkPrice": TriggerBy.MARK, "LastPrice": TriggerBy.LAST, "IndexPrice": TriggerBy.INDEX}
_NOT_OPEN = {
    "Settled": "Instrument expired",
    "Expired": "Instrument expired",
    "Unlisted": "Instrument not listed for trading yet",
}
OPEN_ORDERS_MAX = 200
UNTRIGGERED_MAX = 10
CLIENT_ID_MAX = 36


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
    stop_ticks: int | None = None
    display: int | None = None
    peg: str = ""
    offset: int | None = None
    expires: int = 0

    @property
    def waits(self) -> bool:
        """Whether it has a trigger."""
        return self.kind in TRIGGER_KINDS

    @property
    def fires_above(self) -> bool:
        """11.1: whether the trigger is reached from below."""
        return (self.side is Side.BUY) == self.kind.startswith("Stop")

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
    check_open(market)
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
    _combination(ticket, sent)
    leg = find_leg(account, market.instrument, sent)
    ticket.leg = leg if leg is not None else PositionSide.NET
    position = account.leg(market.instrument, ticket.leg).units
    if side is None and sized is None and "Close" in ticket.instructions and not ticket.waits:
        ticket.side = Side.SELL if position > 0 else Side.BUY  # 18.4.6: the closing side
    ticket.qty = _quantity(ticket, sized, position)
    ticket.ticks = _price(ticket, sent)
    _trigger(ticket, sent)
    _peg(venue, ticket, sent)
    _display(ticket, sent)
    _client_id(venue, account, ticket, sent)
    if leg is None:
        raise invalid("Invalid strategy")
    if read.given(sent, "contingencyType") is not None:
        raise invalid("Unsupported contingencyType")
    cut = False if ticket.waits else _closing(ticket, position)
    ticket.expires = _expiry(venue, sent)
    order = _order(venue, account, ticket)
    if ticket.peg == TRAILING and ticket.offset is not None:
        order.stop_ticks = venue.engine.trailing_trigger(ticket.instrument, trigger_by(order), ticket.offset)
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


def check_open(market: PublicMarket) -> None:
    """18.1.4: what is not Open takes no order."""
    state = market.ticker.row["state"]
    if state != "Open":
        raise invalid(_NOT_OPEN.get(state, "Market is not open"))


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
    if kind == "Pegged" and read.text(sent, "pegPriceType") == TRAILING:
        kind = "StopLimit" if price is not None else "Stop"  # 18.3.11
    if kind not in KINDS:
        raise invalid("Unsupported ordType")
    return kind


def _life(sent: Parameters, ticket: Ticket) -> None:
    """18.1.6, and of 18.1.7: a market order is always stored as ImmediateOrCancel, unless it is to fill or kill."""
    life = read.text(sent, "timeInForce") or "GoodTillCancel"
    if life not in LIVES:
        raise invalid("Unsupported timeInForce")
    words = read.many(sent, "execInst", invalid("Unsupported execInst"))
    if any(word not in INSTRUCTIONS and word not in TRIGGERS for word in words):
        raise invalid("Unsupported execInst")
    ticket.peg = read.text(sent, "pegPriceType")
    if ticket.peg not in ("", PRIMARY, FAR, TRAILING):
        raise invalid("Unsupported pegPriceType")
    if read.text(sent, "contingencyType") not in ("", "OneCancelsTheOther", "OneTriggersTheOther"):
        raise invalid("Unsupported contingencyType")
    if ticket.kind == "Market" and life != "FillOrKill":
        life = "ImmediateOrCancel"
    ticket.time_in_force, ticket.instructions = life, tuple(words)


def _combination(ticket: Ticket, sent: Parameters) -> None:
    """18.1.7."""
    words = set(ticket.instructions)
    refusal = invalid("Invalid ordType or timeInForce for execInst")
    immediate = ticket.kind in MARKET_KINDS or ticket.time_in_force in ("ImmediateOrCancel", "FillOrKill")
    if "ParticipateDoNotInitiate" in words and immediate:
        raise refusal
    if ticket.instrument.is_spot and words & {"Close", "ReduceOnly", "IndexPrice", "LastWithinMark"}:
        raise refusal
    if "LastWithinMark" in words and not ("LastPrice" in words and ticket.kind in ("Stop", "StopLimit")):
        raise refusal
    if len(words & TRIGGERS.keys()) > 1:
        raise refusal
    if "AllOrNone" in words:
        if read.decimal(sent, "displayQty", invalid("Invalid displayQty")) != 0:
            raise invalid("Invalid displayQty for execInst")
        # Announced as removed in 2018, listed until 2026 (11.3): it was never seen at work, so it is not invented here.
        raise invalid("Unsupported execInst")
    is_pegged = ticket.kind == "Pegged"
    if (is_pegged and "Fixed" not in words) or ("Fixed" in words and not (is_pegged or ticket.peg)):
        raise refusal
    if ticket.kind == "Pegged" and ticket.peg not in (PRIMARY, FAR):
        raise invalid("Invalid pegPriceType for ordType")
    if ticket.peg and ticket.kind != "Pegged" and not (ticket.peg == TRAILING and ticket.waits):
        raise invalid("Invalid pegPriceType for ordType")
    if words & TRIGGERS.keys() and not ticket.waits:
        # A trigger reference on a type without trigger is ignored on `Close` Market only.
        if not ("Close" in words and ticket.kind == "Market"):
            raise refusal
        ticket.instructions = tuple(word for word in ticket.instructions if word not in TRIGGERS)


def _quantity(ticket: Ticket, qty: Decimal | None, position: int) -> int:
    """18.1.8 to 18.1.11; never rounded."""
    if qty is None:
        if "Close" not in ticket.instructions:
            raise invalid("Invalid orderQty")
        return 0 if ticket.waits else abs(position)  # 18.3.7: what it is when it is triggered
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
    if ticket.kind in MARKET_KINDS or ticket.kind == "Pegged":
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


def _trigger(ticket: Ticket, sent: Parameters) -> None:
    """18.1.13, 18.1.14; with a trailing peg what was sent is overwritten (18.3.9)."""
    refusal = invalid("Invalid stopPx for ordType")
    price = read.decimal(sent, "stopPx", refusal)
    trails = ticket.waits and ticket.peg == TRAILING
    if (price is not None) != ticket.waits and not (price is None and trails):
        raise refusal
    if price is not None and not trails:
        ticket.stop_ticks = check_stop(ticket.instrument, price)


def check_stop(instrument: Instrument, price: Decimal) -> int:
    """Ticks of a trigger."""
    if price <= 0 or (instrument.max_price is not None and price > instrument.max_price):
        raise invalid("Invalid stopPx for ordType")
    if not instrument.is_on_tick(price):
        raise invalid("Invalid stopPx tickSize")
    return instrument.ticks(price)


def check_offset(instrument: Instrument, offset: Decimal | None, *, trailing: bool, above: bool) -> int:
    """Ticks of a `pegOffsetValue`; of a trailing one the sign has to be the trigger's side (11.5, 18.3.9)."""
    if offset is None or (trailing and (offset == 0 or (offset > 0) != above)):
        raise invalid("Invalid pegOffsetValue for pegPriceType")
    if not instrument.is_on_tick(offset):
        raise invalid("Invalid pegOffsetValue tickSize")
    return instrument.ticks(offset)


def _peg(venue: Venue, ticket: Ticket, sent: Parameters) -> None:
    """11.5: a trailing trigger is the engine's to set, the price of a pegged order is set here."""
    refusal = invalid("Invalid pegOffsetValue for pegPriceType")
    offset = read.decimal(sent, "pegOffsetValue", refusal)
    if not ticket.peg:
        if offset is not None:
            raise refusal
        return
    trailing = ticket.peg == TRAILING
    ticket.offset = check_offset(ticket.instrument, offset, trailing=trailing, above=ticket.fires_above)
    if not trailing:
        ticket.ticks = pegged_price(ticket.market, ticket.side, ticket.peg, ticket.offset)


def pegged_price(market: PublicMarket, side: Side, peg: str, offset: int) -> int:
    """18.2.7: the near touch, or the far one, and the offset; refused without one."""
    touch = market.market.best(side if peg == PRIMARY else side.opposite)
    if touch is None or touch + offset <= 0:
        raise invalid("Invalid price")
    return touch + offset


def _display(ticket: Ticket, sent: Parameters) -> None:
    """18.1.15."""
    refusal = invalid("Invalid displayQty")
    display = read.decimal(sent, "displayQty", refusal)
    if display is None:
        return
    assert ticket.qty is not None
    if display < 0 or display > ticket.qty or display % ticket.instrument.lot_units:
        raise refusal
    ticket.display = int(display)


def _expiry(venue: Venue, sent: Parameters) -> int:
    """18.1.24."""
    word = read.text(sent, "expiryTime")
    if not word:
        return 0
    try:
        ts = parse_time(word)
    except (ValueError, OverflowError):
        raise invalid("Invalid expiryTime") from None
    if ts <= venue.ts:
        raise invalid("Invalid expiryTime")
    return ts


def _client_id(venue: Venue, account: VenueAccount, ticket: Ticket, sent: Parameters) -> None:
    """18.1.16 to 18.1.19."""
    ticket.client_id = read.text(sent, "clOrdID")
    check_client_id(venue, account, ticket.client_id)
    standing = [order for order in venue.open_orders(account) if order.instrument is ticket.instrument]
    waiting = sum(order.waits for order in standing)
    if len(standing) >= OPEN_ORDERS_MAX or (ticket.waits and waiting >= UNTRIGGERED_MAX):
        raise invalid("Too many open orders")


def check_client_id(venue: Venue, account: VenueAccount, client_id: str) -> None:
    """At most 36 characters, and no open order's."""
    if len(client_id) > CLIENT_ID_MAX:
        raise invalid("Invalid clOrdID")
    if client_id and any(order.client_id == client_id for order in venue.open_orders(account)):
        raise invalid("Duplicate clOrdID")


def find_leg(account: VenueAccount, instrument: Instrument, sent: Parameters) -> PositionSide | None:
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
    if ticket.display is not None:
        ticket.display = min(ticket.display, ticket.qty)  # it fitted what was sent
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
        stop_ticks=ticket.stop_ticks,
        display=ticket.display,
        peg=ticket.peg,
        offset=ticket.offset,
        expires=ticket.expires,
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
        type=OrderType.MARKET if order.kind in MARKET_KINDS else OrderType.LIMIT,
        units=order.qty,
        ticks=order.ticks,
        time_in_force=LIVES[order.time_in_force],
        post_only=order.has("ParticipateDoNotInitiate"),
        reduce_only=order.has("ReduceOnly") or order.has("Close"),
        display_units=order.display,
        trigger_ticks=order.stop_ticks if not order.triggered else None,
        trigger_by=trigger_by(order),
        trigger_kind=TriggerKind.TAKE_PROFIT if order.kind.endswith("IfTouched") else TriggerKind.STOP,
        trail_ticks=order.offset if order.peg == TRAILING else None,
        within_mark=order.has("LastWithinMark"),
    )


def trigger_by(order: VenueOrder) -> TriggerBy:
    """11.1: the price that was named; by default the mark, on spot always the last price (18.3.13)."""
    if order.instrument.is_spot:
        return TriggerBy.LAST
    return next((by for word, by in TRIGGERS.items() if order.has(word)), TriggerBy.MARK)


def afford(venue: Venue, account: VenueAccount, order: VenueOrder) -> None:
    """18.1.23: risk limit, then balance."""
    if order.has("ReduceOnly") or order.has("Close") or order.waits:
        return
    request = engine_request(order)
    if venue.engine.exceeds_risk_limit(account, request):
        raise invalid(RISK_LIMIT)
    short = venue.engine.shortage(account, request)
    if short is not None:
        raise insufficient(short[0], venue.minor[short[1].code])
