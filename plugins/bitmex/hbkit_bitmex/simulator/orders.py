"""An order as the venue knows it: what was asked for, where it stands, and its rows (protocol 8.1, 12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from hbkit.clock import iso
from hbkit.model import Instrument, PositionSide, Side
from hbkit_bitmex.simulator.numbers import Number, number
from hbkit_bitmex.simulator.packed import pack, unpack

Row = dict[str, Any]

SUBMITTED = "Submitted via API."
STRATEGIES: Mapping[PositionSide, str] = {
    PositionSide.NET: "OneWay",
    PositionSide.LONG: "Long",
    PositionSide.SHORT: "Short",
}
TRIGGER_KINDS = frozenset({"Stop", "StopLimit", "MarketIfTouched", "LimitIfTouched"})
OPEN = frozenset({"New", "PartiallyFilled"})
KEYS = ("orderID", "clOrdID", "account", "symbol")
"""What stands in every update, changed or not (7.4)."""


@dataclass(eq=False, slots=True)
class VenueOrder:
    """Mutable, owned by the venue; quantities in the venue's units (contracts, satoshi), price in ticks."""

    order_id: str
    account: int
    instrument: Instrument
    currency: str
    settle: str
    side: Side
    position_side: PositionSide
    kind: str
    time_in_force: str
    qty: int
    ticks: int | None = None
    stop_ticks: int | None = None
    """The trigger; that of a trailing order is moved by the engine."""
    display: int | None = None
    peg: str = ""
    offset: int | None = None
    """`pegOffsetValue` in ticks."""
    triggered: bool = False
    expires: int = 0
    """`expiryTime`, ns; 0 for none."""
    instructions: tuple[str, ...] = ()
    client_id: str = ""
    link_id: str = ""
    note: str = ""
    status: str = "New"
    leaves: int = 0
    filled: int = 0
    text: str = SUBMITTED
    reject_reason: str = ""
    entered: int = 0
    """Place among all orders: rows are sorted by it."""
    entered_ts: int = 0
    ts: int = 0
    fills: dict[int, int] = field(default_factory=dict)
    """Units per price in ticks: what the average price is made of."""
    told: Row | bytes | None = None
    """The row as it was last published on the `order` topic; packed once the order is done, for those are many."""

    @property
    def is_open(self) -> bool:
        """True while it may still fill."""
        return self.status in OPEN

    @property
    def waits(self) -> bool:
        """True until its trigger is reached; it is New, but does not work."""
        return self.kind in TRIGGER_KINDS and not self.triggered

    def has(self, instruction: str) -> bool:
        """Whether an execInst was sent."""
        return instruction in self.instructions

    @property
    def origin(self) -> str:
        """The last line of every text: the user's note, and who submitted it (4.6)."""
        return f"{self.note}\n{SUBMITTED}" if self.note else SUBMITTED

    def add_fill(self, ticks: int, units: int) -> None:
        """One match."""
        self.fills[ticks] = self.fills.get(ticks, 0) + units
        self.filled += units
        self.leaves = max(0, self.qty - self.filled)
        self.status = "PartiallyFilled" if self.leaves else "Filled"

    @property
    def average(self) -> Number | None:
        """Mean fill price: harmonic for inverse, which is what its value averages to; exact where all were alike."""
        if not self.fills:
            return None
        if len(self.fills) == 1:
            return number(self.instrument.price(next(iter(self.fills))))
        tick = Fraction(self.instrument.tick_size)
        if self.instrument.is_inverse:
            exact = Fraction(self.filled) / sum(Fraction(units, ticks) for ticks, units in self.fills.items()) * tick
        else:
            exact = Fraction(sum(units * ticks for ticks, units in self.fills.items()), self.filled) * tick
        return number(round(float(exact), 4))

    def row(self) -> Row:
        """The order row, sparse: what is empty is left out (0.3)."""
        instrument = self.instrument
        row: Row = {"orderID": self.order_id}
        if self.client_id:
            row["clOrdID"] = self.client_id
        if self.link_id:
            row["clOrdLinkID"] = self.link_id
        row |= {
            "account": self.account,
            "symbol": instrument.symbol,
            "side": "Buy" if self.side is Side.BUY else "Sell",
            "orderQty": self.qty,
        }
        if self.ticks is not None:
            row["price"] = number(instrument.price(self.ticks))
        if self.display is not None:
            row["displayQty"] = self.display
        if self.stop_ticks is not None:
            row["stopPx"] = number(instrument.price(self.stop_ticks))
        if self.offset is not None:
            row |= {"pegOffsetValue": number(instrument.price(self.offset)), "pegPriceType": self.peg}
        row["currency"] = self.currency
        if self.settle:
            row["settlCurrency"] = self.settle
        row |= {"ordType": self.kind, "timeInForce": self.time_in_force}
        if self.instructions:
            row["execInst"] = ",".join(self.instructions)
        row["ordStatus"] = self.status
        if self.triggered:
            row["triggered"] = "StopOrderTriggered"
        row["workingIndicator"] = self.is_open and not self.waits
        if self.reject_reason:
            row["ordRejReason"] = self.reject_reason
        row |= {"leavesQty": self.leaves if self.is_open else 0, "cumQty": self.filled}
        if (average := self.average) is not None:
            row["avgPx"] = average
        stamp = iso(self.ts)
        row |= {
            "text": self.text,
            "transactTime": stamp,
            "timestamp": stamp,
            "strategy": STRATEGIES[self.position_side],
            "pool": "Primary",
        }
        return row

    def last_row(self) -> Row:
        """The row as it was last published; as it stands where it never was."""
        if self.told is None:
            return self.row()
        found: Row = unpack(self.told) if isinstance(self.told, bytes) else self.told
        return found

    def published(self) -> tuple[str, Row] | None:
        """What the `order` topic has to say: an insert at first, then an update of what changed; None for nothing."""
        row = self.row()
        before = None if self.told is None else self.last_row()
        self.told = row if self.is_open else pack(row)
        if before is None:
            return "insert", row
        changed = {column: value for column, value in row.items() if before.get(column) != value}
        if not changed:
            return None
        keys = {column: row[column] for column in KEYS if column in row}
        if "triggered" in changed:
            changed["ordStatus"] = row["ordStatus"]  # 12.3: told with the trigger, changed or not
        return "update", {**keys, **changed, "timestamp": row["timestamp"]}
