"""The words of FakeVenue's wire as values of hbkit, and back: the one place where its units become ours.

Prices and quantities are decimal text on the wire; a quantity is in coins, of which an instrument counts units.
"""

from __future__ import annotations

import math

from hbkit.clock import MINUTE
from hbkit.exchange import Holding
from hbkit.model import (
    Candle,
    Execution,
    ExecutionKind,
    Funding,
    Instrument,
    Liquidity,
    Mark,
    OrderReport,
    OrderRequest,
    OrderStatus,
    PositionSide,
    Quote,
    Side,
    Trade,
    TriggerBy,
    Wallet,
)
from hbkit.testing.fake.rows import Row

NOTHING = (math.nan, math.nan)


class Wire:
    """The translator of one instrument."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument

    def trade(self, row: Row) -> Trade:
        """A print; `took` is the taker's side."""
        return Trade(row["ts"], self.instrument, Side(row["took"]), float(row["px"]), float(row["qty"]))

    def quote(self, row: Row) -> Quote:
        """The two best levels; a side that is empty is `nan`."""
        top = {one["side"]: (float(one["px"]), float(one["qty"])) for one in row["top"]}
        (bid, bid_qty), (ask, ask_qty) = top.get("buy", NOTHING), top.get("sell", NOTHING)
        return Quote(row["ts"], self.instrument, bid, ask, bid_qty, ask_qty)

    def level(self, row: Row) -> tuple[Side, int, int]:
        """Side, ticks and units of a level of the book."""
        return Side(row["side"]), self.instrument.ticks(row["px"]), self.instrument.units(row["qty"])

    def mark(self, row: Row) -> Mark:
        """A mark; there is no index here."""
        return Mark(row["ts"], self.instrument, float(row["px"]), math.nan)

    def candle(self, row: Row) -> Candle:
        """The venue stamps a candle with its open; so do we, and with its close as the moment it is known."""
        first, high, low, last = (float(row[name]) for name in "ohlc")
        end, volume = row["open"] + MINUTE, float(row["v"])
        return Candle(end, row["open"], end, self.instrument, "1m", first, high, low, last, volume, row["n"])

    def wallet(self, row: Row) -> Wallet:
        """The account's money, in minor units already."""
        return Wallet(self.instrument.settle, row["cash"], row["worth"], row["free"])

    def holding(self, row: Row) -> Holding:
        """The venue says long or short and a size; we say a sign."""
        units = self.instrument.units(row["qty"])
        return Holding(self.instrument, PositionSide(row["leg"]), units if row["way"] == "long" else -units, 0)

    def report(self, row: Row) -> OrderReport:
        """An order as it stands."""
        return OrderReport(
            ts=row["ts"],
            id=row["cid"],
            exchange_id=row["oid"],
            instrument=self.instrument,
            side=Side(row["side"]),
            position_side=PositionSide(row["leg"]),
            status=OrderStatus(row["state"]),
            units=self.instrument.units(row["qty"]),
            filled_units=self.instrument.units(row["done"]),
            ticks=None if row["px"] is None else self.instrument.ticks(row["px"]),
            reason=row["why"],
            trigger_ticks=None if row["stop"] is None else self.instrument.ticks(row["stop"]),
            triggered=row["fired"],
        )

    def execution(self, row: Row) -> Execution:
        """A fill, whose cost is reckoned here, for this venue does not tell it; or a funding, which has none."""
        side, units, price = Side(row["side"]), self.instrument.units(row["qty"]), float(row["px"])
        kind = ExecutionKind(row["kind"])
        return Execution(
            ts=row["ts"],
            id=row["id"],
            order_id=row["cid"],
            instrument=self.instrument,
            side=side,
            position_side=PositionSide(row["leg"]),
            price=price,
            units=units,
            cost=0 if kind is ExecutionKind.FUNDING else self.instrument.signed_cost(units * side.sign, price),
            fee=self.instrument.settle.minor(row["fee"]),
            liquidity=Liquidity.MAKER if row["role"] == "made" else Liquidity.TAKER,
            kind=kind,
        )

    def funding(self, row: Row) -> Funding:
        """A funding that took place; what it moved is told as an execution."""
        return Funding(row["ts"], self.instrument, float(row["rate"]), row["next"], 0.0, self.instrument.settle.code)

    def order_body(self, request: OrderRequest) -> Row:
        """A new order, as exact decimal text."""
        return {
            "cid": request.id,
            "side": request.side.value,
            "leg": request.position_side.value,
            "life": request.time_in_force.value,
            "post": request.post_only,
            "reduce": request.reduce_only,
            "show": None if request.display_units is None else self.instrument.qty_text(request.display_units),
            "by": (request.trigger_by or TriggerBy.MARK).value,
            "when": "rises" if request.fires_above else "falls",
            **self.change(request.ticks, request.units, request.trigger_ticks),
        }

    def change(self, ticks: int | None, units: int | None, trigger_ticks: int | None = None) -> Row:
        """A price, a total quantity, a trigger; None for what stays as it is, or is not there."""
        prices = {"px": ticks, "stop": trigger_ticks}
        texts = {name: None if one is None else self.instrument.price_text(one) for name, one in prices.items()}
        return {**texts, "qty": None if units is None else self.instrument.qty_text(units)}

    def blank(self, request: OrderRequest, ts: int) -> OrderReport:
        """What is known of an order before anything was heard of it."""
        return OrderReport(
            ts=ts,
            id=request.id,
            exchange_id="",
            instrument=request.instrument,
            side=request.side,
            position_side=request.position_side,
            status=OrderStatus.PENDING,
            units=request.units,
            filled_units=0,
            ticks=request.ticks,
            trigger_ticks=request.trigger_ticks,
        )
